"""The leak guard: each planted leak is found and told with its numbers, and who is innocent is not accused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import world
from conftest import ROOT
from leadscore import steps
from leadscore.config import read_config
from leadscore.features.matrix import catalogue
from leadscore.model.guard import Evidence, examine, examine_columns, inspect_bucket, refusal
from leadscore.model.guard.names import smells
from leadscore.model.guard.separation import alone, auc, encode, spread
from leadscore.model.learn import gather
from leadscore.simulate import export, simulate
from leadscore.timeline import DAY, HOUR, MINUTE, parse_moment, to_microseconds

REFUSE_AT = 0.75
ENDED_OPEN = "lead_id | created_at\n" + "\n".join(f"lead-{number:02} | 0" for number in range(60))


def told(findings):
    return {leak.name: leak.check for leak in findings}


def refused(findings, *allow):
    return refusal(findings, REFUSE_AT, allow) is not None


# ---- kinds -----------------------------------------------------------------------------------------------------


def company(kinds, ended=40, **tables):
    """Sixty leads, the first of them won on day 10; `kinds` come so many microseconds from there, by lead."""
    won = [{"lead_id": f"lead-{n:02}", "occurred_at": world.day("10"), "outcome": "won"} for n in range(ended)]
    happened = [
        {"lead_id": f"lead-{number:02}", "occurred_at": world.day("10") + gap, "kind": kind}
        for kind, when in kinds.items()
        for number in range(60)
        for gap in when(number)
    ]
    return inspect_bucket(*world.bucket(ENDED_OPEN, happened, won, **tables))


@cache
def gathered(read):
    """What a training on the funnel, or on what was planted in it, would learn from."""
    return gather(read, world.config(**world.FUNNEL), world.day(world.FUNNEL_AS_OF))


FUNNEL = world.funnel_reader()


def kinds_of(evidence):
    return [leak for leak in examine(evidence, (), gathered(FUNNEL).examples) if leak.what == "kind"]


def test_kinds_that_come_with_the_outcome_or_only_after_it_are_part_of_it():
    found = kinds_of(
        company(
            {
                "call": lambda _: [-3 * DAY],
                "signed": lambda n: [-2 * MINUTE] if n < 38 else [],
                "approved": lambda n: [0] if n < 40 else [],
                "invoice": lambda n: [2 * DAY, 9 * DAY] if n < 30 else [],
                "review": lambda n: [-5 * DAY, 0] if n < 40 else [-5 * DAY],
                "row written at closing": lambda n: [0] * 9 + [-5 * DAY] * (n == 3) if n < 40 else [],
                "seldom": lambda n: [0] if n < 15 else [],
            }
        )
    )
    assert told(found) == {
        "approved": "with_the_outcome",
        "signed": "with_the_outcome",
        "invoice": "after_the_outcome",
        "row written at closing": "with_the_outcome",
    }
    sentence = {leak.name: leak.evidence for leak in found}
    assert sentence["signed"] == (
        "Kind signed comes with the outcome, 2 min to 2 min before it, in 38 of the 38 leads it occurs in."
    )
    assert sentence["invoice"] == "Kind invoice comes only after the outcome in 30 of the 30 leads it occurs in."
    assert refused(found)


def test_a_kind_that_open_leads_have_is_not_part_of_the_outcome():
    assert kinds_of(company({"visit": lambda n: [0] if n < 25 else [-DAY] if n >= 35 else []})) == []


def test_a_lead_that_ends_as_soon_as_it_is_created_tells_nothing_of_its_kinds():
    names = [f"lead-{number:02}" for number in range(40)]
    at_birth = [{"lead_id": name, "occurred_at": world.day("0") + MINUTE, "outcome": "lost"} for name in names]
    form = [{"lead_id": name, "occurred_at": world.day("0"), "kind": "form"} for name in names]
    assert kinds_of(inspect_bucket(*world.bucket(ENDED_OPEN, form, at_birth))) == []


def test_outcomes_known_to_the_day_widen_what_is_with_them():
    kinds = {"signed": lambda n: [(n % 9 + 1) * HOUR] if n < 40 else [], "call": lambda _: [-2 * DAY]}
    assert told(kinds_of(company(kinds))) == {"signed": "with_the_outcome"}  # all at midnight
    exact = replace(company({"signed": lambda n: [-HOUR] if n < 40 else []}), on_the_hour=0)
    assert kinds_of(exact) == []


def test_who_objected_is_no_evidence():
    no = [{"lead_id": f"lead-{n:02}", "occurred_at": world.day("1"), "status": "objection"} for n in range(40)]
    assert kinds_of(company({"signed": lambda n: [0] if n < 40 else []}, consents=no)) == []


# ---- attributes --------------------------------------------------------------------------------------------------


def planted(plant, parts=1):
    """The funnel, every lead told anew by `plant(row, won_at or None, chance)`: its versions."""
    leads, interactions, outcomes = world.funnel(600)
    chance, as_of = np.random.default_rng(3), world.day(world.FUNNEL_AS_OF)
    won = {row["lead_id"]: row["occurred_at"] for row in outcomes if row["occurred_at"] < as_of}
    versions = [version for row in leads for version in plant(row, won.get(row["lead_id"]), chance)]

    tables = (versions, "created_at"), (interactions, "occurred_at"), (outcomes, "occurred_at")

    def read(before):
        for part in range(parts):
            living = [[row for row in rows if int(row["lead_id"][-3:]) % parts == part] for rows, _ in tables]
            known = zip(living, (at for _, at in tables), strict=True)
            yield world.bucket(*([row for row in rows if row.get("known_at", row[at]) < before] for rows, at in known))

    return read


def judged(read):
    found = gathered(read)
    evidence = sum((inspect_bucket(*bucket) for bucket in read(world.day(world.FUNNEL_AS_OF))), Evidence())
    return examine(evidence, catalogue(found.vocabulary), found.examples)


def adds(value):
    """Add an attribute to the only version of a lead: `value(won, chance)`, None for missing."""

    def plant(row, won, chance):
        said = value(won is not None, chance)
        return [row | {"attributes": row["attributes"] | ({} if said is None else {"field": said})}]

    return plant


def test_nothing_is_accused_where_nothing_leaks():
    assert judged(planted(adds(lambda _, chance: str(chance.integers(9))))) == ()


@pytest.mark.parametrize(
    "value",
    [
        lambda won, chance: str(int(won ^ (chance.random() < 0.1))),
        lambda won, chance: "abc"[chance.integers(3)] if chance.random() < (0.9 if won else 0.03) else None,
    ],
    ids=["the label with 10 % noise", "filled in after conversion, without dates"],
)
def test_an_attribute_that_knows_who_converts_is_found(value):
    (leak,) = judged(planted(adds(value)))
    assert (leak.name, leak.what) == ("field", "attribute")
    assert refused([leak])
    assert not refused([leak], "field")
    assert "%" in leak.evidence


def test_an_attribute_filled_for_who_has_ended_is_found_though_it_does_not_tell_who_converts():
    def plant(row, won, chance):
        return [row | {"attributes": row["attributes"] | {"reason": "abc"[chance.integers(3)]}}] if won else [row]

    (leak,) = judged(planted(plant))
    assert (leak.name, leak.check) == ("reason", "filled_by_the_outcome")
    assert "known from the start for 100% of the leads that have ended and 0% of the open ones." in leak.evidence


def test_an_attribute_filled_in_after_conversion_is_found_by_its_dates_however_the_store_is_divided():
    def plant(row, won, chance):
        later = {"known_at": (won or 0) + DAY, "attributes": row["attributes"] | {"field": "abc"[chance.integers(3)]}}
        return [row, row | later] if won and chance.random() < 0.9 else [row]

    (leak,) = judged(planted(plant))
    assert (leak.name, leak.check) == ("field", "updated_after")
    assert leak.evidence.endswith("come with the outcome or after it.")
    assert refused([leak])
    assert judged(planted(plant, parts=3)) == (leak,)


@pytest.mark.parametrize("dated", [True, False])
def test_a_sale_that_links_a_lead_to_a_large_account_is_found(dated):
    def plant(row, won, chance):
        row = row | {"account_id": f"account {chance.integers(300)}"}
        large = row | {"account_id": f"large account {chance.integers(3)}"}
        if not won:
            return [row]
        return [row, large | {"known_at": won}] if dated else [large]

    findings = judged(planted(plant))
    assert told(findings)["account_id"] == ("updated_after" if dated else "separates")
    assert refused(findings)
    assert "large account" not in str(findings)


@pytest.mark.parametrize("when", [lambda row, _: row["created_at"] + 40 * DAY, lambda _, won: won and won + DAY])
def test_an_attribute_that_is_refreshed_and_tells_nothing_by_it_is_not_accused(when):
    def plant(row, won, chance):
        size = row["attributes"] | {"size": str(int(chance.integers(1, 500)))}
        return [row, row | {"known_at": when(row, won), "attributes": size}] if when(row, won) else [row]

    assert judged(planted(plant)) == ()


def test_the_value_of_a_few_leads_is_never_told():
    def plant(row, won, _):
        phone = row["attributes"] | {"field": f"55512{row['lead_id'][-3:]}"}
        return [row, row | {"known_at": won + DAY, "attributes": phone}] if won else [row]

    findings = judged(planted(plant))
    assert told(findings) == {"field": "updated_after"}
    assert "55512" not in str(findings)


def test_a_name_that_smells_warns_alone_and_adds_to_other_evidence():
    def plant(row, won, chance):
        fields = {"lead_status": "ab"[chance.integers(2)], "deal stage": "x" if won or chance.random() < 0.25 else "y"}
        return [row | {"attributes": row["attributes"] | fields}]

    findings = {leak.name: leak for leak in judged(planted(plant))}
    assert {*findings} == {"lead_status", "deal stage"}
    assert findings["lead_status"].check == "name"
    assert refusal([findings["lead_status"]], 0.1, ()) is None
    assert "'stage'" in findings["deal stage"].evidence
    plain = {leak.name: leak for leak in judged(planted(lambda *given: _renamed(plant(*given))))}
    assert plain["field"].severity < findings["deal stage"].severity


def _renamed(versions):
    return [row | {"attributes": {"field": row["attributes"]["deal stage"]}} for row in versions]


@pytest.mark.parametrize(
    ("names", "smell"),
    [
        ("status LeadStatus lead_status STAGE StageName tags isWon is_converted closed_date y Résultat", True),
        ("Statut étape clôture gagné resultaat gewonnen afgesloten Ergebnis resultado loss-reason", True),
        ("wonderful layer plays marital_status maritalStatus state storage industry country poutcome", False),
        ("category yield closet lostine stages_of_life target_group duration company_size winter", False),
    ],
)
def test_names_smell_by_whole_words(names, smell):
    assert [name for name in names.split() if bool(smells(name)) != smell] == []


# ---- features ----------------------------------------------------------------------------------------------------


def test_a_feature_that_knows_the_label_is_found_and_the_honest_ones_are_not():
    found = gathered(FUNNEL)
    features, examples = catalogue(found.vocabulary), found.examples
    assert examine(Evidence(), features, examples) == ()
    chance, matrix = np.random.default_rng(4), examples.matrix.copy()
    hits = examples.labels.by_horizon[:, 0]
    matrix[:, -1] = hits + 0.2 * chance.normal(size=len(hits))
    (leak,) = examine(Evidence(), features, replace(examples, matrix=matrix))
    assert (leak.name, leak.what) == (features[-1].name, "feature")
    assert refused([leak])


# ---- flat tables -------------------------------------------------------------------------------------------------


def flat(rows=6000):
    """Conversions more often as time goes by; a market that goes with it, an honest habit, and noise."""
    chance = np.random.default_rng(8)
    order = np.arange(rows)
    habit = chance.normal(size=rows)
    rate = 1 / (1 + np.exp(3.5 - 4 * order / rows - 0.7 * habit))
    hits = chance.random(rows) < rate
    columns = {
        "market": order // 300 + 0.0,
        "habit": habit + chance.normal(size=rows),
        "region": np.array(["north", "south", None, "west"], dtype=object)[chance.integers(4, size=rows)],
        "noise": np.where(chance.random(rows) < 0.2, np.nan, chance.normal(size=rows)),
    }
    return columns, hits, order, chance


def test_a_market_that_moves_with_the_conversions_is_not_accused_where_the_order_is_known():
    columns, hits, order, _ = flat()
    assert examine_columns(columns, hits, order) == ()
    assert told(examine_columns(columns, hits)) == {"market": "separates"}  # what the order is for


def test_what_everything_else_tells_as_well_is_not_accused():
    columns, hits, order, chance = flat()
    likely = hits + 0.9 * chance.normal(size=len(hits))  # three honest ways to measure one thing
    seen = {f"visits {way}": likely + 0.3 * chance.normal(size=len(hits)) for way in "abc"}
    assert examine_columns(columns | seen, hits, order) == ()
    assert told(examine_columns(columns | {"visits": seen["visits a"]}, hits, order)) == {"visits": "separates"}


def test_leaks_of_a_flat_table_do_not_vouch_for_one_another():
    columns, hits, order, chance = flat()
    columns["length"] = np.where(hits, 2.0, 0.0) + chance.normal(size=len(hits))
    columns["minutes"] = columns["length"] / 60
    columns["copy"] = np.where(chance.random(len(hits)) < 0.1, ~hits, hits)
    columns["filled"] = np.where(hits & (chance.random(len(hits)) < 0.9), "x", "").astype(object)
    findings = examine_columns(columns, hits, order)
    assert told(findings) == dict.fromkeys(("length", "minutes", "copy", "filled"), "separates")
    assert all(refused([leak]) for leak in findings)
    assert "of about the same time" in findings[0].evidence


def test_of_few_rows_nothing_is_said():
    columns, hits, order, _ = flat(120)
    copy = {"copy": hits.astype(float)}
    assert examine_columns(columns | copy, np.arange(120) < 19, order) == ()
    assert examine_columns(copy, np.zeros(120, bool), order) == ()


@pytest.mark.parametrize("mixed", [1, 2, 10])
def test_a_file_sorted_by_its_answers_accuses_nobody(mixed):
    rows, chance = 6000, np.random.default_rng(2)
    hits = np.arange(rows) < 1200 + mixed  # so many share a block with misses
    columns = {f"noise {number}": chance.normal(size=rows) for number in range(100)}
    assert examine_columns(columns, hits, np.arange(rows)) == ()


# ---- measures ----------------------------------------------------------------------------------------------------


def test_the_auc_within_blocks_weighs_every_pair_the_same():
    chance = np.random.default_rng(2)
    score, hits, blocks = chance.integers(0, 6, 200) / 2, chance.random(200) < 0.3, chance.integers(0, 4, 200)
    parts = [(roc_auc_score(hits[blocks == k], score[blocks == k]), hits[blocks == k]) for k in range(4)]
    weights = [own.sum() * (~own).sum() for _, own in parts]
    assert auc(score, hits, blocks) == pytest.approx(np.average([value for value, _ in parts], weights=weights))
    assert np.isnan(auc(score, np.zeros(200, bool), blocks))


def test_alone_sees_any_shape_and_missing_values_and_is_not_fooled_by_noise():
    chance = np.random.default_rng(2)
    hits, blocks = chance.random(4000) < 0.3, np.zeros(4000, np.int64)
    valley = np.where(hits, chance.choice([-2.0, 2.0], 4000), 0) + 0.3 * chance.normal(size=4000)
    assert alone(encode(valley), hits, blocks) > 0.95
    assert alone(encode(np.where(hits, np.nan, 1.0)), hits, blocks) == 1
    everyone = encode(np.array([f"name {n}" for n in range(4000)], dtype=object))
    assert alone(everyone, hits, blocks) == pytest.approx(0.5, abs=0.03)
    assert alone(encode(chance.normal(size=4000)), hits, blocks) == pytest.approx(0.5, abs=0.05)


def test_the_standard_error_is_what_draws_show():
    chance = np.random.default_rng(2)
    hits = np.arange(200) < 60
    for blocks in (np.zeros(200, np.int64), np.repeat([0, 1, 2], (50, 30, 120)), np.arange(200) % 10):
        draws = [auc(chance.normal(size=200) + 1.2 * hits, hits, blocks) for _ in range(300)]
        assert spread(float(np.mean(draws)), hits, blocks) == pytest.approx(np.std(draws), rel=0.2)


# ---- real logs ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loans(shared_data, tmp_path_factory):
    """The loan applications of the example, ingested."""
    return ingested(ROOT / "examples" / "bpic2012" / "leadscore.yaml", tmp_path_factory.mktemp("loans"), shared_data)


def ingested(path, folder, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADSCORE_DATA", str(data))
        settings = read_config(path).model_copy(update={"data": str(folder / "data")})
        steps.ingest(settings, parse_moment("2030-01-01", "UTC"))
    return settings


def findings_of(settings, as_of):
    read = steps.reader(settings, steps.open_settled(settings))
    found = gather(read, settings, as_of)
    evidence = sum((inspect_bucket(*own) for own in read(as_of)), Evidence())
    return examine(evidence, catalogue(found.vocabulary), found.examples)


@pytest.mark.slow
def test_outcome_kinds_left_in_the_loan_log_are_found_and_without_them_nothing_is(loans):
    as_of = parse_moment("2012-01-01T00:00:00+01:00", "UTC")
    assert findings_of(loans, as_of) == ()
    hidden = loans.outcomes.hidden_kinds
    left_in = loans.model_copy(update={"outcomes": loans.outcomes.model_copy(update={"hidden_kinds": ()})})
    findings = findings_of(left_in, as_of)
    assert {leak.name for leak in findings} == {*hidden}
    assert all(refused([leak]) for leak in findings)


@pytest.mark.slow
def test_nothing_is_accused_in_the_clean_simulation(tmp_path):
    made = simulate(leads=1500, seed=11)
    settings = ingested(export(made, tmp_path, "en"), tmp_path, tmp_path)
    assert findings_of(settings, to_microseconds(made.ends_at)) == ()


@pytest.mark.slow
def test_the_length_of_the_call_is_found_in_the_bank_file_and_nothing_else(shared_data):
    bank = pd.read_csv(shared_data / "bank" / "bank_additional_full.csv.gz")
    hits, order = (bank.pop("y") == "yes").to_numpy(), bank.pop("seq").to_numpy()
    columns = {name: bank[name].to_numpy(dtype=object) for name in bank.columns if name != "contact_ym_reconstructed"}
    for given in (order, None):
        findings = examine_columns(columns, hits, given)
        assert told(findings) == {"duration": "separates"}
        assert refused(findings)
        assert not refused(findings, "duration")
