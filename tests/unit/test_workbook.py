"""The workbook says what the scores say, in one language, and runs nothing that comes from data."""

from __future__ import annotations

import re
import shutil
import string
import subprocess
import zipfile
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import openpyxl
import pytest
import yaml

from contents import AS_OF, HOSTILE, made_up
from leadscore.delivery import workbook
from leadscore.delivery.content import MOVES, Content
from leadscore.delivery.sentences import basis, expected, kept, worth
from leadscore.delivery.teller import Teller
from leadscore.delivery.wording import Wording, _folder
from leadscore.delivery.workbook import visible, write_workbook
from leadscore.timeline import DAY

pytestmark = pytest.mark.filterwarnings("ignore:.*xtension is not supported:UserWarning")  # openpyxl reads no data bars
LANGUAGES = ("en", "fr")
PERCENT = {"en": "0.0%_)", "fr": '0.0"\u202f"%_)'}


def write(content: Content, folder):
    path = folder / "leads.xlsx"
    write_workbook(content, path)
    return path


def read(content: Content, folder):
    return openpyxl.load_workbook(write(content, folder))


@pytest.fixture(scope="module", params=LANGUAGES)
def whole(request, tmp_path_factory):
    """A content with all it may have, and its workbook."""
    content = made_up(language=request.param)
    return content, read(content, tmp_path_factory.mktemp(request.param))


def table(sheet, first):
    """Return the columns below the row whose first cell says `first`, down to the first empty row, by header."""
    rows = list(sheet.iter_rows())
    top = next(number for number, row in enumerate(rows) if row[0].value == first)
    end = next((n for n, row in enumerate(rows) if n > top and all(cell.value is None for cell in row)), len(rows))
    columns = zip(*rows[top:end], strict=True)
    return {cell.value: below for cell, *below in columns if cell.value is not None}


def values(cells):
    return [cell.value for cell in cells]


def strings(book):
    return {
        cell.value for sheet in book for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)
    } | set(book.sheetnames)


def test_the_list_agrees_with_the_scores(whole):
    content, book = whole
    words, scores = Wording("workbook", content.language), content.scores.to_pydict()
    shown = table(book.worksheets[0], words.say("rank"))
    span = {"en": "30 days", "fr": "30 jours"}[content.language]
    numbers = {"rank": "rank", "score": "score", "grade": "grade", "between": "p_lo", "and": "p_hi"}
    for title, column in (numbers | {"score_before": "score_prev"}).items():
        assert values(shown[words.say(title)]) == pytest.approx(scores[column]), column
    chances = shown[words.say("chance", span=span)]
    assert values(chances) == pytest.approx(scores["p_30d"])
    assert {cell.number_format for cell in chances} == {PERCENT[content.language]}
    for column in ("known", "trend", "action"):
        assert values(shown[words.say(column)]) == [words.say(f"{column}_{code}") for code in scores[column]]
    for number in (1, 2, 3):
        texts, signs = shown[words.say("reason", number=number)], shown[words.say("sign", number=number)]
        assert [text or None for text in values(texts)] == scores[f"reason_{number}_text"]
        assert values(signs) == [{1: "+", -1: "−", None: ""}[sign] for sign in scores[f"reason_{number}_sign"]]
    until = shown[words.say("valid_until")]
    assert set(values(until)) == {datetime(2026, 7, 20, 2)}  # noqa: DTZ001 - a cell knows no zone; this is Paris
    assert until[0].is_date


