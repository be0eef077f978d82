"""A B2B company that does not exist, day by day, with the true hazard of every lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leadscore.simulate import behaviour as act
from leadscore.simulate.catalogue import KINDS, THIRD_PARTIES
from leadscore.simulate.hazard import BASE, DEEPEST, DRIFT, SATURDAY, Bools, Floats, Ints, daily_hazard
from leadscore.simulate.people import draw_people

TIME_ZONE = "Europe/Paris"
_DAYS_PER_MONTH = 365.25 / 12
_INBOUND = np.array([kind.direction == "inbound" for kind in KINDS])
_OUTBOUND = np.array([kind.direction == "outbound" for kind in KINDS])
_OPEN, _CONVERTED, _LOST, _DISQUALIFIED, _OBJECTED = range(5)
_ENDS = {_CONVERTED: "converted", _LOST: "lost", _DISQUALIFIED: "disqualified"}


@dataclass(frozen=True)
class Company:
    """What a simulation gives; moments are UTC with microseconds, and every table is in a fixed order.

    Attributes:
        leads: One row per lead (`lead_id`, `account_id`, `created_at`, attributes, name and e-mail address).
        accounts: One row per account.
        interactions: One row per interaction, the canonical columns but for `known_at`.
        outcomes: One row per ended lead: `converted`, `lost` or `disqualified`.
        consents: One row per objection (`status` is always `objection`).
        truth: One row per (lead_id, day) at risk at that day's 00:00 UTC, `ends_at` included: `hazard` is the
            chance to convert within that day, given everything before it.
        ends_at: First moment after the simulation, a Monday 00:00 UTC.
        drift_at: The moment from which base rate, weights and channels are others.
    """

    leads: pd.DataFrame
    accounts: pd.DataFrame
    interactions: pd.DataFrame
    outcomes: pd.DataFrame
    consents: pd.DataFrame
    truth: pd.DataFrame
    ends_at: datetime
    drift_at: datetime


def simulate(leads: int = 5000, months: int = 18, seed: int = 1, start: date = date(2025, 1, 6)) -> Company:
    """Simulate the company from `start` (moved back to its Monday) for about `months` months, in whole weeks.

    The same arguments give the same company. See docs/explanation/simulation.md for what it is made of.

    Raises:
        ValueError: fewer than one lead or two months.
    """
    if leads < 1 or months < 2:  # noqa: PLR2004 - a drift half way needs a half
        raise ValueError(f"found {leads} leads and {months} months, expected at least 1 and 2")
    monday = start - timedelta(days=start.weekday())
    days = round(months * _DAYS_PER_MONTH / 7) * 7
    rng = np.random.default_rng(seed)
    second = act.waking_hours(rng, leads).astype(np.int64)
    run = _Run(act.World(draw_people(leads, days, rng, second), rng, drift_day=days // 14 * 7))
    for day in range(days):
        run.live(day)
    run.look(days, run.at_risk(days))
    return _company(run, monday, days)


def write_truth(company: Company, path: Path) -> None:
    """Write the Mondays of the truth as Parquet: one row per (lead_id, day)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mondays = company.truth[company.truth["day"].dt.day_of_week == 0]
    mondays.to_parquet(path, index=False)


