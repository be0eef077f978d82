"""From buckets to a bundle: learn as of a moment, judge at rolling origins, calibrate, and say how good it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from leadscore.config import Config
from leadscore.errors import DataError
from leadscore.features import infusion
from leadscore.features.matrix import settle, take_census
from leadscore.features.vocabulary import Vocabulary, sum_censuses
from leadscore.history import NEVER
from leadscore.labels import Flags
from leadscore.model.base import Base, Floats
from leadscore.model.baselines import BASELINES, fit_predict
from leadscore.model.bundle import Bundle, curve
from leadscore.model.calibrate import Calibrator, Judged, choose_calibrator, logit
from leadscore.model.evaluate import judge
from leadscore.model.split import Split, rolling_origins
from leadscore.model.train import Bucket, Examples, assemble, fit_hazard
from leadscore.model.warmth import learn_warmth
from leadscore.timeline import Moments, grid_before, show_moment

# What was known strictly before a moment, bucket by bucket.
Reader = Callable[[int], Iterable[Bucket]]

_Z90 = 1.6449  # a two-sided interval of 90 %
_BINS = 10


@dataclass(frozen=True)
class Gathered:
    """What there is to learn from at one moment; `first` is the creation of the oldest lead.

    `warmth` says how the scale of the temperature was learned (see `learn_warmth`); empty without the family infusion.
    """

    first: int
    vocabulary: Vocabulary
    examples: Examples
    warmth: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Learned:
    """What training at one moment gives; `first` and `warmth` as in `Gathered`."""

    first: int
    vocabulary: Vocabulary
    base: Base
    trees: str
    examples: Examples
    warmth: Mapping[str, Any]


@dataclass(frozen=True)
class Cohort:
    """One rolling origin, judged: chances said then, and what came true. Rows are snapshots, columns horizons."""

    origin: int
    lead_id: Sequence[str]
    as_of: Moments
    hits: Flags
    matured: Flags
    chances: Mapping[str, Floats]

    @property
    def judged(self) -> Judged:
        """The model's own chances, as the calibrator wants them."""
        return Judged(self.chances["model"], self.hits, self.matured)


def learn(read: Reader, config: Config, as_of: int) -> Learned:
    """Train on everything that was known, and whose labels had matured, before a moment.

    Raises:
        DataError: too few leads, conversions or non-conversions to learn from; the message counts them.
    """
    return fit(gather(read, config, as_of), config)


def fit(gathered: Gathered, config: Config) -> Learned:
    """Fit the model on what was gathered."""
    base, trees = fit_hazard(gathered.examples, gathered.vocabulary, config.model, config.seed)
    return Learned(gathered.first, gathered.vocabulary, base, trees, gathered.examples, gathered.warmth)


def gather(read: Reader, config: Config, as_of: int) -> Gathered:
    """Settle the words and compute features and labels of everything that was known before a moment.

    Raises:
        DataError: as `learn`.
    """
    first, vocabulary, moments, warmth = _settled(read, config, as_of)
    examples = assemble(read(as_of), vocabulary, config, moments, as_of)
    _enough(examples, config, as_of)
    return Gathered(first, vocabulary, examples, warmth)


def settle_words(read: Reader, config: Config, as_of: int) -> Vocabulary:
    """Settle the words that a model trained as of a moment would have.

    Raises:
        DataError: no lead was known before.
    """
    return _settled(read, config, as_of)[1]


def _settled(read: Reader, config: Config, as_of: int) -> tuple[int, Vocabulary, Moments, Mapping[str, Any]]:
    census = sum_censuses(take_census(*bucket, config) for bucket in read(as_of))
    if census.first == NEVER:
        raise DataError(f"No leads were known before {show_moment(as_of)}.", "Check --as-of and the ingested files.")
    vocabulary = settle(census, config)
    earliest = max(census.first, as_of - config.snapshots.look_back.microseconds)
    moments = grid_before(as_of, earliest, config.snapshots.spacing.microseconds)
    warmth: Mapping[str, Any] = {}
    if infusion.NAME in vocabulary.families:
        vocabulary, warmth = learn_warmth(read(as_of), vocabulary, config, moments, as_of)
    return census.first, vocabulary, moments, warmth


