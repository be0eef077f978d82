"""One YAML file configures a project: its shape and defaults (`shape`), and how it is read (`reading`)."""

from __future__ import annotations

from leadscore.config.reading import read_config
from leadscore.config.shape import (
    AtRisk,
    Config,
    Delivery,
    FamilyName,
    Features,
    Ingest,
    Kind,
    Model,
    Outcomes,
    OwnFile,
    Rule,
    Snapshots,
    Source,
    SourceMap,
    Tracking,
    Training,
    Trees,
)
from leadscore.language import Language

__all__ = [
    "AtRisk",
    "Config",
    "Delivery",
    "FamilyName",
    "Features",
    "Ingest",
    "Kind",
    "Language",
    "Model",
    "Outcomes",
    "OwnFile",
    "Rule",
    "Snapshots",
    "Source",
    "SourceMap",
    "Tracking",
    "Training",
    "Trees",
    "read_config",
]
