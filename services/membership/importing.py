"""The run of an import: a file in, parts of it in transactions of their own, a result out.

The edge that a terminal, a page or a benchmark calls. A part that meets a concurrent writer is planned
anew, in the end row by row, so that no row is lost and no broken row stops the others.
"""

import asyncio
import contextlib
import gc
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import asyncpg

from services.membership.clusters import store as clusters
from services.membership.clusters.domain import Cluster, NoSuchCluster
from services.membership.imports import commands, store, views
from services.membership.imports.commands import Keep, RowResult
from services.membership.imports.domain.columns import Columns, columns_of
from services.membership.imports.domain.entries import Entry, Reader
from services.membership.imports.domain.matching import Known
from services.membership.imports.domain.planning import Circumstances, Plan
from services.membership.imports.views import Absent
from shared.postgres.pool import BAD_VALUE, TRANSIENT, Database, Unit
from shared.postgres.values import day_in
from shared.refusal import Said
from shared.runtime import spreadsheets
from shared.runtime.spreadsheets import Limits, Table

CHUNK_ROWS = 2_000
ATTEMPTS = 7
OUTCOMES = ("new", "changed", "same", "refused")

_AGAIN: tuple[type[Exception], ...] = (
    asyncpg.UniqueViolationError,
    asyncpg.ExclusionViolationError,
    asyncpg.ForeignKeyViolationError,
    *TRANSIENT,
)
_BETWEEN_WRITERS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
_ABOUT_A_ROW: tuple[type[Exception], ...] = (*BAD_VALUE, asyncpg.IntegrityConstraintViolationError)

Progress = Callable[[int, int], None]
"""Told how many rows are done, of how many. What it raises ends the import there; the rows that are done stay."""
OpenUnit = Callable[[], AbstractAsyncContextManager[Unit]]
Drafting = Callable[[Sequence[Entry]], Sequence[Plan | None]]


