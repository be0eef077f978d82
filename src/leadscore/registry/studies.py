"""Searches in MLflow: a parent run with what was found, and a nested run per trial; a search gone on with, goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadscore.config import Config
from leadscore.registry.tracking import (
    Child,
    Recorded,
    _away,
    _end_orphans,
    _experiment,
    _log_numbers,
    _process_tags,
    _shown,
    _store,
)

if TYPE_CHECKING:  # MLflow takes more than a second to import
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Search:
    """What there is to say about a search.

    Attributes:
        title: Name of the parent run.
        tags: Fingerprints, versions and verdict, by name; what was found may change, so it is no parameter.
        metrics: Figures of the best trial and of the final origin; one that is not finite is left out.
        documents: Texts of the parent run, by file name.
        children: One per trial; a name stands for the same trial for ever.
    """

    title: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    documents: Mapping[str, str]
    children: Sequence[Child]


def record_search(config: Config, search: Search, earlier: str | None) -> Recorded:
    """Record a search as a run with a nested run per trial, or add what is new to the run it had earlier.

    Nothing is registered, no alias moves. Whatever MLflow or its store has against it ends as a warning and a reason.
    """
    tags = {**_process_tags(search.tags), "leadscore.study": "tuning"}
    try:
        with _store(config) as (mlflow, client):
            experiment = _experiment(config, client)
            _end_orphans(client, experiment)
            old = earlier if _is_there(client, experiment, earlier) else None
            with mlflow.start_run(old, experiment, run_name=search.title, tags=tags) as parent:
                known = _finished(client, experiment, parent.info.run_id)
                for child in search.children:
                    if child.name not in known:
                        own = {**tags, "leadscore.variant": child.name}
                        with mlflow.start_run(None, experiment, run_name=child.name, tags=own, nested=True) as run:
                            _log_numbers(client, run.info.run_id, child.parameters, child.metrics, child.stepped)
                _log_found(client, parent.info.run_id, search)
                for name, text in search.documents.items():
                    mlflow.log_text(text, name)
        return Recorded(_shown(config), parent.info.run_id)
    except Exception as error:  # noqa: BLE001 - stores are plug-ins and raise anything; none may cost a search
        return Recorded(_shown(config), reason=_away("the search is not recorded in MLflow", error))


def _log_found(client: MlflowClient, run_id: str, search: Search) -> None:
    """Log the figures with the number of trials as step: the newest are those of a search that went on."""
    from mlflow.entities import Metric  # noqa: PLC0415 - late, as in `tracking`

    step = len(search.children)
    known = {name: value for name, value in search.metrics.items() if math.isfinite(value)}
    client.log_batch(run_id, metrics=[Metric(name, value, 0, step) for name, value in known.items()])


def _is_there(client: MlflowClient, experiment: str, run_id: str | None) -> bool:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - late, as in `tracking`

    if run_id is None:
        return False
    try:
        info = client.get_run(run_id).info
    except MlflowException:  # of another store, or deleted for good
        return False
    return info.lifecycle_stage == "active" and info.experiment_id == experiment


def _finished(client: MlflowClient, experiment: str, parent: str) -> set[str]:
    """Name the trials that are there; one whose recording was killed half-way is recorded again."""
    theirs = f"tags.mlflow.parentRunId = '{parent}' and attributes.status = 'FINISHED'"
    return {run.info.run_name for run in client.search_runs([experiment], theirs, max_results=10_000)}
