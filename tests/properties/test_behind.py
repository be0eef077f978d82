"""An event stands behind a feature exactly when taking it out of the store makes the feature another."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings

from leadscore.features.behind import look_behind
from leadscore.features.matrix import build_matrix, catalogue
from strategies import companies
from world import looks, vocabulary

# Families that look at nobody else: what a lead did is in its colleagues' features, and the other way round.
WORDS = vocabulary(families=("profile", "volume", "percolation", "infusion", "drip", "power", "sequence", "values"))


@given(company=companies())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_event_left_out_in_turn_is_each_event_deleted_in_turn(company):
    leads, history = company.bucket()
    for lead, as_of in company.pairs()[:4]:
        row = leads.lead_id.index(lead)
        behind = look_behind(leads, history, row, as_of, WORDS)
        assert behind.tried == len(behind.events)
        assert behind.row.tobytes() == build_matrix(leads, history, looks(leads, [(lead, as_of)]), WORDS)[0].tobytes()
        for event, moved in zip(behind.events, behind.moved, strict=True):
            rows = np.delete(np.arange(len(history)), event)
            indptr = history.indptr - (np.arange(len(history.indptr)) > row)
            without = build_matrix(leads, history.take(rows, indptr), looks(leads, [(lead, as_of)]), WORDS)[0]
            other = ~((without == behind.row) | (np.isnan(without) & np.isnan(behind.row)))
            wrong = [feature.name for feature, same in zip(catalogue(WORDS), moved == other, strict=True) if not same]
            assert wrong == []


@given(company=companies())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_of_a_long_history_the_newest_are_tried(company):
    leads, history = company.bucket()
    for lead, as_of in company.pairs()[:2]:
        row = leads.lead_id.index(lead)
        full, short = (look_behind(leads, history, row, as_of, WORDS, most) for most in (1000, 2))
        assert short.tried == min(2, len(full.events))
        beginning = len(full.events) - short.tried
        assert np.array_equal(short.moved[beginning:], full.moved[beginning:])
        assert not short.moved[:beginning].any()
