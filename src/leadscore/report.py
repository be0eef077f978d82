"""What a person sees on the terminal. Results in, tables out; nothing is computed here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow.parquet as pq
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leadscore.comparison import ComparisonResult
from leadscore.delivery.ablation import shown_change, shown_figures
from leadscore.demonstration import DemoResult
from leadscore.doctor import Finding
from leadscore.ingest import IngestResult
from leadscore.steps import BacktestResult, RunResult, ScoreResult, TrainResult
from leadscore.study import AblationResult, LeadFeatures
from leadscore.tuning import TuneResult

SHOWN = 10
_FIGURES = {
    "auc": "AUC",
    "average_precision": "AP",
    "lift_at_10": "lift 10 %",
    "capture_at_10": "capture 10 %",
    "capture_at_capacity": "at capacity",
    "brier": "Brier",
    "log_loss": "log-loss",
}
_BOUNDED = {"auc": "AUC", "log_loss": "log-loss", "lift_at_10": "lift 10 %"}
_EVENT = (
    *("number", "occurred_at", "known_at", "kind", "channel", "direction", "content"),
    *("topic", "campaign", "source", "layer", "value"),
)
_LONGEST = 80  # signs of a cell
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PLAIN_WIDTH = 160  # of a file or a pipe, where no terminal says how wide it is
_MARKS = {"good": ("ok", "green"), "odd": ("look", "yellow"), "bad": ("BAD", "red")}


def show_ingest(result: IngestResult) -> None:
    """Show what came in, and which rules the rejected rows broke."""
    told = result.to_dict()
    table = _table("table", "read", "excluded", "accepted", "repeated", "rejected")
    for name, counts in told["tables"].items():
        table.add_row(name, *(f"{counts[key]:,}" for key in ("read", "excluded", "accepted", "repeated", "rejected")))
    _console().print(table)
    rules = [(name, rule, count) for name, broken in told["rules"].items() for rule, count in broken.items() if count]
    if rules:
        broken_rules = _table("table", "rule", "rows")
        for name, rule, count in rules:
            broken_rules.add_row(name, rule, f"{count:,}")
        _console().print(broken_rules)
        _say(f"Rejected rows, with file, line and rules: {result.rejected_files[0].parent}")
    if told["skipped_files"]:
        _say(f"{len(told['skipped_files'])} files were read before and have not changed.")


def show_training(result: TrainResult) -> None:
    """Show where a baseline wins, how good the model was on the newest matured cohort, and whether it is live."""
    facts = result.facts
    if facts["judged"]:
        _say_beaten(result.beaten)
    _say(
        f"Model {result.version}, trained as of {result.as_of} on {facts['rows']:,} snapshots with "
        f"{facts['converted_leads']:,} converted leads and {facts['features']} features."
    )
    if facts["judged"]:
        window = facts["judged_cohort"]
        _say(f"Judged on the cohort from {window['from']} to {window['to']}, by a model that had not seen it:")
        show_figures(facts["judged"])
        _say_shape(facts["shape"])
    else:
        _say("Not judged: the history is too short to keep a matured cohort apart.")
    _say(f"{'Champion' if result.promoted else 'Not promoted'}: {result.why}.")
    for family, reason in facts["families_off"].items():
        _say(f"Family {family} is off: {reason}.")


def show_figures(horizons: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Show the model beside its baselines, horizon by horizon."""
    table = _table("horizon", "model", "conversions", *_FIGURES.values())
    for horizon, figures in horizons.items():
        for number, (name, metrics) in enumerate(figures.items()):
            conversions = f"{metrics['conversions']:.0f} of {metrics['rows']:.0f}" if number == 0 else ""
            table.add_row(
                horizon if number == 0 else "", name, conversions, *(_figure(metrics[key]) for key in _FIGURES)
            )
    _console().print(table)


def show_backtest(result: BacktestResult) -> None:
    """Show where a baseline wins, then the model beside its baselines with intervals, and the model by month."""
    told = result.told
    _say_beaten(told["beaten"])
    show_figures(result.horizons)
    bounds = _table("horizon", "model", *(f"{title} (90 %)" for title in _BOUNDED.values()), "slope", "intercept")
    for horizon, figures in result.horizons.items():
        for number, (name, metrics) in enumerate(figures.items()):
            cells = [_bounded(metrics, metric) for metric in _BOUNDED]
            slopes = (_figure(metrics["calibration_slope"]), _figure(metrics["calibration_intercept"]))
            bounds.add_row(horizon if number == 0 else "", name, *cells, *slopes)
    _console().print(bounds)
    _show_parts(told, result.ranked_by)
    _say(f"Means over {_of_asked(result.asked, [origin['origin'] for origin in told['origins']])}.")
    drawn = f"{told['draws']} draws of {told['drawn']['number']:,} {told['drawn']['unit']}"
    _say(f"Intervals: {drawn}. Curves that fall: {told['violations']}.")
    _say_shape(asdict(result.shape))


