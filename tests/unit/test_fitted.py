"""A model and LightGBM's silences: what the pinned version does without a word, and that no such thing gets by here."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import lightgbm as lgb
import numpy as np
import pytest

from bundles import SETTINGS, tiny_bundle, tiny_matrix
from leadscore.errors import StateError
from leadscore.model.bundle import read_bundle
from leadscore.model.fitted import Fitted
from leadscore.model.train import fit_trees
from leadscore.registry import shelf


@cache
def _model():
    return tiny_bundle().model


@cache
def _data():
    chance = np.random.default_rng(1)
    x = chance.normal(size=(400, 3)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.float64)


def _train(label, **given):
    data = lgb.Dataset(_data()[0], label=label, init_score=given.pop("init_score", np.zeros(len(label))), **given)
    return lgb.train({"objective": "binary", "verbosity": -1, "min_data_in_leaf": 5}, data, num_boost_round=5)


# ---- what LightGBM 4.7 does in silence; of tables with names see test_served --------------------------------------


def test_lightgbm_takes_columns_of_text_and_fewer_columns_where_it_is_told_not_to_look():
    booster, x = _train(_data()[1]), _data()[0][:20]
    np.testing.assert_array_equal(booster.predict(x.astype(str)), booster.predict(x))
    np.testing.assert_array_equal(booster.predict(x.astype(object)), booster.predict(x))
    assert np.isfinite(booster.predict(x[:, :2], predict_disable_shape_check=True)).all()
    for wrong in (x[:, :2], np.hstack([x, x])):
        with pytest.raises(lgb.basic.LightGBMError, match="number of features in data"):
            booster.predict(wrong)


@pytest.mark.parametrize("what", ["label", "weight", "init_score"])
def test_lightgbm_learns_from_what_is_not_a_number(what):
    label = _data()[1].copy()
    spoilt = np.where(np.arange(len(label)) % 7 == 0, np.nan, label if what == "label" else 1.0)
    booster = _train(spoilt) if what == "label" else _train(label, **{what: spoilt})
    assert np.isfinite(booster.predict(_data()[0])).all()
    assert booster.num_trees() == 5


def test_lightgbm_ends_the_process_at_a_text_that_is_cut_short():
    program = "import sys, lightgbm; print('ready', flush=True); lightgbm.Booster(model_str=sys.stdin.read())"
    half = _model().trees[: len(_model().trees) // 2]
    ended = subprocess.run([sys.executable, "-c", program], input=half, text=True, capture_output=True, check=False)
    assert ended.stdout == "ready\n"
    assert ended.returncode < 0  # a signal: no exception, no message of ours


# ---- what happens here instead -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "retyped",
    [np.float64, object, str, np.int64, np.dtype(">f4")],
    ids=["float64", "object", "text", "whole", "swapped"],
)
def test_a_matrix_of_another_type_is_wrong_use(retyped):
    bundle, matrix = tiny_bundle(), np.nan_to_num(tiny_matrix())
    for ask in (bundle.readiness, bundle.margins, lambda rows: bundle.spread(rows, 1)):
        with pytest.raises(AssertionError, match="expected float32"):
            ask(matrix.astype(retyped))


@pytest.mark.parametrize("change", [lambda x: x[:, 1:], lambda x: np.hstack([x, x[:, :1]]), lambda x: x[0]])
def test_a_matrix_of_another_width_is_wrong_use(change):
    bundle, matrix = tiny_bundle(), tiny_matrix()
    for ask in (bundle.readiness, bundle.margins, lambda rows: bundle.spread(rows, 1)):
        with pytest.raises(AssertionError, match="columns"):
            ask(change(matrix))


def test_nothing_is_learned_from_margins_or_weights_that_are_no_numbers():
    x, label = _data()
    good, bad = np.ones(len(x)), np.where(np.arange(len(x)) == 3, np.nan, 1.0)
    free, settings = np.zeros(2, np.int8), SETTINGS
    for start, weight in ((bad, good), (good, bad), (good, np.where(bad == 1, 1.0, np.inf))):
        with pytest.raises(AssertionError, match="finite"):
            fit_trees(x, label > 0, start, weight, free, settings, 1)


def _places(text):
    """Where a text may be cut: in its head, at and amid a tree, after the trees, amid the parameters."""
    named = [
        text.index(mark) for mark in ("feature_infos", "tree_sizes", "Tree=0", "Tree=3", "end of trees", "end of p")
    ]
    return [0, 10, *named, *(place + 7 for place in named), text.index("Tree=1") - 30]


@pytest.mark.parametrize("name", ["trees.txt", "trees-2.txt"])
def test_trees_that_are_cut_short_are_refused(tmp_path, name):
    folder = shelf.keep(tmp_path, tiny_bundle())
    text = (folder / name).read_text(encoding="utf-8")
    cuts = _places(text)
    assert len(set(cuts)) == len(cuts) == 15
    for place in cuts:
        (folder / name).write_text(text[:place], encoding="utf-8")
        for ask in (lambda: read_bundle(folder), lambda: shelf.read(tmp_path, folder.name)):
            with pytest.raises(StateError, match="cut short") as refused:
                ask()
            assert "leadscore train" in refused.value.hint


def test_a_tree_taken_out_is_refused():
    model = _model()
    first, second = (model.trees.index(mark) for mark in ("Tree=1", "Tree=2"))
    with pytest.raises(StateError, match="cut short"):
        Fitted.from_dict(model.to_dict(), model.trees[:first] + model.trees[second:])


def test_trees_of_another_number_of_features_are_refused():
    model = _model()
    other = _train(_data()[1]).model_to_string(num_iteration=-1)
    with pytest.raises(StateError, match=f"of 2 features, its base is of {len(model.base.mean)}"):
        Fitted.from_dict(model.to_dict(), other)
