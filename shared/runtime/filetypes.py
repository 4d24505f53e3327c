"""What a file is by its content, whatever its name says: documents, pictures, tables, text, calendars; nothing else.

A file that is not what its name or sender claims, that would run where it is opened (markup, scripts, macros),
or that unpacks to far more than it holds is refused by name and reason. Reads in pieces, never the whole.
"""

import codecs
import re
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO

import filetype  # type: ignore[import-untyped]

from shared.refusal import Refusal, Word

PIECE = 65_536
HEAD = 8_192
MAX_ENTRIES = 5_000
MAX_DIRECTORY = 1024 * 1024
MAX_UNPACKED = 200 * 1024 * 1024
MAX_RATIO = 100
"""Of what a zip unpacks to over its size, above 20 MB unpacked; a sheet of one word in a million cells has 23."""
FREE_UNPACKED = 20 * 1024 * 1024


class FileTypeNotAccepted(Refusal):
    """A file of this kind is not taken."""


class FileNotWhatItSays(Refusal):
    """The content is of another kind than the name or the sender says."""


class FileRuns(Refusal):
    """The file holds markup, a script or macros, which run where it is opened."""


class FileEncrypted(Refusal):
    """The file cannot be looked into."""


class FileUnpacksTooLarge(Refusal):
    """The file unpacks to far more than it holds."""


class FileBroken(Refusal):
    """The file is cut off or damaged."""


class FileEmpty(Refusal):
    """There is nothing in the file."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file that is taken: what it is stored as, how it may be named, what senders call it."""

    media_type: str
    title: str
    endings: tuple[str, ...]
    claims: tuple[str, ...] = ()


_ZIP = ("application/zip", "application/x-zip-compressed", "application/x-zip")
_OOXML = "application/vnd.openxmlformats-officedocument."
PDF = Kind("application/pdf", "a PDF document", ("pdf",), ("application/x-pdf",))
PNG = Kind("image/png", "a PNG picture", ("png",), ("image/apng", "image/x-png"))
JPEG = Kind("image/jpeg", "a JPEG picture", ("jpg", "jpeg", "jpe"), ("image/jpg", "image/pjpeg"))
WEBP = Kind("image/webp", "a WebP picture", ("webp",))
XLSX = Kind(f"{_OOXML}spreadsheetml.sheet", "an Excel workbook", ("xlsx",), _ZIP)
DOCX = Kind(f"{_OOXML}wordprocessingml.document", "a Word document", ("docx",), _ZIP)
ODS = Kind("application/vnd.oasis.opendocument.spreadsheet", "an OpenDocument sheet", ("ods",), _ZIP)
CSV = Kind("text/csv", "a CSV table", ("csv",), ("text/plain", "application/csv", "application/vnd.ms-excel"))
TEXT = Kind("text/plain", "plain text", ("txt",))
CALENDAR = Kind("text/calendar", "a calendar", ("ics",), ("text/plain", "application/ics"))
KINDS = (PDF, PNG, JPEG, WEBP, XLSX, DOCX, ODS, CSV, TEXT, CALENDAR)

_UNSAID = ("", "application/octet-stream", "binary/octet-stream", "application/x-download")
_MAIN_PARTS = {"xl/workbook.xml": XLSX, "word/document.xml": DOCX}
_MARKUP = re.compile(rb"<(?:!doctype html|\?xml|\?php|html|head|body|script|svg|iframe)\b", re.IGNORECASE)
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def kind_of(file: IO[bytes], name: str, claimed: str | None = None) -> Kind:
    """The kind of a file that is taken; `claimed` is the media type that its sender gave.

    The file is left anywhere. Raises `FileEmpty`, `FileTypeNotAccepted`, `FileNotWhatItSays`, `FileRuns`,
    `FileEncrypted`, `FileUnpacksTooLarge`, `FileBroken`, all of the field `file`.
    """
    file.seek(0)
    head = file.read(HEAD)
    if not head:
        raise FileEmpty("{name} is empty", name=name, field="file")
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    expected = next((kind for kind in KINDS if ending in kind.endings), None)
    kind = _by_content(file, head, name, expected)
    if kind is not expected:
        if not ending:
            raise FileNotWhatItSays("{name} has no ending and is {kind}: name it .{right}", name=name,
                                    kind=Word(kind.title), right=kind.endings[0], field="file")  # fmt: skip
        raise FileNotWhatItSays("{name} ends in .{ending} and is {kind}: name it .{right}", name=name, ending=ending,
                                kind=Word(kind.title), right=kind.endings[0], field="file")  # fmt: skip
    said = (claimed or "").partition(";")[0].strip().lower()
    if said not in (*_UNSAID, kind.media_type, *kind.claims):
        raise FileNotWhatItSays(
            "{name} was sent as {said} and is {kind}", name=name, said=said[:80], kind=Word(kind.title), field="file"
        )
    return kind


def _by_content(file: IO[bytes], head: bytes, name: str, expected: Kind | None) -> Kind:
    found = filetype.guess(head)
    media_type = found.mime if found is not None else None
    if media_type == PDF.media_type:
        return _pdf(file, head, name)
    if media_type in (PNG.media_type, "image/apng"):
        return _ends(file, name, PNG, b"IEND\xaeB`\x82")
    if media_type == JPEG.media_type:
        return _ends(file, name, JPEG, b"\xff\xd9")
    if media_type == WEBP.media_type:
        return WEBP
    if head.startswith(b"PK\x03\x04"):
        return _zipped(file, name)
    if media_type in ("application/rtf", "application/postscript"):
        raise FileTypeNotAccepted(
            "{name} is {media_type}, which is not taken", name=name, media_type=media_type, field="file"
        )
    return _text(file, name, expected, media_type)


