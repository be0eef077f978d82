"""A model as a folder of text: trees in LightGBM's own format, everything else in one JSON file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from leadscore.errors import StateError
from leadscore.features.catalogue import Feature
from leadscore.features.matrix import catalogue
from leadscore.features.view import Matrix
from leadscore.features.vocabulary import Vocabulary
from leadscore.model.base import Base, Floats
from leadscore.model.calibrate import Calibrator

FORMAT = 1


@dataclass(frozen=True)
class Bundle:
    """Everything scoring needs, and nothing else.

    Attributes:
        project: Name of the project it was trained for.
        training_fingerprint: Of the configuration it was trained with.
        as_of: The moment it was trained as of: everything in it was known before.
        horizons: Lengths in microseconds, by name, ascending.
        vocabulary: Frozen words and scales.
        base: Margins the trees start from.
        trees: LightGBM's text; the last column is the number of the interval.
        calibrator: Applied to the readiness of every horizon alike.
        reference: Readiness at the ranking horizon of a reference cohort, as its percentiles 1 to 98.
        reliability: How often leads of a readiness really converted; see `scoring`.
        facts: Counts and measured figures, for people; no part of scoring.
    """

    project: str
    training_fingerprint: str
    as_of: int
    horizons: Mapping[str, int]
    vocabulary: Vocabulary
    base: Base
    trees: str
    calibrator: Calibrator
    reference: tuple[float, ...]
    reliability: Mapping[str, tuple[float, ...]]
    facts: Mapping[str, Any]

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Columns of the matrix, in order."""
        return catalogue(self.vocabulary)

    @cached_property
    def booster(self) -> lgb.Booster:
        """The trees, read from their text."""
        return lgb.Booster(model_str=self.trees)

    @cached_property
    def version(self) -> str:
        """Name the bundle by its content: twelve hexadecimal digits."""
        digest = hashlib.sha256(self.trees.encode())
        digest.update(_json(self._specification()).encode())
        return digest.hexdigest()[:12]

    def margins(self, matrix: Matrix) -> Floats:
        """Return the hazards on the logit scale: one row per snapshot, one column per interval."""
        base = self.base.margins(self._checked(matrix))
        if not len(matrix):
            return base
        trees = [
            self.booster.predict(with_interval(matrix, number), raw_score=True, num_threads=0)
            for number in range(base.shape[1])
        ]
        margins: Floats = base + np.stack(trees, axis=1)
        return margins

    def readiness(self, matrix: Matrix) -> Floats:
        """Return P(converted by each horizon): one row per snapshot, never falling from left to right.

        P(H_k) = 1 - ∏_{j ≤ k} (1 - h_j), calibrated by one increasing function for all horizons.
        """
        return self.calibrator.apply(curve(self.margins(matrix)))

    def _checked(self, matrix: Matrix) -> Matrix:
        # LightGBM scores in silence when columns are missing, so the width is settled here.
        expected = len(self.features)
        assert matrix.ndim == 2 and matrix.shape[1] == expected, (  # noqa: PLR2004, PT018 - one fact: the shape
            f"expected {expected} columns, found {matrix.shape}"
        )
        return matrix

    def _specification(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "project": self.project,
            "training_fingerprint": self.training_fingerprint,
            "as_of": self.as_of,
            "horizons": dict(self.horizons),
            "vocabulary": self.vocabulary.to_dict(),
            "features": [feature.name for feature in self.features],
            "base": self.base.to_dict(),
            "calibrator": self.calibrator.to_dict(),
            "reference": list(self.reference),
            "reliability": {name: list(values) for name, values in self.reliability.items()},
            "facts": self.facts,
        }

    def write(self, folder: Path) -> None:
        """Write `trees.txt` and `bundle.json` into an existing folder."""
        (folder / "trees.txt").write_text(self.trees, encoding="utf-8")
        (folder / "bundle.json").write_text(_json(self._specification()) + "\n", encoding="utf-8")


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle and check that it is whole.

    Raises:
        StateError: the folder holds no bundle, one of another format, or one whose features this version of leadscore
            no longer computes.
    """
    try:
        saved = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        trees = (folder / "trees.txt").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StateError(f"{folder}: no readable bundle ({type(error).__name__}).", "Run `leadscore train`.") from error
    if saved.get("format") != FORMAT:
        raise StateError(
            f"{folder}: found bundle format {saved.get('format')}, expected {FORMAT}.", "Run `leadscore train`."
        )
    bundle = Bundle(
        project=saved["project"],
        training_fingerprint=saved["training_fingerprint"],
        as_of=saved["as_of"],
        horizons=saved["horizons"],
        vocabulary=Vocabulary.from_dict(saved["vocabulary"]),
        base=Base.from_dict(saved["base"]),
        trees=trees,
        calibrator=Calibrator(**saved["calibrator"]),
        reference=tuple(saved["reference"]),
        reliability={name: tuple(values) for name, values in saved["reliability"].items()},
        facts=saved["facts"],
    )
    if [feature.name for feature in bundle.features] != saved["features"]:
        raise StateError(
            f"{folder}: its features are not those this version of leadscore computes.", "Run `leadscore train`."
        )
    return bundle


def curve(margins: Floats) -> Floats:
    """Turn hazards on the logit scale into P(converted by each horizon) = 1 - ∏(1 - h).

    >>> curve(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.75]]
    """
    # log(1 - h) = -log(1 + e^m), summed, keeps small chances exact.
    chances: Floats = -np.expm1(-np.cumsum(np.logaddexp(0.0, margins), axis=1))
    return chances


def with_interval(matrix: Matrix, number: int) -> Matrix:
    """Append the number of the interval as the last column."""
    return np.column_stack([matrix, np.full(len(matrix), number, dtype=np.float32)])


def _json(value: Any) -> str:
    return json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Replace what JSON does not have: NaN becomes null."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
