"""A delivered slot as a whole: its files say the same of each lead, hold nobody who objected, and come out the same."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import zipfile
from collections import Counter

import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from cli.commands import AS_OF, SETTINGS, TRAINED_AS_OF, Project, company, csv
from leadscore.delivery.files import neutral, read_manifest
from leadscore.delivery.wording import Wording
from leadscore.delivery.workbook import visible

pytestmark = pytest.mark.filterwarnings("ignore:.*xtension is not supported:UserWarning")  # openpyxl reads no data bars
BEFORE = "2024-03-18"
HOSTILE = {"lead-003": '=HYPERLINK("http://x","y")', "lead-006": "</script><b>", "lead-118": "\u202eabc é"}
MORE = """
language: fr
delivery: {columns: [name], record_url: "https://crm.example.com/leads/{lead_id}"}
crm:
  step: 1
  salesforce: {key: Lead_Key__c}
  hubspot: {key: lead_key}
  generic: {columns: {lead_id: lead, name: name, score: score}}
"""
WORDS = Wording("workbook", "fr")
ACTIONS = {WORDS.say(f"action_{code}"): code for code in ("call", "nurture", "rest", "explore", "none")}
CHANCES = ("p_3d", "p_7d", "p_14d")


def renamed(text):
    """Put hostile ids into a file of the company."""
    header, *lines = text.splitlines()
    cells = [line.split(",") for line in lines]
    return csv(header, [(HOSTILE.get(lead, lead), *rest) for lead, *rest in cells])


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Deliver a list, let the first of it object, and deliver the next; give the project and who objected."""
    folder = tmp_path_factory.mktemp("made") / "told"
    folder.mkdir()
    files = {name: renamed(text) for name, text in company().items()}
    header, *leads = files["leads"].splitlines()
    named = [f"{lead},Person {number:03}." for number, lead in enumerate(leads)]
    files["leads"] = "\n".join([f"{header},name", *named]) + "\n"
    project = Project(folder).write(settings=SETTINGS.replace("[country]", "[country, name]") + MORE, **files)
    for words in (["ingest"], ["train", "--as-of", TRAINED_AS_OF], ["score", "--as-of", BEFORE]):
        assert project(*words).code == 0
    first = next(lead for lead in project.scores()["lead_id"].to_pylist() if lead not in HOSTILE.values())
    project.add(consents=f"{first},2024-03-19,objection\n")
    for words in (["ingest"], ["score", "--as-of", AS_OF]):
        assert project(*words).code == 0
    return project, first


@pytest.fixture(scope="module")
def slot(told):
    project, _ = told
    return (project.folder / "out" / "latest").resolve()


def record(slot):
    """What scores.parquet says: a row per lead, in its order."""
    return pq.read_table(slot / "scores.parquet").to_pylist()


def table(slot):
    text = pa.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    return pa.csv.read_csv(slot / "scores.csv", convert_options=text).to_pylist()


def unpacked(slot, name):
    page = (slot / "report.html").read_text(encoding="utf-8")
    return gzip.decompress(base64.b64decode(re.search(rf'id="packed-{name}">([^<]*)<', page)[1])).decode()


def page(slot):
    columns = json.loads(unpacked(slot, "rows"))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def workbook(slot):
    rows = list(openpyxl.load_workbook(slot / "leads.xlsx").worksheets[0].iter_rows(values_only=True))
    top = next(number for number, row in enumerate(rows) if row[0] == WORDS.say("rank"))
    return [dict(zip(rows[top], row, strict=True)) for row in rows[top + 1 :]]


def rounded(row, *names):
    return [round(row[name], 6) for name in names]


def facts(row, lead, before, bounds):
    """What parquet, CSV and page all say of a lead, the chances to six decimals."""
    codes = [row[name] for name in (lead, "rank", "score", "grade", "action", "trend", before)]
    return codes + rounded(row, *CHANCES, *bounds)


