"""Learning: members that each miss one stretch of the past, the shape that wins, the origins a configuration names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bundles import SETTINGS, VOCABULARY, tiny_bundle, tiny_examples, tiny_matrix
from leadscore.errors import DataError
from leadscore.model import train
from leadscore.model.learn import (
    Cohort,
    Gathered,
    Learned,
    choose_shape,
    configured_splits,
    fit_members,
    in_shape,
    judge_newest,
    judge_origin,
)
from leadscore.model.shape import SHAPES
from leadscore.timeline import DAY
from world import FUNNEL, FUNNEL_AS_OF, START, bucket, config, day, funnel, funnel_reader, learned_funnel


def drawn_members(as_of, number, shape="hazard"):
    """The members of a model learned from snapshots at some moments."""
    examples = replace(tiny_examples(3, rows=len(as_of)), as_of=as_of)
    model = train.fit(examples, VOCABULARY, SETTINGS, shape, 1)
    settings = config(model=SETTINGS.model_dump() | {"members": number})
    return examples, fit_members(Learned(Gathered(0, VOCABULARY, examples), model), settings)


# ---- members -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("moments", "left_out"),
    [
        # Snapshots per day, and the days each member misses.
        ((60, 60, 60, 60, 60, 60), [{0, 1}, {2, 3}, {4, 5}]),
        ((100, 20, 20, 60, 50, 50), [{0}, {1, 2, 3}, {4, 5}]),  # of about equally many snapshots
    ],
)
def test_each_member_misses_one_stretch_of_the_past(shape, moments, left_out):
    days = np.repeat(np.arange(len(moments)), moments)
    examples, members = drawn_members(days * DAY, len(left_out), shape)
    for member, without in zip(members, left_out, strict=True):
        rest = examples.take(np.flatnonzero(~np.isin(days, list(without))))
        again = train.fit(rest, VOCABULARY, SETTINGS, shape, 1)
        assert (member.to_dict(), member.trees) == (again.to_dict(), again.trees)
        assert member.shape == shape


def test_of_few_moments_there_are_few_stretches():
    days = np.repeat([3, 9], 150)
    examples, members = drawn_members(days * DAY, 4)
    rest = (examples.take(np.flatnonzero(days != day)) for day in (3, 9))
    again = [train.fit(part, VOCABULARY, SETTINGS, "hazard", 1).trees for part in rest]
    assert [member.trees for member in members] == again


@pytest.mark.parametrize(("number", "moments"), [(0, 300), (1, 300), (4, 1)])
def test_one_alone_cannot_disagree(number, moments):
    assert drawn_members(DAY * np.repeat(np.arange(moments), 300 // moments), number)[1] == ()
    bundle = tiny_bundle(members=())
    assert bundle.spread(tiny_matrix(), 1).tolist() == [0.0] * 50


def test_the_spread_is_the_standard_error_of_a_jackknife():
    """sqrt((m - 1) / m · Σ (x - mean x)²) of the members' logits, whatever the model and the calibrator say."""
    bundle, matrix = tiny_bundle(), tiny_matrix()
    said = np.array([member.readiness(matrix)[:, 2] for member in bundle.members])
    one, other = np.log(said / (1 - said))
    np.testing.assert_allclose(bundle.spread(matrix, 2), np.sqrt(1 / 2 * ((one - other) ** 2 / 2)), rtol=1e-9)
    assert bundle.spread(matrix, 2).min() > 0
    thrice = replace(bundle, members=(bundle.members[0],) * 3)
    np.testing.assert_allclose(thrice.spread(matrix, 2), 0, atol=1e-12)


def test_a_bundle_has_as_many_members_as_are_configured():
    settings, learned, _, bundle = learned_funnel(shape="per_horizon")
    assert len(bundle.members) == settings.model.members == 4
    assert {member.shape for member in bundle.members} == {"per_horizon"}
    assert len({fitted.trees for fitted in (bundle.model, *bundle.members)}) == 5
    # Three quarters of the past give much the same ranking.
    for member in bundle.members:
        said = member.readiness(learned.examples.matrix)[:, 1], bundle.model.readiness(learned.examples.matrix)[:, 1]
        assert np.corrcoef(*said)[0, 1] > 0.8


