"""Lots: even, and settled by seed, lead and moment alone."""

from __future__ import annotations

import numpy as np
import pytest

from leadscore.model.lots import HIGHEST, draw_lots, number_leads
from leadscore.timeline import DAY

LEADS = [f"lead {number}" for number in range(400)]


def _shares(seed=1):
    """A lot per lead and day, from 0 to 1: one row per lead."""
    numbers, days = number_leads(LEADS, seed), DAY * np.arange(50)
    return (draw_lots(np.repeat(numbers, 50), np.tile(days, 400)) / HIGHEST).reshape(400, 50)


def test_numbers_are_mixed_as_published():
    """The first number of splitmix64 from state 0 (Steele, Lea & Flood 2014): a lot mixes twice, by lead and moment."""
    first = np.array([0xE220A8397B1DCDAF], np.uint64)
    assert draw_lots(first, np.zeros(1, np.int64)).tolist() == first.tolist()


def test_a_lot_depends_on_no_other_lead_and_no_order():
    shares = _shares()
    some, days = np.array([7, 300, 2]), DAY * np.array([49, 3, 3])
    alone = draw_lots(number_leads([LEADS[k] for k in some], 1), days) / HIGHEST
    assert alone.tolist() == shares[some, days // DAY].tolist()
    assert not np.isclose(_shares(seed=2), shares, rtol=0, atol=1e-9).any()


@pytest.mark.parametrize("of", ["all", "a lead's", "a day's"])
def test_lots_are_even(of):
    """Of every row and column, too: 400 or 50 even draws have a mean within four of its sd of a half."""
    shares = _shares()
    axis = {"all": None, "a lead's": 1, "a day's": 0}[of]
    number = shares.size if axis is None else shares.shape[axis]
    assert np.abs(shares.mean(axis=axis) - 0.5).max() < 4 / np.sqrt(12 * number)
    if of == "all":
        tenths = np.bincount((shares * 10).astype(int).ravel(), minlength=10)
        assert np.abs(tenths - shares.size / 10).max() < 4 * np.sqrt(shares.size * 0.09)
