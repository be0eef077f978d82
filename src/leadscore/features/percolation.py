"""Percolation: how deep the lead has gone through the layers of content, from 1 (surface) to the core.

Only the lead's own touches count: what we push lies in its mailbox and has not seeped in. The number of layers and of
different items in each are settled on the training data; whatever lies deeper later on counts as the core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from leadscore.config import Config
from leadscore.features import asof
from leadscore.features.catalogue import Feature
from leadscore.features.view import Matrix, View
from leadscore.features.vocabulary import Vocabulary, heard
from leadscore.history import History, Leads

NAME = "percolation"
_MOST_LAYERS = 10  # each has columns of its own; deeper ones count as the tenth


def needs(vocabulary: Vocabulary) -> str:
    """Say why the family is off; empty when it is on."""
    return "" if "layer" in vocabulary.columns else "no interaction has a layer"


def count(leads: Leads, history: History, config: Config) -> Counter[Any]:  # noqa: ARG001 - as all families
    """Count the interactions of each (layer, item), pushed ones too: an item is there before anybody touches it."""
    rows = heard(leads, history) & (history.layer > 0)
    layer = np.minimum(history.layer[rows], _MOST_LAYERS)
    items, number = np.unique(np.column_stack([layer, history.content.codes[rows]]), axis=0, return_counts=True)
    words = (*history.content.words, None)  # a touch without an item counts by its layer only
    return Counter({(layer, words[code]): n for (layer, code), n in zip(items.tolist(), number.tolist(), strict=True)})


def freeze(counts: Counter[Any], vocabulary: Vocabulary) -> Mapping[str, Any]:  # noqa: ARG001 - as all families
    """Settle how many layers there are, and how many different items each has: `items[0]` at the surface."""
    different = Counter(layer for layer, item in counts if item is not None)
    deepest = max((layer for layer, _ in counts), default=0)
    return {"items": [different[layer] for layer in range(1, deepest + 1)]}


def catalogue(vocabulary: Vocabulary) -> tuple[Feature, ...]:
    """List the columns: depth, the layer skipped, share and days of each layer, depth gained per window.

    * `deepest_layer`: the greatest layer touched. `depth_in_order`: how many layers were touched one after the other,
      1 first; repeating a layer or skipping one leads no deeper.
    * `stalled_layer`: the layer after those in order, as long as a deeper one than it was touched but not it in
      its turn.
    * `layer_share_<k>`: different items touched, by the number there was in training, at most 1.
    * `layer_days_<k>`: days during which the newest layer touched was this one.
    * `depth_gained_<window>`: `depth_in_order` now less that of the touches before the window.
    """
    items = vocabulary.frozen[NAME]["items"]
    return (
        _depth(
            "deepest_layer",
            {
                "en": "deepest content so far: ⟨layer {value}⟩",
                "fr": "contenu le plus profond jusqu'ici : ⟨couche {value}⟩",
            },
            {"en": "⟨no content⟩ of any layer so far", "fr": "⟨aucun contenu⟩ d'aucune couche jusqu'ici"},
        ),
        _depth(
            "depth_in_order",
            {
                "en": "content followed in order ⟨down to layer {value}⟩",
                "fr": "contenus suivis dans l'ordre ⟨jusqu'à la couche {value}⟩",
            },
            {"en": "⟨no content of layer 1⟩ so far", "fr": "⟨aucun contenu de la couche 1⟩ jusqu'ici"},
        ),
        _depth(
            "stalled_layer", {"en": "skipped ⟨layer {value}⟩", "fr": "a sauté ⟨la couche {value}⟩"},
            {"en": "skipped ⟨no layer⟩", "fr": "n'a sauté ⟨aucune couche⟩"},
        ),
        *(_share(layer) for layer, number in enumerate(items, start=1) if number),
        *(_days(layer) for layer in range(1, len(items) + 1)),
        *(_gained(name, vocabulary) for name in vocabulary.windows),
    )  # fmt: skip


def compute(view: View, vocabulary: Vocabulary) -> Matrix:
    """Compute the family: one row per snapshot, one column per catalogue entry."""
    items = vocabulary.frozen[NAME]["items"]
    layers = np.where(view.own, np.minimum(view.history.layer, len(items)), 0).astype(np.int32)
    lags = np.array([0, *vocabulary.windows.values()], dtype=np.int64)
    depths = asof.ordered_depth(view.asof, layers, lags)
    depth, deepest = depths[:, 0], asof.deepest(view.asof, layers, lags[:1])[:, 0]
    stalled = np.where(deepest > depth + 1, depth + 1, 0)
    shares = [_touched(view, layers == layer) / number for layer, number in enumerate(items, start=1) if number]
    days = asof.dwell(view.asof, layers - 1, len(items))
    gained = depth[:, None] - depths[:, 1:]
    return np.column_stack([deepest, depth, stalled, *np.minimum(shares, 1), days, gained]).astype(np.float32)


def _touched(view: View, rows: npt.NDArray[np.bool_]) -> Matrix:
    """Count the different items of these rows."""
    content = view.history.content
    codes = np.where(rows, content.codes, -1).astype(np.int32)
    return asof.distinct(view.asof, codes, len(content.words), np.array([asof.ALL]))[:, 0]


def _depth(name: str, sentence: Mapping[str, str], absent: Mapping[str, str]) -> Feature:
    concept = "percolation.skipped" if name == "stalled_layer" else "percolation.depth"
    return Feature(name, NAME, concept, "count", "", sentence, absent, skewed=False)


def _share(layer: int) -> Feature:
    return Feature(
        f"layer_share_{layer}", NAME, f"percolation.layer_{layer}", "share", "",
        {
            "en": f"{{value}} of the content of layer {layer} seen",
            "fr": f"{{value}} des contenus de la couche {layer} vus",
        },
        {"en": f"no content of layer {layer} seen", "fr": f"⟨aucun⟩ contenu de la couche {layer} vu"},
        skewed=False,
    )  # fmt: skip


def _days(layer: int) -> Feature:
    return Feature(
        f"layer_days_{layer}", NAME, f"percolation.layer_{layer}", "days", "",
        {"en": f"spent {{value}} at layer {layer}", "fr": f"a passé {{value}} à la couche {layer}"},
        {"en": f"⟨never⟩ at layer {layer}", "fr": f"⟨jamais⟩ à la couche {layer}"},
    )  # fmt: skip


def _gained(window: str, vocabulary: Vocabulary) -> Feature:
    when = vocabulary.within(window)
    return Feature(
        f"depth_gained_{window}", NAME, "percolation.gained", "count", "",
        {
            "en": {"one": f"{{value}} layer deeper {when['en']}", "other": f"{{value}} layers deeper {when['en']}"},
            "fr": {
                "one": f"{{value}} couche franchie {when['fr']}",
                "other": f"{{value}} couches franchies {when['fr']}",
            },
        },
        {"en": f"no layer deeper {when['en']}", "fr": f"⟨aucune⟩ couche franchie {when['fr']}"},
        skewed=False,
    )  # fmt: skip
