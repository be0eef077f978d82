"""What features see of one bucket: flat arrays, sorted by lead and time, with words as small integers."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.config import Kind
from leadscore.privacy.consent import standing_objections
from leadscore.timeline import Moments

NEVER = int(np.iinfo(np.int64).max)
INBOUND, OUTBOUND, NEITHER = 1, -1, 0

Codes = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Coded:
    """A column of words: `words[codes[i]]`, where -1 stands for no word. The words are sorted."""

    codes: Codes
    words: tuple[str, ...]

    def recode(self, vocabulary: tuple[str, ...], other: int = -1) -> Codes:
        """Return codes into another vocabulary; a word that is not in it becomes `other`, no word stays -1."""
        place = {word: code for code, word in enumerate(vocabulary)}
        table = np.array([place.get(word, other) for word in self.words] + [-1], dtype=np.int32)
        return table[self.codes]

    def take(self, rows: Rows) -> Coded:
        """Select rows; the words stay."""
        return replace(self, codes=self.codes[rows])


@dataclass(frozen=True)
class Ends:
    """What we learned of ends: one row each time the first outcome of a lead became another, sorted by (lead, seen_at).

    Attributes:
        lead: Whose end it is.
        seen_at: After this moment it had happened and was known; it holds until the next row of its lead.
        occurred_at: When it happened.
        converted: Whether it was a conversion.
    """

    lead: Rows
    seen_at: Moments
    occurred_at: Moments
    converted: npt.NDArray[np.bool_]

    def known_at(self, lead: Rows, as_of: Moments) -> Rows:
        """Return for each (lead, as_of) the row of its end as known before it, -1 where there is none."""
        return _newest_before(self.lead, self.seen_at, lead, as_of)


@dataclass(frozen=True)
class Workload:
    """The leads of the whole project as those at work knew them then; nobody can be recognised in it.

    Attributes:
        opened: When each lead was there to be worked on: created and known. Sorted.
        begins, stops: One row per stretch in which a lead was open: after `begins`, until `stops`.
        converted: When we learned that the lead of the stretch had converted; NEVER for the others.
    """

    opened: Moments
    begins: Moments
    stops: Moments
    converted: Moments

    @cached_property
    def _edges(self) -> tuple[Moments, Moments]:
        return np.sort(self.begins), np.sort(self.stops)

    def arrived(self, as_of: Moments, window: int) -> Rows:
        """Count the leads that were opened in the window before each moment: `[as_of - window, as_of)`."""
        upto, before = (np.searchsorted(self.opened, moments) for moments in (as_of, as_of - window))
        counts: Rows = upto - before
        return counts

    def open_at(self, as_of: Moments) -> Rows:
        """Count the leads that were open at each moment."""
        return _within(*self._edges, as_of)

    def converted_share(self, as_of: Moments, window: int) -> npt.NDArray[np.float64]:
        """Return, of the leads open at `as_of - window`, the share that had converted by `as_of`, as known then.

        NaN when none was open.
        """
        won = self.converted != NEVER
        # A stretch was looked at from `as_of - window`, and its conversion was known before as_of.
        begins = np.maximum(self.begins[won] + window, self.converted[won])
        stops = self.stops[won] + window
        counted = begins < stops
        hits = _within(np.sort(begins[counted]), np.sort(stops[counted]), as_of)
        of = self.open_at(as_of - window)
        share: npt.NDArray[np.float64] = np.divide(hits, of, out=np.full(len(as_of), np.nan), where=of > 0)
        return share


def _within(begins: Moments, stops: Moments, as_of: Moments) -> Rows:
    """Count the stretches that begin before each moment and have not stopped before it; both are sorted."""
    counts: Rows = np.searchsorted(begins, as_of) - np.searchsorted(stops, as_of)
    return counts


def _newest_before(of: Rows, known_at: Moments, lead: Rows, as_of: Moments) -> Rows:
    """Return for each (lead, as_of) the newest row of the lead that was known before, -1 where there is none.

    Rows are sorted by (lead, known_at).
    """
    begin = np.searchsorted(of, lead)
    beyond = np.searchsorted(of, lead, side="right")
    found = np.full(len(lead), -1, dtype=np.int64)
    # As many rounds as the most often changed lead has rows: nearly always one.
    for number in range(int((beyond - begin).max(initial=0))):
        row = np.minimum(begin + number, len(of) - 1)
        visible = (begin + number < beyond) & (known_at[row] < as_of)
        found[visible] = row[visible]
    return found


@dataclass(frozen=True)
class Leads:
    """One row per lead of a bucket, sorted by lead_id; moments are NEVER where there is none.

    Beside those that live in the bucket there may be *guests*: colleagues and referrers who live in another one. They
    are looked at, and otherwise left alone: never at risk, never counted, never learned from.

    Attributes:
        lead_id, account_id: Keys; account_id is None for a lead without one.
        known_at: When we first knew of the lead.
        closes_at: When the lead ends by itself.
        ended_at: When its first outcome occurred; `converted` says whether that was a conversion.
        objected: Whether an objection stands.
        guest: Whether it lives in another bucket.
        ends: What was known of their ends, and when.
        version_of, version_known_at, version_closes_at, version_account, version_referrer, attributes: One row per
            version, sorted by (lead, known_at).
        workload: The leads of the whole project; None where nobody asks.
    """

    lead_id: tuple[str, ...]
    account_id: tuple[str | None, ...]
    created_at: Moments
    known_at: Moments
    closes_at: Moments
    ended_at: Moments
    converted: npt.NDArray[np.bool_]
    objected: npt.NDArray[np.bool_]
    guest: npt.NDArray[np.bool_]
    ends: Ends
    version_of: Rows
    version_known_at: Moments
    version_closes_at: Moments
    version_account: tuple[str | None, ...]
    version_referrer: tuple[str | None, ...]
    attributes: tuple[Mapping[str, str], ...]
    workload: Workload | None = None

    def __len__(self) -> int:
        return len(self.lead_id)

    @property
    def converted_at(self) -> Moments:
        """When each lead converted; NEVER for the others."""
        return np.where(self.converted, self.ended_at, NEVER)

    @property
    def heard(self) -> npt.NDArray[np.bool_]:
        """Who may teach and be scored: those who live here and said no to nothing."""
        own: npt.NDArray[np.bool_] = ~(self.objected | self.guest)
        return own

    def versions_at(self, lead: Rows, as_of: Moments) -> Rows:
        """Return for each (lead, as_of) the row of the newest version known before it, -1 where there is none."""
        return _newest_before(self.version_of, self.version_known_at, lead, as_of)


@dataclass(frozen=True)
class History:
    """One row per interaction, sorted by lead and time; `indptr[i]:indptr[i + 1]` are those of lead i.

    Attributes:
        time, known_at: When it happened and when it was known.
        direction: INBOUND, OUTBOUND or NEITHER.
        layer: 1 (surface) and deeper; 0 when unknown.
        value: NaN when there is none.
    """

    indptr: Rows
    time: Moments
    known_at: Moments
    kind: Coded
    channel: Coded
    content: Coded
    topic: Coded
    campaign: Coded
    source: Coded
    direction: npt.NDArray[np.int8]
    layer: npt.NDArray[np.int16]
    value: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def n_leads(self) -> int:
        """How many leads the history is about, those without interactions included."""
        return len(self.indptr) - 1

    def take(self, rows: Rows, indptr: Rows) -> History:
        """Select interactions, cut into leads by the new offsets."""
        return History(
            indptr=indptr,
            time=self.time[rows],
            known_at=self.known_at[rows],
            kind=self.kind.take(rows),
            channel=self.channel.take(rows),
            content=self.content.take(rows),
            topic=self.topic.take(rows),
            campaign=self.campaign.take(rows),
            source=self.source.take(rows),
            direction=self.direction[rows],
            layer=self.layer[rows],
            value=self.value[rows],
        )


def build_leads(
    leads: pa.Table,
    outcomes: pa.Table,
    consents: pa.Table,
    converted: Iterable[str],
    ends: Iterable[str],
    guests: Collection[str] = (),
) -> Leads:
    """Build the leads of a bucket from its canonical tables.

    Args:
        leads: One row per version, sorted by (lead_id, known_at); moments as integers.
        outcomes: One row per outcome, sorted by (lead_id, occurred_at). The first that ends the lead counts; of two
            at one moment, a conversion.
        consents: One row per statement; see `privacy.consent`.
        converted: Outcomes that are conversions.
        ends: Outcomes that end a lead, conversions included.
        guests: Which of the leads live in another bucket.
    """
    ids: list[str] = leads["lead_id"].to_pylist()
    keys, first = np.unique(np.array(ids, dtype=object), return_index=True)
    last = np.append(first, len(ids))[1:] - 1
    place = {str(key): row for row, key in enumerate(keys)}
    known_at, closes_at = _integers(leads, "known_at"), _integers(leads, "closes_at")
    said_no = standing_objections(consents.to_pylist())
    learned = _ends(outcomes, tuple(place), converted, ends)
    ended_at, is_converted = np.full(len(place), NEVER), np.zeros(len(place), dtype=np.bool_)
    ended_at[learned.lead], is_converted[learned.lead] = learned.occurred_at, learned.converted  # the newest stays
    accounts: list[str | None] = leads["account_id"].to_pylist()
    return Leads(
        lead_id=tuple(place),
        account_id=tuple(accounts[row] for row in last),
        created_at=_integers(leads, "created_at")[first],
        known_at=known_at[first],
        closes_at=closes_at[last],
        ended_at=ended_at,
        converted=is_converted,
        objected=np.array([lead in said_no for lead in place], dtype=np.bool_),
        guest=np.array([lead in guests for lead in place], dtype=np.bool_),
        ends=learned,
        version_of=np.array([place[key] for key in ids], dtype=np.int64),
        version_known_at=known_at,
        version_closes_at=closes_at,
        version_account=tuple(accounts),
        version_referrer=tuple(leads["referrer_id"].to_pylist()),
        attributes=tuple(_attributes(text) for text in leads["attributes"].to_pylist()),
    )


def build_history(leads: Leads, interactions: pa.Table, kinds: Mapping[str, Kind]) -> History:
    """Build the history of a bucket.

    Args:
        leads: The leads of the bucket; the order of their rows is that of the history.
        interactions: One row per interaction, sorted by (lead_id, occurred_at); those of other leads are left out.
        kinds: Direction, channel and layer of a kind, used where an interaction does not say its own.
    """
    lead_id = _whole(interactions["lead_id"])
    owner = pc.index_in(lead_id.dictionary, value_set=pa.array(leads.lead_id, pa.string())).fill_null(-1)
    lead = owner.to_numpy()[lead_id.indices.to_numpy()]
    if (lead < 0).any():
        interactions, lead = interactions.filter(pa.array(lead >= 0)), lead[lead >= 0]
    kind = _coded(interactions["kind"])
    given = [kinds.get(word, Kind()) for word in kind.words]
    direction = _or_given(_coded(interactions["direction"]), kind, [item.direction for item in given])
    meaning = {"inbound": INBOUND, "outbound": OUTBOUND}
    # No layer lies so deep, but a source may say so: what int16 cannot hold is as deep as it can.
    layer = _filled(interactions["layer"], 0).clip(0, np.iinfo(np.int16).max).astype(np.int16)
    of_kind = np.array([*(item.layer or 0 for item in given), 0], dtype=np.int16)
    return History(
        indptr=np.searchsorted(lead, np.arange(len(leads) + 1)).astype(np.int64),
        time=_integers(interactions, "occurred_at"),
        known_at=_integers(interactions, "known_at"),
        kind=kind,
        channel=_or_given(_coded(interactions["channel"]), kind, [item.channel for item in given]),
        content=_coded(interactions["content_id"]),
        topic=_coded(interactions["topic"]),
        campaign=_coded(interactions["campaign_id"]),
        source=_coded(interactions["source_id"]),
        direction=np.array([*(meaning[word] for word in direction.words), NEITHER], dtype=np.int8)[direction.codes],
        layer=np.where(layer > 0, layer, of_kind[kind.codes]) if of_kind.any() else layer,
        value=_filled(interactions["value"].cast(pa.float64()), np.nan),
    )


def _integers(table: pa.Table, name: str) -> Moments:
    values: Moments = _filled(table[name].cast(pa.int64()), NEVER)
    return values


def _filled(column: pa.ChunkedArray, instead: float) -> Any:
    """Return a column as numbers; where nothing is missing, nothing is copied."""
    return (column.fill_null(instead) if column.null_count else column).to_numpy()


def _whole(column: pa.ChunkedArray) -> Any:
    """Return a column of words in one piece, as codes and a dictionary."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column.unify_dictionaries().combine_chunks()


