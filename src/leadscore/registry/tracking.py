"""Trainings and backtests in MLflow: each is a run, a training's bundle a registered model, the champion an alias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from leadscore.config import Config
from leadscore.errors import GateError, LeadscoreError
from leadscore.model.backtest import Cohort
from leadscore.model.bundle import Bundle
from leadscore.model.importance import Influence
from leadscore.registry import figures, judged, store
from leadscore.registry.recording import OpenRun, Recorded, record_run
from leadscore.registry.registered import check_round_trip, give_alias, register, with_alias
from leadscore.timeline import show_moment


@dataclass(frozen=True)
class Account:
    """What there is to say about a recipe that was judged at rolling origins.

    Attributes:
        title: Name of the run.
        tags: Fingerprints and versions, by name.
        parameters: Settings by name; see `settings.flatten`.
        configuration: The same as one text.
        inputs: Per canonical table, where it lies and which version was read.
        project: The leads' names in `judged.parquet` are pseudonyms within it.
        horizons: Columns of the cohorts.
        ranked_by: The column the list is ranked by.
        seed: Settles the draws of the pictures' intervals.
        cohorts: What was said at each origin and what came true, oldest first; none when the past is too short.
        told: What `backtest.tabulate` tells of them; empty without any.
        influence: What moves the model, on the newest cohort.
        counts: More figures, such as the number of rows.
        tables: More tables for people, by name.
    """

    title: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    configuration: str
    inputs: Mapping[str, tuple[str, int]]
    project: str
    horizons: Sequence[str]
    ranked_by: int
    seed: int
    cohorts: Sequence[Cohort]
    told: Mapping[str, Any]
    influence: Influence | None = None
    counts: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """A recipe that was judged, the bundle it gave, and the card that tells people of both (Markdown)."""

    account: Account
    bundle: Bundle
    card: str


def record(config: Config, training: Training) -> Recorded:
    """Record a training as a run with its figures, pictures and inputs, and register its bundle.

    Raises:
        GateError: the registered model does not give back what was trained; it gets no alias.
    """
    account, bundle = training.account, training.bundle

    def fill(run: OpenRun) -> str:
        _log_account(run, config, account)
        run.log_texts({"model_card.md": training.card})
        version = register(run.mlflow, run.client, run.run_id, bundle, training.card)
        check_round_trip(run.mlflow, version, bundle)
        return version

    return record_run(config, "the training", account.title, {**account.tags, "bundle": bundle.version}, fill)


def record_backtest(config: Config, account: Account) -> Recorded:
    """Record a backtest as a run, with a nested run per origin; nothing is registered, no alias moves."""

    def fill(run: OpenRun) -> None:
        _log_account(run, config, account)
        for origin in account.told["origins"]:
            name = str(origin["origin"])
            with run.nested(name, {"origin": name}) as own:
                own.log_numbers(account.parameters, figures.metrics(origin["horizons"]))

    return record_run(config, "the backtest", account.title, {**account.tags, "study": "backtest"}, fill)


def champion(config: Config) -> str | None:
    """Return the registered version that carries the alias; None before the first, or when MLflow is away."""
    try:
        with store.open_store(config) as (_, client):
            return with_alias(client, config.project)
    except Exception as error:  # noqa: BLE001 - as in `record_run`
        store.warn_of("the champion's alias cannot be read", error)
        return None


def crown(config: Config, recorded: Recorded, seen_champion: str | None, at: int) -> bool:
    """Give the alias to a recorded training, if it still stands where it was seen.

    Args:
        config: Of the project.
        recorded: The training.
        seen_champion: What `champion` returned when the training was judged.
        at: The moment of the decision, for the tag `promoted_at`.

    Returns:
        Whether the alias was given; not without a registered version, nor when MLflow is away.

    Raises:
        GateError: another training took the alias in the meantime.
    """
    if recorded.registered_version is None:
        return False
    try:
        # Of two who set an alias MLflow lets the last one win; the lock makes comparing and setting one act.
        with store.open_store(config) as (_, client), store.locked(config, "registry"):
            _refuse_a_race(config.project, with_alias(client, config.project), seen_champion)
            decided = {"promoted_from": seen_champion or "none", "promoted_at": show_moment(at)}
            give_alias(client, config.project, recorded.registered_version, decided)
    except LeadscoreError:
        raise
    except Exception as error:  # noqa: BLE001 - as in `record_run`
        store.warn_of("the champion's alias stays where it was", error)
        return False
    return True


def _log_account(run: OpenRun, config: Config, account: Account) -> None:
    """Log everything but the model."""
    measured = {**figures.metrics(account.told.get("horizons", {})), **account.counts}
    stepped = [figures.metrics(origin["horizons"]) for origin in account.told.get("origins", ())]
    moments = [cohort.origin for cohort in account.cohorts]
    run.log_numbers(account.parameters, measured, stepped, moments)
    _log_inputs(run.mlflow, config, account.inputs)
    run.log_texts({"configuration.yaml": account.configuration})
    run.log_tables({**figures.tables(account.told, account.influence), **account.tables})
    if account.cohorts:
        run.log_parquet(judged.FILE, judged.tell_judged(account.cohorts, account.horizons, account.project))
    _log_pictures(run.mlflow, account)


def _log_inputs(mlflow: Any, config: Config, inputs: Mapping[str, tuple[str, int]]) -> None:
    """Log what was read: each table of the store, with its version."""
    from mlflow.data.delta_dataset_source import DeltaDatasetSource  # noqa: PLC0415 - late, as in `store`
    from mlflow.data.meta_dataset import MetaDataset  # noqa: PLC0415 - same

    # Of two trainings that bring the same new data set at once, MLflow refuses one.
    with store.locked(config, "mlflow"):
        for table, (path, version) in inputs.items():
            # A data set by name and version takes milliseconds; one with its schema walks through every row.
            source = DeltaDatasetSource(path=path, delta_table_version=version)
            dataset = MetaDataset(source, name=table, digest=f"v{version}")  # type: ignore[abstract]  # in name only
            mlflow.log_input(dataset, context="training")


def _log_pictures(mlflow: Any, account: Account) -> None:
    from leadscore.registry import plots  # noqa: PLC0415 - matplotlib takes half a second

    if not account.cohorts:
        return
    newest, horizons, ranked_by = account.cohorts[-1], account.horizons, account.ranked_by
    pictures = {
        "gain": plots.gain_figure(newest, horizons, ranked_by),
        "lift": plots.lift_figure(newest, horizons, ranked_by, account.seed),
        "calibration": plots.calibration_figure(newest, horizons),
        "quality_over_origins": plots.origins_figure(account.told["origins"], horizons[ranked_by]),
    }
    if account.influence is not None:
        pictures["importance"] = plots.importance_figure(account.influence, horizons[ranked_by])
        pictures["contributions"] = plots.contributions_figure(account.influence, horizons[ranked_by])
    for name, figure in pictures.items():
        if figure is not None:
            mlflow.log_figure(figure, f"{name}.png")


def _refuse_a_race(name: str, standing: str | None, seen: str | None) -> None:
    if standing != seen:
        raise GateError(
            f"{name}: found version {standing} as champion in MLflow, expected {seen or 'none'}: "
            "another training was promoted in the meantime.",
            "Run `leadscore train` again, so that it is compared with that one.",
        )
