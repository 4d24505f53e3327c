"""The parked: seen, tried again in order, dropped with what waits behind."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import uuid_utils.compat as uuid_utils

from shared.contracts.membership import PersonState
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received
from shared.messaging.parked import (
    NoSuchParkedEvent,
    drop_event,
    parked_events,
    parked_keys,
    parked_record,
    record_as_json,
    retry_key,
)
from shared.postgres.pool import Database, Unit
from tests.service.bus.records import Effects, activated, item, person, until

TOPIC = "membership.membership"


async def settle(database: Database, effects: Effects, items: Sequence[Received]) -> None:
    @asynccontextmanager
    async def unit(_: Sequence[Received]) -> AsyncIterator[Unit]:
        async with database.unit(actor="test", cause="test") as opened:
            yield opened

    await Applier(effects.consumer()).settle(unit, items)


async def listed(database: Database, effects: Effects) -> list[int]:
    async with database.connection() as connection:
        return [event.number for event in await parked_events(connection, consumer=effects.name)]


async def test_a_retry_applies_in_order_and_stops_at_what_still_fails(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    effects.refused = {(str(key), 1), (str(key), 3)}
    await settle(reporting, effects, [item(activated(key), key, v) for v in (1, 2, 3, 4)])
    effects.refused = {(str(key), 3)}
    done = await retry_key(reporting, Applier(effects.consumer()), TOPIC, str(key), actor="test")
    assert (done.applied, done.waiting) == (2, 2)
    assert "version 3" in (done.reason or "")
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2]
    async with reporting.connection() as connection:
        first = (await parked_events(connection, consumer=effects.name))[0]
        assert (first.attempts, first.reason) == (2, "EventRefused: version 3 is refused by the test")
    effects.refused = set()
    await retry_key(reporting, Applier(effects.consumer()), TOPIC, str(key), actor="test")
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2, 3, 4]
    async with reporting.connection() as connection:
        assert await parked_keys(connection, effects.name) == []
    # the hold is lifted: what comes next is applied at once
    await settle(reporting, effects, [item(activated(key), key, 5)])
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2, 3, 4, 5]


async def test_dropping_one_event_applies_what_waited_behind_it(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    effects.refused = {(str(key), 2)}
    await settle(reporting, effects, [item(activated(key), key, v) for v in (1, 2, 3)])
    number = (await listed(reporting, effects))[0]
    done = await drop_event(reporting, Applier(effects.consumer()), number, actor="test")
    assert (done.dropped, done.applied, done.waiting) == (1, 1, 0)
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 3]
    with pytest.raises(NoSuchParkedEvent):
        await drop_event(reporting, Applier(effects.consumer()), number, actor="test")


async def test_a_drop_that_is_killed_halfway_holds_no_key_behind_nothing(
    reporting: Database, effects: Effects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes next would be set aside with nothing in front of it to try again or to drop."""
    key = uuid_utils.uuid7()
    effects.refused = {(str(key), 1)}
    await settle(reporting, effects, [item(activated(key), key, 1)])
    [number] = await listed(reporting, effects)

    async def killed(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr("shared.messaging.parked.retry_key", killed)
    with pytest.raises(asyncio.CancelledError):
        await drop_event(reporting, Applier(effects.consumer()), number, actor="test")
    await settle(reporting, effects, [item(activated(key), key, 2)])
    assert [row[0] for row in await effects.rows(reporting.pool)] == [2]
    assert await listed(reporting, effects) == []


async def test_a_parked_record_is_shown_as_it_came(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    await settle(reporting, effects, [item(activated(key), key, 1, value=b"\xff not json", ce_actor=b"\xfe")])
    [number] = await listed(reporting, effects)
    async with reporting.connection() as connection:
        event, came = await parked_record(connection, number)
    assert came.value == b"\xff not json"
    assert dict(came.headers)["ce_actor"] == b"\xfe"
    assert record_as_json(came)["key"] == str(key)
    assert event.topic == TOPIC


async def test_an_older_parked_state_is_outdated_when_tried_again(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    await settle(reporting, effects, [item(person(key, "unacceptable"), key, 2)])
    await reporting.pool.execute(
        "INSERT INTO state_seen (consumer, topic, key, version) VALUES ($1, 'membership.person.state', $2, 5)",
        effects.name, str(key),
    )  # fmt: skip
    done = await retry_key(reporting, Applier(effects.consumer()), "membership.person.state", str(key), actor="test")
    assert (done.outdated, done.waiting) == (1, 0)
    assert PersonState in effects.consumer().handlers


async def test_a_retry_and_the_consumer_loop_wait_for_each_other(reporting: Database, effects: Effects) -> None:
    """While a retry holds the key, a batch with a later event of it waits, and does not overtake."""
    key = uuid_utils.uuid7()
    effects.refused = {(str(key), 1)}
    await settle(reporting, effects, [item(activated(key), key, 1), item(activated(key), key, 2)])
    effects.refused = set()
    async with reporting.unit(actor="test", cause="test") as unit:
        await unit.connection.execute(
            "SELECT FROM parked_key WHERE consumer = $1 AND key = $2 FOR UPDATE", effects.name, str(key)
        )
        batch = asyncio.create_task(settle(reporting, effects, [item(activated(key), key, 3)]))
        await until(
            lambda: reporting.pool.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        )
        assert not batch.done()
    await batch
    await retry_key(reporting, Applier(effects.consumer()), TOPIC, str(key), actor="test")
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2, 3]
