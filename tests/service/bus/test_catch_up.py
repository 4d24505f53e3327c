"""A real Kafka that was left and is used again gets the facts since then, and what cannot be mended is counted."""

import time
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest
import uuid_utils.compat as uuid_utils
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from shared.contracts.membership import MembershipActivated
from shared.messaging import kafka
from shared.messaging.catch_up import CaughtUp, catch_up, hold_nothing
from shared.messaging.events import Consumer
from shared.messaging.outbox import Record
from shared.messaging.refill import RefillRefused, refill
from shared.messaging.topics import make_topics
from shared.runtime.service import Definition, Service
from shared.runtime.settings import Settings
from tests.service.bus.conftest import Run
from tests.service.bus.records import DAY, Effects, activated, raw, until
from tests.service.bus.test_consumer import produce
from tests.service.bus.test_feed import published
from tests.service.bus.test_relay import TOPIC, read
from tests.stack.database import Cluster

pytestmark = pytest.mark.requires_real_kafka

MakeSettings = Callable[..., Settings]
CatchUp = Callable[[Settings], Awaitable[CaughtUp]]


@pytest.fixture
def caught_up(postgres: Cluster) -> CatchUp:
    """What catching up membership's topics with these settings comes to."""

    async def run(settings: Settings) -> CaughtUp:
        async with postgres.connection() as owner:
            return (await catch_up(lambda name: settings, owner, ["membership"]))["membership"]

    return run


async def _facts(service: Service) -> int:
    return int(await service.database.pool.fetchval(f"SELECT count(*) FROM history WHERE aggregatetype = '{TOPIC}'"))


async def _filled(service: Service, kafka_settings: MakeSettings, postgres: Cluster) -> Settings:
    """Another Kafka (here: another prefix) with all of the present history."""
    settings = kafka_settings("membership", topic_prefix=f"{service.settings.topic_prefix}other.")
    await make_topics(settings)
    async with postgres.connection() as owner:
        await refill({"membership": Definition("membership")}, lambda name: settings, owner)
    return settings


async def _versions(settings: Settings, key: UUID, count: int) -> list[int]:
    records = await read(settings, TOPIC, count)
    return [int(dict(r.headers)["ce_version"]) for r in records if r.key == str(key).encode()]


async def test_what_was_done_on_another_kafka_follows_in_order_and_the_second_time_nothing(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, caught_up: CatchUp
) -> None:
    service = await run_service(Definition("membership"))
    keys = [uuid_utils.uuid7() for _ in range(8)]
    await published(service, *(Record(str(key), 1, activated(key), DAY) for key in keys))
    left = await _filled(service, kafka_settings, postgres)
    assert not await hold_nothing(left, ["membership"])
    assert await caught_up(left) == CaughtUp()
    await published(service, *(Record(str(key), version, activated(key), DAY) for version in (2, 3) for key in keys))
    assert await caught_up(left) == CaughtUp(sent=16)
    for key in keys:
        assert await _versions(left, key, await _facts(service)) == [1, 2, 3]
    assert await caught_up(left) == CaughtUp()


async def test_a_look_that_finds_nothing_to_do_waits_for_no_partition(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, caught_up: CatchUp
) -> None:
    """`cumulo up` looks at each start: half a second for each partition is half a minute for all topics."""
    service = await run_service(Definition("membership"))
    await published(service, *(Record(str(key), 1, activated(key), DAY) for key in (uuid4() for _ in range(60))))
    left = await _filled(service, kafka_settings, postgres)
    started = time.perf_counter()
    assert await caught_up(left) == CaughtUp()
    assert time.perf_counter() - started < 2


async def test_what_is_missing_before_newer_facts_is_counted_and_not_published(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, caught_up: CatchUp
) -> None:
    service = await run_service(Definition("membership"))
    key = uuid_utils.uuid7()
    await published(service, Record(str(key), 1, activated(key), DAY))
    left = await _filled(service, kafka_settings, postgres)
    await published(service, *(Record(str(key), version, activated(key), DAY) for version in (2, 3)))
    await published(service, Record(str(key), 4, activated(key), DAY))
    newest = await service.database.pool.fetchval("SELECT id FROM history ORDER BY sequence DESC LIMIT 1")
    await produce(left, raw(activated(key), key, 4, id=newest))
    assert await caught_up(left) == CaughtUp(lacking=2)
    assert await _versions(left, key, await _facts(service) - 2) == [1, 4]


