"""How time and memory grow: ours alone, at growing numbers of events, with twelve snapshots and with one.

Run it as `make bench-scale SIZES="1000000 3000000 10000000" JSON=scale.json PLOT=scale.svg`. Memory follows the
bucket, so the store is given more buckets as it grows, of as many events each.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from features.generate import generate
from features.question import COLUMNS, months
from features.run import OURS, SNAPSHOTS, machine, run_one

BLUE, ORANGE = "#0072b2", "#d55e00"  # Okabe and Ito


def main() -> None:
    """Measure, print a table, and write JSON and a picture if asked to."""
    options = _options()
    for file in filter(None, (options.json, options.plot)):  # made first: nothing measured is lost for want of a folder
        file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-scale-", dir=options.folder) as folder:
        points = [measure(Path(folder), size, options.repeats) for size in sorted(options.sizes)]
    result = summary(points)
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if options.plot:
        draw(result, options.plot)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="a .svg or .png file")
    parser.add_argument("--folder", type=Path, help="where the worlds are made; a temporary folder if not given")
    return parser.parse_args()


def measure(folder: Path, events: int, repeats: int) -> dict[str, Any]:
    """Make a world, answer for twelve snapshots and for one in turns, keep the best of each, and take it away."""
    world = folder / f"world-{events}"
    lake = generate(world, events)
    runs: dict[int, list[dict[str, Any]]] = {SNAPSHOTS: [], 1: []}
    for _ in range(repeats):
        for snapshots, told in runs.items():
            told.append(run_one(OURS, world, lake, months(snapshots)))
    size = sum(file.stat().st_size for file in (world / "interactions").rglob("*.parquet"))
    shutil.rmtree(world)
    return {
        "events": events,
        "buckets": lake.buckets,
        "store_mib": size / 2**20,
        "seconds": min(told["seconds"] for told in runs[SNAPSHOTS]),
        "seconds_one_snapshot": min(told["seconds"] for told in runs[1]),
        "peak_mib": max(told["peak_mib"] for told in runs[SNAPSHOTS]),
    }


def summary(points: list[dict[str, Any]]) -> dict[str, Any]:
    """Fit seconds = a x events^exponent (least squares of the logarithms), and compare twelve snapshots with one."""
    events, seconds = (np.array([point[name] for point in points], float) for name in ("events", "seconds"))
    fitted = np.polyfit(np.log(events), np.log(seconds), 1) if len(points) > 1 else [None, None]
    return {
        "snapshots": SNAPSHOTS,
        "features": len(COLUMNS),
        "exponent": None if fitted[0] is None else float(fitted[0]),
        "twelve_to_one": {str(point["events"]): point["seconds"] / point["seconds_one_snapshot"] for point in points},
        "peak_mib": max(point["peak_mib"] for point in points),
        "points": points,
        "machine": machine(),
    }


def table(result: dict[str, Any]) -> str:
    """Write the figures as a Markdown table."""
    lines = [
        "| events | buckets | store MiB | seconds | seconds, 1 snapshot | peak MiB |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {point['events']:,} | {point['buckets']} | {point['store_mib']:,.0f} | {point['seconds']:.2f} "
        f"| {point['seconds_one_snapshot']:.2f} | {point['peak_mib']:,.0f} |"
        for point in result["points"]
    ]
    if result["exponent"] is not None:
        lines += ["", f"Time grows as events^{result['exponent']:.3f}."]
    return "\n".join(lines)


def draw(result: dict[str, Any], target: Path) -> None:
    """Draw time and memory over events, both axes logarithmic."""
    points = result["points"]
    events = [point["events"] for point in points]
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.loglog(events, [point["seconds"] for point in points], "o-", color=BLUE, label=f"{SNAPSHOTS} snapshots")
    left.loglog(events, [point["seconds_one_snapshot"] for point in points], "s--", color=ORANGE, label="1 snapshot")
    left.set(xlabel="events", ylabel="seconds", title="Time, store to Parquet")
    left.legend(frameon=False)
    right.semilogx(events, [point["peak_mib"] for point in points], "o-", color=BLUE)
    right.set(xlabel="events", ylabel="MiB", title="Peak memory of the process", ylim=(0, None))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    # Without a date, the same figures give the same file.
    figure.savefig(target, dpi=150, metadata={"Date": None} if target.suffix == ".svg" else {"Software": None})


if __name__ == "__main__":
    main()
