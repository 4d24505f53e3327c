"""What an import says in a terminal: numbers first, what was refused last, next to the prompt.

Warnings of one kind are a few examples and a number, so that they push nothing out of sight; a program gets
all of them (`--json`). Reads a result and prints; decides nothing.
"""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from services.membership.importing import ImportResult
from services.membership.imports.commands import RowResult

SHOWN_ROWS = 20
EXAMPLES = 3
"""Of each kind of warning."""

_DIFFERS = re.compile(r"'[^']*'|\"[^\"]*\"|\S*[\d@]\S*")
"""What differs between two warnings of one kind: quotations, numbers, days, addresses."""


def show(result: ImportResult, console: Console) -> None:
    """Prints the result of an import, or of a dry run."""
    what = "would become of" if result.dry_run else "became of"
    table = Table(title=f"What {what} the register of {result.cluster}", title_justify="left")
    counts = result.counts
    for name in counts:
        table.add_column(name, justify="right")
    table.add_row(*(f"{count:,}" for count in counts.values()))
    console.print(table)
    _show_rows(console, "Changed", ((r, _changes(r.changes)) for r in result.rows if r.outcome == "changed"))
    if result.absent:
        console.print("\nMembers that the file does not name (they stay members):", style="bold")
        for absent in result.absent[:SHOWN_ROWS]:
            console.print(f"  {absent.name}", markup=False, highlight=False)
        _more(console, len(result.absent) - SHOWN_ROWS)
    if result.ignored_columns:
        console.print(f"\nColumns not known and left out: {', '.join(result.ignored_columns)}", markup=False)
    if result.repeated_columns:
        console.print(f"\nColumns named twice, the first taken: {', '.join(result.repeated_columns)}", markup=False)
    _show_warnings(console, result.rows)
    _show_rows(console, "Refused", ((r, "; ".join(r.reasons)) for r in result.rows if r.outcome == "refused"))


def _show_warnings(console: Console, rows: Iterable[RowResult]) -> None:
    kinds: dict[str, list[tuple[RowResult, str]]] = {}
    for row in rows:
        for warning in row.warnings:
            kinds.setdefault(_DIFFERS.sub("", warning), []).append((row, warning))
    if not kinds:
        return
    console.print("\nWarnings:", style="bold", markup=False)
    for kind in kinds.values():
        # one more example takes no more room than saying that there is one
        shown = EXAMPLES if len(kind) > EXAMPLES + 1 else len(kind)
        for row, warning in kind[:shown]:
            _show_row(console, row, warning)
        _more(console, len(kind) - shown, " rows with a warning like these")


def _show_rows(console: Console, title: str, rows: Iterable[tuple[RowResult, str]]) -> None:
    told = list(rows)
    if told:
        console.print(f"\n{title}:", style="bold", markup=False)
        for row, text in told[:SHOWN_ROWS]:
            _show_row(console, row, text)
        _more(console, len(told) - SHOWN_ROWS)


def _show_row(console: Console, row: RowResult, text: str) -> None:
    name = f"  {row.name}" if row.name else ""
    console.print(f"  row {row.number}{name}: {text}", markup=False, highlight=False)


def _more(console: Console, count: int, what: str = "") -> None:
    if count > 0:
        console.print(f"  … and {count:,} more{what} (all of them with --json)", highlight=False)


def _changes(changes: dict[str, tuple[Any, Any]] | None) -> str:
    return "; ".join(f"{name}: {_said(old)} → {_said(new)}" for name, (old, new) in (changes or {}).items())


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return "nothing" if value is None else str(value)
