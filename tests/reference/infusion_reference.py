"""Infusion a second time: every touch halved by hand, and the course of the temperature from touch to touch."""

from __future__ import annotations

import math

import numpy as np

DAY = 24 * 60 * 60 * 1_000_000
NAN = math.nan


def features(case, vocabulary):
    settled = vocabulary.frozen["infusion"]
    return _warmth(case, vocabulary) | _temperatures(case, vocabulary, settled) | _channels(case, vocabulary, settled)


def _warmth(case, vocabulary):
    found, as_of, touches = {}, case.as_of, case.touches(vocabulary)
    for name, half_life in vocabulary.half_lives.items():
        for kind in (*vocabulary.kinds, "other"):
            left = [0.5 ** ((as_of - time) / half_life) for time, own in touches if own == kind]
            found[f"warmth_{kind}_{name}"] = math.fsum(left)
        found[f"warmth_{name}"] = math.fsum(0.5 ** ((as_of - time) / half_life) for time, _ in touches)
    return found


def _temperatures(case, vocabulary, settled):
    touches = [(row["occurred_at"], _degrees(row, settled)) for row in case.counted(vocabulary)]

    def before(moment, half_life):
        left = [degrees * 0.5 ** ((moment - time) / half_life) for time, degrees in touches if time < moment]
        return _single(math.fsum(left))

    def just_after(moment, half_life):
        left = [degrees * 0.5 ** ((moment - time) / half_life) for time, degrees in touches if time <= moment]
        return _single(math.fsum(left))

    found = {f"temperature_{name}": before(case.as_of, length) for name, length in vocabulary.half_lives.items()}
    half_life, while_ = settled["half_life"], min(vocabulary.windows.values())
    now, earlier = before(case.as_of, half_life), before(case.as_of - while_, half_life)
    peak = max((just_after(time, half_life) for time, _ in touches), default=0.0)
    cooling = days = NAN
    if earlier > 0:
        cooling = (math.log(earlier / now) / while_ if now > 2**-126 else math.log(2) / half_life) * DAY
    if peak > 0:
        days = max(0.0, math.log2(now / settled["cold"])) * half_life / DAY if now > 0 else 0.0
    return found | {
        "temperature": now,
        "temperature_peak": peak,
        "temperature_to_peak": now / peak if peak > 0 else NAN,
        "cooling_per_day": cooling,
        "days_to_cold": days,
    }


def _channels(case, vocabulary, settled):
    found = {}
    for channel, half_life in settled["half_lives"].items():
        found[f"temperature_via_{channel}"] = math.fsum(
            _degrees(row, settled) * 0.5 ** ((case.as_of - row["occurred_at"]) / half_life)
            for row in case.counted(vocabulary)
            if (row["channel"] if row["channel"] in settled["half_lives"] else "other") == channel
        )
    return found | ({"temperature_channels": math.fsum(found.values())} if found else {})


def _degrees(row, settled):
    return settled["weights"].get(row["kind"], settled["weights"]["other"])


def _single(value):
    """What a feature can hold: what follows from a temperature follows from this."""
    return float(np.float32(value))
