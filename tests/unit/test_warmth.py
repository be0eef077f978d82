"""Kind weights and half-lives: close to the truth where there is enough to learn from, neutral where there is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leadscore.features.infusion import Scale
from leadscore.features.matrix import settle, take_census
from leadscore.features.vocabulary import sum_censuses
from leadscore.model import warmth
from leadscore.model.warmth import draw, lay_folds, learn_warmth
from leadscore.simulate import simulate
from leadscore.simulate.catalogue import KINDS
from leadscore.timeline import DAY, grid_before
from world import FUNNEL, FUNNEL_AS_OF, bucket, config, day, funnel_reader


def _lessons(read, settings, as_of):
    """What `learn_warmth` is called with."""
    buckets = list(read)
    census = sum_censuses(take_census(*own, settings) for own in buckets)
    earliest = max(census.first, as_of - settings.snapshots.look_back.microseconds)
    moments = grid_before(as_of, earliest, settings.snapshots.spacing.microseconds)
    return buckets, settle(census, settings), settings, moments, as_of


def _funnel(parts=1, **settings):
    return _lessons(funnel_reader(parts)(day(FUNNEL_AS_OF)), config(**(FUNNEL | settings)), day(FUNNEL_AS_OF))


def _simulated(leads, seed):
    company = simulate(leads=leads, seed=seed)

    def rows(table, **renamed):
        kept = table[[*renamed.values()]].rename(columns={old: new for new, old in renamed.items()})
        for name in kept.columns[kept.columns.str.endswith("_at")]:
            kept[name] = kept[name].astype("datetime64[us, UTC]").astype("int64")
        return kept.astype(object).where(kept.notna(), None).to_dict("records")

    def named(*names):
        return {name: name for name in names}

    outcomes = company.outcomes.assign(outcome=company.outcomes["outcome"].replace("converted", "won"))
    return bucket(
        rows(company.leads, **named("lead_id", "created_at")),
        rows(company.interactions, **named("lead_id", "occurred_at", "kind", "channel", "direction")),
        rows(outcomes, **named("lead_id", "occurred_at", "outcome")),
    ), int(company.ends_at.timestamp()) * 1_000_000


def test_the_simulated_company_gives_its_truth_away():
    own, as_of = _simulated(leads=4000, seed=3)
    settings = config(features={"families": ["infusion"], "half_lives": ["1d"]}, snapshots={"spacing": "7d"})
    words, facts = learn_warmth(*_lessons([own], settings, as_of))
    truth = {kind.name: (kind.weight + kind.weight_after) / 2 for kind in KINDS}
    found = [facts["weights"][kind] for kind in truth]
    assert np.corrcoef(found, list(truth.values()))[0, 1] > 0.7
    assert facts["half_life_days"] in (7, 14)  # in truth 10
    assert {facts["half_lives_days"][channel] for channel in ("mail", "web", "form")} <= {7, 14}
    for losses in facts["log_loss"].values():
        assert losses["learned"] < losses["neutral"]
    scale = Scale.of(words)
    assert (dict(scale.weights), scale.half_life) == (facts["weights"], facts["half_life_days"] * DAY)
    assert 0 < scale.cold < 5


def test_how_leads_are_divided_into_buckets_changes_nothing(monkeypatch):
    monkeypatch.setattr(warmth, "_MOST", {True: 50, False: 150})
    whole, cut = learn_warmth(*_funnel()), learn_warmth(*_funnel(parts=3))
    assert whole == cut
    assert whole[1]["rows"] == 200
    assert whole[1]["folds"] == 2
    assert whole[1]["weights"]["call"] == 1  # who calls converts


def test_lots_are_drawn_of_all_snapshots_alike():
    buckets, words, settings, moments, as_of = _funnel()
    scale = Scale.of(words)
    everything = draw(buckets, words, scale, settings, moments, as_of)
    hits = everything.seen[True]
    assert len(everything) == sum(everything.seen.values())
    assert int(everything.hit.sum()) == hits
    few = everything.kept({True: hits // 2, False: 40})
    assert few.weight[few.hit].sum() == pytest.approx(everything.weight[everything.hit].sum())
    assert few.weight[~few.hit].sum() == pytest.approx(everything.weight[~everything.hit].sum())
    assert np.ptp(few.age) > 0.5 * np.ptp(everything.age)


def test_a_fold_is_judged_a_horizon_after_what_it_learned_from():
    buckets, words, settings, moments, as_of = _funnel()
    sample = draw(buckets, words, Scale.of(words), settings, moments, as_of)
    horizon = settings.horizons[0].microseconds
    folds = lay_folds(sample, settings)
    assert len(folds) == 2
    for fold in folds:
        assert sample.as_of[fold.teaches].max() + horizon <= sample.as_of[fold.judges].min()
        assert sample.as_of[fold.judges].max() + horizon <= as_of


def test_with_too_few_conversions_the_scale_stays_neutral():
    buckets, words, *rest = _funnel(training={"min_conversions": 1000, "origins": 2})
    found, facts = learn_warmth(buckets, words, *rest)
    assert found == words
    assert (facts["folds"], facts["log_loss"]) == (0, {})
    assert learn_warmth((), words, *rest)[1]["rows"] == 0


@pytest.mark.parametrize("least", [5, 1000])
def test_what_is_configured_is_not_learned(least):
    features = {
        "families": ["infusion"],
        "kind_weights": {"mail": 8, "rare": 2},
        "channel_half_lives": {"web": "5d", "fax": "9d"},
    }
    buckets, words, *rest = _funnel(features=features, training={"min_conversions": least, "origins": 2})
    words = replace(words, columns=("channel",))
    scale = Scale.of(learn_warmth(buckets, words, *rest)[0])
    assert scale.weights["rare"] / scale.weights["mail"] == pytest.approx(1 / 4, abs=1e-3)
    assert max(scale.weights.values()) == 1
    assert (scale.half_lives["web"], scale.half_lives["fax"]) == (5 * DAY, 9 * DAY)
