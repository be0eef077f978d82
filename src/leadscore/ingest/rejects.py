"""What is said of rejected rows: the gate that stops a run with too many, and the files that name each of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from leadscore.contract.check import RULES, rule_column, value_class
from leadscore.errors import DataError
from leadscore.ingest.readers import Place, places
from leadscore.ingest.staging import Staged

_FIRST_PLACES = 3
_HEADER = ("file", "line", "rules", "columns", "value_classes", "row")


@dataclass(frozen=True)
class Rejection:
    """One rejected row.

    Attributes:
        line: Where it begins in its file.
        rules: All the rules it broke.
        columns: The file's own columns the rules speak of, in the order of the rules; empty for a whole row.
        classes: What the values looked like, in the same order.
        row: The row as read.
    """

    line: int
    rules: tuple[str, ...]
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    row: dict[str, Any] | list[str]


def count_rules(engine: duckdb.DuckDBPyConnection, table: str) -> dict[str, int]:
    """Count the rejected rows of a table by rule; a row counts for each rule it broke."""
    query = f"""
        select rule, count(*)
        from (select unnest(string_split(rules, ' ')) as rule from rejected_{table})
        group by rule order by count(*) desc, rule
    """
    return dict(engine.execute(query).fetchall())


def refuse_too_many(
    engine: duckdb.DuckDBPyConnection, table: str, staged: list[Staged], read: int, rejected: int, share: float
) -> None:
    """Stop when more than a share of a table's rows is rejected.

    Raises:
        DataError: counts per rule and the first places, with classes of values instead of values.
    """
    if rejected <= share * read:
        return
    counts = count_rules(engine, table)
    listed = ", ".join(f"{rule} {count:,}" for rule, count in counts.items())
    summary = (
        f"{table}: {rejected:,} of {read:,} rows rejected ({rejected / read:.1%}), "
        f"more than ingest.max_rejected_share ({share:.1%}); nothing was written. By rule: {listed}."
    )
    first = list(_first_rejections(engine, table, staged))
    shown = "; ".join(f"{name}:{rejection.line} {_in_words(rejection)}" for name, rejection in first)
    raise DataError(f"{summary} First: {shown}.", _hint(counts, [rejection for _, rejection in first]))


def _in_words(rejection: Rejection) -> str:
    parts = zip(rejection.rules, rejection.columns, rejection.classes, strict=True)
    return ", ".join(
        f"{rule} (column {column!r}: {kind})" if column else f"{rule} ({kind})" for rule, column, kind in parts
    )


def _first_rejections(
    engine: duckdb.DuckDBPyConnection, table: str, staged: list[Staged]
) -> Iterator[tuple[str, Rejection]]:
    query = f"select min(file) from rejected_{table} group by file order by min(file)"
    by_number = {one.task.number: one for one in staged}
    left = _FIRST_PLACES
    for (number,) in engine.execute(query).fetchall():
        for rejection in rejections(engine, by_number[number], limit=left):
            yield by_number[number].task.name, rejection
            left -= 1
        if left == 0:
            return


_HINTS = {
    "not_a_moment": "Check the mapping, or say how the source writes times: `time_formats: ['%d/%m/%Y %H:%M']`.",
    "unknown_lead": "Check that `lead_id` means the same key here as in the leads, and that the leads are complete.",
    "not_a_number": "Check the mapping of that column; numbers are written with a point and without units.",
    "not_an_integer": "Check the mapping of that column; whole numbers are expected.",
    "malformed_row": "Check `delimiter` of that source, and that quotes within cells are doubled.",
    "ambiguous_version": "Map `known_at` if the source says when each version was known, or keep one row per lead.",
    "outcome_before_creation": "Check that `created_at` is the creation of the lead, and the time zone of both.",
}
_HINT = "Correct the mapping in the configuration, or ask for the file again."


def _hint(counts: dict[str, int], first: list[Rejection]) -> str:
    """Say what the most frequent rule means, and what to do about it."""
    rule = next(iter(counts)).partition(":")[0]
    classes = {kind for rejection in first for kind in rejection.classes}
    if "invalid encoding" in classes:
        advice = "The file is not UTF-8: set `encoding: latin-1` or `utf-16` in that source."
    elif "a unix time" in classes:
        advice = "Moments must be ISO 8601 or fit `time_formats`: export them as 2024-01-31T10:00:00Z."
    else:
        advice = _HINTS.get(rule, _HINT)
    return f"{rule}: {RULES[rule]} {advice}"


def rejections(engine: duckdb.DuckDBPyConnection, staged: Staged, limit: int | None = None) -> Iterator[Rejection]:
    """Find the rejected rows of one file again, in the order of the file; the first ones only with a limit."""
    table = staged.task.table.name
    query = f"""
        select case when record is null then pos - $base else -record end, rules
        from rejected_{table} join stage_{table} as staged on staged.rowid = pos
        where rejected_{table}.file = $file
        order by pos
        {f"limit {limit}" if limit else ""}
    """
    rows = engine.execute(query, {"base": staged.base, "file": staged.task.number}).fetchall()
    rules = {number: tuple(text.split(" ")) for number, text in rows}
    for place in places(engine, staged.file, set(rules), staged.malformed):
        yield _rejection(staged, place, rules.pop(place.number))
    if rules:
        raise DataError(
            f"{staged.task.name}: {len(rules)} rejected rows cannot be found again, so quotes must be misplaced.",
            "Check that cells with line breaks or quotes are quoted, and quotes within them doubled.",
        )


def _rejection(staged: Staged, place: Place, rules: tuple[str, ...]) -> Rejection:
    source = staged.task.source
    columns, classes = [], []
    for rule in rules:
        canonical = rule_column(rule)
        names = source.columns.get(canonical, ())
        columns.append(" + ".join(names))
        if rule == "malformed_row":
            classes.append(staged.malformed.get(-place.number, "not a JSON object"))
        else:
            classes.append(value_class(_value(place.row, names, source.constants.get(canonical))))
    return Rejection(place.line, rules, tuple(columns), tuple(classes), place.row)


def _value(row: dict[str, Any] | list[str], names: tuple[str, ...], constant: str | None) -> str:
    if constant is not None or not isinstance(row, dict):
        return constant or ""
    return ":".join(str(row[name]) for name in names if row.get(name) not in {None, ""})


def rejected_file(folder: Path, staged: Staged) -> Path:
    """Name the file that lists the rejected rows of a source file."""
    return folder / f"{staged.task.table.name}-{staged.task.fingerprint[:12]}.csv"


def write_rejected(engine: duckdb.DuckDBPyConnection, staged: Staged, target: Path) -> None:
    """Write the rejected rows of one file as CSV: file, line, rules, columns, value classes, and the row as JSON."""
    with target.open("w", encoding="utf-8", errors="backslashreplace", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(_HEADER)
        for one in rejections(engine, staged):
            row = json.dumps(one.row, ensure_ascii=False, default=str)
            columns = "; ".join(column for column in one.columns if column)
            writer.writerow((staged.task.name, one.line, " ".join(one.rules), columns, "; ".join(one.classes), row))
