"""Sequence: what came last, how long ago, what came after what, and for how long things have stood as they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from leadscore.config import Config
from leadscore.features import asof
from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import OTHER, Vocabulary, heard
from leadscore.history import OUTBOUND, History, Leads

NAME = "sequence"
_MOST_PAIRS = 8
_NEWEST = 3  # a flag for each place and kind would be three times the columns
_NTH = (2, 3, 5)
_OFTEN = {"one": "once", "other": "{value} times"}


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if vocabulary.kinds else "no interactions"


def count(leads: Leads, history: History, config: Config) -> Counter[Any]:
    """Count which kind came right after which other, among the touches that count (see `View.counted`)."""
    rows = heard(leads, history) & (history.kind.codes >= 0)
    if "power" in config.features.families:
        rows &= history.direction != OUTBOUND
    lead = np.repeat(np.arange(history.n_leads), np.diff(history.indptr))[rows]
    kind = history.kind.codes[rows]
    pairs = np.column_stack([kind[:-1], kind[1:]])[lead[:-1] == lead[1:]]
    met, number = np.unique(pairs, axis=0, return_counts=True)
    words = history.kind.words
    return Counter({(words[a], words[b]): n for (a, b), n in zip(met.tolist(), number.tolist(), strict=True)})


def freeze(counts: Counter[Any], vocabulary: Vocabulary) -> Mapping[str, Any]:
    """Settle the most frequent transitions, ties in alphabetical order; a kind that repeats itself makes none."""
    pairs: Counter[tuple[str, str]] = Counter()
    for kinds, number in counts.items():
        before, after = (kind if kind in vocabulary.kinds else OTHER for kind in kinds)
        if before != after:
            pairs[before, after] += number
    frequent = sorted(pairs, key=lambda pair: (-pairs[pair], pair))
    # By name: a kind may have the sign between the two in its own, and no column comes twice.
    named = {_pair_name(*pair): list(pair) for pair in reversed(frequent)}
    return {"pairs": sorted(list(reversed(named.values()))[:_MOST_PAIRS])}


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: per kind, days since the last, whether it is the newest, how many of the newest three.

    Then days in the present state, ages of the second, third and fifth newest, and the most frequent transitions: how
    often one kind came right after another, in the longest window and so far.
    """
    words = (*vocabulary.kinds, OTHER)
    state = Feature(
        "days_in_state", NAME, "sequence.state", "days", "no interactions",
        {
            "en": "always the same kind of interaction for {value}",
            "fr": "toujours la même sorte d'interaction depuis {value}",
        },
        {"en": "⟨no interaction⟩ at all so far", "fr": "⟨aucune interaction⟩ du tout jusqu'ici"},
    )  # fmt: skip
    return (
        *(_since(kind, vocabulary) for kind in words),
        *(_newest(kind, vocabulary) for kind in words),
        *(_among_newest(kind, vocabulary) for kind in words),
        state,
        *(_nth(n) for n in _NTH),
        *(_transition(a, b, vocabulary, window) for a, b in _pairs(vocabulary) for window in _windows(vocabulary)),
    )


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    codes, words = view.kinds(vocabulary)
    ages = asof.age_of_last(view.asof, codes, len(words))
    last = asof.last_code(view.asof, codes, _NEWEST)
    is_kind = last[:, :, None] == np.arange(len(words))
    state = asof.in_state(view.asof, codes)
    nth = asof.nth_last(view.asof, codes >= 0, max(_NTH))[:, [n - 1 for n in _NTH]]
    pairs = np.array([[words.index(kind) for kind in pair] for pair in _pairs(vocabulary)], dtype=np.int32)
    windows = np.array([*_windows(vocabulary).values()], dtype=np.int64)
    came = asof.bigram_count(view.asof, codes, pairs.reshape(-1, 2), windows)
    transitions = came.reshape(len(came), len(pairs) * len(windows))
    return np.column_stack([ages, is_kind[:, 0], is_kind.sum(axis=1), state, nth, transitions]).astype(np.float32)


