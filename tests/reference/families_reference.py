"""Every feature a second time, from plain rows, as plainly as Python can say it; nothing of `leadscore` computes here.

One snapshot at a time: the versions of a lead, its interactions, the moment. Times are microseconds, days are in UTC.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from reference import (
    capillarity_reference,
    context_reference,
    echo_reference,
    infusion_reference,
    percolation_reference,
    power_reference,
)

DAY = 24 * 60 * 60 * 1_000_000
NAN = math.nan
LARGEST = 3.4028234663852886e38


@dataclass(frozen=True)
class Case:
    """One lead at one moment, and the plain rows of everybody.

    Attributes:
        company: Rows of the canonical tables, all that was ever known (see `strategies.Company`).
        stored: Interactions by lead, in the order of the store.
    """

    company: Any
    stored: dict[str, list[dict[str, Any]]]
    lead: str
    as_of: int

    def versions(self, lead=None):
        """What we ever knew of a lead."""
        return [row for row in self.company.leads if row["lead_id"] == (lead or self.lead)]

    def known_versions(self, lead=None):
        """What we knew of a lead then, oldest first."""
        return sorted(
            (row for row in self.versions(lead) if row["known_at"] < self.as_of), key=lambda row: row["known_at"]
        )

    def past(self, lead=None):
        """What had happened and was known strictly before, in the order of time."""
        rows = self.stored.get(lead or self.lead, [])
        seen = [row for row in rows if row["occurred_at"] < self.as_of and row["known_at"] < self.as_of]
        return sorted(seen, key=lambda row: row["occurred_at"])

    def own(self, lead=None):
        """The lead's own touches: not what we did."""
        return [row for row in self.past(lead) if row["direction"] != "outbound"]

    def counted(self, vocabulary):
        """What counts outside of `power`: with that family on, no pushes."""
        return self.own() if "power" in vocabulary.families else self.past()

    def touches(self, vocabulary):
        """(time, kind) of what counts."""
        return [
            (row["occurred_at"], row["kind"] if row["kind"] in vocabulary.kinds else "other")
            for row in self.counted(vocabulary)
        ]


def snapshot(case, vocabulary):
    """Give {name of the feature: its value} for one lead at one moment, all families that are on."""
    found = {}
    for name in vocabulary.families:
        found |= FAMILIES[name](case, vocabulary)
    return found


def profile(case, vocabulary):
    oldest = min(case.versions(), key=lambda row: row["known_at"])
    known = case.known_versions()
    newest = known[-1]["attributes"] if known else {}
    found = {"age_days": (case.as_of - oldest["created_at"]) / DAY}
    if "closes_at" in vocabulary.columns:
        closes_at = known[-1]["closes_at"] if known else None
        found["days_to_close"] = NAN if closes_at is None else max(0, closes_at - case.as_of) / DAY
    known_values = [not math.isnan(number(newest.get(name))) for name in vocabulary.numbers]
    known_values += [name in newest for name in vocabulary.categories]
    if known_values:
        found["attributes_known"] = sum(known_values) / len(known_values)
    for name in vocabulary.numbers:
        found[f"profile_{name}"] = number(newest.get(name))
    for name, words in vocabulary.categories.items():
        for word in words:
            found[f"profile_{name}={word}"] = newest.get(name) == word
    return found


def number(text):
    try:
        value = float(text)
    except (TypeError, ValueError):
        return NAN
    return value if abs(value) <= LARGEST else NAN


def spans(vocabulary):
    return [*vocabulary.windows.items(), ("ever", math.inf)]


def volume(case, vocabulary):
    found, as_of = {}, case.as_of
    kinds, touches, past = (*vocabulary.kinds, "other"), case.touches(vocabulary), case.counted(vocabulary)
    for name, length in spans(vocabulary):
        inside = [kind for time, kind in touches if time >= as_of - length]
        for kind in kinds:
            found[f"count_{kind}_{name}"] = inside.count(kind)
        found[f"touches_{name}"] = len(inside)
        found[f"different_kinds_{name}"] = len(set(inside))
        recent = [row for row in past if row["occurred_at"] >= as_of - length]
        for column in ("content_id", "channel", "topic", "campaign_id"):
            what = column.removesuffix("_id")
            if what in vocabulary.columns:
                found[f"different_{what}s_{name}"] = len({row[column] for row in recent} - {None})
    return found


