"""Refill: a lost Kafka, or the embedded one at each start, gets back what the services' tables hold.

Only into empty topics that no group reads, under the relay's lock: snapshots of the states first, tombstones
of what some listener still has and the owner has erased, then facts in order. The consumers start after it; what
they had applied they know by its id.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import uuid_utils.compat as uuid_utils
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.base import CONTRACTS, Contract, contract_of
from shared.messaging import kafka
from shared.messaging.cloudevents import Headers, headers_of
from shared.messaging.feed import facts_after, state_event
from shared.messaging.outbox import Record
from shared.messaging.topics import missing_topics
from shared.postgres.pool import Connection, open_database
from shared.runtime.service import Definition
from shared.runtime.settings import Settings

AT_LEAST_FACTS = 10_000
PAGE_ROWS = 2_000
LOCK = "SELECT pg_advisory_lock(hashtextextended($1 || '.relay', 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended($1 || '.relay', 0))"

Progress = Callable[[str, int], None]


class RefillRefused(Exception):
    """The topics are not empty, or somebody reads them: refilling now would hide records from a reader."""


async def refill(
    definitions: Mapping[str, Definition],
    settings_of: Callable[[str], Settings],
    owner: Connection,
    *,
    only: Collection[str] | None = None,
    all_facts: bool = True,
    progress: Progress = lambda service, count: None,
) -> dict[str, int]:
    """Publishes every service's states and facts anew, or those of `only` some. Returns the records sent by service.

    `owner` may read every schema. With `all_facts` off, facts begin at the oldest that some consumer has not
    applied, and at least the last 10,000 are sent. Raises `RefillRefused`.
    """
    chosen = [name for name in definitions if only is None or name in only]
    any_settings = settings_of(next(iter(definitions)))
    topics = sorted({c.topic for c in CONTRACTS.values() if only is None or c.service in only})
    sent: dict[str, int] = {}
    # all of them before the look at the topics: what a relay published after it would lie before older records
    async with relays_held(owner, chosen):
        if not any_settings.kafka_embedded:
            await _refuse_without_topics(any_settings, topics)
        await _refuse_unless_empty(any_settings, topics)
        for name in chosen:
            definition, settings = definitions[name], settings_of(name)
            producer = kafka.producer(settings, service=f"refill-{name}")
            try:
                await producer.start()
                first = 0 if all_facts else await _first_needed(owner, definitions, name)
                sent[name] = await _send_all(definition, settings, producer, first, progress)
                sent[name] += await _send_tombstones(definitions, name, settings, producer, owner)
            finally:
                await producer.stop()
    return sent


@contextlib.asynccontextmanager
async def relays_held(owner: Connection, services: Collection[str]) -> AsyncIterator[None]:
    """No relay of these services publishes while the block runs."""
    async with contextlib.AsyncExitStack() as locks:
        for name in sorted(services):
            await owner.execute(LOCK, name)
            locks.push_async_callback(owner.execute, UNLOCK, name)
        yield


async def _refuse_without_topics(settings: Settings, topics: list[str]) -> None:
    deadline = time.monotonic() + 5  # those that were just made are listed a moment later
    while missing := await missing_topics(settings, topics):
        if time.monotonic() > deadline:
            raise RefillRefused(f"there is no topic {missing[0]}; make the topics with `cumulo topics`")
        await asyncio.sleep(0.1)


async def _refuse_unless_empty(settings: Settings, topics: list[str]) -> None:
    names = [settings.topic_prefix + topic for topic in topics]
    async with kafka.reader(settings, names) as reader:
        places = [TopicPartition(name, partition) for name in names for partition in reader.partitions_for_topic(name)]
        ends = await reader.end_offsets(places)
    if full := sorted({place.topic for place, end in ends.items() if end > 0}):
        raise RefillRefused(f"{full[0]} is not empty; delete and make the topics anew before a refill")
    if settings.kafka_embedded:
        return  # it is new and ours alone, and it closes the connection when asked for a group's offsets
    await refuse_if_read(settings, names)


async def refuse_if_read(settings: Settings, names: list[str]) -> None:
    """Raises `RefillRefused` when a group reads these topics (full names), or once did: what is put into an empty
    topic now would lie below its offsets, unseen.
    """
    admin = kafka.admin(settings)
    await admin.start()
    try:
        for group, *_ in await admin.list_consumer_groups():
            offsets = await admin.list_consumer_group_offsets(group)
            if read := sorted({place.topic for place in offsets} & set(names)):
                raise RefillRefused(
                    f"the group {group} has read {read[0]}; stop it and delete the group before a refill"
                    f" (kafka-consumer-groups --delete --group {group}), or choose another CUMULO_TOPIC_PREFIX"
                )
            described = (await admin.describe_consumer_groups([group]))[0]
            members = described.groups[0][5] if described.groups else []
            if members and any(name.encode() in bytes(member[3] or b"") for member in members for name in names):
                raise RefillRefused(
                    f"the group {group} is reading these topics; stop it before a refill"
                    " (Kafka counts one that has just stopped for ten seconds more)"
                )
    finally:
        await admin.close()


async def _first_needed(owner: Connection, definitions: Mapping[str, Definition], service: str) -> int:
    """The sequence before the first fact that has to be sent."""
    last = int(await owner.fetchval(f"SELECT coalesce(max(sequence), 0) FROM {service}.history"))
    needed = max(last - AT_LEAST_FACTS, 0)
    for listener, definition in definitions.items():
        for consumer in definition.consumers:
            types = [
                contract_of(model).type for model in consumer.handlers
                if contract_of(model).service == service and contract_of(model).kind == "fact"
            ]  # fmt: skip
            if not types or needed == 0:
                continue
            oldest = await owner.fetchval(
                f"""
                SELECT min(h.sequence) FROM {service}.history h
                WHERE h.type = ANY ($1) AND h.sequence <= $3
                  AND h.id >= coalesce((SELECT horizon FROM {listener}.consumer WHERE name = $2), h.id)
                  AND NOT EXISTS (SELECT FROM {listener}.inbox i WHERE i.consumer = $2 AND i.id = h.id)
                """,
                types, consumer.name, needed,
            )  # fmt: skip
            if oldest is not None:
                needed = min(needed, oldest - 1)
    return needed


async def _send_all(
    definition: Definition, settings: Settings, producer: AIOKafkaProducer, first: int, progress: Progress
) -> int:
    sent = 0
    async with (
        open_database(
            settings.postgres(definition.name), schema=definition.name, application="cumulo-refill", size=2
        ) as database,
        database.connection() as connection,
    ):
        now = await connection.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
        for topic, source in definition.states.items():
            after: str | None = None
            while rows := await source.page(connection, after, PAGE_ROWS):
                await send_all(producer, settings.topic_prefix + topic, [_state(row, now) for row in rows])
                after = rows[-1].key
                sent += len(rows)
                progress(definition.name, sent)
        while events := await facts_after(connection, first, PAGE_ROWS):
            by_topic: dict[str, list[tuple[bytes, bytes, Headers]]] = {}
            for event in events:
                # the topic is the type's; a type that left the catalogue is told by its subject
                topic = f"{definition.name}.{event['subject'].split('/')[0]}"
                by_topic.setdefault(topic, []).append(fact_record(event))
            for topic, records in by_topic.items():
                await send_all(producer, settings.topic_prefix + topic, records)
            first = int(events[-1]["sequence"])
            sent += len(events)
            progress(definition.name, sent)
    return sent


async def _send_tombstones(
    definitions: Mapping[str, Definition], name: str, settings: Settings, producer: AIOKafkaProducer, owner: Connection
) -> int:
    """Erases what a listener that was behind when Kafka was lost still has. Returns how many keys.

    No table keeps who was erased; what a listener has seen and not seen erased, or has set aside before it ever
    saw it, and the owner no longer has, was.
    """
    sent = 0
    async with (
        open_database(settings.postgres(name), schema=name, application="cumulo-refill", size=1) as database,
        database.connection() as connection,
    ):
        for topic, source in definitions[name].states.items():
            model = next(contract.model for contract in CONTRACTS.values() if contract.topic == topic)
            after = ""
            while rows := await owner.fetch(_seen_query(definitions), topic, after, PAGE_ROWS):
                present = {row.key for row in await source.locked(connection, [key for key, _ in rows])}
                now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
                gone = [
                    _tombstone(contract_of(model), key, after_version(last), now)
                    for key, last in rows
                    if key not in present
                ]
                await send_all(producer, settings.topic_prefix + topic, gone)
                sent += len(gone)
                after = rows[-1][0]
    return sent


def _seen_query(definitions: Mapping[str, Definition]) -> str:
    tables = " UNION ALL ".join(
        f"SELECT key, version FROM {name}.state_seen WHERE topic = $1 AND NOT erased AND key > $2 UNION ALL"
        # a key that is no text stands there under another: no tombstone could reach it
        f" SELECT key, 0 FROM {name}.parked_key WHERE topic = $1 AND key > $2 AND strpos(key, U&'\\FFFD') = 0"
        for name in definitions
    )
    return f"SELECT key, max(version) AS version FROM ({tables}) AS seen GROUP BY key ORDER BY key LIMIT $3"


def after_version(last: int) -> int:
    """The version of a tombstone behind a state: the next, as far as there is one. It erases whatever it is."""
    return min(last + 1, 2**63 - 1)


def _tombstone(contract: Contract, key: str, version: int, now: str) -> tuple[bytes, None, Headers]:
    headers = headers_of(
        id=str(uuid_utils.uuid7()), type=contract.type, source=f"/{contract.service}",
        subject=f"{contract.aggregate}/{key}", time=now, dataschema=contract.dataschema, version=str(version),
        effective=None, actor=f"service:{contract.service}", cause="refill", traceparent=None,
    )  # fmt: skip
    return key.encode(), None, headers


async def send_all(
    producer: AIOKafkaProducer, topic: str, records: Sequence[tuple[bytes, bytes | None, Headers]]
) -> None:
    futures = [await producer.send(topic, key=key, value=value, headers=headers) for key, value, headers in records]
    for future in futures:
        try:
            await future
        except KafkaError as error:
            raise RefillRefused(
                f"{topic}: a record was not taken ({error}); delete the topics and begin again"
            ) from error


def _state(row: Record, now: str) -> tuple[bytes, bytes, Headers]:
    return fact_record(state_event(row, now))


def fact_record(event: Mapping[str, Any]) -> tuple[bytes, bytes, Headers]:
    headers = headers_of(
        id=event["id"], type=event["type"], source=event["source"], subject=event["subject"], time=event["time"],
        dataschema=event["dataschema"], version=event["version"], effective=event.get("effective"),
        actor=event["actor"], cause=event["cause"], traceparent=event.get("traceparent"),
    )  # fmt: skip
    return event["partitionkey"].encode(), orjson.dumps(event["data"]), headers
