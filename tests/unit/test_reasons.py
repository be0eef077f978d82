"""Why a lead stands where it stands: one reason per concept, weights that add up, sentences people can read."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.features import plain
from leadscore.features.matrix import FAMILIES, build_matrix, catalogue
from leadscore.features.view import looks as views
from leadscore.language import LANGUAGES
from leadscore.model.certainty import Usual
from leadscore.model.explain import explain
from leadscore.model.train import at_risk_on
from leadscore.scoring.ranking import weights_table
from leadscore.scoring.reasons import Speaker, Weights
from leadscore.scoring.score import _see, score_bucket
from strategies import companies
from world import FUNNEL_AS_OF, bucket, day, days, funnel_reader, learned_funnel, lengths, looks, vocabulary

NAN = float("nan")
AS_OF = day(FUNNEL_AS_OF)
EVERYTHING = vocabulary(
    numbers=("size",),
    categories={"country": ("DE", "FR")},
    labels={
        "call": {
            "en": {"one": "ring", "other": "rings"},
            "fr": {"zero": "aucun appel", "one": "appel", "other": "appels"},
        },
        "mail": {"en": "letter", "fr": "courriel"},
    },
    windows=lengths("1d", "30d"),
    half_lives=lengths("12h", "5d"),
    families=tuple(FAMILIES),
    columns=("account", "campaign", "channel", "content", "direction", "layer", "referrer", "source", "topic", "value"),
)


# ---- weights ---------------------------------------------------------------------------------------------------


@cache
def seen():
    """The funnel's speaker, and the features and plain facts of a bucket."""
    config, _, _, bundle = learned_funnel()
    leads, history = next(funnel_reader(3)(AS_OF))
    found = _see(leads, history, at_risk_on(config, leads, days(FUNNEL_AS_OF)), bundle, config)
    return Speaker(bundle, "en"), found.matrix, found.facts


def test_the_concepts_and_the_offset_add_up_to_the_margin_in_memory_and_on_disk(tmp_path):
    speaker, matrix, _ = seen()
    for horizon in range(3):
        weights = speaker.weigh(matrix, horizon)
        np.testing.assert_allclose(weights.by_concept.sum(axis=1) + weights.offset, weights.margin, rtol=0, atol=1e-6)
        by_feature = explain(speaker.bundle, matrix, horizon).by_feature
        for number, concept in enumerate(speaker.concepts):
            own = [place for place, feature in enumerate(speaker.bundle.features) if feature.concept == concept]
            np.testing.assert_allclose(weights.by_concept[:, number], by_feature[:, own].sum(axis=1), atol=1e-12)
    config, _, _, bundle = learned_funnel()
    parts = [score_bucket(bucket, bundle, config, AS_OF)[0] for bucket in funnel_reader(3)(AS_OF)]
    margins = {lead: margin for part in parts for lead, margin in zip(part.lead_id, part.margin, strict=True)}
    ids = sorted(margins, reverse=True)
    pq.write_table(weights_table(parts, ids), tmp_path / "weights.parquet")
    table = pq.read_table(tmp_path / "weights.parquet")
    assert table.schema.names == ["lead_id", "offset", *speaker.concepts]
    assert table["lead_id"].to_pylist() == ids
    total = sum(table[name].to_numpy().astype(np.float64) for name in table.schema.names[1:])
    np.testing.assert_allclose(total, [margins[lead] for lead in ids], rtol=0, atol=1e-6)


def test_nobody_has_weights_of_every_concept():
    speaker, matrix, facts = seen()
    nobody = speaker.weigh(matrix[:0], 1)
    assert nobody.by_concept.shape == (0, len(speaker.concepts))
    assert speaker.reasons(nobody, matrix[:0], facts[:0], 3) == []
    assert weights_table([], []).num_rows == 0


