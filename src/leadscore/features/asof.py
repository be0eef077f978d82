"""As-of operators: what the sorted events of each lead say at each snapshot, compiled, in one pass.

Grain: one row per snapshot in, one row per snapshot out. An event is visible at a snapshot when it was learned before:
`seen < as_of`; one at exactly as_of is the future. Windows, ages and decay go by when it happened: a window `w` holds
the visible events with `as_of - w <= time`. Events at the same microsecond keep the order of the arrays.

Common to all operators:

* `codes` (int32, one per event) say which group an event belongs to, `0 … n_codes - 1`; a negative code is not
  counted. `windows`, `half_lives`, `within`, `lags` and `shifts` are lengths in microseconds (int64).
* A value or weight that float32 cannot hold (NaN, infinite, beyond 3.4e38) is missing: the event has none.
* Results are float32 (`last_code`: int32), never infinite; what is undefined is NaN. The snapshots of one feature lie
  side by side (the first axis is contiguous), so that a column goes to a file without a copy.
* Cost is O(events + snapshots), times windows, half-lives or groups where there are any; never events x snapshots.
* A row depends on the visible events of its own lead and on nothing else, to the last bit: not on the other
  snapshots in the call, and not on `threads` (if not given: every processor, or one when there is little to do).
* Wrong use (a wrong dtype, unsorted times, a code out of range) is an `assert`, checked once at the door.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from leadscore.features import kernels
from leadscore.features.kernels import Codes, Ints, Mask, Result, Values
from leadscore.timeline import Moments

ALL = 2**62
"""The window that holds everything before as_of."""

_FARTHEST = 2**61  # moments stay within 73,000 years of 1970, so `as_of - ALL` is before each and nothing overflows
_SMALL = 100_000  # fewer events and snapshots than this are not worth a second thread
_AT_ONCE = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Asof:
    """Events and snapshots of the same leads, as flat arrays; what every operator takes first.

    Attributes:
        time: When it happened: microseconds since 1970, one per event, sorted by (lead, time).
        indptr: Where the events of each lead begin in `time`; one entry more than leads (CSR).
        as_of: Microseconds since 1970, one per snapshot, sorted by (lead, as_of); the same moment may come twice.
        ptr: Where the snapshots of each lead begin in `as_of`; as many entries as `indptr`.
        seen: When it was learned: one per event, never before `time`, never falling within a lead; `time` if not
            given. So what is visible of a lead is always its first so many events.
    """

    time: Moments
    indptr: Ints
    as_of: Moments
    ptr: Ints
    seen: Moments = field(default_factory=lambda: _AT_ONCE)

    def __post_init__(self) -> None:
        if self.seen is _AT_ONCE:
            object.__setattr__(self, "seen", self.time)
        assert self.indptr.shape == self.ptr.shape, "events and snapshots are of the same leads"
        assert self.seen.shape == self.time.shape, "each event is learned once"
        for moments, offsets in ((self.time, self.indptr), (self.seen, self.indptr), (self.as_of, self.ptr)):
            _check_moments(moments, offsets)
        assert self.seen is self.time or bool(np.all(self.seen >= self.time)), "nothing is learned before it happens"

    @property
    def n_events(self) -> int:
        """How many events."""
        return self.time.size

    @property
    def n_snapshots(self) -> int:
        """How many snapshots: rows of every result."""
        return self.as_of.size


def _check_moments(moments: Moments, offsets: Ints) -> None:
    for array in (moments, offsets):
        assert array.dtype == np.int64, f"found {array.dtype}, expected int64"
        assert array.ndim == 1, f"found {array.ndim} dimensions, expected one"
        assert array.flags.c_contiguous, "expected a contiguous array"
    assert offsets.size >= 1, "offsets have one entry more than leads"
    assert offsets[0] == 0, "offsets begin at 0"
    assert offsets[-1] == moments.size, "offsets end where the array does"
    assert bool(np.all(np.diff(offsets) >= 0)), "offsets never fall"
    assert moments.min(initial=0) > -_FARTHEST, "a moment is out of range"
    assert moments.max(initial=0) < _FARTHEST, "a moment is out of range"
    assert _sorted_within(moments, offsets), "moments are sorted within each lead"


# ---- from the door to the kernels --------------------------------------------------------------------------


def _lead_ranges(asof: Asof, threads: int | None) -> list[tuple[int, int]]:
    """Divide the leads into one range per thread, with about as many events and snapshots in each."""
    work = asof.indptr + asof.ptr
    if threads is None:
        threads = 1 if work[-1] < _SMALL else os.cpu_count() or 1
    assert threads >= 1, f"found {threads} threads, expected at least one"
    cuts = np.searchsorted(work, np.linspace(0, work[-1], threads + 1)[1:-1])
    bounds = [0, *cuts.tolist(), work.size - 1]
    return [(low, high) for low, high in itertools.pairwise(bounds) if low < high]


def _run(kernel: Callable[..., None], asof: Asof, *arguments: Any, out: npt.NDArray[Any], threads: int | None) -> None:
    """Fill `out`: each range of leads in a thread of its own; the kernels hold no lock meanwhile."""
    flat = kernels.Flat(*map(kernels.frozen, (asof.time, asof.seen, asof.indptr, asof.as_of, asof.ptr)))
    inputs = [kernels.frozen(item) for item in arguments]
    ranges = _lead_ranges(asof, threads)
    if len(ranges) <= 1:
        for low, high in ranges:
            kernels.call(kernel, low, high, flat, *inputs, out)
        return
    with ThreadPoolExecutor(len(ranges)) as pool:
        for done in [pool.submit(kernels.call, kernel, low, high, flat, *inputs, out) for low, high in ranges]:
            done.result()


def _rows(
    kernel: Callable[..., None], asof: Asof, *arguments: Any, shape: tuple[int, ...] = (), threads: int | None
) -> Result:
    """Run a kernel; return one row of this shape per snapshot, the snapshots of each entry side by side."""
    out = np.empty((math.prod(shape), asof.n_snapshots), np.float32)
    _run(kernel, asof, *arguments, out=out, threads=threads)
    return np.moveaxis(out.reshape(*shape, asof.n_snapshots), -1, 0)


def _sorted_within(values: npt.NDArray[Any], offsets: Ints) -> bool:
    return bool(kernels.call(kernels.ascends, kernels.frozen(values), kernels.frozen(offsets)))


def _check_events(asof: Asof, array: npt.NDArray[Any], dtype: type[np.generic]) -> None:
    assert array.dtype == dtype, f"found {array.dtype}, expected {np.dtype(dtype)}"
    assert array.shape == asof.time.shape, f"found shape {array.shape}, expected one entry per event"
    assert array.flags.c_contiguous, "expected a contiguous array"


def _check_codes(asof: Asof, codes: Codes, n_codes: int) -> None:
    _check_events(asof, codes, np.int32)
    assert n_codes >= 0, f"found {n_codes} codes"
    assert codes.max(initial=-1) < n_codes, f"a code is not below {n_codes}"


def _check_lengths(lengths: Ints, least: int = 1) -> None:
    assert lengths.dtype == np.int64, f"found {lengths.dtype}, expected int64"
    assert lengths.ndim == 1, f"found {lengths.ndim} dimensions, expected one"
    assert lengths.flags.c_contiguous, "expected a contiguous array"
    assert lengths.min(initial=least) >= least, f"found a length of time under {least}"
    assert lengths.max(initial=least) <= ALL, "a length of time is at most ALL"


def _check_answers(asof: Asof, a: Mask, b: Mask, within: int) -> None:
    _check_events(asof, a, np.bool_)
    _check_events(asof, b, np.bool_)
    assert 0 < within <= ALL, f"found within = {within}, expected more than nothing and at most ALL"


# ---- the operators: windows ---------------------------------------------------------------------------------


def count(asof: Asof, codes: Codes, n_codes: int, windows: Ints, *, threads: int | None = None) -> Result:
    """Count: |{e : as_of - w <= time_e, code_e = c}|.

    Cost: O((events + snapshots x n_codes) x windows).

    Args:
        asof: Events and snapshots.
        codes: Group of each event.
        n_codes: How many groups.
        windows: Lengths in microseconds, in any order; `ALL` for everything before.
        threads: How many; every processor when not given.

    Returns:
        Shape (snapshots, n_codes, windows). 0 when there is none; never missing. Exact up to 2**24.
    """
    _check_codes(asof, codes, n_codes)
    _check_lengths(windows)
    shape = (n_codes, windows.size)
    return _rows(kernels.count, asof, codes, n_codes, windows, shape=shape, threads=threads)


def total(
    asof: Asof, values: Values, codes: Codes, n_codes: int, windows: Ints, *, threads: int | None = None
) -> Result:
    """Sum: Σ value_e over as_of - w <= time_e, code_e = c.

    The difference of two compensated sums (Ogita, Rump & Oishi 2005), so that a large value which leaves the window
    takes all of itself away. Cost: O((events + snapshots x n_codes) x windows).

    Returns:
        Shape (snapshots, n_codes, windows), in the unit of `values`. Missing values are not added; exactly 0 when
        the window holds none. A sum beyond float32's range is its largest number.
    """
    return _sums(asof, values, codes, n_codes, windows, mean=False, threads=threads)


def mean(
    asof: Asof, values: Values, codes: Codes, n_codes: int, windows: Ints, *, threads: int | None = None
) -> Result:
    """Mean: what `total` says, by the number of events in the window that have a value.

    Cost: O((events + snapshots x n_codes) x windows).

    Returns:
        Shape (snapshots, n_codes, windows), in the unit of `values`. NaN when there is no value in the window.
    """
    return _sums(asof, values, codes, n_codes, windows, mean=True, threads=threads)


def _sums(
    asof: Asof, values: Values, codes: Codes, n_codes: int, windows: Ints, *, mean: bool, threads: int | None
) -> Result:
    _check_events(asof, values, np.float64)
    _check_codes(asof, codes, n_codes)
    _check_lengths(windows)
    shape = (n_codes, windows.size)
    return _rows(kernels.total, asof, values, codes, n_codes, windows, mean, shape=shape, threads=threads)


def maximum(
    asof: Asof, values: Values, codes: Codes, n_codes: int, windows: Ints, *, threads: int | None = None
) -> Result:
    """Greatest value: max{value_e : as_of - w <= time_e, code_e = c}.

    Cost: O((events + snapshots x n_codes) x windows), by a monotone queue that all windows share.

    Returns:
        Shape (snapshots, n_codes, windows), in the unit of `values`. NaN when there is none.
    """
    return _extremes(asof, values, codes, n_codes, windows, 1.0, threads)


def minimum(
    asof: Asof, values: Values, codes: Codes, n_codes: int, windows: Ints, *, threads: int | None = None
) -> Result:
    """Least value: min{value_e : as_of - w <= time_e, code_e = c}; cost as for `maximum`.

    Returns:
        Shape (snapshots, n_codes, windows), in the unit of `values`. NaN when there is none.
    """
    return _extremes(asof, values, codes, n_codes, windows, -1.0, threads)


def _extremes(
    asof: Asof, values: Values, codes: Codes, n_codes: int, windows: Ints, sign: float, threads: int | None
) -> Result:
    _check_events(asof, values, np.float64)
    _check_codes(asof, codes, n_codes)
    _check_lengths(windows)
    shape = (n_codes, windows.size)
    return _rows(kernels.extreme, asof, values, codes, n_codes, windows, sign, shape=shape, threads=threads)


def distinct(asof: Asof, codes: Codes, n_codes: int, windows: Ints, *, threads: int | None = None) -> Result:
    """Count different codes: |{code_e >= 0 : as_of - w <= time_e}|.

    Cost: O((events + snapshots) x windows), and 8 bytes x n_codes per thread.

    Returns:
        Shape (snapshots, windows). 0 when there is none; never missing.
    """
    _check_codes(asof, codes, n_codes)
    _check_lengths(windows)
    kernel = kernels.distinct_few if n_codes <= kernels.FEW else kernels.distinct_many
    return _rows(kernel, asof, codes, n_codes, windows, shape=(windows.size,), threads=threads)


def bigram_count(asof: Asof, codes: Codes, pairs: Codes, windows: Ints, *, threads: int | None = None) -> Result:
    """Count pairs: |{e : as_of - w <= time_e, code_e = to, code of the event before e = from}|.

    The event before is the last one with a code; events with a negative code are passed over.
    Cost: O((events + snapshots x pairs) x windows).

    Args:
        asof: Events and snapshots.
        codes: Group of each event.
        pairs: Shape (k, 2): from, to; each pair once, no negative code.
        windows: Lengths in microseconds, of which the later event lies inside.
        threads: How many; every processor when not given.

    Returns:
        Shape (snapshots, k, windows). 0 when there is none; never missing.
    """
    _check_events(asof, codes, np.int32)
    assert pairs.dtype == np.int32, f"found {pairs.dtype}, expected int32"
    assert pairs.shape == (len(pairs), 2), f"found shape {pairs.shape}, expected one row of two codes per pair"
    assert pairs.min(initial=0) >= 0, "a pair is made of codes, which are not negative"
    assert len(np.unique(pairs, axis=0)) == len(pairs), "a pair is counted once"
    words = np.unique(pairs)
    place = np.full(words.max(initial=-1) + 1, -1, np.int32)
    place[words] = np.arange(words.size)
    table = np.full((words.size, words.size), -1, np.int32)
    table[place[pairs[:, 0]], place[pairs[:, 1]]] = np.arange(len(pairs))
    ends = np.empty((1, asof.n_events), np.int32)
    _run(kernels.pair_codes, asof, codes, place, table, out=ends, threads=threads)
    return count(asof, ends[0], len(pairs), windows, threads=threads)


# ---- the operators: decay -----------------------------------------------------------------------------------


def decayed_sum(
    asof: Asof, weights: Values, codes: Codes, n_codes: int, half_lives: Ints, *, threads: int | None = None
) -> Result:
    """Sum what is left: Σ weight_e x 2**(-(as_of - time_e) / half_life) over the visible e with code_e = c.

    Each (code, half-life) keeps its sum as it was at its own last event and only ever shrinks it, so nothing grows
    with the length of history.
    Cost: O((events + snapshots x n_codes) x half_lives).

    Args:
        asof: Events and snapshots.
        weights: Weight of each event at its own moment; missing ones are not added.
        codes: Group of each event.
        n_codes: How many groups.
        half_lives: Lengths in microseconds.
        threads: How many; every processor when not given.

    Returns:
        Shape (snapshots, n_codes, half_lives), in the unit of `weights`. 0 when there is none; never missing.
    """
    return _decayed(asof, weights, codes, n_codes, half_lives, kernels.SUM, threads)


def decayed_mean(
    asof: Asof, values: Values, codes: Codes, n_codes: int, half_lives: Ints, *, threads: int | None = None
) -> Result:
    """Mean of what is left: Σ value_e x d_e / Σ d_e, where d_e = 2**(-(as_of - time_e) / half_life), code_e = c.

    As as_of cancels out, both sums are taken at the newest event: no silence is too long.
    Cost: O((events + snapshots x n_codes) x half_lives).

    Returns:
        Shape (snapshots, n_codes, half_lives), in the unit of `values`. NaN when there is no value.
    """
    return _decayed(asof, values, codes, n_codes, half_lives, kernels.MEAN, threads)


def decayed_peak(
    asof: Asof, weights: Values, codes: Codes, n_codes: int, half_lives: Ints, *, threads: int | None = None
) -> Result:
    """Warmest moment: max over the visible e with code_e = c of what the decayed sum was just after e.

    Cost: O((events + snapshots x n_codes) x half_lives).

    Returns:
        Shape (snapshots, n_codes, half_lives), in the unit of `weights`. 0 when there is none; never missing.
    """
    return _decayed(asof, weights, codes, n_codes, half_lives, kernels.PEAK, threads)


def _decayed(
    asof: Asof, weights: Values, codes: Codes, n_codes: int, half_lives: Ints, rule: int, threads: int | None
) -> Result:
    _check_events(asof, weights, np.float64)
    _check_codes(asof, codes, n_codes)
    _check_lengths(half_lives)
    shape = (n_codes, half_lives.size)
    return _rows(kernels.decayed, asof, weights, codes, n_codes, half_lives, rule, shape=shape, threads=threads)


# ---- the operators: the newest and the first ----------------------------------------------------------------


def age_of_last(asof: Asof, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Recency: as_of - max{time_e : code_e = c}, in days.

    Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes), more than 0. NaN when there is no such event.
    """
    return _ages(asof, codes, n_codes, kernels.LAST, threads)


