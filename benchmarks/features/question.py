"""What everybody is asked in this bench, and how everybody is timed. Standard library only: peers live elsewhere.

Grain of an answer: one row per (lead, as_of), for every lead of the store and every moment, in any order; leads
without an event yet included. Columns are `lead_id` (text), `as_of` (timestamp, microseconds, UTC) and `COLUMNS`, all
float32. An event is visible when `occurred_at < as_of`, and in a window of w when also `as_of - w <= occurred_at`.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

DAY = 86_400_000_000  # microseconds
KINDS = (
    "call_made", "call_taken", "chat", "demo_asked", "download", "form_sent",
    "mail_clicked", "mail_opened", "mail_sent", "meeting", "page_seen", "webinar",
)  # fmt: skip
CHANNELS = ("email", "event", "paid", "phone", "web")
WINDOWS = (7, 30, 90, 365)
HALF_LIVES = (3, 14, 60)
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)

COUNTS = tuple(f"count_{kind}_{window}d" for kind in KINDS for window in WINDOWS)
TOTALS = tuple(f"total_{window}d" for window in WINDOWS)
RECENCIES = tuple(f"days_since_{kind}" for kind in KINDS)
TEMPERATURES = tuple(f"temperature_{days}d" for days in HALF_LIVES)
KINDS_SEEN = tuple(f"kinds_{window}d" for window in WINDOWS)
CHANNELS_SEEN = tuple(f"channels_{window}d" for window in WINDOWS)
COLUMNS = COUNTS + TOTALS + RECENCIES + TEMPERATURES + KINDS_SEEN + CHANNELS_SEEN
"""Counts and totals in windows; days since the last of a kind, missing when there is none; Σ 2^(-age / half-life) over
all events; different kinds and channels in windows."""

CODEC = "none"
"""Of the answers: nobody compresses, so that the bench weighs features, not compressors. Polars and DuckDB call it
`uncompressed`."""


@dataclass(frozen=True)
class Task:
    """One question to one contestant.

    Attributes:
        store: Folder of the leadscore store; what ours opens.
        buckets: How many it has.
        interactions: Its Parquet files, per bucket; what peers open. Each is sorted by (lead_id, occurred_at).
        leads: Parquet files of its leads, one row per lead.
        as_of: Moments, microseconds since 1970, ascending.
        out: Folder for the answer; empty.
    """

    store: str
    buckets: int
    interactions: list[list[str]]
    leads: list[str]
    as_of: list[int]
    out: str

    def files(self) -> list[str]:
        """All files of interactions, bucket by bucket."""
        return [file for bucket in self.interactions for file in bucket]

    def target(self, part: int = 0) -> Path:
        """Where a part of the answer goes."""
        return Path(self.out, f"part-{part:05}.parquet")


def months(count: int) -> list[int]:
    """The first moments of the last `count` months up to END, in microseconds since 1970."""
    found = []
    year, month = END.year, END.month
    for _ in range(count):
        found.append(int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000_000)
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return found[::-1]


def answer(
    compute: Callable[[Task], dict[str, object] | None],
    version: str,
    warm_up: Callable[[], None] = lambda: None,
) -> None:
    """Be a contestant: read the task named first on the command line, compute, write figures to the file named second.

    The clock runs from before the first file is opened until the last byte is handed to the system; imports and
    `warm_up` come before. Peak memory is of the whole process, imports included.
    """
    task = Task(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    started = time.perf_counter()
    warm_up()
    begun, begun_cpu = time.perf_counter(), time.process_time()
    more = compute(task)
    ended, ended_cpu = time.perf_counter(), time.process_time()
    told = {
        "seconds": ended - begun,
        "cpu_seconds": ended_cpu - begun_cpu,
        "warm_up_seconds": begun - started,
        "peak_mib": peak_mib(),
        "version": version,
    }
    Path(sys.argv[2]).write_text(json.dumps({**told, **(more or {})}), encoding="utf-8")


def write_task(task: Task, path: Path) -> None:
    """Write a task for a contestant's process."""
    path.write_text(json.dumps(asdict(task)), encoding="utf-8")


def peak_mib() -> float:
    """Return the most memory this process ever held, in MiB."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:  # not Linux; there, getrusage would also count the parent at the moment it forked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found, "Linux always tells the high-water mark"
    return int(found[1]) / 1024
