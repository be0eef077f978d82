"""What is told of one lead beyond its row: all its reasons, its newest interactions, the course of its temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leadscore.features.infusion import NAME as INFUSION
from leadscore.features.infusion import Scale
from leadscore.features.vocabulary import Vocabulary
from leadscore.history import INBOUND, OUTBOUND, History
from leadscore.labels import Flags
from leadscore.language import Language
from leadscore.scoring.grade import Ints
from leadscore.scoring.reasons import Reason
from leadscore.timeline import DAY

N_REASONS = 8
N_TOUCHES = 60
N_DAYS = 90
"""How far back the temperature of a panel is drawn."""
_SIDES = {INBOUND: "inbound", OUTBOUND: "outbound"}


@dataclass(frozen=True)
class Touch:
    """One interaction of a timeline.

    Attributes:
        at: When it happened, microseconds in UTC.
        label: How people call its kind.
        side: `inbound`, `outbound`, or "" where nobody says.
        learned_at: When it was learned of, where that was later than when it happened; else None.
    """

    at: int
    label: str
    side: str
    learned_at: int | None = None


@dataclass(frozen=True)
class Panel:
    """What is told of one lead beyond its row.

    Attributes:
        reasons: The strongest concepts, strongest first; what all other concepts add together is `others`.
        others: See `reasons`.
        offset: Where it starts, nearly the same for all leads. Reasons, others and offset add up to `margin`.
        margin: What makes the chance at the ranking horizon: the outputs' margins, weighted as they pull at it (see
            `explain.Contributions`). Of a hazard it is that of a mean interval: no formula leads from it to the chance.
        touches: Its newest interactions, oldest first.
        hidden: How many older ones are not among them.
        warmth: (moment, temperature), oldest first, ending at the moment of the slot; empty without the family.
        unanswered: How many of our pushes wait for its answer.
    """

    reasons: Sequence[Reason]
    others: float
    offset: float
    margin: float
    touches: Sequence[Touch] = ()
    hidden: int = 0
    warmth: Sequence[tuple[int, float]] = ()
    unanswered: int = 0


def touches(history: History, lead: int, vocabulary: Vocabulary, language: Language) -> tuple[list[Touch], int]:
    """List the newest interactions of a lead, oldest first, and count those that are left out."""
    first, last = int(history.indptr[lead]), int(history.indptr[lead + 1])
    begin = max(first, last - N_TOUCHES)
    found = []
    for row in range(begin, last):
        at, known_at = int(history.time[row]), int(history.known_at[row])
        code = int(history.kind.codes[row])
        word = history.kind.words[code] if code >= 0 else ""
        label = vocabulary.called(word, language)
        side = _SIDES.get(int(history.direction[row]), "")
        found.append(Touch(at, label, side, known_at if known_at > at else None))
    return found, begin - first


def temperatures(history: History, vocabulary: Vocabulary, lead: int, moments: Ints) -> list[tuple[int, float]]:
    """Return the temperature of a lead at moments, as its touches are known now; empty without the family."""
    if INFUSION not in vocabulary.families:
        return []
    scale, rows = Scale.of(vocabulary), slice(int(history.indptr[lead]), int(history.indptr[lead + 1]))
    degrees = scale.degrees(history.kind)[rows] * counted(history, vocabulary)[rows]
    age = (moments[:, None] - history.time[rows][None, :]) / scale.half_life
    warm = np.where(age > 0, np.exp2(-np.maximum(age, 0)), 0.0) @ degrees
    return list(zip(moments.tolist(), warm.tolist(), strict=True))


def last_days(as_of: int) -> Ints:
    """List the moments at which a panel draws the temperature: a day apart, the moment of the slot last."""
    return as_of - DAY * np.arange(N_DAYS, -1, -1, dtype=np.int64)


def counted(history: History, vocabulary: Vocabulary) -> Flags:
    """Tell which interactions warm a lead (see `View.counted`)."""
    if "power" in vocabulary.families:
        return np.asarray(history.direction != OUTBOUND, dtype=np.bool_)
    return np.ones(len(history), dtype=np.bool_)
