"""The pipelines as the processes they are: from the command line, on a server, and without one.

One real server serves them all, instead of Prefect's test harness: it costs the same start, and schedules, workers
and deployments are part of what is promised.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from flows.processes import CHECKOUT, processes_with, run, start

AS_OF = "2026-01-05"  # midnight in the company's zone, Europe/Paris
FIVE_IN_THE_MORNING = "2026-01-05T04:00:00Z"


def digests(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def morning(server, company):
    """The first morning, started by hand: what it printed, and the slot's files."""
    code, out, err = run("daily", "-c", company, "--as-of", AS_OF, environment=server.environment, cwd=company.parent)
    assert code == 0, err
    return json.loads(out), digests(company.parent / "out" / "latest")


@pytest.fixture(scope="module")
def deployments(server):
    """What the server knows after `prefect deploy --all`, by full name."""
    server.ask("/work_pools/", {"name": "leadscore", "type": "process"})
    server.prefect("deploy", "--all")
    flows = {flow["id"]: flow["name"] for flow in server.ask("/flows/filter", {})}
    return {f"{flows[found['flow_id']]}/{found['name']}": found for found in server.ask("/deployments/filter", {})}


@pytest.mark.slow
def test_the_morning_delivers_a_slot_and_tells_prefect_ids_and_scores_only(morning, server, company):
    told, files = morning
    slot = company.parent / "out" / told["score"]["slot"]
    assert files.keys() == digests(slot).keys() >= {"scores.parquet", "scores.csv", "manifest.json"}
    delivered = pq.read_table(slot / "scores.parquet")
    assert told["score"]["leads"] == delivered.num_rows > 0
    assert told["train"]["promoted"]

    artifacts = {found["key"]: found["data"] for found in server.ask("/artifacts/latest/filter", {})}
    columns = ["rank", "lead_id", "score", "grade"]
    assert json.loads(artifacts["demo-top-leads"]) == delivered.select(columns).slice(0, 20).to_pylist()
    report = artifacts["demo-run-report"]
    for fact in (told["train"]["model"], told["train"]["why"], str(slot), str(delivered.num_rows)):
        assert fact in report


@pytest.mark.slow
def test_the_server_takes_every_deployment_with_its_schedule(deployments):
    written = yaml.safe_load((CHECKOUT / "prefect.yaml").read_text())["deployments"]
    assert {found["entrypoint"] for found in deployments.values()} == {plan["entrypoint"] for plan in written}
    schedules = {
        name: [(found["schedule"]["cron"], found["schedule"]["timezone"]) for found in deployment["schedules"]]
        for name, deployment in deployments.items()
    }
    assert schedules["leadscore-daily/daily"] == [("0 5 * * *", "Europe/Paris")]
    assert [len(schedules[f"leadscore-{name}/weekly"]) for name in ("train", "monitor")] == [1, 1]
    for deployment in deployments.values():
        assert deployment["global_concurrency_limit"]["limit"] == 1
        assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert "leadscore" in deployment["tags"]


@pytest.mark.slow
def test_a_late_scheduled_run_looks_from_its_own_midnight_and_finds_the_slot_there(
    morning, deployments, server, company
):
    _, files = morning
    scheduled = {"type": "SCHEDULED", "state_details": {"scheduled_time": FIVE_IN_THE_MORNING}}
    asked = {"state": scheduled, "parameters": {"config": str(company)}}
    created = server.ask(f"/deployments/{deployments['leadscore-daily/daily']['id']}/create_flow_run", asked)
    server.prefect("flow-run", "execute", created["id"])  # what a worker calls
    assert server.ask(f"/flow_runs/{created['id']}")["state"]["type"] == "COMPLETED"
    slots = [path.name for path in (company.parent / "out").iterdir() if path.name != "latest"]
    assert slots == ["20260104T230000Z-" + slots[0].rpartition("-")[2]]
    assert digests(company.parent / "out" / "latest") == files
    logged = {
        line["message"] for line in server.ask("/logs/filter", {"logs": {"flow_run_id": {"any_": [created["id"]]}}})
    }
    assert f"Slot {slots[0]} is already delivered; nothing to do." in logged


@pytest.mark.slow
@pytest.mark.usefixtures("morning")
def test_a_failed_run_says_one_line_and_is_marked_failed(server, company):
    code, out, err = run(
        "score", "-c", company, "--as-of", "2024-01-01", environment=server.environment, cwd=company.parent
    )
    assert (code, out) == (5, "")
    assert err.splitlines()[0].startswith("error: No model of this configuration was trained as of 2023-12-31T23:00")
    assert "Traceback" not in err
    failed = server.ask("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["FAILED"]}}}})
    assert ["StateError" in found["state"]["message"] for found in failed] == [True]


@pytest.mark.slow
def test_without_a_server_a_stopped_run_leaves_no_process_and_no_file_elsewhere(nothing_set, company, tmp_path):
    config = tmp_path / "project" / "leadscore.yaml"
    config.parent.mkdir()
    config.write_text(company.read_text().replace("files: ", f"files: {company.parent}/"))
    (tmp_path / "elsewhere").mkdir()
    state = config.parent / ".leadscore"
    with start("daily", "-c", config, "--as-of", AS_OF, environment=nothing_set, cwd=tmp_path / "elsewhere") as process:
        first = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=120)
        left = processes_with(f"PREFECT_HOME={state / 'prefect'}")
        for orphan in left:
            os.kill(orphan, signal.SIGKILL)
    assert (first, code, left) == ("Reading files …\n", 143, [])
    with closing(sqlite3.connect(state / "prefect" / "prefect.db")) as database:
        assert database.execute("select state_type from flow_run").fetchall() == [("CRASHED",)]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert list(Path(nothing_set["HOME"]).iterdir()) == []


@pytest.mark.parametrize(
    ("text", "arguments", "sentence"),
    [
        (None, (), "no such configuration file"),
        ("projekt: acme\n", (), "did you mean 'project'?"),
        ("", ("--what",), "unrecognized arguments"),
    ],
)
def test_a_bad_command_line_costs_no_server_and_leaves_nothing(text, arguments, sentence, nothing_set, tmp_path):
    config = tmp_path / "leadscore.yaml"
    if text is not None:
        config.write_text(text)
    code, out, err = run("daily", "-c", config, *arguments, environment=nothing_set, cwd=tmp_path)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err
    assert not (tmp_path / ".leadscore").exists()


def test_a_moment_that_is_none_ends_with_2(nothing_set, company, tmp_path):
    code, _, err = run("score", "-c", company, "--as-of", "soon", environment=nothing_set, cwd=tmp_path)
    assert (code, err.splitlines()[0].partition(",")[0]) == (2, "error: --as-of: found 'soon'")
