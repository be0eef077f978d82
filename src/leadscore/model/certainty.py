"""How sure a chance is: bounds that a tenth of a list keeps to in nine lists of ten, and what training never saw.

The promise of the bounds: of as many leads given this chance in one list as a tenth of a list holds, the share that
converts lies between `p_lo` and `p_hi` in nine lists of ten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, expit, stdtrit

from leadscore.features.view import Matrix
from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.model.calibrate import MODEL, Calibrator, Past, logit

_PARTS = 10
_TAIL = 0.05
_Z = 1.6449  # the normal quantile of 1 - _TAIL
_USUAL = 0.2  # what tenths are off by before anything was measured: about what the examples show
_LEAST = 0.05  # no model is exact, however well a few lists went
_WIDEST = 2.0  # times the usual: how far members may widen, or narrow, what was measured on many leads at once
_OUTER = 0.005  # share of the trained values beyond each bound of the support
_SAMPLE = 10_000


@dataclass(frozen=True)
class Bounds:
    """How far chances are off, on the logit scale, measured on tenths of past lists.

    Attributes:
        leads: How many leads a tenth of the newest judged lists held; NaN when nothing could be judged.
        off: Standard deviation of what tenths were off by, beyond what drawing so few leads explains.
        cohorts: How many cohorts' worth of evidence that rests on.
        margins, spreads: How far the members usually disagree at a chance: knots on the logit scale, ascending, and the
            root mean square of `Bundle.spread` there.
    """

    leads: float = np.nan
    off: float = np.nan
    cohorts: float = 0.0
    margins: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()

    def around(self, chance: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Return `p_lo` and `p_hi`; NaN when nothing could be judged.

        The quantiles 0.05 and 0.95 of a beta distribution with mean p and variance (p(1 - p))² (1/V + s²), where
        V = leads · p(1 - p) and s is `off`, wider where the members disagree more than they usually do at this chance.
        That s was measured on few cohorts widens the bounds, too: by t/z, with Satterthwaite's degrees of freedom
        cohorts · (1 + 1/(V s²))². Less than half a lead is none, and half a lead from all is all. The chance itself,
        apart from who happens to be in the tenth, stays within the bounds by s alone.
        """
        p = np.clip(chance, 1e-6, 1 - 1e-6)
        margin, sway = logit(p), p * (1 - p)
        s = self.off * self.surprise(p, spread)
        total = 1 / (self.leads * sway) + s**2
        stretch = stdtrit(np.minimum(self.cohorts * (total / s**2) ** 2, 1e9), 1 - _TAIL) / _Z
        size = np.maximum(1 / (sway * total * stretch**2) - 1, 1e-3)
        lo, hi = (betaincinv(p * size, (1 - p) * size, tail) for tail in (_TAIL, 1 - _TAIL))
        lo = np.where(lo * self.leads < 0.5, 0.0, lo)  # noqa: PLR2004 - half a lead
        hi = np.where((1 - hi) * self.leads < 0.5, 1.0, hi)  # noqa: PLR2004
        own = stretch * _Z * s
        return np.minimum(lo, expit(margin - own)), np.maximum(hi, expit(margin + own))

    def surprise(self, chance: Floats, spread: Floats) -> Floats:
        """Return how far the members disagree, as a multiple of what is usual at this chance; from 1/2 to 2."""
        if not any(self.spreads):
            return np.ones(len(chance))
        usual = np.interp(logit(chance), self.margins, self.spreads)
        return np.clip(spread / usual, 1 / _WIDEST, _WIDEST)


@dataclass(frozen=True)
class Support:
    """What training saw of each feature.

    Attributes:
        low, high: Its percentiles 0.5 and 99.5; infinite where it was always missing.
        whole: It was never missing.
        rare, far: Shares of features outside these bounds that one trained snapshot of a hundred exceeds, and one of a
            thousand.
    """

    low: Floats
    high: Floats
    whole: Flags
    rare: float
    far: float

    def outside(self, matrix: Matrix) -> Floats:
        """Return the share of features that lie outside what training saw: one value per snapshot."""
        share: Floats = ((matrix < self.low) | (matrix > self.high) | (np.isnan(matrix) & self.whole)).mean(axis=1)
        return share


