"""What the simulated company is: a truth anybody could compute from the files, and a world that behaves."""

from __future__ import annotations

import hashlib
from datetime import UTC, timedelta

import numpy as np
import pandas as pd
import pytest

from leadscore.config import read_config
from leadscore.simulate import export, simulate, write_truth
from leadscore.simulate.hazard import Warmth
from reference.simulation_reference import Files

DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def company():
    return simulate(leads=400, seed=3)


@pytest.fixture(scope="module")
def folder(company, tmp_path_factory):
    return export(company, tmp_path_factory.mktemp("export"), "en").parent


@pytest.fixture(scope="module")
def companies(company):
    return [company, *(simulate(leads=500, seed=seed) for seed in range(4, 9))]


def test_the_truth_follows_from_the_files_alone(company, folder):
    files = Files(folder)
    truth = company.truth
    some = pd.concat([truth.iloc[::397], truth.nlargest(30, "hazard"), truth[truth["day"] == company.ends_at]])
    again = [
        files.hazard(lead, day.date(), company.drift_at.date())
        for lead, day in zip(some["lead_id"], some["day"], strict=True)
    ]
    np.testing.assert_allclose(again, some["hazard"], rtol=1e-9)


def test_the_files_hold_every_interaction_once_and_some_repeats_and_broken_rows(company, folder):
    files = Files(folder)
    in_files = sorted(
        (touch.lead_id, touch.at, touch.kind, touch.layer) for all_ in files.touches.values() for touch in all_
    )
    table = company.interactions
    expected = zip(
        table["lead_id"],
        table["occurred_at"].dt.to_pydatetime(),
        table["kind"],
        table["layer"].fillna(0),
        strict=True,
    )
    assert in_files == sorted((lead, at.astimezone(UTC), kind, layer) for lead, at, kind, layer in expected)
    emails = pd.read_csv(folder / "emails.csv", dtype=str)
    sent = table["kind"].str.startswith("mail_").sum()
    repeats = emails.duplicated().sum()
    assert repeats > 10
    assert len(emails) - repeats - sent == 4
    assert len(emails) < 1.05 * sent


def test_conversions_come_as_often_as_the_hazard_says_in_every_band(companies):
    rows = pd.concat([_with_conversions(company) for company in companies])
    rows["band"] = np.searchsorted([0.001, 0.003, 0.01], rows["hazard"])
    bands = rows.groupby("band").agg(
        expected=("hazard", "sum"),
        variance=("hazard", lambda hazard: (hazard * (1 - hazard)).sum()),
        happened=("converted", "sum"),
    )
    assert len(bands) == 4
    assert ((bands["happened"] - bands["expected"]).abs() < 4 * np.sqrt(bands["variance"])).all(), bands
    assert 0.07 < rows["converted"].sum() / sum(len(company.leads) for company in companies) < 0.13


def _with_conversions(company):
    truth = company.truth[company.truth["day"] < company.ends_at]
    won = company.outcomes[company.outcomes["outcome"] == "converted"]
    days = won.assign(day=won["occurred_at"].dt.floor("D"), converted=1)[["lead_id", "day", "converted"]]
    rows = truth.merge(days, how="left", on=["lead_id", "day"])
    assert rows["converted"].sum() == len(won), "a conversion without a hazard"
    return rows.fillna({"converted": 0})


def test_the_truth_has_a_row_for_exactly_the_leads_at_risk(company):
    ends = pd.concat([company.outcomes, company.consents]).set_index("lead_id")["occurred_at"]
    leads = company.leads.assign(ended_at=company.leads["lead_id"].map(ends))
    for moment in (company.drift_at, company.drift_at + 45 * DAY, company.ends_at):
        created = leads["created_at"] < moment
        still = leads["ended_at"].isna() | (leads["ended_at"] >= moment)
        in_truth = company.truth.loc[company.truth["day"] == moment, "lead_id"]
        assert set(in_truth) == set(leads.loc[created & still, "lead_id"])
        assert in_truth.is_unique


