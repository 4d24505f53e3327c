"""Long work that somebody waits for: an id, how far it is, how long it still takes, what came of it.

Progress is written beside the work, a few times a second at most, and never fails it. A task whose process
died is told as lost when it has given no sign of life for a while; it is forgotten after a month.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID

import orjson
import structlog
import uuid_utils.compat as uuid_utils

from shared.postgres.pool import TRANSIENT, Connection, Database, Row
from shared.refusal import Conflict, NotFound, Refusal, Said, Word
from shared.runtime.faults import trace_of

if TYPE_CHECKING:
    from shared.runtime.service import Service

WRITES_EVERY_SECONDS = 0.2
BEATS_EVERY_SECONDS = 5.0
LOST_AFTER = timedelta(seconds=30)
KEPT = timedelta(days=30)

State = Literal["running", "done", "failed", "stopped", "lost"]
Clock = Callable[[], datetime]

COLUMNS = (
    "id, kind, title_es, title_en, actor, started, updated, ended, done, total, state, stop_asked_by, seen,"
    " result::text AS result, reason"
)
BEGIN = """
INSERT INTO task (id, kind, title_es, title_en, actor, started, updated, total) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
"""
MOVE = """
UPDATE task SET done = $2, total = $3, updated = greatest(updated, $4) WHERE id = $1 AND state = 'running'
RETURNING stop_asked_by
"""
END = """
UPDATE task SET done = $2, total = $3, updated = greatest(updated, $4), ended = greatest(updated, $4), state = $5,
    result = $6::text::jsonb, reason = $7
WHERE id = $1 AND state = 'running'
"""
BY_ID = f"SELECT {COLUMNS} FROM task WHERE id = $1"
LIST = f"""
SELECT {COLUMNS} FROM task
WHERE ($1::text IS NULL OR actor = $1) AND ($2::uuid IS NULL OR id < $2)
  AND (NOT $3::boolean OR ended IS NOT NULL AND NOT seen)
