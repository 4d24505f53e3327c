"""Tables that people send: CSV in whatever their program wrote, XLSX. Gives numbered rows of text.

What is no table, too large, encrypted or a bomb is one refusal of the whole file, before anything is done.
Rows are given again at each call and never all at once.
"""

import contextlib
import csv
import io
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

import orjson

from shared.refusal import Refusal, Word
from shared.runtime import xlsx_rows

Row = tuple[int, list[str]]
"""The number that the reader's program shows, and the cells."""

UNPACKED_FACTOR = 8
"""A workbook may unpack to this many times the largest allowed file; honest ones stay below."""
MAX_PARTS = 2_000
CHILD_MEMORY_BYTES = 2 * 1024**3
CHILD_SECONDS = 120


class FileRefused(Refusal):
    """The file as a whole cannot be read. Root of the reasons."""


class EmptyFile(FileRefused):
    """Nothing is in it."""


class FileTooLarge(FileRefused):
    """More bytes, rows or memory than is allowed."""


class NotATable(FileRefused):
    """It is something else, whatever its name says."""


class EncryptedFile(FileRefused):
    """It needs a password."""


class ZipBomb(FileRefused):
    """It would unpack to far more than it could honestly hold."""


class Limits(NamedTuple):
    """What a file may be at most."""

    megabytes: int = 50
    rows: int = 200_000


class Table:
    """The rows of one file. Use it as a context manager: it may hold a temporary file."""

    def __init__(self, *, text: str | None = None, delimiter: str = ",", lines: IO[bytes] | None = None) -> None:
        self._text, self._delimiter, self._lines = text, delimiter, lines

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *_: object) -> None:
        if self._lines is not None:
            self._lines.close()

    def rows(self) -> Iterator[Row]:
        """Every row that is not blank, from the first. Raises `NotATable` where the file is broken further down."""
        if self._lines is not None:
            self._lines.seek(0)
            for line in self._lines:
                yield from orjson.loads(line)
        else:
            assert self._text is not None
            yield from _csv_rows(self._text, self._delimiter)


_MAGIC = (
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"BM", "a picture (BMP)"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
    (b"Rar!", "a compressed file (RAR)"),
    (b"7z\xbc\xaf", "a compressed file (7z)"),
    (b"SQLite format", "a database file"),
)


def read(content: bytes, limits: Limits) -> Table:
    """The table in a file's bytes, by what it is and not by its name. Raises a `FileRefused`."""
    if len(content) > limits.megabytes * 1024 * 1024:
        raise too_large(len(content), limits)
    if not content.strip(b"\x00\xef\xbb\xbf \t\r\n"):
        raise EmptyFile("the file is empty")
    if content.startswith(b"PK"):
        return _workbook(content, limits)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        if "EncryptedPackage".encode("utf-16-le") in content:
            raise EncryptedFile("the workbook is protected with a password; save it without one")
        raise NotATable("this is an old Excel file (.xls); save it as .xlsx or CSV")
    for magic, what in _MAGIC:
        if content.startswith(magic) and (magic != b"BM" or b"\x00" in content[:64]):
            raise NotATable("this is {what}, not a spreadsheet", what=Word(what))
    return _csv(content, limits)


def too_large(size: int, limits: Limits) -> FileTooLarge:
    """The refusal of a file of that many bytes."""
    return FileTooLarge(
        "the file has {size:.1f} MB; at most {most} MB are read", size=size / 1024 / 1024, most=limits.megabytes
    )


# --- CSV -----------------------------------------------------------------------------------------


