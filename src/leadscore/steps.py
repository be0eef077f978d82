"""The steps: read, compute, write. Command line and flows call these; nothing here computes by itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leadscore import __version__
from leadscore.config import Config
from leadscore.delivery.before import Before, read_before
from leadscore.delivery.compose import compose
from leadscore.delivery.content import Content, Tally
from leadscore.delivery.crm import read_told, write_crm
from leadscore.delivery.files import (
    CRM,
    SCORES,
    WEIGHTS,
    Slot,
    deliver,
    earlier_slots,
    point_latest,
    read_manifest,
    slots,
)
from leadscore.delivery.page import write_page
from leadscore.delivery.wording import Wording
from leadscore.delivery.workbook import write_workbook
from leadscore.errors import DataError, GateError, StateError
from leadscore.features.own import load_own
from leadscore.history import NEVER, Leads, Workload, build_history, build_leads, build_workload
from leadscore.ingest import IngestResult
from leadscore.ingest import ingest as ingest_files
from leadscore.model.backtest import Cohort, tabulate
from leadscore.model.bundle import Bundle
from leadscore.model.guard import Leak, refusal
from leadscore.model.importance import Influence, weigh_concepts
from leadscore.model.learn import (
    Choice,
    Reader,
    choose_shape,
    configured_splits,
    find_leaks,
    finish,
    fit,
    gather,
    in_shape,
    judge_newest,
    judge_origin,
    splits,
)
from leadscore.model.split import Split
from leadscore.model.train import Bucket
from leadscore.monitoring.drift import score_drift
from leadscore.monitoring.gate import Verdict, compare
from leadscore.monitoring.outcomes import Ends, by_grade
from leadscore.progress import stage, track
from leadscore.registry import Account, Kept, Recorded, Training, shelf, tracking
from leadscore.registry.card import write_card
from leadscore.registry.settings import data_version, flatten
from leadscore.scoring.past import tell_past
from leadscore.scoring.ranking import exploration, rank, weights_table
from leadscore.scoring.score import Counts, Earlier, Scored, newest_interaction, score_bucket
from leadscore.store.buckets import BucketTables, read_bucket, read_lives
from leadscore.store.guests import read_guests, seated
from leadscore.store.lake import Lake, explained_disk_trouble, open_lake, write_lock
from leadscore.timeline import DAY, WEEK, parse_moment, show_moment

log = logging.getLogger("leadscore")

_ENOUGH_ORIGINS = 4
_MOST_CLOSED = 12  # delivered lists that a new one tells of; `monitor` tells of all


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind; `beaten` says where a baseline wins over the origins, as `backtest.tabulate` does.

    The cohorts stay in memory for who wants to look closer.
    """

    version: str
    path: Path
    as_of: str
    facts: Mapping[str, Any]
    beaten: Sequence[Mapping[str, Any]]
    promoted: bool
    why: str
    mlflow: Mapping[str, Any]
    cohorts: Sequence[Cohort] = field(repr=False)
    bundle: Bundle = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        shown = ("version", "as_of", "facts", "beaten", "promoted", "why", "mlflow")
        return {"path": str(self.path), **{name: getattr(self, name) for name in shown}}


@dataclass(frozen=True)
class ScoreResult:
    """A delivered slot: where it is, what its manifest says, whether it was there before."""

    path: Path
    manifest: Mapping[str, Any]
    repeated: bool

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"path": str(self.path), "repeated": self.repeated, "manifest": self.manifest}


@dataclass(frozen=True)
class RunResult:
    """One morning: what came in, what was trained if anything, what was delivered."""

    ingest: IngestResult
    train: TrainResult | None
    score: ScoreResult

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "slot": str(self.score.path),
            "ingest": self.ingest.to_dict(),
            "train": self.train.to_dict() if self.train else None,
            "score": self.score.to_dict(),
        }


def ingest(config: Config, seen_at: int) -> IngestResult:
    """Bring the sources into the store, through the contract."""
    return ingest_files(config, seen_at)


