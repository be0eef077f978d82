"""What trees add, looked up: the same as LightGBM says, wherever a value can lie."""

from __future__ import annotations

import re

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.model import shapley
from leadscore.model.shapley import tabulate

NAN = np.nan


def grown(x, chance, trees=8, leaves=8, label=None, categorical="auto", **given):
    if label is None:
        label = chance.random(len(x)) < 1 / (1 + np.exp(-np.nan_to_num(x[:, 0] * x[:, 1]) + np.isnan(x[:, 2])))
    parameters = {"objective": "binary", "verbosity": -1, "num_leaves": leaves, "min_data_in_leaf": 3, "seed": 1}
    data = lgb.Dataset(x, label=label, categorical_feature=categorical)
    return lgb.train(parameters | {"num_threads": 1} | given, data, num_boost_round=trees)


def told(booster, x):
    return np.asarray(booster.predict(x, pred_contrib=True, num_threads=1))


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.sampled_from([0.0, 0.3]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_what_is_looked_up_is_what_lightgbm_says(seed, leaves, missing, coarse):
    """On values it learned from, on each threshold and right above it, and on what it never saw."""
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(300, 4)).astype(np.float32)
    x = np.round(2 * x) if coarse else x
    x[:, 1:][chance.random((300, 3)) < missing] = NAN
    booster = grown(x, chance, leaves=leaves)
    # Not the cut between known and missing, nor the one right below 0, which LightGBM takes for 0 in a row.
    cuts = [cut for cut in cuts_of(booster) if cut < np.inf and not -1e-34 < cut < 0]
    edges = np.array([*cuts, 0, -0.0, 1e-40, 1e30, -1e30, NAN], dtype=np.float32)
    strange = chance.choice(np.concatenate([edges, np.nextafter(edges, np.float32(np.inf))]), size=(400, 4))
    tables = tabulate(booster)
    for rows in (x, strange, np.asfortranarray(strange), strange[:1], strange[:0]):
        expected = told(booster, rows) if len(rows) else np.zeros((0, 5))
        np.testing.assert_allclose(tables.look_up(rows), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(tables.look_up(strange[7:8]), tables.look_up(strange)[7:8])


def cuts_of(booster):
    lines = re.findall(r"^threshold=(.+)$", booster.model_to_string(), re.MULTILINE)
    return [float(cut) for line in lines for cut in line.split()]


def test_a_missing_value_may_go_ways_no_known_one_goes():
    """A feature asked about twice: missing values go left of the lower threshold's split, right of the higher's."""
    tables = None
    for seed in range(40):
        chance = np.random.default_rng(seed)
        x = np.round(chance.normal(size=(300, 3)), 1).astype(np.float32)
        x[:, 1:][chance.random((300, 2)) < 0.4] = NAN
        booster = grown(x, chance, trees=3)
        tables = tabulate(booster)
        own = tables.missing > np.diff(tables.bound)
        if own.any():
            break
    assert own.any()
    np.testing.assert_allclose(tables.look_up(x), told(booster, x), rtol=0, atol=1e-12)


def test_trees_that_ask_nothing_share_what_they_add():
    x = np.zeros((50, 3), dtype=np.float32)
    booster = grown(x, np.random.default_rng(1), trees=2)
    np.testing.assert_allclose(tabulate(booster).look_up(x), told(booster, x), atol=1e-12)


def beyond(chance):
    """Values of all sorts, infinite and missing ones among them."""
    x = np.round(chance.normal(size=(400, 4)), 1).astype(np.float32)
    for value, share in ((-np.inf, 0.3), (np.inf, 0.5), (NAN, 0.65)):
        x[:, 1:][(chance.random((400, 3)) < share) & np.isfinite(x[:, 1:])] = value
    return x


@pytest.mark.parametrize("learned", [(-np.inf,), (np.inf,), (-np.inf, np.inf), (-np.inf, NAN), (-np.inf, np.inf, NAN)])
def test_infinite_values_go_the_ways_lightgbm_sends_them(learned):
    chance = np.random.default_rng(1)
    rows = beyond(chance)
    x = np.where(np.isfinite(rows) | np.isin(rows, learned) | (np.isnan(rows) & np.isnan(learned).any()), rows, 0)
    label = np.isinf(x[:, 1]) | (x[:, 2] == -np.inf) | np.isnan(x[:, 3])
    booster = grown(x, chance, label=label ^ (chance.random(400) < 0.2))
    assert (min(cuts_of(booster)) < -1e300) == (-np.inf in learned)
    tables = tabulate(booster)
    assert not tables.others
    np.testing.assert_allclose(tables.look_up(rows), told(booster, rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize("given", [{"zero_as_missing": True}, {"categorical": [0]}])
def test_trees_with_splits_of_another_kind_are_left_to_lightgbm(given):
    chance = np.random.default_rng(1)
    x = np.abs(np.round(beyond(chance)))
    booster = grown(x, chance, label=chance.random(400) < 0.2 + 0.6 * (x[:, 0] == 1), **given)
    tables = tabulate(booster)
    assert tables.others
    np.testing.assert_allclose(tables.look_up(x), told(booster, x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("most", [0, 40, 400, 2000])
def test_so_are_those_too_large_for_tables(most, monkeypatch):
    """Cases are asked for in blocks, so that it does not take more room the more there are."""
    chance = np.random.default_rng(1)
    x = chance.normal(size=(500, 6)).astype(np.float32)
    booster = grown(x, chance, trees=30, leaves=6, feature_fraction_bynode=0.4)
    monkeypatch.setattr(shapley, "_MOST", most)
    monkeypatch.setattr(shapley, "_BLOCK", 7)
    tables = tabulate(booster)
    assert len(tables.start) + sum(number for _, number in tables.others) == 30
    assert bool(len(tables.start)) == (most > 0)
    np.testing.assert_allclose(tables.look_up(x), told(booster, x), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(tables.look_up(x[7:8]), tables.look_up(x)[7:8])
