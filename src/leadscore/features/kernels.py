"""The compiled loops behind `asof`, which says what each computes and checks what it is given.

A kernel works on leads `first … last - 1`, each from a clean state, and fills their columns of `out`: one row per
feature, one column per snapshot, so that each feature lies in one piece. Per lead, `head` is the first event that is
not yet visible and a `tail` the first that is inside a window; both only move forward. What a kernel remembers is
settled by the visible events alone, never by where the snapshots lie: then a row is the same, to the last bit,
whoever else is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

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

LAST, FIRST = range(2)
SUM, MEAN, PEAK = range(3)
FEW = 32
"""Up to so many codes it is cheaper to look at each code at each snapshot than to follow the windows' tails."""

_LARGEST = float(np.finfo(np.float32).max)
_NEVER = np.iinfo(np.int64).min
_BLOCK = 128  # snapshots gathered before they are written, since a feature's memory lies far from the next one's
_CHUNK = 256  # events whose decay is computed at once


class Flat(NamedTuple):
    """The arrays of an `Asof`."""

    time: Moments
    seen: Moments
    indptr: Ints
    as_of: Moments
    ptr: Ints


def kernel(function: _F) -> _F:
    """Compile at the first call and keep the machine code; where no folder may be written, just compile."""
    try:
        return cast("_F", njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # numba found neither __pycache__ nor a user's cache folder it may write
        return cast("_F", njit(nogil=True, error_model="numpy")(function))


def kernel_part(function: _F) -> _F:
    """Compile into the kernels that call it, and keep it with them only."""
    return cast("_F", njit(error_model="numpy")(function))


def call(kernel: Callable[..., Any], *arguments: Any) -> Any:
    """Call a kernel; a full disk hinders only the keeping of its machine code."""
    try:
        return kernel(*arguments)
    except OSError:  # a kernel touches no file: it is compiled by now, and could not be kept
        return kernel(*arguments)


def frozen(argument: Any) -> Any:
    """Make a read-only view of an array, so that one version is compiled whether or not it may be written."""
    if not isinstance(argument, np.ndarray):
        return argument
    view = argument.view()
    view.flags.writeable = False
    return view


# ---- parts -------------------------------------------------------------------------------------------------


@kernel
def ascends(values: npt.NDArray[Any], offsets: Ints) -> bool:
    """Say whether values never fall between two offsets."""
    for lead in range(offsets.size - 1):
        for at in range(offsets[lead] + 1, offsets[lead + 1]):
            if values[at] < values[at - 1]:
                return False
    return True


@kernel_part
def _known(value: float) -> bool:
    return abs(value) <= _LARGEST  # false for NaN


@kernel_part
def _single(value: float) -> float:
    """Keep sums of float32's largest numbers finite; NaN stays."""
    if value > _LARGEST:
        return _LARGEST
    if value < -_LARGEST:
        return -_LARGEST
    return value


@kernel_part
def _block_ends(row: int, end: int) -> bool:
    return row + 1 == end or row & (_BLOCK - 1) == _BLOCK - 1


@kernel_part
def _flush(block: Result, row: int, begin: int, out: Result) -> None:
    """Write a block, whose last row this is, one feature after the other."""
    base = row & ~(_BLOCK - 1)
    low = max(begin, base)
    for column in range(out.shape[0]):
        _copy(block[column, low - base :], out[column, low : row + 1])


@kernel_part
def _copy(source: Result, target: Result) -> None:
    for at in range(target.size):  # on its own, it becomes vector instructions
        target[at] = source[at]


@kernel_part
def _most_events(first: int, last: int, indptr: Ints) -> int:
    most = 0
    for lead in range(first, last):
        most = max(most, indptr[lead + 1] - indptr[lead])
    return most


_SHIFT = 1.5 * 2.0**52  # added to a small number, it rounds to whole ones, which then stand in the lowest bits
_SHIFT_BITS = int(np.float64(_SHIFT).view(np.int64)) + 1023
_TERMS = tuple((-math.log(2)) ** k / math.factorial(k) for k in range(13))
_T0, _T1, _T2, _T3, _T4, _T5, _T6, _T7, _T8, _T9, _T10, _T11, _T12 = _TERMS


@kernel_part
def _left(half_lives: float) -> float:
    """2**-half_lives for half_lives >= 0, as a power of two times Taylor's series, good to 4e-16 and 2**-1022 at least.

    A quarter of the time of `np.exp2`: without branches or calls, loops over it become vector instructions.
    """
    bounded = min(half_lives, 1022.0)
    shifted = bounded + _SHIFT
    x = bounded - (shifted - _SHIFT)
    power = np.int64((_SHIFT_BITS - np.float64(shifted).view(np.int64)) << 52).view(np.float64)
    high = _T8 + x * (_T9 + x * (_T10 + x * (_T11 + x * _T12)))
    series: float = _T0 + x * (_T1 + x * (_T2 + x * (_T3 + x * (_T4 + x * (_T5 + x * (_T6 + x * (_T7 + x * high)))))))
    return series * power


# ---- windows -----------------------------------------------------------------------------------------------


@kernel
def count(first: int, last: int, flat: Flat, codes: Codes, n_codes: int, windows: Ints, out: Result) -> None:
    """Per code, what came less what has left each window."""
    time, seen, indptr, as_of, ptr = flat
    came = np.zeros(n_codes, np.int64)
    gone = np.zeros((windows.size, n_codes), np.int64)
    tails = np.zeros(windows.size, np.int64)
    block = np.empty((out.shape[0], _BLOCK), np.float32)
    for lead in range(first, last):
        came[:] = 0
        gone[:] = 0
        head = indptr[lead]
        tails[:] = head
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if codes[head] >= 0:
                    came[codes[head]] += 1
                head += 1
            for k in range(windows.size):
                before = as_of[row] - windows[k]
                tail = tails[k]
                while tail < head and time[tail] < before:
                    if codes[tail] >= 0:
                        gone[k, codes[tail]] += 1
                    tail += 1
                tails[k] = tail
                for code in range(n_codes):
                    block[code * windows.size + k, row & (_BLOCK - 1)] = came[code] - gone[k, code]
            if _block_ends(row, ptr[last]):
                _flush(block, row, ptr[first], out)


@kernel_part
def _add(total: float, lost: float, value: float) -> tuple[float, float]:
    """Add `value`; `lost` gathers the low bits that `total` cannot hold (Ogita, Rump & Oishi 2005, Sum2)."""
    new = total + value
    part = new - total
    return new, lost + ((total - (new - part)) + (value - part))


@kernel
def total(  # noqa: C901 - a call from the innermost loop costs more than it explains
    first: int,
    last: int,
    flat: Flat,
    values: Values,
    codes: Codes,
    n_codes: int,
    windows: Ints,
    mean: bool,
    out: Result,
) -> None:
    """Per code, the compensated sum so far less that at the window's tail: the same one when nothing is inside."""
    time, seen, indptr, as_of, ptr = flat
    most = _most_events(first, last, indptr)
    # The sums of its code just after each event, so that a tail looks up what it passes instead of adding it again.
    sums_at, lost_at, held_at = np.empty(most), np.empty(most), np.empty(most, np.int64)
    sums, lost, held = np.zeros(max(n_codes, 1)), np.zeros(max(n_codes, 1)), np.zeros(max(n_codes, 1), np.int64)
    shape = (windows.size, n_codes)
    old_sums, old_lost, old_held = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64)
    tails = np.zeros(windows.size, np.int64)
    block = np.empty((out.shape[0], _BLOCK), np.float32)
    for lead in range(first, last):
        sums[:] = lost[:] = 0.0
        held[:] = 0
        old_sums[:] = old_lost[:] = 0.0
        old_held[:] = 0
        start = head = indptr[lead]
        tails[:] = start
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                code = max(codes[head], 0)
                if codes[head] >= 0 and _known(values[head]):
                    sums[code], lost[code] = _add(sums[code], lost[code], values[head])
                    held[code] += 1
                sums_at[head - start], lost_at[head - start], held_at[head - start] = sums[code], lost[code], held[code]
                head += 1
            for k in range(windows.size):
                came_before = tails[k]
                tails[k] = _first_inside(tails[k], head, time, as_of[row] - windows[k])
                # Of a single code, the last event passed says all.
                for event in range(max(came_before, tails[k] - 1) if n_codes == 1 else came_before, tails[k]):
                    if codes[event] >= 0 or n_codes == 1:
                        code, at = max(codes[event], 0), event - start
                        old_sums[k, code], old_lost[k, code], old_held[k, code] = sums_at[at], lost_at[at], held_at[at]
                for code in range(n_codes):
                    found = (sums[code] - old_sums[k, code]) + (lost[code] - old_lost[k, code])
                    inside = held[code] - old_held[k, code]
                    if mean:
                        found = found / inside if inside > 0 else np.nan
                    block[code * windows.size + k, row & (_BLOCK - 1)] = _single(found)
            if _block_ends(row, ptr[last]):
                _flush(block, row, ptr[first], out)


