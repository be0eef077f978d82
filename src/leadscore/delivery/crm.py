"""Files that a CRM loads: one per system, with the leads it must be told of since it last was.

The rules of HubSpot, Salesforce and Dynamics, and where they are written, stand in
`docs/how-to/load-scores-into-a-crm.md`; `tests/unit/test_crm.py` reads the files back by these rules.

An id is written as it is or not at all: an apostrophe would make it another id, and without one a spreadsheet would run
it. Other text is written on one line, within the length its field takes, and harmless in a spreadsheet.
"""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from leadscore.config.crm import CODES, REASONS, Crm, Dynamics, Generic, HubSpot, Mapped, Salesforce
from leadscore.delivery.content import Content
from leadscore.delivery.files import neutral
from leadscore.delivery.wording import Wording
from leadscore.timeline import to_datetime

log = logging.getLogger("leadscore")

TOLD = "told.parquet"

_HUBSPOT_TEXT = 65_536  # characters of a text property
_DYNAMICS_REASON = 1500  # three of these, every character of them escaped, are JSON within msdyn_scorereasons' 10,000
_EXTERNAL_ID = 255  # characters of an external id of type Text
_TOLD_SCHEMA = pa.schema(
    [
        ("system", pa.string()),
        ("lead_id", pa.string()),
        ("score", pa.int32()),
        ("grade", pa.string()),
        ("action", pa.string()),
        ("expires_at", pa.int64()),
    ]
)

_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # lines, tabs, and what no text should hold
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_MAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SALESFORCE_ID = re.compile(r"([A-Za-z0-9]{15})([A-Za-z0-5]{3})?")
_CASES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


class Told(NamedTuple):
    """What a CRM was last told of a lead: score, grade, action, and until when (microseconds in UTC) that holds."""

    score: int
    grade: str
    action: str
    expires_at: int


@dataclass(frozen=True)
class Dialect:
    """How a file is written."""

    encoding: str = "utf-8"
    delimiter: str = ","
    line_end: str = "\r\n"


@dataclass(frozen=True)
class Sheet:
    """One file. One row per lead its CRM must be told of, in rank order.

    Attributes:
        columns: Header: cells as written, empty for what is missing; the first column holds the CRM's id.
        told: What the CRM knows of each lead it has an id for, once the file is loaded.
        unmoved: Leads it need not be told of.
        left_out: Leads without an id this CRM could have.
        dialect: How the file is written.
    """

    columns: Mapping[str, Sequence[str]]
    told: Mapping[str, Told]
    unmoved: int
    left_out: int
    dialect: Dialect

    @property
    def counts(self) -> dict[str, int]:
        """Leads with a row, leads that need none, and leads left out; together the list."""
        rows = len(next(iter(self.columns.values())))
        return {"rows": rows, "unmoved": self.unmoved, "left_out": self.left_out}


@dataclass(frozen=True)
class _Style:
    """How a system wants its cells: how each code is written, by column; moments; how long texts may be."""

    codes: Mapping[str, Mapping[str, str]]
    moment: Callable[[int], str]
    text_length: int | None
    decimal: str = "."
    encoding: str = "utf-8"


def write_crm(
    content: Content, settings: Crm, before: Mapping[str, Mapping[str, Told]], folder: Path
) -> dict[str, dict[str, int]]:
    """Write the files of the configured systems, and what each was told; nothing when there are none.

    Args:
        content: The slot; leads that objected are not in it, so they are in no file.
        settings: The section `crm`.
        before: What each system was told by earlier slots, as `read_told` gives it.
        folder: `crm` of the slot; made when absent.

    Returns:
        Per file of rows, leads with a row, leads unmoved and leads left out.
    """
    if not settings.systems:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, dict[str, int]] = {}
    told: dict[str, Mapping[str, Told]] = {}
    for system, sheet in sheets(content, settings, before):
        _write_csv(sheet, folder / f"{system}.csv")
        if system == "salesforce":
            (folder / "salesforce.sdl").write_text(mapping(sheet.columns), encoding="ascii", newline="")
        counts[f"{system}.csv"], told[system] = sheet.counts, sheet.told
        if sheet.left_out:
            log.warning("crm/%s.csv leaves out %d leads: without an id this system can have.", system, sheet.left_out)
    _write_told(told, folder / TOLD)
    return counts


