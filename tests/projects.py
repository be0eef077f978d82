"""Small projects on disk: tables drawn as text, a configuration beside them, and the store's content as plain rows."""

from __future__ import annotations

import json

import duckdb

from leadscore.config import Config
from leadscore.contract.tables import TABLES
from leadscore.ingest import ingest
from leadscore.store.lake import open_or_plan_lake
from leadscore.timeline import parse_moment

SEEN = parse_moment("2024-07-01", "UTC")
LEADS = "lead_id,created_at\nada,2024-01-01\nbob,2024-01-02\n"
EVENTS = "lead_id,occurred_at,kind\nada,2024-02-01T10:00:00Z,visit\n"
REQUIRED = {
    "leads": ("lead_id", "created_at"),
    "interactions": ("lead_id", "occurred_at", "kind"),
    "outcomes": ("lead_id", "occurred_at", "outcome"),
    "consents": ("lead_id", "occurred_at", "status"),
}


def drawn(text):
    """A table drawn with bars as CSV: cells are trimmed, `_` is an empty one."""
    rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return "\n".join(",".join("" if cell == "_" else cell for cell in row) for row in rows) + "\n"


def put(folder, files):
    """Write files given as text or bytes."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def project(folder, *, sources=None, files=None, **settings):
    """A project whose sources are `leads.csv`, `interactions.csv`, … as far as there are such files.

    `sources` changes single settings of a source; every canonical column a file's header names is mapped onto itself.
    """
    files = {"leads.csv": LEADS, "interactions.csv": EVENTS} | (files or {})
    put(folder, files)
    mapped = {}
    for table in TABLES:
        change = (sources or {}).get(table, {})
        if f"{table}.csv" not in files and "files" not in change:
            continue
        given = files.get(f"{table}.csv", "")
        header = (given if isinstance(given, str) else given.decode("latin-1")).partition("\n")[0].strip().split(",")
        names = [name for name in TABLES[table].names if name in header] or REQUIRED[table]
        mapped[table] = {"files": f"{table}.csv", "columns": {name: name for name in names}} | change
    return Config.model_validate(
        {"project": "tiny", "sources": mapped, "outcomes": {"converted": "won"}, "root": folder}
        | {"ingest": {"max_rejected_share": 1.0, "buckets": 2}}
        | settings
    )


def stored(config, table, columns="*"):
    """The rows of a table of the store, as sorted tuples."""
    query = f"select {columns} from {open_or_plan_lake(config).scan(table)} order by all"
    with duckdb.connect() as engine:
        engine.execute("set TimeZone = 'UTC'")
        return engine.execute(query).fetchall()


def content(config):
    """All rows of the store, by table."""
    return {table: stored(config, table) for table in TABLES}


def rejected(config, seen_at=SEEN):
    """Ingest, and give (file, line, rules, columns, value classes, row) of every rejected row."""
    result = ingest(config, seen_at)
    with duckdb.connect() as engine:
        return [
            (*row[:-1], json.loads(row[-1]))
            for path in result.rejected_files
            for row in engine.execute(f"select * replace (line::int as line) from '{path}'").fetchall()
        ]