def test_reasons_are_the_strongest_concepts_each_once_with_the_sign_of_its_weight():
    speaker, matrix, facts = seen()
    weights = speaker.weigh(matrix, 1)
    told = speaker.reasons(weights, matrix, facts, 99)
    for row, reasons in enumerate(told):
        added = dict(zip(speaker.concepts, weights.by_concept[row].tolist(), strict=True))
        assert {reason.code: reason.weight for reason in reasons} == {code: w for code, w in added.items() if w}
        assert len({reason.code for reason in reasons}) == len(reasons)
        sizes = [abs(reason.weight) for reason in reasons]
        assert sizes == sorted(sizes, reverse=True)
        assert all(reason.sign == np.sign(reason.weight) for reason in reasons)
    assert {reason.sign for reasons in told for reason in reasons} == {-1, 1}
    assert speaker.reasons(weights, matrix, facts, 2) == [reasons[:2] for reasons in told]


def test_both_languages_give_the_same_codes_and_weights():
    speaker, matrix, facts = seen()
    weights = speaker.weigh(matrix, 1)
    english, french = (Speaker(speaker.bundle, language).reasons(weights, matrix, facts, 3) for language in LANGUAGES)
    assert [[(one.code, one.weight) for one in own] for own in english] == [
        [(one.code, one.weight) for one in own] for own in french
    ]
    assert not {one.text for own in english for one in own} & {one.text for own in french for one in own}


@given(st.lists(st.integers(0, 60), min_size=1, max_size=5))
@settings(max_examples=10, deadline=None)
def test_a_lead_is_told_the_same_whoever_is_asked_with_it(rows):
    speaker, matrix, facts = seen()
    among_all = speaker.reasons(speaker.weigh(matrix, 1), matrix, facts, 3)
    for own in (rows, *([row] for row in rows)):
        fresh = Speaker(speaker.bundle, "en")  # remembers nothing it said
        said = fresh.reasons(fresh.weigh(matrix[own], 1), matrix[own], facts[own], 3)
        assert said == [among_all[row] for row in own]


# ---- which sentence --------------------------------------------------------------------------------------------

TOLD = vocabulary(families=("profile", "infusion"), categories={"country": ("DE", "FR")})
FEATURES = {feature.name: place for place, feature in enumerate(catalogue(TOLD))}
FACTS = {fact.name: place for place, fact in enumerate(plain.catalogue(TOLD))}


def tell(added, values, facts=(), usual=(), usual_facts=None, language="en", words=TOLD):
    """The reasons of a lead, of which are given weights and values by feature, and plain facts; else all is 0."""

    def filled(names, given):
        return np.array([float(dict(given).get(name, 0)) for name in names])

    known = np.zeros(0) if usual_facts is None else filled(FACTS, usual_facts)
    bundle = SimpleNamespace(features=catalogue(words), vocabulary=words, usual=Usual(filled(FEATURES, usual), known))
    speaker = Speaker(bundle, language)
    by_feature = filled(FEATURES, added)[speaker._order][None]
    by_concept = np.add.reduceat(by_feature, speaker._begins[:-1], axis=1)
    weights = Weights(by_concept, by_feature, np.zeros(1), by_concept.sum(axis=1))
    (reasons,) = speaker.reasons(weights, filled(FEATURES, values)[None], filled(FACTS, facts)[None], 9)
    return reasons


def say(code, *lead, **said):
    """The sentence of the only reason of a lead."""
    (reason,) = tell(*lead, **said)
    assert reason.code == code
    return reason.text


WARM = ("infusion.call", {"warmth_call_2d": 1}, {"warmth_call_2d": 0.8})


def test_a_warmth_is_told_as_the_shortest_count_that_deviates_the_same_way():
    counts = {"count_call_7d": 3, "count_call_30d": 5}
    assert say(*WARM, counts, usual_facts={}) == "call: 3 times in the last 7 days; usually never"
    assert say(*WARM, counts, usual_facts={}, language="fr") == "call\xa0: 3 fois en 7 jours\u202f; d'habitude jamais"
    # As many as usual in the shorter window says nothing; fewer than usual would say the contrary.
    for own in (0, -1):
        told = say(*WARM, counts, usual_facts={"count_call_7d": 3 - own, "count_call_30d": 1})
        assert told == "call: 5 times in the last 30 days; usually once"
    told = say(*WARM, counts, {"warmth_call_2d": 0.1}, {"count_call_7d": 9, "count_call_30d": 5})
    assert told == "recent activity (call): 0.8; usually 0.1"
    assert say(*WARM, counts) == "recent activity (call): 0.8; usually 0"  # nobody measured what is usual
    cold = ("infusion.call", {"warmth_call_2d": -1}, {}, {}, {"warmth_call_2d": 0.4}, {"count_call_7d": 1})
    assert say(*cold) == "call: never in the last 7 days; usually once"


