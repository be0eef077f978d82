"""Score the leads at risk at one moment, a bucket at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from leadscore.config import Config
from leadscore.features import asof, plain
from leadscore.features.matrix import compute
from leadscore.features.view import Matrix, View, looks
from leadscore.history import History, Leads
from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle
from leadscore.model.train import Bucket, at_risk_on
from leadscore.scoring.grade import Ints, known
from leadscore.scoring.news import News, look_since, unanswered
from leadscore.scoring.panel import N_REASONS as N_TOLD
from leadscore.scoring.panel import Panel, last_days, temperatures, touches
from leadscore.scoring.reasons import Reason, Speaker, Weights
from leadscore.snapshots import Snapshots

N_REASONS = 3
OFFSET = "offset"
_MOVED = 0.1
"""On the logit scale; of a smaller move nobody is told why."""


@dataclass(frozen=True)
class Earlier:
    """The slot before, as far as the new one is compared with it.

    Attributes:
        as_of: Its moment.
        comparable: Whether it is by the same model. Another model has another reference: its scores are told, but no
            trend is made of them.
        scores: Of each lead on its list.
        concepts: The codes of its reasons; empty when another model's.
        weights: What each concept added: one row per lead of `scores`, in their order.
    """

    as_of: int
    comparable: bool
    scores: Mapping[str, int]
    concepts: Sequence[str] = ()
    weights: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))


@dataclass(frozen=True)
class Scored:
    """One row per lead at risk, not yet ranked.

    Attributes:
        lead_id, account_id: Who.
        chances: Per horizon.
        bounds: `p_lo` and `p_hi`.
        known: How much we know.
        reasons: The strongest concepts, strongest first.
        concepts: The codes of the columns of `weights`.
        weights: What each concept adds to the margin; float32, as it is kept.
        margin: What they and an offset add up to.
        unanswered: How many of our pushes wait for an answer.
        shown: Attributes asked for, by name (`delivery.columns`).
        panels: Of leads with a chance of at least so much, by lead_id.
        fresh, late, cold: See `news.News`; empty without a slot before.
        shift: How far the concepts together moved the margin since then; 0 where nothing can be compared.
        moved: Of the concept that moved it most, the way it went, the sentence now; None where it hardly moved.
        gone: Leads of the slot before that are no longer at risk, and how they left. Who objected is in no file.
    """

    lead_id: Sequence[str]
    account_id: Sequence[str | None]
    chances: Floats
    bounds: Floats
    known: Sequence[str]
    reasons: Sequence[Sequence[Reason]]
    concepts: Sequence[str]
    weights: npt.NDArray[np.float32]
    margin: Floats
    unanswered: Ints
    shown: Mapping[str, Sequence[str | None]]
    panels: Mapping[str, Panel]
    fresh: Ints
    late: Ints
    cold: Flags
    shift: Floats
    moved: Sequence[str | None]
    gone: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.lead_id)


@dataclass(frozen=True)
class Counts:
    """How many leads of the store are on the list, and why the others are not."""

    leads: int = 0
    delivered: int = 0
    objected: int = 0
    ended: int = 0
    closed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def newest_interaction(bucket: Bucket) -> int:
    """Return when the newest interaction of a bucket occurred; 0 without any."""
    return int(bucket[1].time.max(initial=0))


def score_bucket(
    bucket: Bucket,
    bundle: Bundle,
    config: Config,
    as_of: int,
    earlier: Earlier | None = None,
    panels_from: float = np.inf,
) -> tuple[Scored, Counts]:
    """Score the leads of a bucket that are at risk at `as_of`; the others are counted, never scored.

    Args:
        bucket: What was known strictly before `as_of`.
        bundle: The model.
        config: Rules of being at risk, language, ranking horizon.
        as_of: The moment of the slot.
        earlier: The slot before; None without one.
        panels_from: The chance from which a lead gets a panel.
    """
    leads, history = bucket
    snapshots = at_risk_on(config, leads, np.array([as_of], dtype=np.int64))
    seen = _see(leads, history, snapshots, bundle, config)
    chances = bundle.readiness(seen.matrix)
    chance, spread = chances[:, config.rank_index], bundle.spread(seen.matrix, config.rank_index)
    bounds, support = bundle.certainty.bounds, bundle.certainty.support
    speaker = Speaker(bundle, config.language)
    weights = speaker.weigh(seen.matrix, config.rank_index)
    ids = [leads.lead_id[row] for row in snapshots.lead]
    news = look_since(history, bundle.vocabulary, earlier.as_of, as_of) if earlier else None
    shift, moved = _moved(speaker, weights, seen, ids, earlier)
    waiting = unanswered(history)
    scored = Scored(
        lead_id=ids,
        account_id=[leads.account_id[row] for row in snapshots.lead],
        chances=chances,
        bounds=np.column_stack(bounds.around(chance, spread)),
        known=known(
            seen.count, seen.young, seen.strange, support.outside(seen.matrix), bounds.surprise(chance, spread), support
        ),
        reasons=speaker.reasons(weights, seen.matrix, seen.facts, N_REASONS),
        concepts=speaker.concepts,
        weights=weights.by_concept.astype(np.float32),
        margin=weights.margin,
        unanswered=waiting[snapshots.lead],
        shown={name: _shown(leads, snapshots, name) for name in config.delivery.columns},
        panels=_panels(chance >= panels_from, bucket, snapshots, speaker, weights, seen, waiting),
        **_since(news, snapshots),
        shift=shift,
        moved=moved,
        gone=_gone(leads, ids, as_of, earlier),
    )
    return scored, _count(leads, snapshots, as_of)


def _count(leads: Leads, snapshots: Snapshots, as_of: int) -> Counts:
    own = int((~leads.guest).sum())
    ended = int((leads.heard & (leads.ended_at < as_of)).sum())
    objected = int((leads.objected & ~leads.guest).sum())
    return Counts(own, len(snapshots), objected, ended, own - len(snapshots) - objected - ended)


@dataclass(frozen=True)
class _Seen:
    """What is seen of each snapshot: features, plain facts, how many interactions, whether young, whether strange."""

    matrix: Matrix
    facts: Matrix
    count: Ints
    young: Flags
    strange: Flags


def _see(leads: Leads, history: History, snapshots: Snapshots, bundle: Bundle, config: Config) -> _Seen:
    vocabulary = bundle.vocabulary
    computed = [
        (compute(view, vocabulary), plain.compute(view, vocabulary), *_history(view, bundle, config))
        for view in looks(leads, history, snapshots)
    ]
    return _Seen(*(np.concatenate(column) for column in zip(*computed, strict=True)))


def _shown(leads: Leads, snapshots: Snapshots, name: str) -> list[str | None]:
    """Return an attribute of each snapshot's lead, as known now."""
    version = leads.versions_at(snapshots.lead, snapshots.as_of)
    return [leads.attributes[row].get(name) if row >= 0 else None for row in version.tolist()]