def _csv(content: bytes, limits: Limits) -> Table:
    text = _decoded(content)
    if "\x00" in text:
        raise NotATable("this is not a text file; save the sheet as .xlsx or CSV")
    head = text[:20_000]
    strange = sum(1 for char in head if char < " " and char not in "\r\n\t\x0b\x0c")
    if strange > len(head) / 200:
        raise NotATable("this is not a text file; save the sheet as .xlsx or CSV")
    if re.match(r"\s*<(!doctype|html|\?xml)", head, re.IGNORECASE):
        raise NotATable("this is a web page or XML, not a spreadsheet")
    said = re.match(r"sep=(.)\r?\n", text)
    delimiter = said[1] if said else _delimiter(head)
    table = Table(text=text[said.end() :] if said else text, delimiter=delimiter)
    for count, _ in enumerate(table.rows(), start=1):
        if count > limits.rows + 1:
            raise _too_many(limits)
    return table


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode("utf-16")
        raise NotATable("this is not a text file; save the sheet as .xlsx or CSV")
    for encoding in ("utf-8-sig", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode(encoding)
        if encoding == "utf-8-sig" and (text := _mostly_utf8(content)) is not None:
            return text
    return content.decode("latin-1")


def _mostly_utf8(content: bytes) -> str | None:
    """A text in UTF-8 with "\ufffd" for each bad byte, so that only the rows with one suffer; None for another text.

    Read as Latin-1 every accent of the file would turn into two wrong letters. Letters of Windows-1252 look like
    UTF-8 by chance only as rare signs (É” is one), so signs that people write count ten times.
    """
    text = content.decode("utf-8-sig", "replace")
    bad = text.count("\ufffd") - content.count(b"\xef\xbf\xbd")
    valid = len(text) - len(text.encode("ascii", "ignore")) - text.count("\ufffd")
    written = sum(1 for _ in _WRITTEN.finditer(text))
    if content.startswith(b"\xef\xbb\xbf") or written * 10 >= bad or valid > bad * 10:
        return text
    return None


_WRITTEN = re.compile("[\u00a0-\u017f\u2010-\u203a\u20ac]")
"""Letters of Latin languages, dashes and quotation marks: what UTF-8 writes with more than one byte."""


def _delimiter(head: str) -> str:
    """What separates cells: the sign that splits the first rows into most columns, the same in each."""
    lines = head.splitlines()[:20]
    best, best_score = ",", 0.0
    for sign in (",", ";", "\t"):
        with contextlib.suppress(csv.Error):
            widths = [len(row) for row in csv.reader(lines, delimiter=sign) if any(row)]
            if widths and max(widths) > 1:
                usual = max(set(widths), key=lambda width: (widths.count(width), width))
                score = (usual - 1) * widths.count(usual) / len(widths)
                if score > best_score:
                    best, best_score = sign, score
    return best


def _csv_rows(text: str, delimiter: str) -> Iterator[Row]:
    # a long cell is the matter of its row, not of the file; the file's own size bounds it
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    lines = io.StringIO(text, newline="")
    ended = False

    def end() -> Iterator[str]:
        nonlocal ended
        ended = True
        yield from ()

    reader = csv.reader(chain(lines, end()), delimiter=delimiter)
    number = start = line = width = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if ended:  # the reader asks for another line only within quotes
                raise _left_open(number, "the file ends within the quotation marks of a cell")
            if reader.line_num - line > 1:  # an open mark also ends at the next one, somewhere below
                _check_quotes(text[start : lines.tell()], delimiter, number)
                if len(cells) < width and any("\n" in cell and delimiter in cell for cell in cells):
                    raise _left_open(number, "it has fewer cells than others, and one that looks like several rows")
            width = max(width, len(cells))
            line, start = reader.line_num, lines.tell()
            if any(cells):
                yield number, cells
    except csv.Error as error:
        raise NotATable("behind row {number} the file is broken: {why}", number=number, why=error) from None


def _check_quotes(record: str, delimiter: str, number: int) -> None:
    """A row of several lines closes every quotation mark at the end of a cell. Raises `NotATable`."""
    try:
        for _ in csv.reader(io.StringIO(record, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error:
        raise _left_open(number, "quotation marks that begin here end in the middle of a cell below") from None


def _left_open(number: int, why: str) -> NotATable:
    return NotATable("row {number}: {why}; is a quotation mark left open?", number=number, why=Word(why))


def _too_many(limits: Limits) -> FileTooLarge:
    return FileTooLarge("the sheet has more than {rows:,} rows; divide it", rows=limits.rows)


# --- XLSX ----------------------------------------------------------------------------------------


def _workbook(content: bytes, limits: Limits) -> Table:
    _check_zip(content, limits.megabytes * UNPACKED_FACTOR)
    lines: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-I", str(Path(xlsx_rows.__file__)), str(CHILD_MEMORY_BYTES), str(CHILD_SECONDS),
             str(limits.rows + 1)],
            input=content, stdout=lines, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise _child_refused(done.returncode, done.stderr.decode("utf-8", "replace"), limits)
        return Table(lines=lines)
    except BaseException:
        lines.close()
        raise


def _child_refused(code: int, said: str, limits: Limits) -> FileRefused:
    if code == xlsx_rows.ENCRYPTED:
        return EncryptedFile("the workbook is protected with a password; save it without one")
    if code == xlsx_rows.EMPTY:
        return EmptyFile("the workbook has no visible sheet with rows")
    if code == xlsx_rows.TOO_MANY_ROWS:
        return _too_many(limits)
    if code == xlsx_rows.UNREADABLE:
        return NotATable("the workbook is damaged: {why}", why=said.strip()[:200])
    return FileTooLarge("the workbook describes a table too large to read; delete what is far outside of the list")


def _check_zip(content: bytes, megabytes: int) -> None:
    """Declared and actual sizes, before anything is unpacked for good. Raises `ZipBomb` and others."""
    allowed = megabytes * 1024 * 1024
    try:
        parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, IndexError):
        raise NotATable("the workbook is damaged, or this is no workbook") from None
    if not any(part.filename.lower().endswith("xl/workbook.xml") for part in parts):
        raise NotATable("this is a ZIP file but no Excel workbook (.xlsx)")
    if any(part.flag_bits & 1 for part in parts):
        raise EncryptedFile("the workbook is protected with a password; save it without one")
    bomb = ZipBomb("the workbook unpacks to more than {megabytes} MB and was not read", megabytes=megabytes)
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > allowed:
        raise bomb
    left = allowed
    for part in parts:
        left -= _unpacked_size(content, part, left)
        if left < 0:
            raise bomb


def _unpacked_size(content: bytes, part: zipfile.ZipInfo, enough: int) -> int:
    """Bytes that a part really unpacks to; stops counting beyond `enough`. Keeps nothing of it."""
    header = content[part.header_offset : part.header_offset + 30]
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise NotATable("the workbook is damaged")
    start = part.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    if part.compress_type == zipfile.ZIP_STORED:
        return part.compress_size
    if part.compress_type != zipfile.ZIP_DEFLATED:
        raise NotATable("the workbook is packed in a way that Excel does not use")
    inflate, size = zlib.decompressobj(-15), 0
    view = memoryview(content)
    position = start
    pending: bytes | memoryview = b""
    try:
        while not inflate.eof and size <= enough:
            if not pending:
                pending = view[position : position + 65536]
                position += 65536
                if not pending:
                    break
            size += len(inflate.decompress(pending, 1 << 20))
            pending = inflate.unconsumed_tail
    except zlib.error:
        raise NotATable("the workbook is damaged") from None
    return size