def _enough(examples: Examples, config: Config, as_of: int) -> None:
    labels = examples.labels
    converted = examples.converted_leads()
    rows = int(labels.teaches[:, 0].sum())
    at = f"as of {show_moment(as_of)}"
    if not rows:
        raise DataError(
            f"Nothing to learn from {at}: no lead was at risk at a moment whose first horizon "
            f"({config.horizon_names[0]}) has closed.",
            "Bring more history, or look at created_at, at_risk and the consents: who objected teaches nothing.",
        )
    if converted < config.training.min_conversions:
        raise DataError(
            f"Too few conversions to learn from {at}: {converted} converted leads among {rows} snapshots whose first "
            f"horizon ({config.horizon_names[0]}) has closed, needed {config.training.min_conversions}.",
            "Check outcomes.converted and the dates of the outcomes, bring more history, or lower "
            "training.min_conversions.",
        )
    if not (labels.teaches & ~labels.in_interval).any():
        raise DataError(
            f"Nothing to compare with {at}: every snapshot led to a conversion.",
            "Bring the leads that did not convert as well.",
        )


def splits(first: int, config: Config, as_of: int, number: int) -> tuple[Split, ...]:
    """Lay the rolling origins for judging what is trained as of a moment; none when the past is too short."""
    longest = config.horizons[-1].microseconds + config.outcomes.known_within.microseconds
    return rolling_origins(first, as_of, config.snapshots.spacing.microseconds, longest, number)


def judge_origin(read: Reader, config: Config, split: Split, seen_from: int) -> Cohort | None:
    """Train at an origin as a team would have then, and let time judge; None when there was too little then."""
    try:
        learned = learn(read, config, split.origin)
    except DataError:
        return None
    cohort = assemble(read(seen_from), learned.vocabulary, config, split.moments, seen_from)
    if not len(cohort):
        return None
    margins = learned.base.margins(cohort.matrix)
    bundle = draft(config, split.origin, learned)
    chances = {"model": bundle.readiness(cohort.matrix), "base_alone": Calibrator().apply(curve(margins))}
    for name, columns in BASELINES.items():
        chances[name] = fit_predict(columns, learned.examples.rfm, learned.examples.labels, cohort.rfm)
    labels = cohort.labels
    lead_id = [str(lead) for lead in cohort.lead_id]
    return Cohort(split.origin, lead_id, cohort.as_of, labels.by_horizon, labels.matured, chances)


def draft(config: Config, as_of: int, learned: Learned) -> Bundle:
    """Make an uncalibrated bundle of what was learned."""
    return Bundle(
        project=config.project,
        training_fingerprint=config.training_fingerprint(),
        as_of=as_of,
        horizons={str(horizon): horizon.microseconds for horizon in config.horizons},
        vocabulary=learned.vocabulary,
        base=learned.base,
        trees=learned.trees,
        calibrator=Calibrator(),
        reference=(),
        reliability={},
        facts={},
    )


def finish(config: Config, as_of: int, learned: Learned, cohorts: Sequence[Cohort]) -> Bundle:
    """Calibrate where that helps, and add what a lead's chance is compared with."""
    calibrator, losses = choose_calibrator([cohort.judged for cohort in cohorts])
    plain = draft(config, as_of, learned)
    horizon = config.rank_index
    if cohorts:
        seen = np.concatenate([cohort.chances["model"][:, horizon] for cohort in cohorts])
    else:
        seen = plain.readiness(learned.examples.matrix)[:, horizon]
    reference = np.percentile(calibrator.apply(seen), np.arange(1, 99))
    facts = {
        "rows": int(learned.examples.labels.teaches.any(axis=1).sum()),
        "converted_leads": learned.examples.converted_leads(),
        "features": len(plain.features),
        "families_off": dict(learned.vocabulary.off),
        "warmth": dict(learned.warmth),
        "calibration": {**losses, "kept": calibrator != Calibrator()},
        "judged": summarise(cohorts[-1:], config) if cohorts else {},
        "judged_cohort": _window(cohorts[-1]) if cohorts else {},
    }
    return replace(
        plain,
        calibrator=calibrator,
        reference=tuple(float(value) for value in reference),
        reliability=reliability(cohorts, calibrator, horizon),
        facts=facts,
    )


