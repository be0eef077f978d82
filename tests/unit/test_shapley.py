"""What trees add, looked up: the same as LightGBM says, wherever a value can lie."""

from __future__ import annotations

import re

import lightgbm as lgb
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.model.shapley import tabulate

NAN = np.nan


def grown(x, chance, trees=8, leaves=8, **given):
    label = chance.random(len(x)) < 1 / (1 + np.exp(-np.nan_to_num(x[:, 0] * x[:, 1]) + np.isnan(x[:, 2])))
    parameters = {"objective": "binary", "verbosity": -1, "num_leaves": leaves, "min_data_in_leaf": 3, "seed": 1}
    return lgb.train(parameters | {"num_threads": 1} | given, lgb.Dataset(x, label=label), num_boost_round=trees)


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


def test_trees_too_large_for_tables_have_none():
    chance = np.random.default_rng(1)
    x = chance.normal(size=(2000, 30)).astype(np.float32)
    assert tabulate(grown(x, chance, trees=1, leaves=64, feature_fraction_bynode=0.2)) is None
