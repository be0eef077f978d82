"""The smooth base: a regularised logistic regression per interval, on scaled features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from leadscore.features.view import Matrix
from leadscore.labels import Flags

Floats = npt.NDArray[np.float64]
Directions = npt.NDArray[np.int8]

_BOUND = 6.0  # standard deviations; what lies further out says no more than that it is far out
_FEW = 5  # conversions or non-conversions; with fewer an interval gets a constant hazard


@dataclass(frozen=True)
class Base:
    """Scaling and coefficients; margins are linear in the scaled features.

    z = (s(x) - mean) / sd, clipped, 0 where x is missing, with s(x) = sign(x) log(1 + |x|) for skewed features;
    then one flag per feature that was ever missing in training; margin_k = intercept_k + coef_k · z.

    Attributes:
        skewed, mean, sd: One value per feature; sd is infinite for a feature that never varied.
        flagged: Features with a flag for missing.
        intercept: One value per interval.
        coef: One row per interval; columns are the features, then the flags.
    """

    skewed: Flags
    mean: Floats
    sd: Floats
    flagged: npt.NDArray[np.int64]
    intercept: Floats
    coef: Floats

    def scale(self, matrix: Matrix) -> Floats:
        """Return z and the flags: one row per snapshot."""
        missing = np.isnan(matrix)
        x = _unskew(matrix, self.skewed)
        z = np.clip((x - self.mean) / self.sd, -_BOUND, _BOUND)
        z[missing] = 0.0
        # In C order, so that a row is summed the same way whatever the caller's layout and number of rows.
        return np.ascontiguousarray(np.concatenate([z, missing[:, self.flagged]], axis=1))

    def margins(self, matrix: Matrix) -> Floats:
        """Return the margin of each interval: one row per snapshot, one column per interval."""
        z = self.scale(matrix)
        # A sum over the contiguous axis gives a row the same bits alone and among thousands; a matrix product does not.
        return np.stack([c + (z * coef).sum(axis=1) for c, coef in zip(self.intercept, self.coef, strict=True)], axis=1)

    def contributions(self, matrix: Matrix) -> npt.NDArray[np.float64]:
        """Return what each feature adds to each margin, its flag included: (snapshots, intervals, features + 1).

        The last column is the intercept; features are centred, so it is the margin of the average lead.
        """
        z = self.scale(matrix)
        width = len(self.mean)
        parts = np.zeros((len(matrix), len(self.intercept), width + 1))
        parts[:, :, :width] = z[:, None, :width] * self.coef[None, :, :width]
        parts[:, :, self.flagged] += z[:, None, width:] * self.coef[None, :, width:]
        parts[:, :, width] = self.intercept
        return parts

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; an infinite sd is written as null."""
        sd = [value if np.isfinite(value) else None for value in self.sd.tolist()]
        lists = {name: getattr(self, name).tolist() for name in ("skewed", "mean", "flagged", "intercept", "coef")}
        return {**lists, "sd": sd}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Base:
        """Rebuild a base from its JSON."""
        width = len(saved["mean"]) + len(saved["flagged"])
        return cls(
            skewed=np.array(saved["skewed"], dtype=np.bool_),
            mean=np.array(saved["mean"], dtype=np.float64),
            sd=np.array([np.inf if value is None else value for value in saved["sd"]], dtype=np.float64),
            flagged=np.array(saved["flagged"], dtype=np.int64),
            intercept=np.array(saved["intercept"], dtype=np.float64),
            coef=np.array(saved["coef"], dtype=np.float64).reshape(-1, width),
        )


def fit_base(
    matrix: Matrix, outcomes: Flags, teaches: Flags, skewed: Flags, directions: Directions, strength: float
) -> Base:
    """Fit the base on the rows that teach, interval by interval.

    Args:
        matrix: One row per snapshot.
        outcomes: Converted in the interval: one column per interval.
        teaches: Whether the row has something to say about the interval.
        skewed: Features seen through their logarithm.
        directions: Sign a feature's coefficient may have: 1, -1, or 0 for either. Scaling rises with the value, so
            the margin goes this way with the value, too. A feature with a direction is never missing.
        strength: Inverse strength of the L2 penalty (scikit-learn's C).
    """
    assert not np.isnan(matrix[:, directions != 0]).any(), "a feature with a direction is never missing"
    scaling = _scaling(matrix[teaches.any(axis=1)], skewed)
    z = scaling.scale(matrix)
    signs = np.concatenate([directions, np.zeros(len(scaling.flagged), dtype=np.int8)])
    intercepts, coefs = [], []
    for rows, hits in zip(teaches.T, outcomes.T, strict=True):
        intercept, coef = _fit_interval(z[rows], hits[rows], signs, strength)
        intercepts.append(intercept)
        coefs.append(coef)
    return Base(scaling.skewed, scaling.mean, scaling.sd, scaling.flagged, np.array(intercepts), np.stack(coefs))


def _scaling(matrix: Matrix, skewed: Flags) -> Base:
    x = _unskew(matrix, skewed)
    missing = np.isnan(x)
    known = np.maximum((~missing).sum(axis=0), 1)
    mean = np.where(missing, 0.0, x).sum(axis=0) / known
    sd = np.sqrt(np.where(missing, 0.0, (x - mean) ** 2).sum(axis=0) / known)
    sd[sd < 1e-9] = np.inf  # noqa: PLR2004 - below float32's own noise a feature does not vary
    share = missing.mean(axis=0) if len(matrix) else np.zeros(x.shape[1])
    flagged = np.flatnonzero((share > 0) & (share < 1))
    return Base(skewed, mean, sd, flagged, np.zeros(0), np.zeros((0, x.shape[1] + len(flagged))))


def _fit_interval(z: Floats, hits: Flags, signs: Directions, strength: float) -> tuple[float, Floats]:
    positives = int(hits.sum())
    if min(positives, len(hits) - positives) < _FEW:
        rate = (positives + 0.5) / (len(hits) + 1)  # Jeffreys' estimate
        return float(np.log(rate / (1 - rate))), np.zeros(z.shape[1])
    # One thread, because sums of several threads depend on their number.
    with threadpool_limits(1):
        found = minimize(
            _loss,
            np.zeros(z.shape[1] + 1),
            args=(z, hits.astype(np.float64), 1 / (strength * len(z))),
            method="L-BFGS-B",
            jac=True,
            bounds=Bounds(
                np.append(np.where(signs > 0, 0.0, -np.inf), -np.inf),
                np.append(np.where(signs < 0, 0.0, np.inf), np.inf),
            ),
            options={"maxiter": 1000, "gtol": 1e-6, "ftol": 64 * np.finfo(np.float64).eps, "maxls": 50},
        )
    return float(found.x[-1]), found.x[:-1]


def _loss(weights: Floats, z: Floats, hits: Floats, penalty: float) -> tuple[float, Floats]:
    """Return the mean of log(1 + e^m) - y m, plus half the penalty x |coef|², and its gradient.

    That is scikit-learn's objective, which cannot bound a coefficient; the intercept, last of the weights, is free.
    """
    coef = weights[:-1]
    margin = z @ coef + weights[-1]
    loss = (np.logaddexp(0.0, margin) - hits * margin).mean() + penalty / 2 * (coef @ coef)
    excess = (expit(margin) - hits) / len(z)
    return float(loss), np.append(z.T @ excess + penalty * coef, excess.sum())


def _unskew(matrix: Matrix, skewed: Flags) -> Floats:
    x = matrix.astype(np.float64)
    return np.where(skewed, np.sign(x) * np.log1p(np.abs(x)), x)
