"""Sequence: what came last, how long ago, and for how long things have stood as they do."""

from __future__ import annotations

from world import assert_features, bucket

LEADS = "lead_id | created_at\nada | 0\nbob | 0"
WORLD = bucket(
    LEADS,
    """
    lead_id | occurred_at | kind
    ada     | 1           | mail
    ada     | 3           | mail
    ada     | 4           | call
    ada     | 6           | fax
    ada     | 7           | post
    """,
)


def test_days_since_the_last_of_each_kind():
    assert_features(
        WORLD,
        """
        lead_id | as_of | days_since_mail | days_since_call | days_since_other
        ada     | 1     | _               | _               | _
        ada     | 3     | 2               | _               | _
        ada     | 3.5   | 1/2             | _               | _
        ada     | 9     | 6               | 5               | 2
        bob     | 9     | _               | _               | _
        """,
    )


def test_the_newest_kind_and_how_long_it_has_been():
    assert_features(
        WORLD,
        """
        lead_id | as_of | newest_is_mail | newest_is_call | newest_is_other | days_in_state
        ada     | 1     | 0              | 0              | 0               | _
        ada     | 3.5   | 1              | 0              | 0               | 2.5
        ada     | 5     | 0              | 1              | 0               | 1
        ada     | 9     | 0              | 0              | 1               | 3
        bob     | 9     | 0              | 0              | 0               | _
        """,
    )


def test_what_is_known_late_changes_the_past_only_from_then_on():
    world = bucket(
        LEADS,
        """
        lead_id | occurred_at | known_at | kind
        ada     | 1           | 1        | mail
        ada     | 2           | 5        | call
        ada     | 3           | 3        | mail
        """,
    )
    assert_features(
        world,
        """
        lead_id | as_of | days_since_call | newest_is_mail | days_in_state
        ada     | 4     | _               | 1              | 3
        ada     | 5     | _               | 1              | 4
        ada     | 5+    | 3               | 1              | 2
        ada     | 6     | 4               | 1              | 3
        """,
        rtol=1e-5,
    )
