"""Training: small, regularised trees on the margin of the smooth base."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from leadscore.config import Config, Trees
from leadscore.features import plain
from leadscore.features.matrix import catalogue, compute
from leadscore.features.view import Matrix, looks
from leadscore.features.vocabulary import Vocabulary
from leadscore.history import History, Leads
from leadscore.labels import Flags, Labels, label
from leadscore.model.base import Directions, Floats, fit_base
from leadscore.model.baselines import Lesson, inputs
from leadscore.model.fitted import Fitted
from leadscore.model.lots import HIGHEST, draw_lots, number_leads
from leadscore.model.shape import Shape, lessons
from leadscore.snapshots import Snapshots, at_risk
from leadscore.timeline import Moments

Bucket = tuple[Leads, History]

_NO_FACTS: Matrix = np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class Examples:
    """One row per snapshot: what was visible then, and what came of it.

    Attributes:
        lead_id: Whose snapshot it is.
        as_of: Looked at from this moment.
        matrix: Features.
        simple: Inputs of the simple baselines.
        labels: What came of it.
        weight: How many snapshots it stands for; one where nothing was thinned.
        segments: Declared attributes: the value known at the moment, empty where there is none.
        facts: Plain facts (see `features.plain`); empty where nobody asked for them.
    """

    lead_id: npt.NDArray[np.object_]
    as_of: Moments
    matrix: Matrix
    simple: Matrix
    labels: Labels
    weight: Floats
    segments: Mapping[str, npt.NDArray[np.object_]] = field(default_factory=dict)
    facts: Matrix = field(default_factory=lambda: _NO_FACTS)

    def __len__(self) -> int:
        return len(self.as_of)

    def take(self, rows: npt.NDArray[np.int64]) -> Examples:
        """Select snapshots."""
        return Examples(
            self.lead_id[rows],
            self.as_of[rows],
            self.matrix[rows],
            self.simple[rows],
            self.labels.take(rows),
            self.weight[rows],
            {name: words[rows] for name, words in self.segments.items()},
            self.facts[rows] if len(self.facts) else self.facts,
        )

    def converted_leads(self) -> int:
        """Count the leads with a conversion in an interval that has closed."""
        hit = (self.labels.in_interval & self.labels.teaches).any(axis=1)
        return len(np.unique(self.lead_id[hit].astype(str)))


def at_risk_on(config: Config, leads: Leads, moments: Moments) -> Snapshots:
    """List the snapshots of leads at risk, by the rules of the configuration."""
    max_age = config.at_risk.max_age
    return at_risk(
        leads, moments, config.at_risk.closes_after.microseconds, None if max_age is None else max_age.microseconds
    )


@dataclass(frozen=True)
class Thinning:
    """Which snapshots teach: all that converted, and a share of the others, each standing for 1 / share of them."""

    share: float
    seed: int

    @classmethod
    def to(cls, most: int, converting: int, others: int, seed: int) -> Thinning:
        """Thin to so many rows; to twice the converting ones where that is more."""
        wanted = max(most - converting, converting)
        return cls(min(1.0, wanted / others) if others else 1.0, seed)

    def keep(self, leads: Leads, snapshots: Snapshots, converting: Flags) -> tuple[Flags, Floats]:
        """Tell which snapshots to keep, and how many each of them stands for."""
        if self.share >= 1:
            return np.ones(len(snapshots), dtype=np.bool_), np.ones(len(snapshots))
        lots = draw_lots(number_leads(leads.lead_id, self.seed)[snapshots.lead], snapshots.as_of)
        kept = np.asarray(converting | (lots < self.share * HIGHEST), dtype=np.bool_)
        return kept, np.where(converting, 1.0, 1 / self.share)


def count_snapshots(leads: Leads, config: Config, moments: Moments, seen_from: int) -> tuple[int, int]:
    """Count the snapshots of a bucket that teach: those that converted in a closed interval, and the others."""
    snapshots = at_risk_on(config, leads, moments)
    labels = _label(leads, snapshots, config, seen_from)
    converting = int(_converting(labels).sum())
    return converting, int(labels.teaches.any(axis=1).sum()) - converting


def assemble(
    buckets: Iterable[Bucket],
    vocabulary: Vocabulary,
    config: Config,
    moments: Moments,
    seen_from: int,
    thinning: Thinning | None = None,
    *,
    with_facts: bool = False,
) -> Examples:
    """Compute features and labels of the leads at risk on a grid of moments, bucket by bucket.

    Args:
        buckets: What was known at `seen_from`.
        vocabulary: Frozen words.
        config: Horizons and rules of being at risk.
        moments: The grid, ascending.
        seen_from: Labels are as of this moment.
        thinning: Which snapshots to keep of those that teach; every snapshot, those that teach nothing too, without.
        with_facts: Count the plain facts, too, which reasons tell.
    """
    parts: list[Examples] = []
    for leads, history in buckets:
        snapshots = at_risk_on(config, leads, moments)
        labels, weight = _label(leads, snapshots, config, seen_from), np.ones(len(snapshots))
        if thinning is not None:
            kept, weight = thinning.keep(leads, snapshots, _converting(labels))
            rows = np.flatnonzero(kept & labels.teaches.any(axis=1))
            snapshots = Snapshots(snapshots.lead[rows], snapshots.as_of[rows])
            labels, weight = labels.take(rows), weight[rows]
        views = looks(leads, history, snapshots)
        computed = [
            (
                compute(view, vocabulary),
                inputs(view, vocabulary),
                plain.compute(view, vocabulary) if with_facts else _NO_FACTS,
            )
            for view in views
        ]
        matrix, simple, facts = (np.concatenate(blocks) for blocks in zip(*computed, strict=True))
        parts.append(
            Examples(
                lead_id=np.array(leads.lead_id, dtype=object)[snapshots.lead],
                as_of=snapshots.as_of,
                matrix=matrix,
                simple=simple,
                labels=labels,
                weight=weight,
                segments={name: _segment(leads, snapshots, name) for name in config.backtest.segments},
                facts=facts,
            )
        )
    return _sorted(parts)


def _label(leads: Leads, snapshots: Snapshots, config: Config, seen_from: int) -> Labels:
    horizons = np.array([horizon.microseconds for horizon in config.horizons], dtype=np.int64)
    # An interval that has closed may still hide a conversion nobody has told us of yet.
    settled = seen_from - config.outcomes.known_within.microseconds
    return label(snapshots.as_of, leads.converted_at[snapshots.lead], horizons, settled)


def _converting(labels: Labels) -> Flags:
    return np.asarray((labels.in_interval & labels.teaches).any(axis=1), dtype=np.bool_)


def _segment(leads: Leads, snapshots: Snapshots, name: str) -> npt.NDArray[np.object_]:
    """Return an attribute as it was known at each snapshot; empty where there was none."""
    words = np.array([*(version.get(name, "") for version in leads.attributes), ""], dtype=object)
    return words[leads.versions_at(snapshots.lead, snapshots.as_of)]


def _sorted(parts: Sequence[Examples]) -> Examples:
    """Put the buckets together, sorted by (as_of, lead_id): an order that does not depend on the buckets."""
    lead_id = np.concatenate([part.lead_id for part in parts])
    as_of = np.concatenate([part.as_of for part in parts])
    order = np.lexsort((lead_id.astype(str), as_of))
    facts = np.concatenate([part.facts for part in parts])
    names = ("by_horizon", "matured", "in_interval", "teaches")
    labels = {name: np.concatenate([getattr(part.labels, name) for part in parts])[order] for name in names}
    return Examples(
        lead_id=lead_id[order],
        as_of=as_of[order],
        matrix=np.concatenate([part.matrix for part in parts])[order],
        simple=np.concatenate([part.simple for part in parts])[order],
        labels=Labels(**labels),
        weight=np.concatenate([part.weight for part in parts])[order],
        segments={name: np.concatenate([part.segments[name] for part in parts])[order] for name in parts[0].segments},
        facts=facts[order] if len(facts) else facts,
    )


def aged(examples: Examples, as_of: int, half_life: int | None) -> Examples:
    """Let a snapshot count half for every half-life it lies back; the mean weight stays."""
    if half_life is None:
        return examples
    lies_back = (as_of - examples.as_of) / half_life
    weight = examples.weight * np.exp2(lies_back.min() - lies_back)  # the newest count in full: they never fade away
    return replace(examples, weight=weight * examples.weight.sum() / weight.sum())


def fit(examples: Examples, vocabulary: Vocabulary, settings: Trees, shape: Shape, seed: int) -> Fitted:
    """Fit base and trees on the rows that teach: the trees see every output, and which one it is."""
    features = catalogue(vocabulary)
    skewed = np.array([feature.skewed for feature in features], dtype=np.bool_)
    directions = np.array([feature.direction for feature in features], dtype=np.int8)
    taught = lessons(examples.labels, shape)
    penalty = penalties(taught, examples.weight, examples.lead_id, settings.base_l2)
    return fit_matrix(examples.matrix, taught, examples.weight, skewed, directions, penalty, settings, shape, seed)


def lesson(examples: Examples, vocabulary: Vocabulary, settings: Trees, seed: int) -> Lesson:
    """Gather what the baselines learn from: the same rows as the model, and trees of the same size."""
    return Lesson(
        simple=examples.simple,
        matrix=examples.matrix,
        skewed=np.array([feature.skewed for feature in catalogue(vocabulary)], dtype=np.bool_),
        labels=examples.labels,
        weight=examples.weight,
        parameters=tree_parameters(settings, len(examples), seed),
        trees=settings.trees,
    )


def penalties(
    taught: tuple[Flags, Flags], weight: Floats, lead_id: npt.NDArray[np.object_], strength: float
) -> tuple[float, ...]:
    """Return the base's penalty on the mean loss of each output: λ = strength x rate (1 - rate) / converted leads.

    A lead has many snapshots, which say nearly the same. So a lead that converted counts once: the loss of all rows is
    multiplied by converted leads / converted rows, and `strength` is the penalty beside that.
    """
    found = []
    for hits, rows in zip(taught[0].T, taught[1].T, strict=True):
        rate = float(weight[rows] @ hits[rows] / max(weight[rows].sum(), 1.0))
        leads = len(set(lead_id[rows & hits]))
        found.append(strength * rate * (1 - rate) / max(leads, 1))
    return tuple(found)


def fit_matrix(
    matrix: Matrix,
    taught: tuple[Flags, Flags],
    weight: Floats,
    skewed: Flags,
    directions: Directions,
    penalty: Sequence[float],
    settings: Trees,
    shape: Shape,
    seed: int,
) -> Fitted:
    """Fit base and trees on a matrix.

    Args:
        matrix: One row per snapshot.
        taught: Outcomes, and the rows that have something to say of them: one column per output.
        weight: How many snapshots each row stands for.
        skewed: Features seen through their logarithm.
        directions: Which way each feature may push: 1, -1, or 0 for either.
        penalty: Of the base, one per output (see `penalties`).
        settings: Size and regularisation of the trees.
        shape: How the outputs make a curve.
        seed: Of the draw of features per tree.
    """
    outcomes, teaches = taught
    base = fit_base(matrix, outcomes, teaches, skewed, directions, penalty, weight)
    rows = [np.flatnonzero(column) for column in teaches.T]
    start = base.margins(matrix)
    trees = fit_trees(
        stack(matrix, rows),
        np.concatenate([outcomes[of, number] for number, of in enumerate(rows)]),
        np.concatenate([start[of, number] for number, of in enumerate(rows)]),
        np.concatenate([weight[of] for of in rows]),
        directions,
        settings,
        seed,
    )
    return Fitted(shape, base, trees)


def stack(matrix: Matrix, rows: Sequence[npt.NDArray[np.int64]]) -> Matrix:
    """Put the rows of each output one below the other, the number of the output as the last column."""
    stacked = np.empty((sum(map(len, rows)), matrix.shape[1] + 1), dtype=np.float32)
    beyond = np.cumsum([len(of) for of in rows])
    for number, (of, end) in enumerate(zip(rows, beyond, strict=True)):
        part = stacked[end - len(of) : end]
        np.take(matrix, of, axis=0, out=part[:, :-1], mode="clip")
        part[:, -1] = number
    return stacked


def fit_trees(
    stacked: Matrix,
    hits: Flags,
    start: Floats,
    weight: Floats,
    directions: Directions,
    settings: Trees,
    seed: int,
) -> str:
    """Fit the trees from the base's margin; the same input gives the same text whatever the number of threads.

    Args:
        stacked: One row per (snapshot, output); the last column is the number of the output.
        hits: Converted in the interval, or by the horizon.
        start: Margin of the base.
        weight: How many rows each row stands for.
        directions: Which way each feature, the output's number apart, may push: 1, -1, or 0 for either.
        settings: Size and regularisation.
        seed: Of the draw of features per tree.
    """
    # LightGBM takes what is not a number, and makes a model of it.
    assert np.isfinite(start).all() and np.isfinite(weight).all(), "margins and weights are finite"  # noqa: PT018 - one fact
    parameters = tree_parameters(settings, len(stacked), seed)
    if directions.any():
        # Of the three methods only `basic` is simple enough to be trusted: below a split on such a feature the leaves
        # of both sides stay on their side of the middle. Models by `advanced` have been found to break their word
        # (LightGBM's issues 5358 and 6155).
        parameters |= {"monotone_constraints": [*directions.tolist(), 0], "monotone_constraints_method": "basic"}
    # LightGBM refuses names with quotes or colons; ours live in the bundle.
    names = [f"f{number}" for number in range(stacked.shape[1])]
    data = lgb.Dataset(
        stacked,
        label=hits.astype(np.float64),
        weight=None if (weight == 1.0).all() else weight,
        init_score=start,
        feature_name=names,
        free_raw_data=True,
    )
    booster = lgb.train(parameters, data, num_boost_round=settings.trees)
    return str(booster.model_to_string(num_iteration=-1))


def tree_parameters(settings: Trees, rows: int, seed: int) -> dict[str, Any]:
    """Return LightGBM's parameters for some rows."""
    return {
        "objective": "binary",
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        # On little data a fixed floor would forbid every split.
        "min_data_in_leaf": int(min(settings.min_rows_per_leaf, max(5, rows // 50))),
        "lambda_l2": settings.l2,
        "feature_fraction": settings.column_share,
        "max_bin": 127,
        "seed": seed,
        "deterministic": True,
        # Each feature's sums are made by one thread, so their rounding does not depend on the number of threads.
        "force_col_wise": True,
        "verbosity": -1,
    }
