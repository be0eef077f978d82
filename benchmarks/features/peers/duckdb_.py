"""DuckDB at its best, as far as we know: aggregation in levels, so that no event is looked at once per moment.

1. `cells`: per lead and tile, a tile being the time between two neighbouring edges (every as_of, every as_of - w).
2. `rings`: per lead, moment and ring, a ring being what a window holds and the next smaller one does not. A cell is in
   one ring per moment, so each of its sums is added once per moment, not once per moment and window.
3. Windows are sums of rings; recencies and temperatures are running maxima and sums over the months of a lead.

Each event straight into one filtered aggregate per column, per moment, takes four times as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from features.question import (
    CHANNELS,
    CHANNELS_SEEN,
    COUNTS,
    DAY,
    HALF_LIVES,
    KINDS,
    RECENCIES,
    TEMPERATURES,
    TOTALS,
    WINDOWS,
    Task,
    answer,
)

_CODES = range(len(KINDS))
_RINGS = range(len(WINDOWS))


def compute(task: Task) -> None:
    """Answer the task."""
    moments = task.as_of
    edges = sorted({as_of - window * DAY for as_of in moments for window in (0, *WINDOWS)})
    month = [next(number for number, as_of in enumerate(moments) if edge <= as_of) for edge in edges]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(_CELLS.format(
            files=_array(task.files()), end=moments[-1], tile=_tile(edges, 0, len(edges) - 1), month=_array(month),
            moments=_array(moments), channels=_array(CHANNELS),
            counts=_listed(f"(count(*) filter (kind = '{KINDS[i]}'))::usmallint as count_{i}" for i in _CODES),
            lasts=_listed(f"max(t) filter (kind = '{KINDS[i]}') as last_{i}" for i in _CODES),
            warmths=_listed(f"sum(pow(2.0, (t - as_of) / {days * DAY})) as warmth_{days}" for days in HALF_LIVES),
        ))  # fmt: skip
        connection.execute(_RING_OF, [list(column) for column in zip(*_ring_of(edges, moments), strict=True)])
        connection.execute(_ANSWER.format(
            target=task.target(), codec="uncompressed", leads=_array(task.leads), moments=_array(moments),
            summed=_listed(f"sum(count_{i})::usmallint as count_{i}" for i in _CODES),
            windows=_listed(_windows()), carried=_listed(_carried(moments)),
            newest=_listed(f"max(last_{i}) as last_{i}" for i in _CODES),
            warmths=_listed(f"sum(warmth_{days}) as warmth_{days}" for days in HALF_LIVES),
            shown=_listed([*(f"coalesce({name}, 0::float) as {name}" for name in (*COUNTS, *TOTALS, *CHANNELS_SEEN)),
                           *RECENCIES, *TEMPERATURES, *_kinds_seen()]),
        ))  # fmt: skip


_CELLS = """
create temp table cells as
select lead_id, tile, month, bit_or(1 << (list_position({channels}, channel) - 1))::utinyint as channels,
    sum(value) as total, {counts}, {lasts}, {warmths}
from (
    select *, {month}[tile + 1]::tinyint as month, {moments}[{month}[tile + 1] + 1] as as_of
    from (
        select *, ({tile})::utinyint as tile
        from (
            select lead_id, epoch_us(occurred_at) as t, kind, channel, value
            from read_parquet({files}) where occurred_at < make_timestamptz({end})
        )
    )
)
group by lead_id, tile, month
"""

_RING_OF = """
create temp table ring_of as
select unnest($1)::utinyint as tile, unnest($2)::tinyint as month, unnest($3)::tinyint as ring
"""

_ANSWER = """
copy (
    with rings as (
        select lead_id, ring_of.month as month, ring, {summed}, sum(total) as total, bit_or(channels) as channels
        from cells join ring_of using (tile)
        group by lead_id, ring_of.month, ring
    ),
    windows as (
        select lead_id, month, {windows} from rings group by lead_id, month
    ),
    months as (
        select lead_id, month, {newest}, {warmths} from cells group by lead_id, month
    ),
    grid as (
        select lead_id, unnest({moments}) as as_of, unnest(range(len({moments})))::tinyint as month
        from read_parquet({leads})
    ),
    carried as (
        select lead_id, as_of, month, {carried}
        from grid left join months using (lead_id, month)
        window so_far as (partition by lead_id order by month)
    )
    select lead_id, make_timestamptz(as_of) as as_of, {shown}
    from carried left join windows using (lead_id, month)
) to '{target}' (format parquet, compression {codec})
"""


def _tile(edges: list[int], low: int, high: int) -> str:
    """Give SQL for the number of edges that are not after t, by halving: six comparisons instead of sixty."""
    if low == high:
        return str(low)
    middle = (low + high) // 2
    return f"case when t < {edges[middle]} then {_tile(edges, low, middle)} else {_tile(edges, middle + 1, high)} end"


def _ring_of(edges: list[int], moments: list[int]) -> Iterable[tuple[int, int, int]]:
    """Say for each tile, but the first, which is before every window, and each moment after it in which ring it is."""
    for month, as_of in enumerate(moments):
        for tile in range(1, len(edges)):
            inside = [ring for ring, window in enumerate(WINDOWS) if edges[tile - 1] >= as_of - window * DAY]
            if edges[tile] <= as_of and inside:
                yield tile, month, inside[0]


def _windows() -> Iterable[str]:
    counts = [f"sum(count_{i}) filter (ring <= {ring})" for i in _CODES for ring in _RINGS]
    totals = [f"sum(total) filter (ring <= {ring})" for ring in _RINGS]
    channels = [f"bit_count(bit_or(channels) filter (ring <= {ring}))" for ring in _RINGS]
    for name, value in zip((*COUNTS, *TOTALS, *CHANNELS_SEEN), [*counts, *totals, *channels], strict=True):
        yield f"coalesce({value}, 0)::float as {name}"


def _carried(moments: list[int]) -> Iterable[str]:
    for i, name in enumerate(RECENCIES):
        yield f"((as_of - max(last_{i}) over so_far) / {DAY})::float as {name}"
    for days, name in zip(HALF_LIVES, TEMPERATURES, strict=True):
        # Warmths of all months are brought to the first one, added up, and brought to their own: all are positive, so
        # nothing cancels out, and a double holds 2^182.
        scale = f"({_array(2.0 ** ((as_of - moments[0]) / (days * DAY)) for as_of in moments)}::double[])[month + 1]"
        yield f"coalesce((sum(warmth_{days} * {scale}) over so_far) / {scale}, 0)::float as {name}"


def _kinds_seen() -> Iterable[str]:
    for window in WINDOWS:
        seen = " + ".join(f"coalesce(count_{kind}_{window}d > 0, false)::tinyint" for kind in KINDS)
        yield f"({seen})::float as kinds_{window}d"


def _array(items: Iterable[str | float]) -> str:
    return "[" + ", ".join(f"'{item}'" if isinstance(item, str) else repr(item) for item in items) + "]"


def _listed(items: Iterable[str] | Sequence[str]) -> str:
    return ", ".join(items)


if __name__ == "__main__":
    answer(compute, duckdb.__version__)
