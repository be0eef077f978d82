"""Moments, durations and local days: the calendar's traps."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from leadscore.features.view import looks
from leadscore.snapshots import Snapshots
from leadscore.timeline import (
    DAY,
    HOUR,
    MINUTE,
    Duration,
    last_midnight,
    local_days,
    parse_moment,
    show_moment,
    to_microseconds,
)
from world import bucket, vocabulary


def utc(*parts):
    return to_microseconds(datetime(*parts, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "length"), [("90m", 90 * MINUTE), ("12h", 12 * HOUR), (" 7d ", 7 * DAY), ("2w", 14 * DAY), ("0d", 0)]
)
def test_a_duration_is_a_number_and_a_unit(text, length):
    duration = Duration.parse(text)
    assert (duration.microseconds, str(duration)) == (length, text.strip())


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "1.5d", "7 d", "7D", "7days", "\u0667d", "1d2h"])
def test_anything_else_is_none(text):
    with pytest.raises(ValueError, match="expected a number and a unit"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-31", utc(2024, 3, 30, 23)),  # midnight before summer time
        ("2024-03-31T01:59:59", utc(2024, 3, 31, 0, 59, 59)),
        ("2024-03-31T03:00", utc(2024, 3, 31, 1)),
        ("2024-03-31T02:30", utc(2024, 3, 31, 1, 30)),  # no clock in Paris showed this; it is read as before the change
        ("2024-10-27T02:30", utc(2024, 10, 27, 0, 30)),  # of two, the first
        ("2024-10-27T02:30+01:00", utc(2024, 10, 27, 1, 30)),
        ("2024-01-01T00:00:00.000001Z", utc(2024, 1, 1) + 1),
        ("1969-12-31T23:59:59Z", -1_000_000),
    ],
)
def test_a_naive_moment_is_local(text, expected):
    assert parse_moment(text, "Europe/Paris") == expected


@pytest.mark.parametrize("moment", [0, -1, 1, utc(2024, 2, 29, 12), utc(1901, 1, 1)])
def test_a_moment_shown_is_a_moment_read(moment):
    assert show_moment(moment).endswith("Z")
    assert parse_moment(show_moment(moment), "Asia/Tokyo") == moment


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (utc(2024, 6, 1, 12), utc(2024, 5, 31, 22)),
        (utc(2024, 5, 31, 22), utc(2024, 5, 31, 22)),
        (utc(2024, 5, 31, 22) - 1, utc(2024, 5, 30, 22)),
        (utc(2024, 3, 31, 12), utc(2024, 3, 30, 23)),  # this day began in winter time
        (utc(2024, 10, 27, 12), utc(2024, 10, 26, 22)),  # and this in summer time
    ],
)
def test_the_last_midnight_in_paris(now, expected):
    assert last_midnight(now, "Europe/Paris") == expected


def test_local_days_change_at_local_midnight():
    moments = np.array([utc(2024, 3, 30, 23) - 1, utc(2024, 3, 30, 23), utc(2024, 3, 31, 22) - 1, utc(2024, 3, 31, 22)])
    first = utc(2024, 3, 30) // DAY
    # The last Sunday of March has 23 hours in Paris.
    assert local_days(moments, "Europe/Paris").tolist() == [first, first + 1, first + 1, first + 2]
    assert local_days(moments, "UTC").tolist() == [first, first, first + 1, first + 1]
    assert local_days(moments[:0], "Europe/Paris").tolist() == []
    assert local_days(np.array([-1]), "UTC").tolist() == [-1]


def test_a_day_that_clocks_repeat_never_falls_within_a_lead():
    # St. John's put its clocks back a minute after midnight: 00:00 Sunday, 23:10 Saturday, 00:20 Sunday.
    texts = ["2010-11-07T02:30:30Z", "2010-11-07T02:46:00Z", "2010-11-07T03:50:00Z"]
    moments = [parse_moment(text, "UTC") for text in texts]
    rows = [{"lead_id": lead, "occurred_at": moment, "kind": "mail"} for lead in "ab" for moment in moments]
    leads, history = bucket([{"lead_id": lead, "created_at": 0} for lead in "ab"], rows)
    nobody = Snapshots(np.zeros(0, np.int64), np.zeros(0, np.int64))
    sunday = utc(2010, 11, 7) // DAY
    (view,) = looks(leads, history, nobody)
    assert local_days(history.time, "America/St_Johns")[:3].tolist() == [sunday, sunday - 1, sunday]
    assert view.days(vocabulary(time_zone="America/St_Johns")).tolist() == [sunday] * 6
    assert view.days(vocabulary(time_zone="America/Vancouver")).tolist() == [sunday - 1] * 6


def test_a_push_in_the_repeated_minutes_moves_no_day_of_a_touch():
    moments = [parse_moment(text, "UTC") for text in ("2010-11-07T02:30:30Z", "2010-11-07T02:46:00Z")]
    rows = [
        {"lead_id": "ada", "occurred_at": moment, "kind": "mail", "direction": direction}
        for moment, direction in zip(moments, ("outbound", "inbound"), strict=True)
    ]
    leads, history = bucket([{"lead_id": "ada", "created_at": 0}], rows)
    (view,) = looks(leads, history, Snapshots(np.zeros(0, np.int64), np.zeros(0, np.int64)))
    assert view.days(vocabulary(time_zone="America/St_Johns"))[1] == utc(2010, 11, 6) // DAY
