"""How good a list was: figures against a slow reference and against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import expit

from leadscore.model.calibrate import logit
from leadscore.model.evaluate import METRICS, judge, measure
from leadscore.model.resample import draw_leads
from reference.evaluate_reference import figures

HITS = np.array([1, 0, 1, 0, 0, 1, 0, 0, 0, 0], bool)
P = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
ONE_SLOT = np.zeros(10, np.int64)


CHANCES = st.sampled_from([0.0, 1e-7, 0.5, 1.0]) | st.integers(1, 19).map(lambda k: k / 20)
# How often each row is taken in two draws, whether it hit, its chance and its slot.
TABLES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans(), CHANCES, st.integers(0, 2)), min_size=1, max_size=14
)


@given(rows=TABLES, capacity=st.sampled_from([None, 1, 3]))
@example(rows=[(1, 1, True, 0.5, 0), (1, 0, False, 0.5, 0)], capacity=1)  # one chance, both classes
@example(rows=[(1, 3, True, 0.9, 0), (1, 0, False, 0.1, 0)], capacity=1)  # a draw without a miss; a chance that parts
@settings(max_examples=60, deadline=None)
def test_a_row_drawn_twice_counts_twice(rows, capacity):
    *times, hits, p, slots = (np.array(column) for column in zip(*rows, strict=True))
    drawn = np.array(times, np.uint8)
    found = measure(hits, p, slots, capacity, np.arange(len(p), dtype=np.int32), drawn)
    for draw, own in enumerate(drawn):
        expected = dict.fromkeys(METRICS, np.nan) | figures(hits, p, slots, capacity, own)
        here = {name: values[draw] for name, values in found.items()}
        assert here == pytest.approx(expected, rel=1e-6, abs=1e-7, nan_ok=True)
        again = judge(*(np.repeat(column, own) for column in (hits, p, slots)), capacity)
        assert again == pytest.approx(expected, rel=1e-6, abs=1e-7, nan_ok=True)


def test_with_many_different_chances_only_calibration_is_rounded_and_little():
    chance = np.random.default_rng(4)
    margin = chance.normal(-3, 2, 5000)
    p, hits = expit(margin), chance.random(5000) < expit(0.4 + 0.8 * margin)
    who = np.arange(5000, dtype=np.int32) // 4
    rows = (hits, p, np.zeros(5000, np.int64), 50, who, draw_leads(1250, 3, 5))
    exact, found = measure(*rows, nodes=5000), measure(*rows)
    for name, values in exact.items():
        rounded = name.startswith("calibration")
        assert found[name] == pytest.approx(values, rel=0, abs=1e-4 if rounded else 0)
        assert (found[name] != values).all() == rounded


def test_calibration_is_that_of_the_textbook():
    chance = np.random.default_rng(6)
    margin = chance.normal(-1, 1.5, 40_000)
    hits = chance.random(40_000) < expit(margin)
    as_said = judge(hits, expit(margin), np.zeros(40_000, np.int64), None)
    assert (as_said["calibration_slope"], as_said["calibration_intercept"]) == pytest.approx((1, 0), abs=0.04)
    # Twice too far out, and one too high: logit P = (what is said - 1) / 2.
    too_sure = judge(hits, expit(2 * margin + 1), np.zeros(40_000, np.int64), None)
    assert too_sure["calibration_slope"] == pytest.approx(as_said["calibration_slope"] / 2, rel=1e-6)
    assert too_sure["auc"] == as_said["auc"]
    too_low = judge(hits, expit(margin - 0.5), np.zeros(40_000, np.int64), None)
    assert too_low["calibration_intercept"] == pytest.approx(as_said["calibration_intercept"] + 0.5, abs=1e-9)
    assert too_low["ece"] > 5 * as_said["ece"]


def test_chances_that_were_never_so_wrong_have_an_intercept_all_the_same():
    hits = np.arange(2001) > 0
    found = judge(hits, np.zeros(2001), np.zeros(2001, np.int64), None)
    assert found["calibration_intercept"] == pytest.approx(np.log(2000) - logit(0.0), abs=1e-9)
    assert np.isnan(found["calibration_slope"])


def test_lift_and_capture_count_the_readiest_tenth():
    found = judge(HITS, P, ONE_SLOT, None)
    assert found["capture_at_10"] == pytest.approx(1 / 3)
    assert found["lift_at_10"] == pytest.approx(1 / 0.3)
    # The tenth of twelve is 1.2 leads: the first, and a fifth of the second.
    twelve = judge(np.append(HITS, [0, 0]).astype(bool), np.append(P, [0.01, 0.02]), np.zeros(12, np.int64), None)
    assert twelve["capture_at_10"] == pytest.approx(1 / 3)
    assert twelve["lift_at_10"] == pytest.approx(1 / 3 * 10)


def test_capacity_is_used_up_slot_by_slot():
    slots = np.array([1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    found = judge(HITS, P, slots, 2)
    assert found["capture_at_capacity"] == pytest.approx(2 / 3)  # the first two of each: a hit in each slot
    assert found["lift_at_capacity"] == pytest.approx(2 / 4 / 0.3)
    assert judge(HITS, P, slots, 99)["capture_at_capacity"] == 1
    assert judge(HITS, P, slots, 99)["lift_at_capacity"] == pytest.approx(1)
    tenth = judge(HITS, P, slots, None)
    assert tenth["capture_at_capacity"] == pytest.approx(1 / 3)  # half a lead of each slot, twice a hit


@pytest.mark.parametrize("hits", [np.zeros(10, bool), np.ones(10, bool), np.zeros(0, bool)])
def test_without_both_classes_most_figures_are_not_defined(hits):
    found = judge(hits, P[: len(hits)], ONE_SLOT[: len(hits)], 3)
    assert found["conversions"] == hits.sum()
    assert all(np.isnan(found[name]) for name in METRICS)
