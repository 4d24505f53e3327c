"""A rebuild gives what the live model has, changes nothing until it is done, and never loses or doubles a fact."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date

import pytest

from services.reporting.consumers import CONSUMERS
from services.reporting.generations import commands
from services.reporting.generations.commands import RebuildUnderWay, Rebuilt, rebuild
from services.reporting.generations.store import FACT_TABLES, PERIOD_TABLES, digest
from services.reporting.register import store
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received
from shared.postgres.pool import Database, Unit
from tests.service.reporting.test_register import small_world
from tests.service.reporting.world import MemoryFeed, World

Digest = dict[str, tuple[int, str]]


async def receive(database: Database, items: Sequence[Received]) -> None:
    """As the consumer loop does: inbox, handlers, one transaction."""

    def unit(_: Sequence[Received]) -> AbstractAsyncContextManager[Unit]:
        return database.unit(actor="test", cause="test")

    await Applier(CONSUMERS[0]).settle(unit, items)


async def live(database: Database) -> tuple[int, Digest]:
    """The generation in use and its digest."""
    async with database.connection() as connection:
        current = (await store.generations(connection)).current
        return current, await digest(connection, current)


async def rows_outside(database: Database, generation: int) -> int:
    """Rows of other generations in all tables."""
    async with database.connection() as connection:
        counts = [
            await connection.fetchval(f"SELECT count(*) FROM {table.name} WHERE generation <> $1", generation)
            for table in (*FACT_TABLES, *PERIOD_TABLES)
        ]
        return sum(counts)


@pytest.mark.parametrize("seed", range(3))
async def test_a_rebuilt_model_is_the_live_one_and_the_old_rows_are_gone(database: Database, seed: int) -> None:
    world = small_world(seed, memberships=10)
    await receive(database, [*world.items, *world.states])
    before = await live(database)
    done = await rebuild(database, world.feed())
    after = await live(database)
    assert after[1] == before[1]
    assert after[0] == done.generation != before[0]
    assert await rows_outside(database, after[0]) == 0
    assert (done.read, done.carried, done.strays, done.refused) == (len(world.items), 0, 0, 0)


async def test_a_rebuild_mends_what_was_lost_damaged_or_invented(database: Database) -> None:
    world = small_world(5)
    await receive(database, [*world.items, *world.states])
    good = (await live(database))[1]
    async with database.connection() as connection:
        await connection.execute("UPDATE membership_period SET category = 'honorary'")
        await connection.execute("DELETE FROM organization_fact WHERE version = 1")
        await connection.execute("DELETE FROM position_period")
        await connection.execute(
            "INSERT INTO cluster_fact (generation, cluster_id, version, id, type, recorded)"
            " SELECT current, uuidv7(), 1, uuidv7(), 'ClusterFounded', now() FROM generation"
        )
        await connection.execute("UPDATE label SET name = 'wrong'")
    done = await rebuild(database, world.feed())
    assert (await live(database))[1] == good
    assert done.strays == 1
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM label WHERE name = 'wrong'") == 0


class Interleaved(MemoryFeed):
    """A feed between whose pages the live consumer receives more."""

    def __init__(self, world: World, database: Database, rest: list[Received]) -> None:
        super().__init__(world)
        self.database = database
        self.rest = rest

    async def facts(
        self, after: int = 0, *, until: int | None = None, limit: int = 2000
    ) -> AsyncIterator[list[tuple[int, Received]]]:
        async for page in super().facts(after, until=until, limit=7):
            yield page
            await receive(self.database, self.rest[:5])
            del self.rest[:5]


@pytest.mark.parametrize("seed", range(3))
async def test_what_arrives_during_a_rebuild_is_in_it_once(database: Database, seed: int) -> None:
    world = small_world(seed, memberships=10)
    half = len(world.items) // 2
    rest = list(world.items[half:])
    await receive(database, world.items[:half])
    await rebuild(database, Interleaved(world, database, rest))
    await receive(database, rest)
    # what the bus sends again after the swap is known
    await receive(database, world.items)
    rebuilt = (await live(database))[1]
    await rebuild(database, world.feed())
    assert (await live(database))[1] == rebuilt


async def test_a_fact_that_is_applied_and_not_yet_in_the_history_is_carried_over(database: Database) -> None:
    world = small_world(2)
    await receive(database, world.items)
    before = (await live(database))[1]
    feed = MemoryFeed(world, hidden={world.items[-1].id, world.items[-4].id})
    done = await rebuild(database, feed, settle_seconds=0)
    assert (done.carried, done.strays) == (2, 0)
    assert (await live(database))[1] == before


async def test_a_fact_whose_relay_commits_in_time_comes_from_the_feed(database: Database) -> None:
    world = small_world(2)
    await receive(database, world.items)
    before = (await live(database))[1]
    feed = MemoryFeed(world, hidden={world.items[-1].id})
    begun = asyncio.create_task(rebuild(database, feed, settle_seconds=30))
    async with asyncio.timeout(20):
        while feed.reads < 3:
            await asyncio.sleep(0.01)
        assert (await live(database)) == (1, before)
        feed.hidden.clear()
        done = await begun
    assert (done.carried, done.read) == (0, len(world.items))
    assert (await live(database))[1] == before


class Broken(MemoryFeed):
    """A feed that ends in an error after its first page."""

    async def facts(
        self, after: int = 0, *, until: int | None = None, limit: int = 2000
    ) -> AsyncIterator[list[tuple[int, Received]]]:
        async for page in super().facts(after, until=until, limit=5):
            yield page
            raise ConnectionResetError("the feed went away")


async def test_an_interrupted_rebuild_leaves_the_model_in_use_as_it_was(database: Database) -> None:
    world = small_world(3)
    await receive(database, world.items)
    before = await live(database)
    with pytest.raises(ConnectionResetError):
        await rebuild(database, Broken(world))
    assert await live(database) == before
    assert await rows_outside(database, before[0]) == 0
    async with database.connection() as connection:
        assert (await store.generations(connection)).building is None


async def test_what_a_killed_rebuild_left_is_cleaned_by_the_next_one_or_by_the_service(database: Database) -> None:
    world = small_world(3)
    await receive(database, world.items[:10])
    before = await live(database)
    async with database.unit(actor="test", cause="test") as unit:
        # as a rebuild that was killed after its first page leaves it
        await unit.connection.execute("UPDATE generation SET last = last + 1, building = last + 1")
    await receive(database, world.items[10:])
    assert await rows_outside(database, before[0]) > 0
    assert await commands.tidy_up(database)
    assert await rows_outside(database, before[0]) == 0
    assert not await commands.tidy_up(database)
    async with database.unit(actor="test", cause="test") as unit:
        await unit.connection.execute("UPDATE generation SET last = last + 1, building = last + 1")
    kept = (await live(database))[1]
    await rebuild(database, world.feed())
    assert (await live(database))[1] == kept


async def test_the_second_of_two_rebuilds_at_once_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "PATIENCE_SECONDS", 0.1)
    world = small_world(1)
    await receive(database, world.items)
    before = (await live(database))[1]
    feed = MemoryFeed(world, hidden={world.items[-1].id})
    first: asyncio.Task[Rebuilt] = asyncio.create_task(rebuild(database, feed, settle_seconds=30))
    async with asyncio.timeout(20):
        while feed.reads < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(RebuildUnderWay):
            await rebuild(database, world.feed())
        feed.hidden.clear()
        await first
    assert (await live(database))[1] == before


async def test_a_parked_fact_is_left_to_its_retry(database: Database) -> None:
    world = World()
    member = world.member(world.organization(), world.cluster("C"), date(2026, 1, 1))
    world.resign(member, date(2026, 2, 1))
    poison = world.items[-2]._replace(effective=None)
    world.items[-2] = poison
    await receive(database, world.items)
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM parked") == 2
    before = (await live(database))[1]
    done = await rebuild(database, world.feed())
    assert (done.parked, (await live(database))[1]) == (2, before)
