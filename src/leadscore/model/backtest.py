"""The result of a backtest: each model's figures at each horizon, how sure they are, and where the model is beaten.

Every figure is the mean over origins, every interval the 5th to 95th percentile of that mean over draws of leads, or of
accounts where there are some (see `resample`). All models, origins and horizons share the draws, so differences are
paired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.model.calibrate import Judged, log_losses, shows_both
from leadscore.model.evaluate import METRICS, judge, measure, measure_ranking
from leadscore.model.importance import Late
from leadscore.model.resample import (
    Drawn,
    Places,
    draw_leads,
    draw_means,
    mean_over_known,
    number_leads,
    unit_drawn,
    units,
)
from leadscore.timeline import Moments, local_days, show_moment

MODEL, ORACLE = "model", "oracle"
WANTED = {"auc": 1, "log_loss": -1, "average_precision": 1, "lift_at_10": 1}
"""The metrics that say whether a baseline wins, and which way each should go."""
DRAWS = 200

_PERCENTILES = (5, 95)
_COUNTS = ("rows", "conversions")
_BRIEF = ("auc", "log_loss")
_FEW = 10  # conversions; the figures of fewer say nothing
_VALUES = 50  # of a segment, told one by one
_OTHERS = "(others)"


@dataclass(frozen=True)
class Cohort:
    """One rolling origin, judged: chances said then, and what came true. Rows are snapshots, columns horizons.

    Attributes:
        origin: When the models were trained.
        lead_id: Whose snapshot: one per row; a lead may have several.
        as_of: The moment it was looked at, microseconds in UTC: one per row.
        hits: Converted within the horizon.
        matured: The horizon has closed, so that the hit is final.
        chances: Per model or baseline, what it said.
        segments: Per declared attribute, its value in each row; "" where missing.
        late: What was trained and some of the rows, to look into (see `importance`).
        account_id: The lead's account, None for a lead without one: one per row; empty where no lead has one.
    """

    origin: int
    lead_id: Sequence[str]
    as_of: Moments
    hits: Flags
    matured: Flags
    chances: Mapping[str, Floats]
    segments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    late: Late | None = field(default=None, repr=False, compare=False)
    account_id: Sequence[str | None] = ()

    @property
    def units(self) -> Sequence[str]:
        """Who is drawn with each row (see `resample.units`)."""
        return units(self.lead_id, self.account_id)

    @property
    def judged(self) -> Judged:
        """The model's own chances, as the calibrator wants them."""
        return Judged(self.chances[MODEL], self.hits, self.matured)


@dataclass(frozen=True)
class _Rows:
    """Matured snapshots of one horizon: one row each; `who` is the column of the lead, or account, in the draws."""

    who: Places
    as_of: Moments
    hits: Flags
    chances: Mapping[str, Floats]
    segments: Mapping[str, npt.NDArray[np.str_]]

    def where(self, kept: Flags) -> _Rows:
        """Keep some rows."""
        chances = {name: p[kept] for name, p in self.chances.items()}
        segments = {name: values[kept] for name, values in self.segments.items()}
        return _Rows(self.who[kept], self.as_of[kept], self.hits[kept], chances, segments)


# Per metric, the figure, then its value under each draw.
_Figures = Mapping[str, Floats]


def summarise(
    cohorts: Sequence[Cohort], horizons: Sequence[str], capacity: int | None
) -> dict[str, dict[str, dict[str, float]]]:
    """Average the figures of cohorts: {horizon: {model or baseline: {metric: mean over the cohorts that have it}}}.

    Rows and conversions are added up.
    """
    judged = [judge_cohort(cohort, horizons, capacity) for cohort in cohorts]
    names = {name: None for cohort in cohorts for name in cohort.chances}
    summary: dict[str, dict[str, dict[str, float]]] = {}
    for horizon in horizons:
        summary[horizon] = {}
        for name in names:
            mean = _mean([each[horizon][name] for each in judged if name in each[horizon]])
            summary[horizon][name] = {metric: float(value) for metric, value in mean.items()}
    return summary