@kernel_part
def _first_inside(tail: int, head: int, time: Moments, before: int) -> int:
    while tail < head and time[tail] < before:
        tail += 1
    return tail


@kernel
def extreme(
    first: int,
    last: int,
    flat: Flat,
    values: Values,
    codes: Codes,
    n_codes: int,
    windows: Ints,
    sign: float,
    out: Result,
) -> None:
    """Per code, a chain of events whose values fall from the oldest to the newest; each window has its place in it."""
    time, seen, indptr, as_of, ptr = flat
    most = _most_events(first, last, indptr)
    older, newer = np.empty(most, np.int64), np.empty(most, np.int64)
    newest = np.empty(n_codes, np.int64)
    fronts = np.empty((n_codes, windows.size), np.int64)
    block = np.empty((out.shape[0], _BLOCK), np.float32)
    for lead in range(first, last):
        newest[:] = -1
        fronts[:] = -1
        start = head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if codes[head] >= 0 and _known(values[head]):
                    _chain(head - start, values[start:], sign, older, newer, newest, fronts[codes[head]], codes[head])
                head += 1
            for code in range(n_codes):
                for k in range(windows.size):
                    front = fronts[code, k]
                    while front >= 0 and time[start + front] < as_of[row] - windows[k]:
                        front = newer[front] if front != newest[code] else -1
                    fronts[code, k] = front
                    found = values[start + front] if front >= 0 else np.nan
                    block[code * windows.size + k, row & (_BLOCK - 1)] = found
            if _block_ends(row, ptr[last]):
                _flush(block, row, ptr[first], out)


