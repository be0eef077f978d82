"""What was trained: the shelf of bundles (`shelf`), and the only code that knows MLflow.

Of the latter `store` opens MLflow's store and `recording` writes a run; `tracking` and `studies` say what is in one,
`runs` reads it back. Scoring needs the shelf alone; MLflow is a view onto what was trained, and may be away.
"""

from __future__ import annotations

from leadscore.registry import shelf, studies, tracking
from leadscore.registry.recording import Recorded
from leadscore.registry.shelf import Kept
from leadscore.registry.studies import Ablation, Child, FlatRun, Search
from leadscore.registry.tracking import Account, Training

__all__ = [
    "Ablation",
    "Account",
    "Child",
    "FlatRun",
    "Kept",
    "Recorded",
    "Search",
    "Training",
    "shelf",
    "studies",
    "tracking",
]