def judge_cohort(
    cohort: Cohort, horizons: Sequence[str], capacity: int | None
) -> dict[str, dict[str, dict[str, float]]]:
    """Measure the model and every baseline on one cohort: {horizon: {model or baseline: {metric: figure}}}."""
    nobody = np.zeros(len(cohort.as_of), dtype=np.int32)
    rows = [_matured(cohort, nobody, number) for number in range(len(horizons))]
    return {
        horizon: {name: judge(own.hits, p, own.as_of, capacity) for name, p in own.chances.items()}
        for horizon, own in zip(horizons, rows, strict=True)
    }


def tabulate(
    cohorts: Sequence[Cohort],
    horizons: Sequence[str],
    capacity: int | None,
    seed: int,
    draws: int = DRAWS,
    time_zone: str = "UTC",
) -> dict[str, Any]:
    """Tell all that a backtest found, as JSON can hold it (but for NaN, where a figure is not defined).

    Args:
        cohorts: One per origin, oldest first; at least one.
        horizons: Names of the columns of each cohort.
        capacity: As for `judge`.
        seed: Settles the draws.
        draws: How many.
        time_zone: The zone in which months begin.

    Returns:
        - beaten: where a baseline beats the model beyond the interval of the difference: horizon, metric, by,
          difference (the model's figure minus the baseline's), interval;
        - horizons: {horizon: {model or baseline: {metric: figure, …, "intervals": {metric: [low, high]}}}}; the draws
          of `ece` are moved to have the figure as their mean, and cut off at 0, as each adds noise of its own;
        - origins: the same for each origin alone, with its moment and number of rows;
        - segments: per declared attribute, value and horizon, the model's figures there; counts only, and `judged`
          false, with fewer than ten conversions. Values beyond the 50 with most rows are `(others)`;
        - months: per horizon and month of the snapshots: the mean chance promised, the rate that happened, the rest;
        - violations: rows on which the model's curve falls;
        - leads: how many;
        - drawn: the `unit` that was drawn anew, `leads` or `accounts`, and the `number` of these;
        - draws, level: how often, and how much of the draws an interval holds.
    """
    assert cohorts, "a backtest has an origin"
    number, who = number_leads([cohort.units for cohort in cohorts])
    drawn = _draws(number, draws, seed)
    rows = {
        horizon: [_matured(cohort, own, k) for cohort, own in zip(cohorts, who, strict=True)]
        for k, horizon in enumerate(horizons)
    }
    measured = {horizon: [_measure(own, capacity, drawn) for own in each] for horizon, each in rows.items()}
    return {
        "beaten": [line for horizon, each in measured.items() for line in _beaten(horizon, each)],
        "horizons": {horizon: _summary(each) for horizon, each in measured.items()},
        "origins": [
            {
                "origin": show_moment(cohort.origin),
                "rows": len(cohort.as_of),
                "horizons": {horizon: _summary([each[k]]) for horizon, each in measured.items()},
            }
            for k, cohort in enumerate(cohorts)
        ],
        "segments": [line for horizon, each in rows.items() for line in _segments(horizon, each, drawn)],
        "months": [line for horizon, each in rows.items() for line in _months(horizon, each, drawn, time_zone)],
        "violations": count_violations(cohorts),
        "leads": len({lead for cohort in cohorts for lead in cohort.lead_id}),
        "drawn": {"unit": unit_drawn(cohort.account_id for cohort in cohorts), "number": number},
        "draws": draws,
        "level": (_PERCENTILES[1] - _PERCENTILES[0]) / 100,
    }