def test_a_hostile_name_is_a_text_and_the_file_has_no_formula(whole, tmp_path):
    content, book = whole
    words = Wording("workbook", content.language)
    leads = table(book.worksheets[0], words.say("rank"))[words.say("lead")]
    assert values(leads)[-len(HOSTILE) :] == [visible(name) or words.say("empty") for name in HOSTILE]
    assert {cell.data_type for cell in leads} == {"s"}
    assert "f" not in {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    with zipfile.ZipFile(write(content, tmp_path)) as parts:
        sheets = [parts.read(name) for name in parts.namelist() if name.startswith("xl/worksheets/sheet")]
    assert [re.search(rb"<f[ >]", sheet) for sheet in sheets] == [None] * 4


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("<r><t>bold</t></r>", "<r><t>bold</t></r>"),
        ("<r>unclosed & wild</r>", "<r>unclosed & wild</r>"),
        ("\x00\x1b[31m\x7f\ufffe", "␀␛[31m␡\ufffd"),
        ("_x0041_", "_x0041_"),
        ("y" * 40_000, "y" * 32_766 + "…"),
        ("\U0001f600" * 20_000, "\U0001f600" * 16_383 + "…"),
        ("007", "007"),
    ],
    ids=["markup", "broken-markup", "controls", "escape", "long", "wide", "digits"],
)
def test_any_text_is_seen_as_it_is_and_leaves_the_file_whole(tmp_path, name, seen):
    content = made_up(names=[name])
    (link,) = content.links
    cell = table(read(content, tmp_path).worksheets[0], "Rank")["Lead"][0]
    assert (cell.value, cell.data_type, cell.hyperlink.target) == (seen, "s", link)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://crm.example.com/leads/1?x=%20&y=1#top", True),
        ("http://crm/1", True),
        ("mailto:sales@example.com", True),
        ("https://e.com/" + "x" * 2_065, True),
        ("https://e.com/" + "x" * 2_066, False),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
        ("internal:List!A1", False),
        ("https://e.com/a b", False),
        ("https://e.com/\x01", False),
        ('https://e.com/"><x>', False),
        ("", False),
    ],
)
def test_only_an_address_that_runs_nothing_is_a_link(tmp_path, address, good):
    sheet = read(replace(made_up(names=["Ada"]), links=[address]), tmp_path).worksheets[0]
    cell = table(sheet, "Rank")["Lead"][0]
    assert cell.value == "Ada"
    assert (cell.hyperlink is not None) == good


def test_a_sheet_says_how_many_links_it_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook, "_MOST_LINKS", 3)
    sheet = read(made_up(5, hostile=False), tmp_path).worksheets[0]
    assert [cell.hyperlink is not None for cell in table(sheet, "Rank")["Lead"]] == [True] * 3 + [False] * 2
    assert any("Only the first 3 leads have a link" in str(row[0].value) for row in sheet.iter_rows(max_row=4))


def test_what_changed_is_told_as_it_was_given(whole):
    content, book = whole
    words = Wording("workbook", content.language)
    told = table(book.worksheets[1], "name")
    changes = content.changes
    assert values(told[words.say("lead")]) == [visible(one.lead_id) or words.say("empty") for one in changes]
    assert values(told[words.say("move")]) == [", ".join(words.say(f"move_{m}") for m in one.moves) for one in changes]
    for title, field in {
        "rank": "rank", "rank_before": "rank_before", "grade": "grade", "grade_before": "grade_before",
        "score": "score", "score_before": "score_before", "why": "why",
    }.items():  # fmt: skip
        assert values(told[words.say(title)]) == [getattr(one, field) for one in changes], field
    assert [cell.hyperlink is None for cell in told[words.say("lead")]] == [one.rank is None for one in changes]
    ways = {
        "en": "moved, some in several ways: new in A 10 · improving 10 · no longer on the list 1.",
        "fr": "façons\xa0: nouveau en A 10 · en hausse 10 · n'est plus sur la liste 1.",
    }
    assert book.worksheets[1]["A2"].value.endswith(ways[content.language])
    assert book.worksheets[1]["A2"].value.startswith("11 leads")


def test_that_not_all_changes_are_told_is_said(tmp_path):
    content = replace(made_up(), moved={"new_in_a": 900}, changed=1900)
    told = read(content, tmp_path).worksheets[1]["A2"].value
    assert told == (
        "1,900 leads that have or had grade A or B have moved, some in several ways: new in A 900. The first 11 of "
        "them are told here, the most telling ones."
    )


def test_the_figures_are_those_of_the_judged_lists(whole):
    content, book = whole
    words, sheet, quality = Wording("workbook", content.language), book.worksheets[2], content.quality
    tenths, bins, grades = (table(sheet, words.say(first)) for first in ("tenth", "chance_promised", "grade"))
    assert values(tenths[words.say("promised")]) == [one.promised for one in quality.tenths]
    assert values(tenths[words.say("converted")]) == [one.converted for one in quality.tenths]
    assert values(tenths[words.say("lift")])[0] == pytest.approx((140 / 2287) / (368 / 22866))
    assert values(tenths[words.say("found_so_far")])[1] == pytest.approx(210 / 368)
    assert values(bins[words.say("rate")]) == [one.happened for one in quality.bins]
    assert values(bins[words.say("high")]) == [one.high for one in quality.bins]
    for name in ("lowest", "promised"):
        assert values(grades[words.say(name)]) == [getattr(line, name) for line in content.grades]
    for kind in ("judged", "delivered"):
        came, rate = (values(grades[words.say(f"of_{kind}", what=words.say(name))]) for name in ("converted", "rate"))
        told = [getattr(line, kind) for line in content.grades]
        assert came == [one.converted for one in told]
        assert rate == pytest.approx([one.converted / one.leads for one in told])
    past = table(sheet, words.say("list_day"))
    assert values(past[words.say("converted")]) == [one.tally.converted for one in content.past_lists]
    assert [("(" in day) for day in values(past[words.say("list_day")])] == [
        one.delivered for one in content.past_lists
    ]
    drawn = [[book_cells(book, series.val.numRef.f) for series in chart.series] for chart in sheet._charts]
    assert drawn[0] == [values(tenths[words.say(title)]) for title in ("promised", "converted")]
    assert drawn[1][:2] == [values(bins[words.say(title)]) for title in ("chance_promised", "rate")]
    assert drawn[2] == [values(past[words.say(title)]) for title in ("promised", "converted")]


