"""How good past lists were: what is told beside a new one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.model.backtest import Cohort
from leadscore.scoring.past import tell_past
from reference import past_reference as slow

CLOSES = (3, 9)
# Few values, so that leads tie; short lists beside long ones.
CHANCES = st.sampled_from([0.01, 0.1, 0.1, 0.3, 0.5, 0.9])
LISTS = st.lists(st.lists(st.tuples(CHANCES, CHANCES, st.booleans()), min_size=8, max_size=33), max_size=4)


def cohort(lists, matured=True):
    """A list per day, of (chance, by recency, hit); nothing of the first horizon has come."""
    rows = [lead for leads in lists for lead in leads]
    p, recency, hits = (np.array([lead[at] for lead in rows]) for at in range(3))
    both = {name: np.column_stack([0 * values + 0.5, values]) for name, values in (("model", p), ("recency", recency))}
    return Cohort(
        origin=0,
        lead_id=[f"lead {place}" for leads in lists for place in range(len(leads))],
        as_of=np.repeat(np.arange(len(lists)), [len(leads) for leads in lists]),
        hits=np.column_stack([np.zeros(len(rows), bool), hits.astype(bool)]),
        matured=np.column_stack([np.zeros(len(rows), bool), np.full(len(rows), matured)]),
        chances=both,
    )


def told(lists, capacity=None, **changes):
    return tell_past([replace(cohort(lists), **changes)] if lists else [], 1, CLOSES, capacity, seed=1)


@given(lists=LISTS, capacity=st.none() | st.integers(0, 40))
@settings(max_examples=150, deadline=None)
def test_it_equals_the_slow_reference(lists, capacity):
    long = [leads for leads in lists if len(leads) >= 10]
    conversions = sum(hit for leads in long for *_, hit in leads)
    past = told(lists, capacity)
    if not conversions:
        assert past == {}
        return
    assert (past["lists"], past["leads"]) == (len(long), sum(map(len, long)))
    assert past["conversions"] == conversions
    at = [day for day, leads in enumerate(lists) if len(leads) >= 10]
    assert (past["since"], past["until"]) == (min(at), max(at))
    assert past["worked"] == round(np.mean([slow.team(leads, capacity) for leads in long]))
    expected = tuple(slow.found(long, by, capacity) for by in (0, 1))
    assert (past["found"], past["found_by_recency"]) == pytest.approx(expected)
    for name, by in (("model", 0), ("recency", 1), ("ideal", 2)):
        expected = [(share, slow.gain(long, by, share)) for share, _ in past["gain"][name]]
        np.testing.assert_allclose(past["gain"][name], expected, atol=1e-9)
        assert past["gain"][name][0] == (0.0, 0.0)
        assert past["gain"][name][-1] == (1.0, 1.0)
    assert [[*part.values()] for part in past["tenths"]] == [pytest.approx(line) for line in slow.tenths(long)]
    lines = slow.grades(long, capacity)
    assert {letter: [*line.values()][:3] for letter, line in past["grades"].items()} == {
        letter: pytest.approx(line) for letter, line in lines.items()
    }
    worked = [[day, *slow.grades([leads], capacity)["A"]] for day, leads in zip(at, long, strict=True)]
    assert [[*one.values()] for one in past["worked_lists"]] == [pytest.approx(line) for line in worked]
    for part in past["grades"].values():
        low, high = part["between"]
        assert 0 <= low <= high <= part["leads"]


def test_nothing_is_told_before_a_list_of_ten_has_matured_with_a_conversion():
    leads = [(0.5, 0.5, place == 0) for place in range(10)]
    assert told([]) == {}
    assert told([leads], matured=np.zeros((10, 2), bool)) == {}
    assert told([leads[1:] + leads[1:]]) == {}
    assert told([leads[:9]]) == {}
    assert told([leads])["conversions"] == 1
    # Of a list some leads of which have matured, only those are told.
    half = np.arange(20)[:, None] < [0, 12]
    assert told([leads + leads], matured=half)["leads"] == 12


def test_bins_hold_what_was_promised_and_an_interval_over_draws_of_leads():
    chance = np.random.default_rng(1)
    p = chance.uniform(0, 0.6, 2000)
    leads = list(zip(p, p, chance.random(2000) < p, strict=True))
    bins = told([leads])["bins"]
    assert [part["leads"] for part in bins] == [200] * 10
    ranked = np.sort(p).reshape(10, -1)
    np.testing.assert_allclose([part["promised"] for part in bins], ranked.mean(axis=1))
    for part in bins:
        wide = 1.645 * np.sqrt(part["happened"] * (1 - part["happened"]) / 200)
        assert part["low"] <= part["happened"] <= part["high"]
        assert part["high"] - part["low"] == pytest.approx(2 * wide, rel=0.4)
    # The same leads on a second list are no further witnesses: the interval stays as wide.
    again = told([leads, leads])["bins"]
    widths = [[part["high"] - part["low"] for part in own] for own in (bins, again)]
    np.testing.assert_allclose(np.mean(widths[1]), np.mean(widths[0]), rtol=0.15)
    assert json.loads(json.dumps(bins, allow_nan=False)) == bins


def test_a_list_is_calibrated_by_what_was_known_when_its_model_was_trained():
    chance = np.random.default_rng(3)
    weeks = []
    for week in range(4):
        p = chance.uniform(0.02, 0.9, 400)
        leads = list(zip(p, p, chance.random(400) < 0.4 + 0.2 * p, strict=True))  # far less apart than told
        own = cohort([leads])
        matured = np.full((400, 2), fill_value=True)
        weeks.append(replace(own, origin=7 * week, as_of=np.full(400, 7 * week), matured=matured))
    promised = [one["promised"] for one in tell_past(weeks, 1, CLOSES, 40, seed=1)["worked_lists"]]
    raw = [np.sort(week.chances["model"][:, 1])[-40:].sum() for week in weeks]
    # Of the first list nothing was known when the second was made: its ranking horizon closes on day 9.
    assert promised[:2] == pytest.approx(raw[:2])
    # What came of the first two was known when the fourth was made: its chances are spread anew.
    assert abs(promised[3] / raw[3] - 1) > 0.01
    # What came later moves no promise, and no list's own outcomes move its own.
    for number in (1, 2, 3):
        later = [replace(week, hits=~week.hits) if place >= number - 1 else week for place, week in enumerate(weeks)]
        told = [one["promised"] for one in tell_past(later, 1, CLOSES, 40, seed=1)["worked_lists"]]
        assert told[: number + 1] == promised[: number + 1]


def test_ties_are_shared_and_no_order_of_the_rows_matters():
    leads = [(place / 200, 0.5, place < 10) for place in range(100)]
    for rows in (leads, leads[::-1]):
        assert told([rows], capacity=10)["found_by_recency"] == pytest.approx(1.0)
        assert told([rows], capacity=10)["found"] == 0


def test_few_leads_that_all_converted_prove_little():
    leads = [(0.9, 0.5, True)] * 3 + [(0.1, 0.5, False)] * 9
    low, high = told([leads], capacity=3)["grades"]["A"]["between"]
    assert low < 2
    assert high == pytest.approx(3, rel=0.02)
    assert told([leads], capacity=3)["grades"]["B"]["between"][1] > 1
    same = told([leads], capacity=3, account_id=["one"] * 12)["grades"]["A"]["between"]
    assert same[0] < low


def test_what_came_has_an_interval_over_draws_of_leads():
    chance = np.random.default_rng(2)
    p = chance.uniform(0, 0.4, 2000)
    leads = list(zip(p, p, chance.random(2000) < p, strict=True))
    past = told([leads], capacity=300)
    low, high = past["between"]
    assert low < past["conversions"] < high
    assert high - low == pytest.approx(2 * 1.645 * np.sqrt(2000 * 0.2 * 0.8), rel=0.3)
    low, high = past["grades"]["A"]["between"]
    assert low < past["grades"]["A"]["promised"] < high
    # Promised is twice of what came: far outside.
    worse = told([[(min(1, 2 * said), recency, hit) for said, recency, hit in leads]], capacity=300)
    assert worse["grades"]["A"]["promised"] > worse["grades"]["A"]["between"][1]
    assert json.loads(json.dumps(past, allow_nan=False))["grades"]["A"]["between"] == [low, high]
