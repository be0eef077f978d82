"""Two pictures of an out-of-time cohort, drawn without pyplot, so that nothing is shared between two drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.model.calibrate import Judged

_TOP = 0.1
_BINS = 10
_PER_BIN = 5  # conversions a bin should hold, on average
_MODEL, _GREY = "#0072b2", "#6b6b6b"
# Okabe and Ito's colours stay apart for every eye; the dashes keep them apart in print.
_OTHERS = (("#d55e00", "--"), ("#009e73", "-."), ("#cc79a7", (0, (3, 1, 1, 1))), ("#e69f00", (0, (1, 1))))


def gain_figure(
    cohort: Judged, baselines: Mapping[str, Floats], horizons: Sequence[str], ranked_by: int
) -> Figure | None:
    """Draw which share of the conversions is found when working down the list: model, baselines and chance.

    Args:
        cohort: One row per snapshot, one column per horizon.
        baselines: Readiness of the same rows.
        horizons: Names of the columns.
        ranked_by: The column to draw; where it has no conversions yet, the first that has.

    Returns:
        The figure; None when no conversion has matured.
    """
    drawable = [number for number in range(len(horizons)) if _has_both(cohort, number)]
    if not drawable:
        return None
    number = ranked_by if ranked_by in drawable else drawable[0]
    rows = cohort.matured[:, number]
    hits = cohort.hits[rows, number]
    figure = Figure(figsize=(7, 5.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.axvline(_TOP, color=_GREY, linewidth=0.8)
    axes.text(_TOP + 0.012, 1.0, "capacity: 10 % of the list", color=_GREY, fontsize=9, va="top")
    _draw_gain(axes, "model", hits, cohort.readiness[rows, number], color=_MODEL, linewidth=2.4, zorder=3)
    for (name, readiness), (color, dashes) in zip(baselines.items(), _OTHERS, strict=False):
        _draw_gain(axes, name.replace("_", " "), hits, readiness[rows, number], color=color, linestyle=dashes)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":", label="chance: 10 %")
    axes.legend(title="found in the first 10 %", loc="lower right", frameon=False, alignment="left")
    axes.set(xlabel="share of the list worked, readiest first", ylabel="share of all conversions found")
    axes.set_title(f"Conversions within {horizons[number]}: {_sample(hits)}", loc="left", fontsize=11)
    _plain(axes, 1.0)
    return figure


def calibration_figure(cohort: Judged, horizons: Sequence[str]) -> Figure | None:
    """Draw the readiness said against the share that converted, in bins of equally many leads; None as above.

    Bars are 95 % Wilson intervals of the share.
    """
    drawable = [number for number in range(len(horizons)) if _has_both(cohort, number)]
    if not drawable:
        return None
    figure = Figure(figsize=(4.2 * len(drawable), 4.6), dpi=120, layout="constrained")
    panels = figure.subplots(1, len(drawable), squeeze=False)[0]
    for axes, number in zip(panels, drawable, strict=True):
        rows = cohort.matured[:, number]
        hits = cohort.hits[rows, number]
        _draw_calibration(axes, hits, cohort.readiness[rows, number])
        axes.set_title(f"within {horizons[number]}: {_sample(hits)}", loc="left", fontsize=10)
        axes.set_xlabel("readiness said before")
    panels[0].set_ylabel("share that converted")
    panels[0].legend(loc="upper left", frameon=False, fontsize=9)
    hint = "above the line: more converted than said\nbelow it: fewer"
    panels[0].text(0.98, 0.03, hint, transform=panels[0].transAxes, color=_GREY, fontsize=8, ha="right")
    return figure


def gain(hits: Flags, p: Floats) -> tuple[Floats, Floats]:
    """Return the share of rows worked and the share of hits found, both from 0 to 1; ties are shared evenly.

    >>> [axis.tolist() for axis in gain(np.array([True, False, True, False]), np.array([0.9, 0.5, 0.5, 0.1]))]
    [[0.0, 0.25, 0.75, 1.0], [0.0, 0.5, 1.0, 1.0]]
    """
    _, place, counts = np.unique(-p, return_inverse=True, return_counts=True)
    found = np.bincount(place, weights=hits)
    return np.append(0.0, np.cumsum(counts) / len(p)), np.append(0.0, np.cumsum(found) / hits.sum())


def wilson(hits: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Return the 95 % interval of a share, after Wilson (1927).

    >>> [round(float(end), 3) for end in wilson(np.array(0.0), np.array(10.0))]
    [0.0, 0.278]
    """
    z = 1.959963984540054
    share = hits / rows
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    # The share lies within, but the last bit of a difference may not know that.
    return np.clip(centre - half, 0.0, share), np.clip(centre + half, share, 1.0)


def _has_both(cohort: Judged, number: int) -> bool:
    hits = cohort.hits[cohort.matured[:, number], number]
    return bool(hits.any() and not hits.all())


def _draw_gain(axes: Axes, name: str, hits: Flags, p: Floats, **style: Any) -> None:
    worked, found = gain(hits, p)
    axes.plot(worked, found, label=f"{name}: {100 * np.interp(_TOP, worked, found):.0f} %", **style)


def _draw_calibration(axes: Axes, hits: Flags, p: Floats) -> None:
    bins = np.array_split(np.argsort(p, kind="stable"), int(np.clip(hits.sum() // _PER_BIN, 1, _BINS)))
    rows = np.array([len(members) for members in bins], dtype=np.float64)
    said = np.array([p[members].mean() for members in bins])
    low, high = wilson(np.array([hits[members].sum() for members in bins], dtype=np.float64), rows)
    came = np.array([hits[members].mean() for members in bins])
    edge = float(min(1.0, 1.08 * max(said.max(), high.max())))
    axes.plot([0, edge], [0, edge], color=_GREY, linewidth=1, linestyle=":", label="as said")
    axes.errorbar(said, came, [came - low, high - came], color=_MODEL, marker="o", capsize=2, label="model")
    _plain(axes, edge)


def _plain(axes: Axes, edge: float) -> None:
    axes.set(xlim=(0, edge), ylim=(0, edge))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(lambda share, _: f"{100 * share:.4g} %")
    axes.spines[["top", "right"]].set_visible(False)


def _sample(hits: Flags) -> str:
    return f"{hits.sum():,} of {len(hits):,} snapshots".replace(",", "\N{NO-BREAK SPACE}")
