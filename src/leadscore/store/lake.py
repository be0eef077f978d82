"""The store: one Delta table per canonical table, and a ledger of the files read. The only file that knows Delta Lake.

Commits are atomic per table and versions are kept, so a version number pins what a run saw. Moments are timestamps in
UTC, attributes a JSON text; `interactions` is partitioned by bucket, the other tables carry `bucket` as a column.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import numpy as np
import pyarrow as pa
from deltalake import ColumnProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError

from leadscore.config import Config
from leadscore.contract.tables import TABLES
from leadscore.errors import ConfigError, StateError

log = logging.getLogger("leadscore")

SQL_TYPES = {
    "text": "varchar",
    "account": "varchar",
    "moment": "timestamptz",
    "number": "double",
    "integer": "bigint",
    "direction": "varchar",
    "status": "varchar",
    "attributes": "varchar",
}
LEDGER = "files"
_LAYOUT = 2  # rises with every change of a table's columns
UNFINISHED = ".unfinished"
STORE_COLUMNS: dict[str, dict[str, str]] = {
    name: {
        "row_id": "blob",
        **{column.name: SQL_TYPES[column.type] for column in table.columns},
        "bucket": "integer",
    }
    for name, table in TABLES.items()
} | {
    LEDGER: {
        "table": "varchar",
        "name": "varchar",
        "fingerprint": "varchar",
        "content": "varchar",
        "mapping": "varchar",
        "rows": "bigint",
        "excluded": "bigint",
        "accepted": "bigint",
        "repeated": "bigint",
        "rejected": "bigint",
        "seen_at": "timestamptz",
    }
}
"""Columns of each Delta table with their SQL types."""

_MEND = "If someone changed the folder `store`: bring back a copy, or remove it and run `leadscore ingest`."
_SAY_AFTER_SECONDS = 2.0
_ASK_EVERY_SECONDS = 0.05
_LOOKS_AFTER_FAILURE = 5
_BATCH = 2**20  # rows
_AS_STEPS = ColumnProperties(dictionary_enabled=False, encoding="DELTA_BINARY_PACKED")
# Snappy is read twice as fast as Zstandard, and sorted moments are smaller as steps than as a dictionary. The other
# tables come sorted by bucket, and whoever reads one bucket passes over the row groups of the others.
_WRITERS = {
    True: WriterProperties(
        compression="SNAPPY",
        max_row_group_size=_BATCH,  # then a column comes in one piece
        column_properties=dict.fromkeys(("occurred_at", "known_at"), _AS_STEPS),
    ),
    False: WriterProperties(compression="ZSTD", max_row_group_size=16 * 1024),
}
_ROOM_PER_BYTE = 1.5
_ROOM_FOR_LOGS = 256 * 1024


@dataclass(frozen=True)
class Lake:
    """The store at one version of each table.

    Attributes:
        path: Folder of the Delta tables.
        buckets: Into how many buckets the store is divided; fixed when it was made.
        tables: The Delta tables there are, by name; a table nothing was ever written to is absent.
    """

    path: Path
    buckets: int
    tables: Mapping[str, DeltaTable]

    def versions(self) -> dict[str, int]:
        """Delta version per table, for the record of a run."""
        return {name: table.version() for name, table in sorted(self.tables.items())}

    def identities(self) -> dict[str, tuple[int, str]]:
        """Version per table and the name it got when it was made: one made anew counts from the beginning."""
        return {name: (table.version(), str(table.metadata().id)) for name, table in sorted(self.tables.items())}

    def uris(self, table: str, bucket: int | None = None) -> list[str]:
        """List the Parquet files of the pinned version; of one bucket where the table is partitioned by it."""
        if table not in self.tables:
            return []
        chosen = [("bucket", "=", str(bucket))] if bucket is not None and table == "interactions" else None
        # Delta writes paths as parts of a URL; DuckDB wants them as they are on disk.
        return sorted(unquote(uri) for uri in self.tables[table].file_uris(file_pruning_predicate=chosen))

    def scan(self, table: str, bucket: int | None = None) -> str:
        """Give an SQL relation of the pinned version, without `bucket` where it is the partition."""
        uris = self.uris(table, bucket)
        if uris:
            return f"read_parquet([{', '.join(map(quoted, uris))}], hive_partitioning = false)"
        nothing = ", ".join(f'null::{kind} as "{name}"' for name, kind in STORE_COLUMNS[table].items())
        return f"(select {nothing} where false)"


def quoted(text: str) -> str:
    """Write a text as an SQL literal.

    >>> quoted("l'an")
    "'l''an'"
    """
    return "'" + text.replace("'", "''") + "'"


def open_lake(config: Config) -> Lake:
    """Open the store at its present version.

    Raises:
        StateError: nothing was ever ingested, no leads were, the configuration asks for another number of buckets, or
            the store is damaged.
        ConfigError: the folder cannot be read.
    """
    lake = open_or_plan_lake(config)
    if not lake.tables:
        raise StateError(f"{config.data}: there is no store yet.", "Run `leadscore ingest` first.")
    if "leads" not in lake.tables:  # an empty list would look like a quiet morning
        raise StateError(f"{config.data}: the store holds no leads.", f"Look at the files of sources.leads. {_MEND}")
    if (lake.path / UNFINISHED).exists():
        raise StateError(
            f"{config.data}: the last ingest did not come to its end; some of its rows are still missing.",
            "Run `leadscore ingest`: it goes on from there.",
        )
    lost = sorted(_taken_in(lake) - set(lake.tables))
    if lost:  # without its interactions every lead would be a stranger
        raise StateError(f"{config.data}: the store has lost its {', '.join(lost)}.", _MEND)
    return lake


def _taken_in(lake: Lake) -> set[str]:
    """Name the tables that rows were ever accepted for, by the ledger."""
    with explained_damage(lake.path), engine() as connection:
        rows = connection.execute(f'select distinct "table" from {lake.scan(LEDGER)} where accepted > 0').fetchall()
    return {str(name) for (name,) in rows}


def open_or_plan_lake(config: Config) -> Lake:
    """Open the store, or give the empty one that the first write will make."""
    path = config.data_path / "store"
    _refuse_odd_paths(config.data_path)
    with explained_disk_trouble(config.data_path), explained_damage(path):
        buckets = _buckets_of(path)
        if buckets is not None and buckets != config.ingest.buckets:
            raise StateError(
                f"{config.data}: the store was made with {buckets} buckets, "
                f"the configuration says ingest.buckets: {config.ingest.buckets}.",
                f"Set it back to {buckets}, or remove {config.data}/store and ingest again.",
            )
        names = [name for name in STORE_COLUMNS if (path / name / "_delta_log").is_dir()]
        tables = {name: DeltaTable(str(path / name)) for name in names}
    return Lake(path, config.ingest.buckets, tables)


def _buckets_of(path: Path) -> int | None:
    try:
        made = json.loads((path / "store.json").read_text(encoding="utf-8"))
        layout, buckets = int(made["layout"]), int(made["buckets"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(f"{path / 'store.json'}: is damaged.", _MEND) from error
    if layout != _LAYOUT:
        raise StateError(
            f"{path}: the store was made by another version of leadscore (layout {layout}, expected {_LAYOUT}).",
            "Remove that folder and run `leadscore ingest`: it reads the sources again.",
        )
    return buckets


def _refuse_odd_paths(path: Path) -> None:
    # Delta Lake turns paths into URLs and loses its way with these, as of 1.6.
    odd = sorted(set(re.findall(r"[\[\]%^|\\]", str(path.resolve()))))
    if odd:
        raise ConfigError(
            f"{path}: the store cannot live under a path that holds {' '.join(odd)}.",
            "Set `data:` to a folder with a plainer name.",
        )


@contextmanager
def marked_unfinished(lake: Lake) -> Iterator[None]:
    """Leave a mark in the store while its tables are committed one after the other.

    A crash between two commits leaves the mark, and nobody scores from half an ingest; the next ingest removes it. An
    error before the first commit takes it away again.
    """
    is_new = not lake.path.exists()
    lake.path.mkdir(parents=True, exist_ok=True)
    mark = lake.path / UNFINISHED
    was_there = mark.exists()
    mark.touch()
    before = _commits(lake)
    try:
        yield
    except BaseException:
        if not was_there and _commits(lake) == before:
            mark.unlink()
        raise
    else:
        mark.unlink()
    finally:
        if is_new and not any(lake.path.iterdir()):
            lake.path.rmdir()


def _commits(lake: Lake) -> set[Path]:
    return set(lake.path.glob("*/_delta_log/*.json"))


def append(lake: Lake, table: str, rows: pa.RecordBatchReader) -> None:
    """Add rows to a table in one atomic commit, making the table when there is none; the reader is closed then.

    Raises:
        Exception: whatever stopped the write, after the files it left behind are removed.
    """
    _make(lake)
    with closing(rows), _nothing_left_behind(lake.path / table):
        write_deltalake(
            str(lake.path / table),
            pa.RecordBatchReader.from_batches(rows.schema, _bucket_by_bucket(rows))
            if "bucket" in rows.schema.names
            else rows,
            mode="append",
            partition_by=["bucket"] if table == "interactions" else None,
            writer_properties=_WRITERS[table == "interactions"],
        )


def _bucket_by_bucket(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Hand a bucket over in one batch, or in few large ones: Delta Lake does not keep batches in order."""
    held: list[pa.RecordBatch] = []
    for batch in rows:
        bucket = batch["bucket"].to_numpy()
        cuts = [0, *(np.flatnonzero(bucket[1:] != bucket[:-1]) + 1).tolist(), len(bucket)]
        for begin, end in itertools.pairwise(cuts):
            piece = batch.slice(begin, end - begin)
            if held and (held[0]["bucket"][0] != piece["bucket"][0] or sum(map(len, held)) >= _BATCH):
                yield pa.concat_batches(held)
                held = []
            if len(piece):
                held.append(piece)
    if held:
        yield pa.concat_batches(held)


