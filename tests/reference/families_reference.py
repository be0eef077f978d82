"""Every feature a second time, from plain rows, as plainly as Python can say it; nothing of `leadscore` computes here.

One snapshot at a time: the versions of a lead, its interactions, the moment. Times are microseconds, days are in UTC.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter

DAY = 24 * 60 * 60 * 1_000_000
NAN = math.nan
LARGEST = 3.4028234663852886e38


def snapshot(versions, interactions, as_of, vocabulary):
    """Give {name of the feature: its value} for one lead at one moment, all families."""
    known = [row for row in versions if row["known_at"] < as_of]
    past = visible(interactions, as_of)
    kinds = (*vocabulary.kinds, "other")
    touches = [(row["occurred_at"], row["kind"] if row["kind"] in vocabulary.kinds else "other") for row in past]
    return {
        **profile(versions, known, as_of, vocabulary),
        **volume(touches, past, kinds, as_of, vocabulary),
        **infusion(touches, kinds, as_of, vocabulary),
        **drip([time for time, _ in touches], as_of),
        **sequence(touches, kinds, as_of),
        **values(past, as_of, vocabulary),
    }


def visible(interactions, as_of):
    """What had happened and was known strictly before, in the order of time."""
    seen = [row for row in interactions if row["occurred_at"] < as_of and row["known_at"] < as_of]
    return sorted(seen, key=lambda row: row["occurred_at"])


def profile(versions, known, as_of, vocabulary):
    oldest = min(versions, key=lambda row: row["known_at"])
    newest = max(known, key=lambda row: row["known_at"])["attributes"] if known else {}
    found = {"age_days": (as_of - oldest["created_at"]) / DAY}
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


def volume(touches, past, kinds, as_of, vocabulary):
    found = {}
    for name, length in spans(vocabulary):
        inside = [kind for time, kind in touches if time >= as_of - length]
        for kind in kinds:
            found[f"count_{kind}_{name}"] = inside.count(kind)
        found[f"different_kinds_{name}"] = len(set(inside))
        contents = {row["content_id"] for row in past if row["occurred_at"] >= as_of - length}
        found[f"different_contents_{name}"] = len(contents - {None})
    return found


def infusion(touches, kinds, as_of, vocabulary):
    found = {}
    for name, half_life in vocabulary.half_lives.items():
        for kind in kinds:
            left = [0.5 ** ((as_of - time) / half_life) for time, own in touches if own == kind]
            found[f"warmth_{kind}_{name}"] = math.fsum(left)
        found[f"warmth_{name}"] = math.fsum(0.5 ** ((as_of - time) / half_life) for time, _ in touches)
    return found


def drip(times, as_of):
    between = [(later - earlier) / DAY for earlier, later in itertools.pairwise(times)]
    mean = statistics.fmean(between) if between else NAN
    per_day = Counter(time // DAY for time in times)
    return {
        "gap_mean_days": mean,
        "gap_variation": statistics.pstdev(between) / mean if len(between) > 1 and mean > 0 else NAN,
        "gap_longest_days": max(between, default=NAN),
        "gap_current_days": (as_of - times[-1]) / DAY if times else NAN,
        "busiest_day_share": max(per_day.values()) / len(times) if times else NAN,
        "active_days": len(per_day),
    }


def sequence(touches, kinds, as_of):
    found = {}
    for kind in kinds:
        own = [time for time, other in touches if other == kind]
        found[f"days_since_{kind}"] = (as_of - max(own)) / DAY if own else NAN
        found[f"newest_is_{kind}"] = bool(touches) and touches[-1][1] == kind
    found["days_in_state"] = NAN
    if touches:
        run = list(itertools.takewhile(lambda touch: touch[1] == touches[-1][1], reversed(touches)))
        found["days_in_state"] = (as_of - run[-1][0]) / DAY
    return found


def values(past, as_of, vocabulary):
    held = [(row["occurred_at"], row["value"]) for row in past if row["value"] is not None]
    held = [(time, value) for time, value in held if abs(value) <= LARGEST]
    every = [value for _, value in held]
    sums = {
        f"value_sum_{name}": math.fsum(value for time, value in held if time >= as_of - length)
        for name, length in spans(vocabulary)
    }
    return {
        **sums,
        "value_last": every[-1] if every else NAN,
        "value_largest": max(every, default=NAN),
        "value_mean": math.fsum(every) / len(every) if every else NAN,
    }
