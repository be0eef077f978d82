"""Calibration of the shape: none, unless the log-loss of later cohorts falls by more than noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, brentq, minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.timeline import Moments

_TINY = 1e-6  # no open lead is certain
_SURE = 1.6449  # standard deviations by which the loss must fall: one chance in twenty
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

    One row per snapshot: who is drawn with it, its moment, and a column per horizon of hits, of whether they have
    matured, and of chances; `chances["model"]` is what is calibrated.
    """

    @property
    def units(self) -> Sequence[str]:
        """Its lead, or the lead's account (see `resample.units`)."""

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
    """Fit the shape of a calibration on past cohorts, and keep it where it helped on later ones.

    The shape alone: every cohort has a level of its own at every horizon. Regularisation flattens all models of a
    recipe alike, while a level that was off is the world's doing, and put right by training anew on what came since;
    carried forward it would be put wrong. So past cohorts keep their expected number of conversions.

    Each cohort but the first judges what was fitted on those before it. Platt's form is kept where it lowers the
    log-loss of these cohorts, both put at their right level, by more than 1.64 standard deviations (leads or accounts
    drawn anew), and that of the last one as it is, too. The beta form must beat Platt's in the same way. What is kept
    is fitted anew on all cohorts.

    Cohorts lie closer together than the longest horizon. So what is fitted on one may know conversions that fell into
    the next, of leads that are judged there again: at long horizons a later cohort is a witness, but no stranger.

    Args:
        cohorts: Out-of-time predictions, oldest first.

    Returns:
        The calibrator, and for people: `method` (none, platt or beta), the `log_loss` of the last cohort by form, by
        how much each form made the levelled log-loss `fall`, and the `sd` of that.
    """
    told: dict[str, Any] = {"method": "none", "log_loss": {}, "fall": {}, "sd": {}}
    if not any(shows_both(cohort).any() for cohort in cohorts[:-1]) or not shows_both(cohorts[-1]).any():
        return Calibrator(), told
    judges = cohorts[1:]
    levelled: dict[str, list[Floats]] = {}
    for method in ("none", *_FORMS):
        said = [_fit(cohorts[:number], method).apply(cohort.chances[MODEL]) for number, cohort in enumerate(judges, 1)]
        levelled[method] = [_level_losses(p, cohort) for p, cohort in zip(said, judges, strict=True)]
        told["log_loss"][method] = log_loss(judges[-1].hits[judges[-1].matured], said[-1][judges[-1].matured])
        told["fall"][method], told["sd"][method] = _fall(levelled["none"], levelled[method], judges)
        fall, sd = _fall(levelled[told["method"]], levelled[method], judges)
        if fall > _SURE * sd and told["log_loss"][method] < told["log_loss"]["none"]:
            told["method"] = method
    return _fit(cohorts, told["method"]), told


def shows_both(cohort: Past) -> Flags:
    """Tell at which horizons matured snapshots both converted and did not: elsewhere there is no level."""
    hit, not_hit = cohort.hits & cohort.matured, ~cohort.hits & cohort.matured
    return np.asarray(hit.any(axis=0) & not_hit.any(axis=0), dtype=np.bool_)


def _level_losses(p: Floats, cohort: Past) -> Floats:
    """Return the log-losses with as many conversions expected at each horizon as there were; 0 where not judged."""
    losses = np.zeros(p.shape)
    for horizon in np.flatnonzero(shows_both(cohort)):
        rows = cohort.matured[:, horizon]
        margin, hits = logit(p[rows, horizon]), cohort.hits[rows, horizon]
        losses[rows, horizon] = log_losses(hits, expit(margin + _level(margin, float(hits.sum()))))
    return losses


def _level(margin: Floats, expected: float) -> float:
    """Find the shift of the margins at which so many conversions are expected."""
    # Wide enough for chances that hardly differ: the steepest shape of these lies hundreds of units off.
    low, high = min(-60.0, -30.0 - float(margin.max())), max(60.0, 30.0 - float(margin.min()))
    return float(brentq(lambda shift: float(expit(margin + shift).sum()) - expected, low, high))


def _fall(before: Sequence[Floats], after: Sequence[Floats], cohorts: Sequence[Past]) -> tuple[float, float]:
    """Return by how much losses fall, mean over what was judged, and its standard deviation with `units` drawn anew."""
    _, unit = np.unique(np.concatenate([np.array(cohort.units, dtype=str) for cohort in cohorts]), return_inverse=True)
    count = np.bincount(unit, np.concatenate([(cohort.matured & shows_both(cohort)).sum(axis=1) for cohort in cohorts]))
    total = np.bincount(unit, np.concatenate(before).sum(axis=1) - np.concatenate(after).sum(axis=1))
    mean = total.sum() / count.sum()
    return float(mean), float(np.sqrt(((total - mean * count) ** 2).sum()) / count.sum())


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
_FORMS: Mapping[str, Floats] = {"platt": np.array([[1.0], [1.0]]), "beta": np.eye(2)}


def _fit(cohorts: Sequence[Past], method: str) -> Calibrator:
    """Find the shape with the lowest log-loss, and the level that keeps the expected number of conversions.

    Chances stay as they are where there is nothing to learn, or where all would become one.
    """
    groups = [
        (cohort.chances[MODEL][rows, horizon], cohort.hits[rows, horizon])
        for cohort in cohorts
        for horizon in np.flatnonzero(shows_both(cohort))
        for rows in (cohort.matured[:, horizon],)
    ]
    if method == "none" or not groups:
        return Calibrator()
    p = np.clip(np.concatenate([said for said, _ in groups]), _TINY, 1 - _TINY)
    logs = np.column_stack([np.log(p), -np.log1p(-p)])
    a, b = shape = _fit_shape(logs, groups, _FORMS[method])
    return Calibrator(float(a), float(b), _level(logs @ shape, float(p.sum()))) if max(a, b) > 0 else Calibrator()


def _fit_shape(logs: Floats, groups: Sequence[tuple[Floats, Flags]], form: Floats) -> Floats:
    """Fit a and b, with an intercept of its own for each cohort and horizon."""
    group = np.repeat(np.arange(len(groups)), [len(hits) for _, hits in groups])
    hits = np.concatenate([own for _, own in groups]).astype(np.float64)
    free = np.full(len(groups), -np.inf)
    with threadpool_limits(1):  # sums of several threads depend on their number
        found = minimize(
            _loss,
            np.append(np.ones(form.shape[1]), np.zeros(len(groups))),
            args=(logs @ form, group, hits),
            method="L-BFGS-B",
            jac=True,
            bounds=Bounds(np.append(np.zeros(form.shape[1]), free), np.inf),
            options=_EXACTLY,
        )
    shape: Floats = form @ found.x[: form.shape[1]]
    return shape


def _loss(weights: Floats, terms: Floats, group: npt.NDArray[np.int64], hits: Floats) -> tuple[float, Floats]:
    count = terms.shape[1]
    margin = terms @ weights[:count] + weights[count:][group]
    excess = (expit(margin) - hits) / len(hits)
    slopes = np.append(terms.T @ excess, np.bincount(group, excess, len(weights) - count))
    return float((np.logaddexp(0.0, margin) - hits * margin).mean()), slopes
