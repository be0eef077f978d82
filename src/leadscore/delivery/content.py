"""What the files for people show, in words and numbers that are settled: workbook, page, terminal only lay them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from leadscore.language import Language
from leadscore.scoring.panel import Panel, Touch
from leadscore.scoring.reasons import Reason

__all__ = [
    "MOVES",
    "Bin",
    "Change",
    "Content",
    "GradeLine",
    "Panel",
    "PastList",
    "Quality",
    "Reason",
    "Tally",
    "Tenth",
    "Touch"
]  # fmt: skip

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
class Tally:
    """Leads of past lists whose horizon has closed: how many, what was promised of them, who converted."""

    leads: int = 0
    promised: float = 0.0
    converted: int = 0


@dataclass(frozen=True)
class PastList:
    """Grade A of one past list whose horizon has closed.

    Attributes:
        as_of: Its moment.
        tally: What was promised of its A, and what came.
        delivered: Whether people had it; else it was made afterwards, by a model that had not seen what followed.
    """

    as_of: int
    tally: Tally
    delivered: bool = False


@dataclass(frozen=True)
class GradeLine:
    """A grade: its cut in this list, and what it was worth.

    Attributes:
        grade: A to D.
        leads: How many now.
        lowest, highest: Chances at the ranking horizon in this list; None for a grade nobody has.
        promised: Their sum.
        judged: The same grade in the lists on which models were judged.
        delivered: The same grade in lists that people had, as far as their horizon has closed.
        between: 90 % interval of `judged.converted`, leads or accounts drawn anew.
    """

    grade: str
    leads: int
    lowest: float | None
    highest: float | None
    promised: float
    judged: Tally = Tally()
    delivered: Tally = Tally()
    between: tuple[float, float] = (0.0, 0.0)


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
        between: 90 % interval of `conversions`, leads or accounts drawn anew.
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
    between: tuple[float, float]
    worked: int
    found: int
    found_by_recency: int
    tenths: Sequence[Tenth]
    gain: Mapping[str, Sequence[tuple[float, float]]]
    bins: Sequence[Bin]

    @property
    def promised(self) -> float:
        """How many of `leads` were expected to convert."""
        return sum(tenth.promised for tenth in self.tenths)


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
        changes: What is worth telling of leads that have or had A or B, by importance; of very many the first.
        moved: How many leads have moved in each way, of all that are worth telling; by MOVES, without those nobody did.
        changed: How many leads these are.
        quality: None where the past was too short to judge.
        grades: A to D.
        past_lists: Grade A of past lists, oldest first; from the first delivered one on, only delivered ones.
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
    past_lists: Sequence[PastList] = ()
    moved: Mapping[str, int] = field(default_factory=dict)
    changed: int = 0
    warnings: Sequence[str] = ()
