"""The page: what is read at once stands in it as HTML; the whole list and the libraries are packed beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from leadscore.delivery.content import Content
from leadscore.delivery.page import charts, data, told
from leadscore.delivery.page.libraries import chart_library, pack, policy, table_library, table_style
from leadscore.delivery.teller import Teller, moved

ROWS = 10_000
"""So many leads of a list are in the page; more would make the file too large to mail."""
_AT_ONCE = 50  # rows that stand in the page as HTML: what a preview without scripts shows
_CHANGES_AT_ONCE = 20  # as many as a page of their table holds


def write_page(content: Content, path: Path) -> None:
    """Write a slot as one self-contained HTML file.

    It asks the network for nothing, runs only the scripts whose digests its own Content-Security-Policy names, and is
    the same to the byte for the same content. It holds the first `ROWS` leads and says so where there are more.

    Args:
        content: The slot; its language is that of every word.
        path: The file; overwritten.
    """
    path.write_text(render(content), encoding="utf-8", newline="\n")


def render(content: Content) -> str:
    """Return the page's HTML."""
    teller = Teller("page", content.language, content.time_zone)
    rows = data.rows(content, ROWS)
    changes = data.changes(content, rows["id"])
    packed = {
        "rows": rows,
        "panels": data.panels(content, rows["id"], teller),
        "changes": changes,
        "specs": charts.panel_specs(teller),
    }
    libraries = {"table-library": table_library(), "chart-library": chart_library()}
    script, style = _text("page.js"), table_style() + _text("page.css")
    return _template().render(
        language=content.language,
        policy=policy([*libraries.values(), script], style),
        style=style,
        script=script,
        say=teller.say,
        told=told.page(content, teller, rows=ROWS),
        shown=list(content.shown),
        first=list(_across(rows, _AT_ONCE)),
        first_changes=list(_across(changes, _CHANGES_AT_ONCE)),
        words=_script_safe(data.words(content, teller)),
        gain=charts.gain(content.quality, teller) if content.quality else "",
        calibration=charts.calibration(content.quality, teller) if content.quality else "",
        worked=charts.worked(content, teller) if content.past_lists else "",
        packed=[(name, pack(_json(value))) for name, value in packed.items()]
        + [(name, _packed_library(text)) for name, text in libraries.items()],
        cut=teller.cut,
        chance=teller.chance,
        number=teller.number,
        moved=moved,
    )


def _across(columns: data.Columns, limit: int) -> Iterator[dict[str, Any]]:
    """Turn the first rows of a mapping of columns into a mapping per row."""
    for values in zip(*(column[:limit] for column in columns.values()), strict=True):
        yield dict(zip(columns, values, strict=True))


@lru_cache(maxsize=2)
def _packed_library(text: str) -> str:
    return pack(text)


@lru_cache(maxsize=1)
def _template() -> Template:
    """Return the template; everything put into it is escaped but what the template calls safe, which is ours."""
    rules = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return rules.from_string(_text("page.html"))


def _text(name: str) -> str:
    return (files("leadscore.delivery.page") / name).read_text(encoding="utf-8")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _script_safe(value: object) -> str:
    r"""Write JSON that cannot close the script element it stands in."""
    return _json(value).replace("<", r"\u003c")
