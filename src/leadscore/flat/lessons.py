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
from leadscore.model.base import Floats
from leadscore.timeline import parse_moment

_MONTH = re.compile(r"\d{4}-\d{2}")  # ISO 8601, but not Python's


@dataclass(frozen=True)
class Lessons:
    """What to learn from: one row per lead with an answer, the oldest first where there is an order.

    Attributes:
        lead_id: Who it is.
        columns: What is known, by name.
        kinds: What each column is, in the order of the matrix.
        hits: Whether the answer is yes.
        answers: The words of the target, the most frequent first.
        ordered: The rows are in the order of time; those of the same time as they came.
        tied: Which share of the rows has the most frequent time; 0 without an order.
        silent: Columns that say nothing: empty, or the same in each row.
        undecided: How many leads had no answer and are left out.
    """

    lead_id: Sequence[str]
    columns: Mapping[str, Texts]
    kinds: Mapping[str, Kind]
    hits: Flags
    answers: Sequence[Answer]
    ordered: bool
    tied: float = 0.0
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
    rows = np.flatnonzero(~target.missing)
    yes = says_yes(target, settings)
    _refuse_too_few(yes[rows], target, settings)
    tied = 0.0
    if settings.order:
        times = _times(columns[settings.order], settings.order)[rows]
        tied = _largest_tie(times, settings.order)
        rows = rows[np.argsort(times, kind="stable")]
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
        hits=yes[rows],
        answers=answers_of(target, settings),
        ordered=settings.order is not None,
        tied=tied,
        silent=tuple(name for name in told if name not in kinds),
        undecided=len(target) - len(rows),
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


def _times(texts: Texts, column: str) -> Floats | Ints:
    """Read when each row was: its number, or its moment in microseconds; without a zone it is UTC.

    Raises:
        DataError: a row without a value, or values that are neither all numbers nor all ISO 8601 moments.
    """
    words = texts.words
    numbers = np.array([_number(word) for word in words], dtype=np.float64)
    finite = np.isfinite(numbers)
    moments = [_moment(word) for word in words]
    # 20260105 is both; a number sorts alike.
    dated = np.array([moment is not None for moment in moments], dtype=np.bool_) & ~finite
    if texts.missing.any() or not (finite.all() or dated.all()):
        raise DataError(
            f"Column {column} gives no order: {int(texts.missing.sum()):,} rows have no value, and of {len(words):,} "
            f"different values {int(finite.sum()):,} are numbers, {int(dated.sum()):,} are ISO 8601 moments and "
            f"{int((~finite & ~dated).sum()):,} are neither; expected all of them to be one or the other.",
            "Write moments as 2026-01-05 or 2026-01-05T08:30:00Z, or number the rows in time; or leave flat.order out.",
        )
    times: Floats | Ints = numbers if finite.all() else np.array(moments, dtype=np.int64)
    return times[texts.codes]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _moment(text: str) -> int | None:
    try:
        return parse_moment(f"{text}-01" if _MONTH.fullmatch(text) else text, "UTC")
    except (ValueError, OverflowError):
        return None


def _largest_tie(times: Floats | Ints, column: str) -> float:
    """Return which share of the rows has the most frequent time.

    Raises:
        DataError: all have the same.
    """
    different, rows = np.unique(times, return_counts=True)
    if len(different) == 1:
        raise DataError(
            f"Column {column} gives no order: it has one value in all {len(times):,} rows with an answer; expected "
            "one that rises with time.",
            "Name another column as flat.order, or leave it out.",
        )
    return float(rows.max() / len(times))
