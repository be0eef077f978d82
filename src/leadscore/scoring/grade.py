"""From readiness to what a person acts on: rank, score, grade, trend, how much is known, action."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadscore.config import Rule
from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.model.certainty import Support
from leadscore.model.lots import HIGHEST, draw_lots, number_leads

Ints = npt.NDArray[np.int64]

TREND_STEP = 5  # score points; smaller moves are within what a few days of cooling do to anyone
_NEXT = 2  # B holds the next two capacities
EXPLORE = "explore"
_LITTLE, _SOME = 3, 10  # interactions: fewer than three say little, fewer than ten not everything
_MOST = 0.25  # share of features beyond anything trained on from which the model says nothing about this lead
_UNSURE = 1.5  # times the usual disagreement of the members at this chance


def rank_order(chances: Floats, horizon: int, lead_ids: Sequence[str]) -> Ints:
    """Return the rows from readiest to least: by the ranking horizon, then the longest, then a digest of the key.

    The digest makes the order total, and favours no lead over all slots for the letters of its key.
    """
    digests = [hashlib.sha256(lead.encode()).hexdigest() for lead in lead_ids]
    rows = range(len(lead_ids))
    order = sorted(rows, key=lambda row: (-chances[row, horizon], -chances[row, -1], digests[row]))
    return np.array(order, dtype=np.int64)


def score(chance: Floats, reference: Sequence[float]) -> Ints:
    """Return readiness as a percentile of the reference cohort: 1 (below its first percentile) to 99.

    The reference is frozen with the model, so a score moves only when the lead's own readiness does, or the model.
    """
    return np.clip(1 + np.searchsorted(np.array(reference), chance, side="right"), 1, 99)


def slots_for(leads: int, capacity: int | None) -> int:
    """Return how many leads the team works: the configured capacity, else a tenth of the list."""
    return math.ceil(leads / 10) if capacity is None else capacity


def grades(leads: int, capacity: int | None) -> list[str]:
    """Grade a ranked list: A is what the team can work, B the next two capacities; the rest is halved into C and D."""
    top = min(leads, slots_for(leads, capacity))
    middle = min(leads - top, _NEXT * top)
    upper = math.ceil((leads - top - middle) / 2)
    return ["A"] * top + ["B"] * middle + ["C"] * upper + ["D"] * (leads - top - middle - upper)


def trend(now: int, before: int | None) -> str:
    """Compare with the previous slot; without one there is nothing to say."""
    if before is None:
        return "not_enough_info"
    if now - before >= TREND_STEP:
        return "improving"
    return "declining" if before - now >= TREND_STEP else "steady"


def known(seen: Ints, young: Flags, strange: Flags, outside: Floats, surprise: Floats, support: Support) -> list[str]:
    """Say how much is known of each lead.

    unknowable: no interaction, or a quarter of the features, and more than of nearly any trained snapshot, outside what
    training saw; low: fewer than three interactions, or as far outside as one trained snapshot of a thousand; medium:
    fewer than ten, a history shorter than the shortest horizon, a kind or category without a column of its own, as far
    outside as one trained snapshot of a hundred, or members that disagree half as much again as usual; high: the rest.

    Args:
        seen: How many interactions are visible.
        young: Known for less than the shortest horizon.
        strange: With a kind or category that has no column of its own in the model.
        outside: Share of features outside what training saw.
        surprise: How far the members disagree, as a multiple of what is usual at this chance.
        support: What training saw.
    """
    medium = (seen < _SOME) | young | strange | (outside > support.rare) | (surprise > _UNSURE)
    steps = [
        (seen == 0) | (outside > max(_MOST, support.far)),
        (seen < _LITTLE) | (outside > support.far),
        medium,
    ]
    return [str(word) for word in np.select(steps, ["unknowable", "low", "medium"], "high")]


def actions(
    rules: Sequence[Rule], grade: Sequence[str], known: Sequence[str], trends: Sequence[str], waiting: Ints
) -> list[str]:
    """Return what to do with each lead: what the first rule says that fits it, nothing where none does.

    Args:
        rules: Of the configuration.
        grade: Of each lead.
        known: Likewise.
        trends: Likewise.
        waiting: How many of our pushes wait for its answer.
    """
    leads = zip(grade, known, trends, waiting.tolist(), strict=True)
    return [next((rule.action for rule in rules if rule.fits(*lead)), "none") for lead in leads]


@dataclass(frozen=True)
class Lane:
    """How many of the leads that could be explored are: a share of them, and no more than so many."""

    share: float
    most: int


def explored(
    grade: Sequence[str], known: Sequence[str], lead_ids: Sequence[str], as_of: int, seed: int, lane: Lane
) -> Flags:
    """Draw the leads to explore, by lot."""
    lots = draw_lots(number_leads([f"{EXPLORE} {lead}" for lead in lead_ids], seed), np.full(len(lead_ids), as_of))
    drawn = unexplored(grade, known) & (lots < lane.share * HIGHEST)
    lucky = np.flatnonzero(drawn)
    drawn[lucky[np.argsort(lots[lucky], kind="stable")[lane.most :]]] = False
    return drawn


def unexplored(grade: Sequence[str], known: Sequence[str]) -> Flags:
    """Tell which leads may be drawn: little is known of them, and nobody works them as it is."""
    return np.array(
        [letter != "A" and word in {"low", "unknowable"} for letter, word in zip(grade, known, strict=True)],
        dtype=np.bool_,
    )
