"""A column that knows the outcome, in the four commands that learn: refused alike, and told where it is allowed."""

from __future__ import annotations

import numpy as np
import pytest

from cli.commands import AS_OF, LEAD_IDS, SETTINGS, Project, company

FIT = {"train": (), "backtest": (), "tune": ("--trials", "1"), "ablate": ("--families", "profile")}


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """Make the company with a column that is the outcome, but for one lead in ten."""
    won = {line.split(",")[0] for line in company()["outcomes"].splitlines() if line.endswith("won")}
    noise = np.random.default_rng(4).random(len(LEAD_IDS)) < 0.1
    header, *leads = company()["leads"].splitlines()
    told = [
        f"{line},{int((lead in won) != off)}" for line, lead, off in zip(leads, LEAD_IDS, noise.tolist(), strict=True)
    ]
    project = Project(tmp_path_factory.mktemp("made")).write(settings=SETTINGS, **company())
    project.write(leads="\n".join([f"{header},field", *told]) + "\n").change("[country]", "[country, field]")
    assert project("ingest").code == 0
    return project


@pytest.mark.parametrize("verb", FIT)
def test_what_knows_the_outcome_is_refused_before_anything_is_fitted(leaky, tmp_path, verb):
    told = leaky.copy(tmp_path / "leaky")(verb, "--as-of", AS_OF, *FIT[verb], "--json")
    assert told.code == 4
    assert told.error[0].startswith("What this training would learn from knows the outcome: field. ")
    assert '`guard: {allow: ["field"]}`' in told.error[1]
    assert "rolling origins" not in told.err
    assert "Trying settings" not in told.err


@pytest.mark.parametrize("verb", FIT)
def test_what_is_allowed_by_name_is_warned_of_and_told(leaky, tmp_path, verb):
    project = leaky.copy(tmp_path / "leaky").change("horizons:", "guard: {allow: [field]}\nhorizons:")
    told = project(verb, "--as-of", AS_OF, *FIT[verb], "--json")
    assert told.code == 0, told.err
    leaks = told.json["facts"]["leaks"] if verb == "train" else told.json["leaks"]
    assert [leak["name"] for leak in leaks] == ["field"]
    assert f"A leak? {leaks[0]['evidence']}" in told.err
    assert "It is allowed." in told.err
