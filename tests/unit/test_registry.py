from __future__ import annotations

import ast
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from dataclasses import fields, replace
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import leadscore
from accounts import UNJUDGED, account_of, cohorts_of, training_of
from bundles import HORIZONS, tiny_bundle, tiny_matrix
from leadscore.config import Config
from leadscore.errors import GateError
from leadscore.model.bundle import Bundle
from leadscore.registry import Ablation, Child, judged, recording, registered, settings, store, studies, tracking

SOURCES = {
    "leads": {"files": "a", "columns": {"lead_id": "i", "created_at": "c"}},
    "interactions": {"files": "b", "columns": {"lead_id": "i", "occurred_at": "t", "kind": "k"}},
}
# What MLflow and its database layer will have to change is theirs to change.
pytestmark = [pytest.mark.filterwarnings(f"ignore:::{module}") for module in ("mlflow", "sqlalchemy", "alembic")]


def config_in(root, **settings):
    settings = {"project": "tiny", "sources": SOURCES, "outcomes": {"converted": "won"}, **settings}
    return Config.model_validate({**settings, "root": root})


@pytest.fixture(scope="module")
def bundle():
    return tiny_bundle()


@pytest.fixture(autouse=True)
def _no_server_of_the_developer(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """A state folder with an empty database, to copy: making one takes MLflow seconds."""
    config = config_in(tmp_path_factory.mktemp("blank"))
    assert tracking.champion(config) is None
    return config.state_path


@pytest.fixture
def config(tmp_path, blank):
    shutil.copytree(blank, tmp_path / ".leadscore")
    return config_in(tmp_path)


@pytest.fixture(scope="module")
def project(tmp_path_factory, bundle):
    """A project with one recorded and crowned training; nothing in these tests changes it."""
    root, elsewhere = tmp_path_factory.mktemp("a project"), tmp_path_factory.mktemp("elsewhere")
    config = config_in(root)
    environment, path = {**os.environ}, list(sys.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(elsewhere)
        recorded = tracking.record(config, training_of(bundle))
        crowned = tracking.crown(config, recorded, tracking.champion(config), at=0)
    assert crowned
    assert recorded.reason == ""
    changed = {name for name in os.environ if os.environ[name] != environment.get(name)}
    return config, recorded, {"changed": changed, "path": sys.path == path, "elsewhere": list(elsewhere.iterdir())}


@pytest.fixture
def mlflow(project):
    import mlflow

    mlflow.set_tracking_uri(store.tracking_uri(project[0]))
    yield mlflow
    mlflow.set_tracking_uri(None)


def named(bundle, matrix):
    return pd.DataFrame(matrix.astype(np.float64), columns=[feature.name for feature in bundle.features])


# What a run says


def test_a_run_says_what_was_trained_on_what_and_how_well(project, mlflow, bundle):
    config, recorded, _ = project
    run = mlflow.get_run(recorded.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "tiny of then"
    assert mlflow.get_experiment(run.info.experiment_id).name == config.project
    assert run.data.params == {"model.trees": "5", "features.families": "profile volume"}
    told = ("bundle", "project", "data_version", "configuration")
    tags = {name: run.data.tags[f"leadscore.{name}"] for name in told}
    assert tags == {
        "bundle": bundle.version, "project": "tiny", "data_version": "leads@3", "configuration": "0123456789ab",
    }  # fmt: skip
    read = {given.dataset.name: (given.dataset.digest, given.tags[0].value) for given in run.inputs.dataset_inputs}
    assert read == {"leads": ("v3", "training"), "interactions": ("v7", "training")}
    sources = [json.loads(given.dataset.source) for given in run.inputs.dataset_inputs]
    assert {(source["path"], source["delta_table_version"]) for source in sources} == {
        ("/store/leads", 3),
        ("s3://store/interactions", 7),
    }


def test_metrics_have_names_that_stay_and_come_by_origin_as_step_and_time(project, mlflow, bundle):
    _, recorded, _ = project
    told = account_of(bundle).told
    metrics = mlflow.get_run(recorded.run_id).data.metrics
    assert metrics["model_ece_14d"] == told["horizons"]["14d"]["model"]["ece"]
    assert metrics["versus_recency_log_loss_90d"] == told["horizons"]["90d"]["recency"]["log_loss"]
    assert (metrics["rows"], metrics["rows_14d"], metrics["base_rate_30d"]) == (
        300, 600, told["horizons"]["30d"]["model"]["base_rate"],
    )  # fmt: skip
    assert "nothing" not in metrics
    assert "versus_recency_ece_14d" not in metrics  # the tables have all; the compare page only what one compares by
    history = mlflow.MlflowClient().get_metric_history(recorded.run_id, "origin_model_auc_14d")
    assert [(point.step, point.timestamp, point.value) for point in history] == [
        (k, cohort.origin // 1000, told["origins"][k]["horizons"]["14d"]["model"]["auc"])
        for k, cohort in enumerate(cohorts_of(bundle))
    ]


def test_a_run_holds_the_configuration_the_tables_the_pictures_and_the_card(project, mlflow, bundle):
    _, recorded, _ = project
    files = {item.path for item in mlflow.MlflowClient().list_artifacts(recorded.run_id)}
    tables = {f"{name}.json" for name in ("backtest", "backtest_by_origin", "months", "importance", "catalogue")}
    pictures = {"gain", "lift", "calibration", "quality_over_origins", "importance", "contributions"}
    beaten = {"beaten.json"} if account_of(bundle).told["beaten"] else set()
    assert files == tables | beaten | {f"{name}.png" for name in pictures} | {
        "configuration.yaml", "judged.parquet", "model_card.md",
    }  # fmt: skip
    uri = f"runs:/{recorded.run_id}"
    hidden = "project: tiny # é\ntracking: {uri: http://there}\n"
    assert mlflow.artifacts.load_text(f"{uri}/configuration.yaml") == hidden
    assert mlflow.artifacts.load_text(f"{uri}/model_card.md") == "# tiny\n\nFor é tests.\n"
    version = mlflow.MlflowClient().get_model_version("tiny", recorded.registered_version)
    assert version.description == "# tiny\n\nFor é tests.\n"
    assert mlflow.artifacts.load_dict(f"{uri}/catalogue.json")["data"] == [["a", "never"], ["b", None]]
    logged = json.loads(mlflow.get_run(recorded.run_id).data.tags["mlflow.loggedArtifacts"])
    assert {"path": "backtest.json", "type": "table"} in logged  # what MLflow's page shows as a table
    table = pd.DataFrame(**mlflow.artifacts.load_dict(f"{uri}/backtest.json"))
    told = account_of(bundle).told["horizons"]["30d"]["recency"]
    row = table[(table.horizon == "30d") & (table.model == "recency")].iloc[0]
    assert [row.auc, row.auc_low, row.auc_high] == pytest.approx([told["auc"], *told["intervals"]["auc"]])


def test_the_judged_rows_name_no_lead(project, mlflow, bundle, tmp_path):
    _, recorded, _ = project
    file = mlflow.artifacts.download_artifacts(
        run_id=recorded.run_id, artifact_path="judged.parquet", dst_path=tmp_path
    )
    rows = pq.read_table(file).to_pandas()
    cohorts = cohorts_of(bundle)
    assert len(rows) == sum(cohort.matured.sum() for cohort in cohorts)
    assert b"lead " not in Path(file).read_bytes()
    newest = cohorts[-1]
    row = len(newest.lead_id) - 1
    seen, origin = (pd.Timestamp(moment, unit="us", tz="UTC") for moment in (newest.as_of[row], newest.origin))
    name = judged.pseudonym("tiny", newest.lead_id[row])
    one = rows[(rows.lead == name) & (rows.horizon == "30d") & (rows.as_of == seen)]
    assert one.origin.tolist() == [origin]
    assert one.hit.tolist() == [newest.hits[row, 1]]
    assert one.p_recency.tolist() == [np.float32(newest.chances["recency"][row, 1])]


def test_recording_leaves_no_trace_but_in_the_state_folder_and_in_mlflows_switches(project):
    config, _, seen = project
    assert [path.name for path in config.root.iterdir()] == [".leadscore"]
    assert seen["elsewhere"] == []
    assert seen["path"]
    # `configure` must come before MLflow is imported, so its switches stay; the store of a project does not.
    assert seen["changed"] <= {*store._SETTINGS}
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_without_a_cohort_there_are_no_pictures_and_the_training_is_recorded(config, bundle):
    recorded = tracking.record(config, training_of(bundle, **UNJUDGED))
    assert recorded.run_id
    assert list(config.root.rglob("*.png")) == []
    assert list(config.root.rglob("judged.parquet")) == []


def test_a_backtest_is_a_run_with_a_nested_run_per_origin_and_moves_no_alias(config, bundle):
    from mlflow import MlflowClient

    account = account_of(bundle)
    recorded = tracking.record_backtest(config, account)
    assert (recorded.reason, recorded.registered_version) == ("", None)
    client = MlflowClient(store.tracking_uri(config))
    parent = client.get_run(recorded.run_id)
    assert parent.data.tags["leadscore.study"] == "backtest"
    assert {"quality_over_origins.png", "judged.parquet", "backtest.json"} <= {
        item.path for item in client.list_artifacts(recorded.run_id)
    }
    runs = client.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{recorded.run_id}'")
    found = {run.info.run_name: (run.data.metrics["model_auc_14d"], run.data.tags["leadscore.origin"]) for run in runs}
    assert found == {
        origin["origin"]: (origin["horizons"]["14d"]["model"]["auc"], origin["origin"])
        for origin in account.told["origins"]
    }
    assert client.search_registered_models() == []


def test_a_backtest_outlives_a_store_that_is_away(tmp_path, bundle, caplog):
    recorded = tracking.record_backtest(config_in(tmp_path, tracking={"uri": "nowhere://"}), account_of(bundle))
    assert recorded.run_id is None
    assert "the backtest is not recorded in MLflow" in caplog.text


def test_more_numbers_than_mlflow_takes_at_once_are_logged(config):
    numbers, settings = {f"n{k}": float(k) for k in range(1001)}, {f"p{k}": "x" for k in range(101)}
    recorded = recording.record_run(config, "it", "many", {}, lambda run: run.log_numbers(settings, numbers))
    with store.open_store(config) as (_, client):
        data = client.get_run(recorded.run_id).data
    assert (data.metrics, data.params) == (numbers, settings)


def test_every_setting_is_a_parameter_that_mlflow_takes(tmp_path):
    (tmp_path / "odd.py").write_text("# é\n")
    told = config_in(
        tmp_path,
        kinds={'page:view "home" 🎉': {"layer": 2}},
        features={"own": ["odd.py"], "kind_weights": {"call": 2}},
        tracking={"uri": "http://me:secret@there"},
        sources={
            **SOURCES,
            "leads": {**SOURCES["leads"], "columns": {**SOURCES["leads"]["columns"], "account_id": "a" * 200}},
        },
    )
    flat = settings.flatten(told)
    assert (flat["model.trees"], flat["horizons"]) == ("120", "14d 30d 90d")
    assert (flat["features.kind_weights"], flat["training.recency_half_life"]) == ('{"call": 2.0}', "none")
    assert re.fullmatch(r"odd@[0-9a-f]{16}", flat["features.own"])
    assert re.fullmatch(r"sha256 [0-9a-f]{12}", flat["sources.leads"])
    assert "secret" not in str(flat)
    assert all(len(text) <= 120 and re.fullmatch(r"[\w.]+", name) for name, text in flat.items())
    moved = told.model_copy(update={"out": "there", "models": "here"})
    assert settings.flatten(moved) == flat


# The registered model


def test_the_champion_scores_like_the_bundle_bit_for_bit(mlflow, bundle):
    model = mlflow.pyfunc.load_model("models:/tiny@champion")
    matrix = tiny_matrix()
    found = model.predict(named(bundle, matrix))
    assert list(found.columns) == ["p_14d", "p_30d", "p_90d"]
    np.testing.assert_array_equal(found.to_numpy(), bundle.readiness(matrix))


def test_a_model_is_text_and_names_no_folder_it_came_from(project):
    config, _, _ = project
    (description,) = config.state_path.rglob("MLmodel")
    folder = description.parent
    lines = description.read_text(encoding="utf-8").splitlines()
    told = "\n".join(line for line in lines if not line.startswith("artifact_path:"))  # its place in the store itself
    for private in (str(Path(leadscore.__file__).parent), str(config.root), str(Path.cwd())):
        assert private not in told
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "MLmodel"]
    # Whoever loads the model from here lets Python keep its bytecode beside it.
    endings = {path.suffix for path in files if path.parent.name != "__pycache__"}
    assert endings <= {".py", ".typed", ".yaml", ".txt", ".json", ".md", ".html", ".css", ".js", ".svg", ".sql", ""}
    assert [path for path in folder.rglob("*") if "pickle" in path.name or path.suffix == ".pkl"] == []


def test_a_model_that_does_not_give_back_the_bundle_gets_no_champion(config, bundle):
    class Tilted(Bundle):
        def readiness(self, matrix):
            return np.nextafter(super().readiness(matrix), 1)

    tilted = Tilted(**{field.name: getattr(bundle, field.name) for field in fields(Bundle)})
    with pytest.raises(GateError, match="does not score like the bundle"):
        tracking.record(config, training_of(tilted))
    assert tracking.champion(config) is None
    import mlflow

    mlflow.set_tracking_uri(store.tracking_uri(config))
    try:
        (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    finally:
        mlflow.set_tracking_uri(None)
    assert run.info.status == "FAILED"


def test_the_pins_are_what_the_served_model_imports():
    """Neither fewer (it would not load elsewhere) nor more; MLflow pins itself."""
    code = (
        "import sys, leadscore.model.bundle; print(*(m.__file__ for n, m in sys.modules.items() if 'leadscore' in n))"
    )
    files = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    served = Path(tracking.__file__).parent / "served.py"
    imported = {name for file in (*files, served) for name in top_level_imports(Path(file))}
    outside = imported - set(sys.stdlib_module_names) - {"leadscore", "mlflow"}
    distributions = packages_distributions()
    assert sorted(registered.REQUIREMENTS) == sorted({distributions[name][0].lower() for name in outside})


def top_level_imports(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


# The champion's alias


def test_the_alias_goes_to_no_one_when_it_moved_in_the_meantime(config):
    seen = tracking.champion(config)
    first, second = (tracking.record(config, training_of(tiny_bundle(as_of=moment), **UNJUDGED)) for moment in (0, 1))
    assert (seen, first.registered_version, second.registered_version) == (None, "1", "2")
    assert tracking.crown(config, second, seen, at=1)
    with pytest.raises(GateError, match="found version 2 as champion in MLflow, expected none"):
        tracking.crown(config, first, seen, at=2)
    assert tracking.champion(config) == "2"
    assert tracking.crown(config, first, "2", at=3)
    import mlflow

    version = mlflow.MlflowClient(store.tracking_uri(config)).get_model_version_by_alias("tiny", "champion")
    assert (str(version.version), version.tags["promoted_from"]) == (first.registered_version, "2")
    assert version.tags["promoted_at"] == "1970-01-01T00:00:00.000003Z"


# When things go wrong


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_training_outlives_a_server_that_is_away(tmp_path, bundle, caplog, monkeypatch):
    uri = f"http://me:secret@127.0.0.1:{free_port()}"
    config = config_in(tmp_path, tracking={"uri": uri})
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, "leadscore"):
        recorded = tracking.record(config, training_of(bundle))
    assert time.monotonic() - started < 30
    assert (recorded.run_id, recorded.registered_version) == (None, None)
    assert "127.0.0.1" in recorded.reason
    assert "the training is not recorded in MLflow" in caplog.text
    assert "secret" not in caplog.text + str(recorded)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert tracking.champion(config) is None
    assert not tracking.crown(config, replace(recorded, registered_version="1"), None, at=0)


ABLATION = Ablation(
    title="ablation of tiny",
    tags={"as_of": "2024-01-01T00:00:00Z"},
    table=pd.DataFrame({"variant": ["all", "without drip"], "log_loss": [0.3, None]}),
    children=[
        Child("all", {"families": "drip profile"}, {"auc_14d": 0.7}, [{"auc_14d": 0.6}, {"auc_14d": 0.8}]),
        Child("without drip", {"families": "profile"}, {"auc_14d": float("nan")}, [{"auc_14d": 0.5}]),
    ],
)


def test_an_ablation_is_a_run_with_nested_runs_and_moves_no_alias(config, bundle):
    from mlflow import MlflowClient

    assert tracking.crown(config, tracking.record(config, training_of(bundle)), None, at=0)
    recorded = studies.record_ablation(config, ABLATION)
    assert (recorded.reason, recorded.registered_version) == ("", None)
    client = MlflowClient(store.tracking_uri(config))
    runs = client.search_runs([client.get_run(recorded.run_id).info.experiment_id])
    children = {run.info.run_name: run for run in runs if run.data.tags.get("mlflow.parentRunId") == recorded.run_id}
    assert set(children) == {"all", "without drip"}
    assert children["all"].data.metrics["auc_14d"] == 0.7
    steps = client.get_metric_history(children["all"].info.run_id, "origin_auc_14d")
    assert [(metric.step, metric.value) for metric in steps] == [(0, 0.6), (1, 0.8)]
    assert "auc_14d" not in children["without drip"].data.metrics
    assert children["without drip"].data.tags["leadscore.variant"] == "without drip"
    assert tracking.champion(config) == "1"
    assert len(client.search_model_versions("name = 'tiny'")) == 1


def test_an_ablation_outlives_a_store_that_is_away(tmp_path, caplog):
    recorded = studies.record_ablation(config_in(tmp_path, tracking={"uri": "nowhere://"}), ABLATION)
    assert recorded.run_id is None
    assert recorded.reason
    assert "the ablation is not recorded in MLflow" in caplog.text


def test_runs_of_killed_processes_are_ended_and_no_others(config, bundle):
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    here = {"leadscore.host": recording.platform.node()}
    ours = {**here, "leadscore.pid": str(os.getpid())}
    runs = {
        "gone": {**here, "leadscore.pid": str(dead.pid), "leadscore.born": "1"},
        "same number, later process": {**ours, "leadscore.born": "1"},
        "alive": {**ours, "leadscore.born": recording._born(os.getpid())},
        "elsewhere": {"leadscore.host": "elsewhere", "leadscore.pid": str(dead.pid), "leadscore.born": "1"},
        "somebody else's": {},
    }
    with store.open_store(config) as (_, client):
        experiment = store.find_experiment(config, client)
        ids = {client.create_run(experiment, tags=tags, run_name=name).info.run_id: name for name, tags in runs.items()}
    assert tracking.record(config, training_of(bundle)).run_id
    with store.open_store(config) as (_, client):
        status = {name: client.get_run(run_id).info.status for run_id, name in ids.items()}
    assert status == {
        "gone": "KILLED",
        "same number, later process": "KILLED",
        "alive": "RUNNING",
        "elsewhere": "RUNNING",
        "somebody else's": "RUNNING",
    }


@pytest.mark.parametrize(
    ("written", "environment", "expected"),
    [
        (None, None, "sqlite:///{root}/.leadscore/mlflow.db"),
        (None, "http://there:5000", "http://there:5000"),
        ("http://here:5000", "http://there:5000", "http://here:5000"),
        ("sqlite:///runs.db", None, "sqlite:///{root}/runs.db"),
        ("sqlite:////srv/runs.db", None, "sqlite:////srv/runs.db"),
    ],
)
def test_the_configuration_is_asked_first_then_the_environment(tmp_path, monkeypatch, written, environment, expected):
    if environment:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", environment)
    config = config_in(tmp_path, tracking={"uri": written})
    assert store.tracking_uri(config) == expected.format(root=tmp_path)


@pytest.mark.parametrize("name", ["é #1", "%41 ?"])
def test_the_database_is_found_in_a_folder_of_any_name(tmp_path, name):
    config = config_in(tmp_path / name)
    assert tracking.champion(config) is None
    assert (config.state_path / "mlflow.db").exists()


def test_a_setting_of_the_user_stays(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    store.configure()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"


def test_the_registry_is_imported_without_mlflow_and_matplotlib():
    code = "import sys, leadscore.registry; print({'mlflow', 'matplotlib', 'sqlalchemy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


# Whole processes


RECORD = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:4]
from bundles import tiny_bundle
from accounts import training_of
from test_registry import config_in
from leadscore.registry import tracking
recorded = tracking.record(config_in(Path(sys.argv[1])), training_of(tiny_bundle()))
print(recorded.registered_version, recorded.reason)
"""


@pytest.mark.slow
def test_two_first_trainings_at_once_are_both_recorded(tmp_path):
    here = Path(__file__).parent
    command = [sys.executable, "-c", RECORD, str(tmp_path), str(here), str(here.parent)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=240) for process in both]
    assert sorted(out for out, _ in said) == ["1 \n", "2 \n"], said


@pytest.mark.slow
def test_the_model_brings_leadscore_along(project, bundle, tmp_path):
    """Without site initialisation the editable install is not there: only the model's own copy is left."""
    config, _, _ = project
    (description,) = config.state_path.rglob("MLmodel")
    code = """
import importlib.util, sys
sys.path.append(sys.argv[2])
assert importlib.util.find_spec("leadscore") is None
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
rows = pd.read_json(sys.stdin, orient="split", dtype="float64", precise_float=True)
print(model.predict(rows).to_json(orient="values", double_precision=15))
import leadscore
assert leadscore.__file__.startswith(sys.argv[1]), leadscore.__file__
"""
    site = sysconfig.get_path("purelib")
    rows = named(bundle, tiny_matrix(rows=4))
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, str(description.parent), site],
        input=rows.to_json(orient="split", double_precision=15),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), bundle.readiness(tiny_matrix(rows=4)), rtol=1e-12)


def ask(url, body=None, patience=120.0):
    """Ask a server that may still be starting."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - our own server
    until = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - same
                return answer.read()
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


@pytest.mark.slow
def test_mlflow_serves_the_champion(project, bundle, tmp_path):
    config, _, _ = project
    port = free_port()
    tools = Path(sys.executable).parent
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store.tracking_uri(config)}
    environment["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/tiny@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    rows = named(bundle, tiny_matrix(rows=3))
    body = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", double_precision=15))}).encode()
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
        try:
            ask(f"http://127.0.0.1:{port}/ping")
            answer = json.loads(ask(f"http://127.0.0.1:{port}/invocations", body, patience=0))
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)
    found = pd.DataFrame(answer["predictions"])[[f"p_{name}" for name in HORIZONS]]
    np.testing.assert_allclose(found.to_numpy(), bundle.readiness(tiny_matrix(rows=3)), rtol=1e-12)
