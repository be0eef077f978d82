"""Look at files and guess a starting configuration, saying what each guess rests on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from leadscore.guess import ends as how_leads_end
from leadscore.guess import write
from leadscore.guess.look import Look, look_at, open_database
from leadscore.guess.moments import Moments, guess_zone
from leadscore.guess.roles import (
    SourceGuess,
    guess_interactions,
    guess_keys,
    guess_leads,
    guess_outcomes,
    with_attributes,
)
from leadscore.guess.words import looks_french

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

__all__ = ["guess_config"]


def guess_config(leads: Path, interactions: Sequence[Path], outcomes: Path | None, relative_to: Path) -> str:
    """Guess a configuration from files of leads, interactions and (where there is one) outcomes.

    Looks at the first 500,000 rows of each file. The text names columns, kinds, categories and counts, never a lead.

    Args:
        leads: One row per lead.
        interactions: Files of interactions; those with the same columns become one source.
        outcomes: One row per outcome; without it, outcomes are looked for in the leads and among the kinds.
        relative_to: Folder of the configuration; paths are written relative to it, and the project is named after it.

    Returns:
        YAML that `read_config` accepts, with `guessed:` and `please check:` comments.

    Raises:
        DataError: a file is absent, empty or not what its name says, names no lead the others know, or has no
            moments; or nothing says what a conversion is.
    """
    with open_database() as db:
        tables = _tables(db, leads, interactions, outcomes)
        source = tables["leads"][0]
        how_leads_end.gather(db, source, tables["interactions"])
        if not tables["outcomes"]:
            found = how_leads_end.outcomes_in_leads(db, source)
            tables["outcomes"] = [found] if found else []
        ends = how_leads_end.guess_ends(db, next(iter(tables["outcomes"]), None))
        telltale = how_leads_end.telltale_columns(db, source, ends)
        if tables["outcomes"] and tables["outcomes"][0].look is source.look:
            telltale.update({guess.value: "says the outcome" for guess in tables["outcomes"][0].columns.values()})
        tables["leads"] = [with_attributes(source, telltale)]
        tables["interactions"] = [with_attributes(touches) for touches in tables["interactions"]]
        return "\n".join(_lines(db, tables, ends, relative_to)) + "\n"


def _tables(
    db: duckdb.DuckDBPyConnection, leads: Path, interactions: Sequence[Path], outcomes: Path | None
) -> dict[str, list[SourceGuess]]:
    """Look at the files and map their columns."""
    leads_look = look_at(db, [leads])[0]
    touch_looks = look_at(db, list(interactions))
    outcome_looks = look_at(db, [outcomes]) if outcomes else []
    key, partners = guess_keys(db, leads_look, [*touch_looks, *outcome_looks])
    touch_keys, outcome_keys = partners[: len(touch_looks)], partners[len(touch_looks) :]
    return {
        "leads": [guess_leads(leads_look, key)],
        "interactions": [guess_interactions(db, *pair) for pair in zip(touch_looks, touch_keys, strict=True)],
        "outcomes": [guess_outcomes(*pair) for pair in zip(outcome_looks, outcome_keys, strict=True)],
    }


def _lines(
    db: duckdb.DuckDBPyConnection,
    tables: dict[str, list[SourceGuess]],
    ends: how_leads_end.Ends,
    relative_to: Path,
) -> list[str]:
    every = [source for sources in tables.values() for source in sources]
    names = [column.name for look in _different([source.look for source in every]) for column in look.columns]
    counts = dict(db.execute("select kind, count(*) as n from touches group by 1 order by n desc, 1").fetchall())
    return [
        *write.head(_project(relative_to), "fr" if looks_french(names) else "en", guess_zone(db, _moments(every))),
        *write.sources(tables, relative_to),
        *write.outcomes(ends),
        *write.kinds(counts, ends.hidden, any("direction" in source.columns for source in tables["interactions"])),
        *write.scales(how_leads_end.guess_scales(db, ends)),
    ]


def _different(looks: list[Look]) -> list[Look]:
    return list({look.table: look for look in looks}.values())


def _moments(sources: list[SourceGuess]) -> list[tuple[str, str, Moments]]:
    return [
        (source.look.table, column.sql, column.moments)
        for source in sources
        for guess in source.columns.values()
        if (column := source.look.column(guess.value)).moments is not None
    ]


def _project(folder: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.resolve().name).strip("-._")[:64]
    return name or "leads"
