"""Read one bucket of the store as it was known at a moment."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from leadscore.store.lake import Lake, engine, explained_damage


@dataclass(frozen=True)
class BucketTables:
    """What one bucket held and was known of before a moment.

    Moments are int64 microseconds since 1970 in UTC; what is missing is null; `attributes` is a JSON object as text,
    keys sorted, null when there is none. The order of rows depends on their content alone.

    Attributes:
        leads: One row per version of a lead (lead_id, account_id, created_at, closes_at, known_at, attributes), sorted
            by lead_id, known_at.
        interactions: One row per interaction that is neither an outcome nor hidden, sorted by lead_id, occurred_at.
        outcomes: One row per outcome (lead_id, occurred_at, known_at, outcome), whether it came from the table of
            outcomes or is an interaction whose kind is an outcome word; sorted by lead_id, occurred_at.
        consents: One row per statement (lead_id, occurred_at, known_at, purpose, status), sorted likewise.
    """

    leads: pa.Table
    interactions: pa.Table
    outcomes: pa.Table
    consents: pa.Table


_LEADS = """
select lead_id, account_id, epoch_us(created_at) as created_at, epoch_us(closes_at) as closes_at,
    epoch_us(known_at) as known_at, attributes
from {leads}
where bucket = $bucket and known_at < make_timestamptz($before) and created_at < make_timestamptz($before)
order by lead_id, known_at, row_id
"""

_INTERACTIONS = """
select lead_id, epoch_us(occurred_at) as occurred_at, epoch_us(known_at) as known_at, kind, channel, direction,
    content_id, layer, topic, campaign_id, source_id, value, attributes
from {interactions}
where occurred_at < make_timestamptz($before) and known_at < make_timestamptz($before)
    and not list_contains($unseen, kind)
order by lead_id, occurred_at, row_id
"""

_OUTCOMES = """
with told as (
    select lead_id, occurred_at, known_at, outcome from {outcomes} where bucket = $bucket
),
happened as (
    select lead_id, occurred_at, known_at, kind as outcome
    from {interactions}
    where list_contains($outcome_words, kind)
),
final as (
    select * from told union all select * from happened
)
select lead_id, epoch_us(occurred_at) as occurred_at, epoch_us(known_at) as known_at, outcome
from final
where occurred_at < make_timestamptz($before) and known_at < make_timestamptz($before)
order by lead_id, occurred_at, known_at, outcome
"""

_CONSENTS = """
select lead_id, epoch_us(occurred_at) as occurred_at, epoch_us(known_at) as known_at, purpose, status
from {consents}
where bucket = $bucket and occurred_at < make_timestamptz($before) and known_at < make_timestamptz($before)
order by lead_id, occurred_at, row_id
"""


def read_bucket(
    lake: Lake,
    bucket: int,
    before: int,
    hidden_kinds: tuple[str, ...] = (),
    outcome_words: tuple[str, ...] = (),
) -> BucketTables:
    """Read what happened, and was known, strictly before a moment.

    Args:
        lake: The store, at the versions it was opened with.
        bucket: Which bucket, from 0.
        before: The moment, in microseconds since 1970.
        hidden_kinds: Kinds of interaction to leave out.
        outcome_words: Kinds of interaction that are outcomes: left out of the interactions, given with the outcomes.

    Raises:
        StateError: a file of the store is missing or damaged.
    """
    given = {
        "bucket": bucket,
        "before": before,
        "unseen": [*hidden_kinds, *outcome_words],
        "outcome_words": list(outcome_words),
    }
    relations = {table: lake.scan(table, bucket) for table in ("leads", "interactions", "outcomes", "consents")}
    with engine() as connection, explained_damage(lake.path):
        tables = [
            _read(connection, query.format(**relations), given)
            for query in (_LEADS, _INTERACTIONS, _OUTCOMES, _CONSENTS)
        ]
    return BucketTables(*tables)


def _read(connection: duckdb.DuckDBPyConnection, query: str, given: dict[str, object]) -> pa.Table:
    # DuckDB refuses a value the query does not ask for.
    asked = {name: value for name, value in given.items() if f"${name}" in query}
    return connection.sql(query, params=asked).to_arrow_table()
