"""The store: pinned versions, a bucket as known at a moment, the lock, a full or closed disk, a crash half-way."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import threading

import pytest
from deltalake import DeltaTable

from leadscore.errors import ConfigError, DataError, StateError
from leadscore.ingest import ingest
from leadscore.store import lake as lake_module
from leadscore.store import open_lake, read_bucket, write_lock
from leadscore.timeline import DAY, parse_moment
from projects import EVENTS, SEEN, content, drawn, project, put, rejected, stored

WORLD = {
    "leads.csv": drawn(
        """
        lead_id | account_id | created_at | known_at   | country
        ada     | acme       | 2024-01-01 | _          | FR
        ada     | acme       | 2024-01-01 | 2024-03-01 | DE
        bob     | _          | 2024-02-02 | _          | IT
        cleo    | acme       | 2024-05-01 | 2024-04-01 | ES
        """
    ),
    "interactions.csv": drawn(
        """
        lead_id | occurred_at | known_at   | kind   | value
        ada     | 2024-02-03  | _          | visit  | 2
        ada     | 2024-02-01  | 2024-04-01 | call   | 1.5
        ada     | 2024-02-02  | _          | secret | _
        ada     | 2024-02-04  | _          | signed | _
        bob     | 2024-06-01  | _          | visit  | _
        """
    ),
    "outcomes.csv": "lead_id,occurred_at,outcome\nada,2024-02-02,lost\n",
}


def world(folder, **settings):
    return project(folder, files=WORLD, sources={"leads": {"attributes": ["country"]}}, **settings)


def whole(config, before, **words):
    """All buckets together, by table."""
    lake = open_lake(config)
    parts = [read_bucket(lake, bucket, parse_moment(before, "UTC"), **words) for bucket in range(lake.buckets)]
    tables = ("leads", "interactions", "outcomes", "consents")
    return {name: [tuple(row.values()) for part in parts for row in getattr(part, name).to_pylist()] for name in tables}


def day(text):
    return parse_moment(text, "UTC")


def test_a_bucket_shows_what_happened_and_was_known_strictly_before_the_moment(tmp_path):
    config = world(tmp_path)
    ingest(config, SEEN)
    seen = whole(config, "2024-03-01")
    created = day("2024-01-01")
    assert sorted(seen["leads"]) == [
        ("ada", "acme", None, created, None, created, '{"country":"FR"}'),
        ("bob", None, None, day("2024-02-02"), None, day("2024-02-02"), '{"country":"IT"}'),
    ]
    assert [row[3] for row in seen["interactions"]] == ["secret", "visit", "signed"]
    later = whole(config, "2024-05-01T00:00:01Z")
    assert [(row[3], row[2] - row[1], row[11]) for row in later["interactions"]] == [
        ("call", 60 * DAY, 1.5),
        ("secret", 0, None),
        ("visit", 0, 2.0),
        ("signed", 0, None),
    ]
    assert [row[6] for row in later["leads"] if row[0] == "ada"] == ['{"country":"FR"}', '{"country":"DE"}']
    assert "cleo" in {row[0] for row in later["leads"]}
    assert whole(config, "2024-05-01")["leads"] == [row for row in later["leads"] if row[0] != "cleo"]


def test_outcome_words_and_hidden_kinds_are_never_interactions(tmp_path):
    config = world(tmp_path)
    ingest(config, SEEN)
    seen = whole(config, "2024-07-01", hidden_kinds=("secret",), outcome_words=("signed", "visit' or true --"))
    assert {row[3] for row in seen["interactions"]} == {"call", "visit"}
    moments = (day("2024-02-02"), day("2024-02-04"))
    assert seen["outcomes"] == [("ada", moments[0], moments[0], "lost"), ("ada", moments[1], moments[1], "signed")]


def test_a_bucket_holds_whole_accounts_and_every_bucket_has_the_same_columns(tmp_path):
    config = project(tmp_path, files=WORLD, ingest={"buckets": 64, "max_rejected_share": 0})
    ingest(config, SEEN)
    lake = open_lake(config)
    buckets = [read_bucket(lake, bucket, SEEN) for bucket in range(64)]
    homes = [{row["lead_id"] for row in bucket.leads.to_pylist()} for bucket in buckets]
    assert sorted(map(sorted, filter(None, homes))) == [["ada", "cleo"], ["bob"]]
    for name in ("leads", "interactions", "outcomes", "consents"):
        assert len({getattr(bucket, name).schema for bucket in buckets}) == 1
    assert buckets[0].consents.column_names == ["lead_id", "occurred_at", "known_at", "purpose", "status"]


def test_a_store_made_anew_is_another_one_at_the_same_versions(tmp_path):
    config = world(tmp_path)
    ingest(config, SEEN)
    before = open_lake(config)
    assert open_lake(config).identities() == before.identities()
    shutil.rmtree(tmp_path / "data" / "store")
    ingest(config, SEEN)
    after = open_lake(config)
    assert after.versions() == before.versions()
    assert not set(after.identities().values()) & set(before.identities().values())


def test_a_lake_stays_at_the_versions_it_was_opened_with(tmp_path):
    config = world(tmp_path)
    ingest(config, SEEN)
    before = open_lake(config)
    put(tmp_path, {"interactions.csv": WORLD["interactions.csv"] + "bob,2024-06-02,,visit,\n"})
    result = ingest(config, SEEN)
    assert (before.versions()["interactions"], result.versions["interactions"]) == (0, 1)
    assert result.versions == open_lake(config).versions()
    assert set(before.uris("interactions")) < set(open_lake(config).uris("interactions"))


def test_without_a_store_something_must_run_first(tmp_path):
    with pytest.raises(StateError, match="leadscore ingest"):
        open_lake(project(tmp_path))


def test_the_number_of_buckets_is_fixed(tmp_path):
    ingest(world(tmp_path), SEEN)
    with pytest.raises(StateError, match=r"made with 2 buckets.*ingest\.buckets: 3"):
        ingest(world(tmp_path, ingest={"buckets": 3}), SEEN)


def test_a_store_of_another_layout_is_not_read(tmp_path):
    config = world(tmp_path)
    ingest(config, SEEN)
    made = config.data_path / "store" / "store.json"
    made.write_text(made.read_text().replace('"layout": 2', '"layout": 1'))
    with pytest.raises(StateError, match=r"layout 1, expected 2.*ingest"):
        open_lake(config)


def test_a_mapping_may_change_as_long_as_the_rows_of_the_store_stay_what_they_are(tmp_path):
    events = "lead_id,occurred_at,kind,page\nada,2024-02-01,visit,a\nada,01/02/2024,visit,b\n"

    def mapped(**source):
        return project(tmp_path, files={"interactions.csv": events}, sources={"interactions": source})

    ingest(mapped(time_formats="%Y-%m-%d"), SEEN)
    helped = ingest(mapped(time_formats=["%Y-%m-%d", "%d/%m/%Y"]), SEEN).tables["interactions"]
    assert (helped.accepted, helped.repeated, helped.rejected) == (0, 2, 0)  # the same visit, now understood
    before = content(mapped())
    for other in ({"attributes": ["page"]}, {"exclude": {"page": "a"}, "time_formats": ["%Y-%m-%d", "%d/%m/%Y"]}):
        with pytest.raises(
            StateError, match=r"mapping .* changed since interactions\.csv was ingested, and \d of its rows"
        ):
            ingest(mapped(**other), SEEN)
    assert content(mapped()) == before


def test_a_file_with_rejected_rows_is_read_again_until_they_are_good(tmp_path):
    config = project(tmp_path, files={"interactions.csv": EVENTS + "eve,2024-02-01,visit\n"})
    assert [row[2] for row in rejected(config)] == ["unknown_lead"]
    before = open_lake(config).versions()
    again = ingest(config, SEEN)
    assert again.skipped_files == ["leads.csv"]
    assert again.versions == before
    assert again.tables["interactions"].repeated == 1
    leads = "lead_id,created_at\nada,2024-01-01\nbob,2024-01-02\neve,2024-01-03\n"
    put(tmp_path, {"leads.csv": leads})
    assert rejected(config) == []
    assert not any((tmp_path / "data/rejected").iterdir())
    assert ingest(config, SEEN).skipped_files == ["leads.csv", "interactions.csv"]
    assert len(stored(config, "interactions")) == 2


def test_an_old_file_of_leads_with_rejected_rows_does_not_bring_the_past_back(tmp_path):
    sources = {"leads": {"files": "leads*.csv", "columns": {"lead_id": "lead_id", "created_at": "created_at"}}}
    sources["leads"]["attributes"] = ["country"]
    old = "lead_id,created_at,country\nada,2024-01-01,FR\nbob,never,FR\n"
    config = project(tmp_path, files={"leads.csv": old}, sources=sources)
    ingest(config, SEEN)
    put(tmp_path, {"leads-2.csv": "lead_id,created_at,country\nada,2024-01-01,DE\n"})
    for _ in range(2):
        assert [row[:3] for row in rejected(config, SEEN + DAY)] == [("leads.csv", 3, "not_a_moment:created_at")]
    assert stored(config, "leads", "attributes->>'country'") == [("DE",), ("FR",)]


def test_a_crash_between_two_tables_is_repaired_by_the_next_run(tmp_path, monkeypatch):
    ingest(world(tmp_path / "calm"), SEEN)
    expected = content(world(tmp_path / "calm"))
    for table in ("interactions", "outcomes", "files"):
        config = world(tmp_path / table)

        def crash(target, *_, table=table, real=lake_module.write_deltalake, **settings):
            if target.endswith(table):
                raise KeyboardInterrupt
            real(target, *_, **settings)

        with monkeypatch.context() as patch:
            patch.setattr(lake_module, "write_deltalake", crash)
            with pytest.raises(KeyboardInterrupt):
                ingest(config, SEEN)
        assert content(config) != expected or table == "files"
        with pytest.raises(StateError, match="did not come to its end"):  # nobody scores from half an ingest
            open_lake(config)
        ingest(config, SEEN + DAY)
        assert open_lake(config).versions()["leads"] == 0
        assert content(config) == expected


@pytest.mark.parametrize("said", ["", "os error 28", "os error 13"])
def test_a_full_or_closed_disk_is_one_sentence_and_leaves_nothing_half_written(tmp_path, monkeypatch, said):
    config = world(tmp_path)
    ingest(config, SEEN)
    before, files = content(config), sorted((tmp_path / "data").rglob("*"))
    real = lake_module.write_deltalake

    def fail(*given, **settings):
        real(*given, **settings | {"mode": "append"})  # the data files are there, then the commit fails
        (tmp_path / "data/store/interactions/_delta_log/00000000000000000001.json").unlink()
        raise lake_module.DeltaError(f"Generic error: {said}") if said else OSError(errno.ENOSPC, "No space left")

    put(tmp_path, {"interactions.csv": WORLD["interactions.csv"] + "bob,2024-06-02,,visit,\n"})
    monkeypatch.setattr(lake_module, "write_deltalake", fail)
    with pytest.raises(ConfigError, match=r"no space is left|permission is denied") as caught:
        ingest(config, SEEN)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert sorted((tmp_path / "data").rglob("*")) == files
    assert content(config) == before


def test_a_file_where_the_data_folder_should_be_is_one_sentence(tmp_path):
    config = project(tmp_path, files={"data": "here first"})
    with pytest.raises(ConfigError, match="a part of the path is a file"):
        ingest(config, SEEN)
    config = project(tmp_path / "other", files={".leadscore": "here first"})
    with pytest.raises(ConfigError, match="a file stands where a folder is expected"):
        ingest(config, SEEN)
    with pytest.raises(ConfigError, match=r"cannot live under a path that holds \[ \]"):
        ingest(project(tmp_path / "a[b]"), SEEN)


def test_after_a_refusal_no_folder_stays_behind_and_an_old_store_is_untouched(tmp_path):
    config = world(tmp_path, ingest={"buckets": 2, "max_rejected_share": 0})
    ingest(config, SEEN)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    put(tmp_path, {"outcomes.csv": "lead_id,occurred_at,outcome\nada,when,lost\n"})
    with pytest.raises(DataError, match="outcomes: 1 of 1 rows rejected"):
        ingest(config, SEEN)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")} == files


HOLD = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from leadscore.store import write_lock
with write_lock(SimpleNamespace(state_path=Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_waits_says_so_and_ends_with_the_process_that_held_it(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(lake_module, "_SAY_AFTER_SECONDS", 0.1)
    config = project(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLD, config.state_path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        threading.Timer(0.5, holder.kill).start()
        with write_lock(config):
            assert holder.wait(5) < 0
    assert [record.message for record in caplog.records] == [
        "Another run is writing to this project; waiting for it to end …"
    ]


def test_every_table_is_a_delta_table_any_engine_can_read(tmp_path):
    config = world(tmp_path)
    ingest(config, SEEN)
    table = DeltaTable(str(tmp_path / "data/store/interactions"))
    assert table.metadata().partition_columns == ["bucket"]
    types = {field.name: str(field.type) for field in table.schema().fields}
    assert types["occurred_at"] == 'PrimitiveType("timestamp")'
    assert types["layer"] == 'PrimitiveType("long")'
