"""What a person sees of one lead on the terminal: the panel of the page, in the words of the project's language."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from leadscore.delivery.teller import Teller
from leadscore.panel import LeadPanel
from leadscore.report import _UNSEEN, _console
from leadscore.timeline import parse_moment

_NONE = "–"
_LONGEST = 400  # signs of a sentence
_LONGEST_NAME = 80
_CURVE, _HALF = 24, 10  # columns of a bar; of a signed bar on either side
_INDENT = 2
_GRADES = {"A": "bold green", "B": "green", "C": "yellow", "D": "dim"}
_PLAIN_SIGNS = {"−": "-", "–": "-", "×": "x", "’": "'", "\N{REPLACEMENT CHARACTER}": "?"}


@dataclass(frozen=True)
class _Signs:
    """What is drawn with: a bar, a bar to the left and one to the right of an axis, levels from cold to warm."""

    bar: str
    against: str
    axis: str
    favour: str
    levels: str


_BLOCKS = _Signs("█", "█", "│", "█", "▁▂▃▄▅▆▇█")
_ASCII = _Signs("#", "-", "|", "+", "_.-:=+*#")


@dataclass(frozen=True)
class _Voice(Teller):
    """How things are said on a terminal of some encoding."""

    encoding: str

    def weight(self, value: float) -> str:
        """Write a weight with its sign and two decimals."""
        point = self.number(0.5, 1)[1]
        whole, _, part = self.number(abs(value), 2).partition(point)
        return f"{'−' if value < 0 else '+'}{whole}{point}{part:0<2}"

    def text(self, said: str, style: str = "", longest: int = _LONGEST) -> Text:
        """Make a text harmless, short enough, and such that the terminal's encoding has its signs."""
        plain = _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", said)
        plain = plain if len(plain) <= longest else plain[: longest - 1] + "…"
        return Text("".join(_nearest(sign, self.encoding) for sign in plain), style)

    def signs(self) -> _Signs:
        return _BLOCKS if _has("".join(vars(_BLOCKS).values()), self.encoding) else _ASCII


def show_panel(result: LeadPanel) -> None:
    """Show who it is, where it stands and what to mind, its curve, its reasons, its temperature, what happened."""
    console = _console()
    voice = _Voice("show", result.language, result.time_zone, console.encoding)
    title = result.lead_id if result.lead_id.strip() else voice.say("nameless")
    console.print(voice.text(title, "bold", _LONGEST_NAME))
    console.print(voice.text(voice.say("seen", moment=voice.minute(result.as_of), model=result.model), "dim"))
    for sentence in _mind(result, voice):
        console.print(voice.text(sentence, "yellow"))
    console.print()
    console.print(_indented(_standing(result, voice)))
    days = voice.say("days", max(0, len(result.panel.warmth) - 1))
    _section(console, voice, voice.say("readiness"), _curve(result, voice))
    _section(console, voice, voice.say("why"), _reasons(result, voice))
    _section(console, voice, voice.say("temperature", days=days), _temperature(result, voice, console.width))
    _section(console, voice, voice.say("happened"), _timeline(result, voice))


def _section(console: Console, voice: _Voice, title: str, parts: Iterator[RenderableType]) -> None:
    console.print()
    console.print(voice.text(title, "bold"))
    for part in parts:
        console.print(_indented(part))


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, _INDENT), expand=False)


