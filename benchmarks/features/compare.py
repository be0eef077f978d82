"""Are two answers the same?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

RELATIVE, ABSOLUTE = 1e-5, 1e-5
"""Answers are float32, with 6e-8 of rounding; sums may be taken in another order. Counts below 10,000 must be equal."""


def differences(ours: Path, theirs: Path, columns: Iterable[str]) -> dict[str, int]:
    """Count the rows that differ, per column that has any; missing equals missing only.

    Rows are matched by (lead_id, as_of), columns are read one by one.

    Raises:
        AssertionError: the answers are not of the same rows.
    """
    order_ours, keys_ours = _order(ours)
    order_theirs, keys_theirs = _order(theirs)
    assert keys_ours.equals(keys_theirs), f"{ours.name} and {theirs.name} do not answer for the same rows"
    found = {}
    for name in columns:
        wrong = unequal(_column(ours, name)[order_ours], _column(theirs, name)[order_theirs])
        if wrong.any():
            found[name] = int(wrong.sum())
    return found


def unequal(ours: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Mark where two columns differ by more than the tolerance."""
    return ~np.isclose(ours.astype(np.float64), theirs.astype(np.float64), RELATIVE, ABSOLUTE, equal_nan=True)


def _order(answer: Path) -> tuple[npt.NDArray[np.int64], pa.Table]:
    keys = _read(answer, ["lead_id", "as_of"])
    keys = pa.table(
        {"lead_id": keys["lead_id"].cast(pa.string()), "as_of": keys["as_of"].cast(pa.timestamp("us", "UTC"))}
    )
    order = pc.sort_indices(keys, sort_keys=[("lead_id", "ascending"), ("as_of", "ascending")])
    return order.to_numpy(), keys.take(order).combine_chunks()


def _column(answer: Path, name: str) -> npt.NDArray[np.float32]:
    column = _read(answer, [name])[name]
    assert column.type == pa.float32(), f"{answer.name}: found {column.type} in {name}, expected float32"
    values: npt.NDArray[np.float32] = column.fill_null(np.nan).to_numpy()
    return values


def _read(answer: Path, columns: list[str]) -> Any:
    return pa.concat_tables(
        pq.ParquetFile(file).read(columns=columns).unify_dictionaries() for file in sorted(answer.glob("*.parquet"))
    )
