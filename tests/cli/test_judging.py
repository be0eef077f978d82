"""How good the recipe is, as a person meets it: what is said first, and of how many origins."""

from __future__ import annotations

import pytest

from cli.commands import AS_OF

AT = ("--as-of", AS_OF)
POOR = ("model: {trees: 10, min_rows_per_leaf: 20}", "model: {trees: 1, base_l2: 1000000000, min_rows_per_leaf: 20}")


@pytest.mark.parametrize("verb", ["train", "backtest"])
def test_where_a_baseline_wins_that_is_said_first(made_ingested, tmp_path, verb):
    project = made_ingested.copy(tmp_path / "poor").change(*POOR)
    beaten = project(verb, *AT, "--json").json["beaten"]
    line = next(line for line in beaten if line["metric"] == "log_loss")
    assert 0 < line["interval"][0] < line["difference"]
    lines = project(verb, *AT).out.splitlines()
    assert all(line.startswith("Mind: within ") for line in lines[: len(beaten)])
    assert (
        f"{line['by']} beats the model in log_loss: model minus {line['by']} is {line['difference']:+.4f} ("
        in "".join(lines[: len(beaten)])
    )
    assert not lines[len(beaten)].startswith("Mind:")
