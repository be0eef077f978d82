"""Time the as-of operators: seconds per operator on one thread and on two, compilation apart.

Run it as `python benchmarks/bench_asof.py [--events N] [--leads N] [--snapshots N] [--json]`. Five groups, three
windows and three half-lives; a world drawn from a fixed seed; the better of two runs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from leadscore.features import asof as operators
from leadscore.features.asof import ALL, Asof
from leadscore.timeline import DAY

N_CODES = 5
SPAN = 365 * DAY
WINDOWS = np.array([7 * DAY, 30 * DAY, ALL])
HALF_LIVES = np.array([3 * DAY, 14 * DAY, 60 * DAY])


def draw(events: int, leads: int, snapshots: int, seed: int = 1) -> dict[str, Callable[..., Any]]:
    """Draw a year of events and regular snapshots; name each operator with its call on them."""
    chance = np.random.default_rng(seed)
    lead = np.sort(chance.integers(0, leads, events))
    moment = chance.integers(0, SPAN, events)
    moment = moment[np.lexsort((moment, lead))]
    grid = np.arange(1, snapshots + 1) * (SPAN // snapshots)
    indptr = np.searchsorted(lead, np.arange(leads + 1)).astype(np.int64)
    world = Asof(moment, indptr, np.tile(grid, leads), np.arange(leads + 1) * snapshots)
    codes = chance.integers(-1, N_CODES, events).astype(np.int32)
    values = chance.lognormal(size=events)
    mask = codes >= 0
    day = (moment // DAY).astype(np.int32)
    return {
        "count": lambda **k: operators.count(world, codes, N_CODES, WINDOWS, **k),
        "total": lambda **k: operators.total(world, values, codes, N_CODES, WINDOWS, **k),
        "distinct": lambda **k: operators.distinct(world, codes, N_CODES, WINDOWS, **k),
        "decayed_sum": lambda **k: operators.decayed_sum(world, values, codes, N_CODES, HALF_LIVES, **k),
        "age_of_last": lambda **k: operators.age_of_last(world, codes, N_CODES, **k),
        "age_of_first": lambda **k: operators.age_of_first(world, codes, N_CODES, **k),
        "last_value": lambda **k: operators.last_value(world, values, codes, N_CODES, **k),
        "first_value": lambda **k: operators.first_value(world, values, codes, N_CODES, **k),
        "maximum": lambda **k: operators.maximum(world, values, codes, N_CODES, **k),
        "minimum": lambda **k: operators.minimum(world, values, codes, N_CODES, **k),
        "last_code": lambda **k: operators.last_code(world, codes, 3, **k),
        "gaps": lambda **k: operators.gaps(world, mask, **k),
        "busiest_day_share": lambda **k: operators.busiest_day_share(world, mask, day, **k),
        "active_days": lambda **k: operators.active_days(world, mask, day, **k),
        "in_state": lambda **k: operators.in_state(world, codes, **k),
    }


def seconds(call: Callable[..., Any], **arguments: int) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    call(**arguments)
    return time.perf_counter() - started


def measure(events: int, leads: int, snapshots: int) -> list[dict[str, Any]]:
    """One row per operator: seconds to compile (or load), on one thread, on two."""
    small = {name: seconds(call, threads=1) for name, call in draw(1_000, 10, snapshots).items()}
    return [
        {
            "operator": name,
            "compile_or_load": small[name],
            "one_thread": min(seconds(call, threads=1) for _ in range(2)),
            "two_threads": min(seconds(call, threads=2) for _ in range(2)),
        }
        for name, call in draw(events, leads, snapshots).items()
    ]


def main() -> None:
    """Print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--snapshots", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = measure(arguments.events, arguments.leads, arguments.snapshots)
    columns = ("compile_or_load", "one_thread", "two_threads")
    rows.append({"operator": "all", **{column: sum(row[column] for row in rows) for column in columns}})
    if arguments.json:
        print(json.dumps({**vars(arguments), "seconds": rows}))
        return
    print(f"{arguments.events:,} events, {arguments.leads:,} leads, {arguments.snapshots} snapshots; seconds")
    print(f"{'operator':20}" + "".join(f"{column:>17}" for column in columns))
    for row in rows:
        print(f"{row['operator']:20}" + "".join(f"{row[column]:17.3f}" for column in columns))


if __name__ == "__main__":
    main()
