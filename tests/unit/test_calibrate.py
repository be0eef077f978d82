"""Calibration: none, unless a later cohort's log-loss falls."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss as reference_log_loss

from leadscore.model.calibrate import Calibrator, Judged, choose_calibrator, log_loss


def _cohort(chance, said, rows=4000, matured=True):
    """Leads whose true chances are drawn; `said` turns a true margin into the one the model says."""
    truth = chance.normal(-2, 1.5, (rows, 3)).cumsum(axis=1) / np.sqrt([1, 2, 3])
    hits = chance.random((rows, 3)) < 1 / (1 + np.exp(-truth))
    return Judged(1 / (1 + np.exp(-said(truth))), hits, np.full((rows, 3), matured))


def test_an_over_confident_model_is_put_right():
    chance = np.random.default_rng(1)
    found, losses = choose_calibrator([_cohort(chance, lambda margin: 2 * margin + 1) for _ in range(3)])
    # logit p = (what it says - 1) / 2
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.intercept == pytest.approx(-0.5, abs=0.06)
    assert losses["log_loss_calibrated"] < losses["log_loss_plain"] - 0.01


def test_a_model_that_was_wrong_only_once_is_left_alone():
    chance = np.random.default_rng(2)
    wrong_then, right_now = _cohort(chance, lambda margin: 2 * margin + 1), _cohort(chance, lambda margin: margin)
    found, losses = choose_calibrator([wrong_then, right_now])
    assert found == Calibrator()
    assert losses["log_loss_calibrated"] > losses["log_loss_plain"]


def test_a_model_that_ranks_the_wrong_way_round_is_not_turned():
    chance = np.random.default_rng(3)
    found, losses = choose_calibrator([_cohort(chance, lambda margin: -margin) for _ in range(2)])
    assert (found, losses) == (Calibrator(), {})


def test_without_two_cohorts_both_classes_or_matured_labels_there_is_nothing_to_judge_by():
    chance = np.random.default_rng(4)
    good = _cohort(chance, lambda margin: 2 * margin)
    young = _cohort(chance, lambda margin: 2 * margin, matured=False)
    cold = Judged(good.readiness, np.zeros_like(good.hits), good.matured)
    for cohorts in ([], [good], [good, cold], [cold, good], [good, young], [young, good]):
        assert choose_calibrator(cohorts) == (Calibrator(), {})


def test_only_matured_labels_count():
    chance = np.random.default_rng(5)
    first, second = (_cohort(chance, lambda margin: 2 * margin) for _ in range(2))
    half = first.matured.copy()
    half[:, 2] = False
    lies = first.hits.copy()
    lies[:, 2] = ~lies[:, 2]
    honest, _ = choose_calibrator([Judged(first.readiness, first.hits, half), second])
    fooled, _ = choose_calibrator([Judged(first.readiness, lies, half), second])
    assert honest == fooled != Calibrator()


def test_log_loss_is_that_of_scikit_learn():
    chance = np.random.default_rng(6)
    p, hits = chance.random(50), chance.random(50) < 0.3
    assert log_loss(hits, p) == pytest.approx(reference_log_loss(hits, p))
    assert log_loss(np.array([True, False]), np.array([0.0, 1.0])) == pytest.approx(-np.log(1e-6))


def test_none_changes_nothing_but_certainty():
    p = np.array([[0.0, 1e-9, 0.3, 1.0]])
    assert Calibrator().apply(p).tolist() == [[1e-6, 1e-6, 0.3, 1 - 1e-6]]
