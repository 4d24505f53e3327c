"""Reads a workbook from stdin and writes its rows to stdout: the program that `spreadsheets` runs as a child.

A process of its own under a limit of memory and time, because a small workbook can describe a huge table.
Lines of JSON, each a list of [row number, cells as text]. Exit codes: 0 read, 3 encrypted, 4 unreadable,
5 no sheet with rows, 6 more rows than allowed; what went wrong stands on stderr.
"""

import datetime
import io
import sys

import orjson
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

ENCRYPTED, UNREADABLE, EMPTY, TOO_MANY_ROWS = 3, 4, 5, 6
CHUNK = 500


def limited(memory_bytes: int, seconds: int) -> None:
    """From here on this process gets no more than that, where the system can say so."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        return


def text_of(cell: object) -> str:
    """A cell as people would type it: whole numbers without a point, days as ISO 8601."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat(" ")
    return str(cell)


def rows_of(content: bytes, max_rows: int) -> int:
    """Writes the first visible sheet that has rows; returns the exit code."""
    with CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
        for meta in book.sheets_metadata:
            if meta.typ is not SheetTypeEnum.WorkSheet or meta.visible is not SheetVisibleEnum.Visible:
                continue
            sheet = book.get_sheet_by_name(meta.name)
            if sheet.start is None:
                continue
            count, waiting = 0, []
            for number, row in enumerate(sheet.iter_rows(), start=1):
                cells = [text_of(cell) for cell in row]
                if not any(cells):
                    continue
                count += 1
                if count > max_rows:
                    return TOO_MANY_ROWS
                waiting.append([number, cells])
                if len(waiting) == CHUNK:
                    sys.stdout.buffer.write(orjson.dumps(waiting) + b"\n")
                    waiting = []
            sys.stdout.buffer.write(orjson.dumps(waiting) + b"\n")
            if count:
                return 0
    return EMPTY


def main() -> int:
    """Arguments: memory in bytes, seconds, rows at most."""
    memory, seconds, max_rows = (int(argument) for argument in sys.argv[1:4])
    limited(memory, seconds)
    try:
        return rows_of(sys.stdin.buffer.read(), max_rows)
    except PasswordError:
        return ENCRYPTED
    except CalamineError as error:
        sys.stderr.write(str(error))
        return UNREADABLE


if __name__ == "__main__":
    sys.exit(main())
