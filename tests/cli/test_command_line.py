"""The command line by itself: usage, order of steps, places that cannot be written to, processes that die or meet."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.commands import AS_OF, SETTINGS, TRACKED, TRAINED_AS_OF, Project, Told, command, company
from conftest import ROOT

AT = ("--as-of", AS_OF)
LEADSCORE = (sys.executable, "-c", "from leadscore.cli import main; main()")
TESTS = str(ROOT / "tests")


def process(*words, **options):
    """Start the command line as a process."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*LEADSCORE, *words], **pipes | options)


def ended(started):
    out, err = started.communicate(timeout=120)
    return Told(started.returncode, out, err)


# ---- words ---------------------------------------------------------------------------------------------------


def test_help_answers_at_once_because_nothing_heavy_is_imported():
    heavy = "{'numpy', 'pandas', 'duckdb', 'mlflow', 'lightgbm', 'pyarrow', 'pydantic'}"
    code = f"import sys, leadscore.cli; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    times = []
    for _ in range(3):  # the best of three: the machine has other work
        started = time.monotonic()
        told = ended(process("--help"))
        times.append(time.monotonic() - started)
    assert told.code == 0
    assert "Usage: leadscore" in told.out
    assert min(times) < 0.5


USAGE = {
    "scroe": "No such command 'scroe'. Did you mean 'score'?",
    "score --asof 2024-01-01": "No such option: --asof",
    "score --as-of": "Option '--as-of' requires an argument",
    "run twice": "unexpected extra argument",
    "init": "Missing option '--leads'",
    "backtest --origins many": "Invalid value for '--origins'",
    "demo --leads 3": "Invalid value for '--leads'",
    "demo --language de": "found 'de', expected en or fr",
    "run -c nowhere.yaml": "nowhere.yaml: no such configuration file",
    "run -c .": "is a folder, expected a file such as leadscore.yaml",
}


@pytest.mark.parametrize("words", USAGE)
def test_a_slip_in_the_words_is_one_sentence(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = command(*words.split())
    assert told.code == 2
    assert USAGE[words] in told.error[0]
    assert list(tmp_path.iterdir()) == []


def test_no_words_show_the_help_and_a_slip_names_the_help_of_its_verb():
    told = command()
    assert told.code == 2
    assert told.err.startswith("Usage: leadscore")
    assert command("score", "--asof", "x").error[1] == "See leadscore score --help."


def test_with_json_an_error_is_one_object_too(make):
    project = make()
    for words, code, kind in (
        (("score", *AT), 5, "StateError"),
        (("score", "--as-of", "soon"), 2, "ConfigError"),
        (("score", "--nonsense"), 2, "ConfigError"),
        (("run", "--as-of", "2020-01-01"), 3, "DataError"),
    ):
        told = project(*words, "--json")
        assert told.code == code
        assert told.json["error"] == {"kind": kind, "message": told.error[0], "hint": told.error[1]}


NO_MOMENT = r"expected a moment such as 2026-01-31"
TO_COME = "expected a moment that has come"
MOMENTS = {
    "nonsense": NO_MOMENT,
    "": NO_MOMENT,
    "2024-02-30": NO_MOMENT,
    "2024-03-21T25:00": NO_MOMENT,
    "21/03/2024": NO_MOMENT,
    "0001-01-01T00:00:00+14:00": "expected a moment after 1970",
    "1969-12-31": "expected a moment after 1970",
    "2199-01-01": TO_COME,
    "9999-12-31T23:59:59-12:00": TO_COME,
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("verb", ["run", "score"])
def test_a_moment_that_is_none_or_has_not_come_is_refused_before_anything_is_done(trained, verb, moment):
    before = trained.left()
    told = trained(verb, "--as-of", moment)
    assert told.code == 2
    assert MOMENTS[moment] in told.error[0]
    assert trained.left() == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "  leads:",
            "\tleads:",
            r"not valid YAML: line 4, column 1: .*\n  what to do: Indent with spaces; YAML allows no tabs",
        ),
        (
            "horizons: [3d",
            "horizonz: [3 days",
            r"1 mistake .*\n  line 9: horizonz: unknown key .* did you mean 'horizons'\?",
        ),
        ("spacing: 2d", "spacing: 1m", r"86,400 moments at a spacing of 1m \(m is a minute\)"),
        ("trees: 10", "trees: 0", r"model.trees: found '0', expected at least 1"),
    ],
)
def test_a_slip_in_the_configuration_says_its_line(make, old, new, said):
    project = make().change(old, new)
    before = project.left()
    told = project("run", *AT)
    assert told.code == 2
    assert re.search(said, told.err)
    assert told.error
    assert project.left() == before


# ---- what must run first ---------------------------------------------------------------------------------------


