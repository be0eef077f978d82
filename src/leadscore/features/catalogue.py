"""What a feature is, said once: name, unit, meaning of missing, one sentence in each language."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from leadscore.timeline import DAY, HOUR, MINUTE

Unit = Literal["count", "days", "share", "amount", "flag", "warmth", "ratio"]
Words = Mapping[str, str]

_FELT = 0.005  # less than half a hundredth of a touch is no warmth to people, and would be said as 4.3e-11
_SPANS = (
    (DAY, {"en": ("day", "days"), "fr": ("jour", "jours")}),
    (HOUR, {"en": ("hour", "hours"), "fr": ("heure", "heures")}),
    (MINUTE, {"en": ("minute", "minutes"), "fr": ("minute", "minutes")}),
)


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    Attributes:
        name: Column name; carries window or half-life.
        family: The family it belongs to.
        concept: What it is about, whatever the window; the code of a reason.
        unit: Of the value: `count`, `days`, `share` (0 to 1), `amount` (as in the source), `flag` (0 or 1), `warmth`
            (touches, each halved per half-life), `ratio`.
        missing: What NaN means; empty when the value is never missing.
        sentence: Per language, with `{value}`, for a value that is there.
        absent: Per language, for a missing value; of a feature that is never missing, for zero.
        skewed: Spread over orders of magnitude, so that the base looks at its logarithm.
        direction: Which way it may push a score: 1 never down as it grows, -1 never up, 0 either way.
    """

    name: str
    family: str
    concept: str
    unit: Unit
    missing: str
    sentence: Words
    absent: Words
    skewed: bool = True
    direction: Literal[-1, 0, 1] = 0

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Feature:
        """Rebuild a feature from its JSON."""
        return cls(**saved)

    def say(self, value: float, language: str) -> str:
        """Say the value of one lead in a sentence."""
        if self.unit == "warmth" and abs(value) < _FELT:
            value = 0.0
        nothing = math.isnan(value) or (value == 0 and not self.missing)
        if nothing:
            return self.absent[language].format()  # braces of a word are doubled there, too; see `literal`
        return self.sentence[language].format(value=_show(value, self.unit, language))


def span(microseconds: int, language: str) -> str:
    """Write a length of time in words.

    >>> span(7 * DAY, "fr"), span(12 * HOUR, "en")
    ('7 jours', '12 hours')
    """
    for unit, words in _SPANS:
        if microseconds % unit == 0:
            number = microseconds // unit
            return f"{number} {words[language][number != 1]}"
    return f"{microseconds / MINUTE:g} {_SPANS[-1][1][language][1]}"


def literal(word: str) -> str:
    """Keep the braces of a word from being read as a placeholder in a sentence."""
    return word.replace("{", "{{").replace("}", "}}")


def _show(value: float, unit: Unit, language: str) -> str:
    if unit == "share":
        text = f"{100 * value:.0f} %"
    elif unit == "days" and value < 1:
        text = f"{24 * value:.0f} h"
    elif unit == "days":
        text = (
            f"{value:.0f} {'jours' if language == 'fr' else 'days'}"
            if round(value) != 1
            else ("1 jour" if language == "fr" else "1 day")
        )
    elif float(value).is_integer():
        text = f"{value:.0f}"
    else:
        text = f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"
    return text.replace(".", ",") if language == "fr" else text