# ---- the shape that wins -------------------------------------------------------------------------------------


def drawn_cohorts(better, noise, seed=1):
    """Two origins of 400 leads: what the hazard says, and what a classifier per horizon says `better` than that."""
    chance = np.random.default_rng(seed)

    def cohort(origin):
        truth = np.sort(chance.normal(-1, 1, (400, 3)), axis=1)
        hits = chance.random(truth.shape) < 1 / (1 + np.exp(-truth))
        off = chance.normal(0, 1, truth.shape)
        hazard = truth + off
        other = truth + (1 - better) * off + chance.normal(0, noise, truth.shape)
        said = {"hazard": 1 / (1 + np.exp(-hazard)), "per_horizon": 1 / (1 + np.exp(-other)), "recency": hits * 0.5}
        leads = [f"lead {k}" for k in range(400)]
        return Cohort(origin, leads, np.full(400, origin), hits, np.ones_like(hits), said)

    return [cohort(START), cohort(START + 30 * DAY)]


@pytest.mark.parametrize(
    ("better", "noise", "chosen"),
    [
        (0.9, 0.0, "per_horizon"),
        (-0.9, 0.0, "hazard"),
        (0.0, 0.1, "hazard"),  # alike, but for noise
        (0.0, 0.0, "hazard"),  # the same
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_classifier_per_horizon_must_win_beyond_noise(better, noise, chosen, seed):
    cohorts = drawn_cohorts(better, noise, seed)
    choice = choose_shape(cohorts, config())
    assert (choice.shape, choice.why) == (chosen, "judged")
    losses = {name: np.mean([_loss(own, name) for own in cohorts]) for name in SHAPES}
    assert choice.difference == pytest.approx(losses["per_horizon"] - losses["hazard"])
    assert choice.sd < 0.05
    if better:
        assert abs(choice.difference) > 3 * choice.sd > 0


def _loss(cohort, name):
    said = cohort.chances[name]
    return -np.log(np.where(cohort.hits, said, 1 - said)).mean()


def test_labels_that_have_not_matured_choose_nothing():
    cohorts = drawn_cohorts(0.9, 0.0)
    open_still = [replace(own, matured=np.repeat([[True, True, False]], 400, axis=0)) for own in cohorts]
    spoilt = [replace(own, hits=own.hits & [True, True, False]) for own in open_still]
    assert choose_shape(open_still, config()) == choose_shape(spoilt, config())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_that_is_configured_is_not_judged(shape):
    settings = config(model={"shape": shape})
    choice = choose_shape(drawn_cohorts(-0.9 if shape == "per_horizon" else 0.9, 0.0), settings)
    assert (choice.shape, choice.why) == (shape, "configured")
    assert np.isnan([choice.difference, choice.sd]).all()


def test_without_a_cohort_the_coherent_one_is_taken():
    choice = choose_shape([], config())
    assert (choice.shape, choice.why) == ("hazard", "nothing to judge by")


def test_the_chosen_shape_is_the_model_and_the_other_is_left_out():
    (cohort, _) = drawn_cohorts(0.5, 0.0)
    found = in_shape(cohort, "per_horizon")
    assert list(found.chances) == ["model", "recency"]
    assert found.chances["model"] is cohort.chances["per_horizon"]


# ---- origins that are configured -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("100", {40: [40, 47], 60: [60, 67]}),
        ("64", {40: [40, 47], 60: [60]}),  # what has not come yet is left out
        ("60", {40: [40, 47]}),
        ("40", {}),
    ],
)
def test_configured_origins_are_taken_as_they_are(as_of, expected):
    backtest = {"origins": ["2024-02-10", "2024-03-01T01:00:00+01:00"], "cohort": ["0d", "7d"]}
    found = configured_splits(config(backtest=backtest), day(as_of))
    assert {(split.origin - START) / DAY: ((split.moments - START) / DAY).tolist() for split in found} == expected


