"""What reasons cost beside LightGBM's own `pred_contrib` on the same leads.

`python benchmarks/bench_reasons.py [--leads N …] [--repeats N] [--leaves N]`: a simulated company is learned once;
snapshots of its past are repeated up to so many leads, values jittered. LightGBM is asked once for the contributions to
one output. Ours are weighed, picked, and said in words, three per lead, from trees just read and by a speaker who said
nothing before. Weighing alone is told, too, and what one more output costs where trees tell outputs apart. Ends with 1
where reasons take longer than promised.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from leadscore import steps
from leadscore.config import Config, read_config
from leadscore.features.view import Matrix
from leadscore.model.bundle import Bundle
from leadscore.model.fitted import with_output
from leadscore.model.learn import choose_shape, finish, fit, gather
from leadscore.runtime import configure
from leadscore.scoring.reasons import Speaker
from leadscore.scoring.score import N_REASONS
from leadscore.simulate import export, simulate
from leadscore.timeline import to_microseconds

LIMIT = 1.1


def main() -> int:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--leads", type=int, nargs="+", default=[30_000, 100_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--leaves", type=int, help="leaves of each tree; as configured when not given")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle, config, matrix, facts = _learned(Path(folder), max(asked.leads), asked.leaves)
    trees, apart = bundle.model.booster.num_trees(), bundle.model.tells_outputs_apart
    print(f"{matrix.shape[1]} features, {config.rank_index + 1} outputs{' told apart' * apart}, {trees} trees\n")
    print("| leads | `pred_contrib`, one output | reasons, in words | ratio | weighed | one more output |")
    print("|---:|---:|---:|---:|---:|---:|")
    ratios = [_measure(bundle, config, matrix[:leads], facts[:leads], asked.repeats) for leads in asked.leads]
    print(f"\nPromised: a ratio of at most {LIMIT}; here at most {max(ratios):.2f}.")
    return int(max(ratios) > LIMIT)


def _measure(bundle: Bundle, config: Config, matrix: Matrix, facts: Matrix, repeats: int) -> float:
    """Print seconds, and return the ratio of ours to LightGBM's."""

    def ours() -> None:
        speaker = Speaker(replace(bundle, model=replace(bundle.model)), "fr")
        speaker.reasons(speaker.weigh(matrix, config.rank_index), matrix, facts, N_REASONS)

    runs: dict[str, Callable[[], object]] = {
        "alone": lambda: bundle.model.booster.predict(with_output(matrix, 0), pred_contrib=True),
        "ours": ours,
        "weighed": lambda: Speaker(bundle, "fr").weigh(matrix, config.rank_index),
        "more": lambda: bundle.model.shapley(matrix, 1),
    }
    seconds = {name: min(_timed(run) for _ in range(repeats)) for name, run in runs.items()}
    ratio = seconds["ours"] / seconds["alone"]
    alone, reasons, weighed, more = (f"{seconds[name]:.2f} s" for name in runs)
    print(f"| {len(matrix):,} | {alone} | {reasons} | {ratio:.2f} | {weighed} | {more} |", flush=True)
    return ratio


def _learned(folder: Path, leads: int, leaves: int | None) -> tuple[Bundle, Config, Matrix, Matrix]:
    company = simulate(leads=4000, seed=1)
    config = read_config(export(company, folder, "en"))
    configure(config.state_path, verbose=False)
    steps.ingest(config, to_microseconds(datetime.now(UTC)))
    as_of = to_microseconds(company.ends_at)
    read = steps.reader(config, steps.open_settled(config))
    gathered = gather(read, config, as_of)
    changes = {"members": 0, "shape": "hazard", "leaves": leaves or config.model.leaves}
    settings = config.model_copy(update={"model": config.model.model_copy(update=changes)})
    bundle = finish(settings, as_of, fit(gathered, settings, "hazard"), [], choose_shape([], settings))
    chance = np.random.default_rng(1)
    rows = chance.integers(len(gathered.examples), size=leads)
    matrix, facts = gathered.examples.matrix[rows], gathered.examples.facts[rows]
    counts = matrix == np.round(matrix)
    jitter = chance.normal(1, 0.05, matrix.shape).astype(np.float32)
    return bundle, config, np.where(counts, matrix, matrix * jitter), facts


def _timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
