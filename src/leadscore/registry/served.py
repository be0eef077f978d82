"""The face MLflow knows: a bundle that `mlflow models serve` and `mlflow.pyfunc.load_model` can use.

MLflow keeps a copy of this file with each model and runs it to load the model: code and text, nothing pickled. It
scores features that were computed elsewhere; the code of a family of the project's own is not in the model, nor run by
it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.models
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from leadscore.model.bundle import Bundle, read_bundle


class ServedBundle(PythonModel):
    """Readiness from features by name: one row per snapshot; a column that is not given counts as missing."""

    bundle: Bundle

    def load_context(self, context: PythonModelContext) -> None:  # MLflow hands it over by this name
        """Read the bundle that was logged with the model."""
        self.bundle = read_bundle(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's interface
        """Return `p_<horizon>`, one column per horizon, for one row per snapshot."""
        named = model_input.reindex(columns=[feature.name for feature in self.bundle.features])
        readiness = self.bundle.readiness(np.ascontiguousarray(named.to_numpy(), dtype=np.float32))
        return pd.DataFrame(readiness, columns=[f"p_{name}" for name in self.bundle.horizons], index=model_input.index)


mlflow.models.set_model(ServedBundle())
