"""Files and histories as they should not be: one clear sentence, the right exit code, and nothing half-written."""

from __future__ import annotations

import csv as csv_files
import gzip
import io
import re
from datetime import datetime

import numpy as np
import pytest

from cli.commands import AS_OF, LEAD_IDS, SETTINGS, TRAINED_AS_OF, company, csv

CALM = company()
AT = ("--as-of", AS_OF)


def rows(name):
    return [line.split(",") for line in CALM[name].splitlines()[1:]]


def in_three_formats():
    forms = ("%Y-%m-%dT%H:%M:%S.%fZ", "%d/%m/%Y %H:%M", "%b %d, %Y")
    dated = [(lead, datetime.fromisoformat(at), kind) for lead, at, kind in rows("events")]
    return forms, csv(
        "id,at,kind", [(lead, at.strftime(forms[n % 3]), kind) for n, (lead, at, kind) in enumerate(dated)]
    )


# ---- files that are refused ------------------------------------------------------------------------------------

REFUSED = {
    "an empty file": ("leads", "", "leads.csv: the file is empty; expected a header line"),
    "a missing column": (
        "events",
        CALM["events"].replace("id,at,", "id,when,"),
        "events.csv: no column 'at'; the file has 'id', 'when', 'kind'",
    ),
    "a workbook": ("leads", b"PK\x03\x04" + bytes(99), "found a ZIP archive, as XLSX workbooks are; expected CSV text"),
    "compressed": ("events", gzip.compress(b"id,at,kind\n"), "found gzip-compressed data; expected CSV text"),
    "three formats": ("events", in_three_formats()[1], r"655 of 983 rows rejected .* not_a_moment:occurred_at 655"),
    "unknown leads": ("events", CALM["events"].replace("lead-0", "load-0"), r"rows rejected .* By rule: unknown_lead"),
    "outcomes before creation": (
        "outcomes",
        csv("id,at,outcome", [(lead, "2023-01-01", "won") for lead in LEAD_IDS]),
        r"120 of 120 rows rejected .* outcome_before_creation 120",
    ),
    "infinite values": (
        "events",
        csv("id,at,kind,value", [(*row, ("1", "nan", "-inf", "1e400")[n % 4]) for n, row in enumerate(rows("events"))]),
        r"rows rejected .* not_a_number:value",
    ),
    "no lead at all": ("leads", "id,created,country\n", r"rows rejected .* unknown_lead"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_file_is_one_sentence_and_nothing_is_written_until_it_is_good(make, case):
    name, content, said = REFUSED[case]
    project = make(**{name: content})
    if case == "infinite values":
        project.change("kind: kind}", "kind: kind, value: value}")
    before = project.left()
    told = project("run", *AT)
    sentence, hint = told.error
    assert told.code == 3
    assert re.search(said, sentence)
    assert hint
    assert "\n" not in sentence
    assert not set(LEAD_IDS) & set(re.findall(r"lead-\d+", sentence))  # no person's data
    assert project.left() == before
    good = (
        CALM[name]
        if case != "infinite values"
        else content.replace("nan", "2").replace("-inf", "3").replace("1e400", "")
    )
    assert project.write(**{name: good})("ingest").code == 0


def test_dates_in_three_formats_are_read_when_they_are_said(make):
    forms, events = in_three_formats()
    project = make(events=events).change("kind: kind}", f"kind: kind}}, time_formats: {list(forms)}")
    told = project("ingest", "--json")
    assert told.json["tables"]["interactions"] == {
        "read": 983,
        "excluded": 0,
        "accepted": 983,
        "repeated": 0,
        "rejected": 0,
    }


# ---- histories that teach nothing ------------------------------------------------------------------------------

NO_CONVERSION = "Too few conversions .* 0 converted"
TEACH_NOTHING = {
    "all outcomes negative": ({"outcomes": CALM["outcomes"].replace("won", "lost")}, NO_CONVERSION),
    "words nobody uses": ({"outcomes": CALM["outcomes"].replace("won", "gewonnen")}, NO_CONVERSION),
    "no outcome yet": ({"outcomes": "id,at,outcome\n"}, NO_CONVERSION),
    "ten rows in all": (
        {
            "leads": csv("id,created,country", rows("leads")[:4]),
            "events": csv("id,at,kind", rows("events")[:4]),
            "outcomes": csv("id,at,outcome", [(LEAD_IDS[0], "2024-03-20", "won"), (LEAD_IDS[1], "2024-03-20", "lost")]),
        },
        "Too few conversions .* 1 converted leads",
    ),
    "everyone objected": (
        {"consents": csv("id,at,status", [(lead, "2024-03-20", "objection") for lead in LEAD_IDS])},
        "Nothing to learn from .* no lead was at risk",
    ),
    "everyone was created yesterday": (
        {
            "leads": csv("id,created,country", [(lead, "2024-03-20", "FR") for lead in LEAD_IDS]),
            "outcomes": "id,at,outcome\n",
        },
        "Nothing to learn from .* no lead was at risk",
    ),
    "nobody was followed for so long": (
        {"settings": SETTINGS.replace("[3d, 7d, 14d]", "[3d, 90d, 120d]")},
        "Nothing to learn from .* about 90d and 120d",
    ),
    "everyone converted at once": (
        {
            "leads": csv("id,created,country", [(lead, "2024-02-01", "FR") for lead in LEAD_IDS]),
            "outcomes": csv("id,at,outcome", [(lead, "2024-02-04", "won") for lead in LEAD_IDS]),
        },
        "every snapshot led to a conversion",
    ),
}


@pytest.mark.parametrize("case", TEACH_NOTHING)
def test_a_history_that_teaches_nothing_is_kept_and_makes_no_model_and_no_list(make, case):
    files, said = TEACH_NOTHING[case]
    project = make(**files)
    told = project("run", *AT)
    sentence, hint = told.error
    assert told.code == 3
    assert re.search(said, sentence)
    assert hint
    assert project.left("models") == project.left("out") == {}
    assert (project.folder / "data" / "store" / "leads").is_dir()


def test_a_model_needs_no_interactions(make):
    project = make(events="id,at,kind\n")
    assert project("run", *AT).code == 0
    assert set(project.scores()["known"].to_pylist()) == {"unknowable"}


# ---- lists of nobody, of one, of odd people --------------------------------------------------------------------


def ended(*but):
    return csv("", [(lead, "2024-03-15", "lost") for lead in LEAD_IDS if lead not in but])[1:]


def test_a_list_of_nobody_is_an_honest_empty_slot(trained):
    assert trained("score", "--as-of", TRAINED_AS_OF).code == 0
    schema = trained.scores().schema
    trained.add(outcomes=ended())
    told = trained("run", *AT, "--json")
    assert told.code == 0
    assert trained.scores().num_rows == 0
    assert trained.scores().schema == schema
    manifest = told.json["score"]["manifest"]
    assert manifest["counts"] == {"leads": 120, "delivered": 0, "objected": 0, "ended": 120, "closed": 0}
    assert (manifest["grades"], manifest["score_drift"]) == ({}, None)
    assert (trained.folder / "out" / "latest" / "scores.csv").read_text().count("\n") == 1
    assert "0 leads at risk of 120" in trained("score", *AT).out
    assert trained("monitor", "--as-of", "2024-05-01").code == 0


def test_the_only_lead_at_risk_has_rank_one(trained):
    trained.add(outcomes=ended("lead-005"))
    assert trained("run", *AT).code == 0
    (row,) = trained.scores().to_pylist()
    assert (row["lead_id"], row["rank"], row["grade"]) == ("lead-005", 1, "A")


def test_who_says_no_leaves_the_list_though_everyone_does(trained):
    trained.add(consents=csv("", [(lead, "2024-03-15", "objection") for lead in LEAD_IDS])[1:])
    told = trained("run", *AT, "--json")
    assert (told.code, trained.scores().num_rows) == (0, 0)
    # Whoever converted or was lost before is counted once, as one who said no.
    assert told.json["score"]["manifest"]["counts"]["objected"] == 120


ODD = (
    '=HYPERLINK("http://x","y")',
    "<script>alert(1)</script>",
    "x" * 4000,
    "مرحبا بالعالم",
    'O\'Neil "the" one',
    "line\nbreak",
    "😀🇫🇷",
    "@SUM(A1)",
    "-1+1",
    "../../etc/passwd",
    "%s {0} ${HOME}",
    "[bold]x[/]",
    "NULL",
    "nan",
    "01",
    "1",
    "\x1b[31mred",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "é",
    "e\N{COMBINING ACUTE ACCENT}",
)


def test_odd_names_go_the_whole_way_and_do_nothing_on_it(trained):
    calls = [(lead, f"2024-03-1{day}", "call") for lead in ODD for day in range(1, 9)]
    leads = csv("", [(lead, "2024-03-10", 'a "b"\nc😀') for lead in ODD])[1:]
    trained.add(leads=leads + ",2024-03-10,FR\n", events=csv("", calls)[1:])
    told = trained("run", *AT)
    assert told.code == 0
    delivered = trained.scores()["lead_id"].to_pylist()
    assert set(ODD) <= set(delivered)
    assert len(delivered) == len(set(delivered))
    for text in (told.out, trained("score", *AT).out):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)
        assert max(map(len, text.splitlines())) <= 160
    assert set(trained("score", *AT, "--json").json) == {"path", "repeated", "manifest"}
    text = (trained.folder / "out" / "latest" / "scores.csv").read_text()
    cells = [row[0] for row in csv_files.reader(io.StringIO(text, newline=""))][1:]
    assert cells == [f"'{lead}" if lead[0] in "=+-@" else lead for lead in delivered]
    (rejected,) = (trained.folder / "data" / "rejected").iterdir()  # the lead without a name
    assert "required_missing:lead_id" in rejected.read_text()


# ---- numbers that are too many or too large --------------------------------------------------------------------


@pytest.mark.slow
def test_extremes_give_finite_chances(make):
    wide = [f"a{number}" for number in range(300)]
    cells = [
        [str(1e308 if k % 5 == 0 else 7 if k % 3 == 0 else (n * k) % 11 if k % 2 else f"w{n + k}") for k in range(300)]
        for n in range(120)
    ]
    leads = [(lead, at, *more) for (lead, at, _), more in zip(rows("leads"), cells, strict=True)]
    same = [(lead, "2024-02-20T00:00:00.000001Z", "call", "1e308") for lead in LEAD_IDS[1:]]
    busy = [
        (LEAD_IDS[0], f"2024-02-{1 + k % 28:02}T{k % 24:02}:{k % 60:02}:01.{k:06}Z", "mail", (-1) ** k * 1e300)
        for k in range(20_000)
    ]
    early = [row for row in same + busy if row[0] not in {lead for lead, at, _ in rows("leads") if at > "2024-02"}]
    project = make(leads=csv(",".join(("id", "created", *wide)), leads), events=csv("id,at,kind,value", early))
    project.change("kind: kind}", "kind: kind, value: value}").change("[country]", "all").change(
        "spacing: 2d", "spacing: 6d"
    )
    assert project("run", *AT).code == 0
    chances = project.scores().select(["p_3d", "p_7d", "p_14d"]).to_pandas().to_numpy()
    assert np.isfinite(chances).all()
    assert (np.diff(chances, axis=1) >= 0).all()
