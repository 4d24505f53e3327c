"""What a file is by its content, what it is refused for, and how its name is shown."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest
import xlsxwriter

from shared.http.files import disposition
from shared.refusal import Refusal
from shared.runtime.files import proper_name
from shared.runtime.filetypes import (
    CALENDAR,
    CSV,
    DOCX,
    JPEG,
    ODS,
    PDF,
    PNG,
    TEXT,
    WEBP,
    XLSX,
    FileBroken,
    FileEmpty,
    FileEncrypted,
    FileNotWhatItSays,
    FileRuns,
    FileTypeNotAccepted,
    FileUnpacksTooLarge,
    Kind,
    kind_of,
)

DOCX_TYPES = b'<Types><Override ContentType="' + DOCX.media_type.encode() + b'.main+xml"/></Types>'


def zipped(parts: dict[str, bytes], *, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", packing) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return held.getvalue()


def png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def workbook() -> bytes:
    held = io.BytesIO()
    book = xlsxwriter.Workbook(held)
    book.add_worksheet().write(0, 0, "año")
    book.close()
    return held.getvalue()


def encrypted(content: bytes) -> bytes:
    """The same zip with the mark of a password on every part."""
    marked = bytearray(content)
    at = 0
    while (at := marked.find(b"PK\x01\x02", at)) >= 0:
        marked[at + 8] |= 1
        at += 4
    return bytes(marked)


def longer(content: bytes) -> bytes:
    """The same zip with one byte of a packed part changed."""
    at = content.index(b"word/document.xml") + 20
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


PDF_BYTES = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
JPEG_BYTES = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 40 + b"\xff\xd9"
WEBP_BYTES = b"RIFF\x24\x00\x00\x00WEBPVP8 " + b"\x00" * 40
DOCX_BYTES = zipped({"[Content_Types].xml": DOCX_TYPES, "word/document.xml": b"<document/>" * 50})
ODS_BYTES = zipped({"mimetype": ODS.media_type.encode(), "content.xml": b"<x/>"}, packing=zipfile.ZIP_STORED)
ICS_BYTES = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"

TAKEN: list[tuple[str, str | None, bytes, Kind]] = [
    ("acta.pdf", "application/pdf", PDF_BYTES, PDF),
    ("ACTA.PDF", "application/octet-stream", PDF_BYTES, PDF),
    ("logo.png", "image/png", png(), PNG),
    ("foto.jpeg", "image/jpeg", JPEG_BYTES, JPEG),
    ("foto.jpg", None, JPEG_BYTES + b"trailing bytes of a camera", JPEG),
    ("foto.webp", "image/webp", WEBP_BYTES, WEBP),
    ("socios.xlsx", "application/zip", workbook(), XLSX),
    ("carta.docx", DOCX.media_type, DOCX_BYTES, DOCX),
    ("hoja.ods", "", ODS_BYTES, ODS),
    ("a.csv", "application/vnd.ms-excel", "nombre;año\nÑandú;1\n".encode(), CSV),
    ("a.csv", "text/csv; charset=utf-8", b"\xef\xbb\xbfa,b\r\n1,2\r\n", CSV),
    ("a.csv", "text/csv", "Gestión;“x”\n".encode("cp1252"), CSV),
    ("a.csv", "text/csv", b"MZ;BZh\n1;2\n", CSV),
    ("nota.txt", "text/plain", b"2 < 3, see <someone@example.org>\n", TEXT),
    ("junta.ics", "text/calendar", ICS_BYTES, CALENDAR),
]


@pytest.mark.parametrize(("name", "claimed", "content", "kind"), TAKEN)
def test_a_file_that_is_what_it_says_is_taken(name: str, claimed: str | None, content: bytes, kind: Kind) -> None:
    assert kind_of(io.BytesIO(content), name, claimed) is kind


Made = bytes | Callable[[], bytes]
REFUSED: list[tuple[type[Refusal], str, str | None, Made]] = [
    (FileEmpty, "a.pdf", None, b""),
    (FileNotWhatItSays, "a.png", None, PDF_BYTES),
    (FileNotWhatItSays, "a.pdf", None, png()),
    (FileNotWhatItSays, "a.pdf", None, b"only text"),
    (FileNotWhatItSays, "a.xlsx", None, DOCX_BYTES),
    (FileNotWhatItSays, "a.txt", None, ICS_BYTES),
    (FileNotWhatItSays, "a.ics", None, b"a;b\n"),
    (FileNotWhatItSays, "pdf", None, PDF_BYTES),
    (FileNotWhatItSays, "a.pdf.exe", None, PDF_BYTES),
    (FileNotWhatItSays, "a.pdf", "image/png", PDF_BYTES),
    (FileNotWhatItSays, "a.txt", "text/html", b"plain"),
    (FileRuns, "a.svg", "image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    (FileRuns, "a.txt", None, b"\n  <!DOCTYPE HTML><p>"),
    (FileRuns, "a.csv", None, b"name\n<ScRiPt >alert(1)</script>\n"),
    (FileRuns, "a.txt", None, b"\xef\xbb\xbf<?xml version='1.0'?><svg/>"),
    (FileRuns, "a.txt", None, b" " * 70_000 + b"<html>"),
    (FileRuns, "a.txt", None, b"#!/bin/sh\nrm -rf ~\n"),
    (FileRuns, "a.txt", None, b"<?php system('id');"),
    (FileRuns, "a.docx", None, zipped({"[Content_Types].xml": DOCX_TYPES, "word/vbaProject.bin": b"x"})),
    (FileRuns, "a.docx", None, zipped({"[Content_Types].xml": b"ms-word.document.macroEnabled.main+xml"})),
    (FileRuns, "a.ods", None, zipped({"mimetype": ODS.media_type.encode(), "content.xml": b"", "Basic/a.xml": b"x"})),
    (FileEncrypted, "a.docx", None, encrypted(DOCX_BYTES)),
    (FileUnpacksTooLarge, "a.docx", None,
     lambda: zipped({"[Content_Types].xml": DOCX_TYPES, "word/document.xml": bytes(40_000_000)})),
    (FileUnpacksTooLarge, "a.docx", None, lambda: zipped({f"{n}": b"" for n in range(5_001)})),
    (FileUnpacksTooLarge, "a.docx", None,
     b"PK\x03\x04" + b"\x00" * 60 + b"PK\x05\x06" + b"\x00" * 8 + b"\xff" * 8 + b"\x00\x00"),
    (FileBroken, "a.docx", None, longer(DOCX_BYTES)),
    (FileBroken, "a.docx", None, DOCX_BYTES[:-30]),
    (FileBroken, "a.docx", None, zipped({"[Content_Types].xml": DOCX_TYPES, "word/document.xml": b"", "../x": b""})),
    (FileBroken, "a.pdf", None, PDF_BYTES[:-6]),
    (FileBroken, "a.png", None, png()[:-4]),
    (FileBroken, "a.jpg", None, JPEG_BYTES[:-2]),
    (FileBroken, "a.ics", None, ICS_BYTES[:-10]),
    (FileTypeNotAccepted, "a.zip", None, zipped({"a.txt": b"x"})),
    (FileTypeNotAccepted, "a.docx", None, zipped({"mimetype": b"application/vnd.oasis.opendocument.text"})),
    (FileTypeNotAccepted, "a.docx", None, lambda: zipped({"word/document.xml": b"x"}, packing=zipfile.ZIP_LZMA)),
    (FileTypeNotAccepted, "a.gif", None, b"GIF89a\x01\x00\x01\x00\x00"),
    (FileTypeNotAccepted, "a.csv", None, b"MZ\x90\x00\x03\x00\x00\x00"),
    (FileTypeNotAccepted, "a.csv", None, "a;b\n".encode("utf-16")),
    (FileTypeNotAccepted, "a.txt", None, b"a" * 100_000 + b"\x00"),
    (FileTypeNotAccepted, "a.txt", None, b"{\\rtf1 \\object}"),
    (FileTypeNotAccepted, "a.doc", None, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
]  # fmt: skip


@pytest.mark.parametrize(("refusal", "name", "claimed", "content"), REFUSED)
def test_a_file_that_is_not_what_it_says_or_that_harms_is_refused_by_name(
    refusal: type[Refusal], name: str, claimed: str | None, content: Made
) -> None:
    with pytest.raises(Refusal) as refused:
        kind_of(io.BytesIO(content if isinstance(content, bytes) else content()), name, claimed)
    assert type(refused.value) is refusal, refused.value.reason
    assert refused.value.field == "file"
    assert name in refused.value.reason


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\Users\\ana\\acta final.pdf", "acta final.pdf"),
        ("a\x00b\r\nSet-Cookie: x.pdf", "a b Set-Cookie: x.pdf"),
        ("factura\u202efdp.exe", "factura fdp.exe"),
        ("..", "file"), ("", "file"), ("/", "file"), ("\ud800", "file"), (" .pdf ", "pdf"),
        ("x" * 300 + ".xlsx", "x" * 195 + ".xlsx"),
        ("reunio\u0301n.pdf", "reunión.pdf"),
    ],
)  # fmt: skip
def test_a_name_is_shown_without_what_could_mislead(given: str, shown: str) -> None:
    assert proper_name(given) == shown


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("acta.pdf", "attachment; filename=\"acta.pdf\"; filename*=UTF-8''acta.pdf"),
        ("año 1.pdf", "attachment; filename=\"ano 1.pdf\"; filename*=UTF-8''a%C3%B1o%201.pdf"),
        ('a";x="b.pdf', "attachment; filename=\"a__x=_b.pdf\"; filename*=UTF-8''a%22%3Bx%3D%22b.pdf"),
        ("文", "attachment; filename=\"file\"; filename*=UTF-8''%E6%96%87"),
    ],
)
def test_a_name_travels_in_one_header_as_it_is(name: str, header: str) -> None:
    assert disposition(name) == header
