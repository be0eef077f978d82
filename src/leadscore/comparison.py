"""Two runs side by side: judged on the same snapshots, is their difference more than noise?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from leadscore.config import Config
from leadscore.config.flat import FlatConfig
from leadscore.errors import StateError
from leadscore.model.backtest import DRAWS, WANTED, Cohort, compare
from leadscore.model.resample import unit_drawn
from leadscore.registry.figures import BRIEF
from leadscore.registry.runs import Run, read_runs
from leadscore.registry.studies import FLAT
from leadscore.timeline import show_moment

_KEYS = ["lead", "as_of", "horizon"]
_WANTED = {**WANTED, "brier": -1}
_LEVEL = 0.9
_FEWEST = 10  # conversions; the figures of fewer are mostly noise


@dataclass(frozen=True)
class Line:
    """One metric at one horizon, mean over origins; the difference is that of B minus A.

    Attributes:
        horizon, metric: Which.
        a, b: The figures of both, on the common snapshots alone.
        difference: b minus a.
        interval: Its 90 % interval over draws of leads, or of accounts where there are some; NaN without one.
        sd: Its standard deviation over these draws.
        verdict: Of B: `better` or `worse` beyond the interval, else `noise`.
        winner: The same in words.
    """

    horizon: str
    metric: str
    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    sd: float
    verdict: Literal["better", "worse", "noise"]
    winner: str


@dataclass(frozen=True)
class Paired:
    """What two runs judged both: one cohort per pair of origins, with the chances `a` and `b`.

    Attributes:
        cohorts: Rows are snapshots, columns the horizons.
        horizons: Those that both have.
        rows, leads: How many (snapshot, horizon) are compared, and of how many leads.
        disagreed: How many more were left out, because the runs disagree about what came true.
        sparse: How many more were, because too few converted in their cohort within the horizon.
    """

    cohorts: Sequence[Cohort]
    horizons: Sequence[str]
    rows: int
    leads: int
    disagreed: int
    sparse: int


@dataclass(frozen=True)
class ComparisonResult:
    """Two runs compared: what they are, where their settings differ, what they have in common, and the lines."""

    a: Mapping[str, str]
    b: Mapping[str, str]
    settings: Mapping[str, tuple[str, str]]
    common: Mapping[str, Any]
    level: float
    draws: int
    lines: Sequence[Line]

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        told = {name: getattr(self, name) for name in ("a", "b", "settings", "common", "level", "draws")}
        horizons: dict[str, dict[str, Any]] = {}
        for line in self.lines:
            figures = {name: value for name, value in asdict(line).items() if name not in ("horizon", "metric")}
            horizons.setdefault(line.horizon, {})[line.metric] = figures
        return {**told, "horizons": horizons}


def compare_runs(config: Config | FlatConfig, one: str, other: str) -> ComparisonResult:
    """Compare two runs of the project on the snapshots that both have judged.

    Args:
        config: The project.
        one: A, named as `other`.
        other: B: a run id, run name, model versions (twelve hex digits), registered versions, or `champion`.

    Raises:
        ConfigError: a name fits no run, or several.
        StateError: MLflow is away, or the runs have nothing in common.
    """
    a, b = read_runs(config, [one, other])
    if a.project != b.project:
        raise StateError(
            f"Run {a.name!r} is of project {a.project!r}, run {b.name!r} of {b.project!r}: there is no common lead.",
            "Compare runs of one project.",
        )
    paired = pair(a.judged, b.judged)
    if not paired.cohorts:
        raise StateError(f"Runs {a.name!r} and {b.name!r} have judged no snapshot in common{_why(paired)}.", _HINT)
    return ComparisonResult(
        a=_told(a),
        b=_told(b),
        settings=_differing(a.parameters, b.parameters),
        common=_common(paired, dated=FLAT not in {run.tags.get("study") for run in (a, b)}),
        level=_LEVEL,
        draws=DRAWS,
        lines=measure_difference(paired, config.capacity, config.seed),
    )


_HINT = (
    "Train or backtest both with the same --as-of, horizons and snapshots.spacing; "
    "flat exports, on files with the same leads."
)


def _why(paired: Paired) -> str:
    return f"; about {paired.disagreed} they disagree what came true" if paired.disagreed else ""


def pair(one: pa.Table, other: pa.Table) -> Paired:
    """Join two judged tables on (lead, as_of, horizon).

    Where a run judged a row from several origins, the newest counts: that model knew most. Rows about which the runs
    disagree what came true are left out. With other origins, rows are grouped by the pair of origins, so that a model
    is never ranked against another origin's. A mean over groups counts each alike; so one with fewer than ten
    conversions within a horizon is left out there, unless no group has as many.
    """
    both = _newest(one).merge(_newest(other), on=_KEYS, suffixes=("_a", "_b"))
    agreed = both[both["hit_a"] == both["hit_b"]]
    names = [str(name) for name in one["horizon"].unique().to_pylist()]
    horizons = [name for name in names if (agreed["horizon"] == name).any()]
    grouped = [_cohort(group, horizons) for _, group in agreed.groupby(["origin_a", "origin_b"], sort=True)]
    cohorts = _without_sparse(grouped)
    rows = sum(int(cohort.matured.sum()) for cohort in cohorts)
    leads = {cohort.lead_id[row] for cohort in cohorts for row in np.flatnonzero(cohort.matured.any(axis=1)).tolist()}
    return Paired(cohorts, horizons, rows, len(leads), len(both) - len(agreed), len(agreed) - rows)


def _without_sparse(cohorts: Sequence[Cohort]) -> list[Cohort]:
    """Leave out what was judged at horizons with too few conversions, and cohorts of which nothing is left."""
    enough = [cohort.hits.sum(axis=0) >= _FEWEST for cohort in cohorts]
    nowhere = ~np.any(enough, axis=0)
    kept = [
        replace(cohort, matured=cohort.matured & (own | nowhere)) for cohort, own in zip(cohorts, enough, strict=True)
    ]
    return [cohort for cohort in kept if cohort.matured.any()]


def _newest(judged: pa.Table) -> pd.DataFrame:
    moments = {name: judged[name].cast(pa.int64()).to_numpy() for name in ("origin", "as_of")}
    words = {name: judged[name].cast(pa.string()).to_numpy() for name in ("lead", "horizon")}
    accounts = judged["account"].cast(pa.string()).to_numpy() if "account" in judged.column_names else None
    values = {"account": accounts, "hit": judged["hit"].to_numpy(), "p": judged["p_model"].to_numpy()}
    frame = pd.DataFrame({**moments, **words, **values})
    return frame.sort_values("origin", kind="stable").drop_duplicates(_KEYS, keep="last")


def _cohort(rows: pd.DataFrame, horizons: Sequence[str]) -> Cohort:
    origin = int(rows[["origin_a", "origin_b"]].to_numpy().max())
    snapshots, row = np.unique(rows[["as_of", "lead"]].to_records(index=False), return_inverse=True)
    column = np.array([horizons.index(name) for name in rows["horizon"]])
    shape = (len(snapshots), len(horizons))
    hits, matured = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    a, b = np.full(shape, np.nan), np.full(shape, np.nan)
    matured[row, column] = True
    for table, name in ((hits, "hit_a"), (a, "p_a"), (b, "p_b")):
        table[row, column] = rows[name].to_numpy()
    return Cohort(
        origin, [str(lead) for lead in snapshots["lead"]], snapshots["as_of"].astype(np.int64), hits, matured,
        {"a": a, "b": b}, account_id=_accounts(rows, row, len(snapshots)),
    )  # fmt: skip


def _accounts(rows: pd.DataFrame, row: npt.NDArray[np.int64], snapshots: int) -> list[str | None]:
    """Tell the account of each snapshot, as B says, else A: one of them may have been made without."""
    told = rows["account_b"].where(rows["account_b"].notna(), rows["account_a"])
    found: list[str | None] = [None] * snapshots
    for place, account in zip(row.tolist(), told, strict=True):
        found[place] = account if isinstance(account, str) else None
    return found


def measure_difference(paired: Paired, capacity: int | None, seed: int) -> list[Line]:
    """Measure what B has over A, horizon by horizon, with leads drawn anew for the interval."""
    compared = compare(paired.cohorts, "b", "a", paired.horizons, capacity, seed)
    return [_line(horizon, metric, compared[horizon][metric]) for horizon in paired.horizons for metric in BRIEF]


def _line(horizon: str, metric: str, found: Mapping[str, Any]) -> Line:
    verdict: Literal["better", "worse", "noise"] = "noise"
    if not found["noise"]:
        verdict = "better" if found["difference"] * _WANTED[metric] > 0 else "worse"
    winner = {"better": "B", "worse": "A", "noise": "neither"}[verdict]
    low, high = found["interval"]
    return Line(
        horizon, metric, found["other"], found["one"], found["difference"], (low, high), found["sd"], verdict, winner
    )


def _told(run: Run) -> dict[str, str]:
    names = ("bundle", "study", "as_of", "data_version", "configuration", "recipe")
    return {"run_id": run.run_id, "name": run.name, **{name: run.tags[name] for name in names if name in run.tags}}


def _differing(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the settings that differ; one that a run does not have is empty there."""
    names = sorted({*a, *b})
    return {name: (a.get(name, ""), b.get(name, "")) for name in names if a.get(name) != b.get(name)}


def _common(paired: Paired, *, dated: bool) -> dict[str, Any]:
    counts: dict[str, Any] = {name: getattr(paired, name) for name in ("rows", "leads", "disagreed", "sparse")}
    counts["drawn"] = unit_drawn(cohort.account_id for cohort in paired.cohorts)
    if not dated:
        return {**counts, "parts": len(paired.cohorts)}
    moments = np.concatenate([cohort.as_of for cohort in paired.cohorts])
    return {
        **counts,
        "origins": [show_moment(cohort.origin) for cohort in paired.cohorts],
        "from": show_moment(int(moments.min())),
        "to": show_moment(int(moments.max())),
    }
