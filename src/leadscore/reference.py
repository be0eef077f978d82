"""Write the pages that follow from the code: the configuration's keys, the commands, the errors, the decisions.

`python -m leadscore.reference` writes them into `docs/`; a test compares them with the committed ones.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.main import get_command

from leadscore import dictionary, errors
from leadscore.cli import app
from leadscore.config.flat import FlatConfig
from leadscore.config.shape import Config, Source, section_of
from leadscore.contract.tables import TABLES, Table
from leadscore.timeline import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic.fields import FieldInfo

_HEAD = "<!-- Written by `python -m leadscore.reference`; change the code, not this page. -->"
_INTRODUCTION = (
    "One YAML file, `leadscore.yaml` unless `-c` names another. Paths in it are relative to its folder. "
    "Lengths of time are written `90m`, `12h`, `7d` or `2w`. `${NAME}` in a value is the environment's "
    "variable of that name, `${NAME:-default}` with a default. Everything is text as it is written (`no` is a "
    "word, not a truth value). An unknown key is an error that names the nearest known one. Where a list holds "
    "one text only, the text alone will do."
)
_FEATURES = (
    "Every column of the matrix, family by family. `<kind>` stands for each of the frequent kinds and for `other`, "
    "`<channel>` likewise; `<window>` and `<half-life>` for those of the configuration; `ever` for all that was known. "
    "*Missing* says what an empty value means, *may push* whether a growing value is kept from lowering or raising a "
    "score. Which families a model has, its manifest says; what stands behind the features of one lead, "
    "`leadscore features --lead ID --as-of WHEN`. A family of your own: "
    "[how to](../how-to/your-own-family.md).\n\n"
    "The examples are the specification's own, drawn as its tests draw them: moments are days (`3` is the start of "
    "day 3, `3-` a microsecond before, `3+` one after), `_` is missing, `2/3` a number."
)
_MEANINGS = {
    0: "Done.",
    1: "A fault of leadscore itself: please report it.",
}


def configuration_page() -> str:
    """Describe each key of the configuration in Markdown: key path, type, default, meaning."""
    parts = [
        "# Configuration",
        _HEAD,
        _INTRODUCTION,
    ]
    for title, keys in _groups():
        parts += [f"## {title}", _markdown(("key", "type", "default", "meaning"), keys)]
    parts += ["## Canonical columns", "What `sources.<table>.columns` and `constants` may name."]
    for table in TABLES.values():
        parts += [f"### `{table.name}`", table.grain, _columns(table)]
    return "\n\n".join(parts) + "\n"


def flat_page() -> str:
    """Describe each key of the configuration of a flat export in Markdown."""
    told = (
        "What `train --flat` and `score --flat` read: [how to](../how-to/flat-exports.md). One YAML file, written as "
        "that of a [project with dates](configuration.md)."
    )
    parts = ["# Configuration of a flat export", _HEAD, told]
    for title, keys in _groups(FlatConfig):
        parts += [f"## {title}", _markdown(("key", "type", "default", "meaning"), keys)]
    return "\n\n".join(parts) + "\n"


def errors_page() -> str:
    """Describe the families of errors in Markdown: exit code, name, who can act."""
    families = [errors.ConfigError, errors.DataError, errors.GateError, errors.StateError]
    rows = [(f"`{code}`", "", meaning) for code, meaning in _MEANINGS.items()]
    rows += [(f"`{family.exit_code}`", f"`{family.__name__}`", _first_line(family)) for family in families]
    rows.append(
        ("`130`", "", "Stopped by Ctrl-C. `tune` (by SIGTERM, too) keeps what it tried, and its output is valid.")
    )
    text = (
        "The command line ends with one of these codes. An error is one sentence on standard error (what, where, "
        "found, expected) and, where there is one, a hint what to do next; it never shows a person's data."
    )
    return "\n\n".join(["# Errors", _HEAD, text, _markdown(("exit code", "error", "who can act"), rows)]) + "\n"


def commands_page() -> str:
    """Describe each command in Markdown: what it does, its options."""
    parts = ["# Commands", _HEAD, "`leadscore COMMAND --help` says the same on the terminal."]
    for name, command in sorted(get_command(app).commands.items()):  # type: ignore[attr-defined]  # it is a group
        rows = [
            (f"`{' '.join(option.opts)}`", "required" if option.required else _told(option), option.help or "")
            for option in command.params
        ]
        parts += [f"## `leadscore {name}`", command.help or "", _markdown(("option", "default", "meaning"), rows)]
    return "\n\n".join(parts) + "\n"


def features_page() -> str:
    """Describe each feature of each family in Markdown, with the drawn examples of its specification."""
    head = ("feature", "unit", "missing", "may push", "in English: a value · nothing", "in French")
    parts = ["# Features", _HEAD, _FEATURES]
    for name, (about, features) in dictionary.families().items():
        parts += [f"## `{name}`", about, _markdown(head, [dictionary.row(feature) for feature in features])]
        drawn = list(dictionary.examples(name))
        if drawn:
            parts.append(f"### Examples of `{name}`")
        for title, tables in drawn:
            parts += [f"**{title}**", *(f"```text\n{table}\n```" for table in tables)]
    return "\n\n".join(parts) + "\n"


def decisions_page() -> str:
    """List the decisions in Markdown: number and title, from the pages themselves."""
    pages = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    titles = [path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for path in pages]
    rows = [f"- [{title}]({path.name})" for path, title in zip(pages, titles, strict=True)]
    return "\n".join(["# Decisions", "", _HEAD, "", *rows]) + "\n"


def _told(option: Any) -> str:
    default = option.default
    return "" if default is None or default is False or callable(default) else f"`{default}`"


DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "reference/configuration.md": configuration_page,
    "reference/flat-configuration.md": flat_page,
    "reference/commands.md": commands_page,
    "reference/errors.md": errors_page,
    "reference/features.md": features_page,
    "decisions/README.md": decisions_page,
}


def key_paths() -> list[str]:
    """List every key path of the configuration, as the reference shows them."""
    return [row[0].strip("`") for _, rows in _groups() for row in rows]


def main(arguments: Sequence[str]) -> None:
    """Write the pages into the folder given, or `docs`; with `--check`, only say which are not up to date."""
    if "--check" in arguments:
        stale = [name for name, page in PAGES.items() if (DOCS / name).read_text(encoding="utf-8") != page()]
        if stale:
            sys.exit(f"error: not what the code says: {', '.join(stale)}; run `make docs`")
        return
    folder = Path(arguments[0]) if arguments else DOCS
    for name, page in PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(page(), encoding="utf-8")


def _groups(shape: type[BaseModel] = Config) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Yield (title, rows) for the project and each of its sections, in the order of the file."""
    plain = {name: field for name, field in _fields(shape) if section_of(field.annotation)[0] is None}
    yield "Project", [_row("", name, field) for name, field in plain.items()]
    for name, field in _fields(shape):
        if name not in plain:
            yield f"`{name}`", list(_section_rows(name, field))


