"""The command line as a person meets it: words in; exit code, output and files out. And a tiny project to use it on."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import sys
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np

from leadscore.cli import main
from leadscore.timeline import DAY, parse_moment, show_moment

START = parse_moment("2024-01-01T00:00:00Z", "UTC")
TRAINED_AS_OF = "2024-03-14"
AS_OF = "2024-03-21"
SETTINGS = """
project: tiny
sources:
  leads: {files: leads.csv, columns: {lead_id: id, created_at: created}, attributes: [country]}
  interactions: {files: events.csv, columns: {lead_id: id, occurred_at: at, kind: kind}}
  outcomes: {files: outcomes.csv, columns: {lead_id: id, occurred_at: at, outcome: outcome}}
  consents: {files: consents.csv, columns: {lead_id: id, occurred_at: at, status: status}}
outcomes: {converted: won, lost: lost}
horizons: [3d, 7d, 14d]
snapshots: {spacing: 2d, look_back: 60d}
features: {windows: [7d, 30d], half_lives: [3d, 14d]}
model: {trees: 10, min_rows_per_leaf: 20}
training: {origins: 2, min_conversions: 5}
ingest: {buckets: 2}
tracking: {uri: "nowhere://"}
"""
TRACKED = ('tracking: {uri: "nowhere://"}\n', "")
"""What to replace so that MLflow keeps the trainings; that takes longest, and most tests are about something else."""


@dataclass
class Told:
    """What one command said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one object on standard output."""
        return json.loads(self.out)

    @property
    def error(self):
        """The sentence, and the hint that may follow; there is nothing else after the log, and never a traceback."""
        before, _, told = self.err.rpartition("error: ")
        sentence, _, hint = told.rstrip("\n").partition("\n  what to do: ")
        assert before == "" or before.endswith("\n"), self.err
        assert "Traceback" not in self.err
        assert "\n" not in hint
        return sentence, hint


def command(*words):
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        as_for_a_person(),
        patch.object(sys, "argv", ["leadscore", *words]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    return Told(code, out.getvalue(), err.getvalue())


@contextmanager
def as_for_a_person():
    """Give a command an environment and a log of its own, and let libraries warn each other: ours are errors."""
    before, log = dict(os.environ), logging.getLogger("leadscore")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", module="leadscore")
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        log.handlers.clear()
        log.propagate = True
        log.setLevel(logging.NOTSET)


def csv(header, rows):
    """A CSV file, its cells quoted where they must be."""

    def cell(value):
        text = str(value)
        return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in '",\n\r;') else text

    return "\n".join([header, *(",".join(map(cell, row)) for row in rows)]) + "\n"


@cache
def company():
    """Files of 120 leads who convert the sooner, the more they call; made by a generator of their own."""
    chance = np.random.default_rng(7)
    leads, events, outcomes = [], [], []
    for number in range(120):
        lead, keen = f"lead-{number:03}", number % 3 == 0
        begin = START + int(chance.uniform(0, 70) * DAY)
        leads.append((lead, show_moment(begin), ("FR", "DE")[number % 2]))
        times = np.sort(begin + chance.uniform(0, 30 * DAY, chance.poisson(8))).astype(np.int64)
        for time in times.tolist():
            kind = "call" if keen and chance.random() < 0.5 else "mail"
            events.append((lead, show_moment(time), kind))
        if len(times) and chance.random() < (0.7 if keen else 0.1):
            outcomes.append((lead, show_moment(int(times[-1]) + DAY), "won"))
        elif chance.random() < 0.2:
            outcomes.append((lead, show_moment(begin + 31 * DAY), "lost"))
    return {
        "leads": csv("id,created,country", leads),
        "events": csv("id,at,kind", events),
        "outcomes": csv("id,at,outcome", outcomes),
        "consents": "id,at,status\n",
    }


LEAD_IDS = tuple(line.split(",")[0] for line in company()["leads"].splitlines()[1:])


@dataclass
class Project:
    """A folder with files and a configuration; what is not changed is the company above."""

    folder: Path

    @property
    def config(self):
        """Path of the configuration, as text."""
        return str(self.folder / "leadscore.yaml")

    def __call__(self, verb, *words):
        """Run a verb on the project."""
        return command(verb, "-c", self.config, *words)

    def copy(self, folder):
        """Make the same project elsewhere."""
        return Project(Path(shutil.copytree(self.folder, folder, symlinks=True)))

    def write(self, **files):
        """Write files, `leads=…` being leads.csv; text or bytes."""
        for name, content in files.items():
            path = self.folder / ("leadscore.yaml" if name == "settings" else f"{name}.csv")
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def add(self, **lines):
        """Add lines to files."""
        return self.write(**{name: (self.folder / f"{name}.csv").read_text() + more for name, more in lines.items()})

    def change(self, old, new):
        """Replace a part of the configuration."""
        text = (self.folder / "leadscore.yaml").read_text()
        assert old in text
        return self.write(settings=text.replace(old, new))

    def left(self, *folders):
        """Everything there is, by its place in the project: contents of files, what links name."""
        paths = [path for folder in folders or ("",) for path in (self.folder / folder).rglob("*")]
        files = [path for path in paths if path.is_symlink() or path.is_file()]
        return {
            str(path.relative_to(self.folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
            for path in files
            if path.parent.name != ".leadscore"
        }

    def scores(self):
        """The rows of the last slot."""
        import pyarrow.parquet as pq

        return pq.read_table(self.folder / "out" / "latest" / "scores.parquet")
