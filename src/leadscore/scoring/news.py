"""What came of a lead since the slot before, and how many of our pushes wait for its answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadscore.features.infusion import NAME as INFUSION
from leadscore.features.infusion import Scale
from leadscore.features.vocabulary import Vocabulary
from leadscore.history import OUTBOUND, History
from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.scoring.grade import Ints
from leadscore.scoring.panel import counted


@dataclass(frozen=True)
class News:
    """What came of each lead of a bucket since the slot before; one value per lead.

    Attributes:
        fresh: Interactions since, but for those we made.
        late: Interactions that happened before, and were learned of since.
        cold: It is cold, and was not then.
    """

    fresh: Ints
    late: Ints
    cold: Flags


def look_since(history: History, vocabulary: Vocabulary, since: int, as_of: int) -> News:
    """Look what came since a moment, in the history of a bucket as known at another."""
    lead = np.repeat(np.arange(history.n_leads), np.diff(history.indptr))
    own, then = history.direction != OUTBOUND, history.time < since
    late = then & (history.known_at >= since)
    fresh_of, late_of = (np.bincount(lead[rows], minlength=history.n_leads) for rows in (own & ~then, late))
    return News(fresh_of, late_of, _gone_cold(history, vocabulary, lead, since, as_of))


def _gone_cold(history: History, vocabulary: Vocabulary, lead: Ints, since: int, as_of: int) -> Flags:
    if INFUSION not in vocabulary.families:
        return np.zeros(history.n_leads, dtype=np.bool_)
    scale = Scale.of(vocabulary)
    degrees = scale.degrees(history.kind) * counted(history, vocabulary)

    def at(moment: int) -> Floats:
        rows = history.time < moment
        warm = degrees[rows] * np.exp2((history.time[rows] - moment) / scale.half_life)
        return np.bincount(lead[rows], weights=warm, minlength=history.n_leads).astype(np.float64)

    gone: Flags = (at(as_of) < scale.cold) & (at(since) >= scale.cold)
    return gone


def unanswered(history: History) -> Ints:
    """Count for each lead of a bucket the pushes that came after its last own touch."""
    lead = np.repeat(np.arange(history.n_leads), np.diff(history.indptr))
    pushed = history.direction == OUTBOUND
    last_own = np.full(history.n_leads, -1, dtype=np.int64)
    np.maximum.at(last_own, lead[~pushed], np.flatnonzero(~pushed))
    waiting = pushed & (np.arange(len(history)) > last_own[lead])
    counts: Ints = np.bincount(lead[waiting], minlength=history.n_leads)
    return counts
