"""Profile: who the lead is, as we knew it then."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary, as_number
from leadscore.history import NEVER, Rows
from leadscore.language import LANGUAGES
from leadscore.timeline import DAY

NAME = "profile"


def needs(vocabulary: Vocabulary) -> str:  # noqa: ARG001 - every lead has an age
    """Say why the family is off; empty when it is on."""
    return ""


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: age, the time left, how much is known, each numeric attribute, a flag per frequent category.

    Whether a lead has an account is left out: where a sale is what creates the account, that tells the outcome.
    """
    age = Feature(
        "age_days", NAME, "age", "days", "",
        {"en": "created ⟨{value} ago⟩", "fr": "créé ⟨il y a {value}⟩"},
        {"en": "created ⟨just now⟩", "fr": "créé ⟨à l'instant⟩"},
    )  # fmt: skip
    closes = Feature(
        "days_to_close", NAME, "closing", "days", "nobody said when it closes",
        {"en": "closes in {value}", "fr": "se clôt dans {value}"},
        {"en": "closes now", "fr": "se clôt maintenant"},
    )  # fmt: skip
    known = Feature(
        "attributes_known", NAME, "profile", "share", "",
        {"en": "{value} of the attributes known", "fr": "{value} des attributs connus"},
        {"en": "no attribute known", "fr": "⟨aucun⟩ attribut connu"},
        skewed=False,
    )  # fmt: skip
    return (
        age,
        *((closes,) if "closes_at" in vocabulary.columns else ()),
        *((known,) if vocabulary.numbers or vocabulary.categories else ()),
        *(_number(name, vocabulary) for name in vocabulary.numbers),
        *(_category(name, word, vocabulary) for name, words in vocabulary.categories.items() for word in words),
    )


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    lead, as_of = view.snapshots.lead, view.snapshots.as_of
    version = view.leads.versions_at(lead, as_of)
    columns, known = [], []
    for name in vocabulary.numbers:
        values = np.array([as_number(item.get(name)) for item in view.leads.attributes] + [np.nan])[version]
        columns.append(values)
        known.append(np.isfinite(values))
    for name, words in vocabulary.categories.items():
        given = np.array([item.get(name) for item in view.leads.attributes] + [None], dtype=object)[version]
        columns += [given == word for word in words]
        known.append(given != None)  # noqa: E711 - one by one
    shares = [np.mean(known, axis=0)] if known else []
    age = (as_of - view.leads.created_at[lead]) / DAY
    left = [_days_to_close(view, version)] if "closes_at" in vocabulary.columns else []
    return np.stack([age, *left, *shares, *columns], axis=1).astype(np.float32)


def _days_to_close(view: View, version: Rows) -> npt.NDArray[np.float64]:
    """Return the days until the moment at which a lead closes by itself, as was known then; 0 once it has passed."""
    closes_at = np.append(view.leads.version_closes_at, NEVER)[version]
    left = np.maximum(closes_at - view.snapshots.as_of, 0) / DAY
    return np.where(closes_at == NEVER, np.nan, left)


def _number(name: str, vocabulary: Vocabulary) -> Feature:
    en, fr = (vocabulary.attribute(name, language) for language in LANGUAGES)
    return Feature(
        f"profile_{name}", NAME, f"profile.{name}", "amount", "not known",
        {"en": f"{en}: {{value}}", "fr": f"{fr} : {{value}}"},
        {"en": f"{en}: ⟨not known⟩", "fr": f"{fr} : ⟨pas d'indication⟩"},
    )  # fmt: skip


def _category(name: str, word: str, vocabulary: Vocabulary) -> Feature:
    en, fr = (vocabulary.attribute(name, language) for language in LANGUAGES)
    is_en, is_fr = (vocabulary.word(name, word, language) for language in LANGUAGES)
    return Feature(
        f"profile_{name}={word}", NAME, f"profile.{name}", "flag", "",
        {"en": f"{en}: {is_en}", "fr": f"{fr} : {is_fr}"},
        # The flag is 0 for another word and for none at all.
        {"en": f"{en}: not {is_en}, or not known", "fr": f"{fr} : autre que « {is_fr} », ou pas d'indication"},
        skewed=False,
    )  # fmt: skip
