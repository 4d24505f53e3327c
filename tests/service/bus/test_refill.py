"""Refill and reconcile where they meet what runs beside them: relays, listeners that lag, waiting rows, strays."""

from collections.abc import Callable

import pytest
import uuid_utils.compat as uuid_utils

from shared.contracts.membership import MembershipActivated
from shared.messaging import refill as refilling
from shared.messaging.cloudevents import received
from shared.messaging.events import Consumer
from shared.messaging.outbox import Record, record
from shared.messaging.parked import parked_keys
from shared.messaging.reconcile import reconcile
from shared.messaging.refill import refill
from shared.messaging.topics import make_topics
from shared.postgres.pool import Database
from shared.runtime.service import Definition
from shared.runtime.settings import Settings
from tests.service.bus.conftest import Run
from tests.service.bus.records import DAY, Effects, activated, item, person, raw, until
from tests.service.bus.test_apply import settle
from tests.service.bus.test_consumer import produce
from tests.service.bus.test_feed import PEOPLE, People, _drained, published
from tests.service.bus.test_relay import TOPIC, leads, read
from tests.stack.database import Cluster

MakeSettings = Callable[..., Settings]


async def test_no_relay_publishes_between_the_look_at_the_topics_and_the_first_record(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, databases: dict[str, Database],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A newer fact that came first would lie before the older ones of its key, for every new listener."""
    service = await run_service(Definition("membership"))
    key = uuid_utils.uuid7()
    await published(service, *(Record(str(key), version, activated(key), DAY) for version in (1, 2)))
    lost = kafka_settings("membership", topic_prefix=f"{service.settings.topic_prefix}new.")
    await make_topics(lost)
    look = refilling._refuse_unless_empty
    held: list[bool] = []

    async def looked(settings: Settings, topics: list[str]) -> None:
        await look(settings, topics)
        async with databases["membership"].connection() as connection, connection.transaction():
            held.append(not await connection.fetchval("SELECT pg_try_advisory_xact_lock(relay_lock())"))

    monkeypatch.setattr(refilling, "_refuse_unless_empty", looked)
    async with postgres.connection() as owner:
        await refill({"membership": Definition("membership")}, lambda name: lost, owner)
        assert held == [True]
        assert await owner.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = "
                                    "pg_backend_pid()") == 0  # fmt: skip
    mine = [r for r in await read(lost, TOPIC, 2) if r.key == str(key).encode()]
    assert [int(dict(r.headers)["ce_version"]) for r in mine] == [1, 2]


async def test_what_is_needed_begins_at_the_oldest_fact_that_some_listener_lacks(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, databases: dict[str, Database],
    effects: Effects, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(refilling, "AT_LEAST_FACTS", 2)
    service = await run_service(Definition("membership"))
    keys = [uuid_utils.uuid7() for _ in range(10)]
    start = await service.database.pool.fetchval("SELECT coalesce(max(sequence), 0) FROM history")
    await published(service, *(Record(str(key), 1, activated(key), DAY) for key in keys))
    ids = [row[0] for row in await service.database.pool.fetch("SELECT id FROM history ORDER BY sequence")]
    listener = Definition("reporting", consumers=[Consumer(effects.name, {MembershipActivated: effects.handle})])
    reporting = databases["reporting"]
    both = {"membership": Definition("membership"), "reporting": listener}
    async with postgres.connection() as owner:
        # it has everything: the least, whatever lies before
        await reporting.pool.execute("INSERT INTO inbox SELECT $1, unnest($2::uuid[])", effects.name, ids)
        assert await refilling._first_needed(owner, both, "membership") == start + 8
        # it lacks the fourth
        await reporting.pool.execute("DELETE FROM inbox WHERE consumer = $1 AND id = $2", effects.name, ids[start + 3])
        assert await refilling._first_needed(owner, both, "membership") == start + 3
        # and sent is what begins there
        lost = kafka_settings("membership", topic_prefix=f"{service.settings.topic_prefix}new.")
        await make_topics(lost)
        sent = await refill(both, lambda name: kafka_settings(name, topic_prefix=lost.topic_prefix), owner,
                            all_facts=False)  # fmt: skip
        assert sent["membership"] == 7
    assert {r.key.decode() for r in await read(lost, TOPIC, 7)} == {str(key) for key in keys[3:]}


async def test_who_was_erased_while_a_listener_was_behind_is_erased_there_by_a_refill(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, effects: Effects, reporting: Database
) -> None:
    """The tombstone went down with the lost Kafka; the owner keeps no trace of whom it erased."""
    people = People()
    gone, kept = uuid_utils.uuid7(), uuid_utils.uuid7()
    people.put(kept, 1, "Ana")
    await settle(reporting, effects, [item(person(gone), gone, 3), item(person(kept, "Ana"), kept, 1)])
    new = kafka_settings("membership", topic_prefix=f"{kafka_settings('membership').topic_prefix}lost.")
    await make_topics(new)
    both = {"membership": people.definition(), "reporting": Definition("reporting", consumers=[effects.consumer()])}
    async with postgres.connection() as owner:
        await refill(both, lambda name: kafka_settings(name, topic_prefix=new.topic_prefix), owner)
    service = await run_service(
        Definition("reporting", consumers=[effects.consumer()]), topic_prefix=new.topic_prefix, relay_enabled=False
    )

    async def erased() -> bool:
        return any(row[2] is None for row in await effects.rows(service.database.pool, gone))

    await until(erased)
    assert all(row[2] is not None for row in await effects.rows(service.database.pool, kept))


async def test_who_was_erased_while_only_a_record_set_aside_told_of_them_is_erased_by_a_refill(
    run_service: Run, kafka_settings: MakeSettings, postgres: Cluster, effects: Effects, reporting: Database
) -> None:
    """It would be applied by the first retry. Nor does the highest version there is keep anybody from being erased."""
    aside, highest = uuid_utils.uuid7(), uuid_utils.uuid7()
    effects.refused = {(str(aside), 3)}
    odd = received(topic=PEOPLE, partition=0, offset=1, timestamp=1, key=b"\xff", value=b"{}", headers=[])
    await settle(reporting, effects, [item(person(highest), highest, 2**63 - 1), odd, item(person(aside), aside, 3)])
    async with reporting.connection() as connection:
        assert len(await parked_keys(connection, effects.name)) == 2
    new = kafka_settings("membership", topic_prefix=f"{kafka_settings('membership').topic_prefix}lost.")
    await make_topics(new)
    listener = Definition("reporting", consumers=[effects.consumer()])
    both = {"membership": People().definition(), "reporting": listener}
    async with postgres.connection() as owner:
        await refill(both, lambda name: kafka_settings(name, topic_prefix=new.topic_prefix), owner)
    await run_service(listener, topic_prefix=new.topic_prefix, relay_enabled=False)

    async def erased() -> bool:
        return [(await effects.rows(reporting.pool, key))[-1:] for key in (aside, highest)] == [
            [(1, "PersonState", None)], [(2**63 - 1, "PersonState", None)],
        ]  # fmt: skip

    await until(erased)
    async with reporting.connection() as connection:
        assert [key for _, _, key in await parked_keys(connection, effects.name)] == [odd.key]


async def test_reconcile_erases_what_has_the_highest_version_there_is(run_service: Run) -> None:
    """A version behind it does not exist, and the pass would end there, for every other key of the topic too."""
    service = await run_service(People().definition())
    gone = uuid_utils.uuid7()
    await produce(service.settings, raw(person(gone), gone, 2**63 - 1))
    assert (await reconcile(service))[PEOPLE].erased == 1
    await until(lambda: _drained(service))
    assert (await reconcile(service))[PEOPLE].erased == 0


async def test_reconcile_leaves_alone_what_waits_to_be_published(
    run_service: Run, kafka_settings: MakeSettings
) -> None:
    people = People()
    changed, erased = uuid_utils.uuid7(), uuid_utils.uuid7()
    settings = kafka_settings("membership")
    await produce(settings, raw(person(changed, "old"), changed, 1), raw(person(erased), erased, 1))
    people.put(changed, 2, "new")
    service = await run_service(people.definition(), relay_enabled=False)
    async with service.unit(actor="t", cause="t") as unit:
        await record(unit, [people.rows[changed], Record(str(erased), 2, person(erased, "will be published"))])
    done = (await reconcile(service))[PEOPLE]
    assert (done.compared, done.published, done.erased) == (2, 0, 0)
    await service.database.pool.execute("DELETE FROM outbox")


async def test_reconcile_publishes_again_behind_a_record_that_is_no_event(
    run_service: Run, kafka_settings: MakeSettings
) -> None:
    """Compaction keeps the newest record of a key whatever it is; a stray one would be all a new listener sees."""
    people = People()
    key, stranger = uuid_utils.uuid7(), uuid_utils.uuid7()
    people.put(key, 3, "Ana")
    settings = kafka_settings("membership")
    await produce(
        settings, raw(person(key, "Ana"), key, 3), raw(person(key, "Ana"), key, 3, ce_id=b"no id"),
        raw(person(stranger), stranger, 1, ce_id=b"no id"),
    )  # fmt: skip
    service = await run_service(people.definition())
    await leads(service)
    done = (await reconcile(service))[PEOPLE]
    assert (done.published, done.erased) == (1, 0)
    await until(lambda: _drained(service))
    last = [r for r in await read(settings, PEOPLE, 4) if r.key == str(key).encode()][-1]
    assert dict(last.headers)["ce_cause"] == b"reconcile"
    assert (await reconcile(service))[PEOPLE].published == 0


async def test_only_one_replica_reconciles_at_a_time(run_service: Run, postgres: Cluster) -> None:
    service = await run_service(People().definition(), relay_enabled=False)
    async with postgres.connection(role="cumulo_membership") as other:
        await other.execute("SELECT pg_advisory_lock(hashtextextended('membership.reconcile', 0))")
        assert await reconcile(service) == {}
    assert PEOPLE in await reconcile(service)


async def test_a_state_that_is_published_again_reaches_who_missed_it_and_changes_nothing_for_others(
    reporting: Database, effects: Effects
) -> None:
    key = uuid_utils.uuid7()
    await settle(reporting, effects, [item(person(key, "three"), key, 3)])
    again = await settle(reporting, effects, [item(person(key, "three"), key, 3)])
    assert (again.outdated, len(await effects.rows(reporting.pool))) == (1, 1)