def _of_asked(asked: int, origins: Sequence[str]) -> str:
    counted = f"{len(origins)} origins" if len(origins) == asked else f"{len(origins)} of {asked} origins"
    return f"{counted}: {', '.join(origins)}"


def _say_beaten(lines: Sequence[Mapping[str, Any]]) -> None:
    for line in lines:
        low, high = line["interval"]
        _say(
            f"Mind: within {line['horizon']}, {line['by']} beats the model in {line['metric']}: "
            f"model minus {line['by']} is {line['difference']:+.4f} ({low:+.4f} to {high:+.4f})."
        )
    if not lines:
        _say("No baseline beats the model beyond its interval.")


def _show_parts(told: Mapping[str, Any], ranked_by: str) -> None:
    """Show the model by month and by segment, at the horizon the list is ranked by."""
    table = _table("part", "snapshots", "conversions", "promised", "happened", "AUC (90 %)", "log-loss")
    months = [("month", line["month"], line) for line in told["months"]]
    segments = [(line["segment"], line["value"] or "(missing)", line) for line in told["segments"]]
    for of, value, line in (*months, *segments):
        if line["horizon"] == ranked_by:
            judged = line.get("judged", True)
            chances = [f"{line[name]:.1%}" if name in line else "" for name in ("promised", "happened")]
            figures = [_bounded(line, "auc"), _figure(line["log_loss"])] if judged else ["too few conversions", ""]
            counts = [f"{line['rows']:.0f}", f"{line['conversions']:.0f}"]
            table.add_row(_printable(f"{of} {value}"), *counts, *chances, *figures)
    _console().print(table)


def _say_shape(shape: Mapping[str, Any]) -> None:
    if shape["why"] == "judged":
        lower = "lower" if shape["difference"] > 0 else "higher"
        _say(
            f"Shape of the curve: {shape['shape']}; the log-loss of the hazard is "
            f"{abs(shape['difference']):.4f} {lower} "
            f"than that of a classifier per horizon, ± {shape['sd']:.4f} (one standard deviation)."
        )
    else:
        _say(f"Shape of the curve: {shape['shape']} ({shape['why']}).")


def _bounded(figures: Mapping[str, Any], metric: str) -> str:
    low, high = figures["intervals"][metric]
    return f"{_figure(figures[metric])} ({_figure(low)}–{_figure(high)})"


def show_comparison(result: ComparisonResult) -> None:
    """Show what B has over A, and where that is more than noise."""
    for label, run in (("A", result.a), ("B", result.b)):
        _say(f"{label}: {_printable(run['name'])}, run {run['run_id']}")
    table = _table("horizon", "metric", "A", "B", "B − A", f"{result.level:.0%} interval", "sd", "B is")
    for line in result.lines:
        low, high = (_signed(bound) for bound in line.interval)
        first = line.metric == result.lines[0].metric
        table.add_row(
            line.horizon if first else "", _FIGURES[line.metric], _exact(line.a), _exact(line.b),
            _signed(line.difference), f"{low} to {high}", _exact(line.sd), line.verdict,
        )  # fmt: skip
    _console().print(table)
    common = result.common
    _say(
        f"Judged on what both had: {common['rows']:,} labels of {common['leads']:,} leads, {_means_over(common)}, "
        f"intervals from {result.draws} draws of {common['drawn']}."
    )
    chance = len(result.lines) * (1 - result.level)
    _say(f"Mind: of {len(result.lines)} lines, {chance:.1f} on average look like more than noise by chance alone.")
    if common["sparse"]:
        _say(f"Left out: {common['sparse']:,} labels of cohorts with fewer than ten conversions within the horizon.")
    if common["disagreed"]:
        _say(f"Left out: {common['disagreed']:,} labels about which the runs disagree what came true.")
    if result.settings:
        settings = _table("setting", "A", "B")
        for name, (one, other) in result.settings.items():
            settings.add_row(*map(_printable, (name, one, other)))
        _say("Settings that differ:")
        _console().print(settings)
    else:
        _say("Their settings are the same.")


