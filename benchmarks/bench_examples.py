"""Repeat the tables of the examples' READMEs: rolling backtests on the public logs, as Markdown."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leadscore import steps
from leadscore.config import read_config
from leadscore.runtime import configure
from leadscore.timeline import parse_moment, to_microseconds

EXAMPLES = {"bpic2012": "2012-01-01T00:00:00+01:00", "completejourney": "2018-01-20T00:00:00-05:00"}
ORIGINS = 4
NAMES = {
    "model": "leadscore",
    "lightgbm": "LightGBM per horizon",
    "logit_all": "logistic regression, all features",
    "points": "points rule",
    "rfm_logit": "RFM logit",
    "recency": "recency only",
}
FIGURES = {
    "auc": "AUC",
    "average_precision": "AP",
    "lift_at_10": "lift at 10 %",
    "capture_at_capacity": "capture at capacity",
    "log_loss": "log-loss",
    "ece": "ECE",
    "calibration_slope": "slope",
}
BOUNDED = ("auc", "log_loss")


def main() -> None:
    """Run each example's backtest in a folder of its own."""
    for name, as_of in EXAMPLES.items():
        path = Path(__file__).parents[1] / "examples" / name / "leadscore.yaml"
        config = read_config(path)
        with tempfile.TemporaryDirectory() as folder:
            configure(Path(folder), verbose=False)
            config = config.model_copy(update={"data": str(Path(folder, "data"))})
            started = time.perf_counter()
            steps.ingest(config, to_microseconds(datetime.now(UTC)))
            result = steps.backtest(config, parse_moment(as_of, config.time_zone), ORIGINS)
            took = time.perf_counter() - started
        told, shape = result.told, result.shape
        origins = ", ".join(str(origin["origin"])[:10] for origin in told["origins"])
        print(f"\n## {name}\n\nOrigins {origins}; {took:.0f} s; {told['violations']} rows whose curve falls.")
        print(f"Shape {shape.shape}: per horizon minus hazard {shape.difference:+.5f} ± {shape.sd:.5f}.\n")
        print(table(result))
        for line in told["beaten"]:
            low, high = line["interval"]
            print(f"\nBeaten within {line['horizon']} by {line['by']} in {line['metric']}: ", end="")
            print(f"{line['difference']:+.4f} ({low:+.4f} to {high:+.4f}).")


def table(result: steps.BacktestResult) -> str:
    """Write the figures as a Markdown table; the best of a column within a horizon is bold."""
    lines = ["| horizon | | " + " | ".join(FIGURES.values()) + " |", "|---|---|" + "---|" * len(FIGURES)]
    for horizon, figures in result.horizons.items():
        model = figures["model"]
        shown = f"{horizon} ({model['base_rate']:.1%} of {model['rows']:.0f})"
        for name, label in NAMES.items():
            cells = [_cell(figures, name, metric) for metric in FIGURES]
            lines.append(f"| {shown} | {label} | " + " | ".join(cells) + " |")
            shown = ""
    return "\n".join(lines)


def _cell(figures: Mapping[str, Mapping[str, Any]], name: str, metric: str) -> str:
    shown = {of: _shown(figures[of][metric], metric) for of in NAMES}
    best = min(shown.values(), key=lambda text: _distance(float(text), metric))
    cell = f"**{best}**" if shown[name] == best else shown[name]
    if metric in BOUNDED:
        low, high = figures[name]["intervals"][metric]
        cell += f" ({_shown(low, metric)}–{_shown(high, metric)})"
    return cell


def _shown(figure: float, metric: str) -> str:
    return f"{figure:.2f}" if metric in {"lift_at_10", "calibration_slope"} else f"{figure:.3f}"


def _distance(figure: float, metric: str) -> float:
    """How far from the best there could be."""
    if metric == "calibration_slope":
        return abs(figure - 1)
    return figure if metric in {"brier", "log_loss", "ece"} else -figure


if __name__ == "__main__":
    main()
