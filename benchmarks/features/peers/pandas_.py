"""pandas: per moment one grouping by (lead, kind), one by lead and one per window for channels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow.dataset  # noqa: F401 - pandas imports it at first use, and imports are not timed

from features.question import (
    CHANNELS,
    CHANNELS_SEEN,
    CODEC,
    COLUMNS,
    COUNTS,
    DAY,
    HALF_LIVES,
    KINDS,
    KINDS_SEEN,
    RECENCIES,
    TEMPERATURES,
    TOTALS,
    WINDOWS,
    Task,
    answer,
)


def compute(task: Task) -> None:
    """Answer the task."""
    leads = pd.read_parquet(task.leads, columns=["lead_id"])["lead_id"]
    events = pd.read_parquet(
        task.files(), columns=["lead_id", "occurred_at", "kind", "channel", "value"], partitioning=None
    )
    events = events.assign(
        t=events["occurred_at"].astype("datetime64[us, UTC]").astype("int64"),
        lead=pd.Categorical(events["lead_id"], categories=leads).codes,
        kind=pd.Categorical(events["kind"], categories=KINDS).codes,
        channel=pd.Categorical(events["channel"], categories=CHANNELS).codes,
    )[["lead", "t", "kind", "channel", "value"]]
    per_moment = [_at(events, as_of, len(leads)).assign(lead_id=leads, as_of=as_of) for as_of in task.as_of]
    frame = pd.concat(per_moment, ignore_index=True)
    frame["as_of"] = pd.to_datetime(frame["as_of"], unit="us", utc=True).astype("datetime64[us, UTC]")
    frame[["lead_id", "as_of", *COLUMNS]].to_parquet(task.target(), compression=CODEC, index=False)


def _at(events: pd.DataFrame, as_of: int, n_leads: int) -> pd.DataFrame:
    """One row per lead, by its number."""
    columns = {}
    for part in _parts(events[events["t"] < as_of], as_of):
        columns.update(part)
    frame = pd.DataFrame(columns, index=pd.RangeIndex(n_leads))
    filled = [name for name in COLUMNS if name not in RECENCIES]
    frame[filled] = frame[filled].fillna(0.0)
    return frame.astype(np.float32)


def _parts(seen: pd.DataFrame, as_of: int) -> Iterator[dict[str, pd.Series]]:
    last = _wide(seen.groupby(["lead", "kind"])["t"].max())
    yield {name: (as_of - last[code]) / DAY for code, name in enumerate(RECENCIES)}
    for name, days in zip(TEMPERATURES, HALF_LIVES, strict=True):
        yield {name: (2.0 ** ((seen["t"] - as_of) / (days * DAY))).groupby(seen["lead"]).sum()}
    for number, window in enumerate(WINDOWS):
        inside = seen[seen["t"] >= as_of - window * DAY]
        counts = _wide(inside.groupby(["lead", "kind"]).size()).fillna(0)
        yield {COUNTS[code * len(WINDOWS) + number]: counts[code] for code in range(len(KINDS))}
        grouped = inside.groupby("lead")
        yield {
            TOTALS[number]: grouped["value"].sum(),
            KINDS_SEEN[number]: (counts > 0).sum(axis="columns"),
            CHANNELS_SEEN[number]: grouped["channel"].nunique(),
        }


def _wide(column: pd.Series) -> pd.DataFrame:
    """Turn a column by (lead, kind) into one row per lead and one column per kind."""
    return column.unstack().reindex(columns=range(len(KINDS)))  # noqa: PD010 - pivot_table would group once more


if __name__ == "__main__":
    answer(compute, pd.__version__)
