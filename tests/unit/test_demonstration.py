"""The demonstration: what it tells a person to type can be typed, and what drives its company is what its list says."""

from __future__ import annotations

import re
import shlex
from statistics import mean

import pytest

from leadscore import steps
from leadscore.config import read_config
from leadscore.demonstration import mlflow_command
from leadscore.features import plain
from leadscore.language import LANGUAGES
from leadscore.model.learn import choose_shape, finish, learn
from leadscore.scoring.ranking import rank
from leadscore.scoring.score import score_bucket
from leadscore.simulate import export, simulate
from leadscore.simulate.catalogue import KINDS
from leadscore.timeline import parse_moment, to_microseconds
from world import config

DRIVES = ("infusion", "percolation", "capillarity", "profile")  # what the true hazard is made of
NAMES = {kind.name for kind in KINDS}
IDLE = {kind.name for kind in KINDS if not kind.weight_after}


def test_the_command_that_opens_the_experiments_survives_a_folder_with_spaces(tmp_path):
    folder = tmp_path / "my démo"
    typed = shlex.split(mlflow_command(config().model_copy(update={"root": folder})))
    assert typed[-1] == f"sqlite:///{folder}/.leadscore/mlflow.db"


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model of the simulated company, its settings, the moment of its list, and what is known then."""
    company = simulate(leads=4000, seed=1)
    told = read_config(export(company, tmp_path_factory.mktemp("company"), "en"))
    settings = told.model_copy(update={"model": told.model.model_copy(update={"members": 0})})
    steps.ingest(settings, parse_moment("2030-01-01", "UTC"))
    as_of = to_microseconds(company.ends_at)
    read = steps.reader(settings, steps.open_settled(settings))
    bundle = finish(settings, as_of, learn(read, settings, as_of), [], choose_shape([], settings))
    return bundle, settings, as_of, [*read(as_of)]


@pytest.fixture(scope="module")
def morning(learned):
    """The model, and the list of the day."""
    bundle, settings, as_of, buckets = learned
    parts = [score_bucket(bucket, bundle, settings, as_of)[0] for bucket in buckets]
    return bundle, rank(parts, bundle, settings, as_of, "run").to_pylist()


def about(code):
    """The kinds a reason's code names."""
    return NAMES & {*code.replace(">", ".").split(".")}


@pytest.mark.slow
def test_the_reasons_name_what_truly_drives_the_company(morning):
    """Temperature, depth, colleagues and profile drive it; pushes and mentions only cool, and lead no A's reasons."""
    _, rows = morning
    codes = [row["reason_1_code"] for row in rows if row["grade"] == "A"]
    assert len(codes) == 40
    assert sum(code.split(".")[0] in DRIVES for code in codes) >= 0.95 * len(codes)
    assert not any(about(code) & IDLE for code in codes)


@pytest.mark.slow
def test_the_scale_of_the_temperature_finds_the_kinds_that_warm(morning):
    """One interaction of a kind warms as the simulation has it: those that do nothing weigh least, a demo most."""
    weights = morning[0].vocabulary.frozen["infusion"]["weights"]
    truly = {kind.name: kind.weight_after for kind in KINDS if kind.name in weights}
    warm = [weights[name] for name, weight in truly.items() if weight >= 2]
    tepid = [weights[name] for name, weight in truly.items() if 0 < weight < 2]
    idle = [weights[name] for name in IDLE]
    assert max(weights, key=weights.__getitem__) == max(truly, key=truly.__getitem__) == "demo_request"
    assert mean(warm) > 1.5 * mean(tepid)
    assert mean(tepid) > 3 * mean(idle)


# What is written alike in both languages, and countries.
ALIKE = {
    *("a", "conversation", "conversations", "finance", "interaction", "interactions", "leads", "mail", "mails"),
    *("mention", "mentions", "messages", "page", "pages", "place", "public", "web"),
    *("BE", "DE", "ES", "FR", "GB", "IT", "NL"),
}


def panels(learned, language):
    bundle, settings, as_of, buckets = learned
    told = settings.model_copy(update={"language": language})
    scored = [score_bucket(bucket, bundle, told, as_of, panels_from=0)[0] for bucket in buckets]
    return [panel for part in scored for panel in part.panels.values()]


def tells_a_detail_twice(texts):
    """Tell whether a count names some of what it counts that another reason tells."""
    details = [found[1] for text in texts if (found := re.search(r"\((?:including|dont) (.+?)\)", text))]
    return any(text.startswith(f"{detail} ") for detail in details for text in texts)


@pytest.mark.slow
def test_what_a_list_says_is_in_one_language_and_never_twice_of_a_lead(learned):
    vocabulary, said = learned[0].vocabulary, {}
    for language in LANGUAGES:
        found = panels(learned, language)
        reasons = [[reason.text for reason in panel.reasons] for panel in found]
        assert [texts for texts in reasons if len({*texts}) < len(texts)] == []
        assert [texts for texts in reasons if tells_a_detail_twice(texts[:3])] == []
        features = [*learned[0].features, *plain.catalogue(vocabulary)]
        said[language] = {
            *(text for texts in reasons for text in texts),
            *(touch.label for panel in found for touch in panel.touches),
            *(feature.say(value, language) for feature in features for value in (0, 1, 3)),
        }
        assert [text for text in said[language] if re.search(r"[_*{}⟨⟩]|\bnan\b|None", text)] == []
    english, french = ({word for text in said[language] for word in re.findall(r"[^\W\d]+", text)} for language in said)
    assert english & french <= ALIKE
    assert "none" not in french
