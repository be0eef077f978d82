"""The list of a flat export: chance, rank, grade and reasons of each lead, and how its columns differ from training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from leadscore.config import Language
from leadscore.errors import DataError
from leadscore.features.view import Matrix
from leadscore.flat.bundle import FlatBundle
from leadscore.flat.columns import NUMERIC_SHARE, Encoding, Ints, Texts, is_given, not_known, place_of
from leadscore.labels import Flags
from leadscore.model.base import Floats
from leadscore.model.certainty import Support
from leadscore.scoring.grade import grades, rank_order, score

N_REASONS = 3
_BLOCK = 2**15  # leads explained at a time: what each feature adds to each would fill any memory
_STRANGE_SHARE = 0.2
_MOST = 0.25  # as in `scoring.grade.known`

Reason = tuple[str, str, int]


def compare(columns: Mapping[str, Texts], bundle: FlatBundle) -> list[str]:
    """Say what the columns have become since training.

    Returns:
        Warnings about columns many of whose words have no column of their own in the model.

    Raises:
        DataError: a column was of numbers and no longer is.
    """
    encoding = bundle.learned.encoding
    retyped = [told for name, kind in encoding.kinds.items() if kind == "number" and (told := _retyped(columns, name))]
    if retyped:
        raise DataError(
            f"Columns are no longer what they were in training: {'; '.join(retyped)}.",
            "Ask for the file as it was, or train again with `leadscore train --flat`.",
        )
    return [told for name in encoding.words if (told := _strange(columns[name], name, bundle))]


def _retyped(columns: Mapping[str, Texts], name: str) -> str:
    texts = columns[name]
    counts = texts.counts()
    given = np.array([is_given(word) for word in texts.words], dtype=np.bool_)
    whole, read = int(counts[given].sum()), int(np.isfinite(texts.numbers).sum())
    if read >= NUMERIC_SHARE * whole:
        return ""
    return f"{name} was of numbers, and {whole - read:,} of {whole:,} values are none"


def _strange(texts: Texts, name: str, bundle: FlatBundle) -> str:
    now, then = bundle.learned.encoding.other_share(name, texts), bundle.others[name]
    if now - then < _STRANGE_SHARE:
        return ""
    return f"Column {name}: {now:.0%} of the values are rare or were never seen in training, where {then:.0%} were."


@dataclass(frozen=True)
class Scored:
    """One row per lead, not yet ranked."""

    chances: Floats
    known: Sequence[str]
    reasons: Sequence[Sequence[Reason]]


def score_leads(columns: Mapping[str, Texts], rows: Ints, bundle: FlatBundle, language: Language) -> Scored:
    """Score some rows; each by itself, whoever else is among them."""
    blocks = [_score_block(columns, block, bundle, language) for block in _blocks(rows)]
    return Scored(
        np.concatenate([np.zeros(0), *(block.chances for block in blocks)]),
        [word for block in blocks for word in block.known],
        [reasons for block in blocks for reasons in block.reasons],
    )


def _blocks(rows: Ints) -> list[Ints]:
    return [rows[first : first + _BLOCK] for first in range(0, len(rows), _BLOCK)]


def _score_block(columns: Mapping[str, Texts], rows: Ints, bundle: FlatBundle, language: Language) -> Scored:
    matrix, encoding = bundle.matrix(columns, rows), bundle.learned.encoding
    places = {name: place_of(columns[name].take(rows), words) for name, words in encoding.words.items()}
    strange = np.zeros(len(rows), dtype=np.bool_)
    absent = np.ones(len(rows), dtype=np.bool_)
    for name, kind in encoding.kinds.items():
        if kind == "words":
            # A column without a frequent word is strange in everybody.
            strange |= (places[name] == len(encoding.words[name])) & bool(encoding.words[name])
            absent &= places[name] < 0
        else:
            absent &= np.isnan(columns[name].numbers[rows])
    return Scored(
        bundle.chances(matrix),
        known(absent, strange, bundle.support.outside(matrix), bundle.support),
        list(_reasons(bundle, matrix, language)),
    )


def known(absent: Flags, strange: Flags, outside: Floats, support: Support) -> list[str]:
    """Say how much is known of each lead: never `high`, for a lead without a history is not known well.

    unknowable: no column is given, or a quarter of the features, and more than of nearly any trained row, outside what
    training saw; low: a word without a column of its own, or as far outside as one trained row of a thousand; medium:
    the rest.
    """
    steps = [absent | (outside > max(_MOST, support.far)), strange | (outside > support.far)]
    return [str(word) for word in np.select(steps, ["unknowable", "low"], "medium")]


def _reasons(bundle: FlatBundle, matrix: Matrix, language: Language) -> list[list[Reason]]:
    """Pick the columns that move each lead's margin most, and say the lead's own value; a column adds up its flags."""
    encoding = bundle.learned.encoding
    names = list(encoding.kinds)
    member = np.array([names.index(feature.concept) for feature in encoding.features], dtype=np.int64)
    totals = bundle.contributions(matrix) @ (member[:, None] == np.arange(len(names)))
    strongest = np.argsort(-np.abs(totals), axis=1, kind="stable")[:, :N_REASONS]
    return [
        [
            (names[k], _say(encoding, member == k, row, language), 1 if moved[k] > 0 else -1)
            for k in chosen.tolist()
            if moved[k]  # what adds nothing is no reason
        ]
        for moved, chosen, row in zip(totals, strongest, matrix, strict=True)
    ]


def _say(encoding: Encoding, own: Flags, row: Matrix, language: Language) -> str:
    places = np.flatnonzero(own).tolist()
    feature = encoding.features[places[0]]
    if encoding.kinds[feature.concept] == "number":
        return feature.say(float(row[places[0]]), language)
    flagged = [place for place in places if row[place] == 1]
    return encoding.features[flagged[0]].say(1.0, language) if flagged else not_known(feature.concept, language)


def rank(lead_id: Sequence[str], scored: Scored, bundle: FlatBundle, run_id: str, capacity: int | None) -> pa.Table:
    """Rank the leads: one row per lead_id, readiest first, with the columns of `scores_schema`."""
    order = rank_order(scored.chances[:, None], 0, lead_id)
    chances = scored.chances[order]
    columns: dict[str, Any] = {
        "lead_id": [lead_id[row] for row in order],
        "run_id": [run_id] * len(order),
        "model_version": [bundle.version] * len(order),
        "rank": np.arange(1, len(order) + 1),
        "score": score(chances, bundle.reference),
        "grade": grades(len(order), capacity),
        "p": chances,
        "known": [scored.known[row] for row in order],
        **_reason_columns([scored.reasons[row] for row in order]),
    }
    schema = scores_schema()
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in schema}, schema=schema)


def _reason_columns(reasons: Sequence[Sequence[Reason]]) -> dict[str, list[Any]]:
    return {
        f"reason_{number + 1}_{part}": [own[number][place] if number < len(own) else None for own in reasons]
        for number in range(N_REASONS)
        for place, part in enumerate(("code", "text", "sign"))
    }


def scores_schema() -> pa.Schema:
    """Return the columns of `scores.parquet` of a flat export, in order. One row per lead_id."""
    text, small = pa.string(), pa.int32()
    reasons = [
        (f"reason_{number}_{part}", kind)
        for number in range(1, N_REASONS + 1)
        for part, kind in (("code", text), ("text", text), ("sign", pa.int8()))
    ]
    return pa.schema(
        [
            ("lead_id", text),
            ("run_id", text),
            ("model_version", text),
            ("rank", small),
            ("score", small),
            ("grade", text),
            ("p", pa.float64()),
            ("known", text),
            *reasons,
        ]
    )
