"""What is settled on training data and travels with the model: kinds, categories, windows, families on or off."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from leadscore.config import Config
from leadscore.config.shape import Forms as Plural
from leadscore.features.catalogue import ALL, Sayings, Words, literal, span
from leadscore.history import NEITHER, NEVER, OUTBOUND, Coded, History, Leads
from leadscore.language import Forms, Language, choose
from leadscore.language import number as in_words
from leadscore.timeline import DAY

OTHER = "other"
_OTHER: Mapping[str, Forms] = {
    "en": {"one": "other interaction", "other": "other interactions"},
    "fr": {"zero": "aucune autre interaction", "one": "autre interaction", "other": "autres interactions"},
}
_ANY: Mapping[str, Forms] = {
    "en": {"zero": "no interaction", "one": "interaction", "other": "interactions"},
    "fr": {"zero": "aucune interaction", "one": "interaction", "other": "interactions"},
}
_TIMES: Mapping[str, tuple[Forms, str]] = {
    "en": ({"one": "{called}: ⟨once⟩ {when}", "other": "{called}: ⟨{value} times⟩ {when}"}, "{called}: ⟨never⟩ {when}"),
    "fr": ("{called} : ⟨{value} fois⟩ {when}", "{called} : ⟨jamais⟩ {when}"),
}
_NO = {"en": "no {other}", "fr": "pas de « {one} »"}
_NONE = re.compile(r"^(aucune?)\b")  # has the gender of what there is none of
_BY_US = {"en": "from us", "fr": "de notre part"}
_CHANNEL = {"en": "channel {name}", "fr": "canal {name}"}
_OTHER_CHANNELS = {"en": "other channels", "fr": "autres canaux"}
_UNMARKED = {ord(mark): None for mark in "⟨⟩"}
_NUMERIC_SHARE = 0.95  # an attribute is a number when nearly all of its values are
_LARGEST = float(np.finfo(np.float32).max)
_MIN_CATEGORY = 20  # versions of leads; a rarer category teaches its leads by heart


@dataclass(frozen=True)
class Census:
    """How often which word was met, and when the first lead was created; the censuses of two buckets add up.

    `pushed` counts, of the kinds, what we did; `families` holds what a family counted for itself, by its name (see
    `features.matrix.Freezes`).
    """

    kinds: Counter[str] = field(default_factory=Counter)
    categories: Mapping[str, Counter[str]] = field(default_factory=dict)
    present: Counter[str] = field(default_factory=Counter)
    first: int = NEVER
    pushed: Counter[str] = field(default_factory=Counter)
    families: Mapping[str, Counter[Any]] = field(default_factory=dict)

    def __add__(self, other: Census) -> Census:
        return Census(
            kinds=self.kinds + other.kinds,
            categories=_added(self.categories, other.categories),
            present=self.present + other.present,
            first=min(self.first, other.first),
            pushed=self.pushed + other.pushed,
            families=_added(self.families, other.families),
        )


def _added(one: Mapping[str, Counter[Any]], other: Mapping[str, Counter[Any]]) -> dict[str, Counter[Any]]:
    return {name: one.get(name, Counter()) + other.get(name, Counter()) for name in sorted({*one, *other})}


@dataclass(frozen=True)
class Vocabulary:
    """The frozen words and scales of a model; plain enough for JSON.

    Attributes:
        kinds: Kinds with columns of their own; all others count as `other`.
        pushed: Those of them that are mostly our own pushes.
        labels: Per kind and language, how people call it: a text, or its forms of `one`, `other` and maybe `zero`.
        attributes: How people call attributes and their words: per attribute `label` and `words`, by language.
        channels: How people call channels, by language.
        numbers: Attributes read as numbers.
        categories: Attributes read as words, with the categories that have a column.
        windows, half_lives: Lengths in microseconds, by their name.
        columns: Optional columns of leads and interactions that hold anything.
        families: Families that are on.
        off: Families that are configured but switched themselves off, and why.
        answer_within: How soon after a push or a message a touch counts as its answer, in microseconds.
        frozen: What families settled on training data for themselves, by family; plain enough for JSON.
        own: The families of the project's own, by name: the `digest` of the file and its `features`. That is all a
            model knows of them; their code stays in the project.
    """

    kinds: tuple[str, ...]
    labels: Mapping[str, Mapping[str, Forms]]
    numbers: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    windows: Mapping[str, int]
    half_lives: Mapping[str, int]
    columns: tuple[str, ...]
    time_zone: str
    families: tuple[str, ...]
    off: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    answer_within: int = 7 * DAY
    frozen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pushed: tuple[str, ...] = ()

    def label(self, kind: str, language: Language) -> str:
        """Return how people call a kind, ready to stand in a sentence."""
        return literal(self.called(kind, language))

    def called(self, kind: str, language: Language) -> str:
        """Return how people call one of a kind."""
        return choose(self._called(kind, language), 1, language)

    def attribute(self, name: str, language: Language) -> str:
        """Return how people call an attribute, ready to stand in a sentence."""
        return literal(self.attributes.get(name, {}).get("label", {}).get(language, _spaced(name)))

    def word(self, name: str, word: str, language: Language) -> str:
        """Return how people say a word of an attribute, ready to stand in a sentence."""
        return literal(self.attributes.get(name, {}).get("words", {}).get(word, {}).get(language, _spaced(word)))

    def channel(self, name: str, language: Language) -> str:
        """Return how people call a channel, and that it is one, ready to stand in a sentence."""
        if name == OTHER:
            return _OTHER_CHANNELS[language]
        return literal(_CHANNEL[language].format(name=self.channels.get(name, {}).get(language, _spaced(name))))

    def times(self, kind: str, window: str, *, by_us: bool = False) -> tuple[Sayings, Words]:
        """Say how often a kind, or ALL, came in a window, per language: with `{value}`, and when it never did."""
        often: dict[str, Forms] = {}
        never: dict[str, str] = {}
        for language, when in self.within(window).items():
            called, by = self._called(kind, language), f"{_BY_US[language]} " if by_us else ""
            often[language], never[language] = _times(called, f"{by}{when}", language)
        return often, never

    def _called(self, kind: str, language: Language) -> Forms:
        if kind in (OTHER, ALL):
            return (_OTHER if kind == OTHER else _ANY)[language]
        return self.labels.get(kind, {}).get(language, _spaced(kind))

    def so_many(self, kind: str, number: int, language: Language) -> str:
        """Say a number of a kind, ready to stand in a sentence: `2 pages read`."""
        called = self._called(kind, language)
        often = _times(called, "", language)[0]
        said = choose(often, number, language).format(value=in_words(number, language))
        return literal(said.translate(_UNMARKED).strip())

    def within(self, window: str) -> dict[Language, str]:
        """Say in each language which stretch of time a window is; `ever` is all of it."""
        if window == "ever":
            return {"en": "so far", "fr": "jusqu'ici"}
        length = self.windows[window]
        return {"en": f"in the last {span(length, 'en').removeprefix('1 ')}", "fr": f"en {span(length, 'fr')}"}

    def without(self, off: Mapping[str, str]) -> Vocabulary:
        """Switch families off, each with its reason."""
        return replace(self, families=tuple(name for name in self.families if name not in off), off=dict(off))

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Vocabulary:
        """Rebuild a vocabulary from its JSON."""
        lists = ("kinds", "numbers", "columns", "families", "pushed")
        categories = {name: tuple(words) for name, words in saved["categories"].items()}
        return cls(**{**saved, **{name: tuple(saved[name]) for name in lists}, "categories": categories})


def _spaced(name: str) -> str:
    """Make a name of the data fit for people, where nobody gave it a label."""
    return name.replace("_", " ")


def _plain(label: str | Plural) -> Forms:
    return label if isinstance(label, str) else label.model_dump(exclude_none=True)


def _times(called: Forms, when: str, language: str) -> tuple[Forms, str]:
    """Say how often a kind came, in the forms it has; whoever gave one only is not made to have a plural."""
    if isinstance(called, str):
        often, never = _TIMES[language]
        said = {form: text.replace("{called}", literal(called)).replace("{when}", when) for form, text in _forms(often)}
        return said, never.replace("{called}", literal(called)).replace("{when}", when)
    none = called.get("zero") or _NO[language].format(**called)
    often = {form: f"{{value}} {literal(text)} {when}" for form, text in _forms(called)}
    never = _NONE.sub(r"⟨\1⟩", literal(none))
    return often, f"{never} {when}"


def _forms(forms: Forms) -> list[tuple[str, str]]:
    return [("other", forms)] if isinstance(forms, str) else [(name, forms[name]) for name in ("one", "other")]


def heard(leads: Leads, history: History) -> npt.NDArray[np.bool_]:
    """Tell which interactions may teach: those of the bucket's own leads, without a standing objection."""
    return np.repeat(leads.heard, np.diff(history.indptr))


