"""The demonstration, whole: two lists a week apart, and the second says what changed since the first."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from leadscore.demonstration import demonstrate
from leadscore.errors import ConfigError
from leadscore.timeline import WEEK, parse_moment

NOW = parse_moment("2030-01-01", "UTC")


@pytest.mark.slow
def test_it_delivers_two_lists_of_one_model_and_says_what_changed(tmp_path):
    told = demonstrate(tmp_path / "demo", 600, 1, "fr", NOW)
    before, now = told.before, told.run.score
    assert parse_moment(now.manifest["as_of"], "UTC") - parse_moment(before.manifest["as_of"], "UTC") == WEEK
    assert before.manifest["model"]["version"] == now.manifest["model"]["version"] == told.run.train.version
    scores = pq.read_table(now.path / "scores.parquet", columns=["score_prev", "trend"])
    assert scores["score_prev"].null_count < len(scores) / 4
    assert {"steady", "declining"} < set(scores["trend"].to_pylist())
    page = (now.path / "report.html").read_text(encoding="utf-8")
    assert "notés A ou B, avant ou maintenant, ont bougé" in page
    assert set(told.figures) == {"14d", "30d", "90d"}
    assert {"model", "recency", "oracle"} <= set(told.figures["30d"])
    with pytest.raises(ConfigError, match="another demonstration"):
        demonstrate(tmp_path / "demo", 601, 1, "fr", NOW)
