"""Plain facts: how often each kind came in each window. No features, but what a reason says instead of a warmth."""

from __future__ import annotations

import numpy as np

from leadscore.features import asof, volume
from leadscore.features.catalogue import ALL, Feature
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import OTHER, Vocabulary


def catalogue(vocabulary: Vocabulary) -> tuple[tuple[str, Feature], ...]:
    """List the facts, each with its kind (or ALL): per kind, then of all, per window, shortest first."""
    per_kind = [
        (kind, volume.counted(kind, window, vocabulary))
        for kind in (*vocabulary.kinds, OTHER)
        for window in vocabulary.windows
    ]
    return (*per_kind, *((ALL, volume.touched(window, vocabulary)) for window in vocabulary.windows))


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Count: one row per snapshot, one column per entry of the catalogue. What counts as a touch counts here."""
    codes, words = view.kinds(vocabulary)
    windows = np.array([*vocabulary.windows.values()], dtype=np.int64)
    counts = asof.count(view.asof, codes, len(words), windows)
    flat: Matrix = np.concatenate([counts.reshape(len(counts), len(words) * len(windows)), counts.sum(axis=1)], axis=1)
    return flat.astype(np.float32)