def compare(
    cohorts: Sequence[Cohort],
    one: str,
    other: str,
    horizons: Sequence[str],
    capacity: int | None,
    seed: int,
    draws: int = DRAWS,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Compare two sets of chances on the same rows, by their names in `Cohort.chances`.

    Returns:
        Per horizon and metric: `one` and `other` (their figures), `difference` (one minus other, mean over origins),
        its `interval` and `sd` under the same draws, and `noise`: whether the interval holds 0, or is not known.
    """
    number, who = number_leads([cohort.units for cohort in cohorts])
    drawn = _draws(number, draws, seed)
    compared: dict[str, dict[str, dict[str, Any]]] = {}
    for k, horizon in enumerate(horizons):
        rows = [_matured(cohort, own, k, (one, other)) for cohort, own in zip(cohorts, who, strict=True)]
        measured = [_measure(own, capacity, drawn) for own in rows]
        figures, difference = _summary(measured), _difference(measured, one, other)
        compared[horizon] = {
            metric: {
                "one": figures[one][metric],
                "other": figures[other][metric],
                "difference": float(difference[metric][0]),
                "interval": _interval(difference[metric]),
                "sd": _spread(difference[metric]),
                "noise": _sign(difference[metric]) == 0,
            }
            for metric in METRICS
        }
    return compared


def paired_log_loss(
    cohorts: Sequence[Cohort], one: str, other: str, seed: int, draws: int = DRAWS
) -> tuple[float, float]:
    """Compare the log-losses of two sets of chances: mean over horizons of the mean over origins of one minus other.

    An origin after which nobody, or everybody, converted within a horizon is left out there. NaN where nothing is left.

    Returns:
        The difference, and its standard deviation over draws of leads, or accounts.
    """
    if not cohorts:
        return np.nan, np.nan
    number, who = number_leads([cohort.units for cohort in cohorts])
    counts = [cohort.matured & shows_both(cohort) for cohort in cohorts]
    losses = [
        np.where(
            known, log_losses(cohort.hits, cohort.chances[one]) - log_losses(cohort.hits, cohort.chances[other]), 0
        )
        for cohort, known in zip(cohorts, counts, strict=True)
    ]
    means = draw_means(who, losses, [known.astype(np.float64) for known in counts], _draws(number, draws, seed))
    difference = mean_over_known(means.T)
    return float(difference[0]), _spread(difference)


def count_violations(cohorts: Sequence[Cohort]) -> int:
    """Count the rows on which the model's curve falls."""
    return sum(int((np.diff(cohort.chances[MODEL], axis=1) < 0).any(axis=1).sum()) for cohort in cohorts)


# ---- from rows to figures ------------------------------------------------------------------------------------


def _draws(number: int, draws: int, seed: int) -> Drawn:
    """Draw leads, or accounts; the first row is the table as it is, each once."""
    return np.concatenate([np.ones((1, number), dtype=np.uint8), draw_leads(number, draws, seed)])


def _matured(cohort: Cohort, who: Places, horizon: int, names: Sequence[str] | None = None) -> _Rows:
    """Take the rows whose horizon has closed, and all chances or some."""
    kept = cohort.matured[:, horizon]
    chances = {name: cohort.chances[name][:, horizon] for name in names or cohort.chances}
    segments = {name: np.array(values, dtype=np.str_) for name, values in cohort.segments.items()}
    return _Rows(who, cohort.as_of, cohort.hits[:, horizon], chances, segments).where(kept)


def _measure(rows: _Rows, capacity: int | None, drawn: Drawn) -> dict[str, _Figures]:
    """Measure every model of one origin: the exact figures, then those under each draw."""
    figures: dict[str, _Figures] = {}
    for name, p in rows.chances.items():
        exact = judge(rows.hits, p, rows.as_of, capacity)
        under = measure(rows.hits, p, rows.as_of, capacity, rows.who, drawn[1:])
        under["ece"] = _less_own_noise(under["ece"], exact["ece"])
        figures[name] = {metric: np.append(exact[metric], under[metric]) for metric in exact}
    return figures


def _less_own_noise(eces: Floats, figure: float) -> Floats:
    """Move the draws so that their mean is the figure, and none is below 0.

    An ece grows with the noise in it, and a draw adds its own to that of the table: the figure would lie below most of
    its draws, and often below its interval.
    """
    moved: Floats = np.maximum(eces - (mean_over_known(eces) - figure), 0.0)
    return moved


def _mean(figures: Sequence[Mapping[str, Any]]) -> _Figures:
    """Average each figure over those who have it, draw by draw; counts are added up."""
    together = {metric: np.array([each[metric] for each in figures]) for metric in figures[0]}
    return {
        metric: values.sum(axis=0) if metric in _COUNTS else mean_over_known(values)
        for metric, values in together.items()
    }


def _difference(measured: Sequence[Mapping[str, _Figures]], one: str, other: str) -> _Figures:
    """Average one minus other over the origins that have both."""
    pairs = [(each[one], each[other]) for each in measured if one in each and other in each]
    return _mean([{metric: first[metric] - second[metric] for metric in METRICS} for first, second in pairs])


def _summary(measured: Sequence[Mapping[str, _Figures]]) -> dict[str, dict[str, Any]]:
    names = {name: None for each in measured for name in each}
    return {name: _told(_mean([each[name] for each in measured if name in each]), METRICS) for name in names}


def _told(figures: _Figures, with_interval: Sequence[str]) -> dict[str, Any]:
    return {
        **{metric: float(values[0]) for metric, values in figures.items()},
        "intervals": {metric: _interval(figures[metric]) for metric in with_interval},
    }


def _interval(values: Floats) -> list[float]:
    """Return the 5th and the 95th percentile of the draws, or NaN without any."""
    known = values[1:][np.isfinite(values[1:])]
    return [float(bound) for bound in np.percentile(known, _PERCENTILES)] if len(known) else [np.nan, np.nan]


def _spread(values: Floats) -> float:
    known = values[1:][np.isfinite(values[1:])]
    return float(known.std()) if len(known) else np.nan


def _sign(values: Floats) -> int:
    """Return 1 or -1 where the interval lies on one side of 0, else 0."""
    low, high = _interval(values)
    return int(low > 0) - int(high < 0)


# ---- lines ---------------------------------------------------------------------------------------------------


def _beaten(horizon: str, measured: Sequence[Mapping[str, _Figures]]) -> Iterator[dict[str, Any]]:
    baselines = {name: None for each in measured for name in each if name not in {MODEL, ORACLE}}
    for name in baselines:
        difference = _difference(measured, MODEL, name)
        for metric, wanted in WANTED.items():
            if _sign(difference[metric]) == -wanted:
                yield {
                    "horizon": horizon,
                    "metric": metric,
                    "by": name,
                    "difference": float(difference[metric][0]),
                    "interval": _interval(difference[metric]),
                }


def _segments(horizon: str, rows: Sequence[_Rows], drawn: Drawn) -> Iterator[dict[str, Any]]:
    for name in {name: None for own in rows for name in own.segments}:
        for value, parts in _by_value(name, [own for own in rows if name in own.segments]):
            yield {"segment": name, "value": value, "horizon": horizon, **_part(parts, drawn)}


def _by_value(name: str, rows: Sequence[_Rows]) -> Iterator[tuple[str, list[_Rows]]]:
    """Part the rows of each origin by value: the frequent ones first, the rare ones together."""
    values, counts = np.unique(np.concatenate([own.segments[name] for own in rows]), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    for value in values[order[:_VALUES]]:
        yield str(value), [own.where(own.segments[name] == value) for own in rows]
    if len(values) > _VALUES:
        yield _OTHERS, [own.where(np.isin(own.segments[name], values[order[_VALUES:]])) for own in rows]


def _part(parts: Sequence[_Rows], drawn: Drawn) -> dict[str, Any]:
    """Measure the model on some rows of each origin; only count them where too few converted."""
    converted = sum(int(own.hits.sum()) for own in parts)
    if converted < _FEW:
        return {"rows": float(sum(len(own.hits) for own in parts)), "conversions": float(converted), "judged": False}
    figures = _mean([measure_ranking(own.hits, own.chances[MODEL], own.who, drawn) for own in parts])
    return {"judged": True, **_told(figures, _BRIEF)}


def _months(horizon: str, rows: Sequence[_Rows], drawn: Drawn, time_zone: str) -> Iterator[dict[str, Any]]:
    who, as_of, hits = (np.concatenate([getattr(own, name) for own in rows]) for name in ("who", "as_of", "hits"))
    p = np.concatenate([own.chances[MODEL] for own in rows])
    months = local_days(as_of, time_zone).astype("datetime64[D]").astype("datetime64[M]")
    for month in np.unique(months):
        here = months == month
        figures = measure_ranking(hits[here], p[here], who[here], drawn)
        shown = {name: figures[name] for name in (*_COUNTS, *_BRIEF)} | {"happened": figures["base_rate"]}
        promised = float(p[here].mean())
        yield {"month": str(month), "horizon": horizon, "promised": promised, **_told(shown, ("happened", *_BRIEF))}