def age_of_first(asof: Asof, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Tenure: as_of - min{time_e : code_e = c}, in days.

    Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes), more than 0. NaN when there is no such event.
    """
    return _ages(asof, codes, n_codes, kernels.FIRST, threads)


def _ages(asof: Asof, codes: Codes, n_codes: int, rule: int, threads: int | None) -> Result:
    _check_codes(asof, codes, n_codes)
    return _rows(kernels.age, asof, codes, n_codes, rule, shape=(n_codes,), threads=threads)


def last_value(asof: Asof, values: Values, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Newest value: value_e of the last visible e with code_e = c and a value.

    Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes), in the unit of `values`. NaN when there is none.
    """
    return _carried(asof, values, codes, n_codes, kernels.LAST, threads)


def first_value(asof: Asof, values: Values, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Oldest value: value_e of the first visible e with code_e = c and a value.

    Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes), in the unit of `values`. NaN when there is none.
    """
    return _carried(asof, values, codes, n_codes, kernels.FIRST, threads)


def _carried(asof: Asof, values: Values, codes: Codes, n_codes: int, rule: int, threads: int | None) -> Result:
    _check_events(asof, values, np.float64)
    _check_codes(asof, codes, n_codes)
    return _rows(kernels.carry, asof, values, codes, n_codes, rule, shape=(n_codes,), threads=threads)


def last_code(asof: Asof, codes: Codes, n: int, *, threads: int | None = None) -> Codes:
    """Newest codes: code_e of the last n visible events with code_e >= 0, newest first.

    Cost: O(events + snapshots x n).

    Returns:
        Shape (snapshots, n), int32. -1 where there are fewer events.
    """
    _check_events(asof, codes, np.int32)
    assert n >= 1, f"found n = {n}, expected at least one"
    out = np.empty((n, asof.n_snapshots), np.int32)
    _run(kernels.last_code, asof, codes, out=out, threads=threads)
    return out.T


def nth_last(asof: Asof, mask: Mask, n: int, *, threads: int | None = None) -> Result:
    """Newest ages: as_of - time_e of the last n visible events with `mask`, in days, newest first.

    Cost: O(events + snapshots x n).

    Returns:
        Shape (snapshots, n), more than 0. NaN where there are fewer events.
    """
    _check_events(asof, mask, np.bool_)
    assert n >= 1, f"found n = {n}, expected at least one"
    return _rows(kernels.nth_last, asof, mask, shape=(n,), threads=threads)


# ---- the operators: rhythm ----------------------------------------------------------------------------------


def gaps(asof: Asof, mask: Mask, *, threads: int | None = None) -> Result:
    """Rhythm: gap_i = time_i - time_(i-1) over the visible events with `mask`.

    Cost: O(events + snapshots). The spread is Welford's (1962), counted from the first gap.

    Returns:
        Shape (snapshots, 5): number of gaps (0 when there is none); mean gap in days; coefficient of variation
        (population standard deviation / mean); longest gap in days; current gap (as_of - last event) in days.
        NaN: mean and longest without a gap; the coefficient under two gaps or at a mean of 0; the current gap
        without an event.
    """
    _check_events(asof, mask, np.bool_)
    return _rows(kernels.gaps, asof, mask, shape=(5,), threads=threads)


def busiest_day_share(asof: Asof, mask: Mask, day: Codes, *, threads: int | None = None) -> Result:
    """Concentration: max_d |{e : day_e = d}| / |{e}| over the visible events with `mask`.

    Cost: O(events + snapshots).

    Args:
        asof: Events and snapshots.
        mask: Which events count.
        day: Number of the calendar day of each event; never falls within a lead.
        threads: How many; every processor when not given.

    Returns:
        Shape (snapshots,), in (0, 1]. NaN when there is no such event.
    """
    return _by_day(asof, mask, day, share=True, threads=threads)


def active_days(asof: Asof, mask: Mask, day: Codes, *, threads: int | None = None) -> Result:
    """Count days: |{day_e}| over the visible events with `mask`; `day` as in `busiest_day_share`.

    Cost: O(events + snapshots).

    Returns:
        Shape (snapshots,). 0 when there is none; never missing.
    """
    return _by_day(asof, mask, day, share=False, threads=threads)


def _by_day(asof: Asof, mask: Mask, day: Codes, *, share: bool, threads: int | None) -> Result:
    _check_events(asof, mask, np.bool_)
    _check_events(asof, day, np.int32)
    assert _sorted_within(day, asof.indptr), "days never fall within a lead"
    return _rows(kernels.days, asof, mask, day, share, threads=threads)


# ---- the operators: states and depth ------------------------------------------------------------------------


def in_state(asof: Asof, codes: Codes, *, threads: int | None = None) -> Result:
    """Length of the present state: as_of - time of the event that began the newest run of equal codes, in days.

    Events with a negative code say nothing of the state and interrupt no run.
    Cost: O(events + snapshots).

    Returns:
        Shape (snapshots,), more than 0. NaN when there is no event with a code.
    """
    _check_events(asof, codes, np.int32)
    return _rows(kernels.in_state, asof, codes, threads=threads)


def dwell(asof: Asof, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Time spent in each state: Σ (next_e - time_e) over the events e that begin a run of code c, in days.

    next_e is the time of the next event with another code, as_of when there is none. Events with a negative code say
    nothing of the state. Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes). 0 for a state the lead was never in; never missing.
    """
    _check_codes(asof, codes, n_codes)
    return _rows(kernels.dwell, asof, codes, n_codes, shape=(n_codes,), threads=threads)


