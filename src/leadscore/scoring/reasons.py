"""Why: what each concept adds to a lead's margin, and the sentences that say it."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from leadscore.features import plain
from leadscore.features.catalogue import ALL, Feature, readable
from leadscore.features.infusion import Scale
from leadscore.features.view import Matrix
from leadscore.language import Language
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle
from leadscore.model.explain import explain

Places = npt.NDArray[np.int64]

_TOGETHER = 3  # reasons that are read in one row


@dataclass(frozen=True, slots=True)
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
        offset: Where the snapshot starts, nearly the same for all (see `explain.Contributions`).
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
    def _all_facts(self) -> Sequence[Feature]:
        """The plain facts; none where nobody knows what is usual."""
        return plain.catalogue(self.bundle.vocabulary) if len(self.bundle.usual.facts) else ()

    @cached_property
    def _facts(self) -> dict[tuple[str, str], list[tuple[int, Feature]]]:
        """The same with their places, by kind and channel, shortest window first."""
        found: dict[tuple[str, str], list[tuple[int, Feature]]] = {}
        for place, fact in enumerate(self._all_facts):
            found.setdefault((fact.kind, fact.channel), []).append((place, fact))
        return found

    @cached_property
    def _degrees(self) -> Floats:
        """What a touch of each kind adds to the temperature; nothing of the kinds we push, which are not the lead's."""
        vocabulary = self.bundle.vocabulary
        weights = {**Scale.of(vocabulary).weights, **dict.fromkeys(vocabulary.pushed, 0.0)}
        return np.array([weights[kind] for kind in plain.kinds(vocabulary)], dtype=np.float64)

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
        chosen = weights.strongest(max(number, _TOGETHER))  # a reason reads the same however many are asked for
        columns = np.zeros_like(chosen)
        for concept in np.unique(chosen[chosen >= 0]).tolist():
            rows, ranks = np.nonzero(chosen == concept)
            signs = np.where(weights.by_concept[rows, concept] >= 0, 1.0, -1.0)
            columns[rows, ranks] = self._speaking(concept, weights, rows, matrix, signs)
        added = np.take_along_axis(weights.by_concept, chosen, axis=1)
        leads = zip(chosen, columns, added, matrix, facts, strict=True)
        return [self._told(*lead)[:number] for lead in leads]

    def say(self, concepts: Places, weights: Weights, matrix: Matrix, facts: Matrix, signs: Floats) -> list[str]:
        """Say one concept of each snapshot, by the feature that says most in a direction (1 or -1)."""
        told = [""] * len(concepts)
        for concept in np.unique(concepts).tolist():
            rows = np.flatnonzero(concepts == concept)
            columns = self._speaking(concept, weights, rows, matrix, signs[rows])
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                told[row] = next(self._ways(concept, column, matrix[row], facts[row]))
        return told

    def _told(self, chosen: Places, columns: Places, added: Floats, matrix: Matrix, facts: Matrix) -> list[Reason]:
        """Say the concepts of a snapshot, strongest first, none in the words of a stronger one."""
        reasons: list[Reason] = []
        said: set[str] = set()
        number = int((chosen >= 0).sum())
        spoken = columns[:number].tolist()
        told = {self.bundle.features[column].kind for column in spoken[:_TOGETHER]}
        for concept, column, weight in zip(chosen.tolist(), spoken, added.tolist(), strict=False):
            ways = self._ways(concept, column, matrix, facts, told)
            first = next(ways)
            text = first if first not in said else next((way for way in ways if way not in said), first)
            reasons.append(Reason(self.concepts[concept], text, weight))
            said.add(text)
        return reasons

    def _speaking(self, concept: int, weights: Weights, rows: Places, matrix: Matrix, signs: Floats) -> Places:
        """Return the column that speaks for a concept: of each snapshot the one that says most in a direction."""
        first, last = self._begins[concept], self._begins[concept + 1]
        columns = self._order[first:last]
        lead = weights.by_feature[rows, first:last] * signs[:, None]
        if all(self.bundle.features[column].unit == "flag" for column in columns):
            # Of a word the lead has its own is said; that it is not another one, only where it has none of these.
            lead = np.where(matrix[np.ix_(rows, columns)] == 1, lead + np.ptp(lead) + 1, lead)
        return self._spoken(columns, columns[np.argmax(lead, axis=1)], matrix[rows])

    def _spoken(self, columns: Places, best: Places, matrix: Matrix) -> Places:
        """Let the voice of a concept speak, where it says the same as the feature that says most."""
        voice = next((column for column in columns.tolist() if self.bundle.features[column].voice), None)
        if voice is None:
            return best
        usual, rows = np.array(self._usual), np.arange(len(matrix))
        same = np.sign(matrix[:, voice] - usual[voice]) == np.sign(matrix[rows, best] - usual[best])
        return np.where(same, voice, best)

    def _ways(
        self, concept: int, column: int, matrix: Matrix, facts: Matrix, told: Container[str] = ()
    ) -> Iterator[str]:
        """Say a concept, the best way first: counts that tell the same, the value, its other values.

        Kinds that other reasons tell of are no detail of a count of all: `told`.
        """
        feature, value, usual = self.bundle.features[column], float(matrix[column]), self._usual[column]
        way = _sign(value - usual)
        if not math.isnan(value - usual):
            yield from self._counted(feature, -way if feature.falls else way, facts, told)
        yield self._said(feature, value, usual)
        others = self._order[self._begins[concept] : self._begins[concept + 1]].tolist()
        for other in sorted(others, key=lambda other: self._way(other, matrix) != way):
            yield self._said(self.bundle.features[other], float(matrix[other]), self._usual[other])

    def _way(self, column: int, matrix: Matrix) -> int:
        """Return whether a value is more than usual (1), less (-1), or neither."""
        return _sign(float(matrix[column]) - self._usual[column])

    def _counted(self, feature: Feature, way: int, facts: Matrix, told: Container[str]) -> Iterator[str]:
        """Say the counts that stand on the same side of the usual as a value does, of the shortest window first."""
        for place, fact in self._facts.get((feature.kind, feature.channel), ()):
            count, usual = float(facts[place]), self._usual_facts[place]
            if _sign(count - usual) == way:
                if way > 0 and (fact.kind, fact.channel) == (ALL, ""):
                    yield self._in_detail(place, fact, facts, told)
                else:
                    yield self._said(fact, count, usual)

    def _in_detail(self, place: int, fact: Feature, facts: Matrix, told: Container[str]) -> str:
        """Say how many interactions there were, and how many of the lead's own that warm most among them."""
        apart = len(self.bundle.vocabulary.windows)
        own = range(place % apart, len(self._degrees) * apart, apart)  # of each kind the count in the same window
        counts = facts[own]
        most = int((counts * self._degrees).argmax())
        number = int(counts[most])
        if number == facts[place] and number > self._usual_facts[own[most]]:
            place, fact = own[most], self._all_facts[own[most]]
        elif self._degrees[most] and 0 < number < facts[place] and self._all_facts[own[most]].kind not in told:
            fact = self._including(place, most, number)
        return self._said(fact, float(facts[place]), self._usual_facts[place])

    def _including(self, place: int, kind: int, number: int) -> Feature:
        key = place, kind, number
        if key not in self._details:
            vocabulary = self.bundle.vocabulary
            self._details[key] = plain.including(
                self._all_facts[place], plain.kinds(vocabulary)[kind], number, vocabulary
            )
        return self._details[key]

    def _said(self, feature: Feature, value: float, usual: float) -> str:
        """Say a value as it reads, or say again what was said of one that reads the same."""
        shown = readable(value, feature.unit)
        key = feature.name, None if math.isnan(shown) else shown
        if key not in self._remembered:
            self._remembered[key] = feature.say_beside(shown, usual, self.language)
        return self._remembered[key]

    @cached_property
    def _details(self) -> dict[tuple[int, int, int], Feature]:
        return {}

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
