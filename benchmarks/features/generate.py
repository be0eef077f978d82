"""Make a leadscore store of N events, as ingest would leave it, in bounded memory: a bucket at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from deltalake import DeltaTable

from features.question import CHANNELS, DAY, END, KINDS, START
from leadscore.contract.tables import TABLES
from leadscore.ingest.normalise import bucket_of, identity
from leadscore.store.lake import STORE_COLUMNS, Lake, append, engine

EVENTS_PER_LEAD = 100
EVENTS_PER_BUCKET = 625_000
"""What ten million events make of the sixteen buckets a store has if nobody says otherwise."""

_BEGIN = int(START.timestamp()) * 1_000_000
_SPAN = int((END - START).total_seconds())
_MIDNIGHT_IN = 500  # one event in so many has only a date: it stands at midnight, where windows begin and end


@dataclass(frozen=True)
class World:
    """Who there is: one row per lead.

    Attributes:
        lead_id, bucket: Keys; a lead without an account is its own.
        events: How many events it has; uneven, about one lead in a hundred has none.
        created_at: Seconds after START.
    """

    lead_id: npt.NDArray[np.object_]
    bucket: npt.NDArray[np.int64]
    events: npt.NDArray[np.int64]
    created_at: npt.NDArray[np.int64]


def generate(path: Path, events: int, seed: int = 1) -> Lake:
    """Make the store; the same arguments give the same rows.

    Args:
        path: Folder to be made.
        events: How many, over EVENTS_PER_LEAD leads on average; more buckets for more events, 16 at least.
        seed: Of all chance.
    """
    lake = Lake(path, max(16, -(-events // EVENTS_PER_BUCKET)), {})
    with engine() as connection:
        world = _draw_world(connection, events, lake.buckets, seed)
        append(lake, "leads", _leads(connection, world).to_reader())
        for bucket in range(lake.buckets):
            rows = _interactions(connection, world, bucket, seed)
            if rows.num_rows:
                append(lake, "interactions", rows.to_reader())
    return opened(path, lake.buckets)


def opened(path: Path, buckets: int) -> Lake:
    """Open the store at its present version."""
    names = [name for name in STORE_COLUMNS if (path / name).is_dir()]
    return Lake(path, buckets, {name: DeltaTable(str(path / name)) for name in names})


def _draw_world(connection: duckdb.DuckDBPyConnection, events: int, buckets: int, seed: int) -> World:
    chance = np.random.default_rng([seed, 0])
    n_leads = max(1, events // EVENTS_PER_LEAD)
    lead_id = np.array([f"lead-{number:08d}" for number in range(n_leads)], dtype=object)
    drawn = pa.table({"lead_id": pa.array(lead_id)})
    connection.register("drawn", drawn)
    bucket = connection.sql(f"select {bucket_of('lead_id', buckets)} as b from drawn").to_arrow_table()["b"]
    connection.unregister("drawn")
    share = chance.gamma(1.0, size=n_leads)
    return World(
        lead_id=lead_id,
        bucket=bucket.to_numpy().astype(np.int64),
        events=chance.multinomial(events, share / share.sum()),
        created_at=chance.integers(0, _SPAN * 2 // 3, n_leads),
    )


def _leads(connection: duckdb.DuckDBPyConnection, world: World) -> pa.Table:
    created_at = pa.array(_BEGIN + world.created_at * 1_000_000)
    given = {"lead_id": pa.array(world.lead_id), "created_at": created_at, "known_at": created_at}
    return _as_stored(connection, "leads", given, pa.array(world.bucket), "known_at")


def _interactions(connection: duckdb.DuckDBPyConnection, world: World, bucket: int, seed: int) -> pa.Table:
    chance = np.random.default_rng([seed, 1, bucket])
    here = np.flatnonzero(world.bucket == bucket)
    lead = np.repeat(np.arange(len(here), dtype=np.int32), world.events[here])
    n = len(lead)
    begins = world.created_at[here][lead]
    second = begins + (chance.random(n) * (_SPAN - begins)).astype(np.int64)
    dated = chance.integers(0, _MIDNIGHT_IN, n) == 0
    second[dated] -= second[dated] % (DAY // 1_000_000)
    moment = pa.array(_BEGIN + second * 1_000_000)
    given = {
        "lead_id": pa.DictionaryArray.from_arrays(lead, pa.array(world.lead_id[here])),
        "occurred_at": moment,
        "known_at": moment,
        "kind": _words(chance, KINDS, n),
        "channel": _words(chance, CHANNELS, n),
        "value": pa.array(np.round(chance.lognormal(3.0, 1.0, n), 2)),
    }
    return _as_stored(connection, "interactions", given, pa.array(np.full(n, bucket)), "occurred_at")


def _words(chance: np.random.Generator, words: tuple[str, ...], n: int) -> pa.Array:
    """Draw words, the later ones up to four times as often as the first."""
    weight = np.linspace(1.0, 4.0, len(words))
    codes = chance.choice(len(words), n, p=weight / weight.sum()).astype(np.int32)
    return pa.DictionaryArray.from_arrays(codes, pa.array(words))


def _as_stored(
    connection: duckdb.DuckDBPyConnection, table: str, given: dict[str, Any], bucket: pa.Array, when: str
) -> pa.Table:
    """Give rows the columns, the digest and the order that the store's rows have."""
    columns = TABLES[table].columns
    moments = {column.name for column in columns if column.type == "moment"}
    types = STORE_COLUMNS[table]
    connection.register("given", pa.table({**given, "bucket": bucket}))
    absent = "".join(f", null::{types[column.name]} as {column.name}" for column in columns if column.name not in given)
    shown = ", ".join(
        f"make_timestamptz({name}) as {name}" if name in moments and name in given else f"{name}::{kind} as {name}"
        for name, kind in types.items()
    )
    query = f"""
        select {shown} from (select *, {identity(columns)} as row_id from (select *{absent} from given))
        order by bucket, lead_id, {when}, row_id
    """
    rows = connection.sql(query).to_arrow_table()
    connection.unregister("given")
    return rows


def files_per_bucket(lake: Lake) -> Iterator[list[str]]:
    """List the Parquet files of the interactions, bucket by bucket."""
    for bucket in range(lake.buckets):
        yield lake.uris("interactions", bucket)