def ordered_depth(asof: Asof, layers: Codes, lags: Ints, *, threads: int | None = None) -> Result:
    """Depth reached layer by layer: from d to d + 1 when an event of layer d + 1 comes, and by nothing else.

    So neither repeating a layer nor skipping one leads deeper. Cost: O((events + snapshots) x lags).

    Args:
        asof: Events and snapshots.
        layers: Layer of each event, 1 at the surface; 0 or negative for none.
        lags: How long ago, in microseconds; the depth then, from the visible events with time < as_of - lag. 0 is now.
        threads: How many; every processor when not given.

    Returns:
        Shape (snapshots, lags), in layers. 0 when there is none; never missing.
    """
    return _depths(asof, layers, lags, ordered=True, threads=threads)


def deepest(asof: Asof, layers: Codes, lags: Ints, *, threads: int | None = None) -> Result:
    """Deepest layer: max{layer_e : time_e < as_of - lag}; arguments, result and cost as for `ordered_depth`."""
    return _depths(asof, layers, lags, ordered=False, threads=threads)


def _depths(asof: Asof, layers: Codes, lags: Ints, *, ordered: bool, threads: int | None) -> Result:
    _check_events(asof, layers, np.int32)
    _check_lengths(lags, least=0)
    return _rows(kernels.depth, asof, layers, lags, ordered, shape=(lags.size,), threads=threads)


