"""What the inbox forgets: only what this consumer has long applied, never what it has yet to read."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils

from shared.contracts.membership import PersonState
from shared.messaging.backfill import backfill
from shared.messaging.cloudevents import received
from shared.messaging.feed import FeedClient
from shared.postgres.pool import Database
from tests.conftest import UnitFor
from tests.service.bus.conftest import Run
from tests.service.bus.records import Effects, activated, item, person, raw, until
from tests.service.bus.test_apply import parked, settle
from tests.service.bus.test_consumer import definition, joined, produce

REGISTER = "INSERT INTO consumer (name, types) VALUES ($1, $2)"
NOW = datetime(2031, 6, 15, 12, tzinfo=UTC)
PRUNE = "SELECT inbox_prune($1)"
BEHIND = """
INSERT INTO consumer (name, types, horizon, since)
VALUES ($1, '{}', uuid_at(now() - interval '90 days'), now() - interval '2 years')
"""
LONG_AGO = 1_400_000_000_000
"""A timestamp of 2014, in ms."""


def id_of(instant: datetime) -> UUID:
    """A new UUIDv7 of that time."""
    return UUID(int=int(instant.timestamp() * 1000) << 80 | uuid_utils.uuid7().int & (2**80 - 1))


async def known(unit: Any, consumer: str, *ids: UUID) -> list[bool]:
    """Whether the inbox would refuse these ids to this consumer."""
    rows = await unit.connection.fetch(
        "SELECT id FROM inbox WHERE consumer = $1 UNION SELECT i FROM unnest($2::uuid[]) i"
        " WHERE i < (SELECT horizon FROM consumer WHERE name = $1)",
        consumer, ids,
    )  # fmt: skip
    return [i in {row[0] for row in rows} for i in ids]


async def test_a_listener_that_began_yesterday_reads_facts_of_years_ago(unit_for: UnitFor) -> None:
    """Facts are kept for ever; the round that forgets may come while a new consumer still reads them."""
    unit = await unit_for("reporting", now=NOW)
    old = id_of(NOW - timedelta(days=400))
    await unit.connection.execute("INSERT INTO consumer (name, types, since) VALUES ('new', '{}', $1)",
                                  NOW - timedelta(days=1))  # fmt: skip
    await unit.connection.execute(PRUNE, NOW - timedelta(days=90))
    assert await known(unit, "new", old) == [False]


async def test_what_a_young_listener_has_applied_of_old_facts_is_remembered(unit_for: UnitFor) -> None:
    """A whole month is forgotten at once; what another consumer still needs of it is kept."""
    unit = await unit_for("reporting", now=NOW)
    month = NOW - timedelta(days=200)
    await unit.connection.execute("SELECT inbox_partitions($1)", month)
    ids = [id_of(month), id_of(NOW - timedelta(days=1000)), id_of(NOW)]
    for name, since in (("old", NOW - timedelta(days=500)), ("young", NOW - timedelta(days=2))):
        await unit.connection.execute("INSERT INTO consumer (name, types, since) VALUES ($1, '{}', $2)", name, since)
        await unit.connection.execute("INSERT INTO inbox SELECT $1, unnest($2::uuid[])", name, ids)
    for _ in range(2):
        await unit.connection.execute(PRUNE, NOW - timedelta(days=90))
        assert await known(unit, "young", *ids) == [True, True, True]
        assert await known(unit, "old", *ids) == [True, True, True]
    assert await unit.connection.fetchval("SELECT count(*) FROM inbox WHERE consumer = 'old'") == 1
    assert await unit.connection.fetchval("SELECT count(*) FROM inbox WHERE consumer = 'young'") == 3


async def test_a_service_that_was_away_for_long_loses_nothing_when_it_comes_back(unit_for: UnitFor) -> None:
    """The horizon follows what a consumer has received, not the clock."""
    unit = await unit_for("reporting", now=NOW)
    stopped = NOW - timedelta(days=200)
    await unit.connection.execute("INSERT INTO consumer (name, types, since) VALUES ('away', '{}', $1)",
                                  NOW - timedelta(days=900))  # fmt: skip
    await unit.connection.execute("INSERT INTO inbox VALUES ('away', $1)", id_of(stopped))
    await unit.connection.execute(PRUNE, NOW - timedelta(days=90))
    unread = [id_of(NOW - timedelta(days=days)) for days in (199, 150, 100)]
    assert await known(unit, "away", *unread) == [False, False, False]


async def test_an_id_of_the_future_does_not_move_what_is_forgotten(unit_for: UnitFor) -> None:
    """One odd record must not make a consumer that was away seem up to date."""
    unit = await unit_for("reporting", now=NOW)
    stopped = NOW - timedelta(days=200)
    await unit.connection.execute("INSERT INTO consumer (name, types, since) VALUES ('away', '{}', $1)",
                                  NOW - timedelta(days=900))  # fmt: skip
    future = UUID("ffffffff-ffff-7000-8000-000000000000")
    await unit.connection.execute("INSERT INTO inbox (consumer, id, at) VALUES ('away', $1, $3), ('away', $2, $3)",
                                  id_of(stopped), future, stopped)  # fmt: skip
    await unit.connection.execute(PRUNE, NOW - timedelta(days=90))
    unread = [id_of(NOW - timedelta(days=days)) for days in (199, 150, 100)]
    assert await known(unit, "away", *unread, future) == [False, False, False, True]


async def test_a_listener_that_was_away_may_read_one_partition_to_its_end_before_the_others(
    run_service: Run, reporting: Database, effects: Effects
) -> None:
    """What it reads first says nothing about what it has yet to read: the round that forgets may come in between."""
    now = datetime.now(UTC)
    keys = [uuid_utils.uuid7() for _ in range(2)]
    await reporting.pool.execute("INSERT INTO consumer (name, types, since) VALUES ($1, $2, $3)",
                                 effects.name, list(effects.consumer().types), now - timedelta(days=900))  # fmt: skip
    await reporting.pool.execute("INSERT INTO inbox (consumer, id, at) VALUES ($1, $2, $3)",
                                 effects.name, id_of(now - timedelta(days=200)), now - timedelta(days=200))  # fmt: skip
    service = await run_service(definition(effects), relay_enabled=False)
    await joined(service)
    await produce(service.settings, raw(activated(keys[0]), keys[0], 1))
    await until(lambda: effects.rows(reporting.pool, keys[0]))
    await reporting.pool.execute(PRUNE, now - timedelta(days=90))
    unread = id_of(now - timedelta(days=150))
    await produce(service.settings, raw(activated(keys[1]), keys[1], 1, id=unread))
    await until(lambda: effects.rows(reporting.pool, keys[1]))


async def test_what_is_no_event_is_set_aside_however_old_its_time_is(reporting: Database, effects: Effects) -> None:
    """It has no id of its own that could be known; taken for known, it would vanish unseen."""
    await reporting.pool.execute(BEHIND, effects.name)
    key = uuid_utils.uuid7()
    topic, raw_key, value, headers = raw(activated(key), key, 1, ce_id=...)
    for offset in (1, 2, 2):
        wrong = received(topic=topic, partition=0, offset=offset, timestamp=LONG_AGO, key=raw_key, value=value,
                         headers=headers)  # fmt: skip
        await settle(reporting, effects, [wrong])
    assert len(await parked(reporting, effects)) == 2
    # the same place on another Kafka is another record
    wrong = received(topic=topic, partition=0, offset=2, timestamp=LONG_AGO + 1, key=raw_key, value=value,
                     headers=headers)  # fmt: skip
    await settle(reporting, effects, [wrong])
    assert len(await parked(reporting, effects)) == 3


@pytest.mark.parametrize("own_id", [True, False])
async def test_a_tombstone_erases_however_old_it_is(reporting: Database, effects: Effects, own_id: bool) -> None:
    await reporting.pool.execute(BEHIND, effects.name)
    key = uuid_utils.uuid7()
    await settle(reporting, effects, [item(person(key), key, 1)])
    topic, raw_key, value, headers = raw(PersonState, key, 2, id=id_of(datetime.now(UTC) - timedelta(days=400)))
    old = received(topic=topic, partition=0, offset=1, timestamp=LONG_AGO, key=raw_key, value=value,
                   headers=headers if own_id else [])  # fmt: skip
    for _ in range(2):
        await settle(reporting, effects, [old])
        assert [row[2] for row in await effects.rows(reporting.pool, key)] == ["Lucía Montes Ferrer", None]
        await reporting.pool.execute(PRUNE, datetime.now(UTC) - timedelta(days=90))


async def test_a_tombstone_that_is_set_aside_and_comes_again_much_later_stays_as_it_is(
    reporting: Database, effects: Effects
) -> None:
    """The inbox has forgotten it meanwhile, the parked have not."""
    await reporting.pool.execute(BEHIND, effects.name)
    key = uuid_utils.uuid7()
    effects.refused = {(str(key), 2)}
    tombstone = item(PersonState, key, 2, id=id_of(datetime.now(UTC) - timedelta(days=400)))
    for _ in range(2):
        await settle(reporting, effects, [tombstone])
        assert len(await parked(reporting, effects)) == 1
        await reporting.pool.execute(PRUNE, datetime.now(UTC) - timedelta(days=90))


async def test_a_backfill_applies_facts_that_are_older_than_the_horizon(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    old = item(activated(key), key, 1, id=id_of(datetime.now(UTC) - timedelta(days=400)))
    await reporting.pool.execute(BEHIND, effects.name)

    class Feed(FeedClient):
        async def raw(self, path: str = "", **query: str | int) -> Any:
            return {"sequence": 1}

        async def facts(self, after: int = 0, *, until: int | None = None, limit: int = 2000) -> Any:
            yield [(1, old)]

        async def states(self, aggregate: str, *, limit: int = 2000) -> Any:
            empty: list[Any] = []
            for page in empty:
                yield page

    done = await backfill(reporting, effects.consumer(), lambda service: Feed(service, "http://nowhere", None))
    assert done["applied"] == 1
    # what it applied is remembered, also by the next round that forgets: run again it would change nothing
    await reporting.pool.execute(PRUNE, datetime.now(UTC) - timedelta(days=90))
    await reporting.pool.execute("UPDATE consumer SET types = '{}' WHERE name = $1", effects.name)
    again = await backfill(reporting, effects.consumer(), lambda service: Feed(service, "http://nowhere", None))
    assert (again["applied"], again["duplicates"]) == (0, 1)
    # and for the loop the horizon stays: what lies below counts as known
    late = item(activated(key), key, 2, id=id_of(datetime.now(UTC) - timedelta(days=300)))
    assert (await settle(reporting, effects, [late])).duplicates == 1
