"""The search for settings: which may change and how far, and what a recipe with other settings is worth in time order.

Features do not depend on these settings, so they are computed once per origin and every trial fits them anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from leadscore.config import Config, Model
from leadscore.errors import DataError
from leadscore.model import train
from leadscore.model.backtest import Cohort, paired_log_loss
from leadscore.model.base import Floats
from leadscore.model.calibrate import log_losses
from leadscore.model.learn import Gathered, Reader, fit, gather, note_accounts
from leadscore.model.split import Split, rolling_origins
from leadscore.model.train import Examples
from leadscore.timeline import DAY, HOUR, MINUTE, Duration

Settings = Mapping[str, float | str]
"""Values by their place in the configuration, `model.trees`; a half-life as it is written there, or NONE."""

HALF_LIFE = "training.recency_half_life"
NONE = "none"
_SURE = 2  # standard deviations from which on a difference is no noise
_SHARES = (16, 8, 4, 2, 1)  # of snapshots.look_back


@dataclass(frozen=True)
class Range:
    """How far a number may go; `log` where its size counts, not its distance."""

    low: float
    high: float
    whole: bool
    log: bool

    def fitting(self, value: float) -> float:
        """Round to three digits, because more say nothing and these are what will be written; stay in the range."""
        near = min(max(float(f"{value:.3g}"), self.low), self.high)
        return int(near) if self.whole else near

    def reaching(self, values: Sequence[float]) -> Range:
        """Widen the range to some values."""
        low, high = min(self.low, *values), max(self.high, *values)
        return replace(self, low=low, high=high, log=self.log and low > 0)


_DEFAULT = Model()
_RANGES: Mapping[str, Range] = {
    "model.trees": Range(30, 500, whole=True, log=True),
    "model.leaves": Range(3, 32, whole=True, log=True),
    "model.learning_rate": Range(0.01, 0.2, whole=False, log=True),
    "model.min_rows_per_leaf": Range(20, 2000, whole=True, log=True),
    "model.l2": Range(0.5, 200.0, whole=False, log=True),
    "model.column_share": Range(0.1, 1.0, whole=False, log=False),
    "model.base_l2": Range(_DEFAULT.base_l2 / 30, _DEFAULT.base_l2 * 30, whole=False, log=True),
}


@dataclass(frozen=True)
class Space:
    """What may change: numbers within a range, and the half-life, one of some."""

    numbers: Mapping[str, Range]
    half_lives: tuple[str, ...]


def space(config: Config, known: Sequence[Settings]) -> Space:
    """Lay the space, wide enough for the settings that are known already.

    Half-lives are none, a sixteenth, an eighth, … and all of `snapshots.look_back`.
    """
    values = {name: [float(settings[name]) for settings in known] for name in _RANGES}
    look_back = config.snapshots.look_back.microseconds
    half_lives = [NONE, *(_written(look_back // share) for share in _SHARES)]
    half_lives += [str(settings[HALF_LIFE]) for settings in known]
    numbers = {name: spread.reaching(values[name]) if known else spread for name, spread in _RANGES.items()}
    return Space(numbers, tuple(dict.fromkeys(half_lives)))


def _written(length: int) -> str:
    """Write a length in the longest unit of which it holds at least two.

    >>> _written(91 * DAY + 6 * HOUR), _written(90 * MINUTE)
    ('91d', '90m')
    """
    for unit, letter in ((DAY, "d"), (HOUR, "h")):
        if length >= 2 * unit:
            return f"{round(length / unit)}{letter}"
    return f"{max(1, round(length / MINUTE))}m"


def settings_of(config: Config) -> Settings:
    """Read the settings that a search may change."""
    half_life = config.training.recency_half_life
    model = {name: getattr(config.model, name.removeprefix("model.")) for name in _RANGES}
    return {**model, HALF_LIFE: NONE if half_life is None else str(half_life)}


def with_settings(config: Config, settings: Settings) -> Config:
    """Put settings into a configuration; those that are not given stay."""
    model = {name.removeprefix("model."): value for name, value in settings.items() if name in _RANGES}
    changes = {"model": config.model.model_copy(update=model)}
    if HALF_LIFE in settings:
        written = str(settings[HALF_LIFE])
        half_life = None if written == NONE else Duration.parse(written)
        training = config.training.model_copy(update={"recency_half_life": half_life})
        return config.model_copy(update={**changes, "training": training})
    return config.model_copy(update=changes)


def as_yaml(settings: Settings) -> str:
    """Write the sections `model` and `training` with these settings, as they stand in a configuration.

    >>> print(as_yaml({"model.trees": 80, HALF_LIFE: NONE}), end="")
    model:
      trees: 80
    training:
      recency_half_life:  # none: every snapshot counts alike
    """
    lines: list[str] = []
    for name, value in settings.items():
        section, _, key = name.partition(".")
        if f"{section}:" not in lines:
            lines.append(f"{section}:")
        none = name == HALF_LIFE and value == NONE
        lines.append(f"  {key}:  # none: every snapshot counts alike" if none else f"  {key}: {value}")
    return "\n".join(lines) + "\n"


def earlier_origins(first: int, final: int, config: Config, number: int) -> tuple[Split, ...]:
    """Lay the origins to search at, so that nothing of them is known later than the final origin.

    At each of them some snapshots have matured for every horizon, or nobody could learn it then. Their cohorts have
    matured at the final origin for the longest horizon that the past is long enough for; with fewer origins than are
    wanted only where no horizon leaves room for as many; none where it leaves room for none.

    Args:
        first: The first moment with a lead at risk.
        final: The origin that is kept out.
        config: Horizons and grid.
        number: How many origins are wanted.
    """
    spacing, late = config.snapshots.spacing.microseconds, config.outcomes.known_within.microseconds
    able = first + config.horizons[-1].microseconds + late + spacing  # from then on all horizons can be learned
    found = []
    for horizon in reversed(config.horizons):
        closing = horizon.microseconds + late
        # Origins lie in the newer half of the past that is given; with this one, that half begins when they are able.
        since = max(first, 2 * able - (final - closing))
        found.append(rolling_origins(since, final, spacing, closing, number))
    return max(found, key=len)


@dataclass(frozen=True)
class Origin:
    """An origin with its features and labels: what there was to learn from then, and the cohort after it.

    Every snapshot of `gathered` counts alike, whatever the configured half-life. `accounts` has the account of each
    lead that has one.
    """

    as_of: int
    gathered: Gathered
    cohort: Examples
    accounts: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of its features."""
        return self.gathered.examples.matrix.nbytes + self.cohort.matrix.nbytes


