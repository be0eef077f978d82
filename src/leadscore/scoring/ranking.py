"""The ranked list: the scored buckets put together, and the columns of what is delivered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from leadscore.config import Config
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle
from leadscore.scoring.grade import (
    EXPLORE,
    Ints,
    Lane,
    actions,
    explored,
    grades,
    rank_order,
    score,
    slots_for,
    trend,
    unexplored,
)
from leadscore.scoring.reasons import Reason
from leadscore.scoring.score import N_REASONS, OFFSET, Earlier, Scored


def rank(
    parts: Iterable[Scored],
    bundle: Bundle,
    config: Config,
    as_of: int,
    run_id: str,
    earlier: Earlier | None = None,
) -> pa.Table:
    """Put the buckets together and rank them.

    Args:
        parts: The scored buckets, in any order.
        bundle: The model.
        config: Horizons, capacity, validity.
        as_of: The moment of the slot.
        run_id: Name of the run.
        earlier: The slot before; None without one.

    Returns:
        One row per lead at risk, in rank order, with the columns of `scores_schema`.
    """
    pieces = [part for part in parts if len(part)]
    lead_id = [lead for part in pieces for lead in part.lead_id]
    chances = np.concatenate([part.chances for part in pieces]) if pieces else np.zeros((0, len(config.horizons)))
    order = rank_order(chances, config.rank_index, lead_id)
    chances, ids = chances[order], _in_order(lead_id, order)
    bounds = np.concatenate([np.zeros((0, 2)), *(part.bounds for part in pieces)])[order]
    columns: dict[str, Any] = {
        "lead_id": ids,
        "account_id": _in_order([account for part in pieces for account in part.account_id], order),
        "as_of": [as_of] * len(ids),
        "run_id": [run_id] * len(ids),
        "model_version": [bundle.version] * len(ids),
        "rank": range(1, len(ids) + 1),
        **{f"p_{name}": chances[:, k] for k, name in enumerate(config.horizon_names)},
        "p_lo": bounds[:, 0],
        "p_hi": bounds[:, 1],
        **_standing(pieces, ids, chances[:, config.rank_index], order, bundle, config, as_of, earlier),
        **_reason_columns(_in_order([reasons for part in pieces for reasons in part.reasons], order)),
        "expires_at": [as_of + (config.delivery.valid_for or config.horizons[0]).microseconds] * len(ids),
    }
    schema = scores_schema(config.horizon_names)
    return pa.table({field.name: _array(columns[field.name], field.type) for field in schema}, schema=schema)


def _standing(
    pieces: Sequence[Scored],
    ids: Sequence[str],
    chance: Floats,
    order: Ints,
    bundle: Bundle,
    config: Config,
    as_of: int,
    earlier: Earlier | None,
) -> dict[str, Any]:
    """Say of each lead of the list what people act on: score, grade, how much is known, trend, action."""
    scores, grade = score(chance, bundle.reference), grades(len(ids), config.capacity)
    words = _in_order([word for part in pieces for word in part.known], order)
    before = [earlier.scores.get(lead) if earlier else None for lead in ids]
    comparable = earlier is not None and earlier.comparable
    trends = [trend(int(now), then if comparable else None) for now, then in zip(scores, before, strict=True)]
    waiting = np.concatenate([np.zeros(0, np.int64), *(part.unanswered for part in pieces)])[order]
    ruled = actions(config.delivery.actions, grade, words, trends, waiting)
    drawn = explored(grade, words, ids, as_of, config.seed, lane(len(ids), config))
    return {
        "score": scores,
        "grade": grade,
        "known": words,
        "trend": trends,
        "score_prev": before,
        "action": [EXPLORE if out else word for word, out in zip(ruled, drawn, strict=True)],
    }


def lane(leads: int, config: Config) -> Lane:
    """Return how many leads may be drawn to be explored: a share of those that could be, and what the team bears."""
    most = config.delivery.explore_most
    team = slots_for(leads, config.capacity)
    return Lane(config.delivery.explore_share, math.ceil(team / 10) if most is None else most)


def exploration(table: pa.Table, config: Config) -> dict[str, Any]:
    """Return what is logged of the lots of a ranked list: how many could be drawn, how many were, and the odds."""
    could = int(unexplored(table["grade"].to_pylist(), table["known"].to_pylist()).sum())
    return {
        "share": config.delivery.explore_share,
        "most": lane(table.num_rows, config).most,
        "seed": config.seed,
        "eligible": could,
        "drawn": table["action"].to_pylist().count(EXPLORE),
    }


def weights_table(parts: Iterable[Scored], lead_ids: Sequence[str]) -> pa.Table:
    """Put together what each concept adds to each lead's margin.

    Returns:
        One row per lead_id, in the order given: `lead_id`, `offset`, and a float32 column per concept; a row's numbers
        add up to the margin.
    """
    pieces = [part for part in parts if len(part)]
    place = {lead: row for row, lead in enumerate(lead for part in pieces for lead in part.lead_id)}
    order = np.array([place[lead] for lead in lead_ids], dtype=np.int64)
    concepts = pieces[0].concepts if pieces else ()
    empty = np.zeros((0, len(concepts)), np.float32)
    added = np.concatenate([empty, *(part.weights for part in pieces)])[order]
    margin = np.concatenate([np.zeros(0), *(part.margin for part in pieces)])[order]
    offset = margin - added.sum(axis=1, dtype=np.float64)
    columns = {concept: added[:, number] for number, concept in enumerate(concepts)}
    return pa.table({"lead_id": pa.array(lead_ids, pa.string()), OFFSET: offset, **columns})


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
        own = [of_lead[number] if number < len(of_lead) else None for of_lead in reasons]
        columns[f"reason_{number + 1}_code"] = [reason and reason.code for reason in own]
        columns[f"reason_{number + 1}_text"] = [reason and reason.text for reason in own]
        columns[f"reason_{number + 1}_sign"] = [reason and reason.sign for reason in own]
    return columns


def _in_order(values: Sequence[Any], order: Ints) -> list[Any]:
    return [values[row] for row in order]


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind, from_pandas=pa.types.is_floating(kind))
