"""The files for CRM systems, read back by the rules these systems publish (docs/how-to/load-scores-into-a-crm.md)."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pyarrow as pa
import pytest
from pydantic import ValidationError

from contents import AS_OF, HOSTILE, made_up
from leadscore.config.crm import CODES, REASONS, Crm, HubSpot, Salesforce, column_mistakes
from leadscore.delivery.crm import Told, due, read_told, salesforce_id, write_crm
from leadscore.delivery.wording import Wording
from leadscore.timeline import DAY, HOUR

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
RUNS = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")  # what a spreadsheet takes for the beginning of a formula; wide, too
BIDI, EMOJI = "\u202e\u0645\u0631\u062d\u0628\u0627", "🂡" * 400
EVERY = {
    "hubspot": {"id": "key"},
    "salesforce": {"id": "key"},
    "dynamics": {"id": "key"},
    "generic": {"columns": {"score": "Score"}},
}


def eighteen(fifteen):
    """Add the three characters that say which of each five are upper case, the first of the five weighing least."""
    parts = (fifteen[start : start + 5] for start in (0, 5, 10))
    return fifteen + "".join(LETTERS[sum(1 << place for place, x in enumerate(p) if x.isupper())] for p in parts)


def changed(content, **columns):
    """Put other values into columns of the file of record."""
    scores = content.scores
    for name, values in columns.items():
        place = scores.column_names.index(name)
        field = scores.schema.field(place)
        plain = pa.array(values, pa.int64() if pa.types.is_timestamp(field.type) else field.type)
        scores = scores.set_column(place, field, plain.cast(field.type))
    return replace(content, scores=scores)


def lists(keys, texts=("a reason",), **more):
    """Make a list of as many leads, with the CRM's ids in the column `key` and the texts as first reasons, in turn."""
    content = made_up(names=[f"lead {number}" for number in range(len(keys))], **more)
    notes = [texts[number % len(texts)] for number in range(len(keys))]
    return replace(changed(content, reason_1_text=notes), shown={"key": keys, "note": notes})


def scored(content, scores, at=AS_OF):
    """Give the leads other scores, at another moment; grade and action stay."""
    several = len(scores)
    moved = changed(content, score=scores, as_of=[at] * several, expires_at=[at + 14 * DAY] * several)
    return replace(moved, as_of=at)


def write(content, settings, folder, before=None):
    return write_crm(content, Crm.model_validate(settings), before or {}, folder)


def read(path, encoding="utf-8", delimiter=",", line_end="\r\n"):
    """Read a file of records on a line each, whose cells stand in quotes where they must, and nowhere else."""
    text = path.read_bytes().decode(encoding)
    lines = text.split(line_end)
    assert lines.pop() == ""
    assert not re.search("[\r\n]", "".join(lines)), "a record is one line"
    records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    written = [
        delimiter.join('"' + cell.replace('"', '""') + '"' if {delimiter, '"'} & set(cell) else cell for cell in record)
        for record in records
    ]
    assert written == lines
    head, *rows = records
    assert len(set(head)) == len(head)
    assert {len(row) for row in rows} <= {len(head)}
    for own in ",;|\t":  # who opens the file may divide its lines otherwise
        cells = [cell for record in csv.reader(lines, delimiter=own) for cell in record]
        assert not [cell for cell in cells if cell.lstrip(' "').startswith(RUNS)]
    return [dict(zip(head, row, strict=True)) for row in rows]


def units(text):
    return len(text.encode("utf-16-le")) // 2


