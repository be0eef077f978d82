"""The feature dictionary: every family's catalogue, and the drawn tables of `tests/spec` that say what it means."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

from leadscore.config import Config
from leadscore.features.catalogue import Feature
from leadscore.features.matrix import FAMILIES, settle, take_census
from leadscore.features.vocabulary import Vocabulary
from leadscore.features.worlds import World, draw_world
from leadscore.language import LANGUAGES, Forms
from leadscore.timeline import Duration

SPECS = Path(__file__).parents[2] / "tests" / "spec"
KIND, OTHER_KIND = "<kind>", "<next kind>"
_KINDS = {"call": KIND, "mail": OTHER_KIND}
# Lengths nobody would take for their own, so that they can be told from other words of a sentence.
_LENGTHS = {"<window>": "11d", "<half-life>": "13d", "<answer_within>": "17d"}
_DIRECTIONS = {0: "", 1: "never lowers", -1: "never raises"}


def families() -> dict[str, tuple[str, list[Feature]]]:
    """List the families in order: what each is about, and its features under names with placeholders."""
    vocabulary = _vocabulary()
    return {
        name: (_first_line(family), _without_doubles(family.catalogue(vocabulary)))
        for name, family in FAMILIES.items()
        if name in vocabulary.families
    }


def row(feature: Feature) -> tuple[str, ...]:
    """Describe a feature: name, unit, what missing means, which way it may push, sentences."""
    sentences = [
        " · ".join(_marked(text) for text in (*_forms(feature.sentence[language]), feature.absent[language]))
        for language in LANGUAGES
    ]
    missing = _marked(feature.missing) or "never"
    return f"`{feature.name}`", feature.unit, missing, _DIRECTIONS[feature.direction], *sentences


def examples(family: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the drawn tables of a family's specification: those that all tests share, then each test's own.

    A test whose tables are drawn by its code, and not as text, is named without any.
    """
    path = SPECS / f"test_{family}.py"
    if not path.exists():
        return
    body = ast.parse(path.read_text(encoding="utf-8")).body
    tests = [node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    shared = [table for node in body if isinstance(node, ast.Assign) for table in _tables(node)]
    if shared:
        yield "The world of the examples, where they draw none of their own", shared
    for test in tests:
        yield test.name.removeprefix("test_").replace("_", " ").capitalize(), list(_tables(test))


def _tables(node: ast.AST) -> Iterator[str]:
    """Yield the drawn tables of a piece of code in their order."""
    texts = [found for found in ast.walk(node) if isinstance(found, ast.Constant) and isinstance(found.value, str)]
    for found in sorted(texts, key=lambda text: (text.lineno, text.col_offset)):
        text = dedent(str(found.value)).strip("\n")
        lines = text.strip().splitlines()
        widths = {line.count("|") for line in lines}  # a piece of a table, as of an f-string, has lines cut short
        if len(lines) > 1 and lines[0].startswith("lead_id") and len(widths) == 1 and widths != {0}:
            yield "\n".join(line.rstrip() for line in lines)


def _vocabulary() -> Vocabulary:
    """Settle the words of a drawn company in which each stands for its sort."""
    config = Config.model_validate(
        {
            "project": "dictionary",
            "sources": {
                "leads": {"files": "l.csv", "columns": {"lead_id": "l", "created_at": "c"}},
                "interactions": {"files": "i.csv", "columns": {"lead_id": "l", "occurred_at": "o", "kind": "k"}},
            },
            "outcomes": {"converted": "won", "lost": "lost"},
            "features": {
                "families": tuple(FAMILIES), "windows": [_LENGTHS["<window>"]],
                "half_lives": [_LENGTHS["<half-life>"]], "answer_within": _LENGTHS["<answer_within>"],
            },
        }
    )  # fmt: skip
    world = _renamed(draw_world(1, ()))
    found = settle(take_census(*world.bucket(), config), config)
    lengths = {name: Duration.parse(text).microseconds for name, text in _LENGTHS.items()}
    return replace(
        found,
        windows={"<window>": lengths["<window>"]},
        half_lives={"<half-life>": lengths["<half-life>"]},
        numbers=("<number>",),
        categories={"<attribute>": ("<category>",)},
    )


def _renamed(world: World) -> World:
    def renamed(row: Mapping[str, Any]) -> dict[str, Any]:
        kind = _KINDS.get(row["kind"], OTHER_KIND)
        return {**row, "kind": kind, "channel": "<channel>" if row["channel"] else None}

    return replace(world, interactions=[renamed(row) for row in world.interactions])


def _without_doubles(features: Sequence[Feature]) -> list[Feature]:
    """Leave out what is there for another kind already: of the other kind, of all that have no column."""
    names = {feature.name for feature in features}
    swapped = {KIND: OTHER_KIND, OTHER_KIND: KIND}
    kept: dict[str, Feature] = {}
    for feature in features:
        name = feature.name
        mirrored = re.sub(f"{KIND}|{OTHER_KIND}", lambda word: swapped[word[0]], name)
        same = [name.replace(word, to) for word, to in ((OTHER_KIND, KIND), ("other", KIND), ("other", "<channel>"))]
        if mirrored not in kept and not any(other != name and other in names for other in same):
            kept[name] = feature
    return list(kept.values())


def _forms(sentence: Forms) -> list[str]:
    return [sentence] if isinstance(sentence, str) else list(sentence.values())


def _marked(text: str) -> str:
    """Show placeholders as code: as tags they would vanish from the page."""
    text = text.translate({ord(mark): None for mark in "⟨⟩"})
    for name, length in _LENGTHS.items():
        days = length.removesuffix("d")
        for words in (f"{days} days", f"{days} jours"):
            text = text.replace(words, name)
    for name in (KIND, OTHER_KIND, "<channel>", "<number>", "<attribute>", "<category>", *_LENGTHS, "{value}"):
        text = text.replace(name, f"`{name}`")
    return text


def _first_line(family: Any) -> str:
    text = inspect.getdoc(family) if isinstance(family, ModuleType) else ""
    return (text or "").partition("\n")[0]
