"""Labels: what came of each snapshot, interval by interval, once the interval has closed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadscore.timeline import Moments

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Labels:
    """One row per snapshot, one column per horizon or interval (the k-th interval ends at the k-th horizon).

    Attributes:
        by_horizon: Converted in `[as_of, as_of + h_k)`.
        matured: That window had ended at the moment of looking; elsewhere `by_horizon` means nothing yet.
        in_interval: Converted in `[as_of + h_(k-1), as_of + h_k)`.
        teaches: The interval has ended and the lead had not converted before it: the row has something to say about
            the hazard. A lead lost before the interval stays in: it did not convert.
    """

    by_horizon: Flags
    matured: Flags
    in_interval: Flags
    teaches: Flags

    def take(self, rows: npt.NDArray[np.int64]) -> Labels:
        """Select snapshots."""
        return Labels(self.by_horizon[rows], self.matured[rows], self.in_interval[rows], self.teaches[rows])


def label(as_of: Moments, converted_at: Moments, horizons: Moments, seen_from: int) -> Labels:
    """Label snapshots as they can be labelled at the moment `seen_from`.

    Args:
        as_of: Moment of each snapshot.
        converted_at: When its lead converted (NEVER for those that did not).
        horizons: Lengths in microseconds, ascending.
        seen_from: The moment of looking; a window that ends after it has not matured.
    """
    ends = as_of[:, None] + horizons[None, :]
    starts = np.concatenate([as_of[:, None], ends[:, :-1]], axis=1)
    converted = converted_at[:, None]
    by_horizon = (converted >= as_of[:, None]) & (converted < ends)
    matured = ends <= seen_from
    in_interval = (converted >= starts) & (converted < ends)
    return Labels(by_horizon, matured, in_interval, matured & (converted >= starts))
