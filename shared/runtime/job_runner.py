"""Works the jobs of a service: one replica at a time each, chunk by chunk, missed days in their order.

A chunk's work and the place where it goes on are committed together, so that a job killed midway ends the same.
A job that fails is told, counted and tried again later; it stops no other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import orjson
import structlog
from pydantic import JsonValue

from shared.postgres.pool import ACQUIRE_SECONDS, TRANSIENT, Connection, Row, Unit
from shared.runtime.faults import place_of, trace_of
from shared.runtime.jobs import (
    LONGEST_WAIT,
    Job,
    Place,
    Ran,
    Turn,
    due_place,
    first_place,
    following,
    retry_after,
)
from shared.runtime.tracing import current_traceparent

if TYPE_CHECKING:
    from shared.runtime.service import Service

LOOKS_EVERY_SECONDS = 5.0
AT_ONCE = 2
"""Jobs that a replica works at the same time, a connection each."""
CHUNK_SECONDS = 900.0
PATIENCE_SECONDS = 30.0

TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended(current_schema() || '.job.' || $1, 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(current_schema() || '.job.' || $1, 0))"
COLUMNS = "name, zone, due, day, resume::text AS resume, counts::text AS counts, failures, retry_at"
ROWS = f"SELECT {COLUMNS} FROM job"
ROW = f"SELECT {COLUMNS} FROM job WHERE name = $1 AND zone = $2"
ADD = "INSERT INTO job (name, zone, due, day) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
GO_ON = """
UPDATE job SET due = $3, day = $4, resume = $5::text::jsonb, counts = $6::text::jsonb,
    begun_at = CASE WHEN $7 THEN $8::timestamptz ELSE begun_at END, failures = 0, retry_at = NULL
WHERE name = $1 AND zone = $2
"""
FINISH = """
UPDATE job SET due = $3, day = $4, resume = NULL, counts = '{}', begun_at = NULL, failures = 0, retry_at = NULL,
    ran_at = $5, ran_day = $6, ran_counts = $7::text::jsonb
WHERE name = $1 AND zone = $2
"""
FAIL = "UPDATE job SET failures = failures + 1, retry_at = $3, error = $4, error_at = $5 WHERE name = $1 AND zone = $2"


async def run_jobs(service: "Service") -> None:
    """The loop of every replica: starts what is due, until the service stops; then waits for the chunks under way."""
    for job in service.jobs:
        for outcome in ("done", "failed"):
            service.metrics.job_turns.labels(job.name, outcome)
    working: dict[str, asyncio.Task[None]] = {}
    slots = asyncio.Semaphore(AT_ONCE)
    try:
        while not service.stopping.is_set():
            working = {name: task for name, task in working.items() if not task.done()}
            try:
                due = await due_jobs(service)
            except TRANSIENT as error:
                service.log.warning("jobs.retried", error=repr(error))
                due = []
            for job in due:
                if job.name not in working:
                    name = f"{service.name} job {job.name}"
                    working[job.name] = asyncio.create_task(_told(service, job, slots), name=name)
            await service.pause(LOOKS_EVERY_SECONDS)
    finally:
        await asyncio.gather(*working.values(), return_exceptions=True)


async def _told(service: "Service", job: Job, slots: asyncio.Semaphore) -> None:
    try:
        async with slots:
            if not service.stopping.is_set():
                await run_job(service, job)
    except TRANSIENT as error:
        service.log.warning("job.retried", job=job.name, error=repr(error))
    except Exception as error:
        service.log.error("job.failed", job=job.name, error=type(error).__name__, where=trace_of(error))


async def due_jobs(service: "Service") -> list[Job]:
    """The jobs that have something to do now, those that have waited longest first."""
    now = service.clock()
    found: list[tuple[datetime, int]] = []
    async with service.database.connection() as connection:
        rows = {(row["name"], row["zone"]): row for row in await connection.fetch(ROWS)}
        for number, job in enumerate(service.jobs):
            for zone in await _zones(service, connection, job):
                row = rows.get((job.name, zone))
                if row is None:
                    place = await _begun(connection, job, zone, now)
                else:
                    place = _place(row)
                due = due_place(job, zone, place, now)
                if due is not None and (row is None or not _waits(row, now)):
                    found.append((due.due, number))
    return list(dict.fromkeys(service.jobs[number] for _, number in sorted(found)))


async def run_due(service: "Service") -> list[Ran]:
    """Works everything that is due now, one job after another. Returns the turns in their order."""
    return [ran for job in await due_jobs(service) for ran in await run_job(service, job)]


async def run_job(service: "Service", job: Job) -> list[Ran]:
    """Works a job's due turns in all its zones; nothing when another replica works it."""
    done: list[Ran] = []
    async with _alone(service, job) as connection:
        if connection is not None:
            for zone in await _zones(service, connection, job):
                done += await _Worker(service, job, zone, connection).due()
    return done


