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
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import leadscore
from leadscore.config import Config
from leadscore.errors import GateError, LeadscoreError
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle
from leadscore.model.calibrate import Judged
from leadscore.timeline import show_moment

if TYPE_CHECKING:  # MLflow takes more than a second to import; see `_mlflow`
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

ALIAS = "champion"

# What importing `leadscore.model.bundle` imports; the served model gets exactly these versions. A test compares.
REQUIREMENTS = (
    "lightgbm",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "scikit-learn",
    "scipy",
    "threadpoolctl",
)

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

_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class Training:
    """What there is to say about one training.

    Attributes:
        bundle: What was trained.
        parameters: Settings by name.
        metrics: Final figures, such as `model_auc_7d`; one that is not finite is left out.
        stepped: The same per rolling origin, oldest first; logged as `origin_…` with the origin's position as step.
        inputs: Per canonical table, where it lies and which version was read.
        cohort: The last out-of-time cohort, for the pictures; its columns are the bundle's horizons.
        baselines: Readiness of the same rows, by name.
        tables: Tables for people, by name.
        configuration: The YAML text, as read.
        tags: Fingerprints and versions, by name.
    """

    bundle: Bundle
    parameters: Mapping[str, str | int | float]
    metrics: Mapping[str, float]
    stepped: Sequence[Mapping[str, float]]
    inputs: Mapping[str, tuple[str, int]]
    cohort: Judged | None
    baselines: Mapping[str, Floats]
    tables: Mapping[str, pd.DataFrame]
    configuration: str
    tags: Mapping[str, str]


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
    try:
        with _store(config) as (mlflow, client):
            experiment = _experiment(config, client)
            _end_orphans(client, experiment)
            with mlflow.start_run(experiment_id=experiment, run_name=_title(training), tags=_tags(training)) as run:
                _log_numbers(client, run.info.run_id, training.parameters, training.metrics, training.stepped)
                _log_documents(mlflow, config, training)
                version = _register(mlflow, client, config.project, run.info.run_id, training.bundle)
                _check_round_trip(mlflow, config.project, version, training.bundle)
        return Recorded(_shown(config), run.info.run_id, version, f"models:/{config.project}/{version}")
    except LeadscoreError:
        raise
    except Exception as error:  # noqa: BLE001 - stores are plug-ins and raise anything; none may cost a training
        return Recorded(_shown(config), reason=_away("the training is not recorded in MLflow", error))


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


def _title(training: Training) -> str:
    return f"{training.bundle.project} {show_moment(training.bundle.as_of)}"


def _tags(training: Training) -> dict[str, str]:
    return {**_process_tags(training.tags), "leadscore.bundle": training.bundle.version}


def _process_tags(tags: Mapping[str, str]) -> dict[str, str]:
    pid = os.getpid()
    return {
        **{f"leadscore.{name}": value for name, value in tags.items()},
        "leadscore.host": platform.node(),
        "leadscore.pid": str(pid),
        "leadscore.born": _born(pid),
    }


def _log_numbers(
    client: MlflowClient,
    run_id: str,
    parameters: Mapping[str, str | int | float],
    metrics: Mapping[str, float],
    stepped: Sequence[Mapping[str, float]],
) -> None:
    """Log parameters and metrics, in one request; those of the origins as `origin_…`, the position as step."""
    from mlflow.entities import Metric, Param  # noqa: PLC0415 - late, as in `_store`

    steps = [(0, metrics)]
    steps += [
        (position, {f"origin_{name}": value for name, value in origin.items()})
        for position, origin in enumerate(stepped)
    ]
    measured = [
        Metric(name, float(value), 0, step)
        for step, figures in steps
        for name, value in figures.items()
        if math.isfinite(value)
    ]
    params = [Param(name, str(value)) for name, value in parameters.items()]
    client.log_batch(run_id, metrics=measured, params=params)


def _log_documents(mlflow: Any, config: Config, training: Training) -> None:
    """Log what was read, the configuration, the tables and the pictures."""
    from mlflow.data.delta_dataset_source import DeltaDatasetSource  # noqa: PLC0415 - late, as in `_store`
    from mlflow.data.meta_dataset import MetaDataset  # noqa: PLC0415 - same

    # Of two trainings that bring the same new data set at once, MLflow refuses one.
    with _locked(_state(config) / "mlflow.lock"):
        for table, (path, version) in training.inputs.items():
            # A data set by name and version takes milliseconds; one with its schema walks through every row.
            source = DeltaDatasetSource(path=path, delta_table_version=version)
            dataset = MetaDataset(source, name=table, digest=f"v{version}")  # type: ignore[abstract]  # in name only
            mlflow.log_input(dataset, context="training")
    mlflow.log_text(training.configuration, "configuration.yaml")
    for name, rows in training.tables.items():
        mlflow.log_table(rows, f"{name}.json")
    _log_pictures(mlflow, config, training)


def _log_pictures(mlflow: Any, config: Config, training: Training) -> None:
    from leadscore.registry import plots  # noqa: PLC0415 - matplotlib takes half a second

    if training.cohort is None:
        return
    horizons = list(training.bundle.horizons)
    pictures = {
        "gain.png": plots.gain_figure(training.cohort, training.baselines, horizons, config.rank_index),
        "calibration.png": plots.calibration_figure(training.cohort, horizons),
    }
    for name, figure in pictures.items():
        if figure is not None:
            mlflow.log_figure(figure, name)


def _register(mlflow: Any, client: MlflowClient, name: str, run_id: str, bundle: Bundle) -> str:
    """Log the bundle as a model and register it; return the registered version."""
    logged = _log_model(mlflow, bundle)
    _create_registered_model(client, name)
    tags = {"bundle": bundle.version, "as_of": show_moment(bundle.as_of)}
    # `mlflow.register_model` does the same and talks on standard error.
    created = client.create_model_version(
        name, f"models:/{logged.model_id}", run_id=run_id, tags=tags, model_id=logged.model_id
    )
    return str(created.version)


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
    from mlflow.models import ModelSignature  # noqa: PLC0415 - late, as in `_store`
    from mlflow.types import ColSpec, Schema  # noqa: PLC0415 - same

    # An inferred signature would make every column required and refuse what is missing.
    inputs = Schema([ColSpec("double", feature.name, required=False) for feature in bundle.features])
    return ModelSignature(inputs, Schema([ColSpec("double", f"p_{name}") for name in bundle.horizons]))


def _create_registered_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - late, as in `_store`

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _check_round_trip(mlflow: Any, name: str, version: str, bundle: Bundle) -> None:
    """Load what was registered and compare it with what was trained, bit for bit.

    MLflow accepts a model that cannot be loaded; without this gate the alias would be the first to notice.
    """
    rows = example(bundle)
    # From a server MLflow fetches the model into a folder that it leaves behind; this one goes.
    with tempfile.TemporaryDirectory(prefix="leadscore-") as place:
        loaded = mlflow.pyfunc.load_model(f"models:/{name}/{version}", dst_path=place)
        same_bundle = loaded.unwrap_python_model().bundle.version == bundle.version
        found = loaded.predict(rows).to_numpy()
    if not same_bundle or not np.array_equal(found, bundle.readiness(rows.to_numpy(dtype=np.float32))):
        raise GateError(
            f"models:/{name}/{version} does not score like the bundle {bundle.version} it was made of.",
            "The champion stays; please report this as a bug.",
        )


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
    words = " ".join(_PASSWORD.sub("", str(error)).split())
    reason = f"{type(error).__name__}: {words[:300]}"
    log.warning("%s (%s)", what, reason)
    log.debug("the whole error", exc_info=error)
    return reason