class _Run:
    """A simulation under way: the world, who has ended how, and the truth so far."""

    def __init__(self, world: act.World) -> None:
        leads = len(world.people.account)
        self.world = world
        self.status: Ints = np.zeros(leads, np.int64)
        self.ended_day: Ints = np.full(leads, -1)
        self.ended_second: Ints = np.full(leads, -1)
        self.seen: list[tuple[int, Ints, Floats]] = []

    def at_risk(self, day: int) -> Ints:
        """List the leads created before the day and still open."""
        return np.flatnonzero((self.status == _OPEN) & (self.world.people.created_day < day))

    def look(self, day: int, who: Ints) -> Floats:
        """Compute and keep the true hazard of those at risk, from what happened before the day."""
        world = self.world
        base = BASE + DRIFT * (day >= world.drift_day)
        everyone = daily_hazard(
            base,
            world.people.profile,
            world.warmth,
            world.warmth.of_colleagues(world.people.account),
            day % 7,
        )
        self.seen.append((day, who, everyone[who]))
        return everyone[who]

    def live(self, day: int) -> None:
        """Live through one day: ends first, so that nobody who ends today does anything else."""
        world = self.world
        part = len(world.log.parts["lead"])
        who = self.at_risk(day)
        who = self._convert(day, who, self.look(day, who))
        who = self._give_up(day, who)
        act.arrive(world, day, np.flatnonzero(world.people.created_day == day))
        sent = act.mails(world, day, who)
        who = self._object(day, who, sent)
        stays = self.status[sent[0]] == _OPEN
        act.react(world, day, (sent[0][stays], sent[1][stays], sent[2][stays], sent[3][stays]))
        for one in act.ACTS:
            one(world, day, who)
        self._end_day(day, part)
        world.breathe()

    def _convert(self, day: int, who: Ints, hazard: Floats) -> Ints:
        yes = self.world.rng.random(len(who)) < hazard
        self._end(_CONVERTED, day, who[yes], act.working_hours(self.world.rng, yes.sum()))
        return who[~yes]

    def _give_up(self, day: int, who: Ints) -> Ints:
        """Let sales close leads on working days: misfits early, cold ones after some months."""
        rng, world = self.world.rng, self.world
        if day % 7 >= SATURDAY:
            return who
        age = day - world.people.created_day[who]
        cold = world.warmth.temperature[who] < 1
        misfit = rng.random(len(who)) < np.where(age <= 40, 0.003, 0.0002)  # noqa: PLR2004 - said here only
        lost = rng.random(len(who)) < np.where(age < 60, 0.0004, np.where(cold, 0.0062, 0.0015))  # noqa: PLR2004
        second = act.working_hours(rng, len(who))
        self._end(_DISQUALIFIED, day, who[misfit], second[misfit])
        self._end(_LOST, day, who[lost & ~misfit], second[lost & ~misfit])
        return who[~(lost | misfit)]

    def _object(self, day: int, who: Ints, sent: act.Mails) -> Ints:
        """Let some receivers of a mail say no, the sooner the more they were pushed; then they are left alone."""
        rng, (lead, _, _, second) = self.world.rng, sent
        no = rng.random(len(lead)) < 0.0015 * (1 + self.world.warmth.pressure[lead])
        # Three hours at least, so that it comes after a second mail of the same day.
        hours = rng.uniform(3, 8, no.sum())
        self._end(_OBJECTED, day, lead[no], second[no] + hours * act.HOUR)
        calm: Ints = who[self.status[who] == _OPEN]
        return calm

    def _end(self, status: int, day: int, who: Ints, second: Floats) -> None:
        self.status[who], self.ended_day[who], self.ended_second[who] = status, day, second.astype(np.int64)

    def _end_day(self, day: int, part: int) -> None:
        """Let the day's interactions, from the log's given part on, warm, deepen and press the leads."""
        world = self.world
        leads = len(self.status)
        lead, kind, item = (world.log.column(name, part).astype(np.int64) for name in ("lead", "kind", "content"))
        later = day >= world.drift_day
        weight = np.array([one.weight_after if later else one.weight for one in KINDS])[kind]
        inbound = _INBOUND[kind]
        layers = np.zeros(leads, np.int64)
        np.bitwise_or.at(layers, lead[inbound], 1 << _layer(kind, world.stock.layer[item])[inbound])
        world.warmth.end_day(
            warmed=np.bincount(lead, weights=weight, minlength=leads).astype(np.float64),
            answered=np.bincount(lead[inbound], minlength=leads) > 0,
            pushed=np.bincount(lead[_OUTBOUND[kind]], minlength=leads),
            layers=layers & ~1,
        )


def _layer(kind: Ints, of_content: Ints) -> Ints:
    """Say how deep each interaction reaches: 0 where it touches no content."""
    fixed = np.array([one.layer if isinstance(one.layer, int) else 0 for one in KINDS])
    by_content: Bools = np.array([one.layer == "content" for one in KINDS])
    layer: Ints = np.where(by_content[kind], of_content, fixed[kind])
    assert not len(layer) or layer.max() <= DEEPEST
    return layer


