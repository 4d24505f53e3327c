"""The consumer loop on a broker: nothing is acknowledged before its effect, and every error meets its policy."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
import structlog
import uuid_utils.compat as uuid_utils
from aiokafka import AIOKafkaProducer
from faststream import AckPolicy

from shared.contracts.membership import MembershipActivated
from shared.messaging import consumer as loop
from shared.messaging import kafka as defaults
from shared.messaging.events import Consumer
from shared.postgres.pool import Database
from shared.runtime.service import Definition, Service, running
from shared.runtime.settings import Settings
from tests.service.bus.conftest import Run
from tests.service.bus.records import Effects, activated, person, raw, until
from tests.stack.database import Cluster

MakeSettings = Callable[..., Settings]
Record = tuple[str, bytes, bytes | None, list[tuple[str, bytes | None]]]


async def produce(settings: Settings, *records: Record) -> None:
    """Publishes raw records, each acknowledged before the next."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    try:
        for topic, key, value, headers in records:
            await producer.send_and_wait(settings.topic_prefix + topic, value, key=key, headers=headers)
    finally:
        await producer.stop()


def definition(effects: Effects) -> Definition:
    return Definition("reporting", consumers=[effects.consumer()])


async def joined(service: Service) -> None:
    await until(lambda: service.consumers[0].not_ready() is None)


async def test_every_subscriber_has_the_one_safe_policy_and_begins_at_the_earliest_record(
    run_service: Run, effects: Effects
) -> None:
    service = await run_service(definition(effects), relay_enabled=False)
    await joined(service)
    subscriber = service.consumers[0]._subscriber
    assert loop.ACK_POLICY is AckPolicy.NACK_ON_ERROR
    assert subscriber.ack_policy is AckPolicy.NACK_ON_ERROR
    assert subscriber._connection_args["auto_offset_reset"] == "earliest"
    assert subscriber._connection_args["enable_auto_commit"] is False


async def test_what_was_published_before_it_ever_listened_is_applied(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    key = uuid_utils.uuid7()
    await produce(kafka_settings("reporting"), raw(activated(key), key, 1), raw(activated(key), key, 2))
    await run_service(definition(effects), relay_enabled=False)
    await until(lambda: effects.rows(reporting.pool))
    await until(lambda: _count(effects, reporting, 2))
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2]


async def _count(effects: Effects, reporting: Database, count: int) -> bool:
    return len(await effects.rows(reporting.pool)) >= count