def train(config: Config, as_of: int, now: int) -> TrainResult:
    """Train as of a moment, judge, track, keep the bundle, and make it the champion where the gate lets it."""
    load_own(config)  # refused before anything is read
    lake = open_settled(config)
    read = reader(config, lake)
    with stage(f"Reading the past before {show_moment(as_of)}"):
        gathered = gather(read, config, as_of)
    with stage("Looking for leaks"):
        leaks = refuse_leaks(find_leaks(read, gathered, as_of), config)
    planned = splits(gathered.first, config, as_of, config.training.origins)
    cohorts, choice = judge_origins(read, config, planned, as_of)
    with stage(f"Training as of {show_moment(as_of)}"):
        bundle = finish(config, as_of, fit(gathered, config, choice.shape), cohorts, choice, leaks)
    with stage("Judging the newest lists"):
        newest = judge_newest(read, config, cohorts, gathered.first, as_of, choice.shape)
        past = tell_past([*cohorts, *newest], config.rank_index, config.closes, config.capacity, config.seed)
        bundle = replace(bundle, facts={**bundle.facts, "past": past})
    with stage("Tracking the run in MLflow"):
        told = table_of(cohorts, config)
        influence = look_into(cohorts, choice, config)
        recorded = tracking.record(config, tracked(config, bundle, cohorts, told, lake, influence))
    # Tracking takes longest: a bundle kept before it would, after a crash, be used without ever facing the gate.
    with explained_disk_trouble(config.models_path):
        path = shelf.keep(config.models_path, bundle)
    verdict = promote_if_better(config, bundle, recorded, now)
    log.info("Model %s: %s (%s)", bundle.version, "champion" if verdict.promote else "not promoted", verdict.why)
    return TrainResult(
        version=bundle.version,
        path=path,
        as_of=show_moment(as_of),
        facts=bundle.facts,
        beaten=told.get("beaten", ()),
        promoted=verdict.promote,
        why=verdict.why,
        mlflow=asdict(recorded),
        cohorts=cohorts,
        bundle=bundle,
    )


def look_for_leaks(read: Reader, config: Config, as_of: int, planned: Sequence[Split]) -> Sequence[Leak]:
    """Find the leaks of a training as of a moment, before anything is fitted at the origins before it.

    Where there is too little to learn from as of that moment, those of the newest origin that has enough.

    Raises:
        GateError: such a training would be refused.
    """
    with stage("Looking for leaks"):
        for moment in (as_of, *(split.origin for split in reversed(planned))):
            with suppress(DataError):  # judging says why an origin is left out
                return refuse_leaks(find_leaks(read, gather(read, config, moment), moment), config)
    return ()


def refuse_leaks(leaks: Sequence[Leak], config: Config) -> Sequence[Leak]:
    """Warn of what may be a leak, and refuse to learn from what is one."""
    refused = refusal(leaks, config.guard.refuse_at, config.guard.allow)
    if refused is not None:
        raise GateError(refused.message, refused.hint)
    for leak in leaks:
        log.warning("A leak? %s%s", leak, " It is allowed." if leak.name in config.guard.allow else "")
    return leaks


def score(config: Config, as_of: int) -> ScoreResult:
    """Score the leads at risk at a moment with a model that had not seen what came after it, and deliver the slot."""
    slot = Slot(config.project, as_of, config.fingerprint())
    if there := already_delivered(config.out_path, slot):
        return there
    bundle = choose_bundle(config, as_of)
    load_own(config)
    lake = open_settled(config)
    before = read_before(config.out_path, slot, bundle.version)
    listed = _score_all(reader(config, lake), bundle, config, slot, lake.buckets, before.earlier if before else None)
    warnings = _warn_of_silence(config, as_of, listed.newest)
    facts = _facts(config, bundle, slot, listed.table, listed.counts, lake)
    facts |= {"newest_interaction": show_moment(listed.newest)}
    delivered = _delivered(config, slot, listed.ends)
    content = compose(config, bundle, slot, listed.table, listed.parts, listed.counts, before, warnings, delivered)
    with write_lock(config), explained_disk_trouble(config.out_path), stage("Writing the slot"):
        manifest = deliver(
            config.out_path, slot, listed.table, facts, partial(_write_more, config, content, listed.parts, before)
        )
    return ScoreResult(config.out_path / slot.name, manifest, repeated=False)


