"""What training costs beside `lightgbm.train` alone on the same matrix and parameters, and how much memory it takes.

Run it as `python benchmarks/bench_training.py [--rows N …] [--features N] [--repeats N] [--json FILE]`. The matrix is
drawn from a fixed seed: counts that are mostly zero, ages and values that are often missing, flags; three outputs, the
later ones closed on fewer rows. Each run is a process of its own, so that its peak is its own. LightGBM alone is given
the rows as they are stacked for it, and must arrive at the very same trees; of several runs the fastest counts. What
stands apart (the members, the guard, what judging at one rolling origin takes) is timed at the smallest size.
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
from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix
from leadscore.labels import Labels
from leadscore.model import train
from leadscore.model.base import Base, Floats
from leadscore.model.baselines import Lesson, fit_predict_all
from leadscore.model.fitted import Fitted
from leadscore.model.guard import Evidence, examine
from leadscore.model.shape import SHAPES, Shape, lessons
from leadscore.model.train import Examples, fit_matrix, penalties, stack, tree_parameters
from leadscore.timeline import DAY

LIMIT_RATIO, LIMIT_GIB = 1.5, 8.0
SHARES = (1.0, 0.95, 0.85)  # of the rows, on which each interval has closed
COLUMNS = ("snapshots", "stacked rows", "`lightgbm.train` alone", "our trees", "ratio", "base", "whole fit")
PEAKS = ("peak, LightGBM alone", "peak")
SETTINGS = Model()


def main() -> None:
    """Measure each size, print tables in Markdown, and write JSON if asked to."""
    options = _options()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options)))
        return
    sizes = [measure(rows, options) for rows in sorted(options.rows)]
    with tempfile.TemporaryDirectory(prefix="bench-training-") as folder:
        apart = _run("apart", min(options.rows), options, folder)
    print(table(sizes, apart, options.features))
    if options.json:
        found = {"features": options.features, "sizes": sizes, "apart": apart}
        options.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--features", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=["ours", "alone", "apart"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(rows: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run ours and LightGBM alone in turn, each in a process of its own: the fewest seconds, the smallest peaks."""
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "alone": []}
    with tempfile.TemporaryDirectory(prefix="bench-training-") as folder:
        for _ in range(options.repeats):
            for part, told in runs.items():
                told.append(_run(part, rows, options, folder))
    least = {part: {key: min(run[key] for run in told) for key in told[0]} for part, told in runs.items()}
    return {"rows": rows, **least}


def _run(part: str, rows: int, options: argparse.Namespace, folder: str) -> dict[str, float]:
    words = ["--child", part, "--rows", str(rows), "--features", str(options.features), "--folder", folder]
    ended = subprocess.run(  # noqa: S603 - this file, again
        [sys.executable, __file__, *words],
        env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},  # as `leadscore` sets it
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(ended.stdout)
    return told


# ---- in a process of its own ---------------------------------------------------------------------------------------


def draw(rows: int, features: int) -> tuple[Matrix, Labels]:
    """Draw a matrix and its labels: one row per snapshot, oldest first."""
    chance = np.random.default_rng(1)
    matrix = np.empty((rows, features), np.float32)
    for place in range(features):
        matrix[:, place] = _column(chance, rows, place)
    leaning = np.nan_to_num(np.log1p(np.abs(matrix[:, :10]))) @ chance.normal(0, 0.4, 10)
    hits = chance.random((rows, 3)) < 1 / (1 + np.exp(4 - leaning[:, None]))
    so_far = np.cumsum(hits, axis=1)
    matured = chance.random(rows)[:, None] < SHARES
    return matrix, Labels(so_far > 0, matured, hits & (so_far == 1), matured & (so_far - hits == 0))


def _column(chance: np.random.Generator, rows: int, place: int) -> Any:
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
    matrix, labels = draw(options.rows[0], options.features)
    seconds: dict[str, float] = {}
    with clocked(train, ("fit_base", "stack", "fit_trees"), seconds):
        started = time.perf_counter()
        fitted = _fit(matrix, labels)
        seconds["all"] = time.perf_counter() - started
    (options.folder / "base.json").write_text(json.dumps(fitted.base.to_dict()), "utf-8")
    (options.folder / "trees.txt").write_text(fitted.trees, "utf-8")
    return {**seconds, "peak": peak()}


def fit_alone(options: argparse.Namespace) -> dict[str, float]:
    """Call LightGBM as it is, on rows already stacked, with the same margins and parameters: the same trees."""
    matrix, labels = draw(options.rows[0], options.features)
    hits, teaches = lessons(labels, "hazard")
    rows = [np.flatnonzero(column) for column in teaches.T]
    stacked = stack(matrix, rows)
    label = np.concatenate([hits[of, number] for number, of in enumerate(rows)]).astype(np.float64)
    margins = Base.from_dict(json.loads((options.folder / "base.json").read_text("utf-8"))).margins(matrix)
    start = np.concatenate([margins[of, number] for number, of in enumerate(rows)])
    del matrix, margins
    started = time.perf_counter()
    names = [f"f{number}" for number in range(stacked.shape[1])]
    data = lgb.Dataset(stacked, label=label, init_score=start, feature_name=names)
    booster = lgb.train(tree_parameters(SETTINGS, len(stacked), 1), data, num_boost_round=SETTINGS.trees)
    text = booster.model_to_string(num_iteration=-1)
    seconds = time.perf_counter() - started
    assert text == (options.folder / "trees.txt").read_text("utf-8"), "not the same trees"
    return {"train": seconds, "peak": peak(), "stacked_rows": len(stacked)}