ORDER BY id DESC LIMIT $4
"""
ASK_TO_STOP = """
UPDATE task SET stop_asked_by = coalesce(stop_asked_by, $2) WHERE id = $1 AND state = 'running' RETURNING id
"""
GIVE_UP = """
UPDATE task SET state = 'stopped', ended = $3, reason = $4, stop_asked_by = coalesce(stop_asked_by, $2)
WHERE id = $1 AND state = 'running' AND updated < $5 RETURNING id
"""
SEE = "UPDATE task SET seen = true WHERE id = $1 AND ended IS NOT NULL"
FORGET = "DELETE FROM task WHERE ctid = ANY (ARRAY(SELECT ctid FROM task WHERE updated < $1 LIMIT $2))"


class NoSuchTask(NotFound):
    """There is no task of this id, or not for this caller."""


class TaskEnded(Conflict):
    """The task has ended: there is nothing to stop."""


class TaskStopped(Conflict):
    """Raised inside the work of a task that somebody asked to stop, at the place where it tells how far it is."""


class Words(NamedTuple):
    """What a task is called, for people; without names of people."""

    es: str
    en: str


@dataclass(frozen=True, slots=True)
class Known:
    """A task as it is at an instant. `seconds_left` is None where nothing can be said."""

    id: UUID
    kind: str
    title: Words
    actor: str
    state: State
    done: int
    total: int | None
    started: datetime
    updated: datetime
    ended: datetime | None
    seconds_left: int | None
    stop_asked: bool
    seen: bool
    result: dict[str, Any] | None
    reason: str | None


class Task:
    """A task under way, for the work itself. `result` is what it leaves: a JSON object."""

    def __init__(self, database: Database, id_: UUID, total: int | None, clock: Clock) -> None:
        self.id = id_
        self.done = 0
        self.total = total
        self.result: Mapping[str, Any] | None = None
        self._database = database
        self._clock = clock
        self._moved = asyncio.Event()
        self._written = 0.0
        self._asked_to_stop = False

    async def advance(self, more: int = 1) -> None:
        """So much more is done. Raises `TaskStopped` when somebody asked for it: the work ends here."""
        self.reach(self.done + more)
        if asyncio.get_running_loop().time() - self._written > WRITES_EVERY_SECONDS:
            await asyncio.sleep(0)  # work that never waits would keep its progress from being written

    def reach(self, done: int, total: int | None = None) -> None:
        """So much is done, of so much when that is known by now. Raises `TaskStopped`, as `advance`."""
        self.done = done
        if total is not None:
            self.total = total
        self._moved.set()
        if self._asked_to_stop:
            raise TaskStopped("the task was stopped; what it had done stays")

    async def _tell(self) -> None:
        """Writes how far it is, soon after it moved and now and then as a sign of life, until it is cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                # not `wait_for`, which in Python 3.11 forgets a cancellation that comes with what it waits for
                async with asyncio.timeout(BEATS_EVERY_SECONDS):
                    await self._moved.wait()
            self._moved.clear()
            try:
                async with self._database.connection() as connection:
                    row = await connection.fetchrow(MOVE, self.id, self.done, self.total, self._clock())
                self._asked_to_stop = row is None or row["stop_asked_by"] is not None
            except TRANSIENT as error:
                structlog.get_logger().warning("task.not_written", task=str(self.id), error=type(error).__name__)
            self._written = asyncio.get_running_loop().time()
            await asyncio.sleep(WRITES_EVERY_SECONDS)

    async def _end(self, state: State, reason: str | None = None) -> None:
        result = None if self.result is None else orjson.dumps(self.result, default=str).decode()
        if isinstance(reason, Said) and reason.values:  # told in the reader's language, with its values
            reason = orjson.dumps(reason.written()).decode()
        for wait in (0.1, 0.5, 2.0, None):
            try:
                async with self._database.connection() as connection:
                    now = self._clock()
                    await connection.execute(END, self.id, self.done, self.total, now, state, result, reason)
                return
            except TRANSIENT as error:
                if wait is None:  # it will be told as lost; the work is what it is
                    structlog.get_logger().error("task.end_not_written", task=str(self.id), error=type(error).__name__)
                else:
                    await asyncio.sleep(wait)


@contextlib.asynccontextmanager
async def begin(
    database: Database,
    *,
    kind: str,
    title: Words,
    actor: str,
    total: int | None = None,
    clock: Clock = lambda: datetime.now(UTC),
) -> AsyncIterator[Task]:
    """A task that lasts as long as the block: done at its end, failed or stopped when it raises; raises it on.

    `kind` is a word for programs ("rebuild"), `total` the count that is expected, None when nobody knows.
    """
    task = await _begun(database, kind, title, actor, total, clock)
    async with _under_way(task):
        yield task


async def launch(
    service: "Service",
    work: Callable[[Task], Awaitable[None]],
    *,
    kind: str,
    title: Words,
    actor: str,
    total: int | None = None,
) -> UUID:
    """Begins a task that goes on by itself in this process, and returns its id at once.

    Its refusal or fault becomes the task's reason. When the service stops, it is broken off.
    """
    task = await _begun(service.database, kind, title, actor, total, service.clock)

    async def run() -> None:
        with contextlib.suppress(Exception):  # written down by then
            async with _under_way(task):
                await work(task)

    going = asyncio.create_task(run(), name=f"{service.name} task {kind}")
    service.background.add(going)
    going.add_done_callback(service.background.discard)
    return task.id


async def _begun(database: Database, kind: str, title: Words, actor: str, total: int | None, clock: Clock) -> Task:
    id_ = uuid_utils.uuid7()
    async with database.connection() as connection:
        await connection.execute(BEGIN, id_, kind, *title, actor, clock(), total)
    return Task(database, id_, total, clock)


