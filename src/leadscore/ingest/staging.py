"""Bring files into the engine: one row per row read, in canonical types, with the rules each broke by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from leadscore.config import Config, Source
from leadscore.contract.check import row_rules, rules_broken
from leadscore.contract.tables import TABLES, Column, Table
from leadscore.errors import ConfigError, DataError
from leadscore.ingest.normalise import (
    attribute_columns,
    attributes_of,
    clock_reading,
    columns_used,
    excluded_by,
    identity,
    in_utc,
    mapping_digest,
    refuse_missing,
    text_of,
    trimmed,
    typed,
)
from leadscore.ingest.readers import Reading, json_columns, read, relation
from leadscore.ingest.recognise import InputFile, content_digest, find_files, recognise

_STAGE_TYPES = {"moment": "bigint", "number": "double", "integer": "bigint"}
_JSON_SAMPLE = 1000


@dataclass(frozen=True)
class Task:
    """A file to be read into a table.

    Attributes:
        number: Its number in this run, the `file` of staged rows.
        table: The canonical table.
        source: Its mapping.
        path: Where it is.
        name: What people call it.
        content: Digest of its bytes.
        mapping: Digest of all else that decides what becomes of its rows.
        is_known: Whether an earlier run read it already, and rejected some of its rows.
        taken: How many of its rows an earlier run took in, or knew, under a mapping that is no longer configured.
    """

    number: int
    table: Table
    source: Source
    path: Path
    name: str
    content: str
    mapping: str
    is_known: bool = False
    taken: int = 0

    @property
    def fingerprint(self) -> str:
        """Name the file by content and mapping, whatever it is called."""
        return hashlib.sha256(f"{self.content} {self.mapping}".encode()).hexdigest()


@dataclass(frozen=True)
class Staged:
    """A file that was read.

    Attributes:
        task: What was to be read.
        file: What it turned out to be.
        base: Position in the stage of its first row.
        malformed: Why a record could not be cut, by its number.
    """

    task: Task
    file: InputFile
    base: int
    malformed: dict[int, str]


def list_tasks(config: Config) -> list[Task]:
    """List every file of every source, in the order of the tables.

    Raises:
        DataError: a pattern matches nothing.
    """
    tasks: list[Task] = []
    for table in TABLES.values():
        for source in getattr(config.sources, table.name):
            mapping = mapping_digest(source, config.time_zone)
            for path in find_files(config.root, source):
                name = _shown(path, config.root)
                tasks.append(Task(len(tasks), table, source, path, name, content_digest(path), mapping))
    return tasks


def _shown(path: Path, root: Path) -> str:
    try:
        return str(path.relative_to(root))
    except ValueError:
        return path.name


def make_stage(engine: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Make the empty stage of a table.

    One row per row read, in the order of files and rows, so that a row's `rowid` is its position: the file, the record
    if it is malformed, the columns, the digest of its content, whether it is left out, and the rules it broke.
    """
    columns = [f"{column.name} {_STAGE_TYPES.get(column.type, 'varchar')}" for column in table.columns]
    engine.execute(f"""
        create temp table stage_{table.name} (
            file integer, record bigint, {", ".join(columns)}, digest blob, excluded boolean, broken varchar
        )
    """)


def stage(engine: duckdb.DuckDBPyConnection, task: Task, config: Config, seen_at: int, scratch: Path) -> Staged:
    """Read one file into the stage of its table.

    Raises:
        DataError: it is not what its name says, lacks a mapped column, or cannot be read.
        ConfigError: a time format is not one.
    """
    _refuse_odd_formats(engine, task)
    file = recognise(task.path, task.name, task.source)
    if file.columns:
        refuse_missing(columns_used(task.source, task.table, file.columns), file.columns, task.name)

    def use(reading: Reading) -> int:
        columns = file.columns or _known_keys(engine, reading, task)
        engine.execute(f"delete from stage_{task.table.name} where file = {task.number}")
        (rows,) = engine.execute(_insert(reading, task, columns, config.time_zone, seen_at)).fetchall()[0]
        return int(rows)

    try:
        reading = read(engine, file, scratch, use)
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise DataError(f"{task.name}: cannot be read as {file.format}.", "Ask for the file again.") from error
    staged = Staged(task, file, _first_position(engine, task), reading.malformed)
    _add_malformed(engine, staged)
    return staged


def _first_position(engine: duckdb.DuckDBPyConnection, task: Task) -> int:
    query = f"select coalesce(min(rowid), 0) from stage_{task.table.name} where file = {task.number}"
    (position,) = engine.execute(query).fetchall()[0]
    return int(position)


