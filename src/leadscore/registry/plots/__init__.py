"""Pictures for MLflow, drawn without pyplot, so that nothing is shared between two drawings.

Each function returns None where there is nothing to show: nobody, or everybody, converted among what has matured.
"""

from __future__ import annotations

from leadscore.registry.plots.cohort import calibration_figure, gain_figure, lift_figure
from leadscore.registry.plots.concepts import contributions_figure, importance_figure
from leadscore.registry.plots.origins import origins_figure

__all__ = [
    "calibration_figure",
    "contributions_figure",
    "gain_figure",
    "importance_figure",
    "lift_figure",
    "origins_figure",
]
