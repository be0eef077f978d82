"""From a source's own columns to canonical ones: SQL made from the mapping, with nothing guessed.

Text is trimmed, and empty text is missing. A naive moment is local time in the project's zone; numbers are plain
decimals with a point.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from leadscore.config import Source
from leadscore.contract.tables import Column, Table
from leadscore.errors import DataError
from leadscore.store.lake import quoted
from leadscore.timeline import to_microseconds

# What people do not see at the ends of a cell: spaces, tabs, line ends, no-break spaces, a byte order mark.
WHITE = " \t\r\n\v\f\u00a0\u2007\u202f\ufeff"


def trimmed(expression: str) -> str:
    """Give SQL for a text without white space around it; NULL when nothing is left."""
    # Trimming by a set of signs is half the cost of reading a file, so text with plain ends is spared it.
    ends = f"ascii({expression}) between 33 and 126 and ascii(right({expression}, 1)) between 33 and 126"
    return f"case when {ends} then {expression} else nullif(trim({expression}, {quoted(WHITE)}), '') end"


def mapping_digest(source: Source, time_zone: str) -> str:
    """Name everything that decides what becomes of a file's rows, except its bytes."""
    settings = source.model_dump(mode="json", exclude={"files"}) | {"time_zone": time_zone}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def columns_used(source: Source, table: Table, present: Iterable[str]) -> tuple[str, ...]:
    """List the file's columns a source draws on, each once."""
    mapped = [name for names in source.columns.values() for name in names]
    return tuple(dict.fromkeys([*mapped, *source.exclude, *attribute_columns(source, table, present)]))


def attribute_columns(source: Source, table: Table, present: Iterable[str]) -> tuple[str, ...]:
    """List the file's columns that become attributes, sorted; none where the table has no attributes."""
    if source.attributes == "none" or "attributes" not in {column.name for column in table.columns}:
        return ()
    if source.attributes == "all":
        taken = {name for names in source.columns.values() for name in names} | set(source.exclude)
        return tuple(sorted({name for name in present if name} - taken))
    return tuple(sorted(set(source.attributes)))


def refuse_missing(needed: Iterable[str], present: tuple[str, ...], name: str) -> None:
    """Stop when a file lacks a mapped column, or has it twice.

    Raises:
        DataError: names the file, the columns and the nearest ones present.
    """
    problems = []
    for column in needed:
        if column not in present:
            near = difflib.get_close_matches(column, present, n=1, cutoff=0.5)
            problems.append(f"no column {column!r}" + (f" (nearest: {near[0]!r})" if near else ""))
        elif present.count(column) > 1:
            problems.append(f"column {column!r} stands {present.count(column)} times in the header")
    if problems:
        shown = ", ".join(repr(column) for column in present[:20]) or "none"
        raise DataError(
            f"{name}: {'; '.join(problems)}; the file has {shown}.",
            "Change `columns` of that source in the configuration, or ask for the file again.",
        )


def text_of(column: Column, source: Source, at: dict[str, str]) -> str:
    """Give SQL for a canonical column's text; `at` says which SQL column holds which of the file's columns."""
    if column.name in source.constants:
        return trimmed(f"{quoted(source.constants[column.name])}::varchar")
    names = source.columns.get(column.name, ())
    if not names:
        return "null::varchar"
    if len(names) == 1:
        return at[names[0]]
    return f"nullif(concat_ws(':', {', '.join(at[name] for name in names)}), '')"


def attributes_of(columns: tuple[str, ...], at: dict[str, str]) -> str:
    """Give SQL for the JSON object of the other columns: keys sorted, without empty values, NULL without any."""
    if not columns:
        return "null::varchar"
    members = [
        f"case when {at[name]} is not null "
        f"then {quoted(json.dumps(name, ensure_ascii=False) + ':')} || to_json({at[name]})::varchar end"
        for name in columns
    ]
    return f"'{{' || nullif(concat_ws(',', {', '.join(members)}), '') || '}}'"


def excluded_by(source: Source, at: dict[str, str]) -> str:
    """Give SQL that is true for the rows a source leaves out."""
    tests = [
        f"coalesce({at[name]}, '') in ({', '.join(quoted(value) for value in values)})"
        for name, values in source.exclude.items()
    ]
    return " or ".join(tests) or "false"


_SHAPE = r"\d{4}-\d\d-\d\d([Tt ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d+)?)?( ?([Zz]|[+-]\d\d(:?\d\d)?))?)?"


def clock_reading(text: str, formats: tuple[str, ...], iso: bool) -> tuple[str, str]:
    """Give SQL for (what the clock showed in microseconds, whether it was fixed to UTC), both from a text column.

    Args:
        text: The SQL column.
        formats: strptime formats, tried in order; one that reads an offset (`%z`, `%Z`) fixes the moment.
        iso: Whether ISO 8601 is read, too.
    """
    readings = [(f"try_strptime({text}, {quoted(form)})", "%z" in form.lower()) for form in formats]
    clocks = [f"epoch_us({reading})" for reading, _ in readings]
    fixed = [f"when {reading} is not null then {str(has_offset).lower()}" for reading, has_offset in readings]
    if iso:
        # To people a lower-case z and a space before the offset are ISO 8601, too.
        close = f"replace(replace(replace(upper({text}), ' +', '+'), ' -', '-'), ' Z', 'Z')"
        cast = f"try_cast({close} as timestamptz)"
        shaped = f"regexp_full_match({text}, {quoted(_SHAPE)})"
        clocks.append(f"case when {shaped} then epoch_us({cast}) end")
        fixed.append(f"when regexp_matches(substr({text}, 11), '[Zz+-]') then true")
    return f"coalesce({', '.join(clocks)})", f"case {' '.join(fixed)} else false end"


