"""What moves a model, concept by concept, on a cohort it had not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadscore.features.view import Matrix
from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle
from leadscore.model.calibrate import log_losses
from leadscore.model.explain import explain
from leadscore.model.fitted import with_output
from leadscore.model.shape import Shape, curve

Rows = npt.NDArray[np.int64]

_ROWS = 5000
_LOOKED_AT = 1000  # snapshots whose contributions are split; exact Shapley values take longest
_TOP = 20
_REPEATS = 3


@dataclass(frozen=True)
class Sample:
    """Some matured snapshots of a cohort; nothing of it says whose they are.

    Attributes:
        matrix: Features: one row per snapshot.
        hits: Converted within the horizon.
        weight: How many snapshots of the cohort each stands for.
        horizon: The column of the horizon.
    """

    matrix: Matrix
    hits: Flags
    weight: Floats
    horizon: int


@dataclass(frozen=True)
class Late:
    """The models of one origin, by the name of their shape, and some of the snapshots after it."""

    bundles: Mapping[Shape, Bundle]
    sample: Sample


@dataclass(frozen=True)
class Influence:
    """What each concept does, the largest mean |contribution| first.

    Attributes:
        concepts: Names: features of one concept differ by their window or half-life.
        increase: How much the log-loss rises when the concept is shuffled (mean over repeats); below 0, noise.
        sd: Its standard deviation over repeats.
        contributions: On the logit scale, of a few snapshots: one row per snapshot, one column per concept.
        place: Where the snapshot stands among them, 0 lowest to 1 highest, by the concept's weightiest feature; NaN
            where that is missing. Shaped as `contributions`.
    """

    concepts: Sequence[str]
    increase: Floats
    sd: Floats
    contributions: Floats
    place: Floats

    @property
    def weight(self) -> Floats:
        """Return the mean |contribution| of each concept."""
        mean: Floats = np.abs(self.contributions).mean(axis=0)
        return mean


def draw_sample(matrix: Matrix, hits: Flags, matured: Flags, horizon: int, seed: int, most: int = _ROWS) -> Sample:
    """Draw at most so many matured rows: half of them hits, where there are so many, because hits are what is rare.

    Args:
        matrix: One row per snapshot.
        hits: Converted by the horizon: one column per horizon.
        matured: Shaped likewise.
        horizon: Which column counts.
        seed: Settles the draw.
        most: How many rows.
    """
    known = np.flatnonzero(matured[:, horizon])
    hit, missed = known[hits[known, horizon]], known[~hits[known, horizon]]
    wanted = min(len(hit), max(most // 2, most - len(missed)))
    chance = np.random.default_rng(seed)
    parts = [_draw(hit, wanted, chance), _draw(missed, most - wanted, chance)]
    rows = np.concatenate(parts)
    shares = [len(all_) / max(len(part), 1) for all_, part in zip((hit, missed), parts, strict=True)]
    return Sample(matrix[rows], hits[rows, horizon], np.repeat(shares, [len(part) for part in parts]), horizon)


def _draw(rows: Rows, most: int, chance: np.random.Generator) -> Rows:
    return rows if len(rows) <= most else np.sort(chance.choice(rows, most, replace=False))


def weigh_concepts(
    bundle: Bundle, sample: Sample, seed: int, top: int = _TOP, repeats: int = _REPEATS
) -> Influence | None:
    """Say what moves a model on rows it had not seen: contributions, and what shuffling a concept costs.

    All columns of a concept are shuffled together over the rows, so that what one window loses another cannot make
    good. The log-loss is that of the uncalibrated chance (Breiman 2001, Random forests; Fisher et al. 2019).

    Args:
        bundle: The model, trained before the cohort.
        sample: Of the cohort; see `draw_sample`.
        seed: Settles the shuffles.
        top: How many concepts, by mean |contribution|.
        repeats: How often each is shuffled.

    Returns:
        None where nothing can be told: no row, or only hits, or none.
    """
    if not sample.hits.any() or sample.hits.all():
        return None
    chance = np.random.default_rng(seed)
    # In proportion to what they stand for, so that the few who converted do not look like many.
    share = sample.weight / sample.weight.sum()
    looked_at = chance.choice(len(share), min(_LOOKED_AT, len(share)), replace=False, p=share)
    by_feature = explain(bundle, sample.matrix[looked_at], sample.horizon).by_feature
    columns = _columns(bundle)
    together = {concept: by_feature[:, of].sum(axis=1) for concept, of in columns.items()}
    names = sorted(columns, key=lambda concept: -float(np.abs(together[concept]).mean()))[:top]
    losses = _Shuffled(bundle, sample)
    whole = losses.of(np.arange(len(sample.hits)), np.zeros(0, dtype=np.int64))
    orders = [chance.permutation(len(sample.hits)) for _ in range(repeats)]
    rises = np.array([[losses.of(order, columns[name]) - whole for order in orders] for name in names])
    return Influence(
        concepts=names,
        increase=rises.mean(axis=1),
        sd=rises.std(axis=1, ddof=1),
        contributions=np.stack([together[name] for name in names], axis=1),
        place=np.stack([_place(sample.matrix[looked_at], by_feature, columns[name]) for name in names], axis=1),
    )


def _columns(bundle: Bundle) -> dict[str, Rows]:
    concepts = np.array([feature.concept for feature in bundle.features], dtype=object)
    return {str(concept): np.flatnonzero(concepts == concept) for concept in dict.fromkeys(concepts)}


class _Shuffled:
    """The log-loss of a sample with some columns taken from other rows; what does not change is computed once."""

    def __init__(self, bundle: Bundle, sample: Sample) -> None:
        self._sample, self._model = sample, bundle.model
        self._outputs = range(sample.horizon + 1)  # later ones have no say at this horizon
        base = bundle.model.base
        self._base = np.stack([base.contributions(sample.matrix, k) for k in self._outputs], axis=1)
        self._used = bundle.model.booster.feature_importance("split")[:-1] > 0
        self._plain = self._trees(sample.matrix)

    def of(self, order: Rows, columns: Rows) -> float:
        """Return the weighted mean log-loss with these columns of row `order[i]` in row i."""
        moved = self._base[:, :, columns]
        base = self._base.sum(axis=2) + (moved[order] - moved).sum(axis=2)
        trees = self._plain
        if self._used[columns].any():
            matrix = self._sample.matrix.copy()
            matrix[:, columns] = matrix[np.ix_(order, columns)]
            trees = self._trees(matrix)
        chances = curve(base + trees, self._model.shape)[:, -1]
        return float(np.average(log_losses(self._sample.hits, chances), weights=self._sample.weight))

    def _trees(self, matrix: Matrix) -> Floats:
        booster = self._model.booster
        outputs = [booster.predict(with_output(matrix, k), raw_score=True, num_threads=0) for k in self._outputs]
        margins: Floats = np.stack(outputs, axis=1)
        return margins


def _place(matrix: Matrix, by_feature: Floats, columns: Rows) -> Floats:
    """Rank the rows by the feature that adds most among these columns: 0 to 1, who ties share a place."""
    weightiest = columns[np.abs(by_feature[:, columns]).mean(axis=0).argmax()]
    value = matrix[:, weightiest]
    known = ~np.isnan(value)
    levels, level = np.unique(value[known], return_inverse=True)
    place = np.full(len(value), np.nan)
    place[known] = level / max(len(levels) - 1, 1)
    return place
