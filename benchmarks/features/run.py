"""Time leadscore's features against Polars, DuckDB, pandas, Featuretools and getML, in one run, values verified.

Run it as `make bench-features EVENTS=10000000 JSON=bench.json`. Everybody gets the same files and question (see
`question.py`), in a process of its own, in turns, the best of `--repeats` counts. Whoever cannot stand the full size
in reasonable time gets a smaller world and is compared by rate: rows x features per second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from features.compare import ABSOLUTE, RELATIVE, differences
from features.generate import files_per_bucket, generate
from features.question import CODEC, COLUMNS, Task, months, write_task
from leadscore.store.lake import Lake

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
SNAPSHOTS = 12
LONGEST = 1800  # seconds for one answer


@dataclass(frozen=True)
class Contestant:
    """Who competes: a module that answers, whether it lives in the peers' environment, and the most events it gets."""

    name: str
    module: str
    is_peer: bool = False
    largest: int = sys.maxsize


OURS = Contestant("ours", "features.ours")
CONTESTANTS = (
    OURS,
    Contestant("polars", "features.peers.polars_", is_peer=True),
    Contestant("polars_arrays", "features.peers.polars_arrays", is_peer=True),
    Contestant("duckdb", "features.peers.duckdb_"),
    Contestant("pandas", "features.peers.pandas_", largest=1_000_000),
    Contestant("featuretools", "features.peers.featuretools_", is_peer=True, largest=20_000),
    Contestant("getml", "features.peers.getml_", is_peer=True, largest=20_000),
)


class Failed(Exception):  # noqa: N818 - a sentence in the result, not an error of ours
    """A contestant could not answer; the message says why."""


def main() -> None:
    """Measure, print a table, and write everything as JSON if asked to."""
    options = _options()
    chosen = [one for one in CONTESTANTS if one.name in options.only or one is OURS]
    if options.json:  # made first: what took an hour to measure is not lost for want of a folder
        options.json.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-features-", dir=options.folder) as folder:
        result = measure(Path(folder), chosen, options.events, options.repeats)
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if not result["values_equal"]:
        sys.exit("error: the answers are not the same; see `differences`")


def _options() -> argparse.Namespace:
    names = [one.name for one in CONTESTANTS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--folder", type=Path, help="where the worlds are made; the system's temporary folder if not given"
    )
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="ours always takes part")
    return parser.parse_args()


def measure(folder: Path, contestants: Iterable[Contestant], events: int, repeats: int) -> dict[str, Any]:
    """Let everybody answer at the largest size they stand; ours at every size."""
    contestants = list(contestants)
    sizes = sorted({min(one.largest, events) for one in contestants}, reverse=True)
    figures: dict[str, dict[str, Any]] = {}
    ours: dict[int, dict[str, Any]] = {}
    unmeasured: dict[str, str] = {}
    for size in sizes:
        group = [one for one in contestants if one is OURS or min(one.largest, events) == size]
        world = folder / f"world-{size}"
        lake = generate(world, size)
        told = _in_turns(world, lake, group, repeats, unmeasured)
        ours[size] = told.pop("ours")
        figures |= told
        if size == sizes[-1]:
            compiling = _compile_seconds(world, lake)
        shutil.rmtree(world)
    return _summary(figures, ours, unmeasured, events) | {"compile_seconds": compiling}


