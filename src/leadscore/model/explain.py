"""Why: what each feature adds to a lead's margin, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadscore.features.view import Matrix
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle
from leadscore.model.shape import pull


@dataclass(frozen=True)
class Contributions:
    """One row per snapshot; `offset + by_feature.sum(axis=1)` is the margin.

    Attributes:
        by_feature: What each feature adds, one column per feature of the bundle.
        offset: What all leads share: intercepts, the trees' expectation, the number of the output.
        margin: Mean margin of the outputs, weighted as they pull at the ranking horizon.
    """

    by_feature: Floats
    offset: Floats
    margin: Floats


def explain(bundle: Bundle, matrix: Matrix, horizon: int) -> Contributions:
    """Split the margin up to a horizon into what each feature adds.

    The outputs are weighted as they pull at the chance of that horizon (see `shape.pull`). Within an output the base is
    additive by construction, and the trees are by their exact Shapley values (LightGBM's pred_contrib).
    """
    margins = bundle.margins(matrix)
    weights = pull(margins, bundle.model.shape, horizon)
    width = matrix.shape[1]
    base = bundle.model.base.contributions(matrix)
    by_feature = np.zeros((len(matrix), width))
    offset = np.zeros(len(matrix))
    for number in range(horizon + 1):
        weight = weights[:, number]
        trees = bundle.model.shapley(matrix, number)
        by_feature += weight[:, None] * (base[:, number, :width] + trees[:, :width])
        offset += weight * (base[:, number, width] + trees[:, width:].sum(axis=1))
    return Contributions(by_feature, offset, (weights * margins).sum(axis=1))
