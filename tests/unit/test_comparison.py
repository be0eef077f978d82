from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from leadscore.comparison import measure_difference, pair
from leadscore.model.backtest import Cohort
from leadscore.model.evaluate import judge
from leadscore.registry.judged import pseudonym, tell_judged
from leadscore.timeline import DAY, parse_moment

HORIZONS = ["7d", "14d"]


def table(drawn):
    """Read lines of: origin, lead, day looked at, horizon, whether it hit, and the chance."""
    lines = [line.split() for line in drawn.strip().splitlines()]
    moments = [[parse_moment(line[number], "UTC") for line in lines] for number in (0, 2)]
    moment = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "origin": pa.array(moments[0]).cast(moment),
            "lead": [line[1] for line in lines],
            "as_of": pa.array(moments[1]).cast(moment),
            "horizon": [line[3] for line in lines],
            "hit": [line[4] == "hit" for line in lines],
            "p_model": pa.array([float(line[5]) for line in lines], pa.float32()),
        }
    )


A = """
2026-01-01 ann 2026-01-03  7d hit .5
2026-01-01 ann 2026-01-03 14d hit .6
2026-01-01 bob 2026-01-03  7d -   .1
2026-01-01 bob 2026-02-03  7d -   .2
2026-02-01 bob 2026-02-03  7d -   .3
2026-02-01 cyd 2026-02-03  7d hit .4
2026-02-01 dee 2026-02-03  7d -   .4
"""
B = """
2026-01-01 ann 2026-01-03  7d hit .7
2026-01-01 bob 2026-01-03  7d -   .8
2026-01-15 bob 2026-02-03  7d -   .9
2026-01-15 cyd 2026-02-03  7d -   .9
2026-01-15 eve 2026-02-03  7d hit .9
"""


def test_common_rows_meet_each_as_its_newest_model_said_it():
    paired = pair(table(A), table(B))
    assert paired.horizons == ["7d"]
    assert (paired.rows, paired.leads, paired.disagreed) == (3, 2, 1)  # of cyd they disagree
    found = [
        (cohort.origin, lead, int(cohort.as_of[row]), bool(cohort.hits[row, 0]), *_both(cohort, row))
        for cohort in paired.cohorts
        for row, lead in enumerate(cohort.lead_id)
    ]
    january, february = (parse_moment(f"2026-0{month}-01", "UTC") for month in (1, 2))
    assert found == [
        (january, "ann", january + 2 * DAY, True, 0.5, 0.7),
        (january, "bob", january + 2 * DAY, False, 0.1, 0.8),
        (february, "bob", february + 2 * DAY, False, 0.3, 0.9),  # of two origins of A the newest
    ]


def _both(cohort, row):
    return tuple(round(float(cohort.chances[name][row, 0]), 6) for name in ("a", "b"))


def test_a_group_that_hardly_converted_does_not_count_as_much_as_one_that_did():
    """Three pairs of origins: of 10 and of 9 conversions within the week, and of 2; of 2 within two weeks in one."""

    converted = (("7d", 1, 10), ("7d", 2, 9), ("7d", 3, 2), ("14d", 2, 2))  # horizon, group, how many of twenty

    def run(origins, rank):
        lines = [
            f"{origins[group - 1]} lead-{group}-{n} 2026-03-0{group} {horizon} {'hit' if n < hits else '-'} {rank(n)}"
            for horizon, group, hits in converted
            for n in range(20)
        ]
        return table("\n".join(lines))

    one = run(["2026-01-01", "2026-02-01", "2026-02-01"], lambda n: 0.9 - n / 100)
    other = run(["2026-01-01", "2026-01-01", "2026-02-01"], lambda n: 0.1 + n / 100)
    paired = pair(one, other)
    assert [cohort.matured.sum(axis=0).tolist() for cohort in paired.cohorts] == [[20, 0], [0, 20]]
    assert (paired.rows, paired.leads, paired.sparse, paired.disagreed) == (40, 40, 40, 0)
    (line, *_) = measure_difference(paired, None, 1)
    assert (line.metric, line.a, line.b) == ("auc", 1, 0)


