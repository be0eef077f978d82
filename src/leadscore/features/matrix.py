"""From a bucket to the matrix: the families in order, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from leadscore.config import Config
from leadscore.errors import ConfigError
from leadscore.features import (
    capillarity,
    context,
    drip,
    echo,
    infusion,
    percolation,
    power,
    profile,
    sequence,
    values,
    volume,
)
from leadscore.features import vocabulary as words
from leadscore.features.catalogue import Feature
from leadscore.features.own import load_own, loaded
from leadscore.features.view import Matrix, View, looks
from leadscore.features.vocabulary import Census, Vocabulary
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


@runtime_checkable
class Freezes(Protocol):
    """What a family has besides when it settles words or thresholds of its own on the training data."""

    def count(self, leads: Leads, history: History, config: Config) -> Counter[Any]:
        """Count what it settles on, in one bucket; leads with a standing objection are left out."""

    def freeze(self, counts: Counter[Any], vocabulary: Vocabulary) -> Mapping[str, Any]:
        """Settle it, from the counts of all buckets; found again under `vocabulary.frozen[NAME]`."""


FAMILIES: Mapping[str, Family] = {
    family.NAME: family
    for family in (profile, volume, percolation, infusion, drip, capillarity, power, echo, sequence, values, context)
}


def take_census(leads: Leads, history: History, config: Config) -> Census:
    """Count the words of a bucket, and what the families that are on count for themselves."""
    counted: dict[str, Counter[Any]] = {
        name: family.count(leads, history, config)
        for name in config.features.families
        if isinstance(family := FAMILIES[name], Freezes)
    }
    return replace(words.take_census(leads, history), families=counted)


def settle(census: Census, config: Config) -> Vocabulary:
    """Freeze words, scales and thresholds; switch off the families that lack their columns, and say why."""
    vocabulary = words.settle(census, config)
    frozen = {
        name: dict(family.freeze(census.families.get(name, Counter()), vocabulary))
        for name in vocabulary.families
        if isinstance(family := FAMILIES[name], Freezes)
    }
    own = load_own(config)
    vocabulary = replace(vocabulary, frozen=frozen, families=(*vocabulary.families, *own))
    families = {**FAMILIES, **own}
    reasons = {name: families[name].needs(vocabulary) for name in vocabulary.families}
    told = {
        name: {"digest": family.file.digest, "features": [item.to_dict() for item in family.catalogue(vocabulary)]}
        for name, family in own.items()
        if not reasons[name]
    }
    vocabulary = replace(vocabulary, own=told)
    vocabulary = vocabulary.without({name: reason for name, reason in reasons.items() if reason})
    _refuse_a_name_given_twice(vocabulary)
    return vocabulary


def _refuse_a_name_given_twice(vocabulary: Vocabulary) -> None:
    families: dict[str, str] = {}
    for feature in catalogue(vocabulary):
        if feature.name in families:
            raise ConfigError(
                f"Feature {feature.name} is in family {families[feature.name]} and in {feature.family}.",
                "Give the one of your own family another name.",
            )
        families[feature.name] = feature.family


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List every column of the matrix, in order."""
    return tuple(feature for name in vocabulary.families for feature in _catalogue_of(name, vocabulary))


def _catalogue_of(name: str, vocabulary: Vocabulary) -> tuple[Feature, ...]:
    if name in vocabulary.own:  # frozen with the model: what it means is known where its code is not
        return tuple(Feature.from_dict(saved) for saved in vocabulary.own[name]["features"])
    return FAMILIES[name].catalogue(vocabulary)


def _family(name: str, vocabulary: Vocabulary) -> Family:
    return loaded(name, vocabulary.own[name]["digest"]) if name in vocabulary.own else FAMILIES[name]


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute every feature of the snapshots of a view: float32, C order, NaN where the catalogue says missing.

    Raises:
        StateError: a family of the project's own is not here as it was when the vocabulary was settled.
    """
    rows = len(view.snapshots)
    parts = [_family(name, vocabulary).compute(view, vocabulary) for name in vocabulary.families]
    matrix = np.concatenate([np.zeros((rows, 0), np.float32), *parts], axis=1)
    assert matrix.shape == (rows, len(catalogue(vocabulary))), "a family and its catalogue disagree"
    return np.ascontiguousarray(matrix, dtype=np.float32)


def build_matrix(leads: Leads, history: History, snapshots: Snapshots, vocabulary: Vocabulary) -> Matrix:
    """Compute every feature of every snapshot of a bucket.

    The same function serves training and scoring; a row depends on nothing but its own snapshot.
    """
    return np.concatenate([compute(view, vocabulary) for view in looks(leads, history, snapshots)])
