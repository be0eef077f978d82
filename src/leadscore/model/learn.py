"""From buckets to a bundle: learn as of a moment, judge at rolling origins, calibrate, and say how good it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from leadscore.config import Config
from leadscore.errors import DataError
from leadscore.features import infusion
from leadscore.features.matrix import catalogue, settle, take_census
from leadscore.features.vocabulary import Vocabulary, sum_censuses
from leadscore.history import NEVER
from leadscore.model import train
from leadscore.model.backtest import Cohort, paired_log_loss, summarise
from leadscore.model.base import Floats
from leadscore.model.baselines import RECENCY, fit_predict_all
from leadscore.model.bundle import Bundle
from leadscore.model.calibrate import Calibrator, choose_calibrator
from leadscore.model.certainty import (
    NOTHING_MEASURED,
    NOTHING_USUAL,
    Certainty,
    Usual,
    measure_bounds,
    measure_support,
    measure_usual,
    sample_rows,
)
from leadscore.model.fitted import Fitted
from leadscore.model.guard import Evidence, Leak, examine, inspect_bucket
from leadscore.model.importance import Late, draw_sample
from leadscore.model.shape import SHAPES, Shape
from leadscore.model.split import Split, last_closed, rolling_origins
from leadscore.model.train import Bucket, Examples, Thinning
from leadscore.model.warmth import learn_warmth
from leadscore.timeline import Moments, grid_before, parse_moment, show_moment

# What was known strictly before a moment, bucket by bucket.
Reader = Callable[[int], Iterable[Bucket]]

_SURE = 2  # standard deviations by which a shape must win


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
    """What training at one moment gives: what was gathered, and the model that was fitted on it."""

    gathered: Gathered
    model: Fitted

    @property
    def vocabulary(self) -> Vocabulary:
        """Frozen words."""
        return self.gathered.vocabulary

    @property
    def examples(self) -> Examples:
        """What was learned from."""
        return self.gathered.examples


def learn(read: Reader, config: Config, as_of: int) -> Learned:
    """Train on everything that was known, and whose labels had matured, before a moment.

    Raises:
        DataError: too few leads, conversions or non-conversions to learn from; the message counts them.
    """
    return fit(gather(read, config, as_of), config)


def fit(gathered: Gathered, config: Config, shape: Shape | None = None) -> Learned:
    """Fit the model on what was gathered, in the configured shape (a hazard where that is left open) or another."""
    chosen = shape or configured_shapes(config)[0]
    examples, settings = gathered.examples, config.model
    return Learned(gathered, train.fit(examples, gathered.vocabulary, settings, chosen, config.seed))


def configured_shapes(config: Config) -> tuple[Shape, ...]:
    """Return the shape of the configuration, or all there are to choose from."""
    return SHAPES if config.model.shape == "auto" else (config.model.shape,)


def fit_members(learned: Learned, config: Config) -> tuple[Fitted, ...]:
    """Fit the recipe anew without each of some stretches of the past, which hold about equally many snapshots."""
    examples, number = learned.examples, config.model.members
    edges = np.percentile(examples.as_of, np.linspace(0, 100, number + 1)[1:-1], method="higher")
    stretch = np.searchsorted(edges, examples.as_of, side="right")
    there = np.unique(stretch)  # of few moments there are few stretches
    if len(there) < 2:  # noqa: PLR2004 - one alone cannot disagree
        return ()
    left = (examples.take(np.flatnonzero(stretch != k)) for k in there)
    return tuple(train.fit(part, learned.vocabulary, config.model, learned.model.shape, config.seed) for part in left)


def gather(read: Reader, config: Config, as_of: int) -> Gathered:
    """Settle the words and compute features and labels of everything that was known before a moment.

    Raises:
        DataError: as `learn`.
    """
    settled = _settle(read, config, as_of)
    thinning = Thinning.to(config.training.max_training_rows, *settled.counts, config.seed)
    examples = train.assemble(
        read(as_of), settled.vocabulary, config, settled.moments, as_of, thinning, with_facts=True
    )
    _enough(examples, config, as_of)
    half_life = config.training.recency_half_life
    examples = train.aged(examples, as_of, half_life.microseconds if half_life else None)
    return Gathered(settled.first, settled.vocabulary, examples, settled.warmth)


def settle_words(read: Reader, config: Config, as_of: int) -> Vocabulary:
    """Settle the words that a model trained as of a moment would have.

    Raises:
        DataError: no lead was known before.
    """
    return _settle(read, config, as_of).vocabulary


def find_leaks(read: Reader, gathered: Gathered, as_of: int) -> tuple[Leak, ...]:
    """Say what, of all that was gathered, must have known the outcome; the most severe first."""
    evidence = sum((inspect_bucket(*bucket) for bucket in read(as_of)), Evidence())
    return examine(evidence, catalogue(gathered.vocabulary), gathered.examples)


@dataclass(frozen=True)
class _Settled:
    """What is settled before features are computed; `counts` are the snapshots that convert, and the others."""

    first: int
    vocabulary: Vocabulary
    moments: Moments
    warmth: Mapping[str, Any]
    counts: tuple[int, int]


def _settle(read: Reader, config: Config, as_of: int) -> _Settled:
    spacing, look_back = config.snapshots.spacing.microseconds, config.snapshots.look_back.microseconds
    moments = grid_before(as_of, as_of - look_back, spacing)
    censuses, counts = [], np.zeros(2, dtype=np.int64)
    for leads, history in read(as_of):
        censuses.append(take_census(leads, history, config))
        counts += train.count_snapshots(leads, config, moments, as_of)
    census = sum_censuses(censuses)
    if census.first == NEVER:
        raise DataError(f"No leads were known before {show_moment(as_of)}.", "Check --as-of and the ingested files.")
    vocabulary = settle(census, config)
    moments = moments[moments >= census.first]  # before the first lead there is nobody to look at
    warmth: Mapping[str, Any] = {}
    if infusion.NAME in vocabulary.families:
        vocabulary, warmth = learn_warmth(read(as_of), vocabulary, config, moments, as_of)
    return _Settled(census.first, vocabulary, moments, warmth, (int(counts[0]), int(counts[1])))


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
    untaught = [name for name, column in zip(config.horizon_names, labels.matured.T, strict=True) if not column.any()]
    if untaught:
        raise DataError(
            f"Nothing to learn from {at} about {' and '.join(untaught)}: no snapshot has been followed for so long.",
            "Bring more history, or shorten the horizons.",
        )
    if not (labels.teaches & ~labels.in_interval).any():
        raise DataError(
            f"Nothing to compare with {at}: every snapshot led to a conversion.",
            "Bring the leads that did not convert as well.",
        )


def splits(first: int, config: Config, as_of: int, number: int) -> tuple[Split, ...]:
    """Lay the rolling origins for judging what is trained as of a moment; none when the past is too short."""
    return rolling_origins(first, as_of, config.snapshots.spacing.microseconds, config.closes[-1], number)


def configured_splits(config: Config, as_of: int) -> tuple[Split, ...]:
    """Return the origins the configuration names, with their cohorts; moments that have not come yet are left out."""
    after = np.array([span.microseconds for span in config.backtest.cohort], dtype=np.int64)
    origins = [parse_moment(text, config.time_zone) for text in config.backtest.origins]
    return tuple(Split(origin, origin + after[origin + after < as_of]) for origin in origins if origin < as_of)


def judge_newest(
    read: Reader, config: Config, judged: Sequence[Cohort], first: int, as_of: int, shape: Shape
) -> list[Cohort]:
    """Judge the newest lists whose ranking horizon has closed, though longer ones have not: the model and recency.

    None of them is among the judged, nor before the first lead (`split.last_closed`). An origin is left out where there
    was too little to learn from, or nobody to be judged by.
    """
    newest = max((int(cohort.as_of.max()) for cohort in judged), default=first)
    cohorts, closes = [], config.closes[config.rank_index]
    for split in last_closed(newest, as_of, config.snapshots.spacing.microseconds, closes):
        with suppress(DataError):
            cohorts.append(in_shape(judge_origin(read, config, split, as_of, (shape,), (RECENCY,)), shape))
    return cohorts


def judge_origin(
    read: Reader,
    config: Config,
    split: Split,
    seen_from: int,
    shapes: Sequence[Shape] | None = None,
    baselines: Sequence[str] | None = None,
) -> Cohort:
    """Train at an origin as a team would have then, and let time judge.

    The model is there once for each shape its curve may have, or for some, by the name of the shape (see `in_shape`);
    baselines are all there are, or some.

    Raises:
        DataError: there was too little to learn from then, or nobody to be judged by after it.
    """
    gathered = gather(read, config, split.origin)
    accounts: dict[str, str] = {}
    buckets = note_accounts(read(seen_from), accounts)
    cohort = train.assemble(buckets, gathered.vocabulary, config, split.moments, seen_from)
    if not len(cohort):
        raise DataError(f"Nobody to be judged by: no lead was at risk in the cohort after {show_moment(split.origin)}.")
    shapes = shapes or configured_shapes(config)
    bundles = {shape: draft(config, split.origin, fit(gathered, config, shape)) for shape in shapes}
    chances: dict[str, Floats] = {shape: bundle.readiness(cohort.matrix) for shape, bundle in bundles.items()}
    lesson = train.lesson(gathered.examples, gathered.vocabulary, config.model, config.seed)
    chances |= fit_predict_all(lesson, cohort.simple, cohort.matrix, baselines)
    labelled = cohort.labels.by_horizon, cohort.labels.matured
    return Cohort(
        split.origin,
        [str(lead) for lead in cohort.lead_id],
        cohort.as_of,
        *labelled,
        chances,
        {name: [str(word) for word in words] for name, words in cohort.segments.items()},
        Late(bundles, draw_sample(cohort.matrix, *labelled, config.rank_index, config.seed)),
        [accounts.get(str(lead)) for lead in cohort.lead_id],
    )


def note_accounts(buckets: Iterable[Bucket], accounts: dict[str, str]) -> Iterator[Bucket]:
    """Hand buckets on, and note the account of each lead that has one.

    It is the one of the lead's newest version: leads are drawn together, not looked at, so it is the same for all
    snapshots of a lead, and at all origins.
    """
    for leads, history in buckets:
        accounts |= {lead: name for lead, name in zip(leads.lead_id, leads.account_id, strict=True) if name}
        yield leads, history


@dataclass(frozen=True)
class Choice:
    """Which shape of the curve was chosen, and how much lower its log-loss was than the other's.

    Attributes:
        shape: The chosen one.
        why: `configured`, `judged`, or `nothing to judge by`.
        difference: Mean over horizons and origins of the log-loss of `per_horizon` minus that of `hazard`; NaN where
            only one was judged.
        sd: Its standard deviation, leads or accounts drawn anew.
    """

    shape: Shape
    why: str
    difference: float = np.nan
    sd: float = np.nan


def choose_shape(cohorts: Sequence[Cohort], config: Config) -> Choice:
    """Choose the shape by the log-loss at the rolling origins.

    A hazard is coherent by construction, so a classifier per horizon must win by more than two standard deviations: a
    choice that noise can turn would make tomorrow's chances jump.
    """
    shapes = configured_shapes(config)
    if len(shapes) == 1:
        return Choice(shapes[0], "configured")
    if not cohorts:
        return Choice(shapes[0], "nothing to judge by")
    difference, sd = paired_log_loss(cohorts, "per_horizon", "hazard", config.seed)
    return Choice("per_horizon" if difference < -_SURE * sd else "hazard", "judged", difference, sd)


def in_shape(cohort: Cohort, shape: Shape) -> Cohort:
    """Call the chances of one shape the model's, and leave the other out."""
    others = {name: chances for name, chances in cohort.chances.items() if name not in SHAPES}
    return replace(cohort, chances={"model": cohort.chances[shape], **others})