def _attributes(text: str | None) -> dict[str, str]:
    return {key: str(value) for key, value in json.loads(text).items()} if text else {}


def _coded(column: pa.ChunkedArray) -> Coded:
    """Turn words into sorted codes, so that the codes do not depend on the order of rows."""
    if column.null_count == len(column):
        return Coded(np.full(len(column), -1, dtype=np.int32), ())
    encoded = _whole(column)
    words: list[str] = encoded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=words.__getitem__)
    table = np.full(len(words) + 1, -1, dtype=np.int32)
    table[order] = np.arange(len(words), dtype=np.int32)
    indices = encoded.indices.fill_null(-1) if encoded.null_count else encoded.indices
    return Coded(table[indices.to_numpy()], tuple(words[code] for code in order))


def _or_given(own: Coded, kind: Coded, given: list[str | None]) -> Coded:
    """Fill what an interaction does not say with what is configured for its kind."""
    if not any(given):
        return own
    words = tuple(sorted({*own.words, *(word for word in given if word is not None)}))
    place = {word: code for code, word in enumerate(words)}
    of_kind = np.array([*(-1 if word is None else place[word] for word in given), -1], dtype=np.int32)[kind.codes]
    codes = own.recode(words)
    return Coded(np.where(codes < 0, of_kind, codes), words)


