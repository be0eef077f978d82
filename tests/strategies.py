"""Hypothesis strategies: worlds of events and snapshots with the stamps that break code."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from leadscore.features.asof import ALL, Asof
from leadscore.timeline import DAY, HOUR

# A microsecond, the same moment twice, the edges of windows, ten years of silence.
STEPS = st.sampled_from([0, 0, 1, HOUR, DAY - 1, DAY, DAY + 1, 7 * DAY, 3652 * DAY]) | st.integers(0, 3 * DAY)
LENGTHS = st.sampled_from([1, HOUR, DAY, 7 * DAY, 30 * DAY, 3652 * DAY])
# Beside 2**60 a careless sum loses a small number. All sums of these are exact, so the right answer is a single one.
VALUES = st.sampled_from([np.nan, np.inf, -1e300, 0.0, 2.0**60, -(2.0**60)]) | st.integers(-9999, 9999).map(
    lambda number: number / 1024
)
STARTS = st.sampled_from([0, 1_700_000_000_000_000, -5 * DAY])


@dataclass(frozen=True, eq=False)
class World:
    """Events and snapshots, with all that operators ask of an event, and the scales they are asked at."""

    asof: Asof
    codes: np.ndarray
    values: np.ndarray
    mask: np.ndarray
    day: np.ndarray
    n_codes: int
    windows: np.ndarray
    half_lives: np.ndarray

    def shifted(self, by):
        """The same world, `by` microseconds later; the day numbers stay."""
        asof = Asof(self.asof.time + by, self.asof.indptr, self.asof.as_of + by, self.asof.ptr)
        return replace(self, asof=asof)

    def alone(self, lead, row):
        """Only this snapshot, and only the events of its lead before it."""
        low, high = self.asof.indptr[lead : lead + 2]
        seen = slice(low, low + np.searchsorted(self.asof.time[low:high], self.asof.as_of[row]))
        time, as_of = self.asof.time[seen], self.asof.as_of[row : row + 1]
        asof = Asof(time, np.array([0, time.size]), as_of, np.array([0, 1]))
        per_event = {name: getattr(self, name)[seen] for name in ("codes", "values", "mask", "day")}
        return replace(self, asof=asof, **per_event)

    def snapshots(self):
        """Each (lead, row)."""
        return [(lead, row) for lead in range(self.asof.ptr.size - 1) for row in range(*self.asof.ptr[lead : lead + 2])]


def _offsets(parts):
    return np.cumsum([0, *map(len, parts)]).astype(np.int64)


def _flat(parts, dtype):
    return np.array([item for part in parts for item in part], dtype)


@st.composite
def worlds(draw, max_leads=4, max_events=12, max_snapshots=5):
    """Up to four leads, some without events, some without snapshots, many snapshots exactly at an event."""
    n_codes = draw(st.integers(1, 3))
    event = st.tuples(STEPS, st.integers(-1, n_codes - 1), VALUES, st.booleans())
    lengths = st.lists(LENGTHS, min_size=1, max_size=3)
    windows = draw(st.lists(LENGTHS | st.just(ALL), min_size=1, max_size=3))
    half_lives = draw(lengths)
    events, moments = [], []
    for _ in range(draw(st.integers(0, max_leads))):
        own = draw(st.lists(event, max_size=max_events))
        times = np.cumsum([draw(STARTS), *(step for step, *_ in own)])[1:].tolist()
        events.append([(time, *rest) for time, (_, *rest) in zip(times, own, strict=True)])
        edges = [0, *times, *(time + 1 for time in times), *(time + w for time in times for w in windows if w < ALL)]
        moments.append(sorted(draw(st.lists(st.sampled_from(edges), max_size=max_snapshots))))
    columns = [[[row[at] for row in own] for own in events] for at in range(4)]
    time = _flat(columns[0], np.int64)
    return World(
        asof=Asof(time, _offsets(events), _flat(moments, np.int64), _offsets(moments)),
        codes=_flat(columns[1], np.int32),
        values=_flat(columns[2], np.float64),
        mask=_flat(columns[3], np.bool_),
        day=(time // DAY).astype(np.int32),
        n_codes=n_codes,
        windows=np.array(windows, np.int64),
        half_lives=np.array(half_lives, np.int64),
    )
