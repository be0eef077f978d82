"""The two shapes of the curve: what each output learns, the curve it makes, and how much each output counts."""

from __future__ import annotations

import numpy as np
import pytest

from leadscore.labels import label
from leadscore.model.shape import SHAPES, curve, lessons, pull
from leadscore.timeline import DAY

# Outputs of five leads: rising, falling, level, likely, next to nothing.
MARGINS = np.array([[-3.0, -2, -1], [-1, -2, -3], [0, 0, 0], [1, 2, 3], [-30, -29, -31]])


def _chances(margins):
    return 1 / (1 + np.exp(-margins))


def test_a_hazard_makes_one_minus_the_product_of_survivals():
    hazards = np.array([[0.1, 0.2, 0.5], [1e-12, 1e-12, 1e-12]])
    found = curve(np.log(hazards / (1 - hazards)), "hazard")
    np.testing.assert_allclose(found[0], [0.1, 1 - 0.9 * 0.8, 1 - 0.9 * 0.8 * 0.5])
    np.testing.assert_allclose(found[1], [1e-12, 2e-12, 3e-12], rtol=1e-6)  # small chances stay exact


def test_a_classifier_per_horizon_is_lifted_to_the_shorter_ones():
    chances = np.array([[0.1, 0.3, 0.2], [0.5, 0.4, 0.6], [0.3, 0.2, 0.1]])
    found = curve(np.log(chances / (1 - chances)), "per_horizon")
    np.testing.assert_allclose(found, [[0.1, 0.3, 0.3], [0.5, 0.5, 0.6], [0.3, 0.3, 0.3]])


@pytest.mark.parametrize("shape", SHAPES)
def test_of_one_output_either_shape_is_its_chance(shape):
    np.testing.assert_allclose(curve(MARGINS[:, :1], shape), _chances(MARGINS[:, :1]), rtol=1e-12)
    np.testing.assert_array_equal(pull(MARGINS[:, :1], shape, 0), 1.0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("horizon", [0, 1, 2])
def test_the_pull_of_an_output_is_its_share_of_the_gradient(shape, horizon):
    """A small step of one output moves the logit of the chance by its weight times what all weights move it by."""
    margins, step = MARGINS + np.array([0, 1e-3, 2e-3]), 1e-6  # no two alike: the largest is one

    def logit(extra):
        chance = curve(margins + extra, shape)[:, horizon]
        return np.log(chance) - np.log1p(-chance)

    gradient = np.stack([logit(one) - logit(-one) for one in step * np.eye(3)], axis=1)
    found = pull(margins, shape, horizon)
    np.testing.assert_allclose(found, gradient / gradient.sum(axis=1, keepdims=True), atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert not found[:, horizon + 1 :].any()


def test_a_lead_followed_for_twenty_days_teaches_what_has_closed():
    # Three leads seen 20 days ago: converted on day 5, on day 16, not yet; horizons of 7, 14 and 30 days.
    never = 10**18
    labels = label(np.zeros(3, np.int64), np.array([5 * DAY, 16 * DAY, never]), DAY * np.array([7, 14, 30]), 20 * DAY)
    hits, taught = lessons(labels, "hazard")
    assert taught.tolist() == [[True, False, False], [True, True, False], [True, True, False]]
    assert (hits & taught).tolist() == [[True, False, False], [False] * 3, [False] * 3]
    hits, taught = lessons(labels, "per_horizon")
    assert taught.tolist() == [[True, True, False]] * 3  # who has converted teaches the longer horizons, too
    assert (hits & taught).tolist() == [[True, True, False], [False] * 3, [False] * 3]
