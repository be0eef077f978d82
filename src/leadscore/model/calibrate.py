"""Calibration: none, unless a later cohort's log-loss falls by more than noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.timeline import Moments

_TINY = 1e-6  # no open lead is certain
_SURE = 2  # standard deviations by which the loss must fall
MODEL = "model"  # whose chances are calibrated
_EXACTLY = {"ftol": 1e-13, "gtol": 1e-9}


@dataclass(frozen=True)
class Calibrator:
    """Beta calibration: logit p' = a log p − b log(1 − p) + c, with a, b ≥ 0 and not both 0.

    Platt's scaling of the logits is the case a = b; 1, 1, 0 leaves chances as they are. One increasing function for all
    horizons keeps every ranking and the order of the horizons.

    Source: Kull, Silva Filho & Flach 2017, Beyond sigmoids.
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def apply(self, readiness: Floats) -> Floats:
        """Return calibrated chances, clipped to [1e-6, 1 - 1e-6]; the shape stays."""
        clipped = np.clip(readiness, _TINY, 1 - _TINY)
        if self == Calibrator():
            return clipped
        margin = self.a * np.log(clipped) - self.b * np.log1p(-clipped) + self.c
        calibrated: Floats = np.clip(expit(margin), _TINY, 1 - _TINY)
        return calibrated

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


class Past(Protocol):
    """What came true of a cohort, and what was said of it before by models that had not seen it.

    One row per snapshot: its lead, its moment, and a column per horizon of hits, of whether they have matured, and of
    chances; `chances["model"]` is what is calibrated.
    """

    @property
    def lead_id(self) -> Sequence[str]:
        """Whose snapshot it is."""

    @property
    def as_of(self) -> Moments:
        """When it was looked at."""

    @property
    def hits(self) -> Flags:
        """Converted by the horizon."""

    @property
    def matured(self) -> Flags:
        """The horizon has closed."""

    @property
    def chances(self) -> Mapping[str, Floats]:
        """What each model said."""


def choose_calibrator(cohorts: Sequence[Past]) -> tuple[Calibrator, dict[str, Any]]:
    """Fit Platt's and the beta form on all cohorts but the last; keep one, refitted on all, where it helps the last.

    It helps where the log-loss of the last cohort falls by more than two standard deviations (leads drawn anew): what
    was off only for a while is put right by training anew, and a calibrator would then put it wrong. The beta form must
    beat Platt's in the same way.

    Args:
        cohorts: Out-of-time predictions, oldest first.

    Returns:
        The calibrator, and for people: `method` (none, platt or beta), and of each tried one the `log_loss` of the last
        cohort and the `sd` of its difference from that without.
    """
    nothing: dict[str, Any] = {"method": "none", "log_loss": {}, "sd": {}}
    if len(cohorts) < 2:  # noqa: PLR2004 - one to fit on, one to judge by
        return Calibrator(), nothing
    last = cohorts[-1]
    tried = {"none": Calibrator(), **{method: _fit(cohorts[:-1], method) for method in _FORMS}}
    told = {method: calibrator for method, calibrator in tried.items() if calibrator is not None}
    if len(told) == 1 or not _both(last.hits[last.matured]):
        return Calibrator(), nothing
    losses = {
        method: log_losses(last.hits, calibrator.apply(last.chances[MODEL])) for method, calibrator in told.items()
    }
    method = "none"
    for other in _FORMS:
        if other in losses:
            fall, sd = _fall(losses[method] - losses[other], last)
            method = other if fall > _SURE * sd else method
    facts = {
        "method": method,
        "log_loss": {name: float(loss[last.matured].mean()) for name, loss in losses.items()},
        "sd": {name: _fall(losses["none"] - loss, last)[1] for name, loss in losses.items() if name != "none"},
    }
    return (_fit(cohorts, method) if method != "none" else None) or Calibrator(), facts


def _fall(difference: Floats, cohort: Past) -> tuple[float, float]:
    """Return the mean over matured rows and horizons, and its standard deviation with leads as what is drawn."""
    _, lead = np.unique(np.array(cohort.lead_id, dtype=str), return_inverse=True)
    count = np.bincount(lead, cohort.matured.sum(axis=1))
    total = np.bincount(lead, np.where(cohort.matured, difference, 0.0).sum(axis=1))
    mean = total.sum() / count.sum()
    return float(mean), float(np.sqrt(((total - mean * count) ** 2).sum()) / count.sum())


def _both(hits: Flags) -> bool:
    return bool(hits.any() and not hits.all())


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


# From log p and -log(1 - p) to the terms that are weighted: the columns of each form.
_FORMS: Mapping[str, npt.NDArray[np.float64]] = {
    "platt": np.array([[1.0], [1.0]]),
    "beta": np.eye(2),
}


def _fit(cohorts: Sequence[Past], method: str) -> Calibrator | None:
    """Find the weights with the lowest log-loss; None where there is nothing to learn, or rankings would be lost."""
    p = np.concatenate([cohort.chances[MODEL][cohort.matured] for cohort in cohorts])
    hits = np.concatenate([cohort.hits[cohort.matured] for cohort in cohorts])
    if not _both(hits):
        return None
    weigh = _FORMS[method]
    clipped, count = np.clip(p, _TINY, 1 - _TINY), weigh.shape[1]
    terms = np.column_stack([np.log(clipped), -np.log1p(-clipped)]) @ weigh
    terms = np.column_stack([terms, np.ones(len(p))])
    with threadpool_limits(1):  # sums of several threads depend on their number
        found = minimize(
            _loss,
            np.append(np.ones(count), 0.0),
            args=(terms, hits.astype(np.float64)),
            method="L-BFGS-B",
            jac=True,
            bounds=Bounds(np.append(np.zeros(count), -np.inf), np.inf),
            options=_EXACTLY,
        )
    a, b = weigh @ found.x[:-1]
    return Calibrator(float(a), float(b), float(found.x[-1])) if max(a, b) > 0 else None


def _loss(weights: Floats, terms: Floats, hits: Floats) -> tuple[float, Floats]:
    margin = terms @ weights
    excess = (expit(margin) - hits) / len(hits)
    return float((np.logaddexp(0.0, margin) - hits * margin).mean()), terms.T @ excess