def reliability(cohorts: Sequence[Cohort], calibrator: Calibrator, horizon: int) -> dict[str, tuple[float, ...]]:
    """Measure how far chances may be off, in ten bins of equal mass.

    Returns:
        `edges` (inner edges of the bins, ascending), `below` and `above`: per bin, the bounds of Wilson's 90 % interval
        of the observed rate minus the mean chance, both on the logit scale, and never on the wrong side of zero. The
        number of different leads in a bin is its sample size, because snapshots of one lead are not independent.
        Empty when nothing could be judged.
    """
    rows = [cohort.matured[:, horizon] for cohort in cohorts]
    if not any(row.any() for row in rows):
        return {}
    p = calibrator.apply(
        np.concatenate([c.chances["model"][row, horizon] for c, row in zip(cohorts, rows, strict=True)])
    )
    hits = np.concatenate([c.hits[row, horizon] for c, row in zip(cohorts, rows, strict=True)])
    leads = np.concatenate([np.array(c.lead_id, dtype=str)[row] for c, row in zip(cohorts, rows, strict=True)])
    edges = np.unique(np.percentile(p, np.linspace(0, 100, _BINS + 1)[1:-1]))
    place = np.searchsorted(edges, p, side="right")
    shifts = [_shifts(p[place == k], hits[place == k], leads[place == k]) for k in range(len(edges) + 1)]
    return {
        "edges": tuple(float(edge) for edge in edges),
        "below": tuple(below for below, _ in shifts),
        "above": tuple(above for _, above in shifts),
    }


def _shifts(p: Floats, hits: Flags, leads: Any) -> tuple[float, float]:
    lo, hi = _wilson(hits, leads)
    said = float(logit(np.array([p.mean() if len(p) else 0.5]))[0])
    below, above = (float(bound) - said for bound in logit(np.array([lo, hi])))
    return min(below, 0.0), max(above, 0.0)


def _wilson(hits: Flags, leads: Any) -> tuple[float, float]:
    """Wilson's score interval: (r + z²/2n ± z √(r(1 − r)/n + z²/4n²)) / (1 + z²/n)."""
    number = len(np.unique(leads))
    if not number:
        return 0.0, 1.0
    rate, spread = float(hits.mean()), _Z90**2 / number
    half = _Z90 * np.sqrt(rate * (1 - rate) / number + spread / (4 * number))
    middle = rate + spread / 2
    return float((middle - half) / (1 + spread)), float((middle + half) / (1 + spread))


def summarise(cohorts: Sequence[Cohort], config: Config) -> dict[str, dict[str, dict[str, float]]]:
    """Average the figures of cohorts: {horizon: {model or baseline: {metric: mean over cohorts}}}."""
    summary: dict[str, dict[str, dict[str, float]]] = {}
    for number, horizon in enumerate(config.horizon_names):
        figures: dict[str, list[dict[str, float]]] = {}
        for cohort in cohorts:
            for name, metrics in judge_cohort(cohort, config, number).items():
                figures.setdefault(name, []).append(metrics)
        summary[horizon] = {name: _mean(rows) for name, rows in figures.items()}
    return summary


def judge_cohort(cohort: Cohort, config: Config, horizon: int) -> dict[str, dict[str, float]]:
    """Measure the model and every baseline on one cohort and horizon."""
    rows = cohort.matured[:, horizon]
    hits, as_of = cohort.hits[rows, horizon], cohort.as_of[rows]
    return {name: judge(hits, p[rows, horizon], as_of, config.capacity) for name, p in cohort.chances.items()}


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average each figure over the cohorts that have it; counts are added up."""
    figures: dict[str, float] = {}
    for key in rows[0]:
        known = [row[key] for row in rows if np.isfinite(row[key])]
        total = float(sum(known))
        figures[key] = total if key in {"rows", "conversions"} else total / len(known) if known else float("nan")
    return figures


def _window(cohort: Cohort) -> dict[str, Any]:
    return {
        "from": show_moment(int(cohort.as_of.min())),
        "to": show_moment(int(cohort.as_of.max())),
        "rows": len(cohort.as_of),
        "conversions": [int(column.sum()) for column in cohort.hits.T],
    }
