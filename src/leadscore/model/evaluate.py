"""Evaluation: how good a list was, once time has told. Functions from arrays to figures."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.model.calibrate import log_loss
from leadscore.timeline import Moments

METRICS = (
    "auc",
    "average_precision",
    "lift_at_10",
    "capture_at_10",
    "capture_at_capacity",
    "lift_at_capacity",
    "brier",
    "log_loss",
)


def judge(hits: Flags, p: Floats, as_of: Moments, capacity: int | None) -> dict[str, float]:
    """Measure the chances of one horizon against what came true.

    Args:
        hits: Converted within the horizon: one per matured snapshot.
        p: The chance said before.
        as_of: The slot each belongs to; the top of the list is taken slot by slot.
        capacity: Leads per slot; a tenth of each slot when None.

    Returns:
        The METRICS, with `rows`, `conversions` and `base_rate`. A measure that needs both classes is NaN without them.
        lift_at_10 = (conversion rate in the readiest tenth of all rows) / (overall rate); capture = share of all
        conversions found there; at capacity, the top is that of each slot.
    """
    facts = {"rows": float(len(hits)), "conversions": float(hits.sum())}
    facts["base_rate"] = float(hits.mean()) if len(hits) else np.nan
    if not hits.any() or hits.all():
        return {**facts, **dict.fromkeys(METRICS, np.nan)}
    tenth = captured(hits, p, len(hits) / 10)
    worked, captured_at_capacity = _by_slot(hits, p, as_of, capacity)
    return {
        **facts,
        "auc": float(roc_auc_score(hits, p)),
        "average_precision": float(average_precision_score(hits, p)),
        "lift_at_10": tenth / hits.sum() * 10,
        "capture_at_10": tenth / hits.sum(),
        "capture_at_capacity": captured_at_capacity / hits.sum(),
        "lift_at_capacity": captured_at_capacity / worked / hits.mean(),
        "brier": float(brier_score_loss(hits, p)),
        "log_loss": log_loss(hits, p),
    }


def captured(hits: Flags, p: Floats, top: float) -> float:
    """Return how many hits the `top` rows of highest p hold; rows that tie at the edge count by their share.

    >>> captured(np.array([True, False, True]), np.array([.9, .5, .5]), 2)
    1.5
    """
    top = min(top, len(p))
    if top <= 0:
        return 0.0
    edge = np.sort(p)[::-1][int(np.ceil(top)) - 1]
    above, at = p > edge, p == edge
    return float(hits[above].sum() + hits[at].sum() * (top - above.sum()) / at.sum())


def _by_slot(hits: Flags, p: Floats, as_of: Moments, capacity: int | None) -> tuple[float, float]:
    """Return how many leads would have been worked, and how many conversions met."""
    worked, met = 0.0, 0.0
    for moment in np.unique(as_of):
        slot = as_of == moment
        top = min(float(slot.sum()), slot.sum() / 10 if capacity is None else float(capacity))
        worked += top
        met += captured(hits[slot], p[slot], top)
    return worked, met