@dataclass(slots=True)
class ImportResult:
    """What became of a file. `absent` are members whom it does not name; they stay members."""

    cluster: str
    dry_run: bool
    rows: list[RowResult] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)
    ignored_columns: tuple[str, ...] = ()
    repeated_columns: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Rows by outcome, rows with warnings, members absent from the file."""
        found = dict.fromkeys(OUTCOMES, 0)
        warnings = 0
        for row in self.rows:
            found[row.outcome] += 1
            warnings += bool(row.warnings)
        return {**found, "warnings": warnings, "absent": len(self.absent)}

    def as_json(self) -> dict[str, Any]:
        """The whole result for a program."""
        return {
            "cluster": self.cluster,
            "dry_run": self.dry_run,
            "counts": self.counts,
            "rows": [
                {
                    "number": row.number, "outcome": row.outcome, "name": row.name,
                    "organization_id": row.organization_id, "reasons": list(row.reasons),
                    "warnings": list(row.warnings),
                    "changes": {name: {"old": old, "new": new} for name, (old, new) in (row.changes or {}).items()},
                }
                for row in self.rows
            ],
            "absent": [absent._asdict() for absent in self.absent],
            "ignored_columns": list(self.ignored_columns),
            "repeated_columns": list(self.repeated_columns),
        }  # fmt: skip


async def import_members(
    database: Database,
    content: bytes,
    *,
    cluster: str,
    limits: Limits | None = None,
    dry_run: bool = False,
    announce: bool = True,
    actor: str = "cli",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Progress = lambda done, total: None,
    chunk_rows: int = CHUNK_ROWS,
) -> ImportResult:
    """Takes over a cluster's register from the bytes of a file.

    Raises a `FileRefused`, `NoHeaderRow` or `NoSuchCluster` before anything is changed. A row that cannot be
    taken is refused in the result; the others are taken. The same file twice changes nothing.
    """
    cause = f"import:{hashlib.sha256(content).hexdigest()[:24]}"
    async with database.connection() as connection:
        found = await clusters.by_slug(connection, cluster)
        remembered = await store.remembered(connection, found.id) if found else {}
    if found is None:
        raise NoSuchCluster("cluster: there is no cluster {cluster!r}; `cumulo cluster list` shows them",
                            cluster=cluster, field="cluster")  # fmt: skip
    with await asyncio.to_thread(spreadsheets.read, content, limits or Limits()) as table:
        columns = columns_of(table.rows(), remembered)
        return await take_over(
            database, table, columns, found, cause=cause, dry_run=dry_run, announce=announce, actor=actor, clock=clock,
            progress=progress, chunk_rows=chunk_rows,
        )  # fmt: skip


async def take_over(
    database: Database,
    table: Table,
    columns: Columns,
    cluster: Cluster,
    *,
    cause: str,
    dry_run: bool,
    announce: bool,
    actor: str,
    clock: Callable[[], datetime],
    progress: Progress,
    chunk_rows: int = CHUNK_ROWS,
    keep: Keep | None = None,
    anywhere: bool = True,
) -> ImportResult:
    """Takes over the rows of a table whose columns are known. Raises `EmptyFile` when it has none.

    `keep` is told what each part did, in its own transaction. Without `anywhere` rows that mean another cluster's
    company are refused.
    """
    result = ImportResult(cluster.slug, dry_run, ignored_columns=columns.ignored, repeated_columns=columns.repeated)
    now = Circumstances(cluster, day_in(cluster.zone, clock()), announce, anywhere)

    def open_unit() -> AbstractAsyncContextManager[Unit]:
        return database.unit(actor=actor, cause=cause, now=clock())

    total = sum(1 for number, _ in table.rows() if number > columns.row)
    known, done = Known(), 0
    reader = Reader(columns, cluster.country)
    rows = _below(table, columns.row)
    mostly_new = True

    def read_on() -> asyncio.Task[_Part | None]:
        drafted = partial(commands.drafted, now=now, dry_run=dry_run) if mostly_new else None
        return asyncio.create_task(asyncio.to_thread(_next, reader, rows, chunk_rows, drafted))

    progress(0, total)
    with _undisturbed():
        reading = read_on()
        try:
            while (part := await reading) is not None:
                # the next part is read and drafted while the database works on this one
                reading = read_on()
                results = await _taken_over(open_unit, now, reader, part, known, dry_run, keep)
                mostly_new = 2 * sum(row.outcome == "new" for row in results) >= len(results)
                result.rows += results
                done += len(part.rows)
                progress(done, total)
        finally:  # broken off, a thread still reads the table, which closes behind this
            await asyncio.gather(reading, return_exceptions=True)
    if not result.rows:  # or every member would seem to have left
        raise spreadsheets.EmptyFile("the file has no rows below its headers in row {row}", row=columns.row)
    async with database.connection() as connection:
        result.absent = await views.absent_from(connection, cluster.id, known.named_ids())
    return result


def _below(table: Table, header: int) -> Iterator[spreadsheets.Row]:
    return (row for row in table.rows() if row[0] > header)


class _Part(NamedTuple):
    """Rows that are taken over together, what they say, and what they do if they are new (where that was drafted)."""

    rows: list[spreadsheets.Row]
    entries: list[Entry]
    drafts: Sequence[Plan | None]


def _next(reader: Reader, rows: Iterator[spreadsheets.Row], count: int, drafted: Drafting | None) -> _Part | None:
    part = list(islice(rows, count))
    return _part(reader, part, drafted) if part else None


def _part(reader: Reader, rows: list[spreadsheets.Row], drafted: Drafting | None = None) -> _Part:
    entries = [entry for number, cells in rows if (entry := reader.entry(number, cells)) is not None]
    return _Part(rows, entries, drafted(entries) if drafted else [None] * len(entries))


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Rows make many objects and no cycles: looking for cycles all the time took a third of an import.

    The thread that drafts lets go ten times as often as usual, or each answer of the database would wait for it.
    """
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(200_000, 20, 100)
    sys.setswitchinterval(0.0005)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)


async def _taken_over(
    open_unit: OpenUnit,
    now: Circumstances,
    reader: Reader,
    part: _Part,
    known: Known,
    dry_run: bool,
    keep: Keep | None,
) -> list[RowResult]:
    """One part in one transaction, planned anew when a concurrent writer got in between; else row by row."""
    reason = Said("")
    for attempt in range(ATTEMPTS):
        layer = Known(known)
        if attempt > 0:  # deciding wrote its reasons into the entries
            part = _part(reader, part.rows)
        try:
            async with open_unit() as unit:
                results = await commands.import_entries(unit, now, part.entries, part.drafts, layer, dry_run=dry_run,
                                                        keep=keep)  # fmt: skip
            layer.keep()
            return results
        except _AGAIN as error:
            if attempt == ATTEMPTS - 1 and isinstance(error, TRANSIENT) and not isinstance(error, _BETWEEN_WRITERS):
                raise
            reason = Said("somebody else wrote the same at the same time; import the file again")
            if isinstance(error, TRANSIENT):
                await asyncio.sleep(0.1 * 2**attempt)
        except _ABOUT_A_ROW as error:
            reason = Said("the database does not take it: {error}", error=error)
            break
    if len(part.rows) > 1:
        return [
            result
            for row in part.rows
            for result in await _taken_over(open_unit, now, reader, _part(reader, [row]), known, dry_run, keep)
        ]
    return [
        RowResult(entry.number, "refused", entry.name, None, (*entry.reasons, reason), tuple(entry.warnings))
        for entry in _part(reader, part.rows).entries
    ]
