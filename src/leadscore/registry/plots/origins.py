"""A picture of rolling origins: whether quality falls over time, and whether that is the model or the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from leadscore.model.backtest import MODEL as THE_MODEL
from leadscore.registry.plots.style import GREY, MODEL, blank, model_first, open_frame, spoken, styled

Origins = Sequence[Mapping[str, Any]]
_PANELS = {"auc": "AUC (higher is better)", "log_loss": "log-loss (lower is better)"}


def origins_figure(origins: Origins, horizon: str) -> Figure | None:
    """Draw AUC and log-loss of model and baselines at each origin; the bars are 90 % intervals of the model's.

    What knows only how many convert has an AUC of one half and a log-loss that follows the base rate: where every line
    follows it, the world changed; where the model alone falls, the model did.

    Args:
        origins: As `backtest.tabulate` tells them, oldest first.
        horizon: Which one to draw.
    """
    judged = [origin for origin in origins if np.isfinite(origin["horizons"][horizon][THE_MODEL]["auc"])]
    if not judged:
        return None
    figure = blank(9.6, 4.6)
    panels = figure.subplots(1, len(_PANELS))
    for axes, (metric, title) in zip(panels, _PANELS.items(), strict=True):
        _draw(axes, judged, horizon, metric)
        axes.set_title(f"{title}, within {horizon}", loc="left", fontsize=10)
    figure.legend(*model_first(panels[0]), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _draw(axes: Axes, origins: Origins, horizon: str, metric: str) -> None:
    dates = [datetime.fromisoformat(origin["origin"]) for origin in origins]
    days = date2num(dates)  # type: ignore[no-untyped-call]  # of matplotlib
    figures = [origin["horizons"][horizon] for origin in origins]
    # The bars of all would hide each other; whether two differ is what `leadscore compare` and `beaten` say.
    for name, line, sign in styled([name for name in figures[-1] if name != THE_MODEL]):
        line_of = [each[name][metric] if name in each else np.nan for each in figures]
        axes.plot(days, line_of, label=spoken(name), marker=sign, markersize=5, linewidth=1.3, **line)
    values = np.array([each[THE_MODEL][metric] for each in figures])
    bounds = np.array([each[THE_MODEL]["intervals"][metric] for each in figures])
    error = np.maximum((bounds.T - values) * [[-1], [1]], 0)
    axes.errorbar(days, values, error, label="model", color=MODEL, marker="o", linewidth=2.2, capsize=3, zorder=3)
    chance = [0.5 if metric == "auc" else _entropy(each[THE_MODEL]["base_rate"]) for each in figures]
    axes.plot(days, chance, color=GREY, linestyle=":", marker=".", label="knows only how many convert")
    axes.set_xticks(days, [f"{date:%d %b %Y}" for date in dates], rotation=30, ha="right", fontsize=8)
    open_frame(axes)


def _entropy(rate: float) -> float:
    return float(-rate * np.log(rate) - (1 - rate) * np.log1p(-rate))
