"""Files as people have them: where rows stand, what is not what its name says, and what must not break anything."""

from __future__ import annotations

import codecs
import gzip

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leadscore.errors import ConfigError, DataError
from leadscore.ingest import ingest
from projects import EVENTS, LEADS, SEEN, project, put, rejected, stored

HEADER = "lead_id,occurred_at,kind,topic\n"
# Lines:    1      2                                     3-4                              5   6          7
ODD = (
    HEADER
    + 'ada,2024-02-01,visit,"two\nlines"\n'  # lines 2 and 3
    + "\n"  # 4, blank
    + "ada,2024-02-02\n"  # 5, too short
    + 'ada,2024-02-03,visit, "spaced, quoted\nagain"\n'  # 6 and 7
    + "ada,2024-02-04,visit,a,b\n"  # 8, too long
    + 'ada,2024-02-05,visit,"bad"quote"\n'  # 9
    + "ada,soon,visit,x\n"  # 10, no moment
    + "ada,2024-02-06,visit,'\n"  # 11
    + "ada,later,visit,\U0001f600"  # 12, no moment, no line end
)
ODD_LINES = [
    (5, "malformed_row", "missing columns"),
    (8, "malformed_row", "too many columns"),
    (9, "malformed_row", "unquoted value"),
    (10, "not_a_moment:occurred_at", "a word"),
    (12, "not_a_moment:occurred_at", "a word"),
]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("wrap", ["plain", "bom", "gz", "late header"])
def test_a_rejected_row_of_a_csv_file_names_the_line_it_begins_on(tmp_path, line_end, wrap):
    shift = 2 if wrap == "late header" else 0
    data = ("\n" * shift + ODD).replace("\n", line_end).encode()
    name = "events.csv.gz" if wrap == "gz" else "events.csv"
    data = {"gz": gzip.compress(data), "bom": codecs.BOM_UTF8 + data}.get(wrap, data)
    config = project(tmp_path, files={name: data}, sources={"interactions": {"files": name}})
    found = [(line - shift, rules, classes) for _, line, rules, _, classes, _ in rejected(config)]
    assert found == ODD_LINES
    assert ingest(config, SEEN).tables["interactions"].read == 8
    assert len(stored(config, "interactions")) == 3


def test_line_ends_may_be_mixed(tmp_path):
    data = 'lead_id,occurred_at,kind\nada,2024-02-01,a\r\nada,2024-02-02\nada,no,b\r\nada,2024-02-03,"c\r\nd"\n'
    config = project(tmp_path, files={"interactions.csv": data})
    assert [row[1:3] for row in rejected(config)] == [(3, "malformed_row"), (4, "not_a_moment:occurred_at")]
    assert stored(config, "interactions", "kind") == [("a",), ("c\r\nd",)]


def test_where_misplaced_quotes_divide_the_readers_one_of_them_decides(tmp_path):
    lines = [
        'ada,2024-02-01,"a" ,x',  # 2: a space after a quote is nothing
        'ada,2024-02-02,"b\n"c,x',  # 3, 4
        'ada,never,d, "e\nf" ',  # 5, 6
        "ada,2024-02-03",  # 7
        '"ada",2024-02-04,"g""h",x',  # 8
    ]
    config = project(tmp_path, files={"interactions.csv": HEADER + "\n".join(lines)})
    assert [row[1:3] for row in rejected(config)] == [
        (3, "malformed_row"),
        (5, "not_a_moment:occurred_at"),
        (7, "malformed_row"),
    ]
    assert stored(config, "interactions", "kind") == [("a",), ('g"h',)]


def test_the_rejected_row_is_kept_as_it_was_read(tmp_path):
    data = 'lead_id,occurred_at,kind\nada,soon,"=cmd ""x"", \n😀"\nada,1,2,3\n'
    config = project(tmp_path, files={"interactions.csv": data})
    assert [row[-1] for row in rejected(config)] == [
        {"lead_id": "ada", "occurred_at": "soon", "kind": '=cmd "x", \n😀'},
        ["ada", "1", "2", "3"],
    ]


def test_a_broken_json_line_is_a_rejected_row_with_its_line(tmp_path):
    lines = [
        '{"who": "ada", "when": "2024-02-01", "kind": "visit", "value": 12.5, "deep": {"a": [1, null]}, "é/~": true}',
        "",
        '{"who": "ada", "when": "2024-02-01", "kind": "visit"',
        "[1, 2]",
        '{"who": "ada", "when": 17, "kind": "visit"}',
        '{"kind": "no \\u0000 lead", "when": "2024-02-02", "who": null}',
    ]
    source = {
        "files": "events.jsonl*",
        "columns": {"lead_id": "who", "occurred_at": "when", "kind": "kind", "value": "value"},
        "attributes": "all",
    }
    config = project(
        tmp_path,
        files={"events.jsonl": "\r\n".join(lines), "events.jsonl.gz": gzip.compress(lines[0].encode())},
        sources={"interactions": source},
    )
    assert [row[:3] for row in rejected(config)] == [
        ("events.jsonl", 3, "malformed_row"),
        ("events.jsonl", 4, "malformed_row"),
        ("events.jsonl", 5, "not_a_moment:occurred_at"),
        ("events.jsonl", 6, "required_missing:lead_id"),
    ]
    assert stored(config, "interactions", "value, attributes") == [(12.5, '{"deep":"{\\"a\\":[1,null]}","é/~":"true"}')]


