"""The face MLflow knows: a bundle that `mlflow models serve` and `mlflow.pyfunc.load_model` can use.

MLflow keeps a copy of this file with each model and runs it to load the model: code and text, nothing pickled. It
scores features that were computed elsewhere; the code of a family of the project's own is not in the model, nor run by
it.

LightGBM takes columns by their place: reordered ones, one missing and another extra, flags or infinities it scores
without a word. Here a column is taken by its name, and a table that is not what was trained on is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow.models
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from leadscore.errors import DataError
from leadscore.features.view import Matrix
from leadscore.model.bundle import Bundle, read_bundle

_TOLD = 5  # names in a message
_NUMBERS = {"floating", "integer", "mixed-integer-float", "empty"}


class ServedBundle(PythonModel):
    """Readiness from features by name: one row per snapshot, every feature a column of numbers, NaN where missing."""

    bundle: Bundle

    def load_context(self, context: PythonModelContext) -> None:  # MLflow hands it over by this name
        """Read the bundle that was logged with the model."""
        self.bundle = read_bundle(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's interface
        """Return `p_<horizon>`, one column per horizon, for one row per snapshot.

        Raises:
            DataError: see `arrange`. Through `mlflow.pyfunc` an extra column does not come this far: MLflow drops it
                by the model's signature, with a warning that names it.
        """
        readiness = self.bundle.readiness(arrange(model_input, [feature.name for feature in self.bundle.features]))
        return pd.DataFrame(readiness, columns=[f"p_{name}" for name in self.bundle.horizons], index=model_input.index)


def arrange(given: pd.DataFrame, names: Sequence[str]) -> Matrix:
    """Put the columns in the order of training, whatever their order, as single floats; NaN means missing.

    Raises:
        DataError: a column is missing, extra or there twice, holds something else than numbers, or an infinity.
    """
    if not isinstance(given, pd.DataFrame):
        raise DataError(f"Found {type(given).__name__}, expected a table of named columns.", "Give a pandas DataFrame.")
    there, known = Counter(given.columns), set(names)
    _refuse("missing", [name for name in names if name not in there], "Add them, with NaN where nothing is known.")
    _refuse("unknown to this model", [name for name in there if name not in known], "Leave them out.")
    _refuse("given twice", [name for name, often in there.items() if often > 1], "Keep one of each.")
    _refuse("not numbers", [name for name in names if not _is_numeric(given[name])], "Give numbers, 0 or 1 for flags.")
    with np.errstate(over="ignore"):  # what a single float cannot hold is an infinity, too
        matrix = np.ascontiguousarray(given[list(names)].to_numpy(np.float64, na_value=np.nan), dtype=np.float32)
    infinite = np.flatnonzero(np.isinf(matrix).any(axis=0)).tolist()
    _refuse("infinite", [names[column] for column in infinite], "Give NaN where nothing is known.")
    return matrix


def _refuse(what: str, columns: Sequence[Any], hint: str) -> None:
    """Refuse a table for some columns; their names are told, never what is in them."""
    if columns:
        more = f" and {len(columns) - _TOLD} more" if len(columns) > _TOLD else ""
        told = ", ".join(repr(str(name)) for name in columns[:_TOLD])
        raise DataError(f"Columns that are {what}: {told}{more}.", f"{hint} The model's signature lists its columns.")


def _is_numeric(column: pd.Series[Any]) -> bool:
    """Say whether all that is there is numbers; what JSON calls null leaves a column of objects."""
    if column.dtype == object:
        return pd.api.types.infer_dtype(column, skipna=True) in _NUMBERS
    return column.dtype.kind in "fiu"


mlflow.models.set_model(ServedBundle())
