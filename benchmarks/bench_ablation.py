"""Repeat the ablation tables of the examples' READMEs: every family there is, left out and alone, as Markdown.

`python benchmarks/bench_ablation.py` does all; names of examples, and `simulation`, choose some.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when LightGBM is loaded; see `runtime.configure`

from bench_examples import EXAMPLES, ORIGINS
from leadscore import steps, study
from leadscore.config import Config, read_config
from leadscore.delivery.ablation import markdown
from leadscore.runtime import configure
from leadscore.simulate import export, simulate
from leadscore.timeline import parse_moment, to_microseconds

SIMULATED_LEADS, SEED = 5000, 1


def main(names: list[str]) -> None:
    """Ablate the families of each example in a folder of its own; MLflow stays out of it."""
    prepared = {**dict.fromkeys(EXAMPLES, example), "simulation": simulation}
    for name in names or prepared:
        with tempfile.TemporaryDirectory() as folder:
            configure(Path(folder), verbose=False)
            show(name, prepared[name], Path(folder))


def show(name: str, prepare: Callable[[str, Path], tuple[Config, int]], folder: Path) -> None:
    """Print the table of one example, and how long it took beside the plain backtest."""
    config, as_of = prepare(name, folder)
    config = config.model_copy(update={"tracking": config.tracking.model_copy(update={"uri": "nowhere://"})})
    started = time.perf_counter()
    result = study.ablate_families(config, as_of, ORIGINS, study.families_named(config, None, everything=True))
    took = time.perf_counter() - started
    origins = ", ".join(origin[:10] for origin in result.origins)
    print(f"\n## {name}\n\nWithin {result.ranked_by}; origins {origins}; {took:.0f} s.\n")
    print(markdown([row.to_dict() for row in result.rows], result.ranked_by))
    for family, reason in result.families_off.items():
        print(f"\n`{family}` is off: {reason}.")


def example(name: str, folder: Path) -> tuple[Config, int]:
    """Ingest one of the examples."""
    config = read_config(Path(__file__).parents[1] / "examples" / name / "leadscore.yaml")
    config = config.model_copy(update={part: str(folder / part) for part in ("data", "models", "out")})
    steps.ingest(config, _now())
    return config, parse_moment(EXAMPLES[name], config.time_zone)


def simulation(_: str, folder: Path) -> tuple[Config, int]:
    """Simulate the company of the demonstration and ingest its files."""
    company = simulate(leads=SIMULATED_LEADS, seed=SEED)
    config = read_config(export(company, folder / "company", "en"))
    steps.ingest(config, _now())
    return config, to_microseconds(company.ends_at)


def _now() -> int:
    return to_microseconds(datetime.now(UTC))


if __name__ == "__main__":
    main(sys.argv[1:])
