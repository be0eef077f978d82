"""The smooth base: a regularised logistic regression per output, on scaled features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
_BLOCK = 2**16  # rows scaled at a time
_FEW = 5  # conversions or non-conversions; with fewer an output is a constant


@dataclass(frozen=True)
class Base:
    """Scaling and coefficients; margins are linear in the scaled features.

    z = (s(x) - mean) / sd, clipped, 0 where x is missing, with s(x) = sign(x) log(1 + |x|) for skewed features;
    then one flag per feature that was ever missing in training; margin_k = intercept_k + coef_k · z.

    Attributes:
        skewed, mean, sd: One value per feature; sd is infinite for a feature that never varied.
        flagged: Features with a flag for missing.
        intercept: One value per output.
        coef: One row per output; columns are the features, then the flags.
    """

    skewed: Flags
    mean: Floats
    sd: Floats
    flagged: npt.NDArray[np.int64]
    intercept: Floats
    coef: Floats

    def scale(self, matrix: Matrix) -> Floats:
        """Return z and the flags: one row per snapshot."""
        width = len(self.mean)
        # In C order, so that a row is summed the same way whatever the caller's layout and number of rows.
        scaled = np.empty((len(matrix), width + len(self.flagged)))
        for first in range(0, len(matrix), _BLOCK):  # a block at a time: the steps between would fill any memory
            block, into = matrix[first : first + _BLOCK], scaled[first : first + _BLOCK]
            with np.errstate(invalid="ignore"):  # the infinite of a feature that never varied says nothing, either
                z = np.clip((_unskew(block, self.skewed) - self.mean) / self.sd, -_BOUND, _BOUND)
            z[np.isnan(z)] = 0.0
            into[:, :width] = z
            into[:, width:] = np.isnan(block[:, self.flagged])
        return scaled

    def margins(self, matrix: Matrix) -> Floats:
        """Return the margin of each output: one row per snapshot, one column per output."""
        margins = np.empty((len(matrix), len(self.intercept)))
        for first in range(0, len(matrix), _BLOCK):
            z = self.scale(matrix[first : first + _BLOCK])
            # A sum over the contiguous axis gives a row the same bits alone and among thousands; a product does not.
            for number, (c, coef) in enumerate(zip(self.intercept, self.coef, strict=True)):
                margins[first : first + _BLOCK, number] = c + (z * coef).sum(axis=1)
        return margins

    def contributions(self, matrix: Matrix, output: int) -> Floats:
        """Return what each feature adds to the margin of an output, its flag included: (snapshots, features + 1).

        The last column is the intercept; features are centred, so it is the margin of the average lead.
        """
        return self.split(self.scale(matrix), output)

    def split(self, z: Floats, output: int) -> Floats:
        """Do as `contributions`, of what `scale` gave."""
        width = len(self.mean)
        parts = np.empty((len(z), width + 1))
        np.multiply(z[:, :width], self.coef[output, :width], out=parts[:, :width])
        parts[:, self.flagged] += z[:, width:] * self.coef[output, width:]
        parts[:, width] = self.intercept[output]
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
    matrix: Matrix,
    outcomes: Flags,
    teaches: Flags,
    skewed: Flags,
    directions: Directions,
    penalty: float | Sequence[float],
    weight: Floats | None = None,
    scaled_by: Floats | None = None,
) -> Base:
    """Fit the base on the rows that teach, output by output.

    Args:
        matrix: One row per snapshot.
        outcomes: Converted in the interval, or by the horizon: one column per output.
        teaches: Whether the row has something to say about the output; an output no row teaches is as the one before.
        skewed: Features seen through their logarithm.
        directions: Sign a feature's coefficient may have: 1, -1, or 0 for either. Scaling rises with the value, so
            the margin goes this way with the value, too. A feature with a direction is never missing.
        penalty: L2 penalty λ on the mean loss (see `_loss`), one for all outputs or one for each.
        weight: How many rows each row stands for; one when not given.
        scaled_by: The same for the scaling alone; `weight` when not given.
    """
    assert not np.isnan(matrix[:, directions != 0]).any(), "a feature with a direction is never missing"
    weight = np.ones(len(matrix)) if weight is None else weight
    taught = teaches.any(axis=1)
    # One thread, here and below, because sums of several threads depend on their number.
    with threadpool_limits(1):
        scaling = _scaling(matrix, np.where(taught, weight if scaled_by is None else scaled_by, 0.0), skewed)
    z = scaling.scale(matrix)
    signs = np.concatenate([directions, np.zeros(len(scaling.flagged), dtype=np.int8)])
    fitted: list[tuple[float, Floats]] = []
    each = np.broadcast_to(np.asarray(penalty, dtype=np.float64), teaches.shape[1]).tolist()
    for rows, hits, own in zip(teaches.T, outcomes.T, each, strict=True):
        # Where nothing has closed yet, trees send the number of the output with the one before; so does the base.
        counted = np.where(rows, weight, 0.0)
        fitted.append(_fit_output(z, hits, counted, signs, own) if counted.any() else fitted[-1])
    intercept, coef = (np.array(part) for part in zip(*fitted, strict=True))
    return replace(scaling, intercept=intercept, coef=coef)


def _scaling(matrix: Matrix, weight: Floats, skewed: Flags) -> Base:
    """Settle mean, standard deviation and flags on the rows that teach, weighted; block by block."""
    width = matrix.shape[1]
    known, total, there = np.zeros(width), np.zeros(width), 0.0
    for x, missing, w in _blocks(matrix, weight, skewed):
        known += w @ ~missing
        total += w @ np.where(missing, 0.0, x)
        there += float(w.sum())
    mean = total / np.where(known > 0, known, 1.0)
    assert np.isfinite(mean).all(), "a feature is a number or missing, never infinite"
    squares = np.zeros(width)
    for x, missing, w in _blocks(matrix, weight, skewed):
        squares += w @ np.where(missing, 0.0, (x - mean) ** 2)
    sd = np.sqrt(squares / np.where(known > 0, known, 1.0))
    sd[sd < 1e-9] = np.inf  # noqa: PLR2004 - below float32's own noise a feature does not vary
    flagged = np.flatnonzero((known > 0) & (known < there * (1 - 1e-12)))
    return Base(skewed, mean, sd, flagged, np.zeros(0), np.zeros((0, width + len(flagged))))


def _blocks(matrix: Matrix, weight: Floats, skewed: Flags) -> Iterator[tuple[Floats, Flags, Floats]]:
    for first in range(0, len(matrix), _BLOCK):
        block = slice(first, first + _BLOCK)
        taught = weight[block] > 0
        x = _unskew(matrix[block][taught], skewed)
        yield x, np.isnan(x), weight[block][taught]


def _fit_output(z: Floats, hits: Flags, weight: Floats, signs: Directions, penalty: float) -> tuple[float, Floats]:
    taught = weight > 0
    positives = int((hits & taught).sum())
    if min(positives, int(taught.sum()) - positives) < _FEW:
        rate = (weight @ hits + 0.5) / (weight.sum() + 1)  # Jeffreys' estimate
        return float(np.log(rate / (1 - rate))), np.zeros(z.shape[1])
    with threadpool_limits(1):
        found = minimize(
            _loss,
            np.zeros(z.shape[1] + 1),
            args=(z, hits.astype(np.float64), weight / weight.sum(), penalty),
            method="L-BFGS-B",
            jac=True,
            bounds=Bounds(
                np.append(np.where(signs > 0, 0.0, -np.inf), -np.inf),
                np.append(np.where(signs < 0, 0.0, np.inf), np.inf),
            ),
            options={"maxiter": 1000, "gtol": 1e-6, "ftol": 64 * np.finfo(np.float64).eps, "maxls": 50},
        )
    return float(found.x[-1]), found.x[:-1]


def _loss(weights: Floats, z: Floats, hits: Floats, share: Floats, penalty: float) -> tuple[float, Floats]:
    """Return the mean of log(1 + e^m) - y m, plus half the penalty x |coef|², and its gradient.

    `share` is what each row counts of the mean. That is scikit-learn's objective with C = 1 / (penalty x rows), which
    cannot bound a coefficient; the intercept, last of the weights, is free.
    """
    coef = weights[:-1]
    margin = z @ coef + weights[-1]
    loss = share @ (np.logaddexp(0.0, margin) - hits * margin) + penalty / 2 * (coef @ coef)
    excess = share * (expit(margin) - hits)
    return float(loss), np.append(z.T @ excess + penalty * coef, excess.sum())


def _unskew(matrix: Matrix, skewed: Flags) -> Floats:
    x = matrix.astype(np.float64)
    return np.where(skewed, np.sign(x) * np.log1p(np.abs(x)), x)
