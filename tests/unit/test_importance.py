from __future__ import annotations

import numpy as np
import pytest

from accounts import tiny_sample
from bundles import VOCABULARY, tiny_bundle, tiny_examples
from leadscore.config import Model
from leadscore.model.calibrate import log_losses
from leadscore.model.explain import explain
from leadscore.model.importance import _columns, _Shuffled, draw_sample, weigh_concepts
from leadscore.model.train import fit


def test_all_who_converted_are_drawn_where_there_is_room_and_each_row_stands_for_as_many_as_were_there():
    hits = np.zeros((1000, 2), dtype=bool)
    hits[:100, 1] = True
    matured = np.ones_like(hits)
    matured[90:200, 1] = False
    matrix = np.arange(1000, dtype=np.float32)[:, None]
    sample = draw_sample(matrix, hits, matured, horizon=1, seed=1, most=300)
    assert (len(sample.hits), sample.hits.sum()) == (300, 90)
    assert set(sample.matrix[sample.hits, 0]) == set(range(90))
    assert not set(range(90, 200)) & set(sample.matrix[:, 0])
    assert sample.weight[sample.hits].sum() == pytest.approx(90)
    assert sample.weight[~sample.hits].sum() == pytest.approx(800)
    few = draw_sample(matrix, hits, matured, horizon=1, seed=1, most=100)
    assert (few.hits.sum(), few.weight[few.hits].sum()) == (50, pytest.approx(90))
    assert len(draw_sample(matrix, hits, matured, horizon=1, seed=1).hits) == 890


@pytest.mark.parametrize("shape", ["hazard", "per_horizon"])
def test_what_is_computed_once_changes_no_loss(shape):
    model = fit(tiny_examples(1), VOCABULARY, Model(trees=5, min_rows_per_leaf=20), shape, 1)
    bundle, sample = tiny_bundle(model=model), tiny_sample()
    order = np.random.default_rng(3).permutation(len(sample.hits))
    for columns in _columns(bundle).values():
        shuffled = sample.matrix.copy()
        shuffled[:, columns] = shuffled[order][:, columns]
        chances = model.readiness(shuffled)[:, sample.horizon]
        expected = np.average(log_losses(sample.hits, chances), weights=sample.weight)
        assert _Shuffled(bundle, sample).of(order, columns) == pytest.approx(expected, rel=1e-12)


def test_what_outcomes_lean_on_comes_first_and_costs_most():
    bundle, sample = tiny_bundle(), tiny_sample()
    influence = weigh_concepts(bundle, sample, seed=1, top=3, repeats=5)
    assert len(influence.concepts) == 3
    assert influence.concepts[0] == bundle.features[0].concept  # `tiny_examples` lean on the first feature
    assert influence.increase[0] > 2 * influence.sd[0] > 0
    assert influence.increase.argmax() == 0
    again = weigh_concepts(bundle, sample, seed=1, top=3, repeats=5)
    np.testing.assert_array_equal(influence.increase, again.increase)
    assert influence.weight.tolist() == sorted(influence.weight, reverse=True)


def test_contributions_of_a_concept_are_those_of_its_features_and_stand_beside_their_values():
    bundle, sample = tiny_bundle(), tiny_sample()
    influence = weigh_concepts(bundle, sample, seed=1, top=100)
    columns = _columns(bundle)
    assert set(influence.concepts) == set(columns)
    whole = explain(bundle, sample.matrix, sample.horizon).by_feature.sum(axis=1)
    np.testing.assert_allclose(np.sort(influence.contributions.sum(axis=1)), np.sort(whole), rtol=1e-9)
    alone = next(k for k, name in enumerate(influence.concepts) if len(columns[name]) == 1)
    value = sample.matrix[:, columns[influence.concepts[alone]][0]]
    assert np.isnan(influence.place[:, alone]).sum() == np.isnan(value).sum()
    assert (np.nanmin(influence.place), np.nanmax(influence.place)) == (0.0, 1.0)


@pytest.mark.parametrize("converted", [True, False])
def test_where_all_ended_alike_nothing_is_told(converted):
    sample = tiny_sample()
    alike = np.full_like(sample.hits, converted)
    assert weigh_concepts(tiny_bundle(), type(sample)(sample.matrix, alike, sample.weight, 1), seed=1) is None
