from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace

import pytest

from accounts import account_of
from bundles import tiny_bundle
from leadscore.config import Config
from leadscore.registry.card import write_card
from leadscore.registry.registered import described

CONFIG = Config.model_validate(
    {
        "project": "tiny",
        "sources": {
            "leads": {"files": "a", "columns": {"lead_id": "i", "created_at": "c"}},
            "interactions": {"files": "b", "columns": {"lead_id": "i", "occurred_at": "t", "kind": "k"}},
        },
        "outcomes": {"converted": "won"},
        "at_risk": {"max_age": "400d"},
        "guard": {"allow": ["Employees"]},
    }
)
FACTS = {
    "rows": 300,
    "thinned_from": 1200.0,
    "converted_leads": 41,
    "features": 36,
    "families_off": {"echo": "no source_id"},
    "shape": {"shape": "per_horizon", "why": "judged", "difference": -0.0004, "sd": 0.0001},
    "calibration": {"method": "beta", "kept": True},
    "leaks": [
        {"name": "status", "evidence": "status alone has an AUC of .98."},
        {"name": "Employees", "evidence": "Employees comes late."},
    ],
}
BEATEN = {"horizon": "30d", "metric": "log_loss", "by": "recency", "difference": 0.0123, "interval": [0.004, 0.02]}


def told_of(bundle, beaten):
    told = deepcopy(account_of(bundle).told)
    return {**told, "beaten": beaten}


@pytest.fixture(scope="module")
def bundle():
    return replace(tiny_bundle(), facts=FACTS)


def write(bundle, told=None):
    return write_card(bundle, CONFIG, told_of(bundle, [BEATEN]) if told is None else told, "leads@3")


def test_a_card_says_first_where_a_baseline_wins_then_each_figure_with_its_interval(bundle):
    card = write(bundle)
    quality = card[card.index("## How good") :].splitlines()
    assert quality[2] == "**Beaten**: within 30d, recency has the better log-loss, by 0.0123 [0.004, 0.02]."
    own = told_of(bundle, [])["horizons"]["30d"]["model"]
    low, high = own["intervals"]["auc"]
    assert f"| model | {own['auc']:.3f} [{low:.3g}, {high:.3g}] |" in card
    assert "No baseline beats it beyond noise." in write(bundle, told_of(bundle, []))


def test_a_card_says_what_it_was_made_of_and_how(bundle):
    card = write(bundle)
    assert card.startswith(f"# tiny, model {bundle.version}\n")
    for told in (
        "Trained as of 2024-10-04T00:00:00Z",
        "ranked by 30d",
        "Store: leads@3.",
        "300 snapshots, thinned from 1,200, every 1d over the 365d before, with 41 converted leads",
        "Family echo is off: no source_id.",
        "a classifier per horizon, repaired",
        "-0.00040 ± 0.00010",
        "Calibration: beta.",
        "2 members",
        "- status: status alone has an AUC of .98.\n",
        "- Employees: Employees comes late. Allowed by name.",
        "older than 400d",
    ):
        assert told in card


def test_a_card_says_what_it_is_not_for_and_how_much_is_unknowable(bundle):
    card = write(replace(bundle, facts={**FACTS, "known": {"high": 0.6, "unknowable": 0.4}}))
    assert re.search(r"## Not for\n\n- Decisions about people.*credit", card)
    assert "Of the newest cohort: 60 % high, 40 % unknowable." in card


def test_what_was_not_judged_has_no_figures(bundle):
    card = write(replace(bundle, facts={**FACTS, "shape": {"shape": "hazard", "why": "configured"}}), told={})
    assert "Not judged" in card
    assert "| horizon |" not in card
    assert "That shape: configured." in card


def test_a_long_card_ends_at_a_line_and_says_where_it_goes_on():
    card = "".join(f"line {number}\n" for number in range(1000))
    short = described(card)
    assert len(short) <= 5000
    head, _, tail = short.partition("\n\n… ")
    assert card.startswith(head + "\n")
    assert "model_card.md" in tail
    assert described("short") == "short"
