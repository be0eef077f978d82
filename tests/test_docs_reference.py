"""The reference pages are what the code says today, and leave nothing undescribed."""

from __future__ import annotations

import re

import pytest

from leadscore import dictionary, errors
from leadscore.config.shape import Config
from leadscore.features.matrix import FAMILIES, catalogue
from leadscore.reference import (
    DOCS,
    PAGES,
    configuration_page,
    errors_page,
    features_page,
    flat_page,
    key_paths,
    main,
)
from world import vocabulary

COLUMNS = (
    *("account", "campaign", "channel", "content", "direction"),
    *("layer", "referrer", "source", "topic", "value"),
)


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_the_generated_one(name):
    committed = (DOCS / name).read_text(encoding="utf-8")
    assert committed == PAGES[name](), "run `python -m leadscore.reference`"


def test_each_key_is_described():
    lines = (configuration_page() + flat_page()).splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| `")]
    assert [row[0] for row in rows if not row[-1].strip(" |")] == []
    assert {path.split(".")[0] for path in key_paths()} == set(Config.model_fields) - {"root"}
    assert {"sources.<table>.time_formats", "kinds.<kind>.label", "model.l2"} <= set(key_paths())


def test_each_family_of_errors_has_its_code_on_the_page():
    families = errors.LeadscoreError.__subclasses__()
    page = errors_page()
    assert [family for family in families if f"| `{family.exit_code}` | `{family.__name__}` |" not in page] == []


def test_each_feature_of_each_family_is_in_the_dictionary():
    """The names of a model of other words and lengths than the page's are each one of the page's patterns."""
    on = tuple(FAMILIES)
    words = vocabulary(families=on, numbers=("size",), categories={"country": ("DE", "FR")}, columns=COLUMNS)
    patterns = {}
    for family, (_, features) in dictionary.families().items():
        escaped = [re.sub("<[^>]+>", "\0", feature.name) for feature in features]
        patterns[family] = [re.compile(re.escape(name).replace("\0", "(.+)")) for name in escaped]
    unknown = [
        feature.name
        for feature in catalogue(words)
        if not any(pattern.fullmatch(feature.name) for pattern in patterns[feature.family])
    ]
    assert unknown == []
    page = features_page()
    names = [feature.name for _, features in dictionary.families().values() for feature in features]
    assert [name for name in names if f"| `{name}` |" not in page] == []
    assert [name for name in on if f"## `{name}`" not in page] == []
    assert "11 days" not in page.replace("11 days\n", "")


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_has_examples_that_are_drawn(family):
    drawn = dict(dictionary.examples(family))
    assert any(tables for title, tables in drawn.items() if not title.startswith("The world"))
    for tables in drawn.values():
        for table in tables:
            assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_pages_are_written_where_asked(tmp_path):
    main([str(tmp_path / "pages")])
    written = {str(path.relative_to(tmp_path / "pages")) for path in (tmp_path / "pages").rglob("*.md")}
    assert written == set(PAGES)


def test_a_stale_page_is_named(monkeypatch):
    monkeypatch.setitem(PAGES, "reference/errors.md", lambda: "something else")
    with pytest.raises(SystemExit, match=r"reference/errors\.md"):
        main(["--check"])
