"""Drift: how far a distribution has moved from its reference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BINS = 10
_FLOOR = 1e-4  # an empty bin counts as one in ten thousand, so that the index stays finite


def stability_index(expected: npt.ArrayLike, actual: npt.ArrayLike) -> float:
    """Population stability index: Σ (a_i − e_i) · ln(a_i / e_i) over the shares of bins; 0 for equal shares.

    By convention below 0.1 is stable, above 0.25 has moved.

    Args:
        expected: Counts or shares per bin of the reference.
        actual: The same bins, as they are now.
    """
    e, a = (np.maximum(_shares(values), _FLOOR) for values in (expected, actual))
    return float(((a - e) * np.log(a / e)).sum())


def score_drift(scores: npt.ArrayLike) -> float:
    """Return how far scores have moved from the reference cohort, whose scores fill 1 to 99 evenly."""
    scores = np.asarray(scores)
    actual, _ = np.histogram(scores, bins=np.linspace(0.5, 99.5, _BINS + 1))
    return stability_index(np.ones(_BINS), actual) if len(scores) else 0.0


def _shares(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    counts = np.asarray(values, dtype=np.float64)
    shares: npt.NDArray[np.float64] = counts / max(counts.sum(), 1.0)
    return shares
