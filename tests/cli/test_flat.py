"""`train --flat` and `score --flat` as a person meets them: what is said, what is left, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cli.commands import SETTINGS as DATED
from cli.commands import TRACKED, Project, command, csv
from conftest import ROOT
from leadscore.registry import shelf

SETTINGS = """
project: tiny
flat: {files: calls.csv, score_files: open.csv, lead_id: id, target: y, positive: yes, order: at}
model: {trees: 10, min_rows_per_leaf: 20}
tracking: {uri: "nowhere://"}
"""
HEADER = "id,at,job,age,size,y"
AS_OF = ("--as-of", "2024-03-21")
EXAMPLE = ROOT / "examples" / "bank"


def answers(rows, seed, changed=None):
    """Leads whose yes hangs on their job and their age; `changed` gives other cells for a row."""
    chance = np.random.default_rng(seed)
    found = []
    for number in range(rows):
        job, age = str(chance.choice(["baker", "clerk", "smith"])), int(chance.integers(20, 70))
        p = 0.2 + 0.4 * (job == "baker") + (age - 45) / 150
        row = {"id": f"{seed}-{number:04}", "at": number, "job": job, "age": age, "size": f"{chance.normal():.2f}"}
        row["y"] = "yes" if chance.random() < p else "no"
        found.append(row | (changed(number, row) if changed else {}))
    return found


def table(rows):
    return csv(",".join(rows[0]), [row.values() for row in rows])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make, for copying, a project that has a model."""
    project = Project(tmp_path_factory.mktemp("flat"))
    unknown = [{name: row[name] for name in row if name != "y"} for row in answers(50, seed=2)]
    project.write(settings=SETTINGS, calls=table(answers(400, seed=1)), open=table(unknown))
    told = project("train", "--flat", "--json")
    assert told.code == 0, told.err
    (project.folder / "train.json").write_text(told.out)
    return project


@pytest.fixture
def project(made, tmp_path):
    return made.copy(tmp_path / "project")


def train(project, **files):
    return project.write(**files)("train", "--flat", "--json")


def test_a_training_says_what_such_data_cannot_show_and_how_good_the_model_is(made):
    told = json.loads((made.folder / "train.json").read_text())
    assert "no dates" in told["warnings"][0]
    assert "in the order of column at" in " ".join(told["warnings"])
    judged = told["judged"]
    assert judged["how"] == "row order"
    assert judged["figures"]["model"]["auc"] > 0.6
    assert {*judged["figures"]} == {"model", "logit_all", "lightgbm", "prior"}
    assert judged["figures"]["model"]["rows"] == 200
    assert {"alift", "log_loss", "calibration_slope"} <= {*judged["figures"]["model"]["intervals"]}
    assert [(answer["word"], answer["yes"]) for answer in told["facts"]["target"]["most"]] == [
        *(("no", False), ("yes", True)),
    ]
    assert told["facts"]["columns"] == {"job": "words", "age": "number", "size": "number"}
    assert {path.name for path in (made.folder / "models" / "flat" / told["version"]).iterdir()} == {
        *("bundle.json", "trees.txt"),
    }


def test_a_list_is_delivered_with_its_warnings_and_reasons(project):
    told = project("score", "--flat", "--json", *AS_OF)
    assert told.code == 0, told.err
    manifest, rows = told.json["manifest"], project.scores().to_pylist()
    assert {*manifest["files"]} == {"scores.csv", "scores.parquet"}
    assert "no dates" in manifest["warnings"][0]
    assert manifest["counts"] == {"leads": 50, "delivered": 50, "said_yes": 0, "broken": 0}
    assert [row["rank"] for row in rows] == list(range(1, 51))
    assert len({row["lead_id"] for row in rows}) == 50
    assert "high" not in {row["known"] for row in rows}
    assert any(row["reason_1_text"] == "job: baker" and row["reason_1_sign"] == 1 for row in rows)
    again = project("score", "--flat", "--json", *AS_OF)
    assert (again.json["repeated"], again.json["path"]) == (True, told.json["path"])
    shown = project("score", "--flat", *AS_OF)
    assert "MIND: This is a flat export" in shown.err
    assert "+ job: baker" in shown.out


