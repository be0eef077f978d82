"""The page in a real browser: what it finds, sorts, opens and says, and that nothing in it runs or calls outside."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace

import pyarrow as pa
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from conftest import ROOT
from contents import HOSTILE, made_up
from leadscore.delivery.content import Touch
from leadscore.delivery.page import write_page
from leadscore.delivery.page.libraries import pack
from leadscore.timeline import DAY

pytestmark = pytest.mark.slow

WORDS = yaml.safe_load((ROOT / "src/leadscore/delivery/words/page.yaml").read_text(encoding="utf-8"))

READABLE = """() => {
    const body = document.body.cloneNode(true), names = [document.title];
    body.querySelectorAll('script').forEach(script => script.remove());
    body.querySelectorAll('[aria-label]').forEach(named => names.push(named.getAttribute('aria-label')));
    return body.textContent + names.join('\\n');
}"""
"""What can be read or heard."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def english(folder):
    return written(folder / "english.html", made_up())


def written(path, content):
    write_page(content, path)
    return path


def found(page):
    """How many leads the list shows now, from its own words."""
    told = page.locator("#leads_info").inner_text()
    return 0 if told.startswith("none") else int(re.search(r"of ([\d,]+)", told)[1].replace(",", ""))


def open_panel(page, place):
    page.locator(f"#leads button[data-lead='{place}']").click()
    page.wait_for_selector("#panel[data-drawn=yes]")


def test_search_and_filters_narrow_the_list_and_clearing_them_brings_it_back(opened, english):
    content = made_up()
    with opened(english) as page:
        assert found(page) == content.scores.num_rows
        page.fill("#search", '"Person lead 4"')
        assert found(page) == 11  # 4, 40 to 49
        page.select_option("#filter-grade", "C")
        assert found(page) == content.scores["grade"].to_pylist()[40:50].count("C")
        page.click("#tools button[type=reset]")
        assert found(page) == content.scores.num_rows
        page.select_option("#filter-action", "let rest")
        page.select_option("#filter-known", "little known")
        page.select_option("#filter-trend", "steady")
        rows = zip(*(content.scores[name].to_pylist() for name in ("action", "known", "trend")), strict=True)
        assert found(page) == list(rows).count(("rest", "low", "steady")) > 0
        page.select_option("#filter-grade", "A")
        page.fill("#search", "nobody of this name")
        assert found(page) == 0
        assert page.locator("#leads").get_by_text("Nothing matches").is_visible()


def test_the_search_finds_what_the_second_and_the_third_reason_say(opened, folder):
    content = made_up()
    third = ["calls answered: 1; usually 0" if place in {7, 52} else None for place in range(content.scores.num_rows)]
    place = content.scores.schema.get_field_index("reason_3_text")
    content = replace(content, scores=content.scores.set_column(place, "reason_3_text", pa.array(third)))
    with opened(written(folder / "third.html", content)) as page:
        page.fill("#search", "industry finance")
        assert found(page) == content.scores.num_rows
        page.fill("#search", "industry answered")
        assert page.locator("#leads button.lead").all_inner_texts() == ["lead 7", HOSTILE[2]]


@pytest.mark.parametrize(("screen", "script"), [("light", True), ("phone", True), ("phone", False)])
def test_the_list_tells_whether_a_reason_speaks_for_a_lead_or_against_it(opened, english, screen, script):
    with opened(english, screen, java_script_enabled=script) as page:
        cells = page.locator({"light": "#leads td.why", "phone": "#leads td.who .under.because"}[screen])
        told = [" ".join(text.split()) for text in cells.all_inner_texts()]
    assert [text.partition(" pages")[0] for text in told] == ["+ speaks for."] * 40 + ["− speaks against."] * 10


def test_columns_sort_by_mouse_and_by_keyboard(opened, english):
    last = made_up().scores.num_rows
    with opened(english) as page:
        header, first = page.locator("#leads thead th").first, page.locator("#leads tbody td").first
        expect(first).to_have_text("1")
        header.click()
        expect(header).to_have_attribute("aria-sort", "descending")
        expect(first).to_have_text(str(last))
        header.locator("[role=button]").focus()
        page.keyboard.press("Space")
        expect(header).not_to_have_attribute("aria-sort", "descending")
        page.keyboard.press("Enter")
        expect(header).to_have_attribute("aria-sort", "ascending")
        expect(first).to_have_text("1")


