"""What page and workbook say alike: what lists were worth, and how much of the changes is told."""

from __future__ import annotations

from collections.abc import Iterator

from leadscore.delivery.content import Content, GradeLine, PastList, Quality
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


def promise(content: Content, teller: Teller) -> str:
    """Say how many conversions grade A promises: of as many as past lists kept, to as many as this one promises."""
    told, rate = _grade_a(content).promised, at_past_rate(content)
    if rate is None:
        return teller.number(told, 1)
    low, high = sorted((rate, told))
    return teller.say("from_to", low=teller.number(low, 1), high=teller.number(high, 1))


def expected(content: Content, teller: Teller) -> Iterator[str]:
    """Say what became of what past lists promised of grade A, and what that would make of today's promise."""
    lists = content.past_lists
    if not lists:
        return
    promised, came = _sums(content)
    counts = [one.tally.converted for one in lists]
    yield teller.say(
        "expected_past",
        len(lists),
        promised=teller.number(promised / len(lists), 1),
        came=teller.number(came / len(lists), 1),
        least=teller.number(min(counts)),
        most=teller.number(max(counts)),
    )
    rate = at_past_rate(content)
    if rate is not None:
        now = teller.number(_grade_a(content).promised, 1)
        yield teller.say("expected_rate", count=teller.number(rate, 1), promised=now)


def at_past_rate(content: Content) -> float | None:
    """Return how many conversions grade A would bring at the rate of past lists; None where that is no news.

    It is news where the judged lists promised more, or less, than chance explains, and all past lists together did too.
    """
    line, (promised, came) = _grade_a(content), _sums(content)
    if not (line.leads and came and line.judged.leads):
        return None
    low, high = line.between
    too_much = line.judged.promised > high and promised > came
    too_little = line.judged.promised < low and promised < came
    return min(float(line.leads), line.promised * came / promised) if too_much or too_little else None


def _grade_a(content: Content) -> GradeLine:
    return next(line for line in content.grades if line.grade == "A")


def _sums(content: Content) -> tuple[float, int]:
    """Add up what past lists promised of their A, and what came."""
    tallies = [one.tally for one in content.past_lists]
    return sum(one.promised for one in tallies), sum(one.converted for one in tallies)


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


def _conversions(count: float, teller: Teller, digits: int = 1) -> str:
    shown = round(count, digits)
    return teller.say("conversions_counted", shown, n=teller.number(shown, digits))
