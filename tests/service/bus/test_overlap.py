"""Two replicas that hold the same records for a moment: a rebalance took partitions from one that still settles."""

import asyncio

import asyncpg
import pytest
import uuid_utils.compat as uuid_utils

from shared.messaging.apply import Applier
from shared.postgres.pool import Database
from tests.service.bus.records import Effects, activated, item, until
from tests.service.bus.test_apply import parked, settle

WAITS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_what_the_other_replica_parks_meanwhile_holds_the_later_events_here(
    reporting: Database, effects: Effects
) -> None:
    """The batch here waits in the inbox for the other's; the hold that it set is younger than the statement."""
    key = uuid_utils.uuid7()
    events = [item(activated(key), key, version) for version in (1, 2, 3)]
    here = Applier(effects.consumer())
    async with reporting.unit(actor="test", cause="test") as other:
        await here.apply(other, [events[0]], blamed=(events[0], "refused there"))
        batch = asyncio.create_task(settle(reporting, effects, events))
        await until(lambda: reporting.pool.fetchval(WAITS))
    done = await batch
    assert await effects.rows(reporting.pool) == []
    assert (done.duplicates, len(done.parked)) == (1, 2)
    assert [reason for _, reason in await parked(reporting, effects)] == ["refused there", None, None]


async def test_a_batch_that_the_other_replica_settles_first_has_no_effect_here(
    reporting: Database, effects: Effects
) -> None:
    key = uuid_utils.uuid7()
    events = [item(activated(key), key, version) for version in (1, 2, 3, 4)]
    async with reporting.unit(actor="test", cause="test") as other:
        await Applier(effects.consumer()).apply(other, events[:3])
        batch = asyncio.create_task(settle(reporting, effects, events[:2]))
        await until(lambda: reporting.pool.fetchval(WAITS))
    assert (await batch).duplicates == 2
    await settle(reporting, effects, events)
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2, 3, 4]


async def test_a_batch_that_the_other_replica_gives_up_has_its_effect_here(
    reporting: Database, effects: Effects
) -> None:
    key = uuid_utils.uuid7()
    events = [item(activated(key), key, version) for version in (1, 2)]
    with pytest.raises(asyncpg.UndefinedColumnError):
        async with reporting.unit(actor="test", cause="test") as other:
            await Applier(effects.consumer()).apply(other, events)
            batch = asyncio.create_task(settle(reporting, effects, events))
            await until(lambda: reporting.pool.fetchval(WAITS))
            raise asyncpg.UndefinedColumnError("the other one fails")
    assert (await batch).duplicates == 0
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2]