@contextlib.asynccontextmanager
async def _under_way(task: Task) -> AsyncIterator[None]:
    telling = asyncio.create_task(task._tell())
    state: State = "failed"
    reason: str | None = None
    try:
        yield
        state = "done"
    except TaskStopped as stopped:
        state, reason = "stopped", stopped.reason
        raise
    except Refusal as refusal:
        reason = refusal.reason
        raise
    except TRANSIENT:
        reason = "a server that is needed did not answer"
        raise
    except Exception as error:
        reason = "a fault of the program; it was logged"
        structlog.get_logger().error(
            "task.failed", task=str(task.id), error=type(error).__name__, where=trace_of(error)
        )
        raise
    except BaseException:
        state, reason = "stopped", "its process was stopped"
        raise
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        await task._end(state, reason)


async def task_by_id(connection: Connection, id_: UUID, *, now: datetime) -> Known:
    """One task as it is now. Raises `NoSuchTask`. Who may see it is for the caller to decide."""
    row = await connection.fetchrow(BY_ID, id_)
    if row is None:
        raise NoSuchTask("there is no task {id}", id=id_, field="task_id")
    return _known(row, now)


async def tasks_of(
    connection: Connection,
    actor: str | None,
    *,
    now: datetime,
    before: UUID | None = None,
    unseen: bool = False,
    limit: int = 50,
) -> list[Known]:
    """An actor's tasks (None: everybody's), newest first; with `unseen` those whose end nobody has seen."""
    return [_known(row, now) for row in await connection.fetch(LIST, actor, before, unseen, limit)]


async def ask_to_stop(connection: Connection, id_: UUID, actor: str, *, now: datetime) -> Known:
    """Asks a task to stop where it next tells how far it is; a lost one is stopped at once.

    Raises `NoSuchTask`, `TaskEnded`.
    """
    given_up = await connection.fetchval(GIVE_UP, id_, actor, now, "its process was lost", now - LOST_AFTER)
    asked = await connection.fetchval(ASK_TO_STOP, id_, actor)
    task = await task_by_id(connection, id_, now=now)
    if asked is None and given_up is None:
        raise TaskEnded(
            "the task has ended ({state}): there is nothing to stop", state=Word(task.state), field="task_id"
        )
    return task


async def see(connection: Connection, id_: UUID) -> None:
    """Its end was seen. Nothing for one that runs."""
    await connection.execute(SEE, id_)


async def forget(connection: Connection, limit: int, *, now: datetime) -> int:
    """Deletes at most `limit` tasks that have given no sign of life for a month. Returns how many."""
    return int((await connection.execute(FORGET, now - KEPT, limit)).split()[-1])


def seconds_left(done: int, total: int | None, started: datetime, updated: datetime, now: datetime) -> int | None:
    """The time that the rest takes at the rate so far; None before there is a rate, or without a total."""
    spent = (updated - started).total_seconds()
    if total is None or done <= 0 or spent <= 0:
        return None
    rest = max(total - done, 0) * spent / done
    return max(0, round(rest - max((now - updated).total_seconds(), 0)))


def _reason(kept: str | None) -> str | None:
    return Said.read(orjson.loads(kept)) if kept is not None and kept.startswith('["') else kept


def _known(row: Row, now: datetime) -> Known:
    state: State = row["state"]
    if state == "running" and row["updated"] < now - LOST_AFTER:
        state = "lost"
    left = seconds_left(row["done"], row["total"], row["started"], row["updated"], now) if state == "running" else None
    return Known(
        row["id"], row["kind"], Words(row["title_es"], row["title_en"]), row["actor"], state, row["done"], row["total"],
        row["started"], row["updated"], row["ended"], left, row["stop_asked_by"] is not None, row["seen"],
        None if row["result"] is None else orjson.loads(row["result"]),
        _reason(row["reason"]),
    )  # fmt: skip
