"""Splits in time order: origins at which a model is trained as it would have been then, and the cohorts after them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadscore.timeline import DAY, Moments

_LONGEST_COHORT = 28 * DAY
_MOST_NEWEST = 3


@dataclass(frozen=True)
class Split:
    """One origin and the moments of its cohort, `[origin, next origin)`."""

    origin: int
    moments: Moments


def rolling_origins(first: int, as_of: int, spacing: int, longest: int, number: int) -> tuple[Split, ...]:
    """Lay rolling origins over the past, oldest first.

    Every cohort has matured for the longest horizon at `as_of`, so each model is judged on labels that are final, and
    was trained on labels that were final at its own origin. Cohorts are of equal length, at most 28 days; at least
    half of the usable past stays before the first origin. All moments lie on the grid `as_of - k * spacing`.

    Args:
        first: The first moment with a lead at risk.
        as_of: The moment we look from.
        spacing: Of the snapshot grid.
        longest: The longest horizon.
        number: How many origins are wanted; fewer, or none, are returned when the past is too short.
    """
    steps = (longest + spacing - 1) // spacing
    newest = as_of - steps * spacing
    usable = (newest - first) // spacing
    length = max(1, min(usable // (2 * number), _LONGEST_COHORT // spacing))
    number = min(number, usable // (2 * length))
    starts = [newest - (number - k) * length * spacing + spacing for k in range(number)]
    return tuple(Split(start, start + spacing * np.arange(length, dtype=np.int64)) for start in starts)


def last_closed(after: int, as_of: int, spacing: int, closes: int) -> tuple[Split, ...]:
    """Take the newest moments whose horizon has closed at `as_of`, of the same grid: what came of them is the news.

    Args:
        after: No moment is at or before it.
        as_of: The moment we look from.
        spacing: Of the snapshot grid.
        closes: How long after a moment its outcomes are known.

    Returns:
        Origins, oldest first, with the moments from each to the next as its cohort: 28 days at most, three cohorts at
        most. None where there is no such moment.
    """
    newest = as_of - (closes + spacing - 1) // spacing * spacing
    length = max(1, _LONGEST_COHORT // spacing)
    found: list[Split] = []
    while newest > after and len(found) < _MOST_NEWEST:
        moments = newest - spacing * np.arange(length - 1, -1, -1, dtype=np.int64)
        moments = moments[moments > after]
        found.append(Split(int(moments[0]), moments))
        newest = int(moments[0]) - spacing
    return tuple(reversed(found))
