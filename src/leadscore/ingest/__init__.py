"""Ingest: from files to the store, through the contract. Every row read is accepted, a repeat, left out or rejected."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from leadscore.config import Config
from leadscore.contract.tables import TABLES
from leadscore.errors import StateError
from leadscore.ingest.judge import judge_facts, judge_leads, rows_to_add
from leadscore.ingest.rejects import count_rules, refuse_too_many, rejected_file, write_rejected
from leadscore.ingest.staging import Staged, Task, list_tasks, make_stage, stage
from leadscore.progress import stage as progress_stage
from leadscore.progress import track
from leadscore.store.lake import (
    LEDGER,
    STORE_COLUMNS,
    Lake,
    append,
    engine,
    explained_damage,
    explained_disk_trouble,
    marked_unfinished,
    open_or_plan_lake,
    quoted,
    refuse_full_disk,
    write_lock,
)

__all__ = ["Counts", "IngestResult", "ingest"]


@dataclass(frozen=True)
class Counts:
    """What became of the rows read: `read` is the sum of the others."""

    read: int = 0
    excluded: int = 0
    accepted: int = 0
    repeated: int = 0
    rejected: int = 0

    def __add__(self, other: Counts) -> Counts:
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return Counts(*(one + two for one, two in pairs))


@dataclass(frozen=True)
class IngestResult:
    """What a run of ingest did.

    Attributes:
        tables: Counts of rows per canonical table; the rows of skipped files are not read and so not counted.
        rules: Per table the number of rejected rows per rule; a row counts for each rule it broke.
        skipped_files: Files an earlier run took in whole, or that are given twice.
        versions: Version of each Delta table afterwards.
        rejected_files: Files that name each rejected row.
    """

    tables: dict[str, Counts]
    rules: dict[str, dict[str, int]]
    skipped_files: list[str]
    versions: dict[str, int]
    rejected_files: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return {
            "tables": {name: dict(vars(counts)) for name, counts in self.tables.items()},
            "rules": self.rules,
            "skipped_files": self.skipped_files,
            "versions": self.versions,
            "rejected_files": [str(path) for path in self.rejected_files],
        }


def ingest(config: Config, seen_at: int) -> IngestResult:
    """Take every new row of every source into the store; the same input again changes nothing.

    Args:
        config: The project.
        seen_at: The moment of this run: since when a lead's changed attributes are known.

    Raises:
        DataError: a file is missing or not what it should be, or too many rows are rejected; nothing is written.
        StateError: the store was made in another way than the configuration says, or it is damaged.
        ConfigError: the disk is full or closed; what was committed is whole, and the next run goes on from there.
    """
    with explained_disk_trouble(config.root):
        tasks = list_tasks(config)
    with write_lock(config), _scratch(config) as scratch, engine(scratch) as connection:
        lake = open_or_plan_lake(config)
        with explained_damage(lake.path):
            chosen, skipped = _choose(connection, lake, tasks)
        staged = _stage_all(connection, chosen, config, seen_at, scratch)
        with progress_stage("Checking rows"), explained_damage(lake.path):
            known_files = [one.task.number for one in staged if one.task.is_known]
            _judge(connection, lake, known_files, seen_at)
        per_file = {one.task.number: _counts(connection, one) for one in staged}
        _refuse_changed_rows(staged, per_file)
        tables = {name: _total(name, staged, per_file) for name in TABLES}
        for name, counts in tables.items():
            of_table = [one for one in staged if one.task.table.name == name]
            share = config.ingest.max_rejected_share
            refuse_too_many(connection, name, of_table, counts.read, counts.rejected, share)
        rules = {name: count_rules(connection, name) for name in TABLES}
        rejected_files = _write_rejected(connection, staged, per_file, config.data_path / "rejected", scratch)
        with progress_stage("Writing the store"), marked_unfinished(lake):
            _append_rows(connection, lake, _prepare(connection, tables, scratch))
            _append_ledger(connection, lake, staged, per_file, seen_at)
        versions = open_or_plan_lake(config).versions()
    return IngestResult(tables, rules, skipped, versions, rejected_files)


@contextmanager
def _scratch(config: Config) -> Iterator[Path]:
    """Give a folder for what does not fit into memory and for files not yet whole; it goes, whatever happens."""
    path = config.data_path / ".tmp"
    is_new = not config.data_path.exists()
    try:
        with explained_disk_trouble(config.data_path):
            shutil.rmtree(path, ignore_errors=True)  # a killed run's; nobody else writes while we hold the lock
            path.mkdir(parents=True)
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if is_new and config.data_path.is_dir() and not any(config.data_path.iterdir()):
            config.data_path.rmdir()


def _choose(connection: duckdb.DuckDBPyConnection, lake: Lake, tasks: list[Task]) -> tuple[list[Task], list[str]]:
    """Leave out the files that were taken in whole before; of the same file twice, take the first."""
    query = f"""
        select "table", content, mapping, fingerprint, bool_or(rejected = 0), max(accepted + repeated)
        from {lake.scan(LEDGER)} group by all
    """
    ledger = connection.execute(query).fetchall()
    is_whole = {(table, fingerprint): whole for table, _, _, fingerprint, whole, _ in ledger}
    mapped = {(task.table.name, task.mapping) for task in tasks}
    taken: dict[tuple[str, str], int] = {}
    for table, content, mapping, _, _, rows in ledger:
        if (table, mapping) not in mapped:
            taken[table, content] = max(rows, taken.get((table, content), 0))
    chosen: dict[tuple[str, str], Task] = {}
    skipped = []
    for task in tasks:
        key = (task.table.name, task.fingerprint)
        if key in chosen or is_whole.get(key):
            skipped.append(task.name)
        else:
            rows = 0 if key in is_whole else taken.get((task.table.name, task.content), 0)
            chosen[key] = replace(task, is_known=key in is_whole, taken=rows)
    return list(chosen.values()), skipped


def _refuse_changed_rows(staged: list[Staged], per_file: dict[int, Counts]) -> None:
    """Stop where rows of the store come again in another shape and would count twice, because their mapping changed."""
    for task in (one.task for one in staged):
        changed = task.taken - per_file[task.number].repeated
        if changed > 0:
            raise StateError(
                f"sources.{task.table.name}: the mapping (or the time zone) changed since {task.name} was ingested, "
                f"and {changed:,} of its rows are no longer what the store holds.",
                "Set it back, or remove the folder `store` of the data and ingest everything again.",
            )


def _stage_all(
    connection: duckdb.DuckDBPyConnection, tasks: list[Task], config: Config, seen_at: int, scratch: Path
) -> list[Staged]:
    for table in TABLES.values():
        make_stage(connection, table)
    return [stage(connection, task, config, seen_at, scratch) for task in track(tasks, "Reading files")]


def _judge(connection: duckdb.DuckDBPyConnection, lake: Lake, known_files: list[int], seen_at: int) -> None:
    judge_leads(connection, lake, known_files, seen_at)
    for name, table in TABLES.items():
        if name != "leads":
            judge_facts(connection, lake, table)


def _counts(connection: duckdb.DuckDBPyConnection, staged: Staged) -> Counts:
    name, file = staged.task.table.name, {"file": staged.task.number}
    query = f"""
        select
            (select count(*) from stage_{name} where file = $file),
            (select count(*) from stage_{name} where file = $file and excluded),
            (select count(*) from fresh_{name} where file = $file),
            (select count(*) from rejected_{name} where file = $file)
    """
    read, excluded, accepted, rejected = connection.execute(query, file).fetchall()[0]
    return Counts(read, excluded, accepted, read - excluded - accepted - rejected, rejected)


def _total(table: str, staged: list[Staged], per_file: dict[int, Counts]) -> Counts:
    counts = [per_file[one.task.number] for one in staged if one.task.table.name == table]
    return sum(counts, start=Counts())


def _write_rejected(
    connection: duckdb.DuckDBPyConnection,
    staged: list[Staged],
    per_file: dict[int, Counts],
    folder: Path,
    scratch: Path,
) -> list[Path]:
    """Put the lists of rejected rows in place, all written before the first is; a list that has become empty goes."""
    ready = {}
    for one in staged:
        target = rejected_file(folder, one)
        if per_file[one.task.number].rejected:
            ready[target] = scratch / target.name
            write_rejected(connection, one, ready[target])
        elif one.task.is_known:
            target.unlink(missing_ok=True)
    for target, partial in ready.items():
        folder.mkdir(parents=True, exist_ok=True)
        partial.replace(target)
    return list(ready)


def _prepare(connection: duckdb.DuckDBPyConnection, tables: dict[str, Counts], scratch: Path) -> dict[str, Path]:
    """Write the rows to be added, sorted, one file per table with any: a full disk shows before the first commit."""
    ready = {name: scratch / f"{name}.parquet" for name, counts in tables.items() if counts.accepted}
    for name, path in ready.items():
        connection.execute(
            f"copy ({rows_to_add(TABLES[name])}) to {quoted(str(path))} (format parquet, compression zstd)"
        )
    refuse_full_disk(scratch, sum(path.stat().st_size for path in ready.values()))
    return ready


def _append_rows(connection: duckdb.DuckDBPyConnection, lake: Lake, ready: dict[str, Path]) -> None:
    """Commit the tables one by one, leads first: a crash between two leaves facts out, and the next run adds them."""
    for name, path in ready.items():
        append(lake, name, connection.sql(f"from read_parquet({quoted(str(path))})").to_arrow_reader())


def _append_ledger(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    staged: list[Staged],
    per_file: dict[int, Counts],
    seen_at: int,
) -> None:
    """Write down the files read; last, so that a file in the ledger is in the store. Nothing new, no new version."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in STORE_COLUMNS[LEDGER].items())
    connection.execute(f"create temp table ledger ({columns})")
    for one in staged:
        task, counts = one.task, per_file[one.task.number]
        identity = (task.table.name, task.name, task.fingerprint, task.content, task.mapping)
        numbers = (counts.read, counts.excluded, counts.accepted, counts.repeated, counts.rejected)
        row = [*identity, *numbers, seen_at]
        connection.execute("insert into ledger values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, make_timestamptz(?))", row)
    news = f"""
        select * from ledger
        where accepted > 0 or not exists (
            from {lake.scan(LEDGER)} as earlier
            where earlier."table" = ledger."table" and earlier.fingerprint = ledger.fingerprint
                and earlier.rejected = ledger.rejected
        )
    """
    rows: pa.Table = connection.sql(news).to_arrow_table()
    if rows.num_rows:
        append(lake, LEDGER, rows.to_reader())
