"""Baselines: what a sceptic would try first, fitted and judged like the model.

* `recency` and `rfm_logit`: logistic regressions on the days since the last interaction, and on five log-RFM terms;
* `points`: points per kind that fade, summed up to a score, as the scoring tools of marketing suites have it;
* `logit_all`: a regularised logistic regression on every feature;
* `lightgbm`: a classifier per horizon on every feature, of as many trees of the same size as the model's.

Each horizon is learned apart from the others, so nothing keeps a baseline's chances from falling with the horizon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from leadscore.features import asof
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import OTHER, Vocabulary
from leadscore.labels import Flags, Labels
from leadscore.model.base import Floats, fit_base
from leadscore.timeline import DAY

RECENCY = "recency"
_MONTH = 30 * DAY
_TERMS = 5
_MOST_POINTS = 10  # of the best kind
_LIMIT = 50.0  # points that one kind may add to a score
_PRIOR = 5.0  # conversions; of a kind hardly seen, nobody can say that it converts oftener
_BARELY = 1e-4  # L2 penalty of few columns, which need hardly any
# The L2 penalty of many. At rolling origins of bpic2012, completejourney and a simulation it had the best log-loss of
# 0.001 to 1, or one within 1 % of it, but where a horizon had hardly matured. Choosing on the newest fifth of the past
# won there alone, and cost several times as much.
_PENALTY = 0.01


@dataclass(frozen=True)
class Lesson:
    """What the baselines learn from: one row per snapshot.

    Attributes:
        simple: What `inputs` gives.
        matrix: Every feature; NaN where missing.
        skewed: Features seen through their logarithm.
        labels: What came of each snapshot. A horizon is learned from the rows where it has matured, the shortest from
            one at least; one that has not matured anywhere is as the one before.
        weight: How many snapshots each row stands for.
        parameters, trees: LightGBM's parameters, and how many trees; those of the model.
    """

    simple: Matrix
    matrix: Matrix
    skewed: Flags
    labels: Labels
    weight: Floats
    parameters: Mapping[str, Any]
    trees: int


def inputs(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute what the simple baselines look at: one row per snapshot; never missing.

    Five log-RFM terms, log(1 + x) of: days since the last interaction (since creation where there is none),
    interactions in 30 days, interactions so far, sum of values so far (0 without values), days since creation.

    Then a column per kind of the vocabulary, and one for all others: Σ 2^(-age / 30 days) over the touches of the
    kind. What we push is no touch, whatever its kind.
    """
    kinds = (*vocabulary.kinds, OTHER)
    codes = view.history.kind.recode(vocabulary.kinds, other=len(vocabulary.kinds))
    touched = np.where(view.own, codes, -1).astype(np.int32)
    month = np.array([_MONTH], dtype=np.int64)
    fresh = asof.decayed_sum(view.asof, np.ones(len(touched)), touched, len(kinds), month)[:, :, 0]
    return np.concatenate([_log_rfm(view), fresh], axis=1)


def _log_rfm(view: View) -> Matrix:
    leads, snapshots = view.leads, view.snapshots
    all_alike = np.zeros(len(view.history), dtype=np.int32)
    age = (snapshots.as_of - leads.created_at[snapshots.lead]) / DAY
    last = asof.age_of_last(view.asof, all_alike, 1)[:, 0]
    counts = asof.count(view.asof, all_alike, 1, np.array([_MONTH, asof.ALL], dtype=np.int64))[:, 0, :]
    value = asof.total(view.asof, view.history.value, all_alike, 1, np.array([asof.ALL], dtype=np.int64))[:, 0, 0]
    terms = np.column_stack([np.where(np.isnan(last), age, last), counts, value, age])
    logged: Matrix = np.log1p(np.maximum(terms, 0)).astype(np.float32)
    return logged


def fit_predict_all(
    lesson: Lesson, simple: Matrix, matrix: Matrix, names: Sequence[str] | None = None
) -> dict[str, Floats]:
    """Fit every baseline, or some, and predict.

    Args:
        lesson: What to learn from.
        simple: What `inputs` gives, of the snapshots asked about.
        matrix: Every feature of theirs.
        names: Which; all when not given.

    Returns:
        By name, in the order of NAMES: chances, one row per snapshot asked about, one column per horizon. A horizon
        with too little to learn from has a constant chance: (conversions + 1/2) / (rows + 1), Jeffreys' estimate.
    """
    return {name: _BASELINES[name](lesson, simple, matrix) for name in names or NAMES}


def _recency(lesson: Lesson, simple: Matrix, _: Matrix) -> Floats:
    return _logistic(lesson, lesson.simple[:, :1], simple[:, :1])


def _rfm_logit(lesson: Lesson, simple: Matrix, _: Matrix) -> Floats:
    return _logistic(lesson, lesson.simple[:, :_TERMS], simple[:, :_TERMS])


