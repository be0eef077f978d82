"""Calibration: none, unless a later cohort's log-loss falls by more than noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as reference_log_loss

from leadscore.model.backtest import Cohort
from leadscore.model.calibrate import Calibrator, choose_calibrator, log_loss, logit


def _cohort(chance, said, rows=4000, matured=True):
    """Leads whose true margins are drawn; `said` turns a true margin into the chance the model says."""
    truth = chance.normal(-2, 1.5, (rows, 3)).cumsum(axis=1) / np.sqrt([1, 2, 3])
    hits = chance.random((rows, 3)) < _chance(truth)
    lead_id = [f"lead {number}" for number in range(rows)]
    return Cohort(0, lead_id, np.zeros(rows, np.int64), hits, np.full((rows, 3), matured), {"model": said(truth)})


def _chance(margin):
    return 1 / (1 + np.exp(-margin))


def _bold(margin):
    return _chance(2 * margin + 1)


def _true(margin):
    return _chance(margin)


def test_an_over_confident_model_is_put_right_by_platts_form():
    chance = np.random.default_rng(1)
    cohorts = [_cohort(chance, _bold) for _ in range(3)]
    found, told = choose_calibrator(cohorts)
    assert told["method"] == "platt"
    assert found.a == found.b == pytest.approx(0.5, abs=0.03)
    assert told["log_loss"]["platt"] < told["log_loss"]["none"] - 0.01
    # The slope is that of a regression in which each cohort and horizon has an intercept of its own.
    margins, hits = (np.concatenate([of(cohort).T.ravel() for cohort in cohorts]) for of in (_margin, _hits))
    levels = np.repeat(np.eye(9), 4000, axis=0)[:, 1:]
    again = LogisticRegression(C=np.inf, max_iter=500, tol=1e-8).fit(np.column_stack([margins, levels]), hits)
    assert found.a == pytest.approx(again.coef_[0, 0], abs=1e-4)


def _margin(cohort):
    return logit(cohort.chances["model"])


def _hits(cohort):
    return cohort.hits


def test_a_level_that_was_off_is_not_carried_forward():
    """The world changed between training and cohort: twice as many were expected as came."""
    chance = np.random.default_rng(10)
    high = [_cohort(chance, lambda margin: _chance(margin + 0.8)) for _ in range(3)]
    assert choose_calibrator(high)[0] == Calibrator()
    bold_and_high = [_cohort(chance, _bold) for _ in range(3)]
    found, _ = choose_calibrator(bold_and_high)
    said = np.concatenate([cohort.chances["model"] for cohort in bold_and_high])
    assert found.apply(said).sum() == pytest.approx(said.sum())


def test_chances_that_hardly_differ_keep_their_expected_number():
    """Of a model that learned next to nothing, and ranks well: the fitted shape is steep."""
    chance = np.random.default_rng(11)
    cohorts = [_cohort(chance, lambda margin: 0.1 + 0.002 * _chance(margin)) for _ in range(3)]
    found, told = choose_calibrator(cohorts)
    said = np.concatenate([cohort.chances["model"] for cohort in cohorts])
    assert told["method"] == "platt"
    assert found.a > 30
    assert found.apply(said).sum() == pytest.approx(said.sum())


def test_what_is_wrong_at_one_end_only_is_put_right_by_the_beta_form():
    chance = np.random.default_rng(2)
    truth = Calibrator(0.7, 2.0, 0.5)
    grid = np.linspace(1e-6, 1 - 1e-6, 100_001)

    def said(margin):
        return np.interp(_chance(margin + 1.5), truth.apply(grid), grid)

    cohorts = [_cohort(chance, said) for _ in range(2)]
    hits = [chance.random(cohort.hits.shape) < truth.apply(cohort.chances["model"]) for cohort in cohorts]
    found, told = choose_calibrator([replace(cohort, hits=hit) for cohort, hit in zip(cohorts, hits, strict=True)])
    assert told["method"] == "beta"
    assert [found.a, found.b] == pytest.approx([0.7, 2.0], abs=0.15)


def test_a_model_that_was_wrong_only_once_is_left_alone():
    chance = np.random.default_rng(3)
    found, told = choose_calibrator([_cohort(chance, _bold), _cohort(chance, _true)])
    assert found == Calibrator()
    assert told["method"] == "none"
    assert told["fall"]["platt"] < 0
    assert told["log_loss"]["platt"] > told["log_loss"]["none"]


def test_a_fall_that_noise_can_bring_is_none_and_snapshots_of_one_lead_are_one_witness():
    chance = np.random.default_rng(4)
    few = [_cohort(chance, lambda margin: _chance(1.3 * margin), 60) for _ in range(2)]
    lead_id = [f"{lead} {copy}" for copy in range(20) for lead in few[0].lead_id]
    many = [
        replace(cohort, lead_id=lead_id, hits=_often(cohort.hits), matured=_often(cohort.matured),
                chances={"model": _often(cohort.chances["model"])}, as_of=_often(cohort.as_of[:, None])[:, 0])
        for cohort in few
    ]  # fmt: skip
    assert choose_calibrator(many)[0] != Calibrator()
    found, told = choose_calibrator([replace(cohort, lead_id=few[0].lead_id * 20) for cohort in many])
    alone, told_alone = choose_calibrator(few)
    assert found == alone == Calibrator()
    assert told["sd"]["platt"] == pytest.approx(told_alone["sd"]["platt"])
    by_account = [replace(cohort, account_id=few[0].lead_id * 20) for cohort in many]
    assert choose_calibrator(by_account)[1]["sd"]["platt"] == pytest.approx(told_alone["sd"]["platt"])


def _often(rows):
    return np.tile(rows, (20, 1))


def test_the_deviation_is_that_of_leads_drawn_anew():
    chance = np.random.default_rng(5)
    cohort = _cohort(chance, _bold, 300)
    cohort = replace(cohort, lead_id=[str(number // 3) for number in range(300)])
    _, told = choose_calibrator([cohort, cohort])
    trial, _ = choose_calibrator([cohort, cohort])
    p, hits = cohort.chances["model"], cohort.hits
    plain, better = (_levelled_losses(q, hits) for q in (p, trial.apply(p)))
    of_lead = (plain - better).reshape(100, 9).mean(axis=1)
    means = [of_lead[chance.integers(100, size=100)].mean() for _ in range(4000)]
    assert told["sd"][told["method"]] == pytest.approx(np.std(means), rel=0.05)


def _levelled_losses(p, hits):
    """Log-losses after a regression on the margin as an offset, solved by bisection."""
    low, high = np.full(3, -20.0), np.full(3, 20.0)
    for _ in range(60):
        middle = (low + high) / 2
        many = _chance(logit(p) + middle).sum(axis=0) > hits.sum(axis=0)
        low, high = np.where(many, low, middle), np.where(many, middle, high)
    q = _chance(logit(p) + low)
    return -np.log(np.where(hits, q, 1 - q))


def test_a_model_that_ranks_the_wrong_way_round_is_not_turned():
    chance = np.random.default_rng(6)
    found, _ = choose_calibrator([_cohort(chance, lambda margin: _chance(-margin)) for _ in range(2)])
    assert found == Calibrator()


def test_without_two_cohorts_both_classes_or_matured_labels_there_is_nothing_to_judge_by():
    chance = np.random.default_rng(7)
    good = _cohort(chance, _bold)
    young = _cohort(chance, _bold, matured=False)
    cold = replace(good, hits=np.zeros_like(good.hits))
    for cohorts in ([], [good], [good, cold], [cold, good], [good, young], [young, good]):
        nothing = {"method": "none", "log_loss": {}, "fall": {}, "sd": {}}
        assert choose_calibrator(cohorts) == (Calibrator(), nothing)


def test_only_matured_labels_count():
    chance = np.random.default_rng(8)
    first, second = (_cohort(chance, _bold) for _ in range(2))
    half = first.matured.copy()
    half[:, 2] = False
    lies = first.hits.copy()
    lies[:, 2] = ~lies[:, 2]
    honest, _ = choose_calibrator([replace(first, matured=half), second])
    fooled, _ = choose_calibrator([replace(first, matured=half, hits=lies), second])
    assert honest == fooled != Calibrator()


def test_log_loss_is_that_of_scikit_learn():
    chance = np.random.default_rng(9)
    p, hits = chance.random(50), chance.random(50) < 0.3
    assert log_loss(hits, p) == pytest.approx(reference_log_loss(hits, p))
    assert log_loss(np.array([True, False]), np.array([0.0, 1.0])) == pytest.approx(-np.log(1e-6))


def test_none_changes_nothing_but_certainty():
    p = np.array([[0.0, 1e-9, 0.3, 1.0]])
    assert Calibrator().apply(p).tolist() == [[1e-6, 1e-6, 0.3, 1 - 1e-6]]
    # As 1, 1, 0 by the formula would, but for a rounding error.
    np.testing.assert_allclose(Calibrator(1.0, 1.0, 1e-12).apply(p), Calibrator().apply(p), rtol=1e-9)
