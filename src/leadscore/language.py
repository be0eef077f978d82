"""How numbers, moments and plurals are written in a language; Babel knows, this module asks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, localcontext
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from leadscore.timeline import to_datetime

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")

Forms = str | Mapping[str, str]
"""A text, or one per plural category of a language (`one`, `other`, …), and `zero` where none reads otherwise."""

_WIDE = re.compile(r"[ \u202f](?=:)|(?<=«)[ \u202f]|[ \u202f](?=»)")
_NARROW = re.compile(r"[ \xa0](?=[;!?%])")
_AS_SHEETS_ROUND = Context(rounding=ROUND_HALF_UP)  # and browsers: the same share reads the same everywhere
_HUGE = 1e15  # nobody reads its digits
_LOCALES = {language: Locale(language) for language in LANGUAGES}


@lru_cache(maxsize=65_536)
def number(value: float, language: Language, digits: int = 0) -> str:
    """Write a number with at most so many decimals, in groups of thousands.

    >>> number(12345.678, "en", 1), number(0.25, "fr", 1)
    ('12,345.7', '0,3')
    """
    if abs(value) >= _HUGE:
        return f"{value:.3g}"
    with localcontext(_AS_SHEETS_ROUND):
        return str(format_decimal(value + 0.0, format="#,##0." + "#" * digits, locale=_LOCALES[language]))


@lru_cache(maxsize=65_536)
def percent(share: float, language: Language, digits: int = 0) -> str:
    r"""Write a share of one in percent, with so many decimals.

    >>> percent(0.256, "en"), percent(0.0254, "fr", 1)
    ('26%', '2,5\u202f%')
    """
    if abs(share) >= _HUGE:
        return f"{100 * share:.3g}%"
    mark = {"en": "%", "fr": "\u202f%"}[language]
    with localcontext(_AS_SHEETS_ROUND):
        return str(format_percent(share, format="#,##0." + "0" * digits + mark, locale=_LOCALES[language]))


@lru_cache(maxsize=65_536)
def length(days: float, language: Language) -> str:
    r"""Write a length of time in days, below one in hours.

    >>> length(23.4, "en"), length(1, "fr"), length(0.5, "en"), length(0.01, "fr")
    ('23 days', '1\xa0jour', '12 hours', "moins d'une heure")
    """
    if not abs(days) < _HUGE:
        return f"{days:.3g}"
    hours = round(24 * days)
    if days >= 1 or hours == 24:  # noqa: PLR2004 - a day has as many
        return str(format_unit(round(days), "duration-day", locale=_LOCALES[language]))
    if hours:
        return str(format_unit(hours, "duration-hour", locale=_LOCALES[language]))
    return {"en": "less than an hour", "fr": "moins d'une heure"}[language]


def day(moment: int, language: Language, time_zone: str) -> str:
    """Write the day of a moment.

    >>> day(0, "en", "UTC"), day(0, "fr", "UTC")
    ('1 January 1970', '1 janvier 1970')
    """
    return str(format_date(to_datetime(moment).astimezone(ZoneInfo(time_zone)), "d MMMM y", locale=_LOCALES[language]))


def minute(moment: int, language: Language, time_zone: str) -> str:
    """Write a moment to the minute.

    >>> minute(0, "en", "UTC"), minute(0, "fr", "UTC")
    ('1 January 1970, 00:00', '1 janvier 1970, 00:00')
    """
    told = format_datetime(
        to_datetime(moment), "d MMMM y, HH:mm", tzinfo=ZoneInfo(time_zone), locale=_LOCALES[language]
    )
    return str(told)


def choose(forms: Forms, count: float, language: Language) -> str:
    """Choose the form that goes with a number; `zero` where there is one, whatever the language makes of nothing.

    >>> [choose({"one": "lead", "other": "leads"}, n, "en") for n in (0, 1, 2)]
    ['leads', 'lead', 'leads']
    >>> [choose({"zero": "jamais", "one": "une fois", "other": "souvent"}, n, "fr") for n in (0, 1, 1.5)]
    ['jamais', 'une fois', 'une fois']
    """
    if isinstance(forms, str):
        return forms
    if count == 0 and "zero" in forms:
        return forms["zero"]
    return forms.get(_LOCALES[language].plural_form(count), forms["other"])


def typeset(text: str, language: Language) -> str:
    r"""Set the spaces of a sentence so that no French mark begins a line, or ends one; English has no such spaces.

    No space is added: what a word of the data holds stays together.

    >>> typeset("pays : « FR » ; 5 %", "fr")
    'pays\xa0: «\xa0FR\xa0»\u202f; 5\u202f%'
    """
    if language != "fr":
        return text
    return _NARROW.sub("\u202f", _WIDE.sub("\xa0", text))
