"""Volume: how much has happened, per kind and window."""

from __future__ import annotations

import numpy as np

from leadscore.features import asof
from leadscore.features.catalogue import Feature, span
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import OTHER, Vocabulary

NAME = "volume"
_EVER = {"en": "so far", "fr": "jusqu'ici"}


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if vocabulary.kinds else "no interactions"


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: counts per kind and window, then different kinds and contents per window."""
    counts = [
        _count(kind, window, vocabulary) for kind in (*vocabulary.kinds, OTHER) for window in _windows(vocabulary)
    ]
    kinds = [
        _distinct("kinds", ("kinds of interaction", "sortes d'interactions", "aucune interaction"), window, vocabulary)
        for window in _windows(vocabulary)
    ]
    contents = [
        _distinct("contents", ("contents", "contenus", "aucun contenu"), window, vocabulary)
        for window in _windows(vocabulary)
    ]
    return (*counts, *kinds, *(contents if "content" in vocabulary.columns else ()))


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    windows = np.array([*vocabulary.windows.values(), asof.ALL], dtype=np.int64)
    codes, words = view.kinds(vocabulary)
    counts = asof.count(view.asof, codes, len(words), windows)
    kinds = asof.distinct(view.asof, codes, len(words), windows)
    parts = [counts.reshape(len(counts), len(words) * len(windows)), kinds]
    if "content" in vocabulary.columns:
        content = view.history.content
        parts.append(asof.distinct(view.asof, content.codes, len(content.words), windows))
    return np.concatenate(parts, axis=1)


def _windows(vocabulary: Vocabulary) -> tuple[str, ...]:
    return (*vocabulary.windows, "ever")


def _when(window: str, vocabulary: Vocabulary) -> dict[str, str]:
    if window == "ever":
        return _EVER
    length = vocabulary.windows[window]
    return {"en": f"in the last {span(length, 'en')}", "fr": f"en {span(length, 'fr')}"}


def _count(kind: str, window: str, vocabulary: Vocabulary) -> Feature:
    when = _when(window, vocabulary)
    label = {language: vocabulary.label(kind, language) for language in ("en", "fr")}
    return Feature(
        f"count_{kind}_{window}", NAME, f"volume.{kind}", "count", "",
        {"en": f"{{value}} × {label['en']} {when['en']}", "fr": f"{{value}} × {label['fr']} {when['fr']}"},
        {"en": f"no {label['en']} {when['en']}", "fr": f"aucun « {label['fr']} » {when['fr']}"},
    )  # fmt: skip


def _distinct(what: str, words: tuple[str, str, str], window: str, vocabulary: Vocabulary) -> Feature:
    en, fr, none = words
    when = _when(window, vocabulary)
    return Feature(
        f"different_{what}_{window}", NAME, f"volume.different_{what}", "count", "",
        {"en": f"{{value}} different {en} {when['en']}", "fr": f"{{value}} {fr} {when['fr']}"},
        {"en": f"no {en} {when['en']}", "fr": f"{none} {when['fr']}"},
    )  # fmt: skip
