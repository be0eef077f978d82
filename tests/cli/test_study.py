"""A family of one's own, what families are worth, and one lead's features, as a person meets them."""

from __future__ import annotations

import csv
import json
import re
from datetime import date, datetime, timedelta

import pytest

from cli.commands import AS_OF, TRACKED, TRAINED_AS_OF, command
from conftest import ROOT

AT = ("--as-of", AS_OF)
PAGE = (ROOT / "docs" / "how-to" / "your-own-family.md").read_text(encoding="utf-8")
FAMILY, CHEAT = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SATURDAY = date(2024, 1, 6)
WEEKENDS = {str(SATURDAY + timedelta(weeks=week, days=day)) for week in range(12) for day in (0, 1)}
OWN = ("features: {", "features: {own: [families/weekends.py], ")
FEW = ("features: {", "features: {families: [profile, drip], ")


@pytest.fixture
def with_own(made_ingested, tmp_path):
    """Give an ingested project with the family of the how-to page."""
    project = made_ingested.copy(tmp_path / "own").change(*OWN).change(*TRACKED)
    (project.folder / "families").mkdir()
    (project.folder / "families" / "weekends.py").write_text(FAMILY, encoding="utf-8")
    return project


def test_the_family_of_the_page_is_ten_lines_that_train_score_and_explain(with_own):
    assert len([line for line in FAMILY.splitlines() if line]) <= 10
    trained = with_own("train", "--as-of", TRAINED_AS_OF, "--json")
    assert trained.code == 0, trained.err
    assert trained.json["mlflow"]["reason"] == ""  # its registered model came back as it was, without the family's code
    bundle = json.loads((with_own.folder / "models" / trained.json["version"] / "bundle.json").read_text())
    assert bundle["features"][-1] == "weekend_touches"
    assert with_own("score", *AT).code == 0
    assert "family weekends keeps what every family promises" in with_own("doctor").out
    told = with_own("features", "--lead", "lead-006", *AT, "--family", "weekends", "--json").json
    assert told["model"] == trained.json["version"]
    weekend = [event["number"] for event in told["events"] if event["occurred_at"][:10] in WEEKENDS]
    assert told["features"][0]["events"] == weekend
    assert told["features"][0]["sentence"] == f"{len(weekend)} × touch at the weekend"
    # Another file is another model; without the file there is none.
    file = with_own.folder / "families" / "weekends.py"
    file.write_text(FAMILY + "\n# changed\n", encoding="utf-8")
    refused = with_own("score", "--as-of", "2024-03-22")
    assert refused.code == 5
    assert "files of features.own" in refused.error[0]
    file.unlink()
    gone = with_own("score", "--as-of", "2024-03-22")
    assert gone.code == 2
    assert "found no file families/weekends.py" in gone.error[0]


@pytest.mark.parametrize("verb", ["train", "run", "backtest", "ablate"])
def test_the_cheat_of_the_page_is_refused_before_anything_is_learned(with_own, verb):
    (with_own.folder / "families" / "weekends.py").write_text(CHEAT, encoding="utf-8")
    told = with_own(verb, *AT)
    assert told.code == 2
    assert told.error[0].startswith("families/weekends.py: feature touches sees the future")
    assert "asof" in told.error[1]
    assert not (with_own.folder / "models").exists()
    assert "BAD  families/weekends.py: feature touches sees the future" in with_own("doctor").out


def test_ablate_prints_and_keeps_the_table_and_nests_its_runs(with_own):
    from mlflow import MlflowClient

    with_own.change(*FEW)
    told = with_own("ablate", *AT, "--origins", "2", "--json")
    assert told.code == 0, told.err
    rows = told.json["rows"]
    variants = ["all", *(f"without {name}" for name in FAMILIES), *(f"{name} alone" for name in FAMILIES)]
    assert [row["variant"] for row in rows] == [name for name in variants for _ in range(3)]
    folder = with_own.folder / "out" / "ablation" / "20240321T000000Z"
    with (folder / "ablation.csv").open() as file:
        assert [row["variant"] for row in csv.DictReader(file)] == [row["variant"] for row in rows]
    assert json.loads((folder / "ablation.json").read_text())["rows"][0]["log_loss"] == pytest.approx(
        rows[0]["log_loss"]
    )
    assert (folder / "ablation.md").read_text().count("\n") == 2 + len(variants)
    client = MlflowClient(f"sqlite:///{with_own.folder}/.leadscore/mlflow.db")
    experiment = client.get_experiment_by_name("tiny").experiment_id
    parent = told.json["mlflow"]["run_id"]
    children = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent}'")
    assert {run.info.run_name for run in children} == set(variants)
    one = next(run for run in children if run.info.run_name == "without drip")
    assert one.data.metrics["log_loss_7d"] == pytest.approx(rows[variants.index("without drip") * 3 + 1]["log_loss"])
    assert len(client.get_metric_history(one.info.run_id, "origin_auc_7d")) == 2
    assert {run.info.status for run in children} == {"FINISHED"}
    assert client.search_registered_models() == []
    assert not (with_own.folder / "models").exists()


