"""The command line: arguments become one step, its result and an exit code.

Everything heavy is imported inside the commands, so that `leadscore --help` answers at once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadscore.errors import ConfigError, LeadscoreError

if TYPE_CHECKING:
    from leadscore.config import Config
    from leadscore.config.flat import FlatConfig

log = logging.getLogger("leadscore")

app = typer.Typer(
    name="leadscore",
    help="Batch lead scoring: interaction history in, ranked and explained list out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigFile = Annotated[Path, typer.Option("-c", "--config", help="Configuration file.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="Moment to look from, ISO 8601; the last midnight in the project's zone if absent."),
]
Flat = Annotated[
    bool, typer.Option("--flat", help="For an export without dates: one row per lead and a yes or no; see its how-to.")
]
_INSTEAD = "ignored where the configuration has backtest.origins."
Origins = Annotated[
    int | None,
    typer.Option("--origins", min=1, max=24, help=f"How many rolling origins, 4 if absent; {_INSTEAD}"),
]
SearchedOrigins = Annotated[
    int | None,
    typer.Option("--origins", min=1, max=24, help=f"How many origins to search at, 3 if absent; {_INSTEAD}"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
DEFAULT_CONFIG = Path("leadscore.yaml")


def _show_version(asked: bool) -> None:
    if asked:
        from leadscore import __version__

        print(f"leadscore {__version__}")
        raise typer.Exit


@app.callback()
def _leadscore(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Batch lead scoring: interaction history in, ranked and explained list out."""


