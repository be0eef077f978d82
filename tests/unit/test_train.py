"""What teaches, and how much each row of it counts."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from bundles import tiny_examples
from leadscore.config import Model
from leadscore.model.learn import gather
from leadscore.model.shape import SHAPES, lessons
from leadscore.model.train import Thinning, aged, count_snapshots, fit, fit_matrix, penalties, stack
from leadscore.timeline import DAY, grid_before
from world import FUNNEL, FUNNEL_AS_OF, config, day, funnel_reader

AS_OF = day(FUNNEL_AS_OF)


@cache
def _gathered(most=1_000_000, parts=1, seed=1, half_life=None):
    """What there is to learn from on the funnel, thinned to so many rows: (configuration, gathered)."""
    training = FUNNEL["training"] | {"max_training_rows": most, "recency_half_life": half_life}
    settings = config(**FUNNEL | {"seed": seed, "training": training})
    return settings, gather(funnel_reader(parts), settings, AS_OF)


def _converting(examples):
    return (examples.labels.in_interval & examples.labels.teaches).any(axis=1)


# ---- thinning ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "converting", "others", "share"),
    [
        (1000, 100, 900, 1.0),  # all fit
        (1000, 100, 1800, 0.5),
        (1000, 400, 6000, 0.1),
        (1000, 800, 6400, 1 / 8),  # as many others as converted, though that is more than was asked for
        (1000, 5000, 10_000, 0.5),
        (1000, 5000, 0, 1.0),
        (1000, 0, 0, 1.0),
    ],
)
def test_so_many_of_the_others_are_kept(most, converting, others, share):
    assert Thinning.to(most, converting, others, seed=1).share == pytest.approx(share)


def test_snapshots_are_counted_as_they_are_gathered():
    settings, whole = _gathered()
    moments = grid_before(AS_OF, AS_OF - settings.snapshots.look_back.microseconds, 2 * DAY)
    counted = [count_snapshots(leads, settings, moments, AS_OF) for leads, _ in funnel_reader(3)(AS_OF)]
    hits = _converting(whole.examples)
    assert np.sum(counted, axis=0).tolist() == [hits.sum(), (~hits).sum()]
    assert whole.examples.weight.tolist() == [1.0] * len(whole.examples)


def test_all_that_converted_stay_and_the_others_stand_for_those_left_out():
    whole, thin = _gathered()[1].examples, _gathered(1400)[1].examples
    place = {pair: row for row, pair in enumerate(zip(whole.lead_id, whole.as_of, strict=True))}
    kept = [place[pair] for pair in zip(thin.lead_id, thin.as_of, strict=True)]
    np.testing.assert_array_equal(whole.matrix[kept], thin.matrix)
    np.testing.assert_array_equal(whole.labels.teaches[kept], thin.labels.teaches)
    hits, others = _converting(thin), (~_converting(whole)).sum()
    assert hits.sum() == _converting(whole).sum()
    assert set(thin.weight[hits]) == {1.0}
    (each,) = set(thin.weight[~hits])
    drawn = (~hits).sum()
    assert each == pytest.approx(others / (1400 - hits.sum()))
    # So many of so many, within three of their sd: rows, and what they stand for.
    assert abs(drawn - others / each) < 3 * np.sqrt(others / each * (1 - 1 / each))
    assert thin.weight.sum() == pytest.approx(len(whole), rel=0.08)


def test_what_is_kept_depends_on_neither_buckets_nor_how_many_are_asked_for():
    thin, cut = _gathered(1400)[1].examples, _gathered(1400, parts=3)[1].examples
    assert thin.lead_id.tolist() == cut.lead_id.tolist()
    np.testing.assert_array_equal(thin.matrix, cut.matrix)
    more = _gathered(2000)[1].examples
    pairs, of_more = (set(zip(found.lead_id, found.as_of, strict=True)) for found in (thin, more))
    assert pairs < of_more
    other = _gathered(1400, seed=2)[1].examples
    assert len(pairs & set(zip(other.lead_id, other.as_of, strict=True))) < 0.7 * len(pairs)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_third_of_the_rows_gives_the_same_chances(shape):
    """Were the weights left out, the chances would be more than twice as high."""
    settings, whole = _gathered()
    fitted = fit(whole.examples, whole.vocabulary, settings.model, shape, 1).readiness(whole.examples.matrix)
    thin = _gathered(1400)[1]
    matrix = whole.examples.matrix
    again = fit(thin.examples, thin.vocabulary, settings.model, shape, 1).readiness(matrix)
    np.testing.assert_allclose(again.mean(axis=0), fitted.mean(axis=0), rtol=0.1)
    assert np.corrcoef(again[:, 1], fitted[:, 1])[0, 1] > 0.9
    alike = replace(thin.examples, weight=np.ones(len(thin.examples)))
    wrong = fit(alike, thin.vocabulary, settings.model, shape, 1).readiness(matrix)
    assert (wrong.mean(axis=0) > 2 * fitted.mean(axis=0)).all()


# ---- weights -------------------------------------------------------------------------------------------------


def test_a_snapshot_counts_half_for_every_half_life():
    examples = replace(
        tiny_examples(1, rows=4), as_of=DAY * np.array([60, 80, 90, 100]), weight=np.array([1.0, 1, 3, 1])
    )
    old = aged(examples, as_of=100 * DAY, half_life=20 * DAY).weight
    np.testing.assert_allclose(old / old[3], [1 / 4, 1 / 2, 3 * 2**-0.5, 1])
    assert old.sum() == pytest.approx(6)
    assert aged(examples, 100 * DAY, None) is examples


def test_the_configuration_says_how_fast_the_past_fades():
    examples, thin = _gathered(1400, half_life="10d")[1].examples, _gathered(1400)[1].examples
    faded = examples.weight / thin.weight
    np.testing.assert_allclose(faded / faded[-1], 2.0 ** ((examples.as_of - examples.as_of[-1]) / (10 * DAY)))
    assert examples.weight.sum() == pytest.approx(thin.weight.sum())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_that_weighs_is_the_row_as_many_times(shape):
    chance = np.random.default_rng(3)
    examples = tiny_examples(2, rows=500)
    matrix = np.clip(np.round(examples.matrix), -2, 2)  # few values, each often: LightGBM cuts both at the same places
    weight = chance.integers(1, 4, len(matrix))
    free = np.zeros(matrix.shape[1], np.int8)
    settings = Model(trees=20, min_rows_per_leaf=1, l2=1.0)
    taught = lessons(examples.labels, shape)

    def fitted(times, counts):
        rows = np.repeat(np.arange(len(matrix)), times)
        hits, teaches = (table[rows] for table in taught)
        return fit_matrix(matrix[rows], (hits, teaches), counts, free > 0, free, [0.01] * 3, settings, shape, 1)

    once = np.ones(len(matrix), np.int64)
    weighed = fitted(once, weight.astype(np.float64)).margins(matrix)
    often = fitted(weight, np.ones(weight.sum())).margins(matrix)
    np.testing.assert_allclose(weighed, often, atol=1e-5)
    assert np.abs(weighed - fitted(once, np.ones(len(matrix))).margins(matrix)).max() > 0.1


def test_each_output_has_its_rows_and_its_number():
    matrix = np.arange(6, dtype=np.float32).reshape(3, 2)
    found = stack(matrix, [np.array([0, 2]), np.array([], np.int64), np.array([1])])
    assert found.tolist() == [[0, 1, 0], [4, 5, 0], [2, 3, 2]]
    assert found.dtype == np.float32


def test_a_lead_that_converted_counts_once_in_the_penalty():
    """λ = strength x rate (1 - rate) / converted leads, the rate being that of all the rows stand for."""
    lead_id = np.array(["a", "a", "a", "b", "c", "c"], object)
    hits = np.array([[1, 1, 0, 1, 0, 0], [0] * 6], bool).T
    teaches = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]], bool).T
    weight = np.array([1.0, 1, 2, 1, 2, 3])
    found = penalties((hits, teaches), weight, lead_id, 60.0)
    assert found == pytest.approx((60 * 0.3 * 0.7 / 2, 0))
    # Twice the rows of the same leads are no more evidence.
    twice = penalties((np.tile(hits, (2, 1)), np.tile(teaches, (2, 1))), np.tile(weight, 2), np.tile(lead_id, 2), 60.0)
    assert twice == pytest.approx(found)
