"""How the files for people say things: words of a place, numbers, days and spans, in the language of one slot."""

from __future__ import annotations

from dataclasses import dataclass

from leadscore.delivery.wording import Wording
from leadscore.language import Language, day, minute, number, percent
from leadscore.timeline import DAY, HOUR, Duration

_LONGEST_NAME = 80  # characters; a longer one is cut where it is only a label
_LEAST = 0.0005  # a chance below it would read as none at all


@dataclass(frozen=True)
class Teller:
    """Says things in the words of a place (see `Wording`), in one language and time zone."""

    place: str
    language: Language
    time_zone: str

    def say(self, key: str, count: float | None = None, /, **values: object) -> str:
        """Say a sentence of the place, or a word common to all."""
        return Wording(self.place, self.language).say(key, count, **values)

    def number(self, value: float, digits: int = 0) -> str:
        """Write a number."""
        return number(float(value), self.language, digits)

    def chance(self, share: float | None, digits: int = 1) -> str:
        """Write a chance in percent; a tiny one as less than the smallest that is written, none as a dash."""
        if share is None:
            return "–"
        least = percent(0.001, self.language, 1)
        return f"<\u00a0{least}" if 0 < share < _LEAST else percent(share, self.language, digits)

    def day(self, moment: int) -> str:
        """Write the day of a moment, in the time zone of the project."""
        return day(moment, self.language, self.time_zone)

    def minute(self, moment: int) -> str:
        """Write a moment, in the time zone of the project."""
        return minute(moment, self.language, self.time_zone)

    def span(self, horizon: str) -> str:
        """Write out a horizon: `14d` as 14 days."""
        length = Duration.parse(horizon).microseconds
        return self.say("hours", length / HOUR) if length % DAY else self.say("days", length / DAY)

    def cut(self, name: str) -> str:
        """Shorten a name that would not fit a cell; an empty one is named as such."""
        if not name.strip():
            return self.say("nameless")
        return name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"


def moved(before: object, now: object) -> str:
    """Write what was before and what is now; a dash where there is nothing."""
    return f"{'–' if before is None else before} → {'–' if now is None else now}"
