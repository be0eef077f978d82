"""Learn from a flat export, and judge what was learned: in the order of the rows, or at random where there is none.

The model is the dated one's: trees on the margin of a smooth base, with one output, the chance of a yes. Where rows
have an order the newest teach, older ones count less, and the trees (not the base, which would draw the line on) also
see how many rows back each lies; asked about a lead, they answer as of now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from leadscore.config.flat import FlatConfig
from leadscore.features.view import Matrix
from leadscore.flat.columns import Encoding, Ints, Texts, encode, settle
from leadscore.flat.lessons import Lessons
from leadscore.labels import Flags
from leadscore.model.backtest import MODEL, Cohort, summarise, tabulate
from leadscore.model.base import Base, Directions, Floats, fit_base
from leadscore.model.fitted import Fitted
from leadscore.model.train import fit_trees, penalties, stack

ANSWER = "yes"
"""Name of the only horizon there is."""
BASELINES = ("logit_all", "lightgbm", "prior")
_PENALTY = 0.01  # of the logistic regression, as of the dated baseline `logit_all`
_RANDOM_FOLDS = 5
_FEWEST_FOLDS = 4
_MOST_FOLDS = 50


@dataclass(frozen=True)
class Learned:
    """A model of a flat export.

    Attributes:
        encoding: From columns to the matrix.
        fitted: Base and trees.
        aged: Its last feature is how many rows back a row lies; 0 for whoever is asked about.
    """

    encoding: Encoding
    fitted: Fitted
    aged: bool

    def matrix(self, columns: Mapping[str, Texts], rows: Ints) -> Matrix:
        """Return what the model sees of some rows: float32, one row each."""
        own = encode(columns, self.encoding, rows)
        return np.column_stack([own, np.zeros(len(own), dtype=np.float32)]) if self.aged else own

    def chances(self, columns: Mapping[str, Texts], rows: Ints) -> Floats:
        """Return the chance of a yes, not calibrated: one value per row."""
        chances: Floats = self.fitted.readiness(self.matrix(columns, rows))[:, 0]
        return chances


def learn(lessons: Lessons, rows: Ints, config: FlatConfig) -> Learned:
    """Fit a model on some rows; where there is an order they ascend, and the last is the newest."""
    encoding = settle(lessons.columns, lessons.kinds, rows, config.flat.top_categories)
    matrix = encode(lessons.columns, encoding, rows)
    weight = _weight(len(rows), config.flat.half_life if lessons.ordered else None)
    if lessons.ordered:
        matrix = np.column_stack([matrix, _rows_back(len(rows)).astype(np.float32)])
    return Learned(encoding, _fit(matrix, lessons.hits[rows], weight, config, aged=lessons.ordered), lessons.ordered)


def _rows_back(rows: int) -> Floats:
    """Count back from who comes next: the newest row lies one back."""
    return np.arange(rows, 0, -1, dtype=np.float64)


def _weight(rows: int, half_life: float | None) -> Floats:
    """Let a row count half for every half-life it lies back, the mean weight being 1."""
    weight = np.ones(rows) if half_life is None else np.exp2((1 - _rows_back(rows)) / half_life)
    mean_one: Floats = weight * (rows / weight.sum())
    return mean_one


def _fit(matrix: Matrix, hits: Flags, weight: Floats, config: FlatConfig, *, aged: bool) -> Fitted:
    seen = matrix.copy()
    if aged:
        seen[:, -1] = 0.0  # the same in each row: the base leaves it out
    base, directions = _fit_base(seen, hits, weight, config.model.base_l2), _no_directions(matrix)
    start = base.margins(matrix)[:, 0]
    stacked = stack(matrix, [np.arange(len(hits))])
    return Fitted("per_horizon", base, fit_trees(stacked, hits, start, weight, directions, config.model, config.seed))


def _fit_base(matrix: Matrix, hits: Flags, weight: Floats, strength: float) -> Base:
    """Fit the base by weight, on features scaled without: what hardly moved lately must not look wide and fast."""
    taught = (hits[:, None], np.ones((len(hits), 1), dtype=np.bool_))
    penalty = penalties(taught, weight, np.arange(len(hits)).astype(object), strength)
    skewed, directions = _no_flags(matrix), _no_directions(matrix)
    return fit_base(matrix, *taught, skewed, directions, penalty, weight, scaled_by=np.ones(len(hits)))


def _no_flags(matrix: Matrix) -> Flags:
    return np.zeros(matrix.shape[1], dtype=np.bool_)


def _no_directions(matrix: Matrix) -> Directions:
    return np.zeros(matrix.shape[1], dtype=np.int8)


# ---- judging -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fold:
    """Rows that teach, and rows that are asked about."""

    train: Ints
    test: Ints


def plan_folds(rows: int, config: FlatConfig, *, ordered: bool) -> list[Fold]:
    """Plan how a model is judged.

    In order: train on the newest `window` rows, predict the next `step`, go on by as many; the newest 50 times. With
    less than a window and four steps, on the older half first and in smaller steps. Without order: in five random
    parts, each predicted by a model of the others.
    """
    if not ordered:
        part = np.random.default_rng(config.seed).permutation(rows) % _RANDOM_FOLDS
        return [Fold(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(_RANDOM_FOLDS)]
    window = config.flat.window
    first = min(window, rows // 2)
    step = min(config.flat.step, max(1, (rows - first) // _FEWEST_FOLDS))
    origins = list(range(first, rows, step))[-_MOST_FOLDS:]
    return [Fold(np.arange(max(0, at - window), at), np.arange(at, min(at + step, rows))) for at in origins]


def judge_fold(lessons: Lessons, fold: Fold, config: FlatConfig, number: int) -> Cohort | None:
    """Train on the one part and predict the other, beside the baselines; None when the one has but one answer.

    The baselines: a regularised logistic regression on everything, trees of the same size without a base, and the rate
    of the rows that teach.
    """
    taught = lessons.hits[fold.train]
    if not taught.any() or taught.all():
        return None
    learned = learn(lessons, fold.train, config)
    chances = {MODEL: learned.chances(lessons.columns, fold.test)}
    matrix, asked = (encode(lessons.columns, learned.encoding, rows) for rows in (fold.train, fold.test))
    chances |= _baselines(matrix, taught, asked, config)
    return Cohort(
        origin=number,
        lead_id=[lessons.lead_id[row] for row in fold.test],
        as_of=np.full(len(fold.test), number, dtype=np.int64),
        hits=lessons.hits[fold.test][:, None],
        matured=np.ones((len(fold.test), 1), dtype=np.bool_),
        chances={name: p[:, None] for name, p in chances.items()},
    )


def _baselines(matrix: Matrix, hits: Flags, asked: Matrix, config: FlatConfig) -> dict[str, Floats]:
    outcomes, teaches = hits[:, None], np.ones((len(hits), 1), dtype=np.bool_)
    skewed, directions = _no_flags(matrix), _no_directions(matrix)
    even, rate = np.ones(len(hits)), float(hits.mean())
    with threadpool_limits(1):  # sums of several threads depend on their number
        logit = fit_base(matrix, outcomes, teaches, skewed, directions, (_PENALTY,), even)
    constant = fit_base(np.zeros_like(matrix), outcomes, teaches, skewed, directions, (_PENALTY,), even)
    start = constant.margins(matrix)[:, 0]
    stacked = stack(matrix, [np.arange(len(hits))])
    trees = fit_trees(stacked, hits, start, even, directions, config.model, config.seed)
    return {
        "logit_all": expit(logit.margins(asked)[:, 0]),
        "lightgbm": Fitted("per_horizon", constant, trees).readiness(asked)[:, 0],
        "prior": np.full(len(asked), rate),
    }


def tell(cohorts: Sequence[Cohort], config: FlatConfig) -> dict[str, Any]:
    """Tell how good the model was on all rows it was asked about, as JSON can hold it (but for NaN).

    Returns:
        - figures: per model or baseline, over the predictions of all folds together, where it helps to follow a moving
          rate; with intervals from draws of leads;
        - per_fold: the mean over folds of what each gives by itself;
        - beaten: where a baseline beats the model beyond the interval of the difference;
        - folds: of each, rows, conversions, the mean chance promised, AUC and log-loss;
        - draws, level: how often leads were drawn, and how much of that an interval holds.
    """
    whole = tabulate([_together(cohorts)], [ANSWER], None, config.seed)
    return {
        "figures": whole["horizons"][ANSWER],
        "per_fold": summarise(cohorts, [ANSWER], None)[ANSWER],
        "beaten": [{key: line[key] for key in line if key != "horizon"} for line in whole["beaten"]],
        "folds": list(_each(cohorts)),
        "draws": whole["draws"],
        "level": whole["level"],
    }


def _together(cohorts: Sequence[Cohort]) -> Cohort:
    return Cohort(
        origin=cohorts[0].origin,
        lead_id=[lead for cohort in cohorts for lead in cohort.lead_id],
        as_of=np.concatenate([cohort.as_of for cohort in cohorts]),
        hits=np.concatenate([cohort.hits for cohort in cohorts]),
        matured=np.concatenate([cohort.matured for cohort in cohorts]),
        chances={name: np.concatenate([cohort.chances[name] for cohort in cohorts]) for name in cohorts[0].chances},
    )


def _each(cohorts: Sequence[Cohort]) -> Iterator[dict[str, Any]]:
    for cohort in cohorts:
        found = summarise([cohort], [ANSWER], None)[ANSWER][MODEL]
        yield {
            "fold": cohort.origin,
            **{name: found[name] for name in ("rows", "conversions", "base_rate", "auc", "log_loss")},
            "promised": float(cohort.chances[MODEL].mean()),
        }
