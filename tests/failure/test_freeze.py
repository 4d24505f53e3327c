"""A relay frozen by SIGSTOP while another one takes over: what it still does when it wakes brings nobody back."""

import signal

import pytest
import uuid_utils.compat as uuid_utils

from tests.failure import membership
from tests.failure.children import until
from tests.failure.raw import topics
from tests.failure.world import World

PEOPLE = "membership.person.state"


async def _last_value(world: World, key: str) -> bytes | None:
    """What a new listener ends with for a person, having read the whole topic."""
    last = {copy.key: copy.value for copy in await topics(world.bootstrap, world.prefix) if copy.topic == PEOPLE}
    return last.get(key)


@pytest.mark.requires_real_kafka
@pytest.mark.parametrize(
    "step", [pytest.param("read", id="before it looks at its clock"), pytest.param("socket", id="after it did")]
)
async def test_a_relay_that_wakes_late_does_not_bring_an_erased_person_back(world: World, step: str) -> None:
    erased, other = uuid_utils.uuid7(), uuid_utils.uuid7()
    deadline = {"relay_deadline_seconds": 0.8}
    world.start("reporting", "reporting-1")
    async with world.membership() as (pool, journal):
        async with pool.unit(actor="test", cause="test") as unit:
            written = await membership.change_person(unit, erased, name="To Be Erased")
            await membership.advance(unit, other, None, facts=3)
        journal.acknowledged(erased, written)
        frozen = world.start("membership", "membership-1", deadline, at=f"relay.{step}", does="freeze")
        await frozen.reached()
        successor = world.start("membership", "membership-2", deadline)
        await world.holds("SELECT count(*) = 3 FROM membership.history")
        assert "relay.takes_over" in successor.said
        async with pool.unit(actor="test", cause="test") as unit:
            written = await membership.erase_person(unit, erased)
        journal.acknowledged(erased, written)

        async def compacted() -> bool:
            # a segment is closed by the next record, and only closed ones are compacted
            async with pool.unit(actor="test", cause="test") as unit:
                await membership.change_person(unit, uuid_utils.uuid7(), name="Somebody Else")
            records = [copy for copy in await topics(world.bootstrap, world.prefix) if copy.key == str(erased)]
            return all(copy.value is None for copy in records)

        await until(compacted, what="compaction", told=world.said)
    frozen.signal(signal.SIGCONT)
    if step == "read":
        await until(lambda: "relay.retried" in frozen.said, what="deadline passed", told=world.said)
        assert "PastDeadline" in frozen.said or "TimeoutError" in frozen.said
    else:

        async def is_back() -> bool:
            return await _last_value(world, str(erased)) is not None

        await until(is_back, what="late record", told=world.said)
        await world.settled()
        assert [finding["rule"] for finding in await world.findings()] == ["state"]
        reconciling = world.start("reconcile", "reconcile")
        assert await reconciling.gone() == 0, reconciling.said
    await world.is_sound()
    assert await _last_value(world, str(erased)) is None
    assert await world.value("SELECT count(*) FROM reporting.failure_copy WHERE key = $1", str(erased)) == 0
