"""The base: scikit-learn's optimum, what a direction leaves of it, and what a row of some weight counts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from leadscore.model import base as module
from leadscore.model.base import fit_base

ROWS = 2000


def _examples():
    """Three features; the first speaks for a conversion, the second against it, the third follows the first."""
    chance = np.random.default_rng(5)
    x = chance.normal(size=(ROWS, 3))
    x[:, 2] += x[:, 0]
    hits = chance.random(ROWS) < 1 / (1 + np.exp(1 - x[:, 0] + 0.7 * x[:, 1]))
    return x.astype(np.float32), hits[:, None]


def _fit(x, hits, *directions, penalty=0.005, weight=None):
    free = np.zeros(x.shape[1], np.bool_)
    return fit_base(x, hits, np.ones_like(hits), free, np.array(directions, np.int8), penalty, weight)


def _gaps(x, hits):
    """The same with gaps, an odd feature and rows that teach only some of two outputs."""
    chance = np.random.default_rng(6)
    x = np.column_stack([x, np.expm1(4 * x[:, 0])]).astype(np.float32)
    x[chance.random(x.shape) < 0.1] = np.nan
    return x, np.column_stack([hits, ~hits]), chance.random((len(x), 2)) < 0.8


def test_without_directions_it_is_the_optimum_of_scikit_learn():
    x, hits = _examples()
    base = _fit(x, hits, 0, 0, 0)
    other = LogisticRegression(C=1 / (0.005 * ROWS), tol=1e-8).fit(base.scale(x), hits[:, 0])
    np.testing.assert_allclose(base.coef, other.coef_, atol=1e-5)
    np.testing.assert_allclose(base.intercept, other.intercept_, atol=1e-5)


def test_the_penalty_means_the_same_for_many_rows_and_few():
    x, hits = _examples()
    once, thrice = _fit(x, hits, 0, 0, 0), _fit(np.tile(x, (3, 1)), np.tile(hits, (3, 1)), 0, 0, 0)
    np.testing.assert_allclose(thrice.coef, once.coef, atol=1e-5)


def test_a_row_that_weighs_is_the_row_as_many_times():
    x, hits, teaches = _gaps(*_examples())
    weight = np.random.default_rng(7).integers(1, 4, len(x))
    skewed, free = np.array([False, False, False, True]), np.zeros(4, np.int8)
    weighed = fit_base(x, hits, teaches, skewed, free, 0.005, weight.astype(np.float64))
    often = fit_base(*(np.repeat(table, weight, axis=0) for table in (x, hits, teaches)), skewed, free, 0.005)
    for name in ("mean", "sd", "intercept", "coef"):
        np.testing.assert_allclose(getattr(weighed, name), getattr(often, name), atol=1e-5, err_msg=name)
    assert weighed.flagged.tolist() == often.flagged.tolist() == [0, 1, 2, 3]
    assert not np.allclose(weighed.coef, fit_base(x, hits, teaches, skewed, free, 0.005).coef, atol=1e-3)


def test_rows_may_weigh_otherwise_in_the_scaling():
    x, hits = _examples()
    even, weight = np.ones(len(x)), np.linspace(0.1, 1.9, len(x))
    free = (np.zeros(3, np.bool_), np.zeros(3, np.int8))
    base = fit_base(x, hits, np.ones_like(hits), *free, 0.005, weight, scaled_by=even)
    plain, weighed = _fit(x, hits, 0, 0, 0), _fit(x, hits, 0, 0, 0, weight=weight)
    assert np.array_equal(base.mean, plain.mean)
    assert np.array_equal(base.sd, plain.sd)
    other = LogisticRegression(C=1 / (0.005 * ROWS), tol=1e-8).fit(base.scale(x), hits[:, 0], weight)
    np.testing.assert_allclose(base.coef, other.coef_, atol=1e-4)
    assert not np.array_equal(base.mean, weighed.mean)


def test_rows_are_scaled_block_by_block_as_if_at_once(monkeypatch):
    x, hits, teaches = _gaps(*_examples())
    teaches[:7] = False  # a block that teaches nothing
    skewed, free = np.array([False, False, False, True]), np.zeros(4, np.int8)
    base = fit_base(x, hits, teaches, skewed, free, 0.005)
    at_once = base.scale(x), base.margins(x)
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert [again.tobytes() for again in (base.scale(x), base.margins(x))] == [table.tobytes() for table in at_once]
    again = fit_base(x, hits, teaches, skewed, free, 0.005)
    for name in ("mean", "sd", "flagged", "coef"):
        np.testing.assert_allclose(getattr(again, name), getattr(base, name), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("wrong", "directions"), [(0, (-1, 0)), (1, (0, 1))])
def test_a_feature_that_would_push_the_wrong_way_is_left_out(wrong, directions):
    x, hits = _examples()
    x = x[:, :2]
    base, without = _fit(x, hits, *directions), _fit(x[:, [1 - wrong]], hits, 0)
    assert base.coef[0, wrong] == 0
    np.testing.assert_allclose(base.coef[0, 1 - wrong], without.coef[0, 0], atol=1e-5)
    np.testing.assert_allclose(base.intercept, without.intercept, atol=1e-5)


def test_a_feature_that_pushes_its_way_is_fitted_as_ever():
    x, hits = _examples()
    free, bound = _fit(x, hits, 0, 0, 0), _fit(x, hits, 1, -1, 0)
    assert abs(free.coef[0]).min() > 0.01
    np.testing.assert_allclose(bound.coef, free.coef, atol=1e-5)


def test_a_feature_with_a_direction_is_never_missing():
    x, hits = _examples()
    x[7, 1] = np.nan
    with pytest.raises(AssertionError, match="never missing"):
        _fit(x, hits, 0, -1, 0)


def test_the_base_scales_by_the_rows_that_teach_and_knows_missing():
    x = np.array([[1, np.nan, 5], [3, 2, 5], [5, 4, 5], [1000, 9, 7]], np.float32)
    x = np.repeat(x, 10, axis=0)
    teaches = np.repeat([True, True, True, False], 10)[:, None]
    hits = (np.arange(40) % 2 == 0)[:, None]
    base = fit_base(x, hits, teaches, np.array([False, False, False]), np.zeros(3, np.int8), 1.0)
    np.testing.assert_allclose(base.mean, [3, 3, 5])
    np.testing.assert_allclose(base.sd, [np.sqrt(8 / 3), 1, np.inf])
    assert base.flagged.tolist() == [1]
    z = base.scale(x)
    np.testing.assert_allclose(z[0], [-2 / np.sqrt(8 / 3), 0, 0, 1])
    np.testing.assert_allclose(z[-1], [6, 6, 0, 0])  # far out says no more than far out


def test_too_few_of_a_kind_give_a_constant():
    x = np.arange(100, dtype=np.float32)[:, None]
    hits = (np.arange(100) < 4)[:, None]
    base = fit_base(x, hits, np.ones_like(hits), np.array([True]), np.zeros(1, np.int8), 1.0)
    np.testing.assert_allclose(base.margins(x), np.log(4.5 / 96.5), rtol=1e-12)
    assert not base.coef.any()


def test_what_is_infinite_is_as_far_out_as_can_be_and_says_nothing_of_a_feature_that_never_varied():
    x, hits = _examples()
    x[:, 2] = 7
    base = _fit(x, hits, 0, 0, 0)
    far = np.array([[np.inf, -np.inf, np.inf], [1e9, -1e9, -np.inf], [6e4, -6e4, np.nan]], np.float32)
    assert base.scale(far).tolist() == [[6, -6, 0]] * 3
    with pytest.raises(AssertionError, match="never infinite"):
        _fit(np.where(x > 2, np.float32(np.inf), x), hits, 0, 0, 0)


def test_an_output_no_row_teaches_is_as_the_one_before():
    x, hits = _examples()
    teaches = np.column_stack([np.ones(ROWS), np.arange(ROWS) < 900, np.zeros(ROWS)]) > 0
    base = fit_base(x, np.repeat(hits, 3, axis=1), teaches, np.zeros(3, np.bool_), np.zeros(3, np.int8), 0.005)
    margins = base.margins(x)
    assert np.array_equal(margins[:, 2], margins[:, 1])
    assert not np.isclose(margins[:, 1], margins[:, 0]).all()
