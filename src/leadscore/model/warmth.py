"""What a touch is worth and how long it lasts: kind weights and half-lives, learned on past folds.

A bounded number of the snapshots that teach is drawn. Each fold learns from earlier ones and is judged on later ones, a
horizon apart, by the log-loss of a small logistic regression on the logarithms of age and temperature. What wins there
is kept; where there is too little to learn from, the neutral scale stays. What is configured is never learned.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from leadscore.config import Config
from leadscore.features import asof, infusion
from leadscore.features.infusion import Scale
from leadscore.features.view import View, looks
from leadscore.features.vocabulary import OTHER, Vocabulary
from leadscore.labels import Flags, label
from leadscore.model.base import Floats
from leadscore.model.lots import Lots, draw_lots, number_leads
from leadscore.model.train import Bucket, at_risk_on
from leadscore.snapshots import Snapshots
from leadscore.timeline import DAY, HOUR, Moments

Rows = npt.NDArray[np.int64]

_LADDER = (12 * HOUR, DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 180 * DAY)
_MOST = {True: 3000, False: 9000}  # snapshots drawn: those about to convert, and the others
_CELLS = 2**25  # warmths held at most; with very many kinds fewer snapshots are drawn
_SWEEPS = 3  # over the channels, at most
_COLD = 25  # per cent of the warm leads about to convert are colder than what is called cold
_DIGITS = 4
_SURE = 2  # standard errors by which a half-life must win
_NOISE = 1e-7  # of a mean log-loss, left by the solver


def learn_warmth(
    buckets: Iterable[Bucket], vocabulary: Vocabulary, config: Config, moments: Moments, as_of: int
) -> tuple[Vocabulary, Mapping[str, Any]]:
    """Learn the scale of the temperature from what was known, and whose labels had matured, at a moment.

    Args:
        buckets: What was known at `as_of`.
        vocabulary: Frozen words, with the family `infusion` on and its scale neutral.
        config: Horizons, rules of being at risk, what is configured of the scale.
        moments: The grid, ascending.
        as_of: Labels are as of this moment.

    Returns:
        The vocabulary with the scale to use, and the facts: the scale, on how much it was learned (`rows`,
        `converted_leads`, `folds`; nothing was learned where there is no fold), and the mean log-loss on the later
        parts of the folds, of the neutral scale and of the learned one.
    """
    neutral = configured(Scale.of(vocabulary), config, channels="channel" in vocabulary.columns)
    sample = draw(buckets, vocabulary, neutral, config, moments, as_of)
    folds = lay_folds(sample, config)
    settings = config.features
    given, kept = frozenset(settings.kind_weights), frozenset(settings.channel_half_lives)
    lessons = _Lessons(sample, folds, (*vocabulary.kinds, OTHER), neutral, given, kept)
    # Sums of several threads depend on their number.
    with threadpool_limits(1):
        scale, losses = _learn(lessons) if folds else (neutral, {})
    facts = {
        "rows": len(sample),
        "converted_leads": sample.converted_leads(np.arange(len(sample))),
        "folds": len(folds),
        "weights": dict(scale.weights),
        "half_life_days": scale.half_life / DAY,
        "half_lives_days": {channel: length / DAY for channel, length in scale.half_lives.items()},
        "cold": scale.cold,
        "log_loss": losses,
    }
    return replace(vocabulary, frozen={**vocabulary.frozen, infusion.NAME: asdict(scale)}), facts


def configured(neutral: Scale, config: Config, *, channels: bool) -> Scale:
    """Put what is configured into a neutral scale; the largest of the configured weights is 1."""
    given = config.features.kind_weights
    largest = max(given.values(), default=0.0) or 1.0
    lengths = {channel: length.microseconds for channel, length in config.features.channel_half_lives.items()}
    return replace(
        neutral,
        weights={**neutral.weights, **{kind: weight / largest for kind, weight in given.items()}},
        half_lives={**neutral.half_lives, **lengths} if channels else {},
    )


# ---- the sample ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """Snapshots whose horizon has closed, drawn by lots that seed, lead and moment alone settle.

    Attributes:
        lot: What each drew; the rows are sorted by it.
        lead: A number per lead.
        as_of: Looked at from this moment.
        hit: Converted within the horizon.
        age: Age of the lead in days.
        pairs: The (kind, channel) of each column of `warmth`, as places in the vocabulary and in the scale.
        warmth: Touches, each halved per candidate half-life: (snapshots, pairs, candidates).
        lengths: The candidates, in microseconds, ascending.
        seen: How many snapshots the lots were drawn from: about to convert, and others.
        worth: What a snapshot counts where the windows of a lead's snapshots overlap: spacing / horizon, at most 1.
    """

    lot: Lots
    lead: Lots
    as_of: Moments
    hit: Flags
    age: Floats
    pairs: tuple[tuple[int, int], ...]
    warmth: npt.NDArray[np.float32]
    lengths: Moments
    seen: Mapping[bool, int]
    worth: float

    def __len__(self) -> int:
        return len(self.lot)

    @cached_property
    def weight(self) -> Floats:
        """How many snapshots each row stands for."""
        drawn = {True: int(self.hit.sum()), False: int((~self.hit).sum())}
        stands = {hit: self.worth * self.seen[hit] / max(drawn[hit], 1) for hit in (True, False)}
        return np.where(self.hit, stands[True], stands[False])

    @cached_property
    def lead_place(self) -> Rows:
        """Which of the leads drawn each row is of."""
        place: Rows = np.unique(self.lead, return_inverse=True)[1]
        return place

    def converted_leads(self, rows: Rows) -> int:
        """Count the leads about to convert among some rows."""
        return len(np.unique(self.lead[rows][self.hit[rows]]))

    def kept(self, most: Mapping[bool, int]) -> Sample:
        """Keep the smallest lots, so many of either class, sorted."""
        order = np.argsort(self.lot, kind="stable")
        hit = self.hit[order]
        rank = np.where(hit, np.cumsum(hit), np.cumsum(~hit))
        rows = order[rank <= np.where(hit, most[True], most[False])]
        columns = ("lot", "lead", "as_of", "hit", "age", "warmth")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def __add__(self, other: Sample) -> Sample:
        pairs = tuple(sorted({*self.pairs, *other.pairs}))
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(other, name)])
            for name in ("lot", "lead", "as_of", "hit", "age")
        }
        columns["warmth"] = np.concatenate([_wide(part.warmth, part.pairs, pairs) for part in (self, other)])
        seen = {hit: self.seen[hit] + other.seen[hit] for hit in (True, False)}
        return replace(self, **columns, pairs=pairs, seen=seen)


def draw(
    buckets: Iterable[Bucket], vocabulary: Vocabulary, scale: Scale, config: Config, moments: Moments, as_of: int
) -> Sample:
    """Draw a bounded number of snapshots; which ones does not depend on the order of the buckets, nor on their number.

    Of those about to convert within the shortest horizon, where a touch shows most, and of the others, the smallest
    lots are kept.
    """
    horizon = config.horizons[0].microseconds
    settled = as_of - config.outcomes.known_within.microseconds
    sample = _nothing(candidates(vocabulary, scale, config), min(1.0, config.snapshots.spacing.microseconds / horizon))
    most = _most(len(scale.weights) * max(len(scale.channels), 1) * len(sample.lengths))
    for bucket in buckets:
        leads, _ = bucket
        snapshots = at_risk_on(config, leads, moments[moments + horizon <= settled])
        converted_at = leads.converted_at[snapshots.lead]
        hit = label(snapshots.as_of, converted_at, np.array([horizon]), settled).by_horizon[:, 0]
        numbers = number_leads(leads.lead_id, config.seed)[snapshots.lead]
        lots = draw_lots(numbers, snapshots.as_of)
        rows = np.flatnonzero(_small(lots, hit, sample, most))
        own = Snapshots(snapshots.lead[rows], snapshots.as_of[rows])
        sample += replace(
            sample,
            lot=lots[rows],
            lead=numbers[rows],
            as_of=own.as_of,
            hit=hit[rows],
            age=(own.as_of - leads.created_at[own.lead]) / DAY,
            **_warmth(bucket, own, vocabulary, scale, sample.lengths),
            seen={True: int(hit.sum()), False: int((~hit).sum())},
        )
        sample = sample.kept(most)
    return sample


def candidates(vocabulary: Vocabulary, scale: Scale, config: Config) -> Moments:
    """List the half-lives to try: a ladder that fits the grid, what is configured, and the neutral one."""
    fitting = [
        length
        for length in _LADDER
        if config.snapshots.spacing.microseconds / 2 <= length <= config.snapshots.look_back.microseconds
    ]
    return np.unique([*fitting, *vocabulary.half_lives.values(), *scale.half_lives.values(), scale.half_life])


def _most(columns: int) -> dict[bool, int]:
    share = min(1.0, _CELLS / (columns * sum(_MOST.values())))
    return {of: int(share * most) for of, most in _MOST.items()}


def _nothing(lengths: Moments, worth: float) -> Sample:
    hashes, moments = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    warmth = np.zeros((0, 0, len(lengths)), np.float32)
    return Sample(
        hashes, hashes, moments, np.zeros(0, np.bool_), np.zeros(0), (), warmth, lengths, {True: 0, False: 0}, worth
    )


def _small(lots: Lots, hit: Flags, sample: Sample, most: Mapping[bool, int]) -> Flags:
    """Tell which lots are, with those drawn already, among the smallest of their class."""
    small = np.zeros(len(lots), np.bool_)
    for of in (True, False):
        every = np.sort(np.concatenate([lots[hit == of], sample.lot[sample.hit == of]]))[: most[of]]
        small |= (hit == of) & (lots <= (every[-1] if len(every) else 0))
    return small


def _warmth(
    bucket: Bucket, snapshots: Snapshots, vocabulary: Vocabulary, scale: Scale, lengths: Moments
) -> dict[str, Any]:
    """Compute the warmth of each (kind, channel) there is, at all candidate half-lives."""
    views = looks(*bucket, snapshots) if len(snapshots) else ()
    found = [_seen_warmth(view, vocabulary, scale, lengths) for view in views]
    pairs = tuple(sorted({pair for own, _ in found for pair in own}))
    nothing = np.zeros((0, len(pairs), len(lengths)), np.float32)
    return {"pairs": pairs, "warmth": np.concatenate([nothing, *(_wide(warmth, own, pairs) for own, warmth in found)])}


def _seen_warmth(
    view: View, vocabulary: Vocabulary, scale: Scale, lengths: Moments
) -> tuple[tuple[tuple[int, int], ...], npt.NDArray[np.float32]]:
    kinds, _ = view.kinds(vocabulary)
    wide = max(len(scale.channels), 1)
    channels = scale.channel_codes(view.history.channel) if scale.channels else np.zeros_like(kinds)
    codes = np.where(kinds >= 0, kinds * wide + channels, -1)
    there = np.unique(codes[codes >= 0])
    places = np.where(codes >= 0, np.searchsorted(there, codes), -1).astype(np.int32)
    warmth = asof.decayed_sum(view.asof, np.ones(len(codes)), places, len(there), lengths)
    return tuple(divmod(code, wide) for code in there.tolist()), warmth


def _wide(
    warmth: npt.NDArray[np.float32], own: Sequence[tuple[int, int]], pairs: Sequence[tuple[int, int]]
) -> npt.NDArray[np.float32]:
    """Give each of the pairs a column: nothing where there is none."""
    wide = np.zeros((len(warmth), len(pairs), warmth.shape[2]), np.float32)
    wide[:, [pairs.index(pair) for pair in own]] = warmth
    return wide


# ---- folds and losses ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fold:
    """Rows of the sample to learn from, and rows at least a horizon later to judge on."""

    teaches: Rows
    judges: Rows


def lay_folds(sample: Sample, config: Config) -> tuple[Fold, ...]:
    """Lay the folds: the third quarter of the sample's time is judged, then the last.

    What teaches was settled when what is judged began. A fold counts where either side holds as many converting leads
    as training asks for, and others.
    """
    gap = config.horizons[0].microseconds + config.outcomes.known_within.microseconds
    if not len(sample):
        return ()
    begin, end = int(sample.as_of.min()), int(sample.as_of.max()) + 1
    bounds = [begin + (end - begin) * quarter // 4 for quarter in (2, 3, 4)]
    folds = [
        Fold(
            np.flatnonzero(sample.as_of + gap <= start),
            np.flatnonzero((sample.as_of >= start) & (sample.as_of < stop)),
        )
        for start, stop in itertools.pairwise(bounds)
    ]
    least = config.training.min_conversions
    return tuple(
        fold
        for fold in folds
        if all(
            sample.converted_leads(rows) >= least and not sample.hit[rows].all() for rows in (fold.teaches, fold.judges)
        )
    )


@dataclass(frozen=True)
class Trial:
    """The sample as a choice of kind weights sees it, fold by fold.

    Attributes:
        sample, folds: What to learn from.
        heat: Per fold, log(1 + temperature) of each group of touches: (snapshots, groups, candidates).
    """

    sample: Sample
    folds: Sequence[Fold]
    heat: Sequence[Floats]

    def losses(self, chosen: Sequence[int]) -> Floats:
        """Judge one candidate per group by the later parts of the folds: what each lead adds to the mean log-loss."""
        losses = np.zeros(len(self.sample))
        for fold, heat in zip(self.folds, self.heat, strict=True):
            columns = [np.log1p(self.sample.age), *(heat[:, group, place] for group, place in enumerate(chosen))]
            losses[fold.judges] += _later_losses(np.column_stack(columns), self.sample, fold) / len(self.folds)
        added: Floats = np.bincount(self.sample.lead_place, weights=losses).astype(np.float64)
        return added


def _later_losses(columns: Floats, sample: Sample, fold: Fold) -> Floats:
    """Learn from the earlier rows; return what each later one adds to their mean log-loss."""
    learned, judged = columns[fold.teaches], columns[fold.judges]
    mean, sd = learned.mean(axis=0), learned.std(axis=0)
    sd[sd < 1e-9] = np.inf  # noqa: PLR2004 - a column that does not vary says nothing
    model = LogisticRegression(C=1.0, solver="newton-cholesky")
    model.fit((learned - mean) / sd, sample.hit[fold.teaches], sample_weight=sample.weight[fold.teaches])
    margin = ((judged - mean) / sd) @ model.coef_[0] + model.intercept_[0]
    losses = np.logaddexp(0, np.where(sample.hit[fold.judges], -margin, margin))
    weight = sample.weight[fold.judges]
    added: Floats = losses * weight / weight.sum()
    return added


def descend(trial: Trial, chosen: Sequence[int], free: Sequence[bool]) -> tuple[int, ...]:
    """Choose a candidate per group, one group after the other until none moves; those that are not free stay.

    A group moves where that lowers the mean log-loss by more than two standard errors of the difference, leads being
    what is independent: of ten candidates, one wins a little by chance.
    """
    judged: dict[tuple[int, ...], Floats] = {}

    def losses(tried: tuple[int, ...]) -> Floats:
        if tried not in judged:
            judged[tried] = trial.losses(tried)
        return judged[tried]

    now = tuple(chosen)
    for _ in range(_SWEEPS):
        before = now
        for group in np.flatnonzero(free).tolist():
            tries = [(*now[:group], place, *now[group + 1 :]) for place in range(trial.heat[0].shape[2])]
            best = min(tries, key=lambda tried: float(losses(tried).sum()))
            gain = losses(now) - losses(best)
            if gain.sum() > _SURE * np.sqrt((gain**2).sum()) + _NOISE:
                now = best
        if now == before:
            break
    return now


# ---- what is learned -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lessons:
    """What is learned from, and what need not be learned.

    Attributes:
        sample, folds: Snapshots, and how they are judged.
        kinds: What the kinds of the sample's pairs mean.
        neutral: The scale to begin with.
        given: The kinds whose weights are configured.
        kept: The channels whose half-lives are configured.
    """

    sample: Sample
    folds: Sequence[Fold]
    kinds: tuple[str, ...]
    neutral: Scale
    given: frozenset[str]
    kept: frozenset[str]

    @property
    def even(self) -> Floats:
        """The weights to begin with, kind by kind."""
        return np.array([self.neutral.weights[kind] for kind in self.kinds])

    def place(self, length: int) -> int:
        """Return which candidate a half-life is."""
        return int(np.searchsorted(self.sample.lengths, length))

    def lengths(self, overall: int) -> _Lengths:
        """Take one half-life for all, and for the channels but those that are configured."""
        own, kept = self.neutral.half_lives, self.kept
        return _Lengths(
            overall,
            tuple(self.place(own[channel]) if channel in kept else overall for channel in self.neutral.channels),
        )

    def together(self, weights: Sequence[Floats]) -> Trial:
        """See all touches as one group."""
        return self._trial(weights, [0] * len(self.sample.pairs), 1)

    def by_channel(self, weights: Sequence[Floats]) -> Trial:
        """See each channel as a group."""
        return self._trial(weights, [channel for _, channel in self.sample.pairs], len(self.neutral.channels))

    def _trial(self, weights: Sequence[Floats], groups: Sequence[int], number: int) -> Trial:
        heat = [_heat(self.sample, own, groups, number) for own in weights]
        return Trial(self.sample, self.folds, heat)


def _heat(sample: Sample, weights: Floats, groups: Sequence[int], number: int) -> Floats:
    heat = np.zeros((len(sample), number, len(sample.lengths)))
    for column, ((kind, _), group) in enumerate(zip(sample.pairs, groups, strict=True)):
        heat[:, group] += weights[kind] * sample.warmth[:, column]
    return np.log1p(heat)


@dataclass(frozen=True)
class _Lengths:
    """The candidates chosen: for all touches, and per channel."""

    overall: int
    channels: tuple[int, ...]


def _learn(lessons: _Lessons) -> tuple[Scale, dict[str, dict[str, float]]]:
    """Choose a half-life, weights at it, then the half-lives at those weights; weights that do not win are let go."""
    even = [lessons.even] * len(lessons.folds)
    start = lessons.lengths(lessons.place(lessons.neutral.half_life))
    chosen, weights, final = lessons.lengths(_overall(lessons, even, start.overall)), even, lessons.even
    fitted = [fit_weights(lessons, fold.teaches, chosen) for fold in lessons.folds]
    win = _losses(lessons, fitted, chosen)["temperature"] < _losses(lessons, even, chosen)["temperature"]
    if win:
        weights = fitted
        chosen = lessons.lengths(_overall(lessons, weights, chosen.overall))
    if lessons.neutral.channels:
        there = {lessons.neutral.channels[channel] for _, channel in lessons.sample.pairs} - lessons.kept
        free = [channel in there for channel in lessons.neutral.channels]
        chosen = replace(chosen, channels=descend(lessons.by_channel(weights), chosen.channels, free))
    if win:
        final = fit_weights(lessons, np.arange(len(lessons.sample)), chosen)
    before, after = _losses(lessons, even, start), _losses(lessons, weights, chosen)
    return _scale(lessons, final, chosen), {of: {"neutral": before[of], "learned": after[of]} for of in before}


def _overall(lessons: _Lessons, weights: Sequence[Floats], begin: int) -> int:
    (overall,) = descend(lessons.together(weights), [begin], [True])
    return overall


def fit_weights(lessons: _Lessons, rows: Rows, chosen: _Lengths) -> Floats:
    """Fit what a touch of each kind is worth, on some rows of the sample.

    The least of Σ weight · log-loss(b0 + b1 log(1 + age) + b log(1 + Σ w_kind warmth_kind)), each channel at its own
    half-life, plus (b1² + b²) / 2 and Σ (w_kind - 1)² / 2, so that a kind hardly seen weighs as the others do; b and
    all w are 0 at least. By L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995). Configured weights stay.
    """
    sample, even = lessons.sample, lessons.even
    free = np.array([kind not in lessons.given for kind in lessons.kinds])
    if not free.any():
        return even
    warmth = np.zeros((len(rows), len(lessons.kinds)))
    for column, (kind, channel) in enumerate(sample.pairs):
        place = chosen.channels[channel] if chosen.channels else chosen.overall
        warmth[:, kind] += sample.warmth[rows, column, place]
    age = np.log1p(sample.age[rows])
    age = (age - age.mean()) / (age.std() or 1.0)
    weight, sign = sample.weight[rows], np.where(sample.hit[rows], 1.0, -1.0)

    def loss(point: Floats) -> tuple[float, Floats]:
        slopes, w = point[1:3], point[3:]
        heat = warmth @ w
        margin = point[0] + slopes[0] * age + slopes[1] * np.log1p(heat)
        value = weight @ np.logaddexp(0, -sign * margin) + slopes @ slopes / 2 + (w - 1) @ (w - 1) / 2
        pull = -weight * sign * expit(-sign * margin)
        toward = np.array([pull.sum(), pull @ age + slopes[0], pull @ np.log1p(heat) + slopes[1]])
        return value, np.append(toward, (pull * slopes[1] / (1 + heat)) @ warmth + w - 1)

    rate = np.average(sample.hit[rows], weights=weight)
    begin = np.array([np.log(rate / (1 - rate)), 0.0, 1.0, *even])
    of_kinds = [(0, None) if own else (w, w) for own, w in zip(free.tolist(), even.tolist(), strict=True)]
    bounds = [(None, None), (None, None), (0, None), *of_kinds]
    return cast("Floats", minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds).x[3:])


def _losses(lessons: _Lessons, weights: Sequence[Floats], chosen: _Lengths) -> dict[str, float]:
    """Judge a scale: by the one temperature, and by those of the channels side by side."""
    losses = {"temperature": float(lessons.together(weights).losses([chosen.overall]).sum())}
    if chosen.channels:
        losses["channels"] = float(lessons.by_channel(weights).losses(chosen.channels).sum())
    return losses


def _scale(lessons: _Lessons, weights: Floats, chosen: _Lengths) -> Scale:
    sample, neutral = lessons.sample, lessons.neutral
    everything = {**neutral.weights, **dict(zip(lessons.kinds, weights.tolist(), strict=True))}
    largest = max(everything.values()) or 1.0
    scale = replace(
        neutral,
        weights={kind: round(weight / largest, _DIGITS) for kind, weight in everything.items()},
        half_life=int(sample.lengths[chosen.overall]),
        half_lives={
            channel: int(sample.lengths[place])
            for channel, place in zip(neutral.channels, chosen.channels, strict=True)
        },
    )
    heat = _heat(sample, np.array([scale.weights[kind] for kind in lessons.kinds]), [0] * len(sample.pairs), 1)
    warm = np.expm1(heat[sample.hit, 0, chosen.overall])
    warm = warm[warm > 10**-_DIGITS]
    return replace(scale, cold=round(float(np.percentile(warm, _COLD)), _DIGITS)) if len(warm) else scale