def already_delivered(out: Path, slot: Slot) -> ScoreResult | None:
    """Return what lies there of a slot, and point `latest` at it; None where it was not delivered yet."""
    there = read_manifest(out / slot.name)
    if there is None:
        return None
    log.info("Slot %s is already delivered; nothing to do.", slot.name)
    point_latest(out, slot.name)
    return ScoreResult(out / slot.name, there, repeated=True)


def run(config: Config, as_of: int, seen_at: int) -> RunResult:
    """Ingest, train when there is no model young enough, score."""
    ingested = ingest(config, seen_at)
    trained = train(config, as_of, seen_at) if needs_training(config, as_of) else None
    return RunResult(ingested, trained, score(config, as_of))


@dataclass(frozen=True)
class BacktestResult:
    """How the model would have done at rolling origins, beside its baselines; `told` is as `backtest.tabulate` tells.

    Attributes:
        as_of: Everything used was known before.
        ranked_by: The horizon of the list.
        shape: Which shape of the curve was chosen, and by how much.
        asked: How many origins were asked for.
        leaks: What may have known the outcome; none that a training would refuse.
        told: Figures, intervals, and where a baseline wins.
        mlflow: Where MLflow has it.
        cohorts: What was judged, for who wants to look closer.
    """

    as_of: str
    ranked_by: str
    shape: Choice
    asked: int
    leaks: Sequence[Leak]
    told: Mapping[str, Any]
    mlflow: Mapping[str, Any]
    cohorts: Sequence[Cohort] = field(repr=False)

    @property
    def horizons(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Per horizon and model, the figures."""
        return cast("Mapping[str, Mapping[str, Mapping[str, Any]]]", self.told["horizons"])

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "as_of": self.as_of,
            "ranked_by": self.ranked_by,
            "shape": asdict(self.shape),
            "asked": self.asked,
            "judged": len(self.cohorts),
            "leaks": [leak.to_dict() for leak in self.leaks],
            **self.told,
            "mlflow": self.mlflow,
        }


def backtest(config: Config, as_of: int, number: int) -> BacktestResult:
    """Train at rolling origins as a team would have then, and judge each on the cohort after it."""
    load_own(config)
    lake = open_settled(config)
    read = reader(config, lake)
    planned = planned_origins(read, config, as_of, number)
    asked = count_asked(config, number, len(planned))
    leaks = look_for_leaks(read, config, as_of, planned)
    cohorts, choice = judge_origins(read, config, planned, as_of)
    if not cohorts:
        raise too_short(as_of)
    warn_of_few(len(cohorts))
    with stage("Drawing leads anew, for the intervals"):
        told = table_of(cohorts, config)
    with stage("Tracking the backtest in MLflow"):
        judged = account(config, lake, "backtest", as_of, cohorts, told)
        recorded = tracking.record_backtest(config, replace(judged, influence=look_into(cohorts, choice, config)))
    ranked_by = config.horizon_names[config.rank_index]
    return BacktestResult(show_moment(as_of), ranked_by, choice, asked, leaks, told, asdict(recorded), cohorts)


def table_of(cohorts: Sequence[Cohort], config: Config) -> dict[str, Any]:
    """Tell what was judged, as `backtest.tabulate` does; empty where nothing was."""
    if not cohorts:
        return {}
    return tabulate(cohorts, config.horizon_names, config.capacity, config.seed, time_zone=config.time_zone)


def look_into(cohorts: Sequence[Cohort], choice: Choice, config: Config) -> Influence | None:
    """Say what moves the model of the newest origin, on the cohort after it."""
    late = cohorts[-1].late if cohorts else None
    return weigh_concepts(late.bundles[choice.shape], late.sample, config.seed) if late else None


def too_short(as_of: int) -> StateError:
    """Say that nothing could be judged."""
    return StateError(
        f"The past before {show_moment(as_of)} is too short to judge a model on it.",
        "Bring more history, or shorten the horizons.",
    )


def monitor(config: Config, as_of: int) -> list[dict[str, Any]]:
    """Say what became of the delivered leads, grade by grade, for every slot whose ranking horizon has closed."""
    ends = Ends()
    for leads, _ in reader(config, open_settled(config))(as_of):
        ends.note(leads)
    until, findings = _closed_by(config, as_of, ends), []
    for folder, manifest in slots(config.out_path):
        if manifest["project"] != config.project or parse_moment(manifest["as_of"], "UTC") > until:
            continue
        grades = _graded(config, folder, ends)
        if grades is not None:
            findings.append(
                {
                    "slot": folder.name,
                    "as_of": manifest["as_of"],
                    "horizon": config.horizon_names[config.rank_index],
                    "score_drift": manifest["score_drift"],
                    "grades": grades.to_dict("records"),
                }
            )
    return findings


def _closed_by(config: Config, as_of: int, ends: Ends) -> int:
    """Return the moment up to which the ranking horizon of delivered lists has closed."""
    # Where no lead has ended since, the outcomes have not come in; nothing happened is not what that means.
    return min(as_of - config.closes[config.rank_index], ends.newest)


def _graded(config: Config, folder: Path, ends: Ends) -> pd.DataFrame | None:
    """Tell what became of each grade of a delivered list; None of one without leads, or of another horizon."""
    horizon = config.horizons[config.rank_index]
    if f"p_{horizon}" not in pq.read_schema(folder / SCORES).names:
        return None
    delivered = pq.read_table(folder / SCORES, columns=["lead_id", "grade", "as_of", f"p_{horizon}"])
    frame = delivered.set_column(2, "as_of", delivered["as_of"].cast(pa.int64())).to_pandas()
    return None if frame.empty else by_grade(frame, ends.converted_at, str(horizon), horizon.microseconds)


def _delivered(config: Config, slot: Slot, ends: Ends) -> dict[int, dict[str, Tally]]:
    """Tell what became of each grade of this list's newest closed slots, by their moment: a week apart at least."""
    told: dict[int, dict[str, Tally]] = {}
    until = _closed_by(config, slot.as_of, ends)
    for folder, manifest in islice(earlier_slots(config.out_path, slot, until, WEEK), _MOST_CLOSED):
        grades = _graded(config, folder, ends)
        if grades is not None:
            told[parse_moment(manifest["as_of"], "UTC")] = {
                row["grade"]: Tally(int(row["leads"]), float(row["promised"]), int(row["happened"]))
                for row in grades.to_dict("records")
            }
    return told


def open_settled(config: Config) -> Lake:
    """Open the store between two ingests, never amid one: its tables are committed one after the other."""
    with write_lock(config):
        return open_lake(config)


def reader(config: Config, lake: Lake, buckets: Sequence[int] | None = None) -> Reader:
    """Read the store bucket by bucket, as it was known before a moment; guests and work load where families ask.

    All buckets, unless some are named.
    """
    families, outcomes = config.features.families, config.outcomes

    def read(before: int) -> Iterator[Bucket]:
        known = before, outcomes.hidden_kinds, outcomes.ends
        guests = read_guests(lake, *known) if "capillarity" in families else {}
        workload = _read_workload(config, lake, before) if "context" in families else None
        for bucket in range(lake.buckets) if buckets is None else buckets:
            own = read_bucket(lake, bucket, *known)
            if own.leads.num_rows:
                tables, invited = seated(own, guests, bucket)
                leads = _leads(config, tables, invited)
                yield replace(leads, workload=workload), build_history(leads, tables.interactions, config.kinds)

    return read


def _leads(config: Config, tables: BucketTables, guests: tuple[str, ...] = ()) -> Leads:
    told = config.outcomes
    return build_leads(tables.leads, tables.outcomes, tables.consents, told.converted, told.ends, set(guests))


def _read_workload(config: Config, lake: Lake, before: int) -> Workload:
    max_age = config.at_risk.max_age
    everybody = _leads(config, read_lives(lake, before, config.outcomes.ends))
    return build_workload(
        everybody, config.at_risk.closes_after.microseconds, None if max_age is None else max_age.microseconds
    )


def planned_origins(read: Reader, config: Config, as_of: int, number: int) -> tuple[Split, ...]:
    """Plan the origins of a backtest: those of the configuration, else so many laid over the past."""
    if config.backtest.origins:
        return configured_splits(config, as_of)
    first = min((int(leads.created_at.min()) for leads, _ in read(as_of)), default=as_of)
    return splits(first, config, as_of, number)


def count_asked(config: Config, number: int, found: int) -> int:
    """Count the origins that were asked for, those of the configuration where it names some; warn of fewer found."""
    asked = len(config.backtest.origins) or number
    if found < asked:
        why = "the others have not come yet"
        if not config.backtest.origins:
            why = "the past is too short for more; shorter horizons or a shorter snapshots.spacing make room"
        log.warning("There is room for %d of %d origins: %s.", found, asked, why)
    return asked


def warn_of_few(judged: int) -> None:
    """Say that draws of leads from a few origins do not tell how much one origin differs from the next."""
    if judged < _ENOUGH_ORIGINS:
        log.warning(
            "Judged at %d of the %d origins that should be had at least: intervals come from leads drawn anew, and say "
            "little of how the next month will differ.",
            judged,
            _ENOUGH_ORIGINS,
        )


def judge_origins(read: Reader, config: Config, planned: Sequence[Split], as_of: int) -> tuple[list[Cohort], Choice]:
    """Train and judge at each origin, oldest first, and choose the shape of the curve by what came true."""
    judged = []
    for split in track(planned, "Judging at rolling origins"):
        try:
            judged.append(judge_origin(read, config, split, as_of))
        except DataError as error:
            log.warning("Origin %s is left out. %s", show_moment(split.origin), error.message)
    choice = choose_shape(judged, config)
    return [in_shape(cohort, choice.shape) for cohort in judged], choice


def choose_bundle(config: Config, as_of: int) -> Bundle:
    """Choose the model for a moment as `fitting_bundle` does.

    Raises:
        StateError: none fits.
    """
    bundle = fitting_bundle(config, as_of)
    if bundle is None:
        others = any(kept.as_of <= as_of for kept in shelf.kept(config.models_path))
        changed = " The models there are were trained with other settings or files of features.own." if others else ""
        raise StateError(
            f"No model of this configuration was trained as of {show_moment(as_of)} or before.{changed}",
            "Run `leadscore train` with the same --as-of, or `leadscore run`.",
        )
    return bundle


def fitting_bundle(config: Config, as_of: int) -> Bundle | None:
    """Choose the model for a moment: the champion where it fits, else the newest that does; None where none does.

    A model fits when it has this configuration's recipe and was trained as of the moment or before: a later one has
    seen the future of this slot.
    """
    fitting = [kept for kept in shelf.kept(config.models_path) if _fits(kept, config, as_of)]
    champion = shelf.champion(config.models_path)
    for kept in fitting:
        if kept.version == champion:
            return shelf.read(config.models_path, kept.version)
    newest = max(fitting, key=lambda kept: (kept.as_of, kept.version), default=None)
    return shelf.read(config.models_path, newest.version) if newest else None


def needs_training(config: Config, as_of: int) -> bool:
    """Say whether no fitting model is younger than `training.retrain_after`; a delivered slot needs none.

    Without a champion, too: the training that should have made one did not come to its end.
    """
    slot = Slot(config.project, as_of, config.fingerprint())
    if read_manifest(config.out_path / slot.name) is not None:
        return False
    if shelf.champion(config.models_path) is None:
        return True
    ages = [as_of - kept.as_of for kept in shelf.kept(config.models_path) if _fits(kept, config, as_of)]
    return min(ages, default=NEVER) >= config.training.retrain_after.microseconds


def _fits(kept: Kept, config: Config, as_of: int) -> bool:
    return (
        kept.project == config.project
        and kept.training_fingerprint == config.training_fingerprint()
        and kept.as_of <= as_of
    )


def promote_if_better(config: Config, bundle: Bundle, recorded: Recorded, now: int) -> Verdict:
    """Ask the gate, and crown the challenger where it says yes."""
    with write_lock(config):  # two runs at once are judged one after the other
        seen, alias = shelf.champion(config.models_path), tracking.champion(config)
        # One that was removed from the shelf can neither score nor be compared with.
        on_shelf = seen is not None and (config.models_path / seen).exists()
        champion = shelf.read(config.models_path, seen) if seen and on_shelf else None
        verdict = compare(bundle, champion, config.horizon_names[config.rank_index])
        if verdict.promote:
            # The alias first: when another training took it in the meantime, that one stays champion here as well.
            tracking.crown(config, recorded, alias, now)
            shelf.crown(config.models_path, bundle.version, {"why": verdict.why, "mlflow": asdict(recorded)})
    return verdict


def _write_more(
    config: Config, content: Content, parts: Sequence[Scored], before: Before | None, folder: Path
) -> Mapping[str, Any]:
    """Write what goes with a list: what each concept adds to each lead, workbook, page, files for CRM systems."""
    ids = content.scores["lead_id"].to_pylist()
    pq.write_table(weights_table(parts, ids), folder / WEIGHTS, compression="zstd")
    write_workbook(content, folder / "leads.xlsx")
    write_page(content, folder / "report.html")
    told = read_told(before.folder / CRM) if before else {}
    return {"crm": write_crm(content, config.crm, told, folder / CRM)} if config.crm.systems else {}


def _warn_of_silence(config: Config, as_of: int, newest: int) -> Sequence[str]:
    """Say when nothing has come in for so long that the list can only be about the past; to the reader, too."""
    silent = as_of - newest
    if silent <= config.horizons[0].microseconds:
        return ()
    log.warning(
        "The newest interaction is %d days older than the list (%s): are the sources up to date?",
        silent // DAY,
        show_moment(newest),
    )
    return (Wording("common", config.language).say("silent", silent // DAY),)


@dataclass(frozen=True)
class _Listed:
    """A ranked list, what was seen of its leads, who is left out, the newest interaction, and what ended when."""

    table: pa.Table
    parts: Sequence[Scored]
    counts: Counts
    newest: int
    ends: Ends


def _score_all(
    read: Reader, bundle: Bundle, config: Config, slot: Slot, buckets: int, earlier: Earlier | None
) -> _Listed:
    parts: list[Scored] = []
    counts, newest, best, wanted = Counts(), 0, np.zeros(0), config.delivery.panels
    ends = Ends()
    for bucket in track(read(slot.as_of), "Scoring", total=buckets):
        panels_from = float(best[0]) if wanted and len(best) == wanted else 0.0
        part, of_bucket = score_bucket(bucket, bundle, config, slot.as_of, earlier, panels_from if wanted else np.inf)
        best = np.sort(np.append(best, part.chances[:, config.rank_index]))[-wanted:] if wanted else best
        parts.append(part)
        counts += of_bucket
        ends.note(bucket[0])
        newest = max(newest, newest_interaction(bucket))
    table = rank(parts, bundle, config, slot.as_of, slot.run_id(bundle.version), earlier)
    return _Listed(table, parts, counts, newest, ends)


def _facts(config: Config, bundle: Bundle, slot: Slot, table: pa.Table, counts: Counts, lake: Lake) -> dict[str, Any]:
    grades = table["grade"].value_counts().to_pylist()
    return {
        "run_id": slot.run_id(bundle.version),
        "leadscore": __version__,
        "model": {
            "version": bundle.version,
            "trained_as_of": show_moment(bundle.as_of),
            "champion": shelf.champion(config.models_path) == bundle.version,
            "families": list(bundle.vocabulary.families),
            "families_off": dict(bundle.vocabulary.off),
            "calibrated": bundle.facts["calibration"]["kept"],
        },
        "horizons": list(config.horizon_names),
        "ranked_by": config.horizon_names[config.rank_index],
        "language": config.language,
        "capacity": config.capacity,
        "store": lake.versions(),
        "counts": asdict(counts),
        "explore": exploration(table, config),
        "grades": {row["values"]: row["counts"] for row in sorted(grades, key=lambda row: row["values"])},
        # Nobody scored is no drift, and no lack of it.
        "score_drift": round(score_drift(table["score"].to_numpy()), 4) if table.num_rows else None,
    }


def account(
    config: Config, lake: Lake, title: str, as_of: int, cohorts: Sequence[Cohort], told: Mapping[str, Any]
) -> Account:
    """Gather what MLflow is told of a recipe that was judged at rolling origins."""
    versions = _versions(lake)
    return Account(
        title=f"{title} {show_moment(as_of)}",
        tags={
            "project": config.project,
            "as_of": show_moment(as_of),
            "configuration": config.fingerprint(),
            "recipe": config.training_fingerprint(),
            "data_version": data_version(versions),
            "leadscore": __version__,
        },
        parameters=flatten(config),
        configuration=config.model_dump_json(indent=1),
        inputs={name: (str(lake.path / name), version) for name, version in versions.items()},
        project=config.project,
        horizons=config.horizon_names,
        ranked_by=config.rank_index,
        seed=config.seed,
        cohorts=cohorts,
        told=told,
    )


def tracked(
    config: Config,
    bundle: Bundle,
    cohorts: Sequence[Cohort],
    told: Mapping[str, Any],
    lake: Lake,
    influence: Influence | None,
) -> Training:
    """Gather what MLflow is told of a training; `told` is as `table_of` tells of the cohorts."""
    counts = {name: float(bundle.facts[name]) for name in ("rows", "converted_leads", "features")}
    tables = {"catalogue": _catalogue_table(bundle), "warmth": _warmth_table(bundle)}
    judged = account(config, lake, bundle.version, bundle.as_of, cohorts, told)
    return Training(
        replace(judged, counts=counts, tables=tables, influence=influence),
        bundle,
        write_card(bundle, config, told, judged.tags["data_version"]),
    )


def _versions(lake: Lake) -> dict[str, int]:
    """Name the version of each table that was read; the list of files is none of them."""
    return {name: version for name, version in lake.versions().items() if name != "files"}


def _warmth_table(bundle: Bundle) -> pd.DataFrame:
    """One row per kind (its weight) and per channel (its half-life in days) of the temperature; none without it."""
    warmth = bundle.facts["warmth"]
    rows = [("weight", kind, weight) for kind, weight in warmth.get("weights", {}).items()]
    if warmth:
        rows.append(("half_life_days", "overall", warmth["half_life_days"]))
    rows += [("half_life_days", channel, days) for channel, days in warmth.get("half_lives_days", {}).items()]
    return pd.DataFrame(rows, columns=["what", "of", "value"])


def _catalogue_table(bundle: Bundle) -> pd.DataFrame:
    columns = ("name", "family", "concept", "unit", "missing")
    return pd.DataFrame([{name: getattr(feature, name) for name in columns} for feature in bundle.features])
