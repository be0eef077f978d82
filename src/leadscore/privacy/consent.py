"""Objection and consent: the lead's no stops training and scoring, not only the display."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def standing_objections(statements: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the leads with a standing objection.

    An objection stands when no later statement for its purpose, or for everything, is a consent. Any standing
    objection counts, whatever its purpose: who objects to being written to is not profiled either. At the same
    moment a no outweighs a yes.

    Args:
        statements: One per row of `consents`: lead_id, occurred_at, purpose (None: everything), status.
    """
    in_time = sorted(statements, key=lambda row: (row["occurred_at"], row["status"] == "objection"))
    standing: dict[str, set[str | None]] = {}
    for row in in_time:
        purposes = standing.setdefault(row["lead_id"], set())
        if row["status"] == "objection":
            purposes.add(row["purpose"])
        elif row["purpose"] is None:
            purposes.clear()
        else:
            purposes.discard(row["purpose"])
    return {lead for lead, purposes in standing.items() if purposes}
