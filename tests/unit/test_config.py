"""Reading a configuration: what a file means, and that all its mistakes are said at once, in words."""

from __future__ import annotations

import json
import string
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from leadscore.config import Config, FamilyName, Source, SourceMap, read_config
from leadscore.errors import ConfigError

GOOD = """\
project: shop
sources:
  leads:
    files: leads.csv
    columns: {lead_id: Id, created_at: Created}
  interactions:
    files: [a.csv, b.csv]
    columns: {lead_id: Id, occurred_at: When, kind: What}
outcomes:
  converted: won
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "leadscore.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def refusal(write):
    """Read a text that must be refused; return the lines of the message without the file's path."""

    def refusal(text):
        path = write(text)
        with pytest.raises(ConfigError) as caught:
            read_config(path)
        assert caught.value.exit_code == 2
        return str(caught.value).replace(f"{path}: ", "").splitlines()

    return refusal


def test_one_source_and_one_word_need_no_list(write):
    config = read_config(write(GOOD))
    assert [source.files for source in config.sources.interactions] == [("a.csv", "b.csv")]
    assert config.outcomes.ends == ("won",)
    assert config.root == write(GOOD).parent.resolve()
    assert config.data_path == config.root / "data"


def test_words_of_the_source_stay_as_they_are_written(write):
    config = read_config(write(GOOD + "  lost: [no, off, 010, 12:30, 1.50, 2024-01-01, true]\n"))
    assert config.outcomes.lost == ("no", "off", "010", "12:30", "1.50", "2024-01-01", "true")


def test_numbers_are_numbers_where_the_shape_wants_them(write):
    config = read_config(write(GOOD + "seed: 7\nmodel: {l2: 1e-3, trees: '12'}\n"))
    assert (config.seed, config.model.l2, config.model.trees) == (7, 0.001, 12)


def test_a_key_without_a_value_keeps_its_default(write):
    assert read_config(write(GOOD + "features:\n#  top_kinds: 5\ncapacity:\n")).features.top_kinds == 20


def test_a_byte_order_mark_is_no_part_of_the_text(write):
    assert read_config(write(b"\xef\xbb\xbf" + GOOD.encode())).project == "shop"


def test_a_kind_may_take_over_from_another(write):
    text = GOOD + "kinds:\n  mail: &mail {direction: outbound, layer: 1}\n  letter: {<<: *mail, layer: 2}\n"
    assert read_config(write(text)).kinds["letter"].model_dump()["layer"] == 2
    assert read_config(write(text)).kinds["letter"].direction == "outbound"


def test_a_week_is_seven_days(write):
    config = read_config(write(GOOD + "horizons: [3d, 7d, 14d]\nrank_by: 2w\n"))
    assert config.rank_index == 2
    assert str(config.rank_by) == "14d"


MISTAKES = """\
project: my shop
langage: fr
time_zone: Europe/Pari
seed: true
root: elsewhere
sources:
  leads:
    files: a.csv
    columns: {lead_id: id, created: c}
    attributes: [id, x, x]
  interactions:
    files: i.csv
    colums: {lead_id: id}
  outcomes:
  - files: [o.csv, null]
    columns: {lead_id: id, occurred_at: when, outcome: what}
    constants: {outcome: won}
    time_formats: iso
  - files: p.csv
    columns: {lead_id: []}
    attributes: some
kinds:
  the "mail" 😀: {direction: in, layer: 0, label: {de: x}}
outcomes:
  converted: [won, signed]
  lost: [lost, won]
  disqualified: [lost, spam, spam]
horizons: [7d, 30d, 14x]
capacity: many
snapshots: {spacing: 30d, look_back: 1d}
features:
  windows: [30d, 7d]
  half_lives: [7d, 1w]
  families: [volume, drips]
model: {trees: 1.5, l2: .nan, leaves: 1}
training: 5
ingest: [a]
delivery: {valid_for: 999999999999d}
"""

