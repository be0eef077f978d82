"""What must be settled before Prefect or MLflow are imported: no telemetry, state under the project's own folder."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path


def configure(state: Path, *, verbose: bool = True) -> None:
    """Set the environment's defaults (what the user has set stays) and send our log lines to standard error.

    Args:
        state: Folder for the state of Prefect and MLflow.
        verbose: Say what goes on; otherwise only warnings.
    """
    defaults = {
        # MLflow accepts only the word `true`, Prefect that and others.
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # DO_NOT_TRACK does not stop the server's heartbeat; this alone does.
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_HOME": str(state.resolve() / "prefect"),
        # The default of 20 s is missed on a loaded machine.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "leadscore",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_TASKS_DEFAULT_NO_CACHE": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MPLCONFIGDIR": str(state.resolve() / "matplotlib"),
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    log = logging.getLogger("leadscore")
    log.setLevel(logging.INFO if verbose else logging.WARNING)
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.propagate = False