def test_a_panel_tells_all_of_a_lead_and_closes_where_it_was_opened(opened, english):
    content = made_up()
    panel = content.panels["lead 9"]
    with opened(english) as page:
        button = page.locator("#leads button[data-lead='9']")
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#panel[data-drawn=yes]")
        dialog = page.locator("#panel")
        assert "lead 9" in dialog.locator("h2").inner_text()
        sentences = dialog.locator(".reasons tbody td:first-child").all_inner_texts()
        assert sentences[: len(panel.reasons)] == [reason.text for reason in panel.reasons]
        assert f"{panel.margin:+.2f}".replace("-", "−") in dialog.locator("tfoot tr:last-child").inner_text()
        assert "To compare two leads, compare their chances, not these totals." in dialog.inner_text()
        assert (
            dialog.locator(".mark-symbol.role-mark path").count() == len(panel.touches) + 1 + len(content.horizons) + 1
        )
        assert dialog.locator("details tbody tr").count() == len(panel.touches)
        late = dialog.locator("details tbody tr").filter(has_text="demo")
        late.locator("xpath=ancestor::details").evaluate("details => details.open = true")
        assert "5 July 2026 at 02:00" in late.inner_text()  # in the project's time zone, as learned
        assert dialog.get_by_role("link").get_attribute("href") == content.links[9]
        page.keyboard.press("Escape")
        assert not dialog.is_visible()
        assert page.evaluate("document.activeElement.dataset.lead") == "9"


def test_a_panel_tells_beside_the_action_what_waits_for_an_answer(opened, english):
    with opened(english) as page:
        told = page.locator("#panel .standing div").first
        open_panel(page, 2)
        assert told.inner_text().split("\n") == ["Action", "let rest", "2 messages or calls of ours without an answer"]
        page.click("#panel-close")
        open_panel(page, 5)
        assert told.inner_text().split("\n") == ["Action", "call"]


def test_the_panel_steps_through_the_list_as_it_is_sorted_and_filtered(opened, english):
    with opened(english) as page:
        page.select_option("#filter-action", "call")
        open_panel(page, 5)
        page.click("#panel-after")
        page.wait_for_selector("#panel[data-lead='10'][data-drawn=yes]")
        page.click("#panel-before")
        page.click("#panel-before")
        page.wait_for_selector("#panel[data-lead='0'][data-drawn=yes]")
        assert page.locator("#panel-before").is_disabled()
        page.click("#panel-close")
        assert not page.locator("#panel").is_visible()


def test_a_lead_without_a_panel_opens_with_what_its_row_has(opened, english):
    content = made_up()
    with opened(english) as page:
        open_panel(page, 45)
        told = page.locator("#panel").inner_text()
    assert content.scores["reason_1_text"][45].as_py() in told
    assert "for 30 leads, those at the top of the list" in told


def test_what_changed_opens_panels_and_is_filtered(opened, english):
    content = made_up()
    with opened(english) as page:
        assert page.locator("#moves_info").inner_text().endswith(f"of {len(content.changes)}")
        page.select_option("#filter-move", "no longer on the list")
        row = page.locator("#moves tbody tr")
        assert row.count() == 1
        assert row.locator("button").count() == 0  # it has no row to open
        page.select_option("#filter-move", "new in A")
        page.locator("#moves button").first.click()
        page.wait_for_selector("#panel[data-drawn=yes]")


def test_the_words_unfold_and_tell_what_each_value_means(opened, english):
    with opened(english) as page:
        page.click("nav a[href='#words']")
        meaning = page.locator("dl.words > div").filter(has_text="too soon to say")
        assert not meaning.is_visible()
        page.click("#words summary")
        assert meaning.locator("dl dt").all_inner_texts() == ["improving", "steady", "declining", "too soon to say"]
        assert "5 points up or more." in meaning.inner_text()
        told = page.locator("dl.words > div > dt").all_inner_texts()
    assert {"Interaction", "Score", "Chance within 30 days", "Known", "Action", "Temperature", "Layer"} < set(told)


def test_a_phone_cuts_no_kind_and_needs_no_scrolling_sideways(opened, folder):
    content = made_up(hostile=False)
    kinds = ["conversation by phone with the team", "conversation in person with the team"]
    seen = [Touch(content.as_of - day * DAY, kinds[day % 2], "inbound") for day in range(9, 0, -1)]
    panels = {"lead 0": replace(content.panels["lead 0"], touches=seen)}
    with opened(written(folder / "phone.html", replace(content, panels=panels)), "phone") as page:
        tables = page.locator(".scroll:visible")
        assert tables.evaluate_all("all => all.filter(one => one.scrollWidth > one.clientWidth)") == []
        assert "B → A new in A, improving" in " ".join(page.locator("#moves td.who").first.inner_text().split())
        open_panel(page, 0)
        assert set(kinds) <= set(page.locator("#panel svg .role-axis-label text").all_text_contents())


def test_nothing_is_said_of_what_was_learned_late_where_nothing_was(opened, english):
    with opened(english) as page:
        for place, late in ((9, True), (5, False)):
            open_panel(page, place)
            assert ("A ring marks" in page.locator("#panel").inner_text()) == late
            page.locator("#panel summary").click()
            assert (page.locator("#panel details th").all_inner_texts()[3:] == ["Learned of"]) == late
            page.click("#panel-close")


