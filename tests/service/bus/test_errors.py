"""Which error does what: a dependency's is waited out, a program's halts, an event's sets aside. Real ones, by SQL."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import pytest
import uuid_utils.compat as uuid_utils

from shared.contracts.membership import MembershipActivated, MembershipResigned
from shared.messaging.events import Consumer, Event
from shared.postgres.pool import Database, Unit
from shared.runtime.service import Definition, Service
from shared.runtime.settings import Settings
from tests.conftest import ClientFor
from tests.service.bus.conftest import Run
from tests.service.bus.records import Effects, activated, item, raw, resigned, until
from tests.service.bus.test_apply import parked, settle
from tests.service.bus.test_consumer import _count, joined, produce
from tests.stack.database import Cluster

MakeSettings = Callable[..., Settings]


def of(effects: Effects, handle: Any) -> Definition:
    return Definition("reporting", consumers=[Consumer(effects.name, {MembershipActivated: handle})])


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT no_such_column FROM bus_effect", asyncpg.UndefinedColumnError),
        ("SELECT count(*) FROM membership.organization", asyncpg.InsufficientPrivilegeError),
        ("SELECT count(*) FROM no_such_table", asyncpg.UndefinedTableError),
        ("SELEKT", asyncpg.PostgresSyntaxError),
    ],
)
async def test_what_is_wrong_with_the_program_sets_nothing_aside(
    reporting: Database, effects: Effects, statement: str, error: type[Exception]
) -> None:
    key = uuid_utils.uuid7()
    plain = effects.handle

    async def faulty(unit: Unit, events: Sequence[Event]) -> None:
        await plain(unit, events)
        await unit.connection.execute(statement)

    effects.handle = faulty  # type: ignore[method-assign]
    event = item(activated(key), key, 1)
    with pytest.raises(error):
        await settle(reporting, effects, [event])
    assert (await parked(reporting, effects), await effects.rows(reporting.pool)) == ([], [])
    effects.handle = plain  # type: ignore[method-assign]
    assert (await settle(reporting, effects, [event])).duplicates == 0
    assert len(await effects.rows(reporting.pool)) == 1


async def test_a_connection_that_is_cut_in_the_middle_of_a_batch_is_waited_out(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    key = uuid_utils.uuid7()
    cuts = [1, 2]

    async def cut(unit: Unit, events: Sequence[Event]) -> None:
        await effects.handle(unit, events)
        if cuts:
            cuts.pop()
            await unit.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    service = await run_service(of(effects, cut), relay_enabled=False)
    await produce(kafka_settings("reporting"), raw(activated(key), key, 1), raw(activated(key), key, 2))
    await until(lambda: _count(effects, reporting, 2))
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2]
    assert service.metrics.retries.labels(effects.name)._value.get() == 2
    assert await parked(reporting, effects) == []
    await until(lambda: service.consumers[0].not_ready() is None)


async def test_a_consumer_that_only_tries_again_is_alive_and_not_ready_and_says_why(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    key = uuid_utils.uuid7()
    effects.fails_with = lambda: asyncpg.QueryCanceledError("canceling statement due to statement timeout")
    service = await run_service(of(effects, effects.handle), relay_enabled=False)
    await produce(kafka_settings("reporting"), raw(activated(key), key, 1))
    await until(lambda: "statement timeout" in (service.consumers[0].not_ready() or ""))
    assert service.consumers[0].alive()
    assert effects.name in str(await service.readiness())
    effects.fails_with = None
    await until(lambda: _count(effects, reporting, 1))
    await until(lambda: service.consumers[0].not_ready() is None)


async def test_one_poisonous_key_does_not_hold_up_the_others_in_the_loop(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    bad, *good = (uuid_utils.uuid7() for _ in range(4))
    effects.refused = {(str(bad), 1)}
    records = [raw(activated(key), key, version) for version in (1, 2) for key in (bad, *good)]
    await produce(kafka_settings("reporting"), *records)
    service = await run_service(of(effects, effects.handle), relay_enabled=False)
    await until(lambda: _count(effects, reporting, 6))
    await until(lambda: _parked(reporting, effects, 2))
    assert service.consumers[0].not_ready() is None
    # a restart reads nothing of it again, and what was set aside is still there
    assert await effects.rows(reporting.pool, bad) == []
    assert await reporting.pool.fetchval("SELECT count(*) FROM inbox WHERE consumer = $1", effects.name) == 8
    await service.consumers[0].measure()
    assert service.metrics.parked_now.labels(effects.name)._value.get() == 2


async def _parked(reporting: Database, effects: Effects, count: int) -> bool:
    return len(await parked(reporting, effects)) >= count


async def test_two_handlers_each_get_their_events_in_order_and_share_the_transaction(
    reporting: Database, effects: Effects
) -> None:
    key = uuid_utils.uuid7()
    seen: list[tuple[str, list[int], Any]] = []

    async def one(unit: Unit, events: Sequence[Event]) -> None:
        seen.append(("one", [event.version for event in events], unit.connection))

    async def two(unit: Unit, events: Sequence[Event]) -> None:
        seen.append(("two", [event.version for event in events], unit.connection))

    consumer = Consumer(effects.name, {MembershipActivated: one, MembershipResigned: two})
    effects.consumer = lambda: consumer  # type: ignore[method-assign]
    batch = [item(activated(key), key, 1), item(resigned(key), key, 2), item(activated(key), key, 3)]
    await settle(reporting, effects, batch)
    assert [(name, versions) for name, versions, _ in seen] == [("one", [1, 3]), ("two", [2])]
    assert len({id(connection) for _, _, connection in seen}) == 1


async def test_a_service_whose_postgres_is_away_says_so_and_comes_back(
    client_for: ClientFor, postgres: Cluster
) -> None:
    """Through a wire that can be cut: alive, not ready, 503 at the feed; and all well again afterwards."""
    writers: set[asyncio.StreamWriter] = set()

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while some := await source.read(65536):
                sink.write(some)
                await sink.drain()
        except OSError:
            pass
        sink.close()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(postgres.host, postgres.port)
        writers.update((writer, far_writer))
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    wire = await asyncio.start_server(carry, "127.0.0.1", 0)
    port = wire.sockets[0].getsockname()[1]
    client = await client_for("reporting", postgres_host="127.0.0.1", postgres_port=port)
    assert (await client.get("/reporting/ready")).status_code == 200
    wire.close()
    for writer in writers:
        writer.transport.abort()
    ready = await client.get("/reporting/ready")
    assert (ready.status_code, list(ready.json()["reasons"])) == (503, ["postgres"])
    assert (await client.get("/reporting/health")).status_code == 200
    assert (await client.get("/reporting/metrics")).status_code == 200
    answer = await client.get("/reporting/feed")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:cumulo:problem:unavailable")
    wire = await asyncio.start_server(carry, "127.0.0.1", port)
    await until(lambda: _ready(client))
    for writer in writers:
        writer.transport.abort()
    wire.close()


async def _ready(client: Any) -> bool:
    return bool((await client.get("/reporting/ready")).status_code == 200)


@pytest.mark.requires_real_kafka
async def test_a_replica_that_comes_back_under_its_name_reads_on_at_once(
    kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    """Without a name of its own the group would wait for the lost member's session, here ten seconds."""
    from shared.runtime.service import running

    settings = kafka_settings("reporting", relay_enabled=False)
    key = uuid_utils.uuid7()
    lost: Service
    async with running(of(effects, effects.handle), settings) as lost:
        await joined(lost)
        await produce(settings, raw(activated(key), key, 1))
        await until(lambda: _count(effects, reporting, 1))
        # it goes away without a word to its group, and its successor starts
        async with running(of(effects, effects.handle), settings) as successor:
            await produce(settings, raw(activated(key), key, 2))
            began = asyncio.get_running_loop().time()
            await until(lambda: _count(effects, reporting, 2))
            assert asyncio.get_running_loop().time() - began < 8
            await joined(successor)
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2]
