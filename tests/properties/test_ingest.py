"""What must hold for any input: nothing is lost; order, repeats, parts, names and formats change nothing."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from leadscore.ingest import ingest
from projects import SEEN, content, project, put, rejected

COLUMNS = ("lead_id", "occurred_at", "kind", "value", "note")
GOOD = {
    "lead_id": st.sampled_from(["ada", "bob", 'O\'Neil\n"x"']),
    "occurred_at": st.sampled_from(["2024-02-01", "2024-03-31 02:30", "2024-02-01T10:00:00+01:00", "2023-10-29T02:30"]),
    "kind": st.sampled_from(["visit", "cäll", "a,b", "😀"]),
    "value": st.sampled_from(["", "1", "1.50", "-0", "1e3"]),
    "note": st.sampled_from(["", "x", " padded ", "{}"]) | st.text("a\"',;\n\t\\é", max_size=4),
}
BAD = {
    "lead_id": st.sampled_from(["", "eve"]),
    "occurred_at": st.sampled_from(["", "31/01/2024", "1969-01-01", "2031-01-01"]),
    "kind": st.just(""),
    "value": st.sampled_from(["nan", "twelve", "inf"]),
}
good_rows = st.lists(st.fixed_dictionaries(GOOD), max_size=8)
any_rows = st.lists(
    st.fixed_dictionaries({name: GOOD[name] | BAD.get(name, st.nothing()) for name in COLUMNS}), max_size=8
)
# A run through the door takes a quarter of a second, so few examples, and no search for the smallest.
quick = settings(max_examples=5, deadline=None, phases=(Phase.reuse, Phase.generate))

SOURCE = {
    "files": "events*",
    "columns": {name: name for name in COLUMNS[:-1]},
    "attributes": ["note"],
    "exclude": {"note": "x"},
}
LEADS = 'lead_id,created_at\nada,2023-01-01\nbob,2023-01-01\n"O\'Neil\n""x""",2023-01-01\n'


def as_csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_json(rows):
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\r\n" for row in rows)


def as_parquet(rows):
    sink = io.BytesIO()
    pq.write_table(pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in COLUMNS}), sink)
    return sink.getvalue()


def world(folder, files):
    return project(
        Path(folder), files={"leads.csv": LEADS, **files}, sources={"interactions": SOURCE}, time_zone="Europe/Paris"
    )


def stored_after(*steps):
    """The store's content after ingesting folders of files one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        for number, files in enumerate(steps):
            for old in Path(folder).glob("events*"):
                old.unlink()
            config = world(folder, files)
            ingest(config, SEEN + number)
        return content(config)


@quick
@given(any_rows, st.lists(st.sampled_from(["ada", "a,b,c,d,e,f", '"x"y,z,,,']), max_size=2))
def test_nothing_is_lost(rows, broken):
    data = as_csv(rows) + "".join(f"{line}\n" for line in broken).encode()
    with tempfile.TemporaryDirectory() as folder:
        config = world(folder, {"events.csv": data})
        counts = ingest(config, SEEN).tables["interactions"]
        told = rejected(config)
        assert counts.read == len(rows) + len(broken)
        assert counts.read == counts.excluded + counts.accepted + counts.repeated + counts.rejected
        assert len(content(config)["interactions"]) == counts.accepted
        assert len(told) == len({line for _, line, *_ in told}) == counts.rejected
        assert all(rules for _, _, rules, *_ in told)
        assert sum("malformed_row" in rules for _, _, rules, *_ in told) == len(broken)
        lines = data.decode().split("\n")
        for _, line, _, _, _, row in told:
            if isinstance(row, dict):
                assert lines[line - 1].lstrip('"').startswith(row["lead_id"].split("\n")[0])
            else:
                assert lines[line - 1] in broken


@quick
@given(good_rows, st.randoms(use_true_random=False), st.integers(0, 8))
def test_order_repeats_parts_and_names_change_nothing(rows, chance, cut):
    rows = [{"lead_id": "ada", "occurred_at": "2024-02-01", "kind": "visit", "value": "", "note": ""}, *rows]
    shuffled = chance.sample(rows, len(rows))
    once = stored_after({"events.csv": as_csv(rows)})
    parts = {"events-a.csv": as_csv(shuffled[:cut]), "events-b.csv": as_csv(shuffled[cut:] + shuffled[:2])}
    assert stored_after(parts) == once
    one_by_one = [{name: data} for name, data in parts.items()]
    assert stored_after(*one_by_one, {"events-renamed.csv": as_csv(rows)}) == once


@quick
@given(good_rows.filter(bool))
def test_formats_agree(rows):
    others = {
        "events.csv.gz": gzip.compress(b"\n" + as_csv(rows)),
        "events.jsonl": as_json(rows),
        "events.parquet": as_parquet(rows),
    }
    with tempfile.TemporaryDirectory() as folder:
        first = ingest(world(folder, {"events.csv": as_csv(rows)}), SEEN).tables["interactions"]
        again = ingest(world(folder, others), SEEN).tables["interactions"]
        assert again.accepted == again.rejected == 0
        assert (again.read, again.excluded) == (3 * first.read, 3 * first.excluded)


@quick
@given(any_rows.filter(bool))
def test_the_same_input_again_makes_no_new_version_and_the_same_list_of_rejected_rows(rows):
    with tempfile.TemporaryDirectory() as folder:
        config = world(folder, {"events.csv": as_csv(rows)})
        first = ingest(config, SEEN)
        lists = {path: path.read_bytes() for path in first.rejected_files}
        for number in (1, 2):
            put(Path(folder), {"unrelated.txt": "x"})
            again = ingest(config, SEEN + number)
            assert again.versions == first.versions
            assert {path: path.read_bytes() for path in again.rejected_files} == lists
