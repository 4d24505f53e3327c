"""Feed, backfill, refill, reconcile: what was published can be had again, whole and without a gap."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
import uuid_utils.compat as uuid_utils
from aiokafka import TopicPartition

from shared.contracts.membership import MembershipActivated, PersonState
from shared.messaging import kafka as defaults
from shared.messaging.backfill import NothingToBackfill, backfill
from shared.messaging.events import Consumer, StateSource
from shared.messaging.feed import FeedClient, FeedRefused
from shared.messaging.outbox import Erased, Record, record
from shared.messaging.reconcile import reconcile
from shared.messaging.refill import RefillRefused, refill
from shared.postgres.pool import Database
from shared.runtime.service import Definition, Service
from shared.runtime.settings import Settings
from tests.conftest import ClientFor
from tests.service.bus.conftest import Run
from tests.service.bus.records import DAY, Effects, activated, person, raw, until
from tests.service.bus.test_consumer import produce
from tests.service.bus.test_relay import leads, read
from tests.stack.database import Cluster

MakeSettings = Callable[..., Settings]
PEOPLE = "membership.person.state"


class People:
    """A table of states kept in memory: what `StateSource` asks of an owner."""

    def __init__(self) -> None:
        self.rows: dict[UUID, Record] = {}

    def put(self, key: UUID, version: int, name: str) -> Record:
        self.rows[key] = Record(str(key), version, person(key, name))
        return self.rows[key]

    def definition(self) -> Definition:
        async def page(connection: Any, after: str | None, limit: int) -> list[Record]:
            rows = sorted(self.rows.values(), key=lambda row: row.key)
            return [row for row in rows if after is None or row.key > after][:limit]

        async def locked(connection: Any, keys: Any) -> list[Record]:
            return [row for row in self.rows.values() if row.key in keys]

        return Definition("membership", states={PEOPLE: StateSource(page, locked)})


async def published(service: Service, *records: Record | Erased) -> None:
    """Commits records and waits until the relay has moved them."""
    async with service.unit(actor="test", cause="test") as unit:
        await record(unit, records)
    await until(lambda: _drained(service))


async def _drained(service: Service) -> bool:
    return not await service.database.pool.fetchval("SELECT EXISTS (SELECT FROM outbox)")


@asynccontextmanager
async def over_http(client: httpx.AsyncClient) -> AsyncIterator[Callable[[str], FeedClient]]:
    """A feed client whose answers come from the application under test."""

    class Direct(FeedClient):
        async def raw(self, path: str = "", **query: str | int) -> Any:
            answer = await client.get(f"/membership/feed{path}", params=query)
            if answer.status_code != 200:
                raise FeedRefused(answer.text)
            return answer.json()

    yield lambda service: Direct(service, "http://test", None)


async def test_facts_come_by_sequence_in_pages_and_states_as_a_snapshot(
    client_for: ClientFor, run_service: Run
) -> None:
    people = People()
    service = await run_service(people.definition())
    keys = [uuid_utils.uuid7() for _ in range(5)]
    client = await client_for("membership", definition=people.definition())
    start = (await client.get("/membership/feed/barrier")).json()["sequence"]
    await published(service, *(Record(str(key), 1, activated(key), DAY) for key in keys))
    for key in keys:
        people.put(key, 3, "Ana")
    answer = await client.get("/membership/feed", params={"after": start, "limit": 2})
    assert answer.headers["content-type"] == "application/cloudevents-batch+json"
    assert [(event["sequence"], event["partitionkey"]) for event in answer.json()] == [
        (str(start + 1), str(keys[0])), (str(start + 2), str(keys[1])),
    ]  # fmt: skip
    async with over_http(client) as feed_of, feed_of("membership") as feed:
        got = [item async for page in feed.facts(start, limit=2) for item in page]
        assert [sequence for sequence, _ in got] == list(range(start + 1, start + 6))
        assert all(item.problem is None and item.topic == "membership.membership" for _, item in got)
        states = [item async for page in feed.states("person", limit=2) for item in page]
        assert [item.key for item in states] == [str(key) for key in sorted(keys)]
        assert {item.version for item in states} == {3}


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("?after=-1", 422, "after"),
        ("?after=9223372036854775808", 422, "after"),
        ("?after=x", 422, "after"),
        ("?limit=0", 422, "limit"),
        ("?limit=10001", 422, "limit"),
        ("/state/nothing", 404, "aggregate"),
        ("/state/person?after=%00", 422, "after"),
    ],
)
async def test_bad_questions_to_the_feed_get_a_problem_at_the_field(
    client_for: ClientFor, path: str, status: int, field: str
) -> None:
    client = await client_for("membership")
    answer = await client.get(f"/membership/feed{path}")
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_the_feed_opens_to_nobody_without_a_token_of_ours(client_for: ClientFor, token: str | None) -> None:
    client = await client_for("membership", token=token)
    for path in ("", "/barrier", "/state/person"):
        answer = await client.get(f"/membership/feed{path}")
        assert answer.status_code == 401
        assert answer.json()["type"] == "urn:cumulo:problem:not-signed-in"


async def test_the_barrier_waits_for_the_batch_in_flight(client_for: ClientFor, postgres: Cluster) -> None:
    client = await client_for("membership")
    async with postgres.connection(role="cumulo_membership") as relay:
        await relay.execute("SET search_path = membership")
        key = uuid_utils.uuid7()
        async with relay.transaction():
            await relay.execute("SELECT pg_advisory_xact_lock(relay_lock())")
            asked = asyncio.create_task(client.get("/membership/feed/barrier"))
            await until(
                lambda: relay.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
            )
            assert not asked.done()
            await relay.execute(
                "INSERT INTO outbox (id, aggregatetype, aggregateid, version, type, dataschema, source, subject, time,"
                " actor, cause, payload) VALUES ($1, 'membership.membership', 'x', 1,"
                " 'org.cumulo.membership.Unheard.v1', 'urn:x', '/membership', 'membership/x', now(), 'a', 'c', '{}')",
                key,
            )
            last = await relay.fetchval("SELECT coalesce(max(sequence), 0) FROM history")
            await relay.execute("SELECT outbox_published(array_agg(position)) FROM outbox WHERE id = $1", key)
        assert (await asked).json()["sequence"] == last + 1


async def test_a_backfill_gives_a_consumer_once_what_it_took_on(
    client_for: ClientFor, run_service: Run, effects: Effects, reporting: Database
) -> None:
    people = People()
    service = await run_service(people.definition())
    keys = [uuid_utils.uuid7() for _ in range(3)]
    await published(service, *(Record(str(key), 1, activated(key), DAY) for key in keys))
    people.put(keys[0], 2, "Ana")
    people.put(keys[1], 2, "unacceptable")
    client = await client_for("membership", definition=people.definition())
    await reporting.pool.execute("INSERT INTO consumer (name, types) VALUES ($1, '{}')", effects.name)
    async with over_http(client) as feed_of:
        done = await backfill(reporting, effects.consumer(), feed_of)
        assert done["parked"] == 1  # what cannot be applied is set aside here as well
        mine = [key for key in keys if await effects.rows(reporting.pool, key)]
        assert mine == keys
        assert (2, "PersonState", "Ana") in await effects.rows(reporting.pool, keys[0])
        with pytest.raises(NothingToBackfill):
            await backfill(reporting, effects.consumer(), feed_of)
    known = await reporting.pool.fetchval("SELECT types FROM consumer WHERE name = $1", effects.name)
    assert set(known) == set(effects.consumer().types)


async def test_reconcile_publishes_again_what_differs_and_erases_what_is_gone(
    run_service: Run, kafka_settings: MakeSettings
) -> None:
    people = People()
    same, older, missing, gone = (uuid_utils.uuid7() for _ in range(4))
    people.put(same, 2, "same")
    people.put(older, 3, "new")
    people.put(missing, 1, "missing")
    settings = kafka_settings("membership")
    await produce(
        settings, raw(person(same, "same"), same, 2), raw(person(older, "new"), older, 3),
        raw(person(older, "a late relay's"), older, 2), raw(person(gone), gone, 4),
    )  # fmt: skip
    service = await run_service(people.definition())
    await leads(service)
    done = (await reconcile(service))[PEOPLE]
    assert (done.published, done.erased) == (2, 1)
    await until(lambda: _drained(service))
    last = {r.key.decode(): r for r in await read(settings, PEOPLE, 7)}
    versions = {key: int(dict(r.headers)["ce_version"]) for key, r in last.items()}
    assert versions == {str(same): 2, str(older): 3, str(missing): 1, str(gone): 5}
    assert last[str(gone)].value is None
    again = (await reconcile(service))[PEOPLE]
    assert (again.published, again.erased) == (0, 0)


async def test_a_refill_refuses_topics_that_hold_something(
    kafka_settings: MakeSettings, postgres: Cluster, databases: dict[str, Database]
) -> None:
    key = uuid_utils.uuid7()
    await produce(kafka_settings("membership"), raw(activated(key), key, 1))
    async with postgres.connection() as owner:
        with pytest.raises(RefillRefused, match="is not empty"):
            await refill({"membership": Definition("membership")}, kafka_settings, owner)


@pytest.mark.requires_real_kafka
async def test_a_refill_refuses_topics_that_a_group_reads(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, effects: Effects
) -> None:
    service = await run_service(Definition("reporting", consumers=[effects.consumer()]), relay_enabled=False)
    await until(lambda: service.consumers[0].not_ready() is None)
    async with postgres.connection() as owner:
        with pytest.raises(RefillRefused, match=effects.name):
            await refill({"membership": Definition("membership")}, kafka_settings, owner)


async def test_after_a_refill_a_new_listener_has_everything_and_an_old_one_nothing_twice(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, effects: Effects, reporting: Database
) -> None:
    people = People()
    key = uuid_utils.uuid7()
    service = await run_service(people.definition())
    people.put(key, 2, "Ana")
    await published(service, *(Record(str(key), version, activated(key), DAY) for version in (1, 2, 3)))
    lost = kafka_settings("membership", topic_prefix=f"{service.settings.topic_prefix}new.")
    from shared.messaging.topics import make_topics

    await make_topics(lost)
    definition = Definition("reporting", consumers=[Consumer(effects.name, {MembershipActivated: effects.handle,
                                                                            PersonState: effects.handle})])  # fmt: skip
    chosen = {"membership": people.definition(), "reporting": definition}

    def settings_of(name: str) -> Settings:
        return kafka_settings(name, topic_prefix=lost.topic_prefix)

    async with postgres.connection() as owner:
        sent = await refill(chosen, settings_of, owner)
    assert sent["membership"] >= 4
    listener = await run_service(definition, relay_enabled=False, topic_prefix=lost.topic_prefix)
    await until(lambda: _has(effects, reporting, key, 4))
    assert sorted(await effects.rows(reporting.pool, key)) == [
        (1, "MembershipActivated", "associate"), (2, "MembershipActivated", "associate"), (2, "PersonState", "Ana"),
        (3, "MembershipActivated", "associate"),
    ]  # fmt: skip
    assert listener.consumers[0].not_ready() is None


async def _has(effects: Effects, reporting: Database, key: UUID, count: int) -> bool:
    return len(await effects.rows(reporting.pool, key)) >= count


async def test_snapshot_then_follow_has_no_gap(run_service: Run, client_for: ClientFor) -> None:
    """Note the ends, ask the barrier, read the feed up to it, consume from the noted ends: nothing is missing."""
    service = await run_service(Definition("membership"))
    client = await client_for("membership", definition=Definition("membership"))
    start = (await client.get("/membership/feed/barrier")).json()["sequence"]
    written: list[str] = []

    async def write() -> None:
        for _ in range(60):
            key = uuid_utils.uuid7()
            async with service.unit(actor="t", cause="t") as unit:
                await record(unit, [Record(str(key), 1, activated(key))])
            written.append(str(key))
            await asyncio.sleep(0.005)

    writing = asyncio.create_task(write())
    await until(lambda: len(written) >= 20)
    topic = service.settings.topic_prefix + "membership.membership"
    async with defaults.reader(service.settings, [topic]) as reader:
        places = [TopicPartition(topic, p) for p in reader.partitions_for_topic(topic)]
        if service.settings.kafka_embedded:
            ends = dict.fromkeys(places, 0)  # its ends are not to be trusted: from the beginning
        else:
            ends = await reader.end_offsets(places)
        barrier = (await client.get("/membership/feed/barrier")).json()["sequence"]
        got: set[str] = set()
        async with over_http(client) as feed_of, feed_of("membership") as feed:
            got |= {item.key for page in [p async for p in feed.facts(start, until=barrier)] for _, item in page}
        for place, end in ends.items():
            reader.seek(place, end)
        await writing
        async with asyncio.timeout(20):
            while not set(written) <= got:
                for records in (await reader.getmany(timeout_ms=100)).values():
                    got |= {r.key.decode() for r in records}
    assert got == set(written)
