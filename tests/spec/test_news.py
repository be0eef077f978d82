"""News: what came of a lead since the slot before, and which of our pushes wait for its answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from leadscore.features.matrix import build_matrix, catalogue
from leadscore.scoring.news import look_since, unanswered
from leadscore.scoring.panel import temperatures
from leadscore.timeline import DAY
from strategies import companies
from world import bucket, day, days, looks, rows, vocabulary

LEADS = "lead_id | created_at\nada | 0\nbob | 0\ncyd | 0"
WORDS = vocabulary(families=("infusion",))
PUSHED = vocabulary(families=("infusion", "power"))


def assert_news(interactions, expected, since="7", as_of="14", words=WORDS):
    """What came between two moments, against a drawn table: lead_id and some of `fresh late cold unanswered`."""
    leads, history = bucket(LEADS, interactions)
    news = look_since(history, words, day(since), day(as_of))
    found = {
        "lead_id": leads.lead_id,
        "fresh": [str(number) for number in news.fresh],
        "late": [str(number) for number in news.late],
        "cold": ["x" if cold else None for cold in news.cold],
        "unanswered": [str(number) for number in unanswered(history)],
    }
    wanted = rows(expected)
    assert [{name: found[name][place] for name in row} for place, row in enumerate(wanted)] == wanted


def test_what_they_did_since_is_fresh_and_what_was_learned_only_since_is_late():
    assert_news(
        """
        lead_id | occurred_at | known_at | kind | direction
        ada     | 6           | 6        | mail | inbound
        ada     | 7           | 7        | mail | inbound
        ada     | 8           | 13       | call | _
        ada     | 9           | 9        | mail | outbound
        bob     | 3           | 7-       | mail | inbound
        bob     | 4           | 7        | mail | inbound
        bob     | 5           | 9        | mail | outbound
        """,
        """
        lead_id | fresh | late
        ada     | 2     | 0
        bob     | 0     | 2
        cyd     | 0     | 0
        """,
    )


def test_a_push_waits_until_the_lead_does_something():
    assert_news(
        """
        lead_id | occurred_at | kind | direction
        ada     | 1           | mail | outbound
        ada     | 2           | call | inbound
        ada     | 3           | mail | outbound
        ada     | 4           | mail | outbound
        bob     | 1           | mail | outbound
        bob     | 2           | mail | outbound
        bob     | 3           | mail | _
        cyd     | 5           | mail | outbound
        """,
        """
        lead_id | unanswered
        ada     | 2
        bob     | 0
        cyd     | 1
        """,
    )


def test_a_lead_went_cold_when_its_temperature_fell_below_the_threshold_since():
    """A call is 1 degree, halved every two days; 0.3 is cold: 3.47 days after a call."""
    assert_news(
        """
        lead_id | occurred_at | kind
        ada     | 4           | call
        bob     | 3.5         | call
        cyd     | 4           | call
        cyd     | 13          | mail
        """,
        """
        lead_id | cold
        ada     | x
        bob     | _
        cyd     | _
        """,
    )
    # The temperature then is told as it is known now: a call of day 4 that was learned on day 9 was warm on day 7.
    late = "lead_id | occurred_at | known_at | kind\nada | 4 | 9 | call"
    assert_news(late, "lead_id | cold\nada | x\nbob | _\ncyd | _")
    # Exactly the threshold is not cold; what we push warms nobody where pushes count apart.
    half = "lead_id | occurred_at | kind | direction\nada | 7 | call | outbound\nbob | 7 | call | inbound"
    at_half = replace(WORDS, frozen={"infusion": WORDS.frozen["infusion"] | {"cold": 0.5}})
    assert_news(half, "lead_id | cold\nada | _\nbob | _\ncyd | _", "8", "9", at_half)
    assert_news(half, "lead_id | cold\nada | x\nbob | x\ncyd | _", "9", "9+", at_half)
    assert_news(half, "lead_id | cold\nada | _\nbob | x\ncyd | _", "8", "14", PUSHED)
    assert_news(half, "lead_id | cold\nada | _\nbob | _\ncyd | _", "8", "14", vocabulary(families=("profile",)))


@given(company=companies())
@settings(max_examples=60, deadline=None)
def test_cold_and_the_curve_of_a_panel_follow_the_temperature_of_the_features(company):
    known_at_once = company._each(lambda _, given: [{**row, "known_at": 0} for row in given])
    leads, history = known_at_once.bucket()
    since, as_of = min(company.moments), max(company.moments)
    for words in (WORDS, PUSHED):
        column = [feature.name for feature in catalogue(words)].index("temperature")
        asked = looks(leads, [(lead, moment) for lead in leads.lead_id for moment in (since, as_of)])
        then, now = build_matrix(leads, history, asked, words)[:, column].reshape(-1, 2).T
        cold = words.frozen["infusion"]["cold"]
        assert look_since(history, words, since, as_of).cold.tolist() == ((then >= cold) & (now < cold)).tolist()
        curves = [temperatures(history, words, lead, np.array([since, as_of])) for lead in range(len(leads))]
        drawn = [[warm for _, warm in curve] for curve in curves]
        np.testing.assert_allclose(drawn, np.stack([then, now], axis=1), rtol=1e-6, atol=1e-30)


def test_a_curve_ends_at_the_moment_of_the_slot_and_is_empty_without_the_family():
    _, history = bucket(LEADS, "lead_id | occurred_at | kind\nada | 4 | call")
    assert temperatures(history, WORDS, 0, days("4", "4+", "6")) == [
        (day("4"), 0.0), (day("4+"), np.exp2(-1 / (2 * DAY))), (day("6"), 0.5),
    ]  # fmt: skip
    assert temperatures(history, vocabulary(families=("profile",)), 0, days("6")) == []
