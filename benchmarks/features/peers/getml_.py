"""getML FastProp (community edition): one pipeline per window, and one without for recencies.

FastProp cannot be told which features to make: it makes every combination of aggregation, column and condition. Ours
are among them, but for the temperatures, which it has no aggregation for; its rate counts all it made. The engine is a
process of its own on this machine; it is started before the clock, and its memory is not in the peak.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import getml
import numpy as np
import pandas as pd
import pyarrow.dataset  # noqa: F401 - pandas imports it at first use, and imports are not timed
from getml.data import DataModel
from getml.data import time as length
from getml.feature_learning import FastProp, aggregations, loss_functions
from getml.pipeline import Pipeline

from features.question import (
    CHANNELS_SEEN,
    CODEC,
    COUNTS,
    DAY,
    KINDS,
    KINDS_SEEN,
    RECENCIES,
    TOTALS,
    WINDOWS,
    Task,
    answer,
)

_NOW = length.microseconds(1)
_SAID = re.compile(r"SELECT (.*) AS")


def compute(task: Task) -> dict[str, object]:
    """Answer the task; tell which columns were given and how many features were made."""
    rows, events = _tables(task)
    frame = rows[["lead_id", "as_of"]].copy()
    made = 0
    for window in (None, *WINDOWS):
        names, matrix = _features(rows, events, window)
        made += len(names)
        for name, column in _wanted(window):
            frame[name] = matrix[:, names.index(column)].astype(np.float32)
    for name in RECENCIES:  # a minimum over nothing is 0 here, and an age is more
        frame[name] = frame[name].where(frame[name] > 0) / (DAY // 1_000_000)
    frame["as_of"] = frame["as_of"].dt.tz_localize("UTC").astype("datetime64[us, UTC]")
    frame.to_parquet(task.target(), compression=CODEC, index=False)
    return {"columns": [name for name in frame if name not in ("lead_id", "as_of")], "features_made": made}


def _tables(task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    leads = pd.read_parquet(task.leads, columns=["lead_id"])["lead_id"]
    names = ["lead_id", "occurred_at", "kind", "channel", "value"]
    events = pd.read_parquet(task.files(), columns=names, partitioning=None)
    events["occurred_at"] = events["occurred_at"].dt.tz_localize(None)
    moments = pd.to_datetime(pd.Series(task.as_of), unit="us")
    rows = pd.MultiIndex.from_product([leads, moments], names=["lead_id", "as_of"]).to_frame(index=False)
    return rows.assign(target=0.0), events


def _features(rows: pd.DataFrame, events: pd.DataFrame, window: int | None) -> tuple[list[str], Any]:
    """Return what each feature is, in getML's words, and the features: one row per row of `rows`."""
    population = getml.data.DataFrame.from_pandas(
        rows, f"rows_{window}", {"join_key": ["lead_id"], "time_stamp": ["as_of"], "target": ["target"]}
    )
    roles = {"join_key": ["lead_id"], "time_stamp": ["occurred_at"], "numerical": ["value"]}
    peripheral = getml.data.DataFrame.from_pandas(
        events, f"events_{window}", {**roles, "categorical": ["kind", "channel"]}
    )
    model = DataModel(population.to_placeholder("rows"))
    model.add(peripheral.to_placeholder("events"))
    # The horizon makes an event at as_of the future; the memory then has to reach as much further back.
    memory = {} if window is None else {"memory": length.days(window) + _NOW}
    model.rows.join(model.events, on="lead_id", time_stamps=("as_of", "occurred_at"), horizon=_NOW, **memory)
    asked = [aggregations.MIN] if window is None else [aggregations.SUM, aggregations.COUNT_DISTINCT]
    learner = FastProp(
        aggregation=asked, n_most_frequent=len(KINDS), num_features=100_000, min_df=1,
        loss_function=loss_functions.SquareLoss, num_threads=2,
    )  # fmt: skip
    pipeline = Pipeline(data_model=model, feature_learners=[learner])
    pipeline.fit(population, {"events": peripheral}, check=False)
    return [_said(feature.sql) for feature in pipeline.features], pipeline.transform(population, {"events": peripheral})


def _said(sql: object) -> str:
    found = _SAID.search(str(sql))
    assert found, "a feature is a SELECT"
    condition = re.findall(r"AND (t2\.\"(?:kind|channel)\" = .*)", str(sql))
    return " | ".join([found[1], *condition])


def _wanted(window: int | None) -> Iterator[tuple[str, str]]:
    """Pair our columns with what getML calls them."""
    if window is None:
        for kind, name in zip(KINDS, RECENCIES, strict=True):
            yield name, f"""MIN( t1."as_of" - t2."occurred_at" ) | t2."kind" = '{kind}'"""
        return
    number = WINDOWS.index(window)
    for code, kind in enumerate(KINDS):
        yield COUNTS[code * len(WINDOWS) + number], f"""SUM( CASE WHEN t2."kind" = '{kind}' THEN 1 ELSE 0 END )"""
    yield TOTALS[number], 'SUM( t2."value" )'
    yield KINDS_SEEN[number], 'COUNT( DISTINCT t2."kind" )'
    yield CHANNELS_SEEN[number], 'COUNT( DISTINCT t2."channel" )'


def main() -> None:
    """Start the engine, answer, and stop it."""
    # Beside the task: the engine still writes a moment after it was told to stop, and the world goes later.
    home = Path(sys.argv[1]).with_name("getml")
    shutil.rmtree(home, ignore_errors=True)
    getml.engine.launch(
        home_directory=str(home), project_directory=home / "projects", launch_browser=False,
        allow_push_notifications=False, quiet=True,
    )  # fmt: skip
    try:
        getml.engine.set_project("bench")
        answer(compute, getml.__version__)
    finally:
        getml.engine.shutdown()


if __name__ == "__main__":
    main()