def test_each_step_says_what_must_run_before_it(make):
    project = make()
    assert project("train", *AT).error[1] == "Run `leadscore ingest` first."
    for verb in ("train", "score", "backtest", "monitor"):
        assert project(verb, *AT).code == 5
    assert project("ingest").code == 0
    told = project("score", *AT)
    assert (told.code, told.error[0]) == (
        5,
        "No model of this configuration was trained as of 2024-03-21T00:00:00Z or before.",
    )
    assert "leadscore train" in told.error[1]
    told = project("run", "--as-of", "2020-01-01")
    assert (told.code, told.error[0]) == (3, "No leads were known before 2020-01-01T00:00:00Z.")
    assert project.left("out", "models") == {}


def test_a_list_is_never_made_by_a_model_that_has_seen_its_future(trained):
    told = trained("score", "--as-of", "2024-03-13")
    assert told.code == 5
    assert "was trained as of 2024-03-13T00:00:00Z or before" in told.error[0]
    assert trained.left("out") == {}
    assert trained("score", "--as-of", TRAINED_AS_OF).code == 0


# ---- a project someone has laid hands on -----------------------------------------------------------------------


def one(folder, pattern):
    return next(iter(sorted(folder.glob(pattern))))


DAMAGES = {
    "the leads are gone": (lambda f: shutil.rmtree(f / "data/store/leads"), 5, "the store holds no leads"),
    "a file is gone": (lambda f: one(f, "data/store/interactions/*/*.parquet").unlink(), 5, "missing or damaged"),
    "the interactions are gone": (
        lambda f: shutil.rmtree(f / "data/store/interactions"),
        5,
        "the store has lost its interactions",
    ),
    "a file is cut": (lambda f: one(f, "data/store/leads/*.parquet").write_bytes(b"PAR1"), 5, "missing or damaged"),
    "a log is cut": (lambda f: one(f, "data/store/leads/_delta_log/*.json").write_text("{"), 5, "missing or damaged"),
    "its settings are cut": (lambda f: (f / "data/store/store.json").write_text("{"), 5, "store.json: is damaged"),
    "trees are cut": (
        lambda f: one(f, "models/*/trees.txt").write_text("tree\n"),
        5,
        "cut short, or changed",
    ),
    "no champion is named": (lambda f: (f / "models/champion.json").write_text("{}"), 5, "does not name a champion"),
    "buckets changed": (lambda f: Project(f).change("buckets: 2", "buckets: 3"), 5, "was made with 2 buckets"),
    "out is a file": (lambda f: (f / "out").write_text(""), 2, "a file stands where a folder is expected"),
    "models is a file": (
        lambda f: [shutil.rmtree(f / "models"), (f / "models").write_text("")],
        2,
        "models/champion.json",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_project_is_one_sentence_and_no_list(trained, damage):
    act, code, said = DAMAGES[damage]
    act(trained.folder)
    before = trained.left("data", "models", "out")
    told = trained("score", *AT)
    assert told.code == code, told.err
    assert said in told.error[0]
    assert told.error[1]
    assert trained.left("data", "models", "out") == before
    assert trained("run", *AT).code == code
    assert trained.left("out") == {}


def test_a_champion_that_was_removed_ismade_trained_again(trained):
    shutil.rmtree(one(trained.folder, "models/*/"))
    assert trained("score", *AT).code == 5
    assert trained("run", *AT).code == 0


def test_a_folder_in_the_place_of_latest_is_left_alone(trained):
    (trained.folder / "out" / "latest").mkdir(parents=True)
    told = trained("score", *AT)
    assert told.code == 2
    assert "out/latest: cannot be used: a folder stands where a file is expected" in told.error[0]
    assert [path.name[:9] for path in sorted((trained.folder / "out").iterdir())] == ["20240321T", "latest"]
    (trained.folder / "out" / "latest").rmdir()
    assert trained("score", *AT).code == 0
    assert trained.scores().num_rows > 0


def test_the_doctor_names_what_a_run_would_stumble_over(trained):
    assert trained("doctor").code == 0
    told = trained.change("files: leads.csv", "files: lead.csv").change("buckets: 2", "buckets: 3")("doctor")
    assert told.code == 2
    assert re.search(r"BAD +leads: lead.csv: 0 files", told.out)
    assert re.search(r"BAD +data: the store was made with 2 buckets", told.out)


def test_init_overwrites_nothing_and_names_the_next_command(make):
    project = make()
    files = [word for name in ("leads", "outcomes") for word in (f"--{name}", str(project.folder / f"{name}.csv"))]
    files += ["--interactions", str(project.folder / "events.csv")]
    before = project.left()
    for config, said in ((project.config, "there is a configuration already"), (str(project.folder), "already")):
        told = command("init", *files, "-c", config)
        assert told.code == 2
        assert said in told.error[0]
    told = command("init", *files, "-c", str(project.folder / "leads.csv" / "new.yaml"))
    assert told.code == 2
    assert project.left() == before
    new = str(project.folder / "new.yaml")
    assert f"leadscore run -c {new}" in command("init", *files, "-c", new).out
    assert command("ingest", "-c", new).code == 0


# ---- places that cannot be written to --------------------------------------------------------------------------


@contextmanager
def as_someone_else():
    """Act as a user without rights; root may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("closed", [".", "data", "models", "out", ".leadscore", "events.csv", "leadscore.yaml"])
def test_a_place_without_permission_is_one_sentence(made_ingested, closed):
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        project = made_ingested.copy(Path(folder) / "project").add(leads="new,2024-03-01,FR\n")
        shutil.rmtree(project.folder / ".leadscore")
        for name in (".leadscore", "models", "out"):
            (project.folder / name).mkdir()
        for path in (project.folder, *project.folder.rglob("*")):
            path.chmod(0o777)
        if closed == ".":
            (project.folder / ".leadscore").rmdir()
        place = project.folder / closed
        place.chmod(0o000 if place.is_file() else 0o555)
        watched = closed if place.is_dir() else "data"
        before = project.left(watched)
        with as_someone_else():
            told = project("run", *AT)
        assert told.code == 2, told.err
        assert re.search(r"(?i)permission|not readable", told.error[0])
        assert told.error[1]
        assert project.left(watched) == before
        assert project.left("out") == {}
        place.chmod(0o777)
        assert project("run", *AT).code == 0


@pytest.fixture(scope="session")
def namespace(tmp_path_factory):
    """Give the words that run a command where it may mount."""
    place, reasons = str(tmp_path_factory.mktemp("mount")), []
    for words in (["unshare", "-m"], ["unshare", "-r", "-m"]):
        mount = [*words, "mount", "-t", "tmpfs", "none", place]
        try:
            tried = subprocess.run(mount, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            pytest.skip(f"cannot mount here: {error}")
        if tried.returncode == 0:
            return words
        reasons.append(tried.stderr.strip())
    pytest.skip(f"cannot mount here: {'; '.join(reasons)}")


DISKS = {
    "data, read-only": ("fresh", "data", "ro", "ingest", "the disk is read-only"),
    "data, no room for a file": ("fresh", "data", "size=4k", "ingest", "no space is left"),
    "data, no room for the store": ("fresh", "data", "size=300k", "ingest", "no space is left"),
    "models, read-only": ("ingested", "models", "ro", "train", "Read-only file system"),
    "models, full": ("ingested", "models", "size=16k", "train", "No space left"),
    "out, read-only": ("trained", "out", "ro", "score", "the disk is read-only"),
    "out, no room for a file": ("trained", "out", "size=4k", "score", "no space is left"),
    "out, no room for the second": ("trained", "out", "size=24k", "score", "no space is left"),
    ".leadscore, read-only": ("fresh", ".leadscore", "ro", "ingest", "the disk is read-only"),
}


@pytest.fixture(scope="module")
def on_disks(namespace, made_ingested, made_trained, tmp_path_factory):
    """Give what happened on each of the disks; all of it in one process, because its start takes longest."""
    folder, asked = tmp_path_factory.mktemp("disks"), []
    made = {"ingested": made_ingested, "trained": made_trained}
    for number, (state, place, options, verb, _) in enumerate(DISKS.values()):
        if state in made:
            project = made[state].copy(folder / str(number))
        else:
            project = Project(folder / str(number))
            project.folder.mkdir()
            project.write(settings=SETTINGS, **company())
        words = [verb, "-c", project.config, *(AT if verb != "ingest" else ())]
        asked.append((str(project.folder / place), options, words))
    return dict(zip(DISKS, in_namespace(namespace, asked), strict=True))


def in_namespace(namespace, asked):
    script = [*namespace, sys.executable, str(Path(TESTS) / "cli" / "mounted.py")]
    environment = {**os.environ, "PYTHONPATH": TESTS}
    done = subprocess.run(script, input=json.dumps(asked), capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("disk", DISKS)
def test_on_a_full_or_read_only_disk_nothing_is_half_written_and_a_rerun_succeeds(on_disks, disk):
    done, said = on_disks[disk], DISKS[disk][-1]
    first = Told(**done["first"])
    assert first.code == 2, first.err
    assert said in first.error[0]
    assert first.error[1]
    assert done["left"] == []
    assert done["again"]["code"] == 0, done["again"]["err"]
    assert [path for path in done["after"] if path.startswith(".")] == []
    assert done["after"]


@pytest.mark.slow
def test_a_full_disk_under_mlflow_costs_one_record_and_nothing_else(namespace, made_ingested, tmp_path):
    asked = []
    for room in ("300k", "1500k"):  # full while the tables are made; while files are kept
        project = made_ingested.copy(tmp_path / room).change(*TRACKED)
        shutil.rmtree(project.folder / ".leadscore")
        words = ["train", "-c", project.config, *AT, "--json"]
        asked.append((str(project.folder / ".leadscore"), f"size={room}", words))
    for done in in_namespace(namespace, asked):
        first, again = Told(**done["first"]), Told(**done["again"])
        assert (first.code, again.code) == (0, 0)
        assert re.search("disk is full|No space left", first.json["mlflow"]["reason"])
        assert "Traceback" not in first.err
        assert again.json["mlflow"]["reason"] == ""
        assert again.json["mlflow"]["registered_version"] == "1"
        assert [path for path in done["after"] if path.startswith(".")] == []


# ---- streams ---------------------------------------------------------------------------------------------------


def test_a_plain_terminal_a_closed_pipe_and_a_full_output_are_survived(make):
    project = make("projet été")
    config = ("-c", project.config)
    told = project("doctor", "--json")
    assert told.out.isascii()
    assert project.config in told.json["findings"][3]["what"]
    shown = ended(process("doctor", *config, env={**os.environ, "PYTHONIOENCODING": "ascii"}))
    assert shown.code == 0
    assert r"projet \xe9t\xe9" in shown.out
    for form in ((), ("--json",)):
        reader, writer = os.pipe()
        os.close(reader)
        closed = ended(process("doctor", *config, *form, stdout=writer))
        os.close(writer)
        assert (closed.code, closed.err) == (0, "")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device, not a path
        told = ended(process("doctor", *config, "--json", stdout=full))
    assert told.code == 2
    assert "No space left on device" in told.error[0]


# ---- processes that die, and processes that meet ---------------------------------------------------------------


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """Give what a run leaves that nothing happened to."""
    project = Project(tmp_path_factory.mktemp("undisturbed") / "project")
    project.folder.mkdir()
    assert project.write(settings=SETTINGS, **company())("run", *AT).code == 0
    return project.left("models", "out")


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["Writing the store", "Tracking the run", "Writing the slot"])
def test_a_run_killed_at_any_moment_is_repaired_by_the_next(make, undisturbed, moment):
    project = make()
    started = process("run", "-c", project.config, *AT, stdout=subprocess.DEVNULL)
    for line in started.stderr:
        if line.startswith(moment):
            break
    started.kill()
    assert ended(started).code == -9
    (slot,) = {path.split("/")[1] for path in undisturbed if path.endswith("manifest.json")}
    half = project.folder / "out" / f".{slot}.4242"  # as a killed delivery leaves it
    half.mkdir(parents=True, exist_ok=True)
    assert project("run", *AT).code == 0
    assert project.left("models", "out") == undisturbed
    assert [path for path in project.left("data") if "/." in path] == []


@pytest.mark.slow
def test_two_runs_at_once_both_succeed_and_leave_what_one_leaves(make, undisturbed):
    project = make().change(*TRACKED)
    runs = [ended(run) for run in [process("run", "-c", project.config, *AT, "--json") for _ in range(2)]]
    assert [run.code for run in runs] == [0, 0], [run.err for run in runs]
    trainings = [run.json["train"] for run in runs if run.json["train"]]
    assert [training["mlflow"]["reason"] for training in trainings] == [""] * len(trainings)
    left = project.left("models", "out")
    assert left.keys() == undisturbed.keys()
    # champion.json names the run in MLflow.
    assert [path for path in left if left[path] != undisturbed[path]] in ([], ["models/champion.json"])
    assert project("run", *AT, "--json").json["score"]["repeated"]


def test_a_list_of_old_news_says_so_and_nobody_is_held_against_outcomes_that_never_came_in(trained):
    told = trained("score", "--as-of", "2024-09-01")
    assert told.code == 0
    assert "days older than the list" in told.err
    assert trained("monitor", "--as-of", "2024-12-01", "--json").json == {"slots": []}
    assert "days older than the list" not in trained("score", "--as-of", TRAINED_AS_OF).err
    slots = trained("monitor", "--as-of", "2024-12-01", "--json").json["slots"]
    assert [slot["as_of"] for slot in slots] == ["2024-03-14T00:00:00Z"]
    # A later list tells what became of those that were delivered, by the same rule.
    page = (Path(trained("score", "--as-of", "2024-12-01", "--json").json["path"]) / "report.html").read_text()
    assert "1 September 2024 (delivered)" not in page
    (a,) = [line for line in slots[0]["grades"] if line["grade"] == "A"]
    cells = re.search(r"14 March 2024 \(delivered\)</th>(.*?)</tr>", page)[1]
    told = [f"{a['leads']}", f"{round(a['promised'], 1):g}", f"{a['happened']}", f"{a['rate']:.1%}"]
    assert re.findall(">([^<]+)</td>", cells) == told
