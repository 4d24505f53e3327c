"""The bus beside raw Kafka: relay drain, latency, consumer loop.

Each prints its figure, its raw baseline of the same round, and the ratio; the median of three rounds counts.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.contracts.base import contract_of
from shared.contracts.membership import MembershipActivated
from shared.messaging.events import Consumer, Event
from shared.messaging.outbox import record
from shared.postgres.pool import Unit, open_database
from shared.runtime.service import Definition, Service, running
from tests.load.facts import TRACE, activations, raw
from tests.load.ground import Ground, Say, extra_topic, median, quantile

FACTS = 100_000
RATE = 300
SECONDS = 20
TOPIC = "membership.membership"


async def drain(at: Ground, say: Say, rounds: int = 3) -> None:
    """Relay drain of 100,000 facts with all headers, against pipelined raw `send()` of the same records."""
    ratios = []
    for n in range(rounds):
        baseline = await _raw_send(at, await extra_topic(at, f"raw.drain{n}"))
        figure = await _relay_drain(at)
        ratios.append(figure / baseline)
        say(f"drain: {figure:,.0f}/s, raw pipelined send(): {baseline:,.0f}/s, ratio {figure / baseline:.2f}")
    say(f"drain, median of {rounds}: {median(ratios):.2f} of raw send() (goal: at least 0.8)")


async def _raw_send(at: Ground, topic: str) -> float:
    records = [raw(item) for item in activations(FACTS)]
    producer = AIOKafkaProducer(
        bootstrap_servers=at.kafka, acks="all", enable_idempotence=True, max_batch_size=256 * 1024, linger_ms=0
    )
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"warm", key=b"up")
        started = time.perf_counter()
        pending = [await producer.send(topic, value, key=key, headers=headers) for key, value, headers in records]
        await asyncio.gather(*pending)
        return FACTS / (time.perf_counter() - started)
    finally:
        await producer.stop()


async def _relay_drain(at: Ground) -> float:
    settings = at.settings("membership", relay_enabled=False)
    async with open_database(settings.postgres("membership"), schema="membership") as database:
        facts = list(activations(FACTS))
        for start in range(0, FACTS, 5000):
            async with database.unit(actor="cli", cause="load", traceparent=TRACE) as unit:
                await record(unit, facts[start : start + 5000])
        before = await database.pool.fetchval("SELECT coalesce(max(sequence), 0) FROM history")
        async with running(Definition("membership"), at.settings("membership")) as service:
            await _leads(service)
            started = time.perf_counter()
            while await database.pool.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
                await asyncio.sleep(0.01)
            seconds = time.perf_counter() - started
        moved = await database.pool.fetchval("SELECT max(sequence) FROM history") - before
        assert moved == FACTS, moved
        return FACTS / seconds


async def _leads(service: Service) -> None:
    while await service.readiness():
        await asyncio.sleep(0.001)


async def latency(at: Ground, say: Say, rounds: int = 3, rate: int = RATE) -> None:
    """Commit -> received and commit -> effect committed at a steady rate, against a bare send -> receive."""
    figures = []
    for n in range(rounds):
        bare = await _bare_hop(at, await extra_topic(at, f"raw.hop{rate}-{n}"), rate)
        received, effect = await _through_the_bus(at, rate, n)
        row: list[float] = []
        for name, values in (("bare hop", bare), ("commit -> received", received), ("commit -> effect", effect)):
            p50, p99 = quantile(values, 0.5) * 1000, quantile(values, 0.99) * 1000
            row += [p50, p99]
            say(f"latency at {rate}/s, {name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        figures.append(row)
    ratios50 = [median([r[i] / r[0] for r in figures]) for i in (2, 4)]
    ratios99 = [median([r[i] / r[1] for r in figures]) for i in (3, 5)]
    say(
        f"latency at {rate}/s, median of {rounds}: received p50 {ratios50[0]:.1f}x p99 {ratios99[0]:.1f}x (goal 2x);"
        f" effect p50 {ratios50[1]:.1f}x p99 {ratios99[1]:.1f}x (goal 3x)"
    )


async def _paced(rate: int, seconds: float, act: object) -> None:
    started, count = time.perf_counter(), int(rate * seconds)
    tasks = set()
    for n in range(count):
        due = started + n / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(act(n))  # type: ignore[operator]
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)


async def _bare_hop(at: Ground, topic: str, rate: int) -> list[float]:
    producer = AIOKafkaProducer(bootstrap_servers=at.kafka, acks="all", enable_idempotence=True, linger_ms=0)
    consumer = AIOKafkaConsumer(bootstrap_servers=at.kafka, group_id=None, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(topic, p) for p in range(6)])
    sent: dict[bytes, float] = {}
    got: list[float] = []

    async def receive() -> None:
        async for item in consumer:
            if item.key in sent:
                got.append(time.perf_counter() - sent[item.key])

    records = [raw(item) for item in activations(int(rate * SECONDS))]
    receiving = asyncio.create_task(receive())

    async def act(n: int) -> None:
        key, value, headers = records[n]
        sent[key] = time.perf_counter()
        await producer.send_and_wait(topic, value, key=key, headers=headers)

    try:
        for key, value, headers in (raw(item) for item in activations(50)):
            await producer.send_and_wait(topic, value, key=key, headers=headers)
        await _paced(rate, SECONDS, act)
        await _until(lambda: len(got) >= len(records))
        return got[len(got) // 10 :]
    finally:
        receiving.cancel()
        await consumer.stop()
        await producer.stop()


async def _through_the_bus(at: Ground, rate: int, n: int) -> tuple[list[float], list[float]]:
    """Writer and relay in this process, as in a service; the consumer in another one."""
    committed: dict[str, float] = {}
    facts = list(activations(int(rate * SECONDS)))
    listener = at.settings("reporting", relay_enabled=False, kafka_idempotent=True)
    plain = {**listener.model_dump(mode="json", exclude_none=True), "postgres_password": at.password("reporting")}
    folder = tempfile.TemporaryDirectory(prefix="cumulo-load-")
    out = Path(folder.name) / "seen.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.listener", orjson.dumps(plain).decode(), f"load.latency{rate}-{n}", str(out),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    async with running(Definition("membership"), at.settings("membership")) as writer:
        await _leads(writer)

        async def act(i: int) -> None:
            async with writer.unit(actor="cli", cause="load") as unit:
                await record(unit, [facts[i]])
            committed[facts[i].key] = time.perf_counter()

        await _paced(rate, SECONDS, act)
        while await writer.database.pool.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
    await process.communicate(b"")
    seen = orjson.loads(out.read_bytes())
    folder.cleanup()
    assert all(fact.key in seen for fact in facts)
    keys = [fact.key for fact in facts[len(facts) // 10 :]]
    return [seen[key][0] - committed[key] for key in keys], [seen[key][1] - committed[key] for key in keys]


async def _until(holds: object, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # type: ignore[operator]
            await asyncio.sleep(0.01)


TABLE = """
CREATE TABLE IF NOT EXISTS reporting.load_standing (membership_id uuid PRIMARY KEY, category text, since date)
"""
FOLD = """
INSERT INTO load_standing (membership_id, category, since) SELECT * FROM unnest($1::uuid[], $2::text[], $3::date[])
ON CONFLICT (membership_id) DO UPDATE SET category = excluded.category, since = excluded.since
"""


async def consume(at: Ground, say: Say, rounds: int = 3) -> None:
    """The consumer loop with inbox and a folded handler over 100,000 facts, against bare `getmany`."""
    producer = AIOKafkaProducer(
        bootstrap_servers=at.kafka, acks="all", enable_idempotence=True, max_batch_size=256 * 1024
    )
    await producer.start()
    topic = at.prefix + TOPIC
    pending = [await producer.send(topic, v, key=k, headers=h) for k, v, h in map(raw, activations(FACTS))]
    await asyncio.gather(*pending)
    await producer.stop()
    async with at.cluster.connection(role="cumulo_owner") as owner:
        await owner.execute(TABLE)

    async def fold(unit: Unit, events: Sequence[Event]) -> None:
        await unit.connection.execute(
            FOLD, [e.data.membership_id for e in events], [e.data.category for e in events],
            [e.effective for e in events],
        )  # fmt: skip

    rates = []
    for n in range(rounds):
        baseline = await _bare_getmany(at, topic)
        async with at.cluster.connection(role="cumulo_owner") as owner:
            await owner.execute("TRUNCATE reporting.load_standing")
        definition = Definition("reporting", consumers=[Consumer(f"load.consume{n}", {MembershipActivated: fold})])
        started = None
        async with running(definition, at.settings("reporting", relay_enabled=False)) as service:
            applied = service.metrics.applied.labels(f"load.consume{n}", contract_of(MembershipActivated).type)
            while (done := applied._value.get()) < FACTS:  # counted after each commit
                if done and started is None:
                    started, first = time.perf_counter(), done
                await asyncio.sleep(0.005)
            assert started is not None
            rate = (FACTS - first) / (time.perf_counter() - started)
            assert await service.database.pool.fetchval("SELECT count(*) FROM load_standing") == FACTS
        rates.append(rate)
        say(f"consumer loop: {rate:,.0f} facts/s, bare getmany: {baseline:,.0f}/s")
    say(f"consumer loop, median of {rounds}: {median(rates):,.0f} facts/s (goal: at least 20,000)")


async def _bare_getmany(at: Ground, topic: str) -> float:
    consumer = AIOKafkaConsumer(bootstrap_servers=at.kafka, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, p) for p in range(6)])
        count, started = 0, time.perf_counter()
        while count < FACTS:
            batches = await consumer.getmany(timeout_ms=500, max_records=2000)
            count += sum(len(records) for records in batches.values())
        return count / (time.perf_counter() - started)
    finally:
        await consumer.stop()