@kernel_part
def _chain(
    event: int, values: Values, sign: float, older: Ints, newer: Ints, newest: Ints, fronts: Ints, code: int
) -> None:
    """Hang an event to the end of its code's chain, after taking off those it surpasses."""
    end = newest[code]
    while end >= 0 and sign * values[end] <= sign * values[event]:
        end = older[end]
    older[event] = end
    if end >= 0:
        newer[end] = event
    newest[code] = event
    for k in range(fronts.size):
        if fronts[k] < 0 or fronts[k] > end:  # the window was empty, or began with one that is surpassed
            fronts[k] = event


@kernel
def distinct_few(first: int, last: int, flat: Flat, codes: Codes, n_codes: int, windows: Ints, out: Result) -> None:
    """A code is in a window when its newest event is."""
    _, seen, indptr, as_of, ptr = flat
    time = flat.time
    newest = np.empty(n_codes, np.int64)
    for lead in range(first, last):
        newest[:] = _NEVER
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if codes[head] >= 0:
                    newest[codes[head]] = time[head]
                head += 1
            for k in range(windows.size):
                different = 0
                for code in range(n_codes):
                    different += newest[code] >= as_of[row] - windows[k]
                out[k, row] = different


@kernel
def distinct_many(first: int, last: int, flat: Flat, codes: Codes, n_codes: int, windows: Ints, out: Result) -> None:
    """As many codes are in a window as events that are the newest of their code."""
    time, seen, indptr, as_of, ptr = flat
    newest = np.full(n_codes, -1, np.int64)
    different = np.zeros(windows.size, np.int64)
    tails = np.zeros(windows.size, np.int64)
    for lead in range(first, last):
        different[:] = 0
        start = head = indptr[lead]
        tails[:] = start
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if codes[head] >= 0:
                    for k in range(windows.size):
                        different[k] += newest[codes[head]] < tails[k]
                    newest[codes[head]] = head
                head += 1
            for k in range(windows.size):
                while tails[k] < head and time[tails[k]] < as_of[row] - windows[k]:
                    different[k] -= codes[tails[k]] >= 0 and newest[codes[tails[k]]] == tails[k]
                    tails[k] += 1
                out[k, row] = different[k]
        for event in range(start, head):  # there may be a million codes: clear only those in use
            if codes[event] >= 0:
                newest[codes[event]] = -1


