"""What a process settles first: no telemetry, state under the project's own folder; and last: its exit code."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from leadscore.errors import ConfigError, LeadscoreError
from leadscore.timeline import DAY, parse_moment, show_moment, to_microseconds


def configure(state: Path, *, verbose: bool = True) -> None:
    """Set the environment's defaults (what the user has set stays) and send our log lines to standard error.

    Prefect and MLflow read the environment while they are imported, so this must come before.

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
        # Waiting threads sleep instead of spinning: on a machine with other work, training is three times as fast.
        "OMP_WAIT_POLICY": "PASSIVE",
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


def settle(arguments: Sequence[str], *, as_of: bool = True) -> dict[str, str | None]:
    """Prepare a pipeline started as a script, before it imports Prefect; a bad command line ends the process here.

    Args:
        arguments: Of the process, without its name; the words are those of the `leadscore` command.
        as_of: Whether the pipeline looks from a moment.

    Returns:
        The arguments of the flow: `config` and, where it takes one, `as_of`.
    """
    parser = argparse.ArgumentParser(description="Run this pipeline once, with a Prefect server or without.")
    parser.add_argument("-c", "--config", metavar="FILE", default="leadscore.yaml", help="configuration file")
    if as_of:
        sentence = "moment to look from, ISO 8601; the last midnight in the project's zone if absent"
        parser.add_argument("--as-of", metavar="WHEN", help=sentence)
    given: dict[str, str | None] = vars(parser.parse_args(arguments))
    try:
        configure(_prepare(str(given["config"]), given.get("as_of")))
    except (LeadscoreError, OSError) as error:
        sys.exit(explain(error))
    return given


def _prepare(config: str, as_of: str | None) -> Path:
    from leadscore.config import read_config  # noqa: PLC0415 - half of this module's start, and not always needed

    settings = read_config(Path(config))
    if as_of is not None:
        read_moment(as_of, settings.time_zone)
    # Prefect makes its own folder, but not the one above it.
    (settings.state_path / "prefect").mkdir(parents=True, exist_ok=True)
    return settings.state_path


def read_moment(text: str, time_zone: str) -> int:
    """Read the moment that a person gave.

    Raises:
        ConfigError: the text is no moment, or one before 1970 or more than a day ahead: a list of the future would be
            made of nothing, and `latest` would point at it until that day.
    """
    try:
        moment = parse_moment(text, time_zone)
    except (ValueError, OverflowError):
        sentence = f"--as-of: found {text!r}, expected a moment such as 2026-01-31 or 2026-01-31T06:00:00Z."
        raise ConfigError(sentence) from None
    if moment < 0:
        raise ConfigError(f"--as-of: found {text!r}, expected a moment after 1970.")
    now = to_microseconds(datetime.now(UTC))
    if moment > now + DAY:
        raise ConfigError(
            f"--as-of: found {text!r}, expected a moment that has come: it is now {show_moment(now)}.",
            "Check the year, and the clock of this machine.",
        )
    return moment


def actionable(error: Exception) -> LeadscoreError | None:
    """Turn an error into one that a person can act on; None for one that only we can act on: a bug."""
    if isinstance(error, OSError) and not isinstance(error, (ConnectionError, TimeoutError)):
        place = error.filename or "The disk"
        return ConfigError(f"{place}: cannot be used: {error.strerror or error}.", "Check space and permissions.")
    if isinstance(error, MemoryError):
        return ConfigError(
            "The memory of this machine is not enough.",
            "Set a longer snapshots.spacing, a shorter snapshots.look_back, fewer attributes, or more ingest.buckets.",
        )
    return error if isinstance(error, LeadscoreError) else None


def explain(error: Exception) -> int | None:
    """Tell a person on standard error what they can act on; None for an error that only we can act on: a bug.

    Returns:
        The exit code.
    """
    told = actionable(error)
    if told is None:
        return None
    print(f"error: {told.message}", file=sys.stderr)  # noqa: T201 - the last word of a process, not a log line
    if told.hint:
        print(f"  what to do: {told.hint}", file=sys.stderr)  # noqa: T201 - same
    return told.exit_code