def _pairs(vocabulary: Vocabulary) -> list[list[str]]:
    pairs: list[list[str]] = vocabulary.frozen[NAME]["pairs"]
    return pairs


def _windows(vocabulary: Vocabulary) -> dict[str, int]:
    longest = list(vocabulary.windows)[-1]
    return {longest: vocabulary.windows[longest], "ever": asof.ALL}


def _pair_name(before: str, after: str) -> str:
    return f"{before}>{after}"


def _since(kind: str, vocabulary: Vocabulary) -> Feature:
    en, fr = vocabulary.label(kind, "en"), vocabulary.label(kind, "fr")
    return Feature(
        f"days_since_{kind}", NAME, f"recency.{kind}", "days", f"never a {kind}",
        {"en": f"last {en} {{value}} ago", "fr": f"dernière interaction du type « {fr} » il y a {{value}}"},
        {"en": f"⟨no {en}⟩ so far", "fr": f"⟨aucune⟩ interaction du type « {fr} » jusqu'ici"},
    )  # fmt: skip


def _newest(kind: str, vocabulary: Vocabulary) -> Feature:
    en, fr = vocabulary.label(kind, "en"), vocabulary.label(kind, "fr")
    return Feature(
        f"newest_is_{kind}", NAME, "sequence.newest", "flag", "",
        {"en": f"newest interaction: {en}", "fr": f"interaction la plus récente : {fr}"},
        # The flag is 0 for another kind and for none at all.
        {
            "en": f"newest interaction: not {en}, or none yet",
            "fr": f"interaction la plus récente : autre que « {fr} », ou aucune",
        },
        skewed=False,
    )  # fmt: skip


def _among_newest(kind: str, vocabulary: Vocabulary) -> Feature:
    en, fr = vocabulary.label(kind, "en"), vocabulary.label(kind, "fr")
    return Feature(
        f"newest_{_NEWEST}_{kind}", NAME, "sequence.newest", "count", "",
        {
            "en": f"{en}: {{value}} of the last {_NEWEST} interactions",
            "fr": f"{fr} : {{value}} des {_NEWEST} dernières interactions",
        },
        {
            "en": f"{en}: none of the last {_NEWEST} interactions",
            "fr": f"{fr} : ⟨aucune⟩ des {_NEWEST} dernières interactions",
        },
        skewed=False,
    )  # fmt: skip


def _nth(n: int) -> Feature:
    return Feature(
        f"nth_newest_{n}_days", NAME, "sequence.nth_newest", "days", f"fewer than {n} interactions",
        {
            "en": f"last {n} interactions spread over {{value}}",
            "fr": f"{n} dernières interactions réparties sur {{value}}",
        },
        {"en": f"⟨fewer than {n} interactions⟩ so far", "fr": f"⟨moins de {n} interactions⟩ jusqu'ici"},
    )  # fmt: skip


def _transition(before: str, after: str, vocabulary: Vocabulary, window: str) -> Feature:
    a, b = ({language: vocabulary.label(kind, language) for language in ("en", "fr")} for kind in (before, after))
    when, name = vocabulary.within(window), _pair_name(before, after)
    return Feature(
        f"transition_{name}_{window}", NAME, f"sequence.{name}", "count", "",
        {
            "en": {form: f"{a['en']}, then {b['en']}: ⟨{often}⟩ {when['en']}" for form, often in _OFTEN.items()},
            "fr": f"{a['fr']}, puis {b['fr']} : ⟨{{value}} fois⟩ {when['fr']}",
        },
        {
            "en": f"{a['en']}, then {b['en']}: ⟨never⟩ {when['en']}",
            "fr": f"{a['fr']}, puis {b['fr']} : ⟨jamais⟩ {when['fr']}",
        },
    )  # fmt: skip
