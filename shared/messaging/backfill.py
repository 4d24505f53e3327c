"""Backfill: a consumer that took on new types gets what was published of them before.

Its offsets already lie behind those records, so that they come from the owners' feeds, through the same
inbox and handlers. The consumer itself waits, not ready, until this has run.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from shared.contracts.base import contract_of
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received, received
from shared.messaging.events import Consumer
from shared.messaging.feed import FeedClient
from shared.messaging.listening import BEGIN, TAKE_ON, new_and_left_off
from shared.postgres.pool import Database, Unit

CHUNK = 2000
LEFT = "SELECT key FROM state_seen WHERE consumer = $1 AND topic = $2 AND NOT erased ORDER BY key"


class NothingToBackfill(Exception):
    """The consumer knows all of its types already."""


async def backfill(
    database: Database,
    consumer: Consumer,
    feed_of: Callable[[str], FeedClient],
    *,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, int]:
    """Applies what the feeds hold of the consumer's new types, then registers them. Returns counts by outcome.

    Raises `NothingToBackfill`, `FeedRefused`, and what a handler raises; run again it continues, since what
    was applied is in the inbox.
    """
    async with database.connection() as connection:
        types, once_known = await new_and_left_off(connection, consumer)
    new = [model for model in consumer.handlers if contract_of(model).type in types]
    if not new:
        raise NothingToBackfill(f"{consumer.name} knows all of its types already")
    async with database.unit(actor="cli", cause="backfill") as unit:
        await unit.connection.execute(BEGIN, consumer.name)
    # of types that it handled once, ids below the horizon had their effect
    handlers = {model: consumer.handlers[model] for model in new}
    applier = Applier(Consumer(consumer.name, handlers), from_the_start=types - once_known)
    total: Counter[str] = Counter(applied=0, duplicates=0, outdated=0, parked=0)
    for service in sorted({contract_of(model).service for model in new}):
        contracts = [contract_of(model) for model in new if contract_of(model).service == service]
        states = sorted({contract.aggregate for contract in contracts if contract.kind == "state"})
        async with feed_of(service) as feed:
            for aggregate in states:
                present: set[str] = set()
                async for rows in feed.states(aggregate, limit=CHUNK):
                    await _apply(database, applier, rows, total)
                    present.update(row.key for row in rows)
                    progress(len(rows))
                await _erase(database, applier, f"{service}.{aggregate}.state", present, total)
            if any(contract.kind == "fact" for contract in contracts):
                async for page in feed.facts(until=await feed.barrier(), limit=CHUNK):
                    await _apply(database, applier, [item for _, item in page], total)
                    progress(len(page))
    async with database.unit(actor="cli", cause="backfill") as unit:
        await unit.connection.execute(TAKE_ON, consumer.name, list(consumer.types))
    return dict(total)


async def _erase(database: Database, applier: Applier, topic: str, present: set[str], total: Counter[str]) -> None:
    """Erases what it has of a state that it listened to once and that its owner has no more: it missed the erasure."""
    async with database.connection() as connection:
        rows = await connection.fetch(LEFT, applier.consumer.name, topic)
    gone = [row["key"] for row in rows if row["key"] not in present]
    now = int(time.time() * 1000)
    tombstones = [
        received(topic=topic, partition=-1, offset=n, timestamp=now, key=key.encode(), value=None, headers=[])
        for n, key in enumerate(gone)
    ]
    for start in range(0, len(tombstones), CHUNK):
        await _apply(database, applier, tombstones[start : start + CHUNK], total)


async def _apply(database: Database, applier: Applier, items: Sequence[Received], total: Counter[str]) -> None:
    def unit(_: Sequence[Received]) -> AbstractAsyncContextManager[Unit]:
        return database.unit(actor="cli", cause="backfill")

    for done in await applier.settle(unit, items):
        total.update(
            applied=len(done.applied), duplicates=done.duplicates, outdated=done.outdated, parked=len(done.parked)
        )
