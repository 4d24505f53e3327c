"""A list as a file: CSV or XLSX, row by row as the database gives them, safe to open in a spreadsheet.

A cell that a spreadsheet would take for a formula is text: marked by an apostrophe in CSV, written as a string in
XLSX. Both stream; an XLSX is written to a temporary file first, since its parts refer to each other.
"""

import asyncio
import csv
import io
import math
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import IO, Any, Literal

import xlsxwriter
from fastapi.responses import StreamingResponse
from starlette.types import Send

CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Ending = Literal["csv", "xlsx"]
AT_ONCE = 64 * 1024
LONGEST_CELL = 32_767
"""Characters; what is longer Excel takes for a damaged file."""


def text(value: object) -> str:
    """A value as people read it: lists with commas, days as ISO 8601, nothing as nothing."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(part) for part in value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)


def cell(value: object) -> str:
    """A value as a CSV cell: never what a spreadsheet would calculate."""
    shown = text(value)
    return f"'{shown}" if shown.startswith(BEGINS_A_FORMULA) and not _is_number(value) else shown


async def exported(
    ending: Ending, name: str, columns: Sequence[str], rows: AsyncIterator[Sequence[Any]]
) -> StreamingResponse:
    """The rows as the kind of file that the address ends with."""
    return csv_response(name, columns, rows) if ending == "csv" else await xlsx_response(name, columns, rows)


def csv_response(name: str, columns: Sequence[str], rows: AsyncIterator[Sequence[Any]]) -> StreamingResponse:
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

    return _Begun(parts(), media_type=CSV, headers=_attached(f"{name}.csv"))


class _Begun(StreamingResponse):
    """Begins once its first part is there: what cannot be read at all is refused instead of ending early as a 200."""

    async def stream_response(self, send: Send) -> None:
        rest = aiter(self.body_iterator)
        first = await anext(rest, b"")

        async def whole() -> AsyncIterator[str | bytes | memoryview]:
            yield first
            async for part in rest:
                yield part

        self.body_iterator = whole()
        await super().stream_response(send)


async def xlsx_response(name: str, columns: Sequence[str], rows: AsyncIterator[Sequence[Any]]) -> StreamingResponse:
    """The rows as a workbook of one sheet; memory stays that of one row. The file ends with the answer."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by what streams it
    book = xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_formulas": False,
                                      "strings_to_urls": False})  # fmt: skip
    try:
        sheet = book.add_worksheet()
        for place, title in enumerate(columns):
            sheet.write_string(0, place, title)
        number = 0
        async for row in rows:
            number += 1
            for place, value in enumerate(row):
                if _is_number(value):
                    sheet.write_number(number, place, value)
                else:
                    sheet.write_string(number, place, text(value)[:LONGEST_CELL])
    except BaseException:
        book.close()  # what it wrote beside goes with it
        file.close()
        raise
    await asyncio.to_thread(book.close)
    file.seek(0)
    return StreamingResponse(_read(file), media_type=XLSX, headers=_attached(f"{name}.xlsx"))


def _read(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(AT_ONCE):
            yield part


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
