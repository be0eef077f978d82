"""Snapshots: which lead is looked at from which moment, and what is visible from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadscore.history import NEVER, History, Leads, Rows, later
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
    outcome at exactly `as_of` is the future: the lead is still at risk. Guests never are.

    Args:
        leads: The leads, with what is known of their outcomes and objections at the moment of looking.
        moments: Moments to look from, ascending.
        closes_after: Microseconds a lead stays at risk after its `closes_at`.
        max_age: Microseconds after its creation until which a lead is at risk; None for no bound.
    """
    opens = np.maximum(leads.created_at, leads.known_at)
    closes = np.minimum(leads.ended_at, later(leads.closes_at, closes_after))
    if max_age is not None:
        closes = np.minimum(closes, later(leads.created_at, max_age))
    first = np.searchsorted(moments, opens, side="right")
    beyond = np.searchsorted(moments, closes, side="right")
    counts = np.where(leads.heard, np.maximum(0, beyond - first), 0)
    lead = np.repeat(np.arange(len(leads)), counts)
    within = np.arange(len(lead)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Snapshots(lead, moments[np.repeat(first, counts) + within])


@dataclass(frozen=True)
class Viewers:
    """How the snapshots of a bucket share histories; a *viewer* is a history that some of them look at.

    A snapshot sees what was known before it. Within a viewer that is always a beginning of the history in the order of
    time, so that operators need no more than the moment `seen` after which each interaction is visible.

    Attributes:
        of: The viewer of each snapshot; (viewer, as_of) is sorted when (lead, as_of) is.
        lead: The lead of each viewer.
        before: What a viewer shows was known before this moment.
    """

    of: Rows
    lead: Rows
    before: Moments

    def part(self, first: int, last: int) -> Viewers:
        """Select the viewers from `first` until before `last`, with their snapshots."""
        rows = slice(*np.searchsorted(self.of, [first, last]))
        return Viewers(self.of[rows] - first, self.lead[first:last], self.before[first:last])


def seen_at(history: History) -> Moments:
    """Return the moment after which each interaction is visible: it had happened and was known."""
    return np.maximum(history.time, history.known_at)


def plan_viewers(history: History, snapshots: Snapshots) -> Viewers | None:
    """Plan as few viewers as there can be; None when each lead's history serves all its snapshots as it is.

    A lead whose interactions became known in the order they happened, however late, has one viewer. Another gets a new
    one with each snapshot that learns of something older than what the snapshot before it had seen.
    """
    seen = seen_at(history)
    lead = np.repeat(np.arange(history.n_leads), np.diff(history.indptr))
    falls = (seen[1:] < seen[:-1]) & (lead[1:] == lead[:-1])
    if not falls.any():
        return None
    troubled = np.zeros(history.n_leads, dtype=np.bool_)
    troubled[lead[1:][falls]] = True
    begins = np.diff(snapshots.lead, prepend=-1) != 0
    late = troubled[snapshots.lead]
    rows = np.flatnonzero(troubled[lead])
    begins[late] |= _learns_of_older(lead[rows], seen[rows], snapshots.lead[late], snapshots.as_of[late])
    of = np.cumsum(begins) - 1
    owner = snapshots.lead[begins]
    last = np.append(np.flatnonzero(begins), len(snapshots))[1:] - 1
    return Viewers(of, owner, np.where(troubled[owner], snapshots.as_of[last], NEVER))


def _learns_of_older(lead: Rows, seen: Moments, asking: Rows, as_of: Moments) -> npt.NDArray[np.bool_]:
    """Tell which snapshots see an older interaction than one that the snapshot before them had seen already.

    Interactions are sorted by (lead, time), snapshots by (lead, as_of).
    """
    moments = np.unique(np.concatenate([seen, as_of]))
    keys = lead * len(moments) + np.searchsorted(moments, seen)
    order = np.argsort(keys, kind="stable")  # as they became visible, lead by lead
    visible = np.searchsorted(keys[order], asking * len(moments) + np.searchsorted(moments, as_of))
    before = np.append(0, visible)[: len(visible)]
    # Places rise from lead to lead, so the running maximum never carries over from an earlier lead.
    newest = np.maximum.accumulate(order)
    oldest_new = np.minimum.reduceat(np.append(order, len(order)), np.column_stack([before, visible]).ravel())[::2]
    same_lead = np.append(False, asking[1:] == asking[:-1])
    seen_before = before > np.searchsorted(lead, asking)
    older: npt.NDArray[np.bool_] = oldest_new < newest[np.maximum(before, 1) - 1]
    return same_lead & seen_before & (before < visible) & older


def cut_history(history: History, viewers: Viewers) -> tuple[History, Moments]:
    """Copy the history of each viewer; return them one after the other, and from when each interaction is visible."""
    counts = np.diff(history.indptr)[viewers.lead]
    viewer = np.repeat(np.arange(len(counts)), counts)
    rows = np.arange(len(viewer)) + np.repeat(history.indptr[viewers.lead] - np.cumsum(counts) + counts, counts)
    seen = seen_at(history)[rows]
    keep = seen < viewers.before[viewer]
    rows, viewer, seen = rows[keep], viewer[keep], seen[keep]
    indptr = np.searchsorted(viewer, np.arange(len(counts) + 1)).astype(np.int64)
    # What comes after a late interaction is seen with it at the earliest; so it is in every snapshot of the viewer.
    moments, place = np.unique(seen, return_inverse=True)
    running = np.maximum.accumulate(viewer * len(moments) + place) - viewer * len(moments)
    return history.take(rows, indptr), moments[running]
