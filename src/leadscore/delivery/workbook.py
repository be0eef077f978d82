"""The list as a workbook: a sheet to work from, what changed, how good it is, how to read it.

Cells hold values and never formulas: nothing that comes from data is run by a spreadsheet.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from xlsxwriter import Workbook  # type: ignore[import-untyped] # it has hints, but does not say so
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]

from leadscore.config.crm import CODES
from leadscore.delivery.content import Change, Content, Quality, Tally
from leadscore.delivery.sentences import basis, changed, expected, kept, listed, promise, worth
from leadscore.delivery.teller import Teller
from leadscore.language import percent
from leadscore.scoring.grade import TREND_STEP
from leadscore.scoring.score import N_REASONS
from leadscore.timeline import to_datetime

Cell = str | float | datetime | None

_WORDS = ("interaction", "usual", "temperature", "layer", "colleagues")
"""What reasons speak of."""
_SIGNS = {1: "+", -1: "−"}

_LONGEST = 32_767  # UTF-16 units a cell holds
_MOST_LINKS = 65_530  # a sheet holds
# An address as RFC 3986 spells it, of a kind that runs nothing, no longer than a spreadsheet takes; others are no link.
_LINK = re.compile(r"(?=.{9,2079}\Z)(?:https?://|mailto:)[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+")
# Control characters as their pictures (␀, ␍, …): XML cannot hold most of them, and nobody sees the others.
_PICTURES = {code: 0x2400 + code for code in range(32)} | {0x7F: 0x2421, 0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD}

_DARK, _LIGHT, _INK, _LINE, _MARK = "#12355B", "#A9C8E6", "#1F2933", "#C9D1D9", "#A8480A"
_TOP = {"valign": "top", "bottom": 4, "bottom_color": _LINE, "font_color": _INK}
_ROOM = "_)"  # in a number format: the width of a parenthesis, so that a figure keeps off the text beside it
_MIDDLE = {**_TOP, "align": "center"}
_FIGURE = {**_TOP, "align": "right"}
# The text at the top, for a spreadsheet puts the button of the filter at the bottom.
_HEAD = {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E4E9EE", "bottom": 1, "font_color": _INK}
_STYLES: Mapping[str, Mapping[str, Any]] = {
    "text": _TOP,
    "wrapped": {**_TOP, "text_wrap": True},
    "bold": {**_TOP, "bold": True, "text_wrap": True},
    "code": {**_TOP, "align": "left", "indent": 2, "text_wrap": True},
    "link": {**_TOP, "font_color": "#0B57A4", "underline": 1},
    "number": {**_FIGURE, "num_format": f"#,##0{_ROOM}"},
    "score": {**_FIGURE, "num_format": f"0{_ROOM}"},
    "decimal": {**_FIGURE, "num_format": f"#,##0.0{_ROOM}"},
    "percent": _FIGURE,
    "moment": {**_TOP, "align": "left"},
    "lift": _FIGURE,
    # Four steps of lightness, so that grades differ without colour; the letter says it anyway.
    "grade_A": {**_MIDDLE, "bold": True, "bg_color": _DARK, "font_color": "#FFFFFF"},
    "grade_B": {**_MIDDLE, "bold": True, "bg_color": "#3B72A8", "font_color": "#FFFFFF"},
    "grade_C": {**_MIDDLE, "bg_color": _LIGHT},
    "grade_D": {**_MIDDLE, "bg_color": "#EDF2F7"},
    "sign_+": {**_MIDDLE, "bold": True, "font_color": _DARK},
    "sign_−": {**_MIDDLE, "bold": True, "font_color": _MARK},
    "head": _HEAD,
    "head_figure": {**_HEAD, "align": "right", "indent": 1},
    "head_middle": {**_HEAD, "align": "center"},
    "title": {"bold": True, "font_size": 16, "font_color": _DARK},
    "section": {"bold": True, "font_size": 13, "font_color": _DARK, "valign": "bottom"},
    "headline": {"bold": True, "font_size": 13, "text_wrap": True, "valign": "top", "font_color": _INK},
    "said": {"text_wrap": True, "valign": "top", "font_color": _INK},
    "aside": {"valign": "top", "font_color": _INK},
    "notice": {"bold": True, "bg_color": "#FFF1C7", "font_color": _INK},
}  # fmt: skip
_PLUS_MINUS: Mapping[Cell, str] = {sign: f"sign_{sign}" for sign in _SIGNS.values()}
_GRADES: Mapping[Cell, str] = {letter: f"grade_{letter}" for letter in "ABCD"}

_FIGURES = {"number", "score", "decimal", "percent", "lift"}

_LINE_HEIGHT, _MOST_LINES = 15, 27  # points of a line of text; lines a row may be high
_WIDTH = 13  # of a column where nothing else is said
_LETTERS = 1.2  # of a text, in the width of a digit, which columns are measured in
_PARAGRAPH = 12  # columns of the sheet of figures over which sentences run
_PARAGRAPH_WIDTHS = {"said": 150, "headline": 125}  # of a line of them
_READING_WIDTH = 110
_CHART_COLUMN, _CHART_ROWS = 8, 16  # beside the tables


@dataclass(frozen=True)
class _Column:
    """A column of a table.

    Attributes:
        title: Its header.
        values: One per row; None for what is missing.
        width: In characters.
        style: Of its cells, by name.
        about: What it says.
        shades: Styles of their own for some values.
        links: An address per row, or nothing.
        codes: Which of `CODES` its values say.
    """

    title: str
    values: Sequence[Cell]
    width: float = _WIDTH
    style: str = "text"
    about: str = ""
    shades: Mapping[Cell, str] = field(default_factory=dict)
    links: Sequence[str] = ()
    codes: str = ""


@dataclass(frozen=True)
class _Book(Teller):
    """An open workbook, and what it says: the file, and the styles of its cells by name."""

    file: Any
    content: Content
    styles: Mapping[str, Any]

    def leads(self, count: int) -> str:
        return self.say("leads", count)

    def local(self, moment: int) -> datetime:
        return _local(moment, self.time_zone)

    @property
    def within(self) -> str:
        """The ranking horizon in words."""
        return self.span(self.content.ranked_by)

    def title(self) -> str:
        return self.say("title", project=self.content.project, moment=self.minute(self.content.as_of))


def write_workbook(content: Content, path: Path) -> None:
    """Write what people see of a slot as a workbook of four sheets.

    1. One row per lead of the list, in rank order, under what the reader should know first.
    2. One row per change since the slot before.
    3. One row per tenth, per calibration bin and per grade, with charts.
    4. One row per column, limit and fact, in words.

    Scores are numbers, chances shares from 0 to 1 shown in percent, moments local to the content's time zone. Texts are
    as `visible` shows them; what is missing is an empty cell. The same content gives the same bytes.

    Raises:
        OSError: the file cannot be written.
    """
    book = _open(content, path)
    columns = _list_columns(book)
    _write_list(book, columns)
    _write_changes(book)
    _write_quality(book)
    _write_reading(book, columns)
    try:
        book.file.close()
    except FileCreateError as error:  # hides the OSError that everything else here raises
        raise OSError(*error.args[0].args) from error


def visible(text: str) -> str:
    r"""Return a text as a cell shows it: control characters as their pictures, too long a text cut with an ellipsis.

    >>> visible("a\tb\r"), len(visible("x" * 40_000))
    ('a␉b␍', 32767)
    """
    shown = text.translate(_PICTURES)
    if len(shown) <= _LONGEST // 2:
        return shown
    units = shown.encode("utf-16-le")
    return shown if len(units) <= 2 * _LONGEST else units[: 2 * _LONGEST - 2].decode("utf-16-le", "ignore") + "…"


def _open(content: Content, path: Path) -> _Book:
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    file = Workbook(str(path), plain)
    words = Teller("workbook", content.language, content.time_zone)
    own = {name: {"num_format": words.say(f"as_{name}") + _ROOM} for name in ("percent", "moment", "lift")}
    styles = {name: file.add_format({**look, **own.get(name, {})}) for name, look in _STYLES.items()}
    book = _Book("workbook", content.language, content.time_zone, file, content, styles)
    # The moment of the list, not of writing: the same list is the same file.
    file.set_properties({"title": visible(book.title()), "created": to_datetime(content.as_of).replace(tzinfo=None)})
    return book


# The list


def _write_list(book: _Book, columns: Sequence[_Column]) -> None:
    sheet = _add_sheet(book, "sheet_list")
    top = _say_first(book, sheet, book.title(), _summary(book), _notices(book))
    _write_table(book, sheet, top, columns, spare=1)
    _work_on(sheet, top, columns)
    score = next(at for at, column in enumerate(columns) if column.style == "score")
    if len(book.content.scores):
        bar = {"type": "data_bar", "bar_color": "#D3D9DF", "bar_solid": True, "data_bar_2010": True}
        ends = {"min_type": "num", "min_value": 0, "max_type": "num", "max_value": 100}
        sheet.conditional_format(top + 1, score, top + len(book.content.scores), score, {**bar, **ends})


def _summary(book: _Book) -> str:
    content = book.content
    worked, until = book.leads(content.capacity), book.minute(content.expires_at)
    told = book.say("summary", len(content.scores), worked=worked, until=until)
    return f"{told} {_expected(book)}" if content.past_lists and len(content.scores) else told


def _expected(book: _Book) -> str:
    """Say what to expect of grade A, and what past lists kept of it."""
    told = " ".join(expected(book.content, book))
    return book.say("expected", count=promise(book.content, book), span=book.within, told=told)


def _notices(book: _Book) -> list[str]:
    links = sum(_is_link(link) for link in book.content.links)
    cut = [book.say("links_cut", _MOST_LINKS)] if links > _MOST_LINKS else []
    return [*book.content.warnings, *cut]


def _list_columns(book: _Book) -> list[_Column]:
    return [
        _Column(book.say("rank"), _values(book, "rank"), 9, "number", book.say("about_rank")),
        *_who(book),
        *_how_ready(book),
        *_what_to_do(book),
    ]


def _who(book: _Book) -> Iterator[_Column]:
    content = book.content
    for name, values in content.shown.items():
        yield _Column(name, _texts(values), _fitting(name, values), about=book.say("about_shown"))
    leads = _values(book, "lead_id")
    about = book.say("about_lead_linked" if content.links else "about_lead")
    yield _Column(book.say("lead"), _named(book, leads), _fitting("", leads), about=about, links=content.links)
    accounts = _values(book, "account_id")
    title = book.say("account")
    yield _Column(title, _texts(accounts), _fitting(title, accounts), about=book.say("about_account"))


def _how_ready(book: _Book) -> Iterator[_Column]:
    content, say = book.content, book.say
    about = say("about_grade", worked=book.leads(content.capacity))
    yield _Column(say("grade"), _values(book, "grade"), 8, about=about, shades=_GRADES)
    yield _Column(say("score"), _values(book, "score"), 9, "score", say("about_score"))
    chance, told = say("chance", span=book.within), say("about_chance", span=book.within)
    yield _Column(chance, _values(book, f"p_{content.ranked_by}"), 12, "percent", told)
    yield _Column(say("between"), _values(book, "p_lo"), 9, "percent", say("about_between"))
    yield _Column(say("and"), _values(book, "p_hi"), 9, "percent", say("about_and"))
    yield _said_column(book, "known", 15)
    yield _said_column(book, "trend", 19)
    yield _Column(say("score_before"), _values(book, "score_prev"), 11, "number", say("about_score_before"))


def _what_to_do(book: _Book) -> Iterator[_Column]:
    say = book.say
    yield _said_column(book, "action", 14)
    for place in range(1, N_REASONS + 1):
        signs = [_SIGNS.get(sign, "") for sign in _values(book, f"reason_{place}_sign")]
        texts = _texts(_values(book, f"reason_{place}_text"))
        rank = "next_" if place > 1 else ""
        yield _Column(say("sign", number=place), signs, 5, about=say(f"about_{rank}sign"), shades=_PLUS_MINUS)
        yield _Column(say("reason", number=place), texts, 40, "wrapped", say(f"about_{rank}reason"))
    until = [book.local(moment) for moment in book.content.scores["expires_at"].cast("int64").to_pylist()]
    yield _Column(say("valid_until"), until, 17, "moment", say("about_valid_until"))


# What changed


def _write_changes(book: _Book) -> None:
    content = book.content
    sheet = _add_sheet(book, "sheet_changes")
    if content.before is None:
        _say_first(book, sheet, book.say("sheet_changes"), book.say("changed_first"))
        return
    title = book.say("changed_title", day=book.day(content.before))
    if not content.changes:
        _say_first(book, sheet, title, book.say("changed_nothing"))
        return
    top, columns = _say_first(book, sheet, title, " ".join(changed(book.content, book))), _change_columns(book)
    _write_table(book, sheet, top, columns, spare=1)
    _work_on(sheet, top, columns)


def _change_columns(book: _Book) -> list[_Column]:
    say, changes = book.say, book.content.changes
    moves: list[Cell] = [", ".join(say(f"move_{move}") for move in change.moves) for change in changes]
    grade, before = ([change.grade for change in changes], [change.grade_before for change in changes])
    return [
        *_who_changed(book, changes),
        _Column(say("move"), moves, 28, "wrapped"),
        _Column(say("grade"), grade, 8, shades=_GRADES),
        _Column(say("grade_before"), before, 11, shades=_GRADES),
        _Column(say("score"), [change.score for change in changes], 9, "number"),
        _Column(say("score_before"), [change.score_before for change in changes], 11, "number"),
        _Column(say("rank"), [change.rank for change in changes], 9, "number"),
        _Column(say("rank_before"), [change.rank_before for change in changes], 11, "number"),
        _Column(say("why"), _texts([change.why for change in changes]), 60, "wrapped"),
    ]


def _who_changed(book: _Book, changes: Sequence[Change]) -> Iterator[_Column]:
    """Yield the columns that tell who; of a lead that is gone only the key is left."""
    content = book.content
    rows = [None if change.rank is None else change.rank - 1 for change in changes]
    for name, values in content.shown.items():
        of_row = [None if row is None else values[row] for row in rows]
        yield _Column(name, _texts(of_row), _fitting(name, of_row))
    leads = [change.lead_id for change in changes]
    links = ["" if row is None else content.links[row] for row in rows] if content.links else []
    yield _Column(book.say("lead"), _named(book, leads), _fitting("", leads), links=links)


# How good is this


def _write_quality(book: _Book) -> None:
    sheet = _add_sheet(book, "sheet_quality")
    sheet.hide_gridlines(2)
    sheet.set_portrait()
    sheet.fit_to_pages(1, 1)
    sheet.set_column(0, _PARAGRAPH - 1, _WIDTH)
    _put(book, sheet, 0, 0, book.say("quality_title"), "title")
    quality = book.content.quality
    if quality is None:
        row = _say_wide(book, sheet, 2, book.say("no_quality", span=book.within), "headline")
    else:
        row = _say_wide(book, sheet, 2, worth(quality, book), "headline")
        row = _say_wide(book, sheet, row, f"{kept(quality, book)} {basis(quality, book)}")
        row = _write_tenths(book, sheet, row + 1, quality)
        row = _write_bins(book, sheet, row + 1, quality)
    row = _write_grades(book, sheet, row + 1)
    if book.content.past_lists:
        _write_past_lists(book, sheet, row + 1)


def _write_tenths(book: _Book, sheet: Any, row: int, quality: Quality) -> int:
    rate = percent(quality.conversions / quality.leads, book.content.language, 1)
    columns = _tenth_columns(book, quality)
    top, end = _write_part(book, sheet, row, "tenths", book.say("tenths_text", rate=rate), columns)
    return max(end, _draw(book, sheet, top, columns, book.say("conversions"), (1, 2)))


def _tenth_columns(book: _Book, quality: Quality) -> list[_Column]:
    tenths, say = quality.tenths, book.say
    rates = [_share(tenth.converted, tenth.leads) for tenth in tenths]
    overall = quality.conversions / quality.leads
    found = accumulate(tenth.converted for tenth in tenths)
    return [
        _Column(say("tenth"), range(1, len(tenths) + 1), style="number"),
        _Column(say("promised"), [tenth.promised for tenth in tenths], style="decimal"),
        _Column(say("converted"), [tenth.converted for tenth in tenths], style="number"),
        _Column(say("leads_title"), [tenth.leads for tenth in tenths], style="number"),
        _Column(say("rate"), rates, style="percent"),
        _Column(say("lift"), [None if rate is None else _share(rate, overall) for rate in rates], style="lift"),
        _Column(say("found_so_far"), [_share(so_far, quality.conversions) for so_far in found], style="percent"),
    ]


def _write_bins(book: _Book, sheet: Any, row: int, quality: Quality) -> int:
    columns = _bin_columns(book, quality)
    top, end = _write_part(book, sheet, row, "bins", book.say("bins_text"), columns)
    return max(end, _draw(book, sheet, top, columns, book.say("rate"), (0, 1), (2, 3)))


def _bin_columns(book: _Book, quality: Quality) -> list[_Column]:
    bins, say = quality.bins, book.say
    return [
        _Column(say("chance_promised"), [one.promised for one in bins], style="percent"),
        _Column(say("rate"), [one.happened for one in bins], style="percent"),
        _Column(say("low"), [one.low for one in bins], style="percent"),
        _Column(say("high"), [one.high for one in bins], style="percent"),
        _Column(say("leads_title"), [one.leads for one in bins], style="number"),
    ]


def _write_grades(book: _Book, sheet: Any, row: int) -> int:
    """Set the cut-offs of this list beside what the grades were worth in lists of the past."""
    say, lines = book.say, book.content.grades
    columns = [
        _Column(say("grade"), [line.grade for line in lines], shades=_GRADES),
        _Column(say("leads_title"), [line.leads for line in lines], style="number"),
        _Column(say("lowest"), [line.lowest for line in lines], style="percent"),
        _Column(say("highest"), [line.highest for line in lines], style="percent"),
        _Column(say("promised"), [line.promised for line in lines], style="decimal"),
    ]
    for kind in ("judged", "delivered"):
        past = [getattr(line, kind) for line in lines]
        if any(told.leads for told in past):
            columns += _past_columns(book, past, f"of_{kind}")
    text = say("grades_text" if len(columns) > 5 else "grades_no_past", span=book.within)  # noqa: PLR2004 - those above
    expects = [_expected(book)] if book.content.past_lists else []
    _, end = _write_part(book, sheet, row, "grades", " ".join([text, *expects]), columns)
    return end


def _write_past_lists(book: _Book, sheet: Any, row: int) -> None:
    lists = book.content.past_lists
    day = _Column(book.say("list_day"), [listed(one, book) for one in lists])
    columns = [day, *_past_columns(book, [one.tally for one in lists])]
    text = book.say("worked_lists_more", span=book.within)
    top, _ = _write_part(book, sheet, row, "worked_lists", text, columns)
    _draw(book, sheet, top, columns, book.say("conversions"), (2, 3))


def _past_columns(book: _Book, past: Sequence[Tally], whose: str = "") -> list[_Column]:
    """Make the columns of what became of past lists; `whose` names the group they belong to."""
    titles = {name: book.say(name) for name in ("leads_title", "promised", "converted", "rate")}
    if whose:
        titles = {name: book.say(whose, what=title) for name, title in titles.items()}
    rates = [_share(told.converted, told.leads) for told in past]
    return [
        _Column(titles["leads_title"], [told.leads for told in past], style="number"),
        _Column(titles["promised"], [told.promised for told in past], style="decimal"),
        _Column(titles["converted"], [told.converted for told in past], style="number"),
        _Column(titles["rate"], rates, style="percent"),
    ]


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _draw(
    book: _Book,
    sheet: Any,
    top: int,
    columns: Sequence[_Column],
    axis: str,
    drawn: tuple[int, int],
    bounds: tuple[int, ...] = (),
) -> int:
    """Draw two columns of a table side by side over its first, to the right of it; return the row after the chart.

    Args:
        book: Where.
        sheet: Where.
        top: Row of the table's header.
        columns: Of the table.
        axis: Name of the upright axis.
        drawn: Which two: what was promised is light, what happened dark.
        bounds: Columns that are marks over them.
    """
    chart, marks = book.file.add_chart({"type": "column"}), book.file.add_chart({"type": "line"})
    for at, colour in zip(drawn, (_LIGHT, _DARK), strict=True):
        chart.add_series({**_series(sheet, top, columns, at), "fill": {"color": colour}, "gap": 60})
    for at in bounds:
        look = {"type": "long_dash", "size": 10, "fill": {"color": _MARK}, "border": {"color": _MARK}}
        marks.add_series({**_series(sheet, top, columns, at), "line": {"none": True}, "marker": look})
    if bounds:
        chart.combine(marks)
    shown = {"num_format": book.say("as_percent")} if columns[drawn[0]].style == "percent" else {}
    chart.set_x_axis({"name": columns[0].title, **shown})
    chart.set_y_axis({"name": axis, "major_gridlines": {"visible": True, "line": {"color": _LINE}}, **shown})
    chart.set_legend({"position": "top"})
    chart.set_size({"width": 640, "height": 20 * _CHART_ROWS})
    told = ", ".join(columns[at].title for at in (*drawn, *bounds))
    sheet.insert_chart(top, _CHART_COLUMN, chart, {"description": told})
    return top + _CHART_ROWS


def _series(sheet: Any, top: int, columns: Sequence[_Column], at: int) -> dict[str, Any]:
    first, last = top + 1, top + len(columns[at].values)
    return {
        "name": [sheet.name, top, at],
        "categories": [sheet.name, first, 0, last, 0],
        "values": [sheet.name, first, at, last, at],
    }


# How to read it

_Line = tuple[str, str, str]
"""Title, text, and style of the title."""


def _write_reading(book: _Book, columns: Sequence[_Column]) -> None:
    sheet = _add_sheet(book, "sheet_reading")
    sheet.hide_gridlines(2)
    sheet.set_portrait()
    sheet.fit_to_pages(1, 1)
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, _READING_WIDTH)
    _put(book, sheet, 0, 0, book.say("reading_title"), "title")
    row = 2
    for section, lines in _reading(book, columns).items():
        sheet.set_row(row, 22)
        _put(book, sheet, row, 0, book.say(section), "section")
        for below, (title, text, style) in enumerate(lines, row + 1):
            sheet.set_row(below, 3 + _LINE_HEIGHT * _lines(text, _READING_WIDTH))
            _put(book, sheet, below, 0, title, style)
            _put(book, sheet, below, 1, text, "wrapped")
        row += len(lines) + 2


def _reading(book: _Book, columns: Sequence[_Column]) -> dict[str, list[_Line]]:
    return {
        "columns": [line for column in columns for line in _about(book, column)],
        "words": [(book.say(f"word_{word}"), book.say(f"about_word_{word}"), "bold") for word in _WORDS],
        "limits": _limits(book),
        "left_out": _left_out(book),
        "facts": _facts(book),
    }


def _about(book: _Book, column: _Column) -> Iterator[_Line]:
    """Yield what a column says, and what each of its codes does."""
    yield column.title, column.about, "bold"
    for code in CODES.get(column.codes, ()):
        name = f"{column.codes}_{code}"
        yield book.say(name), book.say(f"about_{name}", TREND_STEP), "code"


def _limits(book: _Book) -> list[_Line]:
    counts = Counter(_values(book, "known"))
    texts = {
        "later": book.say("about_limit_later", moment=book.minute(book.content.as_of)),
        "unwritten": book.say("about_limit_unwritten"),
        "one": book.say("about_limit_one"),
        "cause": book.say("about_limit_cause"),
        "known": book.say("about_limit_known", counts["low"] + counts["unknowable"]),
    }
    return [(book.say(f"limit_{name}"), text, "bold") for name, text in texts.items()]


def _left_out(book: _Book) -> list[_Line]:
    return [
        (book.say(f"left_out_{why}"), book.say(f"about_left_out_{why}", leads=book.leads(count)), "bold")
        for why, count in book.content.left_out.items()
    ]


def _facts(book: _Book) -> list[_Line]:
    content, say = book.content, book.say
    before = say("fact_no_before") if content.before is None else book.minute(content.before)
    model = say("about_model", model=content.model, day=book.day(content.trained_as_of))
    moment = say("about_moment", moment=book.minute(content.as_of), zone=content.time_zone)
    facts = {"project": content.project, "moment": moment, "slot": content.slot, "before": before, "model": model}
    return [(say(f"fact_{name}"), text, "bold") for name, text in facts.items()]


# What all sheets are made with


def _add_sheet(book: _Book, name: str) -> Any:
    """Add a sheet that prints on sheets of A4 across, as wide as it is, with its page on every one."""
    sheet = book.file.add_worksheet(book.say(name))
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    title = visible(book.title()).replace("&", "&&")[:150]  # `&` is a command there
    sheet.set_footer(f"&L{title}&R{book.say('page', page='&P', pages='&N')}")
    sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})  # keys of digits are texts, and no mistake
    return sheet


def _say_first(book: _Book, sheet: Any, title: str, text: str, notices: Sequence[str] = ()) -> int:
    """Write what stands over a table; return the row of its header."""
    sheet.set_row(0, 26)
    _put(book, sheet, 0, 0, title, "title")
    _put(book, sheet, 1, 0, text, "aside")
    for row, notice in enumerate(notices, 2):
        _put(book, sheet, row, 0, notice, "notice")
    return 2 + len(notices)


def _work_on(sheet: Any, top: int, columns: Sequence[_Column]) -> None:
    """Let a table be worked on: its header stays in sight and on every page, its columns filter."""
    sheet.freeze_panes(top + 1, 2)
    sheet.repeat_rows(top)
    sheet.autofilter(top, 0, top + len(columns[0].values), len(columns) - 1)
    for at, column in enumerate(columns):
        sheet.set_column(at, at, column.width)


def _say_wide(book: _Book, sheet: Any, row: int, text: str, style: str = "said") -> int:
    """Write a paragraph over the columns of a sheet; return the next row."""
    sheet.set_row(row, 4 + _LINE_HEIGHT * _lines(text, _PARAGRAPH_WIDTHS[style]))
    sheet.merge_range(row, 0, row, _PARAGRAPH - 1, "", book.styles[style])
    _put(book, sheet, row, 0, text, style)
    return row + 1


def _write_part(book: _Book, sheet: Any, row: int, name: str, text: str, columns: Sequence[_Column]) -> tuple[int, int]:
    """Write a heading, a paragraph and a table; return the row of its header, and the row after it."""
    sheet.set_row(row, 24)
    _put(book, sheet, row, 0, book.say(name), "section")
    top = _say_wide(book, sheet, row + 1, text)
    _write_table(book, sheet, top, columns)
    return top, top + len(columns[0].values) + 1


def _write_table(book: _Book, sheet: Any, top: int, columns: Sequence[_Column], spare: int = 0) -> None:
    """Write header and rows; `spare` lines of the header stay free, for the buttons of the filters."""
    sheet.set_row(top, 3 + _LINE_HEIGHT * (spare + max(math.ceil(len(one.title) / one.width) for one in columns)))
    _size_rows(sheet, top + 1, columns)
    for at, column in enumerate(columns):
        _put(book, sheet, top, at, column.title, _head(column))
        links = _links(column)
        for row, value in enumerate(column.values, top + 1):
            link = next(links, "")
            if link:
                sheet.write_url(row, at, link, string="")  # the text follows, over it
            _put(book, sheet, row, at, value, "link" if link else column.shades.get(value, column.style))


def _head(column: _Column) -> str:
    """Name the style of a header, aligned as what is below it."""
    if column.shades:
        return "head_middle"
    return "head_figure" if column.style in _FIGURES else "head"


def _size_rows(sheet: Any, top: int, columns: Sequence[_Column]) -> None:
    """Make rows as high as their wrapped texts need; not every spreadsheet does so itself."""
    wrapped = [column for column in columns if column.style == "wrapped"]
    lines = ([_lines(str(value), column.width) for value in column.values] for column in wrapped)
    for row, high in enumerate(zip(*lines, strict=True), top):
        if max(high) > 1:
            sheet.set_row(row, _LINE_HEIGHT * max(high))


def _lines(text: str, width: float) -> int:
    """Estimate how many lines a text takes."""
    return min(_MOST_LINES, math.ceil(len(text) / (_LETTERS * width)) or 1)


def _links(column: _Column) -> Iterator[str]:
    """Yield the link of each row: none for what is no address, nor for more than a sheet holds."""
    room = _MOST_LINKS
    for link in column.links:
        good = room > 0 and _is_link(link)
        room -= good
        yield link if good else ""


def _is_link(text: str) -> bool:
    return _LINK.fullmatch(text) is not None


def _put(book: _Book, sheet: Any, row: int, at: int, value: Cell, style: str) -> None:
    """Write a cell by the type of its value: a text is never taken for anything else."""
    look = book.styles[style]
    if value is None:
        sheet.write_blank(row, at, None, look)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, at, value, look)
    elif not isinstance(value, str):
        sheet.write_number(row, at, value, look)
    else:
        _put_text(sheet, row, at, visible(value), look)


def _put_text(sheet: Any, row: int, at: int, text: str, look: Any) -> None:
    # XlsxWriter takes such a text for markup of its own, and does not escape it.
    if text.startswith("<r>") and text.endswith("</r>"):
        sheet.write_rich_string(row, at, text[0], text[1], text[2:], look)
    else:
        sheet.write_string(row, at, text, look)


def _values(book: _Book, name: str) -> list[Any]:
    """Return a column of the scores; what is no number is missing."""
    values: list[Any] = book.content.scores[name].to_pylist()
    return [None if value != value else value for value in values]  # noqa: PLR0124 - NaN is what differs from itself


def _texts(values: Sequence[str | None]) -> list[Cell]:
    """Write missing texts as empty ones: in an empty cell the long text of the cell before it would go on."""
    return [value or "" for value in values]


def _named(book: _Book, leads: Sequence[str]) -> list[Cell]:
    """Let a lead whose key is empty be seen."""
    return [lead or book.say("empty") for lead in leads]


def _said_column(book: _Book, name: str, width: float) -> _Column:
    """Say the codes of a column in words."""
    words = {code: book.say(f"{name}_{code}") for code in CODES[name]}
    texts = [words[code] for code in _values(book, name)]
    return _Column(book.say(name), texts, width, about=book.say(f"about_{name}"), codes=name)


def _fitting(title: str, values: Sequence[str | None]) -> float:
    """Return a width for texts of any length: as wide as nearly all of them, within what a sheet can bear."""
    lengths = sorted(len(value or "") for value in values)
    usual = lengths[int(0.95 * (len(lengths) - 1))] if lengths else 0
    return min(24, max(11, len(title) + 4, usual + 2))


@lru_cache(maxsize=1_024)
def _local(moment: int, time_zone: str) -> datetime:
    return to_datetime(moment).astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)
