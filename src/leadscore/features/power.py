"""Power: a ledger of touches the lead came for (pulled) and of those we pushed, and what pushing has worn out.

With this family on, what we push counts nowhere else. Each column that an unanswered push can move has a direction
and is never missing, so a model can only ever lower its score for one more of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from leadscore.config import Config
from leadscore.features import asof
from leadscore.features.asof import Asof, Followed
from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary, heard, tally
from leadscore.history import OUTBOUND, History, Leads
from leadscore.timeline import DAY

NAME = "power"

_WORN = 5  # unanswered pushes in a row that saturate, as long as the data do not tell
_ENOUGH = 50  # pushes; fewer do not tell a rate
_LONGEST = 20  # streaks beyond are counted as this one

Streaks = Counter[tuple[int, bool]]


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    if "direction" not in vocabulary.columns:
        return "no interaction has a direction"
    return "" if vocabulary.frozen[NAME]["pushes"] else "no interaction is outbound"


def count(leads: Leads, history: History, config: Config) -> Counter[Any]:
    """Count pushes by kind, and by the unanswered ones in a row before them: answered or not, day by day.

    Left out are leads with a standing objection and, of streaks, what we pushed after the end of a lead.
    """
    pushed = history.direction == OUTBOUND
    taught = pushed & heard(leads, history)
    rows = np.flatnonzero(taught & (history.time < np.repeat(leads.ended_at, np.diff(history.indptr))))
    at, ptr = history.time[rows], np.searchsorted(rows, history.indptr).astype(np.int64)
    within = config.features.answer_within.microseconds
    before = asof.followed(Asof(history.time, history.indptr, at, ptr), pushed, ~pushed, within)
    streak = np.minimum(Followed(*before.T).streak, _LONGEST).astype(np.int64)
    # Seen from t + w + 1, the window w holds what came in (t, t + w].
    after = Asof(history.time, history.indptr, at + within + 1, ptr)
    own = np.where(pushed, -1, 0).astype(np.int32)
    answered = asof.count(after, own, 1, np.array([within], dtype=np.int64))[:, 0, 0] > 0
    streaks = Counter(zip(streak.tolist(), answered.tolist(), (at // DAY).tolist(), strict=True))
    return Counter({("kind", kind): n for kind, n in tally(history.kind, taught).items()}) + Counter(streaks)


def freeze(counts: Counter[Any], vocabulary: Vocabulary) -> Mapping[str, Any]:
    """Settle which kinds we push, and after how many unanswered pushes in a row a lead is worn out.

    Returns:
        `pushes`, their number; `kinds` of the vocabulary that are ever pushed; `saturated`, the shortest streak after
        which less than half as many pushes are answered as after none, and `near`, half of it. Where fewer than 50
        pushes tell of a streak, nothing speaks against it: then it is 5, or as long as that streak.
    """
    kinds = Counter({key[1]: n for key, n in counts.items() if key[0] == "kind"})
    saturated = _saturated(_closed(counts, vocabulary.answer_within))
    return {
        "pushes": kinds.total(),
        "kinds": [kind for kind in vocabulary.kinds if kinds[kind]],
        "near": (saturated + 1) // 2,
        "saturated": saturated,
    }


def _closed(counts: Counter[Any], within: int) -> Streaks:
    """Count the pushes of days so far back from the newest push that nobody can still answer, by (streak, answered)."""
    by_day = {key: n for key, n in counts.items() if key[0] != "kind"}
    newest = max((day for _, _, day in by_day), default=0)
    closed: Streaks = Counter()
    for (streak, answered, day), n in by_day.items():
        if (newest - day - 1) * DAY >= within:
            closed[streak, answered] += n
    return closed


def _saturated(closed: Streaks) -> int:
    for streak in range(_LONGEST + 1):
        pushes = closed[streak, True] + closed[streak, False]
        if pushes < _ENOUGH:
            return max(streak, _WORN)
        rate = closed[streak, True] / pushes
        if streak == 0:
            fresh = rate
        elif rate < fresh / 2:
            return streak
    return _LONGEST


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: the ledger per window and per kind we push, pull share, pressure, answers, saturation."""
    windows = (*vocabulary.windows, "ever")
    longest = windows[-2:]
    return (
        *(_pulled(window, vocabulary) for window in windows),
        *(_pushed(window, vocabulary) for window in windows),
        *(_pushed_kind(kind, window, vocabulary) for kind in _kinds(vocabulary) for window in longest),
        *(_pull_share(window, vocabulary) for window in longest),
        *(_pressure(name) for name in vocabulary.half_lives),
        *_answers(),
    )


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    own, pushed = view.own, ~view.own
    windows = np.array([*vocabulary.windows.values(), asof.ALL], dtype=np.int64)
    ledger = asof.count(view.asof, pushed.astype(np.int32), 2, windows)
    longest = ledger[:, :, -2:]
    codes = np.where(pushed, view.history.kind.recode(_kinds(vocabulary)), -1).astype(np.int32)
    by_kind = asof.count(view.asof, codes, len(_kinds(vocabulary)), windows[-2:])
    within = vocabulary.answer_within
    half_lives = np.array([*vocabulary.half_lives.values()], dtype=np.int64)
    answers = Followed(*asof.followed(view.asof, pushed, own, within).T)
    frozen = vocabulary.frozen[NAME]
    return np.column_stack(
        [
            ledger[:, 0],
            ledger[:, 1],
            by_kind.reshape(len(by_kind), 2 * len(_kinds(vocabulary))),
            (longest[:, 0] + 1) / (longest.sum(axis=1) + 2),
            asof.unanswered(view.asof, pushed, own, within, half_lives),
            (answers.answered + 1) / (answers.asked + 2),
            answers.lag,
            answers.streak,
            (answers.streak >= frozen["near"]).astype(np.float32) + (answers.streak >= frozen["saturated"]),
        ]
    ).astype(np.float32)


