"""The reference pages are what the code says today, and leave nothing undescribed."""

from __future__ import annotations

import pytest

from leadscore import errors
from leadscore.config.shape import Config
from leadscore.reference import DOCS, PAGES, configuration_page, errors_page, key_paths, main


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_the_generated_one(name):
    committed = (DOCS / name).read_text(encoding="utf-8")
    assert committed == PAGES[name](), "run `python -m leadscore.reference`"


def test_each_key_is_described():
    rows = [line.split(" | ") for line in configuration_page().splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows if not row[-1].strip(" |")] == []
    assert {path.split(".")[0] for path in key_paths()} == set(Config.model_fields) - {"root"}
    assert {"sources.<table>.time_formats", "kinds.<kind>.label", "model.l2"} <= set(key_paths())


def test_each_family_of_errors_has_its_code_on_the_page():
    families = errors.LeadscoreError.__subclasses__()
    page = errors_page()
    assert [family for family in families if f"| `{family.exit_code}` | `{family.__name__}` |" not in page] == []


def test_the_pages_are_written_where_asked(tmp_path):
    main([str(tmp_path / "pages")])
    written = {str(path.relative_to(tmp_path / "pages")) for path in (tmp_path / "pages").rglob("*.md")}
    assert written == set(PAGES)


def test_a_stale_page_is_named(monkeypatch):
    monkeypatch.setitem(PAGES, "reference/errors.md", lambda: "something else")
    with pytest.raises(SystemExit, match=r"reference/errors\.md"):
        main(["--check"])
