"""Infusion: the lead warms up with each touch and cools, halving its warmth every half-life."""

from __future__ import annotations

import numpy as np

from leadscore.features import asof
from leadscore.features.catalogue import Feature, span
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import OTHER, Vocabulary

NAME = "infusion"


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if vocabulary.kinds else "no interactions"


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: warmth per kind and half-life, then warmth of all touches per half-life."""
    per_kind = [
        _warmth(f"{kind}_{name}", f"{NAME}.{kind}", vocabulary.label(kind, "en"), vocabulary.label(kind, "fr"), length)
        for kind in (*vocabulary.kinds, OTHER)
        for name, length in vocabulary.half_lives.items()
    ]
    overall = [
        _warmth(name, NAME, "all interactions", "toutes les interactions", length)
        for name, length in vocabulary.half_lives.items()
    ]
    return (*per_kind, *overall)


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    half_lives = np.array([*vocabulary.half_lives.values()], dtype=np.int64)
    codes, words = view.kinds(vocabulary)
    touches = np.ones(len(view.history))
    warmth = asof.decayed_sum(view.asof, touches, codes, len(words), half_lives)
    per_kind = warmth.reshape(len(warmth), len(words) * len(half_lives))
    return np.concatenate([per_kind, warmth.sum(axis=1)], axis=1)


def _warmth(name: str, concept: str, en: str, fr: str, length: int) -> Feature:
    return Feature(
        f"warmth_{name}", NAME, concept, "warmth", "",
        {
            "en": f"warmth of {en}: {{value}} (half-life {span(length, 'en')})",
            "fr": f"chaleur de « {fr} » : {{value}} (demi-vie {span(length, 'fr')})",
        },
        {"en": f"no warmth of {en}", "fr": f"plus aucune chaleur de « {fr} »"},
    )  # fmt: skip
