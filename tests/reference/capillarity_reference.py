"""Capillarity a second time: walk through everybody, and ask of each what was known of it then."""

from __future__ import annotations

import math

import numpy as np

WON, ENDS = {"won"}, {"won", "lost", "unfit"}


def features(case, vocabulary):
    found = {}
    if "account" in vocabulary.columns:
        found |= colleagues(case, vocabulary)
    if "referrer" in vocabulary.columns:
        known = case.known_versions()
        referrer = known[-1]["referrer_id"] if known else None
        counts = referrer != case.lead and referrer in {row["lead_id"] for row in case.company.leads}
        counts = counts and there(case, referrer)
        found["referrer_warmth"] = warmth(case, referrer, vocabulary) if counts else math.nan
        found["referrer_converted"] = counts and converted_at(case, referrer) is not None
    return found


def colleagues(case, vocabulary):
    windows = sorted(vocabulary.windows.items(), key=lambda item: item[1])
    longest, length = windows[-1]
    account = account_of(case, case.lead)
    others = [
        lead
        for lead in case.company.lead_ids
        if account is not None and lead != case.lead and account_of(case, lead) == account
    ]
    warm = {lead: warmth(case, lead, vocabulary) for lead in others}
    count = sum(value >= 0.5 for value in warm.values())
    won = [converted_at(case, lead) for lead in others]
    won = [moment for moment in won if moment is not None]
    own = warmth(case, case.lead, vocabulary)
    found = {
        "colleagues": len(others),
        "warm_colleagues": count,
        "warm_colleagues_share": count / max(len(others), 1),
        "hottest_colleague": max(warm.values(), default=0.0),
        "colleagues_warmth": math.fsum(warm.values()),
        "converted_colleagues": len(won),
        f"converted_colleagues_{longest}": sum(moment >= case.as_of - length for moment in won),
        "rank_in_account": 1 + sum(value > own for value in warm.values()),
    }
    for name, window in {windows[0], windows[-1]}:
        firsts = [case.own(lead)[0]["occurred_at"] for lead in others if case.own(lead)]
        found[f"woken_colleagues_{name}"] = sum(first >= case.as_of - window for first in firsts)
    return {name: value if others else math.nan for name, value in found.items()}


def account_of(case, lead):
    known = case.known_versions(lead)
    return known[-1]["account_id"] if known and there(case, lead) else None


def there(case, lead):
    """Created and known before, and no objection stands, whenever it was made."""
    known = case.known_versions(lead)
    return bool(known) and known[0]["created_at"] < case.as_of and not objected(case.company.consents, lead)


def objected(consents, lead):
    standing = set()
    said = [row for row in consents if row["lead_id"] == lead]
    for row in sorted(said, key=lambda row: (row["occurred_at"], row["status"] == "objection")):
        if row["status"] == "objection":
            standing.add(row["purpose"])
        else:
            standing = standing - {row["purpose"]} if row["purpose"] else set()
    return bool(standing)


def warmth(case, lead, vocabulary):
    lengths = sorted(vocabulary.half_lives.values())
    half_life = lengths[len(lengths) // 2]
    left = math.fsum(0.5 ** ((case.as_of - row["occurred_at"]) / half_life) for row in case.own(lead))
    return float(np.float32(left))  # as it stands in the matrix: what differs by less is equal


def converted_at(case, lead):
    """When its first end occurred, as known then, if that was a conversion."""
    ends = [
        (row["occurred_at"], row["outcome"] not in WON, row["known_at"])
        for row in case.company.outcomes
        if row["lead_id"] == lead and row["outcome"] in ENDS
        if row["occurred_at"] < case.as_of and row["known_at"] < case.as_of
    ]
    return min(ends)[0] if ends and not min(ends)[1] else None
