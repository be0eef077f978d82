"""What leads and company do on a day. Interest, which nobody sees, drives what leads do and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from leadscore.simulate.catalogue import (
    DRIP_DAYS,
    DRIP_LAYERS,
    DRIPS,
    KIND,
    THIRD_PARTIES,
    TOPICS,
    Content,
    content,
)
from leadscore.simulate.hazard import DEEPEST, SATURDAY, Bools, Floats, Ints, Warmth
from leadscore.simulate.people import SOURCES, People

Array = npt.NDArray[Any]
HOUR = 3600
EARLIEST, LATEST = 6 * HOUR, 22 * HOUR  # nothing happens at night, so a day of Paris is a day of UTC
_NONE = -1
_COLUMNS = ("lead", "day", "second", "kind", "content", "campaign", "source", "value")

_INTEREST_HALF_LIFE = 25  # days in which interest forgets half of where it was
_INTEREST_SD = 1.1
_ECHO_HALF_LIFE = 4
_WEBINAR_EVERY = 21
_FAIR_DAYS = (71, 256, 436, 621)
_BLAST_EVERY = 14
_CALLS_FROM = 3.0  # temperature from which sales calls
_CAP = 12.0  # nobody acts more than this many times as often as the average


# One row per mail of a day: lead, content, campaign, local second.
Mails = tuple[Ints, Ints, Ints, Array]


@dataclass
class Log:
    """The interactions so far, one row each, as columns of growing lists of arrays."""

    parts: dict[str, list[Array]] = field(default_factory=lambda: {name: [] for name in _COLUMNS})

    def add(
        self,
        day: int,
        kind: str,
        lead: Ints,
        second: Array,
        *,
        content: Ints | int = _NONE,
        campaign: Ints | int = _NONE,
        source: Ints | int = _NONE,
        value: Array | float = np.nan,
    ) -> None:
        """Append interactions of one kind, one row per element of `lead`; single values hold for each."""
        if not len(lead):
            return
        given = (lead, day, second, KIND[kind], content, campaign, source, value)
        for name, column in zip(_COLUMNS, given, strict=True):
            kind_of = np.float64 if name == "value" else np.int64
            self.parts[name].append(np.broadcast_to(np.asarray(column).astype(kind_of), lead.shape))

    def column(self, name: str, since: int = 0) -> Array:
        """Join the parts of a column, from the part numbered `since` on."""
        parts = self.parts[name][since:]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


@dataclass
class World:
    """Everything that changes from day to day, but for who is still open."""

    people: People
    rng: np.random.Generator
    drift_day: int
    log: Log = field(default_factory=Log)
    stock: Content = field(default_factory=content)

    def __post_init__(self) -> None:
        leads = len(self.people.account)
        self.warmth = Warmth.cold(leads)
        self.mood: Floats = self.rng.normal(0.4, _INTEREST_SD, leads)  # the part of interest that comes and goes
        self.echo: Floats = np.zeros(leads)
        self.asked: Bools = np.zeros(leads, bool)  # asked for a demo since sales last called
        self.registered: Bools = np.zeros(leads, bool)

    def special(self, name: str) -> int:
        """Return the number of a content that is not a page."""
        return self.stock.names.index(name)

    def interest(self, who: Ints, day: int) -> Floats:
        """Say how much more often than average each lead acts on its own, as a logarithm."""
        people, warmth = self.people, self.warmth
        age = day - people.created_day[who]
        colleagues = np.log1p(warmth.of_colleagues(people.account))[who]
        heat: Floats = people.interest[who] + self.mood[who] + self.echo[who] + 0.25 * colleagues
        heat = heat - 0.15 * np.log1p(warmth.pressure[who]) - age / 250
        return np.minimum(heat, np.log(_CAP))

    def breathe(self) -> None:
        """Let moods drift and echoes fade over night."""
        stays = 0.5 ** (1 / _INTEREST_HALF_LIFE)
        noise = self.rng.normal(0, _INTEREST_SD * np.sqrt(1 - stays**2), len(self.mood))
        self.mood = stays * self.mood + noise
        self.echo = self.echo * 0.5 ** (1 / _ECHO_HALF_LIFE)


def working_hours(rng: np.random.Generator, count: int) -> Floats:
    """Draw local seconds between 9 and 18 h, thinner around noon."""
    morning = rng.random(count) < 0.45  # noqa: PLR2004 - afternoons are longer
    return np.where(morning, rng.uniform(9, 12.5, count), rng.uniform(13.5, 18, count)) * HOUR


def waking_hours(rng: np.random.Generator, count: int) -> Floats:
    """Draw local seconds of the day at which people read: mornings, afternoons, and some evenings."""
    part = rng.choice(3, count, p=(0.42, 0.4, 0.18))
    centre = np.array([10.2, 15.0, 20.3])[part]
    width = np.array([1.4, 1.6, 0.8])[part]
    return np.clip(rng.normal(centre, width), 6.5, 21.5) * HOUR


def _chance(rng: np.random.Generator, share: Floats | float, who: Ints) -> Ints:
    return who[rng.random(len(who)) < share]


def _sigmoid(margin: Floats) -> Floats:
    probability: Floats = 1 / (1 + np.exp(-margin))
    return probability


def arrive(world: World, day: int, new: Ints) -> None:
    """Record what brought each lead that is new today, a few minutes after its creation."""
    rng, people, stock = world.rng, world.people, world.stock
    second = np.minimum(people.created_second[new] + rng.integers(30, 600, len(new)), LATEST)
    surface, deeper = (np.full(len(new), layer) for layer in (1, 2))
    pages = stock.draw(surface, people.topic[new], rng)
    guides = stock.draw(deeper, people.topic[new], rng)
    by_source: dict[str, tuple[str, Ints | int]] = {
        "website": ("page_view", pages),
        "referral": ("page_view", pages),
        "content": ("download", guides),
        "webinar": ("webinar_registered", world.special("webinar")),
        "trade fair": ("event_visit", world.special("fair")),
    }
    for name, (kind, item) in by_source.items():
        here = people.source[new] == SOURCES.index(name)
        touched = item[here] if isinstance(item, np.ndarray) else item
        world.log.add(day, kind, new[here], second[here], content=touched)


def visit(world: World, day: int, who: Ints) -> None:
    """Let leads read pages on their own: the more interested, the more often and the deeper."""
    rng, weekend = world.rng, day % 7 >= SATURDAY
    interest = world.interest(who, day)
    rate = 0.03 * np.exp(interest) * (0.3 if weekend else 1.0)
    come = rng.random(len(who)) < -np.expm1(-rate)
    readers, curiosity = who[come], interest[come]
    pages = 1 + np.minimum(rng.poisson(1.0, len(readers)), 5)
    lead, curious = np.repeat(readers, pages), np.repeat(curiosity, pages)
    depth = world.warmth.depth[lead]
    layer = 1 + rng.integers(0, np.maximum(depth, 1))
    goes_on = rng.random(len(lead)) < 0.12 + 0.3 * _sigmoid(curious - 0.5)
    layer = np.where(goes_on & (depth < DEEPEST), depth + 1, layer)
    # Some jump straight to the prices: deep content touched out of order.
    layer = np.where(rng.random(len(lead)) < 0.04, DEEPEST, layer)  # noqa: PLR2004 - said here only
    item = world.stock.draw(layer, world.people.topic[lead], rng)
    place = np.arange(len(lead)) - np.repeat(np.cumsum(pages) - pages, pages)
    start = np.minimum(np.repeat(waking_hours(rng, len(readers)), pages), LATEST - 0.4 * HOUR)
    seconds = rng.integers(20, 230, len(lead))
    world.log.add(day, "page_view", lead, start + place * 240, content=item, value=seconds)


def ask(world: World, day: int, who: Ints) -> None:
    """Let leads fill in forms, and chat once there is a chat."""
    rng, weekend = world.rng, day % 7 >= SATURDAY
    keen = np.exp(world.interest(who, day)) * (0.2 if weekend else 1.0)
    depth = world.warmth.depth[who]
    readers = _chance(rng, 0.004 * keen, who)
    guides = world.stock.draw(np.full(len(readers), 2), world.people.topic[readers], rng)
    world.log.add(day, "download", readers, waking_hours(rng, len(readers)), content=guides)
    asking = _chance(rng, 0.0003 * keen * (1 + depth), who)
    world.log.add(day, "demo_request", asking, waking_hours(rng, len(asking)), content=world.special("demo"))
    world.asked[asking] = True
    if day >= world.drift_day:
        chatting = _chance(rng, 0.004 * keen * (depth >= 1), who)
        world.log.add(day, "chat", chatting, waking_hours(rng, len(chatting)), content=world.special("chat"))


def mails(world: World, day: int, who: Ints) -> Mails:
    """Send the day's mails: the drips' next step, and every other week a one-shot to a third of the list."""
    if day % 7 >= SATURDAY:
        return who[:0], who[:0], who[:0], np.empty(0)
    rng, people = world.rng, world.people
    age = day - people.created_day[who]
    # A step that falls on a weekend goes out on Monday with whatever is due then.
    due_since = 3 if day % 7 == 0 else 1
    step = np.searchsorted(DRIP_DAYS, age, side="right") - 1
    due = (step >= 0) & (age - DRIP_DAYS[step] < due_since)
    lead, layer, campaign = who[due], DRIP_LAYERS[step[due]], people.topic[who[due]]
    if day % _BLAST_EVERY == 1:
        shot = _chance(rng, 0.35, who)
        number = len(DRIPS) + day // _BLAST_EVERY
        lead = np.concatenate([lead, shot])
        layer = np.concatenate([layer, 1 + rng.integers(0, 3, len(shot))])
        campaign = np.concatenate([campaign, np.full(len(shot), number)])
    item = world.stock.draw(layer, people.topic[lead], rng)
    second: Array = np.where(campaign < len(DRIPS), 9.0, 10.6) * HOUR + rng.integers(0, HOUR, len(lead))
    world.log.add(day, "mail_sent", lead, second, content=item, campaign=campaign)
    return lead, item, campaign, second


def react(world: World, day: int, sent: Mails) -> None:
    """Let the receivers open and click; both came more easily before the drift."""
    rng, (lead, item, campaign, second) = world.rng, sent
    tired = np.log1p(world.warmth.pressure[lead])
    interest = world.interest(lead, day)
    later = day >= world.drift_day
    opens = rng.random(len(lead)) < _sigmoid(0.7 * interest - 0.3 * tired - (1.2 if later else 0.6))
    lead, item, campaign, interest = lead[opens], item[opens], campaign[opens], interest[opens]
    opened = np.minimum(second[opens] + 60 + rng.exponential(1.5 * HOUR, len(lead)), 21.8 * HOUR)
    world.log.add(day, "mail_open", lead, opened, content=item, campaign=campaign)
    clicks = rng.random(len(lead)) < _sigmoid(0.7 * interest - (1.8 if later else 1.2))
    clicked = opened[clicks] + rng.integers(5, 300, clicks.sum())
    world.log.add(day, "mail_click", lead[clicks], clicked, content=item[clicks], campaign=campaign[clicks])


def call(world: World, day: int, who: Ints) -> None:
    """Let sales call the warm, those who asked for a demo, and a few of the others; on working days."""
    if day % 7 >= SATURDAY:
        return
    rng = world.rng
    warm = world.warmth.temperature[who] > _CALLS_FROM
    called = _chance(rng, np.where(world.asked[who], 0.7, np.where(warm, 0.05, 0.006)), who)
    world.asked[:] = False
    second = working_hours(rng, len(called))
    world.log.add(day, "call", called, second, value=rng.integers(10, 45, len(called)))
    answered = rng.random(len(called)) < _sigmoid(0.6 * world.interest(called, day) - 0.9)
    minutes = np.maximum(60, rng.exponential(420, answered.sum()).astype(np.int64))
    begun = second[answered] + rng.integers(45, 60, answered.sum())
    world.log.add(day, "conversation", called[answered], begun, value=minutes)


def meet(world: World, day: int, who: Ints) -> None:
    """Hold webinars (registration from Monday, the webinar on Thursday of every third week) and fairs."""
    rng = world.rng
    in_round = day % _WEBINAR_EVERY
    if in_round < 3:  # noqa: PLR2004 - Monday to Wednesday
        new = who[~world.registered[who]]
        coming = _chance(rng, np.minimum(0.4, 0.012 * np.exp(world.interest(new, day))), new)
        world.registered[coming] = True
        seconds = waking_hours(rng, len(coming))
        world.log.add(day, "webinar_registered", coming, seconds, content=world.special("webinar"))
    if in_round == 3:  # noqa: PLR2004 - Thursday
        there = _chance(rng, 0.6, who[world.registered[who]])
        minutes = rng.integers(10 * 60, 55 * 60, len(there))
        begun = 11 * HOUR + rng.integers(0, 400, len(there))
        world.log.add(day, "webinar_attended", there, begun, content=world.special("webinar"), value=minutes)
        world.registered[:] = False
    if day in _FAIR_DAYS:
        there = _chance(rng, np.minimum(0.5, 0.02 * np.exp(world.interest(who, day))), who)
        world.log.add(day, "event_visit", there, working_hours(rng, len(there)), content=world.special("fair"))


def hear(world: World, day: int, who: Ints) -> None:
    """Let a third party speak of us now and then; in some of those who hear it, it echoes for some days."""
    rng = world.rng
    if day % 7 >= SATURDAY or rng.random() > 0.25:  # noqa: PLR2004 - about one mention in a week
        return
    source = int(rng.integers(0, len(THIRD_PARTIES)))
    heard = _chance(rng, 0.06, who)
    world.log.add(day, "mention", heard, np.full(len(heard), 7 * HOUR), source=source)
    world.echo[heard[world.people.echoes[heard]]] += 1.6


# Calls come before the day's requests: they answer those of earlier days.
ACTS: Sequence[Callable[[World, int, Ints], None]] = (visit, call, ask, meet, hear)


def campaign_name(number: int) -> str:
    """Name a campaign: a drip by its topic, a one-shot by the fortnight it went out in."""
    return DRIPS[number] if number < len(DRIPS) else f"news-{number - len(DRIPS) + 1:03d}"


def topic_name(number: int) -> str | None:
    """Name a topic; content that has none gives None."""
    return TOPICS[number] if number >= 0 else None
