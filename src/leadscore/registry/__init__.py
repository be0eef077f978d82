"""What was trained: the shelf of bundles (`shelf`), and the only code that knows MLflow (`tracking`).

Scoring needs the shelf alone; MLflow is a view onto what was trained, and may be away.
"""

from __future__ import annotations

from leadscore.registry import shelf, tracking
from leadscore.registry.shelf import Kept
from leadscore.registry.tracking import Ablation, Account, Child, Recorded, Training

__all__ = ["Ablation", "Account", "Child", "Kept", "Recorded", "Training", "shelf", "tracking"]
