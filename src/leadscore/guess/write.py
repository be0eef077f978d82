"""Write guesses as a commented configuration."""

from __future__ import annotations

import json
import os
import re
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from leadscore.contract.tables import TABLES
from leadscore.guess.moments import ISO_FORMATS
from leadscore.guess.words import direction_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from leadscore.guess.ends import Ends, Scales
    from leadscore.guess.roles import Guess, SourceGuess

_PLAIN = re.compile(r"[A-Za-z][\w./+-]*|\.\.?/[\w./+-]*", re.ASCII)
_RESERVED = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_MOST_KINDS = 60
_WIDTH = 110
_LOOKS_PERSONAL = re.compile(r"@|\+?\d[\d .-]{7,}")


def scalar(text: str) -> str:
    """Write a text as YAML, in quotes where it could be read as something else.

    >>> scalar("mail_open"), scalar("case:name"), scalar("no"), scalar("10")
    ('mail_open', '"case:name"', '"no"', '"10"')
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return json.dumps(text, ensure_ascii=False)


def _list(words: Iterable[str]) -> str:
    return "[" + ", ".join(map(scalar, words)) + "]"


def _one_or_list(words: tuple[str, ...]) -> str:
    return scalar(words[0]) if len(words) == 1 else _list(words)


def _comment(text: str, indent: int) -> list[str]:
    """Write a comment of its own, in as many lines as it needs."""
    margin = " " * indent + "# "
    # A name with a line break in it must not end the comment.
    whole = " ".join(text.split())
    return textwrap.wrap(whole, _WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)


def _entry(indent: int, key: str, value: str, because: str = "", check: str = "") -> list[str]:
    """Write `key: value  # guessed: …`, with the question a person must answer above it."""
    lines = _comment(f"please check: {check}", indent) if check else []
    line = f"{' ' * indent}{scalar(key)}: {value}"
    if not because:
        return [*lines, line]
    remark = f"# guessed: {' '.join(because.split())}"
    if len(line) + len(remark) + 2 <= _WIDTH:
        return [*lines, f"{line}  {remark}"]
    return [*lines, *_comment(remark[2:], indent), line]


def head(project: str, language: str, zone: tuple[str, str, str]) -> list[str]:
    """Write the project's own settings."""
    name, because, check = zone
    return [
        "# A starting configuration of leadscore, written by `leadscore init`.",
        "# `guessed` says what a line rests on; `please check` asks what the files could not tell.",
        "# Every key and its default: docs/reference/configuration.md",
        "",
        f"project: {scalar(project)}",
        *_entry(0, "language", language, "from the names of the columns" if language != "en" else ""),
        *_entry(0, "time_zone", name, because, check),
        "",
    ]


def sources(tables: dict[str, list[SourceGuess]], relative_to: Path) -> list[str]:
    """Write where each canonical table comes from."""
    lines = ["sources:"]
    for table, guesses in tables.items():
        if not guesses:
            continue
        lines.append(f"  {table}:")
        for guess in guesses:
            order = {name: guess.columns[name] for name in TABLES[table].names if name in guess.columns}
            block = _source(replace(guess, columns=order), relative_to)
            if len(guesses) > 1:  # a list: the first line of each source carries the dash
                block = [f"    - {block[0].strip()}", *(f"  {line}" for line in block[1:])]
            lines += block
    return [*lines, ""]


def _source(source: SourceGuess, relative_to: Path) -> list[str]:
    look = source.look
    paths = tuple(os.path.relpath(path.resolve(), relative_to.resolve()).replace(os.sep, "/") for path in look.paths)
    lines = _entry(4, "files", _one_or_list(paths))
    if look.encoding != "utf-8":
        lines += _entry(4, "encoding", look.encoding, "the first bytes are not UTF-8")
    if look.delimiter not in ("", ","):
        lines += _entry(4, "delimiter", json.dumps(look.delimiter), "from the header")
    formats = _time_formats(source)
    if formats:
        lines += _entry(4, "time_formats", _list(formats), "these read the moments")
    lines += _comments(source.notes, 4)
    lines.append("    columns:")
    lines += _guesses(source.columns)
    if source.constants:
        lines.append("    constants:")
        lines += _guesses(source.constants)
    if source.exclude:
        lines += _comment(f"guessed: {source.exclude_because}", 4)
        lines.append("    exclude:")
        for name, marks in source.exclude.items():
            lines += _entry(6, name, _list(marks))
    return lines + _attributes(source)