# ---- decay -------------------------------------------------------------------------------------------------


@kernel
def decayed(  # noqa: C901, PLR0912 - a call from the innermost loop costs more than it explains
    first: int,
    last: int,
    flat: Flat,
    weights: Values,
    codes: Codes,
    n_codes: int,
    half_lives: Ints,
    rule: int,
    out: Result,
) -> None:
    """Per code and half-life, the sum at the code's newest event; beside it the weight of a mean, or the peak."""
    time, seen, indptr, as_of, ptr = flat
    n = half_lives.size
    rates = 1.0 / half_lives
    sums, beside = np.zeros((n_codes, n)), np.zeros((n_codes, n))
    since, ahead = np.zeros(n_codes, np.int64), np.zeros(n_codes, np.int64)
    elapsed, lefts = np.empty(_CHUNK), np.empty((n, _CHUNK))
    kept, ages = np.zeros((out.shape[0], _BLOCK)), np.zeros((out.shape[0], _BLOCK))
    for lead in range(first, last):
        sums[:] = beside[:] = 0.0
        since[:] = ahead[:] = _NEVER
        base = ready = head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if head == ready:
                    base, ready = head, min(head + _CHUNK, indptr[lead + 1])
                    _elapsed(time[base:ready], weights[base:ready], codes[base:ready], ahead, elapsed)
                    for h in range(n):
                        _lefts(elapsed[: ready - base], rates[h], lefts[h])
                code, weight = codes[head], weights[head]
                if code >= 0 and _known(weight):
                    new = since[code] == _NEVER
                    for h in range(n):
                        left = lefts[h, head - base]
                        now = sums[code, h] * left + weight
                        sums[code, h] = now
                        if rule == MEAN:
                            beside[code, h] = beside[code, h] * left + 1.0
                        elif rule == PEAK and (new or now > beside[code, h]):
                            beside[code, h] = now
                    since[code] = time[head]
                head += 1
            for code in range(n_codes):
                age = as_of[row] - since[code] if rule == SUM and since[code] != _NEVER else 0
                for h in range(n):
                    at = (code * n + h, row & (_BLOCK - 1))
                    ages[at] = age * rates[h]
                    if rule == MEAN:
                        kept[at] = sums[code, h] / beside[code, h]  # nothing by nothing is NaN
                    else:
                        kept[at] = sums[code, h] if rule == SUM else beside[code, h]
            if _block_ends(row, ptr[last]):
                _flush_decayed(kept, ages, row, ptr[first], out)


@kernel_part
def _elapsed(time: Moments, weights: Values, codes: Codes, ahead: Ints, elapsed: Values) -> None:
    """Since the code's event before, 0 if none; `ahead`, the newest event per code, may not be visible yet."""
    for event in range(time.size):
        code = codes[event]
        elapsed[event] = 0.0
        if code >= 0 and _known(weights[event]):
            if ahead[code] != _NEVER:
                elapsed[event] = time[event] - ahead[code]
            ahead[code] = time[event]


@kernel_part
def _lefts(elapsed: Values, rate: float, lefts: Values) -> None:
    for event in range(elapsed.size):
        lefts[event] = _left(elapsed[event] * rate)


@kernel_part
def _flush_decayed(kept: Values, ages: Values, row: int, begin: int, out: Result) -> None:
    """Let what is kept decay until as_of, and write it as `_flush` does."""
    base = row & ~(_BLOCK - 1)
    low = max(begin, base)
    for column in range(out.shape[0]):
        _decay(kept[column, low - base :], ages[column, low - base :], out[column, low : row + 1])


