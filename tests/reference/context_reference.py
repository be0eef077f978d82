"""Context a second time: count the leads one by one, and read the calendar from the standard library."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from reference.capillarity_reference import ENDS, WON, objected


def features(case, vocabulary):
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=case.as_of)).astimezone(
        ZoneInfo(vocabulary.time_zone)
    )
    longest, length = max(vocabulary.windows.items(), key=lambda item: item[1])
    leads = [Life(case.company, lead) for lead in case.company.lead_ids]
    leads = [lead for lead in leads if not lead.objected]
    at_work = [lead for lead in leads if lead.open(case.as_of - length)]
    won = [lead for lead in at_work if lead.won and lead.ended < case.as_of]
    return {
        "hour": local.hour,
        "weekday": local.isoweekday(),
        "day_of_month": local.day,
        "month": local.month,
        "open_leads": sum(lead.open(case.as_of) for lead in leads),
        **{
            f"new_leads_{name}": sum(case.as_of - window <= lead.opened < case.as_of for lead in leads)
            for name, window in vocabulary.windows.items()
        },
        f"base_rate_{longest}": len(won) / len(at_work) if at_work else math.nan,
    }


class Life:
    """One lead, as those at work learned of it."""

    def __init__(self, company, lead):
        self.versions = sorted(
            (row for row in company.leads if row["lead_id"] == lead), key=lambda row: row["known_at"]
        )
        self.opened = max(self.versions[0]["created_at"], self.versions[0]["known_at"])
        self.objected = objected(company.consents, lead)
        told = [
            (max(row["occurred_at"], row["known_at"]), row["occurred_at"], row["outcome"] not in WON)
            for row in company.outcomes
            if row["lead_id"] == lead and row["outcome"] in ENDS
        ]
        self.ended, _, lost = min(told, default=(math.inf, 0, True))
        self.won = not lost

    def open(self, moment):
        known = [row for row in self.versions if row["known_at"] < moment]
        closes = known[-1].get("closes_at") if known else None
        return self.opened < moment <= min(self.ended, math.inf if closes is None else closes)
