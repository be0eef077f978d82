"""What page and workbook say alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contents import made_up
from leadscore.delivery.content import PastList, Tally
from leadscore.delivery.sentences import basis, changed, expected, kept, promise, worth
from leadscore.delivery.teller import Teller


def teller(language="en"):
    return Teller("page", language, "Europe/Paris")


def quality(**changes):
    return replace(made_up().quality, **changes)


ONE = {"lists": 1, "worked": 1, "found": 1, "conversions": 1, "found_by_recency": 0}


@pytest.mark.parametrize(
    ("counts", "language", "told"),
    [
        ({}, "en", "Call the first 10 leads of a list, and you meet 4.5 of its 30.7 conversions within 30 days; by"),
        ({}, "en", "by recency you would meet 1.3 (means of 12 past lists)."),
        (ONE, "en", "Calling the first lead of the one past list that was judged met 1 of its 1 conversion within"),
        (ONE, "fr", "comptait 1 conversion sous 30 jours\xa0: appeler le premier lead en captait 1, appeler"),
        (
            {},
            "fr",
            "compte 30,7 conversions sous 30 jours\xa0: en appelant les 10 premiers leads, vous en captez 4,5",
        ),
    ],
)
def test_what_a_list_is_worth_has_the_grammar_of_its_counts(counts, language, told):
    assert told in worth(quality(**counts), teller(language))


def test_the_basis_counts_every_list_for_itself():
    told = basis(quality(), teller())
    assert "12 lists from 8 March 2026 to 27 May 2026 (22,866 rows in all)" in told
    assert "368 conversions, of which calling the first 10 leads of each met 54, and by recency 15" in told
    assert basis(quality(lists=1), teller()).startswith(
        "Judged on the list of 8 March 2026 (22,866 rows in all), by a model"
    )


@pytest.mark.parametrize(
    ("between", "told"),
    [
        ((250.0, 310.0), "no further apart than chance explains"),
        ((200.0, 290.0), "fewer than chance explains: trust the order, and take the chances as too high"),
        ((310.0, 400.0), "more than chance explains: trust the order, and take the chances as too low"),
    ],
)
def test_whether_promises_were_kept_goes_by_the_interval_of_what_came(between, told):
    made = quality(between=between)  # 299.7 promised
    assert told in kept(made, teller())
    assert "In all, 300 conversions were promised and 368 came" in kept(made, teller())


def test_the_promise_of_grade_a_stands_beside_what_such_promises_came_to():
    content = made_up()  # A promised 30 on judged lists, within (20, 29.5) was likely; now 10 leads promise 2
    lists = [PastList(0, Tally(10, 4.0, 1)), PastList(1, Tally(10, 2.0, 2), delivered=True)]
    content = replace(content, past_lists=lists)
    assert list(expected(content, teller())) == [
        "2 past lists promised 3 on average, and 1.5 came (1 to 2 a list).",
        "2 are promised now; at the rate of those lists it is 1.",
    ]
    assert promise(content, teller()) == "1 to 2"
    assert list(expected(replace(content, past_lists=()), teller())) == []


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"between": (20.0, 40.0)}, 4.0),  # within what chance explains
        ({"between": (32.0, 40.0)}, 4.0),  # judged: too little; of all lists: too much
        ({}, 0.0),  # of nothing nobody makes a rate
        ({"leads": 0}, 4.0),
    ],
)
def test_another_rate_is_told_only_where_it_is_news(changes, kept):
    content = made_up()
    a, *others = content.grades
    came = PastList(0, Tally(10, 8.0, int(kept)))
    content = replace(content, grades=[replace(a, **changes), *others], past_lists=[came])
    assert len(list(expected(content, teller()))) == 1
    assert promise(content, teller("fr")) == "2"


def test_no_more_convert_than_there_are():
    content = made_up()
    a, *others = content.grades
    lists = [PastList(0, Tally(10, 1.0, 9))]
    content = replace(content, grades=[replace(a, between=(40.0, 60.0)), *others], past_lists=lists)
    assert promise(content, teller("fr")) == "de 2 à 10"
    (one, _) = expected(content, teller("fr"))
    assert one == "La seule liste passée en annonçait 1, il y en a eu 9."


def test_changes_are_counted_over_all_moves_also_of_those_not_told():
    content = made_up()
    assert list(changed(content, teller())) == [
        "11 leads that have or had grade A or B have moved, some in several ways:",
        "new in A 10 · improving 10 · no longer on the list 1.",
    ]
    many = list(changed(replace(content, changed=700), teller()))
    assert many[-1] == "The first 11 of them are told here, the most telling ones."
    assert list(changed(replace(content, changes=(), changed=0), teller())) == []