async def test_odd_headers_lose_no_record(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    """A null header and one that is not UTF-8, in a batch with good records."""
    keys = [uuid_utils.uuid7() for _ in range(4)]
    good, nulled, binary, last = (raw(activated(key), key, 1) for key in keys)
    nulled[3].append(("x-note", None))
    binary[3].append(("x-note", b"\xff\xfe"))
    await produce(kafka_settings("reporting"), good, nulled, binary, last)
    await run_service(definition(effects), relay_enabled=False)
    await until(lambda: _count(effects, reporting, 4))


async def test_structured_mode_is_understood_too(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    import orjson

    key = uuid_utils.uuid7()
    topic, raw_key, value, headers = raw(activated(key), key, 1)
    attributes = {name[3:]: content.decode() for name, content in headers if name.startswith("ce_") and content}
    body = orjson.dumps({**attributes, "datacontenttype": "application/json", "data": orjson.loads(value or b"")})
    content_type: list[tuple[str, bytes | None]] = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    await produce(kafka_settings("reporting"), (topic, raw_key, body, content_type))
    await run_service(definition(effects), relay_enabled=False)
    await until(lambda: _count(effects, reporting, 1))


async def test_a_fault_of_the_program_halts_and_after_mending_all_is_applied(
    kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    key = uuid_utils.uuid7()
    settings = kafka_settings("reporting", relay_enabled=False)
    await produce(settings, *(raw(activated(key), key, version) for version in (1, 2, 3)))
    effects.fails_with = lambda: asyncpg.UndefinedColumnError('column "x" does not exist')
    async with running(definition(effects), settings) as service:
        await until(lambda: "halted" in (service.consumers[0].not_ready() or ""))
        assert "UndefinedColumnError" in str(await service.readiness())
        await service.consumers[0].measure()
        assert service.metrics.halted.labels(effects.name)._value.get() == 1
    assert await effects.rows(reporting.pool) == []
    effects.fails_with = None
    async with running(definition(effects), settings):
        await until(lambda: _count(effects, reporting, 3))
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2, 3]


async def test_a_fault_while_a_record_is_read_halts_with_its_reason_and_does_not_spin(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastStream would fetch the same records again for ever and say nothing."""
    read = 0

    def broken(**record: Any) -> Any:
        nonlocal read
        read += 1
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(loop, "received", broken)
    key = uuid_utils.uuid7()
    settings = kafka_settings("reporting", relay_enabled=False)
    await produce(settings, raw(activated(key), key, 1))
    service = await run_service(definition(effects), relay_enabled=False)
    await until(lambda: _halted(service))
    assert "a fault of the program" in str(service.consumers[0].not_ready())
    assert read == 1


async def _halted(service: Service) -> bool:
    return "halted" in str(service.consumers[0].not_ready())


async def test_an_error_of_a_dependency_is_waited_out(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    key = uuid_utils.uuid7()
    errors = [
        ConnectionResetError(), asyncpg.DeadlockDetectedError("deadlock"), TimeoutError(),
        asyncpg.ReadOnlySQLTransactionError("a standby answers while the primary is changed"),
    ]  # fmt: skip
    plain = effects.handle

    async def sometimes(unit: Any, events: Any) -> None:
        await plain(unit, events)
        if errors:
            raise errors.pop()

    consumer = Consumer(effects.name, {MembershipActivated: sometimes})
    service = await run_service(Definition("reporting", consumers=[consumer]), relay_enabled=False)
    await produce(kafka_settings("reporting"), raw(activated(key), key, 1))
    await until(lambda: _count(effects, reporting, 1))
    assert errors == []
    assert len(await effects.rows(reporting.pool)) == 1
    assert service.metrics.retries.labels(effects.name)._value.get() == 4


async def test_a_migration_beside_a_running_consumer_does_not_halt_it(
    run_service: Run, effects: Effects, reporting: Database, postgres: Cluster
) -> None:
    """What was prepared before it gives another result now, and inside a transaction the driver cannot prepare anew."""
    plain = effects.handle

    async def reads_all(unit: Any, events: Any) -> None:
        await unit.connection.fetch("SELECT * FROM bus_shape")
        await plain(unit, events)

    consumer = Consumer(effects.name, {MembershipActivated: reads_all})
    async with postgres.connection(role="cumulo_owner") as owner:
        await owner.execute("CREATE TABLE reporting.bus_shape (one int)")
        service = await run_service(Definition("reporting", consumers=[consumer]), relay_enabled=False)
        key = uuid_utils.uuid7()
        await produce(service.settings, raw(activated(key), key, 1))
        await until(lambda: _count(effects, reporting, 1))
        await owner.execute("ALTER TABLE reporting.bus_shape ADD COLUMN two text")
        await produce(service.settings, raw(activated(key), key, 2))
        await until(lambda: _count(effects, reporting, 2))
        await owner.execute("DROP TABLE reporting.bus_shape")
    assert service.consumers[0].not_ready() is None


async def test_many_parked_keys_within_a_minute_halt_the_consumer(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects
) -> None:
    keys = [uuid_utils.uuid7() for _ in range(6)]
    effects.refused = {(str(key), 1) for key in keys}
    service = await run_service(definition(effects), relay_enabled=False, parked_keys_per_minute=4)
    await produce(kafka_settings("reporting"), *(raw(activated(key), key, 1) for key in keys))
    await until(lambda: "parked within a minute" in (service.consumers[0].not_ready() or ""))


async def test_a_consumer_that_takes_on_new_types_waits_for_its_backfill(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    await reporting.pool.execute("INSERT INTO consumer (name, types) VALUES ($1, '{}')", effects.name)
    key = uuid_utils.uuid7()
    await produce(kafka_settings("reporting"), raw(activated(key), key, 1))
    service = await run_service(definition(effects), relay_enabled=False)
    await until(lambda: "cumulo backfill reporting" in (service.consumers[0].not_ready() or ""))
    assert await effects.rows(reporting.pool) == []
    await reporting.pool.execute(
        "UPDATE consumer SET types = $2 WHERE name = $1", effects.name, list(effects.consumer().types)
    )
    await until(lambda: _count(effects, reporting, 1))


async def test_an_orderly_stop_finishes_the_batch_and_the_next_start_repeats_nothing(
    kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    settings = kafka_settings("reporting", relay_enabled=False)
    key = uuid_utils.uuid7()
    entered, go_on = asyncio.Event(), asyncio.Event()
    plain = effects.handle

    async def slow(unit: Any, events: Any) -> None:
        entered.set()
        await go_on.wait()
        await plain(unit, events)

    chosen = Definition("reporting", consumers=[Consumer(effects.name, {MembershipActivated: slow})])
    async with running(chosen, settings) as first:
        await produce(settings, raw(activated(key), key, 1))
        await entered.wait()
        first.stopping.set()
        go_on.set()
    assert len(await effects.rows(reporting.pool)) == 1
    async with running(chosen, settings) as second:
        await joined(second)
        await produce(settings, raw(activated(key), key, 2))
        await until(lambda: _count(effects, reporting, 2))
        assert second.metrics.duplicates.labels(effects.name)._value.get() == 0


async def test_metrics_and_lag_tell_what_was_done(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    service = await run_service(definition(effects), relay_enabled=False)
    keys = [uuid_utils.uuid7() for _ in range(3)]
    first = raw(activated(keys[0]), keys[0], 1)
    await produce(kafka_settings("reporting"), first, first, raw(person(keys[1]), keys[1], 1))
    await until(lambda: _count(effects, reporting, 2))
    consumer, metrics = service.consumers[0], service.metrics
    await until(lambda: metrics.duplicates.labels(effects.name)._value.get() == 1)
    assert metrics.applied.labels(effects.name, "org.cumulo.membership.PersonState.v1")._value.get() == 1
    expected = -1 if service.settings.kafka_embedded else 0
    await until(lambda: _lag_is(consumer, expected))


async def _lag_is(consumer: Any, expected: int) -> bool:
    return bool(await consumer.lag() == expected)


async def test_every_event_that_is_set_aside_leaves_a_line_that_finds_it_again(
    run_service: Run, kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    key = uuid_utils.uuid7()
    effects.refused = {(str(key), 1)}
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    records = [raw(activated(key), key, version) for version in (1, 2)]
    for record in records:
        record[3].append(("ce_traceparent", trace))
    with structlog.testing.capture_logs() as lines:
        await run_service(definition(effects), relay_enabled=False)
        await produce(kafka_settings("reporting"), *records)
        await until(lambda: len([line for line in lines if line["event"] == "event.parked"]) == 2)
    first, second = (line for line in lines if line["event"] == "event.parked")
    ids = [dict(record[3])["ce_id"] for record in records]
    assert [line["id"].encode() for line in (first, second)] == ids
    numbers = await reporting.pool.fetch("SELECT number FROM parked WHERE key = $1 ORDER BY number", str(key))
    assert [line["number"] for line in (first, second)] == [row["number"] for row in numbers]
    assert "version 1 is refused by the test" in first["reason"]
    assert "waits behind" in second["reason"]
    for line in (first, second):
        assert (line["key"], line["topic"], line["cause"], line["trace"]) == (
            str(key), "membership.membership", "test", trace.decode()
        )  # fmt: skip
        assert line["type"] == "org.cumulo.membership.MembershipActivated.v1"
        assert line["offset"] >= 0


def test_a_replica_keeps_its_place_in_the_group_by_its_name() -> None:
    settings = Settings(replica="node-7", kafka_embedded=False)
    names = [defaults.subscriber_options(settings, topics)["group_instance_id"] for topics in ("ab", "ba", "abc")]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("node-7-")
