"""The documents keep their word: links lead somewhere, commands and settings are described, decisions are whole."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from conftest import ROOT
from leadscore.cli import app
from leadscore.config import read_config
from leadscore.config.flat import read_flat_config

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
PAGES = [page for page in PAGES if ".venv" not in page.parts]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_each_command_has_help_and_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = get_command(app).commands
    assert [name for name, command in commands.items() if not command.help] == []
    assert [name for name in commands if f"| `{name}` |" not in readme] == []


def test_each_make_target_says_what_it_does():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    assert [name for name in targets if not re.search(rf"^{name}:.*## ", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")), ids=lambda page: page.stem)
def test_a_decision_is_whole_and_names_what_keeps_it(page):
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(page.name[:4])}. ")
    for part in ("*Situation.*", "*Decision.*", "*What it costs.*", "*What keeps it.*"):
        assert part in text, part
    tests = re.findall(r"`(tests/[\w/.]+\.py)", text)
    assert [test for test in tests if not (ROOT / test).exists()] == []


def test_each_dependency_that_is_not_in_the_plan_has_a_decision():
    planned = {"scikit-learn", "lightgbm", "pandas", "mlflow", "prefect", "pyarrow"}
    planned |= {"duckdb", "deltalake", "numba", "pydantic", "typer", "rich"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=]", dependency)[0].lower() for dependency in project["dependencies"]}
    decisions = " ".join(path.read_text(encoding="utf-8").lower() for path in ROOT.glob("docs/decisions/0*.md"))
    assert [name for name in sorted(names - planned) if name not in decisions] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/leadscore.yaml")), ids=lambda path: path.parent.name)
def test_an_example_reads_and_has_a_readme(path):
    read = read_flat_config if "\nflat:" in path.read_text(encoding="utf-8") else read_config
    assert read(path).project == path.parent.name
    assert (path.parent / "README.md").exists()


def test_pins_name_no_host():
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in pins
    assert not (ROOT / "uv.lock").exists()


def test_the_glossary_knows_the_canonical_tables():
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    names = ("lead", "account", "interaction", "outcome", "snapshot", "horizon", "hazard", "slot", "bucket", "reason")
    assert [name for name in names if f"| {name}" not in glossary] == []


def test_no_page_names_a_path_of_a_machine():
    text = "".join(Path(page).read_text(encoding="utf-8") for page in PAGES)
    assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/\w", text)
