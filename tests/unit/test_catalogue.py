"""What a feature says to people, and which words get columns of their own."""

from __future__ import annotations

import json

import pytest

from leadscore.features import plain
from leadscore.features.catalogue import span
from leadscore.features.matrix import FAMILIES, catalogue, settle, take_census
from leadscore.features.vocabulary import Vocabulary, as_number, sum_censuses
from leadscore.language import typeset
from leadscore.timeline import DAY, HOUR, MINUTE
from world import bucket, config, lengths, vocabulary

NAN = float("nan")
WORDS = vocabulary(
    kinds=("mail", "{odd}", "call"),
    labels={
        "mail": {"fr": "courriel"},
        "call": {
            "en": {"one": "call", "other": "calls"},
            "fr": {"zero": "aucun appel", "one": "appel", "other": "appels"},
        },
    },
    numbers=("size", "staff"),
    categories={"country": ("FR",), "field": ("it",)},
    attributes={
        "staff": {"label": {"fr": "effectif"}},
        "field": {"label": {"fr": "secteur"}, "words": {"it": {"fr": "informatique"}}},
    },
    families=("profile", "volume", "infusion", "drip", "capillarity", "power", "sequence", "values"),
    columns=("account", "content", "direction", "value"),
    channels={"web": {"en": "web{site}", "fr": "site"}},
)


@pytest.mark.parametrize(
    ("name", "value", "english", "french"),
    [
        ("count_mail_7d", 3, "mail: 3 times in the last 7 days", "courriel : 3 fois en 7 jours"),
        ("count_mail_7d", 0, "mail: never in the last 7 days", "courriel : jamais en 7 jours"),
        ("count_{odd}_ever", 1, "{odd}: once so far", "{odd} : 1 fois jusqu'ici"),
        ("count_{odd}_ever", 0, "{odd}: never so far", "{odd} : jamais jusqu'ici"),
        ("count_other_ever", 2, "2 other interactions so far", "2 autres interactions jusqu'ici"),
        ("days_since_mail", NAN, "no mail so far", "aucune interaction du type « courriel » jusqu'ici"),
        ("days_since_mail", 0.5, "last mail 12 hours ago", None),
        (
            "days_since_mail",
            1.2,
            "last mail 1 day ago",
            "dernière interaction du type « courriel » il y a 1\xa0jour",
        ),
        ("days_since_mail", 40.4, "last mail 40 days ago", None),
        (
            "busiest_day_share",
            0.256,
            "26% of the interactions on a single day",
            "26\u202f% des interactions en un seul jour",
        ),
        (
            "warmth_mail_2d",
            2.25,
            "recent activity (mail): 2.2",
            "activité récente (courriel) : 2,2",
        ),
        ("warmth_2d", 0.031, "recent activity (all interactions): 0.03", None),
        ("temperature_via_web", 1.5, "channel web{site}: recent activity 1.5", "canal site : activité récente 1,5"),
        ("temperature_via_other", 0, "other channels: recent activity 0", "autres canaux : activité récente 0"),
        ("days_to_cold", 0, "already cold", "déjà froid"),
        (
            "transition_mail>call_30d",
            1,
            "mail, then call: once in the last 30 days",
            "courriel, puis appel : 1 fois en 30 jours",
        ),
        ("profile_country=FR", 1, "country: FR", "country : FR"),
        ("profile_country=FR", 0, "country: not FR, or not known", "country : autre que « FR », ou pas d'indication"),
        ("profile_staff", 12, "staff: 12", "effectif : 12"),
        ("profile_field=it", 1, "field: it", "secteur : informatique"),
        # A zero that is known is said; only what is not known is not.
        ("profile_size", 0, "size: 0", "size : 0"),
        ("profile_size", NAN, "size: not known", "size : pas d'indication"),
        ("value_last", 0, "last value 0", "dernière valeur 0"),
        ("value_last", NAN, "no value so far", "pas de valeur jusqu'ici"),
        # Values may add up to 0, and what is smoothed is a guess before there is anything to count.
        ("value_sum_7d", 0, "no value in the last 7 days, or 0 in all", "pas de valeur en 7 jours, ou 0 au total"),
        (
            "response_rate",
            0.5,
            "answers about 50% of our contacts",
            "répond à environ 50\u202f% de nos sollicitations",
        ),
        ("warmth_2d", 4.3e-11, "recent activity (all interactions): 0", None),
        ("hottest_colleague", 4.3e-11, "recent activity of the most active colleague: 0", None),
        ("gap_variation", 0, "unevenness of the pauses (0: always alike): 0", None),
        ("gap_variation", NAN, "too few interactions for a rhythm", "trop peu d'interactions pour un rythme"),
    ],
)
def test_sentences(name, value, english, french):
    feature = {feature.name: feature for feature in catalogue(WORDS)}[name]
    assert feature.say(value, "en") == english
    assert french is None or feature.say(value, "fr") == typeset(french, "fr")


