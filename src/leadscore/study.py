"""The steps of who wants to know: what each family is worth, and what stands behind the features of one lead."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leadscore import __version__
from leadscore.config import Config
from leadscore.delivery.ablation import write_ablation
from leadscore.delivery.files import Slot
from leadscore.errors import ConfigError, GateError
from leadscore.features.behind import look_behind
from leadscore.features.matrix import catalogue
from leadscore.features.own import load_own
from leadscore.features.vocabulary import Vocabulary
from leadscore.history import Coded, History, Leads
from leadscore.model.ablation import (
    BUILT_IN,
    METRICS,
    Row,
    Trial,
    Variant,
    ablate,
    families_off,
    plan_variants,
    tabulate,
)
from leadscore.model.guard import Leak
from leadscore.model.learn import Reader, settle_words
from leadscore.model.split import Split
from leadscore.model.train import at_risk_on
from leadscore.progress import stage, track
from leadscore.registry import Ablation, Child, studies
from leadscore.steps import (
    count_asked,
    fitting_bundle,
    look_for_leaks,
    open_settled,
    planned_origins,
    reader,
    too_short,
    warn_of_few,
)
from leadscore.store.buckets import bucket_of_lead
from leadscore.store.lake import Lake, explained_disk_trouble
from leadscore.timeline import show_moment

log = logging.getLogger("leadscore")

_ABLATED = (*METRICS, *(f"{metric}_change" for metric in METRICS), "log_loss_sd")


@dataclass(frozen=True)
class AblationResult:
    """What each family is worth: the table, what was drawn for its noise, and what may be a leak."""

    path: Path
    as_of: str
    families: Sequence[str]
    families_off: Mapping[str, str]
    asked: int
    origins: Sequence[str]
    ranked_by: str
    drawn: str
    rows: Sequence[Row]
    leaks: Sequence[Leak]
    mlflow: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        shown = ("as_of", "families", "families_off", "asked", "origins", "ranked_by", "drawn", "mlflow")
        told = {name: getattr(self, name) for name in shown} | {"judged": len(self.origins)}
        told |= {name: [line.to_dict() for line in getattr(self, name)] for name in ("leaks", "rows")}
        return {"path": str(self.path), **told}


def ablate_families(config: Config, as_of: int, number: int, families: Sequence[str]) -> AblationResult:
    """Train with all families, without each and with each alone at rolling origins, and say what the differences are.

    Args:
        config: The project.
        as_of: Everything used was known before.
        number: How many origins; those of the configuration where it names some.
        families: The families to begin with.
    """
    load_own(config)
    config = with_families(config, families)
    read = reader(config, open_settled(config))
    planned, variants = planned_origins(read, config, as_of, number), plan_variants(families)
    asked = count_asked(config, number, len(planned))
    leaks = look_for_leaks(read, config, as_of, planned)
    trials = [trial for split in planned for trial in _try_all(read, config, split, as_of, variants)]
    if not trials:
        raise too_short(as_of)
    result = _ablated(config, as_of, asked, trials, leaks)
    warn_of_few(len(result.origins))
    return result


def _try_all(read: Reader, config: Config, split: Split, as_of: int, variants: Sequence[Variant]) -> list[Trial]:
    origin = show_moment(split.origin)
    tried = track(ablate(read, config, split, as_of, variants), f"Ablating at {origin}", len(variants))
    trials = [trial for trial in tried if trial is not None]
    if not trials:
        log.warning("Origin %s is left out: too little to learn from, or to judge by", origin)
    return trials


def _ablated(config: Config, as_of: int, asked: int, trials: Sequence[Trial], leaks: Sequence[Leak]) -> AblationResult:
    rows, off = tabulate(trials, config), families_off(trials)
    with stage("Tracking the ablation in MLflow"):
        recorded = studies.record_ablation(config, tracked_ablation(config, as_of, trials, rows))
    result = AblationResult(
        path=config.out_path / "ablation" / Slot(config.project, as_of, "").name.rstrip("-"),
        as_of=show_moment(as_of),
        families=[name for name in _whole(trials) if name not in off],
        families_off=off,
        asked=asked,
        origins=[show_moment(origin) for origin in sorted({trial.origin for trial in trials})],
        ranked_by=config.horizon_names[config.rank_index],
        drawn="accounts" if any(trial.drawn == "accounts" for trial in trials) else "leads",
        rows=rows,
        leaks=leaks,
        mlflow=asdict(recorded),
    )
    with explained_disk_trouble(config.out_path):
        told = {name: value for name, value in result.to_dict().items() if name not in ("path", "mlflow")}
        write_ablation(result.path, told)  # where it lies is no part of it
    return result


def _whole(trials: Sequence[Trial]) -> Sequence[str]:
    return next((trial.variant.families for trial in trials if trial.variant.kind == "all"), ())


def tracked_ablation(config: Config, as_of: int, trials: Sequence[Trial], rows: Sequence[Row]) -> Ablation:
    """Gather what MLflow is told of an ablation: a parent, and a child per variant."""
    children = []
    for name in dict.fromkeys(row.variant for row in rows):
        own = [trial for trial in trials if trial.variant.name == name]
        final = {
            f"{metric}_{row.horizon}": getattr(row, metric)
            for row in rows
            if row.variant == name
            for metric in _ABLATED
        }
        stepped = [
            {
                f"{metric}_{horizon}": trial.figures[k][metric]
                for k, horizon in enumerate(config.horizon_names)
                for metric in METRICS
            }
            for trial in own
        ]
        families = " ".join(own[0].variant.families)
        children.append(Child(name, {"families": families, "features": str(own[-1].features)}, final, stepped))
    tags = {
        "as_of": show_moment(as_of), "configuration": config.fingerprint(), "recipe": config.training_fingerprint(),
        "leadscore": __version__,
    }  # fmt: skip
    table = pd.DataFrame([row.to_dict() for row in rows])
    return Ablation(f"ablation of {config.project} {show_moment(as_of)}", tags, table, children)


def families_named(config: Config, named: str | None, *, everything: bool = False) -> list[str]:
    """Read a list of families with commas; every family there is, or those of the configuration when not given.

    Raises:
        ConfigError: one is unknown or given twice, or both were asked for.
    """
    own = [file.name for file in config.own_files]
    known = [*BUILT_IN, *own]
    if named is None:
        return known if everything else [*config.features.families, *own]
    names = [name.strip() for name in named.split(",")]
    wrong = next((name for number, name in enumerate(names) if name not in known or name in names[:number]), None)
    if everything or wrong is not None:
        found = "--all as well" if wrong is None else repr(wrong)
        raise ConfigError(f"--families: found {found}, expected some of {', '.join(known)}, each once.")
    return names


def with_families(config: Config, families: Sequence[str]) -> Config:
    """Configure other families; those of the project's own are loaded all the same."""
    features = config.features.model_copy(update={"families": tuple(name for name in families if name in BUILT_IN)})
    return config.model_copy(update={"features": features})


