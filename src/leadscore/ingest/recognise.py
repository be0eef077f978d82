"""Find the files of a source, and look at their first bytes: is each what its name says, and which columns has it?"""

from __future__ import annotations

import csv
import glob
import gzip
import hashlib
import io
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from leadscore.config import Source
from leadscore.errors import DataError
from leadscore.ingest.normalise import WHITE

Format = Literal["csv", "jsonl", "parquet"]

_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_EXPECTED = {"csv": "CSV text", "jsonl": "JSON lines", "parquet": "Parquet"}
_MAGIC = (
    (b"PAR1", "Parquet"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"PK\x03\x04", "a ZIP archive, as XLSX workbooks are"),
    (b"\xd0\xcf\x11\xe0", "an old Office document, as XLS workbooks are"),
    (b"SQLite format 3", "an SQLite database"),
    (b"BZh", "bzip2-compressed data"),
    (b"\x28\xb5\x2f\xfd", "Zstandard-compressed data"),
    (b"\xfd7zXZ", "xz-compressed data"),
    (b"%PDF", "a PDF document"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BINARY = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
_BINARY_SHARE = 0.1
_HEAD_BYTES = 65_536
_PIECE_BYTES = 1 << 20
_DELIMITERS = (",", ";", "\t", "|")

# Cells may be long; Python's own limit of 128 KiB is below DuckDB's two million bytes per line.
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class InputFile:
    """One file to read.

    Attributes:
        path: Where it is.
        name: What people call it: relative to the project where it lies inside.
        format: What it holds.
        encoding: Of its text.
        delimiter: Between cells of a CSV file, empty for others.
        columns: Its own column names, in order.
        nested: Those of the columns that hold lists, maps or structs.
        header: Number of the record that holds the names, counted from 1 with blank lines; 0 without a header.
    """

    path: Path
    name: str
    format: Format
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    header: int
    nested: frozenset[str] = frozenset()


def find_files(root: Path, source: Source) -> list[Path]:
    """List the files a source names, each once, sorted within each pattern.

    Raises:
        DataError: a pattern matches nothing.
    """
    found: dict[Path, None] = {}
    for pattern in source.files:
        whole = root / pattern
        if whole.is_file():  # a name may hold the signs of a pattern
            matches = [whole]
        else:
            paths = glob.glob(str(Path(glob.escape(str(root))) / pattern), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
            matches = sorted(path for path in map(Path, paths) if path.is_file())
        if not matches:
            is_folder = whole.is_dir()
            raise DataError(
                f"{pattern}: {'a folder' if is_folder else 'no such file'}; looked in {root}.",
                f"Name the files in it: {pattern}/*.csv"
                if is_folder
                else "Correct `files` of that source in the configuration.",
            )
        found |= dict.fromkeys(matches)
    return list(found)


def content_digest(path: Path) -> str:
    """Name a file by its bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def recognise(path: Path, name: str, source: Source) -> InputFile:
    """Look at a file's first bytes: is it what its name says, and which columns has it?

    Raises:
        DataError: it is empty, or something else; says what was found and what was expected.
    """
    kind = _format_of(path, name)
    encoding = source.encoding if kind == "csv" else "utf-8"
    head = _head_of(path, name, kind)
    if not head.strip():
        expected = "a header line" if kind == "csv" else _EXPECTED[kind]
        raise DataError(f"{name}: the file is empty; expected {expected}.", "Ask for the file again, or leave it out.")
    found = _other_content(head, kind, encoding)
    if found:
        raise DataError(
            f"{name}: found {found}; expected {_EXPECTED[kind]}, as its name says.",
            "Export it again in that format, or give the file the name of what it is.",
        )
    if kind == "csv":
        return _recognise_csv(path, name, source, head)
    if kind == "parquet":
        return _recognise_parquet(path, name)
    return InputFile(path, name, kind, encoding, "", (), 0)


def _format_of(path: Path, name: str) -> Format:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
        if suffixes and _FORMATS.get(suffixes[-1]) == "parquet":
            suffixes = []
    if not suffixes or suffixes[-1] not in _FORMATS:
        raise DataError(
            f"{name}: unknown kind of file; expected .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet.",
            "Export the data in one of these formats.",
        )
    return _FORMATS[suffixes[-1]]


def _is_gz(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _head_of(path: Path, name: str, kind: Format) -> bytes:
    with path.open("rb") as handle:
        head = handle.read(_HEAD_BYTES)
    if not _is_gz(path) or not head:
        return head
    if not head.startswith(b"\x1f\x8b"):
        found = _other_content(head, kind, "utf-8") or "text that is not compressed"
        raise DataError(f"{name}: found {found}; expected gzip, as its name says.", "Compress it, or drop the .gz.")
    with explained_damage(name, "gzip"), gzip.open(path, "rb") as unpacked:
        head = unpacked.read(_HEAD_BYTES)
        # DuckDB stops at damage without a word, so the checksum at the end is looked at here.
        while unpacked.read(_PIECE_BYTES):
            pass
        return head


def _other_content(head: bytes, kind: Format, encoding: str) -> str:
    """Name what the bytes are when they are not what was expected; the empty text when they may be."""
    magic = next((found for sign, found in _MAGIC if head.startswith(sign)), "")
    if magic:
        return "" if (kind, magic) == ("parquet", "Parquet") else magic
    if encoding == "utf-16":
        return ""
    if head.startswith(_UTF16):
        return "UTF-16 text" + (" (say `encoding: utf-16`)" if kind == "csv" else "")
    binary = sum(head.count(byte) for byte in _BINARY)
    if binary > _BINARY_SHARE * len(head):
        return "binary data"
    return _other_text(head.removeprefix(b"\xef\xbb\xbf").lstrip(), kind)


def _other_text(head: bytes, kind: Format) -> str:
    if re.match(rb"<(!doctype|html|\?xml)", head, re.IGNORECASE):
        return "a web page or XML"
    looks_json = head.startswith((b"{", b'[{"', b"[\n", b"[ "))
    if kind == "csv":
        return "JSON" if looks_json else ""
    if kind == "jsonl" and head.startswith(b"["):
        return "one JSON array"
    if kind == "jsonl" and head.startswith(b"{"):
        return ""
    return "text" if kind == "parquet" else "text that is not JSON"


def _recognise_parquet(path: Path, name: str) -> InputFile:
    try:
        schema = pq.read_schema(path)
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DataError(f"{name}: the Parquet file is damaged or cut off.", "Ask for the file again.") from error
    nested = frozenset(column.name for column in schema if pa.types.is_nested(column.type))
    return InputFile(path, name, "parquet", "utf-8", "", tuple(schema.names), 0, nested)


def _recognise_csv(path: Path, name: str, source: Source, head: bytes) -> InputFile:
    # The head may end within a character; the header ends long before that.
    text = head.decode(source.encoding, errors="ignore").removeprefix("\ufeff")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = source.delimiter or _delimiter_of(first)
    with explained_damage(name, source.encoding), open_text(path, source.encoding) as lines:
        for record in records(lines, delimiter):
            if any(cell.strip() for cell in record.cells):
                columns = tuple(cell.strip(WHITE) for cell in record.cells)
                return InputFile(path, name, "csv", source.encoding, delimiter, columns, record.number)
    raise DataError(f"{name}: the file is empty; expected a header line.", "Ask for the file again, or leave it out.")


def _delimiter_of(header: str) -> str:
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a file as text with its line ends kept; bytes that are no UTF-8 come as lone surrogates."""
    raw = gzip.open(path, "rb") if _is_gz(path) else path.open("rb")  # noqa: SIM115 - the wrapper closes it
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    errors = "strict" if encoding == "utf-16" else "surrogateescape"
    return io.TextIOWrapper(raw, encoding=codec, errors=errors, newline="")


@dataclass(frozen=True)
class Record:
    """One record of a CSV file: its number from 1, with header and blank lines; the lines it stands on; its cells.

    `problem` says why it could not be cut, as far as quotes go; the cells are its first lines then.
    """

    number: int
    begins: int
    ends: int
    cells: list[str]
    problem: str = ""


def records(lines: IO[str], delimiter: str) -> Iterator[Record]:
    """Cut a CSV file into records; blank lines come without cells, after a misplaced quote the next line goes on."""
    taken: list[str] = []

    def feed() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    source = feed()
    reader = _strict(source, delimiter)
    ends = 0
    for number in itertools.count(1):
        taken.clear()
        try:
            cells, problem = next(reader), ""
        except StopIteration:
            return
        except csv.Error:
            cells, problem = _again(list(taken), source, delimiter)
        begins, ends = ends + 1, ends + len(taken)
        yield Record(number, begins, ends, cells, problem)


def _strict(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    # DuckDB passes over spaces before a quote, so Python must, too, or the two would count differently.
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)


def _again(taken: list[str], source: Iterator[str], delimiter: str) -> tuple[list[str], str]:
    """Cut a record that Python refuses once more without the spaces after its quotes, which DuckDB passes over, too."""
    spaces = re.compile(rf'" +(?=[{re.escape(delimiter)}\r\n]|$)')
    lines = (spaces.sub('"', line) for line in itertools.chain(taken, source))
    try:
        return next(_strict(lines, delimiter)), ""
    except csv.Error:
        return taken, "misplaced quote"


@contextmanager
def explained_damage(name: str, encoding: str) -> Iterator[None]:
    """Turn what reading a damaged file raises into a DataError."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name}: the compressed file is damaged or cut off.", "Ask for the file again.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: the text is not {encoding}.", "Set `encoding` of that source: utf-8, latin-1 or utf-16."
        ) from error
