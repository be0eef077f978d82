"""Values: the numbers that come with interactions."""

from __future__ import annotations

from world import assert_features, bucket

LEADS = "lead_id | created_at\nada | 0\nbob | 0"


def test_sums_last_largest_and_mean():
    world = bucket(
        LEADS,
        """
        lead_id | occurred_at | kind   | value
        ada     | 1           | basket | 30
        ada     | 8           | basket | -10
        ada     | 9           | mail   | _
        bob     | 1           | mail   | _
        """,
    )
    assert_features(
        world,
        """
        lead_id | as_of | value_sum_7d | value_sum_30d | value_sum_ever | value_last | value_largest | value_mean
        ada     | 1     | 0            | 0             | 0              | _          | _             | _
        ada     | 8     | 30           | 30            | 30             | 30         | 30            | 30
        ada     | 8+    | -10          | 20            | 20             | -10        | 30            | 10
        ada     | 40    | 0            | 0             | 20             | -10        | 30            | 10
        bob     | 9     | 0            | 0             | 0              | _          | _             | _
        """,
    )


def test_a_value_float32_cannot_hold_is_none():
    world = bucket(
        LEADS,
        """
        lead_id | occurred_at | kind   | value
        ada     | 1           | basket | 4
        ada     | 2           | basket | 1e300
        ada     | 3           | basket | inf
        ada     | 4           | basket | nan
        """,
    )
    assert_features(
        world, "lead_id | as_of | value_sum_ever | value_last | value_largest | value_mean\nada | 9 | 4 | 4 | 4 | 4"
    )
