"""Sequence: what came last, how long ago, and for how long things have stood as they do."""

from __future__ import annotations

import numpy as np

from leadscore.features import asof
from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import OTHER, Vocabulary

NAME = "sequence"


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if vocabulary.kinds else "no interactions"


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: days since the last of each kind, a flag for the newest kind, days in the present state."""
    words = (*vocabulary.kinds, OTHER)
    state = Feature(
        "days_in_state", NAME, "sequence.state", "days", "no interactions",
        {"en": "same kind of interaction for {value}", "fr": "même sorte d'interaction depuis {value}"},
        {"en": "no state yet", "fr": "pas encore d'état"},
    )  # fmt: skip
    return (
        *(_since(kind, vocabulary) for kind in words),
        *(_newest(kind, vocabulary) for kind in words),
        state,
    )


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    codes, words = view.kinds(vocabulary)
    ages = asof.age_of_last(view.asof, codes, len(words))
    newest = asof.last_code(view.asof, codes, 1) == np.arange(len(words))
    state = asof.in_state(view.asof, codes)
    return np.column_stack([ages, newest, state]).astype(np.float32)


def _since(kind: str, vocabulary: Vocabulary) -> Feature:
    en, fr = vocabulary.label(kind, "en"), vocabulary.label(kind, "fr")
    return Feature(
        f"days_since_{kind}", NAME, f"recency.{kind}", "days", f"never a {kind}",
        {"en": f"last {en} {{value}} ago", "fr": f"dernier « {fr} » il y a {{value}}"},
        {"en": f"no {en} yet", "fr": f"pas encore de « {fr} »"},
    )  # fmt: skip


def _newest(kind: str, vocabulary: Vocabulary) -> Feature:
    en, fr = vocabulary.label(kind, "en"), vocabulary.label(kind, "fr")
    return Feature(
        f"newest_is_{kind}", NAME, "sequence.newest", "flag", "",
        {"en": f"the newest interaction is {en}", "fr": f"l'interaction la plus récente est « {fr} »"},
        {"en": f"the newest interaction is not {en}", "fr": f"l'interaction la plus récente n'est pas « {fr} »"},
        skewed=False,
    )  # fmt: skip
