"""Who publishes when a leader vanishes, and batches that are too much for the time they have."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils
from aiokafka.errors import KafkaError

from shared.messaging.outbox import Record, record
from shared.messaging.publisher import PastDeadline
from shared.messaging.relay import Relay
from shared.postgres.pool import Database
from shared.runtime.service import Definition, Service, running
from shared.runtime.settings import Settings
from tests.service.bus.conftest import Run
from tests.service.bus.records import activated, until
from tests.service.bus.test_relay import TOPIC, leads, read

MakeSettings = Callable[..., Settings]
VANISHED = "UPDATE relay_lease SET holder = $1, replica = 'gone', released = false, since = now() - interval '1 hour'"
HOLDER = "SELECT holder FROM relay_lease"


async def write(database: Database, count: int = 1) -> list[str]:
    """Commits facts of new memberships in one transaction, as another process would."""
    keys = [uuid_utils.uuid7() for _ in range(count)]
    async with database.unit(actor="t", cause="t") as unit:
        await record(unit, [Record(str(key), 1, activated(key)) for key in keys])
    return [str(key) for key in keys]


async def test_successors_do_not_take_the_lead_from_one_another_for_ever(
    run_service: Run, databases: dict[str, Database]
) -> None:
    """A successor waits before it sends; while it does its rows stand still, which is no reason to succeed it."""
    database = databases["membership"]
    await database.pool.execute(
        "INSERT INTO relay_lease (holder, replica) VALUES ($1, 'gone') ON CONFLICT DO NOTHING", uuid_utils.uuid7()
    )
    vanished = uuid_utils.uuid7()
    await database.pool.execute(VANISHED, vanished)
    [key] = await write(database)
    first = await run_service(Definition("membership"), replica="one", relay_deadline_seconds=1.0)
    await until(lambda: _succeeded(database, vanished))
    await run_service(Definition("membership"), replica="two", relay_deadline_seconds=1.0)
    async with asyncio.timeout(15):
        assert [r.key.decode() for r in await read(first.settings, TOPIC, 1)] == [key]


async def test_a_successor_that_is_stopped_while_it_waits_sends_nothing_and_hands_nothing_over(
    kafka_settings: MakeSettings, databases: dict[str, Database]
) -> None:
    """Whatever the one before it still does would lie behind what was sent too early."""
    database = databases["membership"]
    await database.pool.execute(
        "INSERT INTO relay_lease (holder, replica) VALUES ($1, 'gone') ON CONFLICT DO NOTHING", uuid_utils.uuid7()
    )
    vanished = uuid_utils.uuid7()
    await database.pool.execute(VANISHED, vanished)
    [key] = await write(database)
    async with running(Definition("membership"), kafka_settings("membership", replica="two")):
        await until(lambda: _succeeded(database, vanished))
    assert await database.pool.fetchval("SELECT count(*) FROM outbox WHERE aggregateid = $1", key) == 1
    assert not await database.pool.fetchval("SELECT released FROM relay_lease")
    await database.pool.execute("DELETE FROM outbox")


async def test_a_successor_that_comes_back_before_its_wait_was_over_waits_all_the_same(
    kafka_settings: MakeSettings, databases: dict[str, Database]
) -> None:
    """Its own name in the lease would say that it stands where it stood, and it never stood there."""
    database = databases["membership"]
    await database.pool.execute(
        "INSERT INTO relay_lease (holder, replica) VALUES ($1, 'gone') ON CONFLICT DO NOTHING", uuid_utils.uuid7()
    )
    vanished = uuid_utils.uuid7()
    await database.pool.execute(VANISHED, vanished)
    await write(database)
    settings = kafka_settings("membership", replica="two", relay_deadline_seconds=1.0)
    async with running(Definition("membership"), settings):
        await until(lambda: _succeeded(database, vanished))
    unfinished = await database.pool.fetchval(HOLDER)
    await database.pool.execute("UPDATE relay_lease SET since = now() - interval '1 hour'")
    async with running(Definition("membership"), settings):
        await until(lambda: _succeeded(database, unfinished))
        began = time.monotonic()
        await until(lambda: _empty(database))
        assert time.monotonic() - began > 1.5
        assert await database.pool.fetchval("SELECT replica FROM relay_lease") == "two"


async def _succeeded(database: Database, holder: UUID) -> bool:
    return bool(await database.pool.fetchval(HOLDER) != holder)


async def _empty(database: Database) -> bool:
    return not await database.pool.fetchval("SELECT EXISTS (SELECT FROM outbox)")


async def test_of_two_that_start_at_once_the_slower_does_not_take_over_without_a_wait(
    run_service: Run, databases: dict[str, Database]
) -> None:
    """It saw the lease released, and somebody else took it before it had the lock."""
    service = await run_service(Definition("membership"), replica="first")
    await leads(service)
    mine = service.relay
    assert mine is not None
    quicker = mine._process
    await databases["membership"].pool.execute("UPDATE relay_lease SET released = true")
    slower = Relay(service)
    slower._settings = service.settings.model_copy(update={"replica": "slower"})

    class Slow:
        """A connection on which, after the first look at the lease, the other one takes it."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        async def fetchrow(self, query: str) -> Any:
            row = await self._connection.fetchrow(query)
            await self._connection.execute("UPDATE relay_lease SET holder = $1, released = false", quicker)
            self.fetchrow = self._connection.fetchrow  # type: ignore[method-assign]
            return row

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

    async with databases["membership"].connection() as connection:
        assert not await slower._lead(Slow(connection))  # type: ignore[arg-type]
    assert await databases["membership"].pool.fetchval("SELECT holder FROM relay_lease") == mine._process


