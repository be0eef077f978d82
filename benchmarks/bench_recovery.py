"""How close the list comes to the truth of the simulated company: share of the oracle's lift, calibration, reasons."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from leadscore import steps
from leadscore.config import read_config
from leadscore.demonstration import with_oracle
from leadscore.model.backtest import tabulate
from leadscore.runtime import configure
from leadscore.simulate import export, simulate
from leadscore.timeline import to_microseconds

SHARES = ("lift_at_10", "capture_at_capacity")


def main() -> None:
    """Simulate, train, judge beside the oracle, score; print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--origins", type=int, default=4)
    asked = parser.parse_args()
    for seed in asked.seeds:
        with tempfile.TemporaryDirectory() as folder:
            _recover(Path(folder), asked.leads, seed, asked.origins)


def _recover(folder: Path, leads: int, seed: int, origins: int) -> None:
    company = simulate(leads=leads, seed=seed)
    config = read_config(export(company, folder, "en"))
    configure(config.state_path, verbose=False)
    as_of, now = to_microseconds(company.ends_at), to_microseconds(datetime.now(UTC))
    steps.ingest(config, now)
    started = time.perf_counter()
    result = steps.backtest(config, as_of, origins)
    took = time.perf_counter() - started
    told = tabulate(with_oracle(result.cohorts, company), config.horizon_names, config.capacity, config.seed)
    print(f"\n## {leads:,} leads, seed {seed}, capacity {config.capacity}\n")
    print(f"{len(result.cohorts)} origins, {took:.0f} s; shape {result.shape.shape}.\n")
    print("| horizon | AUC | oracle | lift at 10 % | of the oracle's | capture at capacity | of the oracle's | slope |")
    print("|---|---|---|---|---|---|---|---|")
    for horizon, figures in told["horizons"].items():
        model, oracle = figures["model"], figures["oracle"]
        lift, capture = (f"{model[name]:.3f} | {model[name] / oracle[name]:.1%}" for name in SHARES)
        slope = f"{model['calibration_slope']:.2f}"
        print(f"| {horizon} | {model['auc']:.3f} | {oracle['auc']:.3f} | {lift} | {capture} | {slope} |")
    steps.train(config, as_of, now)
    scored = steps.score(config, as_of)
    rows = pq.read_table(scored.path / "scores.parquet").to_pylist()
    first = Counter(row["reason_1_code"] for row in rows if row["grade"] == "A")
    print(f"\nFirst reasons of grade A: {', '.join(f'{code} {count}' for code, count in first.most_common(8))}.")


if __name__ == "__main__":
    main()
