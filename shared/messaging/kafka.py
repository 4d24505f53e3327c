"""Every default towards Kafka, set in one place: producer, consumer, admin, partitions.

Producers are idempotent with acks from all replicas, except on the embedded broker, which lacks it;
consumers begin at the earliest record; topics are made by `cumulo topics`, never by use.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from shared.messaging import lenient
from shared.runtime.settings import Settings

lenient.install()  # whoever reads takes its consumer or its options from here

PRODUCER_BATCH_BYTES = 256 * 1024
WAIT_MS = 500
"""How long a consumer waits for records at a time; the first that comes ends it."""


def producer(settings: Settings, *, service: str) -> AIOKafkaProducer:
    """A producer for whole batches. Not started."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka.split(","),
        client_id=f"cumulo-{service}-{settings.replica}",
        acks="all",
        enable_idempotence=settings.kafka_idempotent,
        max_batch_size=PRODUCER_BATCH_BYTES,
        max_request_size=4 * 1024 * 1024,
        linger_ms=0,
        request_timeout_ms=int(settings.relay_deadline_seconds * 1000),
        retry_backoff_ms=50,
        metadata_max_age_ms=60_000,
    )


@contextlib.asynccontextmanager
async def reader(settings: Settings, topics: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group over all partitions of these topics (full names), from the earliest record."""
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=settings.kafka.split(","),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        # it looks here and there: a question that waits at the end of one partition keeps all others waiting
        fetch_max_wait_ms=20,
    )
    await consumer.start()
    try:
        # without a group it assigns itself what the metadata names; it knows no partition before
        async with asyncio.timeout(30):
            while any(not consumer.partitions_for_topic(topic) for topic in topics):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield consumer
    finally:
        await consumer.stop()


def admin(settings: Settings) -> AIOKafkaAdminClient:
    """An admin client. Not started."""
    return AIOKafkaAdminClient(bootstrap_servers=settings.kafka.split(","), request_timeout_ms=20_000)


def subscriber_options(settings: Settings, topics: Sequence[str]) -> dict[str, Any]:
    """Options of every FastStream subscriber to these topics, besides its group and policy."""
    # the embedded broker lets a group's first member wait for half of this time, and one that comes after for twice
    session = settings.kafka_session_seconds or (3.0 if settings.kafka_embedded else 10.0)
    return {
        "auto_offset_reset": "earliest",
        "group_instance_id": None if settings.kafka_embedded else member_name(settings.replica, topics),
        "session_timeout_ms": int(session * 1000),
        "heartbeat_interval_ms": int(session * (170 if settings.kafka_embedded else 300)),
        "max_poll_interval_ms": 15 * 60_000,
        "fetch_max_wait_ms": WAIT_MS,
    }


def member_name(replica: str, topics: Sequence[str]) -> str:
    """The name under which a replica is back at once after a restart, without a rebalance.

    The topics are part of it: to a known name Kafka gives the partitions that it had, whatever it asks for now.
    """
    return f"{replica}-{murmur2(' '.join(sorted(topics)).encode()):08x}"


def murmur2(key: bytes) -> int:
    """Kafka's own hash of a key (Java's `Utils.murmur2`), twice as fast as the client library's."""
    length = len(key)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for k in struct.unpack_from(f"<{length >> 2}I", key):
        k = (k * 0x5BD1E995) & 0xFFFFFFFF
        h = ((h * 0x5BD1E995) & 0xFFFFFFFF) ^ (((k ^ (k >> 24)) * 0x5BD1E995) & 0xFFFFFFFF)
    rest = length & 3
    if rest:
        if rest == 3:
            h ^= key[whole + 2] << 16
        if rest >= 2:
            h ^= key[whole + 1] << 8
        h = ((h ^ key[whole]) * 0x5BD1E995) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 0x5BD1E995) & 0xFFFFFFFF
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that every Kafka client's default partitioner chooses for a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
