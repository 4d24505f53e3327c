"""Backfill: a consumer that took on new types gets what was published of them before.

Its offsets already lie behind those records, so that they come from the owners' feeds, through the same
inbox and handlers. The consumer itself waits, not ready, until this has run.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from shared.contracts.base import contract_of
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received
from shared.messaging.events import Consumer
from shared.messaging.feed import FeedClient
from shared.postgres.pool import Database, Unit

CHUNK = 2000
BEGIN = """
INSERT INTO consumer (name, types) VALUES ($1, '{}') ON CONFLICT (name) DO UPDATE SET since = now()
"""
"""From now on nothing that it receives is forgotten for a while, however old it is."""
REGISTER = """
INSERT INTO consumer (name, types) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET types = excluded.types
"""


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
        known = await connection.fetchval("SELECT types FROM consumer WHERE name = $1", consumer.name)
    new = [model for model in consumer.handlers if contract_of(model).type not in (known or ())]
    if not new:
        raise NothingToBackfill(f"{consumer.name} knows all of its types already")
    async with database.unit(actor="cli", cause="backfill") as unit:
        await unit.connection.execute(BEGIN, consumer.name)
    applier = Applier(Consumer(consumer.name, {model: consumer.handlers[model] for model in new}), from_the_start=True)
    total: Counter[str] = Counter(applied=0, duplicates=0, outdated=0, parked=0)
    for service in sorted({contract_of(model).service for model in new}):
        contracts = [contract_of(model) for model in new if contract_of(model).service == service]
        states = sorted({contract.aggregate for contract in contracts if contract.kind == "state"})
        async with feed_of(service) as feed:
            for aggregate in states:
                async for rows in feed.states(aggregate, limit=CHUNK):
                    await _apply(database, applier, rows, total)
                    progress(len(rows))
            if any(contract.kind == "fact" for contract in contracts):
                async for page in feed.facts(until=await feed.barrier(), limit=CHUNK):
                    await _apply(database, applier, [item for _, item in page], total)
                    progress(len(page))
    async with database.unit(actor="cli", cause="backfill") as unit:
        await unit.connection.execute(REGISTER, consumer.name, list(consumer.types))
    return dict(total)


async def _apply(database: Database, applier: Applier, items: Sequence[Received], total: Counter[str]) -> None:
    def unit(_: Sequence[Received]) -> AbstractAsyncContextManager[Unit]:
        return database.unit(actor="cli", cause="backfill")

    for done in await applier.settle(unit, items):
        total.update(
            applied=len(done.applied), duplicates=done.duplicates, outdated=done.outdated, parked=len(done.parked)
        )
