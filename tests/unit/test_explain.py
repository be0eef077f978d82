"""Why a margin is what it is: exact where the model is additive by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leadscore.model.base import fit_base
from leadscore.model.bundle import with_interval
from leadscore.model.explain import explain
from leadscore.model.train import fit_trees
from world import learned_funnel, without_trees


def _some():
    _, learned, _, bundle = learned_funnel()
    return bundle, learned.examples.matrix[::97]


def test_a_feature_the_model_does_not_use_adds_nothing():
    bundle, matrix = _some()
    unused = (bundle.base.coef[:, : matrix.shape[1]] == 0).all(axis=0)
    unused[bundle.base.flagged] = False
    unused &= bundle.booster.feature_importance()[:-1] == 0
    assert unused.any()
    assert not explain(bundle, matrix, 1).by_feature[:, unused].any()


def test_without_trees_a_contribution_is_coefficient_times_scaled_value():
    bundle, matrix = _some()
    base = bundle.base
    found = explain(without_trees(bundle), matrix, 0)
    width = matrix.shape[1]
    z = base.scale(matrix)
    expected = z[:, :width] * base.coef[0, :width]
    expected[:, base.flagged] += z[:, width:] * base.coef[0, width:]
    np.testing.assert_allclose(found.by_feature, expected, atol=1e-12)
    np.testing.assert_allclose(found.offset, base.intercept[0], atol=1e-12)


def test_what_trees_make_of_the_number_of_the_interval_is_shared_by_all():
    """Trees that learned nothing but which interval it is, and a little more."""
    bundle, matrix = _some()
    config, learned, _, _ = learned_funnel()
    stacked = np.concatenate([with_interval(learned.examples.matrix, k) for k in range(3)])
    hits = (stacked[:, -1] == 2) & (stacked[:, 0] > 10)
    settings = config.model.model_copy(update={"trees": 30, "column_share": 1.0})
    trees = fit_trees(stacked, hits, np.zeros(len(hits)), np.zeros(len(stacked.T) - 1, np.int8), settings, 1)
    alone = replace(bundle, trees=trees, base=replace(bundle.base, coef=0 * bundle.base.coef))
    assert alone.booster.feature_importance()[-1] > 0
    assert np.ptp(alone.margins(matrix)[:, [0, 2]], axis=1).max() > 0.5
    found = explain(alone, matrix, 2)
    np.testing.assert_allclose(found.by_feature.sum(axis=1) + found.offset, found.margin, atol=1e-6)


def test_intervals_count_by_their_share_of_the_hazard():
    """d logit P(H) / d margin_k = h_k / P(H): a small step of one intercept moves the readiness by its weight."""
    bundle, matrix = _some()
    step = 1e-5
    hazards = 1 / (1 + np.exp(-bundle.margins(matrix)))[:, :2]
    margins = bundle.margins(matrix)[:, :2]

    def logit(extra):
        p = 1 - np.prod(1 - 1 / (1 + np.exp(-(margins + extra))), axis=1)
        return np.log(p / (1 - p))

    steps = step * np.eye(2)
    gradient = np.stack([(logit(one) - logit(-one)) / (2 * step) for one in steps], axis=1)
    weights = gradient / gradient.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(weights, hazards / hazards.sum(axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(explain(bundle, matrix, 1).margin, (weights * margins).sum(axis=1), rtol=1e-6)


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


def test_too_few_of_a_kind_give_a_constant_hazard():
    x = np.arange(100, dtype=np.float32)[:, None]
    hits = (np.arange(100) < 4)[:, None]
    base = fit_base(x, hits, np.ones_like(hits), np.array([True]), np.zeros(1, np.int8), 1.0)
    np.testing.assert_allclose(base.margins(x), np.log(4.5 / 96.5), rtol=1e-12)
    assert not base.coef.any()
