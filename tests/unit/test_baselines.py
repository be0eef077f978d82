"""Baselines: each looks at its own columns, learns from what has matured, and answers whatever it is given."""

from __future__ import annotations

from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from leadscore.labels import Labels
from leadscore.model.baselines import NAMES, Lesson, fit_predict_all
from leadscore.model.evaluate import judge

TERMS, KINDS, FEATURES = 5, 3, 6
PARAMETERS = {
    "objective": "binary", "num_leaves": 4, "min_data_in_leaf": 20, "learning_rate": 0.1,
    "deterministic": True, "force_col_wise": True, "verbosity": -1, "seed": 1,
}  # fmt: skip
SEES = {"recency": "recency", "rfm_logit": "recency terms", "points": "kinds", "logit_all": "all", "lightgbm": "all"}


def lesson_of(simple, matrix, hits, matured):
    labels = Labels(hits, matured, hits, matured)
    skewed = np.arange(matrix.shape[1]) % 2 == 0
    return Lesson(simple, matrix, skewed, labels, np.ones(len(simple)), PARAMETERS, 20)


def company(rows=600, seed=4):
    """Snapshots whose first features, first kind and first term speak for a conversion; the later, the less matured."""
    chance = np.random.default_rng(seed)
    simple = chance.gamma(1.0, size=(rows, TERMS + KINDS)).astype(np.float32)
    matrix = chance.normal(size=(rows, FEATURES)).astype(np.float32)
    matrix[chance.random((rows, FEATURES)) < 0.1] = np.nan
    drive = np.nan_to_num(matrix[:, 0]) + simple[:, 0] + simple[:, 1] + simple[:, TERMS]
    draw = chance.logistic(size=rows)
    hits = np.stack([draw < drive - limit for limit in (5, 4, 3)], axis=1)
    matured = np.arange(rows)[:, None] < rows * np.array([1, 0.9, 0.7])
    return lesson_of(simple, matrix, hits, matured)


def same(one, other):
    return {name for name in NAMES if one[name].tobytes() == other[name].tobytes()}


def test_each_gives_a_chance_per_horizon_that_ranks():
    told, later = company(), company(seed=5)
    found = fit_predict_all(told, later.simple, later.matrix)
    assert tuple(found) == NAMES == ("recency", "rfm_logit", "points", "logit_all", "lightgbm")
    for name, chances in found.items():
        assert chances.shape == (600, 3)
        assert ((chances > 0) & (chances < 1)).all()
        for horizon in range(3):
            hits = later.labels.by_horizon[:, horizon]
            assert judge(hits, chances[:, horizon], np.zeros(600, np.int64), None)["auc"] > 0.55, name


@pytest.mark.parametrize(
    ("what", "moves"),
    [
        (slice(0, 1), {"recency", "rfm_logit"}),
        (slice(1, TERMS), {"rfm_logit"}),
        (slice(TERMS, None), {"points"}),
        (None, {"logit_all", "lightgbm"}),
    ],
)
def test_each_looks_at_its_own_columns(what, moves):
    told = company()
    before = fit_predict_all(told, told.simple, told.matrix)
    if what is None:
        other = replace(told, matrix=told.matrix[::-1].copy())
    else:
        simple = told.simple.copy()
        simple[:, what] = simple[::-1, what]
        other = replace(told, simple=simple)
    assert same(before, fit_predict_all(other, other.simple, other.matrix)) == set(NAMES) - moves


def test_a_horizon_that_has_not_matured_teaches_nothing():
    told = company()
    labels = told.labels
    other = replace(told, labels=replace(labels, by_horizon=labels.by_horizon ^ ~labels.matured))
    before = fit_predict_all(told, told.simple, told.matrix)
    assert same(before, fit_predict_all(other, told.simple, told.matrix)) == set(NAMES)


def test_a_horizon_that_has_matured_nowhere_is_as_the_one_before():
    told = company()
    matured = told.labels.matured & np.array([True, True, False])
    other = replace(told, labels=replace(told.labels, matured=matured))
    for chances in fit_predict_all(other, told.simple, told.matrix).values():
        np.testing.assert_array_equal(chances[:, 2], chances[:, 1])


def test_trees_are_those_of_a_classifier_of_its_own():
    """The bins are shared, which moves nothing where all rows have matured; the weights go along."""
    told = company()
    told = replace(told, weight=np.where(told.labels.by_horizon[:, 0], 1.0, 3.0))
    data = lgb.Dataset(told.matrix, told.labels.by_horizon[:, 0].astype(float), weight=told.weight)
    alone = lgb.train(PARAMETERS, data, num_boost_round=20).predict(told.matrix)
    found = fit_predict_all(told, told.simple, told.matrix)["lightgbm"]
    np.testing.assert_array_equal(found[:, 0], alone)


def test_rows_that_stand_for_three_are_as_three_rows():
    told = company(300)
    thinned = replace(told, weight=np.where(told.labels.by_horizon[:, 0], 1.0, 3.0))
    rows = np.arange(300).repeat(thinned.weight.astype(int))
    whole = lesson_of(told.simple[rows], told.matrix[rows], told.labels.by_horizon[rows], told.labels.matured[rows])
    found, wanted = (fit_predict_all(of, told.simple, told.matrix) for of in (thinned, whole))
    for name in set(NAMES) - {"lightgbm"}:  # whose leaves rest on rows, whatever they weigh
        np.testing.assert_allclose(found[name], wanted[name], rtol=2e-3, err_msg=name)


def test_the_number_of_threads_changes_nothing():
    told = company(20_000)
    found = []
    for threads in (1, 2):
        parameters = {**PARAMETERS, "num_threads": threads}
        with threadpool_limits(threads):
            found.append(fit_predict_all(replace(told, parameters=parameters), told.simple, told.matrix))
    assert same(*found) == set(NAMES)


@pytest.mark.parametrize(("hit", "rate"), [(False, 0.5 / 601), (True, 600.5 / 601)])
def test_with_one_class_only_the_chance_is_the_rate(hit, rate):
    told = company()
    labels = replace(told.labels, by_horizon=np.full((600, 3), hit), matured=np.ones((600, 3), np.bool_))
    for chances in fit_predict_all(replace(told, labels=labels), told.simple, told.matrix).values():
        np.testing.assert_allclose(chances, rate)


def _spoilt(how):
    told = company(40)
    if how == "one row":
        labels = told.labels.take(np.array([0]))
        return replace(told, simple=told.simple[:1], matrix=told.matrix[:1], labels=labels, weight=np.ones(1))
    if how == "no features":
        return replace(told, matrix=told.matrix[:, :0], skewed=told.skewed[:0])
    if how == "no kinds touched":
        return replace(told, simple=told.simple * (np.arange(TERMS + KINDS) < TERMS))
    fill = {"constant": 1.0, "missing": np.nan}[how]
    return replace(told, matrix=np.full_like(told.matrix, fill), simple=np.ones_like(told.simple))


@pytest.mark.parametrize("how", ["one row", "no features", "no kinds touched", "constant", "missing"])
def test_whatever_it_is_given_the_chances_are_chances(how):
    told, asked = _spoilt(how), company(7, seed=9)
    found = fit_predict_all(told, asked.simple, asked.matrix[:, : told.matrix.shape[1]])
    for chances in found.values():
        assert chances.shape == (7, 3)
        assert ((chances > 0) & (chances < 1)).all()
