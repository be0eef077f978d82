"""Values: the numbers that come with interactions: baskets, amounts, durations.

Only the column `value` is read. Attributes of interactions are stored, but not carried into `History`.
"""

from __future__ import annotations

import numpy as np

from leadscore.features import asof
from leadscore.features.catalogue import Feature, Words
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary

NAME = "values"
_LARGEST = float(np.finfo(np.float32).max)


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if "value" in vocabulary.columns else "no interaction has a value"


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: sum and mean per window and so far, extremes, last value, decayed means, trend.

    `value_trend` is the decayed mean at the shortest half-life less the mean of all values. A difference has a meaning
    for values of either sign and around zero, where a ratio has none; and the decayed mean is there as long as any
    value is, where the mean of the newest window is missing for the many who have been silent that long.
    """
    windows = [*vocabulary.windows, "ever"]
    return (
        *_per_window("sum", "value", "valeur", windows, vocabulary),
        *_per_window("mean", "mean value", "valeur moyenne", windows, vocabulary),
        *_per_window("largest", "largest value", "plus grande valeur", windows[-2:], vocabulary),
        *_per_window("smallest", "smallest value", "plus petite valeur", windows[-2:], vocabulary),
        _feature(
            "value_last", "values.last", "last value {value}", "dernière valeur {value}",
            {"en": "no value so far", "fr": "pas de valeur jusqu'ici"},
        ),
        *(_decayed(name) for name in vocabulary.half_lives),
        _feature(
            "value_trend", "values.trend", "recent values against the mean: {value}",
            "écart des valeurs récentes à la moyenne : {value}",
            {"en": "no recent values so far", "fr": "pas de valeurs récentes jusqu'ici"},
        ),
    )  # fmt: skip


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    windows = np.array([*vocabulary.windows.values(), asof.ALL], dtype=np.int64)
    half_lives = np.array([*vocabulary.half_lives.values()], dtype=np.int64)
    values, codes = view.history.value, np.where(view.counted(vocabulary), 0, -1).astype(np.int32)
    sums = asof.total(view.asof, values, codes, 1, windows)[:, 0]
    means = asof.mean(view.asof, values, codes, 1, windows)[:, 0]
    largest = asof.maximum(view.asof, values, codes, 1, windows[-2:])[:, 0]
    smallest = asof.minimum(view.asof, values, codes, 1, windows[-2:])[:, 0]
    last = asof.last_value(view.asof, values, codes, 1)
    decayed = asof.decayed_mean(view.asof, values, codes, 1, half_lives)[:, 0]
    trend = np.clip(decayed[:, 0].astype(np.float64) - means[:, -1], -_LARGEST, _LARGEST)
    return np.column_stack([sums, means, largest, smallest, last, decayed, trend]).astype(np.float32)


def _per_window(what: str, en: str, fr: str, windows: list[str], vocabulary: Vocabulary) -> list[Feature]:
    return [
        Feature(
            f"value_{what}_{window}", NAME, f"values.{what}", "amount",
            "" if what == "sum" else "no value in the window",  # the sum of nothing is 0
            {"en": f"{en} {{value}} {when['en']}", "fr": f"{fr} {{value}} {when['fr']}"},
            # Values of either sign may add up to 0.
            {"en": f"no {en} {when['en']}{more['en']}", "fr": f"pas de {fr} {when['fr']}{more['fr']}"},
        )
        for window in windows
        for when in [vocabulary.within(window)]
        for more in [{"en": ", or 0 in all", "fr": ", ou 0 au total"} if what == "sum" else {"en": "", "fr": ""}]
    ]  # fmt: skip


def _decayed(name: str) -> Feature:
    return _feature(
        f"value_decayed_{name}", "values.mean",
        "mean value {value}, the newest counting most",
        "valeur moyenne {value}, surtout des plus récentes",
        {"en": "no mean value so far", "fr": "pas de valeur moyenne jusqu'ici"},
    )  # fmt: skip


def _feature(name: str, concept: str, en: str, fr: str, absent: Words) -> Feature:
    return Feature(name, NAME, concept, "amount", "no interaction with a value", {"en": en, "fr": fr}, absent)