def _points(lesson: Lesson, simple: Matrix, _: Matrix) -> Floats:
    """Make points from the shortest horizon, of which most is known; one score serves all horizons."""
    taught, hits = lesson.labels.matured[:, 0], lesson.labels.by_horizon[:, 0]
    learned, asked = lesson.simple[:, _TERMS:], simple[:, _TERMS:]
    with threadpool_limits(1):
        points = give_points(learned[taught], hits[taught], lesson.weight[taught])
    return _logistic(lesson, add_points(learned, points), add_points(asked, points), skewed=True, direction=1)


def _logit_all(lesson: Lesson, _: Matrix, matrix: Matrix) -> Floats:
    return _logistic(lesson, lesson.matrix, matrix, skewed=lesson.skewed, penalty=_PENALTY)


def _logistic(
    lesson: Lesson,
    learned: Matrix,
    asked: Matrix,
    *,
    skewed: Flags | bool = False,
    direction: int = 0,
    penalty: float = _BARELY,
) -> Floats:
    """Fit a logistic regression per horizon, as the model's base is fitted, and predict."""
    skews = np.broadcast_to(skewed, learned.shape[1])
    directions = np.full(learned.shape[1], direction, dtype=np.int8)
    hits, matured = lesson.labels.by_horizon, lesson.labels.matured
    with threadpool_limits(1):  # sums of several threads depend on their number
        base = fit_base(learned, hits, matured, skews, directions, penalty, lesson.weight)
    chances: Floats = expit(base.margins(asked))
    return chances


# ---- points ------------------------------------------------------------------------------------------------------


def give_points(fresh: Matrix, hits: Flags, weight: Floats) -> Floats:
    """Give each kind its points, as a marketer does who compares close rates: one whole number per kind.

    lift_k = (Σ w hit + 5) / (rate Σ w + 5), over the snapshots with a fresh touch of kind k (one of the last month, or
    more that are older), rate being that of all snapshots; points_k = 10 (lift_k - 1) / (greatest lift - 1), rounded.
    The best kind has 10, a kind whose touch says nothing or speaks against a conversion has none, nor has a kind that
    was hardly seen: the fives shrink its lift toward 1.

    Args:
        fresh: Touches of each kind, each halved every month: one row per snapshot, one column per kind.
        hits: Converted within the horizon.
        weight: How many snapshots each row stands for.
    """
    touched = fresh > 1 / 2
    rate = (weight @ hits) / max(float(weight.sum()), 1.0)
    found, expected = (weight * hits) @ touched, rate * (weight @ touched)
    better = np.maximum((found + _PRIOR) / (expected + _PRIOR) - 1, 0.0)
    best = float(better.max(initial=0.0))
    points: Floats = np.rint(_MOST_POINTS * better / best) if best > 0 else np.zeros(len(better))
    return points


def add_points(fresh: Matrix, points: Floats) -> Matrix:
    """Sum the points up to a score: one row per snapshot, one column.

    Σ_k min(points_k · fresh_k, 50), as HubSpot's score tool has it: points for each event, a decay that takes half of
    them every month, a limit per group of events. (Its decay takes the half of what an event began with, so nothing is
    left after two months; what halves again and again ranks better, on the logs of `examples`.)
    """
    scores: Matrix = np.minimum(fresh * points, _LIMIT).sum(axis=1, keepdims=True).astype(np.float32)
    return scores


# ---- trees -------------------------------------------------------------------------------------------------------


def _lightgbm(lesson: Lesson, _: Matrix, matrix: Matrix) -> Floats:
    """Fit a classifier per horizon; the values are put into bins once for all of them."""
    labels, parameters = lesson.labels, dict(lesson.parameters)
    weight = None if (lesson.weight == 1.0).all() else lesson.weight
    binned = lgb.Dataset(lesson.matrix, np.zeros(len(lesson.matrix)), weight=weight, params=parameters)
    chances = np.empty((len(matrix), labels.matured.shape[1]))
    for number, matured in enumerate(labels.matured.T):
        rows = np.flatnonzero(matured)
        hits = labels.by_horizon[rows, number]
        if not len(rows):
            chances[:, number] = chances[:, number - 1]
        elif hits.all() or not hits.any() or not matrix.size:
            chances[:, number] = ((lesson.weight[rows] * hits).sum() + 0.5) / (lesson.weight[rows].sum() + 1)
        else:
            taught = binned.construct().subset(rows.tolist()).construct().set_label(hits.astype(np.float64))
            chances[:, number] = lgb.train(parameters, taught, num_boost_round=lesson.trees).predict(matrix)
    return chances


_BASELINES: Mapping[str, Callable[[Lesson, Matrix, Matrix], Floats]] = {
    RECENCY: _recency,
    "rfm_logit": _rfm_logit,
    "points": _points,
    "logit_all": _logit_all,
    "lightgbm": _lightgbm,
}
NAMES = tuple(_BASELINES)