def _means_over(common: Mapping[str, Any]) -> str:
    if "parts" in common:
        return f"no dates; means over {common['parts']} parts"
    return f"{common['from']} to {common['to']}; means over {len(common['origins'])} origins"


def _exact(value: float) -> str:
    return "–" if value != value else f"{value:.5f}"  # noqa: PLR0124 - NaN is the only value unlike itself


def _signed(value: float) -> str:
    return "–" if value != value else f"{value:+.5f}"  # noqa: PLR0124 - NaN is the only value unlike itself


def show_ablation(result: AblationResult) -> None:
    """Show what each family is worth."""
    horizons = list(dict.fromkeys(row.horizon for row in result.rows))
    names = ("features", "AUC", "AP", "lift 10 %", "log-loss", *(f"Δ {name}" for name in horizons))
    table = _table("families", *names)
    rows = [row.to_dict() for row in result.rows]
    for row in rows:
        if row["horizon"] == result.ranked_by:
            same = [other for other in rows if other["variant"] == row["variant"]]
            table.add_row(*shown_figures(row), *(shown_change(other, "*") for other in same))
    _console().print(table)
    _say(f"Figures within {result.ranked_by}, means over {_of_asked(result.asked, result.origins)}.")
    _say(
        f"Δ: log-loss against all families, in thousandths, ± one standard deviation over draws of {result.drawn}; "
        "* beyond two: no mere chance."
    )
    _say("A family pays when the log-loss rises without it.")
    for family, reason in result.families_off.items():
        _say(f"Family {family} is off: {reason}.")
    _say(f"Tables: {result.path}")


def show_tuning(result: TuneResult) -> None:
    """Show what was tried, the best of it beside the configured settings, and whether the difference is noise."""
    configured, best = result.trials[result.configured], result.trials[result.best]
    early = sum(trial.pruned for trial in result.trials)
    if result.timed_out:
        _say(f"{len(result.trials)} of {result.wanted} trials; the time was over.")
    _say(f"{len(result.trials)} trials, {early} of them given up early, at the origins {', '.join(result.origins)}.")
    if result.never_judged:
        _say(f"Of {' and '.join(result.never_judged)} nothing had matured there before the final origin.")
    settings = _table("setting", "configured", "best")
    settings.add_row("log-loss there", f"{configured.log_loss:.4f}", f"{best.log_loss:.4f}")
    for name, value in best.settings.items():
        settings.add_row(name, str(configured.settings[name]), str(value))
    _console().print(settings)
    _say_verdict(result)
    _say(f"Files: {result.path}")


def _say_verdict(result: TuneResult) -> None:
    final = result.final
    if final is not None:
        figures = _table("final origin", *(f"log-loss {name}" for name in result.horizons))
        for name, row in (("configured", final.configured), ("best", final.best)):
            figures.add_row(name, *("–" if value != value else f"{value:.4f}" for value in row))  # noqa: PLR0124 - NaN
        _console().print(figures)
    _say(result.verdict)
    if final is not None and final.is_better:
        _say(f"The lines of the best settings, for the configuration:\n\n{result.yaml}")


def show_lead(result: LeadFeatures) -> None:
    """Show the features of one lead, and the events behind them."""
    words = f"the words of model {result.model}" if result.model else "words settled as of then: no model fits"
    _say(f"As of {result.as_of}, with {words}; {'at risk' if result.at_risk else 'not at risk'}.")
    names = [name for name in _EVENT if any(name in event for event in result.events)]
    events = _table(*("event" if name == "number" else name.replace("_", " ") for name in names))
    for event in result.events:
        events.add_row(*(_printable(str(event.get(name, ""))) for name in names))
    _console().print(events)
    features = _table("family", "feature", "value", "events", "in words")
    for feature in result.features:
        behind = _ranges(feature["events"])
        features.add_row(
            feature["family"], _printable(feature["name"]), _number(feature["value"]), behind,
            _printable(feature["sentence"]),
        )  # fmt: skip
    _console().print(features)
    _say("An event is named where the feature would be another without it; what colleagues did is not among them.")
    if result.tried < len(result.events):
        _say(f"Only the newest {result.tried} events were tried.")


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.4g}"  # noqa: PLR0124 - NaN is the only value unlike itself


