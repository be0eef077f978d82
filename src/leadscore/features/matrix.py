"""From a bucket to the matrix: the families in order, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from leadscore.features import drip, infusion, profile, sequence, values, volume
from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix, View, look
from leadscore.features.vocabulary import Vocabulary
from leadscore.history import History, Leads
from leadscore.snapshots import Snapshots


class Family(Protocol):
    """What a module must have to be a family."""

    NAME: str

    def needs(self, vocabulary: Vocabulary) -> str:
        """Say why the family is off; empty when it is on."""

    def catalogue(self, vocabulary: Vocabulary) -> tuple[Feature, ...]:
        """List the columns."""

    def compute(self, view: View, vocabulary: Vocabulary) -> Matrix:
        """Compute the columns, one row per snapshot."""


FAMILIES: Mapping[str, Family] = {family.NAME: family for family in (profile, volume, infusion, drip, sequence, values)}


def switch_off_idle(vocabulary: Vocabulary) -> Vocabulary:
    """Switch off the families that lack their columns, and say why."""
    reasons = {name: FAMILIES[name].needs(vocabulary) for name in vocabulary.families}
    return vocabulary.without({name: reason for name, reason in reasons.items() if reason})


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List every column of the matrix, in order."""
    return tuple(feature for name in vocabulary.families for feature in FAMILIES[name].catalogue(vocabulary))


def build_matrix(leads: Leads, history: History, snapshots: Snapshots, vocabulary: Vocabulary) -> Matrix:
    """Compute every feature of every snapshot: float32, C order, NaN where the catalogue says missing.

    The same function serves training and scoring; a row depends on nothing but its own snapshot.
    """
    view = look(leads, history, snapshots)
    width = len(catalogue(vocabulary))
    parts = [FAMILIES[name].compute(view, vocabulary) for name in vocabulary.families]
    matrix = np.concatenate(parts, axis=1) if parts else np.zeros((len(snapshots), 0), np.float32)
    assert matrix.shape == (len(snapshots), width), "a family and its catalogue disagree"
    return np.ascontiguousarray(matrix, dtype=np.float32)