@dataclass(frozen=True)
class LeadFeatures:
    """The features of one lead at one moment, and the events behind them.

    An event stands behind a feature when the feature would be another without it. `tried` says how many events, the
    newest, were left out in turn to find that out.
    """

    lead_id: str
    as_of: str
    model: str | None
    at_risk: bool
    features: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    tried: int

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def lead_features(config: Config, lead_id: str, as_of: int, now: int, family: str | None = None) -> LeadFeatures:
    """Compute one lead's features as of a moment, as a list of then would have had them.

    The words are those of the model that would score then; without one they are settled as of then.

    Raises:
        ConfigError: nobody knew such a lead then, or the family is not on.
        GateError: the lead objected; who said no is not profiled, not even in retrospect.
    """
    load_own(config)
    lake = open_settled(config)
    bundle = fitting_bundle(config, as_of)
    leads, history = bucket_of(config, lake, lead_id, as_of, now, "--lead")
    vocabulary = bundle.vocabulary if bundle else settle_words(reader(config, lake), config, as_of)
    _check_family(vocabulary, family)
    row = leads.lead_id.index(lead_id)
    behind = look_behind(leads, history, row, as_of, vocabulary)
    snapshots = at_risk_on(config, leads, np.array([as_of], dtype=np.int64))
    listed = catalogue(vocabulary)
    chosen = [number for number, feature in enumerate(listed) if family in (None, feature.family)]
    return LeadFeatures(
        lead_id=lead_id,
        as_of=show_moment(as_of),
        model=bundle.version if bundle else None,
        at_risk=row in snapshots.lead,
        features=[
            {
                "name": listed[number].name,
                "family": listed[number].family,
                "value": float(behind.row[number]),
                "unit": listed[number].unit,
                "sentence": listed[number].say(float(behind.row[number]), config.language),
                "events": [int(event) + 1 for event in np.flatnonzero(behind.moved[:, number])],
            }
            for number in chosen
        ],
        events=[_event(history, int(event), number + 1) for number, event in enumerate(behind.events)],
        tried=behind.tried,
    )