async def run_day(service: "Service", day: date) -> list[Ran]:
    """Works what a day brings in every daily job, now, whatever waits after a failure.

    A day that has come: all that is missing up to it, in order. One that was worked, or lies ahead: it alone,
    and the job's place is left as it is, so that a day ahead is worked again when it comes.
    """
    done: list[Ran] = []
    for job in service.jobs:
        if job.every != "day":
            continue
        async with _alone(service, job, patience=PATIENCE_SECONDS) as connection:
            if connection is None:
                zone = service.settings.network_zone
                done.append(Ran(job.name, zone, day, False, {}, "another replica works on it; try again"))
                continue
            for zone in await _zones(service, connection, job):
                done += await _Worker(service, job, zone, connection, actor="cli").up_to(day)
    return done


class _Worker:
    """One job in one zone, on the connection that holds its lock: what is done without the lock is not committed."""

    def __init__(
        self, service: "Service", job: Job, zone: str, connection: Connection, *, actor: str | None = None
    ) -> None:
        self.service = service
        self.job = job
        self.zone = zone
        self.connection = connection
        self.actor = actor or f"service:{service.name}"

    async def due(self) -> list[Ran]:
        """Works the turns that are due, until one does not end well."""
        done: list[Ran] = []
        while not self.service.stopping.is_set():
            now = self.service.clock()
            row = await self.connection.fetchrow(ROW, self.job.name, self.zone)
            place = await _begun(self.connection, self.job, self.zone, now) if row is None else _place(row)
            due = due_place(self.job, self.zone, place, now)
            if due is None or (row is not None and _waits(row, now)):
                break
            done.append(await self._turn(due, keeps=True))
            if not done[-1].done:
                break
        return done

    async def up_to(self, day: date) -> list[Ran]:
        """Works the turns that are missing up to a day, or that day alone when none is missing or it lies ahead."""
        done: list[Ran] = []
        while True:
            now = self.service.clock()
            row = await self.connection.fetchrow(ROW, self.job.name, self.zone)
            place = await _begun(self.connection, self.job, self.zone, now) if row is None else _place(row)
            missing = place.day <= day <= self.job.newest(self.zone, now)
            if not missing and done:
                break
            if not missing or (place.day < day and not self.job.each_day):
                place = Place(day, now)
            done.append(await self._turn(place, keeps=missing))
            if not missing or not done[-1].done:
                break
        return done

    async def _turn(self, place: Place, *, keeps: bool) -> Ran:
        """Chunk by chunk to the end of a turn, to an error, or to the stop of the service."""
        job, service, log = self.job, self.service, self.service.log.bind(job=self.job.name, zone=self.zone)
        day = place.day
        cause = f"job:{job.name}:{day}"
        while not service.stopping.is_set():
            try:
                with (
                    structlog.contextvars.bound_contextvars(service=service.name, cause=cause),
                    service.tracing.span(f"job {job.name}"),
                ):
                    async with asyncio.timeout(CHUNK_SECONDS):
                        place = await self._chunk(place, cause, keeps=keeps)
            except Exception as error:
                told = place_of(error)
                service.metrics.job_turns.labels(job.name, "failed").inc()
                log.error("job.failed", day=str(day), error=type(error).__name__, where=trace_of(error))
                if keeps:
                    await self._fail(told)
                return Ran(job.name, self.zone, day, False, dict(place.counts), told)
            if place.resume is None:
                service.metrics.job_turns.labels(job.name, "done").inc()
                if place.counts:
                    log.info("job.done", day=str(day), **place.counts)
                return Ran(job.name, self.zone, day, True, dict(place.counts))
        return Ran(job.name, self.zone, day, False, dict(place.counts))

    async def _chunk(self, place: Place, cause: str, *, keeps: bool) -> Place:
        """One chunk from a place on, kept together with the place behind it. `resume` None: the turn is done."""
        service, connection, job = self.service, self.connection, self.job
        now = service.clock()
        turn = Turn(service, place.day, self.zone, place.resume, now, dict(place.counts))
        if job.chunk is None:
            assert job.apart is not None
            resume = await job.apart(turn)
            if keeps:
                await self._keep(place, resume, turn)
        else:
            unit = Unit(connection, self.actor, cause, now, current_traceparent())
            async with connection.transaction():
                resume = await job.chunk(unit, turn)
                if keeps:
                    await self._keep(place, resume, turn)
            if unit.recorded:
                for wake in service.database.on_recorded:
                    wake()
        return place._replace(resume=resume, counts=turn.counts)

    async def _keep(self, place: Place, resume: JsonValue, turn: Turn) -> None:
        key = (self.job.name, self.zone)
        counts = _json(turn.counts)
        if resume is None:
            after = following(self.job, self.zone, place.day, turn.now)
            await self.connection.execute(FINISH, *key, after.due, after.day, turn.now, place.day, counts)
        else:
            begins = place.resume is None
            await self.connection.execute(GO_ON, *key, place.due, place.day, _json(resume), counts, begins, turn.now)

    async def _fail(self, told: str) -> None:
        """Notes the error, on another connection: that of the work may be gone, and its lock with it."""
        now = self.service.clock()
        key = (self.job.name, self.zone)
        try:
            async with self.service.database.connection() as connection:
                row = await connection.fetchrow(ROW, *key)
                retry_at = now + retry_after(row["failures"] if row else 0)
                await connection.execute(FAIL, *key, retry_at, told, now)
        except TRANSIENT as error:
            self.service.log.warning("job.error_not_kept", job=self.job.name, error=repr(error))


