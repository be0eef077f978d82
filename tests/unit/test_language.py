"""How numbers, moments and plurals are written; and the examples in docstrings, here and elsewhere, are true."""

from __future__ import annotations

import doctest
import importlib

import pytest

from conftest import ROOT
from leadscore.language import choose, day, length, minute, number
from leadscore.timeline import HOUR, parse_moment

SOURCES = ROOT / "src"
# Imported here, for what they import in turn may draw at random.
EXAMPLES = [
    importlib.import_module(".".join(path.relative_to(SOURCES).with_suffix("").parts))
    for path in sorted(SOURCES.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", EXAMPLES, ids=lambda module: module.__name__)
def test_the_examples_of_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0


def test_moments_are_shown_in_the_zone_of_the_project():
    late = parse_moment("2026-03-28T23:30:00Z", "UTC")
    assert [day(late, language, "Europe/Paris") for language in ("en", "fr")] == ["29 March 2026", "29 mars 2026"]
    # An hour and a half later clocks have gone forward.
    assert minute(late + 2 * HOUR, "fr", "Europe/Paris") == "29 mars 2026, 03:30"
    assert minute(late, "en", "UTC") == "28 March 2026, 23:30"


def test_numbers_nobody_reads_to_the_end_are_cut():
    assert [number(value, "fr", 2) for value in (1e15, -2.5e17, float("inf"))] == ["1e+15", "-2.5e+17", "inf"]
    assert number(999_999.996, "fr", 2) == "1\u202f000\u202f000"


def test_a_day_is_a_day_from_what_rounds_to_24_hours():
    assert [length(days, "en") for days in (0, 0.02, 0.03, 0.97, 0.99, 1.5, 1234)] == [
        "less than an hour", "less than an hour", "1 hour", "23 hours", "1 day", "2 days", "1,234 days",
    ]  # fmt: skip


def test_french_counts_below_two_as_one_and_millions_as_many():
    forms = {"one": "appel", "other": "appels"}
    assert [choose(forms, n, "fr") for n in (0, 1, 1.5, 2, 1e6)] == ["appel"] * 3 + ["appels"] * 2
    assert [choose(forms, n, "en") for n in (0, 1, 1.5)] == ["appels", "appel", "appels"]
    assert choose("appel", 7, "fr") == "appel"
