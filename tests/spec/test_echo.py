"""Echo: a message is taken up by a touch within two days of it; the habit is the same, two and four days earlier."""

from __future__ import annotations

import numpy as np
import pytest

from leadscore.features.matrix import build_matrix, catalogue, settle, take_census
from leadscore.snapshots import Snapshots
from leadscore.timeline import DAY
from world import START, assert_features, bucket, config, day, vocabulary

WORDS = vocabulary(families=("echo",), answer_within=2 * DAY)


def test_a_message_is_taken_up_after_it_in_time_and_above_the_habit():
    world = bucket(
        "lead_id | created_at\nada | 0",
        """
        lead_id | occurred_at | known_at | kind    | source_id
        ada     | 1           | 1        | mail    | _
        ada     | 2           | 2        | article | press
        ada     | 3           | 3        | mail    | _
        ada     | 9           | 9        | article | press
        ada     | 10          | 10       | mail    | _
        ada     | 20-         | 20-      | mail    | _
        ada     | 20          | 20       | article | press
        ada     | 20          | 20       | mail    | _
        ada     | 22+         | 22+      | mail    | _
        """,
    )
    # The article of day 2 came before a habit could be known. Day 9's was taken up. Day 20's was not: a touch before
    # it, one at its very moment, one too late; but the touch a microsecond before it is the habit's.
    assert_features(
        world,
        """
        lead_id | as_of | heard_third_party | taken_up_third_party | echo_lift_third_party | echo_lag_days_third_party
        ada     | 2     | 0                 | 1/2                        | 1                     | _
        ada     | 8     | 0                 | 1/2                        | 1                     | 1
        ada     | 11    | 0                 | 1/2                        | 1                     | 1
        ada     | 11+   | 1                 | 2/3                        | 2                     | 1
        ada     | 23    | 2                 | 1/2                        | 4/3                   | 1
        """,
        WORDS,
    )


def test_what_we_send_for_a_campaign_is_a_message_and_a_message_is_no_touch():
    world = bucket(
        "lead_id | created_at\nada | 0",
        """
        lead_id | occurred_at | kind    | direction | campaign_id | source_id
        ada     | 1           | mail    | inbound   | spring      | _
        ada     | 6           | letter  | outbound  | spring      | _
        ada     | 7           | article | inbound   | _           | press
        ada     | 8           | mail    | inbound   | spring      | _
        ada     | 9           | letter  | outbound  | _           | _
        """,
    )
    assert_features(
        world,
        """
        lead_id | as_of | taken_up_campaign | echo_lift_campaign | echo_lag_days_campaign | heard_third_party
        ada     | 9     | 2/3                     | 2                  | 2                      | 0
        ada     | 30    | 2/3                     | 2                  | 2                      | 1
        """,
        WORDS,
    )


@pytest.mark.parametrize(
    ("column", "senders"),
    [
        ("source_id", ["third_party"]),
        ("campaign_id", ["campaign"]),
        ("topic", []),
    ],
)
def test_only_senders_of_the_training_data_have_columns(column, senders):
    world = bucket(
        "lead_id | created_at\nada | 0",
        f"lead_id | occurred_at | kind | direction | {column}\nada | 1 | mail | outbound | x\nada | 2 | mail | _ | x",
    )
    settings = config(features={"families": ["echo"]})
    settled = settle(take_census(*world, settings), settings)
    assert settled.frozen["echo"] == {"senders": senders}
    assert ("echo" in settled.off) == (not senders)


def _noise(chance, echo):
    """Touches by chance, messages by chance; with `echo`, so many of the messages bring a touch within a day."""
    rows = []
    for number in range(400):
        touches = START + chance.uniform(0, 100, chance.poisson(20)) * DAY
        messages = START + chance.uniform(0, 100, chance.poisson(10)) * DAY
        heeded = messages[chance.random(len(messages)) < echo]
        touches = np.concatenate([touches, heeded + chance.uniform(0, 1, len(heeded)) * DAY])
        for kind, times, source in (("mail", touches, None), ("article", messages, "press")):
            rows += [
                {"lead_id": f"{number:03}", "occurred_at": int(time), "kind": kind, "source_id": source}
                for time in times
            ]
    return bucket([{"lead_id": f"{number:03}", "created_at": START} for number in range(400)], rows)


def _pooled_lift(world):
    """Σ taken up / Σ placebo over all leads, read back from the columns, and its standard error (delta method)."""
    leads, history = world
    matrix = build_matrix(leads, history, Snapshots(np.arange(400), np.full(400, day(110))), WORDS).astype(np.float64)
    column = {feature.name: matrix[:, place] for place, feature in enumerate(catalogue(WORDS))}
    taken = column["taken_up_third_party"] * (column["heard_third_party"] + 2) - 1
    placebo = (taken + 1) / column["echo_lift_third_party"] - 1
    lift = taken.sum() / placebo.sum()
    return lift, np.sqrt(((taken - lift * placebo) ** 2).sum()) / placebo.sum()


def test_on_noise_the_pooled_lift_is_one_and_an_echo_lifts_it():
    lift, error = _pooled_lift(_noise(np.random.default_rng(3), 0.0))
    assert error < 0.04
    assert abs(lift - 1) < 2 * error
    lift, error = _pooled_lift(_noise(np.random.default_rng(3), 0.3))
    assert lift > 1 + 10 * error
