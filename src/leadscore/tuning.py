"""The step that tunes: tries settings at rolling origins, and judges the best of them where none was tried.

What was tried lies in a journal under `.leadscore/tune/`, written after each trial. What is tried next is settled by
what was tried and by the seed, so a search that was stopped and goes on tries what it would have tried without a stop.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import math
import os
import signal
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from leadscore import __version__
from leadscore.config import Config, Model, Training
from leadscore.delivery.files import Slot
from leadscore.errors import ConfigError, StateError
from leadscore.features.own import load_own
from leadscore.model.guard import Leak
from leadscore.model.learn import Reader, configured_splits
from leadscore.model.search import (
    HALF_LIFE,
    Final,
    Origin,
    Settings,
    Space,
    as_yaml,
    chances,
    earlier_origins,
    judge_final,
    losses,
    overall,
    prepare,
    settings_of,
    space,
    with_settings,
)
from leadscore.model.split import Split
from leadscore.progress import stage, track
from leadscore.registry import Child, Search, studies
from leadscore.steps import count_asked, look_for_leaks, open_settled, planned_origins, reader, too_short
from leadscore.store.lake import Lake, explained_disk_trouble, replace_text
from leadscore.timeline import Duration, show_moment

if TYPE_CHECKING:  # Optuna takes most of a second to import
    from optuna.distributions import BaseDistribution
    from optuna.study import Study as OptunaStudy

log = logging.getLogger("leadscore")

_ENOUGH_TRIALS = 10  # fewer have hardly searched
_TRIED_ALL_THROUGH = 5  # trials before one is given up early
_MEGABYTE = 1e6
_WIDTH = 100  # signs of a line of comment


@dataclass(frozen=True)
class Trial:
    """One trial: its settings, its log-losses (one row per origin tried, one column per horizon), whether given up."""

    settings: Settings
    losses: tuple[tuple[float, ...], ...]
    pruned: bool = False

    @property
    def log_loss(self) -> float:
        """The mean over the horizons and origins it was tried at."""
        return overall(self.losses)


@dataclass(frozen=True)
class TuneResult:
    """What a search found.

    Attributes:
        path: Folder of `tuning.json` and `tuning.yaml`.
        as_of: Everything used was known before.
        origins: Where trials were judged, oldest first.
        final_origin: The origin kept out of the search.
        horizons: Names of the horizons, in the order of the log-losses.
        trials: In the order they were tried.
        configured, best: Places of two of them.
        wanted: How many trials were asked for, in total.
        stopped: Someone stopped the search; it can go on.
        final: Both at the final origin; None when stopped, when the time was over after a few trials, or when nothing
            was better than the configured settings.
        leaks: What may have known the outcome; none that a training would refuse.
        mlflow: Where MLflow has it.
    """

    path: Path
    as_of: str
    origins: Sequence[str]
    final_origin: str
    horizons: Sequence[str]
    trials: Sequence[Trial]
    configured: int
    best: int
    wanted: int
    stopped: bool
    final: Final | None
    leaks: Sequence[Leak]
    mlflow: Mapping[str, Any] = field(default_factory=dict)

    @property
    def timed_out(self) -> bool:
        """Whether the time was over before all trials were tried."""
        return not self.stopped and len(self.trials) < self.wanted

    @property
    def verdict(self) -> str:
        """Say what the search amounts to."""
        tried = len(self.trials)
        if self.stopped:
            return f"Stopped after {tried} of {self.wanted} trials. Run the same again to go on."
        if self.timed_out and tried < _ENOUGH_TRIALS:
            return "That is too few for a verdict. Run the same again to go on, with more time."
        if self.final is not None:
            return (
                f"At the final origin, {self.final_origin}, where nothing was tried, the best settings change the "
                f"log-loss by {self.final.change:+.4f} ± {self.final.sd:.4f} (one standard deviation): "
                f"{judgement(self.final)}"
            )
        if tried < _ENOUGH_TRIALS:
            return f"Nothing tried so far ({tried}) was better than the configured settings; so few say little."
        return "Nothing was better than the configured settings: keep them."

    @property
    def yaml(self) -> str:
        """The lines of the best settings, as they stand in a configuration."""
        return as_yaml(self.trials[self.best].settings)

    @property
    def never_judged(self) -> list[str]:
        """Horizons for which no cohort of the search had matured at the final origin."""
        columns = zip(*self.trials[self.configured].losses, strict=True)
        return [name for name, column in zip(self.horizons, columns, strict=True) if all(map(math.isnan, column))]

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        shown = ("as_of", "origins", "final_origin", "horizons", "configured", "best", "wanted", "stopped", "timed_out")
        final = None if self.final is None else {**asdict(self.final), "is_noise": self.final.is_noise}
        told = {
            "path": str(self.path),
            **{name: getattr(self, name) for name in shown},
            "verdict": self.verdict,
            "final": final,
            "yaml": self.yaml,
            "leaks": [leak.to_dict() for leak in self.leaks],
            "trials": [{**asdict(trial), "log_loss": trial.log_loss} for trial in self.trials],
            "mlflow": self.mlflow,
        }
        return {name: _plain(value) for name, value in told.items()}


def _plain(value: Any) -> Any:
    """Replace what JSON does not have: NaN becomes None, a tuple a list."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def judgement(final: Final) -> str:
    """Say in words what the final origin says of the best settings."""
    if final.is_noise:
        return "noise. The configured settings may stay."
    return "better. They are worth taking." if final.is_better else "worse. Keep the configured settings."


