"""How well a column separates those who convert from the rest: alone, and on top of everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from leadscore.features.view import Matrix
from leadscore.features.vocabulary import as_number
from leadscore.history import Rows
from leadscore.labels import Flags

Floats = npt.NDArray[np.float64]

Z90 = 1.6449  # a two-sided interval of 90 %
_BINS = 32
_WORDS = 200
_RARE = 20  # rows; a rarer word tells its own rows by heart
_NUMERIC_SHARE = 0.95
_FOLDS = 3
_PRIOR = 20.0  # rows of the overall rate that each bin starts from
_TREES: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 8,
    "learning_rate": 0.1,
    "max_bin": 63,
    "feature_fraction": 0.5,
    "seed": 1,
    "deterministic": True,
    "force_col_wise": True,
    # Threads that wait for each other take longer than one alone as soon as somebody else wants the machine.
    "num_threads": 1,
    "verbosity": -1,
}
_ROUNDS = 60


@dataclass(frozen=True)
class Column:
    """A column as few whole numbers: bins of equal mass or frequent words, and one more for missing."""

    codes: Rows
    is_words: bool

    def take(self, rows: Rows | Flags) -> Column:
        """Select rows."""
        return Column(self.codes[rows], self.is_words)


def encode(values: npt.NDArray[Any]) -> Column:
    """Reduce a column to bins: numbers (or text that nearly always is one) by quantile, words by themselves.

    Missing (NaN, None, empty text) has a bin of its own, the last; rare words share one.
    """
    if values.dtype.kind in "biuf":
        return Column(_bins(values.astype(np.float64)), is_words=False)
    given = np.array([value is not None and value == value and value != "" for value in values], dtype=np.bool_)  # noqa: PLR0124 - NaN is not itself
    texts = values[given].astype(str)
    numbers = np.array([as_number(text) for text in texts], dtype=np.float64)
    if np.isfinite(numbers).sum() >= _NUMERIC_SHARE * len(texts):
        column = np.full(len(values), np.nan)
        column[given] = numbers
        return Column(_bins(column), is_words=False)
    words, place, counts = np.unique(texts, return_inverse=True, return_counts=True)
    order = np.lexsort((words, -counts))[:_WORDS]
    order = order[counts[order] >= _RARE]
    table = np.full(len(words), len(order))
    table[order] = np.arange(len(order))
    codes = np.full(len(values), len(order) + 1)
    codes[given] = table[place]
    return Column(codes.astype(np.int64), is_words=True)


def _bins(values: Floats) -> Rows:
    there = ~np.isnan(values)
    edges: Any = (
        np.unique(np.quantile(values[there], np.arange(1, _BINS) / _BINS, method="lower")) if there.any() else []
    )
    codes: Rows = np.where(there, np.searchsorted(edges, values, side="left"), len(edges) + 1)
    return codes


def auc(score: Floats, hits: Flags, blocks: Rows) -> float:
    """Return the AUC within blocks: of all pairs of a hit and a miss of one block, the share the score orders right.

    A tie counts half; NaN when no block holds a pair. (Van Elteren's combination, each pair weighing the same.)
    """
    order = np.lexsort((score, blocks))
    block, value, hit = blocks[order], score[order], hits[order].astype(np.float64)
    # Rows of one block and one score are a step; its hits win against the misses below it and half of those on it.
    step = np.flatnonzero(np.append(True, (block[1:] != block[:-1]) | (value[1:] != value[:-1]))[: len(block)])
    if not len(step):
        return float("nan")
    won, all_of = np.add.reduceat(hit, step), np.diff(np.append(step, len(hit)))
    lost = all_of - won
    _, begin, size = np.unique(block[step], return_index=True, return_counts=True)
    below = np.cumsum(lost) - lost
    below -= np.repeat(below[begin], size)
    pairs = np.sum(np.add.reduceat(won, begin) * np.add.reduceat(lost, begin))
    return float(np.sum(won * (below + lost / 2)) / pairs) if pairs else float("nan")


def alone(column: Column, hits: Flags, blocks: Rows) -> float:
    """Return the AUC of a column by itself, whatever its shape: each bin scores the rate of hits of the other folds."""
    score = np.zeros(len(hits))
    bins, fold = int(column.codes.max(initial=0)) + 1, _folds(len(hits))
    for number in range(_FOLDS):
        train = fold != number
        rate = hits[train].mean() if train.any() else 0.0
        rows = np.bincount(column.codes[train], minlength=bins)
        won = np.bincount(column.codes[train], weights=hits[train], minlength=bins)
        score[~train] = ((won + _PRIOR * rate) / (rows + _PRIOR))[column.codes[~train]]
    return auc(score, hits, blocks)


def mixed(hits: Flags, blocks: Rows) -> int:
    """Count the hits or the misses of each block, whichever are fewer: where they do not mix, nothing compares them."""
    return int(np.minimum(np.bincount(blocks, hits), np.bincount(blocks, ~hits)).sum())


def spread(value: float, hits: Flags, blocks: Rows, independent: float = 1.0) -> float:
    """Return the standard error of an AUC within blocks.

    That of a block with h hits and m misses (Hanley and McNeil 1982) is
    √((A(1 − A) + (h − 1)(A/(2 − A) − A²) + (m − 1)(2A²/(1 + A) − A²)) / (h m)); blocks weigh by their pairs, h m.

    Args:
        value: The AUC, A; NaN where no block holds a pair.
        hits: As for `auc`.
        blocks: Likewise.
        independent: The share of the hits that are no repetition of another.
    """
    won = np.bincount(blocks, weights=hits) * independent
    lost = np.bincount(blocks, weights=~hits)
    pairs = won * lost
    if not pairs.any():
        return float("nan")
    above, below = value / (2 - value) - value**2, 2 * value**2 / (1 + value) - value**2
    own = value * (1 - value) + np.maximum(won - 1, 0) * above + np.maximum(lost - 1, 0) * below
    return float(np.sqrt(max(np.sum(pairs * own), 0.0)) / np.sum(pairs))


def together(
    beside: Matrix | Floats, columns: Sequence[Column], hits: Flags, blocks: Rows, groups: Rows | None = None
) -> float:
    """Return the AUC of a small boosted model of everything given, predicted across folds.

    Args:
        beside: Columns of numbers.
        columns: More columns, encoded.
        hits: What is predicted.
        blocks: Within what it is compared.
        groups: Rows of one group stay in one fold; each row is its own when None.
    """
    table = np.column_stack([beside, *(column.codes for column in columns)])
    if not table.shape[1]:
        return 0.5
    first = beside.shape[1]
    words = [first + number for number, column in enumerate(columns) if column.is_words]
    fold = _folds(len(hits)) if groups is None else groups % _FOLDS
    settings = _TREES | {"min_data_in_leaf": max(5, len(hits) // 200)}
    score = np.zeros(len(hits))
    for number in range(_FOLDS):
        train = fold != number
        data = lgb.Dataset(
            table[train], hits[train].astype(np.float64), categorical_feature=words, params={"verbosity": -1}
        )
        score[~train] = lgb.train(settings, data, num_boost_round=_ROUNDS).predict(table[~train])
    return auc(score, hits, blocks)


def _folds(rows: int) -> Rows:
    return np.arange(rows) % _FOLDS
