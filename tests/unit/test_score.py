"""Scoring one moment: who is on the list, what is said of each, and in which order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest

from leadscore.features import plain
from leadscore.model.certainty import Bounds
from leadscore.scoring.ranking import exploration, rank, scores_schema
from leadscore.scoring.score import Counts, Earlier, score_bucket
from leadscore.timeline import DAY
from world import FUNNEL_AS_OF, config, day, funnel_reader, learned_funnel, without_trees
from world import bucket as drawn

AS_OF = day(FUNNEL_AS_OF)


def listed(previous=None, **settings):
    trained, _, _, bundle = learned_funnel()
    used = trained.model_copy(update=settings)
    scored = [score_bucket(own, bundle, used, AS_OF) for own in funnel_reader(3)(AS_OF)]
    earlier = Earlier(AS_OF - 7 * DAY, comparable=True, scores=previous) if previous else None
    table = rank([part for part, _ in scored], bundle, used, AS_OF, "run", earlier)
    return table, sum((counts for _, counts in scored), Counts()), bundle


def test_scores_of_another_model_are_told_but_make_no_trend():
    trained, _, _, bundle = learned_funnel()
    scored = [score_bucket(own, bundle, trained, AS_OF)[0] for own in funnel_reader(3)(AS_OF)]
    earlier = {lead: 50 for part in scored for lead in part.lead_id}
    same, other = (
        rank(scored, bundle, trained, AS_OF, "run", Earlier(AS_OF - DAY, comparable, earlier)).to_pydict()
        for comparable in (True, False)
    )
    assert set(other["trend"]) == {"not_enough_info"}
    assert {"improving", "declining"} <= set(same["trend"])
    assert set(other["score_prev"]) == set(same["score_prev"]) == {50}


def test_everyone_is_on_the_list_or_counted_once_elsewhere():
    leads, _ = bucket = drawn(
        """
        lead_id | created_at | closes_at
        ada     | 70         | _
        bob     | 70         | _
        cyd     | 70         | _
        dan     | 70         | 75
        eve     | 70         | 75
        """,
        "lead_id | occurred_at | kind\nada | 71 | mail",
        "lead_id | occurred_at | outcome\nbob | 72 | won\ncyd | 73 | lost\neve | 73 | lost",
        "lead_id | occurred_at | status\ncyd | 74 | objection",
    )
    trained, _, _, bundle = learned_funnel()
    scored, counts = score_bucket(bucket, bundle, trained, AS_OF)
    assert scored.lead_id == ["ada"]
    assert counts == Counts(leads=5, delivered=1, objected=1, ended=2, closed=1)
    assert len(leads) == counts.delivered + counts.objected + counts.ended + counts.closed


def test_a_bucket_with_nobody_at_risk_gives_nobody():
    bucket = drawn("lead_id | created_at\nada | 70", (), "lead_id | occurred_at | outcome\nada | 72 | won")
    trained, _, _, bundle = learned_funnel()
    scored, counts = score_bucket(bucket, bundle, trained, AS_OF)
    assert (len(scored), counts.ended) == (0, 1)
    empty = rank([scored], bundle, trained, AS_OF, "run")
    assert empty.num_rows == 0
    assert empty.schema == scores_schema(("3d", "7d", "14d"))


def test_the_list_is_ranked_and_coherent():
    table, counts, bundle = listed(capacity=5)
    columns = table.to_pydict()
    n = table.num_rows
    assert n == counts.delivered > 50
    assert columns["rank"] == list(range(1, n + 1))
    assert len(set(columns["lead_id"])) == n
    chances = np.stack([columns[f"p_{name}"] for name in ("3d", "7d", "14d")], axis=1)
    assert np.all(np.diff(chances, axis=1) >= 0)
    assert np.all(np.diff(chances[:, 1]) <= 0)
    assert np.all(np.diff(columns["score"]) <= 0)
    assert set(columns["score"]) <= set(range(1, 100))
    assert "".join(columns["grade"]).startswith("AAAAA" + "B" * 10 + "C")
    assert columns["action"][:5] == ["call"] * 5
    assert np.all(np.array(columns["p_lo"]) < chances[:, 1])
    assert np.all(np.array(columns["p_hi"]) > chances[:, 1])
    assert set(columns["model_version"]) == {bundle.version}
    assert table.schema == scores_schema(("3d", "7d", "14d"))


def test_the_columns_are_those_others_rely_on():
    names = scores_schema(("14d", "30d", "90d")).names
    assert " ".join(names) == (
        "lead_id account_id as_of run_id model_version rank score grade p_14d p_30d p_90d p_lo p_hi known trend "
        "score_prev reason_1_code reason_1_text reason_1_sign reason_2_code reason_2_text reason_2_sign "
        "reason_3_code reason_3_text reason_3_sign action expires_at"
    )


def test_the_list_follows_the_horizon_it_is_ranked_by():
    trained, *_ = learned_funnel()
    by_longest, _, _ = listed(rank_by=trained.horizons[2])
    assert np.all(np.diff(by_longest["p_14d"].to_numpy()) <= 0)


def test_what_changed_since_the_previous_slot():
    table, _, _ = listed()
    first, second, third = table["lead_id"].to_pylist()[:3]
    scores = table["score"].to_pylist()
    again, _, _ = listed({first: scores[0] - 5, second: scores[1] + 5, third: scores[2], "gone": 50})
    assert again["trend"].to_pylist()[:4] == ["improving", "declining", "steady", "not_enough_info"]
    assert again["score_prev"].to_pylist()[:4] == [scores[0] - 5, scores[1] + 5, scores[2], None]
    assert again.drop_columns(["trend", "score_prev"]).equals(table.drop_columns(["trend", "score_prev"]))


@pytest.mark.parametrize(("valid_for", "days"), [(None, 3), ("36h", 1.5)])
def test_a_score_expires(valid_for, days):
    settings = {} if valid_for is None else {"delivery": config(delivery={"valid_for": valid_for}).delivery}
    table, _, _ = listed(**settings)
    assert set(table["expires_at"].cast("int64").to_pylist()) == {AS_OF + int(days * DAY)}


def test_how_much_we_know_of_a_lead():
    def mails(lead, number, kind="mail"):
        return [{"lead_id": lead, "occurred_at": f"{70 + n / 4}", "kind": kind} for n in range(number)]

    about = {"none": 0, "one": 1, "two": 2, "three": 3, "nine": 9, "ten": 10, "abroad": 10, "early": 10}
    leads = [
        {"lead_id": lead, "created_at": "60", "attributes": {"country": "IT" if lead == "abroad" else "FR"}}
        for lead in [*about, "strange"]
    ]
    # What was not known at the moment does not count.
    rows = [row for lead, number in about.items() for row in mails(lead, number)]
    rows = [{**row, "known_at": "80"} if row["lead_id"] == "early" else row for row in rows]
    rows += [*mails("strange", 9), *mails("strange", 1, kind="fax")]
    trained, _, _, bundle = learned_funnel()
    scored, _ = score_bucket(drawn(leads, rows), bundle, trained, AS_OF)
    assert dict(zip(scored.lead_id, scored.known, strict=True)) == {
        "none": "unknowable",
        "one": "low",
        "two": "low",
        "three": "medium",
        "nine": "medium",
        "ten": "high",
        "abroad": "medium",  # a country the model never met
        "strange": "medium",  # nor this kind
        "early": "unknowable",
    }


def test_what_little_is_known_of_is_explored_by_lot_and_the_rest_as_its_grade_says():
    table, _, _ = listed(capacity=5)
    rows = table.to_pylist()
    usual = {"A": "call", "B": "nurture", "C": "nurture", "D": "none"}
    for row in rows:
        explored = row["action"] == "explore"
        assert row["action"] == usual[row["grade"]] or explored
        assert not explored or (row["grade"] != "A" and row["known"] in {"low", "unknowable"})
    everyone, _, _ = listed(capacity=5, delivery=config(delivery={"explore_share": 1, "explore_most": 999}).delivery)
    some, _, _ = listed(capacity=20, delivery=config(delivery={"explore_share": 1}).delivery)
    nobody, _, _ = listed(capacity=5, delivery=config(delivery={"explore_share": 0}).delivery)
    could = [row["grade"] != "A" and row["known"] in {"low", "unknowable"} for row in rows]
    assert [action == "explore" for action in everyone["action"].to_pylist()] == could
    assert "explore" not in nobody["action"].to_pylist()
    # Exploring changes what is done, and nothing that is said.
    assert everyone.drop_columns(["action"]).equals(nobody.drop_columns(["action"]))
    # Nobody is to explore more than the team bears: a tenth of what it works, where nothing else is said.
    assert some["action"].to_pylist().count("explore") == 2 < sum(could)
    settings = config(seed=7, delivery={"explore_share": 1, "explore_most": 999})
    told = {"share": 1.0, "most": 999, "seed": 7, "eligible": sum(could), "drawn": sum(could)}
    assert exploration(everyone, settings) == told


def test_bounds_are_missing_where_nothing_could_be_judged():
    trained, _, _, bundle = learned_funnel()
    unjudged = replace(bundle, certainty=replace(bundle.certainty, bounds=Bounds()))
    scored = [score_bucket(own, unjudged, trained, AS_OF)[0] for own in funnel_reader(3)(AS_OF)]
    table = rank(scored, unjudged, trained, AS_OF, "run")
    assert table["p_lo"].null_count == table["p_hi"].null_count == table.num_rows > 0


def test_reasons_are_the_strongest_concepts_in_words_of_the_catalogue():
    table, _, bundle = listed()
    concepts = {feature.concept for feature in bundle.features}
    for number in (1, 2, 3):
        assert set(table[f"reason_{number}_code"].to_pylist()) <= concepts
        assert set(table[f"reason_{number}_sign"].to_pylist()) <= {-1, 1}
        assert all(table[f"reason_{number}_text"].to_pylist())
    codes = np.array([table[f"reason_{number}_code"].to_pylist() for number in (1, 2, 3)])
    assert all(len(set(column)) == 3 for column in codes.T)
    # The readiest call a lot, and that is why.
    assert all("call" in text for text in table["reason_1_text"].to_pylist()[:3])
    assert pc.all(pc.equal(table["reason_1_sign"].slice(0, 3), 1)).as_py()
    french, _, _ = listed(language="fr")
    assert french["reason_1_code"].equals(table["reason_1_code"])
    assert not french["reason_1_text"].equals(table["reason_1_text"])


def test_a_reason_is_said_by_a_feature_of_its_own_concept():
    table, _, bundle = listed()
    for row in table.slice(0, 40).to_pylist():
        members = [feature for feature in bundle.features if feature.concept == row["reason_1_code"]]
        counted = {(one.kind, one.channel) for one in members}
        members += [fact for fact in plain.catalogue(bundle.vocabulary) if (fact.kind, fact.channel) in counted]
        forms = [feature.sentence["en"] for feature in members]
        said = [text for one in forms for text in ([one] if isinstance(one, str) else one.values())]
        said += [feature.absent["en"] for feature in members]
        begins = [text.replace("⟨", "").partition("{value}")[0].partition("⟩")[0] for text in said]
        assert any(row["reason_1_text"].startswith(begin) for begin in begins)


def test_a_model_without_contributions_gives_no_reasons():
    trained, _, _, bundle = learned_funnel()
    constant = replace(bundle.model.base, coef=np.zeros_like(bundle.model.base.coef))
    mute = without_trees(bundle, base=constant)
    scored, _ = score_bucket(next(iter(funnel_reader(3)(AS_OF))), mute, trained, AS_OF)
    assert {tuple(reasons) for reasons in scored.reasons} == {()}
    table = rank([scored], mute, trained, AS_OF, "run")
    assert set(table["reason_1_code"].to_pylist()) == {None}
