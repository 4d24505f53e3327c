"""Sheets as people send them, real-life and hostile: what each row becomes, or why the file is refused.

Made here, so that what is odd about each can be read; taken by the one engine of page and command.
"""

import io
import struct
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import xlsxwriter

from services.membership.clusters.commands import found_cluster
from services.membership.importing import ImportResult, import_members
from services.membership.imports.domain.columns import NoHeaderRow
from services.membership.uploading import read_sheet
from shared.postgres.pool import Database
from shared.refusal import Refusal
from shared.runtime.spreadsheets import EmptyFile, EncryptedFile, FileTooLarge, Limits, NotATable, ZipBomb

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Draw = Callable[[Any, Any], None]


def workbook(draw: Draw) -> bytes:
    """A workbook as Excel writes it; `draw` fills its first sheet."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    draw(book, book.add_worksheet("Padrón"))
    book.close()
    return file.getvalue()


def rows_at(sheet: Any, rows: Sequence[Sequence[Any]], first: int = 0) -> None:
    for number, row in enumerate(rows, start=first):
        for column, value in enumerate(row):
            if value is not None:
                sheet.write(number, column, value)


class Sheet(NamedTuple):
    """A sheet with its expected result: outcome, name, and some of what a row says; or the refusal of the file."""

    content: bytes
    rows: tuple[tuple[Any, ...], ...] = ()
    refusal: tuple[type[Refusal], str] | None = None


def _merged(book: Any, sheet: Any) -> None:
    sheet.merge_range("A1:D1", "PADRÓN DE ASOCIADOS 2026", book.add_format({"bold": True}))
    sheet.merge_range("A2:B2", "EMPRESA", None)
    sheet.merge_range("C2:D2", "CONTACTO", None)
    rows_at(sheet, [["Razón social", "RFC", "Representante", "Correo"]], 2)
    rows_at(sheet, [["Moldes del Bravo, S.A. de C.V.", "ZZM010203A12", "Ana Ruiz", "ana@moldes.example"]], 3)


def _days(book: Any, sheet: Any) -> None:
    rows_at(sheet, [["Empresa", "Miembro desde"], ["Con texto", "15/03/2021"], ["Con guiones", "2021-03-15"],
                    ["Con mes", "15 de marzo de 2021"]])  # fmt: skip
    sheet.write(4, 0, "Con fecha")
    sheet.write_datetime(4, 1, datetime(2021, 3, 15), book.add_format({"num_format": "dd/mm/yyyy"}))
    rows_at(sheet, [["Con número", 44270], ["Con nada", None], ["Con disparate", "31/02/2021"]], 5)


def _numbers(book: Any, sheet: Any) -> None:
    rows_at(sheet, [["Empresa", "RFC", "Tier"], ["Aceros Uno", " ZZA 010203 A19 ", 1.0], ["Aceros Dos", None, 2],
                    ["Aceros Tres", None, "TIER 3"]])  # fmt: skip


def _formulas(book: Any, sheet: Any) -> None:
    rows_at(sheet, [["Empresa", "Ciudad"]])
    sheet.write_formula("A2", '="Forjas "&"del Norte"', None, "Forjas del Norte")
    sheet.write(1, 1, "Saltillo")
    sheet.write_formula("A3", "=VLOOKUP(1,B:B,1,0)", None, "#N/A")  # says nothing, so that its row is blank
    sheet.write_string(3, 0, "=cmd|'/c calc'!A1")


def _hidden(book: Any, sheet: Any) -> None:
    sheet.hide()
    rows_at(sheet, [["Empresa"], ["Oculta"]])
    visible = book.add_worksheet("Visible")
    visible.activate()
    rows_at(visible, [["Empresa"], ["Visible S.A."]])


def _two_languages(book: Any, sheet: Any) -> None:
    rows_at(sheet, [["Razón social", "RFC", "Estado"], ["Legal name", "Tax ID", "State"],
                    ["Troquelados Uno", None, "NL"],
                    ["Razón social", "RFC", "Estado"], ["Troquelados Dos", None, "Nuevo León"]])  # fmt: skip


def _far_cell(book: Any, sheet: Any) -> None:
    rows_at(sheet, [["Empresa"], ["Cerca"]])
    sheet.write(1_048_575, 16_383, "lejos")


def _bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
        book.writestr("xl/worksheets/sheet1.xml", b"0" * 600_000_000)
    return file.getvalue()


def _picture() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + bytes(100)


SHEETS: dict[str, Callable[[], Sheet]] = {
    "merged cells above two header rows": lambda: Sheet(
        workbook(_merged), (("new", "Moldes del Bravo, S.A. de C.V.", {"tax_number": "ZZM010203A12"}),)
    ),
    "two header rows in two languages, and again on the next page": lambda: Sheet(
        workbook(_two_languages), (("new", "Troquelados Uno", {"state": "NLE"}), ("new", "Troquelados Dos", {}))
    ),
    "totals and notes at the end": lambda: Sheet(
        b"Empresa;RFC;Ciudad\nMoldes Uno;;Tala\nMoldes Dos;;Tala\nTotal;2;\nFuente: registro propio;;\n",
        (("new", "Moldes Uno", {}), ("new", "Moldes Dos", {}), ("refused", "Total", "sums up"),
         ("refused", "Fuente: registro propio", "note below")),
    ),
    "days as text, as days and as numbers": lambda: Sheet(
        workbook(_days),
        (*(("new", f"Con {how}", {"since": date(2021, 3, 15)})
           for how in ("texto", "guiones", "mes", "fecha", "número")),
         ("new", "Con nada", {"since": date(2026, 3, 1)}), ("refused", "Con disparate", "since")),
    ),
    "an RFC with spaces, and numbers where words are meant": lambda: Sheet(
        workbook(_numbers),
        (("new", "Aceros Uno", {"tax_number": "ZZA010203A19", "positions": ["tier1"]}),
         ("new", "Aceros Dos", {"positions": ["tier2"]}), ("new", "Aceros Tres", {"positions": ["tier3"]})),
    ),
    "names in capitals without accents": lambda: Sheet(
        "RAZON SOCIAL,CIUDAD\nFUNDICION CANTERA ROSA SA DE CV,QUERETARO\nFundición Cantera Rosa,Querétaro\n".encode(),
        (("new", "FUNDICION CANTERA ROSA SA DE CV", {}), ("refused", "Fundición Cantera Rosa", "row 2")),
    ),
    "Latin-1 with semicolons": lambda: Sheet(
        "Razón social;Ciudad\nArneses Ñandú;Tepatitlán\n".encode("latin-1"),
        (("new", "Arneses Ñandú", {"city": "Tepatitlán"}),),
    ),
    "a BOM and the line that tells the separator": lambda: Sheet(
        b"\xef\xbb\xbf" + b"sep=;\r\nEmpresa;Ciudad\r\nMoldes;Tala\r\n", (("new", "Moldes", {"city": "Tala"}),)
    ),
    "UTF-16 with tabs, as Excel's Unicode text": lambda: Sheet(
        "Empresa\tCiudad\r\nMoldes Ñ\tTala\r\n".encode("utf-16"), (("new", "Moldes Ñ", {"city": "Tala"}),)
    ),
    "formulas: their values, their errors, and texts that look like one": lambda: Sheet(
        workbook(_formulas),
        (("new", "Forjas del Norte", {"city": "Saltillo"}),
         ("refused", "=cmd|'/c calc'!A1", "formula")),
    ),
    "cells of several lines and quotation marks": lambda: Sheet(
        b'Empresa,Ciudad\n"Moldes ""El Rayo""","Tala\nJalisco"\n',
        (("new", 'Moldes "El Rayo"', {"city": "Tala Jalisco"}),),
    ),
    "the first sheet is hidden": lambda: Sheet(workbook(_hidden), (("new", "Visible S.A.", {}),)),
    "blank rows and columns around the table": lambda: Sheet(
        b";;\n;;\n;Empresa;Ciudad\n;;\n;Moldes;Tala\n;;\n", (("new", "Moldes", {"city": "Tala"}),)
    ),
    "invisible characters and spaces that do not break": lambda: Sheet(
        "Empresa;Ciudad\n\u200bMoldes\u00a0del  Sur\u200b;\u00a0Tala\n".encode(),
        (("new", "Moldes del Sur", {"city": "Tala"}),),
    ),
    "foreign companies with their own numbers": lambda: Sheet(
        b"Company;Country;Tax ID;State\nNovares Srl;IN;27AAPFU0939F1ZV;Maharashtra\n"
        b"Piezas Cali;CO;213.123.432-1;Valle\n"
        b"Bad One;CO;213.123.432-2;\n",
        (("new", "Novares Srl", {"tax_number": "27AAPFU0939F1ZV"}),
         ("new", "Piezas Cali", {"tax_number": "2131234321"}),
         ("new", "Bad One", {})),
    ),
    "the generic RFC and an RFC of a person": lambda: Sheet(
        b"Empresa;RFC;Tipo\nUna;XAXX010101000;\nDos;ZZRL800101A15;empresa\nTres;ABC;\n",
        (("refused", "Una", "generic"), ("new", "Dos", {}), ("refused", "Tres", "characters")),
    ),
    "several mails in one cell, and none": lambda: Sheet(
        "Empresa;Correo\nUna;a@x.example; b@x.example\nDos;sin correo\n".replace("; b", ", b").encode(),
        (("new", "Una", {}), ("new", "Dos", {})),
    ),
    "a row that swallows the next by an open quotation mark": lambda: Sheet(
        b'Empresa;Ciudad\n"Moldes;Tala\nForjas;Tala\n', refusal=(NotATable, "quotation mark")
    ),
    "a picture renamed to xlsx": lambda: Sheet(_picture(), refusal=(NotATable, "picture")),
    "a bomb": lambda: Sheet(_bomb(), refusal=(ZipBomb, "unpacks to more")),
    "a cell at the far corner": lambda: Sheet(workbook(_far_cell), refusal=(FileTooLarge, "too large")),
    "a workbook with a password": lambda: Sheet(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le"),
        refusal=(EncryptedFile, "password"),
    ),
    "an old workbook": lambda: Sheet(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), refusal=(NotATable, "old Excel")
    ),
    "a web page that calls itself a sheet": lambda: Sheet(
        b"<html><table><tr><td>Empresa</td></tr></table></html>", refusal=(NotATable, "web page")
    ),
    "nothing": lambda: Sheet(b"\xef\xbb\xbf\r\n \r\n", refusal=(EmptyFile, "empty")),
    "headers without rows": lambda: Sheet(b"Empresa;RFC\n", refusal=(EmptyFile, "no rows")),
    "a table of something else": lambda: Sheet(b"Fecha;Importe\n2026-01-01;100\n", refusal=(NoHeaderRow, "columns")),
}  # fmt: skip