def _tail(file: IO[bytes], size: int) -> bytes:
    end = file.seek(0, 2)
    file.seek(max(0, end - size))
    return file.read(size)


def _pdf(file: IO[bytes], head: bytes, name: str) -> Kind:
    if not re.match(rb"%PDF-[12]\.\d", head) or b"%%EOF" not in _tail(file, 2048):
        raise FileBroken("{name} begins as a PDF and does not end as one", name=name, field="file")
    return PDF


def _ends(file: IO[bytes], name: str, kind: Kind, mark: bytes) -> Kind:
    # some cameras put a little behind the end mark
    if mark not in _tail(file, PIECE):
        raise FileBroken("{name} begins as {kind} and is cut off", name=name, kind=Word(kind.title), field="file")
    return kind


def _zipped(file: IO[bytes], name: str) -> Kind:
    tail = _tail(file, 65_557 + 20)  # the end record with the longest comment, and what may stand before it
    end = tail.rfind(b"PK\x05\x06")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if directory > MAX_DIRECTORY or b"PK\x06\x07" in tail[max(0, end - 20) : end]:
        raise FileUnpacksTooLarge("{name} lists more parts than a document has", name=name, field="file")
    size = file.seek(0, 2)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _unpacks_within_reason(entries, size, name)
            kind = _document(archive, entries, name)
            for entry in entries:
                with archive.open(entry) as part:
                    while part.read(PIECE):  # to the end: its check sum tells whether it is whole
                        pass
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError) as error:
        raise FileBroken("{name} cannot be unpacked: {why}", name=name, why=str(error)[:100], field="file") from None
    return kind


def _unpacks_within_reason(entries: list[zipfile.ZipInfo], size: int, name: str) -> None:
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise FileEncrypted("{name} is protected by a password; send it without one", name=name, field="file")
    unpacked = sum(entry.file_size for entry in entries)
    beyond = unpacked > FREE_UNPACKED and unpacked > MAX_RATIO * size
    if len(entries) > MAX_ENTRIES or unpacked > MAX_UNPACKED or beyond:
        raise FileUnpacksTooLarge(
            "{name} unpacks to {unpacked:,} kB in {parts:,} parts from {size:,} kB",
            name=name, unpacked=unpacked // 1024, parts=len(entries), size=size // 1024, field="file",
        )  # fmt: skip
    for entry in entries:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileTypeNotAccepted("{name} is packed in a way that documents are not", name=name, field="file")
        if entry.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", entry.filename):
            raise FileBroken("{name} holds a part that would be unpacked elsewhere", name=name, field="file")


def _document(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], name: str) -> Kind:
    names = {entry.filename for entry in entries}
    if len(names) != len(entries):
        raise FileBroken("{name} holds two parts of the same name", name=name, field="file")
    if any(each.lower().endswith("vbaproject.bin") or each.startswith(("Basic/", "Scripts/")) for each in names):
        raise FileRuns("{name} holds macros; save it without them", name=name, field="file")
    if "mimetype" in names:
        with archive.open("mimetype") as part:
            said = part.read(200).decode("ascii", "replace").strip()
        if said == ODS.media_type and "content.xml" in names:
            return ODS
        raise FileTypeNotAccepted("{name} is {said}, which is not taken", name=name, said=said[:80], field="file")
    if "[Content_Types].xml" in names:
        with archive.open("[Content_Types].xml") as part:
            types = part.read(1024 * 1024)
        if b"macroEnabled" in types:
            raise FileRuns("{name} is a document for macros; save it as one without", name=name, field="file")
        for main, kind in _MAIN_PARTS.items():
            if main in names and f"{kind.media_type}.main+xml".encode() in types:
                return kind
    raise FileTypeNotAccepted("{name} is a zip file, which is not taken as such", name=name, field="file")


def _text(file: IO[bytes], name: str, expected: Kind | None, media_type: str | None) -> Kind:
    """Text in UTF-8 or Latin-1: any bytes but those of control characters; a picture or a program has some."""
    file.seek(0)
    start = b""
    while piece := file.read(PIECE):
        start = start or piece.removeprefix(codecs.BOM_UTF8).lstrip()
        if _CONTROLS.search(piece):
            if expected in (CSV, TEXT, CALENDAR) and piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise FileTypeNotAccepted("{name} is text in UTF-16; save it in UTF-8", name=name, field="file")
            taken = ", ".join(f".{kind.endings[0]}" for kind in KINDS)
            if media_type:
                raise FileTypeNotAccepted("{name} is {media_type}; taken are {taken}", name=name,
                                          media_type=media_type, taken=taken, field="file")  # fmt: skip
            raise FileTypeNotAccepted("{name} is of an unknown kind; taken are {taken}", name=name, taken=taken,
                                      field="file")  # fmt: skip
    if start.startswith((b"#!", b"<")) or _MARKUP.search(start[:4096]):
        raise FileRuns("{name} holds markup or a script", name=name, field="file")
    if start[:15].upper() == b"BEGIN:VCALENDAR":
        if b"END:VCALENDAR" not in _tail(file, 1024).upper():
            raise FileBroken("{name} begins as a calendar and is cut off", name=name, field="file")
        return CALENDAR
    if expected is CSV or expected is TEXT:
        return expected
    return TEXT
