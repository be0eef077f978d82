"""What a bucket tells of leaks: when kinds of interaction come, and what is said of a sample of its leads, when."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from leadscore.features.vocabulary import heard
from leadscore.history import NEVER, History, Leads, Rows
from leadscore.timeline import DAY, HOUR, MINUTE, Moments

NEAR = 5 * MINUTE
"""What comes so near the outcome came with it."""
WINDOWS = (NEAR, DAY)
"""The second is used where outcomes are known to the day."""
SAMPLE = 20_000
"""Leads whose attributes are looked at, drawn by a lot that depends on their name alone."""
ACCOUNT, REFERRER = "account_id", "referrer_id"

Flags = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Times:
    """When a kind comes. One entry per window of WINDOWS; leads that end within it of their creation are left out.

    Attributes:
        leads: In how many leads it occurs.
        at: In how many of these it first comes with the outcome: no further from it than the window.
        after: In how many it first comes later than that.
        until: How many occurrences come no later than the outcome and its window.
        stops: How many of these come with it.
        gaps: From the first occurrence in a lead to the outcome, in microseconds, where that is less than a day.
    """

    leads: Rows
    at: Rows
    after: Rows
    until: Rows
    stops: Rows
    gaps: Moments

    def __add__(self, other: Times) -> Times:
        counts = {name: getattr(self, name) + getattr(other, name) for name in _COUNTS}
        return Times(**counts, gaps=np.concatenate([self.gaps, other.gaps]))


_COUNTS = ("leads", "at", "after", "until", "stops")


@dataclass(frozen=True)
class Told:
    """One row per lead of the sample, sorted by lot.

    Attributes:
        lot: Its place in the draw: a hash of its name.
        created_at, ended_at: Moments; NEVER for a lead without an outcome.
        first: Its attributes as they were known first: what a source without dates says, however late it was written.
            With them ACCOUNT (how many leads the account has) and REFERRER (that there is one), where there are such.
        now: The same as they are known now.
        settings: What later versions set: (attribute, value or None for emptied, whether with the outcome or after it).
    """

    lot: Rows
    lead_id: Objects
    created_at: Moments
    ended_at: Moments
    converted: Flags
    first: Objects
    now: Objects
    settings: Objects

    def __len__(self) -> int:
        return len(self.lot)

    @property
    def ended(self) -> Flags:
        """Which leads have an outcome."""
        flags: Flags = self.ended_at != NEVER
        return flags

    def take(self, rows: Rows | Flags) -> Told:
        """Select leads."""
        return Told(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})

    def __add__(self, other: Told) -> Told:
        joined = {name.name: (getattr(self, name.name), getattr(other, name.name)) for name in fields(self)}
        both = Told(**{name: np.concatenate(pair) for name, pair in joined.items()})
        return both.take(_drawn(both.lot, both.lead_id))


def _nobody() -> Told:
    none, words = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=object)
    return Told(none, words, none, none, np.zeros(0, dtype=np.bool_), words, words, words)


@dataclass(frozen=True)
class Evidence:
    """What is known of leaks; that of two buckets adds up.

    Attributes:
        ended: How many leads have an outcome.
        on_the_hour: How many of these have it at a full hour.
        kinds: When each kind of interaction comes.
        told: A sample of leads.
    """

    ended: int = 0
    on_the_hour: int = 0
    kinds: Mapping[str, Times] = field(default_factory=dict)
    told: Told = field(default_factory=_nobody)

    def __add__(self, other: Evidence) -> Evidence:
        kinds = {**self.kinds, **other.kinds}
        kinds |= {kind: self.kinds[kind] + other.kinds[kind] for kind in {*self.kinds} & {*other.kinds}}
        return Evidence(
            ended=self.ended + other.ended,
            on_the_hour=self.on_the_hour + other.on_the_hour,
            kinds=dict(sorted(kinds.items())),
            told=self.told + other.told,
        )

    @property
    def window(self) -> int:
        """Which of WINDOWS is how near "with the outcome" is: a day where nearly all outcomes lie on a full hour."""
        return int(self.ended > 0 and self.on_the_hour >= _TO_THE_DAY * self.ended)


_TO_THE_DAY = 0.9


def inspect_bucket(leads: Leads, history: History) -> Evidence:
    """Gather the evidence of one bucket; who objected and guests are left out.

    Takes one sort of the interactions, and reads the attributes of no more than SAMPLE leads.

    Args:
        leads: As known at the moment of training, with the outcomes known then.
        history: Their interactions, without what is hidden by `outcomes.hidden_kinds`.
    """
    own = leads.heard
    ended = leads.ended_at[own & (leads.ended_at != NEVER)]
    return Evidence(len(ended), int((ended % HOUR == 0).sum()), _kinds(leads, history), _sample(leads))


# ---- kinds -----------------------------------------------------------------------------------------------------


def _kinds(leads: Leads, history: History) -> dict[str, Times]:
    rows = heard(leads, history) & (history.kind.codes >= 0)
    lead = np.repeat(np.arange(len(leads)), np.diff(history.indptr))[rows]
    code = history.kind.codes[rows].astype(np.int64)
    # An open lead speaks for a kind: no outcome has come of it yet.
    open_lead = leads.ended_at[lead] == NEVER
    gap = np.where(open_lead, NEVER, leads.ended_at[lead] - history.time[rows])
    life = np.where(open_lead, NEVER, leads.ended_at[lead] - leads.created_at[lead])
    # Sorted by lead and time: the first row of each (lead, kind) is its first occurrence.
    _, first = np.unique(lead * max(1, len(history.kind.words)) + code, return_index=True)
    counts = [_count(code, gap, life > window, first, len(history.kind.words), window) for window in WINDOWS]
    told = {name: np.stack([count[name] for count in counts], axis=1) for name in _COUNTS}
    soon = first[np.abs(gap[first]) < DAY]
    gaps = [gap[soon[code[soon] == number]] for number in range(len(history.kind.words))]
    return {
        kind: Times(**{name: told[name][number] for name in _COUNTS}, gaps=gaps[number])
        for number, kind in enumerate(history.kind.words)
        if told["until"][number].any() or told["after"][number].any()
    }


def _count(code: Rows, gap: Moments, counts: Flags, first: Rows, words: int, window: int) -> dict[str, Rows]:
    at, after = np.abs(gap) <= window, gap < -window
    firsts = np.zeros(len(code), dtype=np.bool_)
    firsts[first] = counts[first]
    chosen = {
        "leads": firsts,
        "at": firsts & at,
        "after": firsts & after,
        "until": counts & ~after,
        "stops": counts & at,
    }
    return {name: np.bincount(code[rows], minlength=words) for name, rows in chosen.items()}


# ---- leads -----------------------------------------------------------------------------------------------------


def _sample(leads: Leads) -> Told:
    # Who was known only after its outcome was never at risk, and teaches nothing.
    rows = np.flatnonzero(leads.heard & (np.maximum(leads.created_at, leads.known_at) < leads.ended_at))
    names = np.array(leads.lead_id, dtype=object)[rows]
    lot = np.array([zlib.crc32(name.encode()) for name in names], dtype=np.int64)
    drawn = _drawn(lot, names)
    rows, names, lot = rows[drawn], names[drawn], lot[drawn]
    ended_at = leads.ended_at[rows]
    first = np.searchsorted(leads.version_of, rows)
    now = np.searchsorted(leads.version_of, rows, side="right") - 1
    tell = _teller(leads)
    return Told(
        lot=lot,
        lead_id=names,
        created_at=leads.created_at[rows],
        ended_at=ended_at,
        converted=leads.converted[rows],
        first=_objects([tell(row) for row in first.tolist()]),
        now=_objects([tell(row) for row in now.tolist()]),
        settings=_objects(_settings(leads, first, now, np.where(ended_at == NEVER, NEVER, ended_at - NEAR))),
    )


def _drawn(lot: Rows, names: Objects) -> Rows:
    """Return the rows of the leads that are drawn, in the order of their lots."""
    order: Rows = np.lexsort((names.astype(str), lot))[:SAMPLE]
    return order


def _objects(values: list[Any]) -> Objects:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _teller(leads: Leads) -> Any:
    """Return what tells the attributes of a version."""
    newest = np.flatnonzero(np.diff(leads.version_of, append=-1))
    size = Counter(leads.version_account[row] for row in newest.tolist())

    def tell(row: int) -> Mapping[str, str]:
        account, referrer = leads.version_account[row], leads.version_referrer[row]
        links = {
            ACCOUNT: None if account is None else str(size[account]),
            REFERRER: None if referrer is None else "yes",
        }
        given = {name: value for name, value in links.items() if value is not None}
        return {**leads.attributes[row], **given} if given else leads.attributes[row]

    return tell


def _settings(leads: Leads, first: Rows, last: Rows, before: Moments) -> list[tuple[tuple[str, str | None, bool], ...]]:
    told: list[tuple[tuple[str, str | None, bool], ...]] = []
    for begin, end, limit in zip(first.tolist(), last.tolist(), before.tolist(), strict=True):
        changes: list[tuple[str, str | None, bool]] = []
        for row in range(begin + 1, end + 1):
            old, new = _said(leads, row - 1), _said(leads, row)
            late = bool(leads.version_known_at[row] >= limit)
            changes += [(name, new.get(name), late) for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        told.append(tuple(changes))
    return told


def _said(leads: Leads, row: int) -> Mapping[str, str]:
    links = {ACCOUNT: leads.version_account[row], REFERRER: leads.version_referrer[row]}
    return {**leads.attributes[row], **{name: value for name, value in links.items() if value is not None}}