def _comments(questions: Iterable[str], indent: int) -> list[str]:
    return [line for question in questions for line in _comment(f"please check: {question}", indent)]


def _guesses(guesses: dict[str, Guess]) -> list[str]:
    return [
        line
        for name, guess in guesses.items()
        for line in _entry(6, name, scalar(guess.value), guess.because, guess.check)
    ]


def _time_formats(source: SourceGuess) -> tuple[str, ...]:
    """List the formats of all mapped moments, each once; those of ISO 8601 only beside others."""
    moments = [source.look.column(guess.value).moments for guess in source.columns.values()]
    found = dict.fromkeys(text for one in moments if one is not None for text in one.formats)
    if found and any(one is not None and not one.formats for one in moments):
        found.update(dict.fromkeys(ISO_FORMATS))
    return tuple(found)


def _attributes(source: SourceGuess) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for name, reason in source.left_out.items():
        reasons.setdefault(reason, []).append(name)
    lines = []
    for reason, names in reasons.items():
        lines += _comment(f"left out of attributes ({reason}): {', '.join(names)}", 4)
    if source.attributes:
        lines += _entry(4, "attributes", _list(source.attributes))
    return lines


def outcomes(ends: Ends) -> list[str]:
    """Write which outcomes end a lead, and which kinds are part of them."""
    lines = ["outcomes:"]
    lines += _comments([ends.note] if ends.note else [], 2)
    for name, words in ends.words.items():
        if words:
            lines += _entry(2, name, _list(words), ends.because[name])
    if ends.unclear:
        shown = ", ".join(f"{scalar(word)} ({n:,} rows)" for word, n in list(ends.unclear.items())[:20])
        lines += _comments([f"do these end a lead? Now they do not: {shown}"], 2)
    if ends.hidden:
        lines += _comment("guessed: these kinds are part of an outcome, so no feature may use them", 2)
        lines.append("  hidden_kinds:")
        for kind, evidence in ends.hidden.items():
            lines.append(f"    - {scalar(kind)}  # {evidence}")
    lines += _comments(
        (f"is the kind {scalar(kind)} part of an outcome? {because}" for kind, because in ends.doubtful.items()), 2
    )
    return [*lines, ""]


def kinds(counts: dict[str, int], hidden: Iterable[str], has_direction: bool) -> list[str]:
    """Write the direction of the kinds whose words tell it, and ask for the others."""
    hidden = set(hidden)
    shown = [kind for kind in counts if kind not in hidden and not _LOOKS_PERSONAL.search(kind)][:_MOST_KINDS]
    if has_direction or not shown:
        return []
    told = {kind: direction_of(kind) for kind in shown}
    lines = []
    if any(told.values()):
        lines += ["# guessed: directions from the words; inbound is what the lead does, outbound what we do", "kinds:"]
        lines += [f"  {scalar(kind)}: {{direction: {way}}}" for kind, way in told.items() if way]
    unknown = [scalar(kind) for kind, way in told.items() if not way]
    if unknown:
        lines += _comments([f"inbound or outbound? {', '.join(unknown)}"], 2 if any(told.values()) else 0)
    return [*lines, ""]


def scales(found: Scales) -> list[str]:
    """Write horizons, spacing and look-back."""
    check = "" if found.because else "no conversion could be dated, so these are the usual ones"
    lines = _entry(0, "horizons", f"[{', '.join(map(str, found.horizons))}]", found.because, check)
    lines += ["", "snapshots:", f"  spacing: {found.spacing}"]
    if str(found.look_back) != "365d":
        lines.append(f"  look_back: {found.look_back}")
    return lines
