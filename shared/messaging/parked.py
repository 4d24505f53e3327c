"""The parked: events that were set aside, where a person sees them, mends them, tries them again or drops them.

A key's events are retried in order, under the row that is their lock and that the consumer loop takes
too; what still fails keeps its place with the new reason, and nothing overtakes it. Who did what is kept.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from shared.messaging.apply import ABOUT_THE_EVENT, Applier, reason_of
from shared.messaging.cloudevents import Received, received
from shared.messaging.events import Consumer, EventRefused
from shared.postgres.pool import Connection, Database, Unit
from shared.refusal import Conflict, NotFound, Refusal

LIST = """
SELECT number, consumer, topic, key, id, type, partition, "offset", parked_at, reason, attempts
FROM parked WHERE ($1::text IS NULL OR consumer = $1) AND number > $2 ORDER BY number LIMIT $3
"""
ONE = "SELECT * FROM parked WHERE number = $1"
KEYS = """
SELECT consumer, topic, key FROM parked_key WHERE ($1::text IS NULL OR consumer = $1) ORDER BY since, topic, key
"""
LOCK = "SELECT FROM parked_key WHERE consumer = $1 AND topic = $2 AND key = $3 FOR UPDATE"
LIFT = """
DELETE FROM parked_key k WHERE consumer = $1 AND topic = $2 AND key = $3
    AND NOT EXISTS (SELECT FROM parked p WHERE p.consumer = k.consumer AND p.topic = k.topic AND p.key = k.key)
"""
COUNT = "SELECT count(*) FROM parked WHERE $1::text IS NULL OR consumer = $1"
MEND = "UPDATE parked SET value = $2 WHERE number = $1"
LOG = """
INSERT INTO parked_log (number, consumer, topic, id, type, what, actor, at, reason)
SELECT number, consumer, topic, id, type, $2, $3, $4, $5 FROM parked WHERE number = ANY ($1::bigint[])
"""
SETTLED = """
SELECT number, consumer, topic, id, type, what, actor, at, reason FROM parked_log ORDER BY at DESC, number DESC LIMIT $1
"""
WAITING = "SELECT * FROM parked WHERE consumer = $1 AND topic = $2 AND key = $3 ORDER BY number LIMIT $4"
IN_ONE_TRANSACTION = 500


class NoSuchParkedEvent(NotFound):
    """Nothing is parked under this number."""


@dataclass(frozen=True, slots=True)
class Parked:
    """One parked event. `reason` is None for one that only waits behind another of its key."""

    number: int
    consumer: str
    topic: str
    key: str
    id: UUID
    type: str
    partition: int
    offset: int
    parked_at: datetime
    reason: str | None
    attempts: int


class ConsumerGone(Conflict):
    """The consumer that set it aside is no part of the service any more."""


class NotMended(Refusal):
    """The record would still not be readable as its contract."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What somebody did about a parked event: retried, dropped or mended it, and why where they had to say."""

    number: int
    consumer: str
    topic: str
    id: UUID
    type: str
    what: str
    actor: str
    at: datetime
    reason: str | None


@dataclass(slots=True)
class Retried:
    """What a retry or a drop came to: events applied, outdated or dropped, and those that still wait."""

    applied: int = 0
    outdated: int = 0
    dropped: int = 0
    waiting: int = 0
    reason: str | None = None


def applier_of(consumers: Sequence[Consumer], name: str) -> Applier:
    """What applies this consumer's events. Raises `ConsumerGone`."""
    for consumer in consumers:
        if consumer.name == name:
            return Applier(consumer)
    raise ConsumerGone("there is no consumer {consumer} any more", consumer=name)


async def parked_events(
    connection: Connection, *, consumer: str | None = None, after: int = 0, limit: int = 100
) -> list[Parked]:
    """Parked events by number."""
    return [Parked(*row.values()) for row in await connection.fetch(LIST, consumer, after, limit)]


async def parked_record(connection: Connection, number: int) -> tuple[Parked, Received]:
    """One parked event with its record as it came. Raises `NoSuchParkedEvent`."""
    row = await connection.fetchrow(ONE, number)
    if row is None:
        raise NoSuchParkedEvent("nothing is parked under number {number}", field="number", number=number)
    return _parked(row), _received(row)


async def parked_count(connection: Connection, consumer: str | None = None) -> int:
    """How many are parked."""
    return int(await connection.fetchval(COUNT, consumer))


async def settled(connection: Connection, limit: int = 20) -> list[Settled]:
    """What was last done about parked events, newest first."""
    return [Settled(*row) for row in await connection.fetch(SETTLED, limit)]


async def parked_keys(connection: Connection, consumer: str | None = None) -> list[tuple[str, str, str]]:
    """(consumer, topic, key) of all that is held, oldest first."""
    return [(row["consumer"], row["topic"], row["key"]) for row in await connection.fetch(KEYS, consumer)]


async def retry_key(database: Database, applier: Applier, topic: str, key: str, *, actor: str) -> Retried:
    """Applies a key's events in order until one fails again. An empty key's hold is lifted."""
    done = Retried()
    while await _retry_some(database, applier, topic, key, actor, done):
        pass
    return done