def _grid(*justify: Any) -> Table:
    """Make columns without lines; the last one wraps, the others never."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for number_of, side in enumerate(justify, 1):
        grid.add_column(justify=side, no_wrap=number_of < len(justify), overflow="fold")
    return grid


def _mind(result: LeadPanel, voice: _Voice) -> Iterator[str]:
    """Say what to mind; of chances that differ those that differ most."""
    differ = {horizon: abs(now - result.row[f"p_{horizon}"]) for horizon, now in result.chances.items()}
    horizon = max(differ, key=lambda name: differ[name])
    values = {
        "then": result.row["model_version"],
        "model": result.model,
        "span": voice.span(horizon),
        "now": voice.chance(result.chances[horizon], 3),
        "told": voice.chance(result.row[f"p_{horizon}"], 3),
    }
    for code in result.mind:
        yield voice.say(f"mind_{code}", **values)


def _standing(result: LeadPanel, voice: _Voice) -> Table:
    row, grid = result.row, _grid("left", "left")
    told = {
        "action": (_action(result, voice), "bold"),
        "grade": (row["grade"], _GRADES.get(row["grade"], "")),
        "rank": (_rank(result, voice), ""),
        "score": (_score(result, voice), ""),
        "trend": (voice.say(f"trend_{row['trend']}"), ""),
        "known": (voice.say(f"known_{row['known']}"), ""),
        "valid_until": (voice.day(parse_moment(row["expires_at"], "UTC")), ""),
        "account": (row["account_id"], ""),
    }
    lines = {voice.say(name): line for name, line in told.items()} | {
        name: (value, "") for name, value in result.shown.items()
    }
    for name, (value, style) in lines.items():
        grid.add_row(voice.text(name, "dim", _LONGEST_NAME), voice.text(value or _NONE, style))
    return grid


def _action(result: LeadPanel, voice: _Voice) -> str | None:
    """Say what to do, and how much of ours waits for an answer: rules for letting rest go by it."""
    code, waiting = result.row["action"], result.panel.unanswered
    told = [voice.say(f"action_{code}")] if code else []
    return "; ".join([*told, *([voice.say("unanswered", waiting)] if waiting else [])]) or None


def _rank(result: LeadPanel, voice: _Voice) -> str | None:
    rank, listed = result.row["rank"], result.listed
    if rank is None or listed is None:
        return None
    return voice.say("rank_of", rank=voice.number(rank), listed=voice.number(listed))


def _score(result: LeadPanel, voice: _Voice) -> str:
    score, before = result.row["score"], result.row["score_prev"]
    return str(score) if before is None else voice.say("score_now", score=score, before=before)


def _curve(result: LeadPanel, voice: _Voice) -> Iterator[RenderableType]:
    row, bar, grid = result.row, voice.signs().bar, _grid("left", "left", "right", "left")
    low, high = row["p_lo"], row["p_hi"]
    chances = {horizon: row[f"p_{horizon}"] for horizon in result.horizons}
    most = max(*chances.values(), high or 0)
    for horizon, chance in chances.items():
        ranked = horizon == result.ranked_by and low is not None
        between = voice.say("from_to", low=voice.chance(low), high=voice.chance(high)) if ranked else ""
        drawn = Text(bar * _columns(chance, most, _CURVE), "cyan")
        grid.add_row(voice.text(voice.span(horizon)), drawn, voice.text(voice.chance(chance)), voice.text(between))
    yield grid
    told = {"span": voice.span(result.ranked_by)}
    told |= {} if low is None else {"low": voice.chance(low), "high": voice.chance(high)}
    yield voice.text(voice.say("no_bounds" if low is None else "bounds", **told), "dim")


def _reasons(result: LeadPanel, voice: _Voice) -> Iterator[RenderableType]:
    panel, span, grid = result.panel, voice.span(result.ranked_by), _grid("right", "left", "left")
    told = [*((reason.weight, reason.text) for reason in panel.reasons), (panel.others, voice.say("others"))]
    most = max(abs(weight) for weight, _ in told)
    for weight, sentence in told:
        grid.add_row(voice.text(voice.weight(weight)), _signed_bar(weight, most, voice.signs()), voice.text(sentence))
    start = voice.say("offset")
    end = voice.say("sum", chance=voice.chance(result.chances[result.ranked_by]), span=span)
    for weight, sentence in ((panel.offset, start), (panel.margin, end)):
        grid.add_row(voice.text(voice.weight(weight), "dim"), "", voice.text(sentence, "dim"))
    yield grid
    yield voice.text(voice.say("compare_chances"), "dim")


def _signed_bar(weight: float, most: float, signs: _Signs) -> Text:
    length = _columns(abs(weight), most, _HALF)
    left, right = (signs.against * length, "") if weight < 0 else ("", signs.favour * length)
    return Text.assemble((left.rjust(_HALF), "red"), signs.axis, (right.ljust(_HALF), "green"))


def _temperature(result: LeadPanel, voice: _Voice, width: int) -> Iterator[RenderableType]:
    course = result.panel.warmth
    if not course:
        yield voice.text(voice.say("no_temperature"), "dim")
        return
    warmest, most = max(course, key=lambda point: point[1])
    if not most > 0:
        yield voice.text(voice.say("cold"), "dim")
        return
    yield Text(_sparkline([degrees for _, degrees in course], width - _INDENT, voice.signs().levels), "cyan")
    share = voice.chance(course[-1][1] / most, 0)
    told = {"since": voice.day(course[0][0]), "until": voice.day(course[-1][0]), "day": voice.day(warmest)}
    # No degrees: sentences of reasons have them at several half-lives, and would seem to contradict.
    yield voice.text(voice.say("course" if warmest < course[-1][0] else "course_up", **told, share=share), "dim")


def _timeline(result: LeadPanel, voice: _Voice) -> Iterator[RenderableType]:
    panel, grid = result.panel, _grid("right", "left", "left", "left")
    if panel.hidden:
        yield voice.text(voice.say("hidden", panel.hidden), "dim")
    for touch in panel.touches:
        side = voice.say(touch.side) if touch.side else ""
        late = "" if touch.learned_at is None else voice.say("learned", moment=voice.minute(touch.learned_at))
        grid.add_row(
            voice.text(voice.minute(touch.at), "dim"),
            voice.text(touch.label, longest=_LONGEST_NAME),
            voice.text(side, "dim"),
            voice.text(late, "yellow"),
        )
    yield grid if panel.touches else voice.text(voice.say("quiet"), "dim")


def _columns(value: float, most: float, width: int) -> int:
    """Return how long a bar is; whatever is not nothing is seen.

    >>> _columns(0.5, 1, 30), _columns(0.001, 1, 30), _columns(0, 0, 30)
    (15, 1, 0)
    """
    return max(1, round(value / most * width)) if value else 0


def _sparkline(values: Sequence[float], width: int, levels: str) -> str:
    """Draw values from nothing to their greatest, each column the greatest of those that share it.

    >>> _sparkline([0, 1, 4, 2], 80, "_.-#"), _sparkline([0, 1, 4, 2], 2, "_.-#")
    ('_.#-', '.#')
    """
    width, most = min(width, len(values)), max(values)
    edges = [round(column * len(values) / width) for column in range(width + 1)]
    peaks = [max(values[first:last]) for first, last in pairwise(edges)]
    return "".join(levels[min(len(levels) - 1, int(peak / most * len(levels)))] for peak in peaks)


def _has(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _nearest(sign: str, encoding: str) -> str:
    """Return what an encoding has for a sign: itself, or the same without accent; a sign of another script stays.

    >>> _nearest("é", "ascii"), _nearest("é", "latin-1"), _nearest("−", "latin-1")
    ('e', 'é', '-')
    """
    if _has(sign, encoding):
        return sign
    bare = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode("ascii")
    return _PLAIN_SIGNS.get(sign) or bare or sign