# HubSpot: UTF-8, a header per property, a key that is one, numbers plain, options exactly as they are called, dates.
def test_hubspot_can_load_its_file(tmp_path):
    keys = [*(str(9_007_199_254 + number) for number in range(30)), "0", "12a", "-5", None, *HOSTILE]
    options = {"grade": {"A": "hot lead"}, "trend": {"not_enough_info": "unknown"}, "action": {"none": "no_action"}}
    content = lists(keys, texts=[*HOSTILE, None, BIDI], capacity=5)
    columns = HubSpot().columns | {"note": "leadscore_note"}
    settings = {"hubspot": {"id": "key", "options": options, "columns": columns}}
    assert write(content, settings, tmp_path) == {"hubspot.csv": {"rows": 30, "unmoved": 0, "left_out": 14}}
    rows = read(tmp_path / "hubspot.csv")
    assert not (tmp_path / "hubspot.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert [row["Record ID"] for row in rows] == keys[:30]
    assert {row["leadscore_grade"] for row in rows} == {"hot lead", "B", "C"}
    assert {row["leadscore_trend"] for row in rows} == {"improving", "steady", "unknown"}
    assert {row["leadscore_action"] for row in rows} == {"call", "nurture", "rest", "explore", "no_action"}
    for number, row in enumerate(rows):
        assert all(re.fullmatch(r"leadscore_[a-z0-9_]+", name) for name in list(row)[1:])
        assert row["leadscore_score"] == str(content.scores["score"][number])
        assert (row["leadscore_scored_on"], row["leadscore_valid_until"]) == ("2026-07-06", "2026-07-20")
        assert all(units(cell) <= 65_536 for cell in row.values())
    assert rows[3]["leadscore_note"] == "x" * 4000
    assert rows[0]["leadscore_note"] == "'" + HOSTILE[0]
    assert rows[0]["leadscore_reason_1"] == "For: " + HOSTILE[0]
    assert rows[6]["leadscore_note"] == "a b c"
    assert {row["leadscore_reason_3"] for row in rows} == {"no further reason"}


@pytest.mark.parametrize(
    ("key", "kept", "left"),
    [
        ("Email", ["ada@example.com", "z@y.fr"], ["ada", "ADA@example.com", "a b@c.de", "=a@b.de", "@b.de", ""]),
        ("customer_number", ["C-1", "007", BIDI, "a,b"], ["C-1", " C-2", "C-3 ", "+33 1", "-4", "a\nb", "a\0b", ""]),
    ],
)
def test_hubspot_knows_leads_by_other_keys_too(tmp_path, key, kept, left):
    content = lists([*kept, *left])
    write(content, {"hubspot": {"id": "key", "key": key}}, tmp_path)
    assert [row[key] for row in read(tmp_path / "hubspot.csv")] == kept


def test_a_date_of_hubspot_is_the_day_where_the_project_is(tmp_path):
    write(scored(lists(["1"]), [50], AS_OF + 23 * HOUR), {"hubspot": {"id": "key"}}, tmp_path)
    assert read(tmp_path / "hubspot.csv")[0]["leadscore_scored_on"] == "2026-07-07"


# Salesforce: UTF-8, commas, an Id, API names, moments as yyyy-MM-ddTHH:mm:ss.SSSZ, texts that fit; a mapping beside it.
def test_salesforce_can_load_its_file(tmp_path):
    ids = [f"00Q5g00000AbC{number:02d}" for number in range(30)]
    keys = [text if number % 2 else eighteen(text) for number, text in enumerate(ids)]
    content = lists([*keys, *HOSTILE, None], texts=[*HOSTILE, None, EMOJI, "a " * 200])
    settings = {"salesforce": {"id": "key", "columns": Salesforce().columns | {"note": "Description"}}}
    assert write(content, settings, tmp_path) == {"salesforce.csv": {"rows": 30, "unmoved": 0, "left_out": 11}}
    rows = read(tmp_path / "salesforce.csv")
    assert [row["Id"] for row in rows] == keys
    for row in rows:
        assert re.fullmatch(r"[A-Za-z0-9]{15}|[A-Za-z0-9]{18}", row["Id"])
        for name in set(row) - {"Id", "Description"}:
            assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*__c", name)
        for name in ("Leadscore_Scored_On__c", "Leadscore_Valid_Until__c"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row[name])
        assert 1 <= int(row["Leadscore_Score__c"]) <= 99
        assert all(units(cell) <= 255 for cell in row.values())
    assert rows[0]["Leadscore_Scored_On__c"] == "2026-07-06T00:00:00.000Z"
    assert rows[3]["Description"] == "x" * 254 + "…"
    assert rows[11]["Description"] == "🂡" * 127 + "…"
    assert rows[12]["Description"] == "a " * 126 + "a…"
    lines = (tmp_path / "salesforce.sdl").read_bytes().decode("ascii").split("\r\n")
    assert dict(line.split("=") for line in lines[:-1]) == {name: name for name in rows[0]}


def test_a_lead_of_salesforce_is_told_of_once_however_its_id_is_written(tmp_path):
    ids = ["00Q5g00000AbCdE", eighteen("00Q5g00000AbCdE"), eighteen("00Q5g00000AbCdE").lower(), "00Q5g00000aBCdE"]
    told = write(lists(ids), {"salesforce": {"id": "key"}}, tmp_path)
    assert [row["Id"] for row in read(tmp_path / "salesforce.csv")] == [ids[0], ids[3]]
    assert told["salesforce.csv"] == {"rows": 2, "unmoved": 0, "left_out": 2}


@pytest.mark.parametrize("text", ["00Q5g00000AbCdE", "70130000001tcyI", "0036000000QKv5T", "000000000000000"])
def test_the_last_three_characters_of_a_salesforce_id_bring_its_case_back(text):
    assert salesforce_id(text) == salesforce_id(eighteen(text)) == salesforce_id(eighteen(text).lower()) == text


@pytest.mark.parametrize(
    "text", ["00Q5g00000AbCd", "00Q5g00000AbCdE1", "00Q5g00000AbCd-", "00Q5g00000AbCdEAB6", "é" * 15]
)
def test_what_is_no_salesforce_id(text):
    assert salesforce_id(text) is None


def test_no_digit_of_a_salesforce_id_is_upper_case():
    assert salesforce_id(eighteen("70130000001tcyI")[:15] + "BAQ") is None  # the first of `70130`


def test_an_external_id_of_salesforce(tmp_path):
    write(lists(["C-1", "x" * 255, "x" * 256]), {"salesforce": {"id": "key", "key": "Lead_Key__c"}}, tmp_path)
    assert [row["Lead_Key__c"] for row in read(tmp_path / "salesforce.csv")] == ["C-1", "x" * 255]
    assert (tmp_path / "salesforce.sdl").read_text(encoding="ascii").startswith("Lead_Key__c=Lead_Key__c\n")


# Dynamics: the columns and codes of msdyn_predictivescores, whose keys are a record's GUID and its type.
def test_dynamics_can_load_its_file(tmp_path):
    keys = [f"3CBBD39D-d3f0-ea11-a815-0000000000{number:02d}" for number in range(60)]
    content = lists([*keys, *HOSTILE, keys[0].lower()], texts=['"\\' * 4000, *HOSTILE, None, EMOJI])
    escaped = ['"' * 4000, *content.scores["reason_2_text"].to_pylist()[1:]]
    content = changed(content, reason_2_text=escaped, reason_3_text=escaped, reason_3_sign=[-1] * len(escaped))
    told = write(content, {"dynamics": {"id": "key"}}, tmp_path)
    assert told == {"dynamics.csv": {"rows": 60, "unmoved": 0, "left_out": 11}}
    rows = read(tmp_path / "dynamics.csv")
    assert [row["msdyn_entityid"] for row in rows] == [key.lower() for key in keys]
    known = zip(*(content.scores[name].to_pylist()[:60] for name in ("score", "grade", "trend")), strict=True)
    for row, (score, grade, trend) in zip(rows, known, strict=True):
        assert row["msdyn_entitytype"] == "lead"
        assert row["msdyn_score"] == str(score)
        assert row["msdyn_grade"] == {"A": "0", "B": "1", "C": "2", "D": "3"}[grade]
        meaning = {"0": "improving", "1": "steady", "2": "declining", "3": "not_enough_info"}
        assert meaning[row["msdyn_scoretrend"]] == trend
        assert row["msdyn_scoredon"] == "2026-07-06T00:00:00.000Z"
        assert units(row["msdyn_scorereasons"]) <= 10_000
        assert {reason["sign"] for reason in json.loads(row["msdyn_scorereasons"])} <= {1, -1}
    assert json.loads(rows[1]["msdyn_scorereasons"])[0] == {"text": "'" + HOSTILE[0], "sign": 1}
    assert [len(json.loads(row["msdyn_scorereasons"])) for row in rows[10:13]] == [3, 2, 3]


def test_dynamics_without_reasons(tmp_path):
    write(lists(["3cbbd39d-d3f0-ea11-a815-000d3a33f3c3"]), {"dynamics": {"id": "key", "reasons": "none"}}, tmp_path)
    assert "msdyn_scorereasons" not in read(tmp_path / "dynamics.csv")[0]


def test_a_file_as_some_other_system_wants_it(tmp_path):
    columns = {"lead_id": "Nom", "score": "Score", "p_30d": "Chances", "p_lo": "Au moins", "trend": "Tendance"}
    columns |= {"action": "Action", "grade": "Note", "reason_1": "Raison", "reason_3": "Autre", "as_of": "Au"}
    settings = {"columns": columns, "words": ["trend", "action"], "delimiter": ";", "decimal": ",", "line_end": "lf"}
    settings |= {"encoding": "windows-1252", "key": "Clé", "options": {"action": {"call": "RAPPEL"}}}
    content = lists(["1"] * 12, texts=["1\u202f000 pages 🂡", "=1+1"], language="fr")
    write(changed(content, p_lo=[None] * 12), {"generic": settings}, tmp_path)
    rows = read(tmp_path / "generic.csv", "windows-1252", ";", "\n")
    assert list(rows[0]) == ["Clé", *columns.values()]
    assert [row["Clé"] for row in rows] == [row["Nom"] for row in rows] == [f"lead {number}" for number in range(12)]
    assert rows[0]["Raison"] == "Pour : 1\u00a0000 pages ?"
    assert float(rows[0]["Chances"].replace(",", ".")) == pytest.approx(content.scores["p_30d"][0].as_py(), abs=1e-6)
    assert re.fullmatch(r"0,\d{6}", rows[0]["Chances"])
    assert {row["Au moins"] for row in rows} == {""}
    assert {row["Autre"] for row in rows} == {"pas d'autre raison"}
    assert {row["Action"] for row in rows} == {"RAPPEL", "entretenir", "laisser reposer", "explorer", "rien"}
    assert {row["Tendance"] for row in rows} == {"stable", "en hausse", "trop tôt pour le dire"}
    assert {row["Note"] for row in rows} == {"A", "B"}


@pytest.mark.parametrize(
    ("system", "named"), [("hubspot", "leadscore_{}"), ("salesforce", "Leadscore_{}__c"), ("generic", "{}")]
)
def test_fields_of_text_are_in_the_language_of_the_project(tmp_path, system, named):
    """A field at a time: a picklist keeps our codes, and what the configuration calls them goes before."""
    columns = {name: named.format(name) for name in ("trend", "action", "known", "grade")}
    asked = {"columns": columns, "words": ["action", "known"], "options": {"action": {"rest": "pause"}}}
    keys = [f"00Q5g00000AbC{number:02d}" if system == "salesforce" else str(number) for number in range(1, 41)]
    write(lists(keys, language="fr"), {system: {"id": "key"} | asked}, tmp_path)
    told = {name: {row[header] for row in read(tmp_path / f"{system}.csv")} for name, header in columns.items()}
    assert told["action"] == {"appeler", "entretenir", "pause", "explorer", "rien"}
    assert told["known"] == {"bien connu", "connu en partie", "peu connu", "impossible à évaluer"}
    assert told["trend"] <= set(CODES["trend"])
    assert told["grade"] <= set(CODES["grade"])


@pytest.mark.parametrize(
    ("encoding", "lost"),
    [("utf-8", {0, 2, 5, 6, 8}), ("utf-8-sig", {0, 2, 5, 6, 8}), ("windows-1252", {0, 2, 4, 5, 6, 8})],
)
def test_an_id_is_written_as_it_is_or_not_at_all(tmp_path, encoding, lost):
    """Formulas, the empty one and the one of two lines are left out; so is what the encoding lacks."""
    settings = {"columns": {"score": "score"}, "encoding": encoding, "delimiter": "tab"}
    told = write(made_up(names=HOSTILE), {"generic": settings}, tmp_path)
    kept = [lead for number, lead in enumerate(HOSTILE) if number not in lost]
    assert [row["lead_id"] for row in read(tmp_path / "generic.csv", encoding, "\t")] == kept
    assert told["generic.csv"] == {"rows": len(kept), "unmoved": 0, "left_out": len(lost)}
    assert (tmp_path / "generic.csv").read_bytes().startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")


AS_IT_IS = ("a;b", "a|b", "a,b", 'a "b"', "a;b=c", "a - 1", "1e5", "007", "'a", "é \uff42", BIDI)
NO_ID = (
    *(
        "a;=HYPERLINK(1)",
        "a|@b",
        "a,+33",
        "a;-1",
        "a; =1",
        'a,"=1"',
        '"=1"',
        "\uff1d1",
        "a;\uff0b1",
    ),  # run, however divided
    *("a\tb", "a\rb", "a\nb", "a\x0bb", "a\x85b", "a\u2028b"),  # of several lines, or cells
    *(" a", "a ", "\u00a0a", "a\u3000", " ", " =1"),  # trimmed by who loads them
)


@pytest.mark.parametrize(
    "settings",
    [
        {"hubspot": {"key": "customer_number", "columns": {"score": "score"}}},
        {"salesforce": {"key": "Lead_Key__c", "columns": {"score": "Score__c"}}},
        *({"generic": {"columns": {"score": "score"}, "delimiter": name}} for name in (",", ";", "|", "tab")),
    ],
)
def test_no_id_is_altered_and_none_runs_however_a_spreadsheet_divides_the_line(tmp_path, caplog, settings):
    ((name, system),) = settings.items()
    with caplog.at_level("WARNING", "leadscore"):
        told = write(made_up(names=[*AS_IT_IS, *NO_ID]), settings, tmp_path)
    delimiter = system.get("delimiter", ",").replace("tab", "\t")
    rows = read(tmp_path / f"{name}.csv", delimiter=delimiter)
    assert [row[system.get("key", "lead_id")] for row in rows] == list(AS_IT_IS)
    assert told[f"{name}.csv"] == {"rows": len(AS_IT_IS), "unmoved": 0, "left_out": len(NO_ID)}
    assert f"crm/{name}.csv leaves out {len(NO_ID)} leads" in caplog.text


@pytest.mark.parametrize("delimiter", [",", ";", "|", "tab"])
def test_no_text_runs_however_a_spreadsheet_divides_the_line(tmp_path, delimiter):
    content = lists(["3cbbd39d-d3f0-ea11-a815-000d3a33f3c3", *NO_ID[1:]], texts=NO_ID)
    settings = {"columns": {"note": "note", "reason_1": "why", "score": "score"}, "delimiter": delimiter}
    write(content, {"generic": settings, "dynamics": {"id": "key"}}, tmp_path)
    rows = read(tmp_path / "generic.csv", delimiter=delimiter.replace("tab", "\t"))
    assert [row["note"] for row in rows[:5]] == ["a;'=HYPERLINK(1)", "a|'@b", "a,'+33", "a;'-1", "a; '=1"]
    (row,) = read(tmp_path / "dynamics.csv")
    assert json.loads(row["msdyn_scorereasons"])[0]["text"] == "a;'=HYPERLINK(1)"


def test_an_id_in_another_column_is_left_empty_where_it_would_run(tmp_path):
    content = changed(lists(["1", "2", "3"]), account_id=["=1+1", "acme", None])
    write(content, {"generic": {"columns": {"account_id": "account"}}}, tmp_path)
    assert [row["account"] for row in read(tmp_path / "generic.csv")] == ["", "acme", ""]


def test_a_reason_says_which_side_it_is_on(tmp_path):
    content = changed(lists(["1"] * 3), reason_1_sign=[1, -1, 1])
    write(content, {"generic": {"columns": {"reason_1": "why"}}}, tmp_path)
    sides = [row["why"] for row in read(tmp_path / "generic.csv")]
    assert sides == ["For: a reason", "Against: a reason", "For: a reason"]


NOW = Told(50, "B", "nurture", 20)


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (None, True),
        (NOW, False),
        (NOW._replace(score=46), False),
        (NOW._replace(score=45), True),
        (NOW._replace(score=55), True),
        (NOW._replace(grade="A"), True),
        (NOW._replace(action="explore"), True),
        (NOW._replace(expires_at=11), False),
        (NOW._replace(expires_at=10), True),
    ],
)
def test_when_a_crm_is_told(then, told):
    assert due(then, NOW, step=5, as_of=10) is told


