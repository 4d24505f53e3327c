"""Handlers over Postgres: every split and order of the facts leaves the same rows, a fact twice is one."""

import random
from datetime import date, timedelta

import pytest

from services.reporting.generations.store import digest
from services.reporting.register import store
from shared.messaging.events import EventRefused
from shared.postgres.pool import Unit
from tests.service.reporting.conftest import fill, take
from tests.service.reporting.world import START, World, events


def small_world(seed: int, memberships: int = 8) -> World:
    """A random history with backdated, future and repeated facts."""
    chance, world = random.Random(seed), World()

    def day() -> date:
        return date(2026, 1, 1) + timedelta(days=chance.randrange(-20, 20))

    clusters = [world.cluster(f"C {n}", joined=day()) for n in range(2)]
    organizations = [world.organization(("tier1", day(), None)) for _ in range(4)]
    members = [world.member(chance.choice(organizations), chance.choice(clusters), day()) for _ in range(memberships)]
    for step in range(memberships * 3):
        recorded = START + timedelta(days=step // 3)
        member = chance.choice(members)
        what = chance.randrange(4)
        if what == 0:
            world.resign(member, day(), recorded=recorded)
        elif what == 1:
            world.recategorise(member, day(), chance.choice(["affiliate", "honorary"]), recorded=recorded)
        elif what == 2:
            world.activate(member, day(), recorded=recorded)
        else:
            world.organization(
                ("tier2", day(), day()), ("oem", day(), None), key=chance.choice(organizations),
                state=chance.choice(["NLE", None]), effective=day(), recorded=recorded,
            )  # fmt: skip
    return world


async def _generation(unit: Unit) -> int:
    return (await store.generations(unit.connection)).current


async def _next(unit: Unit) -> None:
    await unit.connection.execute("UPDATE generation SET last = last + 1, current = last + 1")


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_between_keys_and_any_batches_leave_the_same_rows(unit: Unit, seed: int) -> None:
    world, chance = small_world(seed), random.Random(seed)
    await fill(unit, world)
    expected = await digest(unit.connection, await _generation(unit))
    assert expected["membership_period"][0] > 0
    for _ in range(3):
        await _next(unit)
        queues: dict[str, list[object]] = {}
        for item in world.items:
            queues.setdefault(item.key, []).append(item)
        mixed = []
        while queues:
            key = chance.choice(sorted(queues))
            mixed.append(queues[key].pop(0))
            if not queues[key]:
                del queues[key]
        some = events(mixed)  # type: ignore[arg-type]
        while some:
            count = chance.choice([1, 2, 5, 20])
            await take(unit, some[:count])
            # what was sent twice comes twice
            some = some[max(count - chance.choice([0, 0, 1]), 1) :]
        assert await digest(unit.connection, await _generation(unit)) == expected


async def test_a_fact_goes_into_the_generation_that_is_being_built_too(unit: Unit) -> None:
    current = await _generation(unit)
    await unit.connection.execute("UPDATE generation SET last = last + 1, building = last + 1")
    building = (await store.generations(unit.connection)).building
    assert building is not None
    await fill(unit, small_world(1))
    assert await digest(unit.connection, building) == await digest(unit.connection, current)


async def test_a_membership_fact_without_its_day_is_refused(unit: Unit) -> None:
    world = World()
    world.member(world.organization(), world.cluster("C"), date(2026, 1, 1))
    fact = events(world.items[-1:])[0]._replace(effective=None)
    with pytest.raises(EventRefused, match="effective"):
        await take(unit, [fact])


async def test_names_of_clusters_are_those_of_the_newest_state(unit: Unit) -> None:
    world = World()
    key = world.cluster("Costa y Agave")
    await fill(unit, world)
    label = "SELECT name FROM label WHERE cluster_id = $1"
    assert await unit.connection.fetchval(label, key) == "Costa y Agave"
    older = events(world.states)[0]._replace(version=0)
    renamed = older._replace(data=older.data.model_copy(update={"name": "Antes"}))
    await take(unit, [renamed])
    assert await unit.connection.fetchval(label, key) == "Costa y Agave"