def test_the_dated_score_takes_no_notice_of_a_flat_model(project):
    assert shelf.kept(project.folder / "models") == []
    dated = project("score")
    assert dated.code == 2
    assert "found the configuration of a flat export (`flat`), expected one of dated inter" in dated.error[0]
    assert "with --flat" in dated.error[1]
    assert command("train", "--flat", "-c", "examples/none.yaml").code == 2


def test_another_file_at_the_same_moment_is_another_slot(project):
    first = project("score", "--flat", "--json", *AS_OF).json["path"]
    project.add(open="2-9999,9999,baker,40,0.1\n")
    second = project("score", "--flat", "--json", *AS_OF).json
    assert second["path"] != first
    assert second["manifest"]["counts"]["delivered"] == 51
    assert project.scores().num_rows == 51


def test_who_has_said_yes_is_not_on_the_list(project):
    project.change("score_files: open.csv, ", "")
    told = project("score", "--flat", "--json", *AS_OF)
    assert told.code == 0, told.err
    counts = told.json["manifest"]["counts"]
    assert counts["delivered"] == 400 - counts["said_yes"] < 400
    assert "The file scored taught the model" in " ".join(told.json["manifest"]["warnings"])


# What happened to the file to be scored: the code, and what is said.
FILES = {
    "a column is missing": (lambda rows: [_without(row, "age") for row in rows], 3, "no column 'age'"),
    "numbers became words": (lambda rows: [row | {"age": f"{row['age']} y"} for row in rows], 3, "50 of 50 values are"),
    "yes in capitals": (lambda rows: [row | {"y": "YES"} for row in rows], 3, "found 'YES' (50 rows)"),
    "a lead twice": (lambda rows: [*rows, rows[0]], 3, "1 leads have more than one row"),
    "another column": (lambda rows: [row | {"shoe": 44} for row in rows], 0, "not looked at: shoe"),
    "other words": (
        lambda rows: [row | {"job": "pilot"} for row in rows],
        0,
        "Column job: 100% of the values are rare",
    ),
    "nothing known": (lambda rows: [row | {"job": "", "age": "", "size": "nan"} for row in rows], 0, "no dates"),
}


def _without(row, name):
    return {key: row[key] for key in row if key != name}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_as_it_was(name, project):
    change, code, said = FILES[name]
    project.write(open=table(change([_without(row, "y") for row in answers(50, seed=2)])))
    told = project("score", "--flat", "--json", *AS_OF)
    assert told.code == code
    if code:
        assert said in told.error[0]
        assert not (project.folder / "out").exists()
    else:
        assert said in " ".join(told.json["manifest"]["warnings"])
        if name == "nothing known":
            assert set(project.scores()["known"].to_pylist()) == {"unknowable"}


NOBODY = {
    "a header alone": lambda rows: csv(",".join(rows[0]), []),
    "all have said yes": lambda rows: table([row | {"y": "yes"} for row in rows]),
}


@pytest.mark.parametrize("name", NOBODY)
def test_where_there_is_nobody_to_score_the_last_list_stays(name, project):
    assert project("score", "--flat", *AS_OF).code == 0
    before = project.left("out")
    project.write(open=NOBODY[name](answers(50, seed=2)))
    told = project("score", "--flat", *AS_OF)
    assert told.code == 3
    assert "There is nobody to score: found" in told.error[0]
    assert project.left("out") == before


def test_the_order_of_columns_changes_nothing(project):
    project("score", "--flat", *AS_OF)
    before = project.scores().drop_columns(["run_id"])
    rows = [_without(row, "y") for row in answers(50, seed=2)]
    project.write(open=table([dict(reversed(row.items())) for row in rows]))
    project("score", "--flat", *AS_OF)
    assert project.scores().drop_columns(["run_id"]).equals(before)


def test_without_an_order_the_figures_say_that_they_flatter(project):
    project.change("order: at", "exclude: at")
    told = project("train", "--flat", "--json")
    assert told.json["judged"]["how"] == "random"
    assert "That flatters" in " ".join(told.json["warnings"])
    assert told.json["facts"]["taught_rows"] == 400
    assert "AT RANDOM, WHICH FLATTERS" in project("train", "--flat").out


