"""Infusion: each touch warms by one, and what is there halves in two days."""

from __future__ import annotations

from world import assert_features, bucket, lengths, vocabulary

WORLD = bucket(
    "lead_id | created_at\nada | 0\nbob | 0",
    """
    lead_id | occurred_at | known_at | kind
    ada     | 1           | 1        | mail
    ada     | 3           | 3        | mail
    ada     | 3           | 6        | call
    ada     | 5           | 5        | fax
    """,
)


def test_warmth_halves_every_half_life():
    assert_features(
        WORLD,
        """
        lead_id | as_of | warmth_mail_2d | warmth_call_2d | warmth_other_2d | warmth_2d
        ada     | 1     | 0              | 0              | 0               | 0
        ada     | 3     | 1/2            | 0              | 0               | 1/2
        ada     | 5     | 3/4            | 0              | 0               | 3/4
        ada     | 7     | 3/8            | 1/4            | 1/2             | 9/8
        bob     | 7     | 0              | 0              | 0               | 0
        """,
    )


def test_half_lives_stand_side_by_side():
    assert_features(
        WORLD,
        """
        lead_id | as_of | warmth_mail_1d | warmth_mail_4d | warmth_1d | warmth_4d
        ada     | 5     | 5/16           | 1.2071068      | 5/16      | 1.2071068
        """,
        vocabulary(half_lives=lengths("1d", "4d")),
    )
