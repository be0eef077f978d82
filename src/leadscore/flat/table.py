"""Read a flat export as text. One row per lead, in the order of the files and of their rows."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from leadscore.config import Source
from leadscore.config.flat import Flat
from leadscore.errors import DataError
from leadscore.flat.columns import Texts
from leadscore.ingest.normalise import trimmed
from leadscore.ingest.readers import Reading, json_columns, read, relation
from leadscore.ingest.recognise import InputFile, content_digest, find_files, recognise
from leadscore.store.lake import engine

_MOST_BROKEN = 0.05


@dataclass(frozen=True)
class Table:
    """A flat export as it stands in its files.

    Attributes:
        columns: Text by column.
        rows: How many leads.
        broken: How many rows could not be cut and are left out.
        digest: Of the bytes of each file.
        unused: Columns of the files that were not asked for.
    """

    columns: dict[str, Texts]
    rows: int
    broken: int
    digest: tuple[str, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    """Which columns to read.

    Attributes:
        needed: Must be there.
        wanted: Are read where they are there; None for all others.
    """

    needed: tuple[str, ...]
    wanted: tuple[str, ...] | None = ()

    def among(self, present: Sequence[str]) -> tuple[str, ...]:
        """List what to read of the columns that are there."""
        others = present if self.wanted is None else self.wanted
        return tuple(dict.fromkeys([*self.needed, *(name for name in others if name and name in present)]))


def read_table(root: Path, patterns: Sequence[str], settings: Flat, ask: Ask) -> Table:
    """Read files as text, empty text being missing; the first one says which columns there are.

    Raises:
        DataError: a file is not there or not what its name says, lacks a column, or more than a twentieth of its rows
            cannot be cut.
    """
    source = Source(files=tuple(patterns), encoding=settings.encoding, delimiter=settings.delimiter)
    paths = find_files(root, source)
    parts: list[pa.Table] = []
    broken, unused = 0, list[str]()
    for path in paths:
        part, left_out, other = _read_file(path, source, ask)
        # What all is, the first file says; a later one must have it, too.
        ask = ask if parts else Ask(tuple(part.column_names))
        parts.append(part)
        broken, unused = broken + left_out, [*unused, *other]
    whole = pa.concat_tables(parts)
    columns = {name: _texts(whole[name]) for name in whole.column_names}
    digests = tuple(content_digest(path) for path in paths)
    return Table(columns, whole.num_rows, broken, digests, tuple(dict.fromkeys(unused)))


def _read_file(path: Path, source: Source, ask: Ask) -> tuple[pa.Table, int, tuple[str, ...]]:
    file = recognise(path, path.name, source)
    found: list[tuple[pa.Table, tuple[str, ...]]] = []
    with engine() as connection, tempfile.TemporaryDirectory() as scratch:

        def use(reading: Reading) -> int:
            found[:] = [_select(connection, reading, file, ask)]
            return int(found[0][0].num_rows)

        try:
            reading = read(connection, file, Path(scratch), use)
        except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
            raise DataError(f"{path.name}: cannot be read as {file.format}.", "Ask for the file again.") from error
    table, unused = found[0]
    kept = table.filter(pa.compute.invert(table["malformed"])).drop_columns(["malformed"])
    broken = len(reading.malformed) + table.num_rows - kept.num_rows
    _refuse_broken(path.name, reading, broken, kept.num_rows)
    return kept, broken, unused


def _select(
    connection: duckdb.DuckDBPyConnection, reading: Reading, file: InputFile, ask: Ask
) -> tuple[pa.Table, tuple[str, ...]]:
    present = file.columns or json_columns(connection, reading, None)
    names = ask.among(present)
    _refuse_missing(names, present, file.name)
    query, at = relation(reading, names)
    columns = ", ".join(f'{trimmed(at[name])} as "n{number}"' for number, name in enumerate(names))
    table = connection.sql(f"select malformed, {columns} from ({query})").to_arrow_table()
    unused = tuple(name for name in present if name and name not in names)
    return table.rename_columns(["malformed", *names]), unused


def _refuse_missing(names: Sequence[str], present: Sequence[str], file: str) -> None:
    problems = []
    for name in names:
        if name not in present:
            near = difflib.get_close_matches(name, present, n=1, cutoff=0.5)
            problems.append(f"no column {name!r}" + (f" (nearest: {near[0]!r})" if near else ""))
        elif present.count(name) > 1:
            problems.append(f"column {name!r} stands {present.count(name)} times in the header")
    if problems:
        shown = ", ".join(map(repr, present[:20])) or "none"
        more = f" and {len(present) - 20} more" if len(present) > 20 else ""  # noqa: PLR2004 - as many as are shown
        raise DataError(
            f"{file}: {'; '.join(problems)}; the file has {shown}{more}.",
            "Ask for the file again, or correct `flat` in the configuration and train again.",
        )


def _refuse_broken(file: str, reading: Reading, broken: int, kept: int) -> None:
    if broken > _MOST_BROKEN * (broken + kept):
        first = min(reading.malformed.items(), default=(0, "no JSON object"))
        where = f"; the first is record {first[0]}: {first[1]}" if first[0] else ""
        raise DataError(
            f"{file}: {broken:,} of {broken + kept:,} rows cannot be read{where}.",
            "Look at quotes and delimiters, or ask for the file again.",
        )


def _texts(column: pa.ChunkedArray) -> Texts:
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return Texts(codes, encoded.dictionary.to_pylist())
