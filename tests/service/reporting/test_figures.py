"""Figures that move become facts: once each, in dense versions, not more than one a second, whoever publishes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from services.reporting.indicators import commands
from services.reporting.indicators.jobs import publish
from shared.postgres.pool import Database, Unit
from shared.runtime.service import Definition, running
from shared.runtime.settings import Settings
from tests.service.reporting.conftest import fill, take
from tests.service.reporting.world import World, events
from tests.stack.database import Cluster

ZONE = "America/Mexico_City"
NOON = datetime(2026, 3, 1, 18, tzinfo=UTC)


async def recorded(unit: Unit) -> list[tuple[str, int, int, int | None]]:
    """What waits in the outbox: (key, version, value, previous)."""
    rows = await unit.connection.fetch(
        "SELECT aggregateid, version, payload::text AS payload FROM outbox"
        " WHERE aggregatetype = 'reporting.indicator' ORDER BY position"
    )
    found = []
    for row in rows:
        data = orjson.loads(row["payload"])
        found.append((row["aggregateid"], row["version"], data["value"], data["previous"]))
    return found


async def publish_at(unit: Unit, instant: datetime) -> int:
    unit.now = instant
    return await commands.publish_figures(unit, ZONE)


async def test_a_first_import_moves_the_figures_of_its_cluster_and_of_the_network(unit: Unit) -> None:
    world = World()
    cluster = world.cluster("C")
    organization = world.organization()
    other = world.cluster("D")
    for home in (cluster, other):
        world.member(organization, home, date(2026, 1, 1))
    await fill(unit, world)
    assert await publish_at(unit, NOON) == 6
    assert sorted(await recorded(unit)) == sorted([
        ("members:network", 1, 2, None),
        ("organizations:network", 1, 1, None),
        *((f"{code}:cluster:{home}", 1, 1, None) for code in ("members", "organizations") for home in (cluster, other)),
    ])  # fmt: skip
    assert await publish_at(unit, NOON + timedelta(seconds=2)) == 0


async def test_many_batches_within_a_second_are_one_publication(unit: Unit) -> None:
    world = World()
    cluster = world.cluster("C")
    await fill(unit, world)
    for n in range(10):
        world.member(world.organization(), cluster, date(2026, 1, 1))
        await take(unit, events(world.items[-2:]))
        await publish_at(unit, NOON + timedelta(milliseconds=100 * n))
    await publish_at(unit, NOON + timedelta(seconds=1))
    values = [row[1:] for row in await recorded(unit) if row[0] == "members:network"]
    assert values == [(1, 1, None), (2, 10, 1)]
    assert await unit.connection.fetchval("SELECT count(*) FROM dirty") == 0


async def test_a_membership_that_begins_tomorrow_moves_the_figure_when_the_day_changes_in_the_zone(unit: Unit) -> None:
    world = World()
    world.member(world.organization(), world.cluster("C"), date(2026, 3, 2))
    await fill(unit, world)
    await publish_at(unit, NOON)
    assert await recorded(unit) == []
    # it is 2 March in UTC already, and still 1 March in Mexico
    await publish_at(unit, datetime(2026, 3, 2, 5, 59, tzinfo=UTC))
    assert await recorded(unit) == []
    await publish_at(unit, datetime(2026, 3, 2, 6, 0, tzinfo=UTC))
    assert ("members:network", 1, 1, None) in await recorded(unit)


async def test_a_figure_that_falls_back_to_nothing_is_published(unit: Unit) -> None:
    world = World()
    member = world.member(world.organization(), world.cluster("C"), date(2026, 1, 1))
    await fill(unit, world)
    await publish_at(unit, NOON)
    world.resign(member, date(2026, 2, 1))
    await take(unit, events(world.items[-1:]))
    await publish_at(unit, NOON + timedelta(seconds=5))
    assert ("members:network", 2, 0, 1) in await recorded(unit)


async def test_two_replicas_that_publish_at_once_record_each_move_once(
    database: Database, own: Cluster, service_settings: Callable[..., Settings]
) -> None:
    settings = service_settings("reporting", postgres_database=own.database)
    definition = Definition("reporting", loops={"figures": publish})
    world = World()
    cluster = world.cluster("C")
    async with running(definition, settings), running(definition, settings):
        for _ in range(30):
            world.member(world.organization(), cluster, date(2026, 1, 1))
            async with database.unit(actor="test", cause="test") as unit:
                await take(unit, events(world.items[-2:]))
            await asyncio.sleep(0)
        await until(
            database,
            "SELECT EXISTS (SELECT FROM figure WHERE scope = 'network' AND indicator = 'members' AND value = 30)",
        )
    async with database.unit(actor="test", cause="test") as unit:
        found = [row for row in await recorded(unit) if row[0] == "members:network"]
    assert [version for _, version, _, _ in found] == list(range(1, len(found) + 1))
    assert [row[3] for row in found] == [None, *(row[2] for row in found[:-1])]
    assert found[-1][2] == 30


async def until(database: Database, condition: str, *arguments: Any, seconds: float = 20) -> None:
    """Waits until a SELECT answers true."""
    async with asyncio.timeout(seconds), database.connection() as connection:
        while not await connection.fetchval(condition, *arguments):
            await asyncio.sleep(0.02)
