"""Tuning: a trial is what training with its settings gives; the final origin is left alone; a stop changes nothing."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import yaml

from leadscore import tuning
from leadscore.errors import StateError
from leadscore.model.calibrate import log_losses
from leadscore.model.learn import learn
from leadscore.model.search import (
    HALF_LIFE,
    NONE,
    as_yaml,
    chances,
    earlier_origins,
    judge_final,
    losses,
    prepare,
    settings_of,
    space,
    with_settings,
)
from leadscore.timeline import DAY
from leadscore.tuning import Journal, Trial, places, plan, try_settings
from world import FUNNEL, FUNNEL_AS_OF, config, day, funnel_reader

AS_OF = day(FUNNEL_AS_OF)
PLAIN = config(**FUNNEL)
OWN = settings_of(PLAIN)
OTHER = {
    "model.trees": 7,
    "model.leaves": 4,
    "model.learning_rate": 0.0712,
    "model.min_rows_per_leaf": 31,
    "model.l2": 2.5,
    "model.column_share": 0.8,
    "model.base_l2": 0.05,
    HALF_LIFE: "15d",
}


@cache
def prepared():
    """The newest origin to search at, the final one, and the moments the store was asked for.

    Of a project with a half-life, which must not stay in what is gathered.
    """
    asked = []

    def read(before):
        asked.append(before)
        return funnel_reader()(before)

    searched, final = plan(funnel_reader(), PLAIN, AS_OF, 2)
    aged = with_settings(PLAIN, {HALF_LIFE: "4d"})
    return prepare(read, aged, searched[-1], final.origin), final, asked


@pytest.mark.parametrize("half_life", ["15d", NONE])
def test_the_lines_to_paste_make_the_configuration_that_was_tried(half_life):
    settings = {**OTHER, HALF_LIFE: half_life}
    lines = yaml.safe_load(as_yaml(settings))
    pasted = config(**FUNNEL | {"model": lines["model"], "training": FUNNEL["training"] | lines["training"]})
    tried = with_settings(PLAIN, settings)
    assert settings_of(pasted) == settings
    assert tried.training_fingerprint() == pasted.training_fingerprint() != PLAIN.training_fingerprint()
    assert with_settings(tried, OWN) == PLAIN


def test_the_space_reaches_what_is_configured_and_what_was_tried():
    extreme = {**OTHER, "model.l2": 0.0, "model.trees": 4000, HALF_LIFE: "5w"}
    around = space(PLAIN, [OWN, extreme])
    assert (around.numbers["model.l2"].low, around.numbers["model.l2"].log) == (0.0, False)
    assert around.numbers["model.trees"].high == 4000
    assert around.half_lives == (NONE, "4d", "8d", "15d", "30d", "60d", "5w")
    assert around.numbers["model.learning_rate"].fitting(0.123456) == 0.123
    assert around.numbers["model.learning_rate"].fitting(0.0096) == 0.01


@pytest.mark.parametrize("settings", [OWN, OTHER], ids=["configured", "others"])
def test_a_trial_is_what_training_with_its_settings_gives(settings):
    origin, _, _ = prepared()
    changed = with_settings(PLAIN, settings)
    model = learn(funnel_reader(), changed, origin.as_of).model
    np.testing.assert_array_equal(chances(origin, changed), model.readiness(origin.cohort.matrix))


def test_losses_are_those_of_matured_snapshots():
    origin, _, _ = prepared()
    p, labels = np.full(origin.cohort.labels.matured.shape, 0.2), origin.cohort.labels
    expected = log_losses(labels.by_horizon, p)[labels.matured[:, 0], 0].mean()
    assert losses(origin, p)[0] == pytest.approx(expected)
    assert tuning.overall([(0.1, 0.3), (0.4, math.nan)]) == pytest.approx(0.3)


def test_the_search_knows_nothing_that_came_after_the_final_origin():
    origin, final, asked = prepared()
    assert max(asked) <= final.origin < AS_OF
    ends = origin.cohort.as_of[:, None] + np.array([span.microseconds for span in PLAIN.horizons])
    assert ends[origin.cohort.labels.matured].max() <= final.origin


@pytest.mark.parametrize(("past", "longest"), [(200, 14), (60, 14), (30, 7), (24, 3), (17, None)])
def test_origins_to_search_at_have_matured_for_as_long_a_horizon_as_the_past_allows(past, longest):
    final = day(past)
    found = earlier_origins(day(0), final, PLAIN, 2)
    if longest is None:
        assert found == ()
        return
    assert len(found) == 2
    assert final - 2 * DAY <= found[-1].moments[-1] + longest * DAY <= final
    assert found[0].origin > day(14)


def test_origins_of_the_configuration_before_the_last_are_searched():
    chosen = {"origins": ["2024-02-10", "2024-02-20", "2024-03-01"], "cohort": ["0d", "3d", "12d"]}
    searched, final = plan(funnel_reader(), config(**FUNNEL | {"backtest": chosen}), AS_OF, 9)
    assert [split.origin for split in (*searched, final)] == [day(40), day(50), day(60)]
    assert [len(split.moments) for split in (*searched, final)] == [3, 2, 3]  # what lies before the final origin


# ---- the search ----------------------------------------------------------------------------------------------


@pytest.fixture
def valley(monkeypatch):
    """Three origins where the log-loss is the lower, the nearer 200 trees and all columns; counts what was fitted."""
    fitted = []

    def loss(level, settings):
        fitted.append(settings)
        return (level + abs(math.log(settings["model.trees"] / 200)), level + 1 - settings["model.column_share"])

    monkeypatch.setattr(tuning, "chances", lambda _, changed: settings_of(changed))
    monkeypatch.setattr(tuning, "losses", loss)
    return (3.0, 1.0, 2.0), fitted


def searched(origins, wanted, trials=(), enough=lambda: False):
    trials = list(trials)
    for trial in try_settings(PLAIN, origins, trials, wanted, enough):
        trials.append(trial)
    return trials


def test_the_first_trial_is_the_configuration_and_the_search_finds_the_valley(valley):
    origins, fitted = valley
    trials = searched(origins, 40)
    assert trials[0].settings == OWN
    configured, best = places(PLAIN, trials)
    assert configured == 0
    assert trials[best].log_loss < trials[0].log_loss - 0.5
    pruned = [trial for trial in trials if trial.pruned]
    assert 0 < len(pruned) < 40
    assert not trials[best].pruned
    assert {len(trial.losses) for trial in trials if not trial.pruned} == {3}
    assert len(fitted) == sum(len(trial.losses) for trial in trials)


def test_a_search_in_pieces_tries_what_one_in_one_piece_tries(valley, tmp_path):
    origins, fitted = valley
    whole = searched(origins, 20)
    journal = Journal.open(tmp_path / "journal.json")
    for wanted in (1, 7, 8, 20, 3):
        again = Journal.open(journal.path)
        again.trials = searched(origins, wanted, again.trials)
        again.save()
    found = Journal.open(journal.path).trials
    assert found == whole
    assert len(fitted) == 2 * sum(len(trial.losses) for trial in whole)


def test_enough_is_asked_before_each_suggestion(valley):
    origins, _ = valley
    answers = iter([False, False, True])
    assert len(searched(origins, 50, enough=lambda: next(answers))) == 3


def test_other_settings_in_the_configuration_are_tried_beside_those_of_before(valley):
    origins, _ = valley
    before = [Trial(OTHER, ((9.0, 9.0), (9.0, 9.0), (9.0, 9.0))), Trial(OWN, ((9.0, 9.0),), pruned=True)]
    trials = searched(origins, 4, before)
    assert trials[:2] == before
    assert trials[2].settings == OWN
    assert len(trials) == 4
    assert places(PLAIN, trials)[0] == 2


def test_of_equals_the_configured_settings_are_the_best_and_one_given_up_never_is():
    trials = [
        Trial(OTHER, ((2.0,),)),
        Trial(OWN, ((2.0,),)),
        Trial({**OTHER, "model.trees": 9}, ((1.0,),), pruned=True),
    ]
    assert places(PLAIN, trials) == (1, 1)
    assert places(PLAIN, [*trials, Trial(OTHER, ((1.5,),))]) == (1, 3)


def test_a_damaged_journal_is_one_sentence(tmp_path):
    path = tmp_path / "journal.json"
    path.write_text('{"trials": [{"settings"', encoding="utf-8")
    with pytest.raises(StateError, match=r"journal of a search is damaged\. Remove it"):
        Journal.open(path)


def test_optuna_is_imported_by_a_search_only():
    code = "import sys, leadscore.report; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- the final origin ----------------------------------------------------------------------------------------


def test_the_final_difference_is_that_of_the_log_losses_and_none_where_nothing_changed():
    origin, _, _ = prepared()
    same = judge_final(origin, PLAIN, OWN)
    assert (same.change, same.sd, same.is_noise) == (0.0, 0.0, True)
    worse = judge_final(origin, PLAIN, {**OWN, "model.base_l2": 0.0001, "model.learning_rate": 0.9})
    assert worse.change == pytest.approx(np.mean(worse.best) - np.mean(worse.configured))
    assert worse.change > 2 * worse.sd > 0
    assert not worse.is_noise
