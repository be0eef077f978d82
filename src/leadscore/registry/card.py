"""The model card: what a model is for, how good it was, and what it must not be used for, as Markdown.

After Mitchell et al. (2019), Model cards for model reporting. It names no lead and shows no attribute's value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from leadscore import __version__
from leadscore.config import Config
from leadscore.model.backtest import MODEL
from leadscore.model.bundle import Bundle
from leadscore.timeline import show_moment

_SHOWN = {"auc": "AUC", "average_precision": "AP", "lift_at_10": "lift at 10 %", "log_loss": "log-loss"}
_SHAPES = {"hazard": "a hazard per interval", "per_horizon": "a classifier per horizon, repaired"}


def write_card(bundle: Bundle, config: Config, told: Mapping[str, Any], data_version: str) -> str:
    """Write the card of a bundle.

    Args:
        bundle: The model; its `facts` may have `known`, the share of the newest cohort per level of `known`.
        config: What it was trained with.
        told: What `backtest.tabulate` tells of the recipe; empty where nothing could be judged.
        data_version: Versions of the tables that were read.
    """
    parts = {
        f"{bundle.project}, model {bundle.version}": _purpose(bundle, config),
        "Not for": iter(_NOT_FOR),
        "How good": _quality(told, config),
        "Data": _data(bundle, config, data_version),
        "How it is made": _making(bundle),
        "Leaks": _leaks(bundle, config),
        "Limits": _limits(bundle, config),
    }
    written = [
        f"{'##' if number else '#'} {title}\n\n{text}"
        for number, (title, lines) in enumerate(parts.items())
        if (text := "\n".join(lines))
    ]
    return "\n\n".join(written) + "\n"


_NOT_FOR = (
    "- Decisions about people beyond whom to contact first: credit, insurance, prices, work, housing.",
    "- Saying what a contact would change. It says who converts, not whom a contact makes convert.",
    "- Leads of other projects, leads that said no, and lists older than their `expires_at`.",
)


def _purpose(bundle: Bundle, config: Config) -> Iterator[str]:
    horizons = ", ".join(bundle.horizons)
    yield f"Says of each lead at risk how likely it converts within {horizons}, so that a team knows whom to talk to"
    yield f"first; the list is ranked by {config.horizon_names[config.rank_index]}. A person decides, not the score."
    yield ""
    yield f"Trained as of {show_moment(bundle.as_of)} by leadscore {__version__}, recipe {bundle.training_fingerprint}."


def _quality(told: Mapping[str, Any], config: Config) -> Iterator[str]:
    if not told:
        yield "Not judged: the history is too short to keep a matured cohort apart. Believe it accordingly."
        return
    for line in told["beaten"]:
        yield (
            f"**Beaten**: within {line['horizon']}, {line['by']} has the better {_SHOWN[line['metric']]}, "
            f"by {abs(line['difference']):.3g} {_span(map(abs, line['interval']))}."
        )
    if not told["beaten"]:
        yield "No baseline beats it beyond noise."
    yield ""
    days = ", ".join(origin["origin"][:10] for origin in told["origins"])
    yield f"Means over the origins {days}: trained then, judged on the leads at risk after. In brackets the"
    drawn = f"{told['drawn']['number']} {told['drawn']['unit']}"
    yield f"{100 * told['level']:.0f} % interval over {told['draws']} draws of {drawn}."
    yield ""
    yield f"| horizon | model | {' | '.join(_SHOWN.values())} | calibration slope |"
    yield "|---" * (len(_SHOWN) + 3) + "|"
    for horizon in config.horizon_names:
        for name, own in told["horizons"][horizon].items():
            cells = " | ".join(_figure(own, metric, name == MODEL) for metric in (*_SHOWN, "calibration_slope"))
            label = f"{horizon}, {100 * own['base_rate']:.2g} % convert" if name == MODEL else ""
            yield f"| {label} | {name} | {cells} |"


def _figure(own: Mapping[str, Any], metric: str, with_interval: bool) -> str:
    value = own[metric]
    if not np.isfinite(value):
        return "–"
    return f"{value:.3f} {_span(own['intervals'][metric])}" if with_interval else f"{value:.3f}"


def _span(interval: Any) -> str:
    low, high = sorted(interval)
    return f"[{low:.3g}, {high:.3g}]"


def _data(bundle: Bundle, config: Config, data_version: str) -> Iterator[str]:
    facts, grid = bundle.facts, config.snapshots
    thinned = f", thinned from {facts['thinned_from']:,.0f}" if facts["thinned_from"] > facts["rows"] else ""
    yield f"- Store: {data_version}."
    yield (
        f"- {facts['rows']:,} snapshots{thinned}, every {grid.spacing} over the {grid.look_back} before, with "
        f"{facts['converted_leads']:,} converted leads; only what was known at each moment, only labels that are final."
    )
    yield f"- {facts['features']} features of the families {', '.join(bundle.vocabulary.families)}."
    yield from (f"- Family {family} is off: {reason}." for family, reason in facts["families_off"].items())


def _making(bundle: Bundle) -> Iterator[str]:
    shape, calibration = bundle.facts["shape"], bundle.facts["calibration"]
    yield f"- Trees on the margin of a regularised logistic regression; the curve is {_SHAPES[shape['shape']]}."
    if shape["why"] == "judged":
        yield (
            f"- That shape was chosen by log-loss at the origins: per horizon minus hazard "
            f"{shape['difference']:+.5f} ± {shape['sd']:.5f}; a hazard unless the other wins by two deviations."
        )
    else:
        yield f"- That shape: {shape['why']}."
    method = calibration.get("method", "none")
    yield f"- Calibration: {method}{'; no form helped on a later cohort beyond noise' if method == 'none' else ''}."
    if bundle.members:
        yield f"- {len(bundle.members)} members, each without one stretch of the past, say how sure a chance is."


def _leaks(bundle: Bundle, config: Config) -> Iterator[str]:
    leaks = bundle.facts["leaks"]
    for leak in leaks:
        yield f"- {leak['name']}: {leak['evidence']}{' Allowed by name.' if leak['name'] in config.guard.allow else ''}"
    if not leaks:
        yield "The guard found nothing that must have known the outcome."


def _limits(bundle: Bundle, config: Config) -> Iterator[str]:
    old = f", or older than {config.at_risk.max_age}" if config.at_risk.max_age else ""
    yield f"- Not scored: who converted or ended, is closed{old}, or said no. Who said no taught nothing, either."
    yield "- Where a lead has little history, or is unlike those trained on, `known` says so; its chance is a guess."
    known = bundle.facts.get("known", {})
    if known:
        yield f"- Of the newest cohort: {', '.join(f'{100 * share:.0f} % {level}' for level, share in known.items())}."
    yield "- The figures are the recipe's at earlier moments; this very model has seen those labels, and no later ones."
    yield "- Nothing here knows of a new product, price or competitor: watch `quality_over_origins.png` and `monitor`."
