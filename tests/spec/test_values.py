"""Values: the numbers that come with interactions."""

from __future__ import annotations

from world import assert_features, bucket, lengths, vocabulary

LEADS = "lead_id | created_at\nada | 0\nbob | 0"


WORLD = bucket(
    LEADS,
    """
    lead_id | occurred_at | kind   | value
    ada     | 1           | basket | 30
    ada     | 8           | basket | -10
    ada     | 9           | mail   | _
    bob     | 1           | mail   | _
    """,
)


def test_sums_and_means_per_window_and_so_far():
    assert_features(
        WORLD,
        """
        lead_id | as_of | value_sum_7d | value_sum_30d | value_sum_ever | value_mean_30d | value_mean_ever
        ada     | 1     | 0            | 0             | 0              | _              | _
        ada     | 8     | 30           | 30            | 30             | 30             | 30
        ada     | 8+    | -10          | 20            | 20             | 10             | 10
        ada     | 35    | 0            | -10           | 20             | -10            | 10
        ada     | 40    | 0            | 0             | 20             | _              | 10
        bob     | 9     | 0            | 0             | 0              | _              | _
        """,
    )


def test_last_largest_and_smallest():
    assert_features(
        WORLD,
        """
        lead_id | as_of | value_last | value_largest_30d | value_largest_ever | value_smallest_30d | value_smallest_ever
        ada     | 1     | _          | _                 | _                  | _                  | _
        ada     | 8     | 30         | 30                | 30                 | 30                 | 30
        ada     | 9     | -10        | 30                | 30                 | -10                | -10
        ada     | 35    | -10        | -10               | 30                 | -10                | -10
        ada     | 40    | -10        | _                 | 30                 | _                  | -10
        bob     | 9     | _          | _                 | _                  | _                  | _
        """,
    )


def test_the_trend_is_how_far_recent_values_lie_above_the_mean_of_all():
    assert_features(
        bucket(
            LEADS,
            """
            lead_id | occurred_at | kind   | value
            ada     | 1           | basket | 10
            ada     | 5           | basket | 20
            bob     | 1           | basket | 20
            bob     | 5           | basket | 10
            """,
        ),
        """
        lead_id | as_of | value_decayed_2d | value_decayed_4d | value_mean_ever | value_trend
        ada     | 1     | _                | _                | _               | _
        ada     | 5     | 10               | 10               | 10              | 0
        ada     | 6     | 18               | 50/3             | 15              | 3
        ada     | 90    | 18               | 50/3             | 15              | 3
        bob     | 6     | 12               | 40/3             | 15              | -3
        """,
        vocabulary(half_lives=lengths("2d", "4d")),
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
        world,
        """
        lead_id | as_of | value_sum_ever | value_last | value_largest_ever | value_mean_ever | value_decayed_2d
        ada     | 9     | 4              | 4          | 4                  | 4               | 4
        """,
    )
