"""Read one bucket of the store, or what is known of all its leads, as it was known at a moment."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from leadscore.contract.tables import TABLES
from leadscore.store import interactions
from leadscore.store.lake import Lake, explained_damage


@dataclass(frozen=True)
class BucketTables:
    """What one bucket held and was known of before a moment.

    Moments are int64 microseconds since 1970 in UTC; what is missing is null; `attributes` is a JSON object as text,
    keys sorted, null when there is none. The order of rows depends on their content alone.

    Attributes:
        leads: One row per version of a lead (lead_id, account_id, referrer_id, created_at, closes_at, known_at,
            attributes), sorted by lead_id, known_at.
        interactions: One row per interaction that is neither an outcome nor hidden, sorted by lead_id, occurred_at,
            its attributes left out; words are dictionary-encoded, and the dictionary of lead_id is sorted.
        outcomes: One row per outcome (lead_id, occurred_at, known_at, outcome), whether it came from the table of
            outcomes or is an interaction whose kind is an outcome word; sorted by lead_id, occurred_at.
        consents: One row per statement (lead_id, occurred_at, known_at, purpose, status), sorted likewise.
    """

    leads: pa.Table
    interactions: pa.Table
    outcomes: pa.Table
    consents: pa.Table


_LEADS = ("lead_id", "account_id", "referrer_id", "created_at", "closes_at", "known_at", "attributes")
_OUTCOMES = ("lead_id", "occurred_at", "known_at", "outcome")
_ENDED = ("lead_id", "occurred_at", "known_at", "kind")
_CONSENTS = ("lead_id", "occurred_at", "known_at", "purpose", "status")


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
    happened = interactions.read(lake, bucket, before)
    leads = _read(lake, "leads", bucket, before, _LEADS, ("lead_id", "known_at", "row_id"))
    told = _read(lake, "outcomes", bucket, before, _OUTCOMES, _OUTCOMES)
    consents = _read(lake, "consents", bucket, before, _CONSENTS, ("lead_id", "occurred_at", "row_id"))
    ended = interactions.of_kinds(happened, outcome_words).select(_ENDED)
    outcomes = pa.concat_tables([told, ended.rename_columns(_OUTCOMES).cast(told.schema)])
    return BucketTables(
        leads=leads,
        interactions=interactions.without_kinds(happened, (*hidden_kinds, *outcome_words)),
        outcomes=_sorted(outcomes, _OUTCOMES),
        consents=consents,
    )


def read_lives(lake: Lake, before: int, outcome_words: tuple[str, ...] = ()) -> BucketTables:
    """Read, of all buckets, what was known of leads, outcomes and consents before a moment, without attributes.

    Raises:
        StateError: a file of the store is missing or damaged.
    """
    leads = _read(lake, "leads", None, before, _LEADS[:-1], ("lead_id", "known_at", "row_id"))
    told = _read(lake, "outcomes", None, before, _OUTCOMES, _OUTCOMES)
    is_outcome = pc.field("kind").isin(list(outcome_words))
    ended = _read(lake, "interactions", None, before, _ENDED, _ENDED, is_outcome)
    return BucketTables(
        leads=leads.append_column("attributes", pa.nulls(len(leads), pa.string())),
        interactions=interactions.SCHEMA.empty_table(),
        outcomes=_sorted(pa.concat_tables([told, ended.rename_columns(_OUTCOMES)]), _OUTCOMES),
        consents=_read(lake, "consents", None, before, _CONSENTS, ("lead_id", "occurred_at", "row_id")),
    )


def bucket_of_lead(lake: Lake, lead_id: str) -> int | None:
    """Return the bucket that a lead lives in; None when there is no such lead."""
    with explained_damage(lake.path):
        for uri in lake.uris("leads"):
            found = pq.read_table(uri, columns=["bucket"], filters=pc.field("lead_id") == lead_id)["bucket"]
            if len(found):
                return int(found[0].as_py())
    return None


def _read(
    lake: Lake,
    name: str,
    bucket: int | None,
    before: int,
    columns: tuple[str, ...],
    order: tuple[str, ...],
    wanted: pc.Expression | None = None,
) -> pa.Table:
    """Read the rows of a bucket, or of all, whose moments of happening and knowing lie before."""
    moments = [column for column in columns if column in ("created_at", "occurred_at", "known_at")]
    limit = pa.scalar(before, pa.timestamp("us", "UTC"))
    visible = (pc.field(moments[0]) < limit) & (pc.field(moments[1]) < limit)
    if bucket is not None:
        visible &= pc.field("bucket") == bucket
    if wanted is not None:
        visible &= wanted
    read = [*columns, *(column for column in order if column not in columns)]
    with explained_damage(lake.path):
        pieces = [pq.read_table(uri, columns=read, filters=visible, partitioning=None) for uri in lake.uris(name)]
    rows = _sorted(pa.concat_tables(pieces), order) if pieces else pa.table({column: [] for column in read})
    return rows.select(columns).cast(pa.schema([(column, _type(name, column)) for column in columns]))


def _sorted(table: pa.Table, order: tuple[str, ...]) -> pa.Table:
    return table.sort_by([(column, "ascending") for column in order])


def _type(table: str, column: str) -> pa.DataType:
    return pa.int64() if TABLES[table].column(column).type == "moment" else pa.string()