async def mend_event(
    database: Database, applier: Applier, number: int, value: bytes, *, actor: str, reason: str
) -> Retried:
    """Replaces what a parked event says, then applies its key. The record on Kafka stays as it was sent.

    Raises `NoSuchParkedEvent`; `NotMended` when the value is not readable as the event's contract.
    """
    async with database.unit(actor=actor, cause=f"parked:{number}") as unit:
        row = await _taken(unit, applier, number)
        try:
            applier.check(_received({**row, "value": value}))
        except EventRefused as refused:
            raise NotMended("it could still not be read: {reason}", field="value", reason=str(refused)) from refused
        await unit.connection.execute(MEND, number, value)
        await unit.connection.execute(LOG, [number], "mended", actor, unit.now, reason)
    return await retry_key(database, applier, row["topic"], row["key"], actor=actor)


async def _taken(unit: Unit, applier: Applier, number: int) -> asyncpg.Record:
    """The row, once nobody else works on its key."""
    found = await unit.connection.fetchrow(ONE, number)
    if found is not None and found["consumer"] == applier.consumer.name:
        await unit.connection.execute(LOCK, found["consumer"], found["topic"], found["key"])
        found = await unit.connection.fetchrow(ONE, number)  # another may have settled it meanwhile
        if found is not None:
            return found
    raise NoSuchParkedEvent("nothing is parked under number {number}", field="number", number=number)


async def drop_event(
    database: Database, applier: Applier, number: int, *, actor: str, reason: str | None = None
) -> Retried:
    """Gives one event up for good, then applies what waited behind it. Raises `NoSuchParkedEvent`."""
    async with database.unit(actor=actor, cause=f"parked:{number}") as unit:
        row = await _taken(unit, applier, number)
        await unit.connection.execute(LOG, [number], "dropped", actor, unit.now, reason)
        await unit.connection.execute("DELETE FROM parked WHERE number = $1", number)
        # at once: killed before the retry, the key would be held with nothing in it
        await unit.connection.execute(LIFT, row["consumer"], row["topic"], row["key"])
    done = await retry_key(database, applier, row["topic"], row["key"], actor=actor)
    done.dropped = 1
    return done


async def _retry_some(database: Database, applier: Applier, topic: str, key: str, actor: str, done: Retried) -> bool:
    """One transaction's worth. Returns whether more may follow."""
    name = applier.consumer.name
    async with database.unit(actor=actor, cause=f"parked:{topic}/{key}") as unit:
        connection = unit.connection
        if await connection.fetchrow(LOCK, name, topic, key) is None:
            return False
        rows = await connection.fetch(WAITING, name, topic, key, IN_ONE_TRANSACTION)
        applied: list[int] = []
        for row in rows:
            item = _received(row)
            unit.cause, unit.traceparent = str(item.id), item.traceparent
            try:
                async with connection.transaction():
                    if await applier.replay(unit, item):
                        done.applied += 1
                    else:
                        done.outdated += 1
            except ABOUT_THE_EVENT as error:
                done.reason = reason_of(error)
                await connection.execute(
                    "UPDATE parked SET attempts = attempts + 1, reason = $2 WHERE number = $1",
                    row["number"],
                    done.reason,
                )
                break
            applied.append(row["number"])
        await connection.execute(LOG, applied, "retried", actor, unit.now, None)
        await connection.execute("DELETE FROM parked WHERE number = ANY ($1::bigint[])", applied)
        done.waiting = await connection.fetchval(
            "SELECT count(*) FROM parked WHERE consumer = $1 AND topic = $2 AND key = $3", name, topic, key
        )
        await connection.execute(LIFT, name, topic, key)
        return done.waiting > 0 and done.reason is None


def headers_from_json(text: str) -> list[tuple[str, bytes | None]]:
    """The headers that `apply.headers_to_json` wrote."""
    return [(name, None if raw is None else b64decode(raw)) for name, raw in orjson.loads(text)]


def record_as_json(item: Received) -> dict[str, Any]:
    """A record for people: headers as text, the value as JSON where it is JSON."""
    try:
        value: Any = orjson.loads(item.value) if item.value is not None else None
    except orjson.JSONDecodeError:
        value = (item.value or b"").decode("utf-8", "replace")
    return {
        "topic": item.topic, "partition": item.partition, "offset": item.offset, "key": item.key,
        "headers": {name: None if raw is None else raw.decode("utf-8", "replace") for name, raw in item.headers},
        "value": value,
    }  # fmt: skip


def _parked(row: asyncpg.Record) -> Parked:
    return Parked(
        row["number"], row["consumer"], row["topic"], row["key"], row["id"], row["type"], row["partition"],
        row["offset"], row["parked_at"], row["reason"], row["attempts"],
    )  # fmt: skip


def _received(row: Mapping[str, Any] | asyncpg.Record) -> Received:
    headers: Sequence[tuple[str, bytes | None]] = headers_from_json(row["headers"])
    item = received(
        topic=row["topic"], partition=row["partition"], offset=row["offset"], timestamp=0,
        key=row["key"].encode(), value=row["value"], headers=headers,
    )  # fmt: skip
    return item._replace(id=row["id"])
