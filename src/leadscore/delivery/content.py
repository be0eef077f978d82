"""What the files for people show, in words and numbers that are settled: workbook, page, terminal only lay them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from leadscore.language import Language
from leadscore.scoring.panel import Panel, Touch
from leadscore.scoring.reasons import Reason

__all__ = ["MOVES", "Bin", "Change", "Content", "GradeLine", "Panel", "Quality", "Reason", "Tenth", "Touch"]

MOVES = ("new_in_a", "fell_out_of_a", "went_cold", "improving", "declining", "new", "gone")
"""What may have become of a lead since the slot before, the most telling first."""


@dataclass(frozen=True)
class Change:
    """What became of a lead since the slot before.

    Attributes:
        lead_id: Whose.
        moves: Of MOVES, the most telling first; never empty.
        rank, grade, score: Now; None for one that is gone.
        rank_before, grade_before, score_before: In the slot before; None for a new one.
        why: A sentence: what moved its margin most, or that it cooled, or what was learned late, or how it left.
    """

    lead_id: str
    moves: Sequence[str]
    rank: int | None
    grade: str | None
    score: int | None
    rank_before: int | None
    grade_before: str | None
    score_before: int | None
    why: str


@dataclass(frozen=True)
class GradeLine:
    """A grade: its cut in this list, and what it was worth.

    Attributes:
        grade: A to D.
        leads: How many now.
        lowest, highest: Chances at the ranking horizon in this list; None for a grade nobody has.
        promised: Their sum.
        past_leads, past_promised, past_converted: The same grade in lists whose horizon has closed.
    """

    grade: str
    leads: int
    lowest: float | None
    highest: float | None
    promised: float
    past_leads: int
    past_promised: float
    past_converted: int


@dataclass(frozen=True)
class Tenth:
    """A tenth of the judged lists, the readiest first: leads, what was promised of them, who converted."""

    leads: int
    promised: float
    converted: int


@dataclass(frozen=True)
class Bin:
    """Leads that were told about the same chance: how many, the chance, the rate, and its 90 % interval."""

    leads: int
    promised: float
    happened: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    """How good such lists were, on the lists of the past on which models that had not seen them were judged.

    Attributes:
        horizon: The ranking horizon, as configured: `30d`.
        since, until: Moments of the first and the last judged list.
        lists: How many; a lead may stand on several.
        leads, conversions: Over all of them.
        worked: How many leads a list's team works: the capacity.
        found, found_by_recency: Of `conversions`, how many stood among the first `worked` of their lists, by the model
            and by the time since the last interaction alone.
        tenths: Ten, readiest first.
        gain: (share of the list worked, share of the conversions found), from (0, 0) to (1, 1), by `model`, `recency`,
            and `ideal`.
        bins: The calibration.
    """

    horizon: str
    since: int
    until: int
    lists: int
    leads: int
    conversions: int
    worked: int
    found: int
    found_by_recency: int
    tenths: Sequence[Tenth]
    gain: Mapping[str, Sequence[tuple[float, float]]]
    bins: Sequence[Bin]


@dataclass(frozen=True)
class Content:
    """A slot as people see it.

    Attributes:
        project: Its name.
        slot: Name of the slot's folder.
        as_of: Moment of the list, microseconds in UTC.
        time_zone: In which moments are shown.
        language: Of every word.
        horizons: As configured, shortest first: `14d`.
        ranked_by: One of them.
        capacity: How many leads the team works.
        expires_at: When the list is no longer worth much.
        model: Version of the model.
        trained_as_of: What it knows is older than this moment.
        left_out: Leads that are not on the list, by reason: `ended`, `closed`, `objected`.
        before: Moment of the slot before; None without one.
        scores: The file of record, in rank order; its columns are those of `scores.parquet`.
        shown: More columns of text asked for (`delivery.columns`), by name, one value per row of `scores`.
        links: Address of each row's record in the CRM (`delivery.record_url`); empty when not configured.
        panels: Of the first leads of the list, by `lead_id`.
        changes: What is worth telling, by importance.
        quality: None where the past was too short to judge.
        grades: A to D.
        warnings: What the reader should know first, in sentences.
    """

    project: str
    slot: str
    as_of: int
    time_zone: str
    language: Language
    horizons: Sequence[str]
    ranked_by: str
    capacity: int
    expires_at: int
    model: str
    trained_as_of: int
    left_out: Mapping[str, int]
    before: int | None
    scores: pa.Table
    panels: Mapping[str, Panel]
    changes: Sequence[Change]
    quality: Quality | None
    grades: Sequence[GradeLine]
    shown: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    links: Sequence[str] = ()
    warnings: Sequence[str] = ()
