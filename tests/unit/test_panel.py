"""What is told of one lead beyond its row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leadscore.history import OUTBOUND
from leadscore.scoring import panel
from leadscore.scoring.panel import N_REASONS, Touch, last_days, touches
from leadscore.scoring.score import score_bucket
from leadscore.timeline import DAY
from world import FUNNEL_AS_OF, bucket, day, funnel_reader, learned_funnel, vocabulary

LABELS = {"mail": {"en": "letter", "fr": {"one": "courrier", "other": "courriers"}}}


def test_the_newest_interactions_are_listed_oldest_first_and_the_others_counted(monkeypatch):
    monkeypatch.setattr(panel, "N_TOUCHES", 3)
    _, history = bucket(
        "lead_id | created_at\nada | 0\nbob | 0\ncyd | 0",
        """
        lead_id | occurred_at | known_at | kind | direction
        ada     | 1           | 1        | mail | inbound
        bob     | 1           | 1        | mail | inbound
        bob     | 2           | 9        | mail | inbound
        bob     | 3           | 3        | {x} | outbound
        bob     | 4           | 4        | mail | _
        """,
    )
    words = vocabulary(labels=LABELS)
    found, hidden = touches(history, 1, words, "fr")
    assert hidden == 1
    assert found == [
        Touch(day("2"), "courrier", "inbound", day("9")),
        Touch(day("3"), "{x}", "outbound"),
        Touch(day("4"), "courrier", ""),
    ]
    assert touches(history, 0, words, "en") == ([Touch(day("1"), "letter", "inbound")], 0)
    assert touches(history, 2, words, "en") == ([], 0)


def test_a_curve_is_drawn_day_by_day_up_to_the_moment_of_the_slot():
    moments = last_days(day("100.5"))
    assert (moments[0], moments[-1]) == (day("10.5"), day("100.5"))
    assert set(np.diff(moments)) == {DAY}


def test_reasons_others_and_the_offset_add_up_to_the_margin():
    config, _, _, bundle = learned_funnel()
    (leads, history), as_of = next(funnel_reader(3)(day(FUNNEL_AS_OF))), day(FUNNEL_AS_OF)
    ours = np.arange(len(history)) % 3 == 0
    given = leads, replace(history, direction=np.where(ours, OUTBOUND, history.direction))
    scored, _ = score_bucket(given, bundle, config, as_of, panels_from=0.0)
    assert list(scored.panels) == list(scored.lead_id)
    for row, told in enumerate(scored.panels.values()):
        assert told.margin == scored.margin[row]
        weights = [reason.weight for reason in told.reasons]
        assert sum(weights) + told.others + told.offset == pytest.approx(told.margin, abs=1e-6)
        assert len(weights) == N_REASONS  # of nineteen concepts
        assert told.reasons[:3] == tuple(scored.reasons[row]) or told.reasons[:3] == scored.reasons[row]
        assert told.warmth[-1][0] == as_of
        assert told.unanswered == scored.unanswered[row]
    assert len(set(scored.unanswered.tolist())) > 1
    chance = scored.chances[:, config.rank_index]
    middle = float(np.sort(chance)[len(chance) // 2])
    some, _ = score_bucket(given, bundle, config, as_of, panels_from=middle)
    assert list(some.panels) == [lead for lead, p in zip(scored.lead_id, chance, strict=True) if p >= middle]
    assert score_bucket(given, bundle, config, as_of)[0].panels == {}