def drip(case, vocabulary):
    times, as_of = [row["occurred_at"] for row in case.own()], case.as_of
    between = [later - earlier for earlier, later in itertools.pairwise(times)]  # whole, so that a microsecond shows
    mean = statistics.fmean(between) if between else NAN
    zone = ZoneInfo(vocabulary.time_zone)
    per_day = Counter(day(time, zone) for time in times)
    per_week = Counter(week(time, zone) for time in times)
    return {
        "gap_mean_days": mean / DAY,
        "gap_variation": statistics.pstdev(between) / mean if len(between) > 1 and mean > 0 else NAN,
        "gap_longest_days": max(between, default=NAN) / DAY,
        "gap_current_days": (as_of - times[-1]) / DAY if times else NAN,
        "busiest_day_share": max(per_day.values()) / len(times) if times else NAN,
        "active_days": len(per_day),
        "active_weeks": len(per_week),
        "drip_index": drip_index(per_week, week(as_of - 1, zone)) if len(times) > 1 else NAN,
    }


def day(time, zone):
    """Number of the day on the wall calendar there, 1970-01-01 being 0."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).astimezone(zone)
    return local.toordinal() - date(1970, 1, 1).toordinal()


def week(time, zone):
    """Number of the week there, Monday first; 1970-01-05 was a Monday."""
    return (day(time, zone) - 4) // 7


def drip_index(per_week, now):
    touches = sum(per_week.values())
    even = 1 / sum((number / touches) ** 2 for number in per_week.values())
    return (even - 1) / (max(now - min(per_week) + 1, 12) - 1)


def sequence(case, vocabulary):
    found, as_of = {}, case.as_of
    kinds, touches = (*vocabulary.kinds, "other"), case.touches(vocabulary)
    for kind in kinds:
        own = [time for time, other in touches if other == kind]
        found[f"days_since_{kind}"] = (as_of - max(own)) / DAY if own else NAN
        found[f"newest_is_{kind}"] = bool(touches) and touches[-1][1] == kind
        found[f"newest_3_{kind}"] = [other for _, other in touches[-3:]].count(kind)
    found["days_in_state"] = NAN
    if touches:
        run = list(itertools.takewhile(lambda touch: touch[1] == touches[-1][1], reversed(touches)))
        found["days_in_state"] = (as_of - run[-1][0]) / DAY
    for n in (2, 3, 5):
        found[f"nth_newest_{n}_days"] = (as_of - touches[-n][0]) / DAY if len(touches) >= n else NAN
    for before, after in vocabulary.frozen["sequence"]["pairs"]:
        ends = [time for (_, a), (time, b) in itertools.pairwise(touches) if (a, b) == (before, after)]
        for name, length in spans(vocabulary)[-2:]:
            found[f"transition_{before}>{after}_{name}"] = sum(time >= as_of - length for time in ends)
    return found


def values(case, vocabulary):
    past, as_of, found = case.counted(vocabulary), case.as_of, {}
    held = [(row["occurred_at"], row["value"]) for row in past if row["value"] is not None]
    held = [(time, value) for time, value in held if abs(value) <= LARGEST]
    for name, length in spans(vocabulary):
        inside = [value for time, value in held if time >= as_of - length]
        found[f"value_sum_{name}"] = math.fsum(inside)
        found[f"value_mean_{name}"] = statistics.fmean(inside) if inside else NAN
        if name in [own for own, _ in spans(vocabulary)[-2:]]:
            found[f"value_largest_{name}"] = max(inside, default=NAN)
            found[f"value_smallest_{name}"] = min(inside, default=NAN)
    found["value_last"] = held[-1][1] if held else NAN
    for name, half_life in vocabulary.half_lives.items():
        found[f"value_decayed_{name}"] = decayed_mean(held, half_life)
    # A difference of two nearly equal numbers, each as it stands in the matrix.
    shortest = decayed_mean(held, min(vocabulary.half_lives.values()))
    found["value_trend"] = float(np.float32(shortest)) - float(np.float32(found["value_mean_ever"]))
    return found


def decayed_mean(held, half_life):
    if not held:
        return NAN
    left = [0.5 ** ((held[-1][0] - time) / half_life) for time, _ in held]
    return math.fsum(value * own for (_, value), own in zip(held, left, strict=True)) / math.fsum(left)


FAMILIES = {
    "profile": profile,
    "volume": volume,
    "percolation": percolation_reference.features,
    "infusion": infusion_reference.features,
    "drip": drip,
    "sequence": sequence,
    "values": values,
    "power": power_reference.features,
    "echo": echo_reference.features,
    "capillarity": capillarity_reference.features,
    "context": context_reference.features,
}
