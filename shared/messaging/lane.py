"""The way of each fact as far as one service knows it: waiting, published, received, set aside.

Read from the service's own tables, never from Kafka, so that any replica tells it and nothing is slowed down by
being watched. Holds ids, types and times: no record, nothing personal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.messaging.events import Consumer
from shared.postgres.pool import Connection

NEWEST = """
SELECT sequence, id, type, aggregatetype AS topic, aggregateid AS key, time, published_at, cause
FROM history WHERE sequence > $1 ORDER BY sequence DESC LIMIT $2
"""
WAITING = """
SELECT NULL::bigint AS sequence, id, type, aggregatetype AS topic, aggregateid AS key, time,
       NULL::timestamptz AS published_at, cause
FROM outbox WHERE right(aggregatetype, 6) <> '.state' ORDER BY position LIMIT $1
"""
RECEIVED = """
SELECT i.id, i.consumer, i.at, i.partition, i."offset", p.number AS parked,
       EXISTS (SELECT FROM parked_log l WHERE l.consumer = i.consumer AND l.id = i.id AND l.what = 'dropped') AS dropped
FROM inbox i LEFT JOIN parked p ON p.consumer = i.consumer AND p.id = i.id
WHERE i.consumer = ANY ($1::text[]) AND i.id = ANY ($2::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Passing:
    """One fact on its way. `sequence` and `published_at` are None while it waits in the outbox."""

    sequence: int | None
    id: UUID
    type: str
    topic: str
    key: str
    time: datetime
    published_at: datetime | None
    cause: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one consumer did with a fact, and where on the topic it found it.

    `parked` is the number under which it is set aside, `dropped` says that somebody gave it up. The place is None for
    what was received before places were kept.
    """

    id: UUID
    consumer: str
    at: datetime | None
    partition: int | None
    offset: int | None
    parked: int | None
    dropped: bool


async def passing(connection: Connection, after: int, limit: int) -> list[Passing]:
    """The newest facts behind a sequence and the oldest that still wait, at most `limit` of each, newest first."""
    published = await connection.fetch(NEWEST, after, limit)
    waiting = await connection.fetch(WAITING, limit)
    return [*(Passing(*row) for row in reversed(waiting)), *(Passing(*row) for row in published)]


async def receipts(connection: Connection, consumers: Sequence[Consumer], ids: Sequence[UUID]) -> list[Receipt]:
    """What these consumers did with these facts; nothing for one that has not come yet."""
    rows = await connection.fetch(RECEIVED, [one.name for one in consumers], list(ids))
    return [Receipt(*row) for row in rows]
