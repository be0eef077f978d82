"""Every word a marketer reads is there in every language, with the same values in it."""

from __future__ import annotations

import re
import string

import pytest

from leadscore.delivery.wording import Wording, _texts, places
from leadscore.language import LANGUAGES

KEYS = [(place, key) for place in places() for key in _texts(place)]


def forms_of(text):
    """Its forms by plural category; a text has one."""
    return {"other": text} if isinstance(text, str) else text


def holes(text):
    """The values of a sentence; those a script fills in stand in double braces."""
    found = {name for _, name, *_ in string.Formatter().parse(text) if name is not None}
    return found | set(re.findall(r"\{\{(\w+)\}\}", text))


@pytest.mark.parametrize("place", places())
def test_a_sentence_is_there_in_every_language_in_the_same_forms_with_the_same_values(place):
    for key, by_language in _texts(place).items():
        assert list(by_language) == list(LANGUAGES), key
        english, french = (forms_of(by_language[language]) for language in LANGUAGES)
        assert set(english) in ({"other"}, {"one", "other"}, {"zero", "one", "other"}), key
        assert set(english) == set(french), key
        for form, text in english.items():
            # A form for none or one may say the number in words, and what goes without saying not at all.
            assert holes(text) - {"n"} == holes(french[form]) - {"n"} <= holes(english["other"]), (key, form)
        assert holes(english["other"]) == holes(french["other"]), key
        for text in (*english.values(), *french.values()):
            assert text.strip(), key
            assert not re.search(r"\s\s", text), key


def test_no_key_of_a_place_hides_a_common_one():
    common = set(_texts("common"))
    assert [(place, key) for place, key in KEYS if place != "common" and key in common] == []


def test_french_marks_stand_apart_and_english_ones_do_not():
    wrong = {"en": r"\s[:;?!%](?!\w)|[«»]", "fr": r"\w[:;?!»%]|«\w|\d\.\d"}
    for place, key in KEYS:
        if key.startswith("as_"):
            continue  # formats of a spreadsheet, which has its own marks
        for language, forms in _texts(place)[key].items():
            assert [text for text in forms_of(forms).values() if re.search(wrong[language], text)] == [], (place, key)


def test_a_count_chooses_the_form_and_is_written_as_the_language_does():
    said = {
        language: [Wording("changes", language).say("fresh", n, since="x") for n in (0, 1, 1234)]
        for language in LANGUAGES
    }
    assert said == {
        "en": [
            f"{count} other than ours since x" for count in ("no interactions", "1 interaction", "1,234 interactions")
        ],
        "fr": [
            f"{count} hormis les nôtres depuis le x"
            for count in ("aucune interaction", "1 interaction", "1\u202f234 interactions")
        ],
    }
    assert [Wording("common", language).say("leads", 0) for language in LANGUAGES] == ["0 leads", "0 lead"]
    # What a value holds is text, whatever it looks like; words common to all places are every place's.
    assert Wording("crm", "en").say("speaks_for", reason="{n} {x}") == "For: {n} {x}"
    assert Wording("crm", "fr").say("rank") == "Rang"
    with pytest.raises(KeyError):
        Wording("crm", "en").say("nowhere")
