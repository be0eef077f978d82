"""Sequence: what came last, how long ago, and for how long things have stood as they do."""

from __future__ import annotations

from leadscore.features.matrix import settle, take_census
from world import assert_features, bucket, config, vocabulary

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


def test_the_newest_three():
    assert_features(
        WORLD,
        """
        lead_id | as_of | newest_3_mail | newest_3_call | newest_3_other
        ada     | 1     | 0             | 0             | 0
        ada     | 3.5   | 2             | 0             | 0
        ada     | 5     | 2             | 1             | 0
        ada     | 6.5   | 1             | 1             | 1
        ada     | 9     | 0             | 1             | 2
        """,
    )


def test_how_long_ago_the_second_third_and_fifth_newest_came():
    assert_features(
        WORLD,
        """
        lead_id | as_of | nth_newest_2_days | nth_newest_3_days | nth_newest_5_days
        ada     | 2     | _                 | _                 | _
        ada     | 4     | 3                 | _                 | _
        ada     | 5     | 2                 | 4                 | _
        ada     | 9     | 3                 | 5                 | 8
        """,
    )


def test_transitions_count_by_the_later_of_two():
    words = vocabulary(frozen={"sequence": {"pairs": [["mail", "call"], ["call", "other"]]}}, families=("sequence",))
    assert_features(
        WORLD,
        """
        lead_id | as_of | transition_mail>call_30d | transition_mail>call_ever | transition_call>other_ever
        ada     | 4     | 0                        | 0                         | 0
        ada     | 4+    | 1                        | 1                         | 0
        ada     | 9     | 1                        | 1                         | 1
        ada     | 34    | 1                        | 1                         | 1
        ada     | 34+   | 0                        | 1                         | 1
        bob     | 9     | 0                        | 0                         | 0
        """,
        words,
    )


def _settled(families, top_kinds, *buckets):
    settings = config(features={"families": families, "top_kinds": top_kinds})
    counted = [take_census(*own, settings) for own in buckets]
    return settle(sum(counted[1:], counted[0]), settings).frozen["sequence"]["pairs"]


TRANSITIONS = """
    lead_id | occurred_at | kind | direction
    ada     | 1           | mail | outbound
    ada     | 2           | call | _
    ada     | 3           | call | _
    ada     | 4           | post | _
    bob     | 1           | post | _
    bob     | 2           | call | _
    bob     | 3           | fax  | _
    bob     | 4           | chat | _
    """


def test_the_transitions_of_training_are_those_from_one_kind_to_another():
    calls = [["call", "fax"], ["call", "post"], ["fax", "chat"], ["mail", "call"], ["post", "call"]]
    assert _settled(["sequence"], 5, bucket(LEADS, TRANSITIONS)) == calls
    one_column = [["call", "other"], ["other", "call"]]
    assert _settled(["sequence"], 1, bucket(LEADS, TRANSITIONS)) == one_column
    no = "lead_id | occurred_at | status\nbob | 5 | objection"
    assert _settled(["sequence"], 5, bucket(LEADS, TRANSITIONS, consents=no)) == [["call", "post"], ["mail", "call"]]


def test_with_power_on_what_we_push_makes_no_transition():
    assert ["mail", "call"] not in _settled(["sequence", "power"], 5, bucket(LEADS, TRANSITIONS))


def test_the_eight_most_frequent_transitions_have_columns():
    often = [("mail", "call"), *((f"k{n}", "call") for n in range(9))]
    drawn = [
        {"lead_id": f"l{n}", "occurred_at": str(1 + late), "kind": pair[late]}
        for n, pair in enumerate([*often, *often[5:], often[0]])
        for late in (0, 1)
    ]
    leads = [{"lead_id": f"l{n}", "created_at": "0"} for n in range(20)]
    both = [bucket(leads[part::2], [row for row in drawn if int(row["lead_id"][1:]) % 2 == part]) for part in (0, 1)]
    frequent = ["k0", "k1", "k4", "k5", "k6", "k7", "k8", "mail"]
    assert _settled(["sequence"], 20, *both) == [[kind, "call"] for kind in frequent]


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
