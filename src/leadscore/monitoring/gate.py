"""The gate: whether a challenger becomes the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadscore.model.bundle import Bundle


@dataclass(frozen=True)
class Verdict:
    """Whether to promote, and why in one sentence."""

    promote: bool
    why: str


def compare(challenger: Bundle, champion: Bundle | None, horizon: str) -> Verdict:
    """Decide on promotion.

    The first model is promoted. The same recipe on newer data is promoted: no label is left that only one of them has
    not seen, and refitting is what keeps chances true. Another recipe is promoted when it had the lower log-loss on
    the same cohort. Without a common cohort it is promoted only on newer data: there is nothing to compare, and a list
    made by the configured recipe under another one's name would help nobody.
    """
    if champion is None:
        return Verdict(promote=True, why="the first model")
    if challenger.version == champion.version:
        return Verdict(promote=True, why="the champion itself")
    if challenger.as_of < champion.as_of:
        return Verdict(promote=False, why="trained as of an earlier moment than the champion")
    if challenger.training_fingerprint == champion.training_fingerprint:
        return Verdict(promote=True, why="the champion's recipe on newer data")
    return _on_common_cohort(challenger, champion, horizon)


def _on_common_cohort(challenger: Bundle, champion: Bundle, horizon: str) -> Verdict:
    if not challenger.facts["judged_cohort"] or challenger.facts["judged_cohort"] != champion.facts["judged_cohort"]:
        newer = challenger.as_of > champion.as_of
        data = "on newer data" if newer else "on the same data"
        return Verdict(newer, f"another recipe {data}, and no common cohort to compare it on with the champion")
    ours, theirs = _loss(challenger.facts, horizon), _loss(champion.facts, horizon)
    if ours is None or theirs is None:
        return Verdict(promote=False, why="another recipe, and too few conversions in the common cohort to compare")
    relation = "below" if ours < theirs else "not below"
    return Verdict(ours < theirs, f"log-loss at {horizon} on the same cohort {ours:.4f}, {relation} {theirs:.4f}")


def _loss(facts: Mapping[str, Any], horizon: str) -> float | None:
    loss = facts["judged"].get(horizon, {}).get("model", {}).get("log_loss")
    return None if loss is None or loss != loss else float(loss)  # noqa: PLR0124 - NaN is the only value unlike itself
