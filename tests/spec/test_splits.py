"""Rolling origins in time order, in days: each cohort begins at its origin, and has matured when we look."""

from __future__ import annotations

import pytest

from leadscore.model.split import last_closed, rolling_origins
from leadscore.timeline import DAY, grid_before


def drawn(first, as_of, spacing, longest, number):
    found = rolling_origins(first * DAY, as_of * DAY, spacing * DAY, longest * DAY, number)
    assert all(split.origin == split.moments[0] for split in found)
    return [(split.moments // DAY).tolist() for split in found]


@pytest.mark.parametrize(
    ("first", "as_of", "spacing", "longest", "number", "expected"),
    [
        # half of the 12 usable days stay before the first origin
        (0, 15, 1, 3, 3, [[7, 8], [9, 10], [11, 12]]),
        # a longest horizon between two moments of the grid is rounded up to the next
        (0, 15, 2, 3, 2, [[9], [11]]),
        # too short for three: fewer
        (0, 7, 1, 3, 3, [[3], [4]]),
        (0, 5, 1, 3, 3, [[2]]),
        (0, 4, 1, 3, 3, []),
        (0, 3, 1, 3, 3, []),
        (9, 3, 1, 3, 3, []),  # nothing has begun yet
        # no cohort is longer than 28 days, however long the past; nor shorter than one moment
        (0, 400, 7, 14, 2, [[337, 344, 351, 358], [365, 372, 379, 386]]),
        (0, 400, 40, 14, 2, [[320], [360]]),
    ],
)
def test_origins(first, as_of, spacing, longest, number, expected):
    assert drawn(first, as_of, spacing, longest, number) == expected


@pytest.mark.parametrize("as_of", range(3, 200, 7))
@pytest.mark.parametrize(("spacing", "longest"), [(1, 3), (2, 5), (7, 3)])
def test_every_cohort_has_matured_and_half_of_the_past_comes_before(as_of, spacing, longest):
    cohorts = drawn(0, as_of, spacing, longest, 3)
    moments = [moment for cohort in cohorts for moment in cohort]
    assert moments == sorted(set(moments))
    assert all(moment + longest <= as_of for moment in moments)
    assert all((as_of - moment) % spacing == 0 for moment in moments)
    assert len({len(cohort) for cohort in cohorts}) <= 1
    if moments:
        assert moments[0] >= len(moments) * spacing


@pytest.mark.parametrize(
    ("after", "as_of", "spacing", "closes", "expected"),
    [
        (12, 20, 1, 5, [[13, 14, 15]]),
        (13, 20, 1, 5, [[14, 15]]),
        (15, 20, 1, 5, []),
        # what closes between two moments of the grid is rounded up to the next; of 28 days there are four weeks
        (130, 200, 7, 30, [[137], [144, 151, 158, 165]]),
        (0, 200, 40, 30, [[80], [120], [160]]),
        (120, 200, 1, 30, [[*range(121, 143)], [*range(143, 171)]]),
    ],
)
def test_the_newest_closed_moments_are_of_the_same_grid_and_after_those_judged(after, as_of, spacing, closes, expected):
    found = last_closed(after * DAY, as_of * DAY, spacing * DAY, closes * DAY)
    assert [(split.moments // DAY).tolist() for split in found] == expected
    assert all(split.origin == split.moments[0] for split in found)


def test_the_grid_ends_before_as_of_and_holds_the_earliest_moment():
    assert grid_before(10, 4, 3).tolist() == [4, 7]
    assert grid_before(10, 5, 3).tolist() == [7]
    assert grid_before(10, 10, 3).tolist() == []
    assert grid_before(10, 12, 3).tolist() == []
