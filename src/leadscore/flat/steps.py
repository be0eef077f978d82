"""The two steps of a flat export, train and score: read, compute, write; and first say what such data cannot show."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from leadscore import __version__
from leadscore.config import Config
from leadscore.config.flat import FlatConfig
from leadscore.delivery.files import Slot, deliver
from leadscore.errors import DataError, GateError
from leadscore.flat import shelf
from leadscore.flat.answers import says_yes, several_mean_no, tell_answers
from leadscore.flat.bundle import FlatBundle, finish
from leadscore.flat.columns import Ints
from leadscore.flat.learn import ANSWER, judge_fold, plan_folds, tell
from leadscore.flat.lessons import Lessons, feature_names, gather, named
from leadscore.flat.score import compare, rank, score_leads
from leadscore.flat.table import Ask, Table, read_table
from leadscore.model.backtest import Cohort
from leadscore.model.calibrate import Calibrator, choose_calibrator
from leadscore.model.guard import Leak, examine_columns, refusal
from leadscore.progress import stage, track
from leadscore.registry import FlatRun, figures, studies
from leadscore.registry.judged import tell_judged
from leadscore.registry.settings import flatten_flat
from leadscore.steps import ScoreResult, already_delivered
from leadscore.store.lake import explained_disk_trouble, write_lock

log = logging.getLogger("leadscore")

Metrics = dict[str, float]

_NO_DATES = (
    "This is a flat export: one row per lead, no dates. It cannot show when a value was written. What was filled in "
    "with the outcome, or after it, looks like the best of signs; the leak guard is all there is against that, and "
    "finds only what separates too well."
)
_NO_TIME = (
    "It cannot show how soon: p is the chance of a yes as these leads gave it, not within a number of days. There is "
    "no temperature, no trend, and nobody is known well."
)
_IN_ORDER = (
    "Judged in the order of column {order}: every row by a model of rows before it. That their answers were known by "
    "then is taken on trust."
)
_AT_RANDOM = (
    "Judged on a random split, for there is no order column. That flatters: rows of one week lie on both sides, and "
    "what changed between weeks is not seen. Expect less of a real list, or name a column as flat.order."
)
_TIED = 0.2
_HARDLY_ORDERED = (
    "{share} of the rows have one and the same value in column {order}: which of them came first is not known, and "
    "they are judged as they stand in the file."
)
_BETTER = "Where the interactions behind it have dates, bring those instead: `leadscore init`."


@dataclass(frozen=True)
class FlatTraining:
    """What a training on a flat export left behind.

    Attributes:
        version: Of the bundle.
        path: Its folder.
        warnings: What such data cannot show, and what else to mind.
        facts: Counts of rows and columns.
        judged: How it was judged and what came of it (see `learn.tell`); None where it could not be.
        leaks: What the guard found and let pass.
        mlflow: Where MLflow keeps it, or why it does not.
    """

    version: str
    path: Path
    warnings: Sequence[str]
    facts: Mapping[str, Any]
    judged: Mapping[str, Any] | None
    leaks: Sequence[Mapping[str, Any]]
    mlflow: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {**asdict(self), "path": str(self.path)}


def warnings_of(config: FlatConfig) -> list[str]:
    """Say what the data of a project cannot show."""
    order = config.flat.order
    return [_NO_DATES, _NO_TIME, _IN_ORDER.format(order=order) if order else _AT_RANDOM, _BETTER]


def train_flat(config: FlatConfig) -> FlatTraining:
    """Train on a flat export, look for leaks, judge, keep the bundle and use it from now on."""
    warnings = _warn(warnings_of(config))
    with stage("Reading the export"):
        table = _read(config, config.flat.files)
        lessons = gather(table.columns, config)
    warnings += _warn([*_odd(table, config), *_left_out(lessons, config)])
    with stage("Looking for leaks"):
        leaks = _guarded(lessons, config)
    folds = plan_folds(len(lessons), config, ordered=lessons.ordered)
    how = "Judging in row order" if lessons.ordered else "Judging on a random split"
    tried = [judge_fold(lessons, fold, config, number) for number, fold in enumerate(track(folds, how))]
    cohorts = [cohort for cohort in tried if cohort is not None]
    with stage("Training"):
        bundle = _train(lessons, config, cohorts, leaks, table)
    with explained_disk_trouble(config.models_path):
        path = shelf.keep(config, bundle)
    warnings += _warn([] if cohorts else ["Not judged: in every part of the rows all answers are the same."])
    facts = {name: value for name, value in bundle.facts.items() if name not in {"judged", "leaks"}}
    with stage("Tracking the run in MLflow"):
        recorded = asdict(studies.record_flat(config, _tracked(config, bundle, warnings, cohorts)))
    return FlatTraining(bundle.version, path, warnings, facts, bundle.facts["judged"], bundle.facts["leaks"], recorded)


def score_flat(config: FlatConfig, as_of: int) -> ScoreResult:
    """Score the leads of a flat export that have not said yes, and deliver the slot; `as_of` only names it.

    Raises:
        DataError: there is no such lead, or the file is not as the one that taught; the last list stays.
    """
    warnings = _warn(warnings_of(config))
    bundle = shelf.in_use(config)
    with stage("Reading the export"):
        table = _read(config, config.flat.score_files or config.flat.files, bundle)
    rows = _to_score(table, config)
    slot = _slot(config, as_of, table, bundle)
    if there := already_delivered(config.out_path, slot):
        return there
    warnings += _warn([*_odd(table, config), *compare(table.columns, bundle), *_taught(table, bundle)])
    lead_id = named(table.columns[config.flat.lead_id], config.flat.lead_id)
    scored = score_leads(table.columns, rows, bundle, config.language)
    run_id = slot.run_id(bundle.version)
    ranked = rank([lead_id[row] for row in rows], scored, bundle, run_id, config.capacity)
    counts = {"leads": table.rows, "delivered": len(rows), "said_yes": table.rows - len(rows), "broken": table.broken}
    facts = _manifest(config, bundle, run_id, warnings, counts)
    # The lock is the project's: of its configuration it needs the folder alone.
    with write_lock(cast("Config", config)), explained_disk_trouble(config.out_path), stage("Writing the slot"):
        manifest = deliver(config.out_path, slot, ranked, facts)
    return ScoreResult(config.out_path / slot.name, manifest, repeated=False)


def _read(config: FlatConfig, files: Sequence[str], bundle: FlatBundle | None = None) -> Table:
    """Read what is needed to train, or to score with a model."""
    settings = config.flat
    if bundle is not None:
        return read_table(config.root, files, settings, Ask((settings.lead_id, *bundle.columns), (settings.target,)))
    listed = settings.columns if isinstance(settings.columns, tuple) else ()
    order = (settings.order,) if settings.order else ()
    needed = (settings.lead_id, settings.target, *order, *settings.exclude, *listed)
    table = read_table(config.root, files, settings, Ask(needed, () if listed else None))
    if not feature_names(table.columns, settings):
        raise DataError("There is no column to learn from.", "Correct flat.columns and flat.exclude.")
    return table


def _to_score(table: Table, config: FlatConfig) -> Ints:
    """Return the rows of the leads that have not said yes, at least one."""
    target = table.columns.get(config.flat.target)
    rows = np.flatnonzero(~says_yes(target, config.flat)) if target is not None else np.arange(table.rows)
    if not len(rows):
        raise DataError(
            f"There is nobody to score: found {table.rows:,} rows, of which {table.rows:,} have said yes; expected a "
            "lead that has not. The last list stays.",
            "Ask for the file again, or correct flat.score_files.",
        )
    return rows


def _odd(table: Table, config: FlatConfig) -> list[str]:
    """Say what of the files is not looked at."""
    settings = config.flat
    extra = [name for name in table.unused if name not in {settings.order, settings.target, *settings.exclude}]
    broken = [f"{table.broken:,} rows could not be read and are left out."] if table.broken else []
    return broken + ([f"Columns of the file that are not looked at: {', '.join(extra)}."] if extra else [])


def _left_out(lessons: Lessons, config: FlatConfig) -> list[str]:
    """Say what teaches nothing, and what may teach the wrong."""
    told = several_mean_no(lessons.answers, config.flat.target)
    if lessons.tied > _TIED:
        told.append(_HARDLY_ORDERED.format(share=f"{lessons.tied:.0%}", order=config.flat.order))
    if lessons.silent:
        told.append(f"Columns that say nothing, empty or always the same: {', '.join(lessons.silent)}.")
    if lessons.undecided:
        told.append(f"{lessons.undecided:,} leads without an answer teach nothing.")
    return told


def _taught(table: Table, bundle: FlatBundle) -> list[str]:
    if not set(table.digest) & set(bundle.facts["files"]):
        return []
    return ["The file scored taught the model: its chances are drawn to the answers it gave. Score other leads."]


def _guarded(lessons: Lessons, config: FlatConfig) -> Sequence[Leak]:
    """Warn of what may be a leak, and refuse to learn from what is one."""
    values = {
        name: lessons.columns[name].numbers if kind == "number" else lessons.columns[name].objects()
        for name, kind in lessons.kinds.items()
    }
    leaks = examine_columns(values, lessons.hits, np.arange(len(lessons)) if lessons.ordered else None)
    refused = refusal(leaks, config.guard.refuse_at, config.guard.allow)
    if refused is not None:
        raise GateError(refused.message, refused.hint)
    for leak in leaks:
        log.warning("A leak? %s%s", leak, " It is allowed." if leak.name in config.guard.allow else "")
    return leaks


def _train(
    lessons: Lessons, config: FlatConfig, cohorts: Sequence[Cohort], leaks: Sequence[Leak], table: Table
) -> FlatBundle:
    calibrator, calibration = choose_calibrator(cohorts) if lessons.ordered else (Calibrator(), {"method": "none"})
    facts = {
        "rows": len(lessons),
        "yes": int(lessons.hits.sum()),
        "undecided": lessons.undecided,
        "target": tell_answers(lessons.answers, config.flat.target),
        "broken": table.broken,
        "columns": dict(lessons.kinds),
        "silent": list(lessons.silent),
        "order": config.flat.order,
        "calibration": calibration,
        "files": list(table.digest),
        "judged": {"how": "row order" if lessons.ordered else "random", **tell(cohorts, config)} if cohorts else None,
        "leaks": [leak.to_dict() for leak in leaks],
        "allowed": [leak.name for leak in leaks if leak.name in config.guard.allow],
    }
    return finish(lessons, config, calibrator, facts)


def _tracked(config: FlatConfig, bundle: FlatBundle, warnings: Sequence[str], cohorts: Sequence[Cohort]) -> FlatRun:
    """Gather what MLflow is told of a training."""
    judged = bundle.facts["judged"]
    metrics, stepped, tables = _laid_out(judged) if judged else ({}, [], {})
    return FlatRun(
        title=f"flat {bundle.version}",
        tags={
            "project": config.project,
            "bundle": bundle.version,
            "configuration": config.fingerprint(),
            "recipe": config.training_fingerprint(),
            "data_version": _digest(*bundle.facts["files"]),
            "leadscore": __version__,
        },
        parameters=flatten_flat(config),
        configuration=config.model_dump_json(indent=1),
        warnings=warnings,
        metrics=metrics,
        stepped=stepped,
        tables=tables,
        judged=tell_judged(map(_undated, cohorts), [ANSWER], config.project) if cohorts else None,
    )


def _undated(cohort: Cohort) -> Cohort:
    """Let a lead be the same whichever part it lies in, so that runs with other parts can be compared."""
    return replace(cohort, as_of=np.zeros_like(cohort.as_of))


def _laid_out(judged: Mapping[str, Any]) -> tuple[Metrics, list[Metrics], dict[str, pd.DataFrame]]:
    """Name figures as those of a dated training are, the answer being the only horizon: of all, by part, as tables."""
    horizons = {ANSWER: judged["figures"]}
    told = {"horizons": horizons, "beaten": [{"horizon": ANSWER, **line} for line in judged["beaten"]]}
    names = {"auc": "model_auc", "log_loss": "model_log_loss", "base_rate": "base_rate", "promised": "promised"}
    stepped = [{f"{name}_{ANSWER}": fold[key] for key, name in names.items()} for fold in judged["folds"]]
    tables = {**figures.tables(told, None), "parts": pd.DataFrame(judged["folds"])}
    return figures.metrics(horizons), stepped, tables


def _slot(config: FlatConfig, as_of: int, table: Table, bundle: FlatBundle) -> Slot:
    """Name a delivery also by what was scored and by which model: without dates, `as_of` says nothing of that."""
    return Slot(config.project, as_of, _digest(config.fingerprint(), bundle.version, *table.digest))


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:12]


def _manifest(
    config: FlatConfig, bundle: FlatBundle, run_id: str, warnings: Sequence[str], counts: Mapping[str, int]
) -> dict[str, Any]:
    judged = bundle.facts["judged"]
    return {
        "flat": True,
        "warnings": list(warnings),
        "run_id": run_id,
        "leadscore": __version__,
        "model": {
            "version": bundle.version,
            "judged": judged and {"how": judged["how"], "auc": judged["figures"]["model"]["auc"]},
            "calibrated": bundle.facts["calibration"]["method"],
        },
        "language": config.language,
        "capacity": config.capacity,
        "counts": dict(counts),
    }


def _warn(sentences: Sequence[str]) -> list[str]:
    for sentence in sentences:
        log.warning("MIND: %s", sentence)
    return list(sentences)
