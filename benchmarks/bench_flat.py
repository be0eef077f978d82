"""Repeat the tables of examples/bank/README.md: a flat export in row order, with its leak, and at random."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leadscore.config.flat import FlatConfig, read_flat_config
from leadscore.config.shape import Guard, Tracking
from leadscore.flat.steps import train_flat
from leadscore.runtime import configure

NAMES = {
    "model": "leadscore",
    "logit_all": "logistic regression, all columns",
    "lightgbm": "the same trees alone",
    "prior": "rate of the rows before",
}
FIGURES = {
    "auc": "AUC",
    "alift": "ALIFT",
    "log_loss": "log-loss",
    "brier": "Brier",
    "lift_at_10": "lift at 10 %",
    "calibration_slope": "slope",
}
BOUNDED = ("auc", "alift", "log_loss")


def main() -> None:
    """Train on the bank's calls in each way, in a folder of its own; MLflow stays out of it."""
    config = read_flat_config(Path(__file__).parents[1] / "examples" / "bank" / "leadscore.yaml")
    config = config.model_copy(update={"tracking": Tracking(uri="nowhere://")})
    flat = config.flat
    leaking = tuple(name for name in flat.exclude if name != "duration")
    ways = {
        "in row order": {},
        "in row order, with `duration` allowed": {
            "flat": flat.model_copy(update={"exclude": leaking}),
            "guard": Guard(allow=("duration",)),
        },
        "at random": {"flat": flat.model_copy(update={"order": None, "exclude": (*flat.exclude, "seq")})},
    }
    for way, changed in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            configure(Path(folder), verbose=False)
            judge(way, config.model_copy(update={"models": folder, **changed}))


def judge(way: str, config: FlatConfig) -> None:
    """Print what came of one way."""
    started = time.perf_counter()
    judged = train_flat(config).judged
    assert judged is not None
    print(f"\n## {way}: {len(judged['folds'])} parts, {time.perf_counter() - started:.0f} s\n")
    print("| | " + " | ".join(FIGURES.values()) + " | AUC, mean of parts | ALIFT, mean of parts |")
    print("|---|" + "---|" * (len(FIGURES) + 2))
    for name, figures in judged["figures"].items():
        cells = [_cell(figures, metric) for metric in FIGURES]
        cells += [f"{judged['per_fold'][name][metric]:.3f}" for metric in ("auc", "alift")]
        print(f"| {NAMES[name]} | " + " | ".join(cells) + " |")
    for line in judged["beaten"]:
        print(f"\nBeaten by {NAMES[line['by']]} in {line['metric']}: {line['difference']:+.4f}.")


def _cell(figures: Mapping[str, Any], metric: str) -> str:
    if metric not in BOUNDED:
        return f"{figures[metric]:.3f}" if metric != "lift_at_10" else f"{figures[metric]:.2f}"
    low, high = figures["intervals"][metric]
    return f"{figures[metric]:.3f} ({low:.3f}–{high:.3f})"


if __name__ == "__main__":
    main()