def _company(run: _Run, monday: date, days: int) -> Company:
    people, world = run.world.people, run.world
    midnight = datetime(monday.year, monday.month, monday.day, tzinfo=UTC)
    leads = people.table.copy()
    leads.insert(2, "created_at", _moments(monday, people.created_day, people.created_second))
    ends = _ends(run, leads["lead_id"], monday)
    outcomes = ends[ends["status"].isin(_ENDS)].copy()
    outcomes["outcome"] = outcomes["status"].map(_ENDS)
    consents = ends[ends["status"] == _OBJECTED].copy()
    consents["status"] = "objection"
    return Company(
        leads=leads,
        accounts=people.accounts,
        interactions=_interactions(world, leads["lead_id"], monday),
        outcomes=outcomes[["lead_id", "occurred_at", "outcome"]].reset_index(drop=True),
        consents=consents[["lead_id", "occurred_at", "status"]].reset_index(drop=True),
        truth=_truth(run, leads["lead_id"], midnight),
        ends_at=midnight + timedelta(days=days),
        drift_at=midnight + timedelta(days=world.drift_day),
    )


def _moments(monday: date, day: Ints, second: Ints) -> pd.DatetimeIndex:
    """Turn local days and seconds into UTC moments of microseconds."""
    local = np.datetime64(monday, "us") + day * np.timedelta64(86400, "s") + second * np.timedelta64(1, "s")
    return pd.DatetimeIndex(local).tz_localize(TIME_ZONE).tz_convert("UTC")


def _ends(run: _Run, lead_id: pd.Series[Any], monday: date) -> pd.DataFrame:
    """List the ended leads: one row each, in order of time."""
    who = np.flatnonzero(run.status != _OPEN)
    at = _moments(monday, run.ended_day[who], run.ended_second[who])
    ends = pd.DataFrame({"lead_id": lead_id.take(who).to_numpy(), "occurred_at": at, "status": run.status[who]})
    return ends.sort_values(["occurred_at", "lead_id"], ignore_index=True)


def _truth(run: _Run, lead_id: pd.Series[Any], midnight: datetime) -> pd.DataFrame:
    days = pd.DatetimeIndex([midnight + timedelta(days=day) for day, _, _ in run.seen]).as_unit("us")
    counts = [len(who) for _, who, _ in run.seen]
    return pd.DataFrame(
        {
            "lead_id": lead_id.take(np.concatenate([who for _, who, _ in run.seen])).array,
            "day": days.repeat(counts),
            "hazard": np.concatenate([hazard for _, _, hazard in run.seen]),
        }
    )


def _interactions(world: act.World, lead_id: pd.Series[Any], monday: date) -> pd.DataFrame:
    """Write the log in words: canonical columns, in order of time."""
    columns = {name: world.log.column(name) for name in world.log.parts}
    order = np.lexsort([columns[name] for name in ("campaign", "content", "kind", "lead", "second", "day")])
    part = {name: column[order].astype(np.int64) for name, column in columns.items() if name != "value"}
    kind, item, later = part["kind"], part["content"], part["day"] >= world.drift_day
    layer = _layer(kind, world.stock.layer[item])
    campaigns = [act.campaign_name(number) for number in range(int(part["campaign"].max(initial=-1)) + 1)]
    topics = [act.topic_name(number) for number in world.stock.topic]
    before, after = ([getattr(one, name) for one in KINDS] for name in ("channel", "channel_after"))
    return pd.DataFrame(
        {
            "lead_id": lead_id.take(part["lead"]).array,
            "occurred_at": _moments(monday, part["day"], part["second"]),
            "kind": _words([one.name for one in KINDS], kind),
            "channel": _words([*before, *after], kind + len(KINDS) * later),
            "direction": _words([one.direction for one in KINDS], kind),
            "content_id": _words(list(world.stock.names), item),
            "layer": pd.Series(layer, dtype="Int64").mask(pd.Series(layer == 0)),
            "topic": _words(topics, item),
            "campaign_id": _words(campaigns, part["campaign"]),
            "source_id": _words(list(THIRD_PARTIES), part["source"]),
            "value": columns["value"][order],
        }
    )


def _words(names: Sequence[str | None], codes: Ints) -> pd.Series[Any]:
    """Look codes up in a list of names; -1 is missing."""
    return pd.Series([*names, None], dtype="str").take(codes % (len(names) + 1)).reset_index(drop=True)