@kernel_part
def _decay(kept: Values, ages: Values, target: Result) -> None:
    for at in range(target.size):
        target[at] = _single(kept[at] * _left(ages[at]))


@kernel
def unanswered(first: int, last: int, flat: Flat, a: Mask, b: Mask, within: int, half_lives: Ints, out: Result) -> None:
    """Keep the open sum and, apart, that of the A's too old for an answer: both only decay and grow.

    A B closes all before it: the open sum becomes the settled one and the A's of this very microsecond.
    """
    time, seen, indptr, as_of, ptr = flat
    for lead in range(first, last):
        for h in range(half_lives.size):
            rate = 1.0 / half_lives[h]
            whole = settled = 0.0
            since = settled_since = alike = 0
            closed = head = indptr[lead]
            for row in range(ptr[lead], ptr[lead + 1]):
                while head < indptr[lead + 1] and seen[head] < as_of[row]:
                    if head == indptr[lead] or time[head] != time[head - 1]:
                        alike = 0
                    if b[head]:
                        while time[closed] < time[head]:
                            if a[closed] and time[head] - time[closed] > within:
                                settled = _decayed(settled, time[closed] - settled_since, rate) + 1.0
                                settled_since = time[closed]
                            closed += 1
                        whole = _decayed(settled, time[head] - settled_since, rate) + alike
                        since = time[head]
                    if a[head]:
                        whole = _decayed(whole, time[head] - since, rate) + 1.0
                        since = time[head]
                        alike += 1
                    head += 1
                out[h, row] = _decayed(whole, as_of[row] - since, rate)


@kernel_part
def _decayed(value: float, elapsed: int, rate: float) -> float:
    return value * _left(elapsed * rate) if value > 0.0 else 0.0  # before the first event there is no elapsed time


# ---- the newest and the first ------------------------------------------------------------------------------


@kernel
def age(first: int, last: int, flat: Flat, codes: Codes, n_codes: int, rule: int, out: Result) -> None:
    """Keep the time of one event per code."""
    time, seen, indptr, as_of, ptr = flat
    kept = np.empty(n_codes, np.int64)
    block = np.empty((out.shape[0], _BLOCK), np.float32)
    for lead in range(first, last):
        kept[:] = _NEVER
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if codes[head] >= 0 and (rule == LAST or kept[codes[head]] == _NEVER):
                    kept[codes[head]] = time[head]
                head += 1
            for code in range(n_codes):
                found = (as_of[row] - kept[code]) / DAY if kept[code] != _NEVER else np.nan
                block[code, row & (_BLOCK - 1)] = found
            if _block_ends(row, ptr[last]):
                _flush(block, row, ptr[first], out)


@kernel
def carry(
    first: int, last: int, flat: Flat, values: Values, codes: Codes, n_codes: int, rule: int, out: Result
) -> None:
    """Keep one value per code."""
    _, seen, indptr, as_of, ptr = flat
    kept = np.zeros(n_codes)
    block = np.empty((out.shape[0], _BLOCK), np.float32)
    for lead in range(first, last):
        kept[:] = np.nan
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                code = codes[head]
                if code >= 0 and _known(values[head]) and (rule == LAST or math.isnan(kept[code])):
                    kept[code] = values[head]
                head += 1
            for code in range(n_codes):
                block[code, row & (_BLOCK - 1)] = kept[code]
            if _block_ends(row, ptr[last]):
                _flush(block, row, ptr[first], out)


@kernel
def last_code(first: int, last: int, flat: Flat, codes: Codes, out: Codes) -> None:
    """Keep the newest codes in a ring."""
    _, seen, indptr, as_of, ptr = flat
    n = out.shape[0]
    ring = np.zeros(n, np.int32)
    for lead in range(first, last):
        came = 0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if codes[head] >= 0:
                    ring[came % n] = codes[head]
                    came += 1
                head += 1
            for back in range(n):
                out[back, row] = ring[(came - 1 - back) % n] if back < came else -1


