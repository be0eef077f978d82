import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.compare import unequal
from features.generate import files_per_bucket, generate
from features.question import DAY

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.slow
def test_the_bench_runs_whole_and_all_answers_are_the_same(tmp_path):
    told = tmp_path / "kept" / "bench.json"
    command = [sys.executable, "-m", "features.run", "--events", "3000", "--repeats", "1", "--json", str(told)]
    command += ["--folder", str(tmp_path), "--only", "ours", "duckdb", "pandas"]
    subprocess.run(command, cwd=BENCHMARKS, check=True, env={**os.environ, "PYTHONWARNINGS": "default"})
    result = json.loads(told.read_text(encoding="utf-8"))
    assert result["values_equal"]
    assert result["not_measured"] == {}
    assert (result["events"], result["leads"], result["snapshots"], result["features"]) == (3000, 30, 12, 75)
    for name in ("ours", "duckdb", "pandas"):
        assert result["contestants"][name]["columns_verified"] == 75
        assert result[f"{name}_seconds"] > 0
    assert result["ratio_duckdb"] == pytest.approx(result["duckdb_seconds"] / result["ours_seconds"])
    assert result["peak_mib"] > 0
    assert result["compile_seconds"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_value_that_differs_is_found_and_a_missing_one_equals_only_a_missing_one():
    ours = np.array([1.0, 1.0, np.nan, np.nan, 0.0, 1000.0], np.float32)
    theirs = np.array([1.0, 2.0, np.nan, 0.0, 1e-3, 1000.001], np.float32)
    assert unequal(ours, theirs).tolist() == [False, True, False, True, True, False]


def test_a_world_has_as_many_events_as_asked_for_edges_included_and_lies_as_ingest_leaves_it(tmp_path):
    lake = generate(tmp_path, 5000)
    events = [pq.ParquetFile(file).read().to_pandas() for bucket in files_per_bucket(lake) for file in bucket]
    assert sum(map(len, events)) == 5000
    for of_bucket in events:
        order = of_bucket.sort_values(["lead_id", "occurred_at", "row_id"]).index
        assert order.tolist() == list(range(len(of_bucket)))
    at_midnight = [(of_bucket["occurred_at"].astype("int64") % DAY == 0).sum() for of_bucket in events]
    assert sum(at_midnight) > 0
    assert lake.tables["leads"].count() == 50
