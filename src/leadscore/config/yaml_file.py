"""YAML as people mean it: text and keys stay as written, and each key path knows its line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from leadscore.config.mistakes import class_of, show_path
from leadscore.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

Lines = dict[tuple[str, ...], int]

_MOST_SETTINGS = 100_000  # aliases of aliases fill any memory in ten lines


class _EndlessError(Exception):
    """There is more in it than anyone could have written."""


class _Loader(yaml.SafeLoader):
    """YAML in which everything but nothing is text; the shape knows what must be a number.

    YAML 1.1 turns `no` into False, `12:30` into 750 and `010` into 8; a word of the source must stay what it is.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML keeps a class's own rules here

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a word, not a list or a section", key.start_mark
                )
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("^(<<)$"), ["<"])


def parse_yaml(text: str, path: Path) -> tuple[dict[str, Any], Lines]:
    """Parse YAML into settings and the line of each key path; a key given twice is a mistake."""
    loader = None
    lines: Lines = {}
    twice: list[str] = []
    try:
        loader = _Loader(text)
        tree = loader.get_single_node()
        _walk(tree, (), lines, twice)
        settings = loader.construct_document(tree) if tree is not None else None
    except yaml.YAMLError as error:
        raise _not_yaml(error, text, path) from None
    except (RecursionError, _EndlessError):
        raise ConfigError(f"{path}: is nested too deeply, or an alias refers to itself or multiplies.") from None
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(settings, dict):
        found = "an empty file" if settings is None else class_of(settings)
        raise ConfigError(f"{path}: expected settings such as `project: name`, found {found}.")
    if twice:
        raise ConfigError(f"{path}: given twice: {'; '.join(twice)}.")
    return settings, lines


def _not_yaml(error: yaml.YAMLError, text: str, path: Path) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        number = text.count("\n", 0, getattr(error, "position", 0)) + 1
        return ConfigError(f"{path}: not valid YAML: line {number}: {getattr(error, 'reason', 'unreadable')}.")
    lines = text.splitlines()
    tab = mark.line < len(lines) and "\t" in lines[mark.line]
    hint = (
        "Indent with spaces; YAML allows no tabs."
        if tab
        else "Look at this line and those above it: indentation, a missing ':', an open quote."
    )
    problem = (getattr(error, "problem", None) or "unreadable").removeprefix("but ")
    return ConfigError(f"{path}: not valid YAML: line {mark.line + 1}, column {mark.column + 1}: {problem}.", hint)


def _walk(node: yaml.Node | None, path: tuple[str, ...], lines: Lines, twice: list[str]) -> None:
    """Note the line of each key path below a node, and the keys given twice in one section."""
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            here = (*path, str(key.value))
            line = key.start_mark.line + 1
            if here[-1] in keys:
                twice.append(f"{show_path(here)} (lines {lines[here]} and {line})")
            keys.add(here[-1])
            lines[here] = line
            _walk(value, here, lines, twice)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            here = (*path, str(number))
            lines[here] = value.start_mark.line + 1
            _walk(value, here, lines, twice)
    if len(lines) > _MOST_SETTINGS:
        raise _EndlessError