def in_utc(clock: str, fixed: str, zone: str) -> str:
    """Give SQL for the moment in UTC of a clock reading.

    A local time that was skipped in spring moves forward; of two in autumn the first is meant. As a tree of comparisons
    over the zone's changes it is exact, needs no time zone data in the engine, and costs as little as a cast.
    """
    limits, offsets = local_offsets(zone)

    def branch(low: int, high: int) -> str:
        if low == high:
            return str(offsets[low])
        middle = (low + high) // 2
        return f"case when {clock} < {limits[middle]} then {branch(low, middle)} else {branch(middle + 1, high)} end"

    if offsets == (0,):
        return clock
    return f"case when {fixed} then {clock} else {clock} - ({branch(0, len(limits))}) end"


@lru_cache(maxsize=8)
def local_offsets(zone: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """List when a zone's offset to UTC changes, on its own clock, and the offsets, all in microseconds.

    A local time before `limits[k]`, and not before `limits[k - 1]`, has the offset `offsets[k]`. A change at T from
    offset a to b takes effect at local time T + max(a, b): that ends both the skipped and the repeated hour.
    """
    place = ZoneInfo(zone)
    moment, end, step = datetime(1969, 12, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC), timedelta(days=1)
    limits, offsets = [], [_offset(moment, place)]
    while moment < end:
        after = _offset(moment + step, place)
        if after != offsets[-1]:
            change = _first_with(moment, moment + step, offsets[-1], place)
            limits.append(to_microseconds(change) + max(offsets[-1], after))
            offsets.append(after)
        moment += step
    return tuple(limits), tuple(offsets)


def _offset(moment: datetime, place: ZoneInfo) -> int:
    offset = moment.astimezone(place).utcoffset()
    assert offset is not None, "a zone always has an offset"
    return offset // timedelta(microseconds=1)


def _first_with(low: datetime, high: datetime, before: int, place: ZoneInfo) -> datetime:
    """Halve until the second is found at which the offset is no longer what it was before."""
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) // 2).replace(microsecond=0)
        if _offset(middle, place) == before:
            low = middle
        else:
            high = middle
    return high


_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_AFTER_AT = r"""[^\s@]@([^\s@<>()"',;:?/&]+\.[^\s@<>()"',;:?/&.]+)"""
_WORDS = {
    "direction": {"inbound": "inbound", "in": "inbound", "outbound": "outbound", "out": "outbound"},
    "status": {"objection": "objection", "consent": "consent"},
}


@cache
def free_mail() -> tuple[str, ...]:
    """List the domains where anybody may have a mail address, so that sharing one makes nobody colleagues."""
    lines = resources.files("leadscore.ingest").joinpath("free_mail.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def typed(column: Column, text: str) -> str:
    """Give SQL that turns a text into the column's type, NULL when it is not of it; moments are read elsewhere."""
    match column.type:
        case "number":
            number = f"try_cast({text} as double)"
            # Adding zero turns -0.0 into 0.0, so that equal numbers are equal rows.
            return (
                f"case when regexp_full_match({text}, {quoted(_NUMBER)}) and isfinite({number}) then {number} + 0.0 end"
            )
        case "integer":
            # A column of integers with gaps is often exported as 2.0.
            whole = rf"regexp_full_match({text}, '[+-]?\d+(\.0*)?')"
            return f"case when {whole} then try_cast(split_part({text}, '.', 1) as bigint) end"
        case "account":
            # Whatever stands around it, no address gets in: its domain does, unless everybody may have one there.
            domain = f"nullif(regexp_extract(lower({text}), {quoted(_AFTER_AT)}, 1), '')"
            named = f"case when contains({text}, '@') then coalesce({domain}, {text}) else {text} end"
            return f"case when lower({named}) not in ({', '.join(map(quoted, free_mail()))}) then {named} end"
        case "direction" | "status":
            words = " ".join(f"when '{word}' then '{meaning}'" for word, meaning in _WORDS[column.type].items())
            return f"case lower({text}) {words} end"
        case _:
            return text


def identity(columns: Iterable[Column | str]) -> str:
    """Give SQL for the digest of a row's content: equal content, equal digest, wherever the row came from.

    Names and lengths stand before the values, so no two contents can run together.
    """
    parts = []
    for column in columns:
        name = column if isinstance(column, str) else column.name
        value = f"{name}::varchar"
        parts.append(f"case when {name} is not null then '{name}=' || strlen({value}) || ':' || {value} || ';' end")
    return f"unhex(md5(concat({', '.join(parts)})))"


def bucket_of(key: str, buckets: int) -> str:
    """Give SQL for the bucket of an account or lead: the first 60 bits of its MD5, modulo the number of buckets."""
    return f"(('0x' || left(md5({key}), 15))::bigint % {buckets})::integer"
