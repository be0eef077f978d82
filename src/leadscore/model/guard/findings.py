"""What the evidence amounts to: findings, each with its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from leadscore.features import capillarity, profile
from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix
from leadscore.history import Rows
from leadscore.labels import Flags
from leadscore.model.guard.evidence import ACCOUNT, REFERRER, Evidence, Objects
from leadscore.model.guard.leak import Leak, What, doubted, strongest
from leadscore.model.guard.names import smells
from leadscore.model.guard.separation import Z90, Column, alone, auc, encode, mixed, spread, together
from leadscore.model.guard.timing import FEWEST, attributes_set_late, kinds_with_the_outcome
from leadscore.model.train import Examples

SUSPECT = 0.7
"""A column that separates less well is no suspect: attributes of the clean logs reach .62."""
SUSPECT_DATED = 0.9
"""The same for what is computed from dated interactions, which separates by right: the clean logs reach .83."""
SETTLED = 1 / 3
"""A suspect must settle at least this share of what everything else together gets wrong."""
BEYOND_DOUBT = 0.75
"""Suspects that separate so well do not count as everything else for one another."""
SMELL = 0.3
"""Severity of a name that smells, with nothing else against it."""
_GAIN = 0.1  # by how much an attribute must separate better now than at first to count as filled in late
_BLOCKS = 20
_MOST_SUSPECTS = 20  # each takes a fit or two
_MOST_ROWS = 30_000


def examine(evidence: Evidence, features: Sequence[Feature], examples: Examples) -> tuple[Leak, ...]:
    """Say what must not have been known, of what a training is about to learn from; the most severe first.

    One finding per name. What the features do not look at is no leak.

    Args:
        evidence: Of all buckets.
        features: The columns of the examples' matrix.
        examples: What is to be learned from.
    """
    names = _attributes(features)
    findings = [
        *kinds_with_the_outcome(evidence),
        *_attributes_that_separate(evidence, names, features, examples),
        *_attributes_filled_late(evidence, names),
        *_features_that_separate(features, examples),
    ]
    known = {leak.name for leak in findings}
    findings = [_doubted(leak) for leak in findings]
    findings += [_smell(name, "attribute") for name in names if name not in known and smells(name)]
    findings += [_smell(name, "kind") for name in evidence.kinds if name not in known and smells(name)]
    return strongest(findings)


def examine_columns(
    columns: Mapping[str, npt.NDArray[Any]], hits: Flags, order: npt.NDArray[Any] | None = None
) -> tuple[Leak, ...]:
    """Say which columns of a flat table must not have been known; the most severe first.

    There are no dates, so all there is are names, and how well a column separates by itself. A column is accused when
    it does so well, among leads of about the same time where there is an order, and settles much of what all others
    together get wrong. That cannot tell a leak from the one good question somebody asked every lead.

    Args:
        columns: By name, one value per lead: numbers, or words; NaN, None and empty text are missing.
        hits: Which leads converted.
        order: Rises with time; None when nothing is known of it.
    """
    rows = np.arange(len(hits)) if order is None else np.argsort(order, kind="stable")
    rows = rows[:: max(1, -(-len(rows) // _MOST_ROWS))]
    won = hits[rows]
    encoded = {name: encode(values[rows]) for name, values in columns.items()}
    blocks = _blocks(np.arange(len(rows)), won) if order is not None else np.zeros(len(rows), dtype=np.int64)
    nothing = np.zeros((len(rows), 0))

    def fit(left_out: frozenset[str]) -> float:
        given = [column for name, column in encoded.items() if name not in left_out]
        return together(nothing, given, won, blocks)

    advice = "If it is written with the outcome or after it, leave it out."
    findings = [
        _doubted(suspicion.accuse(name, "column", in_order=order is not None, advice=advice))
        for name, suspicion in _accused(_suspects(encoded, won, blocks), fit)
    ]
    known = {leak.name for leak in findings}
    findings += [_smell(name, "column") for name in columns if name not in known and smells(name)]
    return strongest(findings)


# ---- names -----------------------------------------------------------------------------------------------------


def _doubted(leak: Leak) -> Leak:
    words = smells(leak.name)
    if not words:
        return leak
    return replace(leak, severity=doubted(leak.severity), evidence=f"{leak.evidence} Its name speaks of {words!r}.")


def _smell(name: str, what: What) -> Leak:
    told = f"The name of {what} {name} speaks of {smells(name)!r}; its values do not give it away."
    return Leak(name, what, "name", SMELL, told, "Make sure that it was known before the outcome.")


# ---- attributes ------------------------------------------------------------------------------------------------


def _attributes(features: Sequence[Feature]) -> tuple[str, ...]:
    """List the attributes that features look at, links to accounts and referrers included."""
    names = [feature.concept.removeprefix("profile.") for feature in features if _is_attribute(feature)]
    links = (ACCOUNT, REFERRER) if any(feature.family == capillarity.NAME for feature in features) else ()
    return tuple(dict.fromkeys((*names, *links)))


def _is_attribute(feature: Feature) -> bool:
    return feature.concept.startswith("profile.")


def _values(told: Objects, name: str) -> Objects:
    return np.array([attributes.get(name) for attributes in told] + [None], dtype=object)[:-1]


def _attributes_that_separate(
    evidence: Evidence, names: Sequence[str], features: Sequence[Feature], examples: Examples
) -> Iterator[Leak]:
    """Find attributes that, as first known of a lead, tell who converts, or who has ended."""
    told = evidence.told
    first = {name: encode(_values(told.first, name)) for name in names}
    yield from _filled_by_the_outcome(evidence, first)
    found = _suspects(first, told.converted, _blocks(told.created_at, told.converted))
    if not found:
        return
    row, lead = _beside(evidence, examples)
    hits = told.converted[lead]
    blocks, matrix = _blocks(told.created_at[lead], hits), examples.matrix[row]
    if not _enough(hits, blocks):
        return

    def fit(left_out: frozenset[str]) -> float:
        beside = matrix[:, [not _touches(feature, found) for feature in features]]
        given = [first[name].take(lead) for name in found if name not in left_out]
        return together(beside, given, hits, blocks)

    for name, suspicion in _accused(found, fit):
        yield suspicion.accuse(name, "attribute", in_order=True, advice=_UNDATED)


_UNDATED = (
    "If it is written with the outcome or after it, leave it out of the source's attributes, "
    "or map `known_at` so that each value counts from when it was known."
)


def _touches(feature: Feature, suspects: Mapping[str, Any]) -> bool:
    """Tell whether a feature may say what a suspect says; how many attributes are known may say it of each."""
    if feature.family == capillarity.NAME:
        return bool({ACCOUNT, REFERRER} & {*suspects})
    return feature.concept.removeprefix("profile.") in suspects or feature.concept == "profile"


def _beside(evidence: Evidence, examples: Examples) -> tuple[Rows, Rows]:
    """Pair leads of the sample with a row of the examples each, drawn by lot; return both rows."""
    ids = examples.lead_id.astype(str)
    order = np.argsort(ids, kind="stable")
    wanted = evidence.told.lead_id.astype(str)
    begin, beyond = (np.searchsorted(ids, wanted, side=side, sorter=order) for side in ("left", "right"))
    lead = np.flatnonzero(beyond > begin)
    row = order[begin[lead] + evidence.told.lot[lead] % (beyond - begin)[lead]]
    return row, lead


def _filled_by_the_outcome(evidence: Evidence, first: Mapping[str, Column]) -> Iterator[Leak]:
    told, ended = evidence.told, evidence.told.ended
    blocks = _blocks(told.created_at, ended)
    if not _enough(ended, blocks):
        return
    for name in first:
        given = np.array([value is not None for value in _values(told.first, name)], dtype=np.bool_)
        value = auc(given.astype(np.float64), ended, blocks)
        surely = max(value, 1 - value) - Z90 * spread(value, ended, blocks)
        if surely >= SUSPECT:
            shares = (
                f"{given[ended].mean():.0%} of the leads that have ended and {given[~ended].mean():.0%} of the open"
            )
            sentence = f"Attribute {name} is known from the start for {shares} ones."
            yield Leak(name, "attribute", "filled_by_the_outcome", surely, sentence, _UNDATED)


def _attributes_filled_late(evidence: Evidence, names: Sequence[str]) -> Iterator[Leak]:
    """Find attributes that are written with the outcome or after it, and thereby tell who converted."""
    told = evidence.told
    blocks = _blocks(told.created_at, told.converted)
    for name, (surely, sentence) in attributes_set_late(evidence, names).items():
        first, now = (encode(_values(said, name)) for said in (told.first, told.now))
        ways = ((told.converted, blocks), (told.ended, _blocks(told.created_at, told.ended)))
        gains = [(alone(now, hits, of), alone(first, hits, of)) for hits, of in ways if _enough(hits, of)]
        if any(after - before >= _GAIN for after, before in gains):
            yield Leak(name, "attribute", "updated_after", surely, f"Attribute {name}: {sentence}.", _LATE)


_LATE = "What it says of ended leads was not known before: leave it out of the source's attributes."


# ---- separation ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Suspicion:
    """How well a column separates: alone, and beside everything else (`rest` without it, `both` with it)."""

    alone: float
    surely: float
    rest: float = 0.5
    both: float = 0.5

    @property
    def settled(self) -> float:
        """The share of what the rest gets wrong that it puts right: (both − rest) / (1 − rest)."""
        return (self.both - self.rest) / (1 - self.rest) if self.rest < 1 else 0.0

    def accuse(self, name: str, what: What, *, in_order: bool, advice: str) -> Leak:
        same = " of about the same time" if in_order else ""
        told = (
            f"{what.capitalize()} {name} alone puts, of two leads{same}, the one that converts first in "
            f"{self.alone:.0%} of the cases. Everything else together does so in {self.rest:.0%}, and with it in "
            f"{self.both:.0%}."
        )
        return Leak(name, what, "separates", self.surely, told, advice)


def _suspects(columns: Mapping[str, Column], hits: Flags, blocks: Rows) -> dict[str, _Suspicion]:
    if not _enough(hits, blocks):
        return {}
    found: dict[str, _Suspicion] = {}
    for name, column in columns.items():
        value = alone(column, hits, blocks)
        surely = value - Z90 * spread(value, hits, blocks)
        if surely >= SUSPECT:
            found[name] = _Suspicion(value, surely)
    return found


def _accused(
    suspects: Mapping[str, _Suspicion], fit: Callable[[frozenset[str]], float]
) -> Iterator[tuple[str, _Suspicion]]:
    """Judge suspects beside everything else, and keep those that settle much of what it gets wrong.

    Those beyond doubt are left out of everything else, lest two leaks vouch for each other.

    Args:
        suspects: By name.
        fit: The AUC of a model of everything but the named.
    """
    beyond = frozenset(name for name, suspicion in suspects.items() if suspicion.surely >= BEYOND_DOUBT)
    rest: dict[frozenset[str], float] = {}
    worst = sorted(suspects, key=lambda name: -suspects[name].surely)[:_MOST_SUSPECTS]
    for name in worst:
        left_out = beyond | {name} if name in beyond else frozenset({name})
        if left_out not in rest:
            rest[left_out] = fit(left_out)
        judged = replace(suspects[name], rest=rest[left_out], both=fit(left_out - {name}))
        if judged.settled >= SETTLED:
            yield name, judged


def _features_that_separate(features: Sequence[Feature], examples: Examples) -> Iterator[Leak]:
    """Find features that separate absurdly well, and better the nearer the conversion."""
    labels = examples.labels
    closed = labels.matured[:, -1]
    near, far = labels.by_horizon[:, 0] & closed, labels.by_horizon[:, -1] & ~labels.by_horizon[:, 0] & closed
    missed = closed & ~labels.by_horizon[:, -1]
    rows, early = (np.sort(np.concatenate([_some(hits), _some(missed)])) for hits in (near, far))
    leads = len(np.unique(examples.lead_id[rows[near[rows]]].astype(str)))
    blocks = _blocks(examples.as_of[rows], near[rows])
    if leads < FEWEST or not _enough(near[rows], blocks):
        return
    for number, value in _best_of_each_concept(features, examples.matrix[rows], near[rows], blocks):
        surely = value - Z90 * spread(value, near[rows], blocks, leads / near[rows].sum())
        if not surely >= SUSPECT_DATED:
            continue
        rest, both = _beside_all_others(features, number, examples, rows, near[rows], blocks)
        suspicion = _Suspicion(value, surely, rest, both)
        if suspicion.settled >= SETTLED:
            leak = suspicion.accuse(features[number].name, "feature", in_order=True, advice=_COMPUTED)
            blocks_early = _blocks(examples.as_of[early], far[early])
            further = _either_way(examples.matrix[early, number], far[early], blocks_early)
            told = f"Where the conversion is further off than the first horizon, alone in {further:.0%}."
            yield replace(leak, evidence=f"{leak.evidence} {told}")


_COMPUTED = "Look at what it is computed from; take it, or its family, out of features."


def _best_of_each_concept(
    features: Sequence[Feature], matrix: Matrix, hits: Flags, blocks: Rows
) -> Iterator[tuple[int, float]]:
    best: dict[str, tuple[int, float]] = {}
    for number, feature in enumerate(features):
        if feature.family == profile.NAME:  # attributes are judged one by one, lead by lead
            continue
        value = _either_way(matrix[:, number], hits, blocks)
        if value > best.get(feature.concept, (0, 0.0))[1]:
            best[feature.concept] = number, value
    yield from best.values()


def _either_way(column: npt.NDArray[np.float32], hits: Flags, blocks: Rows) -> float:
    """Return the AUC of a column as it is or turned round, missing values below or above all others."""
    missing = np.isnan(column)
    ways = [np.where(missing, end, column) for end in ((-np.inf, np.inf) if missing.any() else (0.0,))]
    values = [auc(way.astype(np.float64), hits, blocks) for way in ways]
    return max(max(value, 1 - value) for value in values)


def _beside_all_others(
    features: Sequence[Feature], number: int, examples: Examples, rows: Rows, hits: Flags, blocks: Rows
) -> tuple[float, float]:
    """Return the AUC of everything but the concept of a feature, and of everything."""
    concept = features[number].concept
    matrix = examples.matrix[rows]
    others = np.array([feature.concept != concept for feature in features], dtype=np.bool_)
    _, groups = np.unique(examples.lead_id[rows].astype(str), return_inverse=True)
    return together(matrix[:, others], [], hits, blocks, groups), together(matrix, [], hits, blocks, groups)


# ---- rows ------------------------------------------------------------------------------------------------------


def _some(flags: Flags) -> Rows:
    """Pick rows at even steps, no more than half of _MOST_ROWS."""
    rows = np.flatnonzero(flags)
    return rows[:: max(1, -(-len(rows) // (_MOST_ROWS // 2)))]


def _enough(hits: Flags, blocks: Rows) -> bool:
    return mixed(hits, blocks) >= FEWEST


def _blocks(moments: npt.NDArray[np.int64], hits: Flags) -> Rows:
    """Divide rows by time into blocks of equal size, each with some FEWEST hits, so that like is compared with like."""
    number = int(np.clip(hits.sum() // FEWEST, 1, _BLOCKS))
    place = np.empty(len(moments), dtype=np.int64)
    place[np.argsort(moments, kind="stable")] = np.arange(len(moments))
    blocks: Rows = place * number // max(1, len(moments))
    return blocks
