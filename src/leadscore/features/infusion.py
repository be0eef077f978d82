"""Infusion: the lead warms up with each touch and cools, halving its warmth every half-life.

*Warmth* counts touches, kind by kind, each at 1. *Temperature* counts them all, each at the weight of its kind. It is
there at the configured half-lives and at chosen ones: one for everything, from which peak, cooling and the days to cold
follow, and one per channel. Weights, chosen half-lives and the threshold of cold are frozen: neutral when settled, then
learned on past folds or taken from the configuration (see `model.warmth`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from leadscore.config import Config
from leadscore.features import asof
from leadscore.features.asof import Asof
from leadscore.features.catalogue import ALL, Feature, Sayings, Unit, Words, span
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import OTHER, Vocabulary, heard, tally
from leadscore.history import Coded, Codes, History, Leads
from leadscore.timeline import DAY

NAME = "infusion"

_MOST_CHANNELS = 8
_COLD = 0.5  # half a touch of the weightiest kind
_TINY = float(np.finfo(np.float32).tiny)  # beneath it a float32 loses digits


@dataclass(frozen=True)
class Scale:
    """What the temperature goes by.

    Attributes:
        weights: Degrees one touch adds, by kind, `other` included; none negative, the largest 1.
        half_life: Of all touches, in microseconds.
        half_lives: By channel, `other` included, in microseconds; empty when no interaction says its channel.
        cold: The lead is cold below this temperature.
    """

    weights: Mapping[str, float]
    half_life: int
    half_lives: Mapping[str, int]
    cold: float

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Scale:
        """Read what is frozen."""
        return cls(**vocabulary.frozen[NAME])

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels with a half-life of their own, then `other`; empty when no interaction says its channel."""
        named = sorted(name for name in self.half_lives if name != OTHER)
        return (*named, OTHER) if self.half_lives else ()

    def channel_codes(self, channel: Coded) -> Codes:
        """Return the place of each interaction's channel in `channels`; unknown and none are `other`."""
        codes = channel.recode(self.channels[:-1], other=len(self.channels) - 1)
        return np.where(codes < 0, len(self.channels) - 1, codes).astype(np.int32)

    def degrees(self, kind: Coded) -> npt.NDArray[np.float64]:
        """Return what each interaction adds to the temperature."""
        table = [self.weights.get(word, self.weights[OTHER]) for word in kind.words]
        return np.array([*table, 0.0])[kind.codes]


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if vocabulary.kinds else "no interactions"


def count(leads: Leads, history: History, config: Config) -> Counter[str]:  # noqa: ARG001 - as all families
    """Count the channels of a bucket."""
    return tally(history.channel, heard(leads, history))