def test_the_answer_itself_with_noise_is_refused_unless_allowed_by_name(project):
    chance = np.random.default_rng(5)

    def noisy(_, row):
        return {"called_back": row["y"] if chance.random() < 0.9 else {"yes": "no", "no": "yes"}[row["y"]]}

    told = train(project, calls=table(answers(400, seed=1, changed=noisy)))
    assert told.code == 4
    assert "Column called_back alone puts" in told.error[0]
    assert "allow" in told.error[1]
    project.change("model:", "guard: {allow: [called_back]}\nmodel:")
    told = project("train", "--flat", "--json")
    assert told.code == 0
    assert [leak["name"] for leak in told.json["leaks"]] == ["called_back"]
    assert "It is allowed." in told.err


@pytest.mark.slow
def test_mlflow_keeps_a_training_with_its_figures_and_registers_nothing(project):
    told = project.change(*TRACKED)("train", "--flat", "--json").json
    from mlflow import MlflowClient

    client = MlflowClient(told["mlflow"]["tracking_uri"], told["mlflow"]["tracking_uri"])
    run = client.get_run(told["mlflow"]["run_id"])
    judged = told["judged"]
    assert run.data.metrics["model_auc_yes"] == judged["figures"]["model"]["auc"]
    assert run.data.metrics["versus_prior_log_loss_yes"] == judged["figures"]["prior"]["log_loss"]
    history = client.get_metric_history(run.info.run_id, "origin_model_log_loss_yes")
    assert [point.value for point in history] == [fold["log_loss"] for fold in judged["folds"]]
    assert (run.data.params["flat.window"], run.data.params["model.trees"]) == ("20000", "10")
    assert (run.data.tags["leadscore.bundle"], run.data.tags["leadscore.study"]) == (told["version"], "flat")
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files >= {"configuration.yaml", "warnings.txt", "backtest.json", "parts.json", "judged.parquet"}
    assert client.search_registered_models() == []


@pytest.mark.slow
def test_two_trainings_are_compared_on_the_leads_that_both_judged_whatever_their_parts(project):
    one = project.change(*TRACKED)("train", "--flat", "--json").json
    other = project.change("order: at", "order: at, step: 100")("train", "--flat", "--json").json
    same = project("compare", "--flat", one["version"], one["version"], "--json").json
    assert same["horizons"]["yes"]["auc"]["a"] == pytest.approx(one["judged"]["per_fold"]["model"]["auc"], rel=1e-6)
    told = project("compare", "--flat", one["version"], other["version"])
    assert "200 labels of 200 leads, no dates; means over 4 parts" in told.out
    assert told.out.splitlines()[-1].split() == ["flat.step", "1000", "100"]


def test_a_training_is_not_lost_when_mlflow_is_away(made):
    told = json.loads((made.folder / "train.json").read_text())
    assert told["mlflow"]["run_id"] is None
    assert "nowhere" in told["mlflow"]["reason"]


STATES = {
    "never trained": (lambda project: (project.folder / "models").rename(project.folder / "away"), "no model"),
    "other settings": (lambda project: project.change("trees: 10", "trees: 11"), "trained with other settings"),
}


@pytest.mark.parametrize("name", STATES)
def test_without_a_model_of_these_settings_there_is_no_list(name, project):
    change, said = STATES[name]
    change(project)
    told = project("score", "--flat")
    assert told.code == 5
    assert said in told.error[0]
    assert told.error[1] == "Run `leadscore train --flat`."


def test_a_moment_means_nothing_to_a_training_without_dates(project):
    told = project("train", "--flat", *AS_OF)
    assert told.code == 2
    assert "--as-of: means nothing with --flat" in told.error[0]


def test_the_same_file_gives_the_same_model_to_the_last_byte(made, project):
    version = json.loads((made.folder / "train.json").read_text())["version"]
    assert train(project).json["version"] == version


def test_rows_that_cannot_be_read_are_counted_or_too_many(project):
    lines = table(answers(400, seed=1)).splitlines()
    few = train(project, calls="\n".join([*lines[:200], "x,y", *lines[200:]]) + "\n")
    assert few.code == 0
    assert "1 rows could not be read" in " ".join(few.json["warnings"])
    many = train(project, calls="\n".join([*lines, *["x,y"] * 40]) + "\n")
    assert many.code == 3
    assert "40 of 440 rows cannot be read" in many.error[0]


