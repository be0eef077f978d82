"""A slot on disk: written beside, renamed whole, and pointed at by `latest`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from leadscore.timeline import parse_moment, show_moment, to_datetime

MANIFEST, SCORES, WEIGHTS, CRM = "manifest.json", "scores.parquet", "weights.parquet", "crm"
# Who divides lines otherwise than we do gets a cell of its own after each sign between cells; quotes are then taken for
# its own, and blanks in front may be dropped.
_NAMED = re.compile(r"\d{8}T\d{6}(?:_\d{6})?Z-")
_WHITE = {"\t", "\r", "\n"}
_EXECUTED = re.compile(r"""((?:^|[,;|\t\r\n])(?:[^\S\t\r\n]|")*)(?=[=+\-@＝＋－＠])""")  # noqa: RUF001 - wide signs run, too


@dataclass(frozen=True)
class Slot:
    """One delivery: (project, as_of, configuration fingerprint)."""

    project: str
    as_of: int
    fingerprint: str

    @property
    def name(self) -> str:
        """Name of the slot's folder; names of one configuration sort as their moments do."""
        moment = to_datetime(self.as_of).astimezone(UTC)
        fraction = f"_{moment.microsecond:06d}" if moment.microsecond else ""
        return f"{moment:%Y%m%dT%H%M%S}{fraction}Z-{self.fingerprint}"

    def run_id(self, model_version: str) -> str:
        """Name what was computed, not when: the same slot by the same model is the same run."""
        return hashlib.sha256(f"{self.project}/{self.name}/{model_version}".encode()).hexdigest()[:12]


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a slot whose files are all there and unchanged; None for any other folder."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        whole = all(_digest(folder / name) == facts["sha256"] for name, facts in manifest["files"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if whole else None


def slots(out: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the good slots of an output folder with their manifests, oldest first."""
    for folder in sorted(path for path in out.glob("*Z-*") if path.is_dir() and not path.is_symlink()):
        manifest = read_manifest(folder)
        if manifest is not None:
            yield folder, manifest


def earlier_slots(
    out: Path, slot: Slot, until: int | None = None, apart: int = 0
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the good earlier slots of the same project and configuration with their manifests, newest first.

    Those after `until` and those less than `apart` before the one yielded last are not looked into, for to look is to
    read all of their files.
    """
    latest = slot.as_of - 1 if until is None else until
    names = (path.name for path in out.glob(f"*Z-{slot.fingerprint}") if _NAMED.match(path.name))
    for name in sorted(names, reverse=True):
        moment = parse_moment(name.partition("-")[0].replace("_", "."), "UTC")
        if moment <= latest and (manifest := read_manifest(out / name)) and manifest["project"] == slot.project:
            latest = min(moment - 1, moment - apart)
            yield out / name, manifest


def previous_slot(out: Path, slot: Slot) -> tuple[Path, dict[str, Any]] | None:
    """Return the newest of `earlier_slots`; None without one."""
    return next(earlier_slots(out, slot), None)


def deliver(
    out: Path,
    slot: Slot,
    table: pa.Table,
    facts: Mapping[str, Any],
    write_more: Callable[[Path], Mapping[str, Any]] = lambda _: {},
) -> dict[str, Any]:
    """Write a slot whole or not at all, then point `latest` at it; a slot that is there already stays as it is.

    Args:
        out: The output folder.
        slot: Which delivery.
        table: The ranked list.
        facts: What else the manifest says.
        write_more: Writes the other files into a folder, and returns what the manifest says of them.

    Returns:
        The manifest. It is written last, with a digest of every other file.

    Only one process may deliver a configuration's slots at a time: what others left half-written is removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    beside = out / f".{slot.name}.{os.getpid()}"
    folder = out / slot.name
    there = read_manifest(folder)
    if there is not None:
        point_latest(out, slot.name)
        return there
    try:
        for left in out.glob(f".*Z-{slot.fingerprint}.*"):  # of killed processes; only one writes at a time
            shutil.rmtree(left, ignore_errors=True)
        beside.mkdir()
        pq.write_table(table, beside / SCORES, compression="zstd")
        write_csv(table, beside / "scores.csv")
        more = write_more(beside)
        paths = sorted(path for path in beside.rglob("*") if path.is_file())
        files = {path.relative_to(beside).as_posix(): _describe(path) for path in paths}
        manifest = {
            "project": slot.project,
            "slot": slot.name,
            "as_of": show_moment(slot.as_of),
            "configuration": slot.fingerprint,
            **facts,
            **more,
            "files": files,
        }
        (beside / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        _flush(beside)
        if folder.exists():  # damaged: a good slot is never written twice
            shutil.rmtree(folder)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    point_latest(out, slot.name)
    return manifest


def point_latest(out: Path, name: str) -> None:
    """Let `latest` point at a slot, in one rename, unless it already points at a later one."""
    link = out / "latest"
    if link.is_symlink() and _moment(link.readlink().name) > _moment(name) and read_manifest(link) is not None:
        return
    beside = out / f".latest.{os.getpid()}"
    try:
        beside.unlink(missing_ok=True)
        beside.symlink_to(name)
        beside.replace(link)
    finally:
        beside.unlink(missing_ok=True)


def _moment(name: str) -> str:
    """Cut the moment out of a slot's name: a slot of another configuration at the same moment is not a later one."""
    return name.partition("-")[0]


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table for people and spreadsheets: ISO 8601 moments, and no cell that a spreadsheet would execute."""
    columns = [_readable(table[field.name], field.type) for field in table.schema]
    pyarrow.csv.write_csv(pa.table(columns, names=table.schema.names), path)


def _readable(column: pa.ChunkedArray, kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind):
        return pa.array([show_moment(value) for value in column.cast(pa.int64()).to_pylist()], pa.string())
    if pa.types.is_string(kind):
        return pa.array([value and neutral(value) for value in column.to_pylist()], pa.string())
    return column if not pa.types.is_floating(kind) else pc.round(column, 6)


def neutral(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    >>> neutral("=1+1"), neutral("Ada"), neutral("a;=1+1"), neutral("7 - 5; 1=1")
    ("'=1+1", 'Ada', "a;'=1+1", '7 - 5; 1=1')
    """
    inside = _EXECUTED.sub(r"\1'", text)
    return f"'{inside}" if inside[:1] in _WHITE else inside


def _describe(path: Path) -> dict[str, Any]:
    return {"sha256": _digest(path), "bytes": path.stat().st_size}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(folder: Path) -> None:
    """Ask the disk to hold what was written before the rename makes it visible."""
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
