"""Read files as text through DuckDB, and find the line of any row again.

DuckDB reads fast, but tells of lines only where it fails, and then counts records. So a file is read in its own order:
a row is known by its number among the rows that could be cut, a malformed one by the number of its record. One pass of
Python's own readers, over files with rejected rows only, turns both into lines.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from leadscore.errors import DataError
from leadscore.ingest.normalise import WHITE
from leadscore.ingest.recognise import InputFile, Record, explained_damage, open_text, records
from leadscore.store.lake import quoted

# A quote that is never closed swallows the rest of the file, and a lost half must not count as one rejected row.
_LONGEST_RECORD = 1000
# Not allowed raw in JSON, so no JSON line is ever cut by it.
_NEVER = "\x1f"
# In a copy every row ends like this, whatever line ends stand within quotes.
_PLAIN_LINES = "new_line = '\\n',"


@dataclass
class Reading:
    """A file as DuckDB reads it, or a clean copy of it.

    Attributes:
        file: The file itself.
        copy: Clean copy that is read in its place; None when DuckDB can read the file as it is.
        malformed: Why a record could not be cut, by its number in the file, counted from 1 with header and blank lines.
    """

    file: InputFile
    copy: Path | None = None
    malformed: dict[int, str] = field(default_factory=dict)


def read(engine: duckdb.DuckDBPyConnection, file: InputFile, scratch: Path, use: Callable[[Reading], int]) -> Reading:
    """Let `use` run SQL over a file and say how many rows it got, and collect the malformed rows.

    DuckDB reads the file itself where it can. A clean copy is read in its place, by running `use` again, for other
    encodings than UTF-8, for files that mix line ends, and where DuckDB and Python disagree on what the records are.

    Raises:
        DataError: no copy could be made either.
    """
    if file.encoding == "utf-8":
        try:
            reading = Reading(file)
            rows = _use(engine, reading, use)
            if file.format != "csv" or not reading.malformed or _agree(reading, rows):
                return reading
        except duckdb.InvalidInputException:
            if file.format == "parquet":
                raise
    copied = _clean_copy(file, scratch)
    try:
        _use(engine, copied, use)
    finally:
        if copied.copy is not None:
            copied.copy.unlink(missing_ok=True)
    return copied


def _use(engine: duckdb.DuckDBPyConnection, reading: Reading, use: Callable[[Reading], int]) -> int:
    engine.execute("drop table if exists reject_errors")
    engine.execute("drop table if exists reject_scans")
    rows = use(reading)
    if reading.file.format == "parquet":
        return rows
    errors = "select line, lower(min(error_type)::varchar) from reject_errors group by line"
    found = dict(engine.execute(errors).fetchall())
    if reading.copy is None:
        reading.malformed |= found
    elif found:
        raise DataError(f"{reading.file.name}: {len(found)} rows are longer than two million bytes.")
    return rows


def _agree(reading: Reading, rows: int) -> bool:
    """Tell whether Python cuts a CSV file into the same good and malformed records; misplaced quotes divide them."""
    file, malformed, good = reading.file, set(), 0
    with explained_damage(file.name, file.encoding), open_text(file.path, file.encoding) as lines:
        for record in _rows(file, records(lines, file.delimiter)):
            if _problem(record, len(file.columns)):
                malformed.add(record.number)
            else:
                good += 1
    return good == rows and malformed == set(reading.malformed)


def _rows(file: InputFile, cut: Iterator[Record]) -> Iterator[Record]:
    """Pass over the header and over blank lines; in a file of one column a blank line is a row."""
    single = len(file.columns) == 1
    return (record for record in cut if record.number > file.header and (record.cells or record.problem or single))


def _problem(record: Record, width: int) -> str:
    """Say why a record cannot be a row; the empty text when it can."""
    if record.problem:
        return record.problem
    if len(record.cells) != max(width, 1) and (record.cells or width > 1):
        return "missing columns" if len(record.cells) < width else "too many columns"
    return "" if _is_unicode("".join(record.cells)) else "invalid encoding"


def relation(reading: Reading, needed: Collection[str]) -> tuple[str, dict[str, str]]:
    """Give SQL for the rows that could be cut, in order, and which SQL column holds which of the file's columns.

    The relation has `malformed` (a JSON line that is no object) and one text column per column needed; a JSON key that
    no row has is NULL.
    """
    file = reading.file
    if file.format == "jsonl":
        return _json_relation(reading, tuple(needed))
    at = {name: f"c{file.columns.index(name)}" for name in needed}
    if file.format == "csv":
        chosen = ", ".join(["false as malformed", *at.values()])
        return f"select {chosen} from {_csv_scan(reading)}", at
    casts = [f"{_parquet_text(file, name)} as {column}" for name, column in at.items()]
    return f"select {', '.join(['false as malformed', *casts])} from {_parquet_scan(file)}", at


def json_columns(engine: duckdb.DuckDBPyConnection, reading: Reading, limit: int | None) -> tuple[str, ...]:
    """List the keys of the first rows of a JSON lines file, sorted; of all rows without a limit."""
    some = f"limit {limit}" if limit else ""
    query = f"""
        select distinct unnest(json_keys(line)) as key
        from (select line from ({_json_objects(reading)}) where not malformed {some})
        order by key
    """
    return tuple(key for (key,) in engine.execute(query).fetchall())


def _path_of(reading: Reading) -> str:
    # DuckDB takes a bracket in a path for a pattern.
    return quoted(str(reading.copy or reading.file.path).replace("[", "[[]"))


def _csv_scan(reading: Reading) -> str:
    file, is_copy = reading.file, reading.copy is not None
    columns = ", ".join(f"c{number}: 'varchar'" for number in range(len(file.columns)))
    compressed = file.path.suffix.lower() == ".gz" and not is_copy
    return f"""read_csv({_path_of(reading)}, auto_detect = false, columns = {{{columns}}},
        header = {str(not is_copy).lower()}, skip = {0 if is_copy else file.header - 1},
        delim = {quoted("," if is_copy else file.delimiter)}, quote = '"', escape = '"', strict_mode = true,
        {_PLAIN_LINES if is_copy else ""}
        compression = '{"gzip" if compressed else "none"}', store_rejects = true)"""


def _json_objects(reading: Reading) -> str:
    is_copy = reading.copy is not None
    compressed = reading.file.path.suffix.lower() == ".gz" and not is_copy
    return f"""
        select line, case when json_valid(line) then json_type(line) <> 'OBJECT' else true end as malformed
        from read_csv({_path_of(reading)}, auto_detect = false, columns = {{line: 'varchar'}}, header = false,
            delim = {quoted(_NEVER)}, quote = '', escape = '', strict_mode = true,
            {_PLAIN_LINES if is_copy else ""}
            compression = '{"gzip" if compressed else "none"}', store_rejects = true)
        where trim(line, {quoted(WHITE)}) <> ''
    """


def _json_relation(reading: Reading, needed: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    at = {name: f"c{number}" for number, name in enumerate(needed)}
    pointers = ["/" + name.replace("~", "~0").replace("/", "~1") for name in needed]
    values = f"case when not malformed then json_extract_string(line, [{', '.join(map(quoted, pointers))}]) end"
    cells = [f"cells[{number}] as c{number - 1}" for number in range(1, len(needed) + 1)]
    chosen = ", ".join(["malformed", *cells])
    return f"select {chosen} from (select malformed, {values} as cells from ({_json_objects(reading)}))", at


def _parquet_scan(file: InputFile) -> str:
    names = ", ".join(f"c{number}" for number in range(len(file.columns)))
    # Names by position: DuckDB renames columns that differ by case only.
    options = "binary_as_string = true, file_row_number = true"
    return f"read_parquet({_path_of(Reading(file))}, {options}) as t({names}, row_number)"


def _parquet_text(file: InputFile, name: str) -> str:
    column = f"c{file.columns.index(name)}"
    return f"to_json({column})::varchar" if name in file.nested else f"{column}::varchar"


def _clean_copy(file: InputFile, scratch: Path) -> Reading:
    """Write what Python can read of a text file as plain UTF-8 without header, and note what it cannot."""
    scratch.mkdir(parents=True, exist_ok=True)
    reading = Reading(file, scratch / f"clean-{file.path.stem}.{file.format}")
    assert reading.copy is not None
    with (
        explained_damage(file.name, file.encoding),
        open_text(file.path, file.encoding) as lines,
        reading.copy.open("w", encoding="utf-8", newline="") as target,
    ):
        if file.format == "csv":
            _copy_records(
                file, records(lines, file.delimiter), csv.writer(target, lineterminator="\n"), reading.malformed
            )
        else:
            _copy_lines(lines, target.write, reading.malformed)
    return reading


def _copy_records(file: InputFile, cut: Iterator[Record], writer: Any, malformed: dict[int, str]) -> None:
    for record in _rows(file, cut):
        problem = _problem(record, len(file.columns))
        if problem:
            malformed[record.number] = problem
        else:
            writer.writerow(record.cells or [""])


def _copy_lines(lines: Iterator[str], write: Callable[[str], object], malformed: dict[int, str]) -> None:
    for number, line in enumerate(lines, start=1):
        if not _is_unicode(line) or _NEVER in line:
            malformed[number] = "invalid encoding"
        elif line.strip(WHITE):
            write(line.rstrip("\r\n") + "\n")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True)
class Place:
    """Where a row stands.

    Attributes:
        number: Its number among the rows that could be cut, from 0; for a malformed one minus the number of its record.
        line: Line of the file it begins on, from 1; in Parquet the number of the row, from 1.
        row: What was read: values by column, or the cells of a malformed row.
    """

    number: int
    line: int
    row: dict[str, Any] | list[str]


def places(
    engine: duckdb.DuckDBPyConnection, file: InputFile, numbers: Collection[int], malformed: Mapping[int, str]
) -> Iterator[Place]:
    """Find rows again by their numbers (see `Place.number`), in the order of the file."""
    wanted = set(numbers)
    if file.format == "parquet":
        yield from _parquet_places(engine, file, wanted)
        return
    cut = _csv_places if file.format == "csv" else _json_places
    with explained_damage(file.name, file.encoding), open_text(file.path, file.encoding) as lines:
        for place in cut(file, lines, malformed):
            if place.number in wanted:
                wanted.discard(place.number)
                yield place
            if not wanted:
                return


def _csv_places(file: InputFile, lines: Any, malformed: Mapping[int, str]) -> Iterator[Place]:
    number = 0
    for record in _rows(file, records(lines, file.delimiter)):
        if record.number in malformed:
            _refuse_open_quote(file, record.begins, record.ends)
            yield Place(-record.number, record.begins, record.cells)
        else:
            yield Place(number, record.begins, dict(zip(file.columns, record.cells, strict=False)))
            number += 1


def _refuse_open_quote(file: InputFile, begins: int, ends: int) -> None:
    if ends - begins > _LONGEST_RECORD:
        raise DataError(
            f"{file.name}: line {begins} opens a quote that is not closed in {ends - begins} lines.",
            "Close or double the quote, and ingest again.",
        )


def _json_places(_: InputFile, lines: Any, malformed: Mapping[int, str]) -> Iterator[Place]:
    number = 0
    for line, text in enumerate(lines, start=1):
        if line in malformed:
            yield Place(-line, line, [text.rstrip("\r\n")])
        elif text.strip(WHITE):
            yield Place(number, line, _json_row(text))
            number += 1


def _json_row(text: str) -> dict[str, Any] | list[str]:
    try:
        row = json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        row = None
    return row if isinstance(row, dict) else [text.rstrip("\r\n")]


def _parquet_places(engine: duckdb.DuckDBPyConnection, file: InputFile, wanted: set[int]) -> Iterator[Place]:
    cells = ", ".join(_parquet_text(file, name) for name in file.columns)
    query = f"select row_number, [{cells}] from {_parquet_scan(file)} where row_number in (select unnest(?)) order by 1"
    for number, values in engine.execute(query, [sorted(wanted)]).fetchall():
        yield Place(number, number + 1, dict(zip(file.columns, values, strict=True)))
