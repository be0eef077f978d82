"""Featuretools: cut-off times, one matrix per training window and one without; the features are named, not searched."""

from __future__ import annotations

from typing import Any

import featuretools as ft
import numpy as np
import pandas as pd
import pyarrow.dataset  # noqa: F401 - pandas imports it at first use, and imports are not timed
from featuretools.primitives import AggregationPrimitive, Count, NumUnique, Sum, TimeSinceLast
from woodwork.column_schema import ColumnSchema
from woodwork.logical_types import Datetime, Double

from features.question import (
    CHANNELS_SEEN,
    CODEC,
    COLUMNS,
    COUNTS,
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


class Temperature(AggregationPrimitive):
    """Σ 2^(-age / half-life)."""

    name = "temperature"
    input_types = (ColumnSchema(logical_type=Datetime, semantic_tags={"time_index"}),)
    return_type = ColumnSchema(logical_type=Double, semantic_tags={"numeric"})
    uses_calc_time = True
    default_value = 0.0

    def __init__(self, days: int = 14) -> None:
        self.days = days

    def get_function(self) -> Any:
        """Return what Featuretools calls per lead."""

        def warmth(times: pd.Series, time: pd.Timestamp) -> float:
            return float(np.exp2(-((time - times) / pd.Timedelta(days=self.days))).sum())

        return warmth


def compute(task: Task) -> None:
    """Answer the task."""
    world, leads = _world(task)
    moments = pd.to_datetime(pd.Series(task.as_of), unit="us")
    cutoffs = pd.MultiIndex.from_product([moments, leads], names=["time", "lead_id"]).to_frame(index=False)
    cutoffs = cutoffs[["lead_id", "time"]]
    parts = [_matrix(world, cutoffs, _so_far(world), None)]
    parts += [_matrix(world, cutoffs, _within(world, window), f"{window} days") for window in WINDOWS]
    filled = dict.fromkeys(KINDS_SEEN + CHANNELS_SEEN, 0)  # NumUnique of nothing is missing
    frame = pd.concat(parts, axis="columns").fillna(filled).reset_index().rename(columns={"time": "as_of"})
    frame["as_of"] = frame["as_of"].dt.tz_localize("UTC").astype("datetime64[us, UTC]")
    frame["lead_id"] = frame["lead_id"].astype("object")
    frame = frame.astype(dict.fromkeys(COLUMNS, "float32"))
    frame[["lead_id", "as_of", *COLUMNS]].to_parquet(task.target(), compression=CODEC, index=False)


def _world(task: Task) -> tuple[ft.EntitySet, pd.Series]:
    leads = pd.read_parquet(task.leads, columns=["lead_id"])
    events = pd.read_parquet(
        task.files(), columns=["lead_id", "occurred_at", "kind", "channel", "value"], partitioning=None
    )
    events["occurred_at"] = events["occurred_at"].dt.tz_localize(None)
    events = events.reset_index(names="event")
    types = {"lead_id": "Categorical", "kind": "Categorical", "channel": "Categorical"}
    world = ft.EntitySet("world")
    world.add_dataframe(leads, "leads", index="lead_id", logical_types={"lead_id": "Categorical"})
    world.add_dataframe(events, "events", index="event", time_index="occurred_at", logical_types=types)
    world.add_relationship("leads", "lead_id", "events", "lead_id")
    return world, leads["lead_id"]


def _matrix(world: ft.EntitySet, cutoffs: pd.DataFrame, features: list[Any], window: str | None) -> pd.DataFrame:
    # An event at the cut-off is the future, and one at the beginning of the window is in it.
    return ft.calculate_feature_matrix(
        features, world, cutoff_time=cutoffs, training_window=window, include_cutoff_time=False,
        cutoff_time_in_index=True, n_jobs=1,
    )  # fmt: skip


def _so_far(world: ft.EntitySet) -> list[Any]:
    when, kind = ft.Feature(world["events"].ww["occurred_at"]), ft.Feature(world["events"].ww["kind"])
    ages = [
        ft.Feature(when, parent_dataframe_name="leads", where=kind == word, primitive=TimeSinceLast(unit="days"))
        for word in KINDS
    ]
    warmths = [ft.Feature(when, parent_dataframe_name="leads", primitive=Temperature(days)) for days in HALF_LIVES]
    return [feature.rename(name) for feature, name in zip(ages + warmths, RECENCIES + TEMPERATURES, strict=True)]


def _within(world: ft.EntitySet, window: int) -> list[Any]:
    columns = world["events"].ww
    event, kind, channel, value = (ft.Feature(columns[name]) for name in ("event", "kind", "channel", "value"))
    number = WINDOWS.index(window)
    counts = [ft.Feature(event, parent_dataframe_name="leads", where=kind == word, primitive=Count) for word in KINDS]
    others = [
        ft.Feature(column, parent_dataframe_name="leads", primitive=primitive)
        for column, primitive in ((value, Sum), (kind, NumUnique), (channel, NumUnique))
    ]
    names = [COUNTS[code * len(WINDOWS) + number] for code in range(len(KINDS))]
    names += [TOTALS[number], KINDS_SEEN[number], CHANNELS_SEEN[number]]
    return [feature.rename(name) for feature, name in zip(counts + others, names, strict=True)]


if __name__ == "__main__":
    answer(compute, ft.__version__)
