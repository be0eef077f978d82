"""Plain facts: how often each kind came in each window. No features, but what a reason says instead of a warmth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from leadscore.features import asof, infusion, volume
from leadscore.features.catalogue import ALL, Feature, Words
from leadscore.features.infusion import Scale
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import OTHER, Vocabulary
from leadscore.language import LANGUAGES, Forms, Language

_INCLUDING = {"en": "{said} (including {some})", "fr": "{said} (dont {some})"}
_BY_CHANNEL = {"en": "{channel}: {said}", "fr": "{channel} : {said}"}


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the facts, per window, shortest first: of each kind, of ALL, of ALL by each channel."""
    per_kind = [
        replace(volume.counted(kind, window, vocabulary), kind=kind)
        for kind in kinds(vocabulary)
        for window in vocabulary.windows
    ]
    overall = [replace(volume.touched(window, vocabulary), kind=ALL) for window in vocabulary.windows]
    by_channel = [_by(channel, fact, vocabulary) for channel in _channels(vocabulary) for fact in overall]
    return (*per_kind, *overall, *by_channel)


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Count: one row per snapshot, one column per entry of the catalogue. What counts as a touch counts here."""
    codes, words = view.kinds(vocabulary)
    windows = np.array([*vocabulary.windows.values()], dtype=np.int64)
    counts = asof.count(view.asof, codes, len(words), windows)
    parts = [counts.reshape(len(counts), len(words) * len(windows)), counts.sum(axis=1)]
    if channels := _channels(vocabulary):
        by = np.where(codes >= 0, Scale.of(vocabulary).channel_codes(view.history.channel), -1).astype(np.int32)
        per_channel = asof.count(view.asof, by, len(channels), windows)
        parts.append(per_channel.reshape(len(counts), len(channels) * len(windows)))
    flat: Matrix = np.concatenate(parts, axis=1)
    return flat.astype(np.float32)


def kinds(vocabulary: Vocabulary) -> tuple[str, ...]:
    """List the kinds with facts of their own, in the order of the catalogue."""
    return (*vocabulary.kinds, OTHER)


def including(fact: Feature, kind: str, number: int, vocabulary: Vocabulary) -> Feature:
    """Say in a fact about ALL how many of them were of one kind: `5 interactions … (including 2 pages read)`."""

    def tell(said: str, language: Language) -> str:
        return _INCLUDING[language].format(said=said, some=vocabulary.so_many(kind, number, language))

    return replace(fact, name=f"{fact.name} including {number} {kind}", sentence=_retold(fact, tell))


def _by(channel: str, fact: Feature, vocabulary: Vocabulary) -> Feature:
    def tell(said: str, language: Language) -> str:
        return _BY_CHANNEL[language].format(channel=vocabulary.channel(channel, language), said=said)

    absent: Words = {language: tell(fact.absent[language], language) for language in LANGUAGES}
    name = f"{fact.name} via {channel}"
    return replace(fact, name=name, channel=channel, sentence=_retold(fact, tell), absent=absent)


def _retold(fact: Feature, tell: Callable[[str, Language], str]) -> dict[str, Forms]:
    told: dict[str, Forms] = {}
    for language in LANGUAGES:
        forms = fact.sentence[language]
        given = {"other": forms} if isinstance(forms, str) else forms
        told[language] = {form: tell(said, language) for form, said in given.items()}
    return told


def _channels(vocabulary: Vocabulary) -> tuple[str, ...]:
    return Scale.of(vocabulary).channels if infusion.NAME in vocabulary.families else ()
