"""Where there is nothing to find, nothing is found: outcomes dealt out anew among leads leave no ranking."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from leadscore.model.backtest import tabulate
from leadscore.model.learn import judge_origin
from leadscore.model.shape import SHAPES
from leadscore.model.split import Split
from leadscore.timeline import DAY
from world import FUNNEL, START, bucket, config, day

SETTINGS = config(**FUNNEL)
ORIGIN, SEEN_FROM = day("42"), day("56")
LEADS = 480
DEALS = 4


@cache
def _company():
    """Leads that all come on the first day, so that on no day is one older than another; who calls, converts.

    Rows of leads and interactions, and when each lead converts: days since the first, or never.
    """
    chance = np.random.default_rng(3)
    leads, interactions, won = [], [], []
    for number in range(LEADS):
        lead, keen = f"lead-{number:03}", number % 3 == 0
        leads.append({"lead_id": lead, "created_at": START, "attributes": {"size": str(int(chance.integers(1, 500)))}})
        days = float(chance.exponential(60 if keen else 600))
        won.append(days if days < 56 else None)
        times = np.sort(chance.uniform(0, days, chance.poisson(days / 4)))
        for time in (times[times < 42] * DAY).astype(np.int64).tolist():
            kind = "call" if keen and chance.random() < 0.6 else "mail"
            interactions.append({"lead_id": lead, "occurred_at": START + time, "kind": kind})
    return leads, interactions, won


def _judged(deal):
    """One cohort of one day, judged by everything that was fitted a moment before; its leads are this deal's own."""
    leads, interactions, won = _company()
    if deal:
        won = [won[place] for place in np.random.default_rng(deal).permutation(LEADS)]
    outcomes = [
        {"lead_id": lead["lead_id"], "occurred_at": START + int(days * DAY), "outcome": "won"}
        for lead, days in zip(leads, won, strict=True)
        if days is not None
    ]

    def read(before):
        tables = zip((leads, interactions, outcomes), ("created_at", "occurred_at", "occurred_at"), strict=True)
        yield bucket(*([row for row in rows if row[at] < before] for rows, at in tables))

    cohort = judge_origin(read, SETTINGS, Split(ORIGIN, np.array([ORIGIN])), SEEN_FROM)
    return replace(cohort, lead_id=[f"{deal} {lead}" for lead in cohort.lead_id])


def _figures(*deals):
    cohorts = [_judged(deal) for deal in deals]
    # The table tells of a model; here all that was fitted is one.
    named = [replace(cohort, chances={"model": cohort.chances["hazard"], **cohort.chances}) for cohort in cohorts]
    return tabulate(named, SETTINGS.horizon_names, None, seed=1)["horizons"]["14d"]


@pytest.mark.slow
def test_shuffled_outcomes_leave_no_ranking_and_true_ones_do():
    true, dealt = _figures(0), _figures(*range(1, 1 + DEALS))
    assert set(SHAPES) < set(dealt)
    for name, figures in dealt.items():
        low, high = figures["intervals"]["auc"]
        assert name not in SHAPES or low <= 0.5 <= high, name
        # Of five baselines some miss nine in ten by chance; twice as wide noise leaves in one of hundreds of tables.
        assert abs(figures["auc"] - 0.5) < high - low, name
        assert high - low < 0.13, name  # and narrow enough to tell
        low, _ = true[name]["intervals"]["auc"]
        assert name not in SHAPES or low > 0.58, name
