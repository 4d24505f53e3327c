"""Reconcile: the last record per key of each state topic against the owner's table.

Where they differ the row is published again, and what the table no longer has is erased. It closes what
a relay that woke up late could still have done to a compacted topic.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka import TopicPartition
from pydantic import JsonValue

from shared.contracts.base import CONTRACTS, State
from shared.messaging import kafka
from shared.messaging.cloudevents import received
from shared.messaging.outbox import Erased, Record, record
from shared.messaging.refill import after_version
from shared.runtime.jobs import Job, Turn

if TYPE_CHECKING:
    from shared.runtime.service import Service

CHUNK = 500
WAITING = "SELECT DISTINCT aggregateid FROM outbox WHERE aggregatetype = $1"
LOCK = "SELECT pg_try_advisory_lock(hashtextextended(current_schema() || '.reconcile', 0))"

UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(current_schema() || '.reconcile', 0))"


@dataclass(slots=True)
class Reconciled:
    """What one pass over a topic found: keys compared, rows published again, keys erased."""

    compared: int = 0
    published: int = 0
    erased: int = 0


@dataclass(frozen=True, slots=True)
class _Last:
    version: int
    data: Any  # the parsed JSON, None for a tombstone


async def reconcile(service: "Service") -> dict[str, Reconciled]:
    """One pass over all state topics of a service; at most one replica at a time, others return nothing."""
    done: dict[str, Reconciled] = {}
    async with service.database.connection() as guard:
        if not await guard.fetchval(LOCK):
            return done
        try:
            for topic in service.definition.states:
                done[topic] = await _reconcile_topic(service, topic)
        finally:
            await guard.execute(UNLOCK)
    return done


async def reconcile_and_tell(service: "Service") -> dict[str, Reconciled]:
    """One pass whose differences are logged."""
    done = await reconcile(service)
    for topic, result in done.items():
        if result.published or result.erased:
            service.log.warning("reconcile.differed", topic=topic, published=result.published, erased=result.erased)
    return done


async def _pass(turn: Turn) -> JsonValue:
    for result in (await reconcile_and_tell(turn.service)).values():
        turn.count("states compared", result.compared)
        turn.count("states published again", result.published)
        turn.count("states erased", result.erased)
    return None


HOURLY = Job("reconcile", every=timedelta(hours=1), apart=_pass)
"""The job of a service with states. A pass from the beginning costs what a pass costs: it has no place to go on."""


async def _reconcile_topic(service: "Service", topic: str) -> Reconciled:
    source = service.definition.states[topic]
    last = await _last_records(service, topic)
    if service.stopping.is_set():  # read in part only: what is missing would seem to differ
        return Reconciled()
    result = Reconciled(compared=len(last))
    async with service.database.connection() as connection:
        waiting = {row[0] for row in await connection.fetch(WAITING, topic)}
    unseen = set(last)
    after: str | None = None
    while True:
        async with service.database.connection() as connection:
            rows = await source.page(connection, after, CHUNK)
        if not rows:
            break
        after = rows[-1].key
        unseen.difference_update(row.key for row in rows)
        differing = [row.key for row in rows if row.key not in waiting and not _same(last.get(row.key), row)]
        if differing:
            result.published += await _publish_again(service, topic, differing)
    gone = [key for key in sorted(unseen) if key not in waiting and last[key].data is not None]
    for start in range(0, len(gone), CHUNK):
        result.erased += await _erase(service, topic, {key: last[key].version for key in gone[start : start + CHUNK]})
    return result


def _same(last: _Last | None, row: Record) -> bool:
    return last is not None and last.version == row.version and last.data == row.data.model_dump(mode="json")


async def _publish_again(service: "Service", topic: str, keys: list[str]) -> int:
    async with service.unit(actor=f"service:{service.name}", cause="reconcile") as unit:
        rows = await service.definition.states[topic].locked(unit.connection, sorted(keys))
        await record(unit, rows)
        return len(rows)


async def _erase(service: "Service", topic: str, versions: dict[str, int]) -> int:
    model = next(c.model for c in CONTRACTS.values() if c.topic == topic)
    assert issubclass(model, State)
    async with service.unit(actor=f"service:{service.name}", cause="reconcile") as unit:
        present = {row.key for row in await service.definition.states[topic].locked(unit.connection, sorted(versions))}
        erased = [Erased(key, after_version(version), model) for key, version in versions.items() if key not in present]
        await record(unit, erased)
        return len(erased)


async def _last_records(service: "Service", topic: str) -> dict[str, _Last]:
    settings = service.settings
    name = settings.topic_prefix + topic
    last: dict[str, _Last] = {}
    async with kafka.reader(settings, [name]) as reader:
        places = [TopicPartition(name, p) for p in reader.partitions_for_topic(name)]
        ends = await reader.end_offsets(places)
        quiet_since = time.monotonic()
        while not service.stopping.is_set():
            batches = await reader.getmany(timeout_ms=200, max_records=5000)
            for records in batches.values():
                for item in records:
                    read = received(
                        topic=topic, partition=item.partition, offset=item.offset, timestamp=item.timestamp,
                        key=item.key, value=item.value, headers=item.headers,
                    )  # fmt: skip
                    if read.problem is None:
                        last[read.key] = _Last(read.version, _json(read.data))
                    else:  # compaction keeps it all the same: a row of ours is published again behind it
                        last.pop(read.key, None)
            if batches:
                quiet_since = time.monotonic()
            elif settings.kafka_embedded:
                if time.monotonic() - quiet_since > 1:  # its end offsets are wrong
                    break
            elif all([await reader.position(place) >= ends[place] for place in places]):
                break
    return last


def _json(data: bytes | None) -> Any:
    if data is None:
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return object()  # equal to nothing: published again
