"""Drip: the cadence of the touches, steady or all at once. `local` days are those of the project's time zone."""

from __future__ import annotations

from world import assert_features, bucket, vocabulary

LEADS = "lead_id | created_at\nada | 0"


def touches(*texts):
    return bucket(LEADS, "lead_id | occurred_at | kind\n" + "\n".join(f"ada | {text} | mail" for text in texts))


def test_gaps_between_interactions():
    assert_features(
        touches("1", "3", "7"),
        """
        lead_id | as_of | gap_mean_days | gap_variation | gap_longest_days | gap_current_days
        ada     | 1     | _             | _             | _                | _
        ada     | 2     | _             | _             | _                | 1
        ada     | 7     | 2             | _             | 2                | 4
        ada     | 8     | 3             | 1/3           | 4                | 1
        """,
    )


def test_several_at_one_moment_leave_no_gap():
    assert_features(
        touches("1", "1", "1"),
        """
        lead_id | as_of | gap_mean_days | gap_variation | gap_longest_days | gap_current_days
        ada     | 2     | 0             | _             | 0                | 1
        """,
    )


def test_days_with_interactions():
    assert_features(
        touches("1", "1.5", "3", "4-"),
        """
        lead_id | as_of | active_days | busiest_day_share
        ada     | 1     | 0           | _
        ada     | 1+    | 1           | 1
        ada     | 3     | 1           | 1
        ada     | 3.5   | 2           | 2/3
        ada     | 4     | 2           | 1/2
        """,
    )


def test_a_day_begins_at_midnight_where_the_project_is():
    late_evening_and_after_midnight_in_paris = touches("1.97", "2.05")
    for zone, active in (("UTC", 2), ("Europe/Paris", 1)):
        assert_features(
            late_evening_and_after_midnight_in_paris,
            f"lead_id | as_of | active_days\nada | 3 | {active}",
            vocabulary(time_zone=zone),
        )
