"""Power: what the lead came for and what we pushed; an answer is a touch of its own within two days of a push."""

from __future__ import annotations

import pytest

from leadscore.features.matrix import catalogue, settle, take_census
from leadscore.timeline import DAY
from world import assert_features, bucket, config, day, vocabulary

WORDS = vocabulary(families=("power",), answer_within=2 * DAY)
WORLD = bucket(
    "lead_id | created_at\nada | 0\nbob | 0",
    """
    lead_id | occurred_at | known_at | kind | direction
    ada     | 1           | 1        | mail | outbound
    ada     | 2           | 2        | call | inbound
    ada     | 4           | 4        | mail | outbound
    ada     | 6+          | 6+       | call | _
    ada     | 8           | 8        | call | outbound
    ada     | 9           | 12       | mail | _
    """,
)


def test_what_we_push_and_what_they_come_for_are_counted_apart():
    assert_features(
        WORLD,
        """
        lead_id | as_of | pulled_7d | pushed_7d | pulled_ever | pushed_ever | pushed_mail_30d | pull_share_ever
        ada     | 1     | 0         | 0         | 0           | 0           | 0               | 1/2
        ada     | 5     | 1         | 2         | 1           | 2           | 2               | 2/5
        ada     | 10    | 1         | 2         | 2           | 3           | 2               | 3/7
        bob     | 10    | 0         | 0         | 0           | 0           | 0               | 1/2
        """,
        WORDS,
    )


def test_an_answer_comes_after_the_push_and_in_time():
    """The touch of day 2 answers the push of day 1; that of day 6, a microsecond too late, does not answer day 4's."""
    assert_features(
        WORLD,
        """
        lead_id | as_of | response_rate | response_delay_days | unanswered_streak | saturation
        ada     | 1     | 1/2           | _                   | 0                 | 0
        ada     | 2     | 1/3           | _                   | 1                 | 0
        ada     | 3     | 2/3           | 1                   | 0                 | 0
        ada     | 9     | 2/5           | 1                   | 2                 | 1
        ada     | 13    | 3/5           | 1                   | 0                 | 0
        bob     | 9     | 1/2           | _                   | 0                 | 0
        """,
        WORDS,
    )


def test_pressure_halves_in_a_half_life_and_an_answer_takes_it_away():
    assert_features(
        WORLD,
        """
        lead_id | as_of | pressure_2d
        ada     | 2     | 0.70710678
        ada     | 3     | 0
        ada     | 6     | 1/2
        ada     | 10    | 5/8
        ada     | 12+   | 1/16
        """,
        WORDS,
    )


def test_a_third_unanswered_push_in_a_row_saturates():
    world = bucket(
        "lead_id | created_at\nada | 0",
        [{"lead_id": "ada", "occurred_at": day(n), "kind": "mail", "direction": "outbound"} for n in (1, 2, 3, 4)],
    )
    assert_features(
        world,
        """
        lead_id | as_of | unanswered_streak | saturation
        ada     | 2     | 1                 | 0
        ada     | 3     | 2                 | 1
        ada     | 4     | 3                 | 2
        ada     | 5     | 4                 | 2
        """,
        WORDS,
    )


# ---- what is settled on training data -------------------------------------------------------------------------


def _pushed(answers, leads=60, outcomes=(), consents=()):
    """Every lead gets a push every tenth day; `answers` says which of them it answers, a day later."""
    ids = [f"lead-{number:02}" for number in range(leads)]
    pushes = [(lead, 10 * n, "mail", "outbound") for lead in ids for n in range(len(answers) + 1)]
    touches = [(lead, 10 * n + 1, "call", None) for lead in ids for n, answered in enumerate(answers) if answered]
    rows = [
        {"lead_id": lead, "occurred_at": day(at), "kind": kind, "direction": direction}
        for lead, at, kind, direction in pushes + touches
    ]
    return bucket([{"lead_id": lead, "created_at": day(0)} for lead in ids], rows, outcomes, consents)


def _settled(world):
    settings = config(features={"families": ["power"]})
    return settle(take_census(*world, settings), settings)


@pytest.mark.parametrize(
    ("answers", "saturated"),
    [
        ((True, False, False, True), 1),  # after one unanswered, none is answered; after two, the next is
        ((True, True, False, True, True), 5),  # nothing speaks against a second, a longer streak was not seen
        ((False,) * 9, 9),  # none is ever answered, after nine in a row as little as at first
        ((), 5),  # no window has closed
    ],
)
def test_a_lead_is_saturated_once_half_as_many_answer_as_at_first(answers, saturated):
    settled = _settled(_pushed(answers)).frozen["power"]
    assert settled == {
        "pushes": 60 * (len(answers) + 1),
        "kinds": ["mail"],
        "near": (saturated + 1) // 2,
        "saturated": saturated,
    }


def test_pushes_after_the_end_of_a_lead_and_leads_who_object_teach_nothing():
    objection = [{"lead_id": "lead-00", "occurred_at": day(1), "status": "objection"}]
    ends = [{"lead_id": f"lead-{n:02}", "occurred_at": day(5), "outcome": "won"} for n in range(60)]
    answers = (True, False, False, True)
    settled = _settled(_pushed(answers, outcomes=ends, consents=objection)).frozen["power"]
    assert settled["pushes"] == 59 * 5
    assert settled["saturated"] == 5


def test_without_a_push_the_family_is_off():
    silent = bucket(
        "lead_id | created_at\nada | 0", "lead_id | occurred_at | kind | direction\nada | 1 | call | inbound"
    )
    assert _settled(silent).off == {"power": "no interaction is outbound"}
    mute = bucket("lead_id | created_at\nada | 0", "lead_id | occurred_at | kind\nada | 1 | call")
    assert _settled(mute).off == {"power": "no interaction has a direction"}


def test_every_column_a_push_can_move_has_a_direction():
    either_way = {feature.name for feature in catalogue(WORDS) if not feature.direction}
    assert either_way == {"pulled_7d", "pulled_30d", "pulled_ever", "response_delay_days"}
