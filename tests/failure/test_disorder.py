"""Nothing is promised between keys and topics: whatever order they come in, the listener ends with the same tables."""

import random
from collections import defaultdict, deque
from typing import Any

import pytest
import uuid_utils.compat as uuid_utils

from tests.failure import membership
from tests.failure.records import Hand
from tests.failure.world import World


def _disordered(rows: list[Any], chance: random.Random) -> list[Any]:
    """The rows with every order between keys and topics undone, and the order per key of a topic kept."""
    queues: dict[tuple[str, str], deque[Any]] = defaultdict(deque)
    for row in rows:
        queues[row["aggregatetype"], row["aggregateid"]].append(row)
    mixed = []
    while queues:
        place = chance.choice(sorted(queues))
        mixed.append(queues[place].popleft())
        if not queues[place]:
            del queues[place]
    return mixed


@pytest.mark.requires_real_kafka
@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 12))])
async def test_any_order_between_keys_and_topics_comes_to_the_same(world: World, seed: int) -> None:
    chance = random.Random(seed)
    keys, people = [uuid_utils.uuid7() for _ in range(12)], [uuid_utils.uuid7() for _ in range(8)]
    async with world.membership() as (pool, journal):
        for _ in range(60):
            async with pool.unit(actor="test", cause="test") as unit:
                key = chance.choice(keys)
                row = await membership.load(unit, key)
                written = await membership.advance(unit, key, row, facts=chance.choice((1, 2)))
            journal.acknowledged(key, written)
        for person in people * 3:
            async with pool.unit(actor="test", cause="test") as unit:
                written = await membership.change_person(unit, person, name=f"Person {chance.random()}")
            journal.acknowledged(person, written)
        for person in people[:3]:
            async with pool.unit(actor="test", cause="test") as unit:
                written = await membership.erase_person(unit, person)
            journal.acknowledged(person, written)
    world.start("reporting", "reporting-1", {"consumer_batch": 15})
    async with (
        Hand(world.bootstrap, world.prefix, world.injected) as hand,
        world.cluster.connection(database=world.name) as connection,
    ):
        rows = await connection.fetch("SELECT * FROM membership.outbox ORDER BY position")
        for row in _disordered(rows, chance):
            await hand.publish(row)
        await connection.execute("SET search_path = membership")
        await connection.execute("SELECT outbox_published($1)", [row["position"] for row in rows])
    await world.is_sound()
