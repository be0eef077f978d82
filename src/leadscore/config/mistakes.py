"""Mistakes in a configuration: what one is, and how its values and places are shown."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass

_SHOWN = 40


class MistakesError(ValueError):
    """Mistakes one check found; their paths start at the section the check belongs to."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("; ".join(mistake.text for mistake in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True)
class Mistake:
    """One mistake: where, what, and what helps to see which others only follow from it.

    Attributes:
        path: Key path; an integer is a place in a list.
        text: What was found and what was expected.
        nearest: The known key an unknown one was probably meant to be.
        absent: Something required is not there.
    """

    path: tuple[str | int, ...]
    text: str
    nearest: str = ""
    absent: bool = False


def class_of(value: object) -> str:
    """Name a value for a message: itself when short, its class when long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and len(value) > _SHOWN:
        return f"text of {len(value)} characters"
    if isinstance(value, (int, float, str)):
        return repr(value)
    if isinstance(value, dict):
        return "a section"
    return "a list" if isinstance(value, (list, tuple)) else type(value).__name__


def refuse(mistakes: list[Mistake]) -> None:
    """Raise the mistakes a check found, if any."""
    if mistakes:
        raise MistakesError(mistakes)


def unknown(path: tuple[str | int, ...], known: tuple[str, ...]) -> Mistake:
    """Say that the last key of a path is none of the known ones, and which of these is near."""
    key = str(path[-1])
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return Mistake(path, f"unknown key {class_of(key)}; {advice}", nearest=near[0] if near else "")


def show_path(path: tuple[str, ...]) -> str:
    """Write a key path with dots, quoting the keys that are not plain words."""
    plain = re.compile(r"[\w-]+")
    return ".".join(part if plain.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in path)