def _make(lake: Lake) -> None:
    """Write down, once, what must never change."""
    target = lake.path / "store.json"
    if target.exists():
        return
    lake.path.mkdir(parents=True, exist_ok=True)
    replace_text(target, json.dumps({"layout": _LAYOUT, "buckets": lake.buckets}) + "\n")


@contextmanager
def _nothing_left_behind(path: Path) -> Iterator[None]:
    """Remove the data files of a write that failed; safe because only the holder of the lock writes."""
    is_new = not (path / "_delta_log").is_dir()
    before = set(path.rglob("*.parquet"))
    try:
        yield
    except BaseException:
        # Delta Lake's own threads may go on for a moment after it has given up.
        for _ in range(_LOOKS_AFTER_FAILURE):
            if is_new:
                shutil.rmtree(path, ignore_errors=True)
            for left in set(path.rglob("*.parquet")) - before:
                left.unlink(missing_ok=True)
            time.sleep(_ASK_EVERY_SECONDS)
        raise


def refuse_full_disk(path: Path, needed: int) -> None:
    """Stop before a write that the disk has no room for: half-way, Delta Lake would complain in its own words.

    Args:
        path: A folder on the disk.
        needed: Bytes of Parquet to be written; buckets and logs take some more.

    Raises:
        OSError: with the number of a full disk.
    """
    free = shutil.disk_usage(path).free
    if free < needed * _ROOM_PER_BYTE + _ROOM_FOR_LOGS:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def replace_text(target: Path, text: str) -> None:
    """Write a small file so that a reader sees the old one or the new one, never a part."""
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def write_lock(config: Config) -> Iterator[None]:
    """Hold the project's only write lock; wait for it, and say so after two seconds.

    Raises:
        ConfigError: the lock's folder cannot be written to.
    """
    with explained_disk_trouble(config.state_path):
        config.state_path.mkdir(parents=True, exist_ok=True)
        handle = os.open(config.state_path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _wait_for(handle)
        yield
    finally:
        os.close(handle)  # the kernel lets go of the lock with it, also when the process dies


def _wait_for(handle: int) -> None:
    started, said = time.monotonic(), False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not said and time.monotonic() - started > _SAY_AFTER_SECONDS:
                log.warning("Another run is writing to this project; waiting for it to end …")
                said = True
            time.sleep(_ASK_EVERY_SECONDS)
        else:
            return


@contextmanager
def engine(spill: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB in UTC that never asks the network for an extension.

    Args:
        spill: Folder for what does not fit into memory; it is the caller's to remove.
    """
    settings: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": True,
    }
    if spill is not None:
        settings["temp_directory"] = str(spill)
    connection = duckdb.connect(config=settings)
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        connection.execute("set python_enable_replacements = false")  # a table is a table, never a Python variable
        yield connection
    finally:
        connection.close()


_DISK_TROUBLE = {
    errno.ENOSPC: ("no space is left", "Free some space, or set the folder to another disk, and run again."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space, or set the folder to another disk, and run again."),
    errno.EACCES: ("permission is denied", "Give this user the right to it, or name another folder."),
    errno.EPERM: ("permission is denied", "Give this user the right to it, or name another folder."),
    errno.EROFS: ("the disk is read-only", "Make it writable, or name another folder."),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "Name another folder in the configuration."),
    errno.EEXIST: ("a file stands where a folder is expected", "Name another folder in the configuration."),
    errno.EISDIR: ("a folder stands where a file is expected", "Move it away."),
    errno.EMFILE: ("too many files are open", "Raise the limit, for instance with `ulimit -n 4096`."),
}


@contextmanager
def explained_disk_trouble(where: Path) -> Iterator[None]:
    """Turn what the disk, DuckDB or Delta Lake say about a full or closed disk into one sentence.

    Raises:
        ConfigError: what is wrong, where, and what to do.
    """
    try:
        yield
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException, DeltaError) as error:
        number = _number_of(error)
        path = (error.filename2 or error.filename or where) if isinstance(error, OSError) else where
        reason, hint = _DISK_TROUBLE.get(number, ("", ""))
        if not reason:
            words = os.strerror(number) if number else str(error).strip()
            reason = words.splitlines()[0] if words else type(error).__name__
            hint = "Look at it, and run again: what was committed before is still there."
        raise ConfigError(f"{path}: cannot be used: {reason}.", hint) from error


@contextmanager
def explained_damage(store: Path) -> Iterator[None]:
    """Turn what DuckDB and Delta Lake say about missing or broken files of the store into one sentence.

    Raises:
        StateError: the store is damaged, and what to do.
    """
    try:
        yield
    except (duckdb.IOException, duckdb.InvalidInputException, DeltaError, OSError, pa.ArrowInvalid) as error:
        if _number_of(error) not in (0, errno.ENOENT):  # the disk's fault, not the file's
            raise
        raise StateError(f"{store}: a file of the store is missing or damaged.", _MEND) from error


def _number_of(error: Exception) -> int:
    """Find the error number that DuckDB and Delta Lake only mention in their text."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = re.search(r"os error (\d+)", str(error))
    if found:
        return int(found[1])
    for number in _DISK_TROUBLE:
        if os.strerror(number).lower() in str(error).lower():
            return number
    return 0
