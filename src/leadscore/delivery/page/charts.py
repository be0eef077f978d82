"""The charts, as Vega-Lite specifications; those of the past are drawn when the page is written.

Colours are variables of the page's style sheet, so that a drawn chart follows light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd
import vl_convert

from leadscore.delivery.content import Content, Quality
from leadscore.delivery.page.data import LOCALE
from leadscore.delivery.teller import Teller
from leadscore.timeline import to_datetime

_AXIS = {
    "labelColor": "var(--muted)",
    "titleColor": "var(--muted)",
    "domainColor": "var(--line)",
    "tickColor": "var(--line)",
    "gridColor": "var(--grid)",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "titlePadding": 8,
    "labelPadding": 4,
    "labelSeparation": 8,
}
_LEGEND = {
    "orient": "top",
    "title": None,
    "labelLimit": 0,
    "offset": 8,
    "labelColor": "var(--ink)",
    "labelFontSize": 12,
    "symbolStrokeWidth": 2.5,
    "columnPadding": 16,
}
# Vega's own order of day and month is American.
_DAYS = {
    "year": "%Y",
    "quarter": "%b",
    "month": "%b",
    "week": "%-d %b",
    "date": "%-d %b",
    "hours": "%H:%M",
    "minutes": "%H:%M",
}
_DAY_AXIS = alt.Axis(grid=False, format=_DAYS, tickCount=5)
_BAR = 7  # pixels: two dozen lists side by side
_WIDTH, _HEIGHT = 300, 230  # narrow enough for a phone without shrinking its letters
_OWN, _OTHER, _QUIET = "var(--for)", "var(--against)", "var(--muted)"


def gain(quality: Quality, teller: Teller) -> str:
    """Draw the share of conversions met against the share of the list called, as SVG."""
    names = {who: teller.say(f"by_{who}") for who in ("model", "recency", "ideal")}
    points = pd.DataFrame(
        [(x, y, names[who], place) for who in names for place, (x, y) in enumerate(quality.gain[who])],
        columns=["called", "met", "who", "place"],
    )
    order = list(names.values())
    lines = (
        alt.Chart(points)
        .mark_line(strokeWidth=2.5)
        .encode(
            alt.X("called:Q", title=teller.say("gain_x"), axis=alt.Axis(format="%")),
            alt.Y("met:Q", title=teller.say("gain_y"), axis=alt.Axis(format="%")),
            alt.Color("who:N", scale=alt.Scale(domain=order, range=[_OWN, _OTHER, _QUIET])),
            alt.StrokeDash("who:N", scale=alt.Scale(domain=order, range=[[1, 0], [6, 3], [2, 3]])),
            alt.Order("place:Q"),
        )
    )
    share = min(1.0, quality.worked * quality.lists / quality.leads)
    worked = (
        alt.Chart(pd.DataFrame({"called": [share]}))
        .mark_rule(color="var(--ink)", strokeDash=[3, 3])
        .encode(x="called:Q")
    )
    return _drawn(worked + lines, teller)


def calibration(quality: Quality, teller: Teller) -> str:
    """Draw what happened against what was promised, with intervals, as SVG; axes stretched near zero."""
    bins = pd.DataFrame([(one.promised, one.happened, one.low, one.high) for one in quality.bins])
    bins.columns = ["promised", "happened", "low", "high"]
    top = float(bins.to_numpy().max())
    scale = alt.Scale(type="sqrt", domain=[0, top], nice=True)
    axis = alt.Axis(format="~%", tickCount=5)
    x = alt.X("promised:Q", title=teller.say("promised_rate"), scale=scale, axis=axis)
    y = alt.Y("happened:Q", title=teller.say("happened_rate"), scale=scale, axis=axis)
    kept = (
        alt.Chart(pd.DataFrame({"promised": [0.0, top], "happened": [0.0, top]}))
        .mark_line(color=_QUIET, strokeDash=[3, 3], strokeWidth=1.5)
        .encode(x, y)
    )
    bars = alt.Chart(bins).mark_rule(color=_OWN, strokeWidth=2).encode(x, alt.Y("low:Q", scale=scale), alt.Y2("high:Q"))
    points = alt.Chart(bins).mark_point(filled=True, size=60, color=_OWN, opacity=1).encode(x, y)
    return _drawn(kept + bars + points, teller)


def worked(content: Content, teller: Teller) -> str:
    """Draw list by list what was promised of grade A and what came, as SVG."""
    zone, names = ZoneInfo(content.time_zone), [teller.say(name) for name in ("promised", "came")]
    points = pd.DataFrame(
        [
            (f"{to_datetime(one.as_of).astimezone(zone):%Y-%m-%d}", one.tally.promised, one.tally.converted)
            for one in content.past_lists
        ],
        columns=["day", "promised", "came"],
    )
    x = alt.X("day:T", title=teller.say("list_day"), scale=alt.Scale(type="utc", padding=12), axis=_DAY_AXIS)
    colour = alt.Scale(domain=names, range=[_OTHER, _OWN])
    came = alt.Chart(points.assign(what=names[1])).mark_bar(width=_BAR)
    promised = alt.Chart(points.assign(what=names[0])).mark_tick(thickness=3, width=_BAR + 6, orient="horizontal")
    title = teller.say("conversions")
    return _drawn(
        came.encode(x, alt.Y("came:Q", title=title), alt.Color("what:N", scale=colour))
        + promised.encode(x, alt.Y("promised:Q", title=title), alt.Color("what:N", scale=colour)),
        teller,
    )


def panel_specs(teller: Teller) -> Mapping[str, Any]:
    """Return the specifications of a panel's charts; the script gives them their data and width.

    `curve` reads `points` (days, chance, said) and `bounds` (days, low, high); `timeline` reads `touches` (at, label,
    side, said), those of them learned `late` (learned besides), and `warmth` (at, temperature).
    """
    charts = {"curve": (_curve(teller), "js_readiness"), "timeline": (_timeline(teller), "js_happened")}
    return {name: _bare(chart.properties(description=teller.say(told))) for name, (chart, told) in charts.items()}


def _curve(teller: Teller) -> Any:
    x = alt.X("days:Q", title=teller.say("chart_days"), axis=alt.Axis(tickMinStep=1, format="d", grid=False))
    y = alt.Y("chance:Q", title=None, scale=alt.Scale(domainMin=0), axis=alt.Axis(format="~%"))
    points = alt.Chart(alt.NamedData("points"))
    line = points.mark_area(line={"color": _OWN, "strokeWidth": 2.5}, color=_OWN, fillOpacity=0.12).encode(x, y)
    dots = points.mark_point(filled=True, size=70, color=_OWN, opacity=1).encode(x, y, tooltip=_tooltip("said"))
    bounds = (
        alt.Chart(alt.NamedData("bounds"))
        .mark_errorbar(color="var(--ink)", ticks={"color": "var(--ink)", "width": 10}, rule={"color": "var(--ink)"})
        .encode(x, alt.Y("low:Q", title=None), alt.Y2("high:Q"))
    )
    return (line + bounds + dots).properties(height=190)


def _timeline(teller: Teller) -> Any:
    x = alt.X("at:T", title=None, scale=alt.Scale(type="utc"), axis=alt.Axis(grid=False, format=_DAYS))
    label = alt.Y("label:N", title=None, axis=alt.Axis(grid=True, domain=False, ticks=False))
    sides = {side: teller.say(f"js_{side}") for side in ("inbound", "outbound", "unsaid")}
    side = list(sides.values())
    warmth = (
        alt.Chart(alt.NamedData("warmth"))
        .mark_area(line={"color": _QUIET, "strokeWidth": 1.5}, color=_QUIET, fillOpacity=0.12)
        .encode(
            x, alt.Y("temperature:Q", title=teller.say("word_temperature"), axis=alt.Axis(orient="right", grid=False))
        )
    )
    learned = alt.Chart(alt.NamedData("late"))
    late = learned.mark_rule(color=_OTHER, strokeDash=[3, 3], strokeWidth=1.5).encode(x, alt.X2("learned:T"), label)
    ring = learned.mark_point(size=200, color=_OTHER, strokeWidth=1.5).encode(x, label)
    marks = (
        alt.Chart(alt.NamedData("touches"))
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            x,
            label,
            alt.Shape("side:N", scale=alt.Scale(domain=side, range=["circle", "square", "diamond"])),
            alt.Color("side:N", scale=alt.Scale(domain=side, range=[_OWN, _QUIET, _QUIET])),
            tooltip=_tooltip("said"),
        )
    )
    return alt.layer(warmth, alt.layer(alt.layer(late, ring), marks)).resolve_scale(y="independent")


def _tooltip(field: str) -> alt.Tooltip:
    return alt.Tooltip(f"{field}:N", title=" ")


def _bare(chart: Any) -> dict[str, Any]:
    """Return a chart's specification without data; the script brings them."""
    spec = _configured(chart).to_dict()
    spec.pop("datasets", None)
    return cast("dict[str, Any]", spec)


def _drawn(chart: Any, teller: Teller) -> str:
    locale = LOCALE[teller.language]
    spec = _configured(chart.properties(width=_WIDTH, height=_HEIGHT)).to_dict()
    return vl_convert.vegalite_to_svg(spec, format_locale=locale, time_format_locale=locale)


def _configured(chart: Any) -> Any:
    return chart.configure(
        axis=_AXIS,
        legend=_LEGEND,
        view={"stroke": None},
        background="transparent",
        font="system-ui, sans-serif",
        mark={"aria": False},
        aria=False,  # Vega describes its parts in English; each chart has a name and a table beside it instead
    )