# ---- the operators: one thing after another -----------------------------------------------------------------


class Followed(NamedTuple):
    """The columns of `followed`, so that `Followed(*followed(…).T)` gives each its name; each of shape (snapshots,).

    Attributes:
        asked: Number of A's.
        answered: Number of A's with an answer.
        answers: Number of B's that lie in (t_A, t_A + within] of some A.
        lag: Mean of t_B - t_A over the answered A's and the first B after each, in days; NaN without any.
        streak: Number of A's since the newest answered one; all of them when none was answered.
    """

    asked: Result
    answered: Result
    answers: Result
    lag: Result
    streak: Result


def followed(asof: Asof, a: Mask, b: Mask, within: int, *, threads: int | None = None) -> Result:
    """B within w after A: an A is answered when there is a visible B in (t_A, t_A + within].

    Strictly after: a B at the same microsecond is no answer. Cost: O(events + snapshots).

    Args:
        asof: Events and snapshots.
        a: Which events ask.
        b: Which events answer; the same event may do both, never to itself.
        within: Time for an answer, in microseconds.
        threads: How many; every processor when not given.

    Returns:
        Shape (snapshots, 5): the columns of `Followed`. Only the lag can be missing.
    """
    _check_answers(asof, a, b, within)
    return _rows(kernels.followed, asof, a, b, within, shape=(len(Followed._fields),), threads=threads)


