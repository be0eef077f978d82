"""What trees add, feature by feature: their exact Shapley values, looked up.

What LightGBM's `pred_contrib` makes of a row depends on nothing but the side of each threshold the row is on, and trees
are small: one of eight leaves tells a few hundred cases apart. So LightGBM is asked once for every case of every tree,
and a row costs a few comparisons a tree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from leadscore.features.kernels import kernel
from leadscore.features.view import Matrix
from leadscore.model.base import Floats

_MOST = 2**17  # cases of all trees together: some ten megabytes, asked for in well under a second
_INFINITE = 1e300

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Place:
    """Where a value can lie among a tree's thresholds on one feature.

    Attributes:
        feature: Its column.
        cases: The largest value of each: the thresholds, infinity for all above; missing, if that is a case.
        missing: The case of a missing value.
    """

    feature: int
    cases: tuple[float, ...]
    missing: int

    @property
    def thresholds(self) -> tuple[float, ...]:
        """What tells the cases of known values apart."""
        return self.cases[: self.cases.index(math.inf)]


@dataclass(frozen=True)
class Tables:
    """The Shapley values of every case of every tree.

    A tree looks at `feature[p]` for each p from `ptr[tree]` to `ptr[tree + 1]`; its values for a row begin at
    `start[tree]` plus, for each p, `step[p]` times the case the row is in: one value per p.

    Attributes:
        start, ptr: By tree.
        feature, missing, step: By tree and feature.
        bound: Where the thresholds of each p begin in `thresholds`, and where the last ones end.
        thresholds: Ascending for each p.
        values: What a feature adds in a case.
        expectation: What all rows share.
    """

    start: Ints
    ptr: Ints
    feature: Ints
    missing: Ints
    step: Ints
    bound: Ints
    thresholds: Floats
    values: Floats
    expectation: float

    def look_up(self, matrix: Matrix) -> Floats:
        """Split what the trees add, as `pred_contrib` would: one column per feature, then the expectation."""
        added = np.zeros((len(matrix), matrix.shape[1] + 1))
        _look_up(
            np.ascontiguousarray(matrix),
            *(self.start, self.ptr, self.feature, self.missing, self.step, self.bound, self.thresholds, self.values),
            added,
        )
        added[:, -1] = self.expectation
        return added


def tabulate(booster: lgb.Booster) -> Tables | None:
    """Ask LightGBM for every case of its trees; None where they are too large for that."""
    trees = [_places(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]
    sizes = [math.prod(len(place.cases) for place in places) for places in trees]
    if sum(sizes) > _MOST:
        return None
    asked = [_ask(booster, number, places) for number, places in enumerate(trees)]
    flat = [place for places in trees for place in places]
    lengths = [size * len(places) for size, places in zip(sizes, trees, strict=True)]
    return Tables(
        start=_begins(lengths)[:-1],
        ptr=_begins([len(places) for places in trees]),
        feature=np.array([place.feature for place in flat], dtype=np.int64),
        missing=np.array([place.missing for place in flat], dtype=np.int64),
        step=np.array([step for places in trees for step in _steps(places)], dtype=np.int64),
        bound=_begins([len(place.thresholds) for place in flat]),
        thresholds=np.array([threshold for place in flat for threshold in place.thresholds], dtype=np.float64),
        values=np.concatenate([np.zeros(0), *(values.ravel() for values, _ in asked)]),
        expectation=math.fsum(expectation for _, expectation in asked),
    )


def _places(root: Mapping[str, Any]) -> list[_Place]:
    """Find the features a tree asks about, and the cases it tells apart of each."""
    found: dict[int, set[tuple[float, bool]]] = {}
    for node in _splits(root):
        assert (node["decision_type"], node["missing_type"]) in {("<=", "None"), ("<=", "NaN")}, "no split of ours"
        # Written as 1e300 in JSON: the threshold between all that is known and what is missing.
        threshold = math.inf if node["threshold"] >= _INFINITE else node["threshold"]
        # Where none was missing in training, LightGBM takes a missing value for 0.
        right = not node["default_left"] if node["missing_type"] == "NaN" else threshold < 0
        found.setdefault(node["split_feature"], set()).add((threshold, right))
    return [_place(feature, asked) for feature, asked in sorted(found.items())]


def _splits(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "split_index" in node:
        yield node
        yield from _splits(node["left_child"])
        yield from _splits(node["right_child"])


def _place(feature: int, asked: set[tuple[float, bool]]) -> _Place:
    """Lay out the cases of a feature, of thresholds and whether a missing value goes right of each.

    A missing value is a case of its own where no known value goes all its ways.
    """
    ways = sorted(asked | {(math.inf, False)})
    cases = tuple(dict.fromkeys(threshold for threshold, _ in ways))
    if len(ways) == len(cases) and all(one >= other for (_, one), (_, other) in pairwise(ways)):
        return _Place(feature, cases, sum(right for _, right in ways))
    return _Place(feature, (*cases, math.nan), len(cases))


def _ask(booster: lgb.Booster, number: int, places: list[_Place]) -> tuple[Floats, float]:
    """Return what each feature of a tree adds, one row per case, and what the tree adds to all."""
    cases = np.array(list(product(*(place.cases for place in places))))
    columns = [place.feature for place in places]
    rows = np.zeros((len(cases), booster.num_feature()))
    # Not the threshold itself: LightGBM cuts right below 0 at -1e-35, and takes that very number for 0.
    rows[:, columns] = np.nextafter(cases, -np.inf)
    added = np.asarray(booster.predict(rows, pred_contrib=True, start_iteration=number, num_iteration=1))
    return added[:, columns], float(added[0, -1])


def _steps(places: list[_Place]) -> list[int]:
    """Return how far apart in its table neighbouring cases of each feature lie, in the order of `product`."""
    sizes = [len(place.cases) for place in places]
    return [math.prod(sizes[number + 1 :]) * len(places) for number in range(len(places))]


def _begins(lengths: list[int]) -> Ints:
    return np.append(0, np.cumsum(lengths, dtype=np.int64))


@kernel
def _look_up(
    matrix: Matrix,
    start: Ints,
    ptr: Ints,
    feature: Ints,
    missing: Ints,
    step: Ints,
    bound: Ints,
    thresholds: Floats,
    values: Floats,
    added: Floats,
) -> None:
    for row in range(len(matrix)):
        for tree in range(len(start)):
            first, last, at = ptr[tree], ptr[tree + 1], start[tree]
            for p in range(first, last):
                x = np.float64(matrix[row, feature[p]])
                case = missing[p]
                if not math.isnan(x):
                    case = 0
                    for k in range(bound[p], bound[p + 1]):
                        case += x > thresholds[k]
                at += case * step[p]
            for p in range(first, last):
                added[row, feature[p]] += values[at + p - first]
