"""Recording: only what can be published gets into the outbox, in order, and only the relay's way leads out of it."""

from datetime import date

import asyncpg
import pytest
import uuid_utils.compat as uuid_utils

from shared.contracts.base import Fact
from shared.contracts.membership import OrganizationState, PersonState
from shared.messaging.outbox import Erased, NotPublishable, Record, record
from tests.conftest import UnitFor
from tests.service.bus.records import activated, person
from tests.stack.database import Cluster


class Unlisted(Fact):
    """A fact that was never put into the catalogue: it belongs to no service."""

    number: int


async def test_records_lie_in_the_order_in_which_they_were_given(unit_for: UnitFor) -> None:
    unit = await unit_for("membership")
    keys = [str(uuid_utils.uuid7()) for _ in range(250)]
    await record(unit, [Record(key, 1, activated(uuid_utils.uuid7()), date(2026, 1, 1)) for key in keys])
    await record(unit, [Erased(keys[0], 2, PersonState)])
    rows = await unit.connection.fetch("SELECT aggregateid, payload, effective FROM outbox ORDER BY position")
    assert [row["aggregateid"] for row in rows] == [*keys, keys[0]]
    assert rows[-1]["payload"] is None
    assert unit.recorded == 251


@pytest.mark.parametrize("count", [1, 150])
async def test_few_and_many_records_become_the_same_rows(unit_for: UnitFor, count: int) -> None:
    unit = await unit_for("membership", actor="somebody", cause="a request")
    key = uuid_utils.uuid7()
    await record(unit, [Record(str(key), n + 1, activated(key), date(2026, 1, 1)) for n in range(count)])
    rows = await unit.connection.fetch("SELECT DISTINCT ON (type) * FROM outbox ORDER BY type, position")
    assert dict(rows[0]) | {"position": 0, "id": 0, "payload": 0} == {
        "position": 0, "id": 0, "payload": 0, "aggregatetype": "membership.membership", "aggregateid": str(key),
        "version": 1, "type": "org.cumulo.membership.MembershipActivated.v1",
        "dataschema": "urn:cumulo:contract:membership.MembershipActivated.v1", "source": "/membership",
        "subject": f"membership/{key}", "time": unit.now, "effective": date(2026, 1, 1), "actor": "somebody",
        "cause": "a request", "traceparent": None,
    }  # fmt: skip


async def test_what_is_not_in_the_catalogue_is_refused(unit_for: UnitFor) -> None:
    unit = await unit_for("membership")
    with pytest.raises(NotPublishable, match="Unlisted is not in the catalogue"):
        await record(unit, [Record("x", 1, Unlisted(number=1))])
    assert await unit.connection.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_payload_over_512_kilobytes_is_refused(unit_for: UnitFor) -> None:
    unit = await unit_for("membership")
    key = uuid_utils.uuid7()
    state = OrganizationState(
        organization_id=key, slug="x", legal_name="ñ" * 300_000, trade_name="x", type="company", country="MX",
        state=None, city=None, positions=[],
    )  # fmt: skip
    with pytest.raises(NotPublishable, match="more than 524288"):
        await record(unit, [Record(str(key), 1, state)])


@pytest.mark.parametrize("key", ["", "k" * 1001, "ñ" * 501])
async def test_a_key_that_no_listener_would_take_is_refused(unit_for: UnitFor, key: str) -> None:
    unit = await unit_for("membership")
    for wrong in (Record(key, 1, activated(uuid_utils.uuid7())), Erased(key, 1, PersonState)):
        with pytest.raises(NotPublishable, match="needs a key"):
            await record(unit, [wrong])
    with pytest.raises(NotPublishable, match="only a state is erased"):
        await record(unit, [Erased("x", 1, type(activated(uuid_utils.uuid7())))])  # type: ignore[arg-type]
    assert (await unit.connection.fetchval("SELECT count(*) FROM outbox"), unit.recorded) == (0, 0)


async def test_one_version_of_an_aggregate_cannot_wait_twice(unit_for: UnitFor) -> None:
    unit = await unit_for("membership")
    key = uuid_utils.uuid7()
    await record(unit, [Record(str(key), 1, activated(key)), Record(str(key), 1, person(key))])
    with pytest.raises(asyncpg.UniqueViolationError):
        await record(unit, [Record(str(key), 1, activated(key))])


async def test_the_service_cannot_write_history_nor_change_the_outbox(postgres: Cluster) -> None:
    async with postgres.connection(role="cumulo_membership") as service:
        await service.execute("SET search_path = membership")
        for statement in (
            "INSERT INTO history SELECT * FROM history",
            "UPDATE history SET cause = 'x'",
            "DELETE FROM history",
            "DELETE FROM history_0",
            "UPDATE outbox SET cause = 'x'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(statement)


async def test_rows_leave_the_outbox_only_under_the_relays_lock(postgres: Cluster) -> None:
    async with (
        postgres.connection(role="cumulo_membership") as relay,
        postgres.connection(role="cumulo_membership") as other,
    ):
        for connection in (relay, other):
            await connection.execute("SET search_path = membership")
        async with relay.transaction():
            await relay.execute("SELECT pg_advisory_xact_lock(relay_lock())")
            with pytest.raises(asyncpg.RaiseError, match="only the relay"):
                await other.fetchval("SELECT outbox_published('{}')")


async def test_history_is_gapless_in_the_order_of_positions_and_states_stay_out_of_it(unit_for: UnitFor) -> None:
    unit = await unit_for("membership")
    key = uuid_utils.uuid7()
    await record(
        unit,
        [Record(str(key), 1, activated(key)), Record(str(key), 1, person(key)), Record(str(key), 2, activated(key))],
    )
    before = await unit.connection.fetchval("SELECT coalesce(max(sequence), 0) FROM history")
    positions = await unit.connection.fetchval("SELECT array_agg(position ORDER BY position DESC) FROM outbox")
    assert await unit.connection.fetchval("SELECT outbox_published($1)", positions) == 3
    rows = await unit.connection.fetch(
        "SELECT sequence, version FROM history WHERE sequence > $1 ORDER BY sequence", before
    )
    assert [tuple(row) for row in rows] == [(before + 1, 1), (before + 2, 2)]
    assert await unit.connection.fetchval("SELECT count(*) FROM outbox") == 0


async def test_history_and_inbox_grow_by_partitions_made_ahead(unit_for: UnitFor) -> None:
    unit = await unit_for("membership")
    await unit.connection.execute("SELECT history_partitions(2500000)")
    assert await unit.connection.fetchval("SELECT to_regclass('history_3') IS NOT NULL")
    await unit.connection.execute("SELECT inbox_partitions('2031-11-15T00:00Z')")
    assert await unit.connection.fetchval("SELECT to_regclass('inbox_203201') IS NOT NULL")
    await unit.connection.execute("INSERT INTO consumer (name, types, since) VALUES ('c', '{}', '2026-01-01T00:00Z')")
    await unit.connection.execute(
        "INSERT INTO inbox VALUES ('c', uuid_at('2031-11-20T00:00Z')), ('c', uuid_at('2032-01-12T00:00Z'))"
    )
    assert await unit.connection.fetchval("SELECT inbox_prune('2031-12-10T00:00Z')") >= 1
    assert await unit.connection.fetchval("SELECT count(*) FROM inbox WHERE consumer = 'c'") == 1
    assert await unit.connection.fetchval(
        "SELECT horizon = uuid_at('2031-12-01T00:00Z') FROM consumer WHERE name = 'c'"
    )
