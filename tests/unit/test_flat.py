"""A flat export: what its columns are, in which order it is judged, and what a list says of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from leadscore.config.flat import Flat, FlatConfig, FlatModel, read_flat_config
from leadscore.errors import ConfigError, DataError, StateError
from leadscore.flat import shelf
from leadscore.flat.answers import answers_of, several_mean_no, tell_answers
from leadscore.flat.bundle import finish, read_bundle
from leadscore.flat.columns import MIN_CATEGORY, Texts, encode, kind_of, settle
from leadscore.flat.learn import _weight, judge_fold, learn, plan_folds, tell
from leadscore.flat.lessons import gather
from leadscore.flat.score import compare, known, rank, score_leads
from leadscore.model.calibrate import Calibrator
from leadscore.model.certainty import Support


def texts(*values):
    """A column; None is missing."""
    words = sorted({value for value in values if value is not None})
    return Texts(np.array([-1 if value is None else words.index(value) for value in values], dtype=np.int32), words)


def project(root=None, **settings):
    flat = {"files": "a.csv", "lead_id": "id", "target": "y", "positive": "yes", "order": "at"} | settings
    model = FlatModel(trees=20, min_rows_per_leaf=20, base_l2=10)
    return FlatConfig(project="flat", flat=Flat(**flat), model=model, **({"root": root} if root else {}))


def export(rows=600, seed=3, rate=0.3):
    """Leads whose yes hangs on their job and their age; what else there is says nothing."""
    chance = np.random.default_rng(seed)
    job, age = chance.choice(["baker", "clerk", "smith"], rows), chance.integers(20, 70, rows)
    p = np.clip(rate + 0.4 * (job == "baker") + (age - 45) / 150, 0.02, 0.98)
    return {
        "id": texts(*(f"lead-{row:05}" for row in range(rows))),
        "at": texts(*(str(row) for row in range(rows))),
        "job": texts(*job),
        "age": texts(*map(str, age)),
        "size": texts(
            *(None if row % 9 == 0 else f"{value:.2f}" for row, value in enumerate(chance.normal(size=rows)))
        ),
        "y": texts(*np.where(chance.random(rows) < p, "yes", "no")),
    }


@pytest.fixture(scope="module")
def bundle():
    config = project()
    return finish(gather(export(), config), config, Calibrator(), {})


ALIKE = ["a"] * 10
KINDS = {
    "numbers": (["1", "-2.5", "1e3", "0", None], "number"),
    "numbers with NaN and infinities": (["1", "2", "nan", "inf", "-Infinity", "NaN"], "number"),
    "one word among twenty numbers": ([*map(str, range(20)), "n/a"], "number"),
    "one word among ten numbers": ([*map(str, range(10)), "n/a"], "words"),
    "codes": (["01000", "75011", "69002"], "words"),
    "words": (["a", "b"], "words"),
    "one word, or none": ([*ALIKE, None], "words"),
    "one number, or none": (["1", "1", None], "number"),
    "one word": (ALIKE, None),
    "one number, written twice": (["1", "1.0"], None),
    "nothing": ([None, None], None),
    "nothing finite": (["nan", "inf", None, "-inf"], None),
    "nothing that fits": (["1e99", "-1e400"], None),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_column_is_what_its_content_is(name):
    values, kind = KINDS[name]
    assert kind_of(texts(*values)) == kind


def test_frequent_words_have_a_column_and_all_others_one_together():
    job = texts(*["baker"] * 25, *["clerk"] * 30, *["smith"] * (MIN_CATEGORY - 1), None)
    age = texts(*["33"] * 74, "nan")
    columns = {"job": job, "age": age}
    encoding = settle(columns, {"job": "words", "age": "number"}, np.arange(75), top=20)
    assert [feature.name for feature in encoding.features] == [
        *("job=baker", "job=clerk", "job other", "job missing"),
        "age",
    ]
    asked = {"job": texts("clerk", "smith", "pilot", None), "age": texts("40", "n/a", "inf", "-1.5")}
    assert np.array_equal(
        encode(asked, encoding, np.arange(4)),
        np.array([[0, 1, 0, 0, 40], [0, 0, 1, 0, np.nan], [0, 0, 1, 0, np.nan], [0, 0, 0, 1, -1.5]], dtype=np.float32),
        equal_nan=True,
    )
    assert settle(columns, {"job": "words"}, np.arange(75), top=1).words == {"job": ("clerk",)}


def test_what_is_frozen_is_of_the_rows_that_teach():
    job = texts(*["baker"] * 30, *["clerk"] * 30, *["pilot"] * 30)
    assert settle({"job": job}, {"job": "words"}, np.arange(60), top=20).words == {"job": ("baker", "clerk")}


ORDERS = {
    "numbers": (["10", "9", "2", "9"], [2, 1, 3, 0]),
    "numbers beyond float32": (["1700000000003", "1700000000001", "1700000000002", "1700000000000"], [3, 1, 2, 0]),
    "moments": (["2026-01-10", "2026-01-09T08:00", "2025-12-31", "2026-01-09"], [2, 3, 1, 0]),
    "moments of several zones": (
        ["2026-01-09T09:00Z", "2026-01-09 10:30+02:00", "2026-01-09 11:00", "2026-01-09T05:00-05:00"],
        [1, 0, 3, 2],
    ),
    "months": (["2026-10", "2026-02", "2025-12", "2026-09"], [2, 1, 3, 0]),
}


@pytest.mark.parametrize("name", ORDERS)
def test_rows_are_put_in_order_and_ties_stay_as_they_came(name):
    values, order = ORDERS[name]
    columns = {"id": texts("a", "b", "c", "d"), "y": texts("yes", "no", "yes", "no"), "x": texts("1", "2", "3", "4")}
    config = project(min_each=5)
    many = {key: texts(*(f"{word}{k}" if key == "id" else word for k in range(5) for word in _words(column)))
            for key, column in columns.items()}  # fmt: skip
    lessons = gather(many | {"at": texts(*values * 5)}, config)
    places = ["abcd".index(lead[0]) for lead in lessons.lead_id]
    ranks = {row: order.index(row) for row in range(4)}
    assert [values[place] for place in places] == sorted(values * 5, key=lambda word: _key(word, values, ranks))
    assert [lead for lead in lessons.lead_id if lead[0] == "b"] == [f"b{k}" for k in range(5)]
    assert (lessons.hits == [place in {0, 2} for place in places]).all()


def _words(column):
    return [column.words[code] for code in column.codes]


def _key(word, values, ranks):
    return min(ranks[row] for row, value in enumerate(values) if value == word)


def test_the_most_frequent_moment_is_counted_by_what_it_says():
    """A day and its midnight are one."""
    moments = ["2026-01-01", "2026-01-01T00:00", *(f"2026-02-{day:02}" for day in range(1, 9))] * 10
    assert gather(export(100) | {"at": texts(*moments)}, project()).tied == 0.2
    assert gather(export(100), project(order=None)).tied == 0


def test_a_lead_without_an_answer_teaches_nothing():
    columns = export(100)
    undecided = texts(*(None if row < 30 else word for row, word in enumerate(_words(columns["y"]))))
    lessons = gather(columns | {"y": undecided}, project())
    assert (len(lessons), lessons.undecided) == (70, 30)
    assert lessons.lead_id[0] == "lead-00030"


REFUSED = {
    "ten rows": (lambda c: {name: column.take(np.arange(10)) for name, column in c.items()}, "needed 20 of each"),
    "nobody": (lambda c: {name: column.take(np.arange(0)) for name, column in c.items()}, "yes 0 times and no 0 times"),
    "nobody says yes": (lambda c: c | {"y": texts(*["no"] * 100)}, "says yes 0 times and no 100 times"),
    "everybody says yes": (lambda c: c | {"y": texts(*["yes"] * 100)}, "says yes 100 times and no 0 times"),
    "yes is another word": (lambda c: c | {"y": texts(*["oui", "non"] * 50)}, "in 2 different words"),
    "a yes in another case": (
        lambda c: c | {"y": texts(*["yes", "no", "Yes", "no", "YES "] * 20)},
        r"'YES ' \(20 rows\), 'Yes' \(20 rows\), .* says 'yes'; .*Write `positive: \[\"yes\", \"YES \", \"Yes\"\]`",
    ),
    "a lead twice": (lambda c: c | {"id": texts(*["a"] * 2, *map(str, range(98)))}, "1 leads have more than one row"),
    "a lead without a name": (lambda c: c | {"id": texts(None, *map(str, range(99)))}, "1 rows name no lead"),
    "a row without a place": (lambda c: c | {"at": texts(None, *map(str, range(99)))}, "1 rows have no value"),
    "an order of two kinds": (
        lambda c: c | {"at": texts("2026-01-01", *map(str, range(99)))},
        "of 100 different values 99 are numbers, 1 are ISO 8601 moments and 0 are neither",
    ),
    "names of months": (lambda c: c | {"at": texts(*["Jan", "Feb", "Mar", "Apr"] * 25)}, "and 4 are neither"),
    "months and days of one digit": (
        lambda c: c | {"at": texts(*["2026-1-5", "2026-10-01"] * 50)},
        "1 are ISO 8601 moments and 1 are neither; .* Write moments as 2026-01-05",
    ),
    "days first": (lambda c: c | {"at": texts(*["31/01/2026", "01/02/2026"] * 50)}, "and 2 are neither"),
    "always the same moment": (
        # One is missing an answer, so its moment orders nothing.
        lambda c: c | {"at": texts("2025", *["2026"] * 99), "y": texts(None, *_words(c["y"])[1:])},
        "one value in all 99 rows with an answer",
    ),
    "the same everywhere": (
        lambda c: c | {name: texts(*["x"] * 100) for name in ("job", "age", "size")},
        "Nothing to learn from: each of the 3 columns",
    ),
    "nothing finite": (
        lambda c: c | {name: texts(*["nan", "inf"] * 50) for name in ("job", "age", "size")},
        "Nothing to learn from: each of the 3 columns",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_teach_is_refused_in_words(name):
    change, told = REFUSED[name]
    with pytest.raises(DataError, match=told):
        gather(change(export(100)), project())


def test_the_words_of_the_target_are_told_and_several_that_mean_no_are_a_warning():
    target = texts(*["no"] * 9, *["pending"] * 3, *["won"] * 5, *["yes"] * 5, "?" * 60, None)
    answers = answers_of(target, project(positive=["yes", "won"]).flat)
    assert tell_answers(answers, "y") == {
        "column": "y",
        "words": 5,
        "most": [
            {"word": "no", "rows": 9, "yes": False},
            {"word": "won", "rows": 5, "yes": True},
            {"word": "yes", "rows": 5, "yes": True},
            {"word": "pending", "rows": 3, "yes": False},
            {"word": "?" * 39 + "…", "rows": 1, "yes": False},
        ],
    }
    (warning,) = several_mean_no(answers, "y")
    assert f"3 words of column y mean no: 'no' (9), 'pending' (3), '{'?' * 39}…' (1). One" in warning
    assert several_mean_no([answer for answer in answers if answer.yes or answer.word == "no"], "y") == []


def test_of_a_target_that_is_no_list_of_answers_only_the_configured_words_are_told():
    names = answers_of(texts("yes", *(f"Ann {number}" for number in range(60))), project().flat)
    assert tell_answers(names, "y")["most"] == [{"word": "yes", "rows": 1, "yes": True}]
    assert several_mean_no(names, "y") == [
        "60 different words of column y mean no, too many to name: is flat.target right?"
    ]
    few = several_mean_no(names[:12], "y")[0]
    assert "12 words of column y mean no: 'Ann 0' (1), " in few
    assert "and 2 more. One" in few


def test_in_order_every_row_is_judged_by_rows_before_it():
    folds = plan_folds(41_188, project(), ordered=True)
    assert len(folds) == 22
    assert {len(fold.train) for fold in folds} == {20_000}
    assert np.array_equal(np.concatenate([fold.test for fold in folds]), np.arange(20_000, 41_188))
    assert all(fold.train[-1] + 1 == fold.test[0] for fold in folds)
    few = plan_folds(90, project(), ordered=True)
    assert [(fold.train[0], fold.train[-1], fold.test[0], len(fold.test)) for fold in few][:2] == [
        (0, 44, 45, 11),
        (0, 55, 56, 11),
    ]
    assert len(plan_folds(1_000_000, project(), ordered=True)) == 50
    assert plan_folds(1_000_000, project(), ordered=True)[-1].test[-1] == 999_999


def test_at_random_every_row_is_judged_once_by_the_others():
    folds = plan_folds(103, project(), ordered=False)
    assert np.array_equal(np.sort(np.concatenate([fold.test for fold in folds])), np.arange(103))
    assert all(not set(fold.train) & set(fold.test) and len(fold.train) + len(fold.test) == 103 for fold in folds)


def test_nothing_of_later_rows_reaches_what_is_said_of_them():
    config = project(window=300, step=100)
    lessons = gather(export(), config)
    fold = plan_folds(len(lessons), config, ordered=True)[1]
    hits = lessons.hits.copy()
    hits[fold.test[0] :] ^= True
    said, blind = (judge_fold(each, fold, config, 0) for each in (lessons, dataclasses.replace(lessons, hits=hits)))
    for name in said.chances:
        assert np.array_equal(said.chances[name], blind.chances[name])
    assert not np.array_equal(said.hits, blind.hits)


def test_the_newest_rows_say_what_is_so_now():
    """The rate of yes rises from a tenth to two thirds; who is asked next has the chance of today, not the mean."""
    config = project(window=1600, recency_half_life=200).model_copy(
        update={"model": FlatModel(trees=200, column_share=1)}
    )
    early, late = export(1200, seed=1, rate=-0.03), export(400, seed=2, rate=0.5)
    columns = {name: texts(*_words_or_none(early[name]), *_words_or_none(late[name])) for name in ("job", "age", "y")}
    columns["id"] = columns["at"] = texts(*(f"{row:05}" for row in range(1600)))
    lessons = gather(columns, config)
    assert lessons.hits[:1200].mean() < 0.2
    rate, rows = lessons.hits[1200:].mean(), np.arange(1600)
    now = learn(lessons, rows, config).chances(lessons.columns, rows[1200:]).mean()
    assert now == pytest.approx(rate, abs=0.1)
    forever = dataclasses.replace(lessons, ordered=False)
    assert learn(forever, rows, config).chances(lessons.columns, rows[1200:]).mean() < rate - 0.2


def test_a_row_counts_half_for_every_half_life_and_the_base_does_not_see_how_far_back_it_lies(bundle):
    weight = _weight(900, 300.0)
    assert weight.mean() == pytest.approx(1)
    assert weight[-301] == pytest.approx(weight[-1] / 2)
    assert weight[-601] == pytest.approx(weight[-1] / 4)
    assert set(_weight(9, None)) == {1.0}
    seen = np.isfinite(bundle.learned.fitted.base.sd)
    assert seen.tolist() == [*[True] * 3, False, True, True, False]  # three jobs, no other one, age, size, rows back


def _words_or_none(column):
    return [None if code < 0 else column.words[code] for code in column.codes]


def test_the_model_beats_a_constant_and_a_leak_of_nothing_is_told_apart():
    config = project(window=300, step=100)
    lessons = gather(export(900), config)
    cohorts = [judge_fold(lessons, fold, config, k) for k, fold in enumerate(plan_folds(900, config, ordered=True))]
    told = tell(cohorts, config)
    figures = told["figures"]
    assert figures["model"]["auc"] > 0.65 > figures["prior"]["auc"]
    assert figures["model"]["log_loss"] < figures["prior"]["log_loss"]
    assert figures["model"]["rows"] == 600 == sum(fold["rows"] for fold in told["folds"])
    shuffled = dataclasses.replace(lessons, hits=np.random.default_rng(1).permutation(lessons.hits))
    cohorts = [judge_fold(shuffled, fold, config, k) for k, fold in enumerate(plan_folds(900, config, ordered=True))]
    low, high = tell(cohorts, config)["figures"]["model"]["intervals"]["auc"]
    assert low < 0.5 < high


def test_a_bundle_comes_back_to_the_last_bit_and_only_whole(bundle, tmp_path):
    config = project(tmp_path)
    folder = shelf.keep(config, bundle)
    again, columns, rows = read_bundle(folder), export(50, seed=9), np.arange(50)
    assert again.version == bundle.version == shelf.in_use(config).version
    assert np.array_equal(again.matrix(columns, rows), bundle.matrix(columns, rows), equal_nan=True)
    assert np.array_equal(*(each.chances(each.matrix(columns, rows)) for each in (again, bundle)))
    trees = folder / "trees.txt"
    trees.write_text(trees.read_text().replace("num_leaves=", "num_leaves= ", 1))
    with pytest.raises(StateError, match="were changed after training"):
        read_bundle(folder)
    assert read_bundle(shelf.keep(config, bundle)).version == bundle.version
    with pytest.raises(StateError, match="those there are were trained with other settings"):
        shelf.in_use(config.model_copy(update={"seed": 2}))


def test_a_lead_alone_is_scored_as_among_many(bundle):
    columns, rows = export(40, seed=9), np.arange(40)
    together = score_leads(columns, rows, bundle, "en")
    alone = [score_leads(columns, rows[row : row + 1], bundle, "en") for row in rows]
    assert together.chances.tolist() == [one.chances[0] for one in alone]
    assert together.reasons == [one.reasons[0] for one in alone]
    assert together.known == [one.known[0] for one in alone]


def test_what_drives_the_answer_comes_first_in_the_leads_own_words(bundle):
    columns = {
        "job": texts("baker", "smith", "pilot", None),
        "age": texts("69", "45", "45", "45"),
        "size": texts(*"1111"),
    }
    en, fr = (score_leads(columns, np.arange(4), bundle, tongue) for tongue in ("en", "fr"))
    assert [reasons[0] for reasons in en.reasons[:2]] == [("job", "job: baker", 1), ("job", "job: smith", -1)]
    assert ("age", "age: 69", 1) in en.reasons[0]
    assert [reason[1] for reason in en.reasons[2] if reason[0] == "job"] == ["job: a rare value"]
    assert [reason[1] for reason in fr.reasons[3] if reason[0] == "job"] == ["job : inconnu"]
    assert en.chances[0] > en.chances[1]
    assert en.known == ["medium", "medium", "low", "medium"]


def test_the_reasons_are_all_of_the_margin(bundle):
    matrix = bundle.matrix(export(20, seed=9), np.arange(20))
    fitted, own = bundle.learned.fitted, len(bundle.learned.encoding.features)
    shared = fitted.base.contributions(matrix, 0)[:, own:].sum(axis=1) + fitted.shapley(matrix, 0)[:, own:].sum(axis=1)
    assert bundle.contributions(matrix).sum(axis=1) + shared == pytest.approx(fitted.margins(matrix)[:, 0], abs=1e-9)


def test_a_list_has_every_lead_once_in_a_total_order(bundle):
    columns = {name: column.take(np.arange(100) % 7) for name, column in export(7, seed=9).items()}
    leads = [f"lead-{row}" for row in range(100)]
    scored = score_leads(columns, np.arange(100), bundle, "en")
    ranked = rank(leads, scored, bundle, "run", capacity=5).to_pydict()
    assert sorted(ranked["lead_id"]) == sorted(leads)
    assert ranked["rank"] == list(range(1, 101))
    assert ranked["p"] == sorted(ranked["p"], reverse=True)
    assert ranked["grade"].count("A") == 5
    assert all(1 <= score <= 99 for score in ranked["score"])
    assert rank(leads, scored, bundle, "run", capacity=5).equals(rank(leads, scored, bundle, "run", capacity=5))
    assert rank([], score_leads(columns, np.arange(0), bundle, "en"), bundle, "run", None).num_rows == 0


def test_nobody_is_known_well():
    support = Support(np.zeros(8), np.ones(8), np.ones(8, dtype=np.bool_), rare=0.1, far=0.2)
    absent = np.array([True, False, False, False, False])
    strange = np.array([False, True, False, False, False])
    outside = np.array([0.0, 0.0, 0.0, 0.22, 0.3])
    assert known(absent, strange, outside, support) == ["unknowable", "low", "medium", "low", "unknowable"]


def test_numbers_that_became_words_are_refused_with_counts_and_new_words_are_said(bundle):
    columns = export(100, seed=9)
    assert compare(columns, bundle) == []
    age = texts(*(f"{row} years" if row < 60 else str(row) for row in range(100)))
    with pytest.raises(DataError, match="age was of numbers, and 60 of 100 values are none"):
        compare(columns | {"age": age}, bundle)
    job = texts(*(["pilot", "baker"] * 50))
    assert compare(columns | {"job": job}, bundle) == [
        "Column job: 50% of the values are rare or were never seen in training, where 0% were."
    ]


def test_a_million_different_words_say_nothing_and_stop_nobody():
    rows = 200_000
    columns = {"mail": Texts(np.arange(rows, dtype=np.int32), [f"{row}@example.com" for row in range(rows)])}
    kind = kind_of(columns["mail"])
    encoding = settle(columns, {"mail": kind}, np.arange(rows), 20)
    assert (kind, encoding.words) == ("words", {"mail": ()})
    assert (encode(columns, encoding, np.arange(rows)) == 1).all()


SLIPS = {
    "flat: {files: a.csv, lead_id: id, target: y, positive: yes, ordre: at}": "did you mean 'order'",
    "flat: {files: a.csv, lead_id: id, target: id, positive: yes}": "'id' is the lead_id, too",
    "flat: {files: a.csv, lead_id: id, target: y, positive: yes, order: y}": "'y' is the target, too",
    "flat: {files: a.csv, lead_id: id, target: y, positive: yes, columns: none}": "expected all, or a list",
    "flat: {files: a.csv, lead_id: id, target: y, positive: yes, columns: []}": "expected all, or a list",
    "flat: {files: a.csv, lead_id: id, target: y, positive: yes, columns: [a, y]}": "'y' is the target: never learned",
    "flat: {files: a.csv, lead_id: id, target: y, positive: yes, columns: [a, b], exclude: b}": "'b' is under columns",
    "flat: {files: a.csv, lead_id: id, target: y, positive: yes}\nmodel: {members: 2}": "unknown key 'members'",
    "flat: {files: a.csv, lead_id: id, target: y, positive: yes}\nsources: {leads: x}": "unknown key 'sources'",
}


@pytest.mark.parametrize("text", SLIPS)
def test_a_slip_in_the_configuration_names_the_key(text, tmp_path):
    path = tmp_path / "leadscore.yaml"
    path.write_text(f"project: bank\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        read_flat_config(path)
    assert SLIPS[text] in str(caught.value)


def test_what_changes_a_model_changes_its_name_and_where_things_lie_does_not():
    config = project()
    elsewhere = config.model_copy(update={"out": "there", "flat": config.flat.model_copy(update={"files": ("b.csv",)})})
    assert elsewhere.training_fingerprint() == config.training_fingerprint()
    french = config.model_copy(update={"language": "fr"})
    assert french.training_fingerprint() == config.training_fingerprint()
    assert french.fingerprint() != config.fingerprint()
    other = config.model_copy(update={"flat": config.flat.model_copy(update={"window": 500})})
    assert other.training_fingerprint() != config.training_fingerprint()
