"""What comes or is written with the outcome, or after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

import numpy as np

from leadscore.model.guard.evidence import ACCOUNT, REFERRER, WINDOWS, Evidence, Times
from leadscore.model.guard.leak import Leak
from leadscore.model.guard.separation import Z90
from leadscore.timeline import DAY, HOUR, MINUTE

WARN_AT = 0.6
"""A smaller share is no finding: in clean logs a kind comes with the outcome in at most .47 of its leads."""
FEWEST = 20
"""Leads; of fewer nothing is said."""

Set = tuple[str, str | None]


def kinds_with_the_outcome(evidence: Evidence) -> Iterator[Leak]:
    """Find kinds that first come with the outcome or after it, or of which nearly all occurrences come with it."""
    for kind, times in evidence.kinds.items():
        leads, at, after, until, stops = (
            int(counts[evidence.window]) for counts in (times.leads, times.at, times.after, times.until, times.stops)
        )
        if leads < FEWEST:
            continue
        share = at_least(at + after, leads)
        of_all = at_least(stops, until)
        if max(share, of_all) < WARN_AT:
            continue
        if share >= of_all:
            how = f"with the outcome{_lapse(times, evidence.window)}" if at >= after else "only after the outcome"
            told = f"Kind {kind} comes {how} in {at + after:,} of the {leads:,} leads it occurs in."
        else:
            told = f"Kind {kind} comes with the outcome in {stops:,} of its {until:,} occurrences until then."
        yield Leak(
            name=kind,
            what="kind",
            check="after_the_outcome" if share >= of_all and after > at else "with_the_outcome",
            severity=max(share, of_all),
            evidence=told,
            advice="It is part of the outcome: add it to outcomes.hidden_kinds.",
        )


def attributes_set_late(evidence: Evidence, attributes: Collection[str]) -> dict[str, tuple[float, str]]:
    """Find attributes whose values are written with the outcome or after it: how surely (0 to 1), and the sentence.

    Looked at are all changes of an attribute together, and the changes to each value of its own.
    """
    told, late = Counter[Set](), Counter[Set]()
    for settings in evidence.told.settings:
        for name, value, is_late in settings:
            if name in attributes:
                told[name, value] += 1
                late[name, value] += is_late
    found: dict[str, tuple[float, str]] = {}
    for name in sorted({name for name, _ in told}):
        values: list[str | None] = [value for other, value in told if other == name]
        all_of, late_of = sum(told[name, value] for value in values), sum(late[name, value] for value in values)
        best = at_least(late_of, all_of), f"{late_of:,} of the {all_of:,} later changes of it come"
        for value in sorted(values, key=str):
            # The value itself is told only where many leads share it, and it is not the name of an account or a person.
            if told[name, value] >= FEWEST and name not in (ACCOUNT, REFERRER):
                said = "was emptied" if value is None else f"became {value!r}"
                sentence = f"{late[name, value]:,} of the {told[name, value]:,} times it {said} come"
                best = max(best, (at_least(late[name, value], told[name, value]), sentence), key=lambda item: item[0])
        if all_of >= FEWEST and best[0] >= WARN_AT:
            found[name] = best[0], f"{best[1]} with the outcome or after it"
    return found


def at_least(part: int, whole: int) -> float:
    """Return the lower end of Wilson's 90 % interval of a share; 0 of nothing.

    (r + z²/2n − z √(r(1 − r)/n + z²/4n²)) / (1 + z²/n).
    """
    if not whole:
        return 0.0
    rate, wide = part / whole, Z90**2 / whole
    half = Z90 * np.sqrt(rate * (1 - rate) / whole + wide / (4 * whole))
    return float((rate + wide / 2 - half) / (1 + wide))


def _lapse(times: Times, window: int) -> str:
    """Say how near the outcome the first occurrences lie: the middle nine tenths of those within the window."""
    gaps = times.gaps[np.abs(times.gaps) <= WINDOWS[window]]
    if not len(gaps):
        return ""
    late, early = (int(gap) for gap in np.quantile(gaps, (0.05, 0.95), method="nearest"))
    if late == early == 0:
        return ", at the same moment,"
    if late >= 0:
        return f", {_span(late)} to {_span(early)} before it,"
    if early <= 0:
        return f", {_span(-early)} to {_span(-late)} after it,"
    return f", from {_span(early)} before it to {_span(-late)} after it,"


def _span(microseconds: int) -> str:
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (MINUTE // 60, "s")):
        if microseconds >= unit:
            return f"{microseconds / unit:.0f} {name}"
    return f"{microseconds / 1000:.0f} ms"