def _panels(
    wanted: Flags,
    bucket: Bucket,
    snapshots: Snapshots,
    speaker: Speaker,
    weights: Weights,
    seen: _Seen,
    waiting: Ints,
) -> dict[str, Panel]:
    leads, history = bucket
    rows = np.flatnonzero(wanted)
    told = speaker.reasons(weights.take(rows), seen.matrix[rows], seen.facts[rows], N_TOLD)
    vocabulary, found = speaker.bundle.vocabulary, {}
    for row, reasons in zip(rows.tolist(), told, strict=True):
        lead, as_of = int(snapshots.lead[row]), int(snapshots.as_of[row])
        newest, hidden = touches(history, lead, vocabulary, speaker.language)
        margin, offset = float(weights.margin[row]), float(weights.offset[row])
        others = margin - offset - sum(reason.weight for reason in reasons)
        warmth = temperatures(history, vocabulary, lead, last_days(as_of))
        found[leads.lead_id[lead]] = Panel(
            reasons, others, offset, margin, newest, hidden, warmth, unanswered=int(waiting[lead])
        )
    return found


def _since(news: News | None, snapshots: Snapshots) -> dict[str, Any]:
    if news is None:
        nothing = np.zeros(len(snapshots), dtype=np.int64)
        return {"fresh": nothing, "late": nothing, "cold": nothing > 0}
    return {name: getattr(news, name)[snapshots.lead] for name in ("fresh", "late", "cold")}


