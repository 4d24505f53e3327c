"""Kafka or PostgreSQL away and back, under load: services wait, go on by themselves, and keep the promise."""

import signal
from typing import Literal

import pytest

from tests.conftest import Kafka
from tests.failure.conftest import WorldFor
from tests.failure.servers import Gate, OwnBroker, OwnPostgres
from tests.failure.world import World, hot_keys


async def _under_load(world: World, gate: int | None = None) -> None:
    hot = hot_keys(4)
    world.start("reporting", "reporting-1", gate=gate)
    world.start("reporting", "reporting-2", gate=gate)
    world.start("membership", "membership-1", writers=2, hot=hot, gate=gate)
    world.start("writer", "writer", writers=1, hot=hot, seed=2)
    await world.holds("SELECT count(*) > 50 FROM reporting.failure_effect")


async def _more_is_published(world: World) -> None:
    before = await world.value("SELECT count(*) FROM membership.history")
    await world.holds("SELECT count(*) > $1 FROM membership.history", before + 30)


async def _sound_after_the_writers(world: World) -> None:
    for name in ("membership-1", "writer"):
        assert await world.children[name].stopped() == 0, world.children[name].said
    world.start("membership", "membership-1")
    await world.is_sound()


@pytest.mark.requires_real_kafka
async def test_the_way_to_kafka_is_cut_and_then_swallows_everything(world: World, kafka: Kafka) -> None:
    gate = Gate(kafka.bootstrap)
    await gate.open()
    await _under_load(world, gate.port)
    for away in (gate.cut, gate.swallow):
        await away()
        waiting = await world.value("SELECT count(*) FROM membership.outbox")
        await world.holds("SELECT count(*) > $1 FROM membership.outbox", waiting + 100)
        await gate.open()
        await _more_is_published(world)
    await _sound_after_the_writers(world)
    await gate.cut()


@pytest.mark.requires_real_kafka
@pytest.mark.parametrize("ends", [["kill"], pytest.param(["orderly", "kill", "kill"], marks=pytest.mark.slow)])
async def test_the_broker_goes_away_and_comes_back(
    own_broker: OwnBroker, world_for: WorldFor, ends: list[Literal["orderly", "kill"]]
) -> None:
    world = await world_for(own_broker.bootstrap)
    await _under_load(world)
    for how in ends:
        own_broker.stop(how)
        waiting = await world.value("SELECT count(*) FROM membership.outbox")
        await world.holds("SELECT count(*) > $1 FROM membership.outbox", waiting + 100)
        own_broker.start()
        await _more_is_published(world)
    await _sound_after_the_writers(world)


@pytest.mark.requires_real_kafka
@pytest.mark.parametrize("rounds", [1, pytest.param(6, marks=pytest.mark.slow)])
async def test_postgres_is_killed_and_later_restarted(world: World, own_postgres: OwnPostgres, rounds: int) -> None:
    await _under_load(world)
    for how in (signal.SIGKILL, signal.SIGINT) * rounds:
        own_postgres.stop(how)
        own_postgres.start()
        await _more_is_published(world)
    await _sound_after_the_writers(world)