def _kinds(vocabulary: Vocabulary) -> tuple[str, ...]:
    return tuple(vocabulary.frozen[NAME]["kinds"])


def _pulled(window: str, vocabulary: Vocabulary) -> Feature:
    when = vocabulary.within(window)
    return Feature(
        f"pulled_{window}", NAME, "power.pulled", "count", "",
        {
            "en": {
                "one": f"{{value}} interaction of their own {when['en']}",
                "other": f"{{value}} interactions of their own {when['en']}",
            },
            "fr": {
                "one": f"{{value}} démarche du contact {when['fr']}",
                "other": f"{{value}} démarches du contact {when['fr']}",
            },
        },
        {"en": f"no interaction of their own {when['en']}", "fr": f"⟨aucune⟩ démarche du contact {when['fr']}"},
    )  # fmt: skip


def _pushed(window: str, vocabulary: Vocabulary) -> Feature:
    when = vocabulary.within(window)
    return Feature(
        f"pushed_{window}", NAME, "power.pushed", "count", "",
        {
            "en": {
                "one": f"{{value}} contact from us {when['en']}",
                "other": f"{{value}} contacts from us {when['en']}",
            },
            "fr": {
                "one": f"{{value}} sollicitation de notre part {when['fr']}",
                "other": f"{{value}} sollicitations de notre part {when['fr']}",
            },
        },
        {"en": f"no contact from us {when['en']}", "fr": f"⟨aucune⟩ sollicitation de notre part {when['fr']}"},
        direction=-1,
    )  # fmt: skip


def _pushed_kind(kind: str, window: str, vocabulary: Vocabulary) -> Feature:
    often, never = vocabulary.times(kind, window, by_us=True)
    return Feature(
        f"pushed_{kind}_{window}", NAME, f"power.pushed.{kind}", "count", "", often, never, direction=-1
    )  # fmt: skip


def _pull_share(window: str, vocabulary: Vocabulary) -> Feature:
    when = vocabulary.within(window)
    return Feature(
        f"pull_share_{window}", NAME, "power.pull_share", "share", "",
        {
            "en": f"about {{value}} of all interactions {when['en']} are their own",
            "fr": f"environ {{value}} des interactions {when['fr']} viennent du contact",
        },
        {
            "en": f"of all interactions {when['en']} none is their own",
            "fr": f"aucune des interactions {when['fr']} ne vient du contact",
        },
        skewed=False,
        direction=1,
    )  # fmt: skip


def _pressure(name: str) -> Feature:
    return Feature(
        f"pressure_{name}", NAME, "power.pressure", "warmth", "",
        {
            "en": "pressure of unanswered contacts from us: {value}",
            "fr": "pression de nos sollicitations sans réponse : {value}",
        },
        {
            "en": "no pressure of unanswered contacts from us",
            "fr": "⟨aucune⟩ pression de sollicitations sans réponse",
        },
        direction=-1,
    )  # fmt: skip


def _answers() -> tuple[Feature, ...]:
    return (
        Feature(
            "response_rate", NAME, "power.response", "share", "",
            {
                "en": "answers about {value} of our contacts",
                "fr": "répond à environ {value} de nos sollicitations",
            },
            {"en": "never answers us", "fr": "ne nous répond jamais"},
            skewed=False,
            direction=1,
        ),
        Feature(
            "response_delay_days", NAME, "power.response", "days", "no push was answered",
            {"en": "answers us after {value} on average", "fr": "nous répond après {value} en moyenne"},
            {"en": "⟨no answer⟩ to us so far", "fr": "⟨aucune réponse⟩ à nos sollicitations jusqu'ici"},
        ),
        Feature(
            "unanswered_streak", NAME, "power.streak", "count", "",
            {
                "en": {
                    "one": "{value} contact from us without an answer",
                    "other": "{value} contacts from us in a row without an answer",
                },
                "fr": {
                    "one": "{value} sollicitation sans réponse",
                    "other": "{value} sollicitations de suite sans réponse",
                },
            },
            {"en": "no contact from us waits for an answer", "fr": "⟨aucune⟩ sollicitation en attente de réponse"},
            direction=-1,
        ),
        Feature(
            "saturation", NAME, "power.saturation", "count", "",
            {
                "en": "saturation by our contacts: {value} of 2",
                "fr": "saturation par nos sollicitations : {value} sur 2",
            },
            {"en": "no saturation by our contacts", "fr": "⟨aucune⟩ saturation par nos sollicitations"},
            skewed=False,
            direction=-1,
        ),
    )  # fmt: skip
