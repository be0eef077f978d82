"""Capillarity: what the other leads of the account do, as far as it was known then; never what the lead does itself."""

from __future__ import annotations

import pytest

from leadscore.features.matrix import settle, take_census
from world import assert_features, bucket, config, drawn_risk, vocabulary

WORDS = vocabulary(families=("capillarity",), columns=("account", "referrer"))  # windows 7d and 30d, half-life 2d

# A touch of day 4 leaves 1/2 on day 6: just warm. What we sent to cyd is no touch of hers.
LEADS = """
lead_id | account_id | created_at
ada     | acme       | 0
bob     | acme       | 0
cyd     | acme       | 5
dan     | bolt       | 0
eva     | _          | 0
"""
TOUCHES = """
lead_id | occurred_at | known_at | kind | direction
ada     | 1           | 1        | call | inbound
bob     | 4           | 4        | call | inbound
bob     | 4           | 7        | mail | _
cyd     | 6           | 6        | mail | outbound
cyd     | 8           | 8        | mail | inbound
dan     | 5           | 5        | call | inbound
eva     | 5           | 5        | call | inbound
"""
COLLEAGUES = """
lead_id | as_of | colleagues | warm_colleagues | warm_colleagues_share | hottest_colleague | colleagues_warmth
ada     | 4     | 1          | 0               | 0                     | 0                 | 0
ada     | 5     | 1          | 1               | 1                     | 0.7071068         | 0.7071068
ada     | 5+    | 2          | 1               | 1/2                   | 0.7071068         | 0.7071068
ada     | 6     | 2          | 1               | 1/2                   | 1/2               | 1/2
ada     | 8     | 2          | 1               | 1/2                   | 1/2               | 1/2
ada     | 10    | 2          | 1               | 1/2                   | 1/2               | 3/4
dan     | 10    | _          | _               | _                     | _                 | _
eva     | 10    | _          | _               | _                     | _                 | _
"""


def test_colleagues_are_the_other_leads_of_the_account_and_warm_while_half_a_touch_is_left():
    assert_features(bucket(LEADS, TOUCHES), COLLEAGUES, WORDS)


def test_what_the_lead_does_itself_changes_nothing_but_its_own_place():
    without_own = "\n".join(line for line in TOUCHES.splitlines() if not line.startswith("ada"))
    assert_features(bucket(LEADS, without_own), COLLEAGUES, WORDS)
    places = "lead_id | as_of | rank_in_account\nada | 5 | {}\nbob | 5 | {}"
    assert_features(bucket(LEADS, TOUCHES), places.format(2, 1), WORDS)
    much = TOUCHES + "ada | 4.5 | 4.5 | call | _\n"
    assert_features(bucket(LEADS, much), places.format(1, 2), WORDS)


def test_equal_warmth_shares_the_better_place():
    assert_features(
        bucket(LEADS, TOUCHES),
        """
        lead_id | as_of | rank_in_account
        ada     | 1     | 1
        bob     | 1     | 1
        ada     | 9     | 3
        bob     | 9     | 2
        cyd     | 9     | 1
        dan     | 9     | _
        eva     | 9     | _
        """,
        WORDS,
    )


def test_it_spreads_as_fast_as_colleagues_show_up_for_the_first_time():
    assert_features(
        bucket(LEADS, TOUCHES),
        """
        lead_id | as_of | woken_colleagues_7d | woken_colleagues_30d
        ada     | 4     | 0                   | 0
        ada     | 4+    | 1                   | 1
        ada     | 11    | 2                   | 2
        ada     | 11+   | 1                   | 2
        ada     | 40    | 0                   | 0
        """,
        WORDS,
    )


