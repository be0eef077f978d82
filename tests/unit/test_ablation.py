"""Ablation: each line is what training with that configuration would give, and its noise is that of the leads."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from leadscore.delivery.ablation import markdown
from leadscore.model.ablation import METRICS, Trial, Variant, ablate, bootstrap, plan_variants, tabulate
from leadscore.model.evaluate import judge
from leadscore.model.learn import in_shape, judge_origin, splits
from world import FUNNEL, FUNNEL_AS_OF, bucket, config, day, funnel

AS_OF = day(FUNNEL_AS_OF)
FAMILIES = ("profile", "power", "volume", "sequence")


@cache
def pushed():
    """The funnel, its mails being what we push."""
    leads, interactions, outcomes = funnel()
    push = {"mail": "outbound", "call": "inbound"}
    return leads, [row | {"direction": push[row["kind"]]} for row in interactions], outcomes


def read(before):
    tables = zip(pushed(), ("created_at", "occurred_at", "occurred_at"), strict=True)
    yield bucket(*([row for row in rows if row[at] < before] for rows, at in tables))


def settings(families):
    return config(**FUNNEL | {"features": FUNNEL["features"] | {"families": families}})


@cache
def trials():
    origin = splits(day("0"), settings(FAMILIES), AS_OF, 1)[0]
    return origin, list(ablate(read, settings(FAMILIES), origin, AS_OF, plan_variants(FAMILIES)))


def test_all_each_left_out_and_each_alone():
    assert [variant.name for variant in plan_variants(("a", "b"))] == [
        "all",
        "without a",
        "without b",
        "a alone",
        "b alone",
    ]
    assert [variant.families for variant in plan_variants(("a", "b"))] == [("a", "b"), ("b",), ("a",), ("a",), ("b",)]
    assert [variant.name for variant in plan_variants(("a",))] == ["all"]


@pytest.mark.parametrize("name", ["all", "without power", "without volume", "sequence alone", "power alone"])
def test_a_line_is_what_training_with_that_configuration_gives(name):
    """The family power takes what we push away from the others, so leaving it out is more than leaving out columns."""
    origin, found = trials()
    trial = next(trial for trial in found if trial.variant.name == name)
    own = settings(trial.variant.families)
    cohort = in_shape(judge_origin(read, own, origin, AS_OF), "hazard")
    for k, rows in enumerate(cohort.matured.T):
        expected = judge(cohort.hits[rows, k], cohort.chances["model"][rows, k], cohort.as_of[rows], None)
        assert trial.figures[k] == expected
    assert trial.counts.sum() == cohort.matured.sum()
    losses = trial.losses.sum(axis=0) / trial.counts.sum(axis=0)
    assert losses == pytest.approx([figures["log_loss"] for figures in trial.figures], rel=1e-12)


def test_leaving_out_power_changes_what_the_others_count():
    _, found = trials()
    by_name = {trial.variant.name: trial for trial in found}
    alone, left = by_name["volume alone"], by_name["without power"]
    assert alone.features > 0
    assert left.features > alone.features
    rows = tabulate(found, settings(FAMILIES))
    assert [row.variant for row in rows][::3] == [variant.name for variant in plan_variants(FAMILIES)]
    whole = [row for row in rows if row.kind == "all"]
    assert {(row.log_loss_change, row.log_loss_sd, row.is_noise) for row in whole} == {(0.0, 0.0, True)}
    for row in rows:
        base = next(other for other in whole if other.horizon == row.horizon)
        assert row.auc_change == pytest.approx(row.auc - base.auc)
        assert row.log_loss_change == pytest.approx(row.log_loss - base.log_loss)


def test_a_family_that_is_off_has_no_line():
    origin, _ = trials()
    idle = ("profile", "volume", "capillarity")  # the funnel's leads have no accounts
    found = ablate(read, settings(idle), origin, AS_OF, plan_variants(idle))
    rows = tabulate([trial for trial in found if trial is not None], settings(idle))
    assert {row.variant for row in rows} == {
        "all",
        "without profile",
        "without volume",
        "profile alone",
        "volume alone",
    }


def test_where_there_is_too_little_to_learn_from_there_is_no_trial():
    origin, _ = trials()
    training = settings(FAMILIES).training.model_copy(update={"min_conversions": 999})
    poor = settings(FAMILIES).model_copy(update={"training": training})
    assert set(ablate(read, poor, origin, AS_OF, plan_variants(FAMILIES))) == {None}


def test_the_noise_of_a_change_is_that_of_its_leads():
    """With a snapshot a lead it is the textbook's sd of a mean; the same row thrice is no more evidence."""
    chance = np.random.default_rng(5)
    changes = chance.normal(size=(2000, 1))
    leads = [f"lead {number}" for number in range(2000)]
    judged = ({"log_loss": 0.5},)
    whole = Trial(Variant("all", "", ()), 0, 1, judged, leads, np.zeros((2000, 1)), np.ones((2000, 1)), {})
    other = replace(whole, losses=changes)
    expected = changes.std() / np.sqrt(2000)
    assert bootstrap([(other, whole)], 1)[0] == pytest.approx(expected, rel=0.12)
    thrice = [replace(trial, losses=3 * trial.losses, counts=3 * trial.counts) for trial in (other, whole)]
    assert bootstrap([tuple(thrice)], 1) == pytest.approx(bootstrap([(other, whole)], 1))
    assert np.array_equal(bootstrap([(other, whole)], 1), bootstrap([(other, whole)], 1))
    # The same leads at a second origin: no more leads, no less noise.
    assert bootstrap([(other, whole)] * 2, 1) == pytest.approx(bootstrap([(other, whole)], 1))
    # An origin after which nobody converted is in no mean, so not in the noise either; alone, it says nothing.
    silent = replace(other, losses=9 * changes, figures=({"log_loss": np.nan},))
    assert bootstrap([(other, whole), (silent, whole)], 1) == pytest.approx(bootstrap([(other, whole)], 1))
    assert np.isnan(bootstrap([(silent, whole)], 1)).all()


def test_accounts_are_drawn_where_there_are_some():
    origin, found = trials()

    def account_of(lead):
        return None if lead.endswith("7") else f"acme {lead[-1]}"

    def read_accounts(before):
        for leads, history in read(before):
            yield replace(leads, account_id=tuple(map(account_of, leads.lead_id))), history

    (whole,) = ablate(read_accounts, settings(FAMILIES), origin, AS_OF, plan_variants(FAMILIES)[:1])
    plain = found[0]
    expected = {}
    for lead, losses in zip(plain.units, plain.losses, strict=True):
        account = account_of(lead)
        name = f"account {account}" if account else lead
        expected[name] = expected.get(name, 0) + losses
    assert (plain.drawn, whole.drawn) == ("leads", "accounts")
    assert whole.units == sorted(expected)
    np.testing.assert_allclose(whole.losses, [expected[name] for name in whole.units])


def test_a_figure_that_nobody_converted_for_is_a_dash():
    row = dict.fromkeys((*METRICS, "log_loss_change", "log_loss_sd"), np.nan)
    row |= {"variant": "a alone", "kind": "alone", "horizon": "14d", "features": 1, "is_noise": True}
    assert markdown([row], "14d").splitlines()[-1] == "| a alone | 1 | – | – | – | – | – ± – |"
