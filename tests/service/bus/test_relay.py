"""The relay on a broker: everything committed comes out, with all headers, in order per key; one replica leads."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import uuid_utils.compat as uuid_utils
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.membership import PersonState
from shared.messaging import kafka as defaults
from shared.messaging.outbox import Erased, Record, record
from shared.messaging.publisher import PastDeadline
from shared.messaging.relay import Relay
from shared.runtime.service import Definition, Service
from shared.runtime.settings import Settings
from tests.service.bus.conftest import Run
from tests.service.bus.records import DAY, activated, person, until

TOPIC = "membership.membership"
MakeSettings = Callable[..., Settings]


async def read(settings: Settings, topic: str, count: int) -> list[Any]:
    """The first `count` records of a topic, by partition and offset."""
    name = settings.topic_prefix + topic
    found: list[Any] = []
    async with defaults.reader(settings, [name]) as reader, asyncio.timeout(20):
        while len(found) < count:
            for batch in (await reader.getmany(timeout_ms=200)).values():
                found += batch
    return sorted(found, key=lambda r: (r.partition, r.offset))


async def leads(service: Service) -> None:
    await until(lambda: service.relay is not None and service.relay.not_ready() is None)


async def test_records_come_out_with_every_header_and_facts_enter_history(run_service: Run) -> None:
    service = await run_service(Definition("membership"))
    key, now = uuid_utils.uuid7(), datetime.now(UTC)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with service.database.unit(actor="an actor", cause="a cause", now=now, traceparent=trace) as unit:
        await record(unit, [Record(str(key), 1, activated(key), DAY), Record(str(key), 1, person(key))])
    [fact] = await read(service.settings, TOPIC, 1)
    headers = {name: value.decode() for name, value in fact.headers}
    assert headers | {"ce_id": "", "ce_time": ""} == {
        "content-type": "application/json", "ce_specversion": "1.0", "ce_id": "", "ce_time": "",
        "ce_type": "org.cumulo.membership.MembershipActivated.v1", "ce_source": "/membership",
        "ce_subject": f"membership/{key}", "ce_version": "1", "ce_effective": str(DAY), "ce_actor": "an actor",
        "ce_dataschema": "urn:cumulo:contract:membership.MembershipActivated.v1", "ce_cause": "a cause",
        "ce_traceparent": trace,
    }  # fmt: skip
    assert datetime.fromisoformat(headers["ce_time"]) == now
    assert fact.key == str(key).encode()
    # Kafka's timestamp is the time of publishing
    assert abs(fact.timestamp / 1000 - datetime.now(UTC).timestamp()) < 30
    assert len(await read(service.settings, "membership.person.state", 1)) == 1
    row = await until(lambda: service.database.pool.fetchrow("SELECT * FROM history WHERE aggregateid = $1", str(key)))
    assert str(row["id"]) == headers["ce_id"]


async def test_order_per_key_holds_over_many_batches(run_service: Run) -> None:
    service = await run_service(Definition("membership"), relay_batch=7)
    keys = [uuid_utils.uuid7() for _ in range(5)]
    for version in range(1, 21):
        async with service.database.unit(actor="t", cause="t") as unit:
            await record(unit, [Record(str(key), version, activated(key)) for key in keys])
    records = await read(service.settings, TOPIC, 100)
    for key in keys:
        mine = [r for r in records if r.key == str(key).encode()]
        assert [int(dict(r.headers)["ce_version"]) for r in mine] == list(range(1, 21))
        assert len({r.partition for r in mine}) == 1


async def test_a_row_that_commits_late_with_a_lower_position_is_not_missed(run_service: Run) -> None:
    service = await run_service(Definition("membership"))
    await leads(service)
    early, late = uuid_utils.uuid7(), uuid_utils.uuid7()
    async with service.database.unit(actor="t", cause="t") as slow:
        await record(slow, [Record(str(late), 1, activated(late))])
        async with service.database.unit(actor="t", cause="t") as quick:
            await record(quick, [Record(str(early), 1, activated(early))])
        assert [r.key for r in await read(service.settings, TOPIC, 1)] == [str(early).encode()]
    assert {r.key for r in await read(service.settings, TOPIC, 2)} == {str(early).encode(), str(late).encode()}


async def test_records_that_fill_more_than_one_batch_of_kafka_come_out_whole(run_service: Run) -> None:
    service = await run_service(Definition("membership"))
    key = uuid_utils.uuid7()
    async with service.database.unit(actor="t", cause="t") as unit:
        await record(unit, [Record(str(key), n, person(key, "x" * 200_000)) for n in range(1, 6)])
        await record(unit, [Record(str(key), 6, person(key, "y" * 500_000)), Erased(str(key), 7, PersonState)])
    records = await read(service.settings, "membership.person.state", 7)
    assert [int(dict(r.headers)["ce_version"]) for r in records] == [1, 2, 3, 4, 5, 6, 7]
    assert records[-1].value is None


async def test_a_commit_of_another_process_is_noticed(run_service: Run, databases: Any) -> None:
    service = await run_service(Definition("membership"))
    await leads(service)
    key = uuid_utils.uuid7()
    async with databases["membership"].unit(actor="cli", cause="cli") as unit:
        await record(unit, [Record(str(key), 1, activated(key))])
    assert [r.key for r in await read(service.settings, TOPIC, 1)] == [str(key).encode()]


async def test_under_unbroken_traffic_others_still_get_the_relays_lock_in_between(run_service: Run) -> None:
    """The relay begins its next batch with the commit of the last; the feed's barrier and refill have their turn."""
    service = await run_service(Definition("membership"))
    await leads(service)
    over = asyncio.Event()

    async def write() -> int:
        count = 0
        while not over.is_set():
            async with service.unit(actor="t", cause="t") as unit:
                key = uuid_utils.uuid7()
                await record(unit, [Record(str(key), 1, activated(key))])
            count += 1
        return count

    writers = [asyncio.create_task(write()) for _ in range(3)]
    before = await service.database.pool.fetchval("SELECT coalesce(max(sequence), 0) FROM history")
    for _ in range(10):
        async with service.database.connection() as connection, connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '3s'")
            await connection.execute("SELECT pg_advisory_xact_lock(relay_lock())")
            held = await connection.fetchval("SELECT max(sequence) FROM history")
            assert await connection.fetchval("SELECT max(sequence) FROM history") == held
    over.set()
    written = sum(await asyncio.gather(*writers))
    await until(lambda: _moved(service, before + written))


