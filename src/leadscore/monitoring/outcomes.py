"""What became of delivered leads, grade by grade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from leadscore.history import NEVER, Leads


@dataclass
class Ends:
    """When leads converted, and when the newest of all ended (0 without one), as noted bucket by bucket."""

    converted_at: dict[str, int] = field(default_factory=dict)
    newest: int = 0

    def note(self, leads: Leads) -> None:
        """Add the leads of a bucket."""
        ended = leads.ended_at[leads.ended_at != NEVER]
        self.newest = max(self.newest, int(ended.max())) if len(ended) else self.newest
        there = np.flatnonzero(leads.converted_at != NEVER).tolist()
        self.converted_at |= {leads.lead_id[place]: int(leads.converted_at[place]) for place in there}


def by_grade(delivered: pd.DataFrame, converted_at: Mapping[str, int], horizon: str, length: int) -> pd.DataFrame:
    """Count what was promised and what happened in one matured slot.

    Args:
        delivered: The slot's list: lead_id, grade, as_of (microseconds) and `p_<horizon>`.
        converted_at: When each lead converted; leads that did not are absent.
        horizon: Which horizon to judge.
        length: Its length in microseconds.

    Returns:
        One row per grade: leads, promised (sum of chances), happened (conversions within the horizon), rate.
    """
    moments = np.array([converted_at.get(lead, np.inf) for lead in delivered["lead_id"]], dtype=np.float64)
    as_of = delivered["as_of"].to_numpy(dtype=np.float64)
    happened = (moments >= as_of) & (moments < as_of + length)
    facts = delivered.assign(happened=happened, promised=delivered[f"p_{horizon}"])
    table = facts.groupby("grade", sort=True).agg(
        leads=("lead_id", "size"), promised=("promised", "sum"), happened=("happened", "sum")
    )
    return table.assign(rate=table["happened"] / table["leads"]).reset_index()
