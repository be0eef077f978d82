"""What a person sees of a flat export on the terminal: how good the model was, and the top of the list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq

from leadscore.flat.steps import FlatTraining
from leadscore.report import SHOWN, _bounded, _console, _figure, _printable, _say, _table
from leadscore.steps import ScoreResult

_NAMES = {
    "model": "leadscore",
    "logit_all": "logistic regression, all columns",
    "lightgbm": "the same trees alone",
    "prior": "rate of the rows before",
}
_MEANT = {True: "yes", False: "no"}
_BOUNDED = {"auc": "AUC", "alift": "ALIFT", "log_loss": "log-loss"}
_PLAIN = {"lift_at_10": "lift 10 %", "brier": "Brier", "ece": "ECE", "calibration_slope": "slope"}


def show_training(result: FlatTraining) -> None:
    """Show the model beside its baselines, where one of them wins, and what to mind."""
    facts, judged = result.facts, result.judged
    _say(
        f"Model {result.version}, trained on {facts['taught_rows']:,} of {facts['rows']:,} leads, "
        f"{facts['yes']:,} of which said yes; {len(facts['columns'])} columns, {facts['features']} features."
    )
    _show_answers(facts["target"])
    if judged is not None:
        _show_judged(judged)
    _say_what_to_mind(len(result.warnings))
    _say(f"Files: {result.path}")


def _show_answers(target: Mapping[str, Any]) -> None:
    told = [f"{answer['word']!r} ({answer['rows']:,}) means {_MEANT[answer['yes']]}" for answer in target["most"]]
    more = target["words"] - len(told)
    _say(f"Column {target['column']}: {', '.join([*told, *([f'{more:,} more words'] if more else [])])}.")


def _show_judged(judged: Mapping[str, Any]) -> None:
    for line in judged["beaten"]:
        low, high = line["interval"]
        _say(
            f"Mind: {_NAMES[line['by']]} beats the model in {line['metric']}: the model's minus its "
            f"{line['difference']:+.4f} ({low:+.4f} to {high:+.4f})."
        )
    figures, per_fold = judged["figures"], judged["per_fold"]
    model, folds = figures["model"], judged["folds"]
    flattering = "" if judged["how"] == "row order" else ", AT RANDOM, WHICH FLATTERS"
    _say(
        f"Judged on {model['rows']:,.0f} leads in {len(folds)} parts{flattering}; {model['conversions']:,.0f} said yes "
        f"({min(fold['base_rate'] for fold in folds):.0%} to {max(fold['base_rate'] for fold in folds):.0%})."
    )
    columns = [f"{title} ({judged['level']:.0%})" for title in _BOUNDED.values()]
    table = _table("", *columns, *_PLAIN.values(), "AUC within a part")
    for name, own in figures.items():
        cells = [*(_bounded(own, metric) for metric in _BOUNDED), *(_figure(own[metric]) for metric in _PLAIN)]
        table.add_row(_NAMES[name], *cells, _figure(per_fold[name]["auc"]))
    _console().print(table)


def show_slot(result: ScoreResult) -> None:
    """Show the top of the list, what to mind, and where the files are."""
    manifest = result.manifest
    if result.repeated:
        _say(f"Slot {manifest['slot']} was delivered before; nothing was changed.")
    rows = pq.read_table(result.path / "scores.parquet").slice(0, SHOWN).to_pylist()
    table = _table("rank", "lead", "score", "grade", "p", "known", "because")
    for row in rows:
        told = [(row[f"reason_{number}_sign"], row[f"reason_{number}_text"]) for number in (1, 2, 3)]
        reasons = " · ".join(f"{'+' if sign > 0 else '−'} {text}" for sign, text in told if text is not None)
        cells = (row["rank"], row["lead_id"], row["score"], row["grade"], f"{row['p']:.1%}", row["known"], reasons)
        table.add_row(*(_printable(str(cell)) for cell in cells))
    _console().print(table)
    counts = manifest["counts"]
    _say(f"{counts['delivered']:,} leads of {counts['leads']:,}; {counts['said_yes']:,} had said yes already.")
    _say_what_to_mind(len(manifest["warnings"]))
    _say(f"Files: {result.path}")


def _say_what_to_mind(number: int) -> None:
    _say(f"MIND: a flat export, no dates. {number} warnings stand above, under --json, and in the manifest.")
