"""What the files for people show: who moved and why, panels, links, how good; and the slot before, read back."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contents import HOSTILE
from leadscore.delivery.before import Before, read_before
from leadscore.delivery.compose import MOST_CHANGES, compose
from leadscore.delivery.content import Tally
from leadscore.delivery.files import Slot, deliver
from leadscore.scoring.panel import Panel
from leadscore.scoring.ranking import scores_schema, weights_table
from leadscore.scoring.score import Counts, Earlier, Scored
from leadscore.timeline import DAY
from world import config, day, rows

AS_OF, SINCE = day("14"), day("7")
SLOT = Slot("tiny", AS_OF, "0123456789ab")
BUNDLE = SimpleNamespace(version="ba987654321f", as_of=day("10"), facts={})
MOVED = "3 calls in the last 7 days; usually none"


def part(ids, **given):
    """A scored bucket in which nothing came of anybody but what is given."""
    n = len(ids)
    nothing = dict.fromkeys((field.name for field in fields(Scored)), ())
    values = {
        "fresh": np.zeros(n, int), "late": np.zeros(n, int), "cold": np.zeros(n, bool), "shift": np.zeros(n),
        "moved": [None] * n, "gone": {}, "panels": dict.fromkeys(ids, Panel((), 0.0, 0.0, 0.0)),
        "shown": {}, "concepts": ("a", "b"), "weights": np.arange(2 * n).reshape(n, 2).astype(np.float32),
        "margin": np.full(n, 0.25),
    }  # fmt: skip
    return Scored(**nothing | {"lead_id": ids} | values | given)


def listed(ids, grade=None, score=None, trend=None):
    columns = {
        "lead_id": ids, "rank": range(1, len(ids) + 1), "grade": grade or ["A"] * len(ids),
        "score": score or [50] * len(ids), "trend": trend or ["steady"] * len(ids),
        "p_30d": [0.5 / (1 + place) for place in range(len(ids))], "expires_at": [AS_OF + DAY] * len(ids),
    }  # fmt: skip
    schema = scores_schema(("14d", "30d", "90d"))
    return pa.table(
        {
            name: pa.array(values, pa.int64() if name == "expires_at" else schema.field(name).type).cast(
                schema.field(name).type
            )
            for name, values in columns.items()
        }
    )


def composed(table, parts, before=None, bundle=BUNDLE, delivered=None, **settings):
    return compose(config(**settings), bundle, SLOT, table, parts, Counts(9, 5, 1, 2, 1), before, (), delivered)


# ---- what changed ----------------------------------------------------------------------------------------------


def changes(drawn, gone=(), *, comparable=True, language="en"):
    """Changes of a drawn list, a row a lead in rank order; `then` is grade, rank and score before: `A1:90`."""
    table = rows(drawn)
    ids = [row["lead"] for row in table]
    then = {row["lead"]: row["then"] for row in table if row["then"]} | dict(gone)
    before = Before(
        None,
        Earlier(SINCE, comparable, {lead: int(text.split(":")[1]) for lead, text in then.items()}),
        {lead: int(text[1:].split(":")[0]) for lead, text in then.items()},
        {lead: text[0] for lead, text in then.items()},
    )

    def column(name, missing=0):
        return [missing if row.get(name) is None else row[name] for row in table]

    # Two buckets, in another order than the list's.
    scored = [
        part(
            [ids[place] for place in places],
            fresh=np.array([int(column("fresh")[place]) for place in places], int),
            late=np.array([int(column("late")[place]) for place in places], int),
            cold=np.array([column("cold")[place] == "x" for place in places], bool),
            shift=np.array([float(column("shift")[place]) for place in places]),
            moved=[MOVED if float(column("shift")[place]) else None for place in places],
            gone=left,
        )
        for places, left in ((range(1, len(ids), 2), {"won": "converted", "shut": "closed"}),
                             (range(0, len(ids), 2), {"lost": "ended", "few": "ended"}))
    ]  # fmt: skip
    if not gone:
        scored = [replace(one, gone={}) for one in scored]
    words = {"+": "improving", "-": "declining", "?": "not_enough_info", "=": "steady"}
    made = listed(ids, column("grade"), [int(score) for score in column("score", "50")],
                  [words[sign] for sign in column("trend", "=")])  # fmt: skip
    return composed(made, scored, before, language=language).changes


def test_moves_are_told_by_importance_then_by_rank_of_leads_that_are_or_were_worked():
    drawn = """
        lead  | grade | then   | trend | cold
        stays | A     | A1:90  | =     | _
        up    | A     | B4:80  | +     | _
        came  | A     | _      | ?     | _
        far   | B     | D9:20  | +     | _
        fell  | B     | A2:88  | -     | x
        cools | B     | B3:60  | -     | x
        newb  | B     | _      | ?     | x
        fresh | C     | _      | ?     | _
        deep  | C     | D8:30  | +     | _
        cold  | D     | C7:40  | -     | x
        sinks | D     | B5:70  | -     | _
    """
    gone = {"won": "A6:99", "lost": "B7:50", "shut": "A3:95", "few": "C10:9"}
    found = changes(drawn, gone)
    assert [(change.lead_id, *change.moves) for change in found] == [
        ("up", "new_in_a", "improving"),
        ("came", "new_in_a", "new"),
        ("fell", "fell_out_of_a", "went_cold", "declining"),
        ("cools", "went_cold", "declining"),
        ("far", "improving"),
        ("sinks", "declining"),
        ("newb", "new"),
        ("shut", "gone"),
        ("won", "gone"),
        ("lost", "gone"),
    ]
    by_lead = {change.lead_id: change for change in found}
    up, newb, won = by_lead["up"], by_lead["newb"], by_lead["won"]
    assert (up.rank, up.grade, up.score, up.rank_before, up.grade_before, up.score_before) == (2, "A", 50, 4, "B", 80)
    assert (newb.rank, newb.rank_before, newb.grade_before, newb.score_before) == (7, None, None, None)
    assert (won.rank, won.grade, won.score, won.rank_before, won.grade_before, won.score_before) == (
        None, None, None, 6, "A", 99,
    )  # fmt: skip
    assert [by_lead[lead].why for lead in ("won", "lost", "shut")] == [
        "converted", "ended without converting", "no longer worked",
    ]  # fmt: skip


WHY = """
    lead   | grade | then  | trend | cold | fresh | late | shift
    rose   | A     | B9:50 | +     | _    | 2     | 0    | 0.5
    lucky  | A     | B8:50 | =     | _    | 0     | 0    | 0
    lagged | A     | B7:50 | =     | _    | 0     | 1    | -0.5
    passed | B     | A1:50 | =     | _    | 1     | 3    | 0.5
    cooled | B     | B5:50 | -     | x    | 0     | 0    | -0.5
    cold   | B     | B9:50 | =     | x    | 0     | 0    | 0
    new    | B     | _     | ?     | _    | 4     | 0    | 0
