"""The registered model: a bundle as MLflow's servers load it, and proof that it scores as it was trained."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import leadscore
from leadscore.errors import GateError
from leadscore.model.bundle import Bundle
from leadscore.timeline import show_moment

if TYPE_CHECKING:  # MLflow takes more than a second to import
    from mlflow import MlflowClient

# What importing `leadscore.model.bundle` imports; the served model gets exactly these versions. A test compares.
REQUIREMENTS = (
    "babel",
    "lightgbm",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "scipy",
    "threadpoolctl",
)
ALIAS = "champion"
_LONGEST = 5000  # signs of a description, by MLflow's database
_CUT = "\n\n… the rest stands in model_card.md of the run."


def register(mlflow: Any, client: MlflowClient, run_id: str, bundle: Bundle, card: str) -> str:
    """Log the bundle as a model and register it under the project's name; return the registered version."""
    logged = _log_model(mlflow, bundle)
    _create_registered_model(client, bundle.project)
    # `mlflow.register_model` does the same and talks on standard error.
    created = client.create_model_version(
        bundle.project,
        f"models:/{logged.model_id}",
        run_id=run_id,
        tags={"bundle": bundle.version, "as_of": show_moment(bundle.as_of)},
        description=described(card),
        model_id=logged.model_id,
    )
    return str(created.version)


def described(card: str) -> str:
    """Shorten a card to what MLflow keeps of a description, at the end of a line."""
    if len(card) <= _LONGEST:
        return card
    return card[: card.rindex("\n", 0, _LONGEST - len(_CUT))] + _CUT


def example(bundle: Bundle) -> pd.DataFrame:
    """Make three rows of features (double, one column per feature) that belong to nobody.

    They are the average lead, a lead of whom nothing is known, and one that lies a standard deviation above average
    everywhere: no person's data goes to the registry.
    """
    base = bundle.model.base
    scaled = np.stack([base.mean, np.full(len(base.mean), np.nan), base.mean + np.where(np.isinf(base.sd), 0, base.sd)])
    rows = np.where(base.skewed, np.sign(scaled) * np.expm1(np.abs(scaled)), scaled)
    # The matrix is float32; a double that holds one gives the same bits back.
    return pd.DataFrame(rows.astype(np.float32).astype(np.float64), columns=[f.name for f in bundle.features])


def check_round_trip(mlflow: Any, version: str, bundle: Bundle) -> None:
    """Load what was registered and compare it with what was trained, bit for bit.

    MLflow accepts a model that cannot be loaded; without this gate the alias would be the first to notice.

    Raises:
        GateError: it scores otherwise.
    """
    rows = example(bundle)
    # From a server MLflow fetches the model into a folder that it leaves behind; this one goes.
    with tempfile.TemporaryDirectory(prefix="leadscore-") as place:
        loaded = mlflow.pyfunc.load_model(f"models:/{bundle.project}/{version}", dst_path=place)
        same_bundle = loaded.unwrap_python_model().bundle.version == bundle.version
        found = loaded.predict(rows).to_numpy()
    if not same_bundle or not np.array_equal(found, bundle.readiness(rows.to_numpy(dtype=np.float32))):
        raise GateError(
            f"models:/{bundle.project}/{version} does not score like the bundle {bundle.version} it was made of.",
            "The champion stays; please report this as a bug.",
        )


def with_alias(client: MlflowClient, name: str) -> str | None:
    """Return the version of a registered model that carries the alias; None where none does."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - late, as above

    try:
        version = client.get_registered_model(name).aliases.get(ALIAS)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return None if version is None else str(version)


def give_alias(client: MlflowClient, name: str, version: str, tags: Mapping[str, str]) -> None:
    """Give a version the alias, and tags that say why."""
    for tag, value in tags.items():
        client.set_model_version_tag(name, version, tag, value)
    client.set_registered_model_alias(name, ALIAS, version)


def _log_model(mlflow: Any, bundle: Bundle) -> Any:
    # Everything is logged from a temporary folder, because MLflow writes down where it took the files from.
    with tempfile.TemporaryDirectory(prefix="leadscore-") as place:
        package, folder = Path(place) / "leadscore", Path(place) / "bundle"
        shutil.copytree(Path(leadscore.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
        folder.mkdir()
        bundle.write(folder)
        return mlflow.pyfunc.log_model(
            name="bundle",
            python_model=str(package / "registry" / "served.py"),
            artifacts={"bundle": str(folder)},
            code_paths=[str(package)],
            pip_requirements=[f"{name}=={installed(name)}" for name in REQUIREMENTS],
            signature=_signature(bundle),
            input_example=example(bundle),
            metadata={"bundle": bundle.version},
        )


def _signature(bundle: Bundle) -> Any:
    from mlflow.models import ModelSignature  # noqa: PLC0415 - late, as above
    from mlflow.types import ColSpec, Schema  # noqa: PLC0415 - same

    # Every column must come, but `served` refuses a missing one itself: MLflow's refusal shows the rows, and says
    # nothing of what to do.
    inputs = Schema([ColSpec("double", feature.name, required=False) for feature in bundle.features])
    return ModelSignature(inputs, Schema([ColSpec("double", f"p_{name}") for name in bundle.horizons]))


def _create_registered_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - late, as above

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
