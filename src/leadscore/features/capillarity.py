"""Capillarity: what the colleagues of the same account do, and who brought the lead; never what it does itself.

A colleague is another lead whose newest version known then names the same account. Colleagues and referrers count from
when they were created and known. Who objected is nobody's colleague and nobody's referrer: a no to being profiled is
one to profiling others by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.features import asof
from leadscore.features.catalogue import Feature, Unit, span
from leadscore.features.view import Matrix, View, looks
from leadscore.features.vocabulary import Vocabulary
from leadscore.history import OUTBOUND, Leads, Rows
from leadscore.snapshots import Snapshots

NAME = "capillarity"
WARM = 0.5
"""A lead is warm while at least this is left of its own touches: a single one warms for one half-life."""

# Having an account and nobody in it is told like having none: where a sale is what creates the account, and the file of
# leads does not say when, the difference tells the outcome.
_ALONE = "no colleagues"
_NOBODY = {"en": "no colleagues known", "fr": "aucun collègue connu"}
_NOBODY_WHO = {
    "spread": {"en": "no colleagues known who became active", "fr": "aucun collègue connu devenu actif"},
    "conversions": {"en": "no colleagues known who converted", "fr": "aucun collègue connu qui ait converti"},
    "rank": {"en": "no colleagues known to compare with", "fr": "aucun collègue connu à qui se comparer"},
}

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    if not vocabulary.kinds:
        return "no interactions"
    return "" if {"account", "referrer"} & {*vocabulary.columns} else "no lead has an account or a referrer"


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: the colleagues and how warm they are, their conversions, the own rank; then the referrer."""
    parts: list[Feature] = []
    if "account" in vocabulary.columns:
        parts += [*_colleagues(), *_spread(vocabulary), *_conversions(vocabulary), _rank()]
    if "referrer" in vocabulary.columns:
        parts += _referrer()
    return tuple(parts)


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry.

    Each account is looked at once per moment any of its leads is: the cost goes with members x moments.
    """
    leads, asked = view.leads, view.snapshots
    moments, at = np.unique(asked.as_of, return_inverse=True)
    teams = _teams(leads, asked.lead, at, moments)
    referrer = _referrers(leads, asked, at, moments)
    looked = _distinct(np.append(teams.key, referrer[referrer >= 0]))  # who brought a lead may be a colleague, too
    seen = _look(view, Snapshots(looked // len(moments), moments[looked % len(moments)]), vocabulary)
    parts: list[Matrix] = [np.zeros((len(asked), 0), dtype=np.float32)]
    if "account" in vocabulary.columns:
        parts.append(_of_colleagues(teams, seen.take(np.searchsorted(looked, teams.key)), vocabulary))
    if "referrer" in vocabulary.columns:
        parts.append(_of_referrer(seen, np.where(referrer < 0, -1, np.searchsorted(looked, referrer))))
    return np.concatenate(parts, axis=1)


# ---- who is looked at ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Teams:
    """One row per member: who counted in an account at a moment, sorted by (team, lead).

    Attributes:
        key: lead x number of moments + moment.
        team: Which account at which moment.
        asked: The row of each snapshot among the members; -1 where its lead has no account then.
    """

    key: Rows
    team: Rows
    asked: Rows


def _teams(leads: Leads, lead: Rows, at: Rows, moments: Rows) -> _Teams:
    encoded = pa.array(leads.version_account, pa.string()).dictionary_encode()
    named = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    account = _then(leads, named, lead, moments[at])
    wanted = _distinct((account * len(moments) + at)[account >= 0])
    # Whoever ever belonged to the account is asked where it belonged then.
    ever = _distinct((named * len(leads) + leads.version_of)[named >= 0])
    first = np.searchsorted(ever, wanted // len(moments) * len(leads))
    size = np.searchsorted(ever, (wanted // len(moments) + 1) * len(leads)) - first
    team = np.repeat(np.arange(len(wanted)), size)
    member = ever[np.arange(len(team)) - np.repeat(np.cumsum(size) - size - first, size)] % len(leads)
    moment = wanted[team] % len(moments)
    counts = _then(leads, named, member, moments[moment]) == wanted[team] // len(moments)
    team, member, moment = team[counts], member[counts], moment[counts]
    place = team * len(leads) + member
    own = np.searchsorted(wanted, account * len(moments) + at) * len(leads) + lead
    row = np.searchsorted(place, own)
    found = (account >= 0) & (np.append(place, -1)[row] == own)
    return _Teams(member * len(moments) + moment, team, np.where(found, row, -1))


def _referrers(leads: Leads, asked: Snapshots, at: Rows, moments: Rows) -> Rows:
    """Return the key of the referrer of each snapshot, -1 where there is none that counts."""
    named = pc.index_in(pa.array(leads.version_referrer, pa.string()), value_set=pa.array(leads.lead_id, pa.string()))
    row = named.fill_null(-1).to_numpy().astype(np.int64)
    row = np.where(row == leads.version_of, -1, row)
    version = leads.versions_at(asked.lead, asked.as_of)
    referrer = np.append(row, -1)[version]
    counts = (referrer >= 0) & _counts(leads, np.maximum(referrer, 0), asked.as_of)
    return np.where(counts, referrer * len(moments) + at, -1)


def _then(leads: Leads, named: Rows, lead: Rows, as_of: Rows) -> Rows:
    """Return the account of each (lead, as_of) as known then; -1 for none, and for who does not count."""
    account = np.append(named, -1)[leads.versions_at(lead, as_of)]
    return np.where(_counts(leads, lead, as_of), account, -1)


def _distinct(keys: Rows) -> Rows:
    """As `np.unique`, which hashes, and takes ten times as long for it."""
    ordered = np.sort(keys)
    distinct: Rows = ordered[np.diff(ordered, prepend=-1) != 0]
    return distinct


def _counts(leads: Leads, lead: Rows, as_of: Rows) -> Flags:
    there: Flags = ~leads.objected[lead] & (leads.created_at[lead] < as_of) & (leads.known_at[lead] < as_of)
    return there


# ---- what they do ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """One row per (lead, moment).

    Attributes:
        warmth: What is left of its own touches.
        woken: Per window: all its own touches so far lie in it.
        converted_ago: Microseconds since its conversion, as known then; -1 for none.
    """

    warmth: Floats
    woken: Flags
    converted_ago: Rows

    def take(self, rows: Rows) -> _Seen:
        return _Seen(self.warmth[rows], self.woken[rows], self.converted_ago[rows])


def _look(view: View, looked: Snapshots, vocabulary: Vocabulary) -> _Seen:
    half_life = np.array([_half_life(vocabulary)], dtype=np.int64)
    windows = np.array([*_windows(vocabulary).values(), asof.ALL], dtype=np.int64)
    warmth, woken = [np.zeros(0)], [np.zeros((0, len(windows) - 1), dtype=np.bool_)]
    for part in looks(view.leads, view.bucket, looked):
        own = np.where(part.history.direction != OUTBOUND, 0, -1).astype(np.int32)
        left = asof.decayed_sum(part.asof, np.ones(len(part.history)), own, 1, half_life)
        counts = asof.count(part.asof, own, 1, windows)[:, 0, :]
        warmth.append(left[:, 0, 0].astype(np.float64))
        woken.append((counts[:, :-1] == counts[:, -1:]) & (counts[:, -1:] > 0))
    ends = view.leads.ends
    end = ends.known_at(looked.lead, looked.as_of)
    converted = np.append(ends.converted, False)[end]
    ago = np.where(converted, looked.as_of - np.append(ends.occurred_at, 0)[end], -1)
    return _Seen(np.concatenate(warmth), np.concatenate(woken), ago)


def _half_life(vocabulary: Vocabulary) -> int:
    """Return the half-life in the middle."""
    return sorted(vocabulary.half_lives.values())[len(vocabulary.half_lives) // 2]


def _windows(vocabulary: Vocabulary) -> dict[str, int]:
    """Return the shortest and the longest window; there may be but one."""
    ascending = sorted(vocabulary.windows.items(), key=lambda item: item[1])
    return dict([ascending[0], ascending[-1]])


def _longest(vocabulary: Vocabulary) -> tuple[str, int]:
    return max(vocabulary.windows.items(), key=lambda item: item[1])


# ---- what it amounts to, for each without itself ---------------------------------------------------------------


def _of_colleagues(teams: _Teams, seen: _Seen, vocabulary: Vocabulary) -> Matrix:
    """Return the columns about colleagues, one row per snapshot; `seen` has a row per member."""
    team, converted = teams.team, seen.converted_ago >= 0

    def others(flags: Flags) -> Rows:
        counts: Rows = np.bincount(team[flags], minlength=int(team[-1]) + 1 if len(team) else 0)[team] - flags
        return counts

    colleagues, warm = others(np.ones(len(team), dtype=np.bool_)), others(seen.warmth >= WARM)
    hottest, rank = _order(team, seen.warmth)
    columns = (
        colleagues,
        warm,
        warm / np.maximum(colleagues, 1),
        hottest,
        _sum_of_others(team, seen.warmth),
        *(others(woken) for woken in seen.woken.T),
        others(converted),
        others(converted & (seen.converted_ago <= _longest(vocabulary)[1])),
        rank,
    )
    told = np.where(np.append(colleagues, 0)[teams.asked] > 0, teams.asked, -1)
    return np.stack([np.append(column, np.nan).astype(np.float32)[told] for column in columns], axis=1)


def _of_referrer(seen: _Seen, row: Rows) -> Matrix:
    """Return the columns about the referrer, one row per snapshot; `row` says where it is seen, -1 without one."""
    warmth, ago = np.append(seen.warmth, np.nan)[row], np.append(seen.converted_ago, -1)[row]
    return np.column_stack([warmth, ago >= 0]).astype(np.float32)


def _order(team: Rows, warmth: Floats) -> tuple[Floats, Rows]:
    """Return for each member the warmth of its hottest colleague (0 without any) and its own rank (1: hottest)."""
    # The bits of floats that are not negative sort as the floats do.
    order = np.argsort((team << 32) | warmth.astype(np.float32).view(np.int32))
    ordered, of = warmth[order], team[order]
    ends = np.append(np.flatnonzero(np.diff(of)) + 1, len(of))[of] if len(of) else of
    begins = np.flatnonzero(np.diff(of, prepend=-1))[of]
    last, second = ends - 1, np.maximum(ends - 2, 0)
    is_last = np.arange(len(of)) == last
    of_other = np.where(is_last, np.where(second >= begins, ordered[second], 0.0), ordered[last])
    alone = ends - begins == 1
    # Equal warmth shares the better rank: the number of members beyond the last equal one, plus one.
    new = np.append((np.diff(ordered) != 0) | (np.diff(of) != 0), True)[: len(of)]
    runs = np.flatnonzero(new)
    beyond = runs[np.searchsorted(runs, np.arange(len(of)))] + 1
    hottest, rank = np.empty(len(of)), np.empty(len(of), dtype=np.int64)
    hottest[order], rank[order] = np.where(alone, 0.0, of_other), ends - beyond + 1
    return hottest, rank


def _sum_of_others(team: Rows, warmth: Floats) -> Floats:
    """Add up the warmth of all colleagues: those before and those behind.

    Taking one's own from the total would leave a trace of it in the last digits.
    """
    before = _sums_before(team, warmth)
    behind = _sums_before(team[::-1], warmth[::-1])[::-1]
    return before + behind


def _sums_before(team: Rows, warmth: Floats) -> Floats:
    """Sum what stands before each member in its team; members of a team stand together.

    Each round doubles the stretch that is summed, so there are log2(largest team) of them.
    """
    sums = np.append(0.0, warmth[:-1])[: len(team)]
    sums[np.diff(team, prepend=-1) != 0] = 0.0
    reach, largest = 1, int(np.diff(np.flatnonzero(np.diff(team, prepend=-1, append=-1))).max(initial=0))
    while reach < largest:
        sums[reach:] += np.where(team[reach:] == team[:-reach], sums[:-reach], 0.0)
        reach *= 2
    return sums


# ---- how to say it ---------------------------------------------------------------------------------------------


def _colleagues() -> list[Feature]:
    return [
        _feature(
            "colleagues", NAME, "count",
            "other leads of the same account: {value}", "autres leads du même compte : {value}",
        ),
        _feature(
            "warm_colleagues", NAME, "count",
            "colleagues active lately: {value}", "collègues actifs récemment : {value}",
        ),
        Feature(
            "warm_colleagues_share", NAME, NAME, "share", _ALONE,
            {"en": "{value} of the colleagues active lately", "fr": "{value} des collègues actifs récemment"}, _NOBODY,
            skewed=False,
        ),
        _feature(
            "hottest_colleague", NAME, "warmth",
            "recent activity of the most active colleague: {value}",
            "activité récente du collègue le plus actif : {value}",
        ),
        _feature(
            "colleagues_warmth", NAME, "warmth",
            "recent activity of all colleagues: {value}", "activité récente de tous les collègues : {value}",
        ),
    ]  # fmt: skip


def _spread(vocabulary: Vocabulary) -> list[Feature]:
    return [
        _feature(
            f"woken_colleagues_{name}", f"{NAME}.spread", "count",
            f"colleagues who became active in the last {span(length, 'en')}: {{value}}",
            f"collègues devenus actifs en {span(length, 'fr')} : {{value}}",
        )
        for name, length in _windows(vocabulary).items()
    ]  # fmt: skip


def _conversions(vocabulary: Vocabulary) -> list[Feature]:
    name, length = _longest(vocabulary)
    concept = f"{NAME}.conversions"
    return [
        _feature(
            "converted_colleagues", concept, "count",
            "colleagues who converted: {value}", "collègues convertis : {value}",
        ),
        _feature(
            f"converted_colleagues_{name}", concept, "count",
            f"colleagues who converted in the last {span(length, 'en')}: {{value}}",
            f"collègues convertis en {span(length, 'fr')} : {{value}}",
        ),
    ]  # fmt: skip


def _rank() -> Feature:
    return _feature(
        "rank_in_account", f"{NAME}.rank", "count",
        "place in the account by recent activity: {value}",
        "place dans le compte par activité récente : {value}",
    )  # fmt: skip


def _referrer() -> list[Feature]:
    concept = f"{NAME}.referrer"
    return [
        Feature(
            "referrer_warmth", NAME, concept, "warmth", "no referrer",
            {
                "en": "recent activity of the lead that brought this one: {value}",
                "fr": "activité récente du lead parrain : {value}",
            },
            {"en": "brought by no lead we know", "fr": "aucun lead parrain connu"},
        ),
        Feature(
            "referrer_converted", NAME, concept, "flag", "",
            {"en": "brought by a lead that converted", "fr": "parrainé par un lead converti"},
            {"en": "not brought by a lead that converted", "fr": "non parrainé par un lead converti"},
            skewed=False,
        ),
    ]  # fmt: skip


def _feature(name: str, concept: str, unit: Unit, en: str, fr: str) -> Feature:
    absent = _NOBODY_WHO.get(concept.removeprefix(f"{NAME}."), _NOBODY)
    return Feature(name, NAME, concept, unit, _ALONE, {"en": en, "fr": fr}, absent)
