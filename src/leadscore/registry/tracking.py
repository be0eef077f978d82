"""MLflow: every training is a run, its bundle a registered model, the champion an alias.

MLflow is a view onto what was trained. When its store is away the training goes on, says so, and nothing is lost: the
bundle is on the shelf.
"""

from __future__ import annotations

import fcntl
import logging
import math
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq

from leadscore.config import Config
from leadscore.errors import GateError, LeadscoreError
from leadscore.model.backtest import Cohort
from leadscore.model.bundle import Bundle
from leadscore.model.importance import Influence
from leadscore.registry import figures, judged
from leadscore.registry.registered import check_round_trip, register
from leadscore.timeline import show_moment

if TYPE_CHECKING:  # MLflow takes more than a second to import; see `_mlflow`
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

ALIAS = "champion"

# Read by MLflow when it is imported or at its first request; whoever has set one keeps it.
_SETTINGS = {
    "DO_NOT_TRACK": "true",  # MLflow knows this word only, not 1
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    # Standard output belongs to the command's result, standard error to our own progress.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A server that is away costs a training a minute at most, not the four of MLflow's own patience.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",  # which is drawn from the global generator
    "GIT_PYTHON_REFRESH": "quiet",  # no git on the machine is no reason for a warning
}

# As many as MLflow takes at a time.
_PARAMS, _METRICS = 100, 1000

_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


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


@dataclass(frozen=True)
class Child:
    """One variant of an ablation: its name, settings, final figures, and those of each origin, oldest first."""

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
class Recorded:
    """Where MLflow keeps a training; without a run, `reason` says why there is none.

    Attributes:
        tracking_uri: MLflow's store, without the password it may carry.
        run_id: The run.
        registered_version: Version of the registered model (named as the project).
        model_uri: `models:/<project>/<version>`.
        reason: Why the training could not be recorded; empty when it was.
    """

    tracking_uri: str
    run_id: str | None = None
    registered_version: str | None = None
    model_uri: str | None = None
    reason: str = ""