def draft(config: Config, as_of: int, learned: Learned) -> Bundle:
    """Make an uncalibrated bundle of what was learned."""
    return Bundle(
        project=config.project,
        training_fingerprint=config.training_fingerprint(),
        as_of=as_of,
        horizons={str(horizon): horizon.microseconds for horizon in config.horizons},
        vocabulary=learned.vocabulary,
        model=learned.model,
        members=(),
        calibrator=Calibrator(),
        reference=(),
        certainty=NOTHING_MEASURED,
        usual=NOTHING_USUAL,
        facts={},
    )


def finish(
    config: Config,
    as_of: int,
    learned: Learned,
    cohorts: Sequence[Cohort],
    choice: Choice,
    leaks: Sequence[Leak] = (),
) -> Bundle:
    """Calibrate where that helps, and add what a lead's chance is compared with and how sure it is."""
    calibrator, told = choose_calibrator(cohorts)
    plain = replace(draft(config, as_of, learned), members=fit_members(learned, config))
    horizon = config.rank_index
    if cohorts:
        seen = np.concatenate([cohort.chances["model"][:, horizon] for cohort in cohorts])
    else:
        seen = plain.readiness(learned.examples.matrix)[:, horizon]
    reference = np.percentile(calibrator.apply(seen), np.arange(1, 99))
    facts = {
        "rows": len(learned.examples),
        "thinned_from": float(learned.examples.weight.sum()),
        "converted_leads": learned.examples.converted_leads(),
        "features": len(plain.features),
        "families_off": dict(learned.vocabulary.off),
        "warmth": dict(learned.gathered.warmth),
        "shape": asdict(choice),
        "leaks": [leak.to_dict() for leak in leaks],
        "calibration": {**told, "kept": calibrator != Calibrator()},
        "judged": summarise(cohorts[-1:], config.horizon_names, config.capacity) if cohorts else {},
        "judged_cohort": _window(cohorts[-1]) if cohorts else {},
    }
    return replace(
        plain,
        calibrator=calibrator,
        reference=tuple(float(value) for value in reference),
        certainty=_certainty(replace(plain, calibrator=calibrator), cohorts, learned.examples, horizon),
        usual=_usual(plain, learned.examples),
        facts=facts,
    )


def _certainty(bundle: Bundle, cohorts: Sequence[Cohort], examples: Examples, horizon: int) -> Certainty:
    """Measure how far chances were off, how far the members disagree and what training saw."""
    sample = examples.matrix[sample_rows(len(examples))]
    chance, spread = bundle.readiness(sample)[:, horizon], bundle.spread(sample, horizon)
    bounds = measure_bounds(cohorts, bundle.calibrator, horizon, chance, spread)
    return Certainty(bounds, measure_support(sample))


def _usual(bundle: Bundle, examples: Examples) -> Usual:
    rows = sample_rows(len(examples))
    flags = np.array([feature.unit == "flag" for feature in bundle.features], dtype=np.bool_)
    facts = examples.facts[rows] if len(examples.facts) else examples.facts
    counted = np.zeros(facts.shape[1], dtype=np.bool_)
    return Usual(measure_usual(examples.matrix[rows], flags), measure_usual(facts, counted))


def _window(cohort: Cohort) -> dict[str, Any]:
    return {
        "from": show_moment(int(cohort.as_of.min())),
        "to": show_moment(int(cohort.as_of.max())),
        "rows": len(cohort.as_of),
        "conversions": [int(column.sum()) for column in cohort.hits.T],
    }
