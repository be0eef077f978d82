"""What was tried, in MLflow: ablations, searches, and trainings on flat exports.

Nothing is registered, no alias moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from leadscore.config import Config
from leadscore.config.flat import FlatConfig
from leadscore.registry import judged
from leadscore.registry.recording import OpenRun, Recorded, record_run

FLAT = "flat"
"""Tag of a training on a flat export: what it judged has no moments."""


@dataclass(frozen=True)
class Child:
    """One variant of an ablation or trial of a search: name, settings, final figures, those of each origin in order."""

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    stepped: Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Ablation:
    """What there is to say about an ablation: a parent run with the table, and a nested run per variant."""

    title: str
    tags: Mapping[str, str]
    table: pd.DataFrame
    children: Sequence[Child]


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
        judged: What was said of each lead and what came true (see `judged.tell_judged`); None where none was judged.
    """

    title: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    configuration: str
    warnings: Sequence[str]
    metrics: Mapping[str, float]
    stepped: Sequence[Mapping[str, float]]
    tables: Mapping[str, pd.DataFrame]
    judged: pa.Table | None


def record_ablation(config: Config, ablation: Ablation) -> Recorded:
    """Record an ablation as a run with a nested run per variant."""

    def fill(run: OpenRun) -> None:
        run.log_tables({"ablation": ablation.table})
        _log_children(run, ablation.children)

    return record_run(config, "the ablation", ablation.title, {**ablation.tags, "study": "ablation"}, fill)


def record_search(config: Config, search: Search, earlier: str | None) -> Recorded:
    """Record a search as a run with a nested run per trial, or add what is new to the run it had earlier."""

    def fill(run: OpenRun) -> None:
        known = _finished(run)
        _log_children(run, [child for child in search.children if child.name not in known])
        # The newest figures are those of a search that went on.
        run.log_numbers({}, search.metrics, step=len(search.children))
        run.log_texts(search.documents)

    return record_run(config, "the search", search.title, {**search.tags, "study": "tuning"}, fill, earlier)


def record_flat(config: FlatConfig, told: FlatRun) -> Recorded:
    """Record a training on a flat export as a run."""

    def fill(run: OpenRun) -> None:
        run.log_numbers(told.parameters, told.metrics, told.stepped)
        run.log_texts({"configuration.yaml": told.configuration, "warnings.txt": "\n".join(told.warnings) + "\n"})
        run.log_tables(told.tables)
        if told.judged is not None:
            run.log_parquet(judged.FILE, told.judged)

    return record_run(config, "the training", told.title, {**told.tags, "study": FLAT}, fill)


def _log_children(run: OpenRun, children: Sequence[Child]) -> None:
    for child in children:
        with run.nested(child.name, {"variant": child.name}) as own:
            own.log_numbers(child.parameters, child.metrics, child.stepped)


def _finished(run: OpenRun) -> set[str]:
    """Name the trials that are there; one whose recording was killed half-way is recorded again."""
    theirs = f"tags.mlflow.parentRunId = '{run.run_id}' and attributes.status = 'FINISHED'"
    found = run.client.search_runs([run.experiment], theirs, max_results=10_000)
    return {trial.info.run_name for trial in found}
