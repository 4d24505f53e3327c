"""What the relay sends with: whole batches per partition, never past its deadline, given up after any error.

A producer of aiokafka can stay broken after an outage, and one that was frozen may wake and send what another
relay has long sent: so each has a deadline, and none that was given up ever sends again.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError
from aiokafka.protocol.produce import ProduceRequest

from shared.messaging import kafka
from shared.messaging.cloudevents import headers_of
from shared.runtime.settings import Settings


def awake_clock() -> float:
    """Seconds that go on while the process is frozen or the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class PastDeadline(KafkaError):  # type: ignore[misc]
    """The relay was about to send after its own deadline; another one may already publish."""


class Publisher:
    """The producer of one relay, replaced by `start` after every `drop`.

    It sends before `deadline` only, an instant of `awake_clock` that the relay sets for each batch.
    """

    def __init__(self, settings: Settings, *, service: str) -> None:
        self.deadline = 0.0
        self.producer: Any = None
        self._settings = settings
        self._service = service
        self._partitions: dict[str, int] = {}
        self._place: dict[tuple[str, str], int] = {}

    async def start(self) -> None:
        """Makes a producer. Raises errors of Kafka or `TimeoutError`."""
        producer = kafka.producer(self._settings, service=self._service)
        try:
            async with asyncio.timeout(15):
                await producer.start()
        except BaseException:
            with contextlib.suppress(Exception):  # it never started; only its sockets are to be closed
                await asyncio.wait_for(producer.client.close(), 2)
            producer._closed = True
            raise
        client, send = producer.client, producer.client.send

        async def guarded(node: int, request: Any, **more: Any) -> Any:
            if isinstance(request, ProduceRequest):
                # connect first: between this look at the clock and the socket nothing may wait
                await client.ready(node, **more)
                # the deadline is the present producer's: one that was given up has none
                if self.producer is not producer or awake_clock() > self.deadline:
                    raise PastDeadline
            return await send(node, request, **more)

        producer.client.send = guarded
        self.producer = producer
        self._partitions.clear()
        self._place.clear()

    async def drop(self) -> None:
        """Ends the producer without flushing: what it still holds is sent again by the next one."""
        producer, self.producer = self.producer, None
        if producer is None:
            return
        self.deadline = 0.0
        producer._closed = True
        with contextlib.suppress(Exception):  # it is given up; nothing of it is used again
            await asyncio.wait_for(producer._sender.close(), 2)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(producer.client.close(), 2)

    async def publish(self, rows: Sequence[asyncpg.Record]) -> None:
        """Sends rows of the outbox, in order per partition, and awaits every acknowledgement."""
        by_place: dict[tuple[str, int], list[asyncpg.Record]] = {}
        place = self._place
        if len(place) > 200_000:
            place.clear()
        for row in rows:
            topic, key = row[1], row[2]
            partition = place.get((topic, key))
            if partition is None:
                count = self._partitions.get(topic) or await self._count_partitions(topic)
                partition = place[(topic, key)] = kafka.partition_of(key.encode(), count)
            by_place.setdefault((topic, partition), []).append(row)
        sends = [self._publish_to(topic, partition, some) for (topic, partition), some in by_place.items()]
        if len(sends) == 1:
            await sends[0]
        else:
            await asyncio.gather(*sends)

    async def _publish_to(self, topic: str, partition: int, rows: Sequence[asyncpg.Record]) -> None:
        """One partition's rows, a batch after the other: a failed batch never lets a later one overtake."""
        producer = self.producer
        name = self._settings.topic_prefix + topic
        now = int(time.time() * 1000)  # Kafka's timestamp is the time of publishing; ce_time is the fact's
        batch = producer.create_batch()
        for row in rows:
            (_, _, key, value, id_, type_, source, subject, at, schema, version, effective, actor, cause, trace) = row
            headers = headers_of(
                id=id_, type=type_, source=source, subject=subject, time=at, dataschema=schema, version=version,
                effective=effective, actor=actor, cause=cause, traceparent=trace,
            )  # fmt: skip
            raw_key = key.encode()
            if batch.append(key=raw_key, value=value, timestamp=now, headers=headers) is None:
                await (await producer.send_batch(batch, name, partition=partition))
                batch = producer.create_batch()
                if batch.append(key=raw_key, value=value, timestamp=now, headers=headers) is None:
                    raise ValueError(f"a record of {topic} does not fit into one batch")
        await (await producer.send_batch(batch, name, partition=partition))

    async def _count_partitions(self, topic: str) -> int:
        found = await self.producer.partitions_for(self._settings.topic_prefix + topic)
        self._partitions[topic] = len(found)
        return len(found)
