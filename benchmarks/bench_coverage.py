"""Count how often the share of a tenth that converts lies within `p_lo` and `p_hi`, on lists the model had not seen.

Lists are cut into tenths by chance, and what came true of each tenth is held against the mean of its leads' bounds, at
every horizon as if it were the one of the ranking. 90 % is promised. Lists of one model are no independent witnesses:
the standard error is that of models.

On simulated companies a model is trained every four weeks, with bounds as a training would measure them then, and
judged on the lists until the next. The public logs are too short for that: there the cohorts of the backtest are
judged, each with bounds measured on those before it, although at the longer horizons these had not all matured then.

`python benchmarks/bench_coverage.py` does all; names of examples, and `simulation`, choose some. `--leads`, `--months`
and `--seeds` choose the simulated companies, `--members` the number of models that leave a stretch of the past out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when LightGBM is loaded; see `runtime.configure`

import numpy as np

from bench_examples import EXAMPLES, ORIGINS
from leadscore import steps
from leadscore.config import Config, read_config
from leadscore.errors import DataError
from leadscore.features.view import Matrix
from leadscore.model import train
from leadscore.model.backtest import Cohort
from leadscore.model.base import Floats
from leadscore.model.bundle import Bundle
from leadscore.model.calibrate import choose_calibrator
from leadscore.model.certainty import measure_bounds, sample_rows
from leadscore.model.learn import Reader, draft, fit, fit_members, gather, splits
from leadscore.model.split import Split
from leadscore.runtime import configure
from leadscore.simulate import export, simulate
from leadscore.timeline import DAY, parse_moment, to_microseconds

EVERY = 28 * DAY
FEW = 5  # conversions expected of a tenth, below which its share can only jump


@dataclass(frozen=True)
class Tenth:
    """One tenth of one list at one horizon."""

    world: int
    trained: int
    horizon: str
    expected: float
    kept: bool
    below: bool
    width: float


def main() -> None:
    """Print a table per example, and one of all simulated companies."""
    asked = _arguments()
    for name in asked.names or ("simulation", *EXAMPLES):
        if name == "simulation":
            _simulation(asked)
        else:
            with tempfile.TemporaryDirectory() as folder:
                config, seen_from = _example(name, Path(folder))
                config = _with_members(config, asked.members)
                print(f"\n## {name}\n\n{table({'all': list(judge_backtest(config, seen_from))})}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=["simulation", *EXAMPLES, []], default=[])
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--members", type=int, default=4)
    return parser.parse_args()


def _with_members(config: Config, members: int) -> Config:
    # The shape is settled, lest every origin be fitted twice; either has the same bounds.
    settings = config.model.model_copy(update={"members": members, "shape": "hazard"})
    return config.model_copy(update={"model": settings})


def _simulation(asked: argparse.Namespace) -> None:
    found: dict[str, list[Tenth]] = {"before the drift": [], "it came unforeseen": [], "after": [], "all": []}
    for seed in asked.seeds:
        with tempfile.TemporaryDirectory() as folder:
            configure(Path(folder), verbose=False)
            # Nothing may lie in the future, however long the company lives.
            company = simulate(leads=asked.leads, months=asked.months, seed=seed, start=date(2022, 1, 3))
            config = _with_members(read_config(export(company, Path(folder, "company"), "en")), asked.members)
            steps.ingest(config, to_microseconds(datetime.now(UTC)))
            drift = to_microseconds(company.drift_at)
            for tenth in judge(config, to_microseconds(company.ends_at)):
                found[_regime(tenth, drift, config)].append(replace(tenth, world=seed))
                found["all"].append(replace(tenth, world=seed))
        print(f"seed {seed}: {len(found['all'])} tenths", flush=True)
    about = f"{asked.leads:,} leads, {asked.months} months, seeds {', '.join(map(str, asked.seeds))}"
    print(f"\n## simulation: {about}\n\n{table(found)}", flush=True)


def _regime(tenth: Tenth, drift: int, config: Config) -> str:
    """Tell whether the drift came after all that was judged, before all that was trained on, or between."""
    length = next(span.microseconds for span in config.horizons if str(span) == tenth.horizon)
    if tenth.trained + EVERY + length <= drift:
        return "before the drift"
    # Once the first cohort that saw the drift has matured, past lists tell of it.
    known = drift + config.horizons[-1].microseconds
    return "after" if tenth.trained >= known else "it came unforeseen"


def _example(name: str, folder: Path) -> tuple[Config, int]:
    configure(folder, verbose=False)
    config = read_config(Path(__file__).parents[1] / "examples" / name / "leadscore.yaml")
    config = config.model_copy(update={"data": str(folder / "data")})
    steps.ingest(config, to_microseconds(datetime.now(UTC)))
    return config, parse_moment(EXAMPLES[name], config.time_zone)


@dataclass(frozen=True)
class Trained:
    """A model trained at an origin, held against its cohort and a sample of its training rows: a column per horizon.

    `sample_chances` and `sample_spreads` are of the sample, `spreads` of the cohort: how far the members disagree.
    """

    cohort: Cohort
    spreads: Floats
    sample_chances: Floats
    sample_spreads: Floats


def judge(config: Config, seen_from: int) -> Iterator[Tenth]:
    """Train every four weeks, newest first, as long as lists that can be judged come before and after."""
    read = steps.reader(config, steps.open_settled(config))
    first = min(int(leads.created_at.min()) for leads, _ in read(seen_from))
    longest = config.horizons[-1].microseconds + config.outcomes.known_within.microseconds
    known: dict[tuple[int, ...], Trained | None] = {}

    def trained(split: Split) -> Trained | None:
        key = (split.origin, *split.moments.tolist())
        if key not in known:
            known[key] = _train(read, config, seen_from, split)
        return known[key]

    for origin in range(seen_from - longest - EVERY, first, -EVERY):
        past = [trained(split) for split in splits(first, config, origin, config.training.origins)]
        cohorts = [found.cohort for found in past if found is not None]
        moments = np.arange(origin, origin + EVERY, config.snapshots.spacing.microseconds, dtype=np.int64)
        now = trained(Split(origin, moments)) if len(cohorts) == config.training.origins else None
        if now is None:
            return
        yield from _tenths(config, cohorts, now)


def judge_backtest(config: Config, seen_from: int) -> Iterator[Tenth]:
    """Judge the cohorts of the backtest, each with bounds measured on those before it."""
    read = steps.reader(config, steps.open_settled(config))
    cohorts: list[Cohort] = []
    for split in steps.planned_origins(read, config, seen_from, ORIGINS):
        now = _train(read, config, seen_from, split)
        if now is not None:
            yield from _tenths(config, cohorts, now) if cohorts else ()
            cohorts.append(now.cohort)


def _train(read: Reader, config: Config, seen_from: int, split: Split) -> Trained | None:
    try:
        learned = fit(gather(read, config, split.origin), config)
    except DataError:
        return None
    examples = train.assemble(read(seen_from), learned.vocabulary, config, split.moments, seen_from)
    if not len(examples):
        return None
    bundle = replace(draft(config, split.origin, learned), members=fit_members(learned, config))
    sample = learned.examples.matrix[sample_rows(len(learned.examples))]
    return Trained(
        Cohort(
            split.origin,
            [str(lead) for lead in examples.lead_id],
            examples.as_of,
            examples.labels.by_horizon,
            examples.labels.matured,
            {"model": bundle.readiness(examples.matrix)},
        ),
        _spreads(bundle, examples.matrix),
        bundle.readiness(sample),
        _spreads(bundle, sample),
    )


def _spreads(bundle: Bundle, matrix: Matrix) -> Floats:
    return np.column_stack([bundle.spread(matrix, horizon) for horizon in range(len(bundle.horizons))])


def _tenths(config: Config, cohorts: Sequence[Cohort], now: Trained) -> Iterator[Tenth]:
    """Judge the tenths of the lists of one model, with bounds measured on earlier cohorts as a training does."""
    calibrator, _ = choose_calibrator(cohorts)
    chances = calibrator.apply(now.cohort.chances["model"])
    for k, horizon in enumerate(config.horizon_names):
        sample = calibrator.apply(now.sample_chances[:, k]), now.sample_spreads[:, k]
        bounds = measure_bounds(cohorts, calibrator, k, *sample)
        lo, hi = bounds.around(chances[:, k], now.spreads[:, k])
        for moment in np.unique(now.cohort.as_of):
            rows = np.flatnonzero((now.cohort.as_of == moment) & now.cohort.matured[:, k])
            if len(rows) < 10 * FEW:
                continue
            for tenth in np.array_split(rows[np.argsort(chances[rows, k], kind="stable")], 10):
                share, low, high = now.cohort.hits[tenth, k].mean(), lo[tenth].mean(), hi[tenth].mean()
                expected = float(chances[tenth, k].sum())
                width = float((high - low) * len(tenth) / expected)
                yield Tenth(0, now.cohort.origin, horizon, expected, low <= share <= high, share < low, width)


def table(found: Mapping[str, Sequence[Tenth]]) -> str:
    """Write coverage as Markdown: of all tenths, and of those of which many or few conversions were expected."""
    lines = [
        f"| lists | models | tenths | within | ± | below `p_lo` | within, {FEW} or more expected | fewer | width |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, tenths in found.items():
        horizons = dict.fromkeys(tenth.horizon for tenth in tenths)
        lines += [_line(name, tenths)] if tenths else []
        lines += [_line(f"{name}, {own}", [tenth for tenth in tenths if tenth.horizon == own]) for own in horizons]
    return "\n".join(lines)


def _line(label: str, tenths: Sequence[Tenth]) -> str:
    kept = np.array([tenth.kept for tenth in tenths])
    many = np.array([tenth.expected >= FEW for tenth in tenths])
    models, of = np.unique([f"{tenth.world} {tenth.trained}" for tenth in tenths], return_inverse=True)
    sd = np.sqrt((np.bincount(of, kept - kept.mean()) ** 2).sum()) / len(kept)
    below = np.mean([tenth.below for tenth in tenths])
    rates = [kept.mean(), sd, below, *(kept[rows].mean() if rows.any() else None for rows in (many, ~many))]
    told = ["" if rate is None else f"{rate:.1%}" for rate in rates]
    width = f"{np.median([tenth.width for tenth in tenths]):.2f}"
    return f"| {' | '.join([label, str(len(models)), f'{len(tenths):,}', *told, width])} |"


if __name__ == "__main__":
    main()
