"""Grades, ranks and scores: what a person acts on."""

from __future__ import annotations

import numpy as np
import pytest

from leadscore.scoring.grade import grades, rank_order, score, trend


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
