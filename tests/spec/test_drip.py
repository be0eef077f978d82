"""Drip: the cadence of the lead's own touches, steady or all at once. Day 0 is a Monday."""

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


def test_what_we_push_is_no_rhythm_of_the_lead():
    world = bucket(
        LEADS,
        """
        lead_id | occurred_at | kind | direction
        ada     | 1           | mail | inbound
        ada     | 2           | mail | outbound
        ada     | 7           | mail | _
        ada     | 8           | mail | outbound
        """,
    )
    assert_features(
        world,
        """
        lead_id | as_of | gap_mean_days | gap_current_days | active_days | active_weeks | drip_index
        ada     | 3     | _             | 2                | 1           | 1            | _
        ada     | 9     | 6             | 2                | 2           | 2            | 1/11
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


def test_a_week_begins_on_monday_where_the_project_is():
    on_sunday_morning_and_before_midnight = touches("6.3", "6.97")
    for zone, weeks in (("UTC", 1), ("Europe/Paris", 2)):
        assert_features(
            on_sunday_morning_and_before_midnight,
            f"lead_id | as_of | active_weeks\nada | 9 | {weeks}",
            vocabulary(time_zone=zone),
        )


def test_twelve_weekly_touches_are_a_drip_and_twelve_in_one_day_are_none():
    weekly = [str(7 * week) for week in range(12)]
    assert_features(
        touches(*weekly),
        """
        lead_id | as_of | drip_index
        ada     | 0+    | _
        ada     | 7+    | 1/11
        ada     | 42    | 5/11
        ada     | 77+   | 1
        ada     | 84    | 1
        ada     | 84+   | 11/12
        ada     | 168   | 11/23
        """,
    )
    assert_features(
        touches(*(str(1 + hour / 24) for hour in range(12))),
        """
        lead_id | as_of | drip_index
        ada     | 1.1   | 0
        ada     | 2     | 0
        ada     | 168   | 0
        """,
    )


def test_the_more_touches_crowd_into_one_week_the_lower_the_drip_index():
    for crowded, index in ((1, "1"), (2, "65/77"), (6, "17/77"), (11, "1/61"), (12, "0")):
        days = [f"{hour / 24:.6f}" for hour in range(crowded)] + [str(7 * week) for week in range(1, 13 - crowded)]
        assert_features(touches(*days), f"lead_id | as_of | drip_index\nada | 84 | {index}")


def test_daily_is_as_steady_as_weekly():
    daily = touches(*map(str, range(84)))
    assert_features(daily, "lead_id | as_of | drip_index\nada | 84 | 1")
