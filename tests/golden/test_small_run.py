"""A whole small run, as text in git: what was rejected, the manifest, the matrix, the list.

`make golden` rewrites the files; the diff is what a reviewer reads first. Figures are rounded, digests left out.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from leadscore import steps
from leadscore.config import read_config
from leadscore.model.train import assemble
from leadscore.simulate import export, simulate
from leadscore.timeline import to_microseconds

HERE = Path(__file__).parent
SHOWN_LEADS, SHOWN_ROWS = 6, 20

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    company = simulate(leads=400, months=12, seed=3)
    path = export(company, folder, "fr")
    settings = yaml.safe_load(path.read_text())
    settings["model"] = {"trees": 20, "leaves": 4}
    settings["training"] = {"origins": 2, "min_conversions": 5}
    settings["capacity"] = 10
    path.write_text(yaml.safe_dump(settings, allow_unicode=True))
    config = read_config(path)
    as_of = to_microseconds(company.ends_at)
    return config, as_of, steps.run(config, as_of, as_of)


def held(name, text):
    path = HERE / name
    if os.environ.get("LEADSCORE_REWRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), "run `make golden` and read what it wrote"
    assert text == path.read_text(encoding="utf-8"), f"{name} changed; run `make golden` and read the diff"


def test_rejected_rows(small_run):
    _, _, result = small_run
    lines = []
    # Their names hold a digest of the input; their content says which file it was.
    for text in sorted(path.read_text(encoding="utf-8") for path in result.ingest.rejected_files):
        lines += text.splitlines()
    held("rejected.csv", "\n".join(lines) + "\n")


def test_manifest(small_run):
    config, _, result = small_run
    manifest = dict(result.score.manifest)
    for digest in ("run_id", "slot", "configuration"):
        manifest.pop(digest)
    manifest["model"] = {key: value for key, value in manifest["model"].items() if key != "version"}
    manifest["files"] = sorted(manifest["files"])
    manifest["score_drift"] = round(manifest["score_drift"], 1)
    manifest["counted"] = result.ingest.to_dict()["tables"]
    assert str(config.root) not in json.dumps(manifest)
    held("manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def test_matrix(small_run):
    config, as_of, result = small_run
    read = steps.reader(config, steps.open_lake(config))
    bundle = result.train.bundle
    examples = assemble(read(as_of), bundle.vocabulary, config, np.array([as_of]), as_of)
    lines = [f"{'feature':<42}" + "".join(f"{lead[-6:]:>12}" for lead in examples.lead_id[:SHOWN_LEADS])]
    for column, feature in enumerate(bundle.features):
        values = examples.matrix[:SHOWN_LEADS, column]
        lines.append(f"{feature.name:<42}" + "".join(f"{value:>12.4g}" for value in values))
    held("matrix.txt", "\n".join(lines) + "\n")


def test_list(small_run):
    _, _, result = small_run
    rows = pq.read_table(result.score.path / "scores.parquet").slice(0, SHOWN_ROWS).to_pylist()
    lines = []
    for row in rows:
        chances = " ".join(f"{name} {row[name]:.2f}" for name in row if name.startswith("p_"))
        lines.append(
            f"{row['rank']:>3} {row['lead_id']} {row['grade']} {chances} {row['known']} {row['trend']} {row['action']}"
        )
        lines += [f"      {row[f'reason_{k}_sign']:+d} {row[f'reason_{k}_text']}" for k in (1, 2, 3)]
    held("list.txt", "\n".join(lines) + "\n")
