"""The stages as Prefect tasks, one each: names and paths go in, small results come out, tables stay on disk.

A task reads the configuration itself, so that what travels between tasks is text; Prefect keeps a copy of it.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import task
from prefect.runtime import flow_run

from leadscore import steps
from leadscore.config import Config, read_config
from leadscore.errors import LeadscoreError
from leadscore.runtime import configure, read_moment
from leadscore.timeline import last_midnight, parse_moment, show_moment, to_microseconds

Result = dict[str, Any]


def open_project(config: str) -> Config:
    """Read a project's configuration and settle its surroundings.

    Raises:
        ConfigError: the configuration is absent or wrong.
    """
    settings = read_config(Path(config))
    configure(settings.state_path)
    return settings


def look_from(settings: Config, as_of: str | None) -> str:
    """Return the moment a run looks from, ISO 8601 in UTC.

    Without `as_of` it is the last midnight (in the project's zone) before the moment the run was scheduled for. A run
    that starts late, or again, thus looks from where it should have: the clock has no say.

    Raises:
        ConfigError: `as_of` is no moment.
    """
    if as_of is not None:
        return show_moment(read_moment(as_of, settings.time_zone))
    # Prefect's own kind of datetime does not subtract as Python's does.
    scheduled = datetime.fromtimestamp(flow_run.scheduled_start_time.timestamp(), UTC)
    return show_moment(last_midnight(to_microseconds(scheduled), settings.time_zone))


@task(name="ingest")
def bring_in(config: str) -> Result:
    """Bring what is new in the sources into the store, and count it table by table."""
    result = steps.ingest(open_project(config), _now()).to_dict()
    return {"tables": result["tables"], "rules": result["rules"]}


@task(name="train")
def learn(config: str, moment: str) -> Result:
    """Train as of a moment, and let the gate decide whether the model goes live."""
    result = steps.train(open_project(config), parse_moment(moment, "UTC"), _now())
    return {
        "model": result.version,
        "path": str(result.path),
        "as_of": result.as_of,
        "promoted": result.promoted,
        "why": result.why,
    }


@task(name="train")
def learn_when_due(config: str, moment: str) -> Result | None:
    """Train only when no fitting model is young enough; None when one is."""
    due = steps.needs_training(open_project(config), parse_moment(moment, "UTC"))
    return learn.fn(config, moment) if due else None


@task(name="score")
def rank(config: str, moment: str) -> Result:
    """Score the leads at risk at a moment and deliver the slot; a slot that is there already stays as it is."""
    result = steps.score(open_project(config), parse_moment(moment, "UTC"))
    return {
        "slot": result.manifest["slot"],
        "path": str(result.path),
        "repeated": result.repeated,
        "model": result.manifest["model"]["version"],
        "leads": result.manifest["counts"]["delivered"],
        "grades": result.manifest["grades"],
    }


@task(name="monitor")
def look_back(config: str, moment: str) -> list[Result]:
    """Say what became of delivered leads: one row per matured slot and grade."""
    findings = steps.monitor(open_project(config), parse_moment(moment, "UTC"))
    return [
        {"slot": finding["slot"], "horizon": finding["horizon"], **grade}
        for finding in findings
        for grade in finding["grades"]
    ]


def _now() -> int:
    # When a row came in, when a model went live: facts of the clock, whatever the schedule had planned.
    return to_microseconds(datetime.now(UTC))


def _in_one_line(record: logging.LogRecord) -> bool:
    """Leave the traceback out of an error that a person can act on: its sentence says it all."""
    if record.exc_info and isinstance(record.exc_info[1], LeadscoreError):
        record.exc_info = None
    return True


for _engine in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_engine).addFilter(_in_one_line)
