"""Why: what each feature adds to a lead's margin, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from leadscore.features.view import Matrix
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle
from leadscore.model.fitted import Fitted
from leadscore.model.shape import pull

_BLOCK = 2**10  # rows at a time: what lies between the features and their sums stays in the processor's cache


@dataclass(frozen=True)
class Contributions:
    """One row per snapshot; `offset + by_feature.sum(axis=1)` is the margin.

    Attributes:
        by_feature: What each feature adds, one column per feature of the bundle.
        offset: Intercepts, the trees' expectation, the number of the output, weighted as the outputs pull at the chance
            of the snapshot: nearly the same for all.
        margin: Mean margin of the outputs, weighted as they pull at the ranking horizon.
    """

    by_feature: Floats
    offset: Floats
    margin: Floats


def explain(bundle: Bundle, matrix: Matrix, horizon: int) -> Contributions:
    """Split the margin up to a horizon into what each feature adds.

    The outputs are weighted as they pull at the chance of that horizon (see `shape.pull`). Within an output the base is
    additive by construction, and the trees are by their exact Shapley values (see `shapley`).
    """
    rows, width = matrix.shape
    found = Contributions(np.empty((rows, width)), np.empty(rows), np.empty(rows))
    for first in range(0, rows, _BLOCK):
        block = slice(first, first + _BLOCK)
        outputs = list(_outputs(bundle.model, matrix[block], horizon + 1))
        margins = np.stack([parts.sum(axis=1) for parts in outputs], axis=1)
        weights = pull(margins, bundle.model.shape, horizon)
        added = sum((parts * weights[:, [number]] for number, parts in enumerate(outputs)), np.zeros(()))
        found.by_feature[block] = added[:, :width]
        found.offset[block] = added[:, width:].sum(axis=1)
        found.margin[block] = (weights * margins).sum(axis=1)
    return found


def _outputs(model: Fitted, matrix: Matrix, outputs: int) -> Iterator[Floats]:
    """Split each output; what the trees add is looked up once for all, where they do not tell them apart."""
    z, width = model.base.scale(matrix), matrix.shape[1]
    trees = model.shapley(matrix, 0)
    for number in range(outputs):
        if number and model.tells_outputs_apart:
            trees = model.shapley(matrix, number)
        parts = trees.copy()
        parts[:, : width + 1] += model.base.split(z, number)
        yield parts