async def test_strange_records_at_the_end_do_not_hide_how_far_the_topic_is(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, caught_up: CatchUp
) -> None:
    service = await run_service(Definition("membership"))
    key, stranger = uuid_utils.uuid7(), uuid_utils.uuid7()
    await published(service, Record(str(key), 1, activated(key), DAY))
    left = await _filled(service, kafka_settings, postgres)
    strays = [raw(activated(stranger), key, n) for n in range(5, 120)]
    await produce(left, *strays, raw(activated(key), key, 2, ce_id=b"no id"))
    assert await caught_up(left) == CaughtUp()
    await published(service, Record(str(key), 2, activated(key), DAY))
    assert await caught_up(left) == CaughtUp(sent=1)


async def test_a_partition_that_lags_is_seen_though_records_lie_twice_in_another(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, caught_up: CatchUp
) -> None:
    """What a relay that was killed between send and commit leaves makes the count of records look right."""
    service = await run_service(Definition("membership"))
    keys = [uuid_utils.uuid7() for _ in range(12)]
    await published(service, *(Record(str(key), 1, activated(key), DAY) for key in keys))
    left = await _filled(service, kafka_settings, postgres)
    copies = await read(left, TOPIC, await _facts(service))
    await published(service, *(Record(str(key), 2, activated(key), DAY) for key in keys))
    here = {r.key: r for r in await read(service.settings, TOPIC, 2 * len(keys))
            if dict(r.headers)["ce_version"] == b"2"}  # fmt: skip
    last = str(keys[-1]).encode()
    arrived = sorted((r for r in here.values() if r.partition == here[last].partition), key=lambda r: r.offset)
    async with AIOKafkaProducer(bootstrap_servers=left.kafka) as producer:
        for r in [*copies, *arrived]:
            await producer.send_and_wait(
                left.topic_prefix + TOPIC, r.value, key=r.key, headers=list(r.headers), partition=r.partition
            )
    assert await caught_up(left) == CaughtUp(sent=len(keys) - len(arrived))
    assert await caught_up(left) == CaughtUp()


async def test_a_partition_that_was_emptied_gets_all_that_belongs_there(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, caught_up: CatchUp
) -> None:
    service = await run_service(Definition("membership"))
    keys = [uuid_utils.uuid7() for _ in range(12)]
    await published(service, *(Record(str(key), 1, activated(key), DAY) for key in keys))
    left = await _filled(service, kafka_settings, postgres)
    records = await read(left, TOPIC, await _facts(service))
    partition = records[0].partition
    lost = [r for r in records if r.partition == partition]
    admin = kafka.admin(left)
    await admin.start()
    try:
        place = TopicPartition(left.topic_prefix + TOPIC, partition)
        await admin.delete_records({place: RecordsToDelete(before_offset=lost[-1].offset + 1)})
    finally:
        await admin.close()
    assert await caught_up(left) == CaughtUp(sent=len(lost))
    assert await caught_up(left) == CaughtUp()


async def test_topics_of_another_installation_get_nothing(
    run_service: Run, kafka_settings: MakeSettings, caught_up: CatchUp
) -> None:
    service = await run_service(Definition("membership"))
    key, stranger = uuid_utils.uuid7(), uuid_utils.uuid7()
    await published(service, Record(str(key), 1, activated(key), DAY))
    others = kafka_settings("membership", topic_prefix=f"{service.settings.topic_prefix}theirs.")
    await make_topics(others)
    assert await hold_nothing(others, ["membership"])
    await produce(others, raw(activated(stranger), stranger, 1))
    done = await caught_up(others)
    # the other topics were empty, and get what other tests have published
    assert (done.lacking, done.strange) == (0, [TOPIC])
    assert len(await read(others, TOPIC, 1)) == 1


async def test_a_topic_that_was_lost_alone_is_refused_while_a_group_has_read_it(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, caught_up: CatchUp, effects: Effects
) -> None:
    from shared.messaging import kafka

    service = await run_service(Definition("membership"))
    key = uuid_utils.uuid7()
    await published(service, Record(str(key), 1, activated(key), DAY))
    left = await _filled(service, kafka_settings, postgres)
    listener = Definition("reporting", consumers=[Consumer(effects.name, {MembershipActivated: effects.handle})])
    reader = await run_service(listener, relay_enabled=False, topic_prefix=left.topic_prefix)
    await until(lambda: effects.rows(reader.database.pool, key))
    await reader.consumers[0]._intake.commit()  # type: ignore[union-attr]
    admin = kafka.admin(left)
    await admin.start()
    await admin.delete_topics([left.topic_prefix + TOPIC])
    await until(lambda: _remade(left))
    await admin.close()
    other = uuid_utils.uuid7()
    await produce(left, ("membership.cluster", str(other).encode(), b"{}", []))
    with pytest.raises(RefillRefused, match=effects.name):
        await caught_up(left)


async def _remade(settings: Settings) -> bool:
    return (await make_topics(settings))[TOPIC] == "made"
