"""How good a list was: figures against scikit-learn and against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from leadscore.model.calibrate import Calibrator, logit
from leadscore.model.evaluate import METRICS, captured, judge
from leadscore.model.learn import Cohort, _wilson, reliability, summarise
from world import config

HITS = np.array([1, 0, 1, 0, 0, 1, 0, 0, 0, 0], bool)
P = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
ONE_SLOT = np.zeros(10, np.int64)


def test_the_usual_figures_are_those_of_scikit_learn():
    found = judge(HITS, P, ONE_SLOT, None)
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(HITS, P))
    assert found["average_precision"] == pytest.approx(metrics.average_precision_score(HITS, P))
    assert found["brier"] == pytest.approx(((P - HITS) ** 2).mean())
    assert found["log_loss"] == pytest.approx(metrics.log_loss(HITS, P))
    assert (found["rows"], found["conversions"], found["base_rate"]) == (10, 3, 0.3)


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


@pytest.mark.parametrize(
    ("hits", "p", "top", "expected"),
    [
        ("101", [0.9, 0.8, 0.7], 1, 1),
        ("101", [0.9, 0.8, 0.7], 2, 1),
        ("101", [0.9, 0.8, 0.7], 3, 2),
        ("101", [0.9, 0.8, 0.7], 99, 2),
        ("101", [0.9, 0.8, 0.7], 0, 0),
        ("101", [0.9, 0.8, 0.7], 0.5, 0.5),
        ("101", [0.5, 0.5, 0.5], 1, 2 / 3),  # whoever ties at the edge counts by share
        ("101", [0.9, 0.5, 0.5], 2, 1.5),
        ("1001", [0.9, 0.5, 0.5, 0.5], 2.5, 1 + 1.5 / 3),
        ("", [], 1, 0),
    ],
)
def test_captured(hits, p, top, expected):
    flags = np.array([mark == "1" for mark in hits], bool)
    assert captured(flags, np.array(p), top) == pytest.approx(expected)
    backwards = slice(None, None, -1)
    assert captured(flags[backwards], np.array(p)[backwards], top) == pytest.approx(expected)


@pytest.mark.parametrize("hits", [np.zeros(10, bool), np.ones(10, bool), np.zeros(0, bool)])
def test_without_both_classes_most_figures_are_not_defined(hits):
    found = judge(hits, P[: len(hits)], ONE_SLOT[: len(hits)], 3)
    assert found["conversions"] == hits.sum()
    assert all(np.isnan(found[name]) for name in METRICS)


@pytest.mark.parametrize(
    ("hits", "leads", "lo", "hi"),
    [
        # Wilson (1927), 90 %, worked by hand for n = 10: 3 of 10; none of 10: [0, z² / (n + z²)]
        ("1110000000", "abcdefghij", 0.1269, 0.5583),
        ("0000000000", "abcdefghij", 0.0, 0.2129),
        ("1111111111", "abcdefghij", 1 - 0.2129, 1.0),
        ("10", "aa", 0.0728, 0.9272),  # two snapshots of one lead are one witness
        ("", "", 0.0, 1.0),
    ],
)
def test_wilson(hits, leads, lo, hi):
    found = _wilson(np.array([mark == "1" for mark in hits], bool), np.array(list(leads), "<U1"))
    assert found == pytest.approx((lo, hi), abs=6e-5)


def _cohort(p, hits, leads, matured=None):
    columns = np.repeat(np.array(p, float)[:, None], 3, axis=1)
    flags = np.repeat(np.array(hits, bool)[:, None], 3, axis=1)
    closed = np.ones_like(flags) if matured is None else np.repeat(np.array(matured, bool)[:, None], 3, axis=1)
    return Cohort(0, list(leads), np.zeros(len(p), np.int64), flags, closed, {"model": columns})


def test_reliability_is_how_far_chances_were_off_on_the_logit_scale():
    """Two bins: of ten leads at 20 % three converted, of ten at 60 % all did."""
    p = [0.2] * 10 + [0.6] * 10
    hits = [1] * 3 + [0] * 7 + [1] * 10
    found = reliability([_cohort(p, hits, "abcdefghijklmnopqrst")], Calibrator(), 1)
    # Wilson as above, less what was said; a bound is never on the wrong side of what was said.
    low = [logit(0.12687) - logit(0.2), logit(0.78706) - logit(0.6)]
    high = [logit(0.55831) - logit(0.2), logit(1 - 1e-6) - logit(0.6)]
    place = np.searchsorted(found["edges"], [0.2, 0.6], side="right")
    assert [found["below"][k] for k in place] == pytest.approx([low[0], 0], abs=1e-3)
    assert low[1] > 0
    assert [found["above"][k] for k in place] == pytest.approx(high, abs=1e-3)


def test_reliability_knows_matured_rows_only_and_counts_leads_not_snapshots():
    many = _cohort([0.2] * 20, [1] * 6 + [0] * 14, "abcdefghij" * 2)
    few = _cohort([0.2] * 10, [1] * 3 + [0] * 7, "abcdefghij")
    half = _cohort([0.2] * 10 + [0.9] * 5, [1] * 3 + [0] * 7 + [1] * 5, "abcdefghijklmno", [1] * 10 + [0] * 5)
    assert reliability([many], Calibrator(), 1) == reliability([few], Calibrator(), 1)
    assert reliability([half], Calibrator(), 1) == reliability([few], Calibrator(), 1)
    young = _cohort([0.2], [0], "a", [0])
    assert reliability([], Calibrator(), 1) == reliability([young], Calibrator(), 1) == {}


def test_figures_of_cohorts_are_averaged_and_counts_added_up():
    settings = config(capacity=1)
    one = _cohort(P, HITS, "abcdefghij")
    none = _cohort(P[:4], [0] * 4, "abcd")  # without a conversion a cohort has no figures, but it has rows
    found = summarise([one, none], settings)["30d"]["model"]
    assert (found["rows"], found["conversions"]) == (14, 3)
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(HITS, P))
    assert found["base_rate"] == pytest.approx((0.3 + 0) / 2)
