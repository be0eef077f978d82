"""As-of operators: what the sorted events of each lead say at each snapshot, compiled, in one pass.

Grain: one row per snapshot in, one row per snapshot out. An event is visible at a snapshot when `time < as_of`;
one at exactly as_of is the future. A window `w` holds the events with `as_of - w <= time < as_of`. Events at the
same microsecond keep the order of the arrays.

Common to all operators:

* `codes` (int32, one per event) say which group an event belongs to, `0 … n_codes - 1`; a negative code is not
  counted.
* A value or weight that float32 cannot hold (NaN, infinite, beyond 3.4e38) is missing: the event has none.
* Results are float32 (`last_code`: int32), C-contiguous, never infinite; what is undefined is NaN.
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
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from leadscore.timeline import DAY, Moments

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Result = npt.NDArray[np.float32]
_F = TypeVar("_F", bound=Callable[..., Any])

ALL = 2**62
"""The window that holds everything before as_of."""

_FARTHEST = 2**61  # moments stay within 73,000 years of 1970, so `as_of - ALL` is before each and nothing overflows
_SMALL = 100_000  # fewer events and snapshots than this are not worth a second thread
_LARGEST = float(np.finfo(np.float32).max)
_FIRST, _LAST, _GREATEST, _LEAST = range(4)


@dataclass(frozen=True, eq=False)
class Asof:
    """Events and snapshots of the same leads, as flat arrays; what every operator takes first.

    Attributes:
        time: Microseconds since 1970, one per event, sorted by (lead, time).
        indptr: Where the events of each lead begin in `time`; one entry more than leads (CSR).
        as_of: Microseconds since 1970, one per snapshot, sorted by (lead, as_of); the same moment may come twice.
        ptr: Where the snapshots of each lead begin in `as_of`; as many entries as `indptr`.
    """

    time: Moments
    indptr: Ints
    as_of: Moments
    ptr: Ints

    def __post_init__(self) -> None:
        assert self.indptr.shape == self.ptr.shape, "events and snapshots are of the same leads"
        for moments, offsets in ((self.time, self.indptr), (self.as_of, self.ptr)):
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

    @property
    def n_events(self) -> int:
        """How many events."""
        return self.time.size

    @property
    def n_snapshots(self) -> int:
        """How many snapshots: rows of every result."""
        return self.as_of.size


# ---- compiled once, for all kernels ------------------------------------------------------------------------


def _kernel(function: _F) -> _F:
    """Compile at the first call and keep the machine code; where no folder may be written, just compile."""
    try:
        return cast("_F", njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba found neither __pycache__ nor a user's cache folder it may write
        return cast("_F", njit(nogil=True)(function))


def _part(function: _F) -> _F:
    """Compile into the kernels that call it, and keep it with them only."""
    return cast("_F", njit(function))


def _call(kernel: Callable[..., Any], *arguments: Any) -> Any:
    """Call a kernel; a full disk hinders only the keeping of its machine code."""
    try:
        return kernel(*arguments)
    except OSError:  # a kernel touches no file: it is compiled by now, and could not be kept
        return kernel(*arguments)


def _frozen(argument: Any) -> Any:
    """Make a read-only view of an array, so that one version is compiled whether or not it may be written."""
    if not isinstance(argument, np.ndarray):
        return argument
    view = argument.view()
    view.flags.writeable = False
    return view


@_kernel
def _ascends(values: npt.NDArray[Any], offsets: Ints) -> bool:
    for lead in range(offsets.size - 1):
        for at in range(offsets[lead] + 1, offsets[lead + 1]):
            if values[at] < values[at - 1]:
                return False
    return True


@_part
def _known(value: float) -> bool:
    return abs(value) <= _LARGEST  # false for NaN


@_part
def _single(value: float) -> float:
    return min(max(value, -_LARGEST), _LARGEST)  # sums of float32's largest numbers stay finite


@_part
def _neumaier(total: float, lost: float, value: float) -> tuple[float, float]:
    """Add `value`; `lost` gathers the low bits that `total` cannot hold (Neumaier 1974)."""
    new = total + value
    if abs(total) >= abs(value):
        return new, lost + ((total - new) + value)
    return new, lost + ((value - new) + total)


# ---- kernels: leads first … last - 1, each from a clean state ----------------------------------------------


@_kernel
def _count(
    first: int,
    last: int,
    time: Moments,
    indptr: Ints,
    as_of: Moments,
    ptr: Ints,
    codes: Codes,
    windows: Ints,
    out: Result,
) -> None:
    counts = np.zeros(out.shape[1], np.int64)
    for lead in range(first, last):
        for k in range(windows.size):
            counts[:] = 0
            tail = head = indptr[lead]
            for row in range(ptr[lead], ptr[lead + 1]):
                while head < indptr[lead + 1] and time[head] < as_of[row]:
                    if codes[head] >= 0:
                        counts[codes[head]] += 1
                    head += 1
                while tail < head and time[tail] < as_of[row] - windows[k]:
                    if codes[tail] >= 0:
                        counts[codes[tail]] -= 1
                    tail += 1
                for code in range(counts.size):
                    out[row, code, k] = counts[code]


@_part
def _evict(
    tail: int,
    head: int,
    before: int,
    time: Moments,
    values: Values,
    codes: Codes,
    held: Ints,
    sums: Values,
    lost: Values,
) -> int:
    """Take the values before a moment out of the sums; an emptied sum is exactly nothing."""
    while tail < head and time[tail] < before:
        code = codes[tail]
        if code >= 0 and _known(values[tail]):
            held[code] -= 1
            sums[code], lost[code] = _neumaier(sums[code], lost[code], -values[tail])
            if held[code] == 0:
                sums[code] = lost[code] = 0.0
        tail += 1
    return tail


@_kernel
def _total(
    first: int,
    last: int,
    time: Moments,
    indptr: Ints,
    as_of: Moments,
    ptr: Ints,
    values: Values,
    codes: Codes,
    windows: Ints,
    out: Result,
) -> None:
    held = np.zeros(out.shape[1], np.int64)
    sums = np.zeros(out.shape[1])
    lost = np.zeros(out.shape[1])
    for lead in range(first, last):
        for k in range(windows.size):
            held[:] = 0
            sums[:] = 0.0
            lost[:] = 0.0
            tail = head = indptr[lead]
            for row in range(ptr[lead], ptr[lead + 1]):
                while head < indptr[lead + 1] and time[head] < as_of[row]:
                    code = codes[head]
                    if code >= 0 and _known(values[head]):
                        # What this event pushes out leaves first, so the order of additions, and with it the last
                        # bit, does not depend on where the snapshots lie.
                        before = time[head] - windows[k]
                        tail = _evict(tail, head, before, time, values, codes, held, sums, lost)
                        held[code] += 1
                        sums[code], lost[code] = _neumaier(sums[code], lost[code], values[head])
                    head += 1
                before = as_of[row] - windows[k]
                tail = _evict(tail, head, before, time, values, codes, held, sums, lost)
                for code in range(sums.size):
                    out[row, code, k] = _single(sums[code] + lost[code])


@_kernel
def _distinct(
    first: int,
    last: int,
    time: Moments,
    indptr: Ints,
    as_of: Moments,
    ptr: Ints,
    codes: Codes,
    n_codes: int,
    windows: Ints,
    out: Result,
) -> None:
    held = np.zeros(n_codes, np.int64)
    for lead in range(first, last):
        for k in range(windows.size):
            different = 0
            tail = head = indptr[lead]
            for row in range(ptr[lead], ptr[lead + 1]):
                while head < indptr[lead + 1] and time[head] < as_of[row]:
                    if codes[head] >= 0:
                        different += held[codes[head]] == 0
                        held[codes[head]] += 1
                    head += 1
                while tail < head and time[tail] < as_of[row] - windows[k]:
                    if codes[tail] >= 0:
                        held[codes[tail]] -= 1
                        different -= held[codes[tail]] == 0
                    tail += 1
                out[row, k] = different
            for event in range(tail, head):  # there may be a million codes: clear only those in use
                if codes[event] >= 0:
                    held[codes[event]] = 0


@_kernel
def _decayed_sum(
    first: int,
    last: int,
    time: Moments,
    indptr: Ints,
    as_of: Moments,
    ptr: Ints,
    weights: Values,
    codes: Codes,
    half_lives: Ints,
    out: Result,
) -> None:
    sums = np.zeros((out.shape[1], half_lives.size))
    since = np.zeros(out.shape[1], np.int64)
    for lead in range(first, last):
        sums[:] = 0.0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and time[head] < as_of[row]:
                code = codes[head]
                if code >= 0 and _known(weights[head]):
                    for h in range(half_lives.size):
                        kept = _decayed(sums[code, h], time[head] - since[code], half_lives[h])
                        sums[code, h] = kept + weights[head]
                    since[code] = time[head]
                head += 1
            for code in range(since.size):
                for h in range(half_lives.size):
                    kept = _decayed(sums[code, h], as_of[row] - since[code], half_lives[h])
                    out[row, code, h] = _single(kept)


@_part
def _decayed(value: float, elapsed: int, half_life: int) -> float:
    if value == 0.0 or elapsed == 0:  # also before the first event, when there is no `since`
        return value
    left: float = np.exp2(-elapsed / half_life)
    return value * left


@_kernel
def _age(
    first: int,
    last: int,
    time: Moments,
    indptr: Ints,
    as_of: Moments,
    ptr: Ints,
    codes: Codes,
    rule: int,
    out: Result,
) -> None:
    kept = np.zeros(out.shape[1], np.int64)
    for lead in range(first, last):
        kept[:] = -1
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and time[head] < as_of[row]:
                if codes[head] >= 0 and (rule == _LAST or kept[codes[head]] < 0):
                    kept[codes[head]] = head
                head += 1
            for code in range(kept.size):
                out[row, code] = (as_of[row] - time[kept[code]]) / DAY if kept[code] >= 0 else np.nan


@_part
def _chosen(rule: int, kept: float, value: float) -> float:
    if math.isnan(kept) or rule == _LAST:
        return value
    if rule == _GREATEST:
        return max(kept, value)
    if rule == _LEAST:
        return min(kept, value)
    return kept


@_kernel
def _carry(
    first: int,
    last: int,
    time: Moments,
    indptr: Ints,
    as_of: Moments,
    ptr: Ints,
    values: Values,
    codes: Codes,
    rule: int,
    out: Result,
) -> None:
    kept = np.zeros(out.shape[1])
    for lead in range(first, last):
        kept[:] = np.nan
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and time[head] < as_of[row]:
                code = codes[head]
                if code >= 0 and _known(values[head]):
                    kept[code] = _chosen(rule, kept[code], values[head])
                head += 1
            for code in range(kept.size):
                out[row, code] = kept[code]


@_kernel
def _last_code(
    first: int,
    last: int,
    time: Moments,
    indptr: Ints,
    as_of: Moments,
    ptr: Ints,
    codes: Codes,
    out: Codes,
) -> None:
    n = out.shape[1]
    ring = np.zeros(n, np.int32)
    for lead in range(first, last):
        seen = 0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and time[head] < as_of[row]:
                if codes[head] >= 0:
                    ring[seen % n] = codes[head]
                    seen += 1
                head += 1
            for back in range(n):
                out[row, back] = ring[(seen - 1 - back) % n] if back < seen else -1


@_kernel
def _gaps(
    first: int,
    last: int,
    time: Moments,
    indptr: Ints,
    as_of: Moments,
    ptr: Ints,
    mask: Mask,
    out: Result,
) -> None:
    for lead in range(first, last):
        seen = start = newest = origin = longest = 0
        mean = squares = 0.0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and time[head] < as_of[row]:
                if mask[head]:
                    gap = time[head] - newest
                    if seen == 0:
                        start = time[head]
                    elif seen == 1:
                        origin = longest = gap
                    else:  # Welford 1962, counted from the first gap, so that microseconds between years still show
                        away = (gap - origin) - mean
                        mean += away / seen
                        squares += away * ((gap - origin) - mean)
                        longest = max(longest, gap)
                    newest = time[head]
                    seen += 1
                head += 1
            _write_gaps(out[row], seen, newest - start, squares, longest, as_of[row] - newest)


@_part
def _write_gaps(row: Result, seen: int, spanned: int, squares: float, longest: int, current: int) -> None:
    n = max(seen - 1, 0)
    row[0] = n
    row[1:] = np.nan
    if n >= 1:
        row[1] = spanned / n / DAY
        row[3] = longest / DAY
    if n > 1 and spanned > 0:
        row[2] = math.sqrt(squares / n) / (spanned / n)
    if seen >= 1:
        row[4] = current / DAY


@_kernel
def _days(
    first: int,
    last: int,
    time: Moments,
    indptr: Ints,
    as_of: Moments,
    ptr: Ints,
    mask: Mask,
    day: Codes,
    share: bool,
    out: Result,
) -> None:
    for lead in range(first, last):
        seen = days = today = busiest = newest = 0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and time[head] < as_of[row]:
                if mask[head]:
                    if seen == 0 or day[head] != newest:
                        days += 1
                        today = 0
                    newest = day[head]
                    today += 1
                    seen += 1
                    busiest = max(busiest, today)
                head += 1
            if not share:
                out[row] = days
            else:
                out[row] = busiest / seen if seen > 0 else np.nan


@_kernel
def _in_state(
    first: int,
    last: int,
    time: Moments,
    indptr: Ints,
    as_of: Moments,
    ptr: Ints,
    codes: Codes,
    out: Result,
) -> None:
    for lead in range(first, last):
        state = -1
        since = 0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and time[head] < as_of[row]:
                if codes[head] >= 0 and codes[head] != state:
                    state = codes[head]
                    since = time[head]
                head += 1
            out[row] = (as_of[row] - since) / DAY if state >= 0 else np.nan


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
    inputs = [_frozen(item) for item in (asof.time, asof.indptr, asof.as_of, asof.ptr, *arguments)]
    ranges = _lead_ranges(asof, threads)
    if len(ranges) <= 1:
        for low, high in ranges:
            _call(kernel, low, high, *inputs, out)
        return
    with ThreadPoolExecutor(len(ranges)) as pool:
        for done in [pool.submit(_call, kernel, low, high, *inputs, out) for low, high in ranges]:
            done.result()


def _rows(asof: Asof, *shape: int) -> Result:
    return np.empty((asof.n_snapshots, *shape), np.float32)


def _sorted_within(values: npt.NDArray[Any], offsets: Ints) -> bool:
    return bool(_call(_ascends, _frozen(values), _frozen(offsets)))


def _check_events(asof: Asof, array: npt.NDArray[Any], dtype: type[np.generic]) -> None:
    assert array.dtype == dtype, f"found {array.dtype}, expected {np.dtype(dtype)}"
    assert array.shape == asof.time.shape, f"found shape {array.shape}, expected one entry per event"
    assert array.flags.c_contiguous, "expected a contiguous array"


def _check_codes(asof: Asof, codes: Codes, n_codes: int) -> None:
    _check_events(asof, codes, np.int32)
    assert n_codes >= 0, f"found {n_codes} codes"
    assert codes.max(initial=-1) < n_codes, f"a code is not below {n_codes}"


def _check_lengths(lengths: Ints) -> None:
    assert lengths.dtype == np.int64, f"found {lengths.dtype}, expected int64"
    assert lengths.ndim == 1, f"found {lengths.ndim} dimensions, expected one"
    assert lengths.flags.c_contiguous, "expected a contiguous array"
    assert lengths.min(initial=1) > 0, "a length of time is more than nothing"
    assert lengths.max(initial=1) <= ALL, "a length of time is at most ALL"


# ---- the operators -----------------------------------------------------------------------------------------


def count(asof: Asof, codes: Codes, n_codes: int, windows: Ints, *, threads: int | None = None) -> Result:
    """Count: |{e : as_of - w <= time_e < as_of, code_e = c}|.

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
    out = _rows(asof, n_codes, windows.size)
    _run(_count, asof, codes, windows, out=out, threads=threads)
    return out


