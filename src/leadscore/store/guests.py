"""Guests of a bucket: colleagues and referrers of its leads who live in another one.

A lead lives for good in the bucket of its first account. Who moves to another account, or was brought by somebody of
another account, has people to be seen with elsewhere; they are read once and handed to each bucket that looks at them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.store.buckets import BucketTables, read_bucket
from leadscore.store.lake import Lake, engine, explained_damage

_PLACES = """
with
known as (
    select distinct lead_id, account_id, referrer_id, bucket
    from {leads}
    where known_at < make_timestamptz($before) and created_at < make_timestamptz($before)
),
members as (
    select distinct account_id, lead_id, bucket from known where account_id is not null
),
places as (
    select distinct account_id, bucket from members
),
colleagues as (
    select members.lead_id, members.bucket as home, places.bucket
    from members join places on places.account_id = members.account_id and places.bucket <> members.bucket
),
homes as (
    select distinct lead_id, bucket from known
),
referrers as (
    select homes.lead_id, homes.bucket as home, known.bucket
    from known join homes on homes.lead_id = known.referrer_id and homes.bucket <> known.bucket
),
final as (
    select * from colleagues union select * from referrers
)
select lead_id, home, bucket from final order by all
"""


@dataclass(frozen=True)
class Guests:
    """Who is looked at in a bucket without living there, and what their own buckets hold of them."""

    lead_ids: tuple[str, ...]
    tables: BucketTables


def read_guests(
    lake: Lake, before: int, hidden_kinds: tuple[str, ...] = (), outcome_words: tuple[str, ...] = ()
) -> dict[int, Guests]:
    """Read the guests of every bucket, as they were known before a moment; buckets without any are left out.

    Their histories are held in memory, once per bucket they are guests in, and the buckets they live in are read once
    more. See `read_bucket` for the arguments.

    Raises:
        StateError: a file of the store is missing or damaged.
    """
    with engine() as connection, explained_damage(lake.path):
        query = _PLACES.format(leads=lake.scan("leads"))
        places = connection.sql(query, params={"before": before}).to_arrow_table()
    found: dict[int, list[tuple[pa.Array, BucketTables]]] = {}
    for home in pc.unique(places["home"]).to_pylist():
        tables = read_bucket(lake, home, before, hidden_kinds, outcome_words)
        of_home = places.filter(pc.equal(places["home"], home))
        for bucket in pc.unique(of_home["bucket"]).to_pylist():
            lead_ids = of_home.filter(pc.equal(of_home["bucket"], bucket))["lead_id"].combine_chunks()
            found.setdefault(bucket, []).append((lead_ids, _of(tables, lead_ids)))
    return {bucket: _together(parts) for bucket, parts in sorted(found.items())}


def seated(tables: BucketTables, guests: Mapping[int, Guests], bucket: int) -> tuple[BucketTables, tuple[str, ...]]:
    """Put a bucket's guests among those who live there; also return who they are."""
    if bucket not in guests:
        return tables, ()
    return _joined([tables, guests[bucket].tables]), guests[bucket].lead_ids


def _of(tables: BucketTables, lead_ids: pa.Array) -> BucketTables:
    """Select the rows of some leads."""

    def chosen(table: pa.Table) -> pa.Table:
        return table.filter(pc.is_in(table["lead_id"].cast(pa.string()), value_set=lead_ids))

    return BucketTables(**{field.name: chosen(getattr(tables, field.name)) for field in fields(BucketTables)})


def _together(parts: list[tuple[pa.Array, BucketTables]]) -> Guests:
    lead_ids = sorted(lead for ids, _ in parts for lead in ids.to_pylist())
    return Guests(tuple(lead_ids), _joined([tables for _, tables in parts]))


def _joined(parts: list[BucketTables]) -> BucketTables:
    """Put tables of different leads together, lead by lead; within a lead the order stays."""

    def joined(name: str) -> pa.Table:
        table = pa.concat_tables([getattr(part, name) for part in parts]).unify_dictionaries().combine_chunks()
        lead = table["lead_id"].combine_chunks()
        rank = pc.rank(lead.cast(pa.string()), tiebreaker="dense").to_numpy()
        return table.take(pa.array(np.argsort(rank, kind="stable")))

    return BucketTables(**{field.name: joined(field.name) for field in fields(BucketTables)})
