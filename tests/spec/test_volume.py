"""Volume: how much has happened, per kind and window."""

from __future__ import annotations

from world import assert_features, bucket, lengths, vocabulary

LEADS = "lead_id | created_at\nada | 0\nbob | 0"
MAILS = """
lead_id | occurred_at | known_at | kind | content_id
ada     | 1           | 1        | mail | guide
ada     | 8           | 8        | mail | guide
ada     | 8           | 8        | fax  | _
ada     | 8           | 9.5      | call | price
bob     | 7           | 7        | call | _
"""


def test_a_window_holds_its_start_and_not_as_of():
    assert_features(
        bucket(LEADS, MAILS),
        """
        lead_id | as_of | count_mail_7d | count_mail_30d | count_mail_ever | count_call_ever | count_other_7d
        ada     | 1     | 0             | 0              | 0               | 0               | 0
        ada     | 1+    | 1             | 1              | 1               | 0               | 0
        ada     | 8     | 1             | 1              | 1               | 0               | 0
        ada     | 8+    | 1             | 2              | 2               | 0               | 1
        ada     | 31    | 0             | 2              | 2               | 1               | 0
        ada     | 31+   | 0             | 1              | 2               | 1               | 0
        bob     | 8     | 0             | 0              | 0               | 1               | 0
        """,
    )


def test_what_was_learned_later_counts_from_then_by_the_time_it_happened():
    assert_features(
        bucket(LEADS, MAILS),
        """
        lead_id | as_of | count_call_7d | count_call_ever
        ada     | 9     | 0             | 0
        ada     | 9.5   | 0             | 0
        ada     | 9.5+  | 1             | 1
        ada     | 15    | 1             | 1
        ada     | 15+   | 0             | 1
        """,
    )


def test_touches_are_counted_whatever_their_kind():
    assert_features(
        bucket(LEADS, MAILS),
        """
        lead_id | as_of | touches_7d | touches_30d | touches_ever
        ada     | 1     | 0          | 0           | 0
        ada     | 8     | 1          | 1           | 1
        ada     | 9     | 2          | 3           | 3
        ada     | 40    | 0          | 0           | 4
        """,
    )


def test_different_channels_topics_and_campaigns():
    world = bucket(
        LEADS,
        """
        lead_id | occurred_at | kind | channel | topic | campaign_id
        ada     | 1           | mail | mail    | cost  | spring
        ada     | 2           | mail | mail    | size  | spring
        ada     | 3           | call | phone   | _     | autumn
        """,
    )
    assert_features(
        world,
        """
        lead_id | as_of | different_channels_7d | different_topics_7d | different_campaigns_7d
        ada     | 1     | 0                     | 0                   | 0
        ada     | 4     | 2                     | 2                   | 2
        ada     | 9     | 2                     | 1                   | 2
        ada     | 9+    | 1                     | 0                   | 1
        """,
        vocabulary(columns=("campaign", "channel", "topic")),
    )


def test_with_power_on_what_we_push_does_not_count_here():
    world = bucket(
        LEADS,
        """
        lead_id | occurred_at | kind | direction | content_id
        ada     | 1           | mail | outbound  | guide
        ada     | 2           | call | inbound   | _
        """,
    )
    for families, mails, touches, contents in ((("volume",), 1, 2, 1), (("volume", "power"), 0, 1, 0)):
        assert_features(
            world,
            f"""
            lead_id | as_of | count_mail_ever | touches_ever | different_contents_ever
            ada     | 3     | {mails}         | {touches}    | {contents}
            """,
            vocabulary(families=families),
        )


def test_different_kinds_and_contents():
    assert_features(
        bucket(LEADS, MAILS),
        """
        lead_id | as_of | different_kinds_7d | different_kinds_ever | different_contents_7d | different_contents_ever
        ada     | 1     | 0                  | 0                    | 0                     | 0
        ada     | 8     | 1                  | 1                    | 1                     | 1
        ada     | 9     | 2                  | 2                    | 1                     | 1
        ada     | 10    | 3                  | 3                    | 2                     | 2
        ada     | 40    | 0                  | 3                    | 0                     | 2
        bob     | 8     | 1                  | 1                    | 0                     | 0
        """,
    )


def test_all_kinds_without_a_column_are_one():
    assert_features(
        bucket(LEADS, MAILS),
        """
        lead_id | as_of | count_other_ever | different_kinds_ever
        ada     | 10    | 4                | 1
        bob     | 10    | 1                | 1
        """,
        vocabulary(kinds=("visit",)),
    )


def test_windows_may_be_hours():
    assert_features(
        bucket(LEADS, "lead_id | occurred_at | kind\nada | 1 | mail"),
        "lead_id | as_of | count_mail_12h\nada | 1.5 | 1\nada | 1.5+ | 0",
        vocabulary(windows=lengths("12h")),
    )