def _section_rows(path: str, field: FieldInfo) -> Iterator[tuple[str, ...]]:
    section, many = section_of(field.annotation)
    inner = f"{path}.<{path.removesuffix('s')}>." if many else f"{path}."
    if section.__name__ != "SourceMap":
        for name, inside in _fields(section):
            nested, many = section_of(inside.annotation)
            if nested is None or many:
                yield _row(inner, name, inside)
            else:
                yield from _section_rows(f"{inner}{name}", inside)
        return
    yield from (_row(inner, name, field) for name, field in _fields(section))
    yield from (_row(f"{path}.<table>.", name, field) for name, field in _fields(Source))


def _fields(section: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    return [(name, field) for name, field in section.model_fields.items() if name != "root"]


def _row(path: str, name: str, field: FieldInfo) -> tuple[str, ...]:
    return f"`{path}{name}`", _type(field), _default(field), field.description or ""


def _type(field: FieldInfo) -> str:
    bounds = [words for constraint in field.metadata for words in _bound(constraint)]
    return ", ".join([_words(field.annotation), *bounds])


def _bound(constraint: object) -> Iterator[str]:
    match constraint:
        case annotated_types.Ge(ge=bound):
            yield f"at least {bound}"
        case annotated_types.Gt(gt=bound):
            yield f"more than {bound}"
        case annotated_types.Le(le=bound):
            yield f"at most {bound}"
        case annotated_types.Lt(lt=bound):
            yield f"less than {bound}"


_NAMES = {str: "text", int: "whole number", float: "number", Duration: "length of time"}


def _words(annotation: Any) -> str:
    """Name a type in words: `list of text`, `one of en, fr`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(inner[0])
    if origin is Literal:
        return "one of " + ", ".join(f"`{word}`" for word in inner)
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in inner if part is not NoneType)
    if origin is dict:
        return f"{_words(inner[0])}: {_words(inner[1])}"
    return _list(annotation) if origin is tuple else _named(annotation)


def _list(annotation: Any) -> str:
    section, _ = section_of(annotation)
    sources = section is not None and issubclass(section, Source)
    return "source or list of sources" if sources else f"list of {_plural(_words(get_args(annotation)[0]))}"


def _named(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "keys " + ", ".join(f"`{name}`" for name in annotation.model_fields)
    return _NAMES[annotation]


def _plural(words: str) -> str:
    return {"length of time": "lengths of time", "text": "texts"}.get(words, words)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined or value in ((), {}):
        return ""
    shown = "[" + ", ".join(map(_written, value)) + "]" if isinstance(value, tuple) else str(value)
    if isinstance(value, dict):
        shown = "{" + ", ".join(f"{key}: {item}" for key, item in value.items()) + "}"
    return f"`{shown}`"


def _written(value: object) -> str:
    """Write a value as it would stand in the file."""
    if not isinstance(value, BaseModel):
        return str(value)
    told = value.model_dump(mode="json", exclude_defaults=True)
    return "{" + ", ".join(f"{name}: {json.dumps(given)}" for name, given in told.items()) + "}"


def _columns(table: Table) -> str:
    rows = [
        (f"`{column.name}`", column.type, "yes" if column.required else "", column.meaning)
        for column in table.columns
        if column.name in table.names
    ]
    return _markdown(("column", "type", "required", "meaning"), rows)


def _markdown(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    main(sys.argv[1:])
