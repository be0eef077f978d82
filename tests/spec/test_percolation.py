"""Percolation: how deep, from layer 1 (surface) to 3 (core). Training met two items in layer 1, one in 2, none in 3."""

from __future__ import annotations

from leadscore.features.matrix import catalogue, settle, take_census
from world import assert_features, bucket, config, vocabulary

LEADS = "lead_id | created_at\nada | 0\nbob | 0"
WORDS = vocabulary(families=("percolation",), frozen={"percolation": {"items": [2, 1, 0]}})


def touches(*lines):
    """Own touches of ada's, drawn as `day layer`, or `day layer content`."""
    cells = [(*line.split(), "_")[:3] for line in lines]
    rows = [f"ada | {day} | page | inbound | {layer} | {content}" for day, layer, content in cells]
    return bucket(LEADS, "\n".join(["lead_id | occurred_at | kind | direction | layer | content_id", *rows]))


def test_depth_grows_layer_by_layer():
    assert_features(
        touches("1 1", "2 2", "3 3", "4 1"),
        """
        lead_id | as_of | deepest_layer | depth_in_order | stalled_layer
        ada     | 1     | 0             | 0              | 0
        ada     | 2     | 1             | 1              | 0
        ada     | 3     | 2             | 2              | 0
        ada     | 4     | 3             | 3              | 0
        ada     | 9     | 3             | 3              | 0
        bob     | 9     | 0             | 0              | 0
        """,
        WORDS,
    )


def test_layers_deeper_than_any_in_training_are_the_core_and_those_below_one_are_none():
    assert_features(
        touches("1 -100000", "2 100000"),
        """
        lead_id | as_of | deepest_layer
        ada     | 2     | 0
        ada     | 3     | 3
        """,
        WORDS,
    )


def test_repeating_the_surface_never_raises_depth():
    assert_features(
        touches("1 1", "2 1", "3 1", "4 1"),
        """
        lead_id | as_of | deepest_layer | depth_in_order | stalled_layer | depth_gained_7d
        ada     | 2     | 1             | 1              | 0             | 1
        ada     | 9     | 1             | 1              | 0             | 0
        """,
        WORDS,
    )


def test_a_skipped_layer_stays_set_until_it_is_touched_in_order():
    assert_features(
        touches("1 3", "2 2", "3 1", "4 3", "5 2", "6 3"),
        """
        lead_id | as_of | deepest_layer | depth_in_order | stalled_layer
        ada     | 2     | 3             | 0              | 1
        ada     | 3     | 3             | 0              | 1
        ada     | 4     | 3             | 1              | 2
        ada     | 5     | 3             | 1              | 2
        ada     | 6     | 3             | 2              | 0
        ada     | 7     | 3             | 3              | 0
        """,
        WORDS,
    )


def test_share_of_the_items_there_were_in_training():
    assert_features(
        touches("1 1 guide", "2 1 guide", "3 1 _", "4 2 price", "5 1 video", "6 1 brandnew", "7 2 guide"),
        """
        lead_id | as_of | layer_share_1 | layer_share_2
        ada     | 1     | 0             | 0
        ada     | 2     | 1/2           | 0
        ada     | 4     | 1/2           | 0
        ada     | 5     | 1/2           | 1
        ada     | 6     | 1             | 1
        ada     | 9     | 1             | 1
        """,
        WORDS,
    )
    assert "layer_share_3" not in [feature.name for feature in catalogue(WORDS)]


def test_days_with_a_layer_as_the_newest_touched():
    assert_features(
        touches("1 1", "3 1", "4 3", "4.5 1"),
        """
        lead_id | as_of | layer_days_1 | layer_days_2 | layer_days_3
        ada     | 1     | 0            | 0            | 0
        ada     | 3     | 2            | 0            | 0
        ada     | 4.5   | 3            | 0            | 1/2
        ada     | 9     | 7.5          | 0            | 1/2
        bob     | 9     | 0            | 0            | 0
        """,
        WORDS,
    )


def test_progress_is_the_depth_gained_in_the_window():
    assert_features(
        touches("1 1", "9 2", "10 3"),
        """
        lead_id | as_of | depth_gained_7d | depth_gained_30d
        ada     | 2     | 1               | 1
        ada     | 8     | 1               | 1
        ada     | 8+    | 0               | 1
        ada     | 11    | 2               | 3
        ada     | 16+   | 1               | 3
        ada     | 40    | 0               | 1
        """,
        WORDS,
    )


def test_what_we_push_has_not_seeped_in():
    world = bucket(
        LEADS,
        """
        lead_id | occurred_at | kind | direction | layer | content_id
        ada     | 1           | mail | outbound  | 1     | guide
        ada     | 2           | mail | outbound  | 3     | price
        ada     | 3           | page | _         | 2     | price
        """,
    )
    assert_features(
        world,
        """
        lead_id | as_of | deepest_layer | depth_in_order | stalled_layer | layer_share_1 | layer_share_2 | layer_days_2
        ada     | 3     | 0             | 0              | 0             | 0             | 0             | 0
        ada     | 4     | 2             | 0              | 1             | 0             | 1             | 1
        """,
        WORDS,
    )


def test_a_layer_deeper_than_any_in_training_is_the_core():
    assert_features(
        touches("1 1", "2 2", "3 7"),
        "lead_id | as_of | deepest_layer | depth_in_order | layer_days_3\nada | 5 | 3 | 3 | 2",
        WORDS,
    )


SETTINGS = config(features={"families": ["percolation"]}, kinds={"call": {"layer": 3}})


def _settled(*buckets):
    counted = [take_census(*own, SETTINGS) for own in buckets]
    return settle(sum(counted[1:], counted[0]), SETTINGS)


def test_layers_and_their_items_are_settled_over_all_buckets_without_those_who_objected():
    drawn = """
        lead_id | occurred_at | kind | direction | layer | content_id
        ada     | 1           | page | _         | 1     | guide
        ada     | 2           | page | _         | 1     | guide
        ada     | 2           | mail | outbound  | 1     | video
        ada     | 3           | call | _         | _     | _
        bob     | 4           | page | _         | 4     | plan
        """
    here = bucket(LEADS, drawn, consents="lead_id | occurred_at | status\nbob | 5 | objection", kinds=SETTINGS.kinds)
    there = bucket(
        "lead_id | created_at\ncyd | 0",
        "lead_id | occurred_at | kind | layer | content_id\ncyd | 1 | page | 1 | guide\ncyd | 1 | page | 2 | guide",
    )
    assert _settled(here, there).frozen == {"percolation": {"items": [2, 1, 0]}}


def test_without_layers_the_family_is_off_and_says_why():
    nothing = _settled(bucket(LEADS, "lead_id | occurred_at | kind\nada | 1 | page"))
    assert nothing.off == {"percolation": "no interaction has a layer"}
