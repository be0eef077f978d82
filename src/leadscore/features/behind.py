"""What stands behind the features of one lead: each visible interaction left out in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadscore.features.asof import Asof
from leadscore.features.matrix import build_matrix, compute
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary
from leadscore.history import History, Leads, Rows
from leadscore.snapshots import Snapshots, seen_at

MOST_TRIED = 1000
"""Of a longer history the newest so many interactions are left out in turn; the work grows with their square."""

_MOST_ROWS = 2**20  # interactions copied at a time


@dataclass(frozen=True)
class Behind:
    """One lead at one moment.

    Attributes:
        row: The features; NaN where missing.
        events: Rows in the history of the bucket: what was visible, in the order of time.
        moved: Whether a feature would be another without an event; one row per event, one column per feature. What
            colleagues did is no event of the lead.
        tried: How many events, the newest, were left out in turn; of the others nothing is said.
    """

    row: npt.NDArray[np.float32]
    events: Rows
    moved: npt.NDArray[np.bool_]
    tried: int


def look_behind(
    leads: Leads, history: History, lead: int, as_of: int, vocabulary: Vocabulary, most: int = MOST_TRIED
) -> Behind:
    """Compute the features of one lead at one moment, and which of its interactions they rest on."""
    snapshots = Snapshots(np.array([lead], dtype=np.int64), np.array([as_of], dtype=np.int64))
    values = build_matrix(leads, history, snapshots, vocabulary)[0]
    own = np.arange(*history.indptr[lead : lead + 2], dtype=np.int64)
    events = own[seen_at(history)[own] < as_of]
    moved = np.zeros((len(events), len(values)), dtype=np.bool_)
    tried = min(most, len(events))
    first = len(events) - tried
    at_once = max(1, _MOST_ROWS // max(1, len(events)))
    for begin in range(first, len(events), at_once):
        left_out = np.arange(begin, min(begin + at_once, len(events)))
        without = _without_each(leads, history, events, left_out, snapshots, vocabulary)
        moved[left_out] = (without != values) & ~(np.isnan(without) & np.isnan(values))
    return Behind(values, events, moved, tried)


def _without_each(
    leads: Leads, history: History, events: Rows, left_out: Rows, snapshots: Snapshots, vocabulary: Vocabulary
) -> Matrix:
    """Compute the features once per event left out: a view in which the same lead is looked at so many times."""
    number = len(left_out)
    rows = np.concatenate([np.delete(events, event) for event in left_out])
    indptr = np.arange(number + 1, dtype=np.int64) * (len(events) - 1)
    own = history.take(rows, indptr)
    # As a viewer of its own sees it: what comes after a late interaction is seen with it at the earliest.
    seen = np.maximum.accumulate(seen_at(own).reshape(number, -1), axis=1).ravel()
    many = Snapshots(np.repeat(snapshots.lead, number), np.repeat(snapshots.as_of, number))
    ptr = np.arange(number + 1, dtype=np.int64)
    view = View(leads, history, many, own, Asof(own.time, own.indptr, many.as_of, ptr, seen))
    return compute(view, vocabulary)
