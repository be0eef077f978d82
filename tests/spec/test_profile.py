"""Profile: who the lead is, as we knew it then."""

from __future__ import annotations

from leadscore.features.matrix import settle, take_census
from world import assert_features, bucket, config, lengths, vocabulary

COMPANY = """
lead_id | created_at | known_at | attributes
ada     | 1          | 1        | country=FR size=20
ada     | 1          | 5        | country=DE size=50
bob     | 2          | 2        | country=IT
cyd     | 2          | 2        | _
dan     | 2          | 2        | country=FR size=many
"""
WORDS = vocabulary(numbers=("size",), categories={"country": ("DE", "FR")})


def test_attributes_are_those_of_the_newest_version_known_before():
    assert_features(
        bucket(COMPANY),
        """
        lead_id | as_of | profile_size | profile_country=DE | profile_country=FR
        ada     | 2     | 20           | 0                  | 1
        ada     | 5     | 20           | 0                  | 1
        ada     | 5+    | 50           | 1                  | 0
        bob     | 3     | _            | 0                  | 0
        cyd     | 3     | _            | 0                  | 0
        dan     | 3     | _            | 0                  | 1
        """,
        WORDS,
    )


def test_how_much_is_known_of_what_may_be_known():
    assert_features(
        bucket(COMPANY),
        """
        lead_id | as_of | attributes_known
        ada     | 2     | 1
        bob     | 3     | 1/2
        cyd     | 3     | 0
        dan     | 3     | 1/2
        """,
        WORDS,
    )


def test_before_a_lead_was_known_nothing_is():
    assert_features(
        bucket("lead_id | created_at | known_at | attributes\nada | 1 | 3 | country=FR size=20"),
        """
        lead_id | as_of | age_days | profile_size | profile_country=FR
        ada     | 2     | 1        | _            | 0
        ada     | 3.5   | 2.5      | 20           | 1
        """,
        WORDS,
    )


def test_a_number_is_what_float32_can_hold():
    assert_features(
        bucket(
            """
            lead_id | created_at | attributes
            ada     | 1          | size=1e300
            bob     | 1          | size=inf
            cyd     | 1          | size=nan
            dan     | 1          | size=-1.5e3
            """
        ),
        """
        lead_id | as_of | profile_size
        ada     | 2     | _
        bob     | 2     | _
        cyd     | 2     | _
        dan     | 2     | -1500
        """,
        WORDS,
    )


def test_age_is_in_days_of_24_hours():
    assert_features(
        bucket("lead_id | created_at\nada | 1"),
        "lead_id | as_of | age_days\nada | 1.25 | 1/4\nada | 91 | 90",
        vocabulary(windows=lengths("12h")),
    )


def test_a_number_with_a_leading_zero_is_a_code():
    leads = "\n".join(f"ada{n} | 1 | postal={n % 3:05d} size={n + 1}" for n in range(60))
    counted = take_census(*bucket(f"lead_id | created_at | attributes\n{leads}"), config())
    settled = settle(counted, config())
    assert settled.numbers == ("size",)
    assert settled.categories == {"postal": ("00000", "00001", "00002")}


def test_the_time_left_is_what_was_known_of_it_then():
    """Of ada it was first said that she closes on day 9, then on day 7; of bob nobody said anything."""
    assert_features(
        bucket(
            """
            lead_id | created_at | known_at | closes_at
            ada     | 1          | 1        | 9
            ada     | 1          | 4        | 7
            bob     | 1          | 1        | _
            """
        ),
        """
        lead_id | as_of | days_to_close
        ada     | 2     | 7
        ada     | 4     | 5
        ada     | 4+    | 3
        ada     | 6.5   | 0.5
        bob     | 2     | _
        """,
        vocabulary(columns=("closes_at",)),
    )