async def test_a_batch_that_is_too_much_for_the_deadline_is_sent_in_smaller_parts(
    run_service: Run, databases: dict[str, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same batch again would fail again, for ever."""
    published, sizes = Relay._publish, list[int]()

    async def slow(self: Relay, rows: Any) -> None:
        sizes.append(len(rows))
        if len(rows) > 30:
            raise TimeoutError
        await published(self, rows)

    monkeypatch.setattr(Relay, "_publish", slow)
    keys = await write(databases["membership"], 100)
    service = await run_service(Definition("membership"), relay_batch=100)
    assert {r.key.decode() for r in await read(service.settings, TOPIC, 100)} == set(keys)
    assert sizes[:3] == [100, 50, 25]
    monkeypatch.setattr(Relay, "_publish", published)
    for _ in range(6):  # and it grows again
        await write(databases["membership"], 100)
        await until(lambda: _drained(service))
    assert service.relay is not None
    assert service.relay._rows == 100


async def _drained(service: Service) -> bool:
    return not await service.database.pool.fetchval("SELECT EXISTS (SELECT FROM outbox)")


async def test_thousands_of_rows_of_one_commit_come_out_in_order(
    run_service: Run, databases: dict[str, Database]
) -> None:
    service = await run_service(Definition("membership"))
    await leads(service)
    start = await service.database.pool.fetchval("SELECT coalesce(max(sequence), 0) FROM history")
    keys = [uuid_utils.uuid7() for _ in range(10)]
    async with service.database.unit(actor="t", cause="t") as unit:
        await record(unit, [Record(str(key), n, activated(key)) for n in range(1, 601) for key in keys])
    records = await read(service.settings, TOPIC, 6000)
    assert len(records) == 6000
    for key in keys:
        mine = [int(dict(r.headers)["ce_version"]) for r in records if r.key == str(key).encode()]
        assert mine == list(range(1, 601))
    await until(lambda: _drained(service))
    rows = await service.database.pool.fetch("SELECT sequence FROM history WHERE sequence > $1 ORDER BY 1", start)
    assert [row[0] for row in rows] == list(range(start + 1, start + 6001))


async def test_a_producer_that_was_given_up_never_sends_again(run_service: Run) -> None:
    """What it still holds would come out behind newer records."""
    service = await run_service(Definition("membership"))
    await leads(service)
    relay = service.relay
    assert relay is not None
    given_up = relay._publisher.producer
    await until(lambda: relay._publisher.producer is not None)
    batch = given_up.create_batch()
    batch.append(key=b"late", value=b"{}", timestamp=None)
    relay._publisher.producer = object()  # as after an error: another one is in its place, with a deadline of its own
    relay._publisher.deadline = float("inf")
    try:
        future = await given_up.send_batch(batch, service.settings.topic_prefix + TOPIC, partition=0)
        with pytest.raises(PastDeadline):
            await asyncio.wait_for(future, 5)
    finally:
        relay._publisher.producer = given_up
    assert issubclass(PastDeadline, KafkaError)
