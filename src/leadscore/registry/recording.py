"""How a run is written into MLflow's store, with nested runs or without.

MLflow is a view onto what was trained and tried. When its store is away the work goes on, says so, and nothing is lost.
"""

from __future__ import annotations

import logging
import math
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leadscore.errors import LeadscoreError
from leadscore.registry import store

if TYPE_CHECKING:  # MLflow takes more than a second to import
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

# As many as MLflow takes at a time.
_PARAMS, _METRICS = 100, 1000


@dataclass(frozen=True)
class Recorded:
    """Where MLflow keeps what was recorded; without a run, `reason` says why there is none.

    Attributes:
        tracking_uri: MLflow's store, without the password it may carry.
        run_id: The run.
        registered_version: Version of the registered model (named as the project).
        model_uri: `models:/<project>/<version>`.
        reason: Why it could not be recorded; empty when it was.
    """

    tracking_uri: str
    run_id: str | None = None
    registered_version: str | None = None
    model_uri: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class OpenRun:
    """A run that is being written.

    Attributes:
        mlflow: The library, which logs into the run that was opened last.
        client: Of the store.
        experiment: Where the run lies.
        run_id: The run.
        tags: Its tags; those of its nested runs begin with them.
    """

    mlflow: Any
    client: MlflowClient
    experiment: str
    run_id: str
    tags: Mapping[str, str]

    @contextmanager
    def nested(self, name: str, tags: Mapping[str, str]) -> Iterator[OpenRun]:
        """Open a run within this one."""
        both = {**self.tags, **_prefixed(tags)}
        with self.mlflow.start_run(experiment_id=self.experiment, run_name=name, tags=both, nested=True) as run:
            yield replace(self, run_id=run.info.run_id, tags=both)

    def log_numbers(
        self,
        parameters: Mapping[str, str],
        metrics: Mapping[str, float],
        stepped: Sequence[Mapping[str, float]] = (),
        moments: Sequence[int] = (),
        step: int = 0,
    ) -> None:
        """Log parameters and metrics; those of the origins as `origin_…`, the position as step.

        Args:
            parameters: By name.
            metrics: By name; one that is not finite is left out.
            stepped: The same per origin, oldest first.
            moments: Of the origins, as the points' times: on that axis runs with other origins lie side by side.
            step: Of `metrics`: MLflow shows those of the highest.
        """
        from mlflow.entities import Metric, Param  # noqa: PLC0415 - late, as in `store`

        points = [(step, 0, metrics)]
        points += [
            (position, moments[position] // 1000 if moments else 0, {f"origin_{name}": own[name] for name in own})
            for position, own in enumerate(stepped)
        ]
        measured = [
            Metric(name, float(value), milliseconds, position)
            for position, milliseconds, own in points
            for name, value in own.items()
            if math.isfinite(value)
        ]
        params = [Param(name, value) for name, value in parameters.items()]
        for first in range(0, len(params), _PARAMS):
            self.client.log_batch(self.run_id, params=params[first : first + _PARAMS])
        for first in range(0, len(measured), _METRICS):
            self.client.log_batch(self.run_id, metrics=measured[first : first + _METRICS])

    def log_texts(self, texts: Mapping[str, str]) -> None:
        """Log texts by file name, without the passwords that addresses in them may carry."""
        for name, text in texts.items():
            self.mlflow.log_text(store.without_passwords(text), name)

    def log_parquet(self, name: str, table: pa.Table) -> None:
        """Log a table for programs, by file name."""
        with tempfile.TemporaryDirectory(prefix="leadscore-") as place:
            pq.write_table(table, Path(place) / name, compression="zstd")
            self.mlflow.log_artifact(str(Path(place) / name))

    def log_tables(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Log tables for people, by name."""
        for name, rows in tables.items():
            self.mlflow.log_table(rows, f"{name}.json")


def record_run(
    config: store.Project,
    what: str,
    title: str,
    tags: Mapping[str, str],
    fill: Callable[[OpenRun], str | None],
    earlier: str | None = None,
) -> Recorded:
    """Record something as a run; whatever MLflow or its store has against it ends as a warning and a reason.

    Args:
        config: Of the project.
        what: Is recorded, for the warning.
        title: Name of the run.
        tags: Of the run, by name.
        fill: Writes into the run, and returns the version of the registered model where it made one.
        earlier: The run to go on with, if it is still there.
    """
    try:
        with store.open_store(config) as (mlflow, client):
            experiment = store.find_experiment(config, client)
            _end_orphans(client, experiment)
            old, own = _standing(client, experiment, earlier), {**_prefixed(tags), **_of_this_process()}
            with mlflow.start_run(old, experiment, run_name=title, tags=own) as run:
                version = fill(OpenRun(mlflow, client, experiment, run.info.run_id, own))
    except LeadscoreError:
        raise
    except Exception as error:  # noqa: BLE001 - stores are plug-ins and raise anything; none may cost a training
        return Recorded(store.shown_uri(config), reason=store.warn_of(f"{what} is not recorded in MLflow", error))
    model = version and f"models:/{config.project}/{version}"
    return Recorded(store.shown_uri(config), run.info.run_id, version, model)


def _prefixed(tags: Mapping[str, str]) -> dict[str, str]:
    return {f"leadscore.{name}": value for name, value in tags.items()}


def _of_this_process() -> dict[str, str]:
    """Tag what is needed to end the run, should this process be killed."""
    pid = os.getpid()
    return _prefixed({"host": platform.node(), "pid": str(pid), "born": _born(pid)})


def _standing(client: MlflowClient, experiment: str, run_id: str | None) -> str | None:
    """Return a run if it is there to go on with."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - late, as in `store`

    if run_id is None:
        return None
    try:
        info = client.get_run(run_id).info
    except MlflowException:  # of another store, or deleted for good
        return None
    return run_id if info.lifecycle_stage == "active" and info.experiment_id == experiment else None


def _end_orphans(client: MlflowClient, experiment: str) -> None:
    """End as KILLED what a killed process of this machine left RUNNING."""
    ours = f"attributes.status = 'RUNNING' and tags.`leadscore.host` = '{platform.node()}'"
    for run in client.search_runs([experiment], ours):
        pid = int(run.data.tags.get("leadscore.pid", "0"))
        if _born(pid) != run.data.tags.get("leadscore.born"):
            client.set_terminated(run.info.run_id, status="KILLED")
            log.info("MLflow run %s of a killed process: ended", run.info.run_id)


def _born(pid: int) -> str:
    """Tell a process from a later one of the same number; empty when there is none."""
    try:
        # The 22nd field of Linux's stat, counted behind the name, which may hold anything: ticks from boot to start.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return _alive(pid)


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "alive"
    return "alive" if pid else ""
