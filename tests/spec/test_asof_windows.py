"""What the as-of operators mean, drawn: one mark a day, one line a lead.

`a` and `b` are events at the start of their day, with a value behind them (`a5`; `a?` has none; 1 when nothing is
said); `-` is an event that belongs to no group; `.` is an empty day; `a,b` is two events at the same moment, in this
order. `|` is a snapshot whose as_of is the very start of the day that follows it.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from leadscore.features import asof as operators
from leadscore.features.asof import ALL, Asof
from leadscore.timeline import DAY, HOUR

NAN = np.nan
CODES = {"-": -1, "a": 0, "b": 1}


def draw(drawing):
    events, moments = [], []
    for line in drawing.strip().splitlines():
        day = 0
        events.append([])
        moments.append([])
        for mark in line.split():
            if mark == "|":
                moments[-1].append(day * DAY)
                continue
            if mark != ".":
                events[-1] += [(day, CODES[event[0]], _value(event[1:])) for event in mark.split(",")]
            day += 1
    flat = [event for own in events for event in own]
    day = np.array([event[0] for event in flat], np.int32)
    return SimpleNamespace(
        asof=Asof(day * np.int64(DAY), _offsets(events), np.concatenate(moments).astype(np.int64), _offsets(moments)),
        codes=np.array([event[1] for event in flat], np.int32),
        values=np.array([event[2] for event in flat], np.float64),
        mask=np.array([event[1] >= 0 for event in flat], np.bool_),
        day=day,
    )


def _value(text):
    return NAN if text == "?" else float(text or 1)


def _offsets(parts):
    return np.cumsum([0, *map(len, parts)]).astype(np.int64)


def days(*numbers):
    return np.array([number if number == ALL else number * DAY for number in numbers], np.int64)


def assert_rows(found, expected):
    np.testing.assert_array_equal(found, np.array(expected, found.dtype).reshape(found.shape))


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("a . . |", 1),  # as_of - w is inside
        ("a . . . |", 0),  # a day earlier is not
        ("a | a", 1),  # an event at as_of is the future
        ("a a,a a |", 4),  # repeats count
        ("a b - a |", 1),  # of this group only, and only of the last three days
        ("a a a | . | . . | a", [3, 2, 0]),  # the window slides
        ("a a | | a", [2, 2]),  # the same moment twice
        ("a |\n.\n. a\na . |", [1, 1]),  # leads know nothing of each other; two have no snapshot
        (". . |", 0),  # no event at all
    ],
)
def test_count_within_three_days(drawing, expected):
    world = draw(drawing)
    found = operators.count(world.asof, world.codes, 2, days(3))[:, 0, 0]
    assert_rows(found, expected)


def test_windows_stand_side_by_side_and_all_is_everything_before():
    world = draw("a b . . a . |")
    found = operators.count(world.asof, world.codes, 2, days(2, 5, ALL))
    assert_rows(found, [[[1, 1, 2], [0, 1, 1]]])


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("a5 b7 a-2 |", 3),
        ("a5 a? |", 5),  # no value, nothing added
        ("a5 ainf a1e39 |", 5),  # nor what float32 cannot hold
        ("a1e17 a0.1 . | . |", [1e17, 0.1]),  # a large value takes all of itself away
        ("a0.1,a0.2,a1e17 . . | . |", [1e17, 0]),  # an empty window is exactly nothing
        ("a3e38,a3e38 |", np.finfo(np.float32).max),  # never infinite
    ],
)
def test_total_within_three_days(drawing, expected):
    world = draw(drawing)
    assert_rows(operators.total(world.asof, world.values, world.codes, 2, days(3))[:, 0, 0], expected)


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [("a b a |", 2), ("a - - |", 1), ("a b . . | . |", [1, 0]), ("a |\nb a |", [1, 2]), (". |", 0)],
)
def test_distinct_within_three_days(drawing, expected):
    world = draw(drawing)
    assert_rows(operators.distinct(world.asof, world.codes, 2, days(3))[:, 0], expected)


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("a8 . | . . | . . |", [4, 2, 1]),  # half in two days, half of the half in two more
        ("a8 . a4 . |", 2 + 2),  # each from its own moment
        ("a8 . b4 a? - |", 8 * 2**-2.5),  # other groups and missing weights leave it alone
        ("a8,a8 . | a8", 8),  # both of a moment; not that at as_of
        (". |", 0),
    ],
)
def test_decayed_sum_with_a_half_life_of_two_days(drawing, expected):
    world = draw(drawing)
    assert_rows(operators.decayed_sum(world.asof, world.values, world.codes, 2, days(2))[:, 0, 0], expected)


def test_decayed_sum_holds_for_ten_years_of_hours_at_a_half_life_of_an_hour():
    hours = 10 * 365 * 24
    time = np.arange(hours) * HOUR
    moments = time[-1] + np.array([1, 2]) * HOUR
    world = Asof(time, np.array([0, hours]), moments, np.array([0, 2]))
    weights, codes = np.ones(hours), np.zeros(hours, np.int32)
    found = operators.decayed_sum(world, weights, codes, 1, np.array([HOUR]))[:, 0, 0]
    np.testing.assert_allclose(found, [1, 0.5], rtol=1e-6)  # 1/2 + 1/4 + 1/8 + …, and half of it an hour later


@pytest.mark.parametrize(
    ("drawing", "last", "first"),
    [("a . a . . |", 3, 5), ("a | a", 1, 1), ("b - |", NAN, NAN), ("a | . a |", [1, 1], [1, 3])],
)
def test_ages_in_days(drawing, last, first):
    world = draw(drawing)
    assert_rows(operators.age_of_last(world.asof, world.codes, 2)[:, 0], last)
    assert_rows(operators.age_of_first(world.asof, world.codes, 2)[:, 0], first)


@pytest.mark.parametrize(
    ("drawing", "first", "last", "least", "greatest"),
    [
        ("a5 a9 b1 a7 | a2", 5, 7, 5, 9),
        ("a? a5 a? |", 5, 5, 5, 5),  # an event without a value is passed over
        ("a5,a6 |", 5, 6, 5, 6),  # at the same moment the order of the arrays decides
        ("a? b5 |", NAN, NAN, NAN, NAN),
    ],
)
def test_values(drawing, first, last, least, greatest):
    world = draw(drawing)
    arguments = (world.asof, world.values, world.codes, 2)
    assert_rows(operators.first_value(*arguments)[:, 0], first)
    assert_rows(operators.last_value(*arguments)[:, 0], last)
    assert_rows(operators.minimum(*arguments)[:, 0], least)
    assert_rows(operators.maximum(*arguments)[:, 0], greatest)


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("a b - a |", [0, 1, 0]),
        ("a | b", [0, -1, -1]),
        ("a,b |", [1, 0, -1]),
        ("b b b b a |", [0, 1, 1]),
        ("- |", [-1, -1, -1]),
    ],
)
def test_last_three_codes_newest_first(drawing, expected):
    world = draw(drawing)
    assert_rows(operators.last_code(world.asof, world.codes, 3), expected)


@pytest.mark.parametrize(
    ("drawing", "number", "mean", "variation", "longest", "current"),
    [
        (". |", 0, NAN, NAN, NAN, NAN),
        ("a . |", 0, NAN, NAN, NAN, 2),
        ("a . a |", 1, 2, NAN, 2, 1),  # one gap says nothing of spread
        ("a . a . . . a . |", 2, 3, 1 / 3, 4, 2),
        ("a a a a |", 3, 1, 0, 1, 1),  # like a clock
        ("a,a,a . |", 2, 0, NAN, 0, 2),  # no spread around nothing
        ("a . - . a |", 1, 4, NAN, 4, 1),  # only events with the mask
    ],
)
def test_gaps(drawing, number, mean, variation, longest, current):
    world = draw(drawing)
    assert_rows(operators.gaps(world.asof, world.mask), [number, mean, variation, longest, current])


@pytest.mark.parametrize(
    ("drawing", "share", "active"),
    [
        ("a,a . a |", 2 / 3, 2),
        ("a,a | a,a,a |", [1, 3 / 5], [1, 2]),
        ("a,- a |", 1 / 2, 2),  # only events with the mask
        ("- |", NAN, 0),
        ("a |\na |", [1, 1], [1, 1]),  # the same day of another lead is another day
    ],
)
def test_days(drawing, share, active):
    world = draw(drawing)
    assert_rows(operators.busiest_day_share(world.asof, world.mask, world.day), share)
    assert_rows(operators.active_days(world.asof, world.mask, world.day), active)


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("a . b . b |", 3),  # since the first b of the run
        ("a b a |", 1),  # the earlier a does not help
        ("a - a |", 3),  # an event without a code interrupts nothing
        ("a . |", 2),
        ("- |", NAN),
    ],
)
def test_days_in_the_present_state(drawing, expected):
    world = draw(drawing)
    assert_rows(operators.in_state(world.asof, world.codes), expected)


def test_wrong_use_stops_at_the_door():
    def ints(*numbers):
        return np.array(numbers, np.int64)

    world = draw("a a b |")
    wrong = [
        lambda: Asof(ints(2, 1), ints(0, 2), ints(3), ints(0, 1)),  # events out of order
        lambda: Asof(ints(1, 2), ints(0, 2), ints(4, 3), ints(0, 2)),  # snapshots out of order
        lambda: Asof(ints(1, 2), ints(0, 1), ints(3), ints(0, 1)),  # offsets end early
        lambda: Asof(ints(1, 2), ints(0, 2), ints(3), ints(0, 1, 1)),  # not the same leads
        lambda: Asof(np.array([1.0]), ints(0, 1), ints(3), ints(0, 1)),  # no moments
        lambda: operators.count(world.asof, world.codes, 1, days(1)),  # a code too many
        lambda: operators.count(world.asof, world.codes.astype(np.int64), 2, days(1)),
        lambda: operators.count(world.asof, world.codes[:2], 2, days(1)),
        lambda: operators.count(world.asof, world.codes, 2, days(0)),  # an empty window
        lambda: operators.active_days(world.asof, world.mask, world.day[::-1].copy()),  # days fall
    ]
    for call in wrong:
        with pytest.raises(AssertionError):
            call()