def freeze(counts: Counter[str], vocabulary: Vocabulary) -> Mapping[str, Any]:
    """Settle the channels, and a neutral scale: all kinds alike, the middle half-life, cold at half a touch."""
    frequent = sorted((-number, word) for word, number in counts.items() if word != OTHER)[:_MOST_CHANNELS]
    lengths = [*vocabulary.half_lives.values()]
    middle = lengths[len(lengths) // 2]
    channels = [*sorted(word for _, word in frequent), OTHER] if counts else []
    return {
        "weights": dict.fromkeys((*vocabulary.kinds, OTHER), 1.0),
        "half_life": middle,
        "half_lives": dict.fromkeys(channels, middle),
        "cold": _COLD,
    }


# ---- what there is -------------------------------------------------------------------------------------------


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: warmth per kind, then of all, per half-life; temperature per half-life, chosen, per channel."""
    per_kind = [
        _warmth(f"{kind}_{name}", kind, f"{NAME}.{kind}", vocabulary.label(kind, "en"), vocabulary.label(kind, "fr"))
        for kind in (*vocabulary.kinds, OTHER)
        for name in vocabulary.half_lives
    ]
    overall = [
        _warmth(name, ALL, NAME, "all interactions", "toutes les interactions") for name in vocabulary.half_lives
    ]
    scale = Scale.of(vocabulary)
    return (
        *per_kind,
        *overall,
        *(_temperature(f"temperature_{name}") for name in vocabulary.half_lives),
        *_course(_short_while(vocabulary)),
        *_by_channel(scale, vocabulary),
    )


def _warmth(name: str, kind: str, concept: str, en: str, fr: str) -> Feature:
    return Feature(
        f"warmth_{name}", NAME, concept, "warmth", "",
        {"en": f"recent activity ({en}): ⟨{{value}}⟩", "fr": f"activité récente ({fr}) : ⟨{{value}}⟩"},
        {"en": f"recent activity ({en}): ⟨0⟩", "fr": f"activité récente ({fr}) : ⟨0⟩"},
        kind=kind,
    )  # fmt: skip


def _temperature(name: str) -> Feature:
    return replace(
        _of_all(
            name, "temperature", "warmth", "",
            {"en": "temperature (recent activity): ⟨{value}⟩", "fr": "température (activité récente) : ⟨{value}⟩"},
            {"en": "temperature (recent activity): ⟨0⟩", "fr": "température (activité récente) : ⟨0⟩"},
        ),
        kind=ALL,
    )  # fmt: skip


def _course(while_: int) -> tuple[Feature, ...]:
    """List the columns of the one curve at the chosen half-life."""
    never = {"en": "no activity so far", "fr": "aucune activité jusqu'ici"}
    before = {
        "en": f"no activity older than {span(while_, 'en')}",
        "fr": f"aucune activité de plus de {span(while_, 'fr')}",
    }
    cooling = _of_all(
        "cooling_per_day", "cooling", "ratio", f"no warmth older than {span(while_, 'en')}",
        {
            "en": "pace at which activity fades, per day: {value}",
            "fr": "rythme auquel l'activité retombe, par jour : {value}",
        },
        before, skewed=False,
    )  # fmt: skip
    until_cold = _of_all(
        "days_to_cold", "cooling", "days", "never warm",
        {
            "en": {"zero": "⟨already cold⟩", "other": "cold in ⟨{value}⟩ if nothing happens"},
            "fr": {"zero": "⟨déjà froid⟩", "other": "froid dans ⟨{value}⟩ si rien ne se passe"},
        },
        never,
    )  # fmt: skip
    return (
        replace(_temperature("temperature"), voice=True),
        _of_all(
            "temperature_peak", "peak", "warmth", "",
            {
                "en": "strongest activity so far: temperature ⟨{value}⟩",
                "fr": "activité la plus forte jusqu'ici : température ⟨{value}⟩",
            },
            {
                "en": "strongest activity so far: temperature ⟨0⟩",
                "fr": "activité la plus forte jusqu'ici : température ⟨0⟩",
            },
        ),
        _of_all(
            "temperature_to_peak", "peak", "share", "never warm",
            {"en": "activity now at {value} of its strongest", "fr": "activité actuelle à {value} de son maximum"},
            {"en": "no peak of activity so far", "fr": "aucun pic d'activité jusqu'ici"}, skewed=False,
        ),
        replace(cooling, kind=ALL, falls=True),
        replace(until_cold, kind=ALL),
    )  # fmt: skip


def _by_channel(scale: Scale, vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns of the channels, each at its own half-life, and of their sum."""
    if not scale.channels:
        return ()
    return (*(_via(channel, vocabulary) for channel in scale.channels), _temperature("temperature_channels"))


def _via(channel: str, vocabulary: Vocabulary) -> Feature:
    en, fr = vocabulary.channel(channel, "en"), vocabulary.channel(channel, "fr")
    return Feature(
        f"temperature_via_{channel}", NAME, f"{NAME}.via.{channel}", "warmth", "",
        {"en": f"{en}: recent activity ⟨{{value}}⟩", "fr": f"{fr} : activité récente ⟨{{value}}⟩"},
        {"en": f"{en}: recent activity ⟨0⟩", "fr": f"{fr} : activité récente ⟨0⟩"},
        kind=ALL, channel=channel,
    )  # fmt: skip


def _of_all(
    name: str,
    concept: str,
    unit: Unit,
    missing: str,
    sentence: Sayings,
    absent: Words,
    *,
    skewed: bool = True,
) -> Feature:
    return Feature(name, NAME, f"{NAME}.{concept}", unit, missing, sentence, absent, skewed)


def _short_while(vocabulary: Vocabulary) -> int:
    """Return how far back the cooling rate looks: the shortest window."""
    return min(vocabulary.windows.values())


# ---- what it is ----------------------------------------------------------------------------------------------


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry.

    With w the weights, over the touches that count:

    * `warmth_<kind>_<h>` = Σ 2^(-age / h) of the kind; `warmth_<h>` of all kinds;
    * `temperature_<h>` = Σ w 2^(-age / h), and so `temperature` at the half-life chosen for all touches;
    * `temperature_peak`: the greatest `temperature` ever was, 0 when never warm; `temperature_to_peak`: their ratio;
    * `cooling_per_day` = ln(T' / T) / d, T' being the temperature d days ago (d is the shortest window), as known now:
      ln 2 / half-life when nothing has happened since, negative when it has warmed up, missing when T' was 0;
    * `days_to_cold` = half-life x log2(T / cold), and 0 when it is cold already;
    * `temperature_via_<channel>` at the half-life of the channel, and `temperature_channels`, their sum. The halves of
      a sum of different half-lives differ, so peak, cooling and the days to cold go by the one half-life of all.
    """
    scale = Scale.of(vocabulary)
    half_lives = np.array([*vocabulary.half_lives.values()], dtype=np.int64)
    codes, words = view.kinds(vocabulary)
    warmth = asof.decayed_sum(view.asof, np.ones(len(view.history)), codes, len(words), half_lives)
    degrees, counts = scale.degrees(view.history.kind), codes >= 0
    alike = np.where(counts, 0, -1).astype(np.int32)
    return np.concatenate(
        [
            warmth.reshape(len(warmth), len(words) * len(half_lives)),
            _added(warmth),
            asof.decayed_sum(view.asof, degrees, alike, 1, half_lives)[:, 0],
            _curve(view.asof, degrees, alike, scale, _short_while(vocabulary)),
            _channels(view, degrees, counts, scale),
        ],
        axis=1,
    )


def _curve(sees: Asof, degrees: npt.NDArray[np.float64], alike: Codes, scale: Scale, while_: int) -> Matrix:
    """Compute what follows from the temperature at the one half-life: (snapshots, 5)."""
    lengths = np.array([scale.half_life], dtype=np.int64)
    # In float64 and in one piece, so that a row has the same bits alone and among others.
    now, before, peak = (
        np.ascontiguousarray(operator(moment, degrees, alike, 1, lengths)[:, 0, 0], dtype=np.float64)
        for operator, moment in (
            (asof.decayed_sum, sees),
            (asof.decayed_sum, _ago(sees, while_)),
            (asof.decayed_peak, sees),
        )
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        to_peak = np.where(peak > 0, now / peak, np.nan)
        # What is too small for a float32 has cooled at the rate of the half-life.
        cooling = np.where(now > _TINY, np.log(before / now) * (DAY / while_), np.log(2) * (DAY / scale.half_life))
        days = np.maximum(np.log2(now / scale.cold), 0) * (scale.half_life / DAY)
    return np.column_stack(
        [now, peak, to_peak, np.where(before > 0, cooling, np.nan), np.where(peak > 0, days, np.nan)]
    ).astype(np.float32)


def _ago(sees: Asof, by: int) -> Asof:
    """Look from so long before each snapshot at what is known at the snapshot."""
    return Asof(sees.time, sees.indptr, sees.as_of - by, sees.ptr, np.maximum(sees.seen - by, sees.time))


def _channels(view: View, degrees: npt.NDArray[np.float64], counts: npt.NDArray[np.bool_], scale: Scale) -> Matrix:
    """Compute the temperature of each channel at its own half-life, then their sum."""
    if not scale.channels:
        return np.zeros((len(view.snapshots), 0), np.float32)
    lengths = np.unique([scale.half_lives[channel] for channel in scale.channels]).astype(np.int64)
    codes = np.where(counts, scale.channel_codes(view.history.channel), -1).astype(np.int32)
    found = asof.decayed_sum(view.asof, degrees, codes, len(scale.channels), lengths)
    place = np.searchsorted(lengths, [scale.half_lives[channel] for channel in scale.channels])
    own = found[:, np.arange(len(place)), place]
    return np.column_stack([own, _added(own)])


def _added(parts: Matrix) -> Matrix:
    """Add up what lies along the second axis, one after the other: a sum of numpy's goes by how an array lies."""
    return reduce(np.add, np.moveaxis(parts, 1, 0))
