"""The slot before, as scoring a bucket looks back at it: who is gone and how, what moved a lead, and in which words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leadscore.language import LANGUAGES
from leadscore.model.train import at_risk_on
from leadscore.scoring.reasons import Speaker
from leadscore.scoring.score import Earlier, _see, score_bucket
from leadscore.timeline import DAY
from world import FUNNEL_AS_OF, bucket, day, days, funnel_reader, learned_funnel

AS_OF = day(FUNNEL_AS_OF)
LEADS = """
lead_id | created_at | closes_at
ada     | 70         | _
bob     | 70         | _
cyd     | 70         | _
dan     | 70         | 75
nono    | 70         | _
new     | 79         | _
"""
BUCKET = (
    LEADS,
    """
    lead_id | occurred_at | known_at | kind
    ada     | 71          | 71       | call
    ada     | 72          | 79       | mail
    ada     | 79          | 79       | mail
    nono    | 79          | 79       | call
    """,
    "lead_id | occurred_at | outcome\nbob | 76 | won\ncyd | 77 | lost",
    "lead_id | occurred_at | status\nnono | 78 | objection",
)


def scored(given, earlier=None, **changes):
    config, _, _, bundle = learned_funnel()
    return score_bucket(given, bundle, config.model_copy(update=changes), AS_OF, earlier)[0]


@pytest.mark.parametrize("comparable", [True, False])
def test_who_is_gone_is_told_how_and_who_objected_is_not_told_of(comparable):
    before = Earlier(AS_OF - 7 * DAY, comparable, dict.fromkeys(["ada", "bob", "cyd", "dan", "nono", "elsewhere"], 50))
    found = scored(bucket(*BUCKET), before)
    assert found.gone == {"bob": "converted", "cyd": "ended", "dan": "closed"}
    assert list(found.lead_id) == ["ada", "new"]
    assert (found.fresh.tolist(), found.late.tolist()) == ([1, 0], [1, 0])
    assert "nono" not in repr(found)
    fewer = Earlier(AS_OF - 7 * DAY, comparable, {"ada": 50, "cyd": 50})
    assert scored(bucket(*BUCKET), fewer).gone == {"cyd": "ended"}
    assert scored(bucket(*BUCKET, guests=("bob",)), before).gone == {"cyd": "ended", "dan": "closed"}


def test_without_a_slot_before_nothing_is_told_of_it():
    found = scored(bucket(*BUCKET))
    assert (dict(found.gone), found.moved, found.shift.tolist()) == ({}, [None, None], [0, 0])
    assert [len(rows) for rows in (found.fresh, found.late, found.cold)] == [2, 2, 2]
    assert not np.stack([found.fresh, found.late, found.cold]).any()


def test_a_bucket_with_nobody_on_the_list_is_compared_like_any_other():
    now = scored(next(funnel_reader(3)(AS_OF)))
    before = Earlier(AS_OF - DAY, comparable=True, scores=dict.fromkeys(now.lead_id, 50), concepts=now.concepts,
                     weights=now.weights)  # fmt: skip
    ended = bucket("lead_id | created_at\nada | 70", (), "lead_id | occurred_at | outcome\nada | 72 | won")
    assert len(scored(ended, before)) == 0
    assert scored(bucket("lead_id | created_at\nada | 70"), before).moved == [None]  # nor one who was not on it


@pytest.mark.parametrize("way", [1, -1])
def test_what_moved_a_lead_is_the_concept_that_went_furthest_the_way_the_margin_went(way):
    given = next(funnel_reader(3)(AS_OF))
    now = scored(given)
    ids, place = list(now.lead_id), now.concepts.index("infusion.call")
    then = now.weights.copy()
    then[3, place] -= way * 1.0  # so much it moved since, and another concept less far the other way
    then[3, 0] += way * 0.4
    then[4, place] -= way * 0.09
    # The slot before has its own order, and leads that are no longer here.
    order = [*range(len(ids))][::-1]
    scores = {"elsewhere": 9, **{ids[row]: 50 for row in order if row != 5}}
    kept = np.vstack([then[0] + 9, *(then[row] for row in order if row != 5)])
    before = Earlier(AS_OF - DAY, comparable=True, scores=scores, concepts=now.concepts, weights=kept)
    found = scored(given, before)
    np.testing.assert_allclose(found.shift[3:6], [way * 0.6, way * 0.09, 0], atol=1e-6)
    assert [row for row, text in enumerate(found.moved) if text] == [3]
    config, _, _, bundle = learned_funnel()
    seen = _see(*given, at_risk_on(config, given[0], days(FUNNEL_AS_OF)), bundle, config)
    row = [3]
    for language in LANGUAGES:
        speaker = Speaker(bundle, language)
        weights = speaker.weigh(seen.matrix[row], config.rank_index)
        expected = speaker.say(np.array([place]), weights, seen.matrix[row], seen.facts[row], np.array([float(way)]))
        assert [scored(given, before, language=language).moved[3]] == expected
    for other in ((*now.concepts[:-1], "another"), ()):
        strange = scored(given, replace(before, concepts=other))
        assert set(strange.moved) == {None}
        assert not strange.shift.any()
