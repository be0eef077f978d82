"""What a family may look at: leads, snapshots and the interactions visible from each of them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadscore.features.asof import Asof
from leadscore.features.vocabulary import OTHER, Vocabulary
from leadscore.history import OUTBOUND, Codes, History, Leads, Rows
from leadscore.snapshots import Snapshots, cut_history, plan_viewers, seen_at
from leadscore.timeline import local_days

Matrix = npt.NDArray[np.float32]


MOST_ROWS = 2**22
"""Interactions copied at a time where late knowledge needs histories of its own; bounds memory, changes no result."""


@dataclass(frozen=True)
class View:
    """Some leads of a bucket, as their snapshots see them.

    Attributes:
        leads: The leads of the bucket.
        bucket: All interactions of the bucket, for families that look beyond the lead itself.
        snapshots: One row per (lead, as_of), sorted so.
        history: Interactions cut into viewers (see `snapshots.Viewers`).
        asof: The same, as the operators want it.
    """

    leads: Leads
    bucket: History
    snapshots: Snapshots
    history: History
    asof: Asof

    def counted(self, vocabulary: Vocabulary) -> npt.NDArray[np.bool_]:
        """Tell which interactions count as touches: with the family `power` on, what we push counts there alone."""
        if "power" in vocabulary.families:
            return self.own
        return np.ones(len(self.history), dtype=np.bool_)

    @property
    def own(self) -> npt.NDArray[np.bool_]:
        """The lead's own touches: everything but what we did."""
        own: npt.NDArray[np.bool_] = self.history.direction != OUTBOUND
        return own

    def kinds(self, vocabulary: Vocabulary) -> tuple[Codes, tuple[str, ...]]:
        """Return the kind of each touch that counts as a code (-1: none), and what the codes mean.

        Unknown kinds are `other`.
        """
        words = (*vocabulary.kinds, OTHER)
        codes = self.history.kind.recode(vocabulary.kinds, other=len(vocabulary.kinds))
        return np.where(self.counted(vocabulary), codes, -1).astype(np.int32), words

    def days(self, vocabulary: Vocabulary) -> Codes:
        """Return the local day of each touch of the lead's own; within a lead it never falls.

        Where clocks go back past midnight (St. John's, until 2011), the repeated minutes count for the new day. What we
        pushed has the day of the touch before it, lest a push in those minutes move the day of a touch.
        """
        day = local_days(self.history.time, vocabulary.time_zone).astype(np.int64)
        day[~self.own] = -(2**31)
        lead = np.repeat(np.arange(self.history.n_leads), np.diff(self.history.indptr))
        newest = np.maximum.accumulate((lead << 32) + day + 2**31)  # leads one after the other: each begins anew
        return (newest % 2**32 - 2**31).astype(np.int32)


def looks(leads: Leads, history: History, snapshots: Snapshots, most_rows: int = MOST_ROWS) -> Iterator[View]:
    """Prepare what the families see: one view, or several where much would have to be copied.

    Then a lead may have snapshots in more than one view.
    """
    viewers = plan_viewers(history, snapshots)
    if viewers is None:
        ptr = np.searchsorted(snapshots.lead, np.arange(history.n_leads + 1)).astype(np.int64)
        sees = Asof(history.time, history.indptr, snapshots.as_of, ptr, seen_at(history))
        yield View(leads, history, snapshots, history, sees)
        return
    for first, last in _parts(np.diff(history.indptr)[viewers.lead], most_rows):
        part = viewers.part(first, last)
        rows = slice(*np.searchsorted(viewers.of, [first, last]))
        asked = Snapshots(snapshots.lead[rows], snapshots.as_of[rows])
        own, seen = cut_history(history, part)
        ptr = np.searchsorted(part.of, np.arange(own.n_leads + 1)).astype(np.int64)
        yield View(leads, history, asked, own, Asof(own.time, own.indptr, asked.as_of, ptr, seen))


def _parts(sizes: Rows, most_rows: int) -> Iterator[tuple[int, int]]:
    """Divide viewers into runs; each copies no more than `most_rows`, unless a single viewer does."""
    rows = np.append(0, np.cumsum(sizes))
    first, beyond = 0, len(sizes)
    while True:
        last = max(first + 1, int(np.searchsorted(rows, rows[first] + most_rows, side="right")) - 1)
        yield first, min(last, beyond)
        if last >= beyond:
            return
        first = last
