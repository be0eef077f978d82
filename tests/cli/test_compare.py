"""Two trainings compared as a person compares them."""

from __future__ import annotations

import pytest

from cli.commands import TRACKED, TRAINED_AS_OF, command

AT = ("--as-of", TRAINED_AS_OF)


@pytest.fixture(scope="module")
def compared(made_ingested, tmp_path_factory):
    """Give a project with two trainings that differ in one setting, and what they said; no test changes it."""
    project = made_ingested.copy(tmp_path_factory.mktemp("compared") / "project").change(*TRACKED)
    trained = [project("train", *AT, "--json")]
    project.change("trees: 10", "trees: 40")
    trained.append(project("train", *AT, "--json"))
    assert [told.code for told in trained] == [0, 0], trained[-1].err
    return project, *(told.json for told in trained)


def test_every_name_of_a_run_finds_it(compared):
    project, one, other = compared
    names = [one["version"], one["mlflow"]["run_id"], one["mlflow"]["registered_version"]]
    found = [project("compare", name, other["mlflow"]["run_id"], "--json").json["a"]["run_id"] for name in names]
    assert found == [one["mlflow"]["run_id"]] * 3
    champion = project("compare", "champion", other["version"], "--json").json["a"]
    assert champion["bundle"] == (other if other["promoted"] else one)["version"]


def test_what_differs_is_told_on_common_rows_with_its_interval(compared):
    project, one, other = compared
    told = project("compare", one["version"], other["version"], "--json").json
    assert told["settings"] == {"model.trees": ["10", "40"]}
    assert list(told["horizons"]) == ["3d", "7d", "14d"]
    line = told["horizons"]["7d"]["log_loss"]
    assert line["difference"] == pytest.approx(line["b"] - line["a"])
    low, high = line["interval"]
    assert line["verdict"] == ("noise" if low <= 0 <= high else "better" if high < 0 else "worse")
    assert line["winner"] == {"noise": "neither", "better": "B", "worse": "A"}[line["verdict"]]
    # Both were judged on the same cohort, so the figures are those of the trainings.
    judged = [run["facts"]["judged"]["7d"]["model"]["log_loss"] for run in (one, other)]
    assert [line["a"], line["b"]] == pytest.approx(judged, rel=1e-5)
    assert (len(told["common"]["origins"]), told["common"]["disagreed"]) == (1, 0)
    shown = project("compare", one["version"], other["version"]).out
    assert f"A: {one['version']} {TRAINED_AS_OF}T00:00:00Z, run {one['mlflow']['run_id']}" in shown
    assert f"{line['difference']:+.5f}" in shown
    assert shown.splitlines()[-1].split() == ["model.trees", "10", "40"]


def test_a_run_against_itself_is_noise(compared):
    project, one, _ = compared
    told = project("compare", one["version"], one["version"])
    lines = [line for line in told.out.splitlines() if "+0.00000 to +0.00000" in line]
    assert [line.split()[-1] for line in lines] == ["noise"] * 15
    assert "Their settings are the same." in told.out


@pytest.mark.parametrize("name", ["nobody", "0" * 32, "0" * 12, "99", "both \" and ' quotes"])
def test_a_name_that_fits_no_run_is_one_sentence(compared, name):
    project, one, _ = compared
    told = project("compare", one["version"], name)
    assert (told.code, told.out) == (2, "")
    assert told.error[0].startswith(f"{name!r}: found no such run")


def test_a_name_of_two_runs_is_asked_about(compared, tmp_path):
    from mlflow import MlflowClient

    project, one, other = compared
    project = project.copy(tmp_path / "copy")
    client = MlflowClient(f"sqlite:///{project.folder}/.leadscore/mlflow.db")
    ids = {run["mlflow"]["run_id"] for run in (one, other)}
    for run_id in ids:
        client.update_run(run_id, name="it's mine")
    told = project("compare", "it's mine", one["version"])
    assert told.code == 2
    assert "found 2 runs of this name, expected one." in told.error[0]
    assert ids <= set(told.error[1].rstrip(".").replace(",", "").split())
    client.update_run(other["mlflow"]["run_id"], name="yours")
    assert project("compare", "it's mine", "yours", "--json").json["b"]["run_id"] == other["mlflow"]["run_id"]


def test_a_run_that_judged_nothing_and_one_of_another_project_are_refused(compared, tmp_path):
    from mlflow import MlflowClient

    project, one, _ = compared
    project = project.copy(tmp_path / "copy")
    client = MlflowClient(f"sqlite:///{project.folder}/.leadscore/mlflow.db")
    experiment = client.get_experiment_by_name("tiny").experiment_id
    bare = client.create_run(experiment, tags={"leadscore.project": "tiny"}, run_name="bare").info.run_id
    told = project("compare", one["version"], bare)
    assert told.code == 5
    assert "holds no judged.parquet" in told.error[0]
    client.set_tag(one["mlflow"]["run_id"], "leadscore.project", "another")
    told = project("compare", "2", one["version"])
    assert told.code == 5
    assert "is of project 'tiny', run" in told.error[0]


def test_other_horizons_leave_nothing_to_compare(compared, tmp_path):
    project, one, _ = compared
    project = project.copy(tmp_path / "copy").change("horizons: [3d, 7d, 14d]", "horizons: [2d, 6d, 13d]")
    other = project("train", *AT, "--json").json
    told = project("compare", one["mlflow"]["run_id"], other["mlflow"]["run_id"])
    assert told.code == 5
    assert "have judged no snapshot in common." in told.error[0]
    assert "the same --as-of, horizons" in told.error[1]


def test_without_mlflow_there_is_nothing_to_compare(compared, tmp_path):
    project, one, other = compared
    project = project.copy(tmp_path / "copy").change("ingest: {buckets: 2}\n", f"ingest: {{buckets: 2}}\n{TRACKED[0]}")
    told = project("compare", one["version"], other["version"])
    assert told.code == 5
    assert told.error[0].startswith("nowhere://: MLflow cannot be read")
    assert "tracking.uri" in told.error[1]


def test_two_names_are_needed():
    assert command("compare", "champion").code == 2
