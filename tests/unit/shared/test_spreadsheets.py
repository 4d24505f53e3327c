"""Files as they come: encodings, separators, workbooks, and what is no table at all."""

import io
import struct
import zipfile
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.runtime.spreadsheets import (
    EmptyFile,
    EncryptedFile,
    FileRefused,
    FileTooLarge,
    Limits,
    NotATable,
    ZipBomb,
    read,
)

TEXT = "Razón social,RFC\nTroquelados Peña Alta,ZZT\n"
ROWS = [(1, ["Razón social", "RFC"]), (2, ["Troquelados Peña Alta", "ZZT"])]


LIMITS = Limits()


def rows(content: bytes, limits: Limits = LIMITS) -> list[tuple[int, list[str]]]:
    with read(content, limits) as table:
        found = [(number, cells) for number, cells in table.rows()]
        assert [(number, cells) for number, cells in table.rows()] == found
        return found


def workbook(write: Callable[[Any, Any], None]) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    write(book, book.add_worksheet())
    book.close()
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("latin-1"),
        TEXT.encode("cp1252"),
        TEXT.encode("utf-16"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode(),
        b"sep=;\r\n" + TEXT.replace(",", ";").encode("cp1252"),
        '"Razón social";"RFC"\n"Troquelados Peña Alta";"ZZT"\n\n;\n'.encode(),
    ],
)
def test_csv_as_programs_write_it(content: bytes) -> None:
    assert rows(content) == ROWS


def test_commas_within_quotes_do_not_separate() -> None:
    content = 'Razón social;RFC\n"Arneses; cables, y más";ZZA\nMoldes, S.A.;ZZM\n'.encode()
    assert [cells for _, cells in rows(content)][1:] == [["Arneses; cables, y más", "ZZA"], ["Moldes, S.A.", "ZZM"]]


def test_a_workbook_gives_numbers_days_and_formulas_as_people_see_them() -> None:
    def write(book: Any, sheet: Any) -> None:
        sheet.write_row(2, 1, ["Razón social", "Fecha", "Serie"])
        sheet.write(3, 1, "Peña Alta")
        sheet.write_datetime(3, 2, datetime(2020, 3, 1), book.add_format({"num_format": "dd/mm/yyyy"}))
        sheet.write_number(3, 3, 43891)
        sheet.write_formula(5, 1, '="Peña"&" Baja"', None, "Peña Baja")

    found = rows(workbook(write))
    assert found[0] == (3, ["Razón social", "Fecha", "Serie"])
    assert found[1] == (4, ["Peña Alta", "2020-03-01", "43891"])
    assert found[2][0] == 6
    assert found[2][1][0] == "Peña Baja"


def test_the_first_visible_sheet_with_rows_is_read() -> None:
    def write(book: Any, sheet: Any) -> None:
        sheet.hide()
        sheet.write(0, 0, "hidden")
        book.add_worksheet("empty")
        shown = book.add_worksheet("Padrón")
        shown.write(0, 0, "shown")
        shown.activate()
        shown.set_first_sheet()

    assert rows(workbook(write)) == [(1, ["shown"])]


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(64)


