"""Percolation a second time, from plain rows; see `families_reference`."""

from __future__ import annotations

import itertools

DAY = 24 * 60 * 60 * 1_000_000


def features(case, vocabulary):
    items = vocabulary.frozen["percolation"]["items"]
    core = len(items)
    touches = [(row["occurred_at"], min(row["layer"], core), row["content_id"]) for row in case.own() if row["layer"]]
    depth = in_order(touches, case.as_of)
    deepest = max((layer for _, layer, _ in touches), default=0)
    skipped = depth + 1 if any(layer > depth + 1 for _, layer, _ in touches) else 0
    found = {"deepest_layer": deepest, "depth_in_order": depth, "stalled_layer": skipped}
    days = [0.0] * (core + 1)
    for (time, layer, _), (until, *_) in itertools.pairwise([*touches, (case.as_of,)]):
        days[layer] += (until - time) / DAY
    for layer, number in enumerate(items, start=1):
        touched = {item for _, own, item in touches if own == layer} - {None}
        if number:
            found[f"layer_share_{layer}"] = min(len(touched) / number, 1)
        found[f"layer_days_{layer}"] = days[layer]
    for name, length in vocabulary.windows.items():
        found[f"depth_gained_{name}"] = depth - in_order(touches, case.as_of - length)
    return found


def in_order(touches, before):
    """How many layers were touched one after the other, surface first."""
    depth = 0
    for time, layer, _ in touches:
        if time < before and layer == depth + 1:
            depth += 1
    return depth
