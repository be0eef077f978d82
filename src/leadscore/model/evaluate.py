"""Evaluation: how good a list was, once time has told. Functions from arrays to figures."""

from __future__ import annotations

import numpy as np

from leadscore.features.kernels import call, frozen
from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.model.calibrate import log_losses, logit
from leadscore.model.resample import (
    AHEAD,
    BRIER,
    HITS,
    LOSS,
    MASS,
    PRECISION,
    TIED,
    Drawn,
    Places,
    recalibrate,
    sweep,
    work,
)
from leadscore.timeline import Moments

METRICS = (
    "auc",
    "average_precision",
    "lift_at_1",
    "lift_at_5",
    "lift_at_10",
    "capture_at_10",
    "capture_at_capacity",
    "lift_at_capacity",
    "alift",
    "brier",
    "log_loss",
    "ece",
    "calibration_slope",
    "calibration_intercept",
)
FACTS = ("rows", "conversions", "base_rate")

_TOPS = {"lift_at_1": 0.01, "lift_at_5": 0.05, "lift_at_10": 0.1}
_BINS = np.arange(1, 16) / 15
_NODES = 512


def judge(hits: Flags, p: Floats, as_of: Moments, capacity: int | None) -> dict[str, float]:
    """Measure the chances of one horizon against what came true.

    Args:
        hits: Converted within the horizon: one per matured snapshot.
        p: The chance said before.
        as_of: The slot each belongs to; the top of the list is taken slot by slot.
        capacity: Leads per slot; a tenth of each slot when None.

    Returns:
        FACTS and METRICS, whose formulas `measure` and `measure_ranking` give. METRICS are NaN without both classes.
    """
    once, same = np.ones((1, 1), dtype=np.uint8), np.zeros(len(hits), dtype=np.int32)
    figures = measure(hits, p, as_of, capacity, same, once, nodes=len(hits))
    return {name: float(values[0]) for name, values in figures.items()}


def measure(
    hits: Flags, p: Floats, as_of: Moments, capacity: int | None, who: Places, drawn: Drawn, nodes: int = _NODES
) -> dict[str, Floats]:
    """Measure the chances of one horizon under each draw of leads, as `judge` does a table whose rows are repeated.

    Beside what `measure_ranking` says:

    - capture_at_capacity = hits among the top of each slot / all hits; lift_at_capacity = their rate there / π;
    - calibration_slope = b of logit P(y) = a + b logit p (Cox 1958): 1 when right, below 1 when too extreme;
      NaN where a chance parts hits from misses, or there is but one chance;
    - calibration_intercept = a of logit P(y) = a + logit p: calibration in the large, 0 when right, above 0
      when chances are too low. Both as in Van Calster et al. (2016), A calibration hierarchy for risk models.

    Args:
        hits: As for `judge`, like p, as_of and capacity.
        p: Likewise.
        as_of: Likewise.
        capacity: Likewise.
        who: The column of `drawn` each row belongs to.
        drawn: How often each lead was drawn: one row per draw.
        nodes: Calibration is exact up to so many different chances. With more, each logit is shared between the two
            nearest of so many points at equal distance d (linear binning), which leaves Σ y and Σ y logit p as they are
            and changes Σ p by at most d² / 8 of itself: with 512 points over a range of 12, by less than 1e-4.

    Returns:
        FACTS and METRICS, one value per draw.
    """
    ranking = measure_ranking(hits, p, who, drawn)
    both = np.isfinite(ranking["auc"])
    base, found = (np.where(both, ranking[name], np.nan) for name in ("base_rate", "conversions"))
    worked, met = _at_capacity(hits, p, as_of, capacity, who, drawn)
    slope, intercept = _calibration(hits, p, who, drawn, nodes)
    figures = {
        **ranking,
        "capture_at_capacity": met / found,
        "lift_at_capacity": met / (worked * base),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
    }
    return {name: figures[name] for name in (*FACTS, *METRICS)}


