"""Ablation: does a family pay? The recipe with each family left out, and each alone, judged at rolling origins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from leadscore.config import Config, FamilyName
from leadscore.errors import DataError
from leadscore.features.matrix import catalogue
from leadscore.features.vocabulary import Vocabulary
from leadscore.model.base import Floats
from leadscore.model.calibrate import log_losses
from leadscore.model.evaluate import judge
from leadscore.model.learn import Gathered, Reader, draft, fit, gather, note_accounts
from leadscore.model.resample import draw_leads, draw_means, number_leads, unit_drawn, units
from leadscore.model.split import Split
from leadscore.model.train import Examples, assemble

COUNTS_ELSEWHERE = "power"
"""The one family that changes what the others count (see `View.counted`); without it their features are others."""

METRICS = ("auc", "average_precision", "lift_at_10", "log_loss")
BUILT_IN: tuple[str, ...] = get_args(FamilyName)
_RESAMPLES = 300


@dataclass(frozen=True)
class Variant:
    """A set of families to train with: all of them, one left out, or one alone."""

    kind: Literal["all", "without", "alone"]
    family: str
    families: tuple[str, ...]

    @property
    def name(self) -> str:
        """How the table calls it."""
        return {"all": "all", "without": f"without {self.family}", "alone": f"{self.family} alone"}[self.kind]


@dataclass(frozen=True)
class Trial:
    """One variant, trained at one origin and judged on the cohort after it.

    Attributes:
        variant: Which families.
        origin: The moment it was trained as of.
        features: How many columns it had.
        figures: Per horizon, the figures of `evaluate.judge`.
        units: The leads of the cohort, or their accounts (see `resample.units`), each once, sorted.
        losses: Sum of the log-losses of matured snapshots: one row per unit, one column per horizon.
        counts: How many those were, likewise.
        drawn: Whether the units are `leads` or `accounts`.
        off: Families that switched themselves off, and why.
    """

    variant: Variant
    origin: int
    features: int
    figures: Sequence[Mapping[str, float]]
    units: Sequence[str]
    losses: Floats
    counts: Floats
    off: Mapping[str, str]
    drawn: str = "leads"


def plan_variants(families: Sequence[str]) -> list[Variant]:
    """List all families together, then each left out, then each alone; a single family is only itself."""
    everything = tuple(families)
    variants = [Variant("all", "", everything)]
    if len(everything) > 1:
        left = [tuple(other for other in everything if other != family) for family in everything]
        variants += [Variant("without", family, rest) for family, rest in zip(everything, left, strict=True)]
        variants += [Variant("alone", family, (family,)) for family in everything]
    return variants


def ablate(
    read: Reader, config: Config, split: Split, seen_from: int, variants: Sequence[Variant]
) -> Iterator[Trial | None]:
    """Train each variant at an origin and judge it on the cohort after it.

    Features are computed once and chosen by column; twice where `power` is among the families, because without it the
    others count what we push as well. So each trial is what training with that configuration would give.

    Yields:
        One trial per variant; None where its family is off, or there was too little to learn from then.
    """
    for with_power in (True, False):
        group = [variant for variant in variants if (COUNTS_ELSEWHERE in variant.families) == with_power]
        if group:
            yield from _ablate_group(read, _widest(config, group), split, seen_from, group)


def _widest(config: Config, group: Sequence[Variant]) -> Config:
    """Configure all built-in families that a variant of the group has; the project's own stay, and change no other."""
    asked = {family for variant in group for family in variant.families}
    ordered = dict.fromkeys((*config.features.families, *BUILT_IN))
    features = config.features.model_copy(update={"families": tuple(name for name in ordered if name in asked)})
    return config.model_copy(update={"features": features})


def _ablate_group(
    read: Reader, config: Config, split: Split, seen_from: int, group: Sequence[Variant]
) -> Iterator[Trial | None]:
    try:
        gathered = gather(read, config, split.origin)
    except DataError:
        yield from (None for _ in group)
        return
    accounts: dict[str, str] = {}
    buckets = note_accounts(read(seen_from), accounts)
    cohort = assemble(buckets, gathered.vocabulary, config, split.moments, seen_from)
    for variant in group:
        words = _only(gathered.vocabulary, variant.families)
        idle = variant.family in words.off or not words.families
        yield (
            None if idle or not len(cohort) else _try(gathered, cohort, accounts, words, config, split.origin, variant)
        )


def _only(vocabulary: Vocabulary, families: Sequence[str]) -> Vocabulary:
    """Keep some of the families that are on."""
    return replace(vocabulary, families=tuple(name for name in vocabulary.families if name in families))


