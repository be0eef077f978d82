"""Volume: how much has happened, per kind and window, and in how many different ways."""

from __future__ import annotations

import numpy as np

from leadscore.features import asof
from leadscore.features.catalogue import ALL, Feature
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import OTHER, Vocabulary

NAME = "volume"
_KINDS = (
    "different kinds of interaction",
    "sortes d'interactions",
    "no kind of interaction",
    "⟨aucune⟩ sorte d'interaction",
)
_DIFFERENT = {
    "content": ("contents", "different contents", "contenus différents", "no content", "⟨aucun⟩ contenu"),
    "channel": ("channels", "different channels", "canaux différents", "no channel", "⟨aucun⟩ canal"),
    "topic": ("topics", "different topics", "sujets différents", "no topic", "⟨aucun⟩ sujet"),
    "campaign": ("campaigns", "different campaigns", "campagnes différentes", "no campaign", "⟨aucune⟩ campagne"),
}


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if vocabulary.kinds else "no interactions"


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns, per window and so far: counts of each kind and of all, different kinds, different contents.

    Different channels, topics and campaigns, too, where these columns hold anything.
    """
    windows = (*vocabulary.windows, "ever")
    return (
        *(counted(kind, window, vocabulary) for kind in (*vocabulary.kinds, OTHER) for window in windows),
        *(touched(window, vocabulary) for window in windows),
        *(_different("kinds", *_KINDS, window, vocabulary) for window in windows),
        *(_different(*_DIFFERENT[name], window, vocabulary) for name in _columns(vocabulary) for window in windows),
    )


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    windows = np.array([*vocabulary.windows.values(), asof.ALL], dtype=np.int64)
    codes, words = view.kinds(vocabulary)
    counts = asof.count(view.asof, codes, len(words), windows)
    parts = [counts.reshape(len(counts), len(words) * len(windows)), counts.sum(axis=1)]
    parts.append(asof.distinct(view.asof, codes, len(words), windows))
    counted = view.counted(vocabulary)
    for name in _columns(vocabulary):
        column = getattr(view.history, name)
        touched = np.where(counted, column.codes, -1).astype(np.int32)
        parts.append(asof.distinct(view.asof, touched, len(column.words), windows))
    return np.concatenate(parts, axis=1)


def _columns(vocabulary: Vocabulary) -> list[str]:
    return [name for name in _DIFFERENT if name in vocabulary.columns]


def counted(kind: str, window: str, vocabulary: Vocabulary) -> Feature:
    """Describe how often a kind came in a window."""
    often, never = vocabulary.times(kind, window)
    return Feature(f"count_{kind}_{window}", NAME, f"volume.{kind}", "count", "", often, never)


def touched(window: str, vocabulary: Vocabulary) -> Feature:
    """Describe how often anything came in a window."""
    often, never = vocabulary.times(ALL, window)
    return Feature(f"touches_{window}", NAME, NAME, "count", "", often, never)


def _different(what: str, en: str, fr: str, no: str, aucun: str, window: str, vocabulary: Vocabulary) -> Feature:
    when = vocabulary.within(window)
    return Feature(
        f"different_{what}_{window}", NAME, f"volume.different_{what}", "count", "",
        {"en": f"{en} {when['en']}: {{value}}", "fr": f"{fr} {when['fr']} : {{value}}"},
        {"en": f"{no} {when['en']}", "fr": f"{aucun} {when['fr']}"},
    )  # fmt: skip
