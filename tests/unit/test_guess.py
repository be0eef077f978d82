"""Guessing a configuration: what it finds in exports as tools write them, and what it says when it cannot."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from leadscore.config import read_config
from leadscore.errors import DataError
from leadscore.guess import guess_config
from leadscore.guess.look import look_at, open_database
from leadscore.guess.moments import guess_zone
from leadscore.guess.words import conversion_kinds, direction_of, meaning_of, name_score, plain
from leadscore.guess.write import scalar
from leadscore.simulate import export, simulate

DATELESS = "lead_id,created_at\n" + "".join(f"L-{number:05d},soon\n" for number in range(120))
START = datetime(2024, 1, 1, 9, tzinfo=UTC)
DAYS = 40


class Company:
    """Leads that are mailed, click, and after `DAYS` days (± 10) are won, lost, or still open."""

    def __init__(self, leads=120, seed=1):
        chance = random.Random(seed)  # noqa: S311 - a company, not a key
        self.leads, self.touches, self.ends = [], [], []
        for number in range(leads):
            key = f"L-{number:05d}"
            created = START + timedelta(days=chance.uniform(0, 300))
            self.leads.append((key, created, chance.choice(["Lyon", "Lille"]), f"person{number}@example.org"))
            self.touches += [(key, created + timedelta(days=day), "mail_sent") for day in range(0, 30, 7)]
            self.touches += [(key, created + timedelta(days=2, hours=number % 5), "mail_click")]
            if number % 3:
                word = "won" if number % 3 == 1 else "lost"
                end = created + timedelta(days=chance.uniform(DAYS - 10, DAYS + 10))
                self.ends.append((key, end, word))
                self.touches.append((key, end, f"deal_{word}"))


@pytest.fixture(scope="module")
def company():
    return Company()


def _csv(path, head, rows, delimiter=",", encoding="utf-8"):
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [head, *rows]]
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


@pytest.fixture
def guessed(tmp_path):
    """Guess a configuration, check that it is one, and return it with its text."""

    def guessed(leads, interactions, outcomes=None):
        text = guess_config(leads, interactions, outcomes, tmp_path)
        path = tmp_path / "leadscore.yaml"
        path.write_text(text, encoding="utf-8")
        return read_config(path), text

    return guessed


def _plain_files(folder, company):
    return (
        _csv(
            folder / "leads.csv",
            ("lead_id", "created_at", "city", "email"),
            [(key, at.isoformat(), city, mail) for key, at, city, mail in company.leads],
        ),
        _csv(
            folder / "events.csv",
            ("lead_id", "timestamp", "event_type"),
            [(key, at.isoformat(), kind) for key, at, kind in company.touches],
        ),
        _csv(
            folder / "outcomes.csv",
            ("lead_id", "resolved_at", "resolution"),
            [(key, at.isoformat(), word) for key, at, word in company.ends],
        ),
    )


def test_plain_files_give_a_whole_configuration(guessed, company, tmp_path):
    leads, events, outcomes = _plain_files(tmp_path, company)
    config, text = guessed(leads, [events], outcomes)
    assert config.sources.leads[0].columns == {"lead_id": ("lead_id",), "created_at": ("created_at",)}
    assert config.sources.leads[0].attributes == ("city",)
    assert config.sources.interactions[0].columns["kind"] == ("event_type",)
    assert config.sources.outcomes[0].columns["outcome"] == ("resolution",)
    assert (config.outcomes.converted, config.outcomes.lost) == (("won",), ("lost",))
    assert set(config.outcomes.hidden_kinds) == {"deal_won", "deal_lost"}
    assert config.horizon_names == ("14d", "30d", "60d")
    assert config.time_zone == "UTC"
    assert {kind: of.direction for kind, of in config.kinds.items()} == {
        "mail_sent": "outbound",
        "mail_click": "inbound",
    }
    assert "# guessed: 100 % of its values are found in leads.csv" in text
    assert "# please check" not in text


def test_no_lead_appears_in_the_text_and_no_path_from_the_root(guessed, company, tmp_path):
    leads, events, outcomes = _plain_files(tmp_path, company)
    _, text = guessed(leads, [events], outcomes)
    assert "L-0" not in text
    assert "@" not in text
    assert str(tmp_path) not in text


def test_the_same_files_give_the_same_text(guessed, company, tmp_path):
    files = _plain_files(tmp_path, company)
    assert guessed(files[0], [files[1]], files[2])[1] == guessed(files[0], [files[1]], files[2])[1]


def test_a_french_export_in_latin_1_with_days_first(guessed, company, tmp_path):
    leads = _csv(
        tmp_path / "prospects.csv",
        ("Identifiant", "Date de création", "Ville", "Prénom"),
        [(key, at.strftime("%d/%m/%Y %H:%M"), city, "Zoé") for key, at, city, _ in company.leads],
        ";",
        "latin-1",
    )
    events = _csv(
        tmp_path / "évènements.csv",
        ("Identifiant", "Date de l'évènement", "Type d'évènement"),
        [
            (key, at.strftime("%d/%m/%Y %H:%M"), {"mail_sent": "Envoi e-mail", "mail_click": "Clic"}.get(kind, kind))
            for key, at, kind in company.touches
        ],
        ";",
        "latin-1",
    )
    outcomes = _csv(
        tmp_path / "issues.csv",
        ("Identifiant", "Date de clôture", "Résultat"),
        [(key, at.strftime("%d/%m/%Y"), {"won": "Gagné", "lost": "Perdu"}[word]) for key, at, word in company.ends],
        ";",
        "latin-1",
    )
    config, text = guessed(leads, [events], outcomes)
    source = config.sources.leads[0]
    assert (config.language, source.encoding, source.delimiter) == ("fr", "latin-1", ";")
    assert source.time_formats == ("%d/%m/%Y %H:%M",)
    assert source.columns == {"lead_id": ("Identifiant",), "created_at": ("Date de création",)}
    assert config.outcomes.converted == ("Gagné",)
    assert set(config.outcomes.hidden_kinds) == {"deal_won", "deal_lost"}
    assert config.kinds["Envoi e-mail"].direction == "outbound"
    assert "some days are above 12, so the day comes before the month" in text
    assert "please check: the moments carry no offset" in text


def test_days_that_could_be_months_are_asked_about(guessed, tmp_path):
    leads = _csv(tmp_path / "l.csv", ("id", "created"), [(f"A{n}", f"0{n}/0{n + 1}/2024") for n in range(1, 9)])
    events = _csv(
        tmp_path / "e.csv",
        ("id", "date", "type"),
        [(f"A{n}", f"0{n}/0{n + 1}/2024", "signed" if n == 3 else "visit") for n in range(1, 9)],
    )
    config, text = guessed(leads, [events])
    assert config.sources.leads[0].time_formats == ("%d/%m/%Y",)
    assert "please check: no day above 12 tells whether the day or the month comes first" in text


def test_a_crm_that_keeps_the_outcome_in_the_lead(guessed, company, tmp_path):
    ends = {key: (at, word) for key, at, word in company.ends}
    rows = []
    for key, created, city, mail in company.leads:
        at, word = ends.get(key, (None, None))
        stage = {"won": "Closed Won", "lost": "Closed Lost", None: "Prospecting"}[word]
        rows.append(
            (
                key,
                created.strftime("%m/%d/%Y %I:%M %p"),
                f"Company {key[:-1]}",
                city,
                mail,
                stage,
                at.strftime("%m/%d/%Y %I:%M %p") if at else "",
                "yes" if word == "won" else "",
            )
        )
    head = ("Opportunity ID", "Created Date", "Account Name", "Region", "Email", "Stage", "Close Date", "Contract")
    leads = _csv(tmp_path / "opportunities.csv", head, rows)
    calls = _csv(
        tmp_path / "calls.csv",
        ("WhoId", "ActivityDate", "TaskSubtype", "Direction", "Subject"),
        [(key, at.strftime("%m/%d/%Y"), "Call", "outbound", f"Call {mail}") for key, at, _, mail in company.leads],
    )
    visits = _csv(
        tmp_path / "web_visits.csv",
        ("WhoId", "Visited At", "Page"),
        [(key, at.isoformat(), f"/page/{number}") for number, (key, at, _, _) in enumerate(company.leads)],
    )
    config, text = guessed(leads, [calls, visits])
    outcome = config.sources.outcomes[0]
    assert outcome.files == ("opportunities.csv",)
    assert outcome.columns["outcome"] == ("Stage",)
    assert outcome.columns["occurred_at"] == ("Close Date",)
    assert outcome.exclude == {"Stage": ("Prospecting",), "Close Date": ("",)}
    assert "please check: is it the moment of the outcome?" in text
    assert config.outcomes.converted == ("Closed Won",)
    source = config.sources.leads[0]
    assert source.time_formats == ("%m/%d/%Y %I:%M %p",)
    assert source.columns["account_id"] == ("Account Name",)
    assert source.attributes == ("Region",)  # neither the stage nor the contract, which both tell who converted
    assert "says who converted, so it was filled in afterwards" in text
    called, visited = config.sources.interactions
    assert (called.columns["kind"], called.columns["direction"]) == (("TaskSubtype",), ("Direction",))
    assert visited.constants == {"kind": "web_visits"}
    assert visited.columns["content_id"] == ("Page",)


def test_a_crm_that_dates_the_conversion_in_the_lead(guessed, company, tmp_path):
    _, events, _ = _plain_files(tmp_path, company)
    won = {key: at.isoformat() for key, at, word in company.ends if word == "won"}
    rows = [(key, at.strftime("%d/%m/%Y"), won.get(key, "")) for key, at, _, _ in company.leads]
    leads = _csv(tmp_path / "l.csv", ("Record ID", "Create Date", "Became a Customer Date"), rows)
    config, _ = guessed(leads, [events])
    outcome = config.sources.outcomes[0]
    assert outcome.constants == {"outcome": "converted"}
    assert outcome.exclude == {"Became a Customer Date": ("",)}
    assert outcome.time_formats == ()
    assert config.sources.leads[0].time_formats == ("%d/%m/%Y",)
    assert set(config.outcomes.hidden_kinds) == {"deal_won"}


def test_moments_written_in_two_ways_are_both_read(guessed, company, tmp_path):
    leads, _, outcomes = _plain_files(tmp_path, company)
    ways = ("%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S")
    rows = [(key, at.strftime(ways[number % 2]), kind) for number, (key, at, kind) in enumerate(company.touches)]
    config, _ = guessed(leads, [_csv(tmp_path / "e.csv", ("lead_id", "ts", "kind"), rows)], outcomes)
    assert set(config.sources.interactions[0].time_formats) == set(ways)


def test_json_lines_split_over_files_are_one_source(guessed, company, tmp_path):
    leads, _, outcomes = _plain_files(tmp_path, company)
    paths = []
    for part in (0, 1):
        rows = [
            {"leadId": key, "eventTime": at.isoformat(), "eventType": kind, "meta": {"a": part}}
            for key, at, kind in company.touches[part::2]
        ]
        paths.append(tmp_path / f"part{part}.jsonl.gz")
        paths[-1].write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    config, _ = guessed(leads, paths, outcomes)
    (source,) = config.sources.interactions
    assert source.files == ("part0.jsonl.gz", "part1.jsonl.gz")
    assert source.columns == {"lead_id": ("leadId",), "occurred_at": ("eventTime",), "kind": ("eventType",)}


def test_without_outcomes_the_kinds_are_asked(guessed, company, tmp_path):
    leads, events, _ = _plain_files(tmp_path, company)
    config, text = guessed(leads, [events])
    assert config.sources.outcomes == ()
    assert (config.outcomes.converted, config.outcomes.lost) == (("deal_won",), ("deal_lost",))
    assert set(config.outcomes.hidden_kinds) == {"deal_won", "deal_lost"}
    assert "please check: there is no outcomes file; these kinds of interaction look like outcomes" in text


def test_only_kinds_at_the_very_moment_of_the_outcome_are_hidden(guessed, company, tmp_path):
    leads, _, outcomes = _plain_files(tmp_path, company)
    at_the_end = [(key, at + timedelta(milliseconds=9), "papers") for key, at, _ in company.ends]
    half = [(key, at - timedelta(days=number % 2), "chat") for number, (key, at, _) in enumerate(company.ends)]
    before = [(key, at - timedelta(minutes=5), "meeting") for key, at, _ in company.ends]
    rows = [(key, at.isoformat(), kind) for key, at, kind in at_the_end + half + before]
    config, text = guessed(leads, [_csv(tmp_path / "e.csv", ("lead_id", "ts", "kind"), rows)], outcomes)
    assert config.outcomes.hidden_kinds == ("papers",)
    assert "is the kind chat part of an outcome? 50 % of its 80 come at the moment of the outcome" in text
    assert "meeting part of" not in text


def test_a_truth_value_that_marks_outcome_rows_leaves_them_out(guessed, company, tmp_path):
    leads, _, outcomes = _plain_files(tmp_path, company)
    rows = [(key, at.isoformat(), kind, str(kind.startswith("deal"))) for key, at, kind in company.touches]
    events = _csv(tmp_path / "e.csv", ("lead_id", "ts", "kind", "is_outcome_event"), rows)
    config, _ = guessed(leads, [events], outcomes)
    assert config.sources.interactions[0].exclude == {"is_outcome_event": ("True",)}
    assert config.outcomes.hidden_kinds == ()


def test_names_with_quotes_line_breaks_and_emoji_come_through(guessed, company, tmp_path):
    leads, _, outcomes = _plain_files(tmp_path, company)
    odd = 'the "mail"\n# 😀: {sent}'
    rows = [(key, at.isoformat(), odd if kind == "mail_sent" else kind) for key, at, kind in company.touches]
    events = _csv(tmp_path / "it's: events.csv", ("lead_id", 'when "it" was\ntime', "kind"), rows)
    config, _ = guessed(leads, [events], outcomes)
    assert config.sources.interactions[0].files == ("it's: events.csv",)
    assert config.kinds[odd].direction == "outbound"


def test_words_that_are_no_known_end_are_asked_about(guessed, company, tmp_path):
    leads, events, _ = _plain_files(tmp_path, company)
    rows = [(key, at.isoformat(), word if word == "won" else "parked") for key, at, word in company.ends]
    outcomes = _csv(tmp_path / "o.csv", ("lead_id", "at", "outcome"), rows)
    _, text = guessed(leads, [events], outcomes)
    assert "please check: do these end a lead? Now they do not: parked (40 rows)" in text


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Brussels", "Europe/Paris"),
        ("America/New_York", "America/New_York"),
        ("Asia/Kolkata", "Asia/Kolkata"),
        ("Asia/Dubai", "Etc/GMT-4"),
    ],
)
def test_offsets_tell_a_zone_with_the_same_habits(zone, shown, tmp_path):
    place = ZoneInfo(zone)
    moments = [(START + timedelta(days=day, minutes=day)).astimezone(place).isoformat() for day in range(300)]
    path = _csv(tmp_path / "m.csv", ("at", "n"), [(moment, "1") for moment in moments])
    with open_database() as db:
        (look,) = look_at(db, [path])
        assert guess_zone(db, [(look.table, '"at"', look.column("at").moments)])[0] == shown


def test_days_that_begin_at_midnight_somewhere_tell_the_zone(tmp_path):
    place = ZoneInfo("America/New_York")
    days = [datetime(2024, 1 + day % 12, 3, tzinfo=place).astimezone(UTC).isoformat() for day in range(24)]
    path = _csv(tmp_path / "m.csv", ("at", "n"), [(day, "1") for day in days])
    with open_database() as db:
        (look,) = look_at(db, [path])
        zone = guess_zone(db, [(look.table, '"at"', look.column("at").moments)])
    assert zone == ("America/New_York", "days begin at midnight there", "")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none.csv", None, "no such file"),
        ("empty.csv", b"", "is empty"),
        ("head.csv", b"lead_id,created_at\n", "holds no rows"),
        ("leads", b"a,b\n1,2\n", "unknown kind of file"),
        ("binary.csv", bytes(range(256)), "found binary data; expected CSV text"),
        ("text.csv.gz", b"a,b\n1,2\n", "expected gzip, as its name says"),
        ("same.csv", b"lead_id,created_at\na,2024-01-01\na,2024-01-01\na,2024-01-01\n", "no column that could name"),
        ("others.csv", b"lead_id,created_at\na,2024-01-01\nb,2024-01-02\n", "no column's values are found again"),
        ("dateless.csv", DATELESS.encode(), "no column holds moments, and created_at needs one"),
    ],
)
def test_files_that_cannot_be_leads_are_refused_in_one_sentence(company, tmp_path, name, content, expected):
    _, events, outcomes = _plain_files(tmp_path, company)
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        guess_config(path, [events], outcomes, tmp_path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_when_nothing_says_what_a_conversion_is_outcomes_are_asked_for(company, tmp_path):
    leads, _, _ = _plain_files(tmp_path, company)
    rows = [(key, at.isoformat(), kind) for key, at, kind in company.touches if kind.startswith("mail")]
    events = _csv(tmp_path / "e.csv", ("lead_id", "ts", "kind"), rows)
    with pytest.raises(DataError, match=r"Nothing says what a conversion is.*--outcomes FILE"):
        guess_config(leads, [events], None, tmp_path)
    outcomes = _csv(tmp_path / "o.csv", ("lead_id", "at", "outcome"), [(key, at, "over") for key, at, _ in rows])
    with pytest.raises(DataError, match="none of the words in column outcome means a conversion"):
        guess_config(leads, [events], outcomes, tmp_path)


def test_a_whole_export_is_mapped_as_its_author_maps_it(guessed, tmp_path):
    folder = tmp_path / "export"
    by_hand = read_config(export(simulate(leads=400, seed=1), folder, "en"))
    files = {path.name.split(".")[0]: path for path in folder.iterdir()}
    touches = [files[name] for name in ("emails", "web_visits", "calls", "webinars", "mentions")]
    config, _ = guessed(files["leads"], touches, files["outcomes"])
    assert config.time_zone == by_hand.time_zone
    for table in ("leads", "interactions", "outcomes"):
        for mine, theirs in zip(getattr(config.sources, table), getattr(by_hand.sources, table), strict=True):
            assert (mine.columns, mine.time_formats) == (theirs.columns, theirs.time_formats)
    assert set(config.sources.leads[0].attributes) == set(by_hand.sources.leads[0].attributes)
    assert config.outcomes.model_dump(exclude={"hidden_kinds"}) == by_hand.outcomes.model_dump(exclude={"hidden_kinds"})
    wrong = {
        kind: guess.direction
        for kind, guess in config.kinds.items()
        if kind in by_hand.kinds and guess.direction != by_hand.kinds[kind].direction
    }
    assert wrong == {}


def test_a_few_broken_cells_do_not_stop_the_guessing(guessed, company, tmp_path):
    leads, events, outcomes = _plain_files(tmp_path, company)
    with events.open("a", encoding="utf-8") as file:
        file.write("L-00001,2024-02-30T10:00:00+01:00,call\nL-00001,2024-02-03T10:00:00+99:00,call\n")
        file.write('L-00001,soon,\n"open,quote\n')
    assert guessed(leads, [events], outcomes)[0].time_zone == "UTC"


def test_ten_rows_are_enough_to_start_from(guessed, tmp_path):
    company = Company(leads=10)
    leads, events, outcomes = _plain_files(tmp_path, company)
    config, _ = guessed(leads, [events], outcomes)
    assert config.outcomes.converted == ("won",)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("Closed Won", "converted"),
        ("Closed Lost", "lost"),
        ("Gagné", "converted"),
        ("non converti", "lost"),
        ("Not qualified", "disqualified"),
        ("Doublon", "disqualified"),
        ("true", "converted"),
        ("0", "lost"),
        ("In progress", None),
        ("Phase 1", None),
    ],
)
def test_words_of_outcomes(word, meaning):
    assert meaning_of(word) == meaning


@pytest.mark.parametrize(
    ("kind", "direction"),
    [
        ("email_sent", "outbound"),
        ("O_SENT_BACK", "inbound"),
        ("Inbound call", "inbound"),
        ("Appel sortant", "outbound"),
        ("Ouverture e-mail", "inbound"),
        ("EmailOpened", "inbound"),
        ("stage_changed", ""),
    ],
)
def test_words_of_directions(kind, direction):
    assert direction_of(kind) == direction


def test_words_of_names_and_kinds():
    assert plain("  Date de création (UTC)") == "date de creation utc"
    assert name_score("createdate", "created_at") > name_score("Close date", "created_at") > 0
    assert conversion_kinds(["order", "deal_won", "visit"]) == ["deal_won"]
    assert conversion_kinds(["order", "visit"]) == ["order"]
    assert conversion_kinds(["visit"]) == []


@pytest.mark.parametrize("text", ["no", "~", "", "10", "a: b", "#x", "- x", "é", 'a"b\n', "<<", "*a", "%Y", "null"])
def test_any_text_survives_being_written_as_yaml(text, tmp_path):
    from leadscore.config.yaml_file import parse_yaml

    assert parse_yaml(f"{scalar(text)}: [{scalar(text)}]\n", tmp_path)[0] == {text: [text]}