def configure() -> None:
    """Settle MLflow's own settings in the environment: no telemetry, no noise, bounded waits.

    Must come before anything imports MLflow. A variable that is set already stays.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


def tracking_uri(config: Config) -> str:
    """Return MLflow's store: the configuration's, else MLFLOW_TRACKING_URI, else SQLite in the project."""
    uri = config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return _sqlite(_state(config) / "mlflow.db")
    file = uri.removeprefix("sqlite:///")
    # A relative path of the configuration is relative to its file, as all others.
    return uri if file == uri or file.startswith("/") else _sqlite(config.root.absolute() / file)


def _sqlite(path: Path) -> str:
    # SQLAlchemy reads the path as part of an address: `%41` would be an A, and what follows a question mark settings.
    return f"sqlite:///{path}".replace("%", "%25").replace("?", "%3F")


def record(config: Config, training: Training) -> Recorded:
    """Record a training as a run with its figures, pictures and inputs, and register its bundle.

    Whatever MLflow or its store has against it ends as a warning and a reason, never as a lost training.

    Raises:
        GateError: the registered model does not give back what was trained; it gets no alias.
    """
    account, bundle = training.account, training.bundle
    tags = {**_process_tags(account.tags), "leadscore.bundle": bundle.version}
    try:
        with _store(config) as (mlflow, client):
            experiment = _experiment(config, client)
            _end_orphans(client, experiment)
            with mlflow.start_run(experiment_id=experiment, run_name=account.title, tags=tags) as run:
                _log_account(mlflow, client, config, account)
                mlflow.log_text(training.card, "model_card.md")
                version = register(mlflow, client, run.info.run_id, bundle, training.card)
                check_round_trip(mlflow, version, bundle)
        return Recorded(_shown(config), run.info.run_id, version, f"models:/{bundle.project}/{version}")
    except LeadscoreError:
        raise
    except Exception as error:  # noqa: BLE001 - stores are plug-ins and raise anything; none may cost a training
        return Recorded(_shown(config), reason=_away("the training is not recorded in MLflow", error))


def record_backtest(config: Config, account: Account) -> Recorded:
    """Record a backtest as a run, with a nested run per origin; nothing is registered, no alias moves.

    Whatever MLflow or its store has against it ends as a warning and a reason.
    """
    tags = {**_process_tags(account.tags), "leadscore.study": "backtest"}
    try:
        with _store(config) as (mlflow, client):
            experiment = _experiment(config, client)
            _end_orphans(client, experiment)
            with mlflow.start_run(experiment_id=experiment, run_name=account.title, tags=tags) as parent:
                _log_account(mlflow, client, config, account)
                for origin in account.told["origins"]:
                    name, own = str(origin["origin"]), {**tags, "leadscore.origin": str(origin["origin"])}
                    with mlflow.start_run(experiment_id=experiment, run_name=name, tags=own, nested=True) as run:
                        measured = figures.metrics(origin["horizons"])
                        _log_numbers(client, run.info.run_id, account.parameters, measured, [])
        return Recorded(_shown(config), parent.info.run_id)
    except Exception as error:  # noqa: BLE001 - as in `record`
        return Recorded(_shown(config), reason=_away("the backtest is not recorded in MLflow", error))


def record_ablation(config: Config, ablation: Ablation) -> Recorded:
    """Record an ablation as a run with a nested run per variant; nothing is registered, no alias moves.

    Whatever MLflow or its store has against it ends as a warning and a reason.
    """
    tags = {**_process_tags(ablation.tags), "leadscore.study": "ablation"}
    try:
        with _store(config) as (mlflow, client):
            experiment = _experiment(config, client)
            _end_orphans(client, experiment)
            with mlflow.start_run(experiment_id=experiment, run_name=ablation.title, tags=tags) as parent:
                mlflow.log_table(ablation.table, "ablation.json")
                for child in ablation.children:
                    own = {**tags, "leadscore.variant": child.name}
                    with mlflow.start_run(experiment_id=experiment, run_name=child.name, tags=own, nested=True) as run:
                        _log_numbers(client, run.info.run_id, child.parameters, child.metrics, child.stepped)
        return Recorded(_shown(config), parent.info.run_id)
    except Exception as error:  # noqa: BLE001 - as in `record`
        return Recorded(_shown(config), reason=_away("the ablation is not recorded in MLflow", error))


def champion(config: Config) -> str | None:
    """Return the registered version that carries the alias; None before the first, or when MLflow is away."""
    try:
        with _store(config) as (_, client):
            return _champion(client, config.project)
    except Exception as error:  # noqa: BLE001 - as in `record`
        _away("the champion's alias cannot be read", error)
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
        with _store(config) as (_, client), _locked(_state(config) / "registry.lock"):
            _refuse_a_race(config.project, _champion(client, config.project), seen_champion)
            version = recorded.registered_version
            for name, value in {"promoted_from": seen_champion or "none", "promoted_at": show_moment(at)}.items():
                client.set_model_version_tag(config.project, version, name, value)
            client.set_registered_model_alias(config.project, ALIAS, version)
    except LeadscoreError:
        raise
    except Exception as error:  # noqa: BLE001 - as in `record`
        _away("the champion's alias stays where it was", error)
        return False
    return True


@contextmanager
def _store(config: Config) -> Iterator[tuple[Any, MlflowClient]]:
    """Point MLflow at the project's store, and back afterwards: a process may know two projects."""
    configure()
    import mlflow  # noqa: PLC0415 - takes more than a second, and must come after `configure`

    before = os.environ.get("MLFLOW_TRACKING_URI")  # MLflow keeps its own there, too
    path = list(sys.path)
    level = logging.getLogger("mlflow").level
    mlflow.set_tracking_uri(tracking_uri(config))
    try:
        logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # what goes wrong is ours to say, in one line
        # Two first starts on an empty database destroy it; the first calls make the tables.
        with _locked(_state(config) / "mlflow.lock"):
            _make_database(mlflow, config)
            client = _opened(mlflow, None)
        yield mlflow, client
    finally:
        logging.getLogger("mlflow").setLevel(level)
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None unsets it
        sys.path[:] = path  # a model that is loaded puts its copy of leadscore in front of ours


def _make_database(mlflow: Any, config: Config) -> None:
    """Let MLflow make the project's own database beside its place; half of one no MLflow would ever open again."""
    target = _state(config) / "mlflow.db"
    if target.exists() or tracking_uri(config) != _sqlite(target):
        return
    for left in target.parent.glob(".making-*"):  # of a killed process
        shutil.rmtree(left, ignore_errors=True)
    # A folder of a new name each time, because MLflow keeps a database it has failed to make open for its address.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".making-") as beside:
        made = Path(beside) / target.name
        _opened(mlflow, _sqlite(made))
        made.replace(target)


def _opened(mlflow: Any, uri: str | None) -> MlflowClient:
    client: MlflowClient = mlflow.MlflowClient(uri, uri)
    client.search_experiments(max_results=1)
    client.search_registered_models(max_results=1)
    return client


def _experiment(config: Config, client: MlflowClient) -> str:
    """Find or create the experiment; in the project's own store its files go beside the database."""
    name = config.tracking.experiment or config.project
    with _locked(_state(config) / "mlflow.lock"):
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # A server knows where its files go; a database alone would put them into the working directory.
        local = tracking_uri(config).startswith("sqlite:")
        return str(client.create_experiment(name, _artifacts(config) if local else None))


def _artifacts(config: Config) -> str:
    return (_state(config) / "mlartifacts").as_uri()


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


