"""Why: what each concept adds to a lead's margin, and the sentences that say it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from leadscore.features import plain
from leadscore.features.catalogue import Feature, readable
from leadscore.features.view import Matrix
from leadscore.language import Language
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle
from leadscore.model.explain import explain

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reason:
    """Why a lead stands where it stands: one concept.

    Attributes:
        code: The concept.
        text: A sentence with the lead's own value and the usual one, in the language of the slot.
        weight: What it adds to the margin (logit scale); positive speaks for the lead, negative against it.
    """

    code: str
    text: str
    weight: float

    @property
    def sign(self) -> int:
        """1 when it speaks for the lead, -1 against it."""
        return 1 if self.weight >= 0 else -1


@dataclass(frozen=True)
class Weights:
    """What the concepts add: one row per snapshot, one column per concept; with `offset` a row adds up to `margin`.

    Attributes:
        by_concept: On the logit scale.
        by_feature: The same feature by feature, in the order of the speaker's concepts.
        offset: What all leads share.
        margin: See `explain.Contributions`.
    """

    by_concept: Floats
    by_feature: Floats
    offset: Floats
    margin: Floats

    def take(self, rows: Places) -> Weights:
        """Select snapshots."""
        return Weights(self.by_concept[rows], self.by_feature[rows], self.offset[rows], self.margin[rows])

    def strongest(self, number: int) -> Places:
        """Return the concepts that add or take most, strongest first: (snapshots, number); -1 where nothing is left."""
        size = np.abs(self.by_concept)
        order = np.argsort(-size, axis=1, kind="stable")[:, :number]
        return np.where(np.take_along_axis(size, order, axis=1) > 0, order, -1)


@dataclass(frozen=True)
class Speaker:
    """What a bundle says of leads, in one language."""

    bundle: Bundle
    language: Language

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """The codes of reasons, sorted."""
        return tuple(sorted({feature.concept for feature in self.bundle.features}))

    @cached_property
    def _member(self) -> Places:
        """The concept of each column of the matrix."""
        return np.array([self.concepts.index(feature.concept) for feature in self.bundle.features], dtype=np.int64)

    @cached_property
    def _order(self) -> Places:
        """Columns of the matrix, concept by concept."""
        return np.argsort(self._member, kind="stable")

    @cached_property
    def _begins(self) -> Places:
        """Where each concept begins in the order, and where the last one ends."""
        return np.append(0, np.cumsum(np.bincount(self._member)))

    @cached_property
    def _facts(self) -> dict[str, list[tuple[int, Feature]]]:
        """Per kind, the plain facts there are of it, shortest window first; none where nobody knows what is usual."""
        found: dict[str, list[tuple[int, Feature]]] = {}
        if len(self.bundle.usual.facts):
            for place, (kind, fact) in enumerate(plain.catalogue(self.bundle.vocabulary)):
                found.setdefault(kind, []).append((place, fact))
        return found

    def weigh(self, matrix: Matrix, horizon: int) -> Weights:
        """Split the margins of snapshots into what each concept adds (see `explain.explain`)."""
        parts = explain(self.bundle, matrix, horizon)
        by_feature = parts.by_feature[:, self._order]
        by_concept = np.add.reduceat(by_feature, self._begins[:-1], axis=1)
        return Weights(by_concept, by_feature, parts.offset, parts.margin)

    def reasons(self, weights: Weights, matrix: Matrix, facts: Matrix, number: int) -> list[list[Reason]]:
        """Say the strongest concepts of each snapshot; a concept that adds nothing is no reason.

        Args:
            weights: What `weigh` gave.
            matrix: The features.
            facts: The plain facts of the same snapshots.
            number: How many reasons at most.
        """
        chosen = weights.strongest(number)
        told: list[list[Reason | None]] = [[None] * chosen.shape[1] for _ in chosen]
        for concept in np.unique(chosen[chosen >= 0]).tolist():
            rows, ranks = np.nonzero(chosen == concept)
            signs = np.where(weights.by_concept[rows, concept] >= 0, 1.0, -1.0)
            texts = self._say(concept, weights, rows, matrix, facts, signs)
            code, added = self.concepts[concept], weights.by_concept[rows, concept].tolist()
            for row, rank, text, weight in zip(rows.tolist(), ranks.tolist(), texts, added, strict=True):
                told[row][rank] = Reason(code, text, weight)
        return [[reason for reason in row if reason is not None] for row in told]

    def say(self, concepts: Places, weights: Weights, matrix: Matrix, facts: Matrix, signs: Floats) -> list[str]:
        """Say one concept of each snapshot, by the feature that says most in a direction (1 or -1)."""
        told = [""] * len(concepts)
        for concept in np.unique(concepts).tolist():
            rows = np.flatnonzero(concepts == concept)
            texts = self._say(concept, weights, rows, matrix, facts, signs[rows])
            for row, text in zip(rows.tolist(), texts, strict=True):
                told[row] = text
        return told

    def _say(
        self, concept: int, weights: Weights, rows: Places, matrix: Matrix, facts: Matrix, signs: Floats
    ) -> list[str]:
        first, last = self._begins[concept], self._begins[concept + 1]
        columns = self._order[first:last]
        lead = weights.by_feature[rows, first:last] * signs[:, None]
        if all(self.bundle.features[column].unit == "flag" for column in columns):
            # Of a word the lead has its own is said; that it is not another one, only where it has none of these.
            lead = np.where(matrix[np.ix_(rows, columns)] == 1, lead + np.ptp(lead) + 1, lead)
        best = self._spoken(columns, columns[np.argmax(lead, axis=1)], matrix[rows])
        values = matrix[rows, best].tolist()
        return [
            self._sentence(column, value, facts[row])
            for column, value, row in zip(best.tolist(), values, rows.tolist(), strict=True)
        ]

    def _spoken(self, columns: Places, best: Places, matrix: Matrix) -> Places:
        """Let the voice of a concept speak, where it says the same as the feature that says most."""
        voice = next((column for column in columns.tolist() if self.bundle.features[column].voice), None)
        if voice is None:
            return best
        usual, rows = np.array(self._usual), np.arange(len(matrix))
        same = np.sign(matrix[:, voice] - usual[voice]) == np.sign(matrix[rows, best] - usual[best])
        return np.where(same, voice, best)

    def _sentence(self, column: int, value: float, facts: Matrix) -> str:
        """Say a value beside the usual one; of a warmth how often it came, where that tells the same."""
        feature, usual = self.bundle.features[column], self._usual[column]
        known = self._facts.get(feature.kind, ()) if feature.kind else ()
        for place, fact in known:
            count, of_count = float(facts[place]), self._usual_facts[place]
            if _sign(count - of_count) == _sign(value - usual):
                return self._said(fact, count, of_count)
        return self._said(feature, value, usual)

    def _said(self, feature: Feature, value: float, usual: float) -> str:
        """Say a value as it reads, or say again what was said of one that reads the same."""
        shown = readable(value, feature.unit)
        key = feature.name, None if math.isnan(shown) else shown
        if key not in self._remembered:
            self._remembered[key] = feature.say_beside(shown, usual, self.language)
        return self._remembered[key]

    @cached_property
    def _remembered(self) -> dict[tuple[str, float | None], str]:
        return {}

    @cached_property
    def _usual(self) -> Sequence[float]:
        usual: list[float] = self.bundle.usual.features.tolist()
        return usual

    @cached_property
    def _usual_facts(self) -> Sequence[float]:
        usual: list[float] = self.bundle.usual.facts.tolist()
        return usual


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
