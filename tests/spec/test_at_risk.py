"""Which leads are at risk at which moments: `x` marks a snapshot, one mark a moment."""

from __future__ import annotations

import pytest

from leadscore.timeline import DAY
from world import bucket, drawn_risk, moments


@pytest.mark.parametrize(
    ("lead", "outcome", "expected"),
    [
        # created at the very moment of looking: it is not there yet
        ("2 | _ | 2", None, "..xxx"),
        ("2- | _ | 2-", None, ".xxxx"),
        # created, but known only later
        ("1 | _ | 3", None, "...xx"),
        # closes by itself: still open at that very moment
        ("1 | 3 | 1", None, ".xx.."),
        ("1 | 3- | 1", None, ".x..."),
        # an outcome at exactly as_of is the future
        ("1 | _ | 1", "3 | won", ".xx.."),
        ("1 | _ | 1", "3- | won", ".x..."),
        ("1 | _ | 1", "3 | lost", ".xx.."),
        ("1 | _ | 1", "3 | unfit", ".xx.."),
        # whichever comes first ends it
        ("1 | 2 | 1", "4 | won", ".x..."),
        # a word that ends nothing
        ("1 | _ | 1", "3 | postponed", ".xxxx"),
        # ended before it began
        ("3 | _ | 3", "2 | won", "....."),
    ],
)
def test_from_creation_to_the_first_end(lead, outcome, expected):
    leads, _ = bucket(
        f"lead_id | created_at | closes_at | known_at\nada | {lead}",
        outcomes=f"lead_id | occurred_at | outcome\nada | {outcome}" if outcome else (),
    )
    assert drawn_risk(leads, "1 2 3 4 5") == [f"ada {expected}"]


def test_a_lead_stays_a_while_after_its_own_end_but_not_after_an_outcome():
    leads, _ = bucket(
        """
        lead_id | created_at | closes_at
        ada     | 0          | 2
        bob     | 0          | 2
        cyd     | 0          | _
        """,
        outcomes="lead_id | occurred_at | outcome\nbob | 3 | won",
    )
    assert drawn_risk(leads, "1 2 3 4 5", closes_after=2 * DAY) == ["ada xxxx.", "bob xxx..", "cyd xxxxx"]


def test_a_lead_older_than_max_age_is_not_at_risk():
    leads, _ = bucket("lead_id | created_at | known_at\nada | 1 | 1\nbob | 1 | 3\ncyd | 1+ | 1+")
    # Exactly as old as allowed is not older; age counts from creation, not from when we knew.
    assert drawn_risk(leads, "1 2 3 4 5", max_age=3 * DAY) == ["ada .xxx.", "bob ...x.", "cyd .xxx."]


def test_an_objection_takes_a_lead_out_of_the_past_as_well():
    leads, _ = bucket(
        "lead_id | created_at\nada | 0\nbob | 0",
        consents="lead_id | occurred_at | status\nada | 4 | objection",
    )
    assert drawn_risk(leads, "1 2 3 4 5") == ["ada .....", "bob xxxxx"]


@pytest.mark.parametrize(
    ("outcomes", "ended", "converted"),
    [
        (["3 | won", "2 | lost"], 2, None),  # lost first: a later conversion is another story
        (["2 | won", "3 | lost"], 2, 2),
        (["2 | lost", "2 | won"], 2, 2),  # of two at one moment, the conversion
        (["2 | won", "2 | lost"], 2, 2),
        (["1 | postponed", "4 | won"], 4, 4),
        (["1 | postponed"], None, None),
    ],
)
def test_the_first_end_counts(outcomes, ended, converted):
    drawn = "lead_id | occurred_at | outcome\n" + "\n".join(f"ada | {outcome}" for outcome in outcomes)
    leads, _ = bucket("lead_id | created_at\nada | 0\nbob | 0", outcomes=f"{drawn}\nzoe | 1 | won")
    assert moments(leads, leads.ended_at) == {"ada": ended, "bob": None}
    assert moments(leads, leads.converted_at) == {"ada": converted, "bob": None}


def test_without_leads_at_risk_or_moments_there_is_no_snapshot():
    leads, _ = bucket("lead_id | created_at\nada | 9")
    assert drawn_risk(leads, "1 2") == ["ada .."]
    assert drawn_risk(leads, "") == ["ada "]