def test_csv_and_page_agree_with_the_file_of_record_lead_by_lead(slot):
    scores = record(slot)
    assert {row["lead_id"] for row in scores} > set(HOSTILE.values())
    assert [row["rank"] for row in scores] == list(range(1, len(scores) + 1))
    said = [facts(row, "lead_id", "score_prev", ("p_lo", "p_hi")) for row in scores]
    assert [facts(row, "id", "before", ("low", "high")) for row in page(slot)] == said
    harmless = [[neutral(lead), *rest] for lead, *rest in said]
    assert [facts(row, "lead_id", "score_prev", ("p_lo", "p_hi")) for row in table(slot)] == harmless != said


def test_the_workbook_agrees_lead_by_lead(slot):
    say = WORDS.say
    titles = [say(name) for name in ("rank", "score", "grade", "score_before")]
    shares = [say("chance", span="7 jours"), say("between"), say("and")]
    assert [
        [
            visible(row["lead_id"]),
            *(row[name] for name in ("rank", "score", "grade", "score_prev", "action")),
            *rounded(row, "p_7d", "p_lo", "p_hi"),
        ]
        for row in record(slot)
    ] == [
        [row[say("lead")], *(row[name] for name in titles), ACTIONS[row[say("action")]], *rounded(row, *shares)]
        for row in workbook(slot)
    ]


def test_the_manifest_counts_what_the_files_hold(slot):
    manifest = read_manifest(slot)
    grades = ([row["grade"] for row in rows] for rows in (record(slot), table(slot), page(slot)))
    for letters in (*grades, [row[WORDS.say("grade")] for row in workbook(slot)]):
        assert len(letters) == manifest["counts"]["delivered"]
        assert Counter(letters) == manifest["grades"]
    assert set(manifest["crm"]) == {"salesforce.csv", "hubspot.csv", "generic.csv"}
    for name, counts in manifest["crm"].items():
        assert sum(counts.values()) == manifest["counts"]["delivered"], name
        assert len((slot / "crm" / name).read_text(encoding="utf-8").splitlines()) == 1 + counts["rows"] > 1
        assert counts["left_out"] == 1  # an id that is a formula is no id
    paths = {path.relative_to(slot).as_posix(): path for path in slot.rglob("*") if path.is_file()}
    assert paths.pop("manifest.json")
    assert {name: (facts["sha256"], facts["bytes"]) for name, facts in manifest["files"].items()} == {
        name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size) for name, path in paths.items()
    }


def inside(path):
    """Everything a file holds, unpacked: bytes as they lie there, and what is compressed in them."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        yield repr(pq.read_table(path).to_pydict()).encode()
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as parts:
            yield from map(parts.read, parts.namelist())
    if path.suffix == ".html":
        yield from (unpacked(path.parent, name).encode() for name in ("rows", "panels", "changes", "specs"))


def holders(slot, text):
    """Name the files that hold a text."""
    paths = [path for path in slot.rglob("*") if path.is_file()]
    return {path.name for path in paths if any(text.encode() in content for content in inside(path))}


def test_who_objected_is_in_no_file(told, slot):
    project, objector = told
    name = f"Person {objector[-3:]}."
    assert read_manifest(slot)["counts"]["objected"] == 1
    assert holders(slot, objector) == holders(slot, name) == set()
    before = next(path for path in (project.folder / "out").iterdir() if path.name not in {slot.name, "latest"})
    files = {"scores.parquet", "scores.csv", "weights.parquet", "leads.xlsx", "report.html", "told.parquet"}
    crm = {"salesforce.csv", "hubspot.csv", "generic.csv"}
    assert holders(before, objector) == files | crm
    assert holders(before, name) == {"leads.xlsx", "report.html", "generic.csv"}


def test_the_slot_is_the_same_to_the_byte_written_again_elsewhere(told, slot, tmp_path):
    project, _ = told
    again = project.copy(tmp_path / "elsewhere")
    shutil.rmtree(again.folder / "out" / slot.name)
    assert again("score", "--as-of", AS_OF).code == 0
    assert again.left("out") == project.left("out")
