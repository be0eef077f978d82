"""What each as-of operator means, as slowly and plainly as Python can say it: the second opinion.

Every function takes the past of one snapshot, the visible events of its lead in order, and gives one row.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from leadscore.timeline import DAY

NAN = math.nan


@dataclass(frozen=True)
class Event:
    time: int
    code: int
    value: float
    masked: bool
    day: int


@dataclass(frozen=True)
class Past:
    as_of: int
    events: list[Event]

    def within(self, window):
        return [event for event in self.events if event.time >= self.as_of - window]

    def masked(self):
        return [event for event in self.events if event.masked]


def pasts(asof, codes, values, mask, day):
    """One Past per snapshot, by looking at each event of the lead for each snapshot of the lead."""
    found = []
    for lead in range(len(asof.indptr) - 1):
        own = range(asof.indptr[lead], asof.indptr[lead + 1])
        events = [Event(int(asof.time[e]), int(codes[e]), float(values[e]), bool(mask[e]), int(day[e])) for e in own]
        for row in range(asof.ptr[lead], asof.ptr[lead + 1]):
            moment = int(asof.as_of[row])
            found.append(Past(moment, [event for event in events if event.time < moment]))
    return found


def _valued(events, code):
    return [event.value for event in events if event.code == code and _has_value(event)]


def _has_value(event):
    return math.isfinite(event.value) and abs(event.value) <= 3.4028234663852886e38


def _times(past, code):
    return [event.time for event in past.events if event.code == code]


def count(past, n_codes, windows):
    return [[sum(e.code == code for e in past.within(w)) for w in windows] for code in range(n_codes)]


def total(past, n_codes, windows):
    return [[math.fsum(_valued(past.within(w), code)) for w in windows] for code in range(n_codes)]


def distinct(past, windows):
    return [len({e.code for e in past.within(w) if e.code >= 0}) for w in windows]


def decayed_sum(past, n_codes, half_lives):
    def left(code, half_life):
        return math.fsum(
            e.value * 2.0 ** -((past.as_of - e.time) / half_life)
            for e in past.events
            if e.code == code and _has_value(e)
        )

    return [[left(code, half_life) for half_life in half_lives] for code in range(n_codes)]


def age_of_last(past, n_codes):
    ages = [[past.as_of - time for time in _times(past, code)] for code in range(n_codes)]
    return [min(own) / DAY if own else NAN for own in ages]


def age_of_first(past, n_codes):
    ages = [[past.as_of - time for time in _times(past, code)] for code in range(n_codes)]
    return [max(own) / DAY if own else NAN for own in ages]


def last_value(past, n_codes):
    return [([NAN, *_valued(past.events, code)])[-1] for code in range(n_codes)]


def first_value(past, n_codes):
    return [([*_valued(past.events, code), NAN])[0] for code in range(n_codes)]


def maximum(past, n_codes):
    return [max(_valued(past.events, code), default=NAN) for code in range(n_codes)]


def minimum(past, n_codes):
    return [min(_valued(past.events, code), default=NAN) for code in range(n_codes)]


def last_code(past, n):
    newest_first = [event.code for event in reversed(past.events) if event.code >= 0]
    return (newest_first + [-1] * n)[:n]


def gaps(past):
    times = [event.time for event in past.masked()]
    between = [later - earlier for earlier, later in itertools.pairwise(times)]
    current = (past.as_of - times[-1]) / DAY if times else NAN
    if not between:
        return [0, NAN, NAN, NAN, current]
    mean = Fraction(sum(between), len(between))
    spread = statistics.pstdev([Fraction(gap) for gap in between])
    coefficient = float(spread) / float(mean) if len(between) > 1 and mean else NAN
    return [len(between), float(mean / DAY), coefficient, max(between) / DAY, current]


def busiest_day_share(past):
    per_day = Counter(event.day for event in past.masked())
    return max(per_day.values()) / per_day.total() if per_day else NAN


def active_days(past):
    return len({event.day for event in past.masked()})


def in_state(past):
    stated = [event for event in past.events if event.code >= 0]
    if not stated:
        return NAN
    since = stated[-1].time
    for event in reversed(stated):
        if event.code != stated[-1].code:
            break
        since = event.time
    return (past.as_of - since) / DAY
