"""What reasons cost beside LightGBM's own `pred_contrib` on the same leads.

`python benchmarks/bench_reasons.py [--leads N] [--repeats N]`: a simulated company is learned once; snapshots of its
past are repeated up to so many leads, values jittered. LightGBM is asked for the contributions to each output the
ranking horizon needs, which is what reasons are made of, and to one of them. Ours are weighed, picked, and said in
words: three per lead. Where no tree asks which output it is about, one pass serves all of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
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


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle, config, matrix, facts = _learned(Path(folder), asked.leads)
    speaker, horizon = Speaker(bundle, "fr"), config.rank_index

    def ours() -> None:
        weights = speaker.weigh(matrix, horizon)
        speaker.reasons(weights, matrix, facts, N_REASONS)

    def alone(outputs: int) -> None:
        for number in range(outputs):
            bundle.model.booster.predict(with_output(matrix, number), pred_contrib=True)

    runs = {"alone": partial(alone, horizon + 1), "once": partial(alone, 1), "ours": ours}
    seconds = {name: min(_timed(run) for _ in range(asked.repeats)) for name, run in runs.items()}
    ratio, to_one = (seconds["ours"] / seconds[name] for name in ("alone", "once"))
    print(f"{len(matrix):,} leads, {matrix.shape[1]} features, {horizon + 1} outputs, {bundle.model.shape}\n")
    print("| | seconds |\n|---|---:|")
    print(f"| `pred_contrib` alone, every output | {seconds['alone']:.1f} |\n| one output | {seconds['once']:.1f} |")
    print(f"| reasons, in words | {seconds['ours']:.1f} |\n")
    print(f"Promised: a ratio of at most {LIMIT}, here {ratio:.2f}; to a single pass {to_one:.2f}.")


def _learned(folder: Path, leads: int) -> tuple[Bundle, Config, Matrix, Matrix]:
    company = simulate(leads=4000, seed=1)
    config = read_config(export(company, folder, "en"))
    configure(config.state_path, verbose=False)
    steps.ingest(config, to_microseconds(datetime.now(UTC)))
    as_of = to_microseconds(company.ends_at)
    read = steps.reader(config, steps.open_settled(config))
    gathered = gather(read, config, as_of)
    settings = config.model_copy(update={"model": config.model.model_copy(update={"members": 0, "shape": "hazard"})})
    bundle = finish(settings, as_of, fit(gathered, settings, "hazard"), [], choose_shape([], settings))
    chance = np.random.default_rng(1)
    rows = chance.integers(len(gathered.examples), size=leads)
    matrix, facts = gathered.examples.matrix[rows], gathered.examples.facts[rows]
    counts = matrix == np.round(matrix)
    jitter = chance.normal(1, 0.05, matrix.shape).astype(np.float32)
    return bundle, config, np.where(counts, matrix, matrix * jitter), facts


def _timed(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
