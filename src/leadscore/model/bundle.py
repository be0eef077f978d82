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

import numpy as np

from leadscore.errors import StateError
from leadscore.features.catalogue import Feature
from leadscore.features.matrix import catalogue
from leadscore.features.view import Matrix
from leadscore.features.vocabulary import Vocabulary
from leadscore.model.base import Floats
from leadscore.model.calibrate import Calibrator, logit
from leadscore.model.certainty import Certainty, Usual
from leadscore.model.fitted import Fitted

FORMAT = 4


@dataclass(frozen=True)
class Bundle:
    """Everything scoring needs, and nothing else.

    Attributes:
        project: Name of the project it was trained for.
        training_fingerprint: Of the configuration it was trained with.
        as_of: The moment it was trained as of: everything in it was known before.
        horizons: Lengths in microseconds, by name, ascending.
        vocabulary: Frozen words and scales.
        model: Base, trees, and the shape of the curve.
        members: The same recipe, each without one stretch of the past; where they disagree, little is certain.
        calibrator: Applied to the readiness of every horizon alike.
        reference: Readiness at the ranking horizon of a reference cohort, as its percentiles 1 to 98.
        certainty: How far chances may be off, and what training saw.
        usual: What reasons compare a lead with.
        facts: Counts and measured figures, for people; no part of scoring.
    """

    project: str
    training_fingerprint: str
    as_of: int
    horizons: Mapping[str, int]
    vocabulary: Vocabulary
    model: Fitted
    members: tuple[Fitted, ...]
    calibrator: Calibrator
    reference: tuple[float, ...]
    certainty: Certainty
    usual: Usual
    facts: Mapping[str, Any]

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Columns of the matrix, in order."""
        return catalogue(self.vocabulary)

    @cached_property
    def version(self) -> str:
        """Name the bundle by its content: twelve hexadecimal digits."""
        digest = hashlib.sha256("".join(fitted.trees for fitted in (self.model, *self.members)).encode())
        digest.update(_json(self._specification()).encode())
        return digest.hexdigest()[:12]

    def margins(self, matrix: Matrix) -> Floats:
        """Return the model's outputs on the logit scale: one row per snapshot, one column per interval or horizon."""
        return self.model.margins(self._checked(matrix))

    def readiness(self, matrix: Matrix) -> Floats:
        """Return P(converted by each horizon): one row per snapshot, never falling from left to right.

        Calibrated by one increasing function for all horizons.
        """
        return self.calibrator.apply(self.model.readiness(self._checked(matrix)))

    def spread(self, matrix: Matrix, horizon: int) -> Floats:
        """Return how far the chance at a horizon would move with another stretch of the past: one value per snapshot.

        The jackknife's standard error over the m members, of the logit: sqrt((m - 1) / m · Σ (x - mean x)²); 0 without
        members.
        """
        if not self.members:
            return np.zeros(len(matrix))
        found = np.stack([logit(member.readiness(self._checked(matrix))[:, horizon]) for member in self.members])
        spread: Floats = np.sqrt((len(found) - 1) * found.var(axis=0))
        return spread

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
            "model": self.model.to_dict(),
            "members": [member.to_dict() for member in self.members],
            "calibrator": self.calibrator.to_dict(),
            "reference": list(self.reference),
            "certainty": self.certainty.to_dict(),
            "usual": self.usual.to_dict(),
            "facts": self.facts,
        }

    def write(self, folder: Path) -> None:
        """Write `bundle.json` and the trees of the model and its members into an existing folder."""
        for number, fitted in enumerate((self.model, *self.members)):
            (folder / trees_file(number)).write_text(fitted.trees, encoding="utf-8")
        (folder / "bundle.json").write_text(_json(self._specification()) + "\n", encoding="utf-8")


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle and check that it is whole.

    Raises:
        StateError: the folder holds no bundle, one of another format, or one whose features this version of leadscore
            no longer computes.
    """
    try:
        saved = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        members = len(saved.get("members", ()))
        trees = [(folder / trees_file(number)).read_text(encoding="utf-8") for number in range(1 + members)]
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
        model=Fitted.from_dict(saved["model"], trees[0]),
        members=tuple(Fitted.from_dict(*of) for of in zip(saved["members"], trees[1:], strict=True)),
        calibrator=Calibrator(**saved["calibrator"]),
        reference=tuple(saved["reference"]),
        certainty=Certainty.from_dict(saved["certainty"]),
        usual=Usual.from_dict(saved["usual"]),
        facts=saved["facts"],
    )
    if [feature.name for feature in bundle.features] != saved["features"]:
        raise StateError(
            f"{folder}: its features are not those this version of leadscore computes.", "Run `leadscore train`."
        )
    return bundle


def trees_file(number: int) -> str:
    """Name the file of the model's trees (0), or of a member's."""
    return f"trees-{number}.txt" if number else "trees.txt"


def _json(value: Any) -> str:
    return json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Replace what JSON does not have: NaN becomes null."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
