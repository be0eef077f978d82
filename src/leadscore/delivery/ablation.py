"""The table of an ablation on disk, and as Markdown for a README."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from leadscore.store.lake import replace_text

_THOUSANDTHS = 1000


def write_ablation(folder: Path, told: Mapping[str, Any]) -> None:
    """Write `ablation.csv` (one row per variant and horizon), `ablation.json` and `ablation.md`, each whole."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / "ablation.csv", pd.DataFrame(told["rows"]).to_csv(index=False, float_format="%.6g"))
    text = pd.Series(dict(told)).to_json(force_ascii=False, double_precision=8)  # NaN becomes null
    replace_text(folder / "ablation.json", json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n")
    replace_text(folder / "ablation.md", markdown(told["rows"], told["ranked_by"]) + "\n")


def markdown(rows: Sequence[Mapping[str, Any]], horizon: str) -> str:
    """Write the table of an ablation: one line per variant, its figures at one horizon, its changes at all.

    The changes are those of the log-loss against all families, in thousandths, with the standard deviation that other
    leads would give; bold beyond two of them. Less is better: a family pays when leaving it out raises the log-loss.
    """
    horizons = list(dict.fromkeys(row["horizon"] for row in rows))
    head = ["families", "features", "AUC", "AP", "lift at 10 %", "log-loss", *(f"Δ {name}" for name in horizons)]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        if row["horizon"] == horizon:
            same = [other for other in rows if other["variant"] == row["variant"]]
            lines.append("| " + " | ".join([*shown_figures(row), *(shown_change(other) for other in same)]) + " |")
    return "\n".join(lines)


def shown_figures(row: Mapping[str, Any]) -> list[str]:
    """Write the figures of a variant at one horizon."""
    return [
        row["variant"], str(row["features"]), _shown(row["auc"], ".3f"), _shown(row["average_precision"], ".3f"),
        _shown(row["lift_at_10"], ".2f"), _shown(row["log_loss"], ".4f"),
    ]  # fmt: skip


def shown_change(row: Mapping[str, Any], bold: str = "**") -> str:
    """Write the change of the log-loss in thousandths with its standard deviation, bold where it is no noise."""
    if row["kind"] == "all":
        return ""
    by, spread = row["log_loss_change"] * _THOUSANDTHS, row["log_loss_sd"] * _THOUSANDTHS
    text = f"{_shown(by, '+.1f')} ± {_shown(spread, '.1f')}"
    return text if row["is_noise"] else f"{bold}{text}{bold}"


def _shown(value: float, form: str) -> str:
    return "–" if value != value else format(value, form)  # noqa: PLR0124 - NaN is the only value unlike itself
