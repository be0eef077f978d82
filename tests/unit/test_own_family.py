"""A family of the project's own: what it may be, what it is refused for, and what a model knows of it."""

from __future__ import annotations

import json
from dataclasses import replace
from textwrap import dedent

import numpy as np
import pytest

from leadscore.config import Config, read_config
from leadscore.errors import ConfigError, StateError
from leadscore.features.matrix import build_matrix, catalogue, settle, take_census
from leadscore.features.own import load_own, words_of
from leadscore.features.vocabulary import Vocabulary
from world import bucket, config, day, looks, vocabulary

HEAD = """\
import numpy as np
from leadscore.features import asof
from leadscore.features.own import feature

@feature(unit="count", sentence={"en": "{value} faxes", "fr": "{value} fax"}, absent="no fax")
def faxes(view, vocabulary):
"""
COUNTS = """\
    codes = view.history.kind.recode(("fax",))
    return asof.count(view.asof, codes, 1, np.array([asof.ALL]))[:, 0, 0]
"""
WORLD = bucket(
    "lead_id | created_at\nada | 0\nbob | 0",
    """
    lead_id | occurred_at | known_at | kind
    ada     | 1           | 1        | fax
    ada     | 2           | 5        | fax
    ada     | 3           | 3        | mail
    bob     | 1           | 1        | mail
    """,
)


