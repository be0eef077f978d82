"""One lead on the terminal, as a person asks for it: what the list says of it, and why."""

from __future__ import annotations

import shutil

import pyarrow.parquet as pq
import pytest

from cli.commands import AS_OF, SETTINGS, TRAINED_AS_OF, Project, command, company
from leadscore.delivery.files import read_manifest

AT = ("--as-of", AS_OF)
OF_THE_LIST = ("rank", "grade", "action")
CALLS = "".join(f"{{lead}},2024-03-{day}T10:00:00Z,call\n" for day in (18, 19, 20))


@pytest.fixture(scope="module")
def made_listed(tmp_path_factory):
    """Make, for looking and copying, a project with colleagues that has delivered a list."""
    folder = tmp_path_factory.mktemp("made") / "listed"
    folder.mkdir()
    header, *leads = company()["leads"].splitlines()
    accounts = [f"{lead},account {number // 4}" for number, lead in enumerate(leads)]
    files = company() | {"leads": "\n".join([f"{header},account", *accounts]) + "\n"}
    settings = SETTINGS.replace("created_at: created}", "created_at: created, account_id: account}")
    project = Project(folder).write(settings=settings, **files)
    for words in (["ingest"], ["train", "--as-of", TRAINED_AS_OF], ["score", *AT]):
        assert project(*words).code == 0
    return project


@pytest.fixture
def listed(made_listed, tmp_path) -> Project:
    """Give a project that has delivered a list, to change it."""
    return made_listed.copy(tmp_path / "listed")


def told(project, lead, *words):
    """What `show` says of a lead as one object."""
    shown = project("show", lead, "--json", *words)
    assert shown.code == 0, shown.err
    return shown.json


def first(project):
    """Who is first on the list."""
    return project.scores()["lead_id"][0].as_py()


