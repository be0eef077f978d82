"""Why: what each feature adds to a lead's margin, exactly."""

from __future__ import annotations

from collections.abc import Iterator
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
    width = matrix.shape[1]
    outputs = list(_trees(bundle, matrix, horizon + 1))
    for number, parts in enumerate(outputs):
        parts[:, : width + 1] += bundle.model.base.contributions(matrix, number)
    margins = np.stack([parts.sum(axis=1) for parts in outputs], axis=1)
    weights = pull(margins, bundle.model.shape, horizon)
    added = sum((parts * weights[:, [number]] for number, parts in enumerate(outputs)), np.zeros(()))
    return Contributions(added[:, :width], added[:, width:].sum(axis=1), (weights * margins).sum(axis=1))


def _trees(bundle: Bundle, matrix: Matrix, outputs: int) -> Iterator[Floats]:
    """Split what the trees add to each output; once for all, where they do not tell them apart."""
    first = bundle.model.shapley(matrix, 0)
    apart = bundle.model.tells_outputs_apart
    yield first.copy()
    for number in range(1, outputs):
        yield bundle.model.shapley(matrix, number) if apart else first.copy()