def test_a_local_moment_is_read_in_the_time_zone_of_the_project():
    backtest = {"origins": ["2024-03-01T00:00:00"], "cohort": ["0d"]}
    (split,) = configured_splits(config(backtest=backtest, time_zone="Europe/Paris"), day("100"))
    assert split.origin == day("60") - DAY // 24


def test_a_cohort_knows_the_newest_account_of_its_leads():
    settings = config(**FUNNEL | {"backtest": {"origins": ["2024-03-10"], "cohort": ["0d", "7d"]}})
    leads, interactions, outcomes = funnel()
    odd = {row["lead_id"]: int(row["lead_id"][-3:]) % 2 for row in leads}
    known = [row | {"account_id": "old" if odd[row["lead_id"]] else None} for row in leads]
    moved = [row | {"account_id": "new", "known_at": day("75")} for row in known if odd[row["lead_id"]]]

    def read(before):
        tables = ((*known, *moved), "created_at"), (interactions, "occurred_at"), (outcomes, "occurred_at")
        yield bucket(*([row for row in rows if row.get("known_at", row[at]) < before] for rows, at in tables))

    (split,) = configured_splits(settings, day(FUNNEL_AS_OF))
    for seen_from, account in ((day("75"), "old"), (day(FUNNEL_AS_OF), "new")):
        cohort = judge_origin(read, settings, split, seen_from)
        assert set(zip((odd[lead] for lead in cohort.lead_id), cohort.account_id, strict=True)) == {
            (0, None), (1, account)
        }  # fmt: skip


def test_an_origin_that_can_teach_or_show_nothing_says_so():
    settings = config(**FUNNEL | {"backtest": {"origins": ["2024-01-05", "2024-03-10"], "cohort": ["7d"]}})
    early, late = configured_splits(settings, day(FUNNEL_AS_OF))
    with pytest.raises(DataError, match="Nothing to learn from as of 2024-01-05"):
        judge_origin(funnel_reader(), settings, early, day(FUNNEL_AS_OF))
    nobody = replace(late, moments=late.moments[:0])
    with pytest.raises(DataError, match="no lead was at risk in the cohort after 2024-03-10"):
        judge_origin(funnel_reader(), settings, nobody, day(FUNNEL_AS_OF))
    assert set(judge_origin(funnel_reader(), settings, late, day(FUNNEL_AS_OF)).chances) > set(SHAPES)


def test_the_newest_closed_lists_are_judged_by_a_model_that_had_not_seen_them():
    settings, _, cohorts, _ = learned_funnel()
    as_of, ranked = day(FUNNEL_AS_OF), settings.rank_index
    (newest,) = judge_newest(funnel_reader(), settings, cohorts, 0, as_of, "hazard")
    assert min(newest.as_of) > max(cohorts[-1].as_of)
    assert newest.origin == min(newest.as_of)
    assert set(newest.chances) == {"model", "recency"}
    # They have closed for the ranking horizon, and not all for the longest: else they had been judged already.
    assert newest.matured[:, ranked].all()
    assert not newest.matured[:, -1].all()
    closes = settings.horizons[ranked].microseconds + settings.outcomes.known_within.microseconds
    assert as_of - max(newest.as_of) - closes < settings.snapshots.spacing.microseconds
    assert judge_newest(funnel_reader(), settings, [*cohorts, newest], 0, as_of, "hazard") == []


def test_where_no_origin_could_be_judged_the_newest_lists_are():
    settings, as_of = learned_funnel()[0], day(FUNNEL_AS_OF)
    found = judge_newest(funnel_reader(), settings, [], 0, as_of, "per_horizon")
    assert all(cohort.matured[:, settings.rank_index].all() for cohort in found)
    assert [set(cohort.chances) for cohort in found] == [{"model", "recency"}] * len(found)
    assert 0 < len(found) < 3, "the first origin had too little to learn from"
    moments = [moment for cohort in found for moment in np.unique(cohort.as_of)]
    assert np.unique(np.diff(moments)).tolist() == [settings.snapshots.spacing.microseconds]
