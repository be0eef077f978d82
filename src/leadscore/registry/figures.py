"""What MLflow keeps of a backtest: metrics under names that stay, and tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from leadscore.model.backtest import MODEL
from leadscore.model.evaluate import FACTS, METRICS
from leadscore.model.importance import Influence

Told = Mapping[str, Any]
"""What `backtest.tabulate` tells."""

BRIEF = ("auc", "average_precision", "log_loss", "brier", "lift_at_10")
"""The metrics of the baselines, and those that runs are compared by; the tables have all."""


def metrics(horizons: Told) -> dict[str, float]:
    """Name figures, so that MLflow, which sorts by name, shows the model before what it is measured against.

    `model_<metric>_<horizon>`, `versus_<baseline>_<metric>_<horizon>` (the brief ones), `<fact>_<horizon>`.
    """
    named: dict[str, float] = {}
    for horizon, figures in horizons.items():
        for name, own in figures.items():
            label, chosen = (name, METRICS) if name == MODEL else (f"versus_{name}", BRIEF)
            named |= {f"{label}_{metric}_{horizon}": own[metric] for metric in chosen}
        named |= {f"{fact}_{horizon}": figures[MODEL][fact] for fact in FACTS if MODEL in figures}
    return named


def tables(told: Told, influence: Influence | None) -> dict[str, pd.DataFrame]:
    """Lay out what was found; a table without a row is left out.

    Returns:
        - backtest: one row per (horizon, model), means over origins; each metric with the ends of its interval;
        - backtest_by_origin: the same per origin;
        - beaten: where a baseline wins beyond noise; segments and months as `tabulate` tells them;
        - importance: one row per concept.
    """
    origins = told.get("origins", ())
    by_origin = [{"origin": origin["origin"], **row} for origin in origins for row in _rows(origin["horizons"])]
    laid = {
        "backtest": list(_rows(told.get("horizons", {}))),
        "backtest_by_origin": by_origin,
        **{name: [_flat(line) for line in told.get(name, ())] for name in ("beaten", "segments", "months")},
        "importance": _importance(influence) if influence else [],
    }
    return {name: pd.DataFrame(rows) for name, rows in laid.items() if rows}


def _rows(horizons: Told) -> Iterator[dict[str, Any]]:
    for horizon, figures in horizons.items():
        for name, own in figures.items():
            yield {"horizon": horizon, "model": name, **_flat(own)}


def _flat(line: Mapping[str, Any]) -> dict[str, Any]:
    """Put the ends of an interval beside its figure."""
    intervals: Mapping[str, Sequence[float]] = line.get("intervals", {})
    flat: dict[str, Any] = {}
    for name, value in line.items():
        if name == "interval":
            flat |= {"low": value[0], "high": value[1]}
        elif name != "intervals":
            flat[name] = value
            if name in intervals:
                flat |= {f"{name}_low": intervals[name][0], f"{name}_high": intervals[name][1]}
    return flat


def _importance(influence: Influence) -> list[dict[str, Any]]:
    columns = zip(influence.concepts, influence.increase, influence.sd, influence.weight, strict=True)
    return [
        {"concept": name, "log_loss_increase": float(rise), "sd": float(sd), "mean_contribution": float(weight)}
        for name, rise, sd, weight in columns
    ]
