"""Score the leads at risk at one moment: a bucket at a time, then ranked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from leadscore.config import Config
from leadscore.features import asof
from leadscore.features.matrix import compute
from leadscore.features.view import Matrix, View, looks
from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle
from leadscore.model.explain import explain
from leadscore.model.train import Bucket, at_risk_on
from leadscore.scoring.grade import (
    EXPLORE,
    Ints,
    actions,
    grades,
    known,
    rank_order,
    score,
    trend,
    unexplored,
)

N_REASONS = 3

Reason = tuple[str, str, int]


@dataclass(frozen=True)
class Scored:
    """One row per lead at risk, not yet ranked: chances per horizon, bounds, how much we know, reasons."""

    lead_id: Sequence[str]
    account_id: Sequence[str | None]
    chances: Floats
    bounds: Floats
    known: Sequence[str]
    reasons: Sequence[Sequence[Reason]]

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


def score_bucket(bucket: Bucket, bundle: Bundle, config: Config, as_of: int) -> tuple[Scored, Counts]:
    """Score the leads of a bucket that are at risk at `as_of`; the others are counted, never scored.

    Args:
        bucket: What was known strictly before `as_of`.
        bundle: The model.
        config: Rules of being at risk, language, ranking horizon.
        as_of: The moment of the slot.
    """
    leads, history = bucket
    snapshots = at_risk_on(config, leads, np.array([as_of], dtype=np.int64))
    views = looks(leads, history, snapshots)
    computed = [(compute(view, bundle.vocabulary), *_history(view, bundle, config)) for view in views]
    matrix, seen, young, strange = (np.concatenate(column) for column in zip(*computed, strict=True))
    chances = bundle.readiness(matrix)
    bounds, support = bundle.certainty.bounds, bundle.certainty.support
    chance, spread = chances[:, config.rank_index], bundle.spread(matrix, config.rank_index)
    own = int((~leads.guest).sum())
    ended = int((leads.heard & (leads.ended_at < as_of)).sum())
    objected = int((leads.objected & ~leads.guest).sum())
    counts = Counts(own, len(snapshots), objected, ended, own - len(snapshots) - objected - ended)
    scored = Scored(
        lead_id=[leads.lead_id[row] for row in snapshots.lead],
        account_id=[leads.account_id[row] for row in snapshots.lead],
        chances=chances,
        bounds=np.column_stack(bounds.around(chance, spread)),
        known=known(seen, young, strange, support.outside(matrix), bounds.surprise(chance, spread), support),
        reasons=_reasons(bundle, matrix, config),
    )
    return scored, counts


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


def _reasons(bundle: Bundle, matrix: Matrix, config: Config) -> list[list[Reason]]:
    """Pick the strongest concepts of each lead, and for each the feature that says most in the same direction."""
    parts = explain(bundle, matrix, config.rank_index).by_feature
    concepts = sorted({feature.concept for feature in bundle.features})
    member = np.array([concepts.index(feature.concept) for feature in bundle.features], dtype=np.int64)
    chosen: list[list[Reason]] = []
    for values, row in zip(parts, matrix, strict=True):
        totals = np.bincount(member, weights=values, minlength=len(concepts))
        # A concept that adds nothing is no reason.
        strongest = [k for k in np.argsort(-np.abs(totals), kind="stable")[:N_REASONS] if totals[k]]
        chosen.append([_reason(bundle, concepts[k], values * (member == k), totals[k], row, config) for k in strongest])
    return chosen


def _reason(bundle: Bundle, concept: str, values: Floats, total: float, row: Matrix, config: Config) -> Reason:
    sign = 1 if total >= 0 else -1
    best = int(np.argmax(values * sign))
    return concept, bundle.features[best].say(float(row[best]), config.language), sign


def rank(
    parts: Iterable[Scored],
    bundle: Bundle,
    config: Config,
    as_of: int,
    run_id: str,
    previous: Mapping[str, int],
    *,
    comparable: bool = True,
) -> pa.Table:
    """Put the buckets together and rank them.

    Args:
        parts: The scored buckets, in any order.
        bundle: The model.
        config: Horizons, capacity, validity.
        as_of: The moment of the slot.
        run_id: Name of the run.
        previous: Score of each lead in the previous slot; empty without one.
        comparable: Whether those scores are of the same model. Another model has another reference: its scores are
            told, but no trend is made of them.

    Returns:
        One row per lead at risk, in rank order, with the columns of `scores_schema`.
    """
    pieces = [part for part in parts if len(part)]
    lead_id = [lead for part in pieces for lead in part.lead_id]
    chances = np.concatenate([part.chances for part in pieces]) if pieces else np.zeros((0, len(config.horizons)))
    order = rank_order(chances, config.rank_index, lead_id)
    chances = chances[order]
    chance = chances[:, config.rank_index]
    scores = score(chance, bundle.reference)
    ids = [lead_id[row] for row in order]
    before = [previous.get(lead) for lead in ids]
    grade = grades(len(ids), config.capacity)
    words = _in_order([word for part in pieces for word in part.known], order)
    bounds = np.concatenate([np.zeros((0, 2)), *(part.bounds for part in pieces)])[order]
    columns: dict[str, Any] = {
        "lead_id": ids,
        "account_id": _in_order([account for part in pieces for account in part.account_id], order),
        "as_of": [as_of] * len(ids),
        "run_id": [run_id] * len(ids),
        "model_version": [bundle.version] * len(ids),
        "rank": range(1, len(ids) + 1),
        "score": scores,
        "grade": grade,
        **{f"p_{name}": chances[:, k] for k, name in enumerate(config.horizon_names)},
        "p_lo": bounds[:, 0],
        "p_hi": bounds[:, 1],
        "known": words,
        "trend": [trend(int(now), then if comparable else None) for now, then in zip(scores, before, strict=True)],
        "score_prev": before,
        **_reason_columns(_in_order([reasons for part in pieces for reasons in part.reasons], order)),
        "action": actions(grade, words, ids, as_of, config.seed, config.delivery.explore_share),
        "expires_at": [as_of + (config.delivery.valid_for or config.horizons[0]).microseconds] * len(ids),
    }
    schema = scores_schema(config.horizon_names)
    return pa.table({field.name: _array(columns[field.name], field.type) for field in schema}, schema=schema)


def exploration(table: pa.Table, config: Config) -> dict[str, Any]:
    """Return what is logged of the lots of a ranked list: how many could be drawn, how many were."""
    could = unexplored(table["grade"].to_pylist(), table["known"].to_pylist())
    return {
        "share": config.delivery.explore_share,
        "seed": config.seed,
        "eligible": int(could.sum()),
        "drawn": table["action"].to_pylist().count(EXPLORE),
    }


def scores_schema(horizons: Sequence[str]) -> pa.Schema:
    """Return the columns of `scores.parquet`, in order. One row per lead_id."""
    text, moment, chance, small = pa.string(), pa.timestamp("us", "UTC"), pa.float64(), pa.int32()
    reasons = [
        field
        for number in range(1, N_REASONS + 1)
        for field in (
            (f"reason_{number}_code", text),
            (f"reason_{number}_text", text),
            (f"reason_{number}_sign", pa.int8()),
        )
    ]
    return pa.schema(
        [
            ("lead_id", text),
            ("account_id", text),
            ("as_of", moment),
            ("run_id", text),
            ("model_version", text),
            ("rank", small),
            ("score", small),
            ("grade", text),
            *((f"p_{name}", chance) for name in horizons),
            ("p_lo", chance),
            ("p_hi", chance),
            ("known", text),
            ("trend", text),
            ("score_prev", small),
            *reasons,
            ("action", text),
            ("expires_at", moment),
        ]
    )


def _reason_columns(reasons: Sequence[Sequence[Reason]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for number in range(N_REASONS):
        for place, part in enumerate(("code", "text", "sign")):
            columns[f"reason_{number + 1}_{part}"] = [
                of_lead[number][place] if number < len(of_lead) else None for of_lead in reasons
            ]
    return columns


def _in_order(values: Sequence[Any], order: Ints) -> list[Any]:
    return [values[row] for row in order]


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind, from_pandas=pa.types.is_floating(kind))
