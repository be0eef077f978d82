"""The backtest's table: means over origins, intervals of leads drawn anew, and who beats the model."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import expit

from leadscore.model.backtest import Cohort, compare, paired_log_loss, summarise, tabulate
from leadscore.model.evaluate import METRICS, judge
from leadscore.model.resample import draw_leads
from leadscore.timeline import parse_moment

HORIZONS = ("7d", "30d")
SEED = 3


def cohort(lead_id, hits, matured=None, as_of=None, segments=None, origin=0, account_id=(), **chances):
    """One value per snapshot, or a row of one per horizon."""

    def wide(values, dtype):
        columns = np.asarray(values, dtype)
        return columns if columns.ndim == 2 else np.repeat(columns[:, None], 2, axis=1)

    rows = len(lead_id)
    return Cohort(
        origin,
        list(lead_id),
        np.zeros(rows, np.int64) if as_of is None else np.array(as_of, np.int64),
        wide(hits, bool),
        wide(np.ones(rows) if matured is None else matured, bool),
        {name: wide(p, float) for name, p in chances.items()},
        segments or {},
        account_id=account_id,
    )


def drawn_world(seed, leads=40, rows=90, **blur):
    """Several snapshots of most leads; each model knows the truth but for noise of its own."""
    chance = np.random.default_rng(seed)
    who = chance.integers(leads, size=rows)
    truth = chance.normal(-0.5, 1.5, leads)[who][:, None] + np.array([0, 0.7])
    told = {name: expit(truth + chance.normal(0, sd, (rows, 1))) for name, sd in blur.items()}
    hits = chance.random((rows, 1)) < expit(truth)
    matured = np.stack([np.ones(rows), chance.random(rows) < 0.8], axis=1)
    return cohort([f"lead-{k:03}" for k in who], hits, matured, chance.integers(0, 3, rows), **told)


@cache
def two_origins():
    """Many leads are in both cohorts."""
    return [drawn_world(seed, model=0.3, recency=1.5, points=4) for seed in (1, 2)]


def test_figures_of_cohorts_are_averaged_and_counts_added_up():
    p = [0.9, 0.8, 0.7, 0.6]
    some, none = cohort("abcd", [1, 0, 1, 0], model=p), cohort("abc", [0, 0, 0], model=p[:3])
    other = cohort("abcd", [0, 1, 1, 0], model=p)
    found = summarise([some, none, other], HORIZONS, 1)["30d"]["model"]
    assert (found["rows"], found["conversions"]) == (11, 4)
    # Without a conversion a cohort has no figures, but it has rows, and a rate.
    assert found["auc"] == pytest.approx((3 / 4 + 2 / 4) / 2)
    assert found["base_rate"] == pytest.approx((0.5 + 0 + 0.5) / 3)
    assert summarise([], HORIZONS, 1) == {"7d": {}, "30d": {}}


def test_only_matured_rows_are_judged():
    matured = [[1, 1], [1, 1], [1, 0], [1, 1]]
    found = summarise([cohort("abcd", [1, 0, 1, 0], matured, model=[0.9, 0.8, 0.1, 0.6])], HORIZONS, 1)
    assert (found["7d"]["model"]["rows"], found["30d"]["model"]["rows"]) == (4, 3)
    assert (found["7d"]["model"]["auc"], found["30d"]["model"]["auc"]) == (0.5, 1)


def by_hand(cohorts, name, horizon, draws):
    """Per metric, the mean over origins under each draw of leads, the table itself first; rows are repeated."""
    leads = sorted({lead for own in cohorts for lead in own.lead_id})
    means = []
    for times in np.concatenate([np.ones((1, len(leads)), int), draw_leads(len(leads), draws, SEED)]):
        origins = []
        for own in cohorts:
            rows = np.flatnonzero(own.matured[:, horizon])
            rows = np.repeat(rows, [times[leads.index(own.lead_id[row])] for row in rows])
            origins.append(judge(own.hits[rows, horizon], own.chances[name][rows, horizon], own.as_of[rows], 4))
        means.append([np.nanmean([figures[metric] for figures in origins]) for metric in METRICS])
    return dict(zip(METRICS, np.array(means).T, strict=True))


def test_leads_are_drawn_with_all_their_snapshots_at_all_origins():
    found = tabulate(two_origins(), HORIZONS, 4, SEED, draws=30)
    compared = compare(two_origins(), "model", "recency", HORIZONS, 4, SEED, draws=30)
    assert (found["draws"], found["leads"], found["level"]) == (30, 40, 0.9)
    for number, horizon in enumerate(HORIZONS):
        model, recency = (by_hand(two_origins(), name, number, 30) for name in ("model", "recency"))
        told = found["horizons"][horizon]["model"]
        for metric in set(METRICS) - {"ece"}:
            assert told[metric] == pytest.approx(model[metric][0])
            assert told["intervals"][metric] == pytest.approx(np.percentile(model[metric][1:], [5, 95]))
            difference = model[metric] - recency[metric]
            line = compared[horizon][metric]
            assert line["difference"] == pytest.approx(difference[0]) == pytest.approx(line["one"] - line["other"])
            assert line["interval"] == pytest.approx(np.percentile(difference[1:], [5, 95]))
            assert line["sd"] == pytest.approx(difference[1:].std())
            assert line["noise"] == (line["interval"][0] <= 0 <= line["interval"][1])
    assert {line["noise"] for each in compared.values() for line in each.values()} == {True, False}


def test_the_log_loss_of_all_horizons_and_its_noise():
    differences = [
        by_hand(two_origins(), "model", number, 25)["log_loss"]
        - by_hand(two_origins(), "points", number, 25)["log_loss"]
        for number in range(2)
    ]
    difference = np.mean(differences, axis=0)
    found = paired_log_loss(two_origins(), "model", "points", SEED, draws=25)
    assert found == pytest.approx((difference[0], difference[1:].std()))
    assert found[0] < -3 * found[1]
    assert paired_log_loss(two_origins(), "model", "model", SEED, draws=25) == (0, 0)
    nobody = cohort("ab", [0, 0], model=[0.1, 0.2], points=[0.2, 0.1])
    assert paired_log_loss([*two_origins(), nobody], "model", "points", SEED, 2)[0] == pytest.approx(found[0])
    assert np.isnan(paired_log_loss([nobody], "model", "points", SEED, 2)).all()


@pytest.mark.parametrize("double", ["the lead again", "another lead of its account"])
def test_to_look_at_a_lead_twice_as_often_makes_nothing_surer(double):
    once = drawn_world(5, model=0.5)
    other = double.startswith("another")
    twice = cohort(
        [*once.lead_id, *(f"{lead}{' too' if other else ''}" for lead in once.lead_id)],
        *(np.tile(table, (2, 1)) for table in (once.hits, once.matured)),
        np.tile(once.as_of, 2),
        model=np.tile(once.chances["model"], (2, 1)),
        account_id=[*once.lead_id] * 2 if other else (),
    )
    alone, again = (tabulate([own], HORIZONS, None, SEED) for own in (once, twice))
    figures, others = (told["horizons"]["7d"]["model"]["intervals"] for told in (alone, again))
    assert others == {metric: pytest.approx(bounds) for metric, bounds in figures.items()}
    leads = alone["leads"]
    assert alone["drawn"] == {"unit": "leads", "number": leads}
    assert (again["leads"], again["drawn"]) == (
        leads * (1 + other), {"unit": "accounts" if other else "leads", "number": leads}
    )  # fmt: skip


def test_a_lead_without_an_account_is_drawn_by_itself():
    own = drawn_world(5, model=0.5, recency=1)
    accounts = [f"acme {lead[-1]}" if lead[-1] < "5" else None for lead in own.lead_id]
    named = [f"account {account}" if account else lead for lead, account in zip(own.lead_id, accounts, strict=True)]
    apart, drawn = (replace(own, **given) for given in ({"lead_id": named}, {"account_id": accounts}))
    found, expected = (paired_log_loss([each], "model", "recency", SEED) for each in (drawn, apart))
    assert found == expected != paired_log_loss([own], "model", "recency", SEED)
    assert compare([drawn], "model", "recency", HORIZONS, 4, SEED) == compare(
        [apart], "model", "recency", HORIZONS, 4, SEED
    )


def test_an_interval_is_as_wide_as_theory_says():
    """One snapshot per lead: the log-loss is a plain mean, and 90 % of its normal law lie within 1.645 sd."""
    one = drawn_world(6, leads=3000, rows=3000, model=0.2)
    one = cohort([f"lead-{k}" for k in range(3000)], one.hits, model=one.chances["model"])
    losses = -np.log(np.where(one.hits, one.chances["model"], 1 - one.chances["model"]))[:, 0]
    found = tabulate([one], HORIZONS, None, SEED, draws=600)["horizons"]["7d"]["model"]["intervals"]["log_loss"]
    half = 1.645 * losses.std() / np.sqrt(3000)
    assert found == pytest.approx([losses.mean() - half, losses.mean() + half], abs=0.2 * half)


def test_the_calibration_error_lies_within_its_interval():
    found = tabulate([drawn_world(7, leads=2000, rows=2000, model=0.1)], HORIZONS, None, SEED)["horizons"]["7d"][
        "model"
    ]
    low, high = found["intervals"]["ece"]
    assert 0 <= low < found["ece"] < high


def test_who_beats_the_model_beyond_the_interval_is_named():
    worlds = [drawn_world(seed, 300, 600, model=1.2, twin=1.2, better=0.05, worse=3, oracle=0) for seed in (8, 9)]
    found = tabulate(worlds, HORIZONS, None, SEED, draws=100)
    assert {line["by"] for line in found["beaten"]} == {"better"}
    lines = {line["metric"]: line for line in found["beaten"] if line["horizon"] == "7d"}
    assert {"auc", "log_loss"} <= set(lines)
    figures = found["horizons"]["7d"]
    for metric, line in lines.items():
        assert line["difference"] == pytest.approx(figures["model"][metric] - figures["better"][metric])
        assert line["interval"][0] < line["difference"] < line["interval"][1]
    assert lines["auc"]["interval"][1] < 0 < lines["log_loss"]["interval"][0]


def test_each_origin_has_its_own_figures():
    found = tabulate(two_origins(), HORIZONS, 4, SEED, draws=10)
    assert [line["origin"] for line in found["origins"]] == ["1970-01-01T00:00:00Z"] * 2
    for line, own in zip(found["origins"], two_origins(), strict=True):
        alone = summarise([own], HORIZONS, 4)["7d"]
        assert line["rows"] == 90
        assert {name: told["auc"] for name, told in line["horizons"]["7d"].items()} == {
            name: figures["auc"] for name, figures in alone.items()
        }
        low, high = line["horizons"]["7d"]["model"]["intervals"]["auc"]
        assert low < alone["model"]["auc"] < high
    assert json.loads(json.dumps(found)) == found


def test_a_baseline_that_one_origin_lacks_is_judged_at_the_other():
    one, other = two_origins()
    late = Cohort(0, other.lead_id, other.as_of, other.hits, other.matured, {"model": other.chances["model"]})
    found = tabulate([one, late], HORIZONS, 4, SEED, draws=10)["horizons"]["7d"]
    alone = summarise([one], HORIZONS, 4)["7d"]
    assert found["points"]["auc"] == alone["points"]["auc"]
    assert found["model"]["auc"] != alone["model"]["auc"]


def test_segments_are_judged_where_enough_converted():
    one = drawn_world(10, leads=60, rows=200, model=0.3)
    country = np.array(["FR", "DE", "FR", "", "FR"] * 40)
    rare = one.hits[:, 0] & (country == "DE") & (np.arange(200) > 30)
    country[rare] = "FR"
    one = cohort(one.lead_id, one.hits, one.matured, model=one.chances["model"], segments={"country": country.tolist()})
    plain = drawn_world(11, leads=60, rows=50, model=0.3)
    found = [
        line for line in tabulate([one, plain], HORIZONS, 4, SEED, draws=40)["segments"] if line["horizon"] == "7d"
    ]
    assert [(line["segment"], line["value"], line["judged"]) for line in found] == [
        ("country", "FR", True),
        ("country", "", True),
        ("country", "DE", False),
    ]
    few = country == "DE"
    assert (found[2]["rows"], found[2]["conversions"]) == (few.sum(), one.hits[few, 0].sum())
    assert 0 < found[2]["conversions"] < 10
    assert set(found[2]) == {"segment", "value", "horizon", "rows", "conversions", "judged"}
    rows = country == "FR"
    expected = judge(one.hits[rows, 0], one.chances["model"][rows, 0], one.as_of[rows], None)
    assert {name: found[0][name] for name in ("rows", "auc", "log_loss")} == pytest.approx(
        {name: expected[name] for name in ("rows", "auc", "log_loss")}
    )
    assert all(low < found[0][name] < high for name, (low, high) in found[0]["intervals"].items())


def test_rare_values_of_a_segment_are_taken_together():
    values = ["x", "x", *(f"value-{k}" for k in range(98))]
    one = cohort([str(k) for k in range(100)], [0, 1] * 50, model=np.linspace(0.1, 0.9, 100), segments={"page": values})
    found = [line for line in tabulate([one], HORIZONS, 4, SEED, draws=2)["segments"] if line["horizon"] == "7d"]
    assert len(found) == 51
    assert (found[0]["value"], found[0]["rows"]) == ("x", 2)
    assert (found[-1]["value"], found[-1]["rows"], found[-1]["judged"]) == ("(others)", 49, True)


def test_months_are_those_of_the_project_and_say_what_was_promised():
    as_of = [parse_moment(text, "UTC") for text in ("2024-01-31T22:30", "2024-01-31T23:30", "2024-02-01", "2024-02-29")]
    one = cohort("abcd", [1, 0, 1, 0], [[1, 1], [1, 1], [1, 0], [1, 1]], as_of, model=[0.5, 0.2, 0.3, 0.1])
    found = tabulate([one], HORIZONS, 4, SEED, draws=20, time_zone="Europe/Paris")["months"]
    told = [(line["horizon"], line["month"], line["rows"], line["promised"], line["happened"]) for line in found]
    assert told == [
        ("7d", "2024-01", 1, 0.5, 1),
        ("7d", "2024-02", 3, pytest.approx(0.2), pytest.approx(1 / 3)),
        ("30d", "2024-01", 1, 0.5, 1),
        ("30d", "2024-02", 2, pytest.approx(0.15), 0),
    ]
    assert found[1]["auc"] == 1
    assert found[1]["intervals"]["happened"] == pytest.approx([0, 1], abs=0.34)


def test_a_curve_that_falls_is_counted_once():
    p = [[0.2, 0.1], [0.1, 0.1], [0.1, 0.2], [0.3, 0.2]]
    assert tabulate([cohort("abcd", [1, 0, 1, 0], model=p)], HORIZONS, 1, SEED, draws=2)["violations"] == 2


@pytest.mark.parametrize("hits", [[], [0], [1], [0, 0, 0], [1, 1, 1]])
@pytest.mark.parametrize("closed", [0, 1])
def test_where_nothing_can_be_judged_nothing_is_said(hits, closed):
    p = [0.5, 0.2, 0.4][: len(hits)]
    one = cohort(
        "abc"[: len(hits)], hits, [closed] * len(hits), model=p, recency=p, segments={"page": ["x"] * len(hits)}
    )
    found = tabulate([one, one], HORIZONS, 4, SEED, draws=5)
    told = found["horizons"]["7d"]["model"]
    assert told["rows"] == 2 * closed * len(hits)
    assert np.isnan([told[metric] for metric in METRICS]).all()
    assert np.isnan(list(told["intervals"].values())).all()
    assert found["beaten"] == []
    compared = compare([one, one], "model", "recency", HORIZONS, 4, SEED, draws=5)
    assert all(line["noise"] for line in compared["7d"].values())
    assert np.isnan(paired_log_loss([one], "model", "recency", SEED, draws=5)).all()


def test_without_an_origin_there_is_no_difference():
    assert np.isnan(paired_log_loss([], "model", "recency", SEED)).all()
