"""Figures a second time, as plainly as they can be said: rows are repeated as often as they were drawn."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from sklearn import metrics

NAN = math.nan


def figures(hits, p, as_of, capacity, times):
    """All of `evaluate.METRICS`, of the table in which each row stands as often as `times` says."""
    hits, p, as_of = (np.repeat(column, times) for column in (hits, p, as_of))
    found = {"rows": len(hits), "conversions": hits.sum(), "base_rate": hits.mean() if len(hits) else NAN}
    if hits.all() or not hits.any():
        return found
    slots = [as_of == moment for moment in np.unique(as_of)]
    tops = [slot.sum() / 10 if capacity is None else min(capacity, slot.sum()) for slot in slots]
    met = sum(captured(hits[slot], p[slot], top) for slot, top in zip(slots, tops, strict=True))
    gain = {share: captured(hits, p, len(hits) * share) / hits.sum() for share in (0.01, 0.05, 0.1)}
    # The curve is a chain of straight lines whose corners lie at whole rows.
    curve = [captured(hits, p, top) / hits.sum() for top in range(len(hits) + 1)]
    clipped = np.clip(p, 1e-6, 1 - 1e-6)
    slope, intercept = calibration(hits, np.log(clipped / (1 - clipped)))
    return found | {
        "auc": metrics.roc_auc_score(hits, p),
        "average_precision": metrics.average_precision_score(hits, p),
        "lift_at_1": gain[0.01] / 0.01,
        "lift_at_5": gain[0.05] / 0.05,
        "lift_at_10": gain[0.1] / 0.1,
        "capture_at_10": gain[0.1],
        "capture_at_capacity": met / hits.sum(),
        "lift_at_capacity": met / sum(tops) / hits.mean(),
        "alift": np.trapezoid(curve, dx=1 / len(hits)),
        "brier": metrics.brier_score_loss(hits, p),
        "log_loss": metrics.log_loss(hits, clipped),
        "ece": ece(hits, p),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
    }


def captured(hits, p, top):
    """How many hits the `top` rows of highest p hold; rows that tie at the edge count by their share."""
    found = 0.0
    for level in sorted(set(p.tolist()), reverse=True):
        tied = p == level
        taken = min(top, tied.sum())
        found += hits[tied].mean() * taken
        top -= taken
    return found


def ece(hits, p):
    """Each row is a stretch of length 1, cut at the edges of fifteen bins; rows that tie have hits in common."""
    order = np.argsort(p)
    size = len(p) / 15
    off = [0.0] * 15
    for place, row in enumerate(order):
        wrong = hits[p == p[row]].mean() - p[row]
        for number in range(15):
            inside = min(place + 1, (number + 1) * size) - max(place, number * size)
            off[number] += max(inside, 0) * wrong
    return sum(abs(part) for part in off) / len(p)


def calibration(hits, margin):
    """Slope and intercept of hits on the logit of p.

    The slope is b where Σ (P - y) = 0 and Σ (P - y) margin = 0 with P = 1 / (1 + exp(-a - b margin)), NaN where hits
    and misses part; the intercept is a where Σ (P - y) = 0 with b = 1.
    """

    def excess(slope, intercept):
        return 0.5 * (1 + np.tanh((intercept + slope * margin) / 2)) - hits

    def best_intercept(slope):
        return root(lambda intercept: excess(slope, intercept).sum(), 1e5)

    of_hits, of_misses = margin[hits], margin[~hits]
    if of_hits.min() >= of_misses.max() or of_hits.max() <= of_misses.min():
        return NAN, best_intercept(1)
    return root(lambda slope: (excess(slope, best_intercept(slope)) * margin).sum(), 1e3), best_intercept(1)


def root(rises, bound):
    """Where a rising function is 0."""
    return brentq(rises, -bound, bound, xtol=1e-11, rtol=1e-13, maxiter=500)
