"""From a flat export to what can be learned from it: who answered, what, in which order, and from which columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leadscore.config.flat import Flat, FlatConfig
from leadscore.errors import DataError
from leadscore.flat.answers import Answer, answers_of, says_yes
from leadscore.flat.columns import Ints, Kind, Texts, kind_of
from leadscore.labels import Flags

_DAY_FIRST = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b")


@dataclass(frozen=True)
class Lessons:
    """What to learn from: one row per lead with an answer, the oldest first where there is an order.

    Attributes:
        lead_id: Who it is.
        columns: What is known, by name.
        kinds: What each column is, in the order of the matrix.
        hits: Whether the answer is yes.
        answers: The words of the target, the most frequent first.
        ordered: The rows are in the order of time.
        silent: Columns that say nothing: empty, or the same in each row.
        undecided: How many leads had no answer and are left out.
    """

    lead_id: Sequence[str]
    columns: Mapping[str, Texts]
    kinds: Mapping[str, Kind]
    hits: Flags
    answers: Sequence[Answer]
    ordered: bool
    silent: tuple[str, ...] = ()
    undecided: int = 0

    def __len__(self) -> int:
        return len(self.hits)


def gather(columns: Mapping[str, Texts], config: FlatConfig) -> Lessons:
    """Find out who answered, what, and in which order.

    Args:
        columns: Text by column, one row per lead.
        config: What the columns are.

    Raises:
        DataError: a lead without a name or with two rows, an answer too rare, no order, or nothing to learn from.
    """
    settings = config.flat
    lead_id = named(columns[settings.lead_id], settings.lead_id)
    target = columns[settings.target]
    order = _order(columns[settings.order], settings.order) if settings.order else np.arange(len(target))
    rows = order[~target.missing[order]]
    hits = says_yes(target, settings)[rows]
    _refuse_too_few(hits, target, settings)
    told = {name: columns[name].take(rows) for name in feature_names(columns, settings)}
    kinds = {name: kind for name, texts in told.items() if (kind := kind_of(texts)) is not None}
    if not kinds:
        raise DataError(
            f"Nothing to learn from: each of the {len(told)} columns is empty, not finite, or the same in each row.",
            "Ask for the columns that tell leads apart, or correct flat.columns and flat.exclude.",
        )
    return Lessons(
        lead_id=[lead_id[row] for row in rows],
        columns={name: told[name] for name in kinds},
        kinds=kinds,
        hits=hits,
        answers=answers_of(target, settings),
        ordered=settings.order is not None,
        silent=tuple(name for name in told if name not in kinds),
        undecided=len(order) - len(rows),
    )


def feature_names(present: Mapping[str, Texts] | Sequence[str], settings: Flat) -> tuple[str, ...]:
    """List the columns to learn from, in the order of the file."""
    if isinstance(settings.columns, tuple):
        return settings.columns
    taken = {settings.lead_id, settings.target, settings.order, *settings.exclude}
    return tuple(name for name in present if name not in taken)


def named(texts: Texts, column: str) -> list[str]:
    """Return who each row is.

    Raises:
        DataError: a row without a name, or two of one name.
    """
    nameless, twice = int(texts.missing.sum()), int((texts.counts() > 1).sum())
    if nameless or twice:
        raise DataError(
            f"Column {column}: {nameless:,} rows name no lead, and {twice:,} leads have more than one row; "
            "expected one row per lead.",
            "Name the right column as flat.lead_id, or leave one row of each lead.",
        )
    return [texts.words[code] for code in texts.codes.tolist()]


def _refuse_too_few(hits: Flags, target: Texts, settings: Flat) -> None:
    yes, no = int(hits.sum()), int((~hits).sum())
    if min(yes, no) < settings.min_each:
        different = int((target.counts() > 0).sum())
        raise DataError(
            f"Too little to learn from: column {settings.target} says yes {yes:,} times and no {no:,} times (in "
            f"{different:,} different words, {int(target.missing.sum()):,} rows without any); needed "
            f"{settings.min_each} of each.",
            "Check flat.target and flat.positive, bring more rows, or lower flat.min_each.",
        )


def _order(texts: Texts, column: str) -> Ints:
    """Return the rows, oldest first; rows of the same moment stay as they came.

    Raises:
        DataError: a row without a place, or texts that do not sort as time goes.
    """
    words = texts.words
    numbers = np.array([_number(word) for word in words], dtype=np.float64)
    finite = np.isfinite(numbers)
    day_first = sum(bool(_DAY_FIRST.match(word)) for word in words)
    if texts.missing.any() or (finite.any() and not finite.all()) or day_first:
        raise DataError(
            f"Column {column} gives no order: {int(texts.missing.sum()):,} rows without a value, and of {len(words):,} "
            f"different values {int(finite.sum()):,} are numbers and {day_first:,} dates that begin with the day.",
            "Give all rows a number, or moments such as 2026-01-31; or leave flat.order out.",
        )
    keys = numbers if finite.all() else np.argsort(np.argsort(np.array(words, dtype=object)))
    return np.argsort(keys[texts.codes], kind="stable")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan
