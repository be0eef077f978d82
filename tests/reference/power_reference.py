"""Power a second time: each push is asked for itself whether, and when, a touch answered it."""

from __future__ import annotations

import itertools
import math
import statistics

DAY = 24 * 60 * 60 * 1_000_000
NAN = math.nan


def features(case, vocabulary):
    settled = vocabulary.frozen["power"]
    pulled = [row["occurred_at"] for row in case.own()]
    pushes = [row for row in case.past() if row["direction"] == "outbound"]
    times = [row["occurred_at"] for row in pushes]
    delays = [_delay(time, pulled, vocabulary.answer_within) for time in times]
    answered = [delay for delay in delays if delay is not None]
    streak = len(list(itertools.takewhile(lambda delay: delay is None, reversed(delays))))
    found = {
        "response_rate": (len(answered) + 1) / (len(times) + 2),
        "response_delay_days": statistics.fmean(answered) / DAY if answered else NAN,
        "unanswered_streak": streak,
        "saturation": 2 if streak >= settled["saturated"] else 1 if streak >= settled["near"] else 0,
    }
    for name, half_life in vocabulary.half_lives.items():
        open_ = [time for time, delay in zip(times, delays, strict=True) if delay is None]
        found[f"pressure_{name}"] = math.fsum(0.5 ** ((case.as_of - time) / half_life) for time in open_)
    windows = [*vocabulary.windows.items(), ("ever", math.inf)]
    for name, length in windows:
        found[f"pulled_{name}"] = _since(case.as_of - length, pulled)
        found[f"pushed_{name}"] = _since(case.as_of - length, times)
    for name, length in windows[-2:]:
        own, ours = found[f"pulled_{name}"], found[f"pushed_{name}"]
        found[f"pull_share_{name}"] = (own + 1) / (own + ours + 2)
        for kind in settled["kinds"]:
            of_kind = [row["occurred_at"] for row in pushes if row["kind"] == kind]
            found[f"pushed_{kind}_{name}"] = _since(case.as_of - length, of_kind)
    return found


def _delay(time, touches, within):
    after = [touch - time for touch in touches if 0 < touch - time <= within]
    return min(after, default=None)


def _since(moment, times):
    return sum(1 for time in times if time >= moment)
