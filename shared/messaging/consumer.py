"""The consumer loop: what was received has its effect exactly once, and what cannot be applied is set aside.

FastStream brings the records, our loop applies them; an offset is committed behind the effect, by number.
A dependency's error is waited out, an event's error parks it, a program's error halts.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import asyncpg
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage, KafkaMessage

from shared.messaging import kafka
from shared.messaging.cloudevents import received
from shared.messaging.events import Consumer
from shared.messaging.intake import Intake
from shared.messaging.listening import missing_types
from shared.messaging.settling import Settling, Stopping

if TYPE_CHECKING:
    from shared.runtime.service import Service

ACK_POLICY = AckPolicy.NACK_ON_ERROR
"""The one policy of every subscriber: all others acknowledge, sooner or later, what a handler failed on."""

STANDSTILL_SECONDS = 45.0
LAST_BATCH_SECONDS = 12.0
LONGEST_BATCH_SECONDS = 600.0


class Handed(KafkaAckableMessage):
    """Records on their way into the intake. FastStream's acknowledgement says that they are in, no more."""

    async def ack(self) -> None:
        """Commits nothing: the intake does, behind the effects."""
        await KafkaMessage.ack(self)


class ConsumerLoop:
    """One consumer of one replica. `run` returns when the service stops, after the batch under way."""

    def __init__(self, service: "Service", consumer: Consumer) -> None:
        self.name = consumer.name
        self.consumer = consumer
        self._service = service
        self._settings = service.settings
        self._settling = Settling(service, consumer)
        self._waits: str | None = "has not joined yet"
        self._subscriber: Any = None
        self._intake: Intake | None = None
        self._busy_since: float | None = None
        self._moved = time.monotonic()
        self._positions: dict[Any, int] = {}
        self._standstills = 0
        self._tick = time.monotonic()
        self._prefix = len(service.settings.topic_prefix)

    # --- what others ask ---------------------------------------------------------------------------

    def not_ready(self) -> str | None:
        """Why it does not consume, None when it does."""
        return self._settling.halted or self._settling.backing_off or self._waits

    def alive(self) -> bool:
        """Whether its watch ticks and its position moves, or stands still for a reason it knows."""
        return time.monotonic() - self._tick < 60

    async def measure(self) -> None:
        """Sets the gauges: lag, parked, halted."""
        metrics, name = self._service.metrics, self.name
        metrics.halted.labels(name).set(1 if self._settling.halted else 0)
        metrics.lag.labels(name).set(await self.lag())
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with self._service.database.connection() as connection:
                waiting = await connection.fetchval("SELECT count(*) FROM parked WHERE consumer = $1", name)
                metrics.parked_now.labels(name).set(waiting)

    async def lag(self) -> int:
        """Records of its own partitions that have yet to have their effect; -1 when unknown.

        The embedded broker tells wrong ends, so that it is always unknown there.
        """
        found = await self.lags()
        held = self._intake.held if self._intake is not None else 0
        return -1 if found is None else held + sum(found.values())

    async def lags(self) -> dict[str, int] | None:
        """Records of its own partitions that it has yet to fetch, by topic (without prefix); None when unknown."""
        client = self._subscriber.consumer if self._subscriber is not None else None
        if client is None or self._intake is None or self._settings.kafka_embedded:
            return None
        found: dict[str, int] = {}
        with contextlib.suppress(KafkaError, TimeoutError):
            for place in client.assignment():
                end = client.highwater(place)
                if end is not None:
                    async with asyncio.timeout(1):
                        behind = max(end - await client.position(place), 0)
                    topic = place.topic[self._prefix :]
                    found[topic] = found.get(topic, 0) + behind
            return found
        return None

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
            missing = await missing_types(connection, self.consumer, self._service.clock())
        if missing:
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
        intake = Intake(self._settings.consumer_batch, self._service.log.bind(consumer=self.name))
        subscriber = broker.subscriber(
            *(prefix + topic for topic in self.consumer.topics),
            batch=True,
            group_id=prefix + self.name,
            ack_policy=ACK_POLICY,
            listener=intake,
            parser=self._parsed,
            decoder=_as_it_is,
            no_reply=True,
            **kafka.subscriber_options(self._settings, self.consumer.topics),
        )

        async def handle(records: Sequence[ConsumerRecord[Any, Any]]) -> None:
            await self._handle(intake, records)

        async def fetch(client: Any) -> tuple[ConsumerRecord[Any, Any], ...]:
            # FastStream's own waits for its timeout and then sleeps as long again, while records lie there
            found = await client.getmany(timeout_ms=kafka.WAIT_MS, max_records=self._settings.consumer_batch)
            return tuple(chain.from_iterable(found.values()))

        subscriber(handle)
        subscriber.get_msg = fetch
        self._subscriber, self._intake = subscriber, intake
        tasks: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(30):
                await broker.start()
            intake.client = subscriber.consumer
            tasks = [asyncio.create_task(work) for work in (self._apply(intake), intake.keep_offsets())]
            self._moved = time.monotonic()
            await self._watch(tasks)
        finally:
            await intake.close()
            await self._end(tasks)
            if tasks:
                await intake.commit()
            self._subscriber = self._intake = None
            with contextlib.suppress(KafkaError, TimeoutError, OSError):
                await asyncio.wait_for(broker.stop(), 15)

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Leaves the batch under way its time when the service stops; what stands still is cancelled."""
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_BATCH_SECONDS if self._service.stopping.is_set() else 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Looks after the running consumer; returns when the service stops or a fresh start is needed."""
        while not self._service.stopping.is_set():
            self._tick = time.monotonic()
            for task in tasks:
                if task.done():
                    task.result()
                    return
            if self._settling.halted is None and self._settling.backing_off is None:
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
        return Handed(
            body=b"", headers={}, raw_message=records, message_id="", correlation_id="",
            consumer=self._subscriber.consumer,
        )  # fmt: skip

    async def _handle(self, intake: Intake, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Called by FastStream with what one fetch brought: reads it and hands it to the loop that applies."""
        self._waits = None
        ends: dict[TopicPartition, int] = {}
        items = []
        try:
            for record in records:
                ends[TopicPartition(record.topic, record.partition)] = record.offset + 1
                items.append(
                    received(
                        topic=record.topic[self._prefix :], partition=record.partition, offset=record.offset,
                        timestamp=record.timestamp, key=record.key, value=record.value, headers=record.headers,
                    )
                )  # fmt: skip
            items = self._settling.applier.read_ahead(items)
        except Exception as error:
            # let out, FastStream would fetch the same records again for ever and say nothing
            await self._settling.give_up(error)
            raise
        await intake.put(items, ends)

    async def _apply(self, intake: Intake) -> None:
        """Applies batch after batch; the next one is fetched and read meanwhile."""
        while (taken := await intake.take()) is not None:
            items, ends = taken
            self._busy_since = time.monotonic()
            try:
                await self._settling.settle(items)
            except Stopping:
                return
            finally:
                self._busy_since = None
            await intake.settled(ends)
            self._moved = time.monotonic()
            self._standstills = 0


async def _as_it_is(message: KafkaAckableMessage) -> Any:
    return message.raw_message
