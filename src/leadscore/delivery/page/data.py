"""What the page's script reads: the list, the panels, the changes and the words, as plain values.

Moments are milliseconds of the project's own clock, as if that were UTC: a browser then shows them as the project has
them, wherever it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import vl_convert

from leadscore.config.crm import CODES
from leadscore.delivery.content import MOVES, Content, Panel
from leadscore.delivery.teller import Teller
from leadscore.language import Language
from leadscore.timeline import DAY, Duration, to_datetime

Columns = dict[str, list[Any]]

LOCALE: Mapping[Language, Literal["en-GB", "fr-FR"]] = {"en": "en-GB", "fr": "fr-FR"}
_NAMES = {"id": "lead_id", "account": "account_id", "before": "score_prev", "low": "p_lo", "high": "p_hi"}
_AS_THEY_ARE = ("rank", "score", "grade", "known", "trend", "action")
_DIGITS = 6  # as many decimals of a chance as scores.csv has

_SCRIPT = """
info found nobody no_match per_page pages first previous next last page sort sort_reverse sort_remove
record score_now why reason effect weight for against offset sum adds_up row_reasons no_reason
readiness within chance bounds no_bounds
happened timeline_hint late_hint touches hidden when what side learned at_once inbound outbound unsaid quiet
""".split()  # noqa: SIM905 - a word a line is no easier to read


def rows(content: Content, limit: int) -> Columns:
    """Return the first leads of the list by column, one value per lead in rank order; chances to six decimals.

    `p_…` are the chances per horizon, `text_n` and `sign_n` the reasons, `shown_n` the columns asked for, `link` the
    address of the record or None. Anything but a web address makes no link.
    """
    table = content.scores.slice(0, limit)
    columns = {name: table[name].to_pylist() for name in _AS_THEY_ARE}
    columns |= {name: table[column].to_pylist() for name, column in _NAMES.items()}
    columns |= {f"p_{horizon}": table[f"p_{horizon}"].to_pylist() for horizon in content.horizons}
    for name in ("low", "high", *(f"p_{horizon}" for horizon in content.horizons)):
        columns[name] = [None if value is None else round(value, _DIGITS) for value in columns[name]]
    for place in (1, 2, 3):
        columns[f"text_{place}"] = table[f"reason_{place}_text"].to_pylist()
        columns[f"sign_{place}"] = table[f"reason_{place}_sign"].to_pylist()
    columns |= {f"shown_{place}": list(column[:limit]) for place, column in enumerate(content.shown.values())}
    columns["link"] = [_web(link) for link in content.links[:limit]] or [None] * table.num_rows
    return columns


def _web(address: str) -> str | None:
    return address if urlsplit(address).scheme in {"http", "https"} else None


def panels(content: Content, ids: Sequence[str], teller: Teller) -> dict[int, dict[str, Any]]:
    """Return the panels of the leads that are in the page, by their place in the list from 0."""
    zone = ZoneInfo(content.time_zone)
    return {
        place: _panel(content.panels[lead], zone, teller) for place, lead in enumerate(ids) if lead in content.panels
    }


def _panel(panel: Panel, zone: ZoneInfo, teller: Teller) -> dict[str, Any]:
    return {
        "reasons": [[reason.text, round(reason.weight, 4)] for reason in panel.reasons],
        "others": round(panel.others, 4),
        "offset": round(panel.offset, 4),
        "margin": round(panel.margin, 4),
        "touches": [
            [_clock(touch.at, zone), touch.label, touch.side, _clock_or_none(touch.learned_at, zone)]
            for touch in panel.touches
        ],
        "hidden": panel.hidden,
        "unanswered": teller.say("unanswered", panel.unanswered) if panel.unanswered else "",
        "warmth": [[_clock(at, zone), round(temperature, 3)] for at, temperature in panel.warmth],
    }


def _clock(moment: int, zone: ZoneInfo) -> int:
    return round(to_datetime(moment).astimezone(zone).replace(tzinfo=UTC).timestamp() * 1000)


def _clock_or_none(moment: int | None, zone: ZoneInfo) -> int | None:
    return None if moment is None else _clock(moment, zone)


def changes(content: Content, ids: Sequence[str]) -> Columns:
    """Return the changes by column, one value per change; `place` is the lead's in the list, or None."""
    place = {lead: number for number, lead in enumerate(ids)}
    columns: Columns = {
        "id": [change.lead_id for change in content.changes],
        "place": [place.get(change.lead_id) for change in content.changes],
        "moves": [list(change.moves) for change in content.changes],
        "why": [change.why for change in content.changes],
    }
    for name in ("rank", "grade", "score"):
        columns[name] = [getattr(change, name) for change in content.changes]
        columns[f"{name}_before"] = [getattr(change, f"{name}_before") for change in content.changes]
    return columns


def words(content: Content, teller: Teller) -> Mapping[str, Any]:
    """Return what the script says and how it writes numbers and days; the codes of each filter in their order."""
    locale = LOCALE[content.language]
    return {
        "locale": locale,
        "numbers": vl_convert.get_format_locale(locale),
        "times": vl_convert.get_time_format_locale(locale),
        "horizons": [
            {"code": horizon, "said": teller.span(horizon), "days": Duration.parse(horizon).microseconds / DAY}
            for horizon in content.horizons
        ],
        "ranked": content.ranked_by,
        "shown": list(content.shown),
        "codes": {
            name: {code: code if name == "grade" else teller.say(f"{name}_{code}") for code in codes}
            for name, codes in CODES.items()
        },
        "labels": {
            name: teller.say(name) for name in ("action", "score", "trend", "known", "account", "list", "changes")
        },
        "moves": {code: teller.say(f"move_{code}") for code in MOVES},
        "panels": teller.say("panels_first", len(content.panels)),
        "nameless": teller.say("nameless"),
        "say": {name: teller.say(f"js_{name}") for name in _SCRIPT}
        | {"others": teller.say("word_others"), "compare": teller.say("compare_chances")}
        | {"told_chance": teller.say("told_chance", chance="{chance}", span=teller.span(content.ranked_by))},
    }
