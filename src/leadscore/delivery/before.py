"""The slot before: what a new list is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from leadscore.delivery.files import SCORES, WEIGHTS, Slot, previous_slot
from leadscore.scoring.score import OFFSET, Earlier
from leadscore.timeline import parse_moment


@dataclass(frozen=True)
class Before:
    """The list of the slot before: where it lies, what it is compared by, and rank and grade of its leads."""

    folder: Path
    earlier: Earlier
    rank: Mapping[str, int]
    grade: Mapping[str, str]


def read_before(out: Path, slot: Slot, model_version: str) -> Before | None:
    """Read the newest earlier slot of the same project and configuration; None without one."""
    found = previous_slot(out, slot)
    if found is None:
        return None
    folder, manifest = found
    table = pq.read_table(folder / SCORES, columns=["lead_id", "score", "rank", "grade"])
    ids = table["lead_id"].to_pylist()
    comparable = manifest["model"]["version"] == model_version
    earlier = Earlier(
        as_of=parse_moment(manifest["as_of"], "UTC"),
        comparable=comparable,
        scores=dict(zip(ids, table["score"].to_pylist(), strict=True)),
        **(_weights(folder / WEIGHTS) if comparable and WEIGHTS in manifest["files"] else {}),
    )
    ranks, grades = (dict(zip(ids, table[name].to_pylist(), strict=True)) for name in ("rank", "grade"))
    return Before(folder, earlier, ranks, grades)


def _weights(path: Path) -> dict[str, Any]:
    table = pq.read_table(path)
    concepts = [name for name in table.schema.names if name not in {"lead_id", OFFSET}]
    columns = [table[name].to_numpy() for name in concepts]
    weights = np.stack(columns, axis=1) if columns else np.zeros((table.num_rows, 0), np.float32)
    return {"concepts": tuple(concepts), "weights": weights.astype(np.float32)}
