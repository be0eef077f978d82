from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.dates import num2date
from scipy.stats import binomtest

from accounts import account_of, cohorts_of
from bundles import HORIZONS, tiny_bundle
from leadscore.model.evaluate import judge
from leadscore.model.importance import Influence
from leadscore.registry import plots
from leadscore.registry.plots.cohort import gain, wilson
from leadscore.timeline import parse_moment

NAMES = list(HORIZONS)


@pytest.fixture(scope="module")
def cohort():
    return cohorts_of(tiny_bundle())[-1]


@settings(deadline=None)  # the first one compiles
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=30))
def test_the_gain_curve_says_what_evaluation_measures(rows):
    hits = np.array([hit for hit, _ in rows] + [True, False])
    p = np.array([level / 4 for _, level in rows] + [0.5, 0.25])
    figures = judge(hits, p, np.zeros(len(p), dtype=np.int64), None)
    worked, found = gain(hits, p)
    assert np.interp(0.1, worked, found) == pytest.approx(figures["capture_at_10"])


@pytest.mark.parametrize(("hits", "number"), [(81, 263), (0, 20), (20, 20)])
def test_the_interval_of_a_share_is_wilsons(hits, number):
    low, high = wilson(np.array(hits / number), np.array(float(number)))
    known = binomtest(hits, number).proportion_ci(0.9, "wilson")
    assert (float(low), float(high)) == pytest.approx((known.low, known.high))


def test_pictures_show_only_horizons_with_something_to_show(cohort):
    matured = cohort.matured.copy()
    matured[:, 1:] = False
    first = replace(cohort, matured=matured)
    assert plots.gain_figure(first, NAMES, 1).axes[0].get_title(loc="left").startswith("Conversions within 14d")
    assert plots.lift_figure(first, NAMES, 1, seed=1).axes[0].get_title(loc="left").startswith("Lift within 14d")
    panels = plots.calibration_figure(first, NAMES).axes
    assert [axes.get_title(loc="left")[:10] for axes in panels] == ["within 14d"]
    nothing = replace(cohort, hits=np.zeros_like(cohort.hits))
    assert plots.gain_figure(nothing, NAMES, 1) is None
    assert plots.lift_figure(nothing, NAMES, 1, seed=1) is None
    assert plots.calibration_figure(nothing, NAMES) is None


def test_the_lift_of_ten_tenths_is_one_on_average_and_within_its_interval(cohort):
    axes = plots.lift_figure(cohort, NAMES, 1, seed=1).axes[0]
    bars = next(bar for bar in axes.containers if hasattr(bar, "patches"))
    heights = [bar.get_height() for bar in bars]
    assert np.mean(heights) == pytest.approx(1)
    hits = cohort.hits[:, 1]
    first = np.argsort(-cohort.chances["model"][:, 1], kind="stable")[: len(hits) // 10]
    assert heights[0] == pytest.approx(hits[first].mean() / hits.mean())
    ends = [segment[:, 1] for segment in bars.errorbar[2][0].get_segments()]
    assert all(low <= height <= high for (low, high), height in zip(ends, heights, strict=True))


def test_the_same_leads_seen_more_often_make_no_bar_shorter(cohort):
    def bars(of):
        axes = plots.calibration_figure(of, NAMES).axes[0]
        (container,) = [found for found in axes.containers if hasattr(found, "has_yerr")]
        return [float(np.ptp(segment[:, 1])) for segment in container[2][0].get_segments()]

    lone = replace(cohort, lead_id=[f"lead {number}" for number in range(len(cohort.lead_id))])
    often = replace(lone, lead_id=[f"lead {number // 4}" for number in range(len(cohort.lead_id))])
    assert np.mean(bars(often)) > np.mean(bars(lone))


def test_quality_is_drawn_at_each_origin_that_was_judged_with_its_interval():
    origins = account_of(tiny_bundle()).told["origins"]
    figure = plots.origins_figure(origins, "30d")
    model = {axes.get_title(loc="left")[:3]: _model_bars(axes) for axes in figure.axes}
    expected = [origin["horizons"]["30d"]["model"] for origin in origins]
    dates, values, ends = model["AUC"]
    assert dates == [parse_moment(origin["origin"], "UTC") for origin in origins]
    assert values == [figures["auc"] for figures in expected]
    assert ends == pytest.approx(np.array([figures["intervals"]["auc"] for figures in expected]))
    assert model["log"][1] == [figures["log_loss"] for figures in expected]
    silent = [{**origin, "horizons": {"30d": {"model": {"auc": np.nan}}}} for origin in origins]
    assert plots.origins_figure(silent, "30d") is None
    assert len(_model_bars(plots.origins_figure([origins[0], silent[1]], "30d").axes[0])[0]) == 1


def _model_bars(axes):
    (bars,) = [found for found in axes.containers if found.get_label() == "model"]
    line, _, (ends,) = bars
    dates = [int(num2date(day).timestamp()) * 1_000_000 for day in line.get_xdata()]
    return dates, line.get_ydata().tolist(), np.array([segment[:, 1] for segment in ends.get_segments()])


def test_concepts_come_in_the_order_of_what_they_do():
    influence = Influence(
        concepts=["first_touch", "depth", "noise"],
        increase=np.array([0.001, 0.003, 0.0]),
        sd=np.array([0.0001, 0.0001, 0.002]),
        contributions=np.array([[1.0, 0.5, 0.1], [-1.0, 0.5, -0.1], [1.0, -0.5, 0.1]]),
        place=np.array([[0.0, 1.0, np.nan], [0.5, 0.5, np.nan], [1.0, 0.0, np.nan]]),
    )
    importance = plots.importance_figure(influence, "30d").axes[0]
    assert [label.get_text() for label in importance.get_yticklabels()] == ["depth", "first touch", "noise"]
    assert [bar.get_width() for bar in importance.patches] == pytest.approx([3, 1, 0])
    assert importance.patches[0].get_facecolor() != importance.patches[2].get_facecolor()
    strip = plots.contributions_figure(influence, "30d").axes[0]
    labels = [label.get_text() for label in strip.get_yticklabels()]
    assert labels == ["first touch   ±1.00", "depth   ±0.50", "noise   ±0.10"]
    pushes = np.concatenate([points.get_offsets()[:, 0] for points in strip.collections])
    assert sorted(pushes) == sorted(influence.contributions.ravel())
