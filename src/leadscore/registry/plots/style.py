"""What all pictures share: colours, frames, and how a sample is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leadscore.labels import Flags

MODEL, GREY = "#0072b2", "#6b6b6b"
# Okabe and Ito's colours stay apart for every eye; the dashes and signs keep them apart in print.
_OTHERS = (
    ("#d55e00", "--", "s"),
    ("#009e73", "-.", "^"),
    ("#cc79a7", (0, (3, 1, 1, 1)), "D"),
    ("#e69f00", (0, (1, 1)), "v"),
    ("#56b4e9", (0, (5, 1)), "P"),
)


def blank(width: float, height: float) -> Figure:
    """Open a picture of some inches."""
    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def styled(names: Sequence[str]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Give each baseline its name for people, the style of its line, and its sign; a sixth is not drawn."""
    for name, (color, dashes, sign) in zip(names, _OTHERS, strict=False):
        yield name, {"color": color, "linestyle": dashes}, sign


def spoken(name: str) -> str:
    """Write a name for people."""
    return name.replace("_", " ")


def open_frame(axes: Axes) -> None:
    """Leave only the axes that carry numbers."""
    axes.spines[["top", "right"]].set_visible(False)


def sample(hits: Flags) -> str:
    """Tell how many converted, of how many."""
    return f"{hits.sum():,} of {len(hits):,} snapshots".replace(",", "\N{NO-BREAK SPACE}")


def model_first(axes: Axes) -> tuple[list[Any], list[str]]:
    """List what a legend shows, beginning with the model."""
    shown = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda pair: pair[1] != "model")
    return [handle for handle, _ in shown], [label for _, label in shown]
