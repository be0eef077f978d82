"""The step of who asks for one lead: where it stands, and the panel that the page opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from leadscore.config import Config
from leadscore.delivery.before import read_before
from leadscore.delivery.files import SCORES, Slot, read_manifest
from leadscore.errors import ConfigError
from leadscore.features.own import load_own
from leadscore.history import Leads
from leadscore.language import Language
from leadscore.model.bundle import Bundle
from leadscore.model.train import Bucket, at_risk_on
from leadscore.registry import shelf
from leadscore.scoring.panel import Panel
from leadscore.scoring.ranking import rank
from leadscore.scoring.score import Scored, score_bucket
from leadscore.steps import choose_bundle, open_settled
from leadscore.study import bucket_of
from leadscore.timeline import parse_moment, show_moment

_OF_THE_LIST = ("rank", "grade", "action")
_MOMENTS = ("as_of", "expires_at")
_EQUAL = 1e-9


@dataclass(frozen=True)
class LeadPanel:
    """One lead at one moment, as the page shows it.

    Attributes:
        lead_id: Who.
        as_of: The moment, microseconds in UTC.
        time_zone, language: In which it is told.
        horizons, ranked_by: As configured: `14d`.
        model: Version of the model that computed `chances` and `panel`.
        slot: Name of the delivered slot for this moment; None where this configuration delivered none.
        listed: How many leads are on its list; None without one.
        row: The lead's row of `scores.parquet`, moments in ISO 8601. Where the lead is on no delivered list the same is
            computed, but for what only a list settles: rank, grade and action are None.
        chances: Per horizon, as computed now.
        shown: Attributes asked for, by name (`delivery.columns`); None where the lead has none.
        panel: Reasons, interactions, temperature.
        mind: What to mind. `no_list`: none was delivered; `not_listed`: the delivered one does not have the lead;
            `another_model`: the model that made it is no longer kept; `other_chances`: by the same model, chances now
            differ from those delivered.
    """

    lead_id: str
    as_of: int
    time_zone: str
    language: Language
    horizons: Sequence[str]
    ranked_by: str
    model: str
    slot: str | None
    listed: int | None
    row: Mapping[str, Any]
    chances: Mapping[str, float]
    shown: Mapping[str, str | None]
    panel: Panel
    mind: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints; the lead's row first."""
        names = ("slot", "listed", "model", "ranked_by", "mind", "chances", "shown")
        panel = asdict(self.panel)
        for touch in panel["touches"]:
            learned_at = touch["learned_at"]
            touch |= {"at": show_moment(touch["at"]), "learned_at": learned_at and show_moment(learned_at)}
        panel["warmth"] = [{"at": show_moment(at), "temperature": degrees} for at, degrees in self.panel.warmth]
        return {**self.row, **{name: getattr(self, name) for name in names}, **panel}


@dataclass(frozen=True)
class _Delivered:
    """A slot that is there: its name, how many leads it lists, its model, and the lead's row; None when not on it."""

    slot: str
    listed: int
    model: str
    row: Mapping[str, Any] | None


def newest_list(config: Config) -> int | None:
    """Return the moment of the project's newest delivered list; None without one."""
    manifest = read_manifest(config.out_path / "latest")
    return parse_moment(manifest["as_of"], "UTC") if manifest and manifest["project"] == config.project else None


def show_lead(config: Config, lead_id: str, as_of: int, now: int) -> LeadPanel:
    """Compute what the page shows of one lead, as a list of that moment has it.

    What a delivered slot of this configuration says of the lead is read from it; the model is the one that made it, or
    else the one that would score then.

    Raises:
        ConfigError: there is no such lead, nobody knew it then, or it was not at risk.
        GateError: the lead objected.
        StateError: there is no store or no model.
    """
    load_own(config)
    leads, history = bucket_of(config, open_settled(config), lead_id, as_of, now, "LEAD")
    place = leads.lead_id.index(lead_id)
    _check_at_risk(config, leads, place, as_of)
    slot = Slot(config.project, as_of, config.fingerprint())
    delivered = _read_delivered(config, slot, lead_id)
    bundle = _choose_model(config, delivered, as_of)
    # As guests the others are looked at, but not scored.
    alone: Bucket = (replace(leads, guest=np.arange(len(leads)) != place), history)
    scored, _ = score_bucket(alone, bundle, config, as_of, panels_from=0.0)
    row = delivered.row if delivered and delivered.row else _settle(config, bundle, scored, slot)
    chances = dict(zip(config.horizon_names, scored.chances[0].tolist(), strict=True))
    return LeadPanel(
        lead_id=lead_id,
        as_of=as_of,
        time_zone=config.time_zone,
        language=config.language,
        horizons=config.horizon_names,
        ranked_by=config.horizon_names[config.rank_index],
        model=bundle.version,
        slot=delivered.slot if delivered else None,
        listed=delivered.listed if delivered else None,
        row=row,
        chances=chances,
        shown={name: values[0] for name, values in scored.shown.items()},
        panel=scored.panels[lead_id],
        mind=_mind(delivered, bundle, chances),
    )


def _check_at_risk(config: Config, leads: Leads, place: int, as_of: int) -> None:
    if place in at_risk_on(config, leads, np.array([as_of], dtype=np.int64)).lead:
        return
    if leads.ended_at[place] < as_of:
        why = "it had converted" if leads.converted[place] else "it had ended without converting"
    else:
        why = "it had closed (closes_at, or at_risk.max_age)"
    raise ConfigError(
        f"LEAD: this lead was not at risk at {show_moment(as_of)}: {why}.",
        "Look from an earlier moment with --as-of; `leadscore features` shows what is known of it.",
    )


def _read_delivered(config: Config, slot: Slot, lead_id: str) -> _Delivered | None:
    folder = config.out_path / slot.name
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    found = pq.read_table(folder / SCORES, filters=[("lead_id", "==", lead_id)])
    row = _told(found) if found.num_rows else None
    return _Delivered(slot.name, manifest["counts"]["delivered"], manifest["model"]["version"], row)


def _told(table: pa.Table) -> dict[str, Any]:
    """Return the first row of a ranked list, moments in ISO 8601."""
    row: dict[str, Any] = table.slice(0, 1).to_pylist()[0]
    return row | {name: show_moment(table[name].cast(pa.int64())[0].as_py()) for name in _MOMENTS}


def _choose_model(config: Config, delivered: _Delivered | None, as_of: int) -> Bundle:
    if delivered and any(kept.version == delivered.model for kept in shelf.kept(config.models_path)):
        return shelf.read(config.models_path, delivered.model)
    return choose_bundle(config, as_of)


def _settle(config: Config, bundle: Bundle, scored: Scored, slot: Slot) -> dict[str, Any]:
    """Compute the row of a lead alone; what only a list settles is None."""
    before = read_before(config.out_path, slot, bundle.version)
    earlier = before.earlier if before else None
    table = rank([scored], bundle, config, slot.as_of, slot.run_id(bundle.version), earlier)
    return _told(table) | dict.fromkeys(_OF_THE_LIST)


def _mind(delivered: _Delivered | None, bundle: Bundle, chances: Mapping[str, float]) -> list[str]:
    if delivered is None:
        return ["no_list"]
    if delivered.row is None:
        return ["not_listed"]
    if delivered.model != bundle.version:
        return ["another_model"]
    same = all(abs(chance - delivered.row[f"p_{horizon}"]) <= _EQUAL for horizon, chance in chances.items())
    return [] if same else ["other_chances"]