def unanswered(asof: Asof, a: Mask, b: Mask, within: int, half_lives: Ints, *, threads: int | None = None) -> Result:
    """Pressure: Σ 2**(-(as_of - t_A) / half_life) over the visible A's without a visible B in (t_A, t_A + within].

    An A that may still be answered counts until it is. Nothing is ever subtracted, so nothing cancels.
    Cost: O((events + snapshots) x half_lives).

    Returns:
        Shape (snapshots, half_lives). 0 when there is none; never missing.
    """
    _check_answers(asof, a, b, within)
    _check_lengths(half_lives)
    return _rows(kernels.unanswered, asof, a, b, within, half_lives, shape=(half_lives.size,), threads=threads)


class Uptake(NamedTuple):
    """The columns of `uptake`, so that `Uptake(*uptake(…).T)` gives each its name; each of shape (snapshots,).

    Attributes:
        asked: Number of A's that are closed and eligible.
        answered: Number of those with a B in (t_A, t_A + within].
        placebo: Number of those with a B in (t_A - s, t_A - s + within], mean over the shifts s.
    """

    asked: Result
    answered: Result
    placebo: Result


def uptake(asof: Asof, a: Mask, b: Mask, within: int, shifts: Ints, *, threads: int | None = None) -> Result:
    """Answers against a placebo, the same A's at shifted times: what would have come anyway.

    Counted are the A's that are closed (t_A + within < as_of) and eligible (t_A - the longest shift is not before the
    first event of the lead). A B learned late counts from then on, though its A had closed before.
    Cost: O((events + snapshots) x shifts).

    Args:
        asof: Events and snapshots.
        a: Which events ask.
        b: Which events answer.
        within: Time for an answer, in microseconds.
        shifts: How far back the placebo lies, in microseconds; at least one, none under `within`.
        threads: How many; every processor when not given.

    Returns:
        Shape (snapshots, 3): the columns of `Uptake`. 0 when there is none; never missing.
    """
    _check_answers(asof, a, b, within)
    _check_lengths(shifts, least=within)
    assert shifts.size >= 1, "a placebo needs a shift"
    both = np.concatenate([np.zeros(1, np.int64), shifts])
    return _rows(kernels.uptake, asof, a, b, within, both, int(shifts.max()), shape=(3,), threads=threads)