def _try(
    gathered: Gathered,
    cohort: Examples,
    accounts: Mapping[str, str],
    vocabulary: Vocabulary,
    config: Config,
    origin: int,
    variant: Variant,
) -> Trial:
    columns = np.array([feature.family in vocabulary.families for feature in catalogue(gathered.vocabulary)])
    examples = replace(gathered.examples, matrix=np.ascontiguousarray(gathered.examples.matrix[:, columns]))
    learned = fit(replace(gathered, vocabulary=vocabulary, examples=examples), config)
    chances = draft(config, origin, learned).readiness(np.ascontiguousarray(cohort.matrix[:, columns]))
    matured, hits = cohort.labels.matured, cohort.labels.by_horizon
    figures = [
        judge(hits[rows, k], chances[rows, k], cohort.as_of[rows], config.capacity) for k, rows in enumerate(matured.T)
    ]
    account_id = [accounts.get(str(lead)) for lead in cohort.lead_id]
    names, unit = np.unique(
        np.array(units([str(lead) for lead in cohort.lead_id], account_id), dtype=str), return_inverse=True
    )
    counts, losses = np.zeros((2, len(names), len(config.horizons)))
    np.add.at(counts, unit, matured)
    np.add.at(losses, unit, np.where(matured, log_losses(hits, chances), 0.0))
    return Trial(
        variant,
        origin,
        int(columns.sum()),
        figures,
        names.tolist(),
        losses,
        counts,
        gathered.vocabulary.off,
        unit_drawn([account_id]),
    )


@dataclass(frozen=True)
class Row:
    """One row of the table: one variant at one horizon, means over the origins.

    Attributes:
        variant, kind, family: Which families; see `Variant`.
        horizon: Which horizon.
        features: How many columns, at the newest origin.
        auc, average_precision, lift_at_10, log_loss: Means over origins.
        auc_change, average_precision_change, lift_at_10_change, log_loss_change: The variant minus all families.
        log_loss_sd: How far the change of the log-loss would move with other leads, or accounts, of the same sort
            (bootstrap).
    """

    variant: str
    kind: str
    family: str
    horizon: str
    features: int
    auc: float
    average_precision: float
    lift_at_10: float
    log_loss: float
    auc_change: float
    average_precision_change: float
    lift_at_10_change: float
    log_loss_change: float
    log_loss_sd: float

    @property
    def is_noise(self) -> bool:
        """Whether the log-loss changed by less than two standard deviations."""
        return not abs(self.log_loss_change) > 2 * self.log_loss_sd

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {**asdict(self), "is_noise": self.is_noise}


def families_off(trials: Sequence[Trial]) -> Mapping[str, str]:
    """Say which families switched themselves off at the newest origin, and why."""
    return next((trial.off for trial in reversed(trials) if trial.variant.kind == "all"), {})


def tabulate(trials: Sequence[Trial], config: Config) -> list[Row]:
    """Compare each variant with all families together, horizon by horizon; in the order of `plan_variants`."""
    everything = [trial for trial in trials if trial.variant.kind == "all"]
    idle = families_off(trials)
    trials = [trial for trial in trials if trial.variant.family not in idle]
    planned = plan_variants(everything[0].variant.families) if everything else []
    names = [variant.name for variant in planned if any(trial.variant == variant for trial in trials)]
    by_name = {name: [trial for trial in trials if trial.variant.name == name] for name in names}
    rows = []
    for own in by_name.values():
        paired = [(trial, whole) for trial in own for whole in everything if whole.origin == trial.origin]
        spread = bootstrap(paired, config.seed)
        rows += [_row(paired, horizon, k, float(spread[k])) for k, horizon in enumerate(config.horizon_names) if paired]
    return rows


def _row(paired: Sequence[tuple[Trial, Trial]], horizon: str, number: int, spread: float) -> Row:
    newest = paired[-1][0]
    variant = newest.variant
    means = {name: _mean([trial.figures[number][name] for trial, _ in paired]) for name in METRICS}
    changes = {
        f"{name}_change": _mean([trial.figures[number][name] - whole.figures[number][name] for trial, whole in paired])
        for name in METRICS
    }
    return Row(
        variant.name, variant.kind, variant.family, horizon, newest.features, **means, **changes, log_loss_sd=spread
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def bootstrap(paired: Sequence[tuple[Trial, Trial]], seed: int) -> Floats:
    """Estimate the standard deviation of the change of log-loss, one per horizon, by drawing leads or accounts anew.

    All snapshots of one, at all origins, are drawn together: they are not independent. Per draw, with w_l how often
    l was drawn, the change is the mean over origins of Σ w_l (loss_l - loss_l of all) / Σ w_l n_l; the standard
    deviation is that of 300 draws. An origin after which nobody converted within a horizon has no log-loss, and is left
    out there as it is from the means; NaN where that leaves none.
    """
    if not paired:
        return np.zeros(0)
    number, who = number_leads([trial.units for trial, _ in paired])
    judged = [[np.isfinite(figures["log_loss"]) for figures in trial.figures] for trial, _ in paired]
    means = draw_means(
        who,
        [trial.losses - whole.losses for trial, whole in paired],
        [np.where(own, trial.counts, 0.0) for own, (trial, _) in zip(judged, paired, strict=True)],
        draw_leads(number, _RESAMPLES, seed),
    )
    spread: Floats = np.std(means, axis=0)
    return spread
