"""Read a configuration file and say every mistake in it at once."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from leadscore.config.mistakes import Mistake, MistakesError, class_of, show_path, unknown
from leadscore.config.shape import Config, section_of
from leadscore.config.yaml_file import Lines, parse_yaml
from leadscore.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Shape = TypeVar("Shape", bound=BaseModel)


def read_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: as `read_shape`, or a file of `features.own` is absent.
    """
    config, lines = read_shape(path, Config)
    absent = [
        Mistake(("features", "own", number), f"found no file {own}")
        for number, own in enumerate(config.features.own)
        if not (config.root / own).is_file()
    ]
    if absent:
        raise ConfigError(_report(path, [_as_written(mistake, lines) for mistake in absent], lines))
    return config


def read_shape(path: Path, shape: type[Shape]) -> tuple[Shape, Lines]:
    """Read a file into a shape with a field `root`; with it, the line of each key path.

    `${NAME}` and `${NAME:-default}` in a value stand for the environment's variable.

    Raises:
        ConfigError: the file is absent, is no YAML, is of the other kind of data, or breaks the shape; then the message
            lists every mistake with its line, its key path and the nearest known key.
    """
    settings, lines = parse_yaml(_read(path), path)
    _refuse_the_other(path, settings, shape)
    unset: list[Mistake] = []
    settings = _expand(settings, (), unset)
    if "root" in settings:
        del settings["root"]
        unset.append(unknown(("root",), _known_keys((), shape)))
    mistakes: list[Mistake] = []
    try:
        config = shape.model_validate({**settings, "root": path.resolve().parent})
    except ValidationError as error:
        mistakes = _mistakes_of(error, lines, shape)
    mistakes = _root_causes(unset, mistakes)
    if mistakes:
        raise ConfigError(_report(path, mistakes, lines))
    return config, lines


_DATA = {"sources": "dated interactions", "flat": "a flat export"}
_WAY_OUT = {
    "sources": "Leave --flat out, or name another file with -c.",
    "flat": "Use `leadscore train`, `score` or `compare` with --flat; all other commands need dated interactions.",
}


def _refuse_the_other(path: Path, settings: Mapping[str, Any], shape: type[BaseModel]) -> None:
    """Say that a file is of the other kind of data, for every key of it would be a mistake."""
    own, other = sorted(_DATA, key=lambda key: key not in shape.model_fields)
    if other in settings and own not in settings:
        raise ConfigError(
            f"{path}: found the configuration of {_DATA[other]} (`{other}`), expected one of {_DATA[own]} (`{own}`).",
            _WAY_OUT[other],
        )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such configuration file.",
            "Write one with `leadscore init --leads FILE --interactions FILE`, or name it with -c.",
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder, expected a file such as {path / 'leadscore.yaml'}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text.", "Save it as UTF-8 in your editor.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"{path}: cannot be read ({reason}).", "Check the path and its permissions.") from error


def _mistakes_of(error: ValidationError, lines: Lines, shape: type[BaseModel]) -> list[Mistake]:
    items = error.errors(include_url=False)
    places = [item["loc"] for item in items]
    mistakes: list[Mistake] = []
    for item in items:
        place = item["loc"]
        # pydantic counts a list without its bad items and then calls it too short.
        follows = item["type"] == "too_short" and any(
            other[: len(place)] == place and len(other) > len(place) for other in places
        )
        if not follows:
            mistakes += _mistakes_in(item, shape)
    return [_as_written(mistake, lines) for mistake in mistakes]


def _mistakes_in(item: Any, shape: type[BaseModel]) -> list[Mistake]:
    """Turn one error of pydantic's into mistakes."""
    place, kind = item["loc"], item["type"]
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, MistakesError):
        return [
            Mistake((*place[:-1], *mistake.path), mistake.text, mistake.nearest, mistake.absent)
            for mistake in cause.mistakes
        ]
    if kind == "extra_forbidden":
        return [unknown(place, _known_keys(place[:-1], shape))]
    if kind == "missing":
        return [Mistake(place, "required, but not given", absent=True)]
    if kind == "value_error":
        return [Mistake(place, str(cause))]
    return [Mistake(tuple(part for part in place if part != "[key]"), _plain_words(item))]


def _as_written(mistake: Mistake, lines: Lines) -> Mistake:
    """Leave out the places of lists the file does not write as lists (one source, one word)."""
    path: tuple[str, ...] = ()
    for part in mistake.path:
        here = (*path, str(part))
        if isinstance(part, str) or here in lines:
            path = here
    return Mistake(path, mistake.text, mistake.nearest, mistake.absent)


def _root_causes(unset: list[Mistake], mistakes: list[Mistake]) -> list[Mistake]:
    """Leave out what only follows from another mistake: an unset variable, a mistyped key."""
    empty = {tuple(map(str, mistake.path)) for mistake in unset}
    meant = [(*mistake.path[:-1], mistake.nearest) for mistake in mistakes if mistake.nearest]
    kept = [
        mistake
        for mistake in mistakes
        if mistake.path not in empty
        and not (mistake.absent and any(mistake.path[: len(path)] == path for path in meant))
    ]
    return [*unset, *kept]


def _report(path: Path, mistakes: list[Mistake], lines: Lines) -> str:
    listed = []
    for mistake in mistakes:
        keys = tuple(map(str, mistake.path))
        line = next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), 0)
        listed.append((line, f"{show_path(keys)}: {mistake.text}"))
    listed = sorted(set(listed))
    count = "1 mistake" if len(listed) == 1 else f"{len(listed)} mistakes"
    sentences = "\n".join(f"  line {line}: {text}" if line else f"  {text}" for line, text in listed)
    return f"{path}: {count} in the configuration:\n{sentences}"


_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def _expand(value: Any, path: tuple[str | int, ...], unset: list[Mistake]) -> Any:
    """Replace `${NAME}` and `${NAME:-default}` by the environment's value, noting what is not set."""
    if isinstance(value, dict):
        return {key: _expand(item, (*path, key), unset) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, (*path, number), unset) for number, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        given = os.environ.get(name)
        if given is None and default is None:
            text = f"the environment variable {name} is not set; set it, or give ${{{name}:-default}}"
            unset.append(Mistake(path, text))
            return found[0]
        return given or default or ""

    return _VARIABLE.sub(variable, value)


_EXPECTED = {
    "string_type": "text",
    "string_too_short": "text",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "1 to 64 letters, digits, '_', '.' or '-', a letter or a digit first",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "too_short": "at least {min_length}",
    "too_long": "at most {max_length}",
    "tuple_type": "a list",
    "dict_type": "a section of keys and values",
    "model_type": "a section of settings",
}


def _plain_words(item: Any) -> str:
    context = item.get("ctx", {})
    expected = _EXPECTED.get(item["type"])
    if expected is None:
        return str(item["msg"])
    found = class_of(item["input"])
    if item["type"] in {"too_short", "too_long"}:
        found = f"{len(item['input'])} of them"
    return f"found {found}, expected {expected.format(**context)}"


def _known_keys(path: tuple[str | int, ...], shape: type[BaseModel]) -> tuple[str, ...]:
    """List the keys of the section at a path, whose places in lists and dictionaries are part of it."""
    section = shape
    inside = False
    for part in path:
        if inside:
            inside = False
            continue
        section, inside = section_of(section.model_fields[str(part)].annotation)
    return tuple(name for name in section.model_fields if name != "root")
