"""A slot on disk: whole or not there, pointed at in one rename, harmless in a spreadsheet."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from leadscore.delivery import files
from leadscore.delivery.files import (
    Slot,
    deliver,
    earlier_slots,
    neutral,
    point_latest,
    previous_slot,
    read_manifest,
    slots,
)
from leadscore.timeline import DAY, parse_moment


def slot(text, fingerprint="abc", project="tiny"):
    return Slot(project, parse_moment(text, "UTC"), fingerprint)


MONDAY, TUESDAY = slot("2024-01-01"), slot("2024-01-02")


def ranked(*scores):
    return pa.table({"lead_id": [f"lead-{n}" for n in range(len(scores))], "score": pa.array(scores, pa.int32())})


def everything(folder):
    return {
        str(path.relative_to(folder)): path.readlink().name if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_a_slot_is_its_files_a_manifest_of_them_and_latest(tmp_path):
    manifest = deliver(tmp_path / "out", MONDAY, ranked(9, 5), {"model": "m"})
    folder = tmp_path / "out" / "20240101T000000Z-abc"
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "scores.csv", "scores.parquet"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [folder.name, "latest"]
    assert (tmp_path / "out" / "latest").resolve() == folder
    assert not (tmp_path / "out" / "latest").readlink().is_absolute()  # the folder may be moved
    assert read_manifest(folder) == manifest
    assert (manifest["as_of"], manifest["model"]) == ("2024-01-01T00:00:00Z", "m")
    assert pq.read_table(folder / "scores.parquet").equals(ranked(9, 5))


def test_the_same_slot_again_changes_nothing(tmp_path):
    first = deliver(tmp_path, MONDAY, ranked(9, 5), {})
    inode, before = (tmp_path / MONDAY.name).stat().st_ino, everything(tmp_path)
    assert deliver(tmp_path, MONDAY, ranked(1, 2), {"other": "facts"}) == first
    assert (tmp_path / MONDAY.name).stat().st_ino == inode
    assert everything(tmp_path) == before


@pytest.mark.parametrize("stage", ["write_csv", "_describe", "_flush"])
def test_an_accident_while_writing_leaves_the_last_good_slot_and_nothing_else(tmp_path, monkeypatch, stage):
    deliver(tmp_path, MONDAY, ranked(9), {})
    before = everything(tmp_path)

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, stage, fails)
    with pytest.raises(OSError, match="No space left"):
        deliver(tmp_path, TUESDAY, ranked(8), {})
    assert everything(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [MONDAY.name, "latest"]


def test_a_process_killed_while_writing_does_not_stand_in_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "getpid", lambda: 7)
    left = tmp_path / f".{MONDAY.name}.7"
    left.mkdir()
    (left / "half").touch()
    deliver(tmp_path, MONDAY, ranked(9), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [MONDAY.name, "latest"]
    assert "half" not in everything(tmp_path / MONDAY.name)


@pytest.mark.parametrize("damage", ["changed", "missing file", "missing manifest", "broken manifest"])
def test_a_damaged_slot_is_none_and_is_written_anew(tmp_path, damage):
    deliver(tmp_path, MONDAY, ranked(9), {})
    folder = tmp_path / MONDAY.name
    if damage == "changed":
        (folder / "scores.csv").write_text("lead_id,score\nmallory,99\n")
    elif damage == "missing file":
        (folder / "scores.parquet").unlink()
    elif damage == "missing manifest":
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_text("[]")
    assert read_manifest(folder) is None
    assert list(slots(tmp_path)) == []
    deliver(tmp_path, MONDAY, ranked(3), {})
    assert pq.read_table(folder / "scores.parquet")["score"].to_pylist() == [3]


def test_latest_is_switched_in_one_rename(tmp_path, monkeypatch):
    """It is never removed first: right before the rename it still points at the old slot."""
    deliver(tmp_path, MONDAY, ranked(9), {})
    link, seen = tmp_path / "latest", []
    replace = type(link).replace

    def watched(self, target):
        seen.append(link.readlink().name)
        done = replace(self, target)
        seen.append(link.readlink().name)
        return done

    monkeypatch.setattr(type(link), "replace", watched)
    deliver(tmp_path, TUESDAY, ranked(8), {})
    assert seen == [MONDAY.name, TUESDAY.name]


def test_latest_never_goes_back_to_an_older_moment(tmp_path):
    link = tmp_path / "latest"
    for delivered, expected in [
        (MONDAY, MONDAY),
        (TUESDAY, TUESDAY),
        (slot("2023-12-31"), TUESDAY),  # a backfill
        (MONDAY, TUESDAY),  # a repeat
        (slot("2024-01-02", "aaa"), slot("2024-01-02", "aaa")),  # the configuration was changed, the moment is the same
        (slot("2024-01-02", "zzz"), slot("2024-01-02", "zzz")),
        (slot("2024-01-01", "zzz"), slot("2024-01-02", "zzz")),
        (slot("2024-01-02T00:00:00.5"), slot("2024-01-02T00:00:00.5")),
        (TUESDAY, slot("2024-01-02T00:00:00.5")),
    ]:
        deliver(tmp_path, delivered, ranked(9), {})
        assert link.readlink().name == expected.name


def test_latest_leaves_a_slot_that_is_no_longer_good(tmp_path):
    deliver(tmp_path, MONDAY, ranked(9), {})
    deliver(tmp_path, TUESDAY, ranked(9), {})
    shutil.rmtree(tmp_path / TUESDAY.name)
    point_latest(tmp_path, MONDAY.name)
    assert (tmp_path / "latest").readlink().name == MONDAY.name


def test_slots_are_named_and_listed_in_the_order_of_their_moments(tmp_path):
    texts = [f"2024-01-01T00:00:0{second}" for second in ("0", "0.000001", "0.900000", "1", "9.500000")]
    for text in reversed(texts):
        deliver(tmp_path, slot(text), ranked(9), {})
    (tmp_path / "notes").mkdir()
    names = [folder.name for folder, _ in slots(tmp_path)]
    assert names == [slot(text).name for text in texts] == sorted(names)


def test_earlier_slots_are_looked_into_only_where_they_are_wanted(tmp_path, monkeypatch):
    days = ["2024-01-01", "2024-01-02T00:00:00.000001", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-10"]
    for day in days:
        deliver(tmp_path, slot(day), ranked(9), {})
    (tmp_path / f"copy of {MONDAY.name}").mkdir()
    read = []
    monkeypatch.setattr(files, "read_manifest", lambda folder: (read.append(folder.name), read_manifest(folder))[1])

    def found(**wanted):
        return [folder.name for folder, _ in earlier_slots(tmp_path, slot("2024-01-10"), **wanted)]

    assert found() == [slot(day).name for day in days[-2::-1]]
    read.clear()
    # A damaged one makes room for one that is not.
    (tmp_path / slot("2024-01-09").name / "scores.csv").unlink()
    weekly = [slot(day).name for day in ("2024-01-08", "2024-01-01")]
    assert found(until=slot("2024-01-09").as_of, apart=7 * DAY) == weekly
    assert read == [slot("2024-01-09").name, *weekly]


def test_the_previous_slot_is_the_newest_earlier_good_one_of_the_same_list(tmp_path):
    wednesday = slot("2024-01-03")
    assert previous_slot(tmp_path, wednesday) is None
    deliver(tmp_path, MONDAY, ranked(10), {})
    deliver(tmp_path, TUESDAY, ranked(20), {})
    deliver(tmp_path, slot("2024-01-02T12:00", "other"), ranked(30), {})
    deliver(tmp_path, slot("2024-01-02T13:00", project="elsewhere"), ranked(40), {})
    deliver(tmp_path, slot("2024-01-04"), ranked(50), {})
    deliver(tmp_path, wednesday, ranked(60), {})
    assert previous_slot(tmp_path, wednesday)[0].name == TUESDAY.name
    (tmp_path / TUESDAY.name / "scores.csv").unlink()
    assert previous_slot(tmp_path, wednesday)[0].name == MONDAY.name


def test_more_files_go_along_and_into_the_manifest(tmp_path):
    def more(folder):
        (folder / "crm").mkdir()
        (folder / "crm" / "list.csv").write_text("lead\n")
        return {"rows": 1}

    manifest = deliver(tmp_path, MONDAY, ranked(9), {}, more)
    assert manifest["rows"] == 1
    assert sorted(manifest["files"]) == ["crm/list.csv", "scores.csv", "scores.parquet"]
    (tmp_path / MONDAY.name / "crm" / "list.csv").write_text("other\n")
    assert read_manifest(tmp_path / MONDAY.name) is None


@pytest.mark.parametrize("text", ["=1+1", "+33 1", "-5", "@cmd", "\tx", "\rx", "=", "-"])
def test_a_cell_a_spreadsheet_would_run_is_neutralised(text):
    assert neutral(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["=1+1", "-5", "＝1", '"=1', " =1"])  # noqa: RUF001 - it runs, too
@pytest.mark.parametrize("before", ["", "a,", "a;", "a|", "a;b\t", "a\n"])
def test_so_is_a_cell_it_would_make_of_a_part(before, cell):
    sign = cell.lstrip(' "')
    assert neutral(before + cell) == before + cell.removesuffix(sign) + "'" + sign


@pytest.mark.parametrize("sign", [*",;|\t\r\n", '"', " "])
def test_many_signs_between_cells_are_passed_once(sign):
    """Looked at again from each of them, they would take minutes."""
    many = 100_000 * sign
    first = "'" if sign in "\t\r\n" else ""
    assert neutral(f"{many}=1") == f"{first}{many}'=1"
    assert neutral(f"{many}a=1") == f"{first}{many}a=1"


@pytest.mark.parametrize("text", ["Ada", "a=b", "1-2", "", "'=1", "7 - 5; 1=1", "a,b;c", "é", "𝄞"])
def test_other_text_stays(text):
    assert neutral(text) == text


def test_the_table_for_people_is_harmless_and_readable(tmp_path):
    table = pa.table(
        {
            "lead_id": ['=cmd|"x"', "b,\nc", None],
            "as_of": pa.array([0, 1, -1], pa.int64()).cast(pa.timestamp("us", "UTC")),
            "p_7d": [0.12345678, None, 1e-6],
            "sign": pa.array([-1, 1, None], pa.int8()),
        }
    )
    files.write_csv(table, tmp_path / "t.csv")
    options = pyarrow.csv.ConvertOptions(
        column_types={"as_of": pa.string()}, strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
    again = pyarrow.csv.read_csv(tmp_path / "t.csv", convert_options=options, parse_options=parsing).to_pydict()
    assert again == {
        "lead_id": ['\'=cmd|"x"', "b,\nc", None],
        "as_of": ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000001Z", "1969-12-31T23:59:59.999999Z"],
        "p_7d": [0.123457, None, 1e-6],
        "sign": [-1, 1, None],
    }


def test_a_run_is_named_by_slot_and_model():
    assert MONDAY.run_id("m") == MONDAY.run_id("m") != MONDAY.run_id("n")
    assert len({MONDAY.run_id("m"), TUESDAY.run_id("m"), slot("2024-01-01", project="x").run_id("m")}) == 3
    assert len(json.dumps(MONDAY.run_id("m"))) == 14
