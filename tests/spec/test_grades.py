"""Grades, ranks and scores, how much is known, and whom the lot falls on: what a person acts on."""

from __future__ import annotations

import numpy as np
import pytest

from leadscore.model.certainty import Support
from leadscore.scoring.grade import Lane, actions, explored, grades, known, rank_order, score, trend, unexplored
from leadscore.timeline import DAY
from world import config, rows


@pytest.mark.parametrize(
    ("leads", "capacity", "expected"),
    [
        (0, 3, ""),
        (0, None, ""),
        (1, 3, "A"),
        (1, None, "A"),  # a tenth, rounded up
        (3, 3, "AAA"),
        (4, 3, "AAAB"),
        (9, 3, "AAABBBBBB"),
        (10, 3, "AAABBBBBBC"),
        (11, 3, "AAABBBBBBCD"),
        (12, 3, "AAABBBBBBCCD"),
        (12, 1, "ABBCCCCCDDDD"),
        (20, None, "AABBBB" + "C" * 7 + "D" * 7),
        (21, None, "AAABBBBBB" + "C" * 6 + "D" * 6),
    ],
)
def test_a_is_what_the_team_can_work_b_twice_as_much_the_rest_is_halved(leads, capacity, expected):
    assert "".join(grades(leads, capacity)) == expected


def test_of_very_many_only_the_capacity_is_a():
    found = grades(100_000, 25)
    assert {letter: found.count(letter) for letter in "ABCD"} == {"A": 25, "B": 50, "C": 49963, "D": 49962}
    assert found == sorted(found)


def test_rank_is_by_the_ranking_horizon_then_the_longest_then_the_key():
    ids = ["ada", "bob", "cyd", "dan", "eve", "fay"]
    chances = np.array([[0.1, 0.2, p] for p in (0.3, 0.5, 0.4, 0.7, 0.6)] + [[0.0, 0.3, 0.3]])
    assert [ids[row] for row in rank_order(chances, 1, ids)] == ["fay", "dan", "eve", "bob", "cyd", "ada"]
    assert ids[rank_order(chances, 0, ids)[-1]] == "fay"
    assert ids[rank_order(chances, 2, ids)[0]] == "dan"


def test_rank_of_leads_alike_depends_on_their_keys_alone_and_favours_no_letter():
    ids = [f"lead-{number:03}" for number in range(300)]
    alike = np.full((300, 3), 0.5)
    order = [ids[row] for row in rank_order(alike, 1, ids)]
    backwards = ids[::-1]
    assert [backwards[row] for row in rank_order(alike, 1, backwards)] == order
    assert sorted(order) == ids
    places = {lead: place for place, lead in enumerate(order)}
    assert abs(np.corrcoef([places[lead] for lead in ids], range(300))[0, 1]) < 0.2


def test_score_is_a_percentile_of_the_reference():
    reference = np.percentile(np.linspace(0, 1, 1001), np.arange(1, 99))
    found = score(np.array([0.0, 0.005, 0.0101, 0.5005, 0.975, 0.985, 1.0]), reference)
    assert found.tolist() == [1, 1, 2, 51, 98, 99, 99]


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (50, None, "not_enough_info"),
        (50, 50, "steady"),
        (54, 50, "steady"),
        (55, 50, "improving"),
        (46, 50, "steady"),
        (45, 50, "declining"),
    ],
)
def test_trend(now, before, expected):
    assert trend(now, before) == expected


# One trained snapshot of a hundred had more than 4 % of its features outside what is usual, one of a thousand 10 %.
SUPPORT = Support(np.zeros(0), np.zeros(0), np.zeros(0, bool), rare=0.04, far=0.1)


def _known(drawn, support=SUPPORT):
    cells = rows(drawn)
    seen = np.array([int(row["seen"]) for row in cells])
    young, strange = (np.array([row[name] == "x" for row in cells]) for name in ("young", "strange"))
    outside, surprise = (np.array([float(row[name]) for row in cells]) for name in ("outside", "surprise"))
    found = known(seen, young, strange, outside, surprise, support)
    assert found == [row["known"] for row in cells]


