"""Compose what the files for people show, from the ranked list, what was seen of its leads, and the slot before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from leadscore.config import Config
from leadscore.delivery.before import Before
from leadscore.delivery.content import MOVES, Bin, Change, Content, GradeLine, PastList, Quality, Tally, Tenth
from leadscore.delivery.files import Slot
from leadscore.delivery.wording import Wording
from leadscore.language import day
from leadscore.model.bundle import Bundle
from leadscore.scoring.grade import slots_for
from leadscore.scoring.panel import Panel
from leadscore.scoring.score import Counts, Scored
from leadscore.timeline import WEEK

MOST_CHANGES = 500
_MOST_LISTS = 26  # half a year of weekly ones
_WARM = ("A", "B")
_UP = ("new_in_a", "improving")


def compose(
    config: Config,
    bundle: Bundle,
    slot: Slot,
    table: pa.Table,
    parts: Sequence[Scored],
    counts: Counts,
    before: Before | None,
    warnings: Sequence[str] = (),
    delivered: Mapping[int, Mapping[str, Tally]] | None = None,
) -> Content:
    """Put together what workbook, page and terminal show.

    Args:
        config: Language, horizons, capacity, what is shown.
        bundle: The model.
        slot: Which delivery.
        table: The ranked list, with the columns of `scores_schema`.
        parts: The scored buckets it was made of.
        counts: Who is left out.
        before: The slot before; None without one.
        warnings: Sentences for the top.
        delivered: What became of each grade of past slots whose ranking horizon has closed, by their moment.
    """
    delivered = delivered or {}
    ids = table["lead_id"].to_pylist()
    past: Mapping[str, Any] = bundle.facts.get("past") or {}
    same = past.get("capacity") == config.capacity  # else the grades of then are not those of now
    changes = _changes(config, table, parts, before) if before else []
    counts_of = Counter(move for change in changes for move in change.moves)
    horizon, expires = config.horizon_names[config.rank_index], table["expires_at"].cast(pa.int64())
    return Content(
        project=config.project,
        slot=slot.name,
        as_of=slot.as_of,
        time_zone=config.time_zone,
        language=config.language,
        horizons=config.horizon_names,
        ranked_by=horizon,
        capacity=slots_for(len(ids), config.capacity),
        expires_at=expires[0].as_py() if len(ids) else slot.as_of,
        model=bundle.version,
        trained_as_of=bundle.as_of,
        left_out={name: getattr(counts, name) for name in ("ended", "closed", "objected")},
        before=before.earlier.as_of if before else None,
        scores=table,
        panels=_panels(ids[: config.delivery.panels], parts),
        changes=tuple(changes[:MOST_CHANGES]),
        moved={move: counts_of[move] for move in MOVES if counts_of[move]},
        changed=len(changes),
        quality=_quality(past, horizon),
        grades=tuple(_grades(past if same else {}, table, f"p_{horizon}", delivered)),
        shown={name: _shown(name, ids, parts) for name in config.delivery.columns},
        links=_links(config.delivery.record_url, ids),
        past_lists=_past_lists(past if same else {}, delivered),
        warnings=[*warnings, *([] if same or not past else [_other_capacity(past, config)])],
    )


def _panels(wanted: Sequence[str], parts: Iterable[Scored]) -> dict[str, Panel]:
    found = {lead: panel for part in parts for lead, panel in part.panels.items()}
    return {lead: found[lead] for lead in wanted}


def _shown(name: str, ids: Sequence[str], parts: Iterable[Scored]) -> list[str | None]:
    known = {lead: value for part in parts for lead, value in zip(part.lead_id, part.shown[name], strict=True)}
    return [known[lead] for lead in ids]


def _links(pattern: str | None, ids: Sequence[str]) -> list[str]:
    return [pattern.replace("{lead_id}", quote(lead, safe="")) for lead in ids] if pattern else []


# ---- how good ----------------------------------------------------------------------------------------------------


def _quality(past: Mapping[str, Any], horizon: str) -> Quality | None:
    if not past:
        return None
    told = {name: past[name] for name in ("since", "until", "lists", "leads", "conversions", "worked")}
    return Quality(
        horizon=horizon,
        **told,
        between=tuple(past["between"]),
        found=past["found"],
        found_by_recency=past["found_by_recency"],
        tenths=tuple(Tenth(**part) for part in past["tenths"]),
        gain={name: tuple((x, y) for x, y in line) for name, line in past["gain"].items()},
        bins=tuple(Bin(**part) for part in past["bins"]),
    )


def _grades(
    past: Mapping[str, Any], table: pa.Table, chance: str, delivered: Mapping[int, Mapping[str, Tally]]
) -> Iterator[GradeLine]:
    grade, chances = np.array(table["grade"].to_pylist(), dtype=str), table[chance].to_numpy()
    for letter in "ABCD":
        own = chances[grade == letter]
        had = [graded[letter] for graded in delivered.values() if letter in graded]
        yield GradeLine(
            letter,
            len(own),
            lowest=float(own.min()) if len(own) else None,
            highest=float(own.max()) if len(own) else None,
            promised=float(own.sum()),
            judged=_tally(past["grades"][letter]) if past else Tally(),
            delivered=Tally(*(sum(getattr(one, name) for one in had) for name in ("leads", "promised", "converted"))),
            between=tuple(past["grades"][letter]["between"]) if past else (0.0, 0.0),
        )


def _other_capacity(past: Mapping[str, Any], config: Config) -> str:
    words = Wording("common", config.language)
    return words.say("other_capacity", first=words.say("first_leads", past["worked"]))


def _tally(facts: Mapping[str, Any]) -> Tally:
    return Tally(facts["leads"], facts["promised"], facts["converted"])


def _past_lists(past: Mapping[str, Any], delivered: Mapping[int, Mapping[str, Tally]]) -> tuple[PastList, ...]:
    """List what became of grade A, list by list, a week apart at least; while lists were delivered, these alone."""
    had = [PastList(moment, graded.get("A", Tally()), delivered=True) for moment, graded in sorted(delivered.items())]
    lists = [
        *had,
        *(
            PastList(one["as_of"], _tally(one))
            for one in past.get("worked_lists", ())
            if not had or not had[0].as_of <= one["as_of"] <= had[-1].as_of
        ),
    ]
    kept: list[PastList] = []
    for one in sorted(lists, key=lambda one: one.as_of, reverse=True):
        if not kept or kept[-1].as_of - one.as_of >= WEEK:
            kept.append(one)
    return tuple(reversed(kept[:_MOST_LISTS]))


# ---- what changed ------------------------------------------------------------------------------------------------


def _changes(config: Config, table: pa.Table, parts: Sequence[Scored], before: Before) -> list[Change]:
    """List who moved, of those that have or had A or B: the most telling first, then by rank."""
    told = {
        name: {lead: getattr(part, name)[row] for part in parts for row, lead in enumerate(part.lead_id)}
        for name in ("fresh", "late", "cold", "shift", "moved")
    }
    words = Wording("changes", config.language)
    since = day(before.earlier.as_of, config.language, config.time_zone)
    found = []
    columns = ("lead_id", "rank", "grade", "score", "trend")
    for lead, rank, grade, score, trend in zip(*(table[name].to_pylist() for name in columns), strict=True):
        moves = _moves(before, lead, grade, trend, cold=bool(told["cold"][lead]))
        if moves:
            why = _why(words, since, before, lead, moves[0], rank, {name: of[lead] for name, of in told.items()})
            then = before.rank.get(lead), before.grade.get(lead), before.earlier.scores.get(lead)
            found.append(Change(lead, moves, rank, grade, score, *then, why))
    found += _left(words, parts, before)
    found.sort(key=lambda change: (MOVES.index(change.moves[0]), change.rank or change.rank_before or 0))
    return found


def _moves(before: Before, lead: str, grade: str, trend: str, *, cold: bool) -> tuple[str, ...]:
    then = before.grade.get(lead)
    if grade not in _WARM and then not in _WARM:
        return ()  # nobody worked it, or is going to
    facts = {
        "new_in_a": grade == "A" and then != "A",
        "fell_out_of_a": then == "A" and grade != "A",
        "went_cold": cold and then is not None,
        "improving": trend == "improving",
        "declining": trend == "declining",
        "new": then is None,
    }
    return tuple(name for name in MOVES if facts.get(name))


def _why(words: Wording, since: str, before: Before, lead: str, move: str, rank: int, told: Mapping[str, Any]) -> str:
    """Say what moved a lead its way: what the model saw, or that others moved; and what came, or was learned late."""
    if lead not in before.grade:
        return words.say("was_not_there", since=since)
    if not before.earlier.comparable:
        return words.say("another_model", since=since)
    fresh, late = int(told["fresh"]), int(told["late"])
    came = [words.say("fresh", fresh, since=since)] if fresh or not late else []
    came += [words.say("late", late, since=since)] if late else []
    facts = words.say("and").join(came)
    way = 1 if move in _UP else -1
    if told["moved"] is not None and told["shift"] * way > 0:
        return words.say("counts_more" if way > 0 else "counts_less", facts=facts, moved=told["moved"])
    rose = before.rank[lead] - rank
    return words.say("others_fell" if way > 0 else "others_rose", facts=facts) if rose * way > 0 else facts


def _left(words: Wording, parts: Iterable[Scored], before: Before) -> list[Change]:
    gone = {lead: how for part in parts for lead, how in part.gone.items() if before.grade.get(lead) in _WARM}
    return [
        Change(
            lead, ("gone",), None, None, None,
            before.rank[lead], before.grade[lead], before.earlier.scores[lead], words.say(f"gone_{how}"),
        )
        for lead, how in gone.items()
    ]  # fmt: skip
