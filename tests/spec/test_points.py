"""What the simple baselines look at, and the rule that gives points to kinds and sums them up."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from leadscore.features.view import looks as views
from leadscore.model.baselines import add_points, give_points, inputs
from world import bucket, day, looks, rows, vocabulary

WORDS = vocabulary()
WORLD = bucket(
    "lead_id | created_at\nada | 0\nbob | 30",
    """
    lead_id | occurred_at | known_at | kind | direction | value
    ada     | 0           | 0        | call | inbound   | _
    ada     | 30          | 30       | call | _         | 5
    ada     | 30          | 30       | mail | outbound  | 2
    ada     | 30          | 61       | mail | inbound   | _
    ada     | 60          | 60       | fax  | inbound   | _
    """,
)


def assert_inputs(names, expected, where):
    leads, history = WORLD
    asked = rows(expected)
    snapshots = looks(leads, [(row["lead_id"], day(row["as_of"])) for row in asked])
    found = np.concatenate([inputs(view, WORDS) for view in views(leads, history, snapshots)])[:, where]
    wanted = [[float(Fraction(row[name])) for name in names] for row in asked]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_touch_is_worth_half_after_a_month_and_what_we_push_is_none():
    """`mail` is pushed but once; that is learned on day 61."""
    assert_inputs(
        ("call", "mail", "other"),
        """
        lead_id | as_of | call | mail | other
        ada     | 30    | 1/2  | 0    | 0
        ada     | 60    | 3/4  | 0    | 0
        ada     | 90    | 3/8  | 1/4  | 1/2
        bob     | 90    | 0    | 0    | 0
        """,
        slice(5, None),
    )


def test_the_five_terms_are_logarithms_of_recency_frequency_value_and_age():
    assert_inputs(
        ("recency", "in_30_days", "so_far", "value", "age"),
        f"""
        lead_id | as_of | recency         | in_30_days      | so_far          | value           | age
        ada     | 30    | {np.log(31)!s}  | {np.log(2)!s}   | {np.log(2)!s}   | 0               | {np.log(31)!s}
        ada     | 60    | {np.log(31)!s}  | {np.log(3)!s}   | {np.log(4)!s}   | {np.log(8)!s}   | {np.log(61)!s}
        ada     | 90    | {np.log(31)!s}  | {np.log(2)!s}   | {np.log(6)!s}   | {np.log(8)!s}   | {np.log(91)!s}
        bob     | 90    | {np.log(61)!s}  | 0               | 0               | 0               | {np.log(61)!s}
        """,
        slice(0, 5),
    )


def test_points_go_by_how_much_oftener_leads_with_a_fresh_touch_converted():
    """Of 400 snapshots 100 converted: one in four.

    | touch | snapshots | converted | expected | lift           | points |
    | ----- | --------- | --------- | -------- | -------------- | ------ |
    | call  | 100       | 60        | 25       | 65 / 30 = 2.17 | 10     |
    | chat  | 100       | 40        | 25       | 45 / 30 = 1.5  | 4      |
    | mail  | 200       | 0         | 50       | 5 / 55 = 0.09  | 0      |
    | demo  | 1         | 1         | 1/4      | 6 / 5.25 = 1.1 | 1      |
    | fax   | 0         | 0         | 0        | 5 / 5 = 1      | 0      |
    """
    hits = np.repeat([True, False, True, False, False], [60, 40, 40, 60, 200])
    fresh = np.zeros((400, 5), np.float32)
    fresh[:100, 0] = 1
    fresh[100:200, 1] = 0.6
    fresh[200:, 2] = 2
    fresh[0, 3] = 1
    fresh[:, 4] = 0.5  # a month old: fresh no more
    assert give_points(fresh, hits, np.ones(400)).tolist() == [10, 4, 0, 1, 0]


def test_a_row_that_stands_for_three_counts_as_three():
    chance = np.random.default_rng(3)
    fresh = (chance.random((300, 6)) < 0.3).astype(np.float32)
    hits = chance.random(300) < 0.1 + 0.2 * fresh[:, :3].sum(axis=1)
    weight = np.where(fresh[:, 0] * fresh[:, 1] > 0, 3, 1)
    thrice = give_points(fresh.repeat(weight, axis=0), hits.repeat(weight), np.ones(weight.sum()))
    assert give_points(fresh, hits, weight.astype(np.float64)).tolist() == thrice.tolist()
    assert give_points(fresh, hits, np.ones(300)).tolist() != thrice.tolist()


def test_a_score_sums_points_up_and_no_kind_adds_more_than_fifty():
    fresh = np.array([[1, 0], [1.5, 2], [8, 1], [0, 0]], np.float32)
    assert add_points(fresh, np.array([10.0, 3.0])).tolist() == [[10], [21], [53], [0]]
