"""The true hazard a second time: slowly, from the exported files alone, with every number said again.

Nothing of `leadscore.simulate` is imported here. What agrees with this is settled by what the files hold.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
from datetime import UTC, date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")

# Kind: degrees before and after the drift; what is not listed is not inbound.
WEIGHTS = {
    "mail_open": (0.3, 0.1),
    "mail_click": (1.0, 0.5),
    "page_view": (0.5, 0.5),
    "download": (1.0, 1.0),
    "demo_request": (4.0, 4.0),
    "chat": (0.0, 2.0),
    "conversation": (2.0, 2.0),
    "webinar_registered": (0.7, 0.7),
    "webinar_attended": (2.0, 2.5),
    "event_visit": (1.5, 1.5),
}
PUSHES = {"mail_sent", "call"}
LAYERS = {"webinar_registered": 2, "webinar_attended": 3, "event_visit": 2}
PROFILE = {
    "Industry": {
        "software": 0.45,
        "finance": 0.5,
        "manufacturing": 0.2,
        "retail": -0.3,
        "education": -0.5,
        "public sector": -0.6,
    },
    "Country": {"FR": 0.2, "GB": -0.15, "ES": -0.2},
    "JobRole": {"executive": 0.6, "buyer": 0.45, "manager": 0.3, "assistant": -0.4, "student": -2.0},
    "LeadSource": {"referral": 0.5, "website": 0.15, "outbound list": -0.5},
}


class Touch(NamedTuple):
    """One interaction of the files; layer 0 touches no content."""

    lead_id: str
    at: datetime
    kind: str
    layer: int


class Files:
    """What the folder holds, without broken rows and repeats: leads by id, touches by lead."""

    def __init__(self, folder):
        self.leads = {row["Id"]: row for row in _rows(folder / "leads.csv") if row["Id"] and _real(row)}
        found = set(_touches(folder))
        self.touches = {lead: sorted(t for t in found if t.lead_id == lead) for lead in self.leads}
        self.colleagues = {lead: self._colleagues(lead) for lead in self.leads}

    def _colleagues(self, lead):
        account = self.leads[lead]["AccountId"]
        same = [other for other, row in self.leads.items() if account and row["AccountId"] == account]
        return [other for other in same if other != lead]

    def hazard(self, lead: str, day: date, drift: date) -> float:
        """Compute the chance of the lead to convert on the day, from the touches of earlier days."""
        if day.weekday() >= 5:
            return 0.0
        heat = math.log1p(temperature(self.touches[lead], day, drift))
        reached = depth(self.touches[lead], day)
        others = (temperature(self.touches[o], day, drift) for o in self.colleagues[lead])
        logit = -10.2 - (0.5 if day >= drift else 0.0) + profile(self.leads[lead])
        logit += 1.0 * heat + 0.6 * reached + 0.35 * math.log1p(sum(others))
        logit += -0.5 * math.log1p(pressure(self.touches[lead], day)) + (0.3 * heat if reached >= 3 else 0.0)
        return 1 / (1 + math.exp(-logit))


def temperature(touches, day, drift):
    return sum(
        WEIGHTS.get(touch.kind, (0.0, 0.0))[touch.at.date() >= drift] * 0.5 ** ((day - touch.at.date()).days / 10)
        for touch in touches
        if touch.at.date() < day
    )


def depth(touches, day):
    reached = 0
    for one in sorted({touch.at.date() for touch in touches if touch.at.date() < day}):
        if reached + 1 in {t.layer for t in touches if t.at.date() == one and t.kind in WEIGHTS}:
            reached += 1
    return reached


def pressure(touches, day):
    before = [touch for touch in touches if touch.at.date() < day]
    answered = max((touch.at.date() for touch in before if touch.kind in WEIGHTS), default=date.min)
    pushes = [touch.at.date() for touch in before if touch.kind in PUSHES and touch.at.date() > answered]
    return sum(0.5 ** ((day - one).days / 20) for one in pushes)


def profile(lead):
    effect = sum(effects.get(lead[name], 0.0) for name, effects in PROFILE.items())
    if not lead["Employees"]:
        return effect
    employees = int(lead["Employees"])
    by_size = -0.5 if employees < 50 else 0.15 if employees < 250 else 0.55 if employees < 2000 else -0.15
    return effect + by_size


def _touches(folder):
    leads = {row["Id"] for row in _rows(folder / "leads.csv")}
    for row in _all_rows(folder):
        try:
            touch = Touch(*row[:3], int(row[3] or LAYERS.get(row[2], 0)))
        except ValueError:  # a broken layer
            continue
        if touch.lead_id in leads and touch.kind and touch.at is not None and touch.at.year < 2199:
            yield touch


def _all_rows(folder):
    for row in _rows(folder / "emails.csv"):
        # An opened or sent mail names what it links to, but only a click touches it.
        yield row["Contact"], _moment(row["Timestamp"]), row["Event"], row["LinkLayer"]
    for row in _rows(folder / "web_visits.csv.gz"):
        yield row["visitor"], _moment(row["time"]), row["action"], row["depth"]
    for row in _rows(folder / "calls.csv", ";"):
        yield row["Who"], _moment(row["When"], "%d/%m/%Y %H:%M:%S"), row["What"], 0
    for line in (folder / "webinars.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        yield row["person"], _moment(row["at"]), row["what"], 0
    for row in _rows(folder / "mentions.csv"):
        yield row["Lead"], _moment(row["Heard"]), "mention", 0


def _rows(path, delimiter=","):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter)


def _moment(text, layout=None):
    try:
        at = datetime.strptime(text, layout) if layout else datetime.fromisoformat(text)  # noqa: DTZ007 - next line
    except ValueError:  # a broken date
        return None
    return (at if at.tzinfo else at.replace(tzinfo=PARIS)).astimezone(UTC)


def _real(row):
    return _moment(row["CreatedDate"]) is not None
