"""The true daily hazard: what makes a lead of the simulated company convert.

logit h = base + profile + A_T log(1 + T) + A_D D + A_C log(1 + C) - A_P log(1 + P) + A_DT [D >= 3] log(1 + T)

on working days, and h = 0 on Saturdays and Sundays. T, D, C and P are settled by the interactions of earlier days
alone (days of UTC), so the truth is a function of what anybody could have observed:

* T, temperature: each inbound interaction adds the weight of its kind, and loses half of it in `HALF_LIFE` days;
* D, depth: from 0 to 4; a day that touches layer D + 1 takes it one layer deeper, at most one layer a day;
* C, colleagues: the sum of the temperatures of the other leads of the account;
* P, unanswered push: outbound interactions since the last day with an inbound one, halved in `PUSH_HALF_LIFE` days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HALF_LIFE = 10
PUSH_HALF_LIFE = 20
DEEPEST = 4
SATURDAY = 5

BASE = -10.2
DRIFT = -0.5  # added to the base from the day of the drift on
A_T, A_D, A_C, A_P, A_DT = 1.0, 0.6, 0.35, 0.5, 0.3
KNOWS_ENOUGH = 3  # the depth from which temperature counts more

# What the recorded profile adds; an attribute that is missing or not listed adds nothing.
PROFILE: Mapping[str, Mapping[str, float]] = {
    "industry": {
        "software": 0.45,
        "finance": 0.5,
        "manufacturing": 0.2,
        "retail": -0.3,
        "education": -0.5,
        "public sector": -0.6,
    },
    "country": {"FR": 0.2, "GB": -0.15, "ES": -0.2},
    "job_role": {"executive": 0.6, "buyer": 0.45, "manager": 0.3, "assistant": -0.4, "student": -2.0},
    "lead_source": {"referral": 0.5, "website": 0.15, "outbound list": -0.5},
}
# Companies of the middle buy most readily: from this many employees on, this is added.
BY_SIZE = ((1, -0.5), (50, 0.15), (250, 0.55), (2000, -0.15))


@dataclass
class Warmth:
    """T, D and P of every lead, as of the start of a day; arrays of one length."""

    temperature: Floats
    depth: Ints
    pressure: Floats

    @classmethod
    def cold(cls, leads: int) -> Warmth:
        """Nobody has done anything yet."""
        return cls(np.zeros(leads), np.zeros(leads, np.int64), np.zeros(leads))

    def end_day(self, warmed: Floats, answered: Bools, pushed: Ints, layers: Ints) -> None:
        """Take in what a day has brought to each lead.

        `warmed` is the sum of the weights of the inbound interactions, `answered` whether there was one, `pushed`
        the number of outbound ones, `layers` the layers touched as a bit set (bit 1 is layer 1).
        """
        self.temperature = (self.temperature + warmed) * 0.5 ** (1 / HALF_LIFE)
        self.depth += (layers >> np.minimum(self.depth + 1, DEEPEST + 1)) & 1
        self.pressure = np.where(answered, 0.0, (self.pressure + pushed) * 0.5 ** (1 / PUSH_HALF_LIFE))

    def of_colleagues(self, account: Ints) -> Floats:
        """Sum the temperatures of the other leads of each lead's account (an integer per lead)."""
        total = np.bincount(account, weights=self.temperature)[account]
        # The difference of two rounded sums may come out a hair below nothing.
        return np.maximum(total - self.temperature, 0.0)


def daily_hazard(base: float, profile: Floats, warmth: Warmth, colleagues: Floats, weekday: int) -> Floats:
    """Compute the chance of each lead to convert on a day (Monday is 0), given that it has not before."""
    if weekday >= SATURDAY:
        return np.zeros(len(profile))
    heat = np.log1p(warmth.temperature)
    logit = (
        base
        + profile
        + A_T * heat
        + A_D * warmth.depth
        + A_C * np.log1p(colleagues)
        - A_P * np.log1p(warmth.pressure)
        + A_DT * (warmth.depth >= KNOWS_ENOUGH) * heat
    )
    hazard: Floats = 1 / (1 + np.exp(-logit))
    return hazard