def test_nothing_happens_before_creation_or_after_the_end(companies):
    for company in companies:
        happened = company.interactions.groupby("lead_id")["occurred_at"].agg(["min", "max"])
        born = company.leads.set_index("lead_id")["created_at"]
        assert (happened["min"] > born[happened.index]).all()
        assert len(company.consents) > 3
        ends = pd.concat([company.outcomes, company.consents]).set_index("lead_id")["occurred_at"]
        assert ends.index.is_unique
        ended = happened.join(ends, how="inner")
        assert (ended["max"] < ended["occurred_at"]).all()
        assert max(happened["max"].max(), ends.max()) < company.ends_at


def test_the_day_of_the_company_is_that_of_people(company):
    closed = company.outcomes["occurred_at"].dt.tz_convert("Europe/Paris")
    assert closed.dt.hour.between(9, 17).all()
    assert (closed.dt.day_of_week < 5).all()
    at = company.interactions["occurred_at"].dt.tz_convert("Europe/Paris")
    assert at.dt.hour.between(6, 21).all()
    pushed = company.interactions["direction"] == "outbound"
    assert (at[pushed].dt.day_of_week < 5).all()
    weekend = (at[~pushed].dt.day_of_week >= 5).mean()
    assert 0.02 < weekend < 0.2
    assert not company.interactions.duplicated(["lead_id", "occurred_at", "kind", "campaign_id"]).any()


def test_half_way_the_world_changes(companies):
    table = pd.concat([company.interactions for company in companies])
    later = table["occurred_at"] >= companies[0].drift_at
    count = pd.crosstab(later, table["kind"])
    assert count.loc[False, "chat"] == 0
    assert count.loc[True, "chat"] > 100
    opened = count["mail_open"] / count["mail_sent"]
    assert opened[True] < 0.85 * opened[False]
    webinars = table["kind"].str.startswith("webinar")
    assert set(table.loc[webinars & ~later, "channel"]) == {"webinar"}
    assert set(table.loc[webinars & later, "channel"]) == {"online event"}
    mean = pd.concat([company.truth for company in companies])
    mean = mean.groupby(mean["day"] >= companies[0].drift_at)["hazard"].mean()
    assert mean[True] < 0.8 * mean[False]


def test_warmth_spreads_among_colleagues(companies):
    warm, cold = [], []
    for company in companies:
        monday = company.truth[company.truth["day"].dt.day_of_week == 0]
        monday = monday.merge(company.leads[["lead_id", "account_id"]], on="lead_id").dropna()
        touched = company.interactions[company.interactions["direction"] == "inbound"]
        touched = touched.merge(company.leads[["lead_id", "account_id"]], on="lead_id").dropna(subset="account_id")
        touched["day"] = _monday_after(touched["occurred_at"])
        of_account = touched.groupby(["account_id", "day"]).size().rename("account_touches").reset_index()
        own = touched.groupby(["lead_id", "day"]).size().rename("own_touches").reset_index()
        rows = monday.merge(of_account, "left", ["account_id", "day"]).merge(own, "left", ["lead_id", "day"])
        quiet = rows[rows["own_touches"].isna()]
        warm.append(quiet.loc[quiet["account_touches"].notna(), "hazard"])
        cold.append(quiet.loc[quiet["account_touches"].isna(), "hazard"])
    assert pd.concat(warm).mean() > 1.3 * pd.concat(cold).mean()


def _monday_after(at):
    day = at.dt.floor("D")
    return day + pd.to_timedelta(7 - day.dt.day_of_week, unit="D")