@kernel
def nth_last(first: int, last: int, flat: Flat, mask: Mask, out: Result) -> None:
    """Keep the newest times in a ring."""
    time, seen, indptr, as_of, ptr = flat
    n = out.shape[0]
    ring = np.zeros(n, np.int64)
    for lead in range(first, last):
        came = 0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if mask[head]:
                    ring[came % n] = time[head]
                    came += 1
                head += 1
            for back in range(n):
                out[back, row] = (as_of[row] - ring[(came - 1 - back) % n]) / DAY if back < came else np.nan


# ---- rhythm ------------------------------------------------------------------------------------------------


@kernel
def gaps(first: int, last: int, flat: Flat, mask: Mask, out: Result) -> None:
    """Keep the moments of the gaps."""
    time, seen, indptr, as_of, ptr = flat
    for lead in range(first, last):
        came = start = newest = origin = longest = 0
        mean = squares = 0.0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if mask[head]:
                    gap = time[head] - newest
                    if came == 0:
                        start = time[head]
                    elif came == 1:
                        origin = longest = gap
                    else:  # Welford 1962, counted from the first gap, so that microseconds between years still show
                        away = (gap - origin) - mean
                        mean += away / came
                        squares += away * ((gap - origin) - mean)
                        longest = max(longest, gap)
                    newest = time[head]
                    came += 1
                head += 1
            _write_gaps(out[:, row], came, newest - start, squares, longest, as_of[row] - newest)


@kernel_part
def _write_gaps(row: Result, came: int, spanned: int, squares: float, longest: int, current: int) -> None:
    n = max(came - 1, 0)
    row[0] = n
    row[1:] = np.nan
    if n >= 1:
        row[1] = spanned / n / DAY
        row[3] = longest / DAY
    if n > 1 and spanned > 0:
        row[2] = math.sqrt(squares / n) / (spanned / n)
    if came >= 1:
        row[4] = current / DAY


@kernel
def days(first: int, last: int, flat: Flat, mask: Mask, day: Codes, share: bool, out: Result) -> None:
    """Count today's events, and keep the greatest such count."""
    _, seen, indptr, as_of, ptr = flat
    for lead in range(first, last):
        came = active = today = busiest = newest = 0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if mask[head]:
                    if came == 0 or day[head] != newest:
                        active += 1
                        today = 0
                    newest = day[head]
                    today += 1
                    came += 1
                    busiest = max(busiest, today)
                head += 1
            if not share:
                out[0, row] = active
            else:
                out[0, row] = busiest / came if came > 0 else np.nan


# ---- states and depth --------------------------------------------------------------------------------------


@kernel
def in_state(first: int, last: int, flat: Flat, codes: Codes, out: Result) -> None:
    """Keep when the present state began."""
    time, seen, indptr, as_of, ptr = flat
    for lead in range(first, last):
        state = -1
        since = 0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if codes[head] >= 0 and codes[head] != state:
                    state = codes[head]
                    since = time[head]
                head += 1
            out[0, row] = (as_of[row] - since) / DAY if state >= 0 else np.nan


@kernel
def dwell(first: int, last: int, flat: Flat, codes: Codes, n_codes: int, out: Result) -> None:
    """Keep the microseconds spent in each state that was left, exact as whole numbers."""
    time, seen, indptr, as_of, ptr = flat
    spent = np.zeros(n_codes, np.int64)
    block = np.empty((out.shape[0], _BLOCK), np.float32)
    for lead in range(first, last):
        spent[:] = 0
        state = -1
        since = 0
        head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if codes[head] >= 0 and codes[head] != state:
                    if state >= 0:
                        spent[state] += time[head] - since
                    state = codes[head]
                    since = time[head]
                head += 1
            for code in range(n_codes):
                now = as_of[row] - since if code == state else 0
                block[code, row & (_BLOCK - 1)] = (spent[code] + now) / DAY
            if _block_ends(row, ptr[last]):
                _flush(block, row, ptr[first], out)


@kernel
def depth(first: int, last: int, flat: Flat, layers: Codes, lags: Ints, ordered: bool, out: Result) -> None:
    """Follow the depth once per lag."""
    time, seen, indptr, as_of, ptr = flat
    for lead in range(first, last):
        for k in range(lags.size):
            deep = 0
            head = indptr[lead]
            for row in range(ptr[lead], ptr[lead + 1]):
                before = as_of[row] - lags[k]
                while head < indptr[lead + 1] and seen[head] < as_of[row] and time[head] < before:
                    if layers[head] == deep + 1 or (layers[head] > deep and not ordered):
                        deep = layers[head]
                    head += 1
                out[k, row] = deep


