"""Runs as they are read back: found by any of their names, with what they were judged on."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from leadscore.errors import ConfigError, LeadscoreError, StateError
from leadscore.registry import judged, store
from leadscore.registry.registered import ALIAS, with_alias

if TYPE_CHECKING:  # MLflow takes more than a second to import
    from mlflow import MlflowClient

_RUN, _BUNDLE, _VERSION = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{12}"), re.compile(r"[0-9]{1,9}")
_LISTED = 5


@dataclass(frozen=True)
class Run:
    """One run: what it is called, what it was made with, and its judged rows (see `judged.tell_judged`)."""

    run_id: str
    name: str
    project: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    judged: pa.Table


def read_runs(config: store.Project, names: Sequence[str]) -> list[Run]:
    """Read runs by run id, run name, model version (twelve hex digits), registered version, or `champion`.

    Raises:
        ConfigError: a name fits no run, or several that differ.
        StateError: MLflow is away, or a run holds no judged rows.
    """
    try:
        with store.open_store(config) as (mlflow, client):
            experiment = store.find_experiment(config, client)
            return [_read(mlflow, client, _find(client, config, experiment, name)) for name in names]
    except LeadscoreError:
        raise
    except Exception as error:
        raise StateError(
            f"{store.shown_uri(config)}: MLflow cannot be read ({store.explain(error)}).",
            "Start the server, or check tracking.uri and MLFLOW_TRACKING_URI.",
        ) from error


def _find(client: MlflowClient, config: store.Project, experiment: str, name: str) -> Any:
    """Return MLflow's run."""
    if name == ALIAS or _VERSION.fullmatch(name):
        return _registered(client, config, name)
    if _RUN.fullmatch(name):
        return _or_none(lambda: client.get_run(name)) or _refuse(name)
    if _BUNDLE.fullmatch(name):
        # Trained twice alike, the version is the same, and so is what was judged.
        found = client.search_runs([experiment], f"tags.`leadscore.bundle` = '{name}'", max_results=1)
        return found[0] if found else _refuse(name)
    return _by_name(client, experiment, name)


def _by_name(client: MlflowClient, experiment: str, name: str) -> Any:
    quote = '"' if "'" in name else "'"
    if quote in name:  # MLflow's language cannot say it
        return _refuse(name)
    found = client.search_runs([experiment], f"attributes.run_name = {quote}{name}{quote}")
    if len(found) > 1:
        ids = ", ".join(run.info.run_id for run in found[:_LISTED])
        raise ConfigError(f"{name!r}: found {len(found)} runs of this name, expected one.", f"Give an id: {ids}.")
    return found[0] if found else _refuse(name)


def _registered(client: MlflowClient, config: store.Project, name: str) -> Any:
    number = with_alias(client, config.project) if name == ALIAS else name
    version = number and _or_none(lambda: client.get_model_version(config.project, number))
    return client.get_run(version.run_id) if version else _refuse(name)


def _or_none(ask: Callable[[], Any]) -> Any:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - late, as in `store`

    try:
        return ask()
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _refuse(name: str) -> Any:
    raise ConfigError(
        f"{name!r}: found no such run, expected an id, a name, a model version, a registered version, or {ALIAS}.",
        "`leadscore train` and `leadscore backtest` say theirs with --json; MLflow's page lists all.",
    )


def _read(mlflow: Any, client: MlflowClient, run: Any) -> Run:
    run_id = run.info.run_id
    if judged.FILE not in {file.path for file in client.list_artifacts(run_id)}:
        raise StateError(
            f"Run {run.info.run_name!r} ({run_id}) holds no {judged.FILE}: nothing was judged in it.",
            "Compare runs of `leadscore train` or `leadscore backtest` that had history enough to be judged.",
        )
    with tempfile.TemporaryDirectory(prefix="leadscore-") as place:
        file = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=judged.FILE, dst_path=place)
        rows = pq.read_table(file)
    tags = {name.removeprefix("leadscore."): text for name, text in run.data.tags.items() if "leadscore." in name}
    return Run(run_id, run.info.run_name, tags.get("project", ""), run.data.params, tags, rows)