def test_what_third_parties_say_echoes(companies):
    before = after = 0
    for company in companies:
        table = company.interactions
        ended = pd.concat([company.outcomes, company.consents]).set_index("lead_id")["occurred_at"]
        born = company.leads.set_index("lead_id")["created_at"]
        heard = table.loc[table["kind"] == "mention", ["lead_id", "occurred_at"]]
        around = 4 * DAY
        whole = (heard["occurred_at"] - around > heard["lead_id"].map(born)) & ~(
            heard["occurred_at"] + around > heard["lead_id"].map(ended).fillna(company.ends_at)
        )
        pages = table.loc[table["kind"] == "page_view", ["lead_id", "occurred_at"]]
        pairs = heard[whole].merge(pages, on="lead_id", suffixes=("_heard", "_read"))
        late = pairs["occurred_at_read"] - pairs["occurred_at_heard"]
        before += late.between(-around, pd.Timedelta(0)).sum()
        after += late.between(pd.Timedelta(0), around).sum()
    assert after > 1.2 * before


@pytest.mark.parametrize(
    ("layers_by_day", "depth"),
    [
        ([], 0),
        ([{1}], 1),
        ([{2}], 0),
        ([{1, 2}], 1),
        ([{1}, {2}], 2),
        ([{1}, {4}, {2}], 2),
        ([{2}, {1}, {3}, {2}, {3}, {4}, {4}], 4),
    ],
)
def test_depth_is_reached_in_order_and_one_layer_a_day(layers_by_day, depth):
    warmth = Warmth.cold(1)
    for layers in layers_by_day:
        bits = np.array([sum(1 << layer for layer in layers)])
        warmth.end_day(np.ones(1), np.array([True]), np.zeros(1, int), bits)
    assert warmth.depth.tolist() == [depth]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(company, folder, tmp_path):
    twin = export(simulate(leads=400, seed=3), tmp_path / "twin", "en").parent
    write_truth(company, folder / "truth" / "truth.parquet")
    write_truth(simulate(leads=400, seed=3), twin / "truth" / "truth.parquet")
    assert _digests(twin) == _digests(folder)
    other = export(simulate(leads=400, seed=4), tmp_path / "other", "en").parent
    same = {name for name, digest in _digests(other).items() if _digests(folder)[name] == digest}
    assert same == {"leadscore.yaml"}


def _digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_written_truth_is_the_mondays_up_to_the_end(company, tmp_path):
    write_truth(company, tmp_path / "new" / "truth.parquet")
    truth = pd.read_parquet(tmp_path / "new" / "truth.parquet")
    assert list(truth.columns) == ["lead_id", "day", "hazard"]
    assert truth["day"].dt.day_of_week.eq(0).all()
    assert truth["day"].max() == company.ends_at
    assert truth["day"].drop_duplicates().diff().dropna().eq(7 * DAY).all()
    assert company.ends_at - company.drift_at == timedelta(days=273)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_configuration_knows_every_file_and_kind(company, tmp_path, language):
    config = read_config(export(company, tmp_path, language))
    assert config.language == language
    assert set(config.kinds) == set(company.interactions["kind"])
    assert all({"en", "fr"} <= set(kind.label) for kind in config.kinds.values())
    named = [
        file
        for table in ("leads", "interactions", "outcomes", "consents")
        for source in getattr(config.sources, table)
        for file in source.files
    ]
    assert {*named, "leadscore.yaml"} == {path.name for path in tmp_path.iterdir()}
    kinds = company.interactions.drop_duplicates("kind").set_index("kind")
    for name, kind in config.kinds.items():
        assert kind.direction == (kinds["direction"][name] if pd.notna(kinds["direction"][name]) else None)


def test_a_company_of_one_lead_can_be_exported_too(tmp_path):
    company = simulate(leads=1, months=2)
    assert len(company.leads) == 1
    assert read_config(export(company, tmp_path, "en")).project == "demo"


@pytest.mark.parametrize(("leads", "months"), [(0, 18), (10, 1)])
def test_too_small_a_company_is_refused(leads, months):
    with pytest.raises(ValueError, match="expected at least"):
        simulate(leads=leads, months=months)
