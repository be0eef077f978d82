"""Pictures of what moves the model: what it would lose without a concept, and which way each one pushes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from leadscore.model.base import Floats
from leadscore.model.importance import Influence
from leadscore.registry.plots.style import GREY, MODEL, blank, open_frame, spoken

_SCALE = LinearSegmentedColormap.from_list("low to high", ["#56b4e9", "#d9d0c3", "#d55e00"])
_MISSING = "#b8b8b8"
_DRAWN = 600
_SPREAD = 0.38  # how far points may leave the middle of their row


def importance_figure(influence: Influence, horizon: str) -> Figure:
    """Draw how much the log-loss rises when a concept is shuffled; bars are one standard deviation over shuffles."""
    order = np.argsort(-influence.increase, kind="stable")
    increase, sd = 1000 * influence.increase[order], 1000 * influence.sd[order]
    figure = blank(7.2, 1.4 + 0.24 * len(order))
    axes = figure.subplots()
    colors = [MODEL if rise > spread else _MISSING for rise, spread in zip(increase, sd, strict=True)]
    axes.barh(range(len(order)), increase, xerr=sd, color=colors, ecolor=GREY, capsize=2)
    _rows(axes, [influence.concepts[place] for place in order])
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_xlabel(f"rise of the log-loss within {horizon} when the concept is shuffled, in thousandths")
    axes.set_title("What the model would lose, on a cohort it had not seen", loc="left", fontsize=11)
    hint = "grey: no loss beyond one deviation"
    axes.text(0.98, 0.02, hint, transform=axes.transAxes, color=GREY, fontsize=8, ha="right")
    return figure


def contributions_figure(influence: Influence, horizon: str) -> Figure:
    """Draw what each concept adds to the margin of some snapshots: a point per snapshot, coloured by its value.

    The number beside a name is its mean push, up or down.
    """
    number = len(influence.concepts)
    figure = blank(8.4, 1.6 + 0.27 * number)
    axes = figure.subplots()
    for row in range(number):
        _strip(axes, row, influence.contributions[:_DRAWN, row], influence.place[:_DRAWN, row])
    means = influence.weight
    _rows(axes, [f"{name}   ±{mean:.2f}" for name, mean in zip(influence.concepts, means, strict=True)])
    axes.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    axes.set_xlabel(f"pushes the chance within {horizon} down ◂   log-odds   ▸ up")
    title = f"What pushes scores, and which way: {min(len(influence.contributions), _DRAWN)} snapshots"
    axes.set_title(title, loc="left", fontsize=10)
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), _SCALE), ax=axes, ticks=[0, 1], aspect=40, pad=0.01)
    bar.set_ticklabels(["low", "high"])
    bar.set_label("value of its weightiest feature (grey: missing)", labelpad=-12)
    bar.outline.set_visible(False)
    return figure


def _strip(axes: Axes, row: int, push: Floats, place: Floats) -> None:
    """Lay points with the same push beside each other, as wide as there are many."""
    edges = np.linspace(push.min(), push.max() + 1e-12, 80)
    bins = np.digitize(push, edges)
    height = np.zeros(len(push))
    most = np.bincount(bins).max()
    for level in np.unique(bins):
        members = np.flatnonzero(bins == level)
        steps = np.arange(len(members)) - (len(members) - 1) / 2
        # Roots, so that a crowd does not flatten all others to a line.
        height[members] = _SPREAD * steps / max(len(members) / 2, 1) * np.sqrt(len(members) / most)
    known = np.isfinite(place)
    axes.scatter(push[~known], row + height[~known], s=3, c=_MISSING, linewidths=0, rasterized=True)
    axes.scatter(push[known], row + height[known], s=4, c=place[known], cmap=_SCALE, vmin=0, vmax=1, linewidths=0)


def _rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), [spoken(name) for name in names], fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    open_frame(axes)
