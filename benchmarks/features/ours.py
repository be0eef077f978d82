"""leadscore's own engine: bucket by bucket, store -> history -> as-of operators -> Parquet.

A bucket per thread, and one thread more than there are cores: reading, operators and writing all let go of the
interpreter, so every core is busy while one bucket waits for the disk, and only so many buckets are ever in memory.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd  # noqa: F401 - PyArrow imports it (and datasets) at first use, and imports are not timed
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

import leadscore
from features.generate import opened
from features.question import CHANNELS, CODEC, COLUMNS, DAY, HALF_LIVES, KINDS, WINDOWS, Task, answer
from leadscore.features import asof
from leadscore.features.asof import Asof
from leadscore.features.kernels import Codes, Values
from leadscore.history import History, Leads, build_history, build_leads
from leadscore.store.buckets import read_bucket
from leadscore.timeline import Moments

Column = npt.NDArray[np.float32]

THREADS = (os.cpu_count() or 1) + 1
_BATCH = 2**20  # values handed to an encoder at once: a whole column of a bucket
_WINDOWS = np.array(WINDOWS, dtype=np.int64) * DAY
_HALF_LIVES = np.array(HALF_LIVES, dtype=np.int64) * DAY


def compute(task: Task) -> None:
    """Answer the task, one file per bucket."""
    lake = opened(Path(task.store), task.buckets)
    moments = np.array(task.as_of, dtype=np.int64)

    def one(bucket: int) -> None:
        tables = read_bucket(lake, bucket, int(moments[-1]))
        if not tables.leads.num_rows:
            return
        leads = build_leads(tables.leads, tables.outcomes, tables.consents, (), ())
        history = build_history(leads, tables.interactions, {})
        kind, channel = history.kind.recode(KINDS), history.channel.recode(CHANNELS)
        write(task.target(bucket), leads, moments, columns(world_of(history, moments), kind, channel, history.value))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(task.buckets)))


def world_of(history: History, moments: Moments) -> Asof:
    """Look at every lead from every moment."""
    n, n_leads = len(moments), history.n_leads
    return Asof(history.time, history.indptr, np.tile(moments, n_leads), np.arange(n_leads + 1) * n)


def columns(world: Asof, kind: Codes, channel: Codes, value: Values) -> list[Column]:
    """Compute all columns; each is one piece of memory, as the operators leave it."""
    everything, one = np.zeros(world.n_events, np.int32), np.ones(world.n_events)
    parts = (
        asof.count(world, kind, len(KINDS), _WINDOWS, threads=1),
        asof.total(world, value, everything, 1, _WINDOWS, threads=1),
        asof.age_of_last(world, kind, len(KINDS), threads=1),
        asof.decayed_sum(world, one, everything, 1, _HALF_LIVES, threads=1),
        asof.distinct(world, kind, len(KINDS), _WINDOWS, threads=1),
        asof.distinct(world, channel, len(CHANNELS), _WINDOWS, threads=1),
    )
    return [column for part in parts for column in np.moveaxis(part, 0, -1).reshape(-1, world.n_snapshots)]


def write(target: Path, leads: Leads, moments: Moments, found: list[Column]) -> None:
    """Write one bucket's answer."""
    n, n_leads = len(moments), len(leads)
    row = pa.array(np.repeat(np.arange(n_leads, dtype=np.int32), n))
    lead_id = pa.DictionaryArray.from_arrays(row, pa.array(leads.lead_id, pa.string()))
    as_of = pa.array(np.tile(moments, n_leads), pa.timestamp("us", "UTC"))
    # Nothing is null (what is missing is NaN), so no bitmap of nulls has to be encoded per column.
    types = [("lead_id", lead_id.type), ("as_of", as_of.type), *((name, pa.float32()) for name in COLUMNS)]
    schema = pa.schema([pa.field(name, kind, nullable=False) for name, kind in types])
    table = pa.table([lead_id, as_of, *map(pa.array, found)], schema=schema)
    pq.write_table(
        table, target, compression=CODEC, use_dictionary=["lead_id"], write_statistics=False, write_batch_size=_BATCH
    )


def warm_up() -> None:
    """Compile the operators, or load their machine code: one lead without events, looked at once."""
    nothing, codes = np.zeros(0, np.int64), np.zeros(0, np.int32)
    world = Asof(nothing, np.zeros(2, np.int64), np.zeros(1, np.int64), np.array([0, 1]))
    columns(world, codes, codes, np.zeros(0))


if __name__ == "__main__":
    # Threads that grow Arrow's own pool side by side wait for the kernel; the system's allocator does not make them.
    pa.set_memory_pool(pa.system_memory_pool())
    answer(compute, leadscore.__version__, warm_up)
