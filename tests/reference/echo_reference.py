"""Echo a second time: each message is looked at for itself, and again at each shifted time."""

from __future__ import annotations

import math
import statistics

DAY = 24 * 60 * 60 * 1_000_000
SHIFTS = 1, 2


def features(case, vocabulary):
    within, found = vocabulary.answer_within, {}
    touches = [row["occurred_at"] for row in case.own() if row["source_id"] is None]

    def first_after(time):
        return min((touch - time for touch in touches if 0 < touch - time <= within), default=None)

    for sender in vocabulary.frozen["echo"]["senders"]:
        sent = [row["occurred_at"] for row in case.past() if _sender(row) == sender]
        closed = [time for time in sent if time + within < case.as_of]
        counted = [time for time in closed if touches and time - max(SHIFTS) * within >= min(touches)]
        taken = sum(first_after(time) is not None for time in counted)
        shifted = [first_after(time - shift * within) is not None for time in counted for shift in SHIFTS]
        lags = [lag for lag in map(first_after, sent) if lag is not None]
        found |= {
            f"heard_{sender}": len(counted),
            f"taken_up_{sender}": (taken + 1) / (len(counted) + 2),
            f"echo_lift_{sender}": (taken + 1) / (sum(shifted) / len(SHIFTS) + 1),
            f"echo_lag_days_{sender}": statistics.fmean(lags) / DAY if lags else math.nan,
        }
    found.pop("heard_campaign", None)
    return found


def _sender(row):
    if row["direction"] == "outbound":
        return "campaign" if row["campaign_id"] is not None else None
    return "third_party" if row["source_id"] is not None else None