@dataclass(frozen=True)
class Usual:
    """What is usual among the leads training saw: of a flag the share that has it, else the median.

    NaN where most lack it; empty where nobody measured.

    Attributes:
        features: One value per feature.
        facts: One value per plain fact (see `features.plain`).
    """

    features: Floats
    facts: Floats

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; NaN is null there."""
        return {name: [_or_none(value) for value in values.tolist()] for name, values in vars(self).items()}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Usual:
        """Rebuild it from its JSON."""
        return cls(
            **{name: np.array([_number(value, np.nan) for value in saved[name]]) for name in ("features", "facts")}
        )


def measure_usual(matrix: Matrix, flags: Flags) -> Floats:
    """Measure what is usual in a sample, column by column; `flags` says which columns are flags."""
    if not len(matrix):
        return np.full(matrix.shape[1], np.nan)
    missing = np.isnan(matrix)
    median = np.median(np.where(missing, np.inf, matrix), axis=0)  # whatever is not there lies behind all there is
    usual = np.where(np.isfinite(median), median, np.nan)
    return np.where(flags, np.where(missing, 0, matrix).mean(axis=0), usual).astype(np.float64)


@dataclass(frozen=True)
class Certainty:
    """What is frozen with a model so that a lead's bounds and what is known of it depend on nobody else."""

    bounds: Bounds
    support: Support

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; what is infinite or NaN is null there."""
        support = {name: value.tolist() for name, value in vars(self.support).items() if isinstance(value, np.ndarray)}
        return {"bounds": asdict(self.bounds), "support": {**vars(self.support), **support}}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Certainty:
        """Rebuild it from its JSON."""
        bounds, support = saved["bounds"], saved["support"]
        return cls(
            Bounds(
                leads=_number(bounds["leads"], np.nan),
                off=_number(bounds["off"], np.nan),
                cohorts=bounds["cohorts"],
                margins=tuple(bounds["margins"]),
                spreads=tuple(bounds["spreads"]),
            ),
            Support(
                low=np.array([_number(value, -np.inf) for value in support["low"]], dtype=np.float64),
                high=np.array([_number(value, np.inf) for value in support["high"]], dtype=np.float64),
                whole=np.array(support["whole"], dtype=np.bool_),
                rare=support["rare"],
                far=support["far"],
            ),
        )


def _number(value: float | None, missing: float) -> float:
    return missing if value is None else value


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


NOTHING_MEASURED = Certainty(Bounds(), Support(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.bool_), 0.0, 0.0))
"""Of a draft: it makes chances, and no bounds."""
NOTHING_USUAL = Usual(np.zeros(0), np.zeros(0))
"""Of a draft: it gives no reasons."""


def sample_rows(number: int) -> npt.NDArray[np.int64]:
    """Pick rows evenly over the past, ten thousand at most: enough for what is usual."""
    rows: npt.NDArray[np.int64] = np.linspace(0, number - 1, min(number, _SAMPLE)).astype(np.int64)
    return rows


def measure_bounds(
    cohorts: Sequence[Past], calibrator: Calibrator, horizon: int, chance: Floats, spread: Floats
) -> Bounds:
    """Measure how far past lists were off, tenth by tenth, and how far the members usually disagree.

    For a tenth in which the chances' binomial variance V = Σ p(1 - p) and M = Σ (hit - p), (M/V)² has the mean
    s² + 1/V: each list says s² without bias, whatever its leads have in common with those of the list before. Tenths
    count by 1 / (1/V + s₀²)², and no cohort for more than one that is free of noise; s₀ = 0.2 counts as one such.

    Args:
        cohorts: What came true, and what models that had not seen it said.
        calibrator: Applied to what they said.
        horizon: The ranking horizon.
        chance: Calibrated chances of a sample of snapshots.
        spread: The members' disagreement on them.
    """
    judged = [list(_judged_lists(cohort, calibrator, horizon)) for cohort in cohorts]
    judged = [lists for lists in judged if lists]
    margins, spreads = _usual_spreads(chance, spread)
    if not judged:
        return Bounds(margins=margins, spreads=spreads)
    most = _USUAL**-4
    found, weight = np.array([_weigh(lists) for lists in judged]).T
    weight = np.minimum(weight, most)
    off = (weight @ found + most * _USUAL**2) / (weight.sum() + most)
    return Bounds(
        leads=float(np.mean([len(p) for p, _ in judged[-1]])) / _PARTS,
        off=float(max(np.sqrt(max(off, 0.0)), _LEAST)),
        cohorts=float(weight.sum() / most + 1),
        margins=margins,
        spreads=spreads,
    )


def _judged_lists(cohort: Past, calibrator: Calibrator, horizon: int) -> Iterator[tuple[Floats, Flags]]:
    """Give the chances and hits of each moment of a cohort that had ten leads or more."""
    matured = cohort.matured[:, horizon]
    chance = calibrator.apply(cohort.chances[MODEL][:, horizon])
    for moment in np.unique(cohort.as_of[matured]):
        rows = matured & (cohort.as_of == moment)
        if rows.sum() >= _PARTS:
            yield chance[rows], cohort.hits[rows, horizon]


def _weigh(lists: Sequence[tuple[Floats, Flags]]) -> tuple[float, float]:
    """Return what the lists of a cohort say of s², and how much one of them weighs."""
    said = np.zeros(2)
    for p, hits in lists:
        tenths = np.array_split(np.argsort(p, kind="stable"), _PARTS)
        v = np.array([(p[rows] * (1 - p[rows])).sum() for rows in tenths])
        missed = np.array([(hits[rows] - p[rows]).sum() for rows in tenths])
        weight = (1 / v + _USUAL**2) ** -2
        said += (weight * ((missed / v) ** 2 - 1 / v)).sum(), weight.sum()
    return float(said[0] / said[1]), float(said[1] / len(lists))


def _usual_spreads(chance: Floats, spread: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    tenths = [rows for rows in np.array_split(np.argsort(chance, kind="stable"), _PARTS) if len(rows)]
    margins = logit(np.array([chance[rows].mean() for rows in tenths]))
    spreads = np.sqrt([(spread[rows] ** 2).mean() for rows in tenths])
    return tuple(margins.tolist()), tuple(spreads.tolist())


def measure_support(matrix: Matrix) -> Support:
    """Measure what a sample of the training matrix shows of each feature."""
    missing: Flags = np.isnan(matrix)
    last = len(matrix) - 1 - missing.sum(axis=0)  # NaN is sorted behind all numbers
    ranked, column = np.sort(matrix, axis=0).astype(np.float64), np.arange(matrix.shape[1])
    low = np.where(last < 0, -np.inf, ranked[np.floor(_OUTER * last).astype(np.int64), column])
    high = np.where(last < 0, np.inf, ranked[np.ceil((1 - _OUTER) * last).astype(np.int64), column])
    whole: Flags = np.logical_not(missing.any(axis=0))
    seen = Support(low, high, whole, 0.0, 0.0)
    rare, far = np.percentile(seen.outside(matrix), [99.0, 99.9])
    return replace(seen, rare=float(rare), far=float(far))
