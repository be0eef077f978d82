"""How sure a chance is: bounds that hold what they promise, and what training never saw."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import beta, t

from leadscore.model.backtest import Cohort
from leadscore.model.bundle import _plain
from leadscore.model.calibrate import Calibrator
from leadscore.model.certainty import (
    NOTHING_USUAL,
    Bounds,
    Certainty,
    Usual,
    measure_bounds,
    measure_support,
    measure_usual,
    sample_rows,
)

NO_SAMPLE = np.array([0.1]), np.zeros(1)


def _list(chance, leads, off=0.0, own=0.0, middle=-3.0):
    """Chances as a list has them, ascending, and hits; all are off by one draw, and each tenth by another."""
    p = np.sort(expit(chance.normal(middle, 1.3, leads)))
    shift = chance.normal(0, off) + np.repeat(chance.normal(0, own, 10), leads // 10)
    return p, chance.random(leads) < expit(logit(p) + shift)


def _cohort(*lists):
    p, hits = (np.concatenate(parts) for parts in zip(*lists, strict=True))
    as_of = np.repeat(np.arange(len(lists)), [len(p) for p, _ in lists])
    lead_id = [str(row) for row in range(len(p))]
    columns = {"model": np.column_stack([np.full(len(p), 0.5), p])}
    hits = np.column_stack([np.zeros_like(hits), hits])
    return Cohort(0, lead_id, as_of, hits, np.ones_like(hits), columns)


def _measured(*cohorts):
    return measure_bounds(cohorts, Calibrator(), 1, *NO_SAMPLE)


def test_tenths_of_the_next_list_keep_to_their_bounds_in_nine_of_ten():
    """Companies of known drift, small and large, three cohorts each: 1000 tenths of the next lists per drift."""
    chance = np.random.default_rng(1)
    kept = {(off, own): _share_kept(chance, off, own) for off, own in [(0, 0), (0.1, 0.1), (0.25, 0), (0.25, 0.15)]}
    assert np.mean([*kept.values()]) == pytest.approx(0.9, abs=0.03)
    # Where nothing drifts three cohorts cannot show it, and caution has its price.
    assert all(0.86 < share < 0.95 for share in kept.values()), kept


def _share_kept(chance, off, own):
    kept = []
    for world in range(100):
        leads = (1000, 4000)[world % 2]
        bounds = _measured(*(_cohort(_list(chance, leads, off, own)) for _ in range(3)))
        p, hits = (rows.reshape(10, -1).mean(axis=1) for rows in _list(chance, leads, off, own))
        lo, hi = bounds.around(p, np.zeros(10))
        kept += ((lo <= hits) & (hits <= hi)).tolist()
    return np.mean(kept)


def test_with_much_to_go_by_the_drift_is_found():
    chance = np.random.default_rng(2)
    found = _measured(*(_cohort(_list(chance, 4000, 0.3, 0.2, middle=-1)) for _ in range(100)))
    assert found.off == pytest.approx(np.sqrt(0.3**2 + 0.2**2), rel=0.1)
    assert found.cohorts > 50
    exact = _measured(*(_cohort(_list(chance, 4000, middle=-1)) for _ in range(100)))
    assert exact.off < 0.08
    assert found.leads == exact.leads == 400


def test_with_little_to_go_by_it_is_what_is_usual():
    chance = np.random.default_rng(3)
    few = _measured(_cohort(_list(chance, 50, middle=-6)))
    assert few.off == pytest.approx(0.2, abs=0.01)
    assert few.cohorts == pytest.approx(1, abs=0.01)
    assert few.leads == 5


def test_the_same_list_told_again_is_no_further_witness():
    chance = np.random.default_rng(4)
    once = _list(chance, 1000)
    four, one = _measured(_cohort(*[once] * 4)), _measured(_cohort(once))
    assert [four.leads, four.off, four.cohorts] == pytest.approx([one.leads, one.off, one.cohorts])


def test_only_matured_moments_of_ten_leads_or_more_say_anything():
    chance = np.random.default_rng(5)
    whole, lie = _list(chance, 1000), (np.full(500, 0.9), np.zeros(500, bool))
    cohort = _cohort(whole, lie, (np.full(9, 0.5), np.ones(9, bool)))
    young = replace(cohort, matured=cohort.matured & (cohort.as_of != 1)[:, None])
    assert _measured(young) == _measured(_cohort(whole))
    nothing = _measured(replace(cohort, matured=np.zeros_like(cohort.matured)))
    assert np.isnan(nothing.leads)
    assert all(np.isnan(side).all() for side in nothing.around(np.array([0.1, 0.9]), np.zeros(2)))
    assert all(np.isnan(side).all() for side in _measured().around(np.array([0.1]), np.ones(1)))


def test_chances_are_judged_as_they_are_calibrated():
    chance = np.random.default_rng(6)
    p, hits = _list(chance, 4000)
    calibrator = Calibrator(1.2, 1.2, 0.3)
    raw = _cohort((p, hits))
    said = measure_bounds([raw], calibrator, 1, *NO_SAMPLE)
    assert said == _measured(_cohort((calibrator.apply(p), hits)))
    assert said != _measured(raw)


def test_bounds_are_those_of_a_beta_distribution():
    bounds, p = Bounds(leads=200.0, off=0.3, cohorts=4.0), np.array([0.02, 0.2, 0.7])
    lo, hi = bounds.around(p, np.zeros(3))
    for number, (one, low, high) in enumerate(zip(p, lo, hi, strict=True)):
        sway = one * (1 - one)
        chance_alone = 1 / (200 * sway)
        total = chance_alone + 0.3**2
        stretch = t.ppf(0.95, 4 * (1 + chance_alone / 0.3**2) ** 2) / 1.6449
        size = 1 / (sway * total * stretch**2) - 1
        drawn = beta(one * size, (1 - one) * size)
        assert drawn.mean() == pytest.approx(one)
        assert drawn.var() == pytest.approx((sway * stretch) ** 2 * total)
        assert [low, high] == pytest.approx(drawn.ppf([0.05, 0.95])), number


def test_less_than_half_a_lead_is_none_and_but_for_half_a_lead_is_all():
    bounds = Bounds(leads=100.0, off=0.05, cohorts=4.0)
    lo, hi = bounds.around(np.array([0.001, 0.01, 0.1, 0.9, 0.99, 0.999]), np.zeros(6))
    assert (lo == 0).tolist() == [True, True, False, False, False, False]
    assert (hi == 1).tolist() == [False, False, False, False, True, True]
    np.testing.assert_allclose(lo, 1 - hi[::-1], atol=1e-9)


@given(
    p=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    leads=st.floats(1, 1e6),
    off=st.floats(0.05, 4),
    cohorts=st.floats(1, 13),
    spread=st.floats(0, 50),
)
@settings(max_examples=300, deadline=None)
def test_bounds_hold_the_chance_whatever_was_measured(p, leads, off, cohorts, spread):
    bounds = Bounds(leads, off, cohorts, (-3.0, 0.0), (0.2, 0.4))
    chance = np.clip(p, 1e-6, 1 - 1e-6)
    lo, hi = bounds.around(chance, np.full(len(p), spread))
    assert np.all((lo >= 0) & (lo < chance) & (chance < hi) & (hi <= 1))


def test_bounds_are_wider_where_the_members_disagree_more_than_usual_and_as_wide_as_measured_on_average():
    chance = np.random.default_rng(7)
    p = expit(chance.normal(-2, 1, 20_000))
    spread = 0.1 * (1 - p) * np.exp(chance.normal(0, 0.5, len(p)))
    bounds = measure_bounds([_cohort(_list(chance, 1000))], Calibrator(), 1, p, spread)
    surprise = bounds.surprise(p, spread)
    assert (surprise**2).mean() == pytest.approx(1, abs=0.1)
    for tenth in np.array_split(np.argsort(p), 10):
        assert (surprise[tenth] ** 2).mean() == pytest.approx(1, abs=0.15)
    assert surprise.min() == 0.5
    assert surprise.max() == 2
    usual = np.interp(-2.0, bounds.margins, bounds.spreads)
    one = np.full(5, expit(-2.0))
    lo, hi = replace(bounds, leads=1e5).around(one, usual * np.array([0.0, 0.7, 1, 1.5, 9]))
    assert np.all(np.diff(hi - lo) > 0)
    assert bounds.surprise(one, usual * np.array([0.0, 0.7, 1, 1.5, 9])) == pytest.approx([0.5, 0.7, 1, 1.5, 2])


def test_without_members_no_lead_is_surer_than_another():
    p = np.array([0.1, 0.2, 0.6])
    bounds = measure_bounds([], Calibrator(), 1, p, np.zeros(3))
    assert bounds.surprise(p, np.zeros(3)).tolist() == [1, 1, 1]


def test_what_lies_outside_the_trained_values_of_99_snapshots_of_a_hundred():
    nan = np.nan
    steps = np.arange(1001, dtype=np.float32)
    sometimes = np.where(steps < 500, nan, steps)
    trained = np.column_stack([steps, np.zeros(1001), sometimes, np.full(1001, nan)]).astype(np.float32)
    support = measure_support(trained)
    rows = np.array(
        [
            [500, 0, 700, nan],
            [5, 0, nan, 3],  # what was always missing says nothing
            [4.9, 0, nan, nan],
            [995.1, 0.1, nan, nan],
            [nan, nan, 400, 9],  # never missing before
            [np.inf, -np.inf, 1e30, 0],
        ],
        dtype=np.float32,
    )
    assert support.outside(rows).tolist() == [0, 0, 0.25, 0.5, 0.75, 0.75]
    # Of the trained, ten are outside in one column, and those at the upper end in both that vary.
    assert support.rare == pytest.approx(0.25)
    assert support.far == pytest.approx(0.5)


def test_it_is_the_same_after_json():
    support = measure_support(np.array([[1, np.nan], [2, np.nan], [np.inf, np.nan]], dtype=np.float32))
    for bounds in (Bounds(), Bounds(12.5, 0.1, 3.0, (-1.0, 2.0), (0.1, 0.2))):
        certainty = Certainty(bounds, support)
        again = Certainty.from_dict(json.loads(json.dumps(_plain(certainty.to_dict()), allow_nan=False)))
        assert json.dumps(_plain(again.to_dict())) == json.dumps(_plain(certainty.to_dict()))
        matrix = np.array([[0, 5], [1.5, np.nan], [9, 0]], dtype=np.float32)
        assert again.support.outside(matrix).tolist() == support.outside(matrix).tolist()
        np.testing.assert_array_equal(again.bounds.around(*NO_SAMPLE), bounds.around(*NO_SAMPLE))


def test_a_sample_is_spread_evenly_over_the_past():
    assert sample_rows(4).tolist() == [0, 1, 2, 3]
    rows = sample_rows(1_000_000)
    assert (len(rows), rows[0], rows[-1]) == (10_000, 0, 999_999)
    assert set(np.diff(rows)) <= {100, 101}


def test_usual_is_the_median_of_what_most_have_and_the_share_of_a_flag():
    nan = np.nan
    matrix = np.array(
        [
            [0, 3, nan, 1, 1, nan],
            [0, 5, 7, nan, 0, nan],
            [9, 4, nan, 2, nan, nan],
            [9, nan, nan, 6, 1, nan],
        ],
        dtype=np.float32,
    )
    flags = np.array([False, False, False, False, True, False])
    usual = measure_usual(matrix, flags)
    # Who lacks a value stands behind all who have one; where half lack it, nothing is usual.
    assert usual.tolist() == pytest.approx([4.5, 4.5, nan, 4, 0.5, nan], nan_ok=True)
    assert measure_usual(matrix[[0, 2]], flags).tolist() == pytest.approx([4.5, 3.5, nan, 1.5, 0.5, nan], nan_ok=True)
    assert np.isnan(measure_usual(matrix[:0], flags)).all()
    for told in (Usual(usual, np.array([1.0, nan])), NOTHING_USUAL):
        again = Usual.from_dict(json.loads(json.dumps(told.to_dict(), allow_nan=False)))
        np.testing.assert_array_equal(again.features, told.features)
        np.testing.assert_array_equal(again.facts, told.facts)
