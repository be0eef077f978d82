"""Baselines: what a sceptic would try first, fitted and judged like the model."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from leadscore.features import asof
from leadscore.features.view import Matrix, View
from leadscore.labels import Flags, Labels
from leadscore.model.base import Floats
from leadscore.timeline import DAY

_RECENT = 30 * DAY
RECENCY = slice(0, 1)
RFM = slice(0, 5)
BASELINES = {"recency": RECENCY, "rfm_logit": RFM}


def rfm_inputs(view: View) -> Matrix:
    """Compute the five log-RFM terms: one row per snapshot.

    log(1 + x) of: days since the last interaction (since creation where there is none), interactions in 30 days,
    interactions so far, sum of values so far (0 without values), days since creation.
    """
    leads, snapshots = view.leads, view.snapshots
    all_alike = np.zeros(len(view.history), dtype=np.int32)
    age = (snapshots.as_of - leads.created_at[snapshots.lead]) / DAY
    last = asof.age_of_last(view.asof, all_alike, 1)[:, 0]
    counts = asof.count(view.asof, all_alike, 1, np.array([_RECENT, asof.ALL], dtype=np.int64))[:, 0, :]
    value = asof.total(view.asof, view.history.value, all_alike, 1, np.array([asof.ALL], dtype=np.int64))[:, 0, 0]
    terms = np.column_stack([np.where(np.isnan(last), age, last), counts, value, age])
    logged: Matrix = np.log1p(np.maximum(terms, 0)).astype(np.float32)
    return logged


def fit_predict(columns: slice, train: Matrix, labels: Labels, test: Matrix) -> Floats:
    """Fit a logistic regression per horizon on matured rows and predict: one row per test row, a column per horizon."""
    chances = [
        _fit_predict_horizon(train[matured][:, columns], hits[matured], test[:, columns])
        for matured, hits in zip(labels.matured.T, labels.by_horizon.T, strict=True)
    ]
    return np.stack(chances, axis=1)


def _fit_predict_horizon(train: Matrix, hits: Flags, test: Matrix) -> Floats:
    if hits.all() or not hits.any():
        return np.full(len(test), (hits.sum() + 0.5) / (len(hits) + 1))
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=500))
    with threadpool_limits(1):
        chances: Floats = fitted.fit(train.astype(np.float64), hits).predict_proba(test.astype(np.float64))[:, 1]
    return chances