def bucket_of(config: Config, lake: Lake, lead_id: str, as_of: int, now: int, asked: str) -> tuple[Leads, History]:
    """Read the bucket of a lead as of a moment, unless the lead may not be looked at.

    Args:
        config: The project.
        lake: Its store.
        lead_id: Who.
        as_of: Everything read was known before.
        now: The present; an objection that stands then counts at any moment.
        asked: How the command line calls the lead, for errors.

    Raises:
        ConfigError: there is no such lead, or nobody knew it then.
        GateError: the lead objected.
    """
    bucket = bucket_of_lead(lake, lead_id)
    if bucket is None:
        hint = "Check the spelling; ids are text, as ingested."
        raise ConfigError(f"{asked}: found no such lead in the store.", hint)
    read = reader(config, lake, [bucket])
    for today, _ in read(max(as_of, now)):
        if today.objected[today.lead_id.index(lead_id)]:
            raise GateError(
                f"{asked}: this lead objected; who said no is not profiled.",
                "A later consent lifts an objection: see docs/how-to/respect-objections.md.",
            )
    for leads, history in read(as_of):
        if lead_id in leads.lead_id:
            return leads, history
    raise ConfigError(f"{asked}: this lead was not known before {show_moment(as_of)}.", "Look from a later moment.")


def _check_family(vocabulary: Vocabulary, family: str | None) -> None:
    if family is not None and family not in vocabulary.families:
        reason = f"it is off: {vocabulary.off[family]}" if family in vocabulary.off else "it is not on"
        raise ConfigError(f"--family: found {family!r}, but {reason}; on are {', '.join(vocabulary.families)}.")


def _event(history: History, row: int, number: int) -> dict[str, Any]:
    """Tell one interaction; what it does not say is left out."""
    time, known_at = int(history.time[row]), int(history.known_at[row])
    words = {name: _word(getattr(history, name), row) for name in _WORDS}
    told = {
        "number": number,
        "occurred_at": show_moment(time),
        "known_at": show_moment(known_at) if known_at != time else None,
        **words,
        "direction": {1: "inbound", -1: "outbound"}.get(int(history.direction[row])),
        "layer": int(history.layer[row]) or None,
        "value": float(history.value[row]) if np.isfinite(history.value[row]) else None,
    }
    return {name: value for name, value in told.items() if value is not None}


_WORDS = ("kind", "channel", "content", "topic", "campaign", "source")


def _word(column: Coded, row: int) -> str | None:
    code = int(column.codes[row])
    return column.words[code] if code >= 0 else None
