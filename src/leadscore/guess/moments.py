"""How moments are written in a column, and in which time zone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import duckdb

_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?)? ?(Z|[+-]\d{2}(:?\d{2})?)?$"
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", "T%H:%M:%S", " %Hh%M")
_DAY_FIRST = tuple(f"%d{sep}%m{sep}{year}" for sep, year in product("/.-", ("%Y", "%y")))
_MONTH_FIRST = tuple(f"%m{sep}%d{sep}{year}" for sep, year in product("/.-", ("%Y", "%y")))
_NAMED = ("%Y/%m/%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
# Where a source also has other formats, ISO 8601 is read by its formats only.
ISO_FORMATS = tuple(
    f"%Y-%m-%d{time}{offset}"
    for time, offset in [("", ""), *product(("T%H:%M:%S", "T%H:%M:%S.%f", " %H:%M:%S", " %H:%M"), ("", "%z"))]
)
_FORMATS = tuple(
    [f"{date}{time}" for date in (*_DAY_FIRST, *_MONTH_FIRST, *_NAMED) for time in _TIMES]
    + [f"%Y-%m-%d{time} UTC" for time in (" %H:%M:%S", " %H:%M:%S.%f", " %H:%M")]
    + [*ISO_FORMATS]
)
_TRIED = 300
_MOST = 0.95
# One zone for each habit of changing clocks; a person puts the exact city.
_ZONES = (
    "Europe/Paris", "Europe/London", "Europe/Helsinki", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney",
)  # fmt: skip


@dataclass(frozen=True)
class Moments:
    """How the moments of a column are written.

    Attributes:
        formats: strptime formats; none for ISO 8601.
        share: Share of the values these read, 0 to 1.
        proof: What shows that the day comes first (or the month); empty when the question does not arise.
        doubt: What a person must decide.
    """

    formats: tuple[str, ...]
    share: float
    proof: str = ""
    doubt: str = ""

    def microseconds(self, column: str) -> str:
        """Write SQL for a column's moments in microseconds since 1970; NULL where it cannot be read."""
        if not self.formats:
            return f"epoch_us(case when regexp_matches({column}, '{_ISO}') then try_cast({column} as timestamptz) end)"
        return f"coalesce({', '.join(_parsed(column, text) for text in self.formats)})"


def _parsed(column: str, text: str) -> str:
    moment = f"try_strptime({column}, '{text}')"
    # `%Y` reads the 24 of 13/02/24 as the year 24.
    return f"case when year({moment}) between 1950 and 2100 then epoch_us({moment}) end"


def find_moments(db: duckdb.DuckDBPyConnection, table: str, column: str) -> Moments | None:
    """Find out how a column's moments are written; None when it holds no moments."""
    sample = f"(select {column} from {table} where {column} is not null limit {_TRIED})"
    if not _may_be_moments(db, sample, column):
        return None
    iso = Moments((), 0.0).microseconds(column)
    if _shares(db, sample, f"({iso}) is not null", column) >= _MOST:
        return _when_most(Moments((), _shares(db, table, f"({iso}) is not null", column)))
    plausible = tuple(text for text, n in _counts(db, sample, column, _FORMATS).items() if n)
    if not plausible:
        return None
    return _when_most(_choose(db, table, column, _counts(db, table, column, plausible)))


def _may_be_moments(db: duckdb.DuckDBPyConnection, sample: str, column: str) -> bool:
    """Sort out at a glance what cannot be moments: numbers, long texts, words without digits."""
    pattern = r"^\D{0,12}\d.*[-/.: ].*\d"
    found = db.execute(
        f"select avg((regexp_matches({column}, '{pattern}') and length({column}) <= 40)::int) from {sample}"
    ).fetchone()
    return found is not None and found[0] is not None and found[0] >= _MOST


def _counts(db: duckdb.DuckDBPyConnection, rows: str, column: str, formats: tuple[str, ...]) -> dict[str, int]:
    tests = ", ".join(f"count({_parsed(column, text)})" for text in formats)
    found = db.execute(f"select {tests} from {rows}").fetchone()
    assert found is not None
    return dict(zip(formats, found, strict=True))


def _shares(db: duckdb.DuckDBPyConnection, table: str, condition: str, column: str) -> float:
    found = db.execute(f"select avg(({condition})::int) from {table} where {column} is not null").fetchone()
    return float(found[0]) if found and found[0] is not None else 0.0


def _when_most(moments: Moments) -> Moments | None:
    return moments if moments.share >= _MOST else None


def _choose(db: duckdb.DuckDBPyConnection, table: str, column: str, counts: dict[str, int]) -> Moments:
    """Choose between day first and month first by what each can read, then add the formats that read the rest."""
    day = sum(n for text, n in counts.items() if text.startswith(_DAY_FIRST))
    month = sum(n for text, n in counts.items() if text.startswith(_MONTH_FIRST))
    refused = _MONTH_FIRST if day >= month else _DAY_FIRST
    formats: tuple[str, ...] = ()
    read = 0.0
    for text in sorted(counts, key=lambda text: -counts[text]):
        if text.startswith(refused):
            continue
        longer = _shares(db, table, f"({Moments((*formats, text), 0).microseconds(column)}) is not null", column)
        if longer > read:
            formats, read = (*formats, text), longer
    proof, doubt = _order_of_days(day, month)
    return Moments(formats, read, proof, doubt)