@pytest.fixture
async def cluster(databases: dict[str, Database]) -> AsyncIterator[str]:
    slug = f"s-{uuid4().hex[:10]}"
    async with databases["membership"].unit(actor="test", cause="test", now=NOW) as unit:
        await found_cluster(unit, name=slug, slug=slug, country="MX", state="JAL", zone="America/Mexico_City")
    yield slug


async def dry(database: Database, cluster: str, content: bytes) -> ImportResult:
    """What would become of a sheet; nothing of it stays for the next one."""
    return await import_members(database, content, cluster=cluster, dry_run=True, clock=lambda: NOW)


@pytest.mark.parametrize("name", SHEETS)
async def test_a_sheet_becomes_what_it_says(databases: dict[str, Database], cluster: str, name: str) -> None:
    sheet = SHEETS[name]()
    database = databases["membership"]
    if sheet.refusal is not None:
        with pytest.raises(sheet.refusal[0], match=sheet.refusal[1]):
            await dry(database, cluster, sheet.content)
        return
    result = await dry(database, cluster, sheet.content)
    got = [(row.outcome, row.name) for row in result.rows]
    assert got == [(outcome, called) for outcome, called, _ in sheet.rows], [row.reasons for row in result.rows]
    for row, (outcome, _, said) in zip(result.rows, sheet.rows, strict=True):
        if outcome == "refused":
            assert any(said in reason for reason in row.reasons), row.reasons
    taken = [(row, said) for row, (outcome, _, said) in zip(result.rows, sheet.rows, strict=True) if outcome == "new"]
    await _check_values(database, cluster, sheet.content, [said for _, said in taken])


