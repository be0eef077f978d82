"""Drift, and what became of delivered leads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.monitoring.drift import score_drift, stability_index
from leadscore.monitoring.outcomes import by_grade
from leadscore.timeline import DAY

PATIENT = settings(deadline=None)  # a busy machine is no failure
COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=12)


@given(COUNTS)
@PATIENT
def test_a_sample_has_not_drifted_from_itself(counts):
    assert stability_index(counts, counts) == 0


@given(COUNTS, st.integers(2, 9))
@PATIENT
def test_size_is_no_drift(counts, times):
    if sum(counts):
        assert stability_index(counts, [times * count for count in counts]) == pytest.approx(0, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=9))
@PATIENT
def test_drift_is_never_negative_nor_infinite_and_has_no_direction(pairs):
    before, after = zip(*pairs, strict=True)
    drift = stability_index(before, after)
    assert 0 <= drift < np.inf
    assert drift == pytest.approx(stability_index(after, before))


def test_the_index_by_hand():
    # (0.7 - 0.5) ln(0.7 / 0.5) + (0.3 - 0.5) ln(0.3 / 0.5)
    assert stability_index([50, 50], [7, 3]) == pytest.approx(0.2 * np.log(1.4) - 0.2 * np.log(0.6))
    assert stability_index([1, 1], [1, 0]) == pytest.approx(0.5 * np.log(2) + (1e-4 - 0.5) * np.log(2e-4))


def test_scores_that_fill_the_scale_have_not_drifted_and_bunched_ones_have():
    assert score_drift(np.arange(1, 100)) < 0.002
    assert score_drift(np.full(50, 99)) > 0.25
    assert score_drift(np.arange(50, 100)) > 0.25
    assert score_drift([]) == 0


def test_what_became_of_each_grade():
    delivered = pd.DataFrame(
        {"lead_id": list("abcdef"), "grade": list("AABBDD"), "as_of": [0] * 6, "p_7d": [0.5, 0.4, 0.3, 0.2, 0.1, 0.0]}
    )
    converted_at = {"a": 0, "b": 7 * DAY, "c": 7 * DAY - 1, "d": -1, "zoe": 1}
    found = by_grade(delivered, converted_at, "7d", 7 * DAY)
    assert found.to_dict("list") == {
        "grade": ["A", "B", "D"],
        "leads": [2, 2, 2],
        "promised": [pytest.approx(0.9), pytest.approx(0.5), pytest.approx(0.1)],
        "happened": [1, 1, 0],
        "rate": [0.5, 0.5, 0.0],
    }
