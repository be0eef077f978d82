"""The demonstration: a company that does not exist, the whole way, and how close the list comes to its truth."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from leadscore import steps
from leadscore.config import Config, read_config
from leadscore.errors import ConfigError
from leadscore.model.backtest import ORACLE, Cohort, summarise
from leadscore.progress import stage
from leadscore.simulate import Company, export, simulate, write_truth
from leadscore.timeline import WEEK, to_microseconds


@dataclass(frozen=True)
class DemoResult:
    """Two mornings of the simulated company, a week apart, and its figures beside those of the truth.

    Attributes:
        folder: Where everything lies.
        before: The list of the week before; the model was trained for it.
        run: The whole way to the newest list.
        figures: Per horizon, model or baseline, and metric; the oracle among them.
        mlflow_command: What shows the experiments.
    """

    folder: Path
    before: steps.ScoreResult
    run: steps.RunResult
    figures: Mapping[str, Mapping[str, Mapping[str, float]]]
    mlflow_command: str

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "folder": str(self.folder),
            "before": self.before.to_dict(),
            "run": self.run.to_dict(),
            "figures": self.figures,
            "mlflow": self.mlflow_command,
        }


def demonstrate(folder: Path, leads: int, seed: int, language: str, seen_at: int) -> DemoResult:
    """Simulate, export as a CRM would, deliver the lists of two weeks, and compare with the truth.

    Args:
        folder: Where everything is written.
        leads: Size of the company.
        seed: Of the simulation.
        language: `en` or `fr`.
        seen_at: The moment the files come in.

    Raises:
        ConfigError: the folder holds something else; nothing of it is touched.
    """
    _claim(folder, {"leads": leads, "seed": seed, "language": language})
    with stage(f"Simulating a company with {leads:,} leads over 18 months"):
        company = simulate(leads=leads, seed=seed)
    with stage("Writing its files as a CRM would export them"):
        path = export(company, folder, cast("Literal['en', 'fr']", language))
        write_truth(company, folder / "truth.parquet")
    config = read_config(path)
    as_of = to_microseconds(company.ends_at)
    ingested = steps.ingest(config, seen_at)
    trained = steps.train(config, as_of - WEEK, seen_at)
    before = steps.score(config, as_of - WEEK)
    result = steps.RunResult(ingested, trained, steps.score(config, as_of))
    return DemoResult(folder, before, result, _beside_truth(config, trained.cohorts, company), mlflow_command(config))


def _claim(folder: Path, arguments: Mapping[str, int | str]) -> None:
    """Make the folder this demonstration's own; another company's store would mix with ours."""
    marker = folder / "demo.json"
    told = json.dumps(arguments) + "\n"
    if folder.exists() and set(folder.iterdir()) - {folder / ".leadscore"}:
        if not marker.exists() or marker.read_text(encoding="utf-8") != told:
            found = "another demonstration" if marker.exists() else "files that are no demonstration"
            raise ConfigError(f"{folder}: holds {found}.", "Remove it, or name another folder with --folder.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text(told, encoding="utf-8")


def _beside_truth(
    config: Config, cohorts: Sequence[Cohort], company: Company
) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Put the oracle beside model and baselines, on the same snapshots."""
    figures = summarise(with_oracle(cohorts, company), config.horizon_names, config.capacity)
    # A daily hazard ranks leads; it is not their chance at a horizon, so its losses mean nothing.
    nothing = dict.fromkeys(("brier", "log_loss", "ece", "calibration_slope", "calibration_intercept"), np.nan)
    return {horizon: {**told, "oracle": {**told["oracle"], **nothing}} for horizon, told in figures.items()}


def with_oracle(cohorts: Sequence[Cohort], company: Company) -> list[Cohort]:
    """Add the ranking of who knows the true hazard of the day, given all that anybody could have seen: `oracle`."""
    truth = company.truth
    moments = truth["day"].astype("datetime64[us, UTC]").astype("int64")
    hazard = dict(zip(zip(truth["lead_id"], moments, strict=True), truth["hazard"], strict=True))
    beside = []
    for cohort in cohorts:
        rows = zip(cohort.lead_id, cohort.as_of.tolist(), strict=True)
        known = np.array([hazard[lead, moment] for lead, moment in rows])
        oracle = np.repeat(known[:, None], cohort.hits.shape[1], axis=1)
        beside.append(replace(cohort, chances={**cohort.chances, ORACLE: oracle}))
    return beside


def mlflow_command(config: Config) -> str:
    """Write the command that shows the experiments, as a shell wants it."""
    program, database = Path(sys.executable).with_name("mlflow"), (config.state_path / "mlflow.db").resolve()
    command = [str(program), "ui", "--workers", "1", "--backend-store-uri", f"sqlite:///{database}"]
    return f"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false {shlex.join(command)}"
