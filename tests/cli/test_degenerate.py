"""Data with next to nothing in them make a sane model; what says nothing says nothing; and a future that shows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cli.commands import AS_OF, LEAD_IDS, company, csv
from leadscore.timeline import DAY, parse_moment, show_moment

pytestmark = pytest.mark.slow

CALM = company()
AT = ("--as-of", AS_OF)
FEW = ("min_conversions: 5", "min_conversions: 2")


def rows(name):
    return [line.split(",") for line in CALM[name].splitlines()[1:]]


LEADS, EVENTS, OUTCOMES = (rows(name) for name in ("leads", "events", "outcomes"))


def of_first(number):
    """The first leads, and what there is of them."""
    names = {"leads": "id,created,country", "events": "id,at,kind", "outcomes": "id,at,outcome"}
    kept = set(LEAD_IDS[:number])
    return {name: csv(header, [row for row in rows(name) if row[0] in kept]) for name, header in names.items()}


def after(moment, days):
    return show_moment(parse_moment(moment, "UTC") + round(days * DAY))


def assert_sane(project, most=0.5):
    """Chances between never and always, that rise with the horizon and are not made of nothing; bounds around them."""
    found = project.scores().to_pandas()
    chances = found[["p_3d", "p_7d", "p_14d"]].to_numpy()
    assert len(found)
    assert ((chances > 0) & (chances < 1)).all()
    assert (np.diff(chances, axis=1) >= 0).all()
    assert chances.mean() < most
    assert found["score"].between(1, 99).all()
    given = found[found["p_lo"].notna()]
    assert (given["p_lo"] <= given["p_7d"]).all()
    assert (given["p_7d"] <= given["p_hi"]).all()
    assert json.loads(next(project.folder.glob("models/*/bundle.json")).read_text())["model"]
    return found


CASES = {
    "ten leads": (of_first(10), [FEW]),
    "everyone converts in the end": (
        {
            "outcomes": csv(
                "id,at,outcome", [(who, after(at, 5 + n % 30), "won") for n, (who, at, _) in enumerate(LEADS)]
            )
        },
        [],
    ),
    "everyone is the same": (
        {
            "leads": csv("id,created,country", [(lead, "2024-01-01", "FR") for lead in LEAD_IDS]),
            "events": csv("id,at,kind", [(lead, "2024-01-02", "mail") for lead in LEAD_IDS]),
            "outcomes": csv("id,at,outcome", [(LEAD_IDS[n], f"2024-02-{1 + n:02}", "won") for n in range(28)]),
        },
        [],
    ),
    "a kind to each event": (
        {"events": csv("id,at,kind", [(*row[:2], f"page-{n}") for n, row in enumerate(EVENTS)])},
        [],
    ),
    "one moment to look from": ({}, [("spacing: 2d, look_back: 60d", "spacing: 15d, look_back: 15d"), FEW]),
    "only yesterday counts": ({}, [("training: {", "training: {recency_half_life: 1h, ")]),
    "as many rows as converted": ({}, [("training: {", "training: {max_training_rows: 1000, ")]),
}


@pytest.mark.parametrize("shape", ["hazard", "per_horizon"])
@pytest.mark.parametrize("case", CASES)
def test_next_to_nothing_makes_a_sane_model(make, case, shape):
    files, changes = CASES[case]
    project = make(**files).change("model: {", f"model: {{shape: {shape}, ")
    for old, new in changes:
        project.change(old, new)
    assert project("run", *AT).code == 0
    found = assert_sane(project, most=0.8 if case == "everyone converts in the end" else 0.2)
    if case == "everyone is the same":
        assert found[["p_3d", "p_7d", "p_14d"]].drop_duplicates().shape[0] == 1


def test_columns_that_say_nothing_say_nothing(make):
    odd = ("inf", "-inf", "nan", "1e999", "-1e999", "Infinity", "1e308", "1e-320", "NaN", "0x10")
    wide = [
        # the same for all; none; another word for each; another number for each; numbers with a few that are none
        ("same", "", f"w{n}x", str(n * 1_000_003 + 17), odd[n // 24] if n % 24 == 0 else str(n % 7), odd[n % 10])
        for n in range(len(LEADS))
    ]
    leads = csv(
        "id,created,constant,empty,word,number,mixed,odd",
        [(lead, at, *more) for (lead, at, _), more in zip(LEADS, wide, strict=True)],
    )
    project = make(leads=leads).change("[country]", "all")
    assert project("run", *AT).code == 0
    assert_sane(project, most=0.2)
    saved = json.loads(next(project.folder.glob("models/*/bundle.json")).read_text())
    named = [name for name in saved["features"] if name.startswith("profile_")]
    assert [name for name in named if "odd" not in name] == ["profile_mixed", "profile_number", "profile_constant=same"]
    base = dict(zip(saved["features"], zip(*saved["model"]["base"]["coef"], strict=False), strict=False))
    assert set(base["profile_constant=same"]) == {0.0}


# ---- a future that shows -----------------------------------------------------------------------------------------


def told_late(known):
    """Who will win is written all over the files: as kinds, attributes and dates, each known from a moment on."""
    won = [(lead, at) for lead, at, word in OUTCOMES if word == "won"]
    leads = [(lead, at, at, country, "") for lead, at, country in LEADS]
    leads += [(lead, at, known, country, "yes") for lead, at, country in LEADS if lead in dict(won)]
    events = [(*row, row[1]) for row in EVENTS]
    events += [(lead, after(at, 1), "signed", known) for lead, at, _ in LEADS if lead in dict(won)]
    events += [(lead, AS_OF, "signed", AS_OF) for lead, _ in won]
    return {
        "leads": csv("id,created,known,country,became", leads),
        "events": csv("id,at,kind,known", events),
        "outcomes": csv("id,at,outcome", [*OUTCOMES, *((lead, after(AS_OF, 1), "won") for lead in LEAD_IDS[:40])]),
    }


def test_a_future_column_changes_nothing(make):
    """What happens at the moment or later, or is learned then of the past, changes no bit of model and list."""
    told = {}
    for name, known in (("calm", None), ("future", AS_OF), ("past", after(AS_OF, -20))):
        files = told_late(known or AS_OF)
        if known is None:
            files = {
                "leads": csv("id,created,known,country,became", [(*row[:2], row[1], row[2], "") for row in LEADS]),
                "events": csv("id,at,kind,known", [(*row, row[1]) for row in EVENTS]),
                "outcomes": CALM["outcomes"],
            }
        project = make(name, **files).change("created_at: created}", "created_at: created, known_at: known}")
        project.change("[country]", "all").change("kind: kind}", "kind: kind, known_at: known}")
        told[name] = project("run", *AT, "--json").json
        told[name]["rows"] = project.scores().drop_columns(["run_id"])
    accepted = {name: found["ingest"]["tables"]["interactions"]["accepted"] for name, found in told.items()}
    assert accepted["calm"] + 50 < accepted["future"] == accepted["past"]
    assert told["future"]["train"]["version"] == told["calm"]["train"]["version"]
    assert told["future"]["train"]["facts"] == told["calm"]["train"]["facts"]
    assert told["future"]["rows"].equals(told["calm"]["rows"])
    assert told["past"]["train"]["version"] != told["calm"]["train"]["version"]