def test_counts_of_one_kind_do_not_speak_for_another():
    assert say(*WARM, {"count_mail_7d": 3, "touches_7d": 9}, usual_facts={}) == "recent activity (call): 0.8; usually 0"


HOT = {"temperature": 1}, {"temperature": 6.8}


def test_a_temperature_is_told_as_the_count_of_all_with_the_kind_among_them_that_adds_most():
    def told(usual=None, language="en", words=TOLD, **counts):
        facts = {f"{name}_7d": count for name, count in counts.items()}
        return say("infusion.temperature", *HOT, facts, (), {"touches_7d": 1, **(usual or {})}, language, words)

    # A mail warms half as much as a call, any other kind not at all.
    many = {"touches": 12, "count_other": 7}
    assert told(**many, count_call=2, count_mail=3) == (
        "12 interactions in the last 7 days (including call: 2 times); usually 1"
    )
    assert told(**many, count_call=1, count_mail=4, language="fr") == (
        "12 interactions en 7 jours (dont mail\xa0: 4 fois)\u202f; d'habitude 1"
    )
    # What we push is not the lead's own.
    ours = replace(TOLD, pushed=("call",))
    assert "(including mail: 3 times)" in told(**many, words=ours, count_call=2, count_mail=3)
    assert told(**many, words=ours, count_call=5) == "12 interactions in the last 7 days; usually 1"
    assert told(touches=7, count_other=7) == "7 interactions in the last 7 days; usually 1"
    # Where they are all of one kind, that kind is told; but not as if more of it were less than usual.
    assert told(touches=3, count_call=3) == "call: 3 times in the last 7 days; usually never"
    assert told({"count_call_7d": 5}, touches=3, count_call=3) == "3 interactions in the last 7 days; usually 1"
    quiet = {"temperature": -1}, {"temperature": 0.2}, {"touches_7d": 2, "count_call_7d": 1}, {"temperature": 0.4}
    assert say("infusion.temperature", *quiet, {"touches_7d": 4}) == "2 interactions in the last 7 days; usually 4"
    assert say("infusion.temperature", *HOT) == "temperature (recent activity): 6.8; usually 0"


def test_a_channel_speaks_by_its_own_counts_and_cooling_by_fewer_than_usual():
    via = "infusion.via.web", {"temperature_via_web": 1}, {"temperature_via_web": 0.8}
    counts = {"touches_7d": 9, "touches_7d via other": 9, "touches_30d via web": 1}
    assert say(*via, counts, usual_facts={}) == "channel web: 1 interaction in the last 30 days; usually none"
    assert say(*via, {}, usual_facts={}, language="fr") == "canal web\xa0: activité récente 0,8\u202f; d'habitude 0"
    cools = "infusion.cooling", {"cooling_per_day": 1}, {"cooling_per_day": 0.8}
    assert say(*cools, {"touches_7d": 2}, (), {"touches_7d": 3}) == "2 interactions in the last 7 days; usually 3"
    assert (
        say(*cools, {"touches_7d": 4}, (), {"touches_7d": 3}) == "pace at which activity fades, per day: 0.8; usually 0"
    )
    # Of what is missing no count tells.
    never = "infusion.cooling", {"days_to_cold": -1}, {"days_to_cold": NAN}
    assert say(*never, usual_facts={}) == "no activity so far"


