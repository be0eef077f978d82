"""The two shapes of the readiness curve: what each output of a model learns, and how the outputs make one curve.

`hazard`: output k is the chance to convert in interval k, given not before; P(H_k) = 1 - ∏_{j ≤ k} (1 - h_j).
`per_horizon`: output k is the chance to have converted by horizon k, learned apart from the others and repaired: no
chance is below that of a shorter horizon. Either way no curve falls.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import expit

from leadscore.labels import Flags, Labels
from leadscore.model.base import Floats

Shape = Literal["hazard", "per_horizon"]
SHAPES: tuple[Shape, ...] = ("hazard", "per_horizon")


def lessons(labels: Labels, shape: Shape) -> tuple[Flags, Flags]:
    """Return what each output learns and from which rows: two tables of one column per output.

    A lead followed for 20 days teaches the hazard of the intervals that have closed, and the horizons that have.
    """
    if shape == "hazard":
        return labels.in_interval, labels.teaches
    return labels.by_horizon, labels.matured


def curve(margins: Floats, shape: Shape) -> Floats:
    """Turn outputs on the logit scale into P(converted by each horizon): rows that never fall from left to right.

    >>> curve(np.array([[0.0, 0.0]]), "hazard").tolist()
    [[0.5, 0.75]]
    >>> curve(np.array([[0.0, -1.0]]), "per_horizon").tolist()
    [[0.5, 0.5]]
    """
    if shape == "hazard":
        # log(1 - h) = -log(1 + e^m), summed, keeps small chances exact.
        chances: Floats = -np.expm1(-np.cumsum(np.logaddexp(0.0, margins), axis=1))
        return chances
    repaired: Floats = expit(np.maximum.accumulate(margins, axis=1))
    return repaired


def pull(margins: Floats, shape: Shape, horizon: int) -> Floats:
    """Return how much each output counts for the chance at a horizon: rows that add up to 1, one column per output.

    The logit of 1 - ∏(1 - h) has the gradient h_k / P with respect to the margin of interval k, so hazards are weighted
    w_k = h_k / Σ h up to the horizon. A repaired chance is that of one output: the largest up to the horizon.
    """
    weights = np.zeros_like(margins)
    seen = margins[:, : horizon + 1]
    if shape == "hazard":
        hazards = expit(seen)
        weights[:, : horizon + 1] = hazards / hazards.sum(axis=1, keepdims=True)
    else:
        weights[np.arange(len(margins)), seen.argmax(axis=1)] = 1.0
    return weights
