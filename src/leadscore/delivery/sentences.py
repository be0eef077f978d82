"""What page and workbook say alike: what lists were worth, and how much of the changes is told."""

from __future__ import annotations

from collections.abc import Iterator

from leadscore.delivery.content import Content, PastList, Quality
from leadscore.delivery.teller import Teller


def worth(quality: Quality, teller: Teller) -> str:
    """Say how many conversions the first of a list met, and by recency; of several lists the means."""
    each = quality.lists
    return teller.say(
        "worth",
        each,
        first=teller.say("first_leads", quality.worked),
        found=teller.number(quality.found / each, 1),
        conversions=_conversions(quality.conversions / each, teller),
        recency=teller.number(quality.found_by_recency / each, 1),
        span=teller.span(quality.horizon),
    )


def basis(quality: Quality, teller: Teller) -> str:
    """Say on which lists that was counted, and how."""
    return teller.say(
        "basis",
        quality.lists,
        since=teller.day(quality.since),
        until=teller.day(quality.until),
        leads=teller.say("rows_in_all", quality.leads),
        conversions=_conversions(quality.conversions, teller),
        found=teller.number(quality.found),
        recency=teller.number(quality.found_by_recency),
        first=teller.say("first_leads", quality.worked),
    )


def kept(quality: Quality, teller: Teller) -> str:
    """Say whether the chances told on past lists came true, over all leads."""
    low, high = quality.between
    so = "kept" if low <= quality.promised <= high else "too_much" if quality.promised > high else "too_little"
    return teller.say(
        f"level_{so}",
        promised=_conversions(quality.promised, teller, 0),
        came=teller.number(quality.conversions),
    )


def expected(content: Content, teller: Teller) -> Iterator[str]:
    """Say what became of what past lists promised of grade A, and what that would make of today's promise."""
    lists = content.past_lists
    if not lists:
        return
    promised, came = (sum(getattr(one.told, name) for one in lists) for name in ("promised", "converted"))
    counts = [one.told.converted for one in lists]
    yield teller.say(
        "expected_past",
        len(lists),
        promised=teller.number(promised / len(lists), 1),
        came=teller.number(came / len(lists), 1),
        least=teller.number(min(counts)),
        most=teller.number(max(counts)),
    )
    line = next((line for line in content.grades if line.grade == "A"), None)
    if line and line.leads and promised and _off(content):
        yield teller.say("expected_rate", count=_conversions(line.promised * came / promised, teller))


def listed(past: PastList, teller: Teller) -> str:
    """Name a past list by its day; one that was delivered as such."""
    day = teller.day(past.as_of)
    return teller.say("list_delivered", day=day) if past.delivered else day


def changed(content: Content, teller: Teller) -> Iterator[str]:
    """Say whose changes are told, how many there are of each kind, and that not all are told, where that is so."""
    if not content.changes:
        return
    yield teller.say("changes_of", content.changed)
    ways = [f"{teller.say(f'move_{move}')} {teller.number(count)}" for move, count in content.moved.items()]
    yield " · ".join(ways) + "."
    if content.changed > len(content.changes):
        yield teller.say("changes_cut", held=teller.number(len(content.changes)))


def _off(content: Content) -> bool:
    """Tell whether grade A was promised more, or less, than chance explains."""
    line = next(line for line in content.grades if line.grade == "A")
    low, high = line.between
    return bool(line.judged.leads) and not low <= line.judged.promised <= high


def _conversions(count: float, teller: Teller, digits: int = 1) -> str:
    shown = round(count, digits)
    return teller.say("conversions_counted", shown, n=teller.number(shown, digits))
