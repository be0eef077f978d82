"""Look at files: read their first rows into DuckDB and measure each column."""

from __future__ import annotations

import codecs
import gzip
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from leadscore.errors import DataError
from leadscore.guess.moments import Moments, find_moments

if TYPE_CHECKING:
    from pathlib import Path

LOOKED_AT = 500_000
"""Rows read of each file: enough to guess from, and a few seconds at most."""

_ENDINGS = {
    "csv": ("csv", "tsv", "txt"),
    "json": ("jsonl", "ndjson", "json"),
    "parquet": ("parquet", "pq"),
}
_HEAD = 1 << 20


@dataclass(frozen=True)
class Column:
    """What one column holds.

    Attributes:
        name: As in the file.
        filled: Share of rows with a value, 0 to 1.
        distinct: How many different values.
        numbers: Share of the values that are numbers.
        moments: How its moments are written; None when it holds none.
    """

    name: str
    filled: float
    distinct: int
    numbers: float
    moments: Moments | None

    @property
    def sql(self) -> str:
        """The name as SQL."""
        return quoted(self.name)


@dataclass(frozen=True)
class Look:
    """Files of one layout, and their first rows as a table of text.

    Attributes:
        paths: The files.
        table: The DuckDB table; one row per row of the files, every column VARCHAR, empty is NULL.
        rows: How many rows the table has.
        columns: The columns in order.
        encoding: Of CSV files.
        delimiter: Of CSV files; empty for others.
    """

    paths: tuple[Path, ...]
    table: str
    rows: int
    columns: tuple[Column, ...]
    encoding: str
    delimiter: str

    @property
    def name(self) -> str:
        """The first file's name, for sentences."""
        return self.paths[0].name

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(column for column in self.columns if column.name == name)


def quoted(name: str) -> str:
    """Write a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Write a text as an SQL literal, where no parameter can be bound."""
    return "'" + text.replace("'", "''") + "'"


def share(part: float, whole: float) -> float:
    """Divide, with 0 for nothing out of nothing."""
    return part / whole if whole else 0.0


def open_database() -> duckdb.DuckDBPyConnection:
    """Open a database in memory that reads moments without an offset as UTC and loads nothing from elsewhere."""
    db = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    db.execute("set TimeZone = 'UTC'")
    return db


def look_at(db: duckdb.DuckDBPyConnection, paths: list[Path]) -> list[Look]:
    """Read the first rows of files; those with the same columns become one look.

    Raises:
        DataError: a file is absent, empty, of an unknown kind, or not what its name says.
    """
    groups: dict[tuple[object, ...], list[tuple[Path, str]]] = {}
    for path in paths:
        encoding, delimiter, select = _reading(path)
        table = f"look_{len(db.execute('show tables').fetchall())}"
        _load(db, path, table, select)
        names = tuple(row[0] for row in db.execute(f"describe {table}").fetchall())
        groups.setdefault((names, encoding, delimiter), []).append((path, table))
    return [_look(db, members, *key[1:]) for key, members in groups.items()]


def _load(db: duckdb.DuckDBPyConnection, path: Path, table: str, select: str) -> None:
    try:
        db.execute(f"create temp table {table} as select columns(*)::varchar from {select} limit {LOOKED_AT}")
    except duckdb.Error as error:
        raise DataError(
            f"{path}: cannot be read as {_format(path)} ({type(error).__name__}).",
            "Is the file what its name says, and complete?",
        ) from None
    if db.execute(f"select count(*) from {table}").fetchone() == (0,):
        raise DataError(f"{path}: holds no rows, expected at least one below the header.")


def _reading(path: Path) -> tuple[str, str, str]:
    """Find out how to read a file: encoding, delimiter, and the SQL that reads it."""
    if not path.exists():
        raise DataError(f"{path}: no such file.")
    if not path.is_file():
        raise DataError(f"{path}: is not a file, expected CSV, JSON lines or Parquet.")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: is empty, expected a header and rows.")
    where = literal(str(path))
    match _format(path):
        case "parquet":
            return "utf-8", "", f"read_parquet({where})"
        case "json":
            return "utf-8", "", f"read_json({where}, format = 'newline_delimited')"
    head = _head(path)
    encoding = _encoding(head, path)
    lines = head.decode(encoding, errors="replace").splitlines()
    delimiter = _delimiter(lines[0] if lines else "")
    options = f"all_varchar = true, header = true, ignore_errors = true, encoding = '{encoding}'"
    return encoding, delimiter, f"read_csv({where}, {options}, delim = {literal(delimiter)})"


def _format(path: Path) -> str:
    parts = path.name.lower().removesuffix(".gz").rsplit(".", 1)
    ending = parts[-1] if len(parts) > 1 else ""
    for name, endings in _ENDINGS.items():
        if ending in endings:
            return name
    known = ", ".join(f".{ending}" for endings in _ENDINGS.values() for ending in endings)
    raise DataError(f"{path}: is of an unknown kind, expected a name that ends in {known} (or these with .gz).")


def _head(path: Path) -> bytes:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            head = file.read(_HEAD)
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({type(error).__name__}).", "Is it what its name says?") from None
    if not head:
        raise DataError(f"{path}: is empty, expected a header and rows.")
    assert isinstance(head, bytes)
    return head


def _encoding(head: bytes, path: Path) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\x00" in head[:4096] or head.startswith(b"\x1f\x8b"):
        raise DataError(f"{path}: is not text, expected CSV.", "Is the file what its name says?")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _delimiter(header: str) -> str:
    outside_quotes = re.sub(r'"[^"]*"', "", header)
    return max(",;\t|", key=outside_quotes.count)


def _look(db: duckdb.DuckDBPyConnection, members: list[tuple[Path, str]], encoding: object, delimiter: object) -> Look:
    tables = [table for _, table in members]
    table = tables[0]
    for other in tables[1:]:
        db.execute(f"insert into {table} select * from {other}")
    _empty_is_null(db, table)
    names = [row[0] for row in db.execute(f"describe {table}").fetchall()]
    measures = ", ".join(
        f"count({name}), count(distinct {name}), count(try_cast({name} as double))" for name in map(quoted, names)
    )
    counts = db.execute(f"select count(*), {measures} from {table}").fetchone()
    assert counts is not None
    rows = counts[0]
    columns = []
    for number, name in enumerate(names):
        filled, distinct, numbers = counts[1 + 3 * number : 4 + 3 * number]
        moments = find_moments(db, table, quoted(name)) if filled and distinct > 0 else None
        columns.append(Column(name, share(filled, rows), distinct, share(numbers, filled), moments))
    paths = tuple(path for path, _ in members)
    return Look(paths, table, rows, tuple(columns), str(encoding), str(delimiter))


def _empty_is_null(db: duckdb.DuckDBPyConnection, table: str) -> None:
    names = [quoted(row[0]) for row in db.execute(f"describe {table}").fetchall()]
    cleaned = ", ".join(f"nullif(trim({name}), '') as {name}" for name in names)
    db.execute(f"create or replace temp table {table} as select {cleaned} from {table}")
