"""What every feature promises, for any small company."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadscore.features.context import CALENDAR
from leadscore.features.matrix import FAMILIES, build_matrix, catalogue, settle, take_census
from leadscore.features.view import looks as views
from leadscore.features.vocabulary import sum_censuses
from leadscore.model.train import assemble
from leadscore.snapshots import Snapshots, at_risk
from leadscore.timeline import DAY
from reference import families_reference as slow
from strategies import companies
from world import bucket, config, lengths, looks, vocabulary

WORDS = vocabulary(
    numbers=("size",),
    categories={"country": ("DE", "FR")},
    windows=lengths("1d", "7d"),
    half_lives=lengths("12h", "5d"),
    families=tuple(FAMILIES),
    columns=("account", "campaign", "channel", "content", "direction", "layer", "referrer", "source", "topic", "value"),
)
# A busy machine is no failure.
FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# Weeks after the strategies' January until clocks change. In Auckland noon in UTC is midnight, but not in summer.
CLOCKS = st.sampled_from([("UTC", 0), ("Europe/Paris", 12), ("Pacific/Auckland", 13), ("Pacific/Auckland", 38)])


def _matrix(company, pairs, workload=None, words=WORDS):
    leads, history = company.bucket()
    if workload is not None:
        leads = replace(leads, workload=workload)
    return build_matrix(leads, history, looks(leads, pairs), words)


def _same_bits(left, right):
    return left.shape == right.shape and left.dtype == right.dtype and left.tobytes() == right.tobytes()


@given(company=companies(), clocks=CLOCKS)
@FEW
def test_families_equal_their_slow_reference(company, clocks):
    zone, weeks = clocks
    company, words = company.shifted(weeks * 7 * DAY), replace(WORDS, time_zone=zone)
    pairs = company.pairs()
    found = _matrix(company, pairs, words=words)
    # Among interactions of one moment the store decides the order; the reference takes it from there.
    stored = {lead: _in_stored_order(company, lead) for lead in company.lead_ids}
    for (lead, as_of), row in zip(pairs, found, strict=True):
        expected = slow.snapshot(slow.Case(company, stored, lead, as_of), words)
        names = [feature.name for feature in catalogue(words)]
        assert sorted(expected) == sorted(names)
        wanted = np.array([expected[name] for name in names], np.float64).astype(np.float32)
        np.testing.assert_allclose(row, wanted, rtol=1e-5, err_msg=f"{lead} {as_of}")


def _in_stored_order(company, lead):
    leads, history = company.of([lead]).bucket()
    assert len(leads) == 1
    words = {"content_id": "content", "campaign_id": "campaign", "source_id": "source"}
    columns = {name: getattr(history, words.get(name, name)) for name in ("kind", "channel", "topic", *words)}
    return [
        {
            "occurred_at": int(history.time[row]),
            "known_at": int(history.known_at[row]),
            **{name: [*column.words, None][column.codes[row]] for name, column in columns.items()},
            "direction": {1: "inbound", -1: "outbound", 0: None}[int(history.direction[row])],
            "layer": int(history.layer[row]) or None,
            "value": None if np.isnan(history.value[row]) else float(history.value[row]),
        }
        for row in range(len(history))
    ]


@given(company=companies())
@FEW
def test_a_snapshot_is_the_same_without_the_future_the_other_leads_and_the_other_snapshots(company):
    """Training sees all that was known in the end and a whole grid; scoring what was known then and one moment.

    Only a no reaches back. The lead's colleagues and who brought it stay, and so does the work load of all.
    """
    pairs = company.pairs()
    together = _matrix(company, pairs)
    for place, (lead, as_of) in enumerate(pairs):
        then = replace(company.known_before(as_of), consents=company.consents)
        alone = _matrix(then.around([lead]), [(lead, as_of)], then.bucket()[0].workload)
        assert _same_bits(together[place : place + 1], alone)


@given(company=companies(), data=st.data())
@FEW
def test_the_future_is_invisible(company, data):
    """Whatever happens at or after as_of, or is learned then of the past, no feature of as_of moves.

    An interaction, an outcome, another account and another referrer.
    """
    as_of = company.moments[0]
    pairs = [pair for pair in company.pairs() if pair[1] == as_of]
    lag = st.sampled_from([0, 1, DAY])
    happened = st.integers(-10 * DAY, 10 * DAY) | st.sampled_from([0, -1, -DAY, -7 * DAY])
    for lead in company.lead_ids:
        for after, later in data.draw(st.lists(st.tuples(happened, lag), max_size=3)):
            occurred_at = as_of + after
            surprise = {"lead_id": lead, "occurred_at": occurred_at, "known_at": max(occurred_at, as_of) + later}
            version = next(row for row in company.leads if row["lead_id"] == lead)
            moved = {"account_id": "acme", "referrer_id": "lead-1", "known_at": max(version["known_at"], as_of) + later}
            added = replace(
                company,
                leads=[*company.leads, version | moved],
                interactions=[*company.interactions, surprise | {"kind": "mail", "content_id": "price", "value": 7.0}],
                outcomes=[*company.outcomes, surprise | {"outcome": "won"}],
            )
            assert _same_bits(_matrix(company, pairs), _matrix(added, pairs))


@given(company=companies())
@FEW
def test_who_is_at_risk_is_the_same_seen_from_then_and_from_later(company):
    """As long as everything is known when it happens: what is learned late, and a no, do change the past."""
    prompt = company._each(
        lambda name, rows: [
            {**row, "known_at": row["created_at" if name == "leads" else "occurred_at"]} for row in rows
        ]
    )
    for as_of in company.moments:
        lists = []
        for known in (prompt, prompt.known_before(as_of)):
            leads, _ = bucket(known.leads, (), known.outcomes, ()) if known.leads else ((), ())
            lists.append([leads.lead_id[row] for row in at_risk(leads, np.array([as_of])).lead] if leads else [])
        assert lists[0] == lists[1]


@given(company=companies(), most_rows=st.integers(0, 30))
@FEW
def test_each_snapshot_sees_what_had_happened_and_was_known(company, most_rows):
    leads, history = company.bucket()
    snapshots = looks(leads, company.pairs())
    facts = ("time", "known_at", "value")

    def told(own, rows):
        return [
            (own.kind.words[own.kind.codes[row]], own.content.codes[row], *(repr(getattr(own, f)[row]) for f in facts))
            for row in rows
        ]

    found = []
    for view in views(leads, history, snapshots, most_rows):
        sees = view.asof
        assert view.history is history or len(view.history) <= most_rows or len(sees.ptr) == 2, "memory is bounded"
        for viewer in range(len(sees.ptr) - 1):
            rows = np.arange(*sees.indptr[viewer : viewer + 2])
            moments = sees.as_of[slice(*sees.ptr[viewer : viewer + 2])]
            found += [told(view.history, rows[sees.seen[rows] < as_of]) for as_of in moments]
    expected = []
    for lead, as_of in zip(snapshots.lead, snapshots.as_of, strict=True):
        own = range(history.indptr[lead], history.indptr[lead + 1])
        expected.append(told(history, [r for r in own if history.time[r] < as_of and history.known_at[r] < as_of]))
    assert found == expected


def test_knowledge_that_is_late_but_in_order_copies_nothing():
    interactions = [{"lead_id": "ada", "occurred_at": n * DAY, "known_at": (n + 3) * DAY} for n in range(9)]
    leads, history = bucket([{"lead_id": "ada", "created_at": 0}], [{**row, "kind": "mail"} for row in interactions])
    (view,) = views(leads, history, looks(leads, [("ada", n * DAY) for n in range(1, 12)]))
    assert view.history is history


@given(company=companies(), weeks=st.integers(-3000, 3000))
@FEW
def test_shifting_the_calendar_by_whole_weeks_changes_nothing(company, weeks):
    moved = company.shifted(weeks * 7 * DAY)
    others = [feature.concept != CALENDAR for feature in catalogue(WORDS)]
    assert _same_bits(_matrix(company, company.pairs())[:, others], _matrix(moved, moved.pairs())[:, others])


@given(company=companies(), data=st.data())
@FEW
def test_how_leads_are_divided_into_buckets_changes_nothing(company, data):
    ids = company.lead_ids
    part = {lead: data.draw(st.integers(0, 2), label=lead) for lead in ids}
    homes = [[lead for lead in ids if part[lead] == k] for k in data.draw(st.permutations(range(3)))]
    settings_ = config(horizons=("2d", "5d", "9d"))
    moments = np.unique(np.array(company.moments, np.int64))
    whole, cut = [company.bucket()], [_with_guests(company, home) for home in homes if home]
    one, many = (assemble(buckets, WORDS, settings_, moments, int(moments[-1])) for buckets in (whole, cut))
    assert one.lead_id.tolist() == many.lead_id.tolist()
    for name in ("as_of", "matrix", "simple", "weight"):
        assert _same_bits(getattr(one, name), getattr(many, name))
    for name in ("by_horizon", "matured", "in_interval", "teaches"):
        assert _same_bits(getattr(one.labels, name), getattr(many.labels, name))
    frozen = [
        settle(sum_censuses(take_census(*own, settings_) for own in buckets), settings_) for buckets in (whole, cut)
    ]
    assert frozen[0] == frozen[1]


def _with_guests(company, home):
    """A bucket of its own leads, those of others that they are seen with, and the work load of all."""
    own = company.around(home)
    leads, history = own.bucket(guests={*own.lead_ids} - {*home})
    return replace(leads, workload=company.bucket()[0].workload), history


def _words(*likely):
    return st.lists(st.sampled_from(likely) | st.text(min_size=1, max_size=5), max_size=3, unique=True).map(sorted)


@given(
    kinds=_words("other", "all", "created", "mail", "mail_7d", "{x}", "{", "state").map(
        lambda words: tuple(
            word for word in words if word != "other"
        )  # settled vocabularies hold none, see test_catalogue
    ),
    numbers=_words("age_days", "active_days", "{y}", "days_in_state"),
    words=_words("FR", "{z}", "other"),
)
@FEW
def test_every_catalogue_names_its_columns_once_and_can_say_any_value(kinds, numbers, words):
    given_words = vocabulary(kinds=kinds, numbers=tuple(numbers), categories={"country": tuple(words), "{c}": ("{d}",)})
    names = [feature.name for feature in catalogue(given_words)]
    assert len(set(names)) == len(names)
    leads, history = bucket("lead_id | created_at\nada | 0", "lead_id | occurred_at | kind\nada | 1 | mail")
    snapshots = looks(leads, [("ada", int(leads.created_at[0]) + 9 * DAY)])
    for family in FAMILIES.values():
        features = family.catalogue(given_words)
        for asked in (snapshots, Snapshots(snapshots.lead[:0], snapshots.as_of[:0])):
            (view,) = views(leads, history, asked)
            assert family.compute(view, given_words).shape == (len(asked), len(features))
        for feature in features:
            assert feature.family == family.NAME
            assert not (feature.direction and feature.missing), "or an event could make it known, and move any way"
            for language in ("en", "fr"):
                for value in (0.0, 1.0, 0.03, -2.5, 1e30, float("nan")):
                    said = feature.say(value, language)
                    assert said
                    assert "{value}" not in said
                    assert "{{" not in said or "{{" in "".join([*kinds, *numbers, *words])


def test_an_empty_bucket_has_every_column_and_no_row():
    leads, history = bucket((), ())
    assert build_matrix(leads, history, looks(leads, []), WORDS).shape == (0, len(catalogue(WORDS)))
