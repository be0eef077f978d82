"""Guess how leads end: which words convert, which kinds are part of it, and how long it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leadscore.errors import DataError
from leadscore.guess.look import Look, literal, share
from leadscore.guess.roles import Guess, SourceGuess, values_of
from leadscore.guess.words import conversion_kinds, has_any, meaning_of, name_score
from leadscore.timeline import DAY, HOUR, MINUTE, Duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

_LADDER = tuple(
    Duration.parse(text)
    for text in ("1h", "2h", "6h", "12h", "1d", "2d", "3d", "7d", "14d", "30d", "60d", "90d", "180d", "365d", "730d")
)
_SAME_MOMENT = 2_000_000
_HIDDEN = 0.8
_DOUBTFUL = 0.3
_RESTS = 0.7
_FEWEST = 3
_MOST_SHOWN = 40


@dataclass(frozen=True)
class Ends:
    """How leads end.

    Attributes:
        words: For converted, lost and disqualified: the words and what they rest on.
        unclear: Words that may be an end or not, with how often they come.
        hidden: Kinds that are part of an outcome, with the evidence.
        doubtful: Kinds that may be, with the evidence.
        note: What a person must decide about the outcomes as a whole.
    """

    words: dict[str, tuple[str, ...]]
    because: dict[str, str]
    unclear: dict[str, int]
    hidden: dict[str, str]
    doubtful: dict[str, str]
    note: str = ""


@dataclass(frozen=True)
class Scales:
    """Horizons, spacing and look-back, with what they rest on."""

    horizons: tuple[Duration, Duration, Duration]
    spacing: Duration
    look_back: Duration
    because: str


def gather(db: duckdb.DuckDBPyConnection, leads: SourceGuess, interactions: Sequence[SourceGuess]) -> None:
    """Bring leads and interactions onto common tables `starts(lead, moment)` and `touches(lead, moment, kind)`."""
    db.execute(
        f"create or replace temp table starts as select {leads.sql('lead_id')} as lead, "
        f"min({leads.moment('created_at')}) as moment from {leads.look.table} group by 1"
    )
    parts = []
    for source in interactions:
        kind = source.sql("kind") if "kind" in source.columns else literal(source.constants["kind"].value)
        kept = " and ".join(
            f"{source.look.column(name).sql} not in ({', '.join(map(literal, marks))})"
            for name, marks in source.exclude.items()
        )
        where = f"where coalesce({kept}, true)" if kept else ""
        parts.append(
            f"select {source.sql('lead_id')} as lead, {source.moment('occurred_at')} as moment, {kind} as kind "
            f"from {source.look.table} {where}"
        )
    db.execute(
        f"create or replace temp table touches as select * from ({' union all '.join(parts)}) "
        "where lead is not null and moment is not null and kind is not null"
    )


def outcomes_in_leads(db: duckdb.DuckDBPyConnection, leads: SourceGuess) -> SourceGuess | None:
    """Find outcomes in the leads file itself: a word such as Closed Won, and the moment it came."""
    free = leads.free()
    moments = [column for column in free if column.moments and has_any(column.name, _CLOSED)]
    words = [
        (name_score(column.name, "outcome"), column.name)
        for column in free
        if column.moments is None
        and name_score(column.name, "outcome") > 0
        and any(meaning_of(word) == "converted" for word in _few_values(db, leads.look, column.name))
    ]
    if not moments or not (words or any(has_any(column.name, _CONVERTED) for column in moments)):
        return None
    moment = max(moments, key=lambda column: (has_any(column.name, _CONVERTED), column.filled))
    check = "is it the moment of the outcome? A planned date would be the future"
    found = SourceGuess(
        leads.look,
        {"lead_id": leads.columns["lead_id"], "occurred_at": Guess(moment.name, "its name", check)},
        exclude={moment.name: ("",)} if moment.filled < 1 else {},
        exclude_because="these are no end",
    )
    if not words:
        return replace(found, constants={"outcome": Guess("converted", f"from the name {moment.name}")})
    word = max(words)[1]
    still_open = tuple(
        value
        for value in values_of(db, leads.look, word)
        if meaning_of(value) is None or value.lower() in {"0", "false", "no", "n", "non"}
    )
    return replace(
        found,
        columns={**found.columns, "outcome": Guess(word, "holds words of conversion")},
        exclude={**found.exclude, **({word: still_open} if still_open else {})},
    )


_CONVERTED = ("converted", "conversion", "won", "signed", "signature", "became a customer", "customer date")
_CLOSED = ("close", "closed", "cloture", *_CONVERTED)


def _few_values(db: duckdb.DuckDBPyConnection, look: Look, name: str) -> dict[str, int]:
    return values_of(db, look, name) if look.column(name).distinct <= _MOST_SHOWN else {}


def guess_ends(db: duckdb.DuckDBPyConnection, outcomes: SourceGuess | None) -> Ends:
    """Guess how leads end, from the outcomes or, without any, from the kinds.

    Raises:
        DataError: nothing looks like a conversion.
    """
    if outcomes is None:
        return _ends_among_kinds(db)
    if "outcome" in outcomes.constants:
        counts = {outcomes.constants["outcome"].value: outcomes.look.rows}
        word = literal(outcomes.constants["outcome"].value)
    else:
        counts = values_of(db, outcomes.look, outcomes.columns["outcome"].value)
        word = outcomes.sql("outcome")
    skipped = {mark for marks in outcomes.exclude.values() for mark in marks}
    counts = {value: n for value, n in counts.items() if value not in skipped}
    words = _sorted_words(counts)
    if not words["converted"]:
        raise DataError(
            f"{outcomes.look.paths[0]}: none of the words in column {outcomes.columns['outcome'].value} means a "
            "conversion.",
            "Name the winning word won, converted or signed, or write the configuration by hand.",
        )
    kept = ", ".join(literal(value) for values in words.values() for value in values)
    db.execute(
        f"create or replace temp table ends as select {outcomes.sql('lead_id')} as lead, "
        f"{outcomes.moment('occurred_at')} as moment, {word} as word "
        f"from {outcomes.look.table} where {word} in ({kept})"
    )
    because = {name: _counted(values, counts) for name, values in words.items()}
    unclear = {value: n for value, n in counts.items() if not any(value in values for values in words.values())}
    hidden, doubtful = _kinds_at_the_end(db)
    return Ends(words, because, unclear, hidden, doubtful)


def _sorted_words(counts: dict[str, int]) -> dict[str, tuple[str, ...]]:
    return {
        meaning: tuple(value for value in counts if meaning_of(value) == meaning)
        for meaning in ("converted", "lost", "disqualified")
    }


def _counted(values: tuple[str, ...], counts: dict[str, int]) -> str:
    return f"{sum(counts[value] for value in values):,} rows" if values else ""


def _ends_among_kinds(db: duckdb.DuckDBPyConnection) -> Ends:
    counts = dict(db.execute("select kind, count(*) as n from touches group by 1 order by n desc, 1").fetchall())
    converted = tuple(conversion_kinds(list(counts)))
    if not converted:
        raise DataError(
            "Nothing says what a conversion is: no outcomes file, and no kind of interaction that looks like one.",
            "Give the outcomes with --outcomes FILE (who, when, and what came of it).",
        )
    ends_with = _ending_kinds(db)
    likely = {kind: meaning_of(kind) for kind in counts if kind not in converted}
    words = {
        "converted": converted,
        **{
            meaning: tuple(
                kind for kind, likely_meaning in likely.items() if likely_meaning == meaning and kind in ends_with
            )
            for meaning in ("lost", "disqualified")
        },
    }
    unclear = {kind: counts[kind] for kind, meaning in likely.items() if meaning and kind not in ends_with}
    listed = ", ".join(literal(value) for values in words.values() for value in values)
    db.execute(
        "create or replace temp table ends as "
        "select lead, min(moment) as moment, arg_min(kind, moment) as word "
        f"from touches where kind in ({listed}) group by 1"
    )
    hidden, doubtful = _kinds_at_the_end(db)
    for values in words.values():
        hidden.update(dict.fromkeys(values, "is an outcome itself"))
        for value in values:
            doubtful.pop(value, None)
    because = {name: _counted(values, counts) for name, values in words.items()}
    note = "there is no outcomes file; these kinds of interaction look like outcomes"
    return Ends(words, because, unclear, hidden, doubtful, note)


def _ending_kinds(db: duckdb.DuckDBPyConnection) -> set[str]:
    """List the kinds after which most leads rest: nothing follows more than a day later."""
    found = db.execute(
        f"""
        with last_touch as (select lead, max(moment) as moment from touches group by 1),
        last_of_kind as (select lead, kind, max(moment) as moment from touches group by all)
        select kind from last_of_kind join last_touch using (lead)
        group by 1 having avg((last_touch.moment - last_of_kind.moment <= {DAY})::int) >= {_RESTS}
        """
    ).fetchall()
    return {row[0] for row in found}


def _kinds_at_the_end(db: duckdb.DuckDBPyConnection) -> tuple[dict[str, str], dict[str, str]]:
    """Find kinds that come at the very moment of the outcome: they are its trace, not its cause."""
    near, how_near = _nearness(db)
    found = db.execute(
        f"""
        with first_end as (select lead, min(moment) as moment from ends where moment is not null group by 1)
        select kind, count(*) as n, count(*) filter (abs(touches.moment - first_end.moment) <= {near}) as at_the_end
        from touches left join first_end using (lead)
        group by 1 order by at_the_end desc, 1
        """
    ).fetchall()
    hidden, doubtful = {}, {}
    for kind, n, at_the_end in found:
        part = share(at_the_end, n)
        evidence = f"{100 * part:.0f} % of its {n:,} come {how_near} the outcome"
        if part >= _HIDDEN and at_the_end >= _FEWEST:
            hidden[kind] = evidence
        elif part >= _DOUBTFUL and at_the_end >= _FEWEST:
            doubtful[kind] = evidence
    return hidden, doubtful


def _nearness(db: duckdb.DuckDBPyConnection) -> tuple[int, str]:
    """Say how near counts as the same moment, in microseconds: a day where outcomes are dated to the day."""
    row = db.execute(
        f"select count(distinct moment % {DAY}), count(distinct moment // {MINUTE}) from ends where moment is not null"
    ).fetchone()
    times_of_day, moments = row or (0, 0)
    # Two, for summer and winter time.
    if times_of_day <= 2 < moments:  # noqa: PLR2004
        return DAY - 1, "within a day of"
    return _SAME_MOMENT, "at the moment of"


def telltale_columns(db: duckdb.DuckDBPyConnection, leads: SourceGuess, ends: Ends) -> dict[str, str]:
    """Find columns of the leads file whose values all but say who converted: they were filled in afterwards."""
    converted = ", ".join(map(literal, ends.words["converted"]))
    found = {}
    for column in leads.free():
        if column.moments is not None or not 1 < column.distinct + (column.filled < 1) <= _MOST_SHOWN:
            continue
        row = db.execute(
            f"""
            with won as (select distinct lead from ends where word in ({converted})),
            per_value as (
                select coalesce({column.sql}, '') as value, count(*) as n, count(won.lead) as converted
                from {leads.look.table} left join won on won.lead = {leads.sql("lead_id")} group by 1
            )
            select sum(n), sum(converted), sum(least(converted, n - converted)) from per_value
            """
        ).fetchone()
        if row is None or not row[1]:
            continue
        rows, conversions, wrong = row
        # What a majority vote by value gets wrong, against what it gets wrong without the column.
        if wrong <= 0.1 * min(conversions, rows - conversions):
            found[column.name] = "says who converted, so it was filled in afterwards"
    return found


def guess_scales(db: duckdb.DuckDBPyConnection, ends: Ends) -> Scales:
    """Guess the horizons from the median time from creation to conversion.

    The middle horizon is the step of a ladder nearest to the median (on a logarithmic scale), the others are its
    neighbours; the longest leaves at least half of the data's span for horizons to close in.
    """
    converted = ", ".join(map(literal, ends.words["converted"]))
    row = db.execute(
        f"""
        with won as (select lead, min(moment) as moment from ends where word in ({converted}) group by 1)
        select count(*), median(won.moment - starts.moment)
        from won join starts using (lead) where won.moment > starts.moment
        """
    ).fetchone()
    count, median = row or (0, None)
    span = _span(db)
    middle = 9 if not median else _nearest(median)
    while middle > 1 and span and _LADDER[middle + 1].microseconds > span / 2:
        middle -= 1
    middle = min(max(middle, 1), len(_LADDER) - 2)
    horizons = (_LADDER[middle - 1], _LADDER[middle], _LADDER[middle + 1])
    spacing = _LADDER[_nearest(horizons[0].microseconds / 7)]
    look_back = max(Duration.parse("365d"), Duration(4 * horizons[2].microseconds, f"{_days(4 * horizons[2].days)}d"))
    because = f"half of {count:,} conversions come within {_show_length(median)} of creation" if median else ""
    return Scales(horizons, spacing, look_back, because)


def _span(db: duckdb.DuckDBPyConnection) -> int:
    row = db.execute("select max(moment) - min(moment) from starts").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _nearest(length: float) -> int:
    return min(range(len(_LADDER)), key=lambda step: abs(math.log(_LADDER[step].microseconds / max(length, 1))))


def _days(days: float) -> int:
    return max(1, round(days))


def _show_length(length: float) -> str:
    if length < 2 * DAY:
        return f"{length / HOUR:.0f} hours"
    return f"{length / DAY:.0f} days"
