"""MLflow's own store: where it is, how it is opened, and what is said when it is away."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from leadscore.config import Tracking

if TYPE_CHECKING:  # MLflow takes more than a second to import; see `open_store`
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

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


class Project(Protocol):
    """What the store must know of a configuration, whatever its shape."""

    @property
    def project(self) -> str:
        """Its name."""

    @property
    def tracking(self) -> Tracking:
        """Where MLflow keeps its runs."""

    @property
    def root(self) -> Path:
        """Folder of the configuration."""

    @property
    def state_path(self) -> Path:
        """Folder of the project's own store, and of the locks."""


def configure() -> None:
    """Settle MLflow's own settings in the environment: no telemetry, no noise, bounded waits.

    Must come before anything imports MLflow. A variable that is set already stays.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


def tracking_uri(config: Project) -> str:
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


def shown_uri(config: Project) -> str:
    """Return MLflow's store, without the password it may carry."""
    return without_passwords(tracking_uri(config))


def without_passwords(text: str) -> str:
    """Take the passwords out of the addresses in a text.

    >>> without_passwords("uri: http://me:secret@there")
    'uri: http://there'
    """
    return _PASSWORD.sub("", text)


@contextmanager
def open_store(config: Project) -> Iterator[tuple[Any, MlflowClient]]:
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
        with locked(config, "mlflow"):
            _make_database(mlflow, config)
            client = _opened(mlflow, None)
        yield mlflow, client
    finally:
        logging.getLogger("mlflow").setLevel(level)
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None unsets it
        sys.path[:] = path  # a model that is loaded puts its copy of leadscore in front of ours


def _make_database(mlflow: Any, config: Project) -> None:
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


def find_experiment(config: Project, client: MlflowClient) -> str:
    """Find or create the experiment; in the project's own store its files go beside the database."""
    name = config.tracking.experiment or config.project
    with locked(config, "mlflow"):
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # A server knows where its files go; a database alone would put them into the working directory.
        local = tracking_uri(config).startswith("sqlite:")
        return str(client.create_experiment(name, _artifacts(config) if local else None))


def _artifacts(config: Project) -> str:
    return (_state(config) / "mlartifacts").as_uri()


@contextmanager
def locked(config: Project, name: str) -> Iterator[None]:
    """Wait for a lock of the project that ends with the process, however it ends."""
    path = _state(config) / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _state(config: Project) -> Path:
    return config.state_path.absolute()


def warn_of(what: str, error: Exception) -> str:
    """Say in one line what did not happen and why, and return the reason."""
    reason = explain(error)
    log.warning("%s (%s)", what, reason)
    log.debug("the whole error", exc_info=error)
    return reason


def explain(error: Exception) -> str:
    """Put what MLflow has against it on one line, without passwords."""
    return f"{type(error).__name__}: {' '.join(without_passwords(str(error)).split())[:300]}"
