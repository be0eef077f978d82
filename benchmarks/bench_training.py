"""What training costs beside `lightgbm.train` alone on the same matrix and parameters, and how much memory it takes.

Run it as `python benchmarks/bench_training.py [--rows N …] [--features N] [--repeats N] [--members N] [--json FILE]`.
The matrix is drawn from a fixed seed: counts that are mostly zero, ages and values that are often missing, flags; three
outputs, the later ones closed on fewer rows. Each run is a process of its own, so that its peak is its own; LightGBM
alone is given the rows as they are stacked for it, and must arrive at the very same trees. Of several runs the fastest
counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from leadscore.config import Model
from leadscore.features.view import Matrix
from leadscore.labels import Flags
from leadscore.model import train
from leadscore.model.base import Base, Floats
from leadscore.model.fitted import Fitted
from leadscore.model.train import fit_matrix, penalties, stack, tree_parameters

LIMIT_RATIO, LIMIT_GIB = 1.5, 8.0
COLUMNS = (
    *("snapshots", "stacked rows", "`lightgbm.train` alone", "our trees", "ratio", "base", "whole fit"),
    *("peak, alone", "peak", "members", "peak"),
)
SHARES = (1.0, 0.95, 0.85)  # of the rows, on which each interval has closed


def main() -> None:
    """Measure each size, print a table in Markdown, and write JSON if asked to."""
    options = _options()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options)))
        return
    found = [measure(rows, options) for rows in options.rows]
    print(table(found, options.features))
    if options.json:
        options.json.write_text(json.dumps({"features": options.features, "sizes": found}, indent=2) + "\n", "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--features", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--members", type=int, default=4, help="as many as model.members; 0 leaves them out")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=["ours", "alone", "members"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(rows: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run each part in processes of its own, one after the other in turn: {part: seconds, and its peak in GiB}."""
    with tempfile.TemporaryDirectory(prefix="bench-training-") as folder:
        runs: dict[str, list[dict[str, float]]] = {"ours": [], "alone": []}
        for _ in range(options.repeats):
            for part, told in runs.items():
                told.append(_run(part, rows, options, folder))
        members = _run("members", rows, options, folder) if options.members else {}
    fastest = {part: {key: min(run[key] for run in told) for key in told[0]} for part, told in runs.items()}
    return {"rows": rows, **fastest, "members": members}


def _run(part: str, rows: int, options: argparse.Namespace, folder: str) -> dict[str, float]:
    words = ["--child", part, "--rows", str(rows), "--features", str(options.features), "--folder", folder]
    ended = subprocess.run(  # noqa: S603 - this file, again
        [sys.executable, __file__, *words, "--members", str(options.members)],
        env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},  # as `leadscore` sets it
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(ended.stdout)
    return told


# ---- in a process of its own ---------------------------------------------------------------------------------------


def draw(rows: int, features: int) -> tuple[Matrix, tuple[Flags, Flags]]:
    """Draw the matrix, and what each output is taught by which rows; one snapshot a row."""
    chance = np.random.default_rng(1)
    matrix = np.empty((rows, features), np.float32)
    for place in range(features):
        matrix[:, place] = _column(chance, rows, place)
    leaning = np.nan_to_num(np.log1p(np.abs(matrix[:, :10]))) @ chance.normal(0, 0.4, 10)
    hits = chance.random((rows, 3)) < 1 / (1 + np.exp(4 - leaning[:, None]))
    first = hits & (np.cumsum(hits, axis=1) == 1)
    open_still = np.cumsum(hits, axis=1) - hits == 0
    return matrix, (first, np.asarray((chance.random(rows)[:, None] < SHARES) & open_still))


def _column(chance: np.random.Generator, rows: int, place: int) -> Floats | Flags:
    """Draw a feature: of twenty, nine are counts, five ages, four flags, two warmths."""
    kind = place % 20
    if kind < 9:
        return chance.poisson(3, rows) * (chance.random(rows) < 0.05 + 0.05 * kind)
    if kind < 14:
        return np.where(chance.random(rows) < 0.1 * (kind - 8), np.nan, chance.exponential(30, rows))
    if kind < 18:
        return chance.random(rows) < 0.02 * 4 ** (kind - 14)
    return chance.lognormal(0, 1.5, rows)


def fit_ours(options: argparse.Namespace) -> dict[str, float]:
    """Fit base and trees as training does; leave them for who comes after."""
    matrix, taught = draw(options.rows[0], options.features)
    seconds: dict[str, float] = {}
    with clocked(train, ("fit_base", "stack", "fit_trees"), seconds):
        started = time.perf_counter()
        fitted = _fit(matrix, taught)
        seconds["all"] = time.perf_counter() - started
    (options.folder / "base.json").write_text(json.dumps(fitted.base.to_dict()), "utf-8")
    (options.folder / "trees.txt").write_text(fitted.trees, "utf-8")
    return {**seconds, "peak": peak()}