"""
RECENT, OLDER = (
    "interactions other than ours since 8 January 2024",
    "older interactions learned of only since 8 January 2024",
)


def test_why_says_what_moved_it_that_way_and_what_came_or_was_learned_late():
    assert {change.lead_id: change.why for change in changes(WHY)} == {
        "rose": f"counts more than before: {MOVED} (2 {RECENT})",
        "lucky": f"no {RECENT}; others fell behind it",
        # What the model holds against a lead that rose, or for one that fell, is not why.
        "lagged": "1 older interaction learned of only since 8 January 2024; others fell behind it",
        "passed": f"1 interaction other than ours since 8 January 2024, and 3 {OLDER}; others moved past it",
        "cooled": f"counts less than before: {MOVED} (no {RECENT})",
        "cold": f"no {RECENT}",
        "new": "was not on the list of 8 January 2024",
    }
    french = {change.lead_id: change.why for change in changes(WHY, language="fr")}
    assert (
        french["rose"]
        == f"pèse plus qu'avant\u00a0: {MOVED} (2 interactions hormis les nôtres depuis le 8 janvier 2024)"
    )
    assert french["passed"] == (
        "1 interaction hormis les nôtres depuis le 8 janvier 2024 et 3 interactions plus anciennes apprises seulement "
        "depuis le 8 janvier 2024\u202f; d'autres leads l'ont dépassé"
    )
    assert french["lucky"] == (
        "aucune interaction hormis les nôtres depuis le 8 janvier 2024\u202f; d'autres leads sont passés derrière lui"
    )
    assert french["new"] == "n'était pas sur la liste du 8 janvier 2024"


def test_after_another_model_nothing_is_said_to_have_moved_a_lead():
    told = {change.lead_id: change.why for change in changes(WHY, comparable=False)}
    assert told.pop("new") == "was not on the list of 8 January 2024"
    assert set(told.values()) == {"another model ranks than on 8 January 2024; scores are not compared"}


def test_only_so_many_changes_are_told_the_most_telling_first():
    ids = [f"lead {number}" for number in range(MOST_CHANGES + 20)]
    grades, ranks = dict.fromkeys(ids, "B"), {lead: 1 + place for place, lead in enumerate(ids)}
    before = Before(None, Earlier(SINCE, comparable=True, scores=dict.fromkeys(ids, 9)), ranks, grades)
    trend = ["improving"] * (len(ids) - 1) + ["steady"]
    table = listed(ids, ["B"] * (len(ids) - 1) + ["A"], trend=trend)
    found = composed(table, [part(ids)], before)
    assert len(found.changes) == MOST_CHANGES
    assert [change.lead_id for change in found.changes] == [ids[-1], *ids[: MOST_CHANGES - 1]]
    assert (found.changed, found.moved) == (len(ids), {"new_in_a": 1, "improving": len(ids) - 1})
    assert composed(table, [part(ids)]).changes == ()


# ---- panels, columns, links, quality ---------------------------------------------------------------------------


def test_panels_columns_and_links_are_those_of_the_list_in_its_order():
    ids = list(HOSTILE)
    halves = [part(ids[::2][::-1], shown={"name": ids[::2][::-1]}), part(ids[1::2], shown={"name": ids[1::2]})]
    delivery = {"panels": 3, "columns": ["name"], "record_url": "https://crm.example.com/leads/{lead_id}?tab=1"}
    found = composed(listed(ids), halves, delivery=delivery)
    assert list(found.panels) == ids[:3]
    assert found.shown == {"name": ids}
    for lead, link in zip(ids, found.links, strict=True):
        quoted = link.removeprefix("https://crm.example.com/leads/").removesuffix("?tab=1")
        assert set(quoted).isdisjoint("/ \"'<>?#&=\n\r\t{}")
        assert unquote(quoted) == lead
    assert composed(listed(ids), halves).links == []
    assert found.left_out == {"ended": 2, "closed": 1, "objected": 1}
    assert (found.before, found.quality, found.expires_at, found.ranked_by) == (None, None, AS_OF + DAY, "30d")
    nobody = composed(listed([]), [part([])])
    assert (nobody.expires_at, nobody.capacity, [line.leads for line in nobody.grades]) == (AS_OF, 0, [0] * 4)


def test_a_grade_shows_its_cut_now_and_what_it_was_worth():
    past = {
        "since": 1, "until": 2, "capacity": None, "lists": 3, "leads": 40, "conversions": 8, "worked": 4, "found": 5,
        "found_by_recency": 2, "tenths": [{"leads": 4, "promised": 1.5, "converted": 2}] * 10,
        "gain": {"model": [[0.0, 0.0], [1.0, 1.0]]},
        "bins": [{"leads": 4, "promised": 0.1, "happened": 0.2, "low": 0.0, "high": 0.4}],
        "between": [5.0, 11.0],
        "grades": {
            "A": {"leads": 4, "promised": 1.5, "converted": 2, "between": [1.0, 3.0]},
            **{letter: {"leads": 0, "promised": 0.0, "converted": 0, "between": [0.0, 0.0]} for letter in "BCD"},
        },
        "worked_lists": [
            {"as_of": day * DAY, "leads": 2, "promised": day / 10, "converted": 1} for day in (1, 6, 8, 16, 25, 36)
        ],
    }  # fmt: skip
    told = SimpleNamespace(version="v", as_of=0, facts={"past": past})
    had = {29 * DAY: {"A": Tally(3, 1.0, 1)}, 15 * DAY: {"A": Tally(2, 0.75, 0), "B": Tally(1, 0.1, 0)}}
    found = composed(listed(["a", "b", "c"], ["A", "A", "B"]), [part(["a", "b", "c"])], bundle=told, delivered=had)
    first, second, third, _ = found.grades
    assert (first.leads, first.lowest, first.highest, first.promised) == (2, 0.25, 0.5, 0.75)
    assert (first.judged, first.between, first.delivered) == (Tally(4, 1.5, 2), (1.0, 3.0), Tally(5, 1.75, 1))
    assert (second.leads, second.judged.leads, third.leads, third.lowest) == (1, 0, 0, None)
    # A week apart, and none made up while lists were delivered.
    assert [(one.as_of / DAY, one.tally.promised, one.delivered) for one in found.past_lists] == [
        (1, 0.1, False), (8, 0.8, False), (15, 0.75, True), (29, 1.0, True), (36, 3.6, False),
    ]  # fmt: skip
    quality = found.quality
    assert (quality.horizon, quality.lists, quality.found, quality.found_by_recency) == ("30d", 3, 5, 2)
    assert (len(quality.tenths), quality.tenths[0].converted, quality.bins[0].high) == (10, 2, 0.4)
    assert quality.gain == {"model": ((0.0, 0.0), (1.0, 1.0))}

    assert found.warnings == []
    # Another capacity makes grades of another size: what they were worth then is not told of these.
    other = composed(listed(["a"], ["A"]), [part(["a"])], bundle=told, capacity=7)
    assert (other.past_lists, other.grades[0].judged, other.quality) == ((), Tally(), quality)
    assert "capacity has changed since the model was judged, when the first 4 leads" in other.warnings[0]


# ---- the slot before, from disk --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["ba987654321f", "0a987654321f"])
def test_the_slot_before_is_read_as_it_was_written(tmp_path, model):
    ids = ["b", "a", "c"]
    earlier = Slot("tiny", SINCE + 1, SLOT.fingerprint)  # a moment with microseconds, too
    table = listed(ids, ["A", "B", "B"], [90, 80, 80])

    def weights(folder):
        pq.write_table(weights_table([part(["c"]), part(["a", "b"])], ids), folder / "weights.parquet")
        return {}

    deliver(tmp_path, earlier, table, {"model": {"version": BUNDLE.version}}, weights)
    assert read_before(tmp_path, earlier, model) is None
    assert read_before(tmp_path, replace(SLOT, project="other"), model) is None
    before = read_before(tmp_path, SLOT, model)
    assert (before.folder.name, before.earlier.as_of) == (earlier.name, SINCE + 1)
    assert (before.rank, before.grade) == ({"b": 1, "a": 2, "c": 3}, {"b": "A", "a": "B", "c": "B"})
    assert list(before.earlier.scores.items()) == [("b", 90), ("a", 80), ("c", 80)]
    same = model == BUNDLE.version
    assert before.earlier.comparable == same
    assert before.earlier.concepts == (("a", "b") if same else ())
    # One row per lead of `scores`, in their order.
    assert before.earlier.weights.tolist() == ([[2, 3], [0, 1], [0, 1]] if same else [])
