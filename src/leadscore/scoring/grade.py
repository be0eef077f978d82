"""From readiness to what a person acts on: rank, score, grade, trend, action."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from leadscore.model.base import Floats

Ints = npt.NDArray[np.int64]

TREND_STEP = 5  # score points; smaller moves are within what a few days of cooling do to anyone
_NEXT = 2  # B holds the next two capacities
ACTIONS = {"A": "call", "B": "nurture", "C": "nurture", "D": "none"}


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