def test_a_rejected_row_of_parquet_names_its_number_and_types_come_as_text(tmp_path):
    table = pa.table(
        {
            "lead_id": ["ada", "ada", None],
            "occurred_at": pa.array(["2024-02-01T10:00:00.123456789", "2024-02-02", "2024-02-03"]).cast(
                pa.timestamp("ns")
            ),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
            "outcome": [False, True, False],
            "tags": [["x", "y"], None, None],
            "Tags": [b"bytes", None, None],
            "price": [12.0, None, None],
        }
    )
    pq.write_table(table, tmp_path / "events.parquet", row_group_size=1)
    source = {
        "files": "*.parquet",
        "exclude": {"outcome": "true"},
        "attributes": ["tags", "Tags", "price"],
        "time_formats": "%d/%m/%Y",
    }
    config = project(tmp_path, sources={"interactions": source})
    assert [row[:3] for row in rejected(config)] == [("events.parquet", 3, "required_missing:lead_id")]
    assert stored(config, "interactions", "occurred_at::varchar, attributes") == [
        ("2024-02-01 10:00:00.123456+00", '{"Tags":"bytes","price":"12.0","tags":"[\\"x\\",\\"y\\"]"}')
    ]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_read_when_said_and_named_when_not(tmp_path, encoding):
    data = (HEADER + "ada,2024-02-01,visit,é\r\n" * 2 + "ada,no,visit,ü\r\n").encode(encoding)
    columns = {name: name for name in HEADER.strip().split(",")}
    source = {"encoding": encoding, "columns": columns}
    config = project(tmp_path, files={"interactions.csv": data}, sources={"interactions": source})
    assert [(row[1], row[-1]["topic"]) for row in rejected(config)] == [(4, "ü")]
    assert stored(config, "interactions", "topic") == [("é",)]
    wrong = project(tmp_path / "wrong", files={"interactions.csv": data}, ingest={"max_rejected_share": 0.1})
    with pytest.raises(DataError, match=rf"encoding: {encoding}"):
        ingest(wrong, SEEN)


def test_names_with_quotes_newlines_and_emoji_survive_without_the_white_space_around_them(tmp_path):
    names = ["O'Neil", 'a "b" c', "x\ny", "😀🇫🇷", "nul\x00byte", "tab\tin", "a;b|c", "Ünï", "%s{}", "\\N"]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    leads = "lead_id,created_at\n" + "".join(f"{name},2024-01-01\n" for name in quoted)
    events = "lead_id;occurred_at;kind\n" + "".join(f'"\u00a0 {name[1:-1]}\t";2024-02-01;visit\n' for name in quoted)
    config = project(
        tmp_path,
        files={"leads.csv": leads, "interactions.csv": events},
        sources={"interactions": {"columns": {"lead_id": "lead_id", "occurred_at": "occurred_at", "kind": "kind"}}},
    )
    assert rejected(config) == []
    assert {name for (name,) in stored(config, "interactions", "lead_id")} == set(names)


def test_odd_file_names_and_folders_are_read(tmp_path):
    folder = tmp_path / "l'été [2024] 50%"
    config = project(
        folder,
        files={"in [1]/e'v*é.csv": EVENTS, "in [1]/b.csv": EVENTS.replace("visit", "call")},
        sources={"interactions": {"files": ["in [1]/e'v*é.csv", "in [[]1]/*.csv"]}},
        data=str(tmp_path / "data é"),
    )
    assert ingest(config, SEEN).tables["interactions"].accepted == 2


