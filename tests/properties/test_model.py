"""What the model promises: a coherent curve, the same bits every time, and contributions that add up."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leadscore.features.matrix import build_matrix
from leadscore.model.backtest import Cohort
from leadscore.model.bundle import read_bundle
from leadscore.model.calibrate import Calibrator, choose_calibrator, log_loss
from leadscore.model.explain import explain
from leadscore.model.shape import SHAPES, curve
from leadscore.model.train import at_risk_on
from leadscore.scoring.ranking import rank
from leadscore.scoring.score import score_bucket
from world import bucket, day, funnel, funnel_reader, learned_funnel

MARGINS = arrays(np.float64, (6, 3), elements=st.floats(-45, 45))
STEEP = st.floats(0.05, 20)
CALIBRATORS = (
    st.builds(Calibrator, STEEP, st.just(0.0) | STEEP, st.floats(-20, 20))
    | st.builds(Calibrator, st.just(0.0), STEEP, st.floats(-20, 20))
    | st.just(Calibrator())
)
CHANCES = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 1e-6, 0.5, 1 - 1e-6, 1.0]), min_size=2, max_size=20)


def _bundle(shape="hazard"):
    return learned_funnel(shape=shape)[3]


def _matrix():
    return learned_funnel(shape="hazard")[1].examples.matrix[::40]


def _as_model_input(width):
    """Rows no lead ever had: far out, infinite, missing, zero."""
    values = st.floats(width=32) | st.sampled_from([0.0, np.nan])
    return arrays(np.float32, st.tuples(st.integers(1, 4), st.just(width)), elements=values, fill=st.just(np.nan))


def _same_bits(left, right):
    return left.shape == right.shape and left.dtype == right.dtype and left.tobytes() == right.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
@given(margins=MARGINS, calibrator=CALIBRATORS)
@settings(max_examples=100, deadline=None)
def test_the_curve_never_falls_and_never_reaches_certainty(shape, margins, calibrator):
    chances = calibrator.apply(curve(margins, shape))
    assert np.all(chances[:, 1:] >= chances[:, :-1])
    assert chances.min() > 0
    assert chances.max() < 1


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_bundle_keeps_the_curve_coherent_for_any_row(shape, data):
    bundle = _bundle(shape)
    matrix = data.draw(_as_model_input(len(bundle.features)))
    chances = bundle.readiness(matrix)
    assert np.all(chances[:, 1:] >= chances[:, :-1])
    assert chances.min() > 0
    assert chances.max() < 1
    assert np.isfinite(bundle.spread(matrix, 1)).all()


@given(chances=CHANCES, calibrator=CALIBRATORS)
@settings(max_examples=200, deadline=None)
def test_calibration_never_reverses_a_ranking(chances, calibrator):
    before = np.sort(np.array(chances))
    assert np.all(np.diff(calibrator.apply(before)) >= 0)


@given(chances=arrays(np.float64, (2, 12, 3), elements=st.floats(0.01, 0.99)), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_calibrator_is_kept_only_where_the_last_cohort_gains_and_never_turns_a_ranking_round(chances, data):
    hits = data.draw(arrays(np.bool_, chances.shape))
    lead_id, as_of = [*"aabbccddeeff"], np.zeros(12, dtype=np.int64)
    cohorts = [
        Cohort(0, lead_id, as_of, hit, np.ones_like(hit), {"model": np.sort(p, axis=1)})
        for p, hit in zip(chances, hits, strict=True)
    ]
    found, told = choose_calibrator(cohorts)
    assert min(found.a, found.b) >= 0
    assert max(found.a, found.b) > 0
    if told["method"] == "none":
        assert found == Calibrator()
    else:
        losses = told["log_loss"]
        assert losses[told["method"]] < losses["none"]
        assert losses["none"] == pytest.approx(log_loss(hits[1].ravel(), cohorts[1].chances["model"].ravel()))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_has_the_same_bits_alone_and_among_many(shape):
    bundle, matrix = _bundle(shape), _matrix()

    def said(rows):
        return np.column_stack([bundle.readiness(rows), bundle.spread(rows, 1), explain(bundle, rows, 2).by_feature])

    together = said(matrix)
    assert len(together) > 50
    assert together[:, 3].min() > 0  # the members disagree a little on every row
    assert _same_bits(together, np.concatenate([said(matrix[k : k + 1]) for k in range(len(matrix))]))


@pytest.mark.parametrize(
    "laid",
    [
        np.asfortranarray,
        lambda matrix: np.repeat(matrix, 2, axis=0)[::2],
        lambda matrix: np.repeat(matrix, 3, axis=1)[:, ::3],
        lambda matrix: matrix[::-1, ::-1].copy()[::-1, ::-1],
    ],
    ids=["by columns", "rows apart", "columns apart", "backwards"],
)
def test_how_the_numbers_lie_in_memory_changes_no_bit(laid):
    bundle, matrix = _bundle(), _matrix()
    other = laid(matrix)
    assert other.strides != matrix.strides
    assert _same_bits(bundle.readiness(other), bundle.readiness(matrix))
    assert _same_bits(bundle.spread(other, 0), bundle.spread(matrix, 0))
    assert _same_bits(explain(bundle, other, 1).by_feature, explain(bundle, matrix, 1).by_feature)


def test_without_rows_there_is_nothing_to_say():
    bundle = _bundle()
    nobody = _matrix()[:0]
    assert bundle.readiness(nobody).shape == (0, 3)
    assert bundle.spread(nobody, 1).shape == (0,)
    assert explain(bundle, nobody, 1).by_feature.shape == nobody.shape


@pytest.mark.parametrize("shape", SHAPES)
def test_a_bundle_written_and_read_is_the_same_bundle(tmp_path, shape):
    bundle, matrix = _bundle(shape), _matrix()
    bundle.write(tmp_path)
    again = read_bundle(tmp_path)
    assert again.version == bundle.version
    assert again.features == bundle.features
    assert _same_bits(again.readiness(matrix), bundle.readiness(matrix))
    assert _same_bits(again.spread(matrix, 1), bundle.spread(matrix, 1))
    (tmp_path / "again").mkdir()
    again.write(tmp_path / "again")
    for path in tmp_path.glob("*.*"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_version_names_everything_that_changes_a_score():
    bundle = _bundle()
    model, members = bundle.model, bundle.members
    moved = replace(model.base, intercept=model.base.intercept + 1e-12)
    changed = [
        replace(bundle, model=replace(model, trees=model.trees.replace("end of trees", "end of  trees"))),
        replace(bundle, model=replace(model, base=moved)),
        replace(bundle, model=replace(model, shape="per_horizon")),
        replace(bundle, members=members[:-1]),
        replace(bundle, members=members[::-1]),
        replace(bundle, members=(*members[:-1], replace(members[-1], base=moved))),
        replace(bundle, calibrator=Calibrator(1.0, 1.0, 1e-9)),
        replace(bundle, reference=bundle.reference[:-1]),
        replace(bundle, horizons={**bundle.horizons, "3d": 1}),
        replace(bundle, vocabulary=replace(bundle.vocabulary, time_zone="Europe/Paris")),
    ]
    versions = {bundle.version, *(other.version for other in changed)}
    assert len(versions) == 1 + len(changed)


PROGRAM = """
from threadpoolctl import threadpool_info
from world import learned_funnel
version = learned_funnel(shape="hazard")[3].version
print(version, max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"))
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_same_data_and_seed_give_the_same_bundle_whatever_the_number_of_threads(threads):
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert told == [_bundle().version, threads]


def test_how_leads_are_divided_into_buckets_changes_no_bit_of_the_bundle():
    assert learned_funnel(parts=3, shape="hazard")[3].version == _bundle().version


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("horizon", [0, 1, 2])
def test_contributions_and_offset_add_up_to_the_margin(shape, horizon):
    bundle, matrix = _bundle(shape), _matrix()
    found = explain(bundle, matrix, horizon)
    np.testing.assert_allclose(found.by_feature.sum(axis=1) + found.offset, found.margin, atol=1e-6)
    margins = bundle.margins(matrix)[:, : horizon + 1]
    assert np.all(found.margin <= margins.max(axis=1) + 1e-9)
    assert np.all(found.margin >= margins.min(axis=1) - 1e-9)
    # Of the first horizon there is one output, and nothing to average.
    if horizon == 0:
        np.testing.assert_allclose(found.margin, margins[:, 0])


@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_contributions_add_up_for_any_row(data):
    bundle = _bundle()
    matrix = data.draw(_as_model_input(len(bundle.features)))
    found = explain(bundle, matrix, 1)
    np.testing.assert_allclose(found.by_feature.sum(axis=1) + found.offset, found.margin, atol=1e-6)


def test_a_list_is_the_same_whatever_came_later_and_however_leads_are_divided():
    """Late rows are cut off by the reader; here everything that will ever happen is in the bucket."""
    config, _, _, bundle = learned_funnel(shape="hazard")
    as_of = day("75")
    lists = []
    for parts in (1, 4):
        scored = [score_bucket(own, bundle, config, as_of)[0] for own in funnel_reader(parts)(as_of)]
        lists.append(rank(scored, bundle, config, as_of, "run"))
    assert lists[0].num_rows > 50
    assert lists[0].equals(lists[1])
    leads, history = bucket(*funnel())
    known = at_risk_on(config, leads, np.array([as_of]))
    late = bundle.readiness(build_matrix(leads, history, known, bundle.vocabulary))
    ready = {leads.lead_id[row]: chance for row, chance in zip(known.lead, late[:, 1].tolist(), strict=True)}
    listed = dict(zip(lists[0]["lead_id"].to_pylist(), lists[0]["p_7d"].to_pylist(), strict=True))
    assert ready == listed