def test_conversions_nearby_are_those_we_had_learned_of():
    outcomes = """
    lead_id | occurred_at | known_at | outcome
    bob     | 6           | 8        | won
    bob     | 7           | 7        | lost
    cyd     | 9           | 9        | lost
    cyd     | 20          | 20       | won
    dan     | 6           | 6        | won
    """
    # On day 8 bob was lost, for all we knew; then it turned out that he had converted before. Cyd was lost for good.
    assert_features(
        bucket(LEADS, TOUCHES, outcomes),
        """
        lead_id | as_of | converted_colleagues | converted_colleagues_30d
        ada     | 8     | 0                    | 0
        ada     | 8+    | 1                    | 1
        ada     | 36    | 1                    | 1
        ada     | 36+   | 1                    | 0
        bob     | 36    | 0                    | 0
        dan     | 36    | _                    | _
        """,
        WORDS,
    )


def test_a_colleague_is_one_from_when_we_knew_it_until_we_knew_better():
    leads = """
    lead_id | account_id | created_at | known_at
    ada     | acme       | 0          | 0
    bob     | bolt       | 0          | 0
    bob     | acme       | 0          | 5
    bob     | _          | 0          | 7
    """
    assert_features(
        bucket(leads, TOUCHES),
        """
        lead_id | as_of | colleagues | warm_colleagues
        ada     | 5     | _          | _
        ada     | 5+    | 1          | 1
        ada     | 7     | 1          | 0
        ada     | 7+    | _          | _
        bob     | 7     | 1          | 0
        bob     | 7+    | _          | _
        """,
        WORDS,
    )


def test_who_objected_feeds_nobody():
    consents = "lead_id | occurred_at | status\nbob | 30 | objection"
    won = "lead_id | occurred_at | outcome\nbob | 5 | won"
    assert_features(
        bucket(LEADS.replace("eva     | _   ", "eva     | acme"), TOUCHES, won, consents),
        """
        lead_id | as_of | colleagues | warm_colleagues | colleagues_warmth | converted_colleagues | woken_colleagues_7d
        ada     | 7     | 2          | 1               | 1/2               | 0                    | 1
        """,
        WORDS,
    )


def test_who_brought_the_lead_is_who_we_knew_then():
    leads = """
    lead_id | referrer_id | created_at | known_at
    ada     | bob         | 0          | 0
    ada     | cyd         | 0          | 9
    bob     | bob         | 0          | 0
    cyd     | nobody      | 9.5        | 9.5
    dan     | eva         | 0          | 0
    eva     | _           | 0          | 0
    """
    consents = "lead_id | occurred_at | status\neva | 30 | objection"
    assert_features(
        bucket(leads, TOUCHES, "lead_id | occurred_at | known_at | outcome\nbob | 5 | 6 | won", consents),
        """
        lead_id | as_of | referrer_warmth | referrer_converted
        ada     | 4     | 0               | 0
        ada     | 6     | 1/2             | 0
        ada     | 8     | 1/2             | 1
        ada     | 9+    | _               | 0
        ada     | 10    | 1/2             | 0
        bob     | 6     | _               | 0
        cyd     | 10    | _               | 0
        dan     | 6     | _               | 0
        """,
        WORDS,
    )


def test_guests_are_seen_and_otherwise_left_alone():
    world = bucket(LEADS, TOUCHES, guests={"bob", "cyd"})
    assert_features(world, COLLEAGUES, WORDS)
    assert drawn_risk(world[0], "4 6") == ["ada xx", "bob ..", "cyd ..", "dan xx", "eva xx"]
    assert take_census(*world, config()).kinds == {"call": 3}


@pytest.mark.parametrize(
    ("leads", "off"),
    [
        ("lead_id | created_at\nada | 0", "no lead has an account or a referrer"),
        ("lead_id | created_at | account_id\nada | 0 | acme", ""),
        ("lead_id | created_at | referrer_id\nada | 0 | bob", ""),
    ],
)
def test_without_accounts_and_referrers_the_family_is_off(leads, off):
    settings = config(features={"families": ("volume", "capillarity")})
    settled = settle(take_census(*bucket(leads, TOUCHES), settings), settings)
    assert settled.off.get("capillarity", "") == off
