"""The checker is trusted because it catches planted faults: each of these breaks one rule of the bus on purpose.

The same runs without the fault are sound: a process that dies at the same step, in the other tests.
"""

import subprocess
import sys

import pytest
import uuid_utils.compat as uuid_utils

from tests.failure import membership
from tests.failure.children import until
from tests.failure.raw import topics
from tests.failure.world import World, hot_keys
from tests.stack.run import ROOT

pytestmark = pytest.mark.requires_real_kafka


async def _rules(world: World) -> set[str]:
    """The rules that the checker finds broken once everything is at rest."""
    await world.settled()
    return {finding["rule"] for finding in await world.findings()}


async def _killed_listener(world: World, fault: str) -> set[str]:
    listener = world.start("reporting", "reporting-1", {"consumer_batch": 40}, fault=fault, nth=3)
    writer = world.start("membership", "membership-1", writers=3, commands=60)
    await listener.reached()
    assert await listener.gone() == -9
    world.again(listener)
    await writer.reached("written")
    return await _rules(world)


async def test_it_catches_a_listener_that_acknowledges_first(world: World) -> None:
    assert {"effects once", "inbox"} <= await _killed_listener(world, "acknowledge first")


async def test_it_catches_an_inbox_outside_the_transaction(world: World) -> None:
    assert "effects once" in await _killed_listener(world, "inbox outside")


async def test_it_catches_a_policy_that_acknowledges_what_failed(world: World) -> None:
    writer = world.start("membership", "membership-1", writers=2, commands=30)
    await writer.reached("written")
    failing = world.start("reporting", "reporting-1", fault="acknowledge always", does="note")
    await failing.reached()
    assert await failing.stopped() == 0
    world.again(failing)
    assert "inbox" in await _rules(world)


async def test_it_catches_an_inbox_that_is_not_asked(world: World) -> None:
    world.start("reporting", "reporting-1", fault="no inbox")
    relay = world.start("membership", "membership-1", writers=3, commands=60, people=False, at="relay.sent", nth=5)
    assert await relay.gone() == -9
    await world.heard()  # copies in one batch are one event by themselves
    again = world.again(relay, commands=10)
    await again.reached("written")
    assert "effects once" in await _rules(world)


async def test_it_catches_a_relay_that_deletes_before_it_sends(world: World) -> None:
    world.start("reporting", "reporting-1")
    relay = world.start(
        "membership", "membership-1", writers=3, commands=60, people=False, fault="delete before send", nth=5
    )
    assert await relay.gone() == -9
    again = world.again(relay, commands=10)
    await again.reached("written")
    assert "published" in await _rules(world)


async def test_it_catches_commands_that_do_not_lock_their_aggregate(world: World) -> None:
    hot = hot_keys(1)
    world.start("reporting", "reporting-1")
    relay = world.start("membership", "membership-1")
    load = {"writers": 2, "commands": 40, "people": False, "hot": hot, "pace": 0.005}
    writers = [
        world.start("writer", f"writer-{n}", seed=n, fault="aggregate unlocked", **load)  # type: ignore[arg-type]
        for n in (1, 2)
    ]
    for writer in writers:
        await writer.reached("written")
    assert not relay.ended
    assert "versions" in await _rules(world)


async def test_it_catches_two_relays_without_their_lock(world: World) -> None:
    key = uuid_utils.uuid7()
    world.start("reporting", "reporting-1")
    async with world.membership() as (pool, journal):

        async def advance() -> None:
            async with pool.unit(actor="test", cause="test") as unit:
                written = await membership.advance(unit, key, await membership.load(unit, key))
            journal.acknowledged(key, written)

        held = world.folder / "membership-1.held"
        held.touch()
        world.start("membership", "membership-1", fault="relay unlocked")
        await advance()
        await until((world.folder / "membership-1.reached").exists, what="held relay", told=world.said)
        world.start("membership", "membership-2", fault="relay unlocked")
        await world.holds("SELECT count(*) = 1 FROM membership.history")
        await advance()
        await world.holds("SELECT count(*) = 2 FROM membership.history")
        held.unlink()

        async def late() -> bool:
            return len(await topics(world.bootstrap, world.prefix)) >= 6

        await until(late, what="late records", told=world.said)
    assert "state" in await _rules(world)


def test_the_checker_shares_no_code_with_the_bus() -> None:
    program = (
        "import sys, tests.failure.checker\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('shared', 'services', 'deploy')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
