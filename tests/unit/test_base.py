"""The base: scikit-learn's optimum, and what a direction leaves of it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from leadscore.model.base import fit_base


def _examples():
    """Three features; the first speaks for a conversion, the second against it, the third follows the first."""
    chance = np.random.default_rng(5)
    x = chance.normal(size=(2000, 3))
    x[:, 2] += x[:, 0]
    hits = chance.random(2000) < 1 / (1 + np.exp(1 - x[:, 0] + 0.7 * x[:, 1]))
    return x.astype(np.float32), hits[:, None]


def _fit(x, hits, *directions):
    free = np.zeros(x.shape[1], np.bool_)
    return fit_base(x, hits, np.ones_like(hits), free, np.array(directions, np.int8), 0.1)


def test_without_directions_it_is_the_optimum_of_scikit_learn():
    x, hits = _examples()
    base = _fit(x, hits, 0, 0, 0)
    other = LogisticRegression(C=0.1, tol=1e-8).fit(base.scale(x), hits[:, 0])
    np.testing.assert_allclose(base.coef, other.coef_, atol=1e-5)
    np.testing.assert_allclose(base.intercept, other.intercept_, atol=1e-5)


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
    np.testing.assert_allclose(_fit(x, hits, 1, -1, 0).coef, _fit(x, hits, 0, 0, 0).coef, atol=1e-5)


def test_a_feature_with_a_direction_is_never_missing():
    x, hits = _examples()
    x[7, 1] = np.nan
    with pytest.raises(AssertionError, match="never missing"):
        _fit(x, hits, 0, -1, 0)