def test_it_says_what_the_list_says_and_adds_up(made_listed):
    rows, weights = made_listed.scores(), pq.read_table(made_listed.folder / "out" / "latest" / "weights.parquet")
    number = rows.num_rows
    assert (
        "capillarity" in read_manifest(made_listed.folder / "out" / "latest")["model"]["families"]
    )  # colleagues count
    for place in (0, number // 2, number - 1):
        row, added = rows.slice(place, 1).to_pylist()[0], weights.slice(place, 1).to_pylist()[0]
        shown = told(made_listed, row["lead_id"])
        assert {name: shown[name] for name in row if not name.endswith(("_at", "as_of"))} == {
            name: value for name, value in row.items() if not name.endswith(("_at", "as_of"))
        }
        assert shown["as_of"] == "2024-03-21T00:00:00Z"
        assert shown["chances"] == {name: row[f"p_{name}"] for name in ("3d", "7d", "14d")}
        assert (shown["mind"], shown["listed"]) == ([], number)
        assert [reason["text"] for reason in shown["reasons"][:3]] == [
            row[f"reason_{place}_text"] for place in (1, 2, 3) if row[f"reason_{place}_text"]
        ]
        parts = [reason["weight"] for reason in shown["reasons"]]
        assert parts == pytest.approx([added[reason["code"]] for reason in shown["reasons"]], abs=1e-6)
        assert sum(parts) + shown["others"] + shown["offset"] == pytest.approx(shown["margin"], abs=1e-9)


def test_what_happened_is_what_was_known_then(made_listed):
    lead = first(made_listed)
    shown = told(made_listed, lead)
    events = [line.split(",") for line in company()["events"].splitlines()[1:]]
    mine = sorted((at, kind) for who, at, kind in events if who == lead and at < "2024-03-21")
    assert [(touch["at"], touch["label"]) for touch in shown["touches"]] == mine
    assert shown["hidden"] == 0
    assert len(shown["warmth"]) == 91
    assert shown["warmth"][-1]["at"] == shown["as_of"]
    assert shown["warmth"][-1]["temperature"] > 0


def test_on_the_terminal_in_the_language_of_the_project(listed):
    lead = first(listed)
    english = listed("show", lead)
    assert english.code == 0, english.err
    row = listed.scores().slice(0, 1).to_pylist()[0]
    for part in (f"1 of {listed.scores().num_rows}", f"{row['p_7d']:.1%}", row["reason_1_text"], "How ready it is"):
        assert part in english.out
    listed.change("project: tiny\n", "project: tiny\nlanguage: fr\n")
    french = listed("show", lead)
    assert french.code == 0, french.err  # the model is the same, the list is another configuration's
    assert "Aucune liste n'a été livrée pour ce moment avec cette configuration" in french.out.replace("\xa0", " ")
    assert f"{row['p_7d']:.1%}".replace(".", ",").replace("%", "\u202f%") in french.out


def test_without_a_list_there_is_what_the_next_list_will_say_but_for_its_order(listed):
    later = ("--as-of", "2024-03-24")
    lead = first(listed)
    alone = told(listed, lead, *later)
    assert alone["mind"] == ["no_list"]
    assert [alone[name] for name in OF_THE_LIST] == [None, None, None]
    assert (alone["slot"], alone["listed"]) == (None, None)
    assert "so there is no rank, grade or action" in listed("show", lead, *later).out
    assert listed("score", *later).code == 0
    delivered = told(listed, lead)
    assert delivered["as_of"] == "2024-03-24T00:00:00Z"
    assert delivered["score_prev"] is not None
    changed = {name for name in delivered if delivered[name] != alone[name]}
    assert changed == {*OF_THE_LIST, "slot", "listed", "mind"}


def test_what_came_in_since_the_list_is_not_passed_over(listed):
    rows = listed.scores()
    row = rows.slice(rows.num_rows - 1).to_pylist()[0]
    listed.add(leads="new,2024-03-02,FR,\n", events=CALLS.format(lead=row["lead_id"]) + CALLS.format(lead="new"))
    assert listed("ingest").code == 0
    old = told(listed, row["lead_id"])
    assert (old["mind"], old["rank"], old["p_14d"]) == (["other_chances"], row["rank"], row["p_14d"])
    assert old["chances"]["14d"] > row["p_14d"]
    assert f"the list says {row['p_14d']:.3%}" in listed("show", row["lead_id"]).out
    new = told(listed, "new")
    assert (new["mind"], new["rank"]) == (["not_listed"], None)
    assert new["listed"] == rows.num_rows


def test_another_model_is_named(listed):
    lead, model = first(listed), listed.scores()["model_version"][0].as_py()
    assert listed("train", "--as-of", "2024-03-12").code == 0
    assert told(listed, lead)["model"] == model  # the one that made the list, whichever is newest or best
    shutil.rmtree(listed.folder / "models" / model)
    other = told(listed, lead)
    assert other["mind"] == ["another_model"]
    assert other["model"] != other["model_version"] == model
    assert f"Model {model}, which made this list, is no longer kept" in listed("show", lead).out


def test_without_any_list_it_looks_from_the_last_midnight(trained):
    shown = trained("show", "lead-000")  # it still is at risk, years later
    assert shown.code == 0, shown.err
    assert "as of" in shown.out
    assert told(trained, "lead-000")["as_of"] > "2025"


REFUSED = {
    "nobody": (2, "LEAD: found no such lead in the store"),
    "lead-007": (2, "not at risk at 2024-03-21T00:00:00Z: it had converted"),
    "lead-011": (2, "not at risk at 2024-03-21T00:00:00Z: it had ended without converting"),
    "lead-012": (2, "not at risk at 2024-03-21T00:00:00Z: it had closed"),
    "late": (2, "LEAD: this lead was not known before 2024-03-21"),
    "lead-006": (4, "LEAD: this lead objected"),
    "lead-000": (5, "No model of this configuration was trained as of 2024-03-21"),
}


@pytest.fixture(scope="module")
def made_odd(tmp_path_factory):
    """Make a project without a model, of whose leads one objected, one came late, and the oldest have closed."""
    files = company()
    files["leads"] += "late,2024-03-21,FR\n"
    files["consents"] += "lead-006,2024-04-20,objection\n"
    settings = SETTINGS + "at_risk: {max_age: 70d}\n"
    folder = tmp_path_factory.mktemp("made") / "odd"
    folder.mkdir()
    project = Project(folder).write(settings=settings, **files)
    assert project("ingest").code == 0
    return project


@pytest.mark.parametrize("lead", REFUSED)
def test_a_lead_that_cannot_be_shown_is_said(made_odd, lead):
    code, sentence = REFUSED[lead]
    shown = made_odd("show", lead, *AT)
    assert shown.code == code
    assert sentence in shown.error[0]
    assert shown.out == ""


def test_it_needs_a_store_and_a_lead(make):
    assert make()("show", "lead-006").code == 5
    assert command("show").error[0] == "Missing argument 'LEAD'."