def test_a_slow_fall_is_told_in_time_and_a_standing_score_before_it_expires(tmp_path):
    """Compared is with what the CRM knows: a fall of two points a slot never makes five against the slot before."""
    content, told = lists(["1", "2"]), []
    for slot in range(8):
        now = scored(content, [50 - 2 * slot, 70], AS_OF + slot * 3 * DAY)
        before = read_told(tmp_path / str(slot - 1))
        assert (before == {}) == (slot == 0)
        write(now, {"step": 5, "generic": {"columns": {"score": "score"}}}, tmp_path / str(slot), before)
        told.append({row["lead_id"]: int(row["score"]) for row in read(tmp_path / str(slot) / "generic.csv")})
    lead, other = "lead 0", "lead 1"
    assert told == [{lead: 50, other: 70}, {}, {}, {lead: 44}, {}, {other: 70}, {lead: 38}, {}]


def test_who_left_the_list_is_in_no_file(tmp_path):
    """An objector among them: what earlier slots told of a lead does not bring it back."""
    keys = {"hubspot": "1", "salesforce": "00Q5g00000AbCdE", "dynamics": "3cbbd39d-d3f0-ea11-a815-000d3a33f3c3"}
    for system, key in keys.items():
        before = {name: {"objector": NOW, "lead 0": NOW} for name in EVERY}
        write(lists([key]), {system: EVERY[system], "generic": EVERY["generic"]}, tmp_path, before)
        assert b"objector" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert {lead for leads in read_told(tmp_path).values() for lead in leads} == {"lead 0"}


