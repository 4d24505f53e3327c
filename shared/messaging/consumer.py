"""The consumer loop: what was received has its effect exactly once, and what cannot be applied is set aside.

FastStream brings the batches; no exception leaves our loop inside, so that an offset is only committed
behind an effect. A dependency's error is waited out, an event's error parks it, a program's error halts.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from shared.messaging import kafka
from shared.messaging.apply import Applier, Outcome, counts_by_type
from shared.messaging.cloudevents import Received, received
from shared.messaging.events import Consumer
from shared.postgres.pool import TRANSIENT, Unit
from shared.runtime.tracing import SpanKind

if TYPE_CHECKING:
    from shared.runtime.service import Service

ACK_POLICY = AckPolicy.NACK_ON_ERROR
"""The one policy of every subscriber: all others acknowledge, sooner or later, what a handler failed on."""

STANDSTILL_SECONDS = 45.0
LONGEST_BATCH_SECONDS = 600.0
REGISTER = "INSERT INTO consumer (name, types) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"


class Stopping(Exception):
    """The service stops before this batch had its effect; it is read again."""


class ConsumerLoop:
    """One consumer of one replica. `run` returns when the service stops, after the batch under way."""

    def __init__(self, service: "Service", consumer: Consumer) -> None:
        self.name = consumer.name
        self.consumer = consumer
        self._service = service
        self._settings = service.settings
        self._applier = Applier(consumer)
        self._halted: str | None = None
        self._waits: str | None = "has not joined yet"
        self._subscriber: Any = None
        self._busy_since: float | None = None
        self._backing_off: str | None = None
        self._moved = time.monotonic()
        self._positions: dict[Any, int] = {}
        self._standstills = 0
        self._tick = time.monotonic()
        self._parked_lately: deque[float] = deque()
        self._prefix = len(service.settings.topic_prefix)

    # --- what others ask ---------------------------------------------------------------------------

    def not_ready(self) -> str | None:
        """Why it does not consume, None when it does."""
        return self._halted or self._backing_off or self._waits

    def alive(self) -> bool:
        """Whether its watch ticks and its position moves, or stands still for a reason it knows."""
        return time.monotonic() - self._tick < 60

    async def measure(self) -> None:
        """Sets the gauges: lag, parked, halted."""
        metrics, name = self._service.metrics, self.name
        metrics.halted.labels(name).set(1 if self._halted else 0)
        metrics.lag.labels(name).set(await self.lag())
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with self._service.database.connection() as connection:
                waiting = await connection.fetchval("SELECT count(*) FROM parked WHERE consumer = $1", name)
                metrics.parked_now.labels(name).set(waiting)

    async def lag(self) -> int:
        """Records between its positions and the ends, over its own partitions; -1 when unknown.

        The embedded broker tells wrong ends, so that it is always unknown there.
        """
        client = self._subscriber.consumer if self._subscriber is not None else None
        if client is None or self._settings.kafka_embedded:
            return -1
        total = 0
        with contextlib.suppress(KafkaError, TimeoutError):
            for place in client.assignment():
                end = client.highwater(place)
                if end is not None:
                    async with asyncio.timeout(1):
                        total += max(end - await client.position(place), 0)
            return total
        return -1

    # --- the loop ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Consumes until the service stops."""
        delay = 0.2
        while not self._service.stopping.is_set():
            self._tick = time.monotonic()
            try:
                if not await self._types_are_known():
                    await self._service.pause(2.0)
                    continue
                await self._session()
                delay = 0.2
            except Exception as error:
                self._waits = f"{type(error).__name__}: {error}"[:200]
                self._service.log.warning("consumer.restarts", consumer=self.name, error=self._waits)
            await self._service.pause(delay)
            delay = min(delay * 2, 5.0)

    async def _types_are_known(self) -> bool:
        """Registers a new consumer; refuses one that took on types whose records lie behind its offsets."""
        async with self._service.database.connection() as connection:
            await connection.execute(REGISTER, self.name, list(self.consumer.types))
            known = await connection.fetchval("SELECT types FROM consumer WHERE name = $1", self.name)
        if missing := sorted(set(self.consumer.types) - set(known)):
            self._waits = f"took on {', '.join(missing)}: run `cumulo backfill {self._service.name} {self.name}`"
            return False
        return True

    async def _session(self) -> None:
        broker = KafkaBroker(
            self._settings.kafka.split(","),
            client_id=f"cumulo-{self._service.name}-{self._settings.replica}",
            logger=None,
            apply_types=False,
            graceful_timeout=12.0,
        )
        prefix = self._settings.topic_prefix
        subscriber = broker.subscriber(
            *(prefix + topic for topic in self.consumer.topics),
            batch=True,
            group_id=prefix + self.name,
            ack_policy=ACK_POLICY,
            parser=self._parsed,
            decoder=_as_it_is,
            no_reply=True,
            **kafka.subscriber_options(self._settings),
        )
        subscriber(self._handle)
        self._subscriber = subscriber
        try:
            async with asyncio.timeout(30):
                await broker.start()
            self._moved = time.monotonic()
            await self._watch()
        finally:
            self._subscriber = None
            with contextlib.suppress(KafkaError, TimeoutError, OSError):
                await asyncio.wait_for(broker.stop(), 15)

    async def _watch(self) -> None:
        """Looks after the running consumer; returns when the service stops or a fresh start is needed."""
        while not self._service.stopping.is_set():
            self._tick = time.monotonic()
            if self._halted is None and self._backing_off is None:
                client = self._subscriber.consumer
                assigned = client.assignment()
                self._waits = None if assigned or self._settings.kafka_embedded else self._waits
                await self._note_progress(client)
                if self._stands_still():
                    self._standstills += 1
                    self._service.log.error("consumer.stands_still", consumer=self.name, times=self._standstills)
                    if self._standstills > 1:
                        self._service.fail(f"the consumer {self.name} does not move, also after a fresh start")
                    return
            await self._service.pause(0.5)

    def _stands_still(self) -> bool:
        now = time.monotonic()
        if self._busy_since is not None:
            return now - self._busy_since > LONGEST_BATCH_SECONDS
        return now - self._moved > STANDSTILL_SECONDS

    async def _note_progress(self, client: Any) -> None:
        positions: dict[Any, int] = {}
        behind = False
        for place in client.assignment():
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(1):
                    positions[place] = await client.position(place)
                end = client.highwater(place)
                behind = behind or (end is not None and end > positions[place])
        if positions:
            self._waits = None
        if positions != self._positions or not behind or self._settings.kafka_embedded:
            self._moved = time.monotonic()
        self._positions = positions

    async def _parsed(self, records: tuple[ConsumerRecord[Any, Any], ...]) -> KafkaAckableMessage:
        """FastStream's own parser drops a whole batch over one null header; ours leaves records as they are."""
        return KafkaAckableMessage(
            body=b"", headers={}, raw_message=records, message_id="", correlation_id="",
            consumer=self._subscriber.consumer,
        )  # fmt: skip

    async def _handle(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Called by FastStream with one batch. Returning commits the offsets."""
        self._waits = None
        items = [
            received(
                topic=record.topic[self._prefix :], partition=record.partition, offset=record.offset,
                timestamp=record.timestamp, key=record.key, value=record.value, headers=record.headers,
            )
            for record in records
        ]  # fmt: skip
        self._busy_since = time.monotonic()
        try:
            await self._settle(items)
        finally:
            self._busy_since = None
        self._moved = time.monotonic()
        self._standstills = 0

    async def _settle(self, items: Sequence[Received]) -> None:
        """Brings a batch to its effect, whatever it takes."""
        delay = 0.1
        while True:
            if self._halted is not None:
                await self._service.stopping.wait()
                raise Stopping
            try:
                outcomes = await self._applier.settle(self._unit, items)
            except TRANSIENT as error:
                self._backing_off = f"tries again after {type(error).__name__}: {error}"[:200]
                self._service.metrics.retries.labels(self.name).inc()
                self._service.log.warning("consumer.backs_off", consumer=self.name, error=repr(error), seconds=delay)
                await self._service.pause(delay * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads retries
                delay = min(delay * 2, 5.0)
                if self._service.stopping.is_set():
                    raise Stopping from error
            except Exception as error:
                self._service.log.exception("consumer.failed", consumer=self.name)
                self._halt(f"{type(error).__name__}: {error}"[:300])
            else:
                self._backing_off = None
                for outcome in outcomes:
                    self._count(outcome)
                return

    @contextlib.asynccontextmanager
    async def _unit(self, items: Sequence[Received]) -> AsyncIterator[Unit]:
        """The transaction of a batch, in the trace of its event or linked to the traces of its events."""
        service = self._service
        traces = {item.traceparent for item in items[:20] if item.traceparent}
        cause = str(items[0].id)
        with contextlib.ExitStack() as stack:
            if len(traces) == 1:
                stack.enter_context(
                    service.tracing.span(f"apply {self.name}", traceparent=next(iter(traces)), kind=SpanKind.CONSUMER)
                )
            elif traces and service.tracing.exports:
                stack.enter_context(
                    service.tracing.span(
                        f"apply {self.name}", links=tuple(traces), kind=SpanKind.CONSUMER, events=len(items)
                    )
                )
            stack.enter_context(structlog.contextvars.bound_contextvars(service=service.name, cause=cause))
            async with service.unit(actor=f"service:{service.name}", cause=cause) as unit:
                yield unit

    def _count(self, outcome: Outcome) -> None:
        metrics, name = self._service.metrics, self.name
        now = self._service.clock()
        for type_, count in counts_by_type(outcome.applied).items():
            metrics.applied.labels(name, type_).inc(count)
        if outcome.applied:
            # the oldest and the newest of a batch stand for it
            for event in {
                outcome.applied[0].id: outcome.applied[0],
                outcome.applied[-1].id: outcome.applied[-1],
            }.values():
                metrics.event_age.labels(name).observe(max((now - event.time).total_seconds(), 0.0))
        for counter, count in (
            (metrics.duplicates, outcome.duplicates),
            (metrics.skipped, outcome.skipped),
            (metrics.outdated, outcome.outdated),
            (metrics.parked, outcome.parked),
        ):
            if count:
                counter.labels(name).inc(count)
        for topic, key, reason in outcome.first_parked:
            self._service.log.warning("event.parked", consumer=name, topic=topic, key=key, reason=reason)
        if outcome.first_parked:
            instant = time.monotonic()
            self._parked_lately.extend(instant for _ in outcome.first_parked)
            while self._parked_lately and self._parked_lately[0] < instant - 60:
                self._parked_lately.popleft()
            if len(self._parked_lately) > self._settings.parked_keys_per_minute:
                self._halt(f"{len(self._parked_lately)} keys were parked within a minute: the program is to blame")

    def _halt(self, reason: str) -> None:
        self._halted = f"halted: {reason}"
        self._service.metrics.halted.labels(self.name).set(1)
        self._service.log.error("consumer.halted", consumer=self.name, reason=reason)


async def _as_it_is(message: KafkaAckableMessage) -> Any:
    return message.raw_message
