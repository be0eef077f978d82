"""What a feature is, said once: name, unit, meaning of missing, one sentence in each language."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from leadscore.language import Forms, Language, choose, length, number, percent, typeset
from leadscore.timeline import DAY, HOUR, MINUTE

Unit = Literal["count", "days", "share", "amount", "flag", "warmth", "ratio"]
Words = Mapping[str, str]
Sayings = Mapping[str, Forms]

ALL = "*"
"""In `Feature.kind`: interactions of every kind."""

_FELT = 0.005  # less than half a hundredth of a touch is no warmth to people
_FEW = 0.01  # of a smaller share nobody is told the digits
_SPANS = (
    (DAY, {"en": ("day", "days"), "fr": ("jour", "jours")}),
    (HOUR, {"en": ("hour", "hours"), "fr": ("heure", "heures")}),
    (MINUTE, {"en": ("minute", "minutes"), "fr": ("minute", "minutes")}),
)
_REPEATED = re.compile("⟨([^⟨⟩]*)⟩")
_USUALLY = {"en": "usually {usual}", "fr": "d'habitude {usual}"}
_USUALLY_SO = {"en": "usually: {usual}", "fr": "d'habitude : {usual}"}
_USUALLY_NONE = {"en": "usually none", "fr": "d'habitude 0"}
_AS_FOR = {"en": "like {usual} of the leads", "fr": "comme {usual} des leads"}
_BESIDE = {"en": "{own}; {usual}", "fr": "{own} ; {usual}"}


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
        sentence: Per language, with `{value}`, for a value that is there; in several forms where the number changes the
            words. What stands between ⟨ and ⟩ is said again of the usual value; the value alone, where nothing does.
        absent: Per language, for a missing value; of a feature that is never missing, for zero. ⟨ and ⟩ likewise.
        skewed: Spread over orders of magnitude, so that the base looks at its logarithm.
        direction: Which way it may push a score: 1 never down as it grows, -1 never up, 0 either way.
        voice: Speaks for its concept: of several that say the same at other half-lives, the one people are told.
        kind: The kind it is a warmth of, or ALL. To people how often that happened says more (see `plain`).
        channel: The one by which that came; empty for any.
        falls: It falls the more of that happens.
    """

    name: str
    family: str
    concept: str
    unit: Unit
    missing: str
    sentence: Sayings
    absent: Words
    skewed: bool = True
    direction: Literal[-1, 0, 1] = 0
    kind: str = ""
    voice: bool = False
    channel: str = ""
    falls: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Feature:
        """Rebuild a feature from its JSON."""
        return cls(**saved)

    def say(self, value: float, language: Language) -> str:
        """Say the value of one lead in a sentence."""
        return typeset(_REPEATED.sub(r"\1", self._said(value, language)), language)

    def say_beside(self, value: float, usual: float, language: Language) -> str:
        """Say the value of one lead, then what is usual: of a flag its share among the leads, else the median.

        The usual value of what most leads do not have is missing (NaN). A lead that lacks it is not compared, nor one
        whose value reads as the usual one: a reason that says so takes itself back.
        """
        own = self.say(value, language)
        if math.isnan(value) or (self.unit != "flag" and self._said(value, language) == self._said(usual, language)):
            return own
        return typeset(_BESIDE[language].format(own=own, usual=self._usually(value, usual, language)), language)

    def _usually(self, value: float, usual: float, language: Language) -> str:
        if self.unit == "flag":
            share = usual if value else 1 - usual
            few = 0 < share < _FEW
            told = {"en": "fewer than ", "fr": "moins de "}[language] + percent(_FEW, language) if few else ""
            return _AS_FOR[language].format(usual=told or percent(round(share, 2), language))
        said = self._said(usual, language)
        again = _REPEATED.search(said)
        if again:
            return _USUALLY[language].format(usual=again[1])
        if math.isnan(usual):
            return _USUALLY_SO[language].format(usual=said)
        if self._is_nothing(usual):
            return _USUALLY_NONE[language]
        return _USUALLY[language].format(usual=_show(usual, self.unit, language))

    def _said(self, value: float, language: Language) -> str:
        if self._is_nothing(value):
            return self.absent[language].format()  # braces of a word are doubled there, too; see `literal`
        forms = self.sentence[language]
        return choose(forms, value, language).format(value=_show(value, self.unit, language))

    def _is_nothing(self, value: float) -> bool:
        felt = 0.0 if self.unit == "warmth" and abs(value) < _FELT else value
        return math.isnan(felt) or (felt == 0 and not self.missing)


def span(microseconds: int, language: str) -> str:
    """Write a length of time in words, as it was configured.

    >>> span(7 * DAY, "fr"), span(12 * HOUR, "en")
    ('7 jours', '12 hours')
    """
    for unit, words in _SPANS:
        if microseconds % unit == 0:
            many = microseconds // unit
            return f"{many} {words[language][many != 1]}"
    return f"{microseconds / MINUTE:g} {_SPANS[-1][1][language][1]}"


def literal(word: str) -> str:
    """Keep the braces of a word from being read as a placeholder in a sentence."""
    return word.replace("{", "{{").replace("}", "}}")


def _show(value: float, unit: Unit, language: Language) -> str:
    shown = readable(value, unit)
    if unit == "share":
        return percent(shown, language)
    return length(shown, language) if unit == "days" else number(shown, language, 6)


def readable(value: float, unit: Unit) -> float:
    """Round to what people read. Values that read the same are said in the same sentence.

    A share to the hundredth; all else to one decimal, but below one a warmth to the hundredth, others to two digits.
    """
    if unit == "share" or (unit == "warmth" and abs(value) < 1):
        return round(value, 2)
    return round(value, 1) if not abs(value) < 1 else float(f"{value:.2g}")