def tally(column: Coded, rows: npt.NDArray[np.bool_]) -> Counter[str]:
    """Count the words of a column on the rows asked for."""
    codes = column.codes[rows]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.words))
    return Counter({word: int(count) for word, count in zip(column.words, counts, strict=True) if count})


def take_census(leads: Leads, history: History) -> Census:
    """Count the words of a bucket; leads with a standing objection are left out."""
    rows = heard(leads, history)
    words = {name: getattr(history, name) for name in ("channel", "content", "topic", "campaign", "source")}
    present = Counter(
        {
            "value": int(np.isfinite(history.value[rows]).sum()),
            "direction": int((history.direction[rows] != NEITHER).sum()),
            "layer": int((history.layer[rows] > 0).sum()),
            "account": _given(leads, leads.version_account),
            "referrer": _given(leads, leads.version_referrer),
            "closes_at": int((leads.heard[leads.version_of] & (leads.version_closes_at != NEVER)).sum()),
            **{name: int((column.codes[rows] >= 0).sum()) for name, column in words.items()},
        }
    )
    first = int(leads.created_at.min(initial=NEVER))
    pushed = tally(history.kind, rows & (history.direction == OUTBOUND))
    return Census(tally(history.kind, rows), _categories(leads), +present, first, pushed)


def _given(leads: Leads, column: Iterable[str | None]) -> int:
    return sum(leads.heard[lead] for lead, word in zip(leads.version_of, column, strict=True) if word is not None)