def test_how_much_is_known_of_a_lead():
    """seen: interactions; young: known for less than the shortest horizon; strange: a kind or category never met."""
    _known(
        """
        seen | young | strange | outside | surprise | known
        0    |       |         | 0       | 1        | unknowable
        1    |       |         | 0       | 1        | low
        2    |       |         | 0       | 0.5      | low
        3    |       |         | 0       | 1        | medium
        9    |       |         | 0       | 1        | medium
        10   |       |         | 0       | 1        | high
        999  |       |         | 0       | 1        | high
        999  | x     |         | 0       | 1        | medium
        999  |       | x       | 0       | 1        | medium
        999  |       |         | 0.04    | 1        | high
        999  |       |         | 0.05    | 1        | medium
        999  |       |         | 0.1     | 1        | medium
        999  |       |         | 0.11    | 1        | low
        999  |       |         | 0.25    | 1        | low
        999  |       |         | 0.26    | 1        | unknowable
        999  |       |         | 0       | 1.5      | high
        999  |       |         | 0       | 1.6      | medium
        2    | x     | x       | 0.05    | 2        | low
        0    | x     | x       | 0.9     | 2        | unknowable
        """
    )


def test_what_one_trained_snapshot_of_a_thousand_shows_is_not_unknowable():
    _known(
        """
        seen | young | strange | outside | surprise | known
        999  |       |         | 0.4     | 1        | medium
        999  |       |         | 0.41    | 1        | unknowable
        """,
        Support(np.zeros(0), np.zeros(0), np.zeros(0, bool), rare=0.1, far=0.4),
    )


LEADS = [f"lead {number}" for number in range(4000)]


def test_the_lot_falls_on_the_configured_share_and_never_on_an_a_or_on_whom_we_know():
    grade, word = ["A", "B", "C", "D"] * 1000, (["high"] * 4 + ["medium"] * 4 + ["low"] * 4 + ["unknowable"] * 4) * 250
    could = unexplored(grade, word)
    assert "".join("x" if flag else "." for flag in could[:16]) == ".........xxx.xxx"
    drawn = explored(grade, word, LEADS, 3 * DAY, 1, Lane(0.25, 4000))
    assert not (drawn & ~could).any()
    # 1500 could be drawn: 375 are, give or take 4 standard deviations of 17.
    assert abs(drawn.sum() - 375) < 68
    few = explored(grade, word, LEADS, 3 * DAY, 1, Lane(0.25, 40))
    assert few.sum() == 40
    assert not (few & ~drawn).any()


def test_the_first_rule_that_fits_says_what_to_do():
    drawn = """
        grade | known | trend     | waiting | action
        A     | high  | steady    | 0       | call
        A     | high  | steady    | 5       | call
        A     | high  | declining | 9       | call
        B     | high  | steady    | 6       | rest
        C     | high  | declining | 3       | rest
        B     | low   | declining | 2       | nurture
        C     | high  | improving | 0       | nurture
        D     | high  | steady    | 0       | none
    """
    rows = [[cell.strip() for cell in line.split("|")] for line in drawn.strip().splitlines()[1:]]
    grade, word, trends, waiting, expected = (list(column) for column in zip(*rows, strict=True))
    waits = np.array(waiting, dtype=np.int64)
    assert actions(config().delivery.actions, grade, word, trends, waits) == expected
    ours = config(delivery={"actions": [{"action": "nurture", "grade": ["A", "D"], "known": "high"}]}).delivery.actions
    assert actions(ours, grade, word, trends, waits) == ["nurture"] * 3 + ["none"] * 4 + ["nurture"]


def test_a_lot_is_settled_by_seed_lead_and_moment_alone():
    def drawn(leads, as_of=3 * DAY, seed=1, share=0.25):
        found = explored(["D"] * len(leads), ["low"] * len(leads), leads, as_of, seed, Lane(share, len(leads)))
        return {lead for lead, out in zip(leads, found, strict=True) if out}

    all_at_once = drawn(LEADS)
    assert drawn(LEADS[::-1]) == all_at_once
    assert set().union(*(drawn([lead]) for lead in LEADS[:40])) == all_at_once & set(LEADS[:40])
    assert drawn(LEADS, share=0.1) < all_at_once
    for other in (drawn(LEADS, as_of=4 * DAY), drawn(LEADS, seed=2)):
        # Independent: a quarter of a quarter in both, give or take 4 standard deviations.
        assert abs(len(other & all_at_once) - 250) < 62
    assert drawn(LEADS, share=1) == set(LEADS)
    assert drawn(LEADS, share=0) == set()
