"""Echo: what the lead does after a message, a third party's or a campaign of ours, above its own habit.

A message is taken up when a touch of the lead's own follows it within `answer_within` (w). The habit is the placebo:
the same messages, w and 2 w earlier. It can be known from the lead's first own touch on, so the messages that count
are those whose window has closed and that came at least 2 w after that touch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leadscore.config import Config
from leadscore.features import asof
from leadscore.features.asof import Asof, Followed, Uptake
from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary, heard
from leadscore.history import OUTBOUND, History, Leads

NAME = "echo"
Mask = npt.NDArray[np.bool_]

_SHIFTS = (1, 2)  # in lengths of w: the nearest that no uptake can reach
_OURS = "campaign"
_SENDERS = {
    "third_party": {"en": "messages from third parties", "fr": "messages de tiers"},
    _OURS: {"en": "our campaign messages", "fr": "messages de nos campagnes"},
}


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if vocabulary.frozen[NAME]["senders"] else "no source_id, and no outbound interaction with a campaign_id"


def count(leads: Leads, history: History, config: Config) -> Counter[Any]:  # noqa: ARG001 - as all families
    """Count the messages of each sender."""
    rows = heard(leads, history)
    return +Counter({sender: int((messages & rows).sum()) for sender, messages in _messages(history).items()})


def freeze(counts: Counter[Any], vocabulary: Vocabulary) -> Mapping[str, Any]:  # noqa: ARG001 - as all families
    """Keep the `senders` with a message in training."""
    return {"senders": [sender for sender in _SENDERS if counts[sender]]}


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns of each sender: messages heard (of third parties), share taken up, lift, lag."""
    return tuple(
        feature
        for sender in vocabulary.frozen[NAME]["senders"]
        for feature in (*(() if sender == _OURS else (_heard(sender),)), *_echo(sender))
    )


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    within = vocabulary.answer_within
    shifts = within * np.array(_SHIFTS, dtype=np.int64)
    touches = view.own & (view.history.source.codes < 0)
    columns = []
    for sender in vocabulary.frozen[NAME]["senders"]:
        messages = _messages(view.history)[sender]
        known = _with_habit(view.asof, messages, touches, int(shifts.max()))
        echo = Uptake(*asof.uptake(known.asof, known.messages, known.touches, within, shifts).T)
        # Every campaign is a push: its number would push the score, and stands with the family power.
        columns += [] if sender == _OURS else [echo.asked]
        columns += [
            (echo.answered + 1) / (echo.asked + 2),
            (echo.answered + 1) / (echo.placebo + 1),
            Followed(*asof.followed(view.asof, messages, touches, within).T).lag,
        ]
    return np.column_stack(columns).astype(np.float32)


def _messages(history: History) -> dict[str, Mask]:
    ours = history.direction == OUTBOUND
    return {"third_party": ~ours & (history.source.codes >= 0), _OURS: ours & (history.campaign.codes >= 0)}


@dataclass(frozen=True)
class _Heard:
    """The touches of a lead and the messages that came late enough after the first of them."""

    asof: Asof
    messages: Mask
    touches: Mask


def _with_habit(given: Asof, messages: Mask, touches: Mask, after: int) -> _Heard:
    """Leave out the messages until so long after the lead's first touch.

    Without this, `uptake` would take any event for the beginning of the habit, and one more early push could make
    later messages count.
    """
    lead = np.repeat(np.arange(len(given.indptr) - 1), np.diff(given.indptr))
    first = np.full(len(given.indptr) - 1, np.iinfo(np.int64).max)
    np.minimum.at(first, lead[touches], given.time[touches])
    keep = touches | (messages & (given.time - after >= first[lead]))
    kept = np.append(0, np.cumsum(keep))[given.indptr]
    reduced = Asof(given.time[keep], kept, given.as_of, given.ptr, given.seen[keep])
    return _Heard(reduced, messages[keep], touches[keep])


def _heard(sender: str) -> Feature:
    en, fr = _SENDERS[sender]["en"], _SENDERS[sender]["fr"]
    return Feature(
        f"heard_{sender}", NAME, f"echo.{sender}", "count", "",
        {
            "en": f"{en} in earlier weeks: {{value}}",
            "fr": f"{fr} des semaines passées : {{value}}",
        },
        {"en": f"{en} in earlier weeks: ⟨none⟩", "fr": f"{fr} des semaines passées : ⟨aucun⟩"},
    )  # fmt: skip


def _echo(sender: str) -> tuple[Feature, ...]:
    en, fr = _SENDERS[sender]["en"], _SENDERS[sender]["fr"]
    none = {"en": f"⟨no response⟩ to {en} so far", "fr": f"⟨aucune réaction⟩ aux {fr} jusqu'ici"}
    return (
        Feature(
            f"taken_up_{sender}", NAME, f"echo.{sender}", "share", "",
            {
                "en": f"responds to about {{value}} of {en}",
                "fr": f"réagit à environ {{value}} des {fr}",
            },
            none,
            skewed=False,
            direction=1,
        ),
        Feature(
            f"echo_lift_{sender}", NAME, f"echo.{sender}", "ratio", "",
            {
                "en": f"activity after {en} against other days: ⟨× {{value}}⟩",
                "fr": f"activité après les {fr} par rapport aux autres jours : ⟨× {{value}}⟩",
            },
            none,
            direction=1,
        ),
        Feature(
            f"echo_lag_days_{sender}", NAME, f"echo.{sender}", "days", "no message was taken up",
            {
                "en": f"responds to {en} after {{value}} on average",
                "fr": f"réagit aux {fr} après {{value}} en moyenne",
            },
            none,
        ),
    )  # fmt: skip