@contextlib.asynccontextmanager
async def _alone(service: "Service", job: Job, patience: float = 0.0) -> AsyncIterator[Connection | None]:
    """A connection that holds the job's lock, as long as it lives; None when another one does."""
    async with service.database.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
        clock = asyncio.get_running_loop().time
        deadline = clock() + patience
        while not (mine := await connection.fetchval(TRY_LOCK, job.name)):
            if clock() >= deadline:
                break
            await asyncio.sleep(0.1)
        try:
            yield connection if mine else None
        finally:
            if mine:
                with contextlib.suppress(*TRANSIENT):  # a connection that broke has let go of it
                    await connection.execute(UNLOCK, job.name)


async def _zones(service: "Service", connection: Connection, job: Job) -> Sequence[str]:
    """The zones of a job that exist; a job whose zones cannot be told stops no other."""
    if job.zones is None:
        return [service.settings.network_zone]
    try:
        named = sorted(set(await job.zones(connection)))
    except TRANSIENT:
        raise
    except Exception as error:
        service.log.error("job.no_zones", job=job.name, error=type(error).__name__, where=trace_of(error))
        return []
    return [zone for zone in named if _exists(service, job, zone)]


def _exists(service: "Service", job: Job, zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        service.log.error("job.no_such_zone", job=job.name, zone=zone)
        return False
    return True


async def _begun(connection: Connection, job: Job, zone: str, now: datetime) -> Place:
    """The row of a job that has never run here."""
    first = first_place(job, zone, now)
    await connection.execute(ADD, job.name, zone, first.due, first.day)
    return first


def _place(row: Row) -> Place:
    resume = None if row["resume"] is None else orjson.loads(row["resume"])
    return Place(row["day"], row["due"], resume, orjson.loads(row["counts"]))


def _waits(row: Row, now: datetime) -> bool:
    return row["retry_at"] is not None and now < row["retry_at"] <= now + LONGEST_WAIT


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
