"""Moments, durations and grids: every calendar decision, made once and without a clock.

A moment is an integer of microseconds since 1970-01-01T00:00:00Z. A duration is a positive number of microseconds
written `90m`, `12h`, `7d` or `2w`. Windows are half-open: `[start, end)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Moments = npt.NDArray[np.int64]

MINUTE = 60 * 1_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_DURATION = re.compile(r"([0-9]+)([mhdw])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Duration:
    """A length of time, as written in the configuration.

    >>> Duration.parse("14d").microseconds // DAY
    14
    >>> str(Duration.parse("12h"))
    '12h'
    """

    microseconds: int
    text: str

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read `90m`, `12h`, `7d` or `2w`; anything else is a ValueError that says so."""
        found = _DURATION.fullmatch(text.strip())
        if not found:
            raise ValueError(f"found {text!r}, expected a number and a unit such as 90m, 12h, 7d or 2w")
        return cls(int(found[1]) * _UNITS[found[2]], text.strip())

    @property
    def days(self) -> float:
        """The length in days of 24 hours."""
        return self.microseconds / DAY

    def __str__(self) -> str:
        return self.text


def parse_moment(text: str, time_zone: str) -> int:
    """Read an ISO 8601 moment; a naive one is local time in `time_zone`.

    Returns:
        Microseconds since 1970 in UTC. Of two local times at the end of summer time the first is meant.

    Raises:
        ValueError: the text is not ISO 8601.

    >>> parse_moment("2011-12-15T00:00:00Z", "Europe/Paris") == parse_moment("2011-12-15T01:00", "Europe/Paris")
    True
    """
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(time_zone))
    return to_microseconds(moment)


def to_microseconds(moment: datetime) -> int:
    """Turn an aware datetime into microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(moment: int) -> datetime:
    """Turn microseconds since 1970 into an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=moment)


def show_moment(moment: int) -> str:
    """Write a moment as `2011-12-15T00:00:00Z`, with a fraction only where there is one.

    >>> show_moment(0)
    '1970-01-01T00:00:00Z'
    """
    return to_datetime(moment).isoformat().replace("+00:00", "Z")


def last_midnight(now: int, time_zone: str) -> int:
    """Return the last midnight in a zone, at or before `now`."""
    local = to_datetime(now).astimezone(ZoneInfo(time_zone))
    return to_microseconds(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))


def local_days(moments: Moments, time_zone: str) -> npt.NDArray[np.int32]:
    """Number the local day each moment falls on (days since 1970-01-01 in that zone)."""
    # No zone changes its offset within a quarter of an hour, so one look per quarter is enough.
    quarter = 15 * MINUTE
    quarters, place = np.unique(moments // quarter, return_inverse=True)
    zone = ZoneInfo(time_zone)
    offsets = [to_datetime(int(q) * quarter).astimezone(zone).utcoffset() or timedelta() for q in quarters]
    shift = np.array([offset // timedelta(microseconds=1) for offset in offsets], dtype=np.int64)
    return ((moments + shift[place]) // DAY).astype(np.int32) if len(moments) else np.zeros(0, dtype=np.int32)


def grid_before(as_of: int, earliest: int, spacing: int) -> Moments:
    """List the moments `as_of - k * spacing` (k = 1, 2, …) that are not before `earliest`, oldest first.

    >>> grid_before(10, 3, 3).tolist()
    [4, 7]
    """
    steps = max(0, (as_of - earliest) // spacing)
    return as_of - spacing * np.arange(steps, 0, -1, dtype=np.int64)