def test_no_two_reasons_of_a_lead_say_the_same():
    added = {"temperature_2d": 3, "warmth_2d": 2, "temperature_channels": 1, "cooling_per_day": -1}
    values = {"temperature_2d": 2, "warmth_2d": 0.8, "temperature_channels": 1, "temperature": -1}
    own = ["temperature (recent activity): 2; usually 0", "recent activity (all interactions): 0.8; usually 0"]
    for facts, told in [
        ({"touches_7d": 3, "touches_30d": 3}, [f"3 interactions in the last {n} days; usually none" for n in (7, 30)]),
        ({"touches_7d": 3}, ["3 interactions in the last 7 days; usually none", own[1]]),
        ({}, own),
    ]:
        assert [reason.text for reason in tell(added, values, facts, usual_facts={})][:2] == told
    speaker, matrix, facts = seen()
    weights = speaker.weigh(matrix, 1)
    for reasons in speaker.reasons(weights, matrix, facts, 99):
        assert len({reason.text for reason in reasons}) == len(reasons)


def test_what_another_reason_of_the_row_tells_is_no_detail_of_a_count():
    values, facts = {"temperature": 6.8, "warmth_call_2d": 2}, {"touches_7d": 9, "count_call_7d": 3, "count_mail_7d": 1}
    for rank in (0.5, 2):  # whichever comes first
        told = tell({"temperature": 1, "warmth_call_2d": rank}, values, facts, (), {"touches_7d": 1})
        assert {reason.text for reason in told} == {
            "9 interactions in the last 7 days; usually 1", "call: 3 times in the last 7 days; usually never",
        }  # fmt: skip


def test_a_lead_with_a_category_is_told_its_own_however_little_it_weighs():
    usual = {"profile_country=DE": 0.25, "profile_country=FR": 0.6}
    pulls = {"profile_country=DE": 1.0, "profile_country=FR": 0.01}
    code = "profile.country"
    assert say(code, pulls, {"profile_country=FR": 1}, (), usual) == "country: FR; like 60% of the leads"
    assert say(code, pulls, {}, (), usual) == "country: not DE, or not known; like 75% of the leads"
    french = say(code, pulls, {"profile_country=FR": 1}, (), usual, language="fr")
    assert french == "country\xa0: FR\u202f; comme 60\u202f% des leads"


def test_a_concept_is_said_by_the_feature_that_says_most_its_way():
    values = {"temperature_peak": 2.5, "temperature_to_peak": 0.5}
    for added, told in [
        (
            {"temperature_peak": 1, "temperature_to_peak": -0.9},
            "strongest activity so far: temperature 2.5; usually 1.5",
        ),
        ({"temperature_peak": 0.9, "temperature_to_peak": -1}, "activity now at 50% of its strongest; usually 75%"),
    ]:
        assert say("infusion.peak", added, values, (), {"temperature_peak": 1.5, "temperature_to_peak": 0.75}) == told


def test_the_voice_of_a_concept_speaks_where_it_says_the_same():
    pulls, usual = {"temperature_2d": 1, "temperature": 0.1}, {"temperature_2d": 0.5, "temperature": 0.5}
    for own, told in [
        ({"temperature_2d": 0.8, "temperature": 0.7}, 0.7),
        ({"temperature_2d": 0.2, "temperature": 0.3}, 0.3),
        ({"temperature_2d": 0.8, "temperature": 0.3}, 0.8),
        ({"temperature_2d": 0.8, "temperature": 0.5}, 0.8),
    ]:
        said = say("infusion.temperature", pulls, own, (), usual)
        assert said == f"temperature (recent activity): {told}; usually 0.5"


# ---- plain facts -----------------------------------------------------------------------------------------------


@given(company=companies())
@settings(max_examples=40, deadline=None)
def test_plain_facts_count_what_volume_counts(company):
    words = replace(EVERYTHING, windows=lengths("1d", "7d"))
    leads, history = company.bucket()
    asked = looks(leads, company.pairs())
    names = [feature.name for feature in catalogue(words)]
    facts = plain.catalogue(words)
    found = np.concatenate(
        [np.zeros((0, len(facts))), *(plain.compute(v, words) for v in views(leads, history, asked))]
    )
    matrix = build_matrix(leads, history, asked, words)
    volume = [place for place, fact in enumerate(facts) if not fact.channel]
    np.testing.assert_array_equal(found[:, volume], matrix[:, [names.index(facts[place].name) for place in volume]])
    for window in words.windows:
        parts = [
            place for place, fact in enumerate(facts) if fact.channel and fact.name.startswith(f"touches_{window} ")
        ]
        assert [facts[place].channel for place in parts] == ["web", "other"]
        np.testing.assert_array_equal(found[:, parts].sum(axis=1), matrix[:, names.index(f"touches_{window}")])


