"""What a family may look at: leads, snapshots and the interactions visible from each of them, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadscore.features.asof import Asof
from leadscore.features.vocabulary import OTHER, Vocabulary
from leadscore.history import Codes, History, Leads
from leadscore.snapshots import Snapshots, as_known
from leadscore.timeline import local_days

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """One bucket, as its snapshots see it.

    Attributes:
        leads: The leads of the bucket.
        snapshots: One row per (lead, as_of), sorted so.
        history: Interactions cut into viewers (see `snapshots.as_known`), so that time alone decides what is seen.
        asof: The same, as the operators want it.
    """

    leads: Leads
    snapshots: Snapshots
    history: History
    asof: Asof

    def kinds(self, vocabulary: Vocabulary) -> tuple[Codes, tuple[str, ...]]:
        """Return the kind of each interaction as a code, and what the codes mean; unknown kinds are `other`."""
        words = (*vocabulary.kinds, OTHER)
        return self.history.kind.recode(vocabulary.kinds, other=len(vocabulary.kinds)), words

    def days(self, vocabulary: Vocabulary) -> Codes:
        """Return the local day of each interaction; within a lead it never falls.

        Where clocks go back past midnight (St. John's, until 2011), the repeated minutes count for the new day.
        """
        day = local_days(self.history.time, vocabulary.time_zone).astype(np.int64)
        lead = np.repeat(np.arange(self.history.n_leads), np.diff(self.history.indptr))
        newest = np.maximum.accumulate((lead << 32) + day + 2**31)  # leads one after the other: each begins anew
        return (newest % 2**32 - 2**31).astype(np.int32)


def look(leads: Leads, history: History, snapshots: Snapshots) -> View:
    """Prepare what the families see."""
    seen, viewer = as_known(history, snapshots)
    ptr = np.searchsorted(viewer, np.arange(seen.n_leads + 1)).astype(np.int64)
    return View(leads, snapshots, seen, Asof(seen.time, seen.indptr, snapshots.as_of, ptr))