def _ends(outcomes: pa.Table, lead_ids: tuple[str, ...], converted: Iterable[str], ends: Iterable[str]) -> Ends:
    wanted = outcomes.filter(pc.is_in(outcomes["outcome"], pa.array(ends, pa.string())))
    owner = pc.index_in(wanted["lead_id"], value_set=pa.array(lead_ids, pa.string()))
    wanted, lead = wanted.filter(pc.is_valid(owner)), owner.drop_null().to_numpy().astype(np.int64)
    occurred_at, known_at = _integers(wanted, "occurred_at"), _integers(wanted, "known_at")
    won = pc.is_in(wanted["outcome"], pa.array(converted, pa.string())).to_numpy().astype(np.bool_)
    seen_at = np.maximum(occurred_at, known_at)
    # The first that occurred counts; of two at one moment a conversion, then the one learned first.
    place = np.empty(len(lead), dtype=np.int64)
    place[np.lexsort((known_at, ~won, occurred_at))] = np.arange(len(lead))
    order = np.lexsort((place, seen_at, lead))
    # Places fall from lead to lead, so that the first row of each is a change.
    falling = place[order] - lead[order] * len(lead)
    changes = np.append(True, falling[1:] < np.minimum.accumulate(falling)[:-1])[: len(order)]
    rows = order[changes]
    return Ends(lead[rows], seen_at[rows], occurred_at[rows], won[rows])


