"""Whether a challenger becomes the champion."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from leadscore.monitoring.gate import compare

COHORT = {"from": "a", "to": "b", "rows": 9, "conversions": [1, 2, 3]}


def model(version="new", as_of=10, recipe="one", loss=0.3, cohort=COHORT):
    judged = {"14d": {"model": {"log_loss": loss}}} if cohort else {}
    facts = {"judged": judged, "judged_cohort": cohort}
    return SimpleNamespace(version=version, as_of=as_of, training_fingerprint=recipe, facts=facts)


OLD = {"version": "old", "as_of": 10}


@pytest.mark.parametrize(
    ("challenger", "champion", "promote", "why"),
    [
        (model(), None, True, "the first model"),
        (model(), model(), True, "the champion itself"),
        # the same recipe on newer data, however it was judged
        (model(as_of=11, loss=0.9), model(**OLD), True, "recipe on newer data"),
        (model(as_of=9), model(**OLD), False, "earlier moment"),
        # another recipe must win on the same cohort
        (model(recipe="two", loss=0.2), model(**OLD), True, "0.2000, below 0.3000"),
        (model(recipe="two", loss=0.3), model(**OLD), False, "0.3000, not below 0.3000"),
        (model(recipe="two", loss=0.4), model(**OLD), False, "not below"),
        (model(recipe="two", loss=0.2, cohort=COHORT | {"rows": 8}), model(**OLD), False, "no common cohort"),
        (model(recipe="two", cohort={}), model(**OLD, cohort={}), False, "no common cohort"),
        # a day later there is none: the recipe that makes the lists must not stay a challenger for ever
        (
            model(recipe="two", as_of=11, cohort=COHORT | {"to": "c"}),
            model(**OLD),
            True,
            "on newer data, and no common",
        ),
        (model(recipe="two", loss=float("nan")), model(**OLD), False, "too few conversions"),
        (model(recipe="two", loss=0.2), model(**OLD, loss=None), False, "too few conversions"),  # read from JSON
    ],
)
def test_the_gate(challenger, champion, promote, why):
    verdict = compare(challenger, champion, "14d")
    assert verdict.promote is promote
    assert why in verdict.why


def test_a_horizon_the_champion_was_not_judged_at_decides_nothing():
    assert not compare(model(recipe="two", loss=0.1), model(**OLD), "7d").promote
