"""Guess which of a file's columns is which canonical one, by name and by content."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from leadscore.errors import DataError
from leadscore.guess.look import Column, Look, share
from leadscore.guess.words import CONTACT, HARMLESS, MEASURES, PERSONAL, TELLTALE, has_any, name_score, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import duckdb

_ENOUGH_SHARED = 0.2
_MOST = 0.9
_MOST_KINDS = 200
_MOST_CATEGORIES = 50
_SMALL = 100
_FITS = 0.4
"""Below, only some word of a long name fits."""
_TOUCHED = ("campaign_id", "content_id", "topic", "source_id")


@dataclass(frozen=True)
class Guess:
    """One guess: its value, what it rests on, and what a person must decide (either sentence may be empty)."""

    value: str
    because: str = ""
    check: str = ""


@dataclass(frozen=True)
class SourceGuess:
    """One source to be: files of one layout and what their columns are."""

    look: Look
    columns: dict[str, Guess] = field(default_factory=dict)
    constants: dict[str, Guess] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    exclude: dict[str, tuple[str, ...]] = field(default_factory=dict)
    exclude_because: str = ""
    notes: tuple[str, ...] = ()

    def sql(self, canonical: str) -> str:
        """Write SQL for a mapped column."""
        return self.look.column(self.columns[canonical].value).sql

    def moment(self, canonical: str) -> str:
        """Write SQL for a mapped moment in microseconds since 1970."""
        column = self.look.column(self.columns[canonical].value)
        assert column.moments is not None
        return column.moments.microseconds(column.sql)

    def free(self) -> list[Column]:
        """List the columns that are nothing yet."""
        taken = {guess.value for guess in self.columns.values()}
        return [column for column in self.look.columns if column.name not in taken]


def guess_keys(db: duckdb.DuckDBPyConnection, leads: Look, others: Sequence[Look]) -> tuple[Guess, list[Guess]]:
    """Find the column that names the lead in the leads file and in each other one.

    Raises:
        DataError: no column's values are found again in the leads file.
    """
    candidates = [column for column in leads.columns if _may_be_key(column, leads.rows)]
    if not candidates:
        raise DataError(f"{leads.paths[0]}: has no column that could name a lead (filled, and different on most rows).")
    totals = {key.name: [_best_partner(db, leads, key, other) for other in others] for key in candidates}
    best = max(totals, key=lambda name: sum(score for score, _, _ in totals[name]))
    partners = []
    for other, (_, name, found) in zip(others, totals[best], strict=True):
        if found < _ENOUGH_SHARED:
            raise DataError(
                f"{other.paths[0]}: no column's values are found again in {leads.name} "
                f"(its columns: {', '.join(column.name for column in other.columns)}).",
                "Both files must name the lead by the same key.",
            )
        check = "" if found >= _MOST else f"only {_percent(found)} of its values are found in {leads.name}"
        partners.append(Guess(name, f"{_percent(found)} of its values are found in {leads.name}", check))
    key = leads.column(best)
    check = "a mail address or phone number as a key is personal data" if has_any(best, CONTACT) else ""
    return Guess(best, f"different on {_percent(share(key.distinct, leads.rows))} of the rows", check), partners


def _may_be_key(column: Column, rows: int) -> bool:
    return column.filled >= _MOST and column.distinct >= 0.5 * rows and column.moments is None


def _best_partner(db: duckdb.DuckDBPyConnection, leads: Look, key: Column, other: Look) -> tuple[float, str, float]:
    """Find the column of another file that holds the key; returns (score, name, share of its values found)."""
    best = (-1.0, "", 0.0)
    for column in other.columns:
        if column.moments is not None or column.filled < 0.5:  # noqa: PLR2004 - half empty is no key
            continue
        found = _one(
            db,
            f"select count(*) from (select distinct {column.sql} as value from {other.table}) "
            f"where value in (select {key.sql} from {leads.table})",
        )
        # Row numbers are found anywhere; a key is also spread over the leads, and called alike.
        score = share(found, column.distinct) + 0.3 * share(found, key.distinct)
        score += 0.15 * (name_score(key.name, "lead_id") + name_score(column.name, "lead_id"))
        score += 0.1 * (plain(key.name) == plain(column.name))
        if found and score > best[0]:
            best = (score, column.name, share(found, column.distinct))
    return best


def guess_leads(look: Look, key: Guess) -> SourceGuess:
    """Guess the columns of the leads file, but for its attributes.

    Raises:
        DataError: no column holds moments.
    """
    source = SourceGuess(look, {"lead_id": key})
    source = _with(source, "account_id", lambda column: column.moments is None and column.distinct > 1)
    source = _with(source, "closes_at", _is_moment)
    if "closes_at" in source.columns:
        check = "was it known in advance? If it says when the lead really ended, leave it out"
        source.columns["closes_at"] = replace(source.columns["closes_at"], check=check)
    source = _with(source, "known_at", _is_moment)
    return _with_moment(source, "created_at")


def guess_interactions(db: duckdb.DuckDBPyConnection, look: Look, key: Guess) -> SourceGuess:
    """Guess the columns of a file of interactions.

    Raises:
        DataError: no column holds moments.
    """
    source = SourceGuess(look, {"lead_id": key})
    source = _with(source, "known_at", _is_moment)
    source = _with_moment(source, "occurred_at")
    source = _with_kind(source)
    source = _with_direction(db, source)
    source = _with(source, "channel", _is_category)
    source = _with(source, "value", lambda column: column.numbers >= _MOST)
    source = _with(source, "layer", lambda column: column.numbers >= _MOST and column.distinct <= _MOST_CATEGORIES)
    for canonical in _TOUCHED:
        source = _with(source, canonical, lambda column: column.moments is None and not _is_flag(db, look, column))
    return _without_outcome_rows(db, source)


def guess_outcomes(look: Look, key: Guess) -> SourceGuess:
    """Guess the columns of the outcomes file; a file without a word for the outcome holds conversions.

    Raises:
        DataError: no column holds moments.
    """
    source = SourceGuess(look, {"lead_id": key})
    source = _with(source, "known_at", _is_moment)
    source = _with_moment(source, "occurred_at")
    named = _with(source, "outcome", _is_category)
    if "outcome" in named.columns:
        return named
    because = f"no column of {look.name} says what the outcome is, so each row is a conversion"
    return replace(source, constants={"outcome": Guess("converted", because)})


def _is_moment(column: Column) -> bool:
    return column.moments is not None and column.filled >= 0.5  # noqa: PLR2004 - half of the rows at least


def _is_category(column: Column) -> bool:
    return column.moments is None and 1 <= column.distinct <= _MOST_CATEGORIES


def _is_text(column: Column) -> bool:
    return column.numbers < 0.5 and column.distinct > 1  # noqa: PLR2004 - mostly no numbers


def _is_other(column: Column) -> bool:
    return any(name_score(column.name, role) > _FITS for role in ("channel", "direction", *_TOUCHED))


def _with(source: SourceGuess, canonical: str, fits: Callable[[Column], bool]) -> SourceGuess:
    """Map a canonical column where a column of a fitting name and content is free."""
    scored = [(name_score(column.name, canonical), column) for column in source.free() if fits(column)]
    score, column = max(scored, key=lambda pair: pair[0], default=(0.0, None))
    if column is None or score <= _FITS:
        return source
    guess = Guess(column.name, f"its name, and {_content(column)}")
    return replace(source, columns={**source.columns, canonical: guess})


def _content(column: Column) -> str:
    what = f"{_count(column.distinct)} different values"
    if column.moments is not None:
        what = f"moments in {_percent(column.filled)} of the rows"
    elif column.numbers >= _MOST and column.distinct > _MOST_CATEGORIES:
        what = f"numbers in {_percent(column.filled)} of the rows"
    return what


def _with_moment(source: SourceGuess, canonical: str) -> SourceGuess:
    """Map the moment a table cannot do without: the best name among the columns that hold moments."""
    columns = [column for column in source.free() if column.moments is not None and column.filled > 0]
    if not columns:
        raise DataError(
            f"{source.look.paths[0]}: no column holds moments, and {canonical} needs one "
            f"(its columns: {', '.join(column.name for column in source.look.columns)}).",
            "Write moments as 2024-01-31T12:00:00+01:00, or in one of the usual forms of dates.",
        )
    best = max(columns, key=lambda column: (name_score(column.name, canonical), column.filled))
    moments = best.moments
    assert moments is not None
    sure = len(columns) == 1 or name_score(best.name, canonical) > 0
    because = ", ".join(filter(None, [_content(best), moments.proof]))
    doubts = [moments.doubt, "" if sure else f"several columns hold moments and none is called like {canonical}"]
    if best.filled < _MOST:
        doubts.append(f"rows without it ({_percent(1 - best.filled)}) will be rejected")
    guess = Guess(best.name, because, "; ".join(filter(None, doubts)))
    return replace(source, columns={**source.columns, canonical: guess})


def _with_kind(source: SourceGuess) -> SourceGuess:
    """Map the kind, or name all rows after the file."""
    rows = source.look.rows
    columns = [
        column
        for column in source.free()
        if column.moments is None
        and column.filled >= _MOST
        and column.distinct <= _MOST_KINDS
        and (rows < _SMALL or column.distinct <= rows / 5)
    ]
    named = _with(replace(source, look=replace(source.look, columns=tuple(columns))), "kind", lambda _: True)
    if "kind" in named.columns:
        return replace(named, look=source.look)
    words = [column for column in columns if _is_text(column) and not _is_other(column)]
    if len(words) == 1:
        check = "no column is called like a kind; this is the only one with few different words"
        kind = Guess(words[0].name, f"{words[0].distinct} different values", check)
        return replace(source, columns={**source.columns, "kind": kind})
    stem = re.sub(r"[^a-z0-9]+", "_", plain(source.look.name.split(".")[0])).strip("_") or "interaction"
    guess = Guess(stem, "", f"no column of {source.look.name} says the kind, so the file's name does")
    return replace(source, constants={**source.constants, "kind": guess})


def _with_direction(db: duckdb.DuckDBPyConnection, source: SourceGuess) -> SourceGuess:
    """Map the direction where its values are the canonical words; otherwise ask."""
    named = _with(source, "direction", _is_category)
    if "direction" not in named.columns:
        return source
    name = named.columns["direction"].value
    words = values_of(db, source.look, name)
    if {word.lower() for word in words} <= {"inbound", "outbound", "in", "out"}:
        return named
    note = f"column {name} may be the direction; it must say inbound or outbound, or the kinds below may"
    return replace(source, notes=(*source.notes, note))


_TRUE = {"true", "t", "yes", "y", "1", "oui", "o"}
_FALSE = {"false", "f", "no", "n", "0", "non"}


def _without_outcome_rows(db: duckdb.DuckDBPyConnection, source: SourceGuess) -> SourceGuess:
    """Leave out the rows a truth value of the file marks as being the outcome themselves."""
    for column in source.free():
        if not has_any(column.name, ("outcome", "converted", "conversion", "is won")) or not _is_category(column):
            continue
        words = values_of(db, source.look, column.name)
        marks = tuple(word for word in words if word.lower() in _TRUE)
        if marks and _is_flag(db, source.look, column):
            because = f"its name says that these rows are the outcome itself ({_count(words[marks[0]])} rows)"
            return replace(source, exclude={column.name: marks}, exclude_because=because)
    return source


def _is_flag(db: duckdb.DuckDBPyConnection, look: Look, column: Column) -> bool:
    return column.distinct <= 2 and {word.lower() for word in values_of(db, look, column.name)} <= _TRUE | _FALSE  # noqa: PLR2004 - yes and no


def values_of(db: duckdb.DuckDBPyConnection, look: Look, name: str) -> dict[str, int]:
    """Count the values of a column of few, the most frequent first."""
    column = look.column(name).sql
    found = db.execute(
        f"select {column}, count(*) as n from {look.table} where {column} is not null group by 1 order by n desc, 1"
    ).fetchall()
    return dict(found)


def with_attributes(source: SourceGuess, telltale: dict[str, str] | None = None) -> SourceGuess:
    """Choose the other columns worth keeping, and say why the rest is left out.

    Args:
        source: A source whose canonical columns are mapped.
        telltale: Columns whose content gives the outcome away, with the evidence; None for dated rows, whose
            columns say what was so at the time.
    """
    kept, left_out = [], {}
    for column in source.free():
        if column.name in source.exclude:
            continue
        reason = _why_not(column, source.look.rows)
        if not reason and telltale is not None:
            reason = telltale.get(column.name, "") or _told_by_name(column.name)
        if reason:
            left_out[column.name] = reason
        else:
            kept.append(column.name)
    return replace(source, attributes=tuple(kept), left_out=left_out)


def _why_not(column: Column, rows: int) -> str:
    """Say why a column is no attribute; empty when it may be one."""
    many = column.distinct > _MOST_CATEGORIES
    reasons = {
        "always the same": column.distinct + (column.filled < 1) <= 1,
        "a moment": column.moments is not None,
        "may name a person": has_any(column.name, PERSONAL),
        "too many different values": column.distinct > _MOST_KINDS and column.numbers < _MOST,
        "an identifier": many and plain(column.name).split()[-1:] == ["id"],
        "different on each row": rows >= _SMALL
        and column.distinct > _MOST * rows * column.filled
        and not has_any(column.name, MEASURES),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _told_by_name(name: str) -> str:
    return "may say the outcome" if has_any(name, TELLTALE) and not has_any(name, HARMLESS) else ""


def _one(db: duckdb.DuckDBPyConnection, query: str) -> int:
    found = db.execute(query).fetchone()
    return int(found[0]) if found and found[0] is not None else 0


def _percent(part: float) -> str:
    shown = f"{100 * part:.0f}"
    if shown == "100" and part < 1:
        shown = "99.9" if part < 0.9995 else "nearly 100"  # noqa: PLR2004 - 100 % would be untrue
    return f"{shown} %"


def _count(number: int) -> str:
    return f"{number:,}"
