"""Repeat the tables of the examples' READMEs: rolling backtests on the public logs, as Markdown."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from leadscore import steps
from leadscore.config import read_config
from leadscore.runtime import configure
from leadscore.timeline import parse_moment, to_microseconds

EXAMPLES = {"bpic2012": "2012-01-01T00:00:00+01:00", "completejourney": "2018-01-20T00:00:00-05:00"}
ORIGINS = 4
NAMES = {"model": "leadscore", "base_alone": "its base alone", "recency": "recency only", "rfm_logit": "RFM logit"}
FIGURES = {
    "auc": "AUC",
    "average_precision": "AP",
    "lift_at_10": "lift at 10 %",
    "capture_at_10": "capture at 10 %",
    "capture_at_capacity": "capture at capacity",
    "brier": "Brier",
    "log_loss": "log-loss",
}


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
        origins = ", ".join(str(origin["origin"])[:10] for origin in result.origins)
        print(f"\n## {name}\n\nOrigins {origins}; {took:.0f} s; {result.violations} rows whose curve falls.\n")
        print(table(result))


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


def _cell(figures: Mapping[str, Mapping[str, float]], name: str, metric: str) -> str:
    better = min if metric in {"brier", "log_loss"} else max
    digits = {of: f"{figures[of][metric]:.2f}" if "lift" in metric else f"{figures[of][metric]:.3f}" for of in NAMES}
    best = better(digits.values(), key=float)
    return f"**{best}**" if digits[name] == best else digits[name]


if __name__ == "__main__":
    main()
