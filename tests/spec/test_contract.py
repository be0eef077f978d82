"""What a good row is, what becomes of each value at the door, and which rule a bad one breaks."""

from __future__ import annotations

from bisect import bisect_right

import pytest

from leadscore.errors import DataError
from leadscore.ingest import ingest
from leadscore.ingest.normalise import local_offsets
from leadscore.timeline import DAY, parse_moment, show_moment, to_datetime
from projects import SEEN, drawn, project, put, rejected, stored


def events(text, folder, **settings):
    return project(folder, files={"interactions.csv": drawn(text)}, **settings)


def test_each_row_that_breaks_rules_names_all_of_them(tmp_path):
    config = events(
        """
        lead_id | occurred_at      | known_at   | kind  | direction | layer | value
        ada     | 2024-02-01       | _          | visit | Inbound   | 2.0   | 1e3
        _       | 2024-02-01       | _          | visit | _         | _     | _
        ada     | _                | _          | _     | _         | _     | _
        ada     | 02/01/2024       | yesterday  | visit | _         | _     | _
        ada     | 1706781600       | _          | visit | _         | _     | _
        ada     | 2024-02-30       | _          | visit | _         | _     | _
        ada     | 1969-12-31       | _          | visit | _         | _     | _
        ada     | 2124-01-01       | _          | visit | _         | _     | _
        ada     | 2024-07-03       | _          | visit | _         | _     | _
        ada     | 2024-02-01       | _          | visit | sideways  | 2.5   | twelve
        ada     | 2024-02-01       | _          | visit | _         | _     | nan
        ada     | 2024-02-01       | _          | visit | _         | _     | 1e999
        eve     | 2024-02-01T25:00 | _          | visit | _         | _     | _
        """,
        tmp_path,
    )
    told = {line: (rules, classes) for _, line, rules, _, classes, _ in rejected(config)}
    assert told == {
        3: ("required_missing:lead_id", "empty"),
        4: ("required_missing:occurred_at required_missing:kind", "empty; empty"),
        5: ("not_a_moment:occurred_at not_a_moment:known_at", "a date as dd/mm/yyyy or mm/dd/yyyy; a word"),
        6: ("not_a_moment:occurred_at", "a unix time"),
        7: ("not_a_moment:occurred_at", "a date as yyyy-mm-dd"),
        8: ("out_of_range:occurred_at", "a date as yyyy-mm-dd"),
        9: ("out_of_range:occurred_at", "a date as yyyy-mm-dd"),
        10: ("in_the_future:occurred_at", "a date as yyyy-mm-dd"),
        11: (
            "not_a_direction:direction not_an_integer:layer not_a_number:value",
            "a word; a number; a word",
        ),
        12: ("not_a_number:value", "not a number"),
        13: ("not_a_number:value", "a number"),
        14: ("not_a_moment:occurred_at unknown_lead", "a date as yyyy-mm-dd; a word"),
    }
    assert stored(config, "interactions", "direction, layer, value") == [("inbound", 2, 1000.0)]


def test_a_moment_becomes_utc_once(tmp_path):
    table = """
        lead_id | occurred_at                 | kind
        ada     | 2024-01-15                  | 2024-01-14T23:00:00Z
        ada     | 2024-01-15 10:00            | 2024-01-15T09:00:00Z
        ada     | 2024-07-01T00:00:00.1234567 | 2024-06-30T22:00:00.123456Z
        ada     | 2024-01-15T10:00:00Z        | 2024-01-15T10:00:00Z
        ada     | 2024-01-15t11:00:00z        | 2024-01-15T11:00:00Z
        ada     | 2024-01-15 10:00:00 -05:00  | 2024-01-15T15:00:00Z
        ada     | 2024-01-15T10:00:00+0530    | 2024-01-15T04:30:00Z
        ada     | 2024-03-31T01:59:59         | 2024-03-31T00:59:59Z
        ada     | 2024-03-31T02:30            | 2024-03-31T01:30:00Z
        ada     | 2024-03-31T03:00            | 2024-03-31T01:00:00Z
        ada     | 2023-10-29T02:30            | 2023-10-29T00:30:00Z
        ada     | 2023-10-29T03:00            | 2023-10-29T02:00:00Z
        ada     | 1970-06-01                  | 1970-05-31T23:00:00Z
    """
    # 02:30 was skipped on the last Sunday of March: forward. It came twice on that of October: the first.
    config = events(table, tmp_path, time_zone="Europe/Paris")
    ingest(config, SEEN)
    found = stored(config, "interactions", "kind, epoch_us(occurred_at)")
    assert [(expected, show_moment(moment)) for expected, moment in found if expected != show_moment(moment)] == []
    assert len(found) == 13