def total(
    asof: Asof, values: Values, codes: Codes, n_codes: int, windows: Ints, *, threads: int | None = None
) -> Result:
    """Sum: Σ value_e over as_of - w <= time_e < as_of, code_e = c.

    Compensated (Neumaier 1974), so that a large value which leaves the window takes all of itself away.
    Cost: O((events + snapshots x n_codes) x windows).

    Returns:
        Shape (snapshots, n_codes, windows), in the unit of `values`. Missing values are not added; exactly 0 when
        the window holds none. A sum beyond float32's range is its largest number.
    """
    _check_events(asof, values, np.float64)
    _check_codes(asof, codes, n_codes)
    _check_lengths(windows)
    out = _rows(asof, n_codes, windows.size)
    _run(_total, asof, values, codes, windows, out=out, threads=threads)
    return out


def distinct(asof: Asof, codes: Codes, n_codes: int, windows: Ints, *, threads: int | None = None) -> Result:
    """Count different codes: |{code_e >= 0 : as_of - w <= time_e < as_of}|.

    Cost: O((events + snapshots) x windows), and 8 bytes x n_codes per thread.

    Returns:
        Shape (snapshots, windows). 0 when there is none; never missing.
    """
    _check_codes(asof, codes, n_codes)
    _check_lengths(windows)
    out = _rows(asof, windows.size)
    _run(_distinct, asof, codes, n_codes, windows, out=out, threads=threads)
    return out


