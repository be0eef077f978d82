"""Values: the numbers that come with interactions: baskets, amounts, durations."""

from __future__ import annotations

import numpy as np

from leadscore.features import asof
from leadscore.features.catalogue import Feature, Words, span
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary

NAME = "values"
_NONE = {"en": "no value so far", "fr": "aucune valeur jusqu'ici"}


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if "value" in vocabulary.columns else "no interaction has a value"


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: sum per window and so far, then last, largest and mean value."""
    sums = [
        _feature(
            f"value_sum_{name}", f"value {{value}} in the last {span(length, 'en')}",
            f"valeur {{value}} en {span(length, 'fr')}", "",
            {"en": f"no value in the last {span(length, 'en')}", "fr": f"aucune valeur en {span(length, 'fr')}"},
        )
        for name, length in vocabulary.windows.items()
    ]  # fmt: skip
    none = "no interaction with a value"
    return (
        *sums,
        _feature("value_sum_ever", "value {value} so far", "valeur {value} jusqu'ici", ""),
        _feature("value_last", "last value {value}", "dernière valeur {value}", none),
        _feature("value_largest", "largest value {value}", "plus grande valeur {value}", none),
        _feature("value_mean", "mean value {value}", "valeur moyenne {value}", none),
    )


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    windows = np.array([*vocabulary.windows.values(), asof.ALL], dtype=np.int64)
    values = view.history.value
    # To the operators, what float32 cannot hold is no value; the mean must not count it either.
    codes = np.where(np.abs(values) <= np.finfo(np.float32).max, 0, -1).astype(np.int32)
    sums = asof.total(view.asof, values, codes, 1, windows)[:, 0, :]
    number = asof.count(view.asof, codes, 1, windows[-1:])[:, 0, 0]
    mean = np.divide(sums[:, -1], number, out=np.full(len(sums), np.nan, dtype=np.float32), where=number > 0)
    last = asof.last_value(view.asof, values, codes, 1)[:, 0]
    largest = asof.maximum(view.asof, values, codes, 1, windows[-1:])[:, 0, 0]
    return np.column_stack([sums, last, largest, mean]).astype(np.float32)


def _feature(name: str, en: str, fr: str, missing: str, absent: Words = _NONE) -> Feature:
    return Feature(name, NAME, "values", "amount", missing, {"en": en, "fr": fr}, absent)
