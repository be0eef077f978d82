"""A slot made up for the tests of the files for people: plain leads, and some that would like to break them."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow as pa

from leadscore.delivery.content import (
    Bin,
    Change,
    Content,
    GradeLine,
    Panel,
    PastList,
    Quality,
    Reason,
    Tally,
    Tenth,
    Touch,
)
from leadscore.scoring.grade import grades, trend
from leadscore.scoring.ranking import scores_schema
from leadscore.timeline import DAY, HOUR, parse_moment

AS_OF = parse_moment("2026-07-06", "UTC")
HORIZONS = ("14d", "30d", "90d")
HOSTILE = (
    '=HYPERLINK("http://x","y")',
    "<script>alert(1)</script>",
    '"; DROP TABLE leads; --',
    "x" * 4000,
    "\u202eabc \u0645\u0631\u062d\u0628\u0627",
    "",
    "a\nb\tc\r",
    "</script><img src=x onerror=alert(1)>",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "'quoted'",
)
WORDS = {
    "en": ("pages read in the last 30 days: {n}; usually 2", "Industry: finance; as for 12% of the leads", "pushed"),
    "fr": ("pages lues en 30 jours : {n} ; d'habitude 2", "Secteur : finance ; comme 12 % des leads", "sollicité"),
}


def made_up(leads=60, *, language="en", capacity=10, panels=20, hostile=True, before=True, names=None):
    """Content of a slot: the last leads are hostile by their names; every fifth moved since the slot before."""
    chance = np.random.default_rng(1)
    ids = list(names) if names is not None else [f"lead {number}" for number in range(leads - len(HOSTILE) * hostile)]
    ids += list(HOSTILE) if hostile and names is None else []
    p = np.sort(1 / (1 + np.exp(chance.normal(3, 1.2, len(ids)))))[::-1]
    score = np.clip(np.linspace(99, 1, len(ids)), 1, 99).astype(int).tolist()
    then = [
        None if not before or number % 7 == 3 else max(1, own - (number % 5 == 0) * 9)
        for number, own in enumerate(score)
    ]
    grade, words = grades(len(ids), capacity), WORDS[language]
    known = [("high", "medium", "low", "unknowable")[number % 4] for number in range(len(ids))]
    changes = _changes(ids, score, then, grade, words) if before else ()
    reasons = [Reason("infusion.page", words[0].format(n=number % 9), 0.4 - number / 100) for number in range(len(ids))]
    columns = {
        "lead_id": ids, "account_id": [f"account {number // 3}" if number % 4 else None for number in range(len(ids))],
        "as_of": [AS_OF] * len(ids), "run_id": ["0123456789ab"] * len(ids),
        "model_version": ["ba987654321f"] * len(ids),
        "rank": list(range(1, len(ids) + 1)), "score": score, "grade": grade,
        "p_14d": p * 0.5, "p_30d": p, "p_90d": np.sqrt(p), "p_lo": p * 0.6, "p_hi": np.minimum(1, p * 1.7),
        "known": known, "trend": [trend(now, old) for now, old in zip(score, then, strict=True)], "score_prev": then,
        "reason_1_code": [one.code for one in reasons], "reason_1_text": [one.text for one in reasons],
        "reason_1_sign": [1 if one.weight > 0 else -1 for one in reasons],
        "reason_2_code": ["profile.industry"] * len(ids), "reason_2_text": [words[1]] * len(ids),
        "reason_2_sign": [1] * len(ids),
        "reason_3_code": [None] * len(ids), "reason_3_text": [None] * len(ids), "reason_3_sign": [None] * len(ids),
        "action": [("call", "nurture", "rest", "explore", "none")[number % 5] for number in range(len(ids))],
        "expires_at": [AS_OF + 14 * DAY] * len(ids),
    }  # fmt: skip
    schema = scores_schema(HORIZONS)
    table = pa.table(
        {
            field.name: pa.array(columns[field.name], pa.int64()).cast(field.type)
            if pa.types.is_timestamp(field.type)
            else pa.array(columns[field.name], field.type)
            for field in schema
        },
        schema=schema,
    )
    return Content(
        project="demo",
        slot="20260706T000000Z-0123456789ab",
        as_of=AS_OF,
        time_zone="Europe/Paris",
        language=language,
        horizons=HORIZONS,
        ranked_by="30d",
        capacity=capacity,
        expires_at=AS_OF + 14 * DAY,
        model="ba987654321f",
        trained_as_of=AS_OF - 3 * DAY,
        left_out={"ended": 2685, "closed": 0, "objected": 140},
        before=AS_OF - 7 * DAY if before else None,
        scores=table,
        panels={lead: _panel(reasons[number], words, p[number], number) for number, lead in enumerate(ids[:panels])}
        | {
            lead: _panel(reasons[number], words, p[number], number)
            for number, lead in enumerate(ids)
            if lead in HOSTILE
        },
        changes=changes,
        moved=dict(Counter(move for change in changes for move in change.moves)),
        changed=len(changes),
        quality=_quality(),
        grades=tuple(
            GradeLine(
                letter,
                grade.count(letter),
                0.1 / k,
                0.3 / k,
                grade.count(letter) * 0.2 / k,
                Tally(200 * k, 30 / k, 28 // k),
                Tally(20 * k, 4 / k, 3 // k),
                (20 / k, 29.5 / k),
            )
            for k, letter in enumerate("ABCD", 1)
        ),
        past_lists=[
            PastList(AS_OF - (40 + 7 * week) * DAY, Tally(10, 2.5 + week / 8, week % 4), delivered=week < 3)
            for week in reversed(range(12))
        ],
        shown={"name": [f"Person {lead}" if lead else None for lead in ids]},
        links=[f"https://crm.example.com/leads/{number}" for number in range(len(ids))],
        warnings=(words[2],),
    )


def _panel(reason, words, p, number):
    others = -0.05
    margin = math.log(p / (1 - p))
    reasons = (reason, Reason("profile.industry", words[1], 0.2), Reason("push.saturation", words[2], -0.15))
    touches = [
        Touch(
            AS_OF - (30 - k) * DAY + k * HOUR,
            ("page read", "mail sent", "<b>call</b>")[k % 3],
            ("inbound", "outbound", "")[k % 3],
        )
        for k in range(number % 12)
    ]
    touches += [Touch(AS_OF - 20 * DAY, "demo", "inbound", AS_OF - DAY)] if number % 3 == 0 else []
    warmth = [(AS_OF - (60 - day) * DAY, float(number % 5 + math.sin(day / 9) ** 2)) for day in range(61)]
    offset = margin - others - sum(one.weight for one in reasons)
    return Panel(
        reasons, others, offset, margin, tuple(sorted(touches, key=lambda one: one.at)), number % 4, warmth, number % 5
    )


def _changes(ids, score, then, grade, words):
    moved = [
        Change(
            lead,
            ("new_in_a", "improving"),
            number + 1,
            grade[number],
            score[number],
            number + 9,
            "B",
            then[number],
            words[0].format(n=3),
        )
        for number, lead in enumerate(ids)
        if number % 5 == 0 and then[number] is not None
    ]
    return (*moved, Change("gone lead", ("gone",), None, None, None, 4, "A", 97, words[2]))


def _quality():
    share = [k / 20 for k in range(21)]
    return Quality(
        horizon="30d", since=AS_OF - 120 * DAY, until=AS_OF - 40 * DAY,
        lists=12, leads=22866, conversions=368, between=(330.0, 410.0),
        worked=10, found=54, found_by_recency=15,
        tenths=tuple(Tenth(2287, 150 / 2**k, 140 // 2**k) for k in range(10)),
        gain={
            "model": [(x, x**0.4) for x in share], "recency": [(x, x**0.8) for x in share],
            "ideal": [(x, min(1, 60 * x)) for x in share],
        },
        bins=tuple(Bin(2287, 0.00125 * 2**k, 0.0014 * 2**k, 0.001 * 2**k, 0.00175 * 2**k) for k in range(8)),
    )  # fmt: skip
