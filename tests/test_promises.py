"""What is promised of the main job on a real log: who is listed, what the future may change, and the same bytes."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from conftest import ROOT

AS_OF = "2011-12-15T00:00:00Z"
EXAMPLE = ROOT / "examples" / "bpic2012" / "leadscore.yaml"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def morning(shared_data, tmp_path_factory):
    """The example, run as its README says, in a project of its own."""
    return run(tmp_path_factory.mktemp("one"), shared_data)


def run(folder, data, **environment):
    shutil.copy(EXAMPLE, folder / "leadscore.yaml")
    command = [
        sys.executable,
        "-m",
        "leadscore",
        "run",
        "-c",
        str(folder / "leadscore.yaml"),
        "--as-of",
        AS_OF,
        "--json",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"LEADSCORE_DATA": str(data)} | environment,
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_the_list_is_exactly_the_applications_open_at_that_moment(morning, shared_data):
    _, result = morning
    listed = pq.read_table(f"{result['score']['path']}/scores.parquet")["lead_id"].to_pylist()
    raw = shared_data / "bpic2012"
    opened = pd.read_csv(raw / "applications.csv.gz", dtype=str).set_index("case:concept:name")["REG_DATE"]
    resolved = pd.read_csv(raw / "resolutions.csv.gz", dtype=str).set_index("case:concept:name")["resolved_at"]
    moment = pd.Timestamp(AS_OF)
    begun = set(opened.index[pd.to_datetime(opened, utc=True, format="ISO8601") < moment])
    over = set(resolved.index[pd.to_datetime(resolved, utc=True, format="ISO8601") < moment])
    assert len(listed) == len(set(listed)) > 500
    assert set(listed) == begun - over


def test_every_row_is_coherent_and_in_rank_order(morning):
    _, result = morning
    rows = pq.read_table(f"{result['score']['path']}/scores.parquet").to_pandas()
    chances = rows[["p_7d", "p_14d", "p_30d"]].to_numpy()
    assert (np.diff(chances, axis=1) >= 0).all()
    assert (chances > 0).all()
    assert (chances < 1).all()
    assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
    assert (np.diff(rows["p_14d"]) <= 0).all()
    assert ((rows["p_lo"] <= rows["p_14d"]) & (rows["p_14d"] <= rows["p_hi"])).all()
    assert rows["score"].between(1, 99).all()
    assert rows["grade"].value_counts()["A"] == 50
    assert set(rows["trend"]) == {"not_enough_info"}


def test_nothing_of_the_outcome_is_a_feature(morning):
    folder, result = morning
    bundle = json.loads((folder / "models" / result["train"]["version"] / "bundle.json").read_text())
    hidden = "A_APPROVED A_REGISTERED A_ACTIVATED A_DECLINED A_CANCELLED O_ACCEPTED O_DECLINED won declined cancelled"
    assert len(bundle["features"]) > 100
    assert not [name for name in bundle["features"] if any(word in name for word in hidden.split())]


def test_the_future_changes_not_a_byte_nor_does_the_number_of_threads(morning, shared_data, tmp_path):
    _, result = morning
    changed = tmp_path / "data"
    shutil.copytree(shared_data / "bpic2012", changed / "bpic2012")
    open_lead, other_lead = pq.read_table(f"{result['score']['path']}/scores.parquet")["lead_id"].to_pylist()[:2]
    append(
        changed / "bpic2012" / "events.csv.gz",
        f"{open_lead},W_Nabellen offertes,COMPLETE,112,2011-12-15T01:00:00+01:00",  # exactly the moment
        f"{open_lead},O_SENT_BACK,COMPLETE,112,2011-12-15T01:00:00.001+01:00",
        f"{other_lead},A_KIND_NEVER_SEEN,COMPLETE,,2011-12-20T12:00:00+01:00",
    )
    append(changed / "bpic2012" / "resolutions.csv.gz", f"{other_lead},2011-12-15T01:00:00+01:00,won")
    append(changed / "bpic2012" / "applications.csv.gz", "999999,2011-12-15T01:00:00+01:00,123456")
    project = tmp_path / "two"
    project.mkdir()
    _, again = run(project, changed, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    counts = [told["ingest"]["tables"]["interactions"]["accepted"] for told in (result, again)]
    assert counts[1] == counts[0] + 3
    assert again["train"]["version"] == result["train"]["version"]
    one, two = (Path(told["score"]["path"], "scores.parquet").read_bytes() for told in (result, again))
    assert one == two


def test_the_same_slot_again_is_a_no_op(morning, shared_data):
    folder, result = morning
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*") if path.is_file()}
    _, again = run(folder, shared_data)
    assert again["score"]["repeated"] is True
    assert again["train"] is None
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*") if path.is_file()} == before
    assert (folder / "out" / "latest").resolve().name == result["score"]["manifest"]["slot"]


def test_the_model_beats_recency_and_rfm_where_the_readme_says_so(morning):
    _, result = morning
    for horizon, figures in result["train"]["facts"]["judged"].items():
        for baseline in ("recency", "rfm_logit"):
            assert figures["model"]["auc"] > figures[baseline]["auc"] + 0.05, horizon
            assert figures["model"]["log_loss"] < figures[baseline]["log_loss"] - 0.01, horizon


def test_the_readme_shows_what_comes_out(morning):
    _, result = morning
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r'^"(\d+)",(\d),(\d+),"(\w)",', readme, re.MULTILINE)
    rows = pq.read_table(f"{result['score']['path']}/scores.parquet").slice(0, 3).to_pylist()
    assert shown == [(row["lead_id"], str(row["rank"]), str(row["score"]), row["grade"]) for row in rows]
    for row in rows:
        assert f"{row['p_14d']:.1%}" in readme
        assert row["reason_1_text"] in readme


def append(path, *lines):
    path.chmod(0o644)
    with gzip.open(path, "at", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
