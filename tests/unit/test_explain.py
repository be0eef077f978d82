"""Why a margin is what it is: exact where the model is additive by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leadscore.model.explain import explain
from leadscore.model.fitted import with_output
from leadscore.model.shape import SHAPES, pull
from leadscore.model.train import fit_trees
from world import learned_funnel, without_trees


def _some(shape="hazard"):
    _, learned, _, bundle = learned_funnel(shape=shape)
    return bundle, learned.examples.matrix[::97]


def test_a_feature_the_model_does_not_use_adds_nothing():
    bundle, matrix = _some()
    base = bundle.model.base
    unused = (base.coef[:, : matrix.shape[1]] == 0).all(axis=0)
    unused[base.flagged] = False
    unused &= bundle.model.booster.feature_importance()[:-1] == 0
    assert unused.any()
    assert not explain(bundle, matrix, 1).by_feature[:, unused].any()


def test_without_trees_a_contribution_is_coefficient_times_scaled_value():
    bundle, matrix = _some()
    base = bundle.model.base
    found = explain(without_trees(bundle), matrix, 0)
    width = matrix.shape[1]
    z = base.scale(matrix)
    expected = z[:, :width] * base.coef[0, :width]
    expected[:, base.flagged] += z[:, width:] * base.coef[0, width:]
    np.testing.assert_allclose(found.by_feature, expected, atol=1e-12)
    np.testing.assert_allclose(found.offset, base.intercept[0], atol=1e-12)


def test_what_trees_make_of_the_number_of_the_output_is_shared_by_all():
    """Trees that learned nothing but which output it is, and a little more."""
    bundle, matrix = _some()
    config, learned, _, _ = learned_funnel(shape="hazard")
    stacked = np.concatenate([with_output(learned.examples.matrix, k) for k in range(3)])
    hits = (stacked[:, -1] == 2) & (stacked[:, 0] > 10)
    settings = config.model.model_copy(update={"trees": 30, "column_share": 1.0})
    nothing, free = np.zeros(len(hits)), np.zeros(len(stacked.T) - 1, np.int8)
    trees = fit_trees(stacked, hits, nothing, np.ones(len(hits)), free, settings, 1)
    base = replace(bundle.model.base, coef=0 * bundle.model.base.coef)
    alone = replace(bundle, model=replace(bundle.model, trees=trees, base=base))
    assert alone.model.booster.feature_importance()[-1] > 0
    assert np.ptp(alone.margins(matrix)[:, [0, 2]], axis=1).max() > 0.5
    found = explain(alone, matrix, 2)
    np.testing.assert_allclose(found.by_feature.sum(axis=1) + found.offset, found.margin, atol=1e-6)


def test_trees_too_large_to_be_looked_up_are_split_the_same_by_lightgbm(monkeypatch):
    bundle, matrix = _some()
    looked_up = explain(bundle, matrix, 1)
    monkeypatch.setattr("leadscore.model.shapley._MOST", 0)
    asked = explain(replace(bundle, model=replace(bundle.model)), matrix, 1)
    np.testing.assert_allclose(asked.by_feature, looked_up.by_feature, rtol=0, atol=1e-12)
    np.testing.assert_allclose(asked.margin, looked_up.margin, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("horizon", [0, 1, 2])
def test_what_is_explained_are_the_outputs_as_they_pull_at_the_horizon(shape, horizon):
    bundle, matrix = _some(shape)
    margins = bundle.margins(matrix)
    expected = (pull(margins, shape, horizon) * margins).sum(axis=1)
    np.testing.assert_allclose(explain(bundle, matrix, horizon).margin, expected, rtol=1e-12)
    if shape == "per_horizon":  # where a chance was lifted to a shorter horizon's, that one explains it
        np.testing.assert_allclose(expected, margins[:, : horizon + 1].max(axis=1))
