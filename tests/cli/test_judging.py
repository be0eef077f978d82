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


def test_fewer_origins_than_were_asked_for_are_said_with_the_reason(made_ingested, tmp_path):
    project = made_ingested.copy(tmp_path / "project").change("spacing: 2d", "spacing: 9d")
    told = project("backtest", *AT, "--origins", "6")
    assert "There is room for 3 of 6 origins: the past is too short for more;" in told.err
    assert "Judged at 3 of the 4 origins that should be had at least" in told.err
    assert "Means over 3 of 6 origins: " in told.out


def test_origins_of_the_configuration_come_first_and_one_that_taught_nothing_is_named(made_ingested, tmp_path):
    chosen = "backtest: {origins: [2024-01-04, 2024-03-01, 2024-05-01], cohort: [0d, 4d]}\ningest: {"
    project = made_ingested.copy(tmp_path / "project").change("ingest: {", chosen)
    told = project("backtest", *AT, "--origins", "6", "--json")
    assert "--origins is ignored: backtest.origins names 3." in told.err
    assert "There is room for 2 of 3 origins: the others have not come yet." in told.err
    assert "Origin 2024-01-04T00:00:00Z is left out. Nothing to learn from as of" in told.err
    assert "Judged at 1 of the 4 origins that should be had at least" in told.err
    assert (told.json["asked"], told.json["judged"]) == (3, 1)
    shown = project("ablate", *AT, "--families", "profile")
    assert "Origin 2024-01-04T00:00:00Z is left out" in shown.err
    assert "--origins is ignored" not in shown.err
    assert "means over 1 of 3 origins: 2024-03-01T00:00:00Z." in shown.out
