"""What a batch does to the tables: once, in order, newest states only, and aside what cannot be applied."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import uuid_utils.compat as uuid_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.membership import MembershipActivated, PersonState
from shared.messaging.apply import Applier, Outcome
from shared.messaging.cloudevents import Received, received
from shared.postgres.pool import Database, Unit
from tests.service.bus.records import Effects, activated, item, person, resigned


async def settle(database: Database, effects: Effects, items: Sequence[Received]) -> Outcome:
    """Applies a batch as the consumer loop does; the outcomes of its parts added up."""

    @asynccontextmanager
    async def unit(_: Sequence[Received]) -> AsyncIterator[Unit]:
        async with database.unit(actor="test", cause="test") as opened:
            yield opened

    total = Outcome()
    for done in await Applier(effects.consumer()).settle(unit, items):
        total.applied += done.applied
        total.duplicates += done.duplicates
        total.skipped += done.skipped
        total.outdated += done.outdated
        total.parked += done.parked
        total.keys_parked += done.keys_parked
    return total


async def parked(database: Database, effects: Effects) -> list[tuple[str, str | None]]:
    rows = await database.pool.fetch("SELECT key, reason FROM parked WHERE consumer = $1 ORDER BY number", effects.name)
    return [(row["key"], row["reason"]) for row in rows]


async def test_an_event_that_comes_twice_has_its_effect_once(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    event = item(activated(key), key, 1)
    first = await settle(reporting, effects, [event, event])
    second = await settle(reporting, effects, [event])
    assert await effects.rows(reporting.pool) == [(1, "MembershipActivated", "associate")]
    assert (first.duplicates, second.duplicates) == (1, 1)


async def test_events_of_several_types_reach_one_handler_in_order(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    await settle(
        reporting, effects, [item(activated(key), key, 1), item(resigned(key), key, 2), item(activated(key), key, 3)]
    )
    assert effects.calls == [["MembershipActivated", "MembershipResigned", "MembershipActivated"]]


async def test_types_that_nobody_handles_are_skipped_and_counted(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    unknown = item(activated(key), key, 1, ce_type=b"org.cumulo.membership.Unheard.v1")
    done = await settle(reporting, effects, [unknown, item(activated(key), key, 2)])
    assert done.skipped == 1
    assert await effects.rows(reporting.pool) == [(2, "MembershipActivated", "associate")]


async def test_only_a_newer_state_is_applied_and_of_a_batch_the_newest(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    await settle(reporting, effects, [item(person(key, "one"), key, 1), item(person(key, "three"), key, 3),
                                      item(person(key, "two"), key, 2)])  # fmt: skip
    late = await settle(reporting, effects, [item(person(key, "two again"), key, 2)])
    await settle(reporting, effects, [item(person(key, "four"), key, 4)])
    assert [row[2] for row in await effects.rows(reporting.pool)] == ["three", "four"]
    assert late.outdated == 1


async def test_an_erased_key_stays_erased(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    await settle(reporting, effects, [item(person(key), key, 1)])
    await settle(reporting, effects, [item(PersonState, key, 2)])
    back = await settle(reporting, effects, [item(person(key), key, 1), item(person(key), key, 3)])
    assert [row[2] for row in await effects.rows(reporting.pool)] == ["Lucía Montes Ferrer", None]
    assert back.outdated == 2


async def test_a_tombstone_by_foreign_hands_erases(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    await settle(reporting, effects, [item(person(key), key, 1)])
    bare = received(topic="membership.person.state", partition=0, offset=7, timestamp=1_700_000_000_000,
                    key=str(key).encode(), value=None, headers=[])  # fmt: skip
    await settle(reporting, effects, [bare])
    assert (await effects.rows(reporting.pool))[-1][2] is None


async def test_a_refused_event_is_parked_with_the_later_ones_of_its_key_and_nothing_else(
    reporting: Database, effects: Effects
) -> None:
    bad, good = uuid_utils.uuid7(), uuid_utils.uuid7()
    effects.refused = {(str(bad), 2)}
    batch = [item(activated(k), k, v) for v in (1, 2, 3) for k in (bad, good)]
    done = await settle(reporting, effects, batch)
    assert [row[0] for row in await effects.rows(reporting.pool, good)] == [1, 2, 3]
    assert [row[0] for row in await effects.rows(reporting.pool, bad)] == [1]
    waiting = await parked(reporting, effects)
    assert [key for key, _ in waiting] == [str(bad), str(bad)]
    assert "version 2 is refused" in (waiting[0][1] or "")
    assert waiting[1][1] is None
    assert done.keys_parked == 1
    # a later batch finds the key held, and what was parked is in the inbox like all else
    again = await settle(reporting, effects, [item(activated(bad), bad, 4), *batch])
    assert (len(again.parked), again.duplicates) == (1, len(batch))
    assert len(await parked(reporting, effects)) == 3


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"value": b"{not json"}, "JSON"),
        ({"value": b'{"membership_id": 7}'}, "membership_id"),
        ({"ce_id": b"not-a-uuid"}, "not a UUID"),
        ({"ce_id": b"5f3e4a52-7c0a-4f0e-9d0f-3c5a4c1e2d3b"}, "UUIDv7"),
        ({"ce_id": ...}, "'id' is missing"),
        ({"ce_id": None}, "'id' is missing"),
        ({"ce_time": b"yesterday"}, "RFC 3339"),
        ({"ce_time": b"9999-12-31T23:59:59.999999Z"}, "no year"),
        ({"ce_time": b"0001-01-01T00:00:00Z"}, "no year"),
        ({"ce_version": b"-1"}, "positive"),
        ({"ce_actor": b"\xff\xfe"}, "not UTF-8"),
        ({"ce_specversion": b"0.3"}, "1.x"),
    ],
)
async def test_what_is_no_event_is_parked_with_the_reason(
    reporting: Database, effects: Effects, changed: dict[str, Any], reason: str
) -> None:
    key, other = uuid_utils.uuid7(), uuid_utils.uuid7()
    await settle(reporting, effects, [item(activated(key), key, 1, **changed), item(activated(other), other, 1)])
    assert await effects.rows(reporting.pool, key) == []
    assert len(await effects.rows(reporting.pool, other)) == 1
    [(parked_key, said)] = await parked(reporting, effects)
    assert parked_key == str(key)
    assert reason in (said or "")


async def test_what_the_database_refuses_is_about_the_event(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    await settle(reporting, effects, [item(person(key, "unacceptable"), key, 1)])
    assert "CheckViolation" in ((await parked(reporting, effects))[0][1] or "")


async def test_a_fault_of_the_program_changes_nothing_and_is_not_parked(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    effects.fails_with = lambda: asyncpg.UndefinedColumnError("no such column")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await settle(reporting, effects, [item(activated(key), key, 1)])
    assert await effects.rows(reporting.pool) == []
    assert await parked(reporting, effects) == []
    assert await reporting.pool.fetchval("SELECT count(*) FROM inbox WHERE consumer = $1", effects.name) == 0
    effects.fails_with = None
    await settle(reporting, effects, [item(activated(key), key, 1)])
    assert len(await effects.rows(reporting.pool)) == 1


async def test_a_tombstone_passes_the_hold_and_erases_what_is_parked(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    await settle(reporting, effects, [item(person(key), key, 1), item(person(key, "unacceptable"), key, 2)])
    await settle(reporting, effects, [item(person(key, "newer"), key, 3)])
    assert len(await parked(reporting, effects)) == 2
    await settle(reporting, effects, [item(PersonState, key, 4)])
    assert await parked(reporting, effects) == []
    assert (await effects.rows(reporting.pool))[-1] == (4, "PersonState", None)
    assert await reporting.pool.fetchval("SELECT count(*) FROM parked_key WHERE consumer = $1", effects.name) == 0


async def test_an_event_below_the_horizon_counts_as_known(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    old = UUID(int=(int((datetime.now(UTC) - timedelta(days=400)).timestamp() * 1000) << 80) | 7 << 76 | 2 << 62)
    await reporting.pool.execute(
        "INSERT INTO consumer (name, types, horizon) VALUES ($1, '{}', uuid_at(now() - interval '90 days'))",
        effects.name,
    )
    done = await settle(reporting, effects, [item(activated(key), key, 1, id=old), item(activated(key), key, 2)])
    assert done.duplicates == 1
    assert [row[0] for row in await effects.rows(reporting.pool)] == [2]


async def test_overlapping_batches_at_once_neither_deadlock_nor_double(reporting: Database, effects: Effects) -> None:
    keys = [uuid_utils.uuid7() for _ in range(200)]
    items = [item(activated(key), key, 1) for key in keys]
    for _ in range(5):
        one, other = random.sample(items, 150), random.sample(items, 150)
        await asyncio.gather(settle(reporting, effects, one), settle(reporting, effects, other))
    await settle(reporting, effects, items)
    assert len(await effects.rows(reporting.pool)) == len(keys)


async def test_a_type_on_a_foreign_topic_is_parked(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    stray = item(activated(key), key, 1)._replace(topic="membership.organization")
    await settle(reporting, effects, [stray])
    assert "belongs on the topic membership.membership" in ((await parked(reporting, effects))[0][1] or "")
    assert MembershipActivated in effects.consumer().handlers


def _scenario(keys: Sequence[UUID]) -> list[list[Received]]:
    a, b, c = keys
    return [
        [item(activated(a), a, 1), item(resigned(a), a, 2), item(activated(a), a, 3)],
        [item(activated(b), b, 1), item(resigned(b), b, 2)],
        [item(person(b, "one"), b, 1), item(person(b, "two"), b, 2)],
        [item(person(c, "one"), c, 1), item(PersonState, c, 2)],
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_every_interleaving_ends_in_the_same_effects(
    data: st.DataObject, reporting: Database, effect_table: None
) -> None:
    """Order kept per key, else any; with doubles of what came before; in batches of any size."""
    queues = _scenario([uuid_utils.uuid7() for _ in range(3)])
    queues_left = [list(queue) for queue in queues]
    order: list[Received] = []
    while any(queues_left):
        queue = data.draw(st.sampled_from([q for q in queues_left if q]))
        order.append(queue.pop(0))
        if data.draw(st.integers(0, 3)) == 0:
            order.append(data.draw(st.sampled_from(order)))
    effects = Effects(f"bus.{uuid_utils.uuid7()}")
    while order:
        size = data.draw(st.integers(1, 6))
        await settle(reporting, effects, order[:size])
        order = order[size:]
    final = {}
    for queue in queues:
        key = UUID(queue[0].key)
        rows = await effects.rows(reporting.pool, key)
        facts = [row for row in rows if row[1] != "PersonState"]
        states = [row for row in rows if row[1] == "PersonState"]
        final[queue[0].topic, queue[0].key] = (facts, states[-1:])
    a, b, c = (final[queues[0][0].topic, queues[0][0].key], final[queues[1][0].topic, queues[1][0].key],
               final[queues[3][0].topic, queues[3][0].key])  # fmt: skip
    assert [row[0] for row in a[0]] == [1, 2, 3]
    assert [row[0] for row in b[0]] == [1, 2]
    assert b[1] == [(2, "PersonState", "two")]
    assert c[1] == [(2, "PersonState", None)]