SENTENCES = """\
31 mistakes in the configuration:
  line 1: project: found 'my shop', expected 1 to 64 letters, digits, '_', '.' or '-', a letter or a digit first
  line 2: langage: unknown key 'langage'; did you mean 'language'?
  line 3: time_zone: found 'Europe/Pari'; did you mean Europe/Paris?
  line 4: seed: found 'true', expected a whole number
  line 5: root: unknown key 'root'; did you mean 'out'?
  line 9: sources.leads.columns.created: unknown key 'created'; did you mean 'created_at'?
  line 10: sources.leads.attributes.0: 'id' is mapped under columns already
  line 10: sources.leads.attributes.2: 'x' is given twice
  line 13: sources.interactions.colums: unknown key 'colums'; did you mean 'columns'?
  line 15: sources.outcomes.0.files.1: found nothing, expected text
  line 17: sources.outcomes.0.constants.outcome: 'outcome' is mapped under columns, too; keep one of both
  line 18: sources.outcomes.0.time_formats: found 'iso', expected one such as '%d/%m/%Y %H:%M'
  line 20: sources.outcomes.1.columns.lead_id: found 0 of them, expected at least 1
  line 21: sources.outcomes.1.attributes: found 'some', expected all, none or a list of the file's columns
  line 23: kinds."the \\"mail\\" 😀".direction: found 'in', expected 'inbound' or 'outbound'
  line 23: kinds."the \\"mail\\" 😀".label.de: found 'de', expected 'en' or 'fr'
  line 23: kinds."the \\"mail\\" 😀".layer: found '0', expected at least 1
  line 26: outcomes.lost.1: 'won' is in outcomes.converted, too; keep one of both
  line 27: outcomes.disqualified.2: 'spam' is given twice
  line 28: horizons.2: found '14x', expected a length such as 90m, 12h, 7d or 2w (at most 36500d)
  line 29: capacity: found 'many', expected a whole number
  line 30: snapshots.look_back: found 1d, expected at least the spacing (30d)
  line 32: features.windows: found 30d, 7d, expected different ones, shortest first
  line 33: features.half_lives: found 7d, 1w, expected different ones, shortest first
  line 34: features.families.1: found 'drips', expected <a family>
  line 35: model.l2: found '.nan', expected a number
  line 35: model.leaves: found '1', expected at least 2
  line 35: model.trees: found '1.5', expected a whole number
  line 36: training: found '5', expected a section of settings
  line 37: ingest: found a list, expected a section of settings
  line 38: delivery.valid_for: found '999999999999d', expected a length such as 90m, 12h, 7d or 2w (at most 36500d)
"""


def test_every_mistake_is_said_at_once_with_line_and_key_path(refusal):
    *families, last = map(repr, get_args(FamilyName))
    expected = SENTENCES.replace("<a family>", f"{', '.join(families)} or {last}")
    assert refusal(MISTAKES) == expected.splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "expected settings such as `project: name`, found an empty file.", id="empty"),
        pytest.param("# later\n", "expected settings such as `project: name`, found an empty file.", id="comment"),
        pytest.param("- a\n", "expected settings such as `project: name`, found a list.", id="list"),
        pytest.param("project: p\n\tseed: 1\n", "line 2, column 1: found character '\\t'", id="tab"),
        pytest.param("project: p\n\tseed: 1\n", "Indent with spaces; YAML allows no tabs.", id="tab-hint"),
        pytest.param("project: p\n  seed: 1\n", "line 2, column 7: mapping values", id="indentation"),
        pytest.param("project: 'p\nseed: 1\n", "an open quote", id="quote"),
        pytest.param(b"project: caf\xe9\n", "is not UTF-8 text.", id="latin-1"),
        pytest.param("project: p\nname: \x00\n", "line 2: special characters are not allowed.", id="nul"),
        pytest.param("a: 1\n---\nb: 2\n", "line 2, column 1: found another document.", id="documents"),
        pytest.param("[a]: 1\n", "a key must be a word", id="list-as-key"),
        pytest.param("a: !!python/object:os.system x\n", "could not determine a constructor", id="object"),
        pytest.param("a: &a [*a]\n", "an alias refers to itself", id="itself"),
        pytest.param(
            "a0: &a0 x\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9)),
            "or multiplies",
            id="aliases of aliases",
        ),
        pytest.param("[" * 5000, "is nested too deeply", id="deep"),
        pytest.param(
            "project: p\nmodel:\n  trees: 1\n  trees: 2\nproject: q\n",
            "given twice: model.trees (lines 3 and 4); project (lines 1 and 5).",
            id="twice",
        ),
    ],
)
def test_what_is_no_configuration_is_refused_in_one_sentence(refusal, text, expected):
    lines = refusal(text)
    assert len(lines) == 1
    assert expected in lines[0]


