"""What features see of one bucket: flat arrays, sorted by lead and time, with words as small integers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
class Leads:
    """One row per lead of a bucket, sorted by lead_id; moments are NEVER where there is none.

    Attributes:
        lead_id, account_id: Keys; account_id is None for a lead without one.
        known_at: When we first knew of the lead.
        closes_at: When the lead ends by itself.
        ended_at: When its first outcome occurred; `converted` says whether that was a conversion.
        ended_known_at: When we learned of that outcome.
        objected: Whether an objection stands.
        version_of, version_known_at, version_account, attributes: One row per version, sorted by (lead, known_at).
    """

    lead_id: tuple[str, ...]
    account_id: tuple[str | None, ...]
    created_at: Moments
    known_at: Moments
    closes_at: Moments
    ended_at: Moments
    ended_known_at: Moments
    converted: npt.NDArray[np.bool_]
    objected: npt.NDArray[np.bool_]
    version_of: Rows
    version_known_at: Moments
    version_account: tuple[str | None, ...]
    attributes: tuple[Mapping[str, str], ...]

    def __len__(self) -> int:
        return len(self.lead_id)

    @property
    def converted_at(self) -> Moments:
        """When each lead converted; NEVER for the others."""
        return np.where(self.converted, self.ended_at, NEVER)

    def versions_at(self, lead: Rows, as_of: Moments) -> Rows:
        """Return for each (lead, as_of) the row of the newest version known before it, -1 where there is none."""
        begin = np.searchsorted(self.version_of, np.arange(len(self) + 1))
        found = np.full(len(lead), -1, dtype=np.int64)
        # As many rounds as the most often changed lead has versions: nearly always one.
        for number in range(int(np.diff(begin).max(initial=0))):
            row = np.minimum(begin[lead] + number, len(self.version_of) - 1)
            visible = (begin[lead] + number < begin[lead + 1]) & (self.version_known_at[row] < as_of)
            found[visible] = row[visible]
        return found


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
    leads: pa.Table, outcomes: pa.Table, consents: pa.Table, converted: Iterable[str], ends: Iterable[str]
) -> Leads:
    """Build the leads of a bucket from its canonical tables.

    Args:
        leads: One row per version, sorted by (lead_id, known_at); moments as integers.
        outcomes: One row per outcome, sorted by (lead_id, occurred_at). The first that ends the lead counts; of two
            at one moment, a conversion.
        consents: One row per statement; see `privacy.consent`.
        converted: Outcomes that are conversions.
        ends: Outcomes that end a lead, conversions included.
    """
    ids: list[str] = leads["lead_id"].to_pylist()
    keys, first = np.unique(np.array(ids, dtype=object), return_index=True)
    last = np.append(first[1:], len(ids)) - 1
    place = {str(key): row for row, key in enumerate(keys)}
    known_at = _integers(leads, "known_at")
    said_no = standing_objections(consents.to_pylist())
    ended_at, ended_known_at, is_converted = _first_end(outcomes, place, set(converted), set(ends))
    accounts: list[str | None] = leads["account_id"].to_pylist()
    return Leads(
        lead_id=tuple(place),
        account_id=tuple(accounts[row] for row in last),
        created_at=_integers(leads, "created_at")[first],
        known_at=known_at[first],
        closes_at=_integers(leads, "closes_at")[last],
        ended_at=ended_at,
        ended_known_at=ended_known_at,
        converted=is_converted,
        objected=np.array([lead in said_no for lead in place], dtype=np.bool_),
        version_of=np.array([place[key] for key in ids], dtype=np.int64),
        version_known_at=known_at,
        version_account=tuple(accounts),
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
    layer = interactions["layer"].fill_null(0).to_numpy()
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
        layer=np.where(layer > 0, layer, np.array([*(item.layer or 0 for item in given), 0])[kind.codes]).astype(
            np.int16
        ),
        value=interactions["value"].cast(pa.float64()).fill_null(np.nan).to_numpy(),
    )


def _integers(table: pa.Table, name: str) -> Moments:
    values: Moments = table[name].cast(pa.int64()).fill_null(NEVER).to_numpy()
    return values


def _whole(column: pa.ChunkedArray) -> Any:
    """Return a column of words in one piece, as codes and a dictionary."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column.unify_dictionaries().combine_chunks()


def _attributes(text: str | None) -> dict[str, str]:
    return {key: str(value) for key, value in json.loads(text).items()} if text else {}


def _coded(column: pa.ChunkedArray) -> Coded:
    """Turn words into sorted codes, so that the codes do not depend on the order of rows."""
    encoded = _whole(column)
    words: list[str] = encoded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=words.__getitem__)
    table = np.full(len(words) + 1, -1, dtype=np.int32)
    table[order] = np.arange(len(words), dtype=np.int32)
    return Coded(table[encoded.indices.fill_null(-1).to_numpy()], tuple(words[code] for code in order))


def _or_given(own: Coded, kind: Coded, given: list[str | None]) -> Coded:
    """Fill what an interaction does not say with what is configured for its kind."""
    if not any(given):
        return own
    words = tuple(sorted({*own.words, *(word for word in given if word is not None)}))
    place = {word: code for code, word in enumerate(words)}
    of_kind = np.array([*(-1 if word is None else place[word] for word in given), -1], dtype=np.int32)[kind.codes]
    codes = own.recode(words)
    return Coded(np.where(codes < 0, of_kind, codes), words)


def _first_end(
    outcomes: pa.Table, place: Mapping[str, int], converted: set[str], ends: set[str]
) -> tuple[Moments, Moments, npt.NDArray[np.bool_]]:
    ended_at = np.full(len(place), NEVER, dtype=np.int64)
    known_at = np.full(len(place), NEVER, dtype=np.int64)
    is_converted = np.zeros(len(place), dtype=np.bool_)
    for row in outcomes.select(["lead_id", "occurred_at", "known_at", "outcome"]).to_pylist():
        lead = place.get(row["lead_id"])
        if lead is None or row["outcome"] not in ends:
            continue
        told = row["occurred_at"], row["known_at"], row["outcome"] in converted
        # Of two ends at one moment a conversion counts, then the one learned first.
        if (told[0], not told[2], told[1]) < (ended_at[lead], not is_converted[lead], known_at[lead]):
            ended_at[lead], known_at[lead], is_converted[lead] = told
    return ended_at, known_at, is_converted
