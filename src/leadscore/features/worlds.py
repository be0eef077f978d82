"""A company of nobody, drawn from a seed: what a family is tried on before it may see anybody's data."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from leadscore.history import History, Leads, build_history, build_leads, build_workload
from leadscore.snapshots import Snapshots
from leadscore.timeline import DAY, HOUR

Row = Mapping[str, Any]

KINDS = ("call", "mail", "visit")
_BEGIN = 19_723 * DAY  # 2024-01-01
_LENGTH = 120  # days
_LEADS, _INTERACTIONS, _MORE = 9, 150, 5  # so many more for each word that is looked for
_CONVERTED, _ENDS = ("won",), ("won", "lost")
_TIMES = ("created_at", "closes_at", "occurred_at", "known_at")
_LEAD = ("lead_id", "account_id", "referrer_id", "created_at", "closes_at", "known_at", "attributes")
_OUTCOME = ("lead_id", "occurred_at", "known_at", "outcome")
_CONSENT = ("lead_id", "occurred_at", "known_at", "purpose", "status")
_INTERACTION = (
    *("lead_id", "occurred_at", "known_at", "kind", "channel", "direction", "content_id"),
    *("layer", "topic", "campaign_id", "source_id", "value", "attributes"),
)


@dataclass(frozen=True)
class World:
    """Rows of the canonical tables, and moments to look from, ascending."""

    leads: Sequence[Row]
    interactions: Sequence[Row]
    outcomes: Sequence[Row]
    consents: Sequence[Row]
    moments: Sequence[int]

    def before(self, moment: int) -> World:
        """Keep what had happened, and was known, before a moment."""
        return self._where(lambda row: row["known_at"] < moment and row.get("occurred_at", row["known_at"]) < moment)

    def of(self, lead_ids: Sequence[str]) -> World:
        """Keep some leads."""
        return self._where(lambda row: row["lead_id"] in lead_ids)

    def _where(self, keep: Callable[[Row], bool]) -> World:
        leads, interactions, outcomes, consents = (
            [row for row in rows if keep(row)] for rows in (self.leads, self.interactions, self.outcomes, self.consents)
        )
        return World(leads, interactions, outcomes, consents, self.moments)

    def pairs(self) -> list[tuple[str, int]]:
        """List each (lead_id, moment) such that the lead was known before; sorted."""
        first = {str(row["lead_id"]): int(row["known_at"]) for row in reversed(self.leads)}
        return [(lead, moment) for lead in sorted(first) for moment in self.moments if first[lead] < moment]

    def groups(self) -> list[list[str]]:
        """List the leads that belong together: of one account, or alone."""
        together: dict[str, set[str]] = {}
        for row in self.leads:
            together.setdefault(row["account_id"] or row["lead_id"], set()).add(row["lead_id"])
        return [sorted(together[key]) for key in sorted(together)]

    def bucket(self, project: World | None = None) -> tuple[Leads, History]:
        """Build what families see, by the functions that build it from the store; `project` has all its buckets."""
        whole = self if project is None else project
        leads = replace(self.people(), workload=build_workload(whole.people()))
        return leads, build_history(leads, _table(self.interactions, _INTERACTION), {})

    def people(self) -> Leads:
        """Build the leads, without a work load."""
        outcomes, consents = _table(self.outcomes, _OUTCOME), _table(self.consents, _CONSENT)
        return build_leads(_table(self.leads, _LEAD), outcomes, consents, _CONVERTED, _ENDS)


def snapshots(leads: Leads, pairs: Sequence[tuple[str, int]]) -> Snapshots:
    """Make snapshots of (lead_id, moment) pairs, whether or not they are at risk."""
    place = {lead: row for row, lead in enumerate(leads.lead_id)}
    ordered = sorted((place[lead], moment) for lead, moment in pairs)
    lead, as_of = (np.array([pair[k] for pair in ordered], dtype=np.int64) for k in (0, 1))
    return Snapshots(lead, as_of)


def draw_world(seed: int, words: Sequence[str]) -> World:
    """Draw a company of nine leads over four months.

    It has what breaks a feature: ties in time, late knowledge, changing attributes, ends and objections to come, a
    number no float32 holds, moments at which something just happens or becomes known.

    Args:
        seed: Settles every draw.
        words: Words that kinds, channels, contents, topics, campaigns, sources and attributes hold beside a few others.
    """
    chance = np.random.default_rng(seed)
    names = [f"lead-{number}" for number in range(_LEADS)]
    interactions = _interactions(chance, names, words)
    late = next(row for row in interactions if row["known_at"] > row["occurred_at"])
    edges = [late["occurred_at"] + 1, late["known_at"], late["known_at"] + 1, interactions[len(interactions) // 2]]
    edges[-1] = edges[-1]["occurred_at"]
    spread = [_BEGIN + int(days * DAY) for days in chance.uniform(5, _LENGTH, 3)]
    return World(
        leads=_leads(chance, names, words),
        interactions=interactions,
        outcomes=[_outcome(chance, name, number) for number, name in enumerate(names[::2])],
        consents=[_told(chance, names[1]) | {"purpose": None, "status": "objection"}],
        moments=sorted({*edges, *spread, _BEGIN + _LENGTH * DAY}),
    )


def _leads(chance: np.random.Generator, names: Sequence[str], words: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for number, name in enumerate(names):
        created_at = _BEGIN + int(chance.uniform(-300, 20) * DAY)
        known_at = created_at + int(chance.choice([0, 0, 3 * DAY]))
        account = [None, "north", "north", "south"][number % 4]
        for version in range(1 + number % 3):
            about = {word: str(chance.choice([*words, "1", "2.5"])) for word in words}
            about |= {"country": str(chance.choice(["DE", "FR"])), "size": str(chance.integers(1, 500))}
            rows.append(
                {
                    "lead_id": name, "account_id": account, "referrer_id": names[0] if number % 2 else None,
                    "created_at": created_at,
                    "closes_at": created_at + 400 * DAY if number % 2 else None,
                    "known_at": known_at + version * 37 * DAY, "attributes": json.dumps(about, sort_keys=True),
                }
            )  # fmt: skip
    return rows


def _interactions(chance: np.random.Generator, names: Sequence[str], words: Sequence[str]) -> list[dict[str, Any]]:
    kinds = [*KINDS, *words]
    some: dict[str, list[Any]] = {
        "channel": [None, "mail", "web", *words], "direction": [None, "inbound", "outbound"],
        "content_id": [None, "guide", "price", *words], "layer": [None, 1, 2, 2, 3, 4], "topic": [None, "cost", *words],
        "campaign_id": [None, "spring", "autumn", *words], "source_id": [None, None, "press", *words],
        "value": [None, -2.5, 0.0, 7.0, 40.0, 1e39],
    }  # fmt: skip
    times = _BEGIN + chance.integers(0, _LENGTH * DAY, _INTERACTIONS + _MORE * len(words))
    times[::5] = times[1::5]  # ties, of one lead and of two
    rows = []
    for number, time in enumerate(times.tolist()):
        who = int(chance.integers(len(names) - 1))
        # Every other lead's news comes at once: such a lead's history is handed out whole, the future with it.
        lag = int(chance.choice([0, 0, HOUR, 9 * DAY])) if who % 2 else 0
        row = {"lead_id": names[who], "occurred_at": time, "known_at": time + lag}
        row |= {name: given[int(chance.integers(len(given)))] for name, given in some.items()}
        if not number % 3:  # a word of its own, first in the alphabet: the codes of a bucket are not those of another
            row["content_id"] = row["campaign_id"] = f"a-{names[who]}"
        kind = f"a-{names[who]}" if not number % 7 else kinds[number % len(kinds)]
        rows.append(row | {"kind": kind, "attributes": None})
    return sorted(rows, key=lambda row: (row["lead_id"], row["occurred_at"]))


def _told(chance: np.random.Generator, name: str) -> dict[str, Any]:
    occurred_at = _BEGIN + int(chance.uniform(40, _LENGTH) * DAY)
    return {"lead_id": name, "occurred_at": occurred_at, "known_at": occurred_at + DAY}


def _outcome(chance: np.random.Generator, name: str, number: int) -> Row:
    return _told(chance, name) | {"outcome": ("won", "lost")[number % 2]}


def _table(rows: Sequence[Row], names: Sequence[str]) -> pa.Table:
    kinds = {**dict.fromkeys(_TIMES, pa.int64()), "layer": pa.int64(), "value": pa.float64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows], schema=schema)
