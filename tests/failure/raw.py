"""What the checker reads: tables by its own SQL, topics by a consumer without a group, headers as they are.

Imports nothing of the project, so that an error in the bus cannot hide itself here.
"""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition


@dataclass(frozen=True, slots=True)
class Copy:
    """One record of a topic. `topic` is without prefix; headers are the last of each name."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: dict[str, bytes | None]

    @property
    def id(self) -> str | None:
        """The CloudEvents id, None without a usable one."""
        try:
            return str(uuid.UUID((self.headers.get("ce_id") or b"").decode()))
        except ValueError:
            return None

    @property
    def version(self) -> int:
        """The aggregate's version, 0 without a usable one."""
        text = (self.headers.get("ce_version") or b"").decode("latin-1")
        return int(text) if text.isascii() and text.isdigit() else 0

    @property
    def is_state(self) -> bool:
        """Whether it lies on a state topic."""
        return self.topic.endswith(".state")

    def place(self) -> tuple[str, int, int]:
        """Topic, partition, offset."""
        return (self.topic, self.partition, self.offset)


@dataclass(slots=True)
class Seen:
    """One service's tables at one instant."""

    outbox: list[dict[str, Any]]
    history: list[dict[str, Any]]
    inbox: dict[str, set[str]]
    parked: list[dict[str, Any]]
    parked_keys: set[tuple[str, str, str]]
    own: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


FACTS = """
id::text AS id, aggregatetype AS topic, aggregateid AS key, version, type, effective::text AS effective,
actor, cause, convert_to(payload::text, 'UTF8') AS value
"""


async def tables(dsn: str, services: list[str]) -> dict[str, Seen]:
    """All tables of the named services, in one snapshot."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {service: await _service(connection, service) for service in services}
    finally:
        await connection.close()


async def _service(connection: Any, service: str) -> Seen:
    async def rows(sql: str) -> list[dict[str, Any]]:
        return [dict(row) for row in await connection.fetch(sql)]

    inbox: dict[str, set[str]] = defaultdict(set)
    for row in await rows(f"SELECT consumer, id::text AS id FROM {service}.inbox"):
        inbox[row["consumer"]].add(row["id"])
    keys = await rows(f"SELECT consumer, topic, key FROM {service}.parked_key")
    seen = Seen(
        outbox=await rows(f"SELECT position, {FACTS} FROM {service}.outbox ORDER BY position"),
        history=await rows(f"SELECT sequence, {FACTS} FROM {service}.history ORDER BY sequence"),
        inbox=inbox,
        parked=await rows(
            f'SELECT number, consumer, topic, key, id::text AS id, partition, "offset", reason'
            f" FROM {service}.parked ORDER BY number"
        ),
        parked_keys={(row["consumer"], row["topic"], row["key"]) for row in keys},
    )
    names = await rows(
        "SELECT tablename FROM pg_tables"
        f" WHERE schemaname = '{service}' AND tablename LIKE 'failure\\_%' ORDER BY tablename"
    )
    for row in names:
        seen.own[row["tablename"]] = await rows(f"SELECT * FROM {service}.{row['tablename']} ORDER BY 1")
    return seen


async def topics(bootstrap: str, prefix: str) -> list[Copy]:
    """Every record of the topics with this prefix, up to the ends as they are at the start, by place."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await reader.start()
    try:
        cluster = await reader._client.fetch_all_metadata()
        names = sorted(name for name in cluster.topics() if name.startswith(prefix))
        places = [TopicPartition(name, p) for name in names for p in sorted(cluster.partitions_for_topic(name) or ())]
        ends = await reader.end_offsets(places)
        open_places = [place for place in places if ends[place] > 0]
        found: list[Copy] = []
        if not open_places:
            return found
        reader.assign(open_places)
        await reader.seek_to_beginning(*open_places)
        while any([await reader.position(place) < ends[place] for place in open_places]):
            for place, records in (await reader.getmany(timeout_ms=300, max_records=20_000)).items():
                for record in records:
                    if record.offset < ends[place]:
                        key = (record.key or b"").decode("utf-8", "replace")
                        found.append(
                            Copy(place.topic[len(prefix) :], place.partition, record.offset, key, record.value,
                                 dict(record.headers))
                        )  # fmt: skip
        return sorted(found, key=Copy.place)
    finally:
        await reader.stop()