def _refuse_odd_formats(engine: duckdb.DuckDBPyConnection, task: Task) -> None:
    for form in task.source.time_formats:
        try:
            engine.execute("select try_strptime('', ?)", [form])
        except duckdb.Error:
            raise ConfigError(
                f"sources.{task.table.name}: time_formats: {form!r} is not a strptime format.",
                "Write for instance '%d/%m/%Y %H:%M'.",
            ) from None


def _known_keys(engine: duckdb.DuckDBPyConnection, reading: Reading, task: Task) -> tuple[str, ...]:
    """List the keys of a JSON lines file, as far as they matter: for all as attributes, or for the required ones."""
    required = [
        name for column in task.table.columns if column.required for name in task.source.columns.get(column.name, ())
    ]
    everything = task.source.attributes == "all"
    keys = json_columns(engine, reading, None if everything else _JSON_SAMPLE)
    if not everything and not set(required) <= set(keys):
        keys = json_columns(engine, reading, None)
    if keys:
        refuse_missing(required, keys, task.name)
    return keys


def _insert(reading: Reading, task: Task, columns: tuple[str, ...], time_zone: str, seen_at: int) -> str:
    """Give the SQL that reads, trims, maps, types and checks, one step each."""
    table, source = task.table, task.source
    rows, at = relation(reading, columns_used(source, table, columns))
    names = [column.name for column in table.columns]
    moments = [column for column in table.columns if column.type == "moment"]
    broken = rules_broken(row_rules(table, seen_at))
    return f"""
        insert into stage_{table.name}
        with
        rows as ({rows}),
        trimmed as (select {_listed(["malformed", *(f"{trimmed(cell)} as {cell}" for cell in at.values())])} from rows),
        mapped as (select malformed, {excluded_by(source, at)} as excluded, {_texts(task, columns, at)} from trimmed),
        clocks as (select {_listed(["*", *_clocks(moments, source, reading)])} from mapped),
        typed as (select {_listed(["*", *_typed(table, source, time_zone)])} from clocks),
        checked as (
            select *, case when malformed then 'malformed_row' else {broken} end as broken from typed
        ),
        final as (select * replace ({_known_at(table, source)} as known_at) from checked)
        select {task.number}, null, {_listed(names)}, {identity(own_columns(table))}, excluded and not malformed,
            case when excluded and not malformed then '' else broken end
        from final
    """


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _texts(task: Task, columns: tuple[str, ...], at: dict[str, str]) -> str:
    texts = []
    for column in task.table.columns:
        if column.type == "attributes":
            kept = attribute_columns(task.source, task.table, columns)
            texts.append(f"{attributes_of(kept, at)} as text_attributes")
        else:
            texts.append(f"{text_of(column, task.source, at)} as text_{column.name}")
    return _listed(texts)


def _clocks(moments: list[Column], source: Source, reading: Reading) -> list[str]:
    # What a Parquet file itself holds as a moment comes as ISO 8601, whatever the formats of its texts.
    iso = not source.time_formats or reading.file.format == "parquet"
    parts = []
    for column in moments:
        clock, fixed = clock_reading(f"text_{column.name}", source.time_formats, iso)
        parts += [f"{clock} as clock_{column.name}", f"{fixed} as fixed_{column.name}"]
    return parts


def _typed(table: Table, source: Source, time_zone: str) -> list[str]:
    given = {*source.columns, *source.constants}
    return [f"{_typed_column(column, column.name in given, time_zone)} as {column.name}" for column in table.columns]


def _typed_column(column: Column, is_given: bool, time_zone: str) -> str:
    if column.type != "moment":
        return typed(column, f"text_{column.name}")
    # The tree of a zone's changes is long to plan, so it is spared where there is nothing to read.
    return in_utc(f"clock_{column.name}", f"fixed_{column.name}", time_zone) if is_given else "null::bigint"


def _known_at(table: Table, source: Source) -> str:
    """Give SQL for when a row became known, if the row says so.

    A source of leads without `known_at` shows them as they are now, and what is new in that is for the judge to say
    (leadscore.ingest.judge): NULL until then.
    """
    if table.name != "leads":
        return "coalesce(known_at, occurred_at)"
    says_when = "known_at" in {*source.columns, *source.constants}
    return "coalesce(known_at, created_at)" if says_when else "known_at"


def own_columns(table: Table) -> list[Column]:
    """List the columns that make two rows the same row; of a lead, all but the moment of knowing."""
    return [column for column in table.columns if table.name != "leads" or column.name != "known_at"]


def _add_malformed(engine: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    if not staged.malformed:
        return
    records = sorted(staged.malformed)
    engine.execute(
        f"""
        insert into stage_{staged.task.table.name} (file, record, excluded, broken)
        select {staged.task.number}, record, false, 'malformed_row'
        from (select unnest(?) as record)
        """,
        [records],
    )
