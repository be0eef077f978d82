"""How long it takes to deliver a slot in all formats, file by file; how much memory; how large it is.

`python benchmarks/bench_delivery.py [--leads N]` delivers 100,000 leads, 500 of them with panels of 60 interactions, to
all CRM systems for the first time. Making them up is not counted. The memory is that of the whole process, the list
and the imported libraries included (Linux).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench_page import PANELS, TOUCHES, long_content  # makes the tests importable, too
from bench_training import peak
from leadscore.config import Config
from leadscore.config.crm import Crm
from leadscore.delivery.compose import MOST_CHANGES
from leadscore.delivery.content import Content
from leadscore.delivery.files import Slot, deliver
from leadscore.scoring.score import N_REASONS, Scored
from leadscore.steps import _write_more
from world import config

LIMIT_SECONDS, LIMIT_GIB = 60, 2
CONCEPTS = 80
SYSTEMS = {
    "hubspot": {"id": "hubspot_id"},
    "salesforce": {"id": "salesforce_id"},
    "dynamics": {"id": "dynamics_id"},
    "generic": {"columns": {"score": "Score", "grade": "Grade", "action": "Action", "reason_1": "Why"}},
}


def main() -> None:
    """Deliver once, and print Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--leads", type=int, default=100_000)
    leads = parser.parse_args().leads
    content, part = made_up_list(leads)
    settings = config().model_copy(update={"crm": Crm.model_validate(SYSTEMS)})
    forget_peak()
    held = peak()
    with tempfile.TemporaryDirectory() as folder:
        started = time.time()
        slot = delivered(Path(folder), content, part, settings)
        took = time.time() - started
        print(f"{leads:,} leads, {CONCEPTS} concepts, {PANELS} panels of {TOUCHES} interactions\n")
        print("| file | seconds | MB |\n|---|---:|---:|")
        for name, seconds, size in file_by_file(slot, started):
            print(f"| {name} | {seconds:.1f} | {size / 1e6:.2f} |")
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\nIn all {took:.1f} s, and {peak():.2f} GiB at most, of which {held:.2f} GiB before.")
    print(f"Promised: {LIMIT_SECONDS} s and {LIMIT_GIB} GiB on two cores. Load of {os.cpu_count()} cores: {load}.")


def delivered(out: Path, content: Content, part: Scored, settings: Config) -> Path:
    """Deliver as `leadscore score` does; return the folder of the slot."""
    slot = Slot(content.project, content.as_of, content.slot.rpartition("-")[2])
    deliver(out, slot, content.scores, {}, partial(_write_more, settings, content, [part], None))
    return out / slot.name


def file_by_file(slot: Path, started: float) -> Iterator[tuple[str, float, int]]:
    """Yield name, seconds and bytes of each file: they are written one after the other, the manifest last."""
    paths = [path for path in slot.rglob("*") if path.is_file()]
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
        ended = path.stat().st_mtime
        yield path.relative_to(slot).as_posix(), ended - started, path.stat().st_size
        started = ended


def made_up_list(leads: int) -> tuple[Content, Scored]:
    """Make up a list whose leads have an id in each CRM and reasons of their own, and what concepts add to each."""
    chance = np.random.default_rng(1)
    content = long_content(leads)
    ids = {
        "hubspot_id": [str(9_000_000_000 + number) for number in range(leads)],
        "salesforce_id": [f"00Q5g00000{number:05X}" for number in range(leads)],
        "dynamics_id": [f"3cbbd39d-d3f0-ea11-a815-{number:012x}" for number in range(leads)],
    }
    scores, changes = with_reasons(content.scores, chance), content.changes[:MOST_CHANGES]
    content = replace(content, scores=scores, shown={**content.shown, **ids}, changes=changes)
    return content, weighed(content.scores["lead_id"].to_pylist(), chance)


def with_reasons(scores: pa.Table, chance: np.random.Generator) -> pa.Table:
    """Give each lead sentences of its own, a third of them against it, of some thousands there are."""
    for place in range(1, N_REASONS + 1):
        concepts, values = chance.integers(CONCEPTS, size=len(scores)), chance.poisson(20, len(scores))
        pairs = list(zip(concepts.tolist(), values.tolist(), strict=True))
        told = {
            "code": [f"concept.{concept}" for concept, _ in pairs],
            "text": [f"visits to part {concept} of the site in 30 days: {n}; usually 2" for concept, n in pairs],
            "sign": [-1 if n % 3 == 0 else 1 for _, n in pairs],
        }
        for name, column in told.items():
            at = scores.column_names.index(f"reason_{place}_{name}")
            field = scores.schema.field(at)
            scores = scores.set_column(at, field, pa.array(column, field.type))
    return scores


def weighed(ids: list[str], chance: np.random.Generator) -> Scored:
    """Return what is kept of a scored bucket's weights; what only the list is made of is left empty."""
    weights = chance.normal(0, 0.3, (len(ids), CONCEPTS)).astype(np.float32)
    told: dict[str, Any] = {
        "lead_id": ids,
        "concepts": [f"concept.{number}" for number in range(CONCEPTS)],
        "weights": weights,
        "margin": weights.sum(axis=1, dtype=np.float64) - 3,
    }
    return Scored(**{field.name: told.get(field.name, ()) for field in fields(Scored)})


def forget_peak() -> None:
    """Let the peak of this process begin at what it holds now."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


if __name__ == "__main__":
    main()