def test_a_channel_counts_what_came_by_it():
    drawn = """
        lead_id | occurred_at | kind | channel
        ada     | 1           | call | web
        ada     | 9           | call | fax
        ada     | 9           | mail | _
        ada     | 9.5         | mail | web
    """
    leads, history = bucket("lead_id | created_at\nada | 0", drawn)
    (view,) = views(leads, history, looks(leads, [("ada", day(10))]))
    told = dict(zip(FACTS, plain.compute(view, TOLD)[0].tolist(), strict=True))
    counts = {name: told[f"touches_{name}"] for name in ("7d via web", "30d via web", "7d via other", "30d via other")}
    assert counts == {"7d via web": 1, "30d via web": 2, "7d via other": 2, "30d via other": 2}


# ---- every sentence there is -----------------------------------------------------------------------------------

VALUES = {
    "flag": (0, 1), "share": (0, 0.004, 0.25, 1, NAN), "days": (0, 0.02, 0.5, 1, 1.5, 40, NAN),
    "count": (0, 1, 2, 1234, NAN), "warmth": (0, 0.001, 0.031, 1, 12.25, NAN), "amount": (-3.5, 0, 1, 2e6, NAN),
    "ratio": (-0.2, 0, 1, 1.5, NAN),
}  # fmt: skip
# What is written alike in both languages, and names of the data.
ALIKE = {
    *("a", "contact", "interaction", "interactions", "lead", "leads", "long", "messages", "on", "pauses", "place"),
    *("saturation", "silence", "variation", "country", "de", "fr", "size", "web"),
}


@cache
def sentences(language):
    """Every feature and plain fact beside every usual value, by feature."""
    features = [*catalogue(EVERYTHING), *plain.catalogue(EVERYTHING)]
    found = {}
    for feature in features:
        values = [value for value in VALUES[feature.unit] if feature.missing or value == value]  # noqa: PLR0124 - NaN
        usual = (0, 0.004, 0.3, 1) if feature.unit == "flag" else values
        given = [own for own in values if own == own]  # noqa: PLR0124 - who lacks it is not compared
        found[feature.name] = {feature.say_beside(own, beside, language) for own in given for beside in usual}
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_concepts_say_the_same(language):
    concepts = {}
    for feature in catalogue(EVERYTHING):
        for value in VALUES[feature.unit]:
            if feature.missing or value == value:  # noqa: PLR0124 - NaN
                concepts.setdefault(feature.say(value, language), set()).add(feature.concept)
    assert {text: found for text, found in concepts.items() if len(found) > 1} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_is_whole(language):
    beside = {
        "en": re.compile(r"[^;]+[^ ;](; (usually:? [^ ].*|like (fewer than )?\d+% of the leads))?"),
        "fr": re.compile(r"[^;]+[^ ;](\u202f; (d'habitude(\xa0:)? [^ ].*|comme (moins de )?\d+\u202f% des leads))?"),
    }[language]
    odd = re.compile(r"[{}⟨⟩]|\s\s|\bnan\b|\d{4}|-0(?![.,\d])|^\s|\s$|None|\b1 (?:times(?! the)|rings|days|jours)\b")
    for name, told in sentences(language).items():
        assert [text for text in told if not beside.fullmatch(text) or odd.search(text)] == [], name


def test_no_sentence_mixes_the_languages():
    english, french = (
        {
            word
            for told in sentences(language).values()
            for text in told
            for word in re.findall(r"[^\W\d_]+", text.lower())
        }
        for language in LANGUAGES
    )
    assert english & french <= ALIKE
    for language, foreign in {
        "en": r"\s[:;%]|\d,\d\b|[«»]",
        "fr": r"[^\xa0]:|[^\u202f][;%!?]|«[^\xa0]|[^\xa0]»|\d\.\d|[1-9],\d{3}",
    }.items():
        texts = [text for told in sentences(language).values() for text in told]
        assert [text for text in texts if re.search(foreign, text)] == []