def decayed_sum(
    asof: Asof, weights: Values, codes: Codes, n_codes: int, half_lives: Ints, *, threads: int | None = None
) -> Result:
    """Sum what is left: Σ weight_e x 2**(-(as_of - time_e) / half_life) over time_e < as_of, code_e = c.

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
    _check_events(asof, weights, np.float64)
    _check_codes(asof, codes, n_codes)
    _check_lengths(half_lives)
    out = _rows(asof, n_codes, half_lives.size)
    _run(_decayed_sum, asof, weights, codes, half_lives, out=out, threads=threads)
    return out


def age_of_last(asof: Asof, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Recency: as_of - max{time_e : time_e < as_of, code_e = c}, in days.

    Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes), more than 0. NaN when there is no such event.
    """
    return _ages(asof, codes, n_codes, _LAST, threads)


def age_of_first(asof: Asof, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Tenure: as_of - min{time_e : time_e < as_of, code_e = c}, in days.

    Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes), more than 0. NaN when there is no such event.
    """
    return _ages(asof, codes, n_codes, _FIRST, threads)


def _ages(asof: Asof, codes: Codes, n_codes: int, rule: int, threads: int | None) -> Result:
    _check_codes(asof, codes, n_codes)
    out = _rows(asof, n_codes)
    _run(_age, asof, codes, rule, out=out, threads=threads)
    return out


def last_value(asof: Asof, values: Values, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Newest value: value_e of the last e with time_e < as_of, code_e = c and a value.

    Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes), in the unit of `values`. NaN when there is none.
    """
    return _carried(asof, values, codes, n_codes, _LAST, threads)