def read_told(folder: Path) -> dict[str, dict[str, Told]]:
    """Read what each system was told up to an earlier slot, from its folder `crm`; empty without one."""
    if not (folder / TOLD).is_file():
        return {}
    table = pq.read_table(folder / TOLD)
    told: dict[str, dict[str, Told]] = {}
    for system, lead, *rest in zip(*(column.to_pylist() for column in table.columns), strict=True):
        told.setdefault(system, {})[lead] = Told(*rest)
    return told


def sheets(content: Content, settings: Crm, before: Mapping[str, Mapping[str, Told]]) -> Iterator[tuple[str, Sheet]]:
    """Lay out the file of each configured system, one at a time; arguments as of `write_crm`."""
    ours, now = _ours(content), _now(content.scores)
    for name, system in settings.systems.items():
        yield name, _sheet(content, system, ours, now, before.get(name, {}), settings.step)


def mapping(header: Iterable[str]) -> str:
    r"""Write the mapping file of Data Loader: `csv_column=Field__c`, a line each; our columns are called as the fields.

    >>> mapping(["Id", "Score__c"])
    'Id=Id\r\nScore__c=Score__c\r\n'
    """
    return "".join(f"{name}={name}\r\n" for name in header)


def due(then: Told | None, now: Told, step: int, as_of: int) -> bool:
    """Say whether a CRM must be told of a lead (again).

    A small move need not be told, but grade and action are what people work by, and a score that has expired in the
    CRM while it still holds would look abandoned. Compared is with what was told last, not with the slot before: a lead
    that cools by a point a slot is told in time.

    >>> due(Told(50, "B", "nurture", 9), Told(53, "B", "nurture", 12), step=5, as_of=3)
    False
    """
    if then is None:
        return True
    moved = abs(now.score - then.score) >= step
    return moved or now.grade != then.grade or now.action != then.action or then.expires_at <= as_of


def salesforce_id(text: str) -> str | None:
    """Return the fifteen characters of a Salesforce id, in their true case; None for what is none.

    Fifteen characters tell upper from lower case. Of eighteen, the last three say which of the others are upper case,
    five each, so that they survive a system that does not tell (`00q…` for `00Q…`).

    >>> salesforce_id("0036000000QKv5TAAT"), salesforce_id("0036000000qkv5taat"), salesforce_id("lead 1")
    ('0036000000QKv5T', '0036000000QKv5T', None)
    """
    found = _SALESFORCE_ID.fullmatch(text)
    if found is None or found[2] is None:
        return None if found is None else found[1]
    bits = [_CASES.index(mark) >> place & 1 for mark in found[2].upper() for place in range(5)]
    if any(bit and not letter.isalpha() for bit, letter in zip(bits, found[1], strict=True)):
        return None
    return "".join(letter.upper() if bit else letter.lower() for bit, letter in zip(bits, found[1], strict=True))


def _sheet(
    content: Content,
    system: Mapped | Dynamics,
    ours: pa.Table,
    now: Sequence[Told],
    before: Mapping[str, Told],
    step: int,
) -> Sheet:
    leads, ids = ours["lead_id"].to_pylist(), ours[system.id].to_pylist()
    known = _known(ids, _recognition(system))
    chosen = [row for row in known if due(before.get(leads[row]), now[row], step, content.as_of)]
    return Sheet(
        columns=_columns(content, system, ours.take(pa.array(chosen, pa.int64())), [ids[row] for row in chosen]),
        told={leads[row]: before[leads[row]] for row in known if leads[row] in before}
        | {leads[row]: now[row] for row in chosen},
        unmoved=len(known) - len(chosen),
        left_out=len(ids) - len(known),
        dialect=_dialect(system),
    )


def _columns(
    content: Content, system: Mapped | Dynamics, table: pa.Table, keys: Sequence[str]
) -> dict[str, Sequence[str]]:
    if isinstance(system, Dynamics):
        return _predictive_scores(table, keys, reasons=system.reasons == "json")
    style = _style(system, content)
    cells = {header: _cells(name, table[name], style) for name, header in system.columns.items()}
    return {system.key: keys, **cells}


