"""Tuning as a person meets it: what it prints and keeps, what MLflow has, and how it stops and goes on."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import yaml

from cli.commands import AS_OF, TRACKED, command, company
from leadscore import tuning
from leadscore.model.search import Final
from leadscore.report import show_tuning
from leadscore.tuning import Trial, TuneResult, judgement

AT = ("--as-of", AS_OF)
POOR = ("model: {trees: 10, min_rows_per_leaf: 20}", "model: {trees: 1, base_l2: 1000000000, min_rows_per_leaf: 20}")
CHOSEN = ("ingest: {", "backtest: {origins: [2024-02-16, 2024-02-22, 2024-03-01], cohort: [0d, 4d]}\ningest: {")


@pytest.fixture(scope="session")
def made_poor(made_ingested, tmp_path_factory):
    """Make, for copying, a project whose settings can be bettered, its search, and what that said."""
    project = made_ingested.copy(tmp_path_factory.mktemp("made") / "poor").change(*POOR).change(*TRACKED)
    return project, project("tune", *AT, "--trials", "8", "--json")


@pytest.fixture
def poor(made_poor, tmp_path):
    return made_poor[0].copy(tmp_path / "poor")


@pytest.fixture
def fresh(made_ingested, tmp_path):
    return made_ingested.copy(tmp_path / "fresh")


@contextmanager
def at_fit(number, do):
    """Do something at the n-th fit of a search."""
    fits, chances = count(1), tuning.chances

    def counted(*given):
        if next(fits) in number:
            do()
        return chances(*given)

    tuning.chances = counted
    try:
        yield
    finally:
        tuning.chances = chances


def test_it_keeps_what_it_found_and_the_lines_can_be_pasted(made_poor):
    project, told = made_poor
    assert told.code == 0, told.err
    found = told.json
    best = found["trials"][found["best"]]
    assert best["log_loss"] < found["trials"][0]["log_loss"]
    assert len(found["trials"]) == 8
    assert found["final"]["change"] < 0 < found["final"]["sd"]
    assert max(found["origins"]) < found["final_origin"]
    folder = project.folder / "out" / "tuning" / "20240321T000000Z"
    kept = json.loads((folder / "tuning.json").read_text())
    assert kept == {name: value for name, value in found.items() if name not in ("path", "mlflow")}
    lines = yaml.safe_load((folder / "tuning.yaml").read_text())
    assert {f"model.{name}": value for name, value in lines["model"].items()} == {
        name: value for name, value in best["settings"].items() if name.startswith("model.")
    }
    assert not (project.folder / "models").exists()


def test_run_again_it_goes_on_in_the_same_run_of_mlflow(poor, made_poor):
    from mlflow import MlflowClient

    before = made_poor[1].json
    told = poor("tune", *AT, "--trials", "10", "--json")
    assert told.code == 0, told.err
    assert told.json["trials"][:8] == before["trials"]
    assert len(told.json["trials"]) == 10
    assert told.json["mlflow"]["run_id"] == before["mlflow"]["run_id"]
    client = MlflowClient(f"sqlite:///{poor.folder}/.leadscore/mlflow.db")
    experiment = client.get_experiment_by_name("tiny").experiment_id
    children = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{before['mlflow']['run_id']}'")
    by_name = {run.info.run_name: run for run in children}
    assert len(children) == len(by_name) == 10
    for number, trial in enumerate(told.json["trials"]):
        run = by_name[f"trial {number}"]
        assert run.data.params["model.trees"] == str(trial["settings"]["model.trees"])
        assert run.data.metrics.get("log_loss") == (None if trial["pruned"] else pytest.approx(trial["log_loss"]))
        assert len(client.get_metric_history(run.info.run_id, "origin_log_loss")) == len(trial["losses"])
    parent = client.get_run(before["mlflow"]["run_id"])
    assert parent.data.metrics["final_log_loss_change"] == pytest.approx(told.json["final"]["change"])
    assert parent.info.status == "FINISHED"
    assert client.search_registered_models() == []


def test_a_person_reads_the_settings_the_verdict_and_the_lines(poor):
    told = poor("tune", *AT, "--trials", "8")
    assert told.code == 0, told.err
    lines = told.out.splitlines()
    assert lines[0].startswith("8 trials, ")
    assert any(line.split()[:2] == ["model.base_l2", "1000000000.0"] for line in lines)
    assert "where nothing was tried, the best settings change the log-loss by -" in told.out
    assert ": noise. The configured settings may stay." in told.out  # a hundred leads say little
    assert "for the configuration:" not in told.out
    kept = (poor.folder / "out" / "tuning" / "20240321T000000Z" / "tuning.yaml").read_text()
    assert kept.startswith("# At the final origin, ")
    assert " noise. " in kept.partition("\nmodel:")[0]


@pytest.mark.parametrize(
    ("change", "sentence"), [(-0.02, "better. They are worth taking."), (0.02, "worse. Keep the configured settings.")]
)
def test_beyond_two_standard_deviations_there_is_a_verdict(change, sentence):
    assert judgement(Final((0.3,), (0.3 + change,), change, 0.009)) == sentence


def found(**changes):
    """A search of ten trials, whose second is the best, and what is changed of it."""
    own, best = {"model.trees": 10}, {"model.trees": 90}
    trials = [Trial(own, ((0.3,),)), Trial(best, ((0.2,),)), *[Trial(own, ((0.4,),))] * 8]
    final = Final((0.3,), (0.28,), -0.02, 0.009)
    told = {"trials": trials, "wanted": 10, "best": 1, "stopped": False, "final": final} | changes
    return TuneResult(Path(), "", ["2024-01-01"], "2024-02-01", ["7d"], configured=0, leaks=(), **told)


def test_lines_are_printed_where_they_are_better_and_only_there(capsys):
    show_tuning(found())
    assert yaml.safe_load(capsys.readouterr().out.partition("for the configuration:")[2].partition("Files:")[0]) == {
        "model": {"trees": 90}
    }
    show_tuning(found(final=Final((0.3,), (0.32,), 0.02, 0.009)))
    assert "model:" not in capsys.readouterr().out


def test_after_ten_trials_there_is_a_verdict_though_the_time_was_over():
    assert (found(wanted=50).timed_out, found().timed_out, found(wanted=50, stopped=True).timed_out) == (1, 0, 0)
    assert "better. They are worth taking." in found(wanted=50).verdict
    assert found(final=None, best=0).verdict == "Nothing was better than the configured settings: keep them."


def test_a_search_that_hardly_happened_gives_no_verdict_and_mlflow_may_be_away(fresh):
    told = fresh("tune", *AT, "--timeout", "0m", "--trials", "9")
    assert told.code == 0, told.err
    assert told.out.startswith("1 of 9 trials; the time was over.\n1 trials, 0 of them given up early")
    assert "too few for a verdict. Run the same again to go on" in told.out
    assert "keep them" not in told.out
    assert "the search is not recorded in MLflow" in told.err
    told = fresh("tune", *AT, "--trials", "1", "--json").json
    assert (told["timed_out"], told["final"]) == (False, None)
    assert told["verdict"] == "Nothing tried so far (1) was better than the configured settings; so few say little."


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_asked_to_stop_it_ends_the_trial_keeps_it_and_goes_on_as_if_nothing_had_been(fresh, name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with at_fit([6], lambda: os.kill(os.getpid(), number)):
        told = fresh("tune", *AT, "--trials", "6", "--json")
    assert signal.getsignal(number) is before
    assert told.code == 130
    assert "Stopping after this trial" in told.err
    stopped = told.json
    assert (stopped["stopped"], stopped["final"]) == (True, None)
    assert len(stopped["trials"]) == 3
    again = fresh("tune", *AT, "--trials", "6", "--json").json
    assert again["trials"][:3] == stopped["trials"]
    assert len(again["trials"]) == 6


def test_a_killed_search_goes_on_where_it_was(fresh):
    code = (
        "import itertools, os, sys, leadscore.tuning as tuning; from leadscore.cli import main\n"
        "fits, chances = itertools.count(), tuning.chances\n"
        "tuning.chances = lambda *given: os.kill(os.getpid(), 9) if next(fits) == 5 else chances(*given)\n"
        "main()"
    )
    words = ("tune", "-c", fresh.config, *AT, "--trials", "4")
    killed = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    journal = next((fresh.folder / ".leadscore" / "tune").glob("*.json"))
    kept = json.loads(journal.read_text())["trials"]
    assert len(kept) == 2
    told = fresh("tune", *AT, "--trials", "4", "--json")
    assert told.code == 0, told.err
    assert [trial["settings"] for trial in told.json["trials"][:2]] == [trial["settings"] for trial in kept]
    assert len(told.json["trials"]) == 4


def test_asked_twice_it_stops_at_once(fresh):
    with at_fit([5, 6], lambda: os.kill(os.getpid(), signal.SIGINT)):
        told = fresh("tune", *AT, "--trials", "6")
    assert told.code == 130
    assert told.out == ""
    assert len(json.loads(next((fresh.folder / ".leadscore" / "tune").glob("*.json")).read_text())["trials"]) == 2


def test_what_came_after_the_final_origin_begins_a_new_search_and_changes_nothing_of_it(fresh):
    fresh.change(*CHOSEN)  # the cohorts lie so near to the final origin that not all of their labels have closed
    first = fresh("tune", *AT, "--timeout", "0m", "--json").json
    assert first["final_origin"] == "2024-03-01T00:00:00Z"
    open_leads = {"lead-000", "lead-010", "lead-012"} - {line.split(",")[0] for line in company()["outcomes"].split()}
    fresh.add(outcomes="".join(f"{lead},2024-03-01T06:00:00Z,won\n" for lead in sorted(open_leads)))
    assert fresh("ingest").code == 0
    told = fresh("tune", *AT, "--timeout", "0m", "--json").json
    assert len(list((fresh.folder / ".leadscore" / "tune").glob("*.json"))) == 2
    assert told["trials"] == first["trials"]


def test_another_recipe_begins_a_search_of_its_own_and_other_settings_do_not(fresh):
    assert fresh("tune", *AT, "--timeout", "0m").code == 0
    fresh.change("trees: 10", "trees: 11")
    told = fresh("tune", *AT, "--timeout", "0m", "--json").json
    assert [trial["settings"]["model.trees"] for trial in told["trials"]] == [10, 11]
    assert told["configured"] == 1
    fresh.change("spacing: 2d", "spacing: 3d")
    told = fresh("tune", *AT, "--timeout", "0m", "--json").json
    assert [trial["settings"]["model.trees"] for trial in told["trials"]] == [11]


def test_two_at_once_are_refused(fresh):
    folder = fresh.folder / ".leadscore" / "tune"
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        told = fresh("tune", *AT)
    assert told.code == 5
    assert told.error[0] == "Another `leadscore tune` of this project is running."


def test_slips_are_one_sentence(fresh):
    told = fresh("tune", *AT, "--timeout", "soon")
    assert told.code == 2
    assert told.error[0] == "--timeout: found 'soon', expected a number and a unit such as 90m, 12h, 7d or 2w."
    told = fresh("tune", "--as-of", "2024-01-20")
    assert told.code == 5
    assert "too short to judge" in told.error[0]
    assert command("tune", "--trials", "0").code == 2
