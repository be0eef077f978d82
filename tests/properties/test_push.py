"""With the family power on, more unanswered push never raises a chance: end to end, from the row to the readiness."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadscore.features.matrix import FAMILIES, build_matrix
from leadscore.model import train
from leadscore.model.learn import draft, fit, gather
from leadscore.model.shape import SHAPES
from leadscore.timeline import DAY, HOUR
from world import FUNNEL, START, bucket, config, day, looks

AS_OF = day("80")
SETTINGS = config(
    **FUNNEL | {"features": FUNNEL["features"] | {"families": sorted(FAMILIES), "answer_within": "2d"}},
)
WITHIN = SETTINGS.features.answer_within.microseconds
# What a touch may carry; who is keen is pushed more, so that a push by itself speaks for a conversion.
WEB = {"kind": "visit", "channel": "web", "content_id": "price", "layer": 2, "value": 3.0}
CALL = {"kind": "call", "direction": "inbound", "topic": "cost"}
PRESS = {"kind": "article", "source_id": "press", "layer": 1}
LETTER = {"kind": "letter", "direction": "outbound", "campaign_id": "spring", "content_id": "guide", "layer": 1}
RING = {"kind": "call", "direction": "outbound", "channel": "phone", "value": 9.0, "topic": "cost"}
PUSHES = [LETTER, RING, LETTER | {"source_id": "press", "layer": 3}, RING | {"kind": "never seen"}]


@cache
def _company(n_leads=180):
    chance = np.random.default_rng(11)
    leads, interactions, outcomes = [], [], []
    for number in range(n_leads):
        lead, keen = f"lead-{number:03}", number % 3 == 0
        begin = START + int(chance.uniform(0, 70) * DAY)
        leads.append({"lead_id": lead, "account_id": f"account-{number // 3}", "created_at": begin})
        for what, rate in ((WEB, 4), (CALL, 5 if keen else 2), (PRESS, 3), (LETTER, 8 if keen else 2), (RING, 2)):
            times = (begin + chance.uniform(0, 30 * DAY, chance.poisson(rate))).astype(np.int64).tolist()
            interactions += [{"lead_id": lead, "occurred_at": time, **what} for time in times]
        if chance.random() < (0.7 if keen else 0.1):
            outcomes.append({"lead_id": lead, "occurred_at": begin + 30 * DAY, "outcome": "won"})
    return leads, interactions, outcomes


def _read(before):
    own = [
        [row for row in rows if row[at] < before]
        for rows, at in zip(_company(), ("created_at", "occurred_at", "occurred_at"), strict=True)
    ]
    yield bucket(*own)


@cache
def _gathered():
    gathered = gather(_read, SETTINGS, AS_OF)
    assert not {"power", "echo"} & set(gathered.vocabulary.off)
    return gathered


@cache
def _bundle(shape):
    return draft(SETTINGS, AS_OF, fit(_gathered(), SETTINGS, shape))


def _account(lead):
    """Everything of a lead and its colleagues."""
    leads, interactions, outcomes = _company()
    account = next(row["account_id"] for row in leads if row["lead_id"] == lead)
    own = [row for row in leads if row["account_id"] == account]
    ids = {row["lead_id"] for row in own}
    return own, [row for row in interactions if row["lead_id"] in ids], [r for r in outcomes if r["lead_id"] in ids]


def _seen(company, lead, as_of, vocabulary):
    leads, history = bucket(*company)
    return build_matrix(leads, history, looks(leads, [(lead, as_of)]), vocabulary)


def _answered(push, company, as_of):
    touches = [
        row["occurred_at"]
        for row in company[1]
        if row["lead_id"] == push["lead_id"] and row.get("direction") != "outbound" and row["occurred_at"] < as_of
    ]
    return any(0 < touch - push["occurred_at"] <= WITHIN for touch in touches)


@st.composite
def _cases(draw):
    """A lead, a moment, and pushes on it or a colleague that were not answered by then: anywhere, and at the edges."""
    lead = draw(st.sampled_from([row["lead_id"] for row in _company()[0]]))
    company = _account(lead)
    began = next(row["created_at"] for row in company[0] if row["lead_id"] == lead)
    as_of = began + draw(st.integers(1, 45 * DAY) | st.sampled_from([7 * DAY, 30 * DAY]))
    pushed = draw(st.sampled_from([lead, lead, *(row["lead_id"] for row in company[0])]))
    times = [row["occurred_at"] for row in company[1] if row["lead_id"] == pushed] or [began]
    edge = st.builds(int.__add__, st.sampled_from(times), st.sampled_from([0, 1, -WITHIN - 1, -40 * DAY, WITHIN, HOUR]))
    at = edge | st.integers(1, 60 * DAY).map(lambda ago: as_of - ago)
    push = st.builds(
        lambda what, time, lag: {"lead_id": pushed, "occurred_at": time, "known_at": time + lag, **what},
        st.sampled_from(PUSHES),
        at,
        st.sampled_from([0, 0, 0, 5 * DAY]),
    )
    pushes = [row for row in draw(st.lists(push, min_size=1, max_size=4)) if not _answered(row, company, as_of)]
    return lead, as_of, company, (company[0], company[1] + pushes, company[2])


@given(case=_cases(), shape=st.sampled_from(SHAPES))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_more_unanswered_push_never_raises_a_chance(case, shape):
    lead, as_of, before, after = case
    bundle = _bundle(shape)
    was, became = (_seen(company, lead, as_of, bundle.vocabulary) for company in (before, after))
    wrong = [
        (feature.name, old, new)
        for feature, old, new in zip(bundle.features, was[0].tolist(), became[0].tolist(), strict=True)
        if not (old == new or (np.isnan(old) and np.isnan(new)) or (new - old) * feature.direction < 0)
    ]
    assert not wrong
    # Sums of smaller terms in the same order are never greater, to the last bit; logarithm and exponential may err
    # in theirs.
    assert np.all(bundle.margins(became) <= bundle.margins(was))
    assert np.all(bundle.readiness(became) <= bundle.readiness(was) * (1 + 1e-12))


@pytest.mark.parametrize(("part", "place"), [("fit_base", 4), ("fit_trees", 4)])
def test_without_directions_in_both_parts_this_company_would_teach_that_a_push_helps(part, place, monkeypatch):
    """The promise is kept by the directions, not by the data and not by luck."""
    bound = getattr(train, part)

    def unbound(*arguments):
        loose = [np.zeros_like(given) if at == place else given for at, given in enumerate(arguments)]
        return bound(*loose)

    monkeypatch.setattr(train, part, unbound)
    bundle = draft(SETTINGS, AS_OF, fit(_gathered(), SETTINGS, "hazard"))
    raised = 0
    for row in _company()[0][:60]:
        lead, as_of = row["lead_id"], row["created_at"] + 20 * DAY
        before = _account(lead)
        push = {"lead_id": lead, "occurred_at": as_of - HOUR, **LETTER}
        after = (before[0], [*before[1], push], before[2])
        was, became = (_seen(company, lead, as_of, bundle.vocabulary) for company in (before, after))
        raised += int((bundle.readiness(became) > bundle.readiness(was)).any())
    assert raised