def measure_ranking(hits: Flags, p: Floats, who: Places, drawn: Drawn) -> dict[str, Floats]:
    """Measure what settles itself from order and chances alone, under each draw; arguments as for `measure`.

    With y the hits, π their rate, and G(x) the share of all hits among the readiest share x of the rows (who ties at an
    edge counts by share, so G is a chain of straight lines):

    - auc = P(a hit's p > a miss's p) + P(they tie) / 2;
    - average_precision = mean over hits of the precision down to them, whoever ties with them included;
    - lift_at_5 = G(.05) / .05, and so on; capture_at_10 = G(.1);
    - alift = ∫ G(x) dx = (1 - π) auc + π / 2: .5 for a list in no order, 1 - π / 2 at best. It is the area under the
      cumulative lift curve of Moro, Cortez and Rita (2014), A data-driven approach to predict the success of bank
      telemarketing, over all rows;
    - brier = mean (p - y)²; log_loss = mean of `log_losses`;
    - ece = mean over 15 bins of equal mass, in order of p, of |mean y - mean p|; ties are shared as above.

    Returns:
        FACTS and these metrics, one value per draw.
    """
    assert np.isfinite(p).all(), "a chance is a number"
    order = np.argsort(-p, kind="stable")
    stops = np.unique([*_TOPS.values(), *_BINS])
    sums, (met, said) = np.zeros((len(drawn), 7)), np.zeros((2, len(drawn), len(stops)))
    rows = (who[order], hits[order], p[order], log_losses(hits, p)[order], stops)
    call(sweep, frozen(drawn), *map(frozen, rows), sums, met, said)
    both = (sums[:, HITS] > 0) & (sums[:, HITS] < sums[:, MASS])
    mass, found = (np.where(both, sums[:, name], np.nan) for name in (MASS, HITS))
    auc = (sums[:, AHEAD] + sums[:, TIED] / 2) / ((mass - found) * found)
    gain = {name: met[:, np.searchsorted(stops, top)] / found for name, top in _TOPS.items()}
    missed = (met - said)[:, np.searchsorted(stops, _BINS)]
    return {
        "rows": sums[:, MASS],
        "conversions": sums[:, HITS],
        "base_rate": sums[:, HITS] / np.where(sums[:, MASS] > 0, sums[:, MASS], np.nan),
        "auc": auc,
        "average_precision": sums[:, PRECISION] / found,
        **{name: gain[name] / top for name, top in _TOPS.items()},
        "capture_at_10": gain["lift_at_10"],
        "alift": (1 - found / mass) * auc + found / mass / 2,
        "brier": sums[:, BRIER] / mass,
        "log_loss": sums[:, LOSS] / mass,
        "ece": np.abs(np.diff(missed, axis=1, prepend=0.0)).sum(axis=1) / mass,
    }


def _at_capacity(
    hits: Flags, p: Floats, as_of: Moments, capacity: int | None, who: Places, drawn: Drawn
) -> tuple[Floats, Floats]:
    """Return how many leads would have been worked, and how many conversions met: one value per draw."""
    order = np.lexsort((-p, as_of))
    slots = np.append(np.unique(as_of[order], return_index=True)[1], len(order)).astype(np.int32)
    worked, met = np.zeros((2, len(drawn)))
    rows = (who[order], hits[order], p[order], slots)
    call(work, frozen(drawn), *map(frozen, rows), -1.0 if capacity is None else float(capacity), worked, met)
    return worked, met


def _calibration(hits: Flags, p: Floats, who: Places, drawn: Drawn, nodes: int) -> tuple[Floats, Floats]:
    """Return slope and intercept: one value per draw."""
    margin = logit(p)
    z, place = np.unique(margin, return_inverse=True)
    share = np.zeros(len(margin))
    if len(z) > nodes:
        position = (margin - z[0]) / (z[-1] - z[0]) * (nodes - 1)
        place = np.minimum(position, nodes - 2).astype(np.int64)
        share, z = position - place, np.linspace(z[0], z[-1], nodes)
    slope, intercept = np.zeros((2, len(drawn)))
    # One more node, without mass: the last one has a right neighbour too.
    rows = (who, hits, place.astype(np.int32), share, np.append(z, 0.0))
    call(recalibrate, frozen(drawn), *map(frozen, rows), slope, intercept)
    return slope, intercept
