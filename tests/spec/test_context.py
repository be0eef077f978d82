"""Context: the calendar of the project's time zone, and the work load of the whole project."""

from __future__ import annotations

from leadscore.history import build_workload
from leadscore.timeline import DAY
from world import assert_features, bucket, days, vocabulary

LEADS = """
lead_id | created_at | known_at | closes_at
ada     | 0          | 0        | _
bob     | 1          | 1        | _
cyd     | 1          | 3        | _
dan     | 4          | 4        | 9
dan     | 4          | 6        | 12
eva     | 9          | 9        | _
"""
OUTCOMES = """
lead_id | occurred_at | known_at | outcome
ada     | 5           | 7        | won
bob     | 8           | 8        | lost
bob     | 8           | 10       | won
cyd     | 11          | 11       | won
"""
CONTEXT = vocabulary(families=("context",))


def test_the_calendar_is_that_of_the_time_zone():
    # Day 0 is Monday, 1 January 2024; clocks go forward on day 90 at 01:00 UTC, Sunday, 31 March.
    drawing = """
    lead_id | as_of  | hour | weekday | day_of_month | month
    ada     | 0.5    | {}
    ada     | 30.975 | {}
    ada     | 90     | {}
    ada     | 90.05  | {}
    """
    utc = "12 | 1 | 1 | 1", "23 | 3 | 31 | 1", "0 | 7 | 31 | 3", "1 | 7 | 31 | 3"
    paris = "13 | 1 | 1 | 1", "0 | 4 | 1 | 2", "1 | 7 | 31 | 3", "3 | 7 | 31 | 3"
    for zone, expected in (("UTC", utc), ("Europe/Paris", paris)):
        assert_features(
            bucket("lead_id | created_at\nada | 0"),
            drawing.format(*expected),
            vocabulary(families=("context",), time_zone=zone),
        )


def test_a_lead_is_open_from_when_we_knew_it_until_we_learned_of_its_end():
    assert_features(
        bucket(LEADS, (), OUTCOMES),
        """
        lead_id | as_of | open_leads | new_leads_7d
        ada     | 0+    | 1          | 1
        ada     | 1+    | 2          | 2
        ada     | 3+    | 3          | 3
        ada     | 4+    | 4          | 4
        ada     | 7     | 4          | 4
        ada     | 7+    | 3          | 3
        ada     | 8+    | 2          | 2
        ada     | 12    | 2          | 1
        ada     | 12+   | 1          | 1
        """,
        CONTEXT,
    )


def test_of_the_leads_open_a_window_ago_the_share_that_we_knew_to_have_converted():
    words = vocabulary(families=("context",), windows={"4d": 4 * DAY})
    # Open on day 4: ada, bob, cyd; on day 5 dan, too. Bob was lost by then; that he had converted was learned too late.
    assert_features(
        bucket(LEADS, (), OUTCOMES),
        """
        lead_id | as_of | base_rate_4d
        ada     | 4     | _
        ada     | 5     | 0
        ada     | 7     | 0
        ada     | 7+    | 1/3
        ada     | 8     | 1/3
        ada     | 9     | 1/4
        ada     | 11    | 1/4
        ada     | 11+   | 1/3
        ada     | 12+   | 1/2
        ada     | 17    | 0
        """,
        words,
    )


def test_leads_close_as_the_configuration_says():
    leads, _ = bucket(LEADS, (), OUTCOMES)
    asked = days("6.5", "11.5", "12.5")
    assert build_workload(leads).open_at(asked).tolist() == [4, 2, 1]
    assert build_workload(leads, closes_after=DAY).open_at(asked).tolist() == [4, 2, 2]
    assert build_workload(leads, max_age=3 * DAY).open_at(asked).tolist() == [1, 1, 0]


def test_guests_and_who_objected_are_no_work():
    consents = "lead_id | occurred_at | status\nada | 30 | objection"
    leads, _ = bucket(LEADS, (), OUTCOMES, consents, guests={"bob"})
    assert build_workload(leads).open_at(days("5")).tolist() == [2]
    assert build_workload(leads).arrived(days("5"), 7 * DAY).tolist() == [2]
