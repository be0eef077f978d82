"""What a fit gives: trees on the margin of a smooth base, and the shape of the curve their margins make."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import lightgbm as lgb
import numpy as np

from leadscore.errors import StateError
from leadscore.features.view import Matrix
from leadscore.model.base import Base, Floats
from leadscore.model.shape import Shape, curve
from leadscore.model.shapley import Tables, tabulate

_MEND = "Restore the files of the model, or run `leadscore train`."


@dataclass(frozen=True)
class Fitted:
    """A model of readiness; all of it is text and numbers.

    Attributes:
        shape: How the outputs make a curve.
        base: Margins the trees start from, one output per interval or horizon.
        trees: LightGBM's text; the last column is the number of the output.
    """

    shape: Shape
    base: Base
    trees: str

    @cached_property
    def booster(self) -> lgb.Booster:
        """The trees, read from their text."""
        return lgb.Booster(model_str=self.trees)

    def margins(self, matrix: Matrix) -> Floats:
        """Return the outputs on the logit scale: one row per snapshot, one column per output."""
        # LightGBM takes columns of any type, text too, and compares them unrounded with what it cut in float32.
        assert matrix.dtype == np.float32, f"expected float32, found {matrix.dtype}"
        base = self.base.margins(matrix)
        if not len(matrix):
            return base
        trees = [
            self.booster.predict(with_output(matrix, number), raw_score=True, num_threads=0)
            for number in range(base.shape[1])
        ]
        margins: Floats = base + np.stack(trees, axis=1)
        return margins

    def readiness(self, matrix: Matrix) -> Floats:
        """Return P(converted by each horizon), not calibrated: one row per snapshot, never falling."""
        return curve(self.margins(matrix), self.shape)

    @cached_property
    def tells_outputs_apart(self) -> bool:
        """Whether any tree asks which output it is about; if none does, the trees add the same to all."""
        return bool(self.booster.feature_importance("split")[-1] > 0)

    def shapley(self, matrix: Matrix, number: int) -> Floats:
        """Split what the trees add to an output: a column per feature, then the output's number and the expectation."""
        if not len(matrix):
            return np.zeros((0, matrix.shape[1] + 2))
        return self._tables.look_up(with_output(matrix, number))

    @cached_property
    def _tables(self) -> Tables:
        return tabulate(self.booster)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; the trees are a file of their own."""
        return {"shape": self.shape, "base": self.base.to_dict()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any], trees: str) -> Fitted:
        """Rebuild a model from its JSON and its trees.

        Raises:
            StateError: the trees are cut short, or are of another number of features than the base.
        """
        base = Base.from_dict(saved["base"])
        _check_trees(trees, len(base.mean))
        return cls(saved["shape"], base, trees)


def _check_trees(trees: str, width: int) -> None:
    """Refuse trees that LightGBM would not: it ends the process at a text that is cut short."""
    header, _, rest = trees.partition("\n\nTree=0\n")
    told = dict(line.split("=", 1) for line in header.splitlines() if "=" in line)
    found, _, parameters = rest.partition("end of trees\n")
    sizes = sum(map(int, told.get("tree_sizes", "").split()))
    if "\nend of parameters\n" not in parameters or len(f"Tree=0\n{found}") != sizes:
        raise StateError("The trees of a model are not as they were written: cut short, or changed.", _MEND)
    features = int(told.get("max_feature_idx", -1))  # the last one is the number of the output
    if features != width:
        raise StateError(f"The trees of a model are of {features} features, its base is of {width}.", _MEND)


def with_output(matrix: Matrix, number: int) -> Matrix:
    """Append the number of the output as the last column."""
    return np.column_stack([matrix, np.full(len(matrix), number, dtype=np.float32)])