def tune(config: Config, as_of: int, number: int, wanted: int, seconds: float = math.inf) -> TuneResult:
    """Search for settings at rolling origins, and judge the best once at the final origin, which is never searched.

    Args:
        config: The project; its settings are the first trial.
        as_of: Everything used was known before.
        number: How many origins to search at; those of the configuration where it names some.
        wanted: How many trials in total, those of earlier runs included.
        seconds: No trial begins later than this after the first.

    Raises:
        StateError: the past is too short, or another search of this project is running.
        GateError: something to learn from knows the outcome.
    """
    load_own(config)
    with _alone(config):
        lake = open_settled(config)
        read = reader(config, lake)
        searched, final = plan(read, config, as_of, number)
        count_asked(config, number + 1, len(searched) + 1)  # the final origin is one of those that are configured
        leaks = look_for_leaks(read, config, as_of, searched)
        origins = _prepared(read, config, searched, final.origin)
        if not origins:
            raise too_short(final.origin)
        journal = Journal.open(config.state_path / "tune" / f"{_key(config, lake, searched, final)}.json")
        stopped = _search(config, origins, journal, wanted, seconds)
        moments = [show_moment(origin.as_of) for origin in origins]
        del origins  # the final origin needs the memory
        configured, best = places(config, journal.trials)
        judged, enough = None, len(journal.trials) >= min(wanted, _ENOUGH_TRIALS)
        if not stopped and enough and best != configured:
            judged = _judged(read, config, final, as_of, journal.trials[best].settings)
        result = TuneResult(
            path=config.out_path / "tuning" / Slot(config.project, as_of, "").name.rstrip("-"),
            as_of=show_moment(as_of),
            origins=moments,
            final_origin=show_moment(final.origin),
            horizons=config.horizon_names,
            trials=journal.trials,
            configured=configured,
            best=best,
            wanted=wanted,
            stopped=stopped,
            final=judged,
            leaks=leaks,
        )
        return _kept(config, result, journal)


def plan(read: Reader, config: Config, as_of: int, number: int) -> tuple[tuple[Split, ...], Split]:
    """Plan the origins to search at, and the final one: the newest of a backtest with one origin more.

    Raises:
        StateError: the past is too short.
    """
    planned = planned_origins(read, config, as_of, number + 1)
    if not planned:
        raise too_short(as_of)
    final = planned[-1]
    if config.backtest.origins:
        return configured_splits(config, final.origin), final
    first = min((int(leads.created_at.min()) for leads, _ in read(final.origin)), default=final.origin)
    return earlier_origins(first, final.origin, config, number), final


def _prepared(read: Reader, config: Config, searched: Sequence[Split], seen_from: int) -> list[Origin]:
    tried = [prepare(read, config, split, seen_from) for split in track(searched, "Computing features at the origins")]
    origins = [origin for origin in tried if origin is not None]
    for split, origin in zip(searched, tried, strict=True):
        if origin is None:
            log.warning("Origin %s is left out: too little to learn from, or to judge by", show_moment(split.origin))
    rows = sum(len(origin.gathered.examples) + len(origin.cohort) for origin in origins)
    held = sum(origin.size for origin in origins) / _MEGABYTE
    log.info("%d origins, %s snapshots: %.0f MB of features in memory", len(origins), f"{rows:,}", held)
    return origins


def _search(config: Config, origins: Sequence[Origin], journal: Journal, wanted: int, seconds: float) -> bool:
    """Try until there are as many trials as wanted, the time is over, or someone asks to stop; say whether they did."""
    with _stoppable() as stopped:
        deadline = time.monotonic() + seconds
        trials = journal.trials
        more = try_settings(config, origins, trials, wanted, lambda: stopped() or time.monotonic() > deadline)
        for trial in track(more, "Trying settings", max(0, wanted - len(trials))):
            trials.append(trial)
            journal.save()
        return stopped()