@pytest.fixture
def project(tmp_path):
    """Make a configuration whose own family has this text."""

    def project(text, name="paper.py"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return config(features={"own": [name]}).model_copy(update={"root": tmp_path})

    return project


def settled(project):
    return settle(take_census(*WORLD, project), project)


def test_a_feature_is_a_column_with_its_sentence_and_its_value(project):
    words = settled(project(HEAD + COUNTS))
    assert words.families[-1] == "paper"
    feature = catalogue(words)[-1]
    assert (feature.name, feature.family, feature.concept) == ("faxes", "paper", "paper.faxes")
    assert [feature.say(value, "fr") for value in (2.0, 0.0)] == ["2 fax", "no fax"]
    leads, history = WORLD
    asked = [("ada", day("4")), ("ada", day("6")), ("bob", day("6"))]
    assert build_matrix(leads, history, looks(leads, asked), words)[:, -1].tolist() == [1, 2, 0]


def test_a_family_may_be_written_as_those_of_leadscore_are(project):
    text = """
    from leadscore.features import asof
    from leadscore.features.catalogue import Feature
    import numpy as np

    def needs(vocabulary):
        return "" if "fax" in vocabulary.kinds else "nobody faxes"

    def catalogue(vocabulary):
        words = {"en": "{value} faxes", "fr": "{value} fax"}
        none = {"en": "no fax", "fr": "aucun fax"}
        return tuple(
            Feature(f"faxes_{name}", "paper", "paper.fax", "count", "", words, none) for name in vocabulary.windows
        )

    def compute(view, vocabulary):
        windows = np.array([*vocabulary.windows.values()])
        return asof.count(view.asof, view.history.kind.recode(("fax",)), 1, windows)[:, 0, :]
    """
    words = settled(project(dedent(text)))
    assert [f.name for f in catalogue(words) if f.family == "paper"] == ["faxes_7d", "faxes_30d", "faxes_90d"]
    idle = settled(project(dedent(text).replace('"fax" in', '"telex" in')))
    assert (idle.off["paper"], idle.own) == ("nobody faxes", {})
    silent = settled(project(dedent(text).replace('return ""', "return None")))
    assert silent.families[-1] == "paper"


CHEATS = {
    "counts what is still to come": (
        "    number = np.diff(view.asof.indptr)\n    return np.repeat(number, np.diff(view.asof.ptr))",
        "feature faxes sees the future",
    ),
    "forgets when it was learned": (
        "    own = view.bucket.indptr\n"  # noqa: ISC004 - two lines of code
        "    return [(view.bucket.time[own[lead] : own[lead + 1]] < as_of).sum()"
        " for lead, as_of in zip(view.snapshots.lead, view.snapshots.as_of)]",
        "feature faxes sees the future",
    ),
    "knows how it ended": (
        "    return view.leads.ended_at[view.snapshots.lead] < 2**62",
        "feature faxes sees the future",
    ),
    "takes the newest version of a lead": (
        "    newest = dict(zip(view.leads.version_of, view.leads.attributes))\n"  # noqa: ISC004 - two lines of code
        "    return [float(newest[lead]['size']) for lead in view.snapshots.lead]",
        "feature faxes sees the future",
    ),
    "looks at the other snapshots": (
        "    return view.snapshots.as_of - view.snapshots.as_of.min(initial=2**62)",
        "feature faxes changes with the other",
    ),
    "looks at other people": (
        "    return np.full(len(view.snapshots), len(view.leads))",
        "feature faxes changes with the leads of other accounts",
    ),
    "takes a code for a number": (
        "    codes = np.where(view.history.content.codes == 2, 0, -1).astype(np.int32)\n"  # noqa: ISC004 - as above
        "    return asof.count(view.asof, codes, 1, np.array([asof.ALL]))[:, 0, 0]",
        "feature faxes changes with the leads of other accounts",
    ),
    "throws dice": (
        "    return np.random.default_rng().random(len(view.snapshots))",
        "feature faxes gives another value when asked again",
    ),
    "looks at the clock, whose seconds float32 does not hold": (
        "    import time\n    return np.full(len(view.snapshots), time.time())",
        "feature faxes gives another value when asked again",
    ),
    "is infinite": ("    return np.full(len(view.snapshots), np.inf)", "feature faxes is infinite somewhere"),
    "is missing without a meaning": (
        "    return asof.age_of_last(view.asof, view.history.kind.recode(('fax',)), 1)[:, 0]",
        "feature faxes is missing somewhere, unannounced",
    ),
    "gives too few numbers": ("    return [1.0, 2.0]", r"feature faxes gives an array of shape \(2,\) for"),
    "breaks": ("    return 1 / 0", "line 7: raised ZeroDivisionError"),
    "ends the process": ("    raise SystemExit(0)", "line 7: raised SystemExit"),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_feature_that_breaks_a_promise_is_refused_by_its_name(project, cheat):
    body, sentence = CHEATS[cheat]
    with pytest.raises(ConfigError, match=rf"^paper\.py.*{sentence}") as refused:
        load_own(project(HEAD + body + "\n"))
    assert refused.value.hint


BROKEN = {
    "x = = 1": "line 1: is no Python",
    "import nonsense_that_is_not_there": "line 1: raised ModuleNotFoundError",
    "x = 1": "declares no feature",
    "def compute(view, vocabulary): ...": "declares no feature",
    HEAD.replace("{value} faxes", "{number} faxes") + COUNTS: "the en sentence of feature faxes cannot be said",
    HEAD.replace('"fr"', '"de"') + COUNTS: "feature faxes has no sentence in fr",
    HEAD.replace('"count"', '"pages"') + COUNTS: "feature faxes has an unknown unit",
    HEAD.replace("(unit", '(missing="no fax", direction=1, unit') + COUNTS: "feature faxes has a direction and may be",
    HEAD + COUNTS + HEAD.partition("\n\n")[2].replace("def faxes", "def more").replace("(unit", '(name="faxes", unit')
    + COUNTS: "feature faxes is named twice",
}  # fmt: skip


@pytest.mark.parametrize("text", BROKEN, ids=BROKEN.values())
def test_a_file_that_is_no_family_is_refused_by_its_name(project, text):
    with pytest.raises(ConfigError, match=r"^paper\.py.*" + BROKEN[text]) as refused:
        load_own(project(text))
    assert refused.value.hint


def test_a_name_that_a_built_in_feature_has_is_refused(project):
    own = project(HEAD.replace("(unit", '(name="age_days", unit') + COUNTS)
    with pytest.raises(ConfigError, match="Feature age_days is in family profile and in paper"):
        settled(own)


def test_the_words_a_file_looks_for_are_tried_on_it():
    assert words_of(HEAD + COUNTS) == ("fax",)
    # A cheat on one kind only, which no fixed set of words would meet.
    assert "W_Nabellen" in words_of('x = "W_Nabellen"; y = "far too long a text to be a word of the data, surely"')


def test_a_cheat_on_one_kind_is_found_out_whatever_its_name_among_many(project):
    others = "".join(f"    view.history.kind.recode(('aa {n}',))\n" for n in range(30))
    cheat = others + (
        "    fax = np.append(0, np.cumsum(view.history.kind.recode(('fax and more',)) == 0))\n"
        "    number = fax[view.asof.indptr[1:]] - fax[view.asof.indptr[:-1]]\n"
        "    return np.repeat(number, np.diff(view.asof.ptr))\n"
    )
    with pytest.raises(ConfigError, match="feature faxes sees the future"):
        load_own(project(HEAD + cheat))


def test_the_file_names_the_configuration_by_its_content_not_by_its_place(project, tmp_path):
    plain, own = config(), project(HEAD + COUNTS)
    prints = {plain.training_fingerprint(), own.training_fingerprint()}
    changed = project(HEAD + COUNTS + "# changed\n")
    prints |= {changed.training_fingerprint()}
    assert len(prints) == 3
    assert changed.fingerprint() != own.fingerprint()
    (tmp_path / "elsewhere").mkdir()
    moved = project(HEAD + COUNTS, "elsewhere/paper.py")
    assert moved.training_fingerprint() == own.training_fingerprint()


WRONG = {
    "paper.txt": "expected a Python file",
    "My-paper.py": "expected a Python file",
    "drip.py": "drip is a family of leadscore",
    "gone.py": "found no file gone.py",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_of_the_wrong_name_is_a_mistake_with_its_line(tmp_path, name):
    sources = {
        "leads": {"files": "l.csv", "columns": {"lead_id": "l", "created_at": "c"}},
        "interactions": {"files": "i.csv", "columns": {"lead_id": "l", "occurred_at": "o", "kind": "k"}},
    }
    path = tmp_path / "leadscore.yaml"
    text = f"project: tiny\nsources: {json.dumps(sources)}\noutcomes: {{converted: won}}\nfeatures:\n  own: [{name}]\n"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"line 5: features\.own\S*: .*{WRONG[name]}"):
        read_config(path)


def test_a_model_knows_the_catalogue_and_not_the_code(project):
    words = settled(project(HEAD + COUNTS))
    saved = json.dumps(words.to_dict())
    assert "asof.count" not in saved
    again = Vocabulary.from_dict(json.loads(saved))
    assert catalogue(again) == catalogue(words)
    # Nothing of the project is here: the catalogue still speaks, computing is refused.
    gone = replace(again, own={"paper": again.own["paper"] | {"digest": "0" * 16}})
    assert catalogue(gone) == catalogue(words)
    leads, history = WORLD
    with pytest.raises(StateError, match="paper: this family is not here as it was"):
        build_matrix(leads, history, looks(leads, [("ada", day("4"))]), gone)


def test_what_the_code_raises_on_real_data_shows_none_of_them(project):
    text = HEAD + "    if 'ada' in view.leads.lead_id: raise ValueError(view.leads.lead_id[0])\n" + COUNTS
    words = settled(project(text))
    leads, history = WORLD
    with pytest.raises(ConfigError, match=r"paper\.py, line 7: raised ValueError\.$") as told:
        build_matrix(leads, history, looks(leads, [("ada", day("4"))]), words)
    assert "ada" not in str(told.value)


@pytest.mark.parametrize(
    ("odd", "sentence"), [("inf", "infinite somewhere"), ("nan", "missing somewhere, unannounced")]
)
def test_on_real_data_each_value_is_what_the_catalogue_says_too(project, odd, sentence):
    text = HEAD + f"    if 'ada' in view.leads.lead_id: return np.full(len(view.snapshots), np.{odd})\n" + COUNTS
    words = settled(project(text))
    leads, history = WORLD
    with pytest.raises(ConfigError, match=rf"paper\.py: feature faxes is {sentence}"):
        build_matrix(leads, history, looks(leads, [("ada", day("4"))]), words)


def test_what_the_code_prints_leaves_standard_output_to_the_command(project, capsys):
    words = settled(project("print('loaded')\n" + HEAD + "    print('asked')\n" + COUNTS))
    leads, history = WORLD
    build_matrix(leads, history, looks(leads, [("ada", day("4"))]), words)
    told = capsys.readouterr()
    assert told.out == ""
    assert "loaded\nasked\n" in told.err


def test_without_own_families_nothing_is_run():
    assert load_own(config()) == {}
    assert isinstance(config(), Config)
    assert np.array_equal(vocabulary().own, {})
