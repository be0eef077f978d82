"""Drip: the cadence of the touches, steady or all at once."""

from __future__ import annotations

import numpy as np

from leadscore.features import asof
from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary

NAME = "drip"


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if vocabulary.kinds else "no interactions"


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:  # noqa: ARG001 - the columns are always the same
    """List the columns: gaps between interactions, then how they spread over days."""
    few = "fewer than two interactions"
    return (
        Feature(
            "gap_mean_days", NAME, "drip.gap", "days", few,
            {"en": "{value} between interactions on average", "fr": "{value} entre interactions en moyenne"},
            {"en": "fewer than two interactions", "fr": "moins de deux interactions"},
        ),
        Feature(
            "gap_variation", NAME, "drip.regularity", "ratio", "fewer than three interactions, or all at one moment",
            {"en": "variation of the pauses: {value}", "fr": "variation des pauses : {value}"},
            {"en": "too few interactions for a rhythm", "fr": "trop peu d'interactions pour un rythme"},
        ),
        Feature(
            "gap_longest_days", NAME, "drip.gap", "days", few,
            {"en": "longest silence {value}", "fr": "plus long silence {value}"},
            {"en": "fewer than two interactions", "fr": "moins de deux interactions"},
        ),
        Feature(
            "gap_current_days", NAME, "recency", "days", "no interactions",
            {"en": "last interaction {value} ago", "fr": "dernière interaction il y a {value}"},
            {"en": "no interaction yet", "fr": "pas encore d'interaction"},
        ),
        Feature(
            "busiest_day_share", NAME, "drip.spread", "share", "no interactions",
            {"en": "{value} of the interactions on one day", "fr": "{value} des interactions en un seul jour"},
            {"en": "no interaction yet", "fr": "pas encore d'interaction"},
            skewed=False,
        ),
        Feature(
            "active_days", NAME, "drip.spread", "count", "",
            {"en": "active on {value} days", "fr": "active sur {value} jours"},
            {"en": "never active", "fr": "jamais active"},
        ),
    )  # fmt: skip


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    every = np.ones(len(view.history), dtype=np.bool_)
    days = view.days(vocabulary)
    gaps = asof.gaps(view.asof, every)[:, 1:]
    share = asof.busiest_day_share(view.asof, every, days)
    active = asof.active_days(view.asof, every, days)
    return np.column_stack([gaps, share, active]).astype(np.float32)