def _dialect(system: Mapped | Dynamics) -> Dialect:
    if not isinstance(system, Generic):
        return Dialect()
    line_end = {"crlf": "\r\n", "lf": "\n"}[system.line_end]
    return Dialect(system.encoding, system.delimiter.replace("tab", "\t"), line_end)


def _ours(content: Content) -> pa.Table:
    """Put every column a system may ask for side by side: the file of record, reasons with their sides, `shown`."""
    table, wording = content.scores, Wording("crm", content.language)
    for name in REASONS:
        pairs = list(zip(table[f"{name}_text"].to_pylist(), table[f"{name}_sign"].to_pylist(), strict=True))
        said = {pair: _say_reason(wording, *pair) for pair in set(pairs)}
        table = table.append_column(name, pa.array([said[pair] for pair in pairs], pa.string()))
    for name, texts in content.shown.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.array(texts, pa.string()))
    return table


def _say_reason(wording: Wording, text: str | None, sign: int | None) -> str:
    if text is None:
        return wording.say("no_reason")
    return wording.say("speaks_for" if sign == 1 else "speaks_against", reason=text)


def _now(scores: pa.Table) -> list[Told]:
    expires_at = scores["expires_at"].cast(pa.int64())
    columns = (scores["score"], scores["grade"], scores["action"], expires_at)
    return [Told(*row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]


def _known(ids: Sequence[str | None], recognise: Callable[[str], str | None]) -> list[int]:
    """Return the rows with an id the CRM could have; of two leads with one id, the readier."""
    first: dict[str, int] = {}
    for row, text in enumerate(ids):
        identity = None if text is None else recognise(text)
        if identity is not None:
            first.setdefault(identity, row)
    return list(first.values())


def _recognition(system: Mapped | Dynamics) -> Callable[[str], str | None]:
    """Choose what makes one identity of the ways to write an id of this CRM, and None of anything else."""
    if isinstance(system, Dynamics):
        return lambda text: _matching(_GUID, text.lower())
    if isinstance(system, Salesforce):
        return salesforce_id if system.key == "Id" else lambda text: _plain(text) if len(text) <= _EXTERNAL_ID else None
    if isinstance(system, HubSpot) and system.key.lower() == "record id":
        return lambda text: _matching(_NUMBER, text)
    if isinstance(system, HubSpot) and system.key.lower() == "email":
        return lambda text: _matching(_MAIL, text.lower())
    return lambda text: _plain(text, _dialect(system).encoding)


def _matching(pattern: re.Pattern[str], text: str) -> str | None:
    return _plain(text) if pattern.fullmatch(text) else None


def _plain(text: str, encoding: str = "utf-8") -> str | None:
    """Return an id that a file can hold as it is: on one line, trimmed, harmless in a spreadsheet; None for others."""
    whole = text and text == text.strip() and text.encode(encoding, "ignore").decode(encoding) == text
    return text if whole and not _BREAKS.search(text) and neutral(text) == text else None


def _style(system: Mapped, content: Content) -> _Style:
    codes = _codes(system, Wording("common", content.language))
    if isinstance(system, HubSpot):
        zone = ZoneInfo(content.time_zone)
        return _Style(codes, lambda moment: f"{to_datetime(moment).astimezone(zone):%Y-%m-%d}", _HUBSPOT_TEXT)
    if isinstance(system, Salesforce):
        return _Style(codes, _utc, system.text_length)
    assert isinstance(system, Generic)
    return _Style(codes, _utc, system.text_length, system.decimal, system.encoding)


def _codes(system: Mapped, wording: Wording) -> dict[str, dict[str, str]]:
    """Say what each code is called, by column: as configured, else in words where they are asked for, else itself."""
    called = {name: {code: code for code in codes} for name, codes in CODES.items()}
    for spoken in system.words:
        called[spoken] = {code: wording.say(f"{spoken}_{code}") for code in CODES[spoken]}
    for name, given in system.options.items():
        called[name].update(given)
    return called


def _utc(moment: int) -> str:
    """Write a moment as `yyyy-MM-ddTHH:mm:ss.SSSZ`."""
    return to_datetime(moment).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cells(name: str, column: pa.ChunkedArray, style: _Style) -> list[str]:
    """Write a column of ours as a system wants it; what is missing is empty."""
    if pa.types.is_timestamp(column.type):
        return _each(column.cast(pa.int64()), style.moment)
    if pa.types.is_floating(column.type):
        return _each(column, lambda value: f"{value:.6f}".replace(".", style.decimal))
    if pa.types.is_integer(column.type):
        return _each(column, str)
    if name in CODES:
        return _each(column, style.codes[name].__getitem__)
    if name in {"lead_id", "account_id"}:
        return _each(column, lambda text: _plain(text, style.encoding) or "")
    return _each(column, lambda text: _free(text, style))


def _each(column: pa.ChunkedArray, write: Callable[[Any], str]) -> list[str]:
    """Write each value once, however many rows have it."""
    coded = pc.dictionary_encode(column).combine_chunks()
    written = [write(value) for value in coded.dictionary.to_pylist()]
    return ["" if code is None else written[code] for code in coded.indices.to_pylist()]


def _free(text: str, style: _Style) -> str:
    if style.encoding == "windows-1252":  # it lacks the narrow no-break space French numbers are written with
        text = text.replace("\u202f", "\u00a0")
    return _cut(neutral(_BREAKS.sub(" ", text).strip()), style.text_length)


def _cut(text: str, length: int | None) -> str:
    """Shorten a text to so many UTF-16 units, which is how these systems count.

    >>> _cut("one sentence", 8), _cut("one sentence", 5), _cut("four 🂡🂢🂣", 8)
    ('one sen…', 'one…', 'four 🂡…')
    """
    if length is None or 2 * len(text) <= length or len(text.encode("utf-16-le")) <= 2 * length:
        return text
    return text.encode("utf-16-le")[: 2 * (length - 1)].decode("utf-16-le", "ignore").rstrip() + "…"


def _predictive_scores(table: pa.Table, ids: Sequence[str], *, reasons: bool) -> dict[str, Sequence[str]]:
    """Lay out the columns of `msdyn_predictivescores`; its alternate key is the id and the type of the record."""
    columns: dict[str, Sequence[str]] = {
        "msdyn_entityid": [text.lower() for text in ids],
        "msdyn_entitytype": ["lead"] * len(ids),
        "msdyn_score": _each(table["score"], str),
        "msdyn_grade": _each(table["grade"], lambda code: str(CODES["grade"].index(code))),
        "msdyn_scoretrend": _each(table["trend"], lambda code: str(CODES["trend"].index(code))),
        "msdyn_scoredon": _each(table["as_of"].cast(pa.int64()), _utc),
    }
    if reasons:
        columns["msdyn_scorereasons"] = _reasons_as_json(table)
    return columns


def _reasons_as_json(table: pa.Table) -> list[str]:
    """Write the reasons of each lead as a list of objects, strongest first: the sentence, and 1 for or -1 against."""
    told = []
    for name in REASONS:
        texts, signs = _each(table[f"{name}_text"], _json_text), _each(table[f"{name}_sign"], str)
        pairs = zip(texts, signs, strict=True)
        told.append([f'{{"text": {text}, "sign": {sign}}}' if text else "" for text, sign in pairs])
    return ["[" + ", ".join(filter(None, row)) + "]" for row in zip(*told, strict=True)]


def _json_text(text: str) -> str:
    return json.dumps(_cut(neutral(_BREAKS.sub(" ", text).strip()), _DYNAMICS_REASON), ensure_ascii=False)


def _write_csv(sheet: Sheet, path: Path) -> None:
    dialect = sheet.dialect
    with path.open("w", encoding=dialect.encoding, errors="replace", newline="") as file:
        writer = csv.writer(file, delimiter=dialect.delimiter, lineterminator=dialect.line_end)
        writer.writerow(sheet.columns)
        writer.writerows(zip(*sheet.columns.values(), strict=True))


def _write_told(told: Mapping[str, Mapping[str, Told]], path: Path) -> None:
    """Write one row per (system, lead_id) that the system has an id for."""
    parts = []
    for system, leads in told.items():
        facts = zip(*leads.values(), strict=True) if leads else ((),) * len(Told._fields)
        columns = ([system] * len(leads), list(leads), *facts)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, _TOLD_SCHEMA, strict=True)]
        parts.append(pa.table(arrays, schema=_TOLD_SCHEMA))
    pq.write_table(pa.concat_tables(parts), path, compression="zstd")
