"""Snapshots: which lead is looked at from which moment, and what is visible from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadscore.history import NEVER, History, Leads, Rows
from leadscore.timeline import Moments


@dataclass(frozen=True)
class Snapshots:
    """One row per (lead, as_of), sorted so; `lead` is the row in `Leads`."""

    lead: Rows
    as_of: Moments

    def __len__(self) -> int:
        return len(self.lead)


def at_risk(leads: Leads, moments: Moments, closes_after: int = 0, max_age: int | None = None) -> Snapshots:
    """List the snapshots of leads at risk on a grid of moments.

    A lead is at risk at `as_of` when it was created and known before it, no outcome occurred before it, it has not
    closed by itself (`closes_at + closes_after`), it is not older than `max_age`, and no objection stands. An
    outcome at exactly `as_of` is the future: the lead is still at risk.

    Args:
        leads: The leads, with what is known of their outcomes and objections at the moment of looking.
        moments: Moments to look from, ascending.
        closes_after: Microseconds a lead stays at risk after its `closes_at`.
        max_age: Microseconds after its creation until which a lead is at risk; None for no bound.
    """
    opens = np.maximum(leads.created_at, leads.known_at)
    closes = np.minimum(leads.ended_at, _later(leads.closes_at, closes_after))
    if max_age is not None:
        closes = np.minimum(closes, _later(leads.created_at, max_age))
    first = np.searchsorted(moments, opens, side="right")
    beyond = np.searchsorted(moments, closes, side="right")
    counts = np.where(leads.objected, 0, np.maximum(0, beyond - first))
    lead = np.repeat(np.arange(len(leads)), counts)
    within = np.arange(len(lead)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Snapshots(lead, moments[np.repeat(first, counts) + within])


def as_known(history: History, snapshots: Snapshots) -> tuple[History, Rows]:
    """Give each snapshot a history in which everything that occurred before it was also known before it.

    The operators look at `time` alone. A snapshot with an interaction that had happened but was not yet known
    (`time < as_of <= known_at`) therefore gets a history of its own, without that interaction; all others share
    their lead's. Without late knowledge, nothing is copied.

    Returns:
        The history, its rows cut into *viewers*, and the viewer of each snapshot. Viewers are in the order of the
        snapshots, so (viewer, as_of) is sorted when (lead, as_of) is.
    """
    moments = np.unique(snapshots.as_of)
    between = np.searchsorted(moments, history.known_at, "right") > np.searchsorted(moments, history.time, "right")
    late = np.flatnonzero(between)
    owner = np.searchsorted(history.indptr, late, side="right") - 1
    alone = np.zeros(len(snapshots), dtype=np.bool_)
    for row, lead in zip(late.tolist(), owner.tolist(), strict=True):
        begin, end = np.searchsorted(snapshots.lead, [lead, lead + 1])
        of_lead = snapshots.as_of[begin:end]
        alone[begin:end] |= (history.time[row] < of_lead) & (of_lead <= history.known_at[row])
    return _viewers(history, snapshots, alone)


def _viewers(history: History, snapshots: Snapshots, alone: npt.NDArray[np.bool_]) -> tuple[History, Rows]:
    if not alone.any():
        return history, snapshots.lead
    # A viewer begins with each lead, and anew before and after each snapshot that stands alone.
    changes = np.diff(snapshots.lead, prepend=-1) != 0
    begins = changes | alone | np.roll(alone, 1)
    begins[0] = True
    viewer = np.cumsum(begins) - 1
    heads = np.flatnonzero(begins)
    pieces: list[Rows] = []
    for head in heads.tolist():
        lead = snapshots.lead[head]
        rows = np.arange(history.indptr[lead], history.indptr[lead + 1])
        if alone[head]:
            rows = rows[history.known_at[rows] < snapshots.as_of[head]]
        pieces.append(rows)
    indptr = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
    return history.take(np.concatenate(pieces), indptr), viewer


def _later(moments: Moments, by: int) -> Moments:
    """Add a length of time to moments, NEVER staying NEVER."""
    return np.where(moments > NEVER - by, NEVER, np.minimum(moments, NEVER - by) + by)