def measure_apart(options: argparse.Namespace) -> dict[str, float]:
    """Time what stands beside one fit: the members, the guard, and what is fitted and judged at one rolling origin."""
    matrix, labels = draw(options.rows[0], options.features)
    examples = _examples(matrix, labels)
    stretch = np.arange(len(matrix)) * SETTINGS.members // len(matrix)
    past = examples.take(np.flatnonzero(stretch < SETTINGS.members - 1))
    cohort = matrix[-len(matrix) // 20 :]
    features = [_feature(place) for place in range(options.features)]
    lesson = Lesson(
        simple=past.simple,
        matrix=past.matrix,
        skewed=_skewed(options.features),
        labels=past.labels,
        weight=past.weight,
        parameters=tree_parameters(SETTINGS, len(past), 1),
        trees=SETTINGS.trees,
    )

    def fit_members() -> None:
        for number in range(SETTINGS.members):
            left = examples.take(np.flatnonzero(stretch != number))
            _fit(left.matrix, left.labels)

    def judge_both() -> None:
        for shape in SHAPES:
            _fit(past.matrix, past.labels, shape).readiness(cohort)

    calls: dict[str, Callable[[], Any]] = {
        "members": fit_members,
        "guard": lambda: examine(Evidence(), features, examples),
        "origin": judge_both,
        "baselines": lambda: fit_predict_all(lesson, past.simple[: len(cohort)], cohort),
    }
    return {name: _seconds(call) for name, call in calls.items()} | {"peak": peak()}


CHILDREN: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "ours": fit_ours,
    "alone": fit_alone,
    "apart": measure_apart,
}


def _fit(matrix: Matrix, labels: Labels, shape: Shape = "hazard") -> Fitted:
    taught, weight = lessons(labels, shape), np.ones(len(matrix))
    free, skewed = np.zeros(matrix.shape[1], np.int8), _skewed(matrix.shape[1])
    penalty = penalties(taught, weight, np.arange(len(matrix)).astype(object), SETTINGS.base_l2)
    return fit_matrix(matrix, taught, weight, skewed, free, penalty, SETTINGS, shape, 1)


def _skewed(features: int) -> Any:
    return np.array([not 14 <= place % 20 < 18 for place in range(features)])


def _examples(matrix: Matrix, labels: Labels) -> Examples:
    """Ten snapshots a lead, a year of days; for simple inputs, the first of the features."""
    rows = np.arange(len(matrix))
    lead_id = np.array([f"lead {number}" for number in rows // 10], dtype=object)
    simple: Floats = np.nan_to_num(matrix[:, :30]).astype(np.float32)
    return Examples(lead_id, rows * 365 // len(rows) * DAY, matrix, simple, labels, np.ones(len(rows)))


def _feature(place: int) -> Feature:
    words = {"en": "{value}", "fr": "{value}"}
    return Feature(f"f{place}", "volume", f"concept{place}", "amount", "missing", words, words)


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


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


def table(sizes: list[dict[str, Any]], apart: dict[str, float], features: int) -> str:
    """Draw a line per size, say how that stands to what is promised, and what stands apart."""
    columns = (*COLUMNS, *PEAKS)
    smallest, largest = sizes[0], sizes[-1]
    promised = (
        f"Promised: a ratio of at most {LIMIT_RATIO}, here {max(map(ratio, sizes)):.2f}; at most {LIMIT_GIB:.0f} GiB, "
        f"here {largest['ours']['peak']:.2f} at {largest['rows']:,} snapshots."
    )
    beside = (
        f"Apart, at {smallest['rows']:,} snapshots: {SETTINGS.members} members {apart['members']:.1f} s; the guard "
        f"{apart['guard']:.1f} s; at one rolling origin, with three quarters of the rows, both shapes of the curve "
        f"{apart['origin']:.1f} s and the baselines {apart['baselines']:.1f} s."
    )
    lines = [
        f"{features} features, {os.cpu_count()} cores; seconds, and the peak of the process in GiB.",
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---:|' * len(columns)}",
        *map(_line, sizes),
    ]
    return "\n".join([*lines, "", promised, "", beside])


def ratio(size: dict[str, Any]) -> float:
    """Stacking and fitting our way, over LightGBM alone."""
    return float((size["ours"]["stack"] + size["ours"]["fit_trees"]) / size["alone"]["train"])


def _line(size: dict[str, Any]) -> str:
    ours, alone = size["ours"], size["alone"]
    counts = (f"{size['rows']:,}", f"{alone['stacked_rows']:,.0f}")
    seconds = (alone["train"], ours["stack"] + ours["fit_trees"])
    fits = (*(f"{value:.1f}" for value in seconds), f"{ratio(size):.2f}")
    rest = (f"{ours['fit_base']:.1f}", f"{ours['all']:.1f}", f"{alone['peak']:.2f}", f"{ours['peak']:.2f}")
    return f"| {' | '.join((*counts, *fits, *rest))} |"


if __name__ == "__main__":
    main()