@pytest.mark.parametrize(
    ("name", "value", "usual", "english", "french"),
    [
        ("count_call_7d", 3, 0, "3 calls in the last 7 days; usually none", "3 appels en 7 jours ; d'habitude aucun"),
        ("count_call_7d", 1, 2, "1 call in the last 7 days; usually 2", "1 appel en 7 jours ; d'habitude 2"),
        ("count_call_7d", 2, 2, "2 calls in the last 7 days", "2 appels en 7 jours"),
        ("count_call_7d", 0, 1, "no calls in the last 7 days; usually 1", "aucun appel en 7 jours ; d'habitude 1"),
        (
            "count_mail_7d", 2, 0,
            "mail: 2 times in the last 7 days; usually never", "courriel : 2 fois en 7 jours ; d'habitude jamais",
        ),
        (
            "count_mail_7d", 0, 1,
            "mail: never in the last 7 days; usually once", "courriel : jamais en 7 jours ; d'habitude 1 fois",
        ),
        ("days_since_mail", NAN, 23, "no mail so far", None),
        (
            "days_since_mail", 2, NAN, "last mail 2 days ago; usually no mail",
            "dernière interaction du type « courriel » il y a 2\xa0jours ; d'habitude aucune",
        ),
        (
            "days_to_cold", 12, 0, "cold in 12 days if nothing happens; usually already cold",
            "froid dans 12\xa0jours si rien ne se passe ; d'habitude déjà froid",
        ),
        ("days_to_cold", 0, 1, "already cold; usually 1 day", None),
        ("age_days", 0, 3, "created just now; usually 3 days ago", "créé à l'instant ; d'habitude il y a 3\xa0jours"),
        (
            "profile_country=FR", 1, 0.25,
            "country: FR; like 25% of the leads", "country : FR ; comme 25\u202f% des leads",
        ),
        ("profile_country=FR", 0, 0.25, "country: not FR, or not known; like 75% of the leads", None),
        ("profile_size", 303, NAN, "size: 303; usually not known", "size : 303 ; d'habitude pas d'indication"),
        ("profile_size", 303, 12345.6, "size: 303; usually 12,345.6", "size : 303 ; d'habitude 12\u202f345,6"),
    ],
)  # fmt: skip
def test_a_value_stands_beside_what_is_usual(name, value, usual, english, french):
    feature = {feature.name: feature for feature in catalogue(WORDS)}[name]
    assert feature.say_beside(value, usual, "en") == english
    assert french is None or feature.say_beside(value, usual, "fr") == typeset(french, "fr")


def test_a_count_names_some_of_what_it_counts():
    (fact,) = [fact for fact in plain.catalogue(WORDS) if fact.name == "touches_7d"]
    for kind, number, english, french in [
        ("call", 2, "including 2 calls", "dont 2 appels"),
        ("mail", 1, "including mail: once", "dont courriel : 1 fois"),
        ("{odd}", 1200, "including {odd}: 1,200 times", "dont {odd} : 1\u202f200 fois"),
    ]:
        some = plain.including(fact, kind, number, WORDS)
        assert some.say(1201, "en") == f"1,201 interactions in the last 7 days ({english})"
        told = f"1\u202f201 interactions en 7 jours ({french}) ; d'habitude aucune"
        assert some.say_beside(1201, 0, "fr") == typeset(told, "fr")