def test_a_system_remembers_only_whom_it_was_told_of(tmp_path):
    """A lead whose id comes later is new to the system that lacked it, not to the others."""
    settings = {"hubspot": {"id": "key"}, "generic": {"columns": {"score": "score"}}}
    write(lists(["1", None]), settings, tmp_path / "a")
    told = write(lists(["1", "2"]), settings, tmp_path / "b", read_told(tmp_path / "a"))
    assert told["hubspot.csv"] == {"rows": 1, "unmoved": 1, "left_out": 0}
    assert told["generic.csv"] == {"rows": 0, "unmoved": 2, "left_out": 0}
    assert read(tmp_path / "b" / "generic.csv") == []
    write(lists([None, "2"]), settings, tmp_path / "c", read_told(tmp_path / "b"))
    assert {name: list(leads) for name, leads in read_told(tmp_path / "c").items()} == {
        "hubspot": ["lead 1"],
        "generic": ["lead 0", "lead 1"],
    }


@pytest.mark.parametrize("keys", [[], [None]])
def test_a_list_nobody_of_whom_a_system_knows(tmp_path, keys):
    told = write(lists(keys), {"hubspot": {"id": "key"}}, tmp_path)
    assert told == {"hubspot.csv": {"rows": 0, "unmoved": 0, "left_out": len(keys)}}
    assert read(tmp_path / "hubspot.csv") == []
    assert read_told(tmp_path) == {}