@pytest.mark.parametrize(
    "zone", ["Europe/Paris", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kolkata", "Africa/Casablanca"]
)
def test_local_times_agree_with_the_time_zone_database(zone):
    limits, offsets = local_offsets(zone)
    edges = [moment + shift for moment in (*limits, 0) for shift in (-1_800_000_000, -1, 0, 1, 5_400_000_000)]
    for local in edges:
        moment = local - offsets[bisect_right(limits, local)]
        assert moment == parse_moment(to_datetime(local).replace(tzinfo=None).isoformat(), zone)


def test_nothing_else_is_a_moment(tmp_path):
    table = """
        lead_id | occurred_at   | kind
        ada     | 2024-02-01T10 | visit
        ada     | 20240201      | visit
        ada     | 2024-W05-4    | visit
        ada     | 01.02.2024    | visit
        ada     | infinity      | visit
        ada     | 2024-02-01Z   | visit
        ada     | now           | visit
    """
    assert {row[2] for row in rejected(events(table, tmp_path))} == {"not_a_moment:occurred_at"}


def test_time_formats_are_tried_in_order_and_replace_iso(tmp_path):
    table = """
        lead_id | occurred_at             | kind
        ada     | 03/04/2024 10:00        | day_first
        ada     | 2024-04-03 10:00        | iso
        ada     | 03/04/2024 10:00 +0200  | with_offset
        ada     | 13/04/2024              | day_only
    """
    formats = ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M %z", "%d/%m/%Y"]
    config = events(table, tmp_path, sources={"interactions": {"time_formats": formats}}, time_zone="Europe/Paris")
    assert [row[1:3] for row in rejected(config)] == [(3, "not_a_moment:occurred_at")]
    assert stored(config, "interactions", "kind, occurred_at::varchar") == [
        ("day_first", "2024-04-03 08:00:00+00"),
        ("day_only", "2024-04-12 22:00:00+00"),
        ("with_offset", "2024-04-03 08:00:00+00"),
    ]


def test_columns_are_joined_constants_set_rows_excluded_and_the_rest_kept_as_attributes(tmp_path):
    table = """
        who | when       | verb | step  | país | note | is_test
        ada | 2024-02-01 | call | start | FR   | 'a" | false
        ada | 2024-02-02 | call | _     | _    | _    | false
        ada | 2024-02-03 | call | _     | DE   | _    | true
    """
    source = {
        "columns": {"lead_id": "who", "occurred_at": "when", "kind": ["verb", "step"]},
        "constants": {"channel": "phone"},
        "attributes": "all",
        "exclude": {"is_test": "true"},
    }
    config = events(table, tmp_path, sources={"interactions": source})
    counts = ingest(config, SEEN).tables["interactions"]
    assert (counts.read, counts.excluded, counts.accepted) == (3, 1, 2)
    assert stored(config, "interactions", "kind, channel, attributes") == [
        ("call", "phone", None),
        ("call:start", "phone", '{"note":"\'a\\"","país":"FR"}'),
    ]


def test_facts_of_unknown_leads_and_outcomes_before_creation_are_rejected(tmp_path):
    config = project(
        tmp_path,
        files={
            "outcomes.csv": "lead_id,occurred_at,outcome\nada,2023-12-31,won\nada,2024-01-01,won\neve,2024-03-01,won\n",
            "consents.csv": "lead_id,occurred_at,status\nbob,2024-01-05,OBJECTION\nbob,2024-01-05,so\neve,x,consent\n",
        },
    )
    assert [(row[0], *row[1:3]) for row in rejected(config)] == [
        ("outcomes.csv", 2, "outcome_before_creation"),
        ("outcomes.csv", 4, "unknown_lead"),
        ("consents.csv", 3, "not_a_status:status"),
        ("consents.csv", 4, "not_a_moment:occurred_at unknown_lead"),
    ]
    assert stored(config, "consents", "lead_id, status") == [("bob", "objection")]


def test_a_lead_that_closes_far_ahead_is_fine_and_without_interactions_too(tmp_path):
    leads = drawn("lead_id | created_at | closes_at\nada | 2024-01-01 | 2030-01-01\ncleo | 2024-01-01 | _")
    config = project(tmp_path, files={"leads.csv": leads})
    assert ingest(config, SEEN).tables["leads"].accepted == 2


def test_two_versions_of_a_lead_at_one_moment_are_both_rejected(tmp_path):
    leads = """
        lead_id | created_at | known_at   | country
        ada     | 2024-01-01 | 2024-03-01 | FR
        ada     | 2024-01-01 | 2024-03-01 | DE
        ada     | 2024-01-01 | 2024-04-01 | DE
        bob     | 2024-01-01 | 2024-03-01 | FR
        bob     | 2024-01-01 | 2024-03-01 | FR
    """
    config = project(tmp_path, files={"leads.csv": drawn(leads)}, sources={"leads": {"attributes": ["country"]}})
    assert [row[1:3] for row in rejected(config)] == [(2, "ambiguous_version"), (3, "ambiguous_version")]
    assert [row[0] for row in stored(config, "leads", "lead_id")] == ["ada", "bob"]


def versions(config):
    return stored(config, "leads", "lead_id, known_at::date::varchar, attributes->>'country', bucket, account_id")


def test_a_changed_attribute_is_known_from_when_we_saw_it(tmp_path):
    table = "lead_id | created_at | account_id | country\nada | 2024-01-01 | acme | {}"
    sources = {"leads": {"attributes": ["country"]}}
    config = project(tmp_path, files={"leads.csv": drawn(table.format("FR"))}, sources=sources)
    ingest(config, SEEN)
    (tmp_path / "leads.csv").write_text(drawn(table.format("DE")))
    ingest(config, SEEN + 9 * DAY)
    (tmp_path / "leads.csv").write_text(drawn(table.format("FR").replace("acme", "other")) + "\n")
    ingest(config, SEEN + 10 * DAY)
    ((_, _, _, bucket, _), *_) = found = versions(config)
    assert [row[1:3] for row in found] == [("2024-01-01", "FR"), ("2024-07-10", "DE"), ("2024-07-11", "FR")]
    assert {row[3] for row in found} == {bucket}
    assert [row[4] for row in found] == ["acme", "acme", "other"]


def test_of_a_mail_address_the_domain_is_the_account_unless_anybody_may_have_one_there(tmp_path):
    leads = """
        lead_id | created_at | mail                           | account
        ada     | 2024-01-01 | Ada.L@Acme.co.uk               | acme.co.uk
        bob     | 2024-01-01 | Bob <bob@mail.acme.com> (old)  | mail.acme.com
        cyd     | 2024-01-01 | mailto:cyd@acme.com?subject=hi | acme.com
        dan     | 2024-01-01 | dan@gmail.com                  | _
        eva     | 2024-01-01 | Eva@Orange.FR                  | _
        fay     | 2024-01-01 | Hotmail.com                    | _
        gus     | 2024-01-01 | Acme                           | Acme
        hal     | 2024-01-01 | gmail.com.example.org          | gmail.com.example.org
    """
    columns = {"lead_id": "lead_id", "created_at": "created_at", "account_id": "mail"}
    source = {"columns": columns, "attributes": "all"}
    config = project(tmp_path, files={"leads.csv": drawn(leads)}, sources={"leads": source})
    ingest(config, SEEN)
    for _, found, expected in (rows := stored(config, "leads", "lead_id, account_id, attributes->>'account'")):
        assert found == expected
    assert len(rows) == 8
    assert "@" not in str(stored(config, "leads"))


def test_the_account_of_a_mail_address_is_the_same_however_it_comes(tmp_path):
    leads = "lead_id,created_at,account_id\nada,2024-01-01,ada@acme.com\n"
    config = project(tmp_path, files={"leads.csv": leads})
    ingest(config, SEEN)
    put(tmp_path, {"leads.csv": leads.replace("ada@acme.com", "ACME <ada@ACME.com>")})
    ingest(config, SEEN + DAY)
    assert stored(config, "leads", "account_id") == [("acme.com",)]


def test_a_correction_of_the_past_is_known_from_when_we_saw_it_and_comes_once(tmp_path):
    table = """
        lead_id | created_at | known_at   | country
        ada     | 2024-01-01 | 2024-02-01 | {}
        ada     | 2024-01-01 | 2024-03-01 | {}
    """
    sources = {"leads": {"attributes": ["country"]}}
    config = project(tmp_path, files={"leads.csv": drawn(table.format("FR", "DE"))}, sources=sources)
    ingest(config, SEEN)
    for end in ("\n", "\n\n"):  # other bytes, so that the file is read again
        (tmp_path / "leads.csv").write_text(drawn(table.format("IT", "ES")) + end)
        ingest(config, SEEN + DAY)
    assert [row[2] for row in versions(config)] == ["FR", "DE", "IT", "ES"]
    last = stored(config, "leads", "max(epoch_us(known_at))")
    assert last == [(SEEN + DAY,)]


def test_too_many_rejected_rows_stop_the_run_before_anything_is_written(tmp_path):
    config = events(
        """
        lead_id | occurred_at | kind
        ada     | 2024-02-01  | visit
        ada     | 31/01/2024  | secret
        eve     | 31/01/2024  | secret
        """,
        tmp_path,
        ingest={"max_rejected_share": 0.05, "buckets": 2},
    )
    with pytest.raises(DataError) as caught:
        ingest(config, SEEN)
    message = str(caught.value)
    assert "interactions: 2 of 3 rows rejected (66.7%)" in message
    assert "not_a_moment:occurred_at 2, unknown_lead 1" in message
    assert "interactions.csv:3" in message
    assert "a date as dd/mm/yyyy or mm/dd/yyyy" in message
    assert "time_formats" in message
    assert "secret" not in message
    assert "eve" not in message
    assert "31/01" not in message
    assert not (tmp_path / "data").exists()