FAMILIES = ("profile", "drip", "weekends")


def test_ablate_goes_on_without_mlflow_and_shows_what_pays(made_ingested, tmp_path):
    project = made_ingested.copy(tmp_path / "away")
    told = project("ablate", *AT, "--origins", "2", "--families", "drip,profile,values")
    assert told.code == 0, told.err
    lines = [line.split("  ")[0] for line in told.out.splitlines()]
    assert lines[1:6] == ["all", "without drip", "without profile", "drip alone", "profile alone"]
    assert "Family values is off: no interaction has a value." in told.out
    assert "the ablation is not recorded in MLflow" in told.err


SLIPS = {
    "--families drip,drips": "--families: found 'drips', expected some of profile, volume,",
    "--families drip,drip": "--families: found 'drip', expected some of",
    "--families drip --all": "--families: found --all as well",
}


@pytest.mark.parametrize("words", SLIPS)
def test_a_slip_in_the_families_is_one_sentence(made_ingested, words):
    told = made_ingested("ablate", *AT, *words.split())
    assert told.code == 2
    assert SLIPS[words] in told.error[0]


def test_a_past_too_short_for_an_ablation_is_said(made_ingested):
    told = made_ingested("ablate", "--as-of", "2024-01-10")
    assert told.code == 5
    assert "too short to judge" in told.error[0]


def test_features_of_one_lead_with_the_events_behind_them(trained):
    told = trained("features", "--lead", "lead-006", *AT, "--json").json
    bundle = json.loads((trained.folder / "models" / told["model"] / "bundle.json").read_text())
    assert [feature["name"] for feature in told["features"]] == bundle["features"]
    by_name = {feature["name"]: feature for feature in told["features"]}
    calls = [event["number"] for event in told["events"] if event["kind"] == "call"]
    assert by_name["warmth_call_14d"]["events"] == calls
    assert by_name["days_since_call"]["events"] == calls[-1:]
    newest = datetime.fromisoformat(told["events"][calls[-1] - 1]["occurred_at"])
    days = (datetime.fromisoformat(told["as_of"]) - newest) / timedelta(days=1)
    assert by_name["days_since_call"]["value"] == pytest.approx(days)
    assert by_name["age_days"]["events"] == []
    assert told["tried"] == len(told["events"])
    shown = trained("features", "--lead", "lead-006", *AT).out
    assert f"with the words of model {told['model']}; at risk." in shown
    assert by_name["days_since_call"]["sentence"] in shown


def test_without_a_model_the_words_are_settled_as_of_then(made_ingested):
    told = made_ingested("features", "--lead", "lead-006", *AT, "--family", "sequence", "--json").json
    assert told["model"] is None
    assert {feature["family"] for feature in told["features"]} == {"sequence"}
    assert "settled as of then" in made_ingested("features", "--lead", "lead-006", *AT, "--family", "infusion").out


LOOKS = {
    "--lead nobody": (2, "--lead: found no such lead in the store"),
    "--lead lead-006 --family echo": (2, "it is off: no source_id, and no outbound interaction"),
    "--lead lead-006 --family weekends": (2, "found 'weekends', but it is not on; on are profile,"),
    "--lead lead-006 --as-of 2024-01-02": (2, "--lead: this lead was not known before 2024-01-02"),
}


@pytest.mark.parametrize("words", LOOKS)
def test_a_lead_that_cannot_be_looked_at_is_said(made_ingested, words):
    code, sentence = LOOKS[words]
    told = made_ingested("features", *AT, *words.split()) if "--as-of" not in words else made_ingested(
        "features", *words.split()
    )  # fmt: skip
    assert told.code == code
    assert sentence in told.error[0]


def test_who_objected_is_not_profiled_not_even_in_retrospect(make):
    project = make(consents="id,at,status\nlead-006,2024-03-20,objection\n")
    assert project("ingest").code == 0
    for moment in (AS_OF, "2024-03-01"):
        told = project("features", "--lead", "lead-006", "--as-of", moment)
        assert told.code == 4
        assert "objected" in told.error[0]
        assert told.out == ""


def test_features_need_a_store(make):
    assert make()("features", "--lead", "lead-006").code == 5
    assert command("features").error[0] == "Missing option '--lead'."