def test_no_system_no_file(tmp_path):
    assert write(made_up(), {"step": 3}, tmp_path / "crm") == {}
    assert not (tmp_path / "crm").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hubspot": {"columns": {"score": "x", "grade": "X"}}}, "'X' is the header of columns.score, too"),
        ({"hubspot": {"columns": {"score": "record id"}}}, "'record id' is the header of key, too"),
        ({"hubspot": {"options": {"trend": {"stedy": "s"}}}}, "did you mean 'steady'"),
        ({"hubspot": {"words": ["grade"]}}, "'trend', 'action' or 'known'"),
        ({"salesforce": {"columns": {"score": "Lead_Score"}}}, "expected an API name such as Lead_Score__c"),
        ({"salesforce": {"columns": {"score": "Score__c=Id"}}}, "expected an API name"),
        ({"salesforce": {"key": "Lead_Key"}}, "expected Id, or an external id"),
        ({"generic": {}}, "Field required"),
        ({"generic": {"columns": {}}}, "at least 1"),
        ({"step": 0}, "greater than or equal to 1"),
        ({"hubspot": {"propertys": {}}}, "Extra inputs"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Crm.model_validate(settings)


@pytest.mark.parametrize("field", ["Rating", "Lead_Score__c", "acme__Lead_Score__c", "AnnualRevenue"])
def test_names_salesforce_has(field):
    assert Salesforce(columns={"score": field}).columns == {"score": field}


def test_columns_no_slot_has_are_found_before_anything_is_computed():
    crm = Crm.model_validate(
        {
            "hubspot": {"id": "email", "columns": {"scoer": "a", "p_30d": "b", "name": "c"}},
            "dynamics": {"id": "guid"},
        }
    )
    mistakes = column_mistakes(crm, ("14d", "30d", "90d"), ("name", "email"))
    assert [mistake.path for mistake in mistakes] == [("crm", "hubspot", "columns", "scoer"), ("crm", "dynamics", "id")]
    assert [mistake.nearest for mistake in mistakes] == ["score", ""]
    assert "expected one of lead_id, name, email" in mistakes[1].text


def test_every_column_of_the_file_of_record_can_be_asked_for(tmp_path):
    content = made_up(12, hostile=False)
    names = [*content.scores.column_names, *REASONS]
    crm = Crm.model_validate({"generic": {"key": "id", "columns": {name: name for name in names}}})
    assert column_mistakes(crm, content.horizons, ()) == []
    write_crm(content, crm, {}, tmp_path)
    assert list(read(tmp_path / "generic.csv")[0]) == ["id", *names]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_code_but_a_grade_has_a_word(language):
    wording = Wording("crm", language)
    assert all(wording.say(f"{name}_{code}") for name, codes in CODES.items() if name != "grade" for code in codes)
