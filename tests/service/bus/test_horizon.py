"""What the inbox forgets: only what this consumer has long applied, never what it has yet to read."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuid_utils

from shared.messaging.backfill import backfill
from shared.messaging.feed import FeedClient
from shared.postgres.pool import Database
from tests.conftest import UnitFor
from tests.service.bus.records import Effects, activated, item
from tests.service.bus.test_apply import settle

REGISTER = "INSERT INTO consumer (name, types) VALUES ($1, $2)"
NOW = datetime(2031, 6, 15, 12, tzinfo=UTC)
PRUNE = "SELECT inbox_prune($1)"


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


async def test_a_backfill_applies_facts_that_are_older_than_the_horizon(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    old = item(activated(key), key, 1, id=id_of(datetime.now(UTC) - timedelta(days=400)))
    await reporting.pool.execute(
        "INSERT INTO consumer (name, types, horizon, since)"
        " VALUES ($1, '{}', uuid_at(now() - interval '90 days'), now() - interval '2 years')",
        effects.name,
    )

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
