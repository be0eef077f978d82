"""What was said of each snapshot and what came true, as a table that two runs can be compared by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from leadscore.model.backtest import Cohort

FILE = "judged.parquet"
_MOMENT = pa.timestamp("us", "UTC")
_WORD = pa.dictionary(pa.int32(), pa.string())


def tell_judged(cohorts: Iterable[Cohort], horizons: Sequence[str], project: str) -> pa.Table:
    """Lay out cohorts: one row per (origin, lead, as_of, horizon) that has matured.

    Returns:
        - origin, as_of: moments in UTC (of a flat export, which has none: the number of the part, and 0, as
          microseconds since 1970); horizon: its name;
        - lead: a pseudonym of sixteen hexadecimal digits, the same in every run of a project (see `pseudonym`);
        - account: likewise a pseudonym of the lead's account, null for a lead without one; only where any has one;
        - hit: converted within the horizon;
        - p_model, p_<baseline>: the chance said before, as single floats.
    """
    parts = [_part(cohort, number, horizon, project) for cohort in cohorts for number, horizon in enumerate(horizons)]
    return pa.concat_tables(parts, promote_options="default").unify_dictionaries()


def pseudonym(project: str, lead_id: str) -> str:
    """Name a lead, or an account, without its id: sixteen hexadecimal digits (BLAKE2b keyed with the project).

    Whoever has a list of ids can make the same names, so this hides ids from a reader, not from who holds them.

    >>> pseudonym("tiny", "lead-006") == pseudonym("other", "lead-006")
    False
    """
    return hashlib.blake2b(lead_id.encode(), digest_size=8, key=project.encode()).hexdigest()


def _part(cohort: Cohort, number: int, horizon: str, project: str) -> pa.Table:
    rows = np.flatnonzero(cohort.matured[:, number])
    names = {lead: pseudonym(project, lead) for lead in set(cohort.lead_id)}
    columns = {
        **_account(cohort, rows, project),
        "origin": pa.array(np.full(len(rows), cohort.origin), pa.int64()).cast(_MOMENT),
        "lead": pa.array([names[cohort.lead_id[row]] for row in rows.tolist()], _WORD),
        "as_of": pa.array(cohort.as_of[rows]).cast(_MOMENT),
        "horizon": pa.array([horizon] * len(rows), _WORD),
        "hit": pa.array(cohort.hits[rows, number]),
        **{f"p_{name}": pa.array(p[rows, number].astype(np.float32)) for name, p in cohort.chances.items()},
    }
    return pa.table(columns)


def _account(cohort: Cohort, rows: npt.NDArray[np.int64], project: str) -> dict[str, pa.Array]:
    names = {account: pseudonym(project, account) for account in set(cohort.account_id) if account}
    if not names:
        return {}
    told = [names.get(cohort.account_id[row] or "") for row in rows.tolist()]
    return {"account": pa.array(told, _WORD)}
