"""What came of a snapshot, interval by interval: as_of is day 10, the horizons are 2, 5 and 10 days.

`1` converted, `0` not, `?` not yet closed; in intervals also `.`: converted before, nothing left to say.
"""

from __future__ import annotations

import numpy as np
import pytest

from leadscore.history import NEVER
from leadscore.labels import label
from leadscore.model.train import assemble
from leadscore.snapshots import at_risk
from leadscore.timeline import DAY
from world import bucket, config, day, days, vocabulary

HORIZONS = np.array([2, 5, 10], np.int64) * DAY


def drawn(converted, seen_from):
    moment = NEVER if converted is None else day(converted)
    found = label(days(10), np.array([moment], np.int64), HORIZONS, day(seen_from))
    by_horizon = np.where(found.matured, np.where(found.by_horizon, "1", "0"), "?")
    gone = np.where(found.matured, ".", "?")
    in_interval = np.where(found.teaches, np.where(found.in_interval, "1", "0"), gone)
    return " ".join("".join(marks[0]) for marks in (by_horizon, in_interval))


@pytest.mark.parametrize(
    ("converted", "expected"),
    [
        (None, "000 000"),
        ("10", "111 1.."),  # at exactly as_of: the future
        ("12-", "111 1.."),
        ("12", "011 01."),  # windows are half-open
        ("14", "011 01."),
        ("15", "001 001"),
        ("20-", "001 001"),
        ("20", "000 000"),  # too late for all three
    ],
)
def test_an_interval_holds_its_start_and_not_its_end(converted, expected):
    assert drawn(converted, seen_from="40") == expected


@pytest.mark.parametrize(
    ("converted", "seen_from", "expected"),
    [
        (None, "12-", "??? ???"),
        (None, "12", "0?? 0??"),  # closed as soon as its last moment is over
        (None, "15-", "0?? 0??"),
        (None, "15", "00? 00?"),
        (None, "20", "000 000"),
        ("11", "11+", "??? ???"),  # a conversion counts only once its interval has closed: else only hits would
        ("11", "12", "1?? 1??"),
        ("13", "14", "0?? 0??"),
    ],
)
def test_an_interval_counts_only_when_closed(converted, seen_from, expected):
    assert drawn(converted, seen_from) == expected


def test_a_lost_lead_keeps_teaching_that_it_did_not_convert():
    leads, _ = bucket(
        "lead_id | created_at\nada | 0\nbob | 0",
        outcomes="""
        lead_id | occurred_at | outcome
        ada     | 11          | lost
        ada     | 13          | won
        bob     | 11          | won
        """,
    )
    snapshots = at_risk(leads, days(10))
    found = label(snapshots.as_of, leads.converted_at[snapshots.lead], HORIZONS, day(20))
    assert found.teaches.tolist() == [[True, True, True], [True, False, False]]
    assert found.in_interval.tolist() == [[False, False, False], [True, False, False]]
    assert found.by_horizon.tolist() == [[False, False, False], [True, True, True]]


@pytest.mark.parametrize(("known_within", "matured"), [("0d", "110"), ("1d", "100"), ("4d", "000")])
def test_a_label_waits_as_long_as_its_outcome_may_be_learned_late(known_within, matured):
    world = bucket("lead_id | created_at\nada | 0")
    told = config(horizons=["2d", "5d", "10d"], outcomes={"converted": "won", "known_within": known_within})
    examples = assemble([world], vocabulary(), told, days(10), day("15"))
    assert "".join("01"[int(closed)] for closed in examples.labels.matured[0]) == matured
    assert examples.labels.teaches.tolist() == examples.labels.matured.tolist()