def _in_turns(
    world: Path, lake: Lake, group: list[Contestant], repeats: int, unmeasured: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Let each of a group answer, `repeats` times in turns; compare every answer with ours, the first of the turn."""
    told: dict[str, list[dict[str, Any]]] = {one.name: [] for one in group}
    for _ in range(repeats):
        for one in group:
            if one.name in unmeasured:
                continue
            try:
                told[one.name].append(run_one(one, world, lake, months(SNAPSHOTS)))
            except Failed as failure:
                if one is OURS:
                    raise
                unmeasured[one.name] = str(failure)
                continue
            if one is not OURS:
                columns = told[one.name][-1].get("columns", COLUMNS)
                told[one.name][-1]["differences"] = differences(world / "ours", world / one.name, columns)
                shutil.rmtree(world / one.name)
    n_leads = lake.tables["leads"].count()
    return {name: _best(runs, n_leads) for name, runs in told.items() if runs}


def run_one(
    one: Contestant, world: Path, lake: Lake, as_of: list[int], environment: Mapping[str, str] = {}
) -> dict[str, Any]:
    """Let one contestant answer once, in a process of its own; the answer is left in `world`.

    Raises:
        Failed: there is no such environment, or the process ended badly; with its last words.
    """
    python = PEERS if one.is_peer else Path(sys.executable)
    if not python.exists():
        raise Failed("the peers' environment is not here; `make bench-features` makes it")
    out = world / one.name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    files = list(files_per_bucket(lake))
    task = Task(str(world), lake.buckets, files, lake.uris("leads"), as_of, str(out))
    write_task(task, world / "task.json")
    command = [str(python), "-W", "ignore", "-m", one.module, str(world / "task.json"), str(world / "told.json")]
    try:
        ended = subprocess.run(  # noqa: S603 - our own modules
            command, cwd=ROOT / "benchmarks", capture_output=True, text=True, check=False, timeout=LONGEST,
            env={**os.environ, **environment},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failed(f"no answer within {LONGEST} s") from None
    if ended.returncode:
        lines = ended.stderr.strip().splitlines()
        raise Failed(lines[-1] if lines else f"ended with {ended.returncode}")
    told: dict[str, Any] = json.loads((world / "told.json").read_text(encoding="utf-8"))
    return told


def _compile_seconds(world: Path, lake: Lake) -> float:
    """Time the warm-up where no machine code is kept from before."""
    with tempfile.TemporaryDirectory() as empty:
        return float(run_one(OURS, world, lake, months(SNAPSHOTS), {"NUMBA_CACHE_DIR": empty})["warm_up_seconds"])


def _best(runs: list[dict[str, Any]], n_leads: int) -> dict[str, Any]:
    """Sum up the runs of one contestant at one size: the fastest, the most memory, every difference."""
    fastest = min(runs, key=lambda run: float(run["seconds"]))
    n_features = int(fastest.get("features_made", len(COLUMNS)))
    rows = n_leads * SNAPSHOTS
    return {
        "version": fastest["version"],
        "rows": rows,
        "features": n_features,
        "columns_verified": len(fastest.get("columns", COLUMNS)),
        "seconds": fastest["seconds"],
        "cpu_seconds": min(run["cpu_seconds"] for run in runs),
        "seconds_of_each": [run["seconds"] for run in runs],
        "load_seconds": min(run["warm_up_seconds"] for run in runs),
        "rate": rows * n_features / fastest["seconds"],
        "peak_mib": max(run["peak_mib"] for run in runs),
        "differences": {name: rows for run in runs for name, rows in run.get("differences", {}).items()},
    }


def _summary(
    figures: dict[str, dict[str, Any]], ours: dict[int, dict[str, Any]], unmeasured: dict[str, str], events: int
) -> dict[str, Any]:
    """Put all figures together; a ratio is how many times ours is as fast, by rate, at its own full size."""
    full = ours[max(ours)]
    largest = {one.name: min(one.largest, events) for one in CONTESTANTS}
    for name, told in figures.items():
        told["events"] = largest[name]
        told["ratio"] = full["rate"] / told["rate"]
        told["ratio_same_size"] = ours[largest[name]]["rate"] / told["rate"]
    return {
        "events": events,
        "leads": full["rows"] // SNAPSHOTS,
        "snapshots": SNAPSHOTS,
        "features": len(COLUMNS),
        "ours_seconds": full["seconds"],
        **{f"{name}_seconds": told["seconds"] for name, told in figures.items()},
        **{f"ratio_{name}": told["ratio"] for name, told in figures.items()},
        "values_equal": not any(told["differences"] for told in figures.values()),
        "tolerance": {"relative": RELATIVE, "absolute": ABSOLUTE},
        "peak_mib": full["peak_mib"],
        "load_seconds": full["load_seconds"],
        "codec": CODEC,
        "contestants": {"ours": full | {"events": events}, **figures},
        "ours_by_size": {str(size): told for size, told in ours.items()},
        "not_measured": unmeasured,
        "machine": machine(),
        "versions": {name: version(name) for name in ("numba", "numpy", "pyarrow", "deltalake")},
    }


def machine() -> dict[str, Any]:
    """Describe this machine."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text(encoding="utf-8")) if info.exists() else None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": found[1] if found else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def table(result: Mapping[str, Any]) -> str:
    """Write the figures as a Markdown table."""
    lines = [
        "| | version | events | seconds | rows x features per second | peak MiB | ours is faster by | same size |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, told in result["contestants"].items():
        ratios = f"{told['ratio']:.1f} | {told['ratio_same_size']:.1f}" if "ratio" in told else "|"
        lines.append(
            f"| {name} | {told['version']} | {told['events']:,} | {told['seconds']:.2f} | {told['rate']:,.0f} "
            f"| {told['peak_mib']:,.0f} | {ratios} |"
        )
    lines.append("")
    lines += [f"{name}: not measured: {reason}" for name, reason in result["not_measured"].items()]
    lines += [
        f"{name}: DIFFERS in {column}, {rows:,} rows"
        for name, told in result["contestants"].items()
        for column, rows in told["differences"].items()
    ]
    lines += [
        f"Values equal: {result['values_equal']}.",
        f"Not counted: compiling once {result['compile_seconds']:.1f} s, loading {result['load_seconds']:.1f} s.",
        " · ".join(f"{name}: {value}" for name, value in result["machine"].items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