def _categories(leads: Leads) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for lead, attributes in zip(leads.version_of.tolist(), leads.attributes, strict=True):
        if leads.heard[lead]:
            for name, value in attributes.items():
                counts.setdefault(name, Counter())[value] += 1
    return counts


def settle(census: Census, config: Config) -> Vocabulary:
    """Freeze the words that get columns of their own."""
    numbers = tuple(name for name in sorted(census.categories) if _is_number(census.categories[name]))
    settings = config.features
    # A kind that is itself called "other" goes with all those without a column.
    kinds = _top(Counter({kind: n for kind, n in census.kinds.items() if kind != OTHER}), settings.top_kinds, 1)
    return Vocabulary(
        kinds=kinds,
        pushed=tuple(kind for kind in kinds if 2 * census.pushed[kind] > census.kinds[kind]),
        labels={
            kind: {str(language): _plain(text) for language, text in given.label.items()}
            for kind, given in sorted(config.kinds.items())
            if given.label
        },
        attributes={name: given.model_dump(exclude_defaults=True) for name, given in config.attributes.items()},
        channels={
            name: {str(language): text for language, text in given.label.items()}
            for name, given in sorted(config.channels.items())
            if given.label
        },
        numbers=numbers,
        categories={
            name: _top(counts, settings.top_categories, _MIN_CATEGORY)
            for name, counts in sorted(census.categories.items())
            if name not in numbers
        },
        windows={str(window): window.microseconds for window in settings.windows},
        half_lives={str(half_life): half_life.microseconds for half_life in settings.half_lives},
        columns=tuple(sorted(census.present)),
        time_zone=config.time_zone,
        families=settings.families,
        answer_within=settings.answer_within.microseconds,
    )


def _top(counts: Counter[str], most: int, at_least: int) -> tuple[str, ...]:
    """Pick the most frequent words, ties in alphabetical order, and list them alphabetically."""
    frequent = sorted((-count, word) for word, count in counts.items() if count >= at_least)
    return tuple(sorted(word for _, word in frequent[:most]))


def _is_number(counts: Counter[str]) -> bool:
    # A number written with a leading zero is a code: a postal code, an article.
    numeric = sum(
        count for word, count in counts.items() if np.isfinite(as_number(word)) and not re.match(r"0\d", word)
    )
    return numeric >= _NUMERIC_SHARE * counts.total()


def as_number(text: str | None) -> float:
    """Read an attribute as a number; NaN when it is none, or none that float32 can hold."""
    try:
        value = float(text) if text is not None else np.nan
    except ValueError:
        return np.nan
    return value if abs(value) <= _LARGEST else np.nan


def sum_censuses(censuses: Iterable[Census]) -> Census:
    """Add up the censuses of all buckets."""
    return sum(censuses, Census())