async def _moved(service: Service, sequence: int) -> bool:
    return bool(await service.database.pool.fetchval("SELECT max(sequence) FROM history") == sequence)


async def test_one_replica_leads_and_an_orderly_stop_hands_over_at_once(
    run_service: Run, kafka_settings: MakeSettings
) -> None:
    from shared.runtime.service import running

    async with running(Definition("membership"), kafka_settings("membership", replica="one")) as first:
        await leads(first)
        second = await run_service(Definition("membership"), replica="two")
        await leads(second)
        holders = await second.database.pool.fetch("SELECT replica, released FROM relay_lease")
        assert [tuple(row) for row in holders] == [("one", False)]
    key = uuid_utils.uuid7()
    async with second.database.unit(actor="t", cause="t") as unit:
        await record(unit, [Record(str(key), 1, activated(key))])
    assert len(await read(second.settings, TOPIC, 1)) == 1
    assert await second.database.pool.fetchval("SELECT replica FROM relay_lease") == "two"


async def test_without_a_hand_over_the_successor_waits_out_the_others_deadline(run_service: Run) -> None:
    await (await run_service(Definition("events"), replica="probe")).database.pool.fetchval("SELECT 1")
    service = await run_service(Definition("membership"), replica="heir", relay_deadline_seconds=1.0)
    await leads(service)
    # somebody else led and vanished without a word
    gone = "UPDATE relay_lease SET holder = $1, replica = 'gone', since = now() - interval '1 hour'"
    await service.database.pool.execute(gone, uuid_utils.uuid7())
    key, began = uuid_utils.uuid7(), asyncio.get_running_loop().time()
    async with service.database.unit(actor="t", cause="t") as unit:
        await record(unit, [Record(str(key), 1, activated(key))])
    assert len(await read(service.settings, TOPIC, 1)) == 1
    assert asyncio.get_running_loop().time() - began > 2.0  # a second of standing still, the deadline and one more


async def test_after_an_error_the_producer_is_replaced_and_the_batch_sent_again(run_service: Run) -> None:
    service = await run_service(Definition("membership"))
    await leads(service)
    relay = service.relay
    assert relay is not None
    used = relay._publisher.producer
    published = Relay._publish

    async def failing(self: Relay, rows: Any) -> None:
        Relay._publish = published  # type: ignore[method-assign]
        await published(self, rows)
        raise KafkaError("the answer was lost")

    Relay._publish = failing  # type: ignore[method-assign]
    key = uuid_utils.uuid7()
    async with service.database.unit(actor="t", cause="t") as unit:
        await record(unit, [Record(str(key), 1, activated(key))])
    records = await read(service.settings, TOPIC, 2)
    assert len({dict(r.headers)["ce_id"] for r in records}) == 1  # an unknown outcome is sent again: the same event
    assert relay._publisher.producer is not used
    in_history = "SELECT count(*) FROM history WHERE aggregateid = $1"
    await until(lambda: service.database.pool.fetchval(in_history, str(key)))
    assert await service.database.pool.fetchval(in_history, str(key)) == 1


async def test_a_relay_past_its_deadline_does_not_send(run_service: Run) -> None:
    """What a process that slept too long still holds never reaches the socket."""
    service = await run_service(Definition("membership"))
    await leads(service)
    relay = service.relay
    assert relay is not None
    topic = service.settings.topic_prefix + TOPIC
    batch = relay._publisher.producer.create_batch()
    batch.append(key=b"late", value=b"{}", timestamp=None)
    relay._publisher.deadline = 0.0
    future = await relay._publisher.producer.send_batch(batch, topic, partition=0)
    with pytest.raises(PastDeadline):
        await asyncio.wait_for(future, 5)
    consumer = AIOKafkaConsumer(bootstrap_servers=service.settings.kafka, group_id=None)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        assert await consumer.getmany(timeout_ms=300) == {}
    finally:
        await consumer.stop()
