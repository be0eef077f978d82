"""Drip: the cadence of the lead's own touches, steady or all at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leadscore.features import asof
from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary
from leadscore.history import Codes
from leadscore.timeline import local_days

NAME = "drip"
_FEWEST_WEEKS = 12  # a quarter of a year: less than that shows no habit


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if vocabulary.kinds else "no interactions"


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:  # noqa: ARG001 - the columns are always the same
    """List the columns: gaps between touches, how they spread over days and weeks, and the drip index.

    `drip_index` = (N - 1) / (max(W, 12) - 1), where W is the number of weeks (Monday to Sunday, in the project's zone)
    from that of the first touch to that of as_of, and N = n² / Σ c² the effective number of weeks among them for n
    touches, c in each week (Simpson 1949; the Hill number of order 2, Hill 1973). N is the number of weeks if all got
    the same and 1 if one got everything. So the index is 1 for a touch (or five) in each of twelve weeks or more, 0 for
    any number in a single week; it falls with silence, with touches crowded into one week, and while there are fewer
    than twelve weeks to judge by.
    """
    few = "fewer than two interactions"
    return (
        Feature(
            "gap_mean_days", NAME, "drip.gap", "days", few,
            {"en": "{value} between interactions on average", "fr": "{value} entre deux interactions en moyenne"},
            {"en": "fewer than two interactions", "fr": "moins de deux interactions"},
        ),
        Feature(
            "gap_variation", NAME, "drip.regularity", "ratio", "fewer than three interactions, or all at one moment",
            {
                "en": "unevenness of the pauses (0: always alike): {value}",
                "fr": "irrégularité des pauses (0 : toujours égales) : {value}",
            },
            {"en": "too few interactions for a rhythm", "fr": "trop peu d'interactions pour un rythme"},
        ),
        Feature(
            "gap_longest_days", NAME, "drip.gap", "days", few,
            {"en": "longest silence: {value}", "fr": "plus long silence : {value}"},
            {"en": "fewer than two interactions", "fr": "moins de deux interactions"},
        ),
        Feature(
            "gap_current_days", NAME, "recency", "days", "no interactions",
            {"en": "last interaction {value} ago", "fr": "dernière interaction il y a {value}"},
            {"en": "no interaction yet", "fr": "pas encore d'interaction"},
        ),
        Feature(
            "busiest_day_share", NAME, "drip.spread", "share", "no interactions",
            {"en": "{value} of the interactions on a single day", "fr": "{value} des interactions en un seul jour"},
            {"en": "no day with interactions yet", "fr": "pas encore de jour d'activité"},
            skewed=False,
        ),
        Feature(
            "active_days", NAME, "drip.spread", "count", "",
            {"en": "days with interactions: {value}", "fr": "jours d'activité : {value}"},
            {"en": "never active", "fr": "jamais d'activité"},
        ),
        Feature(
            "active_weeks", NAME, "drip.spread", "count", "",
            {"en": "weeks with interactions: {value}", "fr": "semaines d'activité : {value}"},
            {"en": "never active", "fr": "jamais d'activité"},
        ),
        Feature(
            "drip_index", NAME, "drip.regularity", "share", few,
            {"en": "steadiness from week to week: {value}", "fr": "régularité de semaine en semaine : {value}"},
            {"en": "too few interactions for a rhythm", "fr": "trop peu d'interactions pour un rythme"},
            skewed=False,
        ),
    )  # fmt: skip


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    days = view.days(vocabulary)
    weeks = _weeks(days)
    gaps = asof.gaps(view.asof, view.own)
    share = asof.busiest_day_share(view.asof, view.own, days)
    active = asof.active_days(view.asof, view.own, days)
    active_weeks = asof.active_days(view.asof, view.own, weeks)
    # A microsecond before: a week that begins at as_of is none to be active in yet.
    now = _weeks(local_days(view.snapshots.as_of - 1, vocabulary.time_zone))
    index = _drip_index(view, weeks, now, touches=gaps[:, 0] + 1)
    return np.column_stack([gaps[:, 1:], share, active, active_weeks, index]).astype(np.float32)


def _weeks(days: Codes) -> Codes:
    """Number the weeks that days (since Thursday, 1970-01-01) fall in; a week begins on Monday."""
    return (days + 3) // 7


def _drip_index(view: View, weeks: Codes, now: Codes, touches: Matrix) -> Matrix:
    own = np.where(view.own, 0, -1).astype(np.int32)
    first = asof.first_value(view.asof, weeks.astype(np.float64), own, 1)[:, 0]
    squares = asof.total(view.asof, _square_steps(view, weeks), own, 1, np.array([asof.ALL]))[:, 0, 0]
    elapsed = np.maximum(now - first + 1, _FEWEST_WEEKS)
    effective = np.divide(touches**2, squares, out=np.full_like(squares, np.nan), where=touches > 1)
    index: Matrix = ((effective - 1) / (elapsed - 1)).astype(np.float32)
    return index


def _square_steps(view: View, weeks: Codes) -> npt.NDArray[np.float64]:
    """Give each touch what it adds to Σ c², so that a plain sum over the touches seen is Σ c²: c² - (c - 1)²."""
    rows = np.flatnonzero(view.own)
    lead = np.repeat(np.arange(view.history.n_leads), np.diff(view.history.indptr))[rows]
    begins = np.flatnonzero((np.diff(lead, prepend=-1) != 0) | (np.diff(weeks[rows], prepend=0) != 0))
    before = np.arange(len(rows)) - np.repeat(begins, np.diff(begins, append=len(rows)))  # touches of that week so far
    steps = np.zeros(len(weeks))
    steps[rows] = 2 * before + 1
    return steps
