"""How good the lists of the past would have been: what people are told beside a new one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from leadscore.labels import Flags
from leadscore.model.backtest import DRAWS, MODEL, Cohort
from leadscore.model.base import Floats
from leadscore.model.baselines import RECENCY
from leadscore.model.calibrate import Calibrator, choose_calibrator, shows_both
from leadscore.model.resample import Drawn, Places, draw_leads, draw_means, number_leads
from leadscore.scoring.grade import grades, rank_order, slots_for

IDEAL = "ideal"
GRADES = "ABCD"
Letters = npt.NDArray[np.str_]
_PARTS = 10
_SHARES = np.linspace(0, 1, 41)
_LEAST = 10
"""Leads; of a shorter list no tenths are told."""
_NOISE = 1e-12  # of the sums of draws that are all alike


@dataclass(frozen=True)
class _List:
    """The leads of one moment whose horizon has closed, in the order of the list: chances, and who converted.

    `unit` is who is drawn with each: the account, or the lead (see `resample.units`).
    """

    as_of: int
    unit: Sequence[str]
    chance: Floats
    by_recency: Floats
    hits: Flags

    def found(self, score: Floats) -> Floats:
        """Return how many conversions stand among the first leads: none, one, two, …, all; of a tie by share."""
        order = np.argsort(-score, kind="stable")
        ends = np.append(0, np.append(np.flatnonzero(np.diff(score[order])) + 1, len(order)))
        counts: Floats = np.append(0.0, np.cumsum(self.hits[order]))
        shared: Floats = np.interp(np.arange(len(counts)), ends, counts[ends])
        return shared

    def graded(self, capacity: int | None) -> Letters:
        """Return the grade of each lead, as of a list made then."""
        return np.array(grades(len(self.hits), capacity))


def tell_past(
    cohorts: Sequence[Cohort], horizon: int, closes: Sequence[int], capacity: int | None, seed: int
) -> dict[str, Any]:
    """Tell how lists made at the moments of the cohorts turned out, at the ranking horizon.

    Each was ranked by a model that had not seen it, calibrated by what was known of earlier cohorts when that model was
    trained, and graded as today's list is. Leads of all lists are added up; a lead may stand on several, so intervals
    are of draws of leads, or of accounts where there are any.

    Args:
        cohorts: Judged at rolling origins, oldest first.
        horizon: Which horizon.
        closes: Per horizon, how long after a moment its outcomes are known, in microseconds.
        capacity: How many leads the team works; a tenth of each list when None.
        seed: Settles the draws.

    Returns:
        What JSON can hold, named as `delivery.content.Quality`; `grades`: leads, promised and converted of each grade,
        and `between`, the 90 % interval of the latter; `worked_lists`: the same of grade A, list by list. Empty without
        a list of ten leads and a conversion.
    """
    lists = [
        own
        for number, cohort in enumerate(cohorts)
        for own in _lists(cohort, _as_known(cohorts[:number], cohort.origin, closes), horizon)
    ]
    total = sum(int(own.hits.sum()) for own in lists)
    if not total:
        return {}
    worked = [slots_for(len(own.hits), capacity) for own in lists]
    letters = [own.graded(capacity) for own in lists]
    members = np.column_stack([np.concatenate(letters) == letter for letter in GRADES])
    drawn = _Drawn.of(lists, seed)
    return {
        "since": min(own.as_of for own in lists),
        "until": max(own.as_of for own in lists),
        "lists": len(lists),
        "leads": sum(len(own.hits) for own in lists),
        "conversions": total,
        "between": _counts(drawn, np.ones((len(members), 1)))[0],
        "capacity": capacity,
        "worked": round(sum(worked) / len(worked)),
        "found": _met(lists, worked, [own.chance for own in lists]),
        "found_by_recency": _met(lists, worked, [own.by_recency for own in lists]),
        "tenths": _tenths(lists),
        "gain": {
            MODEL: _gain(lists, [own.chance for own in lists]),
            RECENCY: _gain(lists, [own.by_recency for own in lists]),
            IDEAL: _gain(lists, [own.hits.astype(np.float64) for own in lists]),
        },
        "bins": _bins(drawn),
        "grades": _graded(drawn, members),
        "worked_lists": [_worked(own, own_letters == "A") for own, own_letters in zip(lists, letters, strict=True)],
    }


def _as_known(cohorts: Sequence[Cohort], at: int, closes: Sequence[int]) -> Calibrator:
    """Choose the calibrator by what was known at a moment of earlier cohorts."""
    known = [
        replace(cohort, matured=cohort.matured & (cohort.as_of[:, None] + np.array(closes, np.int64) <= at))
        for cohort in cohorts
    ]
    return choose_calibrator([cohort for cohort in known if shows_both(cohort).any()])[0]


def _lists(cohort: Cohort, calibrator: Calibrator, horizon: int) -> Iterator[_List]:
    units = cohort.units
    for moment in np.unique(cohort.as_of).tolist():
        rows = np.flatnonzero((cohort.as_of == moment) & cohort.matured[:, horizon])
        if len(rows) >= _LEAST:
            said = calibrator.apply(cohort.chances[MODEL][rows])
            order = rank_order(said, horizon, [cohort.lead_id[row] for row in rows.tolist()])
            rows = rows[order]
            drawn, by_recency = [units[row] for row in rows.tolist()], cohort.chances[RECENCY][rows, horizon]
            yield _List(moment, drawn, said[order, horizon], by_recency, cohort.hits[rows, horizon])


def _met(lists: Sequence[_List], worked: Sequence[int], scores: Sequence[Floats]) -> float:
    return float(sum(own.found(p)[min(n, len(p))] for own, n, p in zip(lists, worked, scores, strict=True)))


def _tenths(lists: Sequence[_List]) -> list[dict[str, float]]:
    told = np.zeros((_PARTS, 3))
    for own in lists:
        for number, rows in enumerate(np.array_split(np.arange(len(own.hits)), _PARTS)):
            told[number] += len(rows), own.chance[rows].sum(), own.hits[rows].sum()
    return [{"leads": int(n), "promised": p, "converted": int(hits)} for n, p, hits in told.tolist()]


def _gain(lists: Sequence[_List], scores: Sequence[Floats]) -> list[tuple[float, float]]:
    """Return which share of all conversions stands in the first so many of each list."""
    found = np.zeros(len(_SHARES))
    for own, score in zip(lists, scores, strict=True):
        counts = own.found(score)
        found += np.interp(_SHARES * len(score), np.arange(len(counts)), counts)
    return list(zip(_SHARES.tolist(), (found / found[-1]).tolist(), strict=True))


@dataclass(frozen=True)
class _Drawn:
    """The leads of all lists, one row each, and how often each draw takes whom."""

    chance: Floats
    hits: Flags
    who: Places
    draws: Drawn

    @classmethod
    def of(cls, lists: Sequence[_List], seed: int) -> _Drawn:
        """Put the lists together, and draw."""
        chance, hits = (np.concatenate([getattr(own, name) for own in lists]) for name in ("chance", "hits"))
        number, (who,) = number_leads([[unit for own in lists for unit in own.unit]])
        return cls(chance, hits, who, draw_leads(number, DRAWS, seed))

    def rates(self, members: Floats) -> tuple[Floats, Floats]:
        """Return the 90 % interval of the rate of each part, a column of `members` each; NaN without a lead.

        It is that of the draws, and no narrower than Jeffreys' for as many independent leads as would vary like the
        draws: these tell too little of few leads, and nothing of some that all converted, or none. Of such, each lead,
        or account, counts once.
        """
        drawn = draw_means([self.who], [members * self.hits[:, None]], [members], self.draws)
        low, high = np.full((2, members.shape[1]), np.nan)
        for part in np.flatnonzero(members.any(axis=0)).tolist():
            rows = members[:, part] > 0
            rate, variance = float(self.hits[rows].mean()), float(np.nanvar(drawn[:, part]))
            number = rate * (1 - rate) / variance if variance > _NOISE else float(len(np.unique(self.who[rows])))
            posterior = 0.5 + number * rate, 0.5 + number * (1 - rate)
            below, above = np.nanpercentile(drawn[:, part], [5, 95])
            low[part] = min(below, betaincinv(*posterior, 0.05))
            high[part] = max(above, betaincinv(*posterior, 0.95))
        return low, high


def _bins(leads: _Drawn) -> list[dict[str, float]]:
    """Return bins of equal size by chance: what was promised, what happened, and its interval."""
    chance = leads.chance
    rows = [part for part in np.array_split(np.argsort(chance, kind="stable"), _PARTS) if len(part)]
    members = np.zeros((len(chance), len(rows)))
    for place, part in enumerate(rows):
        members[part, place] = 1.0
    low, high = leads.rates(members)
    return [
        {
            "leads": len(part),
            "promised": float(chance[part].mean()),
            "happened": float(leads.hits[part].mean()),
            "low": float(low[place]),
            "high": float(high[place]),
        }
        for place, part in enumerate(rows)
    ]


def _graded(leads: _Drawn, members: Flags) -> dict[str, dict[str, Any]]:
    between = _counts(leads, members.astype(np.float64))
    return {
        letter: {**_count(leads.chance[rows], leads.hits[rows]), "between": between[place]}
        for place, (letter, rows) in enumerate(zip(GRADES, members.T, strict=True))
    }


def _counts(leads: _Drawn, members: Floats) -> list[tuple[float, float]]:
    """Return the 90 % interval of how many of each part convert; nobody of a part without leads does."""
    low, high = (np.nan_to_num(rate) * members.sum(axis=0) for rate in leads.rates(members))
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _worked(own: _List, rows: Flags) -> dict[str, float]:
    return {"as_of": own.as_of, **_count(own.chance[rows], own.hits[rows])}


def _count(chance: Floats, hits: Flags) -> dict[str, float]:
    return {"leads": len(hits), "promised": float(chance.sum()), "converted": int(hits.sum())}