def _ranges(numbers: Sequence[int]) -> str:
    """Write numbers in short.

    >>> _ranges([1, 2, 3, 7])
    '1–3, 7'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("–".join(map(str, part)) for part in parts)


def show_slot(result: ScoreResult) -> None:
    """Show the top of the list and where the files are."""
    manifest = result.manifest
    counts = manifest["counts"]
    if result.repeated:
        _say(f"Slot {manifest['slot']} was delivered before; nothing was changed.")
    ranked_by = manifest["ranked_by"]
    rows = pq.read_table(result.path / "scores.parquet").slice(0, SHOWN).to_pylist()
    _say_top(rows, f"p_{ranked_by}", f"P({ranked_by})")
    _say(
        f"{counts['delivered']:,} leads at risk of {counts['leads']:,}; left out: {counts['ended']:,} ended, "
        f"{counts['closed']:,} closed, {counts['objected']:,} said no."
    )
    _say(f"Files: {result.path}")


def show_run(result: RunResult) -> None:
    """Show one morning."""
    show_ingest(result.ingest)
    if result.train is not None:
        show_training(result.train)
    show_slot(result.score)


def show_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    """Show what was promised and what happened, slot by slot and grade by grade."""
    if not findings:
        _say("No delivered slot has closed its horizon yet.")
        return
    table = _table("slot", "horizon", "grade", "leads", "promised", "happened", "rate", "score drift")
    for finding in findings:
        for number, grade in enumerate(finding["grades"]):
            first = (finding["slot"], finding["horizon"]) if number == 0 else ("", "")
            drift = f"{finding['score_drift']:.3f}" if number == 0 else ""
            cells = (str(grade["leads"]), f"{grade['promised']:.1f}", str(grade["happened"]), f"{grade['rate']:.1%}")
            table.add_row(*first, grade["grade"], *cells, drift)
    _console().print(table)


def show_examination(findings: Sequence[Finding]) -> None:
    """Show what the doctor found."""
    for finding in findings:
        mark, colour = _MARKS[finding.state]
        line = Text.assemble((f"{mark:>4}  ", colour), finding.what)
        if finding.hint:
            line.append(f"\n      what to do: {finding.hint}")
        _console().print(line)


def show_demo(result: DemoResult) -> None:
    """Show the whole way, and how close the list comes to the truth."""
    show_run(result.run)
    _say("")
    _say("How close to the truth (the oracle ranks by the true hazard, which only a simulation knows):")
    show_figures(result.figures)
    _say(f"Demonstration: {result.folder}")
    _say(f"List:          {result.run.score.path / 'scores.csv'}")
    _say(f"Experiments:   {result.mlflow_command}")


def _say_top(rows: Sequence[Mapping[str, Any]], chance: str, title: str) -> None:
    """Show one line per lead, and its reasons below it: sentences in a column would be cut by a narrow terminal."""
    names = {"rank": "rank", "lead_id": "lead", "score": "score", "grade": "grade", chance: title}
    names |= {"known": "known", "trend": "trend", "action": "action"}
    cells = [[f"{row[name]:.1%}" if name == chance else _printable(str(row[name])) for name in names] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(names.values(), *cells, strict=True)]
    lines = ["  ".join(map(set_cell_size, line, widths)).rstrip() for line in ([*names.values()], *cells)]
    _say(lines[0])
    for row, line in zip(rows, lines[1:], strict=True):
        _say(line)
        for number in (1, 2, 3):
            if row[f"reason_{number}_text"] is not None:
                sign = "+" if row[f"reason_{number}_sign"] > 0 else "−"
                _say(f"      {sign} {_printable(row[f'reason_{number}_text'])}")


def _printable(text: str) -> str:
    """Show a text of the sources on one short line: it may hold whatever moves a cursor or turns a line around."""
    plain = _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def _figure(value: float) -> str:
    return "–" if value != value else f"{value:.3f}"  # noqa: PLR0124 - NaN is the only value unlike itself


def _table(*columns: str) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name)
    return table


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # Rich would end the process as if something had failed; our caller knows better


def _console() -> Console:
    console = _Console(highlight=False, markup=False)
    return console if console.is_terminal else _Console(highlight=False, markup=False, width=_PLAIN_WIDTH)


def _say(text: str) -> None:
    _console().print(Text(text), soft_wrap=True)