@kernel
def pair_codes(
    first: int, last: int, flat: Flat, codes: Codes, place: Codes, table: npt.NDArray[np.int32], out: Codes
) -> None:
    """Say of each event which pair it ends; `place` numbers the codes that occur in pairs, `table` the pairs."""
    indptr = flat.indptr
    for lead in range(first, last):
        before = -1
        for event in range(indptr[lead], indptr[lead + 1]):
            out[0, event] = -1
            if codes[event] >= 0:
                here = place[codes[event]] if codes[event] < place.size else -1
                if before >= 0 and here >= 0:
                    out[0, event] = table[before, here]
                before = here


# ---- one thing after another -------------------------------------------------------------------------------


@kernel
def followed(first: int, last: int, flat: Flat, a: Mask, b: Mask, within: int, out: Result) -> None:
    """At each B, close the A's before it: this B is the first after each of them that no earlier B closed."""
    time, seen, indptr, as_of, ptr = flat
    for lead in range(first, last):
        asks = answered = answers = lag = closed_asks = answered_asks = 0
        newest = older = _NEVER  # the time of the newest A, and of the newest before that microsecond
        closed = head = indptr[lead]
        for row in range(ptr[lead], ptr[lead + 1]):
            while head < indptr[lead + 1] and seen[head] < as_of[row]:
                if a[head]:
                    asks += 1
                    if time[head] != newest:
                        older, newest = newest, time[head]
                if b[head]:
                    before = newest if newest < time[head] else older
                    answers += before != _NEVER and time[head] - before <= within
                    while time[closed] < time[head]:
                        closed_asks += a[closed]
                        if a[closed] and time[head] - time[closed] <= within:
                            answered += 1
                            lag += time[head] - time[closed]
                            answered_asks = closed_asks
                        closed += 1
                head += 1
            out[0, row] = asks
            out[1, row] = answered
            out[2, row] = answers
            out[3, row] = lag / answered / DAY if answered > 0 else np.nan
            out[4, row] = asks - answered_asks


@kernel
def uptake(
    first: int, last: int, flat: Flat, a: Mask, b: Mask, within: int, shifts: Ints, farthest: int, out: Result
) -> None:
    """Follow the A's and the first B after each of them; then the same for each shift of the A's."""
    indptr, ptr = flat.indptr, flat.ptr
    for lead in range(first, last):
        for row in range(ptr[lead], ptr[lead + 1]):
            out[:, row] = 0.0
        if indptr[lead] == indptr[lead + 1]:
            continue
        from_then_on = flat.time[indptr[lead]] + farthest
        for k in range(shifts.size):
            _follow(lead, flat, a, b, within, shifts[k], from_then_on, min(k, 1), out)
        for row in range(ptr[lead], ptr[lead + 1]):
            out[2, row] /= shifts.size - 1


@kernel_part
def _follow(
    lead: int, flat: Flat, a: Mask, b: Mask, within: int, shift: int, from_then_on: int, column: int, out: Result
) -> None:
    time, seen, indptr, as_of, ptr = flat
    asks = hits = 0
    closed = done = answer = head = indptr[lead]
    for row in range(ptr[lead], ptr[lead + 1]):
        while head < indptr[lead + 1] and seen[head] < as_of[row]:
            head += 1
        while closed < head and time[closed] < as_of[row] - within:
            asks += a[closed] and time[closed] >= from_then_on
            closed += 1
        # The first B after an A never lies before that of an earlier A: one B not yet seen, and the rest can wait.
        while done < closed:
            while answer < head and not (b[answer] and time[answer] > time[done] - shift):
                answer += 1
            if answer == head:
                break
            in_time = time[answer] <= time[done] - shift + within
            hits += a[done] and time[done] >= from_then_on and in_time
            done += 1
        if column == 0:
            out[0, row] = asks
        out[1 + column, row] += hits
