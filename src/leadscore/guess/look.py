"""Look at files: read their first rows into DuckDB and measure each column."""

from __future__ import annotations

import codecs
import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import duckdb

from leadscore.config import Source
from leadscore.errors import DataError
from leadscore.guess.moments import Moments, find_moments
from leadscore.ingest.readers import Reading, json_columns, read, relation
from leadscore.ingest.recognise import InputFile, recognise

Encoding = Literal["utf-8", "latin-1", "utf-16"]

LOOKED_AT = 500_000
"""Rows read of each file: enough to guess from, and a few seconds at most."""

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
    """Read the first rows of files, as ingest would; those with the same columns become one look.

    Raises:
        DataError: a file is absent, empty, of an unknown kind, or not what its name says.
    """
    groups: dict[tuple[object, ...], list[tuple[Path, str]]] = {}
    for path in paths:
        file = recognise(path, str(path), Source(files=(path.name,), encoding=_encoding(path)))
        table = f"look_{len(db.execute('show tables').fetchall())}"
        _load(db, file, table)
        names = tuple(row[0] for row in db.execute(f"describe {table}").fetchall())
        groups.setdefault((names, file.encoding, file.delimiter), []).append((path, table))
    return [_look(db, members, *key[1:]) for key, members in groups.items()]


def _encoding(path: Path) -> Encoding:
    """Tell UTF-8, UTF-16 and Latin-1 apart by the first bytes; all else is for `recognise` to refuse."""
    if not path.exists():
        raise DataError(f"{path}: no such file.")
    if not path.is_file():
        raise DataError(f"{path}: is not a file; expected CSV, JSON lines or Parquet.")
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as file:
            head = bytes(file.read(_HEAD))
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "latin-1"
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return "utf-8"
    return "utf-8"


def _load(db: duckdb.DuckDBPyConnection, file: InputFile, table: str) -> None:
    def fill(reading: Reading) -> int:
        names = file.columns if file.format != "jsonl" else json_columns(db, reading, LOOKED_AT)
        # SQL knows no difference between Id and ID, and a list or a map is no text to guess from.
        once = {name.casefold(): name for name in reversed(names) if name and name not in file.nested}
        chosen = [name for name in names if once.get(name.casefold()) == name]
        select, at = relation(reading, chosen)
        cells = ", ".join(f"nullif(trim({at[name]}), '') as {quoted(name)}" for name in dict.fromkeys(chosen))
        db.execute(
            f"create or replace temp table {table} as "
            f"select {cells or 'null as nothing'} from ({select}) where not malformed limit {LOOKED_AT}"
        )
        counted = db.execute(f"select count(*) from {table}").fetchone()
        return int(counted[0]) if counted else 0

    with TemporaryDirectory(prefix="leadscore-") as scratch:
        read(db, file, Path(scratch), fill)
    if db.execute(f"select count(*) from {table}").fetchone() == (0,):
        raise DataError(f"{file.name}: holds no rows; expected at least one below the header.")


def _look(db: duckdb.DuckDBPyConnection, members: list[tuple[Path, str]], encoding: object, delimiter: object) -> Look:
    tables = [table for _, table in members]
    table = tables[0]
    for other in tables[1:]:
        db.execute(f"insert into {table} select * from {other}")
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
