"""The words of the files for people: a YAML file per place in `words/`, the languages of a sentence side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

import yaml

from leadscore.language import Forms, Language, choose, number


@dataclass(frozen=True)
class Wording:
    """The words of one place (`workbook`, `page`, …) in one language; what is common to all places comes along.

    >>> Wording("common", "fr").say("leads", 2175)
    '2\u202f175 leads'
    """

    place: str
    language: Language

    def say(self, key: str, count: float | None = None, /, **values: object) -> str:
        """Say a sentence, with its values in it; `{n}` is the count, as the language writes it where it is not given.

        Args:
            key: In the place's file, or in `common.yaml`.
            count: Chooses the plural, where the sentence has one.
            **values: Texts, written as they should read.

        Raises:
            KeyError: neither file has the key.
        """
        forms = _texts(self.place)[key] if key in _texts(self.place) else _texts("common")[key]
        text = choose(forms[self.language], count or 0, self.language)
        told = {} if count is None else {"n": number(float(count), self.language)}
        return text.format(**{**told, **values})


def places() -> list[str]:
    """Name the places there are words for."""
    return sorted(file.name.removesuffix(".yaml") for file in _folder().iterdir() if file.name.endswith(".yaml"))


@lru_cache
def _texts(place: str) -> Mapping[str, Mapping[Language, Forms]]:
    loaded: Any = yaml.safe_load((_folder() / f"{place}.yaml").read_text(encoding="utf-8"))
    return cast("Mapping[str, Mapping[Language, Forms]]", loaded)


def _folder() -> Any:
    return files("leadscore.delivery") / "words"