def _process_tags(tags: Mapping[str, str]) -> dict[str, str]:
    pid = os.getpid()
    return {
        **{f"leadscore.{name}": value for name, value in tags.items()},
        "leadscore.host": platform.node(),
        "leadscore.pid": str(pid),
        "leadscore.born": _born(pid),
    }


def _log_account(mlflow: Any, client: MlflowClient, config: Config, account: Account) -> None:
    """Log everything but the model into the run that is open."""
    measured = {**figures.metrics(account.told.get("horizons", {})), **account.counts}
    stepped = [figures.metrics(origin["horizons"]) for origin in account.told.get("origins", ())]
    moments = [cohort.origin for cohort in account.cohorts]
    run_id = mlflow.active_run().info.run_id
    _log_numbers(client, run_id, account.parameters, measured, stepped, moments)
    _log_inputs(mlflow, config, account.inputs)
    mlflow.log_text(_PASSWORD.sub("", account.configuration), "configuration.yaml")
    for name, rows in {**figures.tables(account.told, account.influence), **account.tables}.items():
        mlflow.log_table(rows, f"{name}.json")
    _log_judged(mlflow, account)
    _log_pictures(mlflow, account)


def _log_numbers(
    client: MlflowClient,
    run_id: str,
    parameters: Mapping[str, str | int | float],
    metrics: Mapping[str, float],
    stepped: Sequence[Mapping[str, float]],
    moments: Sequence[int] = (),
) -> None:
    """Log parameters and metrics; those of the origins as `origin_…`, the position as step.

    Args:
        client: Of the store.
        run_id: The run.
        parameters: By name.
        metrics: By name; one that is not finite is left out.
        stepped: The same per origin, oldest first.
        moments: Of the origins, as the points' times: on that axis runs with other origins lie side by side.
    """
    from mlflow.entities import Metric, Param  # noqa: PLC0415 - late, as in `_store`

    steps = [(0, 0, metrics)]
    steps += [
        (position, moments[position] // 1000 if moments else 0, {f"origin_{name}": own[name] for name in own})
        for position, own in enumerate(stepped)
    ]
    measured = [
        Metric(name, float(value), milliseconds, step)
        for step, milliseconds, own in steps
        for name, value in own.items()
        if math.isfinite(value)
    ]
    params = [Param(name, str(value)) for name, value in parameters.items()]
    for first in range(0, len(params), _PARAMS):
        client.log_batch(run_id, params=params[first : first + _PARAMS])
    for first in range(0, len(measured), _METRICS):
        client.log_batch(run_id, metrics=measured[first : first + _METRICS])


def _log_inputs(mlflow: Any, config: Config, inputs: Mapping[str, tuple[str, int]]) -> None:
    """Log what was read: each table of the store, with its version."""
    from mlflow.data.delta_dataset_source import DeltaDatasetSource  # noqa: PLC0415 - late, as in `_store`
    from mlflow.data.meta_dataset import MetaDataset  # noqa: PLC0415 - same

    # Of two trainings that bring the same new data set at once, MLflow refuses one.
    with _locked(_state(config) / "mlflow.lock"):
        for table, (path, version) in inputs.items():
            # A data set by name and version takes milliseconds; one with its schema walks through every row.
            source = DeltaDatasetSource(path=path, delta_table_version=version)
            dataset = MetaDataset(source, name=table, digest=f"v{version}")  # type: ignore[abstract]  # in name only
            mlflow.log_input(dataset, context="training")


def _log_judged(mlflow: Any, account: Account) -> None:
    if not account.cohorts:
        return
    with tempfile.TemporaryDirectory(prefix="leadscore-") as place:
        file = Path(place) / judged.FILE
        pq.write_table(judged.tell_judged(account.cohorts, account.horizons, account.project), file, compression="zstd")
        mlflow.log_artifact(str(file))


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


def _champion(client: MlflowClient, name: str) -> str | None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - late, as in `_store`

    try:
        version = client.get_registered_model(name).aliases.get(ALIAS)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return None if version is None else str(version)


def _refuse_a_race(name: str, standing: str | None, seen: str | None) -> None:
    if standing != seen:
        raise GateError(
            f"{name}: found version {standing} as champion in MLflow, expected {seen or 'none'}: "
            "another training was promoted in the meantime.",
            "Run `leadscore train` again, so that it is compared with that one.",
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait for a lock that ends with the process, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _state(config: Config) -> Path:
    return config.state_path.absolute()


def _shown(config: Config) -> str:
    return _PASSWORD.sub("", tracking_uri(config))


def _away(what: str, error: Exception) -> str:
    """Say in one line what did not happen and why, and return the reason."""
    reason = _reason(error)
    log.warning("%s (%s)", what, reason)
    log.debug("the whole error", exc_info=error)
    return reason


def _reason(error: Exception) -> str:
    words = " ".join(_PASSWORD.sub("", str(error)).split())
    return f"{type(error).__name__}: {words[:300]}"