def book_cells(book, reference):
    name, cells = reference.replace("'", "").split("!")
    return [cell.value for (cell,) in book[name][cells.replace("$", "")]]


def test_past_lists_are_told_in_the_sentences_of_the_page(whole):
    content, book = whole
    told = [str(row[0].value) for row in book.worksheets[2].iter_rows()]
    teller = Teller("workbook", content.language, content.time_zone)
    assert told[2] == worth(content.quality, teller)
    assert told[3] == f"{kept(content.quality, teller)} {basis(content.quality, teller)}"
    assert any(" ".join(expected(content, teller)) in line for line in told)
    assert " ".join(expected(content, teller)) in book.worksheets[0]["A2"].value


@pytest.mark.parametrize(
    ("missing", "sheet", "told"),
    [
        ({"quality": None}, 2, {"en": "the past is too short", "fr": "l'historique est trop court"}),
        ({"before": None, "changes": ()}, 1, {"en": "no list before this one", "fr": "pas de liste précédente"}),
        ({"changes": ()}, 1, {"en": "Nothing worth telling", "fr": "Rien de notable"}),
        ({"links": (), "shown": {}}, 0, {"en": "60 leads", "fr": "60 leads"}),
    ],
    ids=["quality", "before", "changes", "links"],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_missing_is_said_plainly(tmp_path, language, missing, sheet, told):
    book = read(replace(made_up(language=language), **missing), tmp_path)
    assert len(book.worksheets) == 4
    assert any(told[language] in str(row[0].value) for row in book.worksheets[sheet].iter_rows())
    assert len(table(book.worksheets[2], Wording("workbook", language).say("grade"))) == 13


def test_an_empty_list_is_a_workbook_too(tmp_path):
    content = made_up(names=[])
    sheet = read(replace(content, shown={}, changes=(), links=()), tmp_path).worksheets[0]
    assert sheet["A2"].value == "Nobody is on this list."
    assert sheet.auto_filter.ref.startswith("A4:")


def test_each_column_is_explained_and_what_the_list_rests_on_is_told(whole):
    content, book = whole
    words = Wording("workbook", content.language)
    told = {row[0].value: row[1].value for row in book.worksheets[3].iter_rows() if row[1].value}
    assert set(table(book.worksheets[0], words.say("rank"))) <= set(told)
    everything = " ".join(told.values())
    for fact in (content.model, content.slot, content.time_zone, words.say("leads", 2685), words.say("leads", 140)):
        assert fact in everything
    assert words.say("word_temperature") in told
    assert all(words.say(f"action_{code}") in told for code in ("call", "nurture", "rest", "explore", "none"))


def test_the_lists_can_be_worked_on_and_every_sheet_prints(whole):
    content, book = whole
    lead, changed = book.worksheets[:2]
    assert (lead.freeze_panes, lead.auto_filter.ref) == ("C5", "A4:T64")
    assert (changed.freeze_panes, changed.auto_filter.ref) == ("C4", f"A3:J{3 + len(content.changes)}")
    assert lead.print_title_rows == "$4:$4"
    assert [one.page_setup.orientation for one in book] == ["landscape"] * 2 + ["portrait"] * 2
    assert {one.page_setup.fitToWidth or 1 for one in book} == {1}
    assert [one.page_setup.fitToHeight for one in book][:2] == [0, 0]  # as many pages as it takes
    assert all(one.sheet_properties.pageSetUpPr.fitToPage for one in book)


def test_bars_lie_behind_the_scores_whatever_other_columns_are_called(tmp_path):
    content = replace(made_up(5, hostile=False), shown={"Score": ["high"] * 5})
    sheet = read(content, tmp_path).worksheets[0]
    (ranges,) = sheet.conditional_formatting
    assert [sheet[f"{str(ranges.sqref)[0]}{row}"].value for row in range(5, 10)] == content.scores["score"].to_pylist()
    assert str(ranges.sqref).endswith("9")


def test_the_warnings_stand_above_the_list(whole):
    content, book = whole
    assert book.worksheets[0]["A3"].value == content.warnings[0]


def test_grades_differ_in_lightness_and_can_be_read(whole):
    content, book = whole
    cells = table(book.worksheets[0], Wording("workbook", content.language).say("rank"))
    grades = cells[Wording("workbook", content.language).say("grade")]
    found = {cell.value: (luminance(cell.fill.start_color.rgb), luminance(cell.font.color.rgb)) for cell in grades}
    backs = [found[letter][0] for letter in "ABCD"]
    assert all(lighter > darker + 0.1 for darker, lighter in pairwise(backs))
    contrasts = [(max(pair) + 0.05) / (min(pair) + 0.05) for pair in found.values()]
    assert min(contrasts) > 4.5  # WCAG, text of any size


def luminance(argb):
    """Relative luminance, as WCAG 2 defines it."""
    parts = [int(argb[start : start + 2], 16) / 255 for start in (2, 4, 6)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_same_content_is_the_same_file(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert write(made_up(), first).read_bytes() == write(made_up(), second).read_bytes()
    later = replace(made_up(), as_of=AS_OF + DAY)
    assert openpyxl.load_workbook(write(later, first)).properties.created == datetime(2026, 7, 7)  # noqa: DTZ001 - UTC


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_workbook(made_up(5, hostile=False), tmp_path / "nowhere" / "leads.xlsx")


def test_no_code_is_left_untranslated_and_nothing_is_said_in_the_other_language(tmp_path):
    contents = {language: made_up(language=language) for language in LANGUAGES}
    en, fr = (strings(read(contents[language], tmp_path)) for language in LANGUAGES)
    codes = {code for column in (*workbook.CODES.values(), MOVES) for code in column if "_" in code}
    assert not codes & (en | fr)
    scores = contents["en"].scores.to_pydict()
    data = {visible(text or "") for text in scores["lead_id"] + scores["account_id"] + scores["grade"]}
    data |= {visible(name or "") for name in contents["en"].shown["name"]} | {"name", "demo", "gone lead", "+", "−"}
    alike = {
        "Interaction",
        "Lead",
        "Leads",
        "Score",
        "Action",
        "Lift",
        "Conversions",
        "Moment",
        "± 1",
        "± 2",
        "± 3",
        contents["en"].slot,
    }
    assert en & fr - data - alike == set()


def sentences():
    loaded = yaml.safe_load((_folder() / "workbook.yaml").read_text(encoding="utf-8"))
    for key, forms in loaded.items():
        assert set(forms) == set(LANGUAGES), key
        yield (
            key,
            {language: [*told.values()] if isinstance(told, dict) else [told] for language, told in forms.items()},
        )


def test_both_languages_hold_the_same_values_in_the_same_sentences():
    for key, told in sentences():
        holes = [[{name for _, name, *_ in string.Formatter().parse(text) if name} for text in told[language]]
                 for language in LANGUAGES]  # fmt: skip
        assert holes[0] == holes[1], key


def test_french_is_spaced_as_it_is_printed():
    bare = re.compile("(?<!\u202f)[;!?%]|(?<!\xa0):|«(?!\xa0)|(?<!\xa0)»")
    french = [text for key, told in sentences() for text in told["fr"] if not key.startswith("as_")]
    assert [text for text in french if bare.search(text)] == []


def test_libreoffice_opens_it_and_finds_the_same(tmp_path):
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not on this machine")
    content = made_up(language="fr")
    path, out = write(content, tmp_path), tmp_path / "out"
    command = [office, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "xlsx"]
    subprocess.run([*command, "--outdir", out, path], check=True, capture_output=True, timeout=120)
    ours, theirs = openpyxl.load_workbook(path), openpyxl.load_workbook(out / "leads.xlsx")
    for mine, other in zip(ours, theirs, strict=True):
        assert filled(mine) == filled(other)
    assert "f" not in {cell.data_type for sheet in theirs for row in sheet.iter_rows() for cell in row}


def filled(sheet):
    """Return what is in the cells that are not empty; LibreOffice keeps fifteen digits of a number."""
    cells = {cell.coordinate: cell.value for row in sheet.iter_rows() for cell in row if cell.value not in {None, ""}}
    return {at: round(value, 9) if isinstance(value, float) else value for at, value in cells.items()}
