"""What every as-of operator promises, for any events and snapshots."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.features import asof as fast
from leadscore.features import kernels
from leadscore.timeline import DAY
from reference import asof_reference as slow
from strategies import worlds

# One row per operator: how to call it on a world, and its second opinion on one past of that world.
OPERATORS = {
    "count": (
        lambda w, **k: fast.count(w.asof, w.codes, w.n_codes, w.windows, **k),
        lambda w, past: slow.count(past, w.n_codes, w.windows.tolist()),
    ),
    "total": (
        lambda w, **k: fast.total(w.asof, w.values, w.codes, w.n_codes, w.windows, **k),
        lambda w, past: slow.total(past, w.n_codes, w.windows.tolist()),
    ),
    "distinct": (
        lambda w, **k: fast.distinct(w.asof, w.codes, w.n_codes, w.windows, **k),
        lambda w, past: slow.distinct(past, w.windows.tolist()),
    ),
    "distinct of many codes": (
        lambda w, **k: fast.distinct(w.asof, w.codes, kernels.FEW + 1, w.windows, **k),
        lambda w, past: slow.distinct(past, w.windows.tolist()),
    ),
    "decayed_sum": (
        # Positive weights: near a difference of two billions nothing can be promised of the small rest.
        lambda w, **k: fast.decayed_sum(w.asof, abs(w.values), w.codes, w.n_codes, w.half_lives, **k),
        lambda w, past: slow.decayed_sum(_positive(past), w.n_codes, w.half_lives.tolist()),
    ),
    "age_of_last": (
        lambda w, **k: fast.age_of_last(w.asof, w.codes, w.n_codes, **k),
        lambda w, past: slow.age_of_last(past, w.n_codes),
    ),
    "age_of_first": (
        lambda w, **k: fast.age_of_first(w.asof, w.codes, w.n_codes, **k),
        lambda w, past: slow.age_of_first(past, w.n_codes),
    ),
    "last_value": (
        lambda w, **k: fast.last_value(w.asof, w.values, w.codes, w.n_codes, **k),
        lambda w, past: slow.last_value(past, w.n_codes),
    ),
    "first_value": (
        lambda w, **k: fast.first_value(w.asof, w.values, w.codes, w.n_codes, **k),
        lambda w, past: slow.first_value(past, w.n_codes),
    ),
    "mean": (
        lambda w, **k: fast.mean(w.asof, w.values, w.codes, w.n_codes, w.windows, **k),
        lambda w, past: slow.mean(past, w.n_codes, w.windows.tolist()),
    ),
    "maximum": (
        lambda w, **k: fast.maximum(w.asof, w.values, w.codes, w.n_codes, w.windows, **k),
        lambda w, past: slow.maximum(past, w.n_codes, w.windows.tolist()),
    ),
    "minimum": (
        lambda w, **k: fast.minimum(w.asof, w.values, w.codes, w.n_codes, w.windows, **k),
        lambda w, past: slow.minimum(past, w.n_codes, w.windows.tolist()),
    ),
    "decayed_mean": (
        lambda w, **k: fast.decayed_mean(w.asof, abs(w.values), w.codes, w.n_codes, w.half_lives, **k),
        lambda w, past: slow.decayed_mean(_positive(past), w.n_codes, w.half_lives.tolist()),
    ),
    "decayed_peak": (
        lambda w, **k: fast.decayed_peak(w.asof, abs(w.values), w.codes, w.n_codes, w.half_lives, **k),
        lambda w, past: slow.decayed_peak(_positive(past), w.n_codes, w.half_lives.tolist()),
    ),
    "bigram_count": (
        lambda w, **k: fast.bigram_count(w.asof, w.codes, w.pairs, w.windows, **k),
        lambda w, past: slow.bigram_count(past, w.pairs.tolist(), w.windows.tolist()),
    ),
    "nth_last": (lambda w, **k: fast.nth_last(w.asof, w.mask, 3, **k), lambda _, past: slow.nth_last(past, 3)),
    "last_code": (
        lambda w, **k: fast.last_code(w.asof, w.codes, 3, **k),
        lambda _, past: slow.last_code(past, 3),
    ),
    "gaps": (lambda w, **k: fast.gaps(w.asof, w.mask, **k), lambda _, past: slow.gaps(past)),
    "busiest_day_share": (
        lambda w, **k: fast.busiest_day_share(w.asof, w.mask, w.day, **k),
        lambda _, past: slow.busiest_day_share(past),
    ),
    "active_days": (
        lambda w, **k: fast.active_days(w.asof, w.mask, w.day, **k),
        lambda _, past: slow.active_days(past),
    ),
    "in_state": (lambda w, **k: fast.in_state(w.asof, w.codes, **k), lambda _, past: slow.in_state(past)),
    "dwell": (
        lambda w, **k: fast.dwell(w.asof, w.codes, w.n_codes, **k),
        lambda w, past: slow.dwell(past, w.n_codes),
    ),
    "ordered_depth": (
        lambda w, **k: fast.ordered_depth(w.asof, w.layers, w.lags, **k),
        lambda w, past: slow.ordered_depth(past, w.lags.tolist()),
    ),
    "deepest": (
        lambda w, **k: fast.deepest(w.asof, w.layers, w.lags, **k),
        lambda w, past: slow.deepest(past, w.lags.tolist()),
    ),
    "followed": (
        lambda w, **k: fast.followed(w.asof, w.mask, w.answer, w.within, **k),
        lambda w, past: slow.followed(past, w.within),
    ),
    "unanswered": (
        lambda w, **k: fast.unanswered(w.asof, w.mask, w.answer, w.within, w.half_lives, **k),
        lambda w, past: slow.unanswered(past, w.within, w.half_lives.tolist()),
    ),
    "uptake": (
        lambda w, **k: fast.uptake(w.asof, w.mask, w.answer, w.within, w.shifts, **k),
        lambda w, past: slow.uptake(past, w.within, w.shifts.tolist()),
    ),
}


def _positive(past):
    return slow.Past(past.as_of, [replace(event, value=abs(event.value)) for event in past.events])


def _same_bits(left, right):
    return left.shape == right.shape and left.dtype == right.dtype and left.tobytes() == right.tobytes()


@pytest.mark.parametrize("name", OPERATORS)
@given(world=worlds())
@settings(max_examples=60, deadline=None)
def test_fast_equals_slow(name, world):
    operator, reference = OPERATORS[name]
    found = operator(world)
    expected = np.array([reference(world, past) for past in slow.pasts(world)], np.float64).reshape(found.shape)
    assert np.moveaxis(found, 0, -1).flags.c_contiguous
    assert found.dtype == (np.int32 if name == "last_code" else np.float32)
    # One float32 step relative; absolutely, nothing but what decays below float32's smallest normal number.
    np.testing.assert_allclose(found, expected.astype(np.float32), rtol=2e-7, atol=1.2e-38)


@given(world=worlds())
@settings(max_examples=60, deadline=None)
def test_a_snapshot_is_the_same_without_the_future_the_other_leads_and_the_other_snapshots(world):
    for operator, _ in OPERATORS.values():
        together = operator(world)
        for lead, row in world.snapshots():
            assert _same_bits(together[row : row + 1], operator(world.alone(lead, row)))


@given(world=worlds(max_leads=6))
@settings(max_examples=60, deadline=None)
def test_the_number_of_threads_changes_no_bit(world):
    for operator, _ in OPERATORS.values():
        assert _same_bits(operator(world, threads=1), operator(world, threads=3))


@given(world=worlds(), by=st.integers(-20_000 * DAY, 20_000 * DAY))
@settings(max_examples=60, deadline=None)
def test_shifting_all_times_changes_no_bit(world, by):
    for operator, _ in OPERATORS.values():
        assert _same_bits(operator(world), operator(world.shifted(by)))


PROGRAM = """
import numpy as np, kernels
flat = kernels.Flat(np.array([0]), np.array([0]), np.array([0, 1]), np.array([kernels.DAY]), np.array([0, 1]))
out = np.empty((1, 1), np.float32)
kernels.call(kernels.age, 0, 1, flat, np.zeros(1, np.int32), 1, kernels.LAST, out)
print(out[0, 0], sum(kernels.age.stats.cache_hits.values()))
"""


@pytest.mark.parametrize(("home", "loaded"), [("home", 1), ("kernels.py", 0)])
def test_machine_code_is_kept_in_the_users_cache_or_not_at_all(tmp_path, home, loaded):
    shutil.copy(kernels.__file__, tmp_path / "kernels.py")
    (tmp_path / "__pycache__").touch()  # a file where the folder should be: not even root can write into it
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    environment = {**kept, "HOME": str(tmp_path / home), "XDG_CACHE_HOME": str(tmp_path / home / "cache")}
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    runs = [
        subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [(run.stdout.split(), run.stderr) for run in runs] == [(["1.0", "0"], ""), (["1.0", str(loaded)], "")]
