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
    answer: bool
    layer: int
    day: int


@dataclass(frozen=True)
class Past:
    as_of: int
    events: list[Event]

    def within(self, window):
        return [event for event in self.events if event.time >= self.as_of - window]

    def masked(self):
        return [event for event in self.events if event.masked]


def pasts(world):
    """One Past per snapshot, by looking at each event of the lead for each snapshot of the lead."""
    asof = world.asof
    columns = (asof.time, world.codes, world.values, world.mask, world.answer, world.layers, world.day)
    events = [Event(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    found = []
    for lead in range(len(asof.indptr) - 1):
        own = range(asof.indptr[lead], asof.indptr[lead + 1])
        for row in range(asof.ptr[lead], asof.ptr[lead + 1]):
            moment = int(asof.as_of[row])
            found.append(Past(moment, [events[e] for e in own if asof.seen[e] < moment]))
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


def mean(past, n_codes, windows):
    def of(values):
        return math.fsum(values) / len(values) if values else NAN

    return [[of(_valued(past.within(w), code)) for w in windows] for code in range(n_codes)]


def maximum(past, n_codes, windows):
    return [[max(_valued(past.within(w), code), default=NAN) for w in windows] for code in range(n_codes)]


def minimum(past, n_codes, windows):
    return [[min(_valued(past.within(w), code), default=NAN) for w in windows] for code in range(n_codes)]


def decayed_mean(past, n_codes, half_lives):
    def of(code, half_life):
        own = [e for e in past.events if e.code == code and _has_value(e)]
        left = [2.0 ** -((own[-1].time - e.time) / half_life) for e in own]  # from the newest on: as_of cancels out
        return math.fsum(e.value * part for e, part in zip(own, left, strict=True)) / math.fsum(left) if own else NAN

    return [[of(code, half_life) for half_life in half_lives] for code in range(n_codes)]


def decayed_peak(past, n_codes, half_lives):
    def just_after(code):
        """The past as it was just after each event."""
        places = [place for place, e in enumerate(past.events) if e.code == code and _has_value(e)]
        return [Past(past.events[place].time, past.events[: place + 1]) for place in places]

    return [
        [max((decayed_sum(then, n_codes, [h])[code][0] for then in just_after(code)), default=0) for h in half_lives]
        for code in range(n_codes)
    ]


def bigram_count(past, pairs, windows):
    coded = [event for event in past.events if event.code >= 0]
    found = [(later.time, [earlier.code, later.code]) for earlier, later in itertools.pairwise(coded)]
    return [[sum(p == pair and time >= past.as_of - w for time, p in found) for w in windows] for pair in pairs]


def nth_last(past, n):
    newest_first = [(past.as_of - event.time) / DAY for event in reversed(past.masked())]
    return (newest_first + [NAN] * n)[:n]


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


def dwell(past, n_codes):
    stated = [event for event in past.events if event.code >= 0]
    ends = [*(event.time for event in stated), past.as_of][1:]
    spent = [(event.code, end - event.time) for event, end in zip(stated, ends, strict=False)]
    return [sum(length for state, length in spent if state == code) / DAY for code in range(n_codes)]


def ordered_depth(past, lags):
    def at(moment):
        deep = 0
        for event in past.events:
            if event.time < moment and event.layer == deep + 1:
                deep += 1
        return deep

    return [at(past.as_of - lag) for lag in lags]


def deepest(past, lags):
    return [max((e.layer for e in past.events if e.time < past.as_of - lag and e.layer > 0), default=0) for lag in lags]


def _answers_to(time, past, within):
    """When there was an answer in (time, time + within]."""
    return [event.time for event in past.events if event.answer and time < event.time <= time + within]


def followed(past, within):
    asks = [(event.time, _answers_to(event.time, past, within)) for event in past.masked()]
    lags = [min(found) - time for time, found in asks if found]
    answers = [e for e in past.events if e.answer and any(0 < e.time - time <= within for time, _ in asks)]
    streak = len(list(itertools.takewhile(lambda ask: not ask[1], reversed(asks))))
    return [len(asks), len(lags), len(answers), sum(lags) / len(lags) / DAY if lags else NAN, streak]


def unanswered(past, within, half_lives):
    left = [event.time for event in past.masked() if not _answers_to(event.time, past, within)]
    return [math.fsum(2.0 ** -((past.as_of - time) / half_life) for time in left) for half_life in half_lives]


def uptake(past, within, shifts):
    asks = [
        event.time
        for event in past.masked()
        if event.time + within < past.as_of and event.time - max(shifts) >= past.events[0].time
    ]

    def answered(shift):
        return sum(bool(_answers_to(time - shift, past, within)) for time in asks)

    return [len(asks), answered(0), sum(map(answered, shifts)) / len(shifts)]
