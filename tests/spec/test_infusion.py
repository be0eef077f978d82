"""Infusion: each touch warms, and what is there halves in two days."""

from __future__ import annotations

from math import log

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leadscore.features.matrix import build_matrix, catalogue, settle, take_census
from leadscore.timeline import DAY
from world import START, TEMPERATURE, assert_features, bucket, config, lengths, looks, vocabulary

ALONE = {"families": ("infusion",)}
WORDS = vocabulary(**ALONE)
WORLD = bucket(
    "lead_id | created_at\nada | 0\nbob | 0",
    """
    lead_id | occurred_at | known_at | kind | channel
    ada     | 1           | 1        | mail | web
    ada     | 3           | 3        | mail | _
    ada     | 3           | 6        | call | web
    ada     | 5           | 5        | fax  | fax
    """,
)


def test_warmth_halves_every_half_life():
    assert_features(
        WORLD,
        """
        lead_id | as_of | warmth_mail_2d | warmth_call_2d | warmth_other_2d | warmth_2d
        ada     | 1     | 0              | 0              | 0               | 0
        ada     | 3     | 1/2            | 0              | 0               | 1/2
        ada     | 5     | 3/4            | 0              | 0               | 3/4
        ada     | 7     | 3/8            | 1/4            | 1/2             | 9/8
        bob     | 7     | 0              | 0              | 0               | 0
        """,
        WORDS,
    )


def test_half_lives_stand_side_by_side():
    assert_features(
        WORLD,
        """
        lead_id | as_of | warmth_mail_1d | warmth_mail_4d | warmth_1d | warmth_4d | temperature_1d | temperature_4d
        ada     | 5     | 5/16           | 1.2071068      | 5/16      | 1.2071068 | 5/32           | 0.60355339
        """,
        vocabulary(half_lives=lengths("1d", "4d"), **ALONE),
    )


def test_a_touch_adds_the_degrees_of_its_kind():
    """A call adds 1, a mail 1/2, all else nothing; the call of day 3 is learned on day 6."""
    assert_features(
        WORLD,
        """
        lead_id | as_of | temperature_2d | temperature | temperature_peak | temperature_to_peak | days_to_cold
        ada     | 1     | 0              | 0           | 0                | _                   | _
        ada     | 3     | 1/4            | 1/4         | 1/2              | 1/2                 | 0
        ada     | 5     | 3/8            | 3/8         | 3/4              | 1/2                 | 0.64385619
        ada     | 7     | 7/16           | 7/16        | 7/4              | 1/4                 | 1.0886410
        bob     | 7     | 0              | 0           | 0                | _                   | _
        """,
        WORDS,
    )


def test_each_channel_cools_at_its_own_half_life():
    """`web` halves in a day, everything else in four."""
    assert_features(
        WORLD,
        """
        lead_id | as_of | temperature_via_web | temperature_via_other | temperature_channels
        ada     | 5     | 1/32                | 0.35355339            | 0.38480339
        ada     | 7     | 9/128               | 1/4                   | 41/128
        bob     | 7     | 0                   | 0                     | 0
        """,
        WORDS,
    )


def test_the_cooling_rate_looks_back_a_shortest_window():
    """ln 2 / half-life a day while nothing happens, negative when it warms up; two days ago there was nothing."""
    world = bucket("lead_id | created_at\nada | 0", "lead_id | occurred_at | kind\nada | 1 | call\nada | 7 | call")
    assert_features(
        world,
        f"""
        lead_id | as_of | temperature | cooling_per_day
        ada     | 3     | 1/2         | _
        ada     | 4     | 0.35355339  | {log(2) / 2:.9f}
        ada     | 8     | 0.79549513  | {-log(4.5) / 2:.9f}
        ada     | 11    | 9/32        | {log(2) / 2:.9f}
        ada     | 309   | 0           | {log(2) / 2:.9f}
        """,
        vocabulary(windows=lengths("2d", "7d"), **ALONE),
    )


@given(ages=st.lists(st.integers(1, 400 * DAY), min_size=1, max_size=8), half_life=st.integers(DAY // 24, 365 * DAY))
def test_after_a_half_life_without_a_touch_exactly_half_is_left(ages, half_life):
    leads, history = bucket(
        [{"lead_id": "ada", "created_at": START}],
        [{"lead_id": "ada", "occurred_at": START - age, "kind": "call", "channel": "web"} for age in ages],
    )
    settled = TEMPERATURE | {"half_life": half_life, "half_lives": {"web": half_life, "other": DAY}}
    words = vocabulary(half_lives={"h": half_life}, frozen={"infusion": settled}, **ALONE)
    then, later = build_matrix(leads, history, looks(leads, [("ada", START), ("ada", START + half_life)]), words)
    names = [feature.name for feature in catalogue(words)]
    halved = [names.index(name) for name in ("warmth_call_h", "warmth_h", "temperature_h", "temperature_via_web")]
    np.testing.assert_allclose(later[halved], then[halved] / 2, rtol=1e-6, atol=1e-37)


def test_what_is_settled_is_neutral_until_something_is_learned():
    settings = config(features={"families": ["infusion"], "half_lives": ["1d", "4d", "30d"]})
    words = settle(take_census(*WORLD, settings), settings)
    assert words.frozen["infusion"] == {
        "weights": {"call": 1.0, "fax": 1.0, "mail": 1.0, "other": 1.0},
        "half_life": 4 * DAY,
        "half_lives": {"fax": 4 * DAY, "web": 4 * DAY, "other": 4 * DAY},
        "cold": 0.5,
    }
