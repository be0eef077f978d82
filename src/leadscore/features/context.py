"""Context: the calendar where the project lives, and the work load of the whole project. The same for all leads.

The work load is seen as those at work saw it: a lead is open until we learn of its end (`history.Workload`).
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np

from leadscore.features.catalogue import Feature, span
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary
from leadscore.timeline import to_datetime

NAME = "context"
CALENDAR = f"{NAME}.calendar"


def needs(vocabulary: Vocabulary) -> str:  # noqa: ARG001 - every moment has a date
    """Say why the family is off; empty when it is on."""
    return ""


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: the calendar; leads open, leads that came per window, the base rate of the longest window."""
    return (*_calendar(), *_load(vocabulary))


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    workload = view.leads.workload
    assert workload is not None, "whoever reads the leads hands over the work load"
    as_of, row = np.unique(view.snapshots.as_of, return_inverse=True)
    zone = ZoneInfo(vocabulary.time_zone)
    local = [to_datetime(moment).astimezone(zone) for moment in as_of.tolist()]
    clock = [(moment.hour, moment.isoweekday(), moment.day, moment.month) for moment in local]
    load = [
        workload.open_at(as_of),
        *(workload.arrived(as_of, window) for window in vocabulary.windows.values()),
        workload.converted_share(as_of, max(vocabulary.windows.values())),
    ]
    columns = np.column_stack([np.array(clock, dtype=np.float64).reshape(len(as_of), 4), *load])
    return columns[row].astype(np.float32)


def _calendar() -> list[Feature]:
    told = (
        ("hour", "hour of the day: {value}", "heure de la journée : {value}"),
        ("weekday", "day of the week: {value} (1 is Monday)", "jour de la semaine : {value} (1 : lundi)"),
        ("day_of_month", "day of the month: {value}", "jour du mois : {value}"),
        ("month", "month of the year: {value}", "mois de l'année : {value}"),
    )
    # Of these only the hour can be zero.
    midnight = {"en": "just after midnight", "fr": "juste après minuit"}
    return [
        Feature(name, NAME, CALENDAR, "count", "", {"en": en, "fr": fr}, midnight, skewed=False)
        for name, en, fr in told
    ]


def _load(vocabulary: Vocabulary) -> list[Feature]:
    longest, length = max(vocabulary.windows.items(), key=lambda item: item[1])
    en, fr = span(length, "en"), span(length, "fr")
    return [
        Feature(
            "open_leads", NAME, f"{NAME}.load", "count", "",
            {"en": "leads open at that time: {value}", "fr": "leads ouverts à ce moment : {value}"},
            {"en": "no lead open at that time", "fr": "aucun lead ouvert à ce moment"},
        ),
        *(_arrivals(name, window) for name, window in vocabulary.windows.items()),
        Feature(
            f"base_rate_{longest}", NAME, f"{NAME}.base_rate", "share", "no lead was open so long before",
            {
                "en": f"{{value}} of the leads open {en} before had converted",
                "fr": f"{{value}} des leads ouverts {fr} plus tôt avaient converti",
            },
            {"en": f"no lead was open {en} before", "fr": f"aucun lead ouvert {fr} plus tôt"},
            skewed=False,
        ),
    ]  # fmt: skip


def _arrivals(name: str, length: int) -> Feature:
    en, fr = span(length, "en"), span(length, "fr")
    return Feature(
        f"new_leads_{name}", NAME, f"{NAME}.load", "count", "",
        {"en": f"new leads in the last {en}: {{value}}", "fr": f"nouveaux leads en {fr} : {{value}}"},
        {"en": f"no new lead in the last {en}", "fr": f"aucun nouveau lead en {fr}"},
    )  # fmt: skip
