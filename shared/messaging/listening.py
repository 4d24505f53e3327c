"""Who listens to what: the types that a consumer has taken on, and since when.

Kept beside the inbox, because offsets alone do not tell which of the records behind them were of a type that this
version, or the one before a roll back, passed over.
"""

from collections.abc import Collection
from datetime import datetime

from shared.messaging import kafka
from shared.messaging.events import Consumer
from shared.postgres.pool import Connection
from shared.runtime.settings import Settings

FIRST = "INSERT INTO consumer (name, types, since) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING"
LEAVE_OFF = """
UPDATE consumer SET types = ARRAY(SELECT unnest(types) INTERSECT SELECT unnest($2::text[])),
    left_off = ARRAY(SELECT unnest(left_off) UNION (SELECT unnest(types) EXCEPT SELECT unnest($2::text[])))
WHERE name = $1 AND NOT types <@ $2::text[]
"""
BACK = """
UPDATE consumer SET since = $2 WHERE name = $1 AND since < $2 AND NOT EXISTS (
    SELECT FROM inbox WHERE consumer = $1 AND id >= uuid_at($2 - interval '1 month')
        AND (at IS NULL OR id < uuid_at(at + interval '1 day'))
)
"""
"""One that was away for long is as young as a new one: what it reads first does not tell what it has yet to read."""
TAKEN_ON = "SELECT types, left_off FROM consumer WHERE name = $1"
BEGIN = """
INSERT INTO consumer (name, types) VALUES ($1, '{}') ON CONFLICT (name) DO UPDATE SET since = now()
"""
"""From now on nothing that it receives is forgotten for a while, however old it is."""
TAKE_ON = """
UPDATE consumer SET types = $2, left_off = ARRAY(SELECT unnest(left_off) EXCEPT SELECT unnest($2::text[]))
WHERE name = $1
"""


class StillListening(Exception):
    """Replicas of a consumer run that know nothing of its new types: what comes meanwhile would pass them by."""


async def missing_types(connection: Connection, consumer: Consumer, now: datetime) -> list[str]:
    """Registers a consumer that starts. Returns the types whose records lie behind its offsets, unseen."""
    types = list(consumer.types)
    await connection.execute(FIRST, consumer.name, types, now)
    await connection.execute(LEAVE_OFF, consumer.name, types)
    await connection.execute(BACK, consumer.name, now)
    known = await connection.fetchrow(TAKEN_ON, consumer.name)
    assert known is not None
    return sorted(set(types) - set(known["types"]))


async def new_and_left_off(connection: Connection, consumer: Consumer) -> tuple[set[str], set[str]]:
    """The types that it has yet to take on, and those among them that it handled once."""
    row = await connection.fetchrow(TAKEN_ON, consumer.name)
    known: Collection[str] = row["types"] if row is not None else ()
    new = set(consumer.types) - set(known)
    return new, new & set(row["left_off"] if row is not None else ())


async def refuse_while_somebody_listens(settings: Settings, consumer: Consumer) -> None:
    """Raises `StillListening` while the group has members: one that waits for its types has not joined it."""
    if settings.kafka_embedded:
        return  # a single process, in which nothing older runs beside it
    group = settings.topic_prefix + consumer.name
    admin = kafka.admin(settings)
    await admin.start()
    try:
        described = (await admin.describe_consumer_groups([group]))[0]
    finally:
        await admin.close()
    if described.groups and described.groups[0][5]:
        raise StillListening(
            f"replicas without the new types read as {group}, and would pass over what comes meanwhile;"
            " stop them first (Kafka counts one that has just stopped for ten seconds more)"
        )