def try_settings(
    config: Config, origins: Sequence[Origin], trials: Sequence[Trial], wanted: int, enough: Callable[[], bool]
) -> Iterator[Trial]:
    """Try the configured settings unless they were tried, then what Optuna suggests.

    Args:
        config: The project.
        origins: Where to judge.
        trials: What was tried; whoever takes a trial appends it.
        wanted: How many there should be in the end.
        enough: Asked before each suggestion.
    """
    own = settings_of(config)
    if all(trial.pruned or trial.settings != own for trial in trials):
        yield Trial(own, tuple(losses(origin, chances(origin, config)) for origin in origins))
    while len(trials) < wanted and not enough():
        yield _suggested(config, origins, trials)


def _suggested(config: Config, origins: Sequence[Origin], trials: Sequence[Trial]) -> Trial:
    """Try what Optuna suggests after these trials, origin by origin, unless it falls behind half of them."""
    around = space(config, [trial.settings for trial in trials])
    distributions = _distributions(around)
    asked = _study(config, trials, distributions).ask(distributions)
    settings = {
        name: around.numbers[name].fitting(value) if name in around.numbers else value
        for name, value in asked.params.items()
    }
    changed, found = with_settings(config, settings), list[tuple[float, ...]]()
    for number, origin in enumerate(origins):
        found.append(losses(origin, chances(origin, changed)))
        asked.report(_excess(found, trials[0]), number)
        if len(found) < len(origins) and asked.should_prune():
            return Trial(settings, tuple(found), pruned=True)
    return Trial(settings, tuple(found))


def _excess(found: Sequence[Sequence[float]], first: Trial) -> float:
    """Subtract the first trial's log-loss at the same origins: some are harder than others, whatever the settings."""
    return overall(found) - overall(first.losses[: len(found)])


def _distributions(around: Space) -> dict[str, BaseDistribution]:
    from optuna.distributions import (  # noqa: PLC0415 - late: it takes most of a second
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    found: dict[str, BaseDistribution] = {
        name: IntDistribution(int(spread.low), int(spread.high), log=spread.log)
        if spread.whole
        else FloatDistribution(spread.low, spread.high, log=spread.log)
        for name, spread in around.numbers.items()
    }
    return found | {HALF_LIFE: CategoricalDistribution(around.half_lives)}


def _study(config: Config, trials: Sequence[Trial], distributions: Mapping[str, BaseDistribution]) -> OptunaStudy:
    """Tell a new study what was tried; its sampler draws by how much that is, so that no stop changes what follows."""
    import optuna  # noqa: PLC0415 - as in `_distributions`

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=config.seed + len(trials))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_TRIED_ALL_THROUGH)
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    for trial in trials:
        excesses = [_excess(trial.losses[:number], trials[0]) for number in range(1, len(trial.losses) + 1)]
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.PRUNED if trial.pruned else optuna.trial.TrialState.COMPLETE,
                params=dict(trial.settings),
                distributions=dict(distributions),
                value=excesses[-1],
                intermediate_values=dict(enumerate(excesses)),
            )
        )
    return study


def places(config: Config, trials: Sequence[Trial]) -> tuple[int, int]:
    """Find the trial of the configured settings, and the one of the lowest log-loss: the earlier of equals."""
    whole = [number for number, trial in enumerate(trials) if not trial.pruned]
    own = settings_of(config)
    configured = next(number for number in whole if trials[number].settings == own)
    best = min(whole, key=lambda number: trials[number].log_loss)
    return configured, configured if trials[configured].log_loss <= trials[best].log_loss else best


def _judged(read: Reader, config: Config, final: Split, as_of: int, best: Settings) -> Final:
    with stage(f"Judging at the final origin, {show_moment(final.origin)}"):
        origin = prepare(read, config, final, as_of)
        if origin is None:
            raise too_short(as_of)
        return judge_final(origin, config, best)


def _kept(config: Config, result: TuneResult, journal: Journal) -> TuneResult:
    told = {name: value for name, value in result.to_dict().items() if name not in ("path", "mlflow")}
    documents = {
        "tuning.json": json.dumps(told, indent=1, ensure_ascii=False) + "\n",
        "tuning.yaml": "".join(f"# {line}\n" for line in textwrap.wrap(result.verdict, _WIDTH)) + result.yaml,
    }
    with stage("Tracking the search in MLflow"):
        recorded = studies.record_search(config, tracked_search(config, result, documents), journal.run_id)
    journal.run_id = recorded.run_id or journal.run_id
    journal.save()
    with explained_disk_trouble(config.out_path):
        result.path.mkdir(parents=True, exist_ok=True)
        for name, content in documents.items():
            replace_text(result.path / name, content)
    return replace(result, mlflow=asdict(recorded))


