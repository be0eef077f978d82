"""Columns of a flat export: what each one is, by its content, and how it becomes columns of a matrix."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from leadscore.config import Language
from leadscore.features.catalogue import Feature, literal
from leadscore.features.view import Matrix
from leadscore.features.vocabulary import as_number
from leadscore.labels import Flags

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Kind = Literal["number", "words"]

NUMERIC_SHARE = 0.95
"""A column is of numbers when so many of its values are; the others are missing then."""
MIN_CATEGORY = 20  # rows; a rarer word teaches its rows by heart
_CODE = re.compile(r"0\d")  # a leading zero: a postal code, an article
_NOT_KNOWN: Mapping[Language, str] = {"en": "{name}: not known", "fr": "{name} : inconnu"}
_ANOTHER: Mapping[Language, str] = {"en": "{name}: a rare value", "fr": "{name} : une valeur rare"}
_VALUE: Mapping[Language, str] = {"en": "{name}: {value}", "fr": "{name} : {value}"}


@dataclass(frozen=True)
class Texts:
    """A column as it stands in the file: one row per lead.

    Attributes:
        codes: Place of the row's text among the words; -1 where it is missing.
        words: The different texts, each once.
    """

    codes: Codes
    words: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Ints | Flags) -> Texts:
        """Select rows."""
        return Texts(self.codes[rows], self.words)

    @property
    def missing(self) -> Flags:
        """Which rows have no text."""
        flags: Flags = self.codes < 0
        return flags

    @cached_property
    def numbers(self) -> npt.NDArray[np.float32]:
        """The number in each row; NaN where there is none that is finite."""
        values = np.array([*map(as_number, self.words), np.nan], dtype=np.float32)
        return values[self.codes]

    def objects(self) -> npt.NDArray[np.object_]:
        """The text of each row; None where it is missing."""
        return np.array([*self.words, None], dtype=object)[self.codes]

    def counts(self) -> Ints:
        """How many rows have each word."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.words))


def kind_of(texts: Texts) -> Kind | None:
    """Tell what a column is by its content; None when it says nothing: empty, not finite, or the same in each row.

    Number: 95 % of what is given are plain decimals without a leading zero; NaN and infinities count as missing.
    """
    counts = texts.counts()
    there = np.flatnonzero(counts).tolist()
    numbers = np.array([as_number(texts.words[place]) for place in there])
    given = np.array([is_given(texts.words[place]) for place in there], dtype=np.bool_)
    whole = counts[there][given].sum()
    if not whole:
        return None
    plain = np.isfinite(numbers) & np.array([not _CODE.match(texts.words[place]) for place in there])
    if counts[there][plain].sum() >= NUMERIC_SHARE * whole:
        varies = len(np.unique(numbers[plain])) > 1 or counts[there][plain].sum() < len(texts)
        return "number" if varies else None
    return "words" if len(there) > 1 or whole < len(texts) else None


def is_given(text: str) -> bool:
    """Tell whether a text says anything: NaN, infinities and what float32 cannot hold do not."""
    try:
        float(text)
    except ValueError:
        return True
    return math.isfinite(as_number(text))


@dataclass(frozen=True)
class Encoding:
    """How columns become a matrix; frozen with a model.

    Attributes:
        kinds: What each column is, in the order of the matrix.
        words: Of each column of words, those with a column of their own; all others given are `other`.
        gaps: Columns of words that were missing somewhere in training: they have a flag for it. A missing number is
            NaN, and the base has its flags for that.
    """

    kinds: Mapping[str, Kind]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Columns of the matrix, in order; `concept` is the column of the file."""
        return tuple(feature for name in self.kinds for feature in self._features_of(name))

    def _features_of(self, name: str) -> tuple[Feature, ...]:
        if self.kinds[name] == "number":
            return (
                Feature(name, "flat", name, "amount", "not known", _said(name, None), _said(name, ""), skewed=False),
            )
        flags = [(f"{name}={word}", _said(name, word)) for word in self.words[name]]
        flags.append((f"{name} other", {tongue: _ANOTHER[tongue].format(name=name) for tongue in _ANOTHER}))
        if name in self.gaps:
            flags.append((f"{name} missing", _said(name, "")))
        return tuple(Feature(flag, "flat", name, "flag", "", said, said, skewed=False) for flag, said in flags)

    def other_share(self, name: str, texts: Texts) -> float:
        """Return the share of what is given in a column of words that has no column of its own; 0 for nothing given."""
        place = place_of(texts, self.words[name])
        given = int((place >= 0).sum())
        return float((place == len(self.words[name])).sum()) / given if given else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "kinds": dict(self.kinds),
            "words": {name: list(words) for name, words in self.words.items()},
            "gaps": list(self.gaps),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Encoding:
        """Rebuild it from its JSON."""
        words = {name: tuple(words) for name, words in saved["words"].items()}
        return cls(saved["kinds"], words, tuple(saved["gaps"]))


def not_known(name: str, language: Language) -> str:
    """Say that a column is missing."""
    return _NOT_KNOWN[language].format(name=name)


def _said(name: str, word: str | None) -> dict[str, str]:
    """Say a word, a number (None), or nothing (empty) of a column, per language."""
    if word == "":
        return {tongue: text.format(name=literal(name)) for tongue, text in _NOT_KNOWN.items()}
    value = "{value}" if word is None else literal(word)
    return {tongue: text.format(name=literal(name), value=value) for tongue, text in _VALUE.items()}


def settle(columns: Mapping[str, Texts], kinds: Mapping[str, Kind], rows: Ints, top: int) -> Encoding:
    """Freeze the frequent words of some rows: at most `top` per column, each in at least 20 rows; ties alphabetically.

    Args:
        columns: One row per lead.
        kinds: What each of them is.
        rows: The rows that teach.
        top: How many words per column.
    """
    words, gaps = {}, []
    for name in kinds:
        if kinds[name] == "words":
            seen = columns[name].take(rows)
            counts = seen.counts()
            enough = np.flatnonzero(counts >= MIN_CATEGORY).tolist()
            frequent = sorted((-counts[place], seen.words[place]) for place in enough)
            words[name] = tuple(sorted(word for _, word in frequent[:top]))
            gaps += [name] if seen.missing.any() else []
    return Encoding(dict(kinds), words, tuple(gaps))


def encode(columns: Mapping[str, Texts], encoding: Encoding, rows: Ints) -> Matrix:
    """Give one row per lead and the columns of `Encoding.features`: float32, C order; NaN for a missing number."""
    parts: list[npt.NDArray[Any]] = []
    for name, kind in encoding.kinds.items():
        texts = columns[name].take(rows)
        if kind == "number":
            parts.append(columns[name].numbers[rows])
            continue
        place = place_of(texts, encoding.words[name])
        flags = place[:, None] == np.arange(len(encoding.words[name]) + 1)
        parts += [*flags.T, texts.missing] if name in encoding.gaps else [*flags.T]
    return np.ascontiguousarray(np.stack(parts, axis=1), dtype=np.float32)


def place_of(texts: Texts, words: Sequence[str]) -> Ints:
    """Return where the text of each row stands among the words; behind the last for another one, -1 when missing."""
    own = {word: place for place, word in enumerate(words)}
    table = np.array([*(own.get(word, len(words)) for word in texts.words), -1], dtype=np.int64)
    return table[texts.codes]
