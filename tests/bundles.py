"""A bundle small enough for tests: fitted on noise, with names as odd as sources make them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from leadscore.config import Model
from leadscore.features.matrix import catalogue
from leadscore.features.view import Matrix
from leadscore.features.vocabulary import Vocabulary
from leadscore.labels import Labels
from leadscore.model.bundle import Bundle
from leadscore.model.calibrate import Calibrator
from leadscore.model.certainty import Bounds, Certainty, Usual, measure_support, measure_usual
from leadscore.model.train import Examples, fit
from leadscore.timeline import DAY

HORIZONS = {f"{days}d": days * DAY for days in (14, 30, 90)}
VOCABULARY = Vocabulary(
    kinds=("mail open", 'page:view "home" 🎉'),
    labels={},
    numbers=(),
    categories={"country = x": ("D é", "FR,\n")},
    windows={"14d": 14 * DAY, "30d": 30 * DAY},
    half_lives={"14d": 14 * DAY, "60d": 60 * DAY},
    columns=(),
    time_zone="UTC",
    families=("profile", "volume", "infusion"),
    frozen={"infusion": {"weights": {}, "half_life": 14 * DAY, "half_lives": {}, "cold": 0.5}},
)
SETTINGS = Model(trees=5, min_rows_per_leaf=20)


def tiny_examples(seed: int, rows: int = 300) -> Examples:
    """Draw features, some missing, and conversions that lean on the first of them."""
    chance = np.random.default_rng(seed)
    matrix = chance.normal(size=(rows, len(catalogue(VOCABULARY)))).astype(np.float32)
    matrix[chance.random(matrix.shape) < 0.05] = np.nan
    lean = 0.1 + 0.2 * (np.nan_to_num(matrix[:, :1]) > 0)
    in_interval = chance.random((rows, 3)) < lean
    first = np.cumsum(in_interval, axis=1) == 1
    in_interval &= first
    by_horizon = np.cumsum(in_interval, axis=1) > 0
    teaches = ~by_horizon | in_interval
    labels = Labels(by_horizon, np.ones_like(by_horizon), in_interval, teaches)
    lead_id = np.array([f"lead {number}" for number in range(rows)], dtype=object)
    return Examples(lead_id, np.zeros(rows, dtype=np.int64), matrix, matrix[:, :5], labels, np.ones(rows))


def tiny_bundle(seed: int = 1, **changes: Any) -> Bundle:
    """Fit a bundle; the same seed gives the same one."""
    model, *members = (fit(tiny_examples(draw), VOCABULARY, SETTINGS, "hazard", seed) for draw in (seed, 7, 8))
    values = {
        "project": "tiny",
        "training_fingerprint": "0123456789ab",
        "as_of": 20_000 * DAY,
        "horizons": HORIZONS,
        "vocabulary": VOCABULARY,
        "model": model,
        "members": tuple(members),
        "calibrator": Calibrator(0.9, 1.1, -0.1),
        "reference": (0.1, 0.2),
        "certainty": Certainty(Bounds(), measure_support(tiny_matrix(seed))),
        "usual": Usual(measure_usual(tiny_matrix(seed), np.zeros(tiny_matrix(seed).shape[1], bool)), np.zeros(0)),
        "facts": {"rows": 300, "auc": float("nan")},
    }
    assert set(values) == {field.name for field in fields(Bundle)}
    return Bundle(**{**values, **changes})


def tiny_matrix(seed: int = 2, rows: int = 50) -> Matrix:
    """Draw rows the bundle has not seen."""
    return tiny_examples(seed, rows).matrix
