"""kill -9 at any moment and an orderly stop: nothing acknowledged is lost, no effect comes twice."""

import pytest

from tests.failure.raw import topics
from tests.failure.world import World, hot_keys


@pytest.mark.requires_real_kafka
@pytest.mark.parametrize("rounds", [1, pytest.param(8, marks=pytest.mark.slow)])
async def test_each_process_is_killed_in_turn_under_load_and_comes_back(world: World, rounds: int) -> None:
    hot = hot_keys(6)
    names = {"membership-1": "membership", "membership-2": "membership", "writer": "writer",
             "reporting-1": "reporting", "reporting-2": "reporting"}  # fmt: skip
    for seed, (name, role) in enumerate(names.items(), 1):
        writers = {"writers": 2, "hot": hot, "seed": seed} if role != "reporting" else {}
        world.start(role, name, **writers)  # type: ignore[arg-type]
    await world.holds("SELECT count(*) > 100 FROM reporting.failure_effect")
    for _ in range(rounds):
        for name in names:
            before = await world.value("SELECT count(*) FROM membership.history")
            await world.children[name].killed()
            world.again(world.children[name])
            await world.holds("SELECT count(*) > $1 FROM membership.history", before + 30)
    for name in names:
        if "reporting" not in name:
            assert await world.children[name].stopped() == 0
    world.start("membership", "membership-1")
    await world.is_sound()


@pytest.mark.requires_real_kafka
async def test_a_relay_killed_between_send_and_commit_doubles_a_batch_in_the_topic_and_no_effect(world: World) -> None:
    world.start("reporting", "reporting-1")
    relay = world.start("membership", "membership-1", writers=3, commands=60, people=False, at="relay.sent", nth=5)
    await relay.reached()
    assert await relay.gone() == -9
    again = world.again(relay, commands=60)
    await again.reached("written")
    await world.is_sound()
    ids = [copy.id for copy in await topics(world.bootstrap, world.prefix)]
    assert len(ids) > len(set(ids))


@pytest.mark.requires_real_kafka
@pytest.mark.parametrize(
    "step", [pytest.param("consumer.effect", id="inside its transaction"),
             pytest.param("consumer.applied", id="between effect and offset")],
)  # fmt: skip
async def test_a_listener_killed_in_the_middle_of_a_batch_repeats_no_effect(world: World, step: str) -> None:
    listener = world.start("reporting", "reporting-1", {"consumer_batch": 40}, at=step, nth=3)
    world.start("membership", "membership-1", writers=3, commands=60)
    await listener.reached()
    assert await listener.gone() == -9
    world.again(listener)
    await world.children["membership-1"].reached("written")
    await world.is_sound()


@pytest.mark.requires_real_kafka
async def test_an_orderly_stop_loses_nothing_and_lets_the_other_replica_publish_at_once(world: World) -> None:
    listeners = [world.start("reporting", f"reporting-{n}") for n in (1, 2)]
    first = world.start("membership", "membership-1", writers=2)
    await world.holds("SELECT holder IS NOT NULL FROM membership.relay_lease")
    second = world.start("membership", "membership-2", writers=2, seed=2)
    await world.holds("SELECT count(*) > 50 FROM membership.history")
    assert await first.stopped() == 0
    assert await listeners[0].stopped() == 0
    # at once: without the wait that follows a relay that just disappeared
    await world.holds("SELECT replica = 'membership-2' FROM membership.relay_lease")
    assert "relay.takes_over" not in second.said
    before = await world.value("SELECT count(*) FROM membership.history")
    await world.holds("SELECT count(*) > $1 FROM membership.history", before + 50)
    assert await second.stopped() == 0
    assert await world.value("SELECT released FROM membership.relay_lease")
    world.start("membership", "membership-1")
    world.again(listeners[0])
    await world.is_sound()


@pytest.mark.requires_real_kafka
async def test_a_failing_driver_is_waited_out_and_does_not_halt_the_listener(world: World) -> None:
    listener = world.start("reporting", "reporting-1", at="consumer.effect", does="fail")
    world.start("membership", "membership-1", writers=2, commands=20)
    await listener.reached()
    await world.children["membership-1"].reached("written")
    await world.is_sound()
