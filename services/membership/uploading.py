"""The works on an upload: review, apply, undo, each a task with its progress that may be broken off and go on.

The edge that pages and programs call. A sheet that is applied again changes nothing twice; what is undone stays so.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from typing import IO
from uuid import UUID

import orjson

from services.membership.access import views as access
from services.membership.clusters import store as clusters
from services.membership.importing import take_over
from services.membership.imports.domain.planning import Plan
from services.membership.uploads import commands, store
from services.membership.uploads.domain import Upload, Work
from shared.postgres.pool import Unit
from shared.postgres.values import day_in
from shared.runtime import spreadsheets, tasks
from shared.runtime.service import Service
from shared.runtime.spreadsheets import Limits, Row, Table
from shared.runtime.tasks import Task, Words

IMPORTING = ("coordinator", "assistant", "service")
"""Who, over the whole network, may enter any company into any cluster."""
PART_ROWS = 500
HEAD_ROWS = 50
UNDONE_AT_ONCE = 500
TITLES: dict[Work, Words] = {
    "reviewing": Words("Revisar el padrón", "Review the register"),
    "applying": Words("Importar el padrón", "Import the register"),
    "undoing": Words("Deshacer la importación", "Undo the import"),
}

Sheet = tuple[int, list[Row], list[tuple[int, str]]]
"""How many rows, the first ones, and all of them in parts as the store keeps them."""


def read_sheet(content: bytes, limits: Limits) -> Sheet:
    """The rows of a file's bytes. Raises a `FileRefused`; takes as long as the file is large."""
    head: list[Row] = []
    parts: list[tuple[int, str]] = []
    part: list[Row] = []
    count = 0
    with spreadsheets.read(content, limits) as table:
        for number, cells in table.rows():
            count += 1
            if count <= HEAD_ROWS:
                head.append((number, cells))
            part.append((number, [cell.replace("\x00", "\ufffd") for cell in cells]))
            if len(part) == PART_ROWS:
                parts.append(_part(part))
                part = []
    if part:
        parts.append(_part(part))
    if not count:
        raise spreadsheets.EmptyFile("the file is empty")
    return count, head, parts


def _part(rows: Sequence[Row]) -> tuple[int, str]:
    # what UTF-8 cannot hold comes from no spreadsheet, only from who writes one by hand
    clean = [[number, [cell.encode("utf-8", "replace").decode() for cell in cells]] for number, cells in rows]
    return rows[0][0], orjson.dumps(clean).decode()


async def start(service: Service, unit: Unit, upload_id: UUID, work: Work) -> UUID:
    """Begins a work and returns its task, which waits until the caller's transaction is committed.

    Raises what `commands.begin` raises.
    """
    await commands.begin(unit, upload_id, work)
    actor = unit.actor

    async def doing(task: Task) -> None:
        async with service.unit(actor=actor, cause=f"upload:{upload_id}") as mine:
            upload = await commands.begun(mine, upload_id, work, task.id)
        await _WORKS[work](service, upload, actor, task)

    task_id = await tasks.launch(service, doing, kind=f"import.{work}", title=TITLES[work], actor=actor)
    await store.set_task(unit.connection, upload_id, task_id)
    return task_id


async def _review(service: Service, upload: Upload, actor: str, task: Task) -> None:
    await _rows_through(service, upload, actor, task, dry_run=True)


async def _apply(service: Service, upload: Upload, actor: str, task: Task) -> None:
    await _rows_through(service, upload, actor, task, dry_run=False)


async def _rows_through(service: Service, upload: Upload, actor: str, task: Task, *, dry_run: bool) -> None:
    async with service.unit(actor=actor, cause=_cause(upload)) as unit:
        columns = await commands.columns_chosen(unit, upload)
        [cluster] = await clusters.load(unit.connection, [upload.cluster_id])
        anywhere = await access.reaches_network(unit.connection, actor, IMPORTING, day_in(cluster.zone, unit.now))
    on = day_in(cluster.zone, service.clock())

    async def keep(unit: Unit, plans: Sequence[Plan]) -> None:
        await commands.keep_part(unit, upload.id, plans, on)

    with await _table(service, upload.id) as table:
        result = await take_over(
            service.database, table, columns, cluster, cause=_cause(upload), dry_run=dry_run,
            announce=upload.announce, actor=actor, clock=service.clock, progress=task.reach, anywhere=anywhere,
            keep=None if dry_run else keep,
        )  # fmt: skip
    work: Work = "reviewing" if dry_run else "applying"
    async with service.unit(actor=actor, cause=_cause(upload)) as unit:
        await commands.end(unit, upload.id, work, result.rows, result.absent)
    task.result = dict(result.counts)


async def _undo(service: Service, upload: Upload, actor: str, task: Task) -> None:
    below: int | None = 2**31 - 1
    undone, stays = 0, []
    async with service.database.connection() as connection:
        task.reach(0, await store.count_effects(connection, upload.id))
    while below is not None:
        async with service.unit(actor=actor, cause=_cause(upload)) as unit:
            below, count, names = await commands.undo_rows(unit, upload.id, below, UNDONE_AT_ONCE)
        undone += count
        stays += names
        task.reach(undone)
    async with service.unit(actor=actor, cause=_cause(upload)) as unit:
        await commands.end(unit, upload.id, "undoing")
    task.result = {"undone": undone, "stays": stays}


_WORKS: dict[Work, Callable[[Service, Upload, str, Task], Awaitable[None]]] = {
    "reviewing": _review, "applying": _apply, "undoing": _undo,
}  # fmt: skip


def _cause(upload: Upload) -> str:
    return f"upload:{upload.id}"


async def _table(service: Service, upload_id: UUID) -> Table:
    """The rows of an upload as a table, in a temporary file."""
    lines: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        async with service.database.connection() as connection:
            async for rows in store.parts(connection, upload_id):
                await asyncio.to_thread(lines.write, rows.encode() + b"\n")
        return Table(lines=lines)
    except BaseException:
        lines.close()
        raise
