"""Training: small, regularised trees on the margin of the smooth base."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from leadscore.config import Config
from leadscore.config import Model as ModelSettings
from leadscore.features.matrix import catalogue, compute
from leadscore.features.view import Matrix, looks
from leadscore.features.vocabulary import Vocabulary
from leadscore.history import History, Leads
from leadscore.labels import Labels, label
from leadscore.model.base import Base, Directions, fit_base
from leadscore.model.baselines import rfm_inputs
from leadscore.model.bundle import with_interval
from leadscore.snapshots import Snapshots, at_risk
from leadscore.timeline import Moments

Bucket = tuple[Leads, History]


@dataclass(frozen=True)
class Examples:
    """One row per snapshot: what was visible then, and what came of it.

    Attributes:
        lead_id: Whose snapshot it is.
        as_of: Looked at from this moment.
        matrix: Features.
        rfm: Inputs of the baselines.
        labels: What came of it.
    """

    lead_id: npt.NDArray[np.object_]
    as_of: Moments
    matrix: Matrix
    rfm: Matrix
    labels: Labels

    def __len__(self) -> int:
        return len(self.as_of)

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


def assemble(
    buckets: Iterable[Bucket], vocabulary: Vocabulary, config: Config, moments: Moments, seen_from: int
) -> Examples:
    """Compute features and labels of every lead at risk on a grid of moments, bucket by bucket.

    Args:
        buckets: What was known at `seen_from`.
        vocabulary: Frozen words.
        config: Horizons and rules of being at risk.
        moments: The grid, ascending.
        seen_from: Labels are as of this moment.
    """
    horizons = np.array([horizon.microseconds for horizon in config.horizons], dtype=np.int64)
    # An interval that has closed may still hide a conversion nobody has told us of yet.
    settled = seen_from - config.outcomes.known_within.microseconds
    parts: list[Examples] = []
    for leads, history in buckets:
        snapshots = at_risk_on(config, leads, moments)
        computed = [(compute(view, vocabulary), rfm_inputs(view)) for view in looks(leads, history, snapshots)]
        matrix, rfm = (np.concatenate(blocks) for blocks in zip(*computed, strict=True))
        parts.append(
            Examples(
                lead_id=np.array(leads.lead_id, dtype=object)[snapshots.lead],
                as_of=snapshots.as_of,
                matrix=matrix,
                rfm=rfm,
                labels=label(snapshots.as_of, leads.converted_at[snapshots.lead], horizons, settled),
            )
        )
    return _stack(parts)


def _stack(parts: Sequence[Examples]) -> Examples:
    """Put the buckets together, sorted by (as_of, lead_id): an order that does not depend on the buckets."""
    lead_id = np.concatenate([part.lead_id for part in parts])
    as_of = np.concatenate([part.as_of for part in parts])
    order = np.lexsort((lead_id.astype(str), as_of))
    names = ("by_horizon", "matured", "in_interval", "teaches")
    labels = {name: np.concatenate([getattr(part.labels, name) for part in parts])[order] for name in names}
    return Examples(
        lead_id=lead_id[order],
        as_of=as_of[order],
        matrix=np.concatenate([part.matrix for part in parts])[order],
        rfm=np.concatenate([part.rfm for part in parts])[order],
        labels=Labels(**labels),
    )


def fit_hazard(examples: Examples, vocabulary: Vocabulary, settings: ModelSettings, seed: int) -> tuple[Base, str]:
    """Fit the hazard over (snapshot, interval) rows that teach; return the base and the trees as text."""
    labels, features = examples.labels, catalogue(vocabulary)
    skewed = np.array([feature.skewed for feature in features], dtype=np.bool_)
    directions = np.array([feature.direction for feature in features], dtype=np.int8)
    base = fit_base(examples.matrix, labels.in_interval, labels.teaches, skewed, directions, settings.base_c)
    margins = base.margins(examples.matrix)
    intervals = range(margins.shape[1])
    rows = [np.flatnonzero(labels.teaches[:, number]) for number in intervals]
    stacked = np.concatenate([with_interval(examples.matrix[rows[number]], number) for number in intervals])
    hits = np.concatenate([labels.in_interval[rows[number], number] for number in intervals])
    start = np.concatenate([margins[rows[number], number] for number in intervals])
    return base, fit_trees(stacked, hits, start, directions, settings, seed)


def fit_trees(
    stacked: Matrix,
    hits: npt.NDArray[np.bool_],
    start: npt.NDArray[np.float64],
    directions: Directions,
    settings: ModelSettings,
    seed: int,
) -> str:
    """Fit the trees from the base's margin; the same input gives the same text whatever the number of threads.

    Args:
        stacked: One row per (snapshot, interval); the last column is the number of the interval.
        hits: Converted in the interval.
        start: Margin of the base.
        directions: Which way each feature, the interval apart, may push: 1, -1, or 0 for either.
        settings: Size and regularisation.
        seed: Of the draw of features per tree.
    """
    parameters: dict[str, Any] = {
        "objective": "binary",
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        # On little data a fixed floor would forbid every split.
        "min_data_in_leaf": int(min(settings.min_rows_per_leaf, max(5, len(stacked) // 50))),
        "lambda_l2": settings.l2,
        "feature_fraction": settings.column_share,
        "max_bin": 127,
        "seed": seed,
        "deterministic": True,
        # Each feature's sums are made by one thread, so their rounding does not depend on the number of threads.
        "force_col_wise": True,
        "verbosity": -1,
    }
    if directions.any():
        # Of the three methods only `basic` is simple enough to be trusted: below a split on such a feature the leaves
        # of both sides stay on their side of the middle. Models by `advanced` have been found to break their word
        # (LightGBM's issues 5358 and 6155).
        parameters |= {"monotone_constraints": [*directions.tolist(), 0], "monotone_constraints_method": "basic"}
    # LightGBM refuses names with quotes or colons; ours live in the bundle.
    names = [f"f{number}" for number in range(stacked.shape[1])]
    data = lgb.Dataset(stacked, label=hits.astype(np.float64), init_score=start, feature_name=names, free_raw_data=True)
    booster = lgb.train(parameters, data, num_boost_round=settings.trees)
    return str(booster.model_to_string(num_iteration=-1))