def fit_alone(options: argparse.Namespace) -> dict[str, float]:
    """Call LightGBM as it is, on rows already stacked, with the same margins and parameters: the same trees."""
    matrix, (hits, teaches) = draw(options.rows[0], options.features)
    rows = [np.flatnonzero(column) for column in teaches.T]
    stacked = stack(matrix, rows)
    label = np.concatenate([hits[of, number] for number, of in enumerate(rows)]).astype(np.float64)
    margins = Base.from_dict(json.loads((options.folder / "base.json").read_text("utf-8"))).margins(matrix)
    start = np.concatenate([margins[of, number] for number, of in enumerate(rows)])
    del matrix
    started = time.perf_counter()
    names = [f"f{number}" for number in range(stacked.shape[1])]
    data = lgb.Dataset(stacked, label=label, init_score=start, feature_name=names)
    booster = lgb.train(tree_parameters(Model(), len(stacked), 1), data, num_boost_round=Model().trees)
    text = booster.model_to_string(num_iteration=-1)
    seconds = time.perf_counter() - started
    assert text == (options.folder / "trees.txt").read_text("utf-8"), "not the same trees"
    return {"train": seconds, "peak": peak(), "stacked_rows": len(stacked)}


def fit_members(options: argparse.Namespace) -> dict[str, float]:
    """Fit the recipe anew without each stretch of the past."""
    matrix, (hits, teaches) = draw(options.rows[0], options.features)
    stretch = np.arange(len(matrix)) * options.members // len(matrix)
    started = time.perf_counter()
    for number in range(options.members):
        left = np.flatnonzero(stretch != number)
        _fit(matrix[left], (hits[left], teaches[left]))
    return {"all": time.perf_counter() - started, "peak": peak()}


CHILDREN: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "ours": fit_ours,
    "alone": fit_alone,
    "members": fit_members,
}


def _fit(matrix: Matrix, taught: tuple[Flags, Flags]) -> Fitted:
    settings, weight = Model(), np.ones(len(matrix))
    lead_id = np.arange(len(matrix)).astype(object)
    skewed = np.array([place % 20 < 14 or place % 20 >= 18 for place in range(matrix.shape[1])])
    free = np.zeros(matrix.shape[1], np.int8)
    penalty = penalties(taught, weight, lead_id, settings.base_l2)
    return fit_matrix(matrix, taught, weight, skewed, free, penalty, settings, "hazard", 1)


@contextmanager
def clocked(module: Any, names: tuple[str, ...], seconds: dict[str, float]) -> Iterator[None]:
    """Time functions of a module while it goes on as ever."""
    before = {name: getattr(module, name) for name in names}

    def timed(name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            started = time.perf_counter()
            try:
                return before[name](*arguments)
            finally:
                seconds[name] = time.perf_counter() - started

        return call

    for name in names:
        setattr(module, name, timed(name))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(module, name, function)


def peak() -> float:
    """Return the most memory this process ever held, in GiB (Linux: VmHWM)."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 2**20 for line in lines if line.startswith("VmHWM"))


# ---- what was found ------------------------------------------------------------------------------------------------


def table(found: list[dict[str, Any]], features: int) -> str:
    """Draw the table, a size a line, and say how it stands to what is promised."""
    lines = [
        f"Training on {features} features, {os.cpu_count()} cores; seconds, and the peak of the process in GiB.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---:|' * len(COLUMNS)}",
    ]
    lines += [_line(size) for size in found]
    largest = found[-1]
    most = max(largest["ours"]["peak"], largest["members"].get("peak", 0.0))
    promised = (
        f"Promised: a ratio of {LIMIT_RATIO} at most, here {max(map(ratio, found)):.2f}; {LIMIT_GIB:.0f} GiB at most, "
        f"here {most:.2f} at {largest['rows']:,} snapshots."
    )
    return "\n".join([*lines, "", promised])


def ratio(size: dict[str, Any]) -> float:
    """Stacking and fitting our way, over LightGBM alone."""
    return float((size["ours"]["stack"] + size["ours"]["fit_trees"]) / size["alone"]["train"])


def _line(size: dict[str, Any]) -> str:
    ours, alone, members = size["ours"], size["alone"], size["members"]
    cells = [
        f"{size['rows']:,}",
        f"{alone['stacked_rows']:,.0f}",
        f"{alone['train']:.1f}",
        f"{ours['stack'] + ours['fit_trees']:.1f}",
        f"{ratio(size):.2f}",
        f"{ours['fit_base']:.1f}",
        f"{ours['all']:.1f}",
        f"{alone['peak']:.2f}",
        f"{ours['peak']:.2f}",
        f"{members['all']:.1f}" if members else "–",
        f"{members['peak']:.2f}" if members else "–",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