def test_nothing_in_common_is_nothing():
    assert pair(table(A), table(B.replace("2026-0", "2025-0"))).cohorts == []
    assert pair(table(A), table(B.replace("7d", "30d"))).cohorts == []


@pytest.fixture(scope="module")
def judged():
    """Two runs over the same 600 leads, twice each; the second says a little more of the truth, in twice the noise."""
    chance = np.random.default_rng(5)
    truth = chance.normal(size=600)
    leads = [f"lead {number % 300}" for number in range(600)]
    hits = chance.random((600, 2)) < 1 / (1 + np.exp(1.5 - 2 * truth[:, None]))
    as_of = 20_000 * DAY + np.repeat([0, 7 * DAY], 300)
    matured = np.ones_like(hits)
    said = {"blunt": 0.3, "sharp": 1.7}
    tables = {}
    for name, slope in said.items():
        p = 1 / (1 + np.exp(1.5 - slope * truth - chance.normal(size=600) * (name == "blunt")))
        cohort = Cohort(20_000 * DAY, leads, as_of, hits, matured, {"model": np.stack([p, p], axis=1)})
        tables[name] = (cohort, tell_judged([cohort], HORIZONS, "tiny"))
    return tables


def test_a_difference_is_b_minus_a_on_the_common_rows_and_says_who_wins(judged):
    blunt, sharp = judged["blunt"][1], judged["sharp"][1]
    paired = pair(blunt, sharp.filter(pa.array(np.arange(len(sharp)) % 3 > 0)))
    assert paired.rows == 800
    lines = {(line.horizon, line.metric): line for line in measure_difference(paired, None, 1)}
    assert {horizon for horizon, _ in lines} == set(HORIZONS)
    for name, wanted in {"auc": 1, "average_precision": 1, "log_loss": -1, "brier": -1}.items():
        line = lines["7d", name]
        assert (line.verdict, line.winner) == ("better", "B")
        assert line.difference == pytest.approx(line.b - line.a)
        low, high = line.interval
        assert low < line.difference < high
        assert wanted * low > 0 < wanted * high
        assert line.sd > 0
    swapped = {(line.horizon, line.metric): line for line in measure_difference(pair(sharp, blunt), None, 1)}
    assert (swapped["7d", "log_loss"].verdict, swapped["7d", "log_loss"].winner) == ("worse", "A")


def test_figures_are_those_of_the_cohort_and_a_run_against_itself_is_noise(judged):
    cohort, rows = judged["sharp"]
    lines = {(line.horizon, line.metric): line for line in measure_difference(pair(rows, rows), None, 1)}
    # Chances are kept as single floats.
    expected = judge(cohort.hits[:, 1], cohort.chances["model"][:, 1], cohort.as_of, None)
    assert lines["14d", "log_loss"].a == pytest.approx(expected["log_loss"], rel=1e-6)
    for line in lines.values():
        assert (line.a, line.difference, line.interval, line.verdict) == (line.b, 0, (0, 0), "noise")


def test_accounts_go_with_what_was_judged_and_are_drawn(judged):
    cohort, alone = judged["sharp"]
    accounts = [None if number % 4 else f"acme {number % 60}" for number in range(600)]
    rows = tell_judged([replace(cohort, account_id=accounts)], HORIZONS, "tiny")
    assert "account" not in alone.column_names
    told = {None if account is None else pseudonym("tiny", account) for account in accounts}
    assert set(rows["account"].to_pylist()) == told
    leads = [pseudonym("tiny", lead) for lead in cohort.lead_id]
    named = {lead: account and pseudonym("tiny", account) for lead, account in zip(leads, accounts, strict=True)}
    for a, b in ((alone, rows), (rows, alone), (rows, rows)):  # a run of before had none
        (found,) = pair(a, b).cohorts
        assert dict(zip(found.lead_id, found.account_id, strict=True)) == named
    assert set(pair(alone, alone).cohorts[0].units) == set(leads)


def test_a_pseudonym_stays_within_a_project_and_is_none_elsewhere():
    one = pseudonym("tiny", "ann")
    assert one == pseudonym("tiny", "ann")
    assert len({one, pseudonym("tiny", "bob"), pseudonym("other", "ann")}) == 3
    assert len(one) == 16
