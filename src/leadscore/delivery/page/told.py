"""What the page says at once, section by section, in sentences and cells that are settled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from leadscore.config.crm import CODES
from leadscore.delivery.content import Bin, Content, GradeLine, PastList, Quality, Tally, Tenth
from leadscore.delivery.sentences import basis, changed, expected, kept, listed, promise, worth
from leadscore.delivery.teller import Teller
from leadscore.scoring.grade import TREND_STEP
from leadscore.timeline import DAY

_HARDLY_KNOWN = ["low", "unknowable"]
_UNTOLD = "–"


@dataclass(frozen=True)
class Fact:
    """A headline fact: what it is about, the fact, and what to know of it."""

    name: str
    told: str
    more: Sequence[str]


@dataclass(frozen=True)
class Word:
    """A word of the page, what it means, and its values with what each of them means."""

    name: str
    about: str
    values: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Page:
    """The page's own sentences.

    Attributes:
        content: What it is about.
        day: Of the list.
        since: The day of the list before; None without one.
        span: The ranking horizon.
        worth: How good such lists were; or that nobody can say.
        judged: What is to be known of that sentence.
        facts: The headline facts.
        cut: That not all leads are here; empty when they are.
        panels: For how many leads there is a full account.
        tenths, bins, grades: Rows of cells, as the page's tables have them.
        graded_before: Whether any list was graded whose horizon has closed.
        delivered_before: Whether any of these was delivered.
        changed: Whose changes are told, and how many there are.
        past_lists: What became of grade A, list by list: rows of cells.
        words: What its words mean.
        unknown: What the page does not know.
    """

    content: Content
    day: str
    since: str | None
    span: str
    worth: str
    judged: Sequence[str]
    facts: Sequence[Fact]
    cut: str
    panels: str
    tenths: Sequence[Sequence[str]]
    bins: Sequence[Sequence[str]]
    grades: Sequence[Sequence[str]]
    graded_before: bool
    delivered_before: bool
    changed: str
    past_lists: Sequence[Sequence[str]]
    words: Sequence[Word]
    unknown: Sequence[str]


def page(content: Content, teller: Teller, *, rows: int) -> Page:
    """Say everything the page says at once.

    Args:
        content: The slot.
        teller: Its voice.
        rows: How many leads the page holds at most.
    """
    quality = content.quality
    return Page(
        content=content,
        day=teller.day(content.as_of),
        since=None if content.before is None else teller.day(content.before),
        span=teller.span(content.ranked_by),
        worth=worth(quality, teller) if quality else teller.say("not_judged"),
        judged=[basis(quality, teller), kept(quality, teller)] if quality else (),
        facts=list(_facts(content, teller)),
        cut=_cut(rows, content.scores.num_rows, teller),
        panels=teller.say("panels_first", len(content.panels)),
        tenths=[_tenth(number, one, quality, teller) for number, one in enumerate(quality.tenths, 1)]
        if quality
        else (),
        bins=[_bin(one, teller) for one in quality.bins] if quality else (),
        grades=[_grade(line, teller) for line in content.grades],
        graded_before=any(line.judged.leads for line in content.grades),
        delivered_before=any(line.delivered.leads for line in content.grades),
        changed=" ".join(changed(content, teller)),
        past_lists=[_past_list(one, teller) for one in content.past_lists],
        words=list(_words(content, teller)),
        unknown=list(_unknown(content, teller)),
    )


def _cut(held: int, every: int, teller: Teller) -> str:
    return teller.say("list_cut", held=teller.number(held), all=teller.number(every)) if every > held else ""


def _facts(content: Content, teller: Teller) -> Iterator[Fact]:
    leads = content.scores.num_rows
    yield Fact(
        teller.say("fact_leads"),
        teller.say("leads", leads),
        [teller.say("fact_leads_more", moment=teller.minute(content.as_of))],
    )
    yield Fact(teller.say("fact_capacity"), teller.say("leads", content.capacity), [teller.say("fact_capacity_more")])
    promised = round(next(line.promised for line in content.grades if line.grade == "A"), 1)
    within = teller.say("fact_promised_more", promised, span=teller.span(content.ranked_by))
    yield Fact(teller.say("fact_promised"), promise(content, teller), [within, *expected(content, teller)])
    yield Fact(teller.say("valid_until"), teller.day(content.expires_at), [teller.say("fact_valid_more")])
    age = max(0, content.as_of - content.trained_as_of) // DAY
    trained = teller.say("fact_model_more", day=teller.day(content.trained_as_of))
    yield Fact(teller.say("fact_model"), teller.say("days", age), [trained])
    out = {name: content.left_out.get(name, 0) for name in ("ended", "closed", "objected")}
    total = sum(out.values())
    said = [teller.say(f"out_{name}", count) for name, count in out.items() if count]
    yield Fact(teller.say("fact_out"), teller.say("leads", total) if total else teller.say("fact_out_none"), said)


def _tenth(number: int, tenth: Tenth, quality: Quality, teller: Teller) -> Sequence[str]:
    usual = quality.conversions / quality.leads
    rate = tenth.converted / tenth.leads if tenth.leads else None
    times = _UNTOLD if rate is None or not usual else f"×\u00a0{teller.number(rate / usual, 1)}"
    return (
        teller.number(number),
        teller.number(tenth.leads),
        teller.number(tenth.promised, 1),
        teller.number(tenth.converted),
        teller.chance(rate),
        times,
    )


def _bin(one: Bin, teller: Teller) -> Sequence[str]:
    between = teller.say("from_to", low=teller.chance(one.low), high=teller.chance(one.high))
    return teller.number(one.leads), teller.chance(one.promised), teller.chance(one.happened), between


def _grade(line: GradeLine, teller: Teller) -> Sequence[str]:
    nobody = line.lowest is None or line.highest is None
    cut = teller.say("from_to", low=teller.chance(line.lowest), high=teller.chance(line.highest))
    return (
        line.grade,
        teller.number(line.leads),
        _UNTOLD if nobody else cut,
        teller.number(line.promised, 1),
        *(cell for past in (line.judged, line.delivered) for cell in _past(past, teller)),
    )


def _past(past: Tally, teller: Teller) -> Sequence[str]:
    rate = past.converted / past.leads if past.leads else None
    return (
        teller.number(past.leads),
        teller.number(past.promised, 1),
        teller.number(past.converted),
        teller.chance(rate),
    )


def _past_list(one: PastList, teller: Teller) -> Sequence[str]:
    return listed(one, teller), *_past(one.tally, teller)


def _words(content: Content, teller: Teller) -> Iterator[Word]:
    yield _word("interaction", teller)
    yield Word(teller.say("score"), teller.say("about_score"))
    span = teller.span(content.ranked_by)
    yield Word(teller.say("chance", span=span), teller.say("about_chance", span=span))
    for column in ("known", "trend", "action"):
        keys = [f"{column}_{code}" for code in CODES[column]]
        values = [(teller.say(key), teller.say(f"about_{key}", TREND_STEP)) for key in keys]
        yield Word(teller.say(column), teller.say(f"about_{column}"), values)
    for name in ("reason", "others", "usual", "temperature", "layer", "colleagues"):
        yield _word(name, teller)


def _word(name: str, teller: Teller) -> Word:
    return Word(teller.say(f"word_{name}"), teller.say(f"about_word_{name}"))


def _unknown(content: Content, teller: Teller) -> Iterator[str]:
    yield teller.say("unknown_person")
    yield teller.say("unknown_later", moment=teller.minute(content.as_of), trained=teller.day(content.trained_as_of))
    little = pc.sum(pc.is_in(content.scores["known"], value_set=pa.array(_HARDLY_KNOWN))).as_py() or 0
    if little:
        yield teller.say("unknown_little", little)
    if objected := content.left_out.get("objected", 0):
        yield teller.say("unknown_objected", objected)
    yield teller.say("unknown_cause")
    if content.quality is None:
        yield teller.say("not_judged")
    if content.before is None:
        yield teller.say("changes_first")
    if content.scores["p_lo"].null_count == content.scores.num_rows:
        yield teller.say("unknown_bounds")
