"""Records between fetch and effect: fetched ahead, applied in order without a gap, acknowledged behind their effect."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import uuid_utils.compat as uuid_utils
from aiokafka import TopicPartition

from shared.contracts.membership import MembershipActivated
from shared.messaging.events import Consumer, Event
from shared.messaging.intake import BYTES, Intake
from shared.postgres.pool import Database, Unit
from shared.runtime.service import Definition, Service, running
from shared.runtime.settings import Settings
from tests.service.bus.conftest import Run
from tests.service.bus.records import Effects, activated, item, raw, until
from tests.service.bus.test_consumer import joined, produce

MakeSettings = Callable[..., Settings]
HERE = TopicPartition("membership.membership", 0)


class Gate:
    """Effects that wait until the test lets them go on."""

    def __init__(self, effects: Effects) -> None:
        self.effects = effects
        self.open = asyncio.Event()
        self.at_the_gate = asyncio.Event()

    async def handle(self, unit: Unit, events: Sequence[Event]) -> None:
        """As `Effects.handle`, behind the gate."""
        self.at_the_gate.set()
        await self.open.wait()
        await self.effects.handle(unit, events)

    def definition(self) -> Definition:
        return Definition("reporting", consumers=[Consumer(self.effects.name, {MembershipActivated: self.handle})])


async def acknowledged(service: Service) -> int:
    """Records of the consumer's group that need not be read again."""
    client = service.consumers[0]._subscriber.consumer
    return sum([await client.committed(place) or 0 for place in client.assignment()])


async def test_what_is_fetched_ahead_is_not_acknowledged_before_its_effect(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    gate, key = Gate(effects), uuid_utils.uuid7()
    service = await run_service(gate.definition(), relay_enabled=False, consumer_batch=2)
    await joined(service)
    await produce(service.settings, *(raw(activated(key), key, version) for version in range(1, 10)))
    await gate.at_the_gate.wait()
    await until(lambda: service.consumers[0]._intake.held >= 3)  # type: ignore[union-attr]
    assert await acknowledged(service) == 0
    assert await effects.rows(reporting.pool) == []
    gate.open.set()
    await until(lambda: _all(acknowledged(service), 9))
    assert [row[0] for row in await effects.rows(reporting.pool)] == list(range(1, 10))


async def _all(count: Any, wanted: int) -> bool:
    return bool(await count == wanted)


async def test_what_a_stop_leaves_waiting_is_applied_by_the_next_start_in_its_order(
    kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    gate, key = Gate(effects), uuid_utils.uuid7()
    settings = kafka_settings("reporting", relay_enabled=False, consumer_batch=2)
    await produce(settings, *(raw(activated(key), key, version) for version in range(1, 8)))
    async with running(gate.definition(), settings) as service:
        await gate.at_the_gate.wait()
        await until(lambda: service.consumers[0]._intake.held >= 3)  # type: ignore[union-attr]
        service.stopping.set()
        gate.open.set()
    done = [row[0] for row in await effects.rows(reporting.pool)]
    assert 0 < len(done) < 7  # the batch under way, no other
    async with running(gate.definition(), settings):
        await until(lambda: _all(_count(effects, reporting), 7))
    assert [row[0] for row in await effects.rows(reporting.pool)] == list(range(1, 8))


async def _count(effects: Effects, reporting: Database) -> int:
    return len(await effects.rows(reporting.pool))


@pytest.mark.requires_real_kafka
async def test_partitions_that_move_while_records_wait_lose_and_double_nothing_and_keep_the_order(
    requires_real_kafka: None, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    """A second replica joins while the first one has records in its hands; both settle them at once."""
    slow, quick = Gate(effects), Gate(effects)
    quick.open.set()
    keys = [uuid_utils.uuid7() for _ in range(12)]
    settings = kafka_settings("reporting", relay_enabled=False, consumer_batch=3)
    async with running(slow.definition(), settings.model_copy(update={"replica": "slow"})) as first:
        await joined(first)
        await produce(settings, *(raw(activated(key), key, version) for version in (1, 2, 3) for key in keys))
        await slow.at_the_gate.wait()
        async with running(quick.definition(), settings.model_copy(update={"replica": "quick"})) as second:
            await joined(second)
            await until(lambda: second.consumers[0]._subscriber.consumer.assignment())
            slow.open.set()
            await until(lambda: _all(_count(effects, reporting), 3 * len(keys)))
            for key in keys:
                assert [row[0] for row in await effects.rows(reporting.pool, key)] == [1, 2, 3]
            await until(lambda: _both_have_acknowledged((first, second), 3 * len(keys)))


async def _both_have_acknowledged(services: Sequence[Service], wanted: int) -> bool:
    return sum([await acknowledged(service) for service in services]) == wanted


async def test_small_fetches_that_wait_go_together_and_large_ones_one_by_one() -> None:
    intake = Intake(5, None)  # type: ignore[arg-type]
    key = uuid_utils.uuid7()
    made = [item(activated(key), key, version) for version in range(1, 12)]
    for n, part in enumerate(([0], [1, 2], [3], [4, 5, 6])):
        await intake.put([made[i] for i in part], {HERE: n})
    taken = await intake.take()
    assert taken is not None
    assert ([one.version for one in taken[0]], taken[1]) == ([1, 2, 3, 4], {HERE: 2})
    assert intake.held == 7
    taken = await intake.take()
    assert taken is not None
    assert ([one.version for one in taken[0]], taken[1]) == ([5, 6, 7], {HERE: 3})


@pytest.mark.parametrize("full", ["by number", "by size"])
async def test_a_full_intake_lets_nothing_in_until_something_has_left(full: str) -> None:
    intake = Intake(2 if full == "by number" else 1000, None)  # type: ignore[arg-type]
    key = uuid_utils.uuid7()
    one = item(activated(key), key, 1)
    if full == "by size":
        one = one._replace(value=b"x" * BYTES)
    await intake.put([one, one], {HERE: 2})
    waits = asyncio.create_task(intake.put([one], {HERE: 3}))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waits.done()
    await intake.take()
    await waits
    assert intake.held == 3


async def test_a_closed_intake_takes_nothing_and_gives_nothing() -> None:
    intake = Intake(2, None)  # type: ignore[arg-type]
    key = uuid_utils.uuid7()
    one = item(activated(key), key, 1)
    await intake.put([one, one], {HERE: 2})
    waits = asyncio.create_task(intake.put([one], {HERE: 3}))
    await asyncio.sleep(0)
    await intake.close()
    await waits
    assert await intake.take() is None
    assert intake.held == 2