def _order_of_days(day: int, month: int) -> tuple[str, str]:
    if not day and not month:
        return "", ""
    if day == month:
        return "", "no day above 12 tells whether the day or the month comes first"
    first, second = ("day", "month") if day > month else ("month", "day")
    if min(day, month) and abs(day - month) < 0.01 * max(day, month):
        return "", f"nearly all fit both orders; the {first} was taken first"
    return f"some days are above 12, so the {first} comes before the {second}", ""


def guess_zone(db: duckdb.DuckDBPyConnection, columns: list[tuple[str, str, Moments]]) -> tuple[str, str, str]:
    """Guess the project's time zone from the offsets of (table, column, moments).

    Returns:
        The zone, what it rests on, and what a person must decide (either may be empty).
    """
    seen = {(table, column): _offsets(db, table, column) for table, column, _ in columns}
    local = [column for (_, column), pairs in seen.items() if not pairs]
    elsewhere = [pairs for pairs in seen.values() if any(offset for _, offset in pairs)]
    # What is written in UTC throughout says nothing about where people are, unless everything is.
    offsets = [pair for pairs in elsewhere or seen.values() for pair in pairs]
    if not offsets:
        return "UTC", "", "the moments carry no offset; which zone is their local time?"
    zone, because, doubt = _zone_of(db, columns, offsets)
    if local:
        doubt = "; ".join(filter(None, [doubt, f"is it also the local time of {', '.join(local)}, without offset?"]))
    return zone, because, doubt


def _zone_of(
    db: duckdb.DuckDBPyConnection,
    columns: list[tuple[str, str, Moments]],
    offsets: list[tuple[datetime, timedelta]],
) -> tuple[str, str, str]:
    named = {offset for _, offset in offsets}
    if named == {timedelta(0)}:
        zone = next((zone for zone in _ZONES if _midnights(db, columns, zone)), "")
        return (zone, "days begin at midnight there", "") if zone else ("UTC", "all moments are in UTC", "")
    shown = " and ".join(_show_offset(offset) for offset in sorted(named))
    zone = next((zone for zone in _ZONES if _fits(zone, offsets)), "")
    if zone:
        doubt = "" if len(named) > 1 else f"other zones share the offset {shown}"
        return zone, f"offset {shown} as clocks there had at the time", doubt
    hours, rest = divmod(min(named), timedelta(hours=1))
    if len(named) == 1 and not rest:
        return f"Etc/GMT{-hours:+d}", f"offset {shown} throughout (the sign is POSIX's)", ""
    return "UTC", "", f"the offsets {shown} fit no single zone"


def _offsets(db: duckdb.DuckDBPyConnection, table: str, column: str) -> list[tuple[datetime, timedelta]]:
    """List the different (hour, offset) a column names."""
    found = db.execute(
        f"""
        select distinct substr({column}, 1, 13), regexp_extract({column}, '(Z|[+-]\\d\\d(:?\\d\\d)?)$', 1)
        from {table}
        where regexp_matches({column}, ':\\d\\d([.,]\\d+)? ?(Z|[+-]\\d\\d(:?\\d\\d)?)$') and {column} like '____-__-__%'
            and try_cast({column} as timestamptz) is not null
        limit 50000
        """
    ).fetchall()
    pairs = []
    for hour, offset in found:
        with suppress(ValueError):  # an offset of +99:00
            moment = datetime.fromisoformat(f"{hour.replace(' ', 'T')}:00:00{offset}")
            pairs.append((moment, moment.utcoffset() or timedelta(0)))
    return pairs


def _fits(zone: str, offsets: list[tuple[datetime, timedelta]]) -> bool:
    # The hour of a change has both offsets, and one row in a thousand may be odd.
    place = ZoneInfo(zone)
    wrong = sum(moment.astimezone(place).utcoffset() != offset for moment, offset in offsets)
    return wrong <= 0.001 * len(offsets)


def _midnights(db: duckdb.DuckDBPyConnection, columns: list[tuple[str, str, Moments]], zone: str) -> bool:
    """Say whether some column's moments are all midnight in a zone, and not in UTC."""
    place = ZoneInfo(zone)
    for table, column, moments in columns:
        found = db.execute(
            f"select distinct make_timestamp({moments.microseconds(column)}) as moment "
            f"from {table} where moment is not null limit 5000"
        ).fetchall()
        local = [(row[0].replace(tzinfo=ZoneInfo("UTC"))).astimezone(place) for row in found]
        whole = sum(moment.hour == moment.minute == moment.second == 0 for moment in local)
        utc = sum(row[0].hour == row[0].minute == row[0].second == 0 for row in found)
        if found and whole == len(local) and utc < whole:
            return True
    return False


def _show_offset(offset: timedelta) -> str:
    minutes = offset // timedelta(minutes=1)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