@pytest.mark.parametrize(("language", "other"), [("en", "fr"), ("fr", "en")])
def test_every_word_is_of_one_language(opened, folder, language, other):
    path = written(folder / f"{language}.html", made_up(language=language, hostile=False))
    with opened(path) as page:
        open_panel(page, 0)
        text = page.evaluate(READABLE)
        assert page.locator("html").get_attribute("lang") == language
        info = page.locator("#leads_info").inner_text()
    foreign = [forms for key, words in WORDS.items() if words["en"] != words["fr"] for forms in _plain(words[other])]
    assert [sentence for sentence in foreign if sentence in text] == []
    assert "None" not in text
    assert info == {"en": "1–50 of 60", "fr": "1–50 sur 60"}[language]
    assert {"en": "meet 4.5 of its 30.7 conversions", "fr": "compte 30,7 conversions"}[language] in text
    assert "Vega visualization" not in text  # what it calls a chart that has no name


def _plain(forms):
    """The sentences of a key that stand as they are; short words may well be of both languages."""
    every = [forms] if isinstance(forms, str) else forms.values()
    return [form for form in every if "{" not in form and "_" not in form and len(form) > 8]


@pytest.mark.parametrize("screen", ["light", "dark", "phone"])
def test_no_serious_accessibility_finding(opened, english, screen):
    with opened(english, screen) as page:
        assert _serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        open_panel(page, 9)
        assert _serious(page) == []


def _serious(page):
    violations = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in violations if one["impact"] in {"serious", "critical"}]


def test_hostile_leads_and_columns_are_found_and_run_nowhere(opened, folder):
    content, markup = made_up(), "</script><img src=x onerror=alert(1)>"
    ids = content.scores["lead_id"].to_pylist()
    links = ["javascript:alert(1)"] * len(ids)
    hostile = replace(content, project=markup, warnings=HOSTILE, shown={markup: ids}, links=links)
    with opened(written(folder / "hostile.html", hostile)) as page:
        for lead in HOSTILE:
            page.fill("#search", " ".join(lead.split()) or "(no name)")
            open_panel(page, ids.index(lead))
            assert " ".join(lead.split())[:200] in page.locator("#panel h2").inner_text()
            assert markup in page.locator("#panel").inner_text()
            assert page.locator("#panel a").count() == 0
            page.click("#panel-close")
        assert page.locator("img, iframe, object").count() == 0


def test_totals_are_those_of_the_scores(opened, english):
    content = made_up()
    grade, score = content.scores["grade"].to_pylist(), content.scores["score"].to_pylist()
    rows = json.loads(unpacked(english, "rows"))
    assert sum(rows["score"]) == sum(score)
    assert sum(rows["p_30d"]) == pytest.approx(sum(content.scores["p_30d"].to_pylist()), abs=1e-4)
    with opened(english) as page:
        assert f"{content.scores.num_rows} leads" in page.locator(".facts").inner_text()
        for letter in "ABCD":
            page.select_option("#filter-grade", letter)
            assert found(page) == grade.count(letter)


def unpacked(path, name):
    letters = re.search(rf'id="packed-{name}">([^<]*)<', path.read_text(encoding="utf-8"))[1]
    return gzip.decompress(base64.b64decode(letters)).decode()


def test_a_long_list_is_cut_and_says_so(opened, folder):
    path = written(folder / "long.html", made_up(10_050, panels=2, hostile=False))
    with opened(path) as page:
        assert found(page) == 10_000
        assert "first 10,000 of 10,050 leads" in page.locator("#cut").inner_text()
        assert "10,050 leads" in page.locator(".facts").inner_text()
    assert path.stat().st_size < 5_000_000


def test_what_is_missing_is_said(opened, folder):
    content = replace(made_up(before=False, panels=0, hostile=False), quality=None, panels={}, links=(), left_out={})
    with opened(written(folder / "bare.html", content)) as page:
        open_panel(page, 0)
        text = page.locator("body").inner_text()
        assert page.locator("#panel a").count() == 0
    assert "The past is too short to judge such a list" in text
    assert "There is no earlier list to compare with" in text
    assert "in none of its panels" in text


def test_nobody_on_the_list_is_no_error(opened, folder):
    content = made_up()
    nobody = replace(content, scores=content.scores.slice(0, 0), panels={}, links=(), shown={}, changes=())
    with opened(written(folder / "nobody.html", nobody)) as page:
        assert found(page) == 0


def test_without_scripts_the_first_rows_stand_there(opened, english):
    with opened(english, java_script_enabled=False) as page:
        assert page.locator("#leads tbody tr").count() == 50
        assert page.locator("#plain").is_visible()
        assert not page.locator("#tools").is_visible()


def test_an_altered_library_does_not_run(browser, english, folder):
    html = english.read_text(encoding="utf-8").replace(
        re.search(r'id="packed-table-library">([^<]*)<', english.read_text(encoding="utf-8"))[1],
        pack("document.title = 'taken'; window.itables = {}"),
    )
    path = folder / "altered.html"
    path.write_text(html, encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("#broken:visible")
    assert page.title().startswith("Leads of")
    page.close()


def test_the_same_content_is_the_same_to_the_byte(english, folder):
    assert written(folder / "again.html", made_up()).read_bytes() == english.read_bytes()