def build_workload(leads: Leads, closes_after: int = 0, max_age: int | None = None) -> Workload:
    """Build the work load of leads, guests and those who objected left out.

    A lead is open from when it is created and known until we learn of its end, or it closes by itself as its newest
    version says (see `snapshots.at_risk` for `closes_after` and `max_age`).
    """
    opened = np.maximum(leads.created_at, leads.known_at)
    rows = np.flatnonzero(leads.heard[leads.version_of])
    lead = leads.version_of[rows]
    changes = np.append(np.where(lead[1:] == lead[:-1], leads.version_known_at[rows][1:], NEVER), NEVER)[: len(rows)]
    first = np.searchsorted(leads.ends.lead, lead)
    told = np.append(leads.ends.lead, -1)[first] == lead
    ended = np.where(told, np.append(leads.ends.seen_at, NEVER)[first], NEVER)
    converted = told & np.append(leads.ends.converted, False)[first]
    begins = np.maximum(leads.created_at[lead], leads.version_known_at[rows])
    stops = np.minimum(np.minimum(changes, ended), later(leads.version_closes_at[rows], closes_after))
    if max_age is not None:
        stops = np.minimum(stops, later(leads.created_at[lead], max_age))
    is_open = begins < stops
    return Workload(
        opened=np.sort(opened[leads.heard]),
        begins=begins[is_open],
        stops=stops[is_open],
        converted=np.where(converted, ended, NEVER)[is_open],
    )


def later(moments: Moments, by: int) -> Moments:
    """Add a length of time to moments, NEVER staying NEVER."""
    return np.where(moments > NEVER - by, NEVER, np.minimum(moments, NEVER - by) + by)
