"""Trainings on flat exports in MLflow: a run each with its figures; nothing is registered, no alias moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pandas as pd

from leadscore.config import Config
from leadscore.config.flat import FlatConfig
from leadscore.registry.tracking import (
    _PASSWORD,
    Recorded,
    _away,
    _end_orphans,
    _experiment,
    _log_numbers,
    _process_tags,
    _shown,
    _store,
)


@dataclass(frozen=True)
class FlatRun:
    """What there is to say about a training on a flat export.

    Attributes:
        title: Name of the run.
        tags: Fingerprints and versions, by name.
        parameters: Settings by name; see `settings.flatten_flat`.
        configuration: The same as one text.
        warnings: What such data cannot show, and what else to mind.
        metrics: Figures over all parts together; one that is not finite is left out.
        stepped: The model's figures of each part, oldest first.
        tables: Tables for people, by name.
    """

    title: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    configuration: str
    warnings: Sequence[str]
    metrics: Mapping[str, float]
    stepped: Sequence[Mapping[str, float]]
    tables: Mapping[str, pd.DataFrame]


def record_flat(config: FlatConfig, told: FlatRun) -> Recorded:
    """Record a training on a flat export as a run.

    Whatever MLflow or its store has against it ends as a warning and a reason, never as a lost training.
    """
    # Of a configuration the store needs project, tracking and folders, which both shapes have.
    where, tags = cast("Config", config), {**_process_tags(told.tags), "leadscore.study": "flat"}
    try:
        with _store(where) as (mlflow, client):
            experiment = _experiment(where, client)
            _end_orphans(client, experiment)
            with mlflow.start_run(experiment_id=experiment, run_name=told.title, tags=tags) as run:
                _log_numbers(client, run.info.run_id, told.parameters, told.metrics, told.stepped)
                mlflow.log_text(_PASSWORD.sub("", told.configuration), "configuration.yaml")
                mlflow.log_text("\n".join(told.warnings) + "\n", "warnings.txt")
                for name, rows in told.tables.items():
                    mlflow.log_table(rows, f"{name}.json")
        return Recorded(_shown(where), run.info.run_id)
    except Exception as error:  # noqa: BLE001 - stores are plug-ins and raise anything; none may cost a training
        return Recorded(_shown(where), reason=_away("the training is not recorded in MLflow", error))
