"""How good the lists of the past would have been: what people are told beside a new one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaincinv

from leadscore.labels import Flags
from leadscore.model.backtest import DRAWS, MODEL, Cohort
from leadscore.model.base import Floats
from leadscore.model.calibrate import Calibrator
from leadscore.model.resample import draw_leads, draw_means, number_leads
from leadscore.scoring.grade import Ints, grades, slots_for

RECENCY, IDEAL = "recency", "ideal"
GRADES = "ABCD"
_PARTS = 10
_SHARES = np.linspace(0, 1, 41)
_LEAST = 10
"""Leads; of a shorter list no tenths are told."""


@dataclass(frozen=True)
class _List:
    """The leads of one moment whose horizon has closed: chances by model and baseline, and who converted.

    `unit` is who is drawn with each: the account, or the lead (see `resample.units`).
    """

    as_of: int
    unit: Sequence[str]
    chance: Floats
    by_recency: Floats
    hits: Flags

    def found(self, score: Floats) -> Floats:
        """Return how many conversions stand among the first leads: none, one, two, …, all."""
        order = np.argsort(-score, kind="stable")
        counts: Floats = np.append(0.0, np.cumsum(self.hits[order]))
        return counts


def tell_past(
    cohorts: Sequence[Cohort], calibrator: Calibrator, horizon: int, capacity: int | None, seed: int
) -> dict[str, Any]:
    """Tell how lists made at the moments of the cohorts turned out, at the ranking horizon.

    Each was ranked by a model that had not seen it, and graded as today's list is. Leads of all lists are added up; a
    lead may stand on several, so intervals are of draws of leads, or of accounts where there are any.

    Args:
        cohorts: Judged at rolling origins.
        calibrator: Applied to what was said.
        horizon: Which horizon.
        capacity: How many leads the team works; a tenth of each list when None.
        seed: Settles the draws.

    Returns:
        What JSON can hold, named as `delivery.content.Quality`, and `grades`: leads, promised and converted of each
        grade. Empty without a list of ten leads and a conversion.
    """
    lists = [own for cohort in cohorts for own in _lists(cohort, calibrator, horizon)]
    total = sum(int(own.hits.sum()) for own in lists)
    if not total:
        return {}
    worked = [slots_for(len(own.hits), capacity) for own in lists]
    return {
        "since": min(own.as_of for own in lists),
        "until": max(own.as_of for own in lists),
        "lists": len(lists),
        "leads": sum(len(own.hits) for own in lists),
        "conversions": total,
        "worked": round(sum(worked) / len(worked)),
        "found": _met(lists, worked, [own.chance for own in lists]),
        "found_by_recency": _met(lists, worked, [own.by_recency for own in lists]),
        "tenths": _tenths(lists),
        "gain": {
            MODEL: _gain(lists, [own.chance for own in lists]),
            RECENCY: _gain(lists, [own.by_recency for own in lists]),
            IDEAL: _gain(lists, [own.hits.astype(np.float64) for own in lists]),
        },
        "bins": _bins(lists, seed),
        "grades": _graded(lists, capacity),
    }


def _lists(cohort: Cohort, calibrator: Calibrator, horizon: int) -> Iterator[_List]:
    chance = calibrator.apply(cohort.chances[MODEL][:, horizon])
    drawn = np.array(cohort.units, dtype=object)
    for moment in np.unique(cohort.as_of).tolist():
        rows = np.flatnonzero((cohort.as_of == moment) & cohort.matured[:, horizon])
        if len(rows) >= _LEAST:
            by_recency = cohort.chances[RECENCY][rows, horizon]
            yield _List(moment, drawn[rows].tolist(), chance[rows], by_recency, cohort.hits[rows, horizon])


def _met(lists: Sequence[_List], worked: Sequence[int], scores: Sequence[Floats]) -> int:
    return int(sum(own.found(p)[min(n, len(p))] for own, n, p in zip(lists, worked, scores, strict=True)))


def _tenths(lists: Sequence[_List]) -> list[dict[str, float]]:
    told = np.zeros((_PARTS, 3))
    for own in lists:
        for number, rows in enumerate(np.array_split(np.argsort(-own.chance, kind="stable"), _PARTS)):
            told[number] += len(rows), own.chance[rows].sum(), own.hits[rows].sum()
    return [{"leads": int(n), "promised": p, "converted": int(hits)} for n, p, hits in told.tolist()]


def _gain(lists: Sequence[_List], scores: Sequence[Floats]) -> list[tuple[float, float]]:
    """Return which share of all conversions stands in the first so many of each list."""
    found = np.zeros(len(_SHARES))
    for own, score in zip(lists, scores, strict=True):
        counts = own.found(score)
        found += np.interp(_SHARES * len(score), np.arange(len(counts)), counts)
    return list(zip(_SHARES.tolist(), (found / found[-1]).tolist(), strict=True))


def _bins(lists: Sequence[_List], seed: int) -> list[dict[str, float]]:
    """Return bins of equal size by chance: what was promised, what happened, and its interval over draws.

    Where nobody converted it ends at the 95th percentile of Jeffreys' posterior for so many leads.
    """
    chance, hits = (np.concatenate([getattr(own, name) for own in lists]) for name in ("chance", "hits"))
    number, (who,) = number_leads([[unit for own in lists for unit in own.unit]])
    rows = [part for part in np.array_split(np.argsort(chance, kind="stable"), _PARTS) if len(part)]
    member = np.zeros((len(chance), len(rows)))
    for place, part in enumerate(rows):
        member[part, place] = 1.0
    drawn = draw_means([who], [member * hits[:, None]], [member], draw_leads(number, DRAWS, seed))
    low, high = np.nanpercentile(drawn, [5, 95], axis=0)
    for place, part in enumerate(rows):
        if not hits[part].any():  # draws of nothing are nothing; so many leads cannot rule out a small rate
            high[place] = betaincinv(0.5, len(np.unique(who[part])) + 0.5, 0.95)
    return [
        {
            "leads": len(part),
            "promised": float(chance[part].mean()),
            "happened": float(hits[part].mean()),
            "low": float(low[place]),
            "high": float(high[place]),
        }
        for place, part in enumerate(rows)
    ]


def _graded(lists: Sequence[_List], capacity: int | None) -> dict[str, dict[str, float]]:
    told = {letter: np.zeros(3) for letter in GRADES}
    for own in lists:
        order: Ints = np.argsort(-own.chance, kind="stable")
        letters = np.array(grades(len(order), capacity))
        for letter in told:
            rows = order[letters == letter]
            told[letter] += len(rows), own.chance[rows].sum(), own.hits[rows].sum()
    return {
        letter: {"leads": int(n), "promised": float(promised), "converted": int(hits)}
        for letter, (n, promised, hits) in told.items()
    }
