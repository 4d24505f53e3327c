"""How a service is put together: what it declares, and the running whole with its pool, relay and consumers.

`Definition` is a service's table of contents, wiring only. `Service` runs it: everything starts and
stops in the application's lifespan, and an orderly stop finishes the batches under way.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter

from shared.messaging.events import Consumer, StateSource
from shared.postgres.migrations import missing_migrations
from shared.postgres.pool import TRANSIENT, Database, Unit, open_database
from shared.runtime.logging import Log, get_log
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceName, Settings
from shared.runtime.tracing import Tracing, current_traceparent

if TYPE_CHECKING:
    from shared.http.policy import Policy
    from shared.messaging.consumer import ConsumerLoop
    from shared.messaging.relay import Relay
    from shared.runtime.jobs import Job
    from shared.runtime.privacy import Personal

Loop = Callable[["Service"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Definition:
    """What a service is made of.

    `routers` carry their own prefix (`/membership/…`). `states` maps each of its state topics to the rows
    behind it. `loops` are long-running tasks of its own (a sender, a ticker); one that ends with a
    transient error is started again. `jobs` are what time brings about, worked by one replica at a time (see
    shared.runtime.jobs); those that every service has come by themselves. `policy` says which role may do what
    (see shared.http.policy). `uploads` are beginnings of paths whose bodies are files and may be as large as one.
    `personal` are the columns that hold something of people (see shared.runtime.privacy).
    """

    name: ServiceName
    routers: Sequence[APIRouter] = ()
    consumers: Sequence[Consumer] = ()
    states: Mapping[str, StateSource] = field(default_factory=dict)
    loops: Mapping[str, Loop] = field(default_factory=dict)
    jobs: "Sequence[Job]" = ()
    policy: "Policy" = field(default_factory=dict)
    uploads: Sequence[str] = ()
    personal: "Sequence[Personal]" = ()


@dataclass(slots=True)
class Service:
    """A running service. `clock` gives the present; tests pass their own."""

    definition: Definition
    settings: Settings
    database: Database
    metrics: Metrics
    tracing: Tracing
    log: Log
    relay: "Relay | None" = None
    consumers: "list[ConsumerLoop]" = field(default_factory=list)
    jobs: "Sequence[Job]" = ()
    background: set[asyncio.Task[None]] = field(default_factory=set)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    failing: asyncio.Event = field(default_factory=asyncio.Event)
    failed: str | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def name(self) -> str:
        """The service's name, also its schema and route prefix."""
        return self.definition.name

    @contextlib.asynccontextmanager
    async def unit(self, *, actor: str, cause: str) -> AsyncIterator[Unit]:
        """One transaction of this service, in the current trace. Wakes the relay after a commit with records."""
        async with self.database.unit(
            actor=actor, cause=cause, now=self.clock(), traceparent=current_traceparent()
        ) as unit:
            yield unit

    def fail(self, reason: str) -> None:
        """Says that this process cannot go on, though what it depends on answers; `cumulo serve` then ends."""
        self.failed = reason
        self.log.error("service.failed", reason=reason)
        self.failing.set()

    async def pause(self, seconds: float) -> None:
        """Waits, but not longer than until the service stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def readiness(self) -> dict[str, str]:
        """What keeps it from its work, by part; empty when ready."""
        problems: dict[str, str] = {}
        try:
            async with asyncio.timeout(2), self.database.connection() as connection:
                if missing := await missing_migrations(connection, self.name):
                    problems["migrations"] = f"missing: {', '.join(missing)}; run `cumulo migrate`"
        except TRANSIENT as error:
            problems["postgres"] = f"does not answer ({type(error).__name__})"
        if self.relay is not None and (reason := self.relay.not_ready()):
            problems["relay"] = reason
        for consumer in self.consumers:
            if reason := consumer.not_ready():
                problems[f"consumer {consumer.name}"] = reason
        return problems


@contextlib.asynccontextmanager
async def at_hand(
    definition: Definition,
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    tracing: Tracing | None = None,
    purpose: str = "cli",
) -> AsyncIterator[Service]:
    """A service in which nothing runs by itself: its pool, clock and jobs, for a command. Raises `PostgresAway`."""
    from shared.runtime.upkeep import jobs_of

    async with open_database(
        settings.postgres(definition.name),
        schema=definition.name,
        application=f"cumulo-{definition.name}-{purpose}",
        size=settings.postgres_pool,
    ) as database:
        own_tracing = tracing or Tracing(definition.name, settings.otlp_endpoint)
        log = get_log(definition.name)
        service = Service(definition, settings, database, Metrics(definition.name), own_tracing, log)
        service.jobs = jobs_of(definition, settings)
        if clock is not None:
            service.clock = clock
        try:
            yield service
        finally:
            if tracing is None:
                await asyncio.to_thread(own_tracing.close)


@contextlib.asynccontextmanager
async def running(
    definition: Definition,
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    tracing: Tracing | None = None,
) -> AsyncIterator[Service]:
    """Starts a service's pool, relay, consumers, loops and jobs; stops them in the opposite order.

    Kafka may be away at the start: the relay and the consumers keep trying, the service is not ready.
    """
    from shared.messaging.consumer import ConsumerLoop
    from shared.messaging.relay import Relay
    from shared.runtime.job_runner import run_jobs

    async with at_hand(definition, settings, clock=clock, tracing=tracing, purpose=settings.replica) as service:
        log = service.log
        tasks: list[asyncio.Task[None]] = []
        if settings.relay_enabled:
            service.relay = Relay(service)
            service.database.on_recorded.append(service.relay.wake)
            tasks.append(asyncio.create_task(service.relay.run(), name=f"{definition.name} relay"))
        for consumer in definition.consumers:
            service.metrics.listens(consumer.name, consumer.types)
            loop = ConsumerLoop(service, consumer)
            service.consumers.append(loop)
            tasks.append(asyncio.create_task(loop.run(), name=f"{definition.name} {consumer.name}"))
        for name, own in {"jobs": run_jobs, **definition.loops}.items():
            tasks.append(asyncio.create_task(_supervised(service, name, own), name=f"{definition.name} {name}"))
        log.info("service.started", replica=settings.replica)
        try:
            yield service
        finally:
            service.stopping.set()
            if service.relay is not None:
                service.relay.wake()
            for task in service.background:  # nobody awaits them; each writes down that it was broken off
                task.cancel()
            tasks += service.background
            _, late = await asyncio.wait(tasks, timeout=15) if tasks else (set(), set())
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            log.info("service.stopped", unfinished=[task.get_name() for task in late])


async def _supervised(service: Service, name: str, own: Loop) -> None:
    delay = 0.1
    while not service.stopping.is_set():
        started = asyncio.get_running_loop().time()
        try:
            await own(service)
            return
        except TRANSIENT as error:
            service.log.warning("loop.retried", loop=name, error=repr(error))
        except Exception:
            service.log.exception("loop.failed", loop=name)
        if asyncio.get_running_loop().time() - started > 60:
            delay = 0.1
        await service.pause(delay)
        delay = min(delay * 2, 10.0)
