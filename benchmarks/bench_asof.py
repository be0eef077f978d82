"""Time the as-of operators: seconds per operator on one thread and on two, compilation apart.

Run it as `python benchmarks/bench_asof.py [--wide] [--events N] [--leads N] [--snapshots N] [--json]`. Five groups,
three windows and three half-lives; a world drawn from a fixed seed; the better of two runs. `--wide` times the six
calls behind the 76 columns of `make bench-features` instead: eighteen months, twelve kinds, five channels, four
windows.
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


Calls = dict[str, Callable[..., Any]]


def draw_world(chance: np.random.Generator, events: int, leads: int, grid: np.ndarray) -> Asof:
    """Draw events up to the last moment of the grid; each lead is looked at from every moment."""
    lead = np.sort(chance.integers(0, leads, events))
    moment = chance.integers(0, grid[-1], events)
    moment = moment[np.lexsort((moment, lead))]
    indptr = np.searchsorted(lead, np.arange(leads + 1)).astype(np.int64)
    return Asof(moment, indptr, np.tile(grid, leads), np.arange(leads + 1) * grid.size)


def draw_wide(events: int, leads: int, snapshots: int, seed: int = 1) -> Calls:
    """Draw eighteen months of events, seen from the last months; name each call of the bench of features."""
    chance = np.random.default_rng(seed)
    world = draw_world(chance, events, leads, np.arange(19 - snapshots, 19) * 30 * DAY)
    windows = np.array([7, 30, 90, 365]) * DAY
    kind = chance.integers(0, 12, events).astype(np.int32)
    channel = chance.integers(0, 5, events).astype(np.int32)
    every = np.zeros(events, np.int32)
    values, touches = chance.lognormal(size=events), np.ones(events)
    return {
        "count of 12 x 4": lambda **k: operators.count(world, kind, 12, windows, **k),
        "total x 4": lambda **k: operators.total(world, values, every, 1, windows, **k),
        "age of last of 12": lambda **k: operators.age_of_last(world, kind, 12, **k),
        "decayed sum x 3": lambda **k: operators.decayed_sum(world, touches, every, 1, HALF_LIVES, **k),
        "distinct of 12 x 4": lambda **k: operators.distinct(world, kind, 12, windows, **k),
        "distinct of 5 x 4": lambda **k: operators.distinct(world, channel, 5, windows, **k),
    }


def draw(events: int, leads: int, snapshots: int, seed: int = 1) -> Calls:
    """Draw a year of events and regular snapshots; name each operator with its call on them."""
    chance = np.random.default_rng(seed)
    world = draw_world(chance, events, leads, np.arange(1, snapshots + 1) * (SPAN // snapshots))
    codes = chance.integers(-1, N_CODES, events).astype(np.int32)
    contents = chance.integers(0, 1_000, events).astype(np.int32)
    values = chance.lognormal(size=events)
    mask = codes >= 0
    asks, answers = codes == 0, codes == 1
    day = (world.time // DAY).astype(np.int32)
    pairs = np.array([[0, 1], [1, 2], [2, 3], [3, 4]], np.int32)
    lags, shifts = np.array([0, 30 * DAY]), np.array([14, 28]) * DAY
    return {
        "count": lambda **k: operators.count(world, codes, N_CODES, WINDOWS, **k),
        "total": lambda **k: operators.total(world, values, codes, N_CODES, WINDOWS, **k),
        "distinct": lambda **k: operators.distinct(world, codes, N_CODES, WINDOWS, **k),
        "distinct of 1000": lambda **k: operators.distinct(world, contents, 1_000, WINDOWS, **k),
        "mean": lambda **k: operators.mean(world, values, codes, N_CODES, WINDOWS, **k),
        "maximum": lambda **k: operators.maximum(world, values, codes, N_CODES, WINDOWS, **k),
        "minimum": lambda **k: operators.minimum(world, values, codes, N_CODES, WINDOWS, **k),
        "bigram_count": lambda **k: operators.bigram_count(world, codes, pairs, WINDOWS, **k),
        "decayed_sum": lambda **k: operators.decayed_sum(world, values, codes, N_CODES, HALF_LIVES, **k),
        "decayed_mean": lambda **k: operators.decayed_mean(world, values, codes, N_CODES, HALF_LIVES, **k),
        "decayed_peak": lambda **k: operators.decayed_peak(world, values, codes, N_CODES, HALF_LIVES, **k),
        "age_of_last": lambda **k: operators.age_of_last(world, codes, N_CODES, **k),
        "age_of_first": lambda **k: operators.age_of_first(world, codes, N_CODES, **k),
        "last_value": lambda **k: operators.last_value(world, values, codes, N_CODES, **k),
        "first_value": lambda **k: operators.first_value(world, values, codes, N_CODES, **k),
        "last_code": lambda **k: operators.last_code(world, codes, 3, **k),
        "nth_last": lambda **k: operators.nth_last(world, mask, 3, **k),
        "gaps": lambda **k: operators.gaps(world, mask, **k),
        "busiest_day_share": lambda **k: operators.busiest_day_share(world, mask, day, **k),
        "active_days": lambda **k: operators.active_days(world, mask, day, **k),
        "in_state": lambda **k: operators.in_state(world, codes, **k),
        "dwell": lambda **k: operators.dwell(world, codes, N_CODES, **k),
        "ordered_depth": lambda **k: operators.ordered_depth(world, codes, lags, **k),
        "deepest": lambda **k: operators.deepest(world, codes, lags, **k),
        "followed": lambda **k: operators.followed(world, asks, answers, 7 * DAY, **k),
        "unanswered": lambda **k: operators.unanswered(world, asks, answers, 7 * DAY, HALF_LIVES, **k),
        "uptake": lambda **k: operators.uptake(world, asks, answers, 7 * DAY, shifts, **k),
    }


def seconds(call: Callable[..., Any], **arguments: int) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    call(**arguments)
    return time.perf_counter() - started


def measure(drawn: Callable[..., Calls], events: int, leads: int, snapshots: int) -> list[dict[str, Any]]:
    """One row per call: seconds to compile (or load), on one thread, on two."""
    small = {name: seconds(call, threads=1) for name, call in drawn(1_000, 10, snapshots).items()}
    return [
        {
            "operator": name,
            "compile_or_load": small[name],
            "one_thread": min(seconds(call, threads=1) for _ in range(2)),
            "two_threads": min(seconds(call, threads=2) for _ in range(2)),
        }
        for name, call in drawn(events, leads, snapshots).items()
    ]


def main() -> None:
    """Print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--snapshots", type=int, default=12)
    parser.add_argument("--wide", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    drawn = draw_wide if arguments.wide else draw
    rows = measure(drawn, arguments.events, arguments.leads, arguments.snapshots)
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