LONG_GZ = gzip.compress(b"lead_id,occurred_at,kind\n" + b"ada,2024-02-01,visit\n" * 9999)
XLSX = b"PK\x03\x04" + bytes(200)
ARRAY = '[{"lead_id": "ada"}]'


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("e.csv", b"", "the file is empty; expected a header line"),
        ("e.csv", b" \r\n\n", "the file is empty; expected a header line"),
        ("e.jsonl", b"", "the file is empty; expected JSON lines"),
        ("e.parquet", b"", "the file is empty; expected Parquet"),
        ("e.csv.gz", gzip.compress(b""), "the file is empty; expected a header line"),
        ("e.csv", b"PAR1" + bytes(100), "found Parquet; expected CSV text"),
        ("e.csv", XLSX, "found a ZIP archive, as XLSX workbooks are; expected CSV text"),
        ("e.csv", gzip.compress(EVENTS.encode()), "found gzip-compressed data; expected CSV text"),
        ("e.csv.gz", EVENTS.encode(), "found text that is not compressed; expected gzip"),
        ("e.csv.gz", LONG_GZ[:-40], "the compressed file is damaged or cut off"),
        ("e.csv.gz", LONG_GZ[:-8] + bytes(8), "the compressed file is damaged or cut off"),
        ("e.csv", bytes(range(256)) * 4, "found binary data; expected CSV text"),
        ("e.csv", b"<!DOCTYPE html><html>", "found a web page or XML; expected CSV text"),
        ("e.csv", ARRAY.encode(), "found JSON; expected CSV text"),
        ("e.csv", b"version https://git-lfs.github.com/spec/v1\n", "found a Git LFS pointer"),
        ("e.jsonl", ARRAY.encode(), "found one JSON array; expected JSON lines"),
        ("e.jsonl", EVENTS.encode(), "found text that is not JSON; expected JSON lines"),
        ("e.parquet", EVENTS.encode(), "found text; expected Parquet"),
        ("e.parquet", b"PAR1" + bytes(50), "the Parquet file is damaged or cut off"),
        ("e.xlsx", XLSX, "unknown kind of file; expected .csv"),
        ("e.csv", EVENTS.encode("utf-16"), "found UTF-16 text (say `encoding: utf-16`); expected CSV text"),
        ("e.csv", b"lead_id,when,kind\nada,2024-02-01,visit\n", "no column 'occurred_at'"),
        (
            "e.csv",
            b"lead,occurredat,kind\n",
            "no column 'lead_id' (nearest: 'lead'); no column 'occurred_at' (nearest:",
        ),
        ("e.csv", b"lead_id,kind,occurred_at,kind\n", "column 'kind' stands 2 times in the header"),
        ("e.jsonl", b'{"lead": 1, "occurred_at": 2, "kind": 3}', "no column 'lead_id' (nearest: 'lead')"),
    ],
)
def test_a_file_that_cannot_be_right_says_what_was_found_and_writes_nothing(tmp_path, name, data, said):
    config = project(tmp_path, files={name: data}, sources={"interactions": {"files": name}})
    with pytest.raises(DataError) as caught:
        ingest(config, SEEN)
    assert said in caught.value.message
    assert caught.value.message.startswith(f"{name}: ")
    assert caught.value.hint
    assert not (tmp_path / "data").exists()


def test_a_pattern_that_matches_nothing_names_itself(tmp_path):
    config = project(tmp_path, sources={"interactions": {"files": "in/*.csv"}})
    with pytest.raises(DataError, match=r"in/\*\.csv: no such file"):
        ingest(config, SEEN)
    put(tmp_path, {"in/x.csv": EVENTS})
    with pytest.raises(DataError, match=r"in: a folder.*in/\*\.csv"):
        ingest(project(tmp_path, sources={"interactions": {"files": "in"}}), SEEN)


def test_a_header_without_rows_is_fine(tmp_path):
    config = project(tmp_path, files={"leads.csv": LEADS.partition("\n")[0], "interactions.csv": HEADER})
    result = ingest(config, SEEN)
    assert result.tables["interactions"].read == 0
    assert set(result.versions) == {"files"}


def test_a_quote_that_is_never_closed_stops_the_run(tmp_path):
    data = HEADER + 'ada,2024-02-01,visit,"open\n' + "ada,2024-02-01,visit,x\n" * 2000
    config = project(tmp_path, files={"interactions.csv": data})
    with pytest.raises(DataError, match="line 2 opens a quote that is not closed"):
        ingest(config, SEEN)
    assert not (tmp_path / "data" / "store").exists()


def test_a_time_format_that_is_none_is_a_mistake_of_the_configuration(tmp_path):
    config = project(tmp_path, sources={"interactions": {"time_formats": "%Q"}})
    with pytest.raises(ConfigError, match="'%Q' is not a strptime format"):
        ingest(config, SEEN)


def test_the_delimiter_is_found_in_the_header_or_given(tmp_path):
    for number, (delimiter, given) in enumerate([(";", None), ("\t", None), ("|", None), ("^", "^")]):
        text = EVENTS.replace(",", delimiter).replace("kind", '"kind"')
        source = {"files": "e.txt", "delimiter": given}
        config = project(tmp_path / str(number), files={"e.txt": text}, sources={"interactions": source})
        assert ingest(config, SEEN).tables["interactions"].accepted == 1


def test_rows_keep_their_order_over_many_blocks_of_a_file(tmp_path):
    lines = [f"ada,2024-02-01,k{number},{'x' * 40}" for number in range(60_000)]
    for number in (7, 30_000, 59_999):
        lines[number] = f"ada,never,k{number},x"
    lines[45_000] = "ada"
    config = project(tmp_path, files={"interactions.csv": HEADER + "\n".join(lines)})
    found = [
        (row[1], row[-1][2:3] or row[-1]) if isinstance(row[-1], list) else (row[1], row[-1]["kind"])
        for row in rejected(config)
    ]
    assert found == [(9, "k7"), (30_002, "k30000"), (45_002, ["ada"]), (60_001, "k59999")]


def test_the_engine_knows_no_network():
    from leadscore.store.lake import engine

    with engine() as connection, pytest.raises(duckdb.Error, match="httpfs"):
        connection.execute("select * from read_csv('https://localhost:9/x.csv')")