def first_value(asof: Asof, values: Values, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Oldest value: value_e of the first e with time_e < as_of, code_e = c and a value.

    Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes), in the unit of `values`. NaN when there is none.
    """
    return _carried(asof, values, codes, n_codes, _FIRST, threads)


def maximum(asof: Asof, values: Values, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Greatest value: max{value_e : time_e < as_of, code_e = c}.

    Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes), in the unit of `values`. NaN when there is none.
    """
    return _carried(asof, values, codes, n_codes, _GREATEST, threads)


def minimum(asof: Asof, values: Values, codes: Codes, n_codes: int, *, threads: int | None = None) -> Result:
    """Least value: min{value_e : time_e < as_of, code_e = c}.

    Cost: O(events + snapshots x n_codes).

    Returns:
        Shape (snapshots, n_codes), in the unit of `values`. NaN when there is none.
    """
    return _carried(asof, values, codes, n_codes, _LEAST, threads)


def _carried(asof: Asof, values: Values, codes: Codes, n_codes: int, rule: int, threads: int | None) -> Result:
    _check_events(asof, values, np.float64)
    _check_codes(asof, codes, n_codes)
    out = _rows(asof, n_codes)
    _run(_carry, asof, values, codes, rule, out=out, threads=threads)
    return out


def last_code(asof: Asof, codes: Codes, n: int, *, threads: int | None = None) -> Codes:
    """Newest codes: code_e of the last n events with time_e < as_of and code_e >= 0, newest first.

    Cost: O(events + snapshots x n).

    Returns:
        Shape (snapshots, n), int32. -1 where there are fewer events.
    """
    _check_events(asof, codes, np.int32)
    assert n >= 1, f"found n = {n}, expected at least one"
    out = np.empty((asof.n_snapshots, n), np.int32)
    _run(_last_code, asof, codes, out=out, threads=threads)
    return out


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
    out = _rows(asof, 5)
    _run(_gaps, asof, mask, out=out, threads=threads)
    return out


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
    """Count days: |{day_e : time_e < as_of}| over the events with `mask`; `day` as in `busiest_day_share`.

    Cost: O(events + snapshots).

    Returns:
        Shape (snapshots,). 0 when there is none; never missing.
    """
    return _by_day(asof, mask, day, share=False, threads=threads)


def _by_day(asof: Asof, mask: Mask, day: Codes, *, share: bool, threads: int | None) -> Result:
    _check_events(asof, mask, np.bool_)
    _check_events(asof, day, np.int32)
    assert _sorted_within(day, asof.indptr), "days never fall within a lead"
    out = _rows(asof)
    _run(_days, asof, mask, day, share, out=out, threads=threads)
    return out


def in_state(asof: Asof, codes: Codes, *, threads: int | None = None) -> Result:
    """Length of the present state: as_of - time of the event that began the newest run of equal codes, in days.

    Events with a negative code say nothing of the state and interrupt no run.
    Cost: O(events + snapshots).

    Returns:
        Shape (snapshots,), more than 0. NaN when there is no event with a code.
    """
    _check_events(asof, codes, np.int32)
    out = _rows(asof)
    _run(_in_state, asof, codes, out=out, threads=threads)
    return out