def tracked_search(config: Config, result: TuneResult, documents: Mapping[str, str]) -> Search:
    """Gather what MLflow is told of a search: a parent, and a child per trial."""
    tags = {
        "as_of": result.as_of, "configuration": config.fingerprint(), "recipe": config.training_fingerprint(),
        "leadscore": __version__, "best": _title(result.best),
    }  # fmt: skip
    metrics = {
        "trials": float(len(result.trials)),
        "log_loss_configured": result.trials[result.configured].log_loss,
        "log_loss_best": result.trials[result.best].log_loss,
    }
    if result.final is not None:
        metrics |= {"final_log_loss_change": result.final.change, "final_log_loss_sd": result.final.sd}
        for name, values in (("configured", result.final.configured), ("best", result.final.best)):
            metrics |= _by_horizon(f"final_log_loss_{name}", result, values)
    children = [_child(result, number, trial) for number, trial in enumerate(result.trials)]
    return Search(f"tuning of {config.project} {result.as_of}", tags, metrics, documents, children)


def _child(result: TuneResult, number: int, trial: Trial) -> Child:
    # One that was given up has no log-loss to be compared with others'.
    final = {} if trial.pruned else {"log_loss": trial.log_loss}
    stepped = [{"log_loss": overall([row]), **_by_horizon("log_loss", result, row)} for row in trial.losses]
    parameters = {**{name: str(value) for name, value in trial.settings.items()}, "pruned": str(trial.pruned).lower()}
    return Child(_title(number), parameters, final, stepped)


def _by_horizon(name: str, result: TuneResult, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}_{horizon}": value for horizon, value in zip(result.horizons, values, strict=True)}


def _title(number: int) -> str:
    return f"trial {number}"


def read_timeout(text: str | None) -> float:
    """Read how many seconds to go on, from a length such as `10m`; for ever when not given.

    Raises:
        ConfigError: it is no length.
    """
    try:
        return math.inf if text is None else Duration.parse(text).microseconds / 1e6
    except ValueError as error:
        raise ConfigError(f"--timeout: {error}.") from None


@dataclass
class Journal:
    """What was tried, on disk after each trial, and the run in MLflow that has it; each write is whole or none."""

    path: Path
    trials: list[Trial]
    run_id: str | None

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Read a journal; an empty one where there is none.

        Raises:
            StateError: it is damaged.
        """
        try:
            with explained_disk_trouble(path.parent):
                text = path.read_text(encoding="utf-8") if path.exists() else '{"trials": [], "run_id": null}'
            told = json.loads(text)
            trials = [
                Trial(trial["settings"], tuple(map(tuple, trial["losses"])), trial["pruned"])
                for trial in told["trials"]
            ]
            return cls(path, trials, told["run_id"])
        except (ValueError, KeyError, TypeError):
            raise StateError(
                f"{path}: the journal of a search is damaged.", "Remove it; the search begins anew."
            ) from None

    def save(self) -> None:
        """Write it, a trial a line."""
        trials = ",\n".join(json.dumps(asdict(trial)) for trial in self.trials)
        with explained_disk_trouble(self.path.parent):
            replace_text(self.path, f'{{"run_id": {json.dumps(self.run_id)}, "trials": [\n{trials}\n]}}\n')


def _key(config: Config, lake: Lake, searched: Sequence[Split], final: Split) -> str:
    """Name what trials depend on beside their settings: code, data, recipe and origins."""
    alike = with_settings(config, settings_of(config.model_copy(update={"model": Model(), "training": Training()})))
    told = {
        "leadscore": __version__,
        "data": lake.identities(),
        "recipe": alike.training_fingerprint(),
        "origins": [[split.origin, split.moments.tolist()] for split in (*searched, final)],
    }
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


@contextmanager
def _alone(config: Config) -> Iterator[None]:
    """Hold the project's lock of searches, which ends with the process."""
    folder = config.state_path / "tune"
    with explained_disk_trouble(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(handle)
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StateError(
            "Another `leadscore tune` of this project is running.",
            "Wait for it, or stop it with Ctrl-C: it keeps what it tried.",
        ) from None


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM end the search after the running trial; a second time, at once."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        log.warning("Stopping after this trial; what was tried is kept. Once more stops at once.")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