ROWS = answers(400, seed=1)
DEGENERATE = {
    "no rows": ([], 3, "yes 0 times"),
    "yes in two cases": ([row | {"y": ("Yes", row["y"])[n % 2]} for n, row in enumerate(ROWS)], 3, "found 'Yes' (200"),
    "answers that are open": (
        [row | {"y": ("pending", row["y"])[n % 2]} for n, row in enumerate(ROWS)],
        0,
        "2 words of column y mean no: 'pending' (200), 'no' (",
    ),
    "ten rows": (ROWS[:10], 3, "needed 20 of each"),
    "nobody says yes": ([row | {"y": "no"} for row in ROWS], 3, "says yes 0 times"),
    "everybody says yes": ([row | {"y": "yes"} for row in ROWS], 3, "no 0 times"),
    "all yes come first": (sorted(ROWS, key=lambda row: row["y"], reverse=True), 0, "no dates"),
    "hardly an order": (
        [row | {"at": max(100, row["at"])} for row in ROWS],
        0,
        "25% of the rows have one and the same value in column at",
    ),
    "a constant column": ([row | {"job": "baker"} for row in ROWS], 0, "say nothing, empty or always the same: job"),
    "constants only": ([row | {"job": "b", "age": 1, "size": ""} for row in ROWS], 3, "Nothing to learn from"),
    "a word to each row": ([row | {"job": f"job-{row['id']}"} for row in ROWS], 0, "no dates"),
    "nothing finite": ([row | {"age": "nan", "size": "-inf"} for row in ROWS], 0, "always the same: age, size"),
    "some not finite": (
        [row | {"age": ("nan", "inf", row["age"], "")[n % 4], "size": "1e39"} for n, row in enumerate(ROWS)],
        0,
        "always the same: size",
    ),
    "huge and tiny": ([row | {"age": ("3e38", "-3e38", "1e-45")[n % 3]} for n, row in enumerate(ROWS)], 0, "no dates"),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_data_with_next_to_nothing_in_them_are_refused_in_words_or_make_a_sane_model(name, project):
    rows, code, said = DEGENERATE[name]
    if name == "all yes come first":  # hardly any two rows can be compared; the guard is not the point
        rows = [row | {"at": number} for number, row in enumerate(rows)]
        project.change("model:", "guard: {allow: [job, age, size]}\nmodel:")
    told = train(project, calls=table(rows) if rows else HEADER + "\n")
    assert told.code == code, told.err
    if code:
        assert said in told.error[0]
        return
    assert said in " ".join(told.json["warnings"])
    scored = project("score", "--flat", "--json", *AS_OF)
    assert scored.code == 0, scored.err
    chances = project.scores()["p"].to_numpy()
    assert ((chances > 0) & (chances < 1)).all()


def test_a_dated_configuration_is_none_of_a_flat_export(project):
    project.write(settings=DATED)
    told = project("train", "--flat")
    assert told.code == 2
    assert told.error[0].endswith(
        "found the configuration of dated interactions (`sources`), expected one of a flat export (`flat`)."
    )
    assert told.error[1].startswith("Leave --flat out")
    project.write(settings="project: a\n")
    assert "flat: required, but not given" in project("train", "--flat").error[0]


@pytest.mark.slow
def test_on_the_bank_the_promised_figures_hold_and_the_length_of_the_call_is_refused(shared_data, tmp_path):
    text = (EXAMPLE / "leadscore.yaml").read_text().replace("${LEADSCORE_DATA:-../../../shared/data}", str(shared_data))
    bank = Project(tmp_path).write(settings=text)
    figures = bank("train", "--flat", "--json").json["judged"]["figures"]
    assert figures["model"]["auc"] >= 0.78
    assert figures["model"]["alift"] >= 0.73
    assert all(figures["model"]["log_loss"] < figures[name]["log_loss"] for name in figures if name != "model")
    told = bank.change("    - duration\n", "")("train", "--flat")
    assert told.code == 4
    assert "Column duration alone puts" in told.error[0]
