"""Why: what each feature adds to a lead's margin, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadscore.features.view import Matrix
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle, with_interval


@dataclass(frozen=True)
class Contributions:
    """One row per snapshot; `offset + by_feature.sum(axis=1)` is the margin.

    Attributes:
        by_feature: What each feature adds, one column per feature of the bundle.
        offset: What all leads share: intercepts, the trees' expectation, the number of the interval.
        margin: Mean hazard margin up to the ranking horizon, each interval weighted by its share of the hazard.
    """

    by_feature: Floats
    offset: Floats
    margin: Floats


def explain(bundle: Bundle, matrix: Matrix, horizon: int) -> Contributions:
    """Split the margin up to a horizon into what each feature adds.

    The readiness logit P(H) has the gradient h_k / P with respect to the margin of interval k, so the intervals are
    weighted w_k = h_k / Σ h. Within an interval the base is additive by construction, and the trees are by their
    exact Shapley values (LightGBM's pred_contrib).
    """
    margins = bundle.margins(matrix)[:, : horizon + 1]
    hazards = 1 / (1 + np.exp(-margins))
    weights = hazards / hazards.sum(axis=1, keepdims=True)
    width = matrix.shape[1]
    base = bundle.base.contributions(matrix)
    by_feature = np.zeros((len(matrix), width))
    offset = np.zeros(len(matrix))
    for number in range(horizon + 1):
        weight = weights[:, number]
        trees = _shapley(bundle, matrix, number)
        by_feature += weight[:, None] * (base[:, number, :width] + trees[:, :width])
        offset += weight * (base[:, number, width] + trees[:, width:].sum(axis=1))
    return Contributions(by_feature, offset, (weights * margins).sum(axis=1))


def _shapley(bundle: Bundle, matrix: Matrix, number: int) -> Floats:
    """Return Shapley values of the trees: a column per feature, then the interval's and the expectation."""
    if not len(matrix):
        return np.zeros((0, matrix.shape[1] + 2))
    values: Floats = np.asarray(bundle.booster.predict(with_interval(matrix, number), pred_contrib=True))
    return values
