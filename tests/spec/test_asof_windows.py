"""What the as-of operators mean, drawn: one mark a day, one line a lead.

`a` and `b` are events at the start of their day, with a value behind them (`a5`; `a?` has none; 1 when nothing is
said); `-` is an event that belongs to no group; `.` is an empty day; `a,b` is two events at the same moment, in this
order; `a~2` was learned two days later. `|` is a snapshot whose as_of is the very start of the day that follows it.
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
                events[-1] += [(day, *_event(event)) for event in mark.split(",")]
            day += 1
    flat = [event for own in events for event in own]
    day, codes, values, late = (np.array([event[at] for event in flat]) for at in range(4))
    time = days(*day)
    as_of = np.concatenate(moments).astype(np.int64)
    return SimpleNamespace(
        asof=Asof(time, _offsets(events), as_of, _offsets(moments), time + days(*late)),
        codes=codes.astype(np.int32),
        values=values.astype(np.float64),
        mask=codes >= 0,
        a=codes == 0,
        b=codes == 1,
        layers=np.where((codes >= 0) & (np.abs(values) < 10), values, 0).astype(np.int32),
        day=day.astype(np.int32),
    )


def _event(text):
    value, _, late = text[1:].partition("~")
    return CODES[text[0]], NAN if value == "?" else float(value or 1), int(late or 0)


def _offsets(parts):
    return np.cumsum([0, *map(len, parts)]).astype(np.int64)


def days(*numbers):
    return np.array([number if number == ALL else number * DAY for number in numbers], np.int64)


def assert_rows(found, expected):
    np.testing.assert_array_equal(found, np.array(expected, found.dtype).reshape(found.shape))


def assert_columns(found, expected):
    """One column after the other, each with its entry per snapshot, or one for the only snapshot."""
    assert_rows(found.T, expected)


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


@pytest.mark.parametrize(
    ("drawing", "expected", "age"),
    [
        ("a~2 . | . | . |", [0, 1, 0], [NAN, 3, 4]),  # visible after day 2; windows and ages go by day 0
        ("a . a~1 | . |", [1, 1], [3, 2]),  # the first is seen, the second not yet
        ("a~4 . . . . . |", 0, 6),  # learned when the window had already passed it
    ],
)
def test_count_within_three_days_and_age_of_what_was_learned_late(drawing, expected, age):
    world = draw(drawing)
    assert_rows(operators.count(world.asof, world.codes, 2, days(3))[:, 0, 0], expected)
    assert_rows(operators.age_of_last(world.asof, world.codes, 2)[:, 0], age)


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


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("a8 . | . . |", [8, 8]),  # it stays
        ("a8 . | a6 . |", [8, 4 + 6]),  # what is left and what comes, together more than ever
        ("a8 . a1 b9 |", 8),  # less than before, and another group
        ("a-8 . . |", -8),  # just after an event, not later
        ("a? - |", 0),
    ],
)
def test_decayed_peak_with_a_half_life_of_two_days(drawing, expected):
    world = draw(drawing)
    assert_rows(operators.decayed_peak(world.asof, world.values, world.codes, 2, days(2))[:, 0, 0], expected)


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [("a8 . a2 | . . |", [4, 4]), ("a8 . a? b9 |", 8), ("b - a? |", NAN)],
)
def test_decayed_mean_with_a_half_life_of_two_days(drawing, expected):
    world = draw(drawing)
    assert_rows(operators.decayed_mean(world.asof, world.values, world.codes, 2, days(2))[:, 0, 0], expected)


def hours(function):
    """Ten years of hourly events at a half-life of an hour, seen an hour after the last, then two, then ten years."""
    number = 10 * 365 * 24
    time = np.arange(number) * HOUR
    world = Asof(time, np.array([0, number]), time[-1] + np.array([1, 2, number]) * HOUR, np.array([0, 3]))
    return function(world, np.ones(number), np.zeros(number, np.int32), 1, np.array([HOUR]))[:, ..., 0]


def _never_answered(world, weights, codes, _, half_lives):
    return operators.unanswered(world, weights > 0, codes > 0, 30 * DAY, half_lives)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (operators.decayed_sum, [1, 0.5, 0]),  # 1/2 + 1/4 + 1/8 + …, and half of it an hour later
        (operators.decayed_mean, [1, 1, 1]),
        (operators.decayed_peak, [2, 2, 2]),
        (_never_answered, [1, 0.5, 0]),
    ],
)
def test_decay_holds_for_ten_years_of_hours_at_a_half_life_of_an_hour(function, expected):
    np.testing.assert_allclose(hours(function).ravel(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("drawing", "last", "first"),
    [("a . a . . |", 3, 5), ("a | a", 1, 1), ("b - |", NAN, NAN), ("a | . a |", [1, 1], [1, 3])],
)
def test_ages_in_days(drawing, last, first):
    world = draw(drawing)
    assert_rows(operators.age_of_last(world.asof, world.codes, 2)[:, 0], last)
    assert_rows(operators.age_of_first(world.asof, world.codes, 2)[:, 0], first)


@pytest.mark.parametrize(
    ("drawing", "first", "last"),
    [
        ("a5 a9 b1 a7 | a2", 5, 7),
        ("a? a5 a? |", 5, 5),  # an event without a value is passed over
        ("a5,a6 |", 5, 6),  # at the same moment the order of the arrays decides
        ("a? b5 |", NAN, NAN),
    ],
)
def test_first_and_last_value(drawing, first, last):
    world = draw(drawing)
    assert_rows(operators.first_value(world.asof, world.values, world.codes, 2)[:, 0], first)
    assert_rows(operators.last_value(world.asof, world.values, world.codes, 2)[:, 0], last)


@pytest.mark.parametrize(
    ("drawing", "mean", "least", "greatest"),
    [
        ("a5 a9 b1 | a3 a7 | a2", [7, 5], [5, 3], [9, 7]),
        ("a9 a5 . . | . | . |", [5, NAN, NAN], [5, NAN, NAN], [5, NAN, NAN]),  # an empty window has no value
        ("a? a5 ainf |", 5, 5, 5),  # an event without a value is passed over
        ("a5 . . . a? a4 |", 4, 4, 4),
    ],
)
def test_values_within_three_days(drawing, mean, least, greatest):
    world = draw(drawing)
    arguments = (world.asof, world.values, world.codes, 2, days(3))
    assert_rows(operators.mean(*arguments)[:, 0, 0], mean)
    assert_rows(operators.minimum(*arguments)[:, 0, 0], least)
    assert_rows(operators.maximum(*arguments)[:, 0, 0], greatest)


@pytest.mark.parametrize(
    ("drawing", "a_to_b", "a_to_a"),
    [
        ("a - b |", 1, 0),  # an event without a code stands between nothing
        ("a . . . b |", 1, 0),  # the later one lies inside
        ("a b . . . |", 0, 0),
        ("a a b | a | b", [1, 1], [1, 1]),
        ("b a |\na b |", [0, 1], [0, 0]),
    ],
)
def test_bigrams_within_three_days(drawing, a_to_b, a_to_a):
    world = draw(drawing)
    pairs = np.array([[0, 1], [0, 0]], np.int32)
    assert_columns(operators.bigram_count(world.asof, world.codes, pairs, days(3))[:, :, 0], [a_to_b, a_to_a])


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


def test_ages_of_the_last_three_newest_first():
    world = draw("a b - . a,a |\na |")
    assert_rows(operators.nth_last(world.asof, world.a, 3), [[1, 1, 5], [1, NAN, NAN]])


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


@pytest.mark.parametrize(
    ("drawing", "in_a", "in_b"),
    [
        ("a . b . . a |", 2 + 1, 3),
        ("a a - b | . |", [3, 3], [1, 2]),  # repeats and events without a code change nothing
        ("a,b . |", 0, 2),
        ("- |", 0, 0),
    ],
)
def test_days_spent_in_each_state(drawing, in_a, in_b):
    world = draw(drawing)
    assert_columns(operators.dwell(world.asof, world.codes, 2), [in_a, in_b])


@pytest.mark.parametrize(
    ("drawing", "ordered", "deepest"),
    [
        ("a1 a2 a3 |", 3, 3),
        ("a1 a1 a1 |", 1, 1),  # repeating leads nowhere
        ("a1 a3 a3 |", 1, 3),  # nor does skipping
        ("a3 a2 a1 a2 | a3", 2, 3),  # what was skipped counts when it comes in its turn
        ("- a0 a-1 a2 |", 0, 2),
        ("- |", 0, 0),
    ],
)
def test_depth_in_layers(drawing, ordered, deepest):
    world = draw(drawing)
    assert_rows(operators.ordered_depth(world.asof, world.layers, days(0)), ordered)
    assert_rows(operators.deepest(world.asof, world.layers, days(0)), deepest)


@pytest.mark.parametrize(
    ("drawing", "now", "two_days_ago"),
    [("a1 . . a2 |", 2, 1), ("a1 . a2 . |", 2, 1), ("a1 a2 . . |", 2, 2), ("a1 a2~1 a3~1 . |", 3, 2), ("a1 . |", 1, 0)],
)
def test_depth_some_time_ago_is_what_is_known_of_it_now(drawing, now, two_days_ago):
    world = draw(drawing)
    for operator in (operators.ordered_depth, operators.deepest):
        assert_rows(operator(world.asof, world.layers, days(0, 2)), [[now, two_days_ago]])


@pytest.mark.parametrize(
    ("drawing", "asked", "answered", "answers", "lag", "streak"),
    [
        ("a b . |", 1, 1, 1, 1, 0),
        ("a . b |", 1, 1, 1, 2, 0),  # the end of w is inside
        ("a . . b |", 1, 0, 0, NAN, 1),  # a day later is not
        ("b,a,b . |", 1, 0, 0, NAN, 1),  # the same moment is no answer, before or after it in the arrays
        ("a,b b |", 1, 1, 1, 1, 0),
        ("a a b b |", 2, 2, 2, 1.5, 0),  # one answer may serve two; the first one makes the lag
        ("a b a a |", 3, 1, 1, 1, 2),
        ("a . . a b |", 2, 1, 1, 1, 0),  # the streak ends where an A was answered
        ("a | b |", [1, 1], [0, 1], [0, 1], [NAN, 1], [1, 0]),
        ("a b~3 . | . . |", [1, 1], [0, 1], [0, 1], [NAN, 1], [1, 0]),  # an answer that was learned late
        ("b - |", 0, 0, 0, NAN, 0),
    ],
)
def test_answers_within_two_days(drawing, asked, answered, answers, lag, streak):
    world = draw(drawing)
    found = operators.followed(world.asof, world.a, world.b, 2 * DAY)
    assert_columns(found, [asked, answered, answers, lag, streak])


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("a . | . . |", [1 / 2, 1 / 4]),
        ("a . a . |", 1 / 4 + 1 / 2),
        ("a b . . |", 0),
        ("a . | b |", [1 / 2, 0]),  # it counts until it is answered
        ("a . . b |", 1 / 4),  # too late
        ("a . . b a b . . |", 1 / 16),  # an answer takes away its own A's and no others
        ("a,b . |", 1 / 2),  # the same moment is no answer
        ("a . a,b . |", 1 / 2),
        ("a b~3 . . | . . |", [1 / 4, 0]),
        ("b - |", 0),
    ],
)
def test_unanswered_within_two_days_with_a_half_life_of_two_days(drawing, expected):
    world = draw(drawing)
    assert_rows(operators.unanswered(world.asof, world.a, world.b, 2 * DAY, days(2)), expected)


@pytest.mark.parametrize(
    ("drawing", "asked", "answered", "placebo"),
    [
        ("- . . . a b . |", 1, 1, 0),
        ("- . . . a . | b |", [0, 1], [0, 1], [0, 0]),  # closed only when two days are over
        ("- . . b a . . |", 1, 0, 1 / 2),  # it came before: the habit of one of two shifts
        ("- b . b a b . |", 1, 1, 1),
        ("- . b . a . . |", 1, 0, 1 / 2),  # two days before: no more in the nearer, still in the farther shift
        ("- . . . a,b . . |", 1, 0, 1 / 2),  # the same moment: no answer, but inside (t_A - 2, t_A]
        ("- . . a b . |", 0, 0, 0),  # the placebo would begin before the lead did
        ("- . . . a b~3 . | . . |", [1, 1], [0, 1], [0, 0]),  # learned after the A had closed
        ("- . . . . b |", 0, 0, 0),
    ],
)
def test_uptake_within_two_days_against_two_and_four_days_before(drawing, asked, answered, placebo):
    world = draw(drawing)
    found = operators.uptake(world.asof, world.a, world.b, 2 * DAY, days(2, 4))
    assert_columns(found, [asked, answered, placebo])


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
        lambda: Asof(ints(1, 2), ints(0, 2), ints(3), ints(0, 1), ints(1, 1)),  # learned before it happened
        lambda: Asof(ints(1, 2), ints(0, 2), ints(3), ints(0, 1), ints(4, 3)),  # learned out of order
        lambda: operators.bigram_count(world.asof, world.codes, np.zeros((2, 2), np.int32), days(1)),  # a pair twice
        lambda: operators.uptake(world.asof, world.a, world.b, 2 * DAY, days(1)),  # a placebo inside the answer's time
    ]
    for call in wrong:
        with pytest.raises(AssertionError):
            call()
