"""A model of a flat export as a folder of text: trees in LightGBM's own format, everything else in one JSON file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from leadscore.config.flat import FlatConfig
from leadscore.errors import StateError
from leadscore.features.view import Matrix
from leadscore.flat.columns import Encoding, Ints, Texts
from leadscore.flat.learn import Learned, learn
from leadscore.flat.lessons import Lessons
from leadscore.model.base import Floats
from leadscore.model.bundle import _json
from leadscore.model.calibrate import Calibrator
from leadscore.model.certainty import Bounds, Certainty, Support, measure_support, sample_rows
from leadscore.model.fitted import Fitted

FORMAT = 1
BUNDLE, TREES = "bundle.json", "trees.txt"


@dataclass(frozen=True)
class FlatBundle:
    """Everything scoring needs, and nothing else.

    Attributes:
        project: Name of the project it was trained for.
        training_fingerprint: Of the configuration it was trained with.
        learned: Encoding of the columns, base and trees.
        calibrator: Applied to the chances.
        reference: Chances of the leads that taught, asked about as of now: their percentiles 1 to 98.
        support: What training saw of each feature.
        others: Per column of words, the share of what was given in training that has no column of its own.
        facts: Counts and measured figures, for people; no part of scoring.
    """

    project: str
    training_fingerprint: str
    learned: Learned
    calibrator: Calibrator
    reference: tuple[float, ...]
    support: Support
    others: Mapping[str, float]
    facts: Mapping[str, Any]

    @cached_property
    def version(self) -> str:
        """Name the bundle by its content: twelve hexadecimal digits."""
        return digest(self.learned.fitted.trees, _json(self._specification()))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the file that the model looks at."""
        return tuple(self.learned.encoding.kinds)

    def matrix(self, columns: Mapping[str, Texts], rows: Ints) -> Matrix:
        """Return what the model sees of some rows."""
        return self.learned.matrix(columns, rows)

    def chances(self, matrix: Matrix) -> Floats:
        """Return the chance of a yes: one value per row, between 1e-6 and 1 - 1e-6."""
        return self.calibrator.apply(self.learned.fitted.readiness(matrix))[:, 0]

    def contributions(self, matrix: Matrix) -> Floats:
        """Return what each feature of the encoding adds to the margin: base and trees, exactly; one row per lead."""
        fitted, width = self.learned.fitted, len(self.learned.encoding.features)
        parts: Floats = fitted.base.contributions(matrix, 0)[:, :width] + fitted.shapley(matrix, 0)[:, :width]
        return parts

    def _specification(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "flat": True,
            "project": self.project,
            "training_fingerprint": self.training_fingerprint,
            "encoding": self.learned.encoding.to_dict(),
            "aged": self.learned.aged,
            "model": self.learned.fitted.to_dict(),
            "calibrator": self.calibrator.to_dict(),
            "reference": list(self.reference),
            "certainty": Certainty(Bounds(), self.support).to_dict(),
            "others": dict(self.others),
            "facts": self.facts,
        }

    def write(self, folder: Path) -> None:
        """Write it into an existing folder."""
        (folder / TREES).write_text(self.learned.fitted.trees, encoding="utf-8")
        (folder / BUNDLE).write_text(_json(self._specification()), encoding="utf-8")


def digest(trees: str, specification: str) -> str:
    """Name a bundle by its content."""
    return hashlib.sha256((trees + specification).encode()).hexdigest()[:12]


def read_bundle(folder: Path) -> FlatBundle:
    """Read a bundle and check that it is whole.

    Raises:
        StateError: the folder holds none, or one of another format or other content than its name says.
    """
    try:
        text, trees = ((folder / name).read_text(encoding="utf-8") for name in (BUNDLE, TREES))
        saved = json.loads(text)
        found = saved["format"], saved["flat"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"{folder}: no readable bundle of a flat export ({type(error).__name__})."
        raise StateError(told, "Run `leadscore train --flat`.") from error
    if digest(trees, text) != folder.name or found != (FORMAT, True):
        raise StateError(
            f"{folder}: its files were changed after training, or another version of leadscore wrote them.",
            "Restore the folder, or run `leadscore train --flat`.",
        )
    learned = Learned(Encoding.from_dict(saved["encoding"]), Fitted.from_dict(saved["model"], trees), saved["aged"])
    return FlatBundle(
        project=saved["project"],
        training_fingerprint=saved["training_fingerprint"],
        learned=learned,
        calibrator=Calibrator(**saved["calibrator"]),
        reference=tuple(saved["reference"]),
        support=Certainty.from_dict(saved["certainty"]).support,
        others=saved["others"],
        facts=saved["facts"],
    )


def finish(lessons: Lessons, config: FlatConfig, calibrator: Calibrator, facts: Mapping[str, Any]) -> FlatBundle:
    """Train on the newest rows, or on all where there is no order, and settle what a list is measured by."""
    first = max(0, len(lessons) - config.flat.window) if lessons.ordered else 0
    rows = np.arange(first, len(lessons))
    learned = learn(lessons, rows, config)
    encoding = learned.encoding
    matrix = learned.matrix(lessons.columns, rows)
    chances = calibrator.apply(learned.fitted.readiness(matrix))[:, 0]
    return FlatBundle(
        project=config.project,
        training_fingerprint=config.training_fingerprint(),
        learned=learned,
        calibrator=calibrator,
        reference=tuple(np.percentile(chances, np.arange(1, 99)).tolist()),
        support=measure_support(matrix[sample_rows(len(matrix))]),
        others={name: encoding.other_share(name, lessons.columns[name].take(rows)) for name in encoding.words},
        facts={**facts, "taught_rows": len(rows), "features": len(encoding.features)},
    )
