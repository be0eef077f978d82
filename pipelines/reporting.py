"""What a run leaves in Prefect: a short report, and the top of the list. A copy; the truth is on disk and in MLflow."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

TOP = 20


@task(name="report")
def tell(project: str, moment: str | None, results: Mapping[str, Any]) -> None:
    """Report what the stages returned (by stage name); of leads, ids and scores only.

    Raises:
        OSError: the slot that `results` name cannot be read.
    """
    create_markdown_artifact(report(project, moment, results), key=artifact_key(project, "run-report"))
    slot = results.get("score")
    if slot:
        best = top_of_the_list(Path(slot["path"]))
        create_table_artifact(best, key=artifact_key(project, "top-leads"), description=f"Slot {slot['slot']}")
    fates = results.get("monitor")
    if fates:
        create_table_artifact(fates, key=artifact_key(project, "what-became"), description=f"As of {moment}")


def top_of_the_list(slot: Path) -> list[dict[str, Any]]:
    """Read the first leads of a slot: one row per lead, in rank order."""
    columns = ["rank", "lead_id", "score", "grade"]
    rows: list[dict[str, Any]] = pq.read_table(slot / "scores.parquet", columns=columns).slice(0, TOP).to_pylist()
    return rows


def report(project: str, moment: str | None, results: Mapping[str, Any]) -> str:
    """Write what the stages returned (by stage name) as markdown; a stage that did not run has no paragraph."""
    paragraphs = [f"# {project}, as of {moment}" if moment else f"# {project}"]
    paragraphs += [write(results[stage]) for stage, write in _PARAGRAPHS.items() if results.get(stage) is not None]
    return "\n\n".join(paragraphs) + "\n"


def _of_ingest(result: Mapping[str, Any]) -> str:
    names = ("read", "accepted", "repeated", "rejected")
    lines = [f"| table | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    for table, counts in result["tables"].items():
        lines.append(f"| {table} | {' | '.join(str(counts[name]) for name in names)} |")
    return "\n".join(lines)


def _of_train(result: Mapping[str, Any]) -> str:
    verdict = "champion" if result["promoted"] else "not promoted"
    return f"Trained model {result['model']}: {verdict} ({result['why']})."


def _of_score(result: Mapping[str, Any]) -> str:
    grades = ", ".join(f"{grade}: {count}" for grade, count in result["grades"].items())
    delivered = "was delivered before; nothing was changed" if result["repeated"] else "is delivered"
    return (
        f"Slot `{result['slot']}` {delivered}: {result['leads']} leads ({grades}) by model {result['model']}.\n\n"
        f"Files: `{result['path']}`"
    )


def _of_monitor(result: list[Mapping[str, Any]]) -> str:
    count = len({row["slot"] for row in result})
    return f"Delivered slots whose horizon has closed: {count}."


_PARAGRAPHS: dict[str, Callable[[Any], str]] = {
    "ingest": _of_ingest,
    "train": _of_train,
    "score": _of_score,
    "monitor": _of_monitor,
}


def artifact_key(project: str, name: str) -> str:
    """Name an artifact so that several projects can share a server; a key has lowercase letters, digits and dashes.

    >>> artifact_key("Acme_2026.eu", "top-leads")
    'acme-2026-eu-top-leads'
    """
    return f"{re.sub('[^a-z0-9]+', '-', project.lower())}-{name}"
