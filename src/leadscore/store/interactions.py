"""Read the interactions of a bucket: in the order they lie in where that can be had, words as codes, without SQL.

Ingest hands each file over sorted by lead, moment and row_id; Delta Lake writes it in a few *runs*, each sorted, but in
any order. Runs that do not overlap change places; others are merged by number. Only where two runs hold interactions
of one lead at one moment does row_id have to be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from leadscore.store.lake import Lake, explained_damage

WORDS = ("lead_id", "kind", "channel", "direction", "content_id", "topic", "campaign_id", "source_id")
_MOMENTS = ("occurred_at", "known_at")
SCHEMA = pa.schema(
    [
        *((name, pa.dictionary(pa.int32(), pa.string())) for name in WORDS[:1]),
        *((name, pa.int64()) for name in _MOMENTS),
        *((name, pa.dictionary(pa.int32(), pa.string())) for name in WORDS[1:]),
        ("layer", pa.int64()),
        ("value", pa.float64()),
    ]
)
"""Moments are microseconds since 1970; what is missing is null."""

Rows = npt.NDArray[np.int64]


def read(lake: Lake, bucket: int, before: int) -> pa.Table:
    """Read what had happened and was known strictly before a moment, sorted by lead_id, occurred_at, row_id.

    Returns:
        One row per interaction, with the columns of `SCHEMA`; the dictionary of lead_id is sorted.

    Raises:
        StateError: a file of the store is missing or damaged.
    """
    uris = lake.uris("interactions", bucket)
    with explained_damage(lake.path):
        pieces = [_read_file(uri) for uri in uris]
    table = pa.concat_tables(pieces) if pieces else SCHEMA.empty_table()
    table = _with_sorted_leads(table)
    rows = _order(table, uris, np.repeat(np.arange(len(pieces)), [piece.num_rows for piece in pieces]), lake)
    time, known_at = (table[name].to_numpy() for name in _MOMENTS)
    visible = (time < before) & (known_at < before)
    if rows is None:
        return table if visible.all() else table.filter(pa.array(visible))
    return table.take(pa.array(rows[visible[rows]]))


def of_kinds(table: pa.Table, kinds: Sequence[str]) -> pa.Table:
    """Select the interactions of some kinds."""
    if not kinds:
        return table.slice(0, 0)
    return table.filter(pa.array(_is_one_of(table, kinds)))


def without_kinds(table: pa.Table, kinds: Sequence[str]) -> pa.Table:
    """Leave out the interactions of some kinds."""
    if not kinds:
        return table
    unwanted = _is_one_of(table, kinds)
    return table.filter(pa.array(~unwanted)) if unwanted.any() else table


def _is_one_of(table: pa.Table, kinds: Sequence[str]) -> npt.NDArray[np.bool_]:
    kind = table["kind"].combine_chunks()
    wanted = pc.is_in(kind.dictionary, pa.array(kinds, pa.string())).to_numpy(zero_copy_only=False)
    found: npt.NDArray[np.bool_] = np.append(wanted, False)[kind.indices.fill_null(-1).to_numpy()]
    return found


def _read_file(uri: str) -> pa.Table:
    file = pq.ParquetFile(uri, read_dictionary=list(WORDS))
    table = file.read(columns=SCHEMA.names, use_threads=False)  # a bucket is too little to share out
    return table.select(SCHEMA.names).cast(SCHEMA)


def _with_sorted_leads(table: pa.Table) -> pa.Table:
    """Give each column of words one dictionary, that of lead_id sorted, so that its codes compare like its words."""
    table = table.unify_dictionaries().combine_chunks()
    lead = _whole(table["lead_id"])
    order = pc.sort_indices(lead.dictionary).to_numpy()
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    codes = rank[lead.indices.to_numpy()]
    return table.set_column(0, "lead_id", pa.DictionaryArray.from_arrays(codes, lead.dictionary.take(pa.array(order))))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _order(table: pa.Table, uris: Sequence[str], file: Rows, lake: Lake) -> Rows | None:
    """Return the rows in order; None when they lie so."""
    lead = _whole(table["lead_id"]).indices.to_numpy()
    time = table["occurred_at"].to_numpy()
    begins = _falls(lead, time) | (file[1:] != file[:-1])
    if not begins.any():
        return None
    run = np.append(0, np.cumsum(begins))
    order = _chained(lead, time, np.append(0, np.flatnonzero(begins) + 1))
    if _falls(lead[order], time[order]).any():
        order = np.lexsort((time, lead))
    return _with_ties_settled(order, lead, time, run, uris, lake)


def _falls(lead: npt.NDArray[np.int32], time: Rows) -> npt.NDArray[np.bool_]:
    falls: npt.NDArray[np.bool_] = (lead[1:] < lead[:-1]) | ((lead[1:] == lead[:-1]) & (time[1:] < time[:-1]))
    return falls


def _chained(lead: npt.NDArray[np.int32], time: Rows, begins: Rows) -> Rows:
    """Put whole runs one after the other by their first rows."""
    sizes = np.diff(np.append(begins, len(lead)))
    turn = np.lexsort((time[begins], lead[begins]))
    before = np.cumsum(sizes[turn]) - sizes[turn]
    order: Rows = np.arange(len(lead)) + np.repeat(begins[turn] - before, sizes[turn])
    return order


def _with_ties_settled(
    order: Rows, lead: npt.NDArray[np.int32], time: Rows, run: Rows, uris: Sequence[str], lake: Lake
) -> Rows:
    """Order interactions of one lead at one moment by row_id where they come from more than one run."""
    lead, time, run = lead[order], time[order], run[order]
    tied = (lead[1:] == lead[:-1]) & (time[1:] == time[:-1])
    group = np.append(0, np.cumsum(~tied))
    mixed = np.zeros(len(order), dtype=np.bool_)
    mixed[group[1:][tied & (run[1:] != run[:-1])]] = True
    places = np.flatnonzero(mixed[group])
    if len(places):
        with explained_damage(lake.path):
            row_id = pa.concat_tables([pq.read_table(uri, columns=["row_id"]) for uri in uris])["row_id"]
        rank = pc.rank(row_id.take(pa.array(order[places]))).to_numpy()
        order[places] = order[places][np.lexsort((rank, group[places]))]
    return order
