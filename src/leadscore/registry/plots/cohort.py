"""Pictures of one cohort: how the list ranks, and whether the chances come true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leadscore.labels import Flags
from leadscore.model.backtest import MODEL as THE_MODEL
from leadscore.model.backtest import Cohort
from leadscore.model.base import Floats
from leadscore.model.calibrate import log_loss
from leadscore.model.resample import Places, draw_leads, number_leads
from leadscore.registry.plots.style import GREY, MODEL, blank, model_first, open_frame, sample, spoken, styled

_TOP = 0.1
_BINS = 10
_PER_BIN = 5  # conversions a bin should hold, on average
_DRAWS = 200
_TOLD = 0.05  # a smaller lift is no bar to write a number on


@dataclass(frozen=True)
class _Matured:
    """The rows of one horizon that have matured: who, what came true, and what each model said."""

    who: Places
    leads: int
    hits: Flags
    chances: dict[str, Floats]

    @property
    def baselines(self) -> list[str]:
        return [name for name in self.chances if name != THE_MODEL]


def gain_figure(cohort: Cohort, horizons: Sequence[str], ranked_by: int) -> Figure | None:
    """Draw which share of the conversions is found when working down the list: model, baselines and chance.

    Args:
        cohort: One column per horizon.
        horizons: Names of the columns.
        ranked_by: The column to draw; where it has no conversions yet, the first that has.
    """
    number = _drawable(cohort, ranked_by)
    if number is None:
        return None
    rows = _matured(cohort, number)
    figure = blank(7, 5.2)
    axes = figure.subplots()
    axes.axvline(_TOP, color=GREY, linewidth=0.8)
    axes.text(_TOP + 0.012, 1.0, "the first 10 % of the list", color=GREY, fontsize=9, va="top")
    _draw_gain(axes, THE_MODEL, rows, color=MODEL, linewidth=2.4, zorder=3)
    for name, line, _ in styled(rows.baselines):
        _draw_gain(axes, name, rows, linewidth=1.3, **line)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="chance: 10 %")
    axes.legend(title="found in the first 10 %", loc="lower right", frameon=False, alignment="left")
    axes.set(xlabel="share of the list worked, readiest first", ylabel="share of all conversions found")
    axes.set_title(f"Conversions within {horizons[number]}: {sample(rows.hits)}", loc="left", fontsize=11)
    _shares(axes, 1.0)
    return figure


def lift_figure(cohort: Cohort, horizons: Sequence[str], ranked_by: int, seed: int) -> Figure | None:
    """Draw how many times the average each tenth of the list converts: the model, and its strongest baseline.

    Bars are 90 % intervals of the model's lift over draws of leads. Arguments as for `gain_figure`.
    """
    number = _drawable(cohort, ranked_by)
    if number is None:
        return None
    rows = _matured(cohort, number)
    figure = blank(7, 4.4)
    axes = figure.subplots()
    tenths = np.arange(1, 11)
    lift = _lift(rows.hits, rows.chances[THE_MODEL])
    low, high = _lift_interval(rows, seed)
    error = [np.maximum(lift - low, 0), np.maximum(high - lift, 0)]
    axes.bar(tenths, lift, 0.72, yerr=error, color=MODEL, ecolor=GREY, capsize=3, label="model")
    for place, height, told in zip(range(1, 11), np.maximum(lift, high).tolist(), lift.tolist(), strict=True):
        axes.text(place, height, f"{told:.1f}" if told >= _TOLD else "", ha="center", va="bottom", fontsize=9)
    if rows.baselines:
        name, line, sign = next(found for found in styled(rows.baselines) if found[0] == _strongest(rows))
        lifts = _lift(rows.hits, rows.chances[name])
        style = {"color": line["color"], "marker": sign, "markeredgecolor": "white", "linestyle": "none"}
        axes.plot(tenths, lifts, label=f"{spoken(name)}, the baseline with the lowest log-loss", **style)
    alike = f"all leads alike: {100 * rows.hits.mean():.2g} % convert"
    axes.axhline(1, color=GREY, linewidth=1, linestyle=":", label=alike)
    axes.legend(*model_first(axes), loc="upper right", frameon=False)
    axes.set(xlabel="tenth of the list, readiest first", ylabel="lift: conversions, times the average")
    axes.set_xticks(tenths)
    axes.set_title(f"Lift within {horizons[number]}: {sample(rows.hits)}", loc="left", fontsize=11)
    open_frame(axes)
    return figure


def calibration_figure(cohort: Cohort, horizons: Sequence[str]) -> Figure | None:
    """Draw the readiness said against the share that converted, per horizon, in bins of equally many snapshots.

    Bars are 90 % Wilson intervals of the share, with the number of different leads as the size of the sample: the
    snapshots of one lead are not independent.
    """
    drawable = [number for number in range(len(horizons)) if _has_both(cohort, number)]
    if not drawable:
        return None
    figure = blank(4.2 * len(drawable), 4.6)
    panels = figure.subplots(1, len(drawable), squeeze=False)[0]
    for axes, number in zip(panels, drawable, strict=True):
        rows = _matured(cohort, number)
        _draw_calibration(axes, rows)
        axes.set_title(f"within {horizons[number]}: {sample(rows.hits)}", loc="left", fontsize=10)
        axes.set_xlabel("readiness said before")
    panels[0].set_ylabel("share that converted")
    panels[0].legend(loc="upper left", frameon=False, fontsize=9)
    hint = "above the line: more converted than said\nbelow it: fewer"
    panels[0].text(0.98, 0.03, hint, transform=panels[0].transAxes, color=GREY, fontsize=8, ha="right")
    return figure


def gain(hits: Flags, p: Floats) -> tuple[Floats, Floats]:
    """Return the share of rows worked and the share of hits found, both from 0 to 1; ties are shared evenly.

    >>> [axis.tolist() for axis in gain(np.array([True, False, True, False]), np.array([0.9, 0.5, 0.5, 0.1]))]
    [[0.0, 0.25, 0.75, 1.0], [0.0, 0.5, 1.0, 1.0]]
    """
    _, place, counts = np.unique(-p, return_inverse=True, return_counts=True)
    found = np.bincount(place, weights=hits)
    return np.append(0.0, np.cumsum(counts) / len(p)), np.append(0.0, np.cumsum(found) / hits.sum())


def wilson(share: Floats, number: Floats) -> tuple[Floats, Floats]:
    """Return the 90 % interval of a share of so many, after Wilson (1927).

    >>> [round(float(end), 3) for end in wilson(np.array(0.0), np.array(10.0))]
    [0.0, 0.213]
    """
    z = 1.6448536269514722
    centre = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    half = z * np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2)) / (1 + z**2 / number)
    # The share lies within, but the last bit of a difference may not know that.
    return np.clip(centre - half, 0.0, share), np.clip(centre + half, share, 1.0)


def _has_both(cohort: Cohort, number: int) -> bool:
    hits = cohort.hits[cohort.matured[:, number], number]
    return bool(hits.any() and not hits.all())


def _drawable(cohort: Cohort, wanted: int) -> int | None:
    """Return the wanted horizon, else the first with something to show."""
    order = [wanted, *range(cohort.hits.shape[1])]
    return next((number for number in order if _has_both(cohort, number)), None)


def _matured(cohort: Cohort, number: int) -> _Matured:
    rows, units = np.flatnonzero(cohort.matured[:, number]), cohort.units
    leads, (who,) = number_leads([[units[row] for row in rows.tolist()]])
    chances = {name: p[rows, number] for name, p in cohort.chances.items()}
    return _Matured(who, leads, cohort.hits[rows, number], chances)


def _draw_gain(axes: Axes, name: str, rows: _Matured, **style: Any) -> None:
    worked, found = gain(rows.hits, rows.chances[name])
    axes.plot(worked, found, label=f"{spoken(name)}: {100 * np.interp(_TOP, worked, found):.0f} %", **style)


def _lift(hits: Flags, p: Floats) -> Floats:
    """Return the lift of each tenth of the list; who ties over an edge is shared evenly."""
    worked, found = gain(hits, p)
    lift: Floats = np.diff(np.interp(np.linspace(0, 1, 11), worked, found)) * 10
    return lift


def _lift_interval(rows: _Matured, seed: int) -> tuple[Floats, Floats]:
    """Return the 5th and 95th percentile of each tenth's lift over draws of leads; ties stay in their order."""
    order = np.argsort(-rows.chances[THE_MODEL], kind="stable")
    who, hits, edges = rows.who[order], rows.hits[order], np.linspace(0, 1, 11)
    lifts = []
    for drawn in draw_leads(rows.leads, _DRAWS, seed):
        weight = drawn[who].astype(np.float64)
        worked, found = np.cumsum(weight), np.cumsum(weight * hits)
        if found[-1] > 0:
            lifts.append(np.diff(np.interp(edges, worked / worked[-1], found / found[-1], left=0.0)) * 10)
    low, high = np.percentile(lifts, (5, 95), axis=0)
    return low, high


def _strongest(rows: _Matured) -> str:
    return min(rows.baselines, key=lambda name: log_loss(rows.hits, rows.chances[name]))


def _draw_calibration(axes: Axes, rows: _Matured) -> None:
    p, hits = rows.chances[THE_MODEL], rows.hits
    bins = np.array_split(np.argsort(p, kind="stable"), int(np.clip(hits.sum() // _PER_BIN, 1, _BINS)))
    leads = np.array([len(np.unique(rows.who[members])) for members in bins], dtype=np.float64)
    said = np.array([p[members].mean() for members in bins])
    came = np.array([hits[members].mean() for members in bins])
    low, high = wilson(came, leads)
    edge = float(min(1.0, 1.08 * max(said.max(), high.max())))
    axes.plot([0, edge], [0, edge], color=GREY, linewidth=1, linestyle=":", label="as said")
    axes.errorbar(said, came, [came - low, high - came], color=MODEL, marker="o", capsize=2, label="model")
    _shares(axes, edge)


def _shares(axes: Axes, edge: float) -> None:
    axes.set(xlim=(0, edge), ylim=(0, edge))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")
    open_frame(axes)
