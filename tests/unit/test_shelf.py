from __future__ import annotations

import json
import logging
import os
import stat
import threading

import numpy as np
import pytest

from bundles import tiny_bundle, tiny_matrix
from leadscore.errors import ConfigError, StateError
from leadscore.registry import shelf

FILES = ("bundle.json", "trees-1.txt", "trees-2.txt", "trees.txt")


@pytest.fixture(scope="module")
def bundle():
    return tiny_bundle()


def names(models):
    return sorted(str(path.relative_to(models)) for path in models.rglob("*") if path.is_file())


def test_a_kept_bundle_scores_the_same_to_the_last_bit(tmp_path, bundle):
    folder = shelf.keep(tmp_path / "models", bundle)
    again = shelf.read(tmp_path / "models", bundle.version)
    assert folder.name == bundle.version == again.version
    np.testing.assert_array_equal(again.readiness(tiny_matrix()), bundle.readiness(tiny_matrix()))


def test_keeping_twice_changes_nothing(tmp_path, bundle):
    folder = shelf.keep(tmp_path, bundle)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert shelf.keep(tmp_path, bundle) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert names(tmp_path) == [f"{bundle.version}/{name}" for name in FILES]


def test_others_may_read_what_the_umask_allows(tmp_path, bundle):
    before = os.umask(0o022)
    try:
        folder = shelf.keep(tmp_path, bundle)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_many_who_keep_the_same_bundle_at_once_all_succeed(tmp_path, bundle):
    failed = []

    def bring():
        try:
            shelf.keep(tmp_path, bundle)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the failure looked for
            failed.append(error)

    threads = [threading.Thread(target=bring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert names(tmp_path) == [f"{bundle.version}/{name}" for name in FILES]


def test_a_bundle_is_kept_whole_or_not_at_all(tmp_path, bundle, monkeypatch):
    def disk_is_full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(ConfigError, match="No space left on device"):
        shelf.keep(tmp_path, bundle)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["trees.txt", "trees-2.txt"])
def test_a_damaged_bundle_is_refused_and_mended_by_keeping_it_again(tmp_path, bundle, name):
    trees = shelf.keep(tmp_path, bundle) / name
    trees.write_text(trees.read_text(encoding="utf-8").replace("num_cat=0", "num_cat=1", 1), encoding="utf-8")
    with pytest.raises(StateError, match="changed after training"):
        shelf.read(tmp_path, bundle.version)
    with pytest.raises(StateError, match="no whole bundle"):
        shelf.crown(tmp_path, bundle.version, {})
    shelf.keep(tmp_path, bundle)
    assert shelf.read(tmp_path, bundle.version).version == bundle.version


def test_the_shelf_is_listed_by_moment_and_what_is_no_bundle_is_passed_over(tmp_path, bundle, caplog):
    later = tiny_bundle(as_of=bundle.as_of + 1)
    for kept in (later, bundle):
        shelf.keep(tmp_path, kept)
    for name in ("notes", "broken", "flat"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "bundle.json").write_text("{", encoding="utf-8")
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    with caplog.at_level(logging.INFO):
        found = shelf.kept(tmp_path)
    assert found == [
        shelf.Kept(bundle.version, bundle.as_of, "0123456789ab", "tiny"),
        shelf.Kept(later.version, later.as_of, "0123456789ab", "tiny"),
    ]
    assert "broken: passed over" in caplog.text
    assert "notes: passed over" in caplog.text
    assert "flat" not in caplog.text.replace(str(tmp_path), "")
    assert shelf.kept(tmp_path / "nowhere") == []


def test_the_champion_is_the_last_one_crowned(tmp_path, bundle):
    other = tiny_bundle(as_of=0)
    assert shelf.champion(tmp_path) is None
    for version, run in ((shelf.keep(tmp_path, bundle).name, "a"), (shelf.keep(tmp_path, other).name, "b")):
        shelf.crown(tmp_path, version, {"run_id": run, "registered_version": None})
    assert shelf.champion(tmp_path) == other.version
    assert json.loads((tmp_path / "champion.json").read_text(encoding="utf-8")) == {
        "version": other.version,
        "run_id": "b",
        "registered_version": None,
    }
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_bundle_that_is_not_there_is_neither_read_nor_crowned(tmp_path):
    with pytest.raises(StateError, match="no readable bundle"):
        shelf.read(tmp_path, "0123456789ab")
    with pytest.raises(StateError, match="no whole bundle"):
        shelf.crown(tmp_path, "0123456789ab", {})
    assert shelf.champion(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "\xff{"])
def test_a_champion_file_that_names_nobody_is_said_so(tmp_path, text):
    (tmp_path / "champion.json").write_text(text, encoding="latin-1")
    with pytest.raises(StateError, match="does not name a champion"):
        shelf.champion(tmp_path)
