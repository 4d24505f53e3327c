"""A list as a file: CSV or XLSX, row by row as the database gives them, safe to open in a spreadsheet.

A cell that a spreadsheet would take for a formula is text: marked by an apostrophe in CSV, written as a string in
XLSX. Both stream; an XLSX is written to a temporary file first, since its parts refer to each other.
"""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import xlsxwriter
from fastapi import Response
from fastapi.responses import StreamingResponse

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
AT_ONCE = 64 * 1024


def cell(value: object) -> str:
    """A value as a CSV cell: never what a spreadsheet would calculate."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple, set, frozenset)):
        value = ", ".join(str(part) for part in value)
    text = value.isoformat() if isinstance(value, date) else str(value)
    return f"'{text}" if text.startswith(BEGINS_A_FORMULA) and not isinstance(value, int | float) else text


def csv_response(name: str, columns: Sequence[str], rows: AsyncIterator[Sequence[Any]]) -> Response:
    """The rows as CSV in UTF-8, with the mark by which spreadsheets know it."""

    async def parts() -> AsyncIterator[bytes]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        buffer.write("\ufeff")
        writer.writerow(columns)
        async for row in rows:
            writer.writerow([cell(value) for value in row])
            if buffer.tell() > AT_ONCE:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode()

    return StreamingResponse(parts(), media_type=CSV, headers=_attached(f"{name}.csv"))


async def xlsx_response(name: str, columns: Sequence[str], rows: AsyncIterator[Sequence[Any]]) -> Response:
    """The rows as a workbook of one sheet; memory stays that of one row."""
    with tempfile.NamedTemporaryFile(suffix=".xlsx", delete=False) as made:
        path = Path(made.name)
    try:
        book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False,
                                               "strings_to_urls": False})  # fmt: skip
        sheet = book.add_worksheet()
        for place, title in enumerate(columns):
            sheet.write_string(0, place, title)
        number = 0
        async for row in rows:
            number += 1
            for place, value in enumerate(row):
                if isinstance(value, int | float):
                    sheet.write_number(number, place, value)
                else:
                    sheet.write_string(number, place, cell(value).removeprefix("'") if value is not None else "")
        await asyncio.to_thread(book.close)
    except BaseException:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise
    return StreamingResponse(_read(path), media_type=XLSX, headers=_attached(f"{name}.xlsx"))


def _read(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while part := file.read(AT_ONCE):
                yield part
    finally:
        path.unlink(missing_ok=True)


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