@app.command()
def init(
    leads: Annotated[Path, typer.Option("--leads", help="File of leads.")],
    interactions: Annotated[list[Path], typer.Option("--interactions", help="File of interactions; may be repeated.")],
    outcomes: Annotated[Path | None, typer.Option("--outcomes", help="File of outcomes.")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing configuration.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at files and write a commented starting configuration."""
    from leadscore.guess import guess_config
    from leadscore.store.lake import replace_text

    if config.exists() and not force:
        raise ConfigError(f"{config}: there is a configuration already.", "Name another file with -c, or use --force.")
    text = guess_config(leads, interactions, outcomes, config.parent)
    config.parent.mkdir(parents=True, exist_ok=True)
    replace_text(config, text)
    then = "leadscore run" if config == DEFAULT_CONFIG else f"leadscore run -c {config}"
    _print({"config": str(config)}, as_json, lambda: print(f"Wrote {config}. Read its comments, then: {then}"))


@app.command()
def ingest(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Bring the sources into the store, through the contract."""
    settings = _open(config)
    from leadscore import report, steps

    result = steps.ingest(settings, _now())
    _print(result.to_dict(), as_json, lambda: report.show_ingest(result))


@app.command()
def train(config: ConfigFile = DEFAULT_CONFIG, as_of: AsOf = None, flat: Flat = False, as_json: AsJson = False) -> None:
    """Train a model, judge it in time order, track it, and promote it when first or better."""
    if flat:
        _train_flat(config, as_of, as_json)
        return
    settings = _open(config)
    from leadscore import report, steps

    result = steps.train(settings, _moment(as_of, settings), _now())
    _print(result.to_dict(), as_json, lambda: report.show_training(result))


@app.command()
def score(config: ConfigFile = DEFAULT_CONFIG, as_of: AsOf = None, flat: Flat = False, as_json: AsJson = False) -> None:
    """Score the leads at risk and deliver the slot."""
    if flat:
        _score_flat(config, as_of, as_json)
        return
    settings = _open(config)
    from leadscore import report, steps

    result = steps.score(settings, _moment(as_of, settings))
    _print(result.to_dict(), as_json, lambda: report.show_slot(result))


@app.command()
def run(config: ConfigFile = DEFAULT_CONFIG, as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Ingest, train when needed, score: one morning."""
    settings = _open(config)
    from leadscore import report, steps

    result = steps.run(settings, _moment(as_of, settings), _now())
    _print(result.to_dict(), as_json, lambda: report.show_run(result))


@app.command()
def backtest(
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
    origins: Origins = None,
    as_json: AsJson = False,
) -> None:
    """Judge the recipe at rolling origins, beside its baselines."""
    settings = _open(config)
    from leadscore import report, steps

    result = steps.backtest(settings, _moment(as_of, settings), _origins(origins, settings, 4))
    _print(result.to_dict(), as_json, lambda: report.show_backtest(result))


@app.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="Id or name of a run, model version, or `champion`.")],
    other: Annotated[str, typer.Argument(metavar="B", help="The run to compare it with, named likewise.")],
    config: ConfigFile = DEFAULT_CONFIG,
    flat: Flat = False,
    as_json: AsJson = False,
) -> None:
    """Compare two runs on the snapshots both have judged, and say what is more than noise."""
    settings = _open_flat(config) if flat else _open(config)
    from leadscore import comparison, report

    result = comparison.compare_runs(settings, one, other)
    _print(result.to_dict(), as_json, lambda: report.show_comparison(result))


@app.command()
def ablate(
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
    origins: Origins = None,
    families: Annotated[
        str | None,
        typer.Option("--families", help="Families to begin with, with commas; the configured ones if absent."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Begin with every family there is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge each family: train with all, without it and with it alone, at rolling origins."""
    settings = _open(config)
    from leadscore import report, study

    chosen = study.families_named(settings, families, everything=everything)
    result = study.ablate_families(settings, _moment(as_of, settings), _origins(origins, settings, 4), chosen)
    _print(result.to_dict(), as_json, lambda: report.show_ablation(result))


@app.command()
def tune(
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
    trials: Annotated[int, typer.Option("--trials", min=1, max=1000, help="How many trials, in total.")] = 50,
    origins: SearchedOrigins = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", help="No trial begins later, such as 10m; no limit if absent.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for better settings of the model at rolling origins; stopped with Ctrl-C, it goes on when run again."""
    settings = _open(config)
    from leadscore import report, tuning

    seconds = tuning.read_timeout(timeout)
    result = tuning.tune(settings, _moment(as_of, settings), _origins(origins, settings, 3), trials, seconds)
    _print(result.to_dict(), as_json, lambda: report.show_tuning(result))
    if result.stopped:
        raise typer.Exit(130)


@app.command()
def features(
    lead: Annotated[str, typer.Option("--lead", help="Id of the lead, as ingested.")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
    family: Annotated[str | None, typer.Option("--family", help="Only this family; all that are on if absent.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show one lead's features at a moment, with the events behind them."""
    settings = _open(config)
    from leadscore import report, study

    result = study.lead_features(settings, lead, _moment(as_of, settings), _now(), family)
    _print(result.to_dict(), as_json, lambda: report.show_lead(result))


@app.command()
def show(
    lead: Annotated[str, typer.Argument(metavar="LEAD", help="Id of the lead, as ingested.")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Moment to look from, ISO 8601; that of the newest list delivered if absent."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show one lead as the page does: where it stands, how ready it is, why, and what happened."""
    settings = _open(config)
    from leadscore import panel, report_lead

    newest = panel.newest_list(settings) if as_of is None else None
    result = panel.show_lead(settings, lead, _moment(as_of, settings) if newest is None else newest, _now())
    _print(result.to_dict(), as_json, lambda: report_lead.show_panel(result))


@app.command()
def monitor(config: ConfigFile = DEFAULT_CONFIG, as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Say what became of delivered leads, grade by grade."""
    settings = _open(config)
    from leadscore import report, steps

    findings = steps.monitor(settings, _moment(as_of, settings))
    _print({"slots": findings}, as_json, lambda: report.show_findings(findings))


@app.command()
def doctor(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check the machine, the installation and the project."""
    from leadscore import report
    from leadscore.doctor import examine

    findings = examine(config)
    _print({"findings": [vars(finding) for finding in findings]}, as_json, lambda: report.show_examination(findings))
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(ConfigError.exit_code)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where the demonstration lives.")] = Path("demo"),
    leads: Annotated[int, typer.Option("--leads", min=300, max=200_000, help="Size of the company.")] = 5000,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 1,
    language: Annotated[str, typer.Option("--language", help="Of the reasons: en or fr.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Simulate a company whose truth is known, and go the whole way with it."""
    from leadscore.runtime import configure

    configure(folder / ".leadscore")
    from leadscore import demonstration, report

    if language not in {"en", "fr"}:
        raise ConfigError(f"--language: found {language!r}, expected en or fr.")
    result = demonstration.demonstrate(folder, leads, seed, language, _now())
    _print(result.to_dict(), as_json, lambda: report.show_demo(result))


def main() -> None:
    """Run a command; every error a person can act on becomes one line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name the terminal's encoding does not know is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(prog_name="leadscore", standalone_mode=False)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error, file=sys.stderr)
            sys.exit(ConfigError.exit_code)
        told = _usage_error(error) or _actionable(error)
        if told is None:
            raise
        sys.exit(_fail(told))
    sys.exit(code if isinstance(code, int) else 0)


def _usage_error(error: Exception) -> ConfigError | None:
    """Say what the argument parser raises in our words."""
    if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):
        return None
    context = getattr(error, "ctx", None)
    return ConfigError(str(error.format_message()), f"See {context.command_path if context else 'leadscore'} --help.")


def _actionable(error: Exception) -> LeadscoreError | None:
    from leadscore.runtime import actionable

    return actionable(error)


def _fail(error: LeadscoreError) -> int:
    from leadscore.runtime import explain

    with suppress(OSError):  # where the output cannot be written to, the exit code still speaks
        explain(error)
        if "--json" in sys.argv:
            told = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
            print(json.dumps({"error": told}))
    return error.exit_code


def _open(path: Path) -> Config:
    from leadscore.config import read_config
    from leadscore.runtime import configure

    settings = read_config(path)
    configure(settings.state_path)
    return settings


def _open_flat(path: Path) -> FlatConfig:
    from leadscore.config.flat import read_flat_config
    from leadscore.runtime import configure

    settings = read_flat_config(path)
    configure(settings.state_path)
    return settings


def _train_flat(config: Path, as_of: str | None, as_json: bool) -> None:
    settings = _open_flat(config)
    if as_of is not None:
        raise ConfigError("--as-of: means nothing with --flat; a flat export has no dates.", "Leave it out.")
    from leadscore import report_flat
    from leadscore.flat import steps

    result = steps.train_flat(settings)
    _print(result.to_dict(), as_json, lambda: report_flat.show_training(result))


def _score_flat(config: Path, as_of: str | None, as_json: bool) -> None:
    settings = _open_flat(config)
    from leadscore import report_flat
    from leadscore.flat import steps

    result = steps.score_flat(settings, _moment_in(as_of, "UTC"))
    _print(result.to_dict(), as_json, lambda: report_flat.show_slot(result))


def _origins(asked: int | None, settings: Config, otherwise: int) -> int:
    if asked is not None and settings.backtest.origins:
        log.warning("--origins is ignored: backtest.origins names %d.", len(settings.backtest.origins))
    return asked or otherwise


def _moment(text: str | None, settings: Config) -> int:
    return _moment_in(text, settings.time_zone)


def _moment_in(text: str | None, time_zone: str) -> int:
    from leadscore.runtime import read_moment
    from leadscore.timeline import last_midnight

    return last_midnight(_now(), time_zone) if text is None else read_moment(text, time_zone)


def _now() -> int:
    from leadscore.timeline import to_microseconds

    return to_microseconds(datetime.now(UTC))


def _print(result: Mapping[str, Any], as_json: bool, show: Callable[[], None]) -> None:
    try:
        if as_json:
            print(json.dumps(_plain(result), default=str))
        else:
            show()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as `head` does; the work is done all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plain(value: Any) -> Any:
    """Replace what JSON does not have: NaN becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN is the only value unlike itself
        return None
    return value
