"""Calibration: none, unless a later cohort's log-loss falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from leadscore.labels import Flags
from leadscore.model.base import Floats

_TINY = 1e-6  # no open lead is certain


@dataclass(frozen=True)
class Calibrator:
    """Platt scaling on logits: logit p' = intercept + slope · logit p, with slope > 0.

    One increasing function for all horizons keeps every ranking and the order of the horizons.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, readiness: Floats) -> Floats:
        """Return calibrated chances, clipped to [1e-6, 1 - 1e-6]; the shape stays."""
        clipped = np.clip(readiness, _TINY, 1 - _TINY)
        if (self.slope, self.intercept) == (1.0, 0.0):
            return clipped
        margin = self.intercept + self.slope * logit(clipped)
        return np.clip(1 / (1 + np.exp(-margin)), _TINY, 1 - _TINY)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class Judged:
    """Out-of-time predictions of one cohort and what came true: one row per snapshot, one column per horizon."""

    readiness: Floats
    hits: Flags
    matured: Flags

    def flat(self) -> tuple[Floats, Flags]:
        """Return the matured predictions of all horizons in one row."""
        return self.readiness[self.matured], self.hits[self.matured]


def choose_calibrator(cohorts: Sequence[Judged]) -> tuple[Calibrator, dict[str, float]]:
    """Fit Platt scaling on all cohorts but the last; keep it, refitted on all, where it helps the last one.

    Args:
        cohorts: Out-of-time predictions, oldest first, each by a model that had not seen the cohort.

    Returns:
        The calibrator (none when it does not lower the last cohort's log-loss, or when there is nothing to judge by)
        and the log-loss of the last cohort without and with it.
    """
    if len(cohorts) < 2:  # noqa: PLR2004 - one to fit on, one to judge by
        return Calibrator(), {}
    trial = _fit(cohorts[:-1])
    p, hits = cohorts[-1].flat()
    if trial is None or hits.all() or not hits.any():
        return Calibrator(), {}
    losses = {"log_loss_plain": log_loss(hits, p), "log_loss_calibrated": log_loss(hits, trial.apply(p))}
    if losses["log_loss_calibrated"] >= losses["log_loss_plain"]:
        return Calibrator(), losses
    return _fit(cohorts) or Calibrator(), losses


def log_loss(hits: Flags, p: Floats) -> float:
    """Return the mean of `log_losses`."""
    return float(log_losses(hits, p).mean())


def log_losses(hits: Flags, p: Floats) -> Floats:
    """Return -log p for what came true and -log(1 - p) for what did not, p clipped to [1e-6, 1 - 1e-6]."""
    clipped = np.clip(p, _TINY, 1 - _TINY)
    losses: Floats = -np.where(hits, np.log(clipped), np.log1p(-clipped))
    return losses


def logit(p: Floats) -> Floats:
    """Return log p - log(1 - p), p clipped to [1e-6, 1 - 1e-6]."""
    clipped = np.clip(p, _TINY, 1 - _TINY)
    margin: Floats = np.log(clipped) - np.log1p(-clipped)
    return margin


def _fit(cohorts: Sequence[Judged]) -> Calibrator | None:
    p = np.concatenate([cohort.flat()[0] for cohort in cohorts])
    hits = np.concatenate([cohort.flat()[1] for cohort in cohorts])
    if hits.all() or not hits.any():
        return None
    margin = logit(p).reshape(-1, 1)
    with threadpool_limits(1):
        fitted = LogisticRegression(C=np.inf, max_iter=200).fit(margin, hits)
    slope = float(fitted.coef_[0, 0])
    return Calibrator(slope, float(fitted.intercept_[0])) if slope > 0 else None
