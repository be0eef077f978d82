"""Profile: who the lead is, as we knew it then."""

from __future__ import annotations

import numpy as np

from leadscore.features.catalogue import Feature, literal
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary, as_number
from leadscore.timeline import DAY

NAME = "profile"


def needs(vocabulary: Vocabulary) -> str:  # noqa: ARG001 - every lead has an age
    """Say why the family is off; empty when it is on."""
    return ""


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: age, then each numeric attribute, then a flag per frequent category."""
    age = Feature(
        "age_days", NAME, "age", "days", "",
        {"en": "created {value} ago", "fr": "créé il y a {value}"},
        {"en": "created just now", "fr": "créé à l'instant"},
    )  # fmt: skip
    return (
        age,
        *(_number(name) for name in vocabulary.numbers),
        *(_category(name, word) for name, words in vocabulary.categories.items() for word in words),
    )


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    lead, as_of = view.snapshots.lead, view.snapshots.as_of
    version = view.leads.versions_at(lead, as_of)
    columns = [((as_of - view.leads.created_at[lead]) / DAY)]
    for name in vocabulary.numbers:
        values = np.array([as_number(item.get(name)) for item in view.leads.attributes] + [np.nan])
        columns.append(values[version])
    for name, words in vocabulary.categories.items():
        given = np.array([item.get(name) for item in view.leads.attributes] + [None], dtype=object)
        columns += [(given == word)[version] for word in words]
    return np.stack(columns, axis=1).astype(np.float32)


def _number(name: str) -> Feature:
    return Feature(
        f"profile_{name}", NAME, f"profile.{name}", "amount", "not known",
        {"en": f"{literal(name)}: {{value}}", "fr": f"{literal(name)} : {{value}}"},
        {"en": f"{literal(name)}: not known", "fr": f"{literal(name)} : inconnu"},
    )  # fmt: skip


def _category(name: str, word: str) -> Feature:
    return Feature(
        f"profile_{name}={word}", NAME, f"profile.{name}", "flag", "",
        {"en": f"{literal(name)}: {literal(word)}", "fr": f"{literal(name)} : {literal(word)}"},
        # The flag is 0 for another word and for none at all.
        {
            "en": f"{literal(name)} is not {literal(word)}, or not known",
            "fr": f"{literal(name)} n'est pas {literal(word)}, ou inconnu",
        },
        skewed=False,
    )  # fmt: skip