def prepare(read: Reader, config: Config, split: Split, seen_from: int) -> Origin | None:
    """Compute the features of an origin, and of its cohort with what came true by a moment.

    None where there was too little to learn from, or nothing of the cohort has matured.
    """
    try:
        gathered = gather(read, with_settings(config, {HALF_LIFE: NONE}), split.origin)
    except DataError:
        return None
    accounts: dict[str, str] = {}
    buckets = note_accounts(read(seen_from), accounts)
    cohort = train.assemble(buckets, gathered.vocabulary, config, split.moments, seen_from)
    return Origin(split.origin, gathered, cohort, accounts) if cohort.labels.matured.any() else None


def chances(origin: Origin, config: Config) -> Floats:
    """Fit the recipe of a configuration at an origin and return P(converted by each horizon) of its cohort.

    Not calibrated. The shape is the configured one, or a hazard where that is left open.
    """
    half_life = config.training.recency_half_life
    examples = train.aged(origin.gathered.examples, origin.as_of, half_life.microseconds if half_life else None)
    return fit(replace(origin.gathered, examples=examples), config).model.readiness(origin.cohort.matrix)


def losses(origin: Origin, p: Floats) -> tuple[float, ...]:
    """Return the mean log-loss of the cohort's matured snapshots: one per horizon, NaN where none has matured."""
    matured = origin.cohort.labels.matured
    found = log_losses(origin.cohort.labels.by_horizon, p)
    return tuple(
        float(column[rows].mean()) if rows.any() else float("nan")
        for column, rows in zip(found.T, matured.T, strict=True)
    )


def overall(by_origin: Sequence[Sequence[float]]) -> float:
    """Average log-losses over the horizons of each origin that could be judged, then over the origins.

    >>> overall([(0.25, 0.75), (1.0, float("nan"))])
    0.75
    """
    return float(np.mean([np.nanmean(by_horizon) for by_horizon in by_origin]))


@dataclass(frozen=True)
class Final:
    """Configured settings against the best found, at the origin that was kept out of the search.

    Attributes:
        configured, best: Log-loss per horizon.
        change: Mean over the horizons of the best's log-loss minus the configured's.
        sd: Its standard deviation, leads or accounts drawn anew (see `paired_log_loss`).
    """

    configured: tuple[float, ...]
    best: tuple[float, ...]
    change: float
    sd: float

    @property
    def is_noise(self) -> bool:
        """Whether the change is less than two standard deviations."""
        return not abs(self.change) > _SURE * self.sd

    @property
    def is_better(self) -> bool:
        """Whether the best settings lower the log-loss by more than noise."""
        return self.change < 0 and not self.is_noise


def judge_final(origin: Origin, config: Config, best: Settings) -> Final:
    """Fit the configured settings and the best found at the origin kept out, and compare what came true."""
    found = {"configured": chances(origin, config), "best": chances(origin, with_settings(config, best))}
    labels = origin.cohort.labels
    cohort = Cohort(
        origin.as_of,
        [str(lead) for lead in origin.cohort.lead_id],
        origin.cohort.as_of,
        labels.by_horizon,
        labels.matured,
        found,
        account_id=[origin.accounts.get(str(lead)) for lead in origin.cohort.lead_id],
    )
    change, sd = paired_log_loss([cohort], "best", "configured", config.seed)
    return Final(losses(origin, found["configured"]), losses(origin, found["best"]), change, sd)