async def _check_values(database: Database, cluster: str, content: bytes, expected: list[dict[str, Any]]) -> None:
    """Takes the sheet over for real and compares what the tables hold."""
    result = await import_members(database, content, cluster=cluster, clock=lambda: NOW)
    ids = [row.organization_id for row in result.rows if row.outcome == "new"]
    async with database.connection() as connection:
        for id_, wanted in zip(ids, expected, strict=True):
            row = await connection.fetchrow(
                "SELECT o.tax_number, o.state, o.city, m.since, ARRAY(SELECT position FROM organization_position p"
                " WHERE p.organization_id = o.id ORDER BY 1) AS positions"
                " FROM organization o JOIN membership m ON m.organization_id = o.id WHERE o.id = $1",
                id_,
            )
            assert row is not None and {name: row[name] for name in wanted} == wanted
        await connection.execute("DELETE FROM membership_band WHERE membership_id IN (SELECT id FROM membership"
                                 " WHERE organization_id = ANY ($1::uuid[]))", ids)  # fmt: skip
        await connection.execute("DELETE FROM person WHERE id IN (SELECT person_id FROM person_organization"
                                 " WHERE organization_id = ANY ($1::uuid[]))", ids)  # fmt: skip
        for table in ("membership", "organization_position"):
            await connection.execute(f"DELETE FROM {table} WHERE organization_id = ANY ($1::uuid[])", ids)
        await connection.execute("DELETE FROM organization WHERE id = ANY ($1::uuid[])", ids)


def test_a_hundred_thousand_rows_are_read_in_parts_and_one_more_than_allowed_is_refused() -> None:
    content = b"Empresa;Ciudad\n" + b"".join(b"Moldes %d;Tala\n" % n for n in range(100_000))
    rows, head, parts = read_sheet(content, Limits())
    assert rows == 100_001 and len(parts) == 201 and head[0][1] == ["Empresa", "Ciudad"]
    with pytest.raises(FileTooLarge, match="100,000 rows"):
        read_sheet(content + b"Una;Tala\n", Limits(rows=100_000))