@pytest.mark.parametrize(
    ("length", "english", "french"),
    [(DAY, "1 day", "1 jour"), (36 * HOUR, "36 hours", "36 heures"), (90 * MINUTE, "90 minutes", "90 minutes")],
)
def test_spans(length, english, french):
    assert (span(length, "en"), span(length, "fr")) == (english, french)


def _settled(interactions, attributes=(), **settings):
    leads = [{"lead_id": f"l{n:03}", "created_at": "0", "attributes": given} for n, given in enumerate(attributes)]
    own = bucket(leads or "lead_id | created_at\nada | 0\nbob | 0", interactions)
    return settle(take_census(*own, config(**settings)), config(**settings))


def test_the_most_frequent_kinds_get_columns_ties_in_alphabetical_order():
    drawn = "lead_id | occurred_at | kind\n" + "\n".join(
        f"ada | 1 | {kind}" for kind in ["c", "c", "b", "a", "d", "other", "other"]
    )
    assert _settled(drawn).kinds == ("a", "b", "c", "d")  # `other` is where those without a column go
    assert _settled(drawn, features={"top_kinds": 2}).kinds == ("a", "c")


def test_kinds_that_are_mostly_ours_are_known_as_pushed():
    drawn = """
        lead_id | occurred_at | kind | direction
        ada     | 1           | call | outbound
        ada     | 2           | call | outbound
        bob     | 3           | call | inbound
        ada     | 1           | chat | outbound
        bob     | 2           | chat | _
        bob     | 3           | mail | inbound
    """
    assert _settled(drawn).pushed == ("call",)


def test_who_objected_teaches_no_words():
    leads, history = bucket(
        "lead_id | created_at | attributes\nada | 0 | country=FR\nbob | 1 | country=DE",
        "lead_id | occurred_at | kind | value\nada | 1 | call | 5\nbob | 2 | mail | _",
        consents="lead_id | occurred_at | status\nada | 1 | objection",
    )
    census = take_census(leads, history, config())
    assert (dict(census.kinds), dict(census.present)) == ({"mail": 1}, {})
    assert census.categories == {"country": {"DE": 1}}


def test_attributes_are_numbers_or_categories_many_leads_share():
    attributes = [{"size": str(n), "country": "FR" if n < 20 else "DE", "code": "x"} for n in range(39)]
    found = _settled((), attributes)
    assert found.numbers == ("size",)
    assert found.categories == {"code": ("x",), "country": ("FR",)}  # 19 are too few for a column
    nearly = [{"size": "many" if n < 2 else str(n)} for n in range(40)]
    assert _settled((), nearly).numbers == ("size",)
    assert _settled((), [*nearly, {"size": "few"}]).numbers == ()


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), (" -1.5e3 ", -1500), ("1e39", NAN), ("inf", NAN), ("nan", NAN), ("many", NAN), (None, NAN), ("", NAN)],
)
def test_as_number(text, number):
    assert as_number(text) == pytest.approx(number, nan_ok=True)


def test_families_without_their_columns_are_off_and_say_why():
    found = _settled("lead_id | occurred_at | kind\nada | 1 | mail", features={"families": tuple(FAMILIES)})
    assert found.off == {
        "percolation": "no interaction has a layer",
        "capillarity": "no lead has an account or a referrer",
        "power": "no interaction has a direction",
        "echo": "no source_id, and no outbound interaction with a campaign_id",
        "values": "no interaction has a value",
    }
    assert not {*found.off} & {*found.families}
    assert {feature.family for feature in catalogue(found)} == {*found.families}
    nobody = settle(sum_censuses([]), config())
    assert nobody.families == ("profile",)


def test_a_vocabulary_survives_json_in_its_order():
    saved = vocabulary(windows=lengths("7d", "30d", "90d"), half_lives=lengths("3d", "14d"), off={"values": "none"})
    again = Vocabulary.from_dict(json.loads(json.dumps(saved.to_dict())))
    assert again == saved
    assert catalogue(again) == catalogue(saved)