def test_an_absent_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(ConfigError, match=r"no such configuration file\. Write one with `leadscore init"):
        read_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"is a folder, expected a file such as .*leadscore\.yaml"):
        read_config(tmp_path)


def test_what_is_required_is_asked_for(refusal):
    assert refusal("project: p\nsources: {leads: {files: a}}\n") == [
        "4 mistakes in the configuration:",
        "  outcomes: required, but not given",
        "  line 2: sources.interactions: required, but not given",
        "  line 2: sources.leads.columns.created_at: required, but not given (nor under constants)",
        "  line 2: sources.leads.columns.lead_id: required, but not given (nor under constants)",
    ]


def test_a_long_value_is_not_repeated(refusal):
    assert refusal(GOOD + f"seed: {'secret' * 20}\n")[1:] == [
        "  line 11: seed: found text of 120 characters, expected a whole number"
    ]


def test_a_variable_stands_for_its_value_and_its_default(write, monkeypatch):
    monkeypatch.setenv("LEADS", "here/leads.csv")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("NOWHERE", raising=False)
    text = GOOD.replace("files: leads.csv", "files: ['${LEADS}', '${NOWHERE:-x}.csv', 'a${EMPTY:-b}${EMPTY}']")
    assert read_config(write(text)).sources.leads[0].files == ("here/leads.csv", "x.csv", "ab")


def test_a_variable_that_is_not_set_is_a_mistake_among_the_others(refusal, monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    assert refusal(GOOD + "capacity: ${NOWHERE}\nmodel: {trees: -1}\n") == [
        "2 mistakes in the configuration:",
        "  line 11: capacity: the environment variable NOWHERE is not set; set it, or give ${NOWHERE:-default}",
        "  line 12: model.trees: found '-1', expected at least 1",
    ]


def test_sources_built_in_code_are_checked_as_those_of_a_file():
    leads = Source(files=("a.csv",), columns={"lead_id": ("id",), "created_at": ("day",)})
    with pytest.raises(ValueError, match="required, but not given"):
        SourceMap(leads=[leads], interactions=[leads])


def _settings(**changes):
    return Config.model_validate({**yaml.safe_load(GOOD), **changes})


@pytest.mark.parametrize(
    ("changes", "scores", "bundles"),
    [
        ({"data": "elsewhere", "out": "o", "models": "m", "tracking": {"uri": "x"}}, False, False),
        ({"language": "fr"}, True, False),
        ({"capacity": 5}, True, False),
        ({"seed": 2}, True, True),
        ({"horizons": ["1d", "2d", "3d"]}, True, True),
    ],
)
def test_fingerprints_name_what_can_change_a_score_or_a_bundle(changes, scores, bundles):
    before, after = _settings(), _settings(**changes)
    assert (before.fingerprint() != after.fingerprint()) is scores
    assert (before.training_fingerprint() != after.training_fingerprint()) is bundles


_words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12)


@given(st.dictionaries(_words.filter(lambda word: "${" not in word), st.just({"layer": 2}), max_size=4))
def test_a_kind_may_have_any_name(tmp_path_factory, kinds):
    path = tmp_path_factory.getbasetemp() / "kinds.yaml"
    path.write_text(GOOD + "kinds: " + json.dumps(kinds, ensure_ascii=False), encoding="utf-8")
    assert set(read_config(path).kinds) == set(kinds)


_keys = st.text(string.ascii_lowercase + "_", min_size=1, max_size=10)
_any_key = _keys | st.sampled_from(list(Config.model_fields))
_trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_any_key, inner),
    max_leaves=12,
)


@given(st.dictionaries(_any_key, _trees, min_size=1))
def test_whatever_the_file_holds_the_answer_is_a_configuration_or_its_mistakes(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    said = r"mistakes? in the configuration|not valid YAML|given twice|configuration of a flat export"
    with pytest.raises(ConfigError, match=said):
        read_config(path)  # never without sources, so never accepted