def _moved(
    speaker: Speaker, weights: Weights, seen: _Seen, ids: Sequence[str], earlier: Earlier | None
) -> tuple[Floats, list[str | None]]:
    """Tell how far each lead's margin moved since the slot before, and say the concept that moved it most that way."""
    shift, said = np.zeros(len(ids)), cast("list[str | None]", [None] * len(ids))
    if earlier is None or tuple(earlier.concepts) != speaker.concepts:
        return shift, said
    place = {lead: row for row, lead in enumerate(earlier.scores)}
    rows = np.array([row for row, lead in enumerate(ids) if lead in place], dtype=np.int64)
    change = weights.by_concept[rows] - earlier.weights[[place[ids[row]] for row in rows]]
    shift[rows] = change.sum(axis=1)
    far = np.abs(shift[rows]) > _MOVED
    rows, change, way = rows[far], change[far], np.sign(shift[rows[far]])
    strongest = (change * way[:, None]).argmax(axis=1) if len(rows) else rows
    texts = speaker.say(strongest, weights.take(rows), seen.matrix[rows], seen.facts[rows], way)
    for row, text in zip(rows.tolist(), texts, strict=True):
        said[row] = text
    return shift, said


def _gone(leads: Leads, ids: Sequence[str], as_of: int, earlier: Earlier | None) -> dict[str, str]:
    """Tell of the leads of the slot before that are not at risk any more whether they converted, ended, or closed."""
    if earlier is None:
        return {}
    here = set(ids)
    gone = {}
    for row, lead in enumerate(leads.lead_id):
        if lead in earlier.scores and lead not in here and leads.heard[row]:
            ended = leads.ended_at[row] < as_of
            gone[lead] = ("converted" if leads.converted[row] else "ended") if ended else "closed"
    return gone


def _history(view: View, bundle: Bundle, config: Config) -> tuple[Ints, Flags, Flags]:
    """Return how many interactions each snapshot sees, whether the lead is young, and whether anything is strange."""
    every = np.zeros(len(view.history), dtype=np.int32)
    codes = view.history.kind.recode(bundle.vocabulary.kinds, other=-2)
    unmet = np.where(codes == -2, 0, -1).astype(np.int32)  # noqa: PLR2004 - the mark set one line above
    ever = np.array([asof.ALL], dtype=np.int64)
    seen = asof.count(view.asof, every, 1, ever)[:, 0, 0].astype(np.int64)
    strange = asof.count(view.asof, unmet, 1, ever)[:, 0, 0] > 0
    age = view.snapshots.as_of - view.leads.created_at[view.snapshots.lead]
    return seen, age < config.horizons[0].microseconds, strange | _strange_profile(view, bundle)


def _strange_profile(view: View, bundle: Bundle) -> Flags:
    """Tell which leads have a category without a column of its own."""
    categories = {name: set(words) for name, words in bundle.vocabulary.categories.items() if words}
    odd = [
        any(name in categories and value not in categories[name] for name, value in attributes.items())
        for attributes in view.leads.attributes
    ]
    version = view.leads.versions_at(view.snapshots.lead, view.snapshots.as_of)
    return np.array([*odd, False], dtype=np.bool_)[version]
