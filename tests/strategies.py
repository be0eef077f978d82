"""Hypothesis strategies: worlds of events and snapshots with the stamps that break code, and whole small companies."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies as st

from leadscore.features.asof import ALL, Asof
from leadscore.timeline import DAY, HOUR
from world import START, bucket

# A microsecond, the same moment twice, the edges of windows, ten years of silence.
STEPS = st.sampled_from([0, 0, 1, HOUR, DAY - 1, DAY, DAY + 1, 7 * DAY, 3652 * DAY]) | st.integers(0, 3 * DAY)
LENGTHS = st.sampled_from([1, HOUR, DAY, 7 * DAY, 30 * DAY, 3652 * DAY])
# Beside 2**60 a careless sum loses a small number. All sums of these are exact, so the right answer is a single one.
VALUES = st.sampled_from([np.nan, np.inf, -1e300, 0.0, 2.0**60, -(2.0**60)]) | st.integers(-9999, 9999).map(
    lambda number: number / 1024
)
STARTS = st.sampled_from([0, 1_700_000_000_000_000, -5 * DAY])


@dataclass(frozen=True, eq=False)
class World:
    """Events and snapshots, with all that operators ask of an event, and the scales they are asked at."""

    asof: Asof
    codes: np.ndarray
    values: np.ndarray
    mask: np.ndarray
    answer: np.ndarray
    layers: np.ndarray
    day: np.ndarray
    n_codes: int
    pairs: np.ndarray
    windows: np.ndarray
    half_lives: np.ndarray
    lags: np.ndarray
    within: int
    shifts: np.ndarray

    def shifted(self, by):
        """The same world, `by` microseconds later; the day numbers stay."""
        old = self.asof
        return replace(self, asof=Asof(old.time + by, old.indptr, old.as_of + by, old.ptr, old.seen + by))

    def alone(self, lead, row):
        """Only this snapshot, and only the events of its lead that were learned before it."""
        low, high = self.asof.indptr[lead : lead + 2]
        known = slice(low, low + np.searchsorted(self.asof.seen[low:high], self.asof.as_of[row]))
        time, as_of = self.asof.time[known], self.asof.as_of[row : row + 1]
        asof = Asof(time, np.array([0, time.size]), as_of, np.array([0, 1]), self.asof.seen[known])
        names = ("codes", "values", "mask", "answer", "layers", "day")
        return replace(self, asof=asof, **{name: getattr(self, name)[known] for name in names})

    def snapshots(self):
        """Each (lead, row)."""
        return [(lead, row) for lead in range(self.asof.ptr.size - 1) for row in range(*self.asof.ptr[lead : lead + 2])]


def _offsets(parts):
    return np.cumsum([0, *map(len, parts)]).astype(np.int64)


def _flat(parts, dtype):
    return np.array([item for part in parts for item in part], dtype)


def _learned(draw, times):
    """When each event was learned: at once, always as late, or now and then late; never falling."""
    late = st.just([0] * len(times)) | LENGTHS.map(lambda lag: [lag] * len(times))
    late |= st.lists(st.just(0) | LENGTHS, min_size=len(times), max_size=len(times))
    lags = draw(late)
    return list(itertools.accumulate((time + lag for time, lag in zip(times, lags, strict=True)), max))


@st.composite
def worlds(draw, max_leads=4, max_events=12, max_snapshots=5):
    """Up to four leads, some without events, some without snapshots, many snapshots exactly at an event."""
    n_codes = draw(st.integers(1, 3))
    code = st.integers(0, n_codes - 1)
    event = st.tuples(STEPS, code | st.just(-1), VALUES, st.booleans(), st.booleans(), st.integers(-1, 3))
    lengths = st.lists(LENGTHS, min_size=1, max_size=3)
    windows = draw(st.lists(LENGTHS | st.just(ALL), min_size=1, max_size=3))
    within = draw(LENGTHS)
    events, learned, moments = [], [], []
    for _ in range(draw(st.integers(0, max_leads))):
        own = draw(st.lists(event, max_size=max_events))
        times = np.cumsum([draw(STARTS), *(step for step, *_ in own)])[1:].tolist()
        events.append([(time, *rest) for time, (_, *rest) in zip(times, own, strict=True)])
        learned.append(_learned(draw, times))
        lengths_here = [1, within, *(w for w in windows if w < ALL)]
        edges = [0, *times, *learned[-1], *(time + length for time in times for length in lengths_here)]
        edges += [moment + 1 for moment in learned[-1]]
        moments.append(sorted(draw(st.lists(st.sampled_from(edges), max_size=max_snapshots))))
    columns = [[[row[at] for row in own] for own in events] for at in range(6)]
    time = _flat(columns[0], np.int64)
    indptr, ptr = _offsets(events), _offsets(moments)
    return World(
        asof=Asof(time, indptr, _flat(moments, np.int64), ptr, _flat(learned, np.int64)),
        codes=_flat(columns[1], np.int32),
        values=_flat(columns[2], np.float64),
        mask=_flat(columns[3], np.bool_),
        answer=_flat(columns[4], np.bool_),
        layers=_flat(columns[5], np.int32),
        day=(time // DAY).astype(np.int32),
        n_codes=n_codes,
        pairs=np.array(draw(st.lists(st.tuples(code, code), max_size=4, unique=True)), np.int32).reshape(-1, 2),
        windows=np.array(windows, np.int64),
        half_lives=np.array(draw(lengths), np.int64),
        lags=np.array([0, *draw(lengths)], np.int64),
        within=within,
        shifts=np.array([within + more for more in draw(st.lists(st.just(0) | LENGTHS, min_size=1, max_size=2))]),
    )


# ---- companies -------------------------------------------------------------------------------------------------

OWN_TIME = {"leads": "created_at", "interactions": "occurred_at", "outcomes": "occurred_at", "consents": "occurred_at"}
# Mostly whole days, so that windows, ends and moments of looking meet; a microsecond beside them now and then.
NEAR = st.sampled_from([0, 0, 0, 0, 1, -1, 12 * HOUR])


def _within_days(number):
    return st.builds(lambda day, beside: START + day * DAY + beside, st.integers(0, number), NEAR)


MOMENTS = _within_days(30)
LAGS = st.sampled_from([0, 0, 0, 0, 1, DAY, 5 * DAY, 400 * DAY])
NUMBERS = st.sampled_from([None, None, 0.0, 2.5, -40.0, 1e300, float("inf")])
ACCOUNTS = st.sampled_from(["acme", "acme", "bolt", None])
REFERRERS = st.sampled_from([None, "lead-0", "lead-1", "nobody"])
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "country": st.sampled_from(["FR", "DE", "ZZ"]),
        "size": st.sampled_from(["0", "12", "-3.5", "1e300", "many"]),
    },
)


@dataclass(frozen=True)
class Company:
    """The rows of the canonical tables, all that was ever known, and moments to look from."""

    leads: list
    interactions: list
    outcomes: list
    consents: list
    moments: list = field(default_factory=list)

    def bucket(self, guests=()):
        return bucket(self.leads, self.interactions, self.outcomes, self.consents, guests=guests)

    def _each(self, change):
        return replace(self, **{name: change(name, getattr(self, name)) for name in OWN_TIME})

    def known_before(self, moment):
        """What the store hands over as known at a moment."""

        def known(name, rows):
            return [row for row in rows if row[OWN_TIME[name]] < moment and row["known_at"] < moment]

        return self._each(known)

    def of(self, lead_ids):
        return self._each(lambda _, rows: [row for row in rows if row["lead_id"] in lead_ids])

    def around(self, lead_ids):
        """Those leads, everybody who was ever in one of their accounts, and whoever brought them."""
        own = [row for row in self.leads if row["lead_id"] in lead_ids]
        accounts = {row["account_id"] for row in own} - {None}
        close = {row["lead_id"] for row in self.leads if row["account_id"] in accounts}
        return self.of({*lead_ids, *close, *(row["referrer_id"] for row in own)})

    def shifted(self, by):
        def later(row):
            return {
                name: value + by if name.endswith("_at") and value is not None else value for name, value in row.items()
            }

        moved = self._each(lambda _, rows: [later(row) for row in rows])
        return replace(moved, moments=[moment + by for moment in self.moments])

    @property
    def lead_ids(self):
        return sorted({row["lead_id"] for row in self.leads})

    def pairs(self):
        """Each (lead, moment) such that the lead was created and known before."""
        return [
            (lead, moment)
            for lead in self.lead_ids
            for moment in sorted(set(self.moments))
            if lead in self.known_before(moment).lead_ids
        ]


@st.composite
def companies(draw):
    """Up to four leads: late knowledge, changing attributes, ends and objections; some without interactions.

    Half of them are *crowded*: so much happens, and is learned in another order, in the same few days that many a lead
    learns of something older between two moments.
    """
    crowded = draw(st.booleans())
    ids = [f"lead-{number}" for number in range(draw(st.integers(1, 2 if crowded else 4)))]
    someone = st.sampled_from(ids)
    at, lag = (_within_days(6), st.sampled_from([0, 0, DAY, 2 * DAY, 5 * DAY])) if crowded else (MOMENTS, LAGS)
    happening = {"lead_id": someone, "occurred_at": at, "known_at": lag}
    versions = [
        {
            "created_at": draw(_within_days(1) if crowded else at),
            "lead_id": lead,
            "account_id": draw(ACCOUNTS),
            "referrer_id": draw(REFERRERS),
            "closes_at": draw(st.none() | at),
            "known_at": 0 if crowded else draw(lag),
            "attributes": draw(ATTRIBUTES),
        }
        for lead in ids
    ]
    # Never at the moment another version became known: then the store's order of rows would decide.
    change = st.tuples(st.integers(0, len(ids) - 1), st.integers(1, 20), ATTRIBUTES, ACCOUNTS, REFERRERS)
    changes = draw(st.lists(change, max_size=3, unique_by=lambda change: change[:2]))
    versions += [
        {**versions[of], "known_at": days * DAY + 12 * HOUR}
        | {"attributes": new, "account_id": account, "referrer_id": referrer}
        for of, days, new, account, referrer in changes
    ]
    interaction = happening | {
        "kind": st.sampled_from(["call", "mail", "fax"]),
        "channel": st.sampled_from([None, "mail", "web"]),
        "content_id": st.sampled_from([None, "guide", "price"]),
        "direction": st.sampled_from([None, "inbound", "outbound"]),
        "layer": st.sampled_from([None, 1, 2, 2, 3, 5]),
        "topic": st.sampled_from([None, "cost"]),
        "campaign_id": st.sampled_from([None, "spring", "autumn"]),
        "source_id": st.sampled_from([None, None, "press"]),
        "value": NUMBERS,
    }
    outcome = happening | {"outcome": st.sampled_from(["won", "lost", "postponed"])}
    consent = happening | {
        "status": st.sampled_from(["objection", "consent"]),
        "purpose": st.sampled_from([None, "mail"]),
    }
    tables = {
        "leads": versions,
        "interactions": draw(st.lists(st.fixed_dictionaries(interaction), min_size=8 if crowded else 0, max_size=14)),
        "outcomes": draw(st.lists(st.fixed_dictionaries(outcome), max_size=3)),
        "consents": draw(st.lists(st.fixed_dictionaries(consent), max_size=2)),
    }
    for name, rows in tables.items():
        for row in rows:
            row["known_at"] += row[OWN_TIME[name]]
    # Look from where something has just happened, become known or is about to, too.
    edges = [
        row[name] + beside
        for rows in tables.values()
        for row in rows
        for name in row
        if name.endswith("_at") and row[name] is not None
        for beside in (0, 1, DAY)
    ]
    look = (_within_days(12) if crowded else at) | st.sampled_from(edges)
    return Company(**tables, moments=draw(st.lists(look, min_size=4 if crowded else 1, max_size=6)))
