"""Look over the machine, the installation and the project, and say what is odd before it hurts."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leadscore.config import Config, read_config
from leadscore.errors import LeadscoreError

_ROOM = 2**30
_NEEDED = ("deltalake", "duckdb", "lightgbm", "mlflow", "numba", "pandas", "prefect", "pyarrow", "scikit-learn")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `good`, `odd` (works, but look) or `bad` (will not work)."""

    state: Literal["good", "odd", "bad"]
    what: str
    hint: str = ""


def examine(path: Path) -> list[Finding]:
    """Examine machine, installation and, where there is a configuration, the project."""
    findings = [*_installation()]
    try:
        config = read_config(path)
    except LeadscoreError as error:
        return [*findings, Finding("bad", error.message, error.hint)]
    return [*findings, Finding("good", f"{path}: configuration of project {config.project}"), *_project(config)]


def _installation() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("good" if fits else "bad", f"Python {version}", "" if fits else "Use Python 3.11, 3.12 or 3.13.")
    versions = {name: importlib.metadata.version(name) for name in _NEEDED}
    yield Finding("good", ", ".join(f"{name} {version}" for name, version in versions.items()))
    yield _fastapi(versions["prefect"])
    for name in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY"):
        if os.environ.get(name, "true").lower() != "true":
            yield Finding(
                "odd", f"{name} is not 'true': MLflow or Prefect may call outside", f"Unset it, or {name}=true."
            )


def _fastapi(prefect: str) -> Finding:
    """Check the pair that pip calls compatible and that breaks on the first flow."""
    fastapi = importlib.metadata.version("fastapi")
    breaks = _numbers(prefect) < (3, 9) and not (0, 139) <= _numbers(fastapi) < (0, 151)
    hint = "Install fastapi>=0.139,<0.151." if breaks else ""
    return Finding("bad" if breaks else "good", f"Prefect {prefect} with FastAPI {fastapi}", hint)


def _project(config: Config) -> Iterator[Finding]:
    for name, folder in (("data", config.data_path), ("models", config.models_path), ("out", config.out_path)):
        yield _writable(name, folder)
    for table in ("leads", "interactions", "outcomes", "consents"):
        for source in getattr(config.sources, table):
            for pattern in source.files:
                found = _matches(config.root, pattern)
                hint = "" if found else "Check `files`, relative to the configuration's folder."
                count = "1 file" if found == 1 else f"{found} files"
                yield Finding("good" if found else "bad", f"{table}: {pattern}: {count}", hint)
    yield from _own_families(config)
    if (config.root / "mlruns").exists():
        yield Finding("odd", f"{config.root / 'mlruns'}: a file store that MLflow no longer reads", "Move it away.")
    yield from _store(config)


def _own_families(config: Config) -> Iterator[Finding]:
    from leadscore.features.own import load_own  # noqa: PLC0415 - as in `_store`

    try:
        families = load_own(config)
    except LeadscoreError as error:
        yield Finding("bad", error.message, error.hint)
        return
    for family in families.values():
        yield Finding("good", f"{family.file.path}: family {family.NAME} keeps what every family promises")


def _matches(root: Path, pattern: str) -> int:
    path = Path(pattern)
    if path.is_absolute():
        return len(list(Path(path.anchor).glob(str(path.relative_to(path.anchor)))))
    return len(list(root.glob(pattern))) if not pattern.startswith("..") else len(list(_outside(root, path)))


def _outside(root: Path, path: Path) -> Iterator[Path]:
    """Follow a pattern that begins above the project."""
    ups = next(number for number, part in enumerate(path.parts) if part != "..")
    start = root.resolve()
    for _ in range(ups):
        start = start.parent
    return start.glob(str(Path(*path.parts[ups:])))


def _writable(name: str, folder: Path) -> Finding:
    place = next(parent for parent in (folder, *folder.resolve().parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding("bad", f"{name}: {folder} cannot be written to ({error.strerror})", "Name another folder.")
    free = shutil.disk_usage(place).free
    if free < _ROOM:
        return Finding("odd", f"{name}: {folder} has {free / 2**20:.0f} MiB left", "Free some space.")
    return Finding("good", f"{name}: {folder} can be written to, {free / 2**30:.0f} GiB free")


def _store(config: Config) -> Iterator[Finding]:
    from leadscore.store.lake import open_or_plan_lake  # noqa: PLC0415 - a broken installation must still be told

    try:
        lake = open_or_plan_lake(config)
    except LeadscoreError as error:
        yield Finding("bad", error.message, error.hint)
        return
    if not lake.tables:
        yield Finding("odd", f"{config.data}: there is no store yet.", "Run `leadscore ingest` first.")
        return
    told = ", ".join(f"{name} v{version}" for name, version in lake.versions().items())
    yield Finding("good", f"store: {told}")


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
