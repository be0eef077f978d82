"""A small company drawn as text: what the store hands over of one bucket, built by the real functions.

A table has a header, then a row a line, cells between bars; `_` is a missing value. Moments are days: `3` is the
start of day 3 (day 0 is Monday, 2024-01-01, in UTC), `3.5` its noon, `3-` a microsecond before and `3+` one after.
Attributes are written `country=FR size=20`.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pyarrow as pa

from leadscore.config import Config
from leadscore.features.matrix import build_matrix, catalogue
from leadscore.features.vocabulary import Vocabulary
from leadscore.history import NEVER, build_history, build_leads, build_workload
from leadscore.model.learn import choose_shape, finish, fit, gather, in_shape, judge_origin, splits
from leadscore.snapshots import Snapshots, at_risk
from leadscore.timeline import DAY, Duration, parse_moment

START = parse_moment("2024-01-01T00:00:00Z", "UTC")
CONVERTED = ("won",)
ENDS = ("won", "lost", "unfit")
TEXT, MOMENT = pa.string(), pa.int64()
SCHEMAS = {
    "leads": pa.schema(
        [
            ("lead_id", TEXT),
            ("account_id", TEXT),
            ("referrer_id", TEXT),
            ("created_at", MOMENT),
            ("closes_at", MOMENT),
            ("known_at", MOMENT),
            ("attributes", TEXT),
        ]
    ),
    "interactions": pa.schema(
        [
            ("lead_id", TEXT),
            ("occurred_at", MOMENT),
            ("known_at", MOMENT),
            *((name, TEXT) for name in ("kind", "channel", "direction", "content_id")),
            ("layer", pa.int64()),
            *((name, TEXT) for name in ("topic", "campaign_id", "source_id")),
            ("value", pa.float64()),
            ("attributes", TEXT),
        ]
    ),
    "outcomes": pa.schema([("lead_id", TEXT), ("occurred_at", MOMENT), ("known_at", MOMENT), ("outcome", TEXT)]),
    "consents": pa.schema(
        [("lead_id", TEXT), ("occurred_at", MOMENT), ("known_at", MOMENT), ("purpose", TEXT), ("status", TEXT)]
    ),
}


# ---- from a drawing to rows ----------------------------------------------------------------------------------


def rows(drawing):
    """The rows of a drawn table, as dictionaries of text; what is missing is None."""
    lines = [[cell.strip() for cell in line.split("|")] for line in drawing.strip().splitlines()]
    header, *body = lines
    assert all(len(line) == len(header) for line in body), "a row has as many cells as the header"
    return [
        {name: None if cell in ("", "_") else cell for name, cell in zip(header, line, strict=True)} for line in body
    ]


def day(text):
    """The moment of a day, as written in a drawing."""
    text = str(text)
    edge = {"-": -1, "+": 1}.get(text[-1], 0)
    return START + round(float(text[:-1] if edge else text) * DAY) + edge


def days(*texts):
    """The moments of several days, as an array."""
    return np.array([day(text) for text in texts], np.int64)


def _cell(name, text, kind):
    if isinstance(text, dict):
        return json.dumps(text, sort_keys=True)
    if not isinstance(text, str):
        return text
    if name == "attributes":
        return json.dumps(dict(pair.split("=", 1) for pair in text.split()), sort_keys=True)
    if name.endswith("_at"):
        return day(text)
    return float(text) if kind == pa.float64() else int(text) if kind == pa.int64() else text


# ---- from rows to a bucket -----------------------------------------------------------------------------------


def table(name, drawing):
    """A canonical table as the store hands it over: drawn, or given as rows; sorted, `known_at` filled in."""
    given = rows(drawing) if isinstance(drawing, str) else drawing
    schema = SCHEMAS[name]
    own = "created_at" if name == "leads" else "occurred_at"
    filled = [{field.name: _cell(field.name, row.get(field.name), field.type) for field in schema} for row in given]
    for row in filled:
        row["known_at"] = row[own] if row["known_at"] is None else row["known_at"]
    filled.sort(
        key=lambda row: (row["lead_id"], row["known_at" if name == "leads" else own], str(sorted(row.items(), key=str)))
    )
    return pa.Table.from_pylist(filled, schema=schema)


def bucket(leads, interactions=(), outcomes=(), consents=(), kinds=None, guests=()):
    """A bucket (leads, history), from tables drawn or given as rows; its own leads are all the work there is."""
    tables = table("leads", leads), table("outcomes", outcomes), table("consents", consents)
    told = build_leads(*tables, CONVERTED, ENDS, guests)
    told = replace(told, workload=build_workload(told))
    return told, build_history(told, table("interactions", interactions), kinds or {})


def lengths(*texts):
    """Lengths of time by name, as a vocabulary holds them."""
    return {text: Duration.parse(text).microseconds for text in texts}


TEMPERATURE = {
    "weights": {"call": 1.0, "mail": 0.5, "other": 0.0},
    "half_life": 2 * DAY,
    "half_lives": {"web": DAY, "other": 4 * DAY},
    "cold": 0.3,
}


def _pairs(kinds):
    return [list(pair) for pair in itertools.permutations((*kinds, "other"), 2)][:4]


def vocabulary(**changes):
    """A vocabulary of two kinds and two scales, with whatever is changed."""
    given = {
        "kinds": ("call", "mail"),
        "labels": {},
        "numbers": (),
        "categories": {},
        "windows": lengths("7d", "30d"),
        "half_lives": lengths("2d"),
        "columns": ("content", "direction", "value"),
        "time_zone": "UTC",
        "families": ("profile", "volume", "infusion", "drip", "sequence", "values"),
        "frozen": {
            "power": {"pushes": 9, "kinds": ["mail"], "near": 2, "saturated": 3},
            "echo": {"senders": ["third_party", "campaign"]},
            "infusion": TEMPERATURE,
            "percolation": {"items": [2, 1, 0]},
            "sequence": {"pairs": _pairs(changes.get("kinds", ("call", "mail")))},
        },
    }
    return Vocabulary(**(given | changes))


def config(**settings):
    """A configuration with every default but what is set."""
    sources = {
        "leads": {"files": "l.csv", "columns": {"lead_id": "l", "created_at": "c"}},
        "interactions": {"files": "i.csv", "columns": {"lead_id": "l", "occurred_at": "o", "kind": "k"}},
    }
    outcomes = {"converted": "won", "lost": "lost", "disqualified": "unfit"}
    return Config.model_validate({"project": "tiny", "sources": sources, "outcomes": outcomes} | settings)


# ---- what is asked of a bucket -------------------------------------------------------------------------------


def looks(leads, pairs):
    """Snapshots of (lead_id, moment) pairs, whether or not they are at risk, in order."""
    place = {lead: row for row, lead in enumerate(leads.lead_id)}
    ordered = sorted((place[lead], moment) for lead, moment in pairs)
    return Snapshots(np.array([p for p, _ in ordered], np.int64), np.array([m for _, m in ordered], np.int64))


def drawn_risk(leads, moments, **rules):
    """One line a lead, one mark a moment: `x` at risk, `.` not."""
    found = at_risk(leads, days(*moments.split()), **rules)
    pairs = set(zip(found.lead.tolist(), found.as_of.tolist(), strict=True))
    return [
        f"{lead} {''.join('x' if (row, day(moment)) in pairs else '.' for moment in moments.split())}"
        for row, lead in enumerate(leads.lead_id)
    ]


def assert_features(world, expected, words=None, rtol=1e-6):
    """Check features against a drawn table: lead_id, as_of, then features by name (`2/3` is a number, `_` missing)."""
    leads, history = world
    words = words or vocabulary()
    asked = sorted(rows(expected), key=lambda row: (row["lead_id"], day(row["as_of"])))
    snapshots = looks(leads, [(row["lead_id"], day(row["as_of"])) for row in asked])
    matrix = build_matrix(leads, history, snapshots, words)
    place = {feature.name: column for column, feature in enumerate(catalogue(words))}
    names = [name for name in asked[0] if name not in ("lead_id", "as_of")]
    found = matrix[:, [place[name] for name in names]]
    wanted = [[np.nan if row[name] is None else float(Fraction(row[name])) for name in names] for row in asked]
    np.testing.assert_allclose(found, np.array(wanted, np.float32), rtol=rtol, err_msg=" ".join(names))


def moments(leads, array):
    """Moments by lead_id, in days since day 0; None for never."""
    return {
        lead: None if moment == NEVER else (int(moment) - START) / DAY
        for lead, moment in zip(leads.lead_id, array, strict=True)
    }


# ---- a company large enough to learn from ----------------------------------------------------------------------

FUNNEL = {
    "horizons": ("3d", "7d", "14d"),
    "snapshots": {"spacing": "2d", "look_back": "60d"},
    "features": {"windows": ("7d", "30d"), "half_lives": ("3d", "14d")},
    "model": {"trees": 12, "min_rows_per_leaf": 20},
    "training": {"min_conversions": 5, "origins": 2},
}
FUNNEL_AS_OF = "80"


@cache
def funnel(n_leads=240):
    """Rows of leads who convert the sooner, the more they call; made by a generator of their own."""
    chance = np.random.default_rng(7)
    leads, interactions, outcomes = [], [], []
    for number in range(n_leads):
        lead, keen = f"lead-{number:03}", number % 3 == 0
        begin = START + int(chance.uniform(0, 70) * DAY)
        about = {"country": ("FR", "DE")[number % 2], "size": str(int(chance.integers(1, 500)))}
        leads.append({"lead_id": lead, "created_at": begin, "attributes": about})
        times = np.sort(begin + chance.uniform(0, 30 * DAY, chance.poisson(8))).astype(np.int64)
        for time in times.tolist():
            kind = "call" if keen and chance.random() < 0.5 else "mail"
            value = float(chance.integers(1, 90)) if chance.random() < 0.3 else None
            interactions.append({"lead_id": lead, "occurred_at": time, "kind": kind, "value": value})
        if len(times) and chance.random() < (0.7 if keen else 0.1):
            outcomes.append({"lead_id": lead, "occurred_at": int(times[-1]) + DAY, "outcome": "won"})
    return leads, interactions, outcomes


def funnel_reader(parts=1):
    """Read the funnel as it was known before a moment, divided into so many buckets, the last first."""

    def read(before):
        for part in reversed(range(parts)):
            own = [
                [row for row in rows if int(row["lead_id"][-3:]) % parts == part and row[at] < before]
                for rows, at in zip(funnel(), ("created_at", "occurred_at", "occurred_at"), strict=True)
            ]
            if own[0]:
                yield bucket(*own)

    return read


@cache
def learned_funnel(parts=1, shape="auto"):
    """What training on the funnel gives: (configuration, learned, cohorts, bundle)."""
    settings = config(**FUNNEL | {"model": FUNNEL["model"] | {"shape": shape}})
    read, as_of = funnel_reader(parts), day(FUNNEL_AS_OF)
    gathered = gather(read, settings, as_of)
    origins = splits(gathered.first, settings, as_of, settings.training.origins)
    judged = [judge_origin(read, settings, origin, as_of) for origin in origins]
    choice = choose_shape(judged, settings)
    cohorts, learned = [in_shape(cohort, choice.shape) for cohort in judged], fit(gathered, settings, choice.shape)
    return settings, learned, cohorts, finish(settings, as_of, learned, cohorts, choice)


class _NoTrees:
    def feature_importance(self, _):
        return np.zeros(1)

    def dump_model(self):
        return {"tree_info": []}

    def predict(self, matrix, *, pred_contrib=False, **_):
        return np.zeros((len(matrix), matrix.shape[1] + 1) if pred_contrib else len(matrix))


def without_trees(bundle, **changes):
    """A bundle whose trees say nothing. (LightGBM refuses to fit none, and aborts on a text without any.)"""
    mute = replace(bundle.model, **changes)
    mute.__dict__["booster"] = _NoTrees()
    return replace(bundle, model=mute)