@pytest.mark.parametrize(
    ("content", "refusal", "why"),
    [
        (b"", EmptyFile, "empty"),
        (b"\xef\xbb\xbf \r\n", EmptyFile, "empty"),
        (PNG, NotATable, "picture"),
        (b"\xff\xd8\xff\xe0" + bytes(64), NotATable, "picture"),
        (b"%PDF-1.7\n", NotATable, "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), NotATable, r"\.xls"),
        (b"\xd0\xcf\x11\xe0" + bytes(60) + "EncryptedPackage".encode("utf-16-le"), EncryptedFile, "password"),
        (b"\x00\x01\x02\x03" * 50, NotATable, "not a text file"),
        (bytes(range(1, 256)) * 4, NotATable, "not a text file"),
        (b"<!DOCTYPE html><table>", NotATable, "web page"),
        (b"PK\x03\x04 and then nothing", NotATable, "damaged"),
    ],
)
def test_what_is_no_table_is_refused_by_what_it_is(content: bytes, refusal: type[FileRefused], why: str) -> None:
    with pytest.raises(refusal, match=why):
        read(content, Limits())


def test_a_file_too_large_or_with_too_many_rows_is_refused() -> None:
    with pytest.raises(FileTooLarge, match="at most 1 MB"):
        read(b"x" * (1024 * 1024 + 1), Limits(1))
    with pytest.raises(FileTooLarge, match="more than 10 rows"):
        read(b"a,b\n" * 12, Limits(1, 10))
    with pytest.raises(FileTooLarge, match="more than 10 rows"):
        read(workbook(lambda _, sheet: sheet.write_column(0, 0, ["a"] * 12)), Limits(1, 10))


def zipped(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_zip_that_is_no_workbook_is_refused() -> None:
    with pytest.raises(NotATable, match="no Excel workbook"):
        read(zipped({"members.csv": b"a,b"}), Limits())
    with pytest.raises(NotATable):
        read(zipped({"xl/workbook.xml": b"<not a workbook"}), Limits())


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped({"xl/workbook.xml": b"<x/>", "xl/worksheets/sheet1.xml": bytes(9 * 1024 * 1024)})
    assert len(bomb) < 20_000
    with pytest.raises(ZipBomb, match="8 MB"):
        read(bomb, Limits(1))


def test_a_zip_bomb_that_lies_about_its_size_is_refused() -> None:
    bomb = bytearray(zipped({"xl/workbook.xml": b"<x/>", "xl/worksheets/sheet1.xml": bytes(9 * 1024 * 1024)}))
    size = struct.pack("<L", 9 * 1024 * 1024)
    while (place := bomb.find(size)) >= 0:
        bomb[place : place + 4] = struct.pack("<L", 100)
    with pytest.raises(ZipBomb):
        read(bytes(bomb), Limits(1))


def test_a_small_workbook_that_describes_a_huge_table_is_refused() -> None:
    def write(_: Any, sheet: Any) -> None:
        sheet.write(0, 0, "here")
        sheet.write(1_048_575, 16_383, "and there")

    with pytest.raises(FileTooLarge, match="too large to read"):
        read(workbook(write), Limits())


def test_an_open_quotation_mark_is_said() -> None:
    with pytest.raises(NotATable, match="quotation mark"):
        rows(b'name,city\n"Arneses,x\n' + b"y,z\n" * 100_000)


@pytest.mark.parametrize(
    "broken",
    [
        '"Dos SA,DOS010203AB1\nTres SA,TRE010203AB1\n',
        '"Dos SA,DOS010203AB1\n"Tres SA",TRE010203AB1\nCuatro SA,CUA010203AB1\n',
        'Dos SA,"DOS010203AB1\nTres ""Grupo"" SA,TRE010203AB1',
        '"Dos SA,DOS010203AB1\nTres "Grupo" SA,TRE010203AB1\nCuatro SA,CUA010203AB1\n',
        '"Dos SA,DOS010203AB1\nTres SA,TRE010203AB1"\nCuatro SA,CUA010203AB1\n',
    ],
)
def test_a_quotation_mark_left_open_swallows_no_row_and_its_row_is_named(broken: str) -> None:
    with pytest.raises(NotATable, match=r"row 3: .*is a quotation mark left open\?"):
        rows(f"name,tax\nUno SA,UNO010203AB1\n{broken}".encode())


def test_quotation_marks_that_are_closed_are_taken_as_people_write_them() -> None:
    content = 'name,city\r\n"Calle 1\r\nColonia ""Sur"", 2",x\r\n"Dos" SA,y\r\nGrupo "Tres",z\r\n"Cuatro","w"'
    assert [cells for _, cells in rows(content.encode())][1:] == [
        ['Calle 1\r\nColonia "Sur", 2', "x"], ["Dos SA", "y"], ['Grupo "Tres"', "z"], ["Cuatro", "w"],
    ]  # fmt: skip


def test_a_cell_of_any_length_is_given_whole() -> None:
    assert len(rows(b"name,city\n" + b"x" * 300_000 + b",y\nUno,z\n")[1][1][0]) == 300_000


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("header", ["Empresa,RFC,Ciudad", "Razón social,RFC,Ciudad"])
def test_one_bad_byte_leaves_the_other_rows_in_utf_8(start: str, header: str) -> None:
    content = f"{start}{header}\nPeñón Compañía,,León\n".encode() + b"Caf\xe9,,x\n" + "Ñandú,,Mérida\n".encode()
    found = [cells for _, cells in rows(content)]
    assert found[0] == header.split(",")
    assert found[1:] == [["Peñón Compañía", "", "León"], ["Caf\ufffd", "", "x"], ["Ñandú", "", "Mérida"]]


@pytest.mark.parametrize("text", ["Peña,Caf\xe9", "«CAFÉ»,“CAFÉ” – Peña", "Muñoz,PeÃ±a;" + "é" * 30])
def test_a_file_of_windows_stays_one(text: str) -> None:
    assert rows(f"name,city\n{text}\n".encode("cp1252"))[1][1] == text.split(",")


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_rows_or_a_refusal(content: bytes) -> None:
    try:
        rows(content)
    except FileRefused:
        return
