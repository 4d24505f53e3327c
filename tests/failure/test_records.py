"""Records as they should not be: doubled, out of order, poisonous, malformed, unknown, odd. None stops the rest.

One world for all of these; each test uses keys of its own.
"""

import secrets
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
import pytest
import uuid_utils.compat as uuid_utils

from shared.messaging.apply import Applier
from shared.messaging.parked import drop_event, retry_key
from tests.conftest import Kafka
from tests.failure import membership, reporting
from tests.failure.children import Nursery
from tests.failure.raw import topics
from tests.failure.records import Hand, event_headers, person
from tests.failure.servers import OwnPostgres
from tests.failure.world import World

pytestmark = pytest.mark.requires_real_kafka

FACTS, PEOPLE, STANDINGS = "membership.membership", "membership.person.state", "membership.standing.state"


@pytest.fixture(scope="module")
async def calm(
    requires_real_kafka: Kafka,
    own_postgres: OwnPostgres,
    nursery: Nursery,
    checkers: Nursery,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    """A relay and a listener, nothing else writes."""
    folder = tmp_path_factory.mktemp("failure-records")
    world = World(
        f"f{secrets.token_hex(4)}", own_postgres.cluster, requires_real_kafka.bootstrap, folder, nursery, checkers
    )
    try:
        await world.begin()
        world.start("membership", "membership-1")
        world.start("reporting", "reporting-1")
        yield world
    finally:
        await world.end()


@pytest.fixture
async def hand(calm: World) -> AsyncIterator[Hand]:
    """A producer by hand in that world."""
    async with Hand(calm.bootstrap, calm.prefix, calm.injected) as made:
        yield made


async def _advance(world: World, key: UUID, *, facts: int = 1, cluster: UUID = membership.CLUSTER) -> None:
    async with world.membership() as (pool, journal):
        async with pool.unit(actor="test", cause="test") as unit:
            written = await membership.advance(
                unit, key, await membership.load(unit, key), facts=facts, cluster=cluster
            )
        journal.acknowledged(key, written)


async def _person(world: World, key: UUID, name: str | None) -> None:
    """Renames a person; None erases."""
    async with world.membership() as (pool, journal):
        async with pool.unit(actor="test", cause="test") as unit:
            if name is None:
                written = await membership.erase_person(unit, key)
            else:
                written = await membership.change_person(unit, key, name=name)
        journal.acknowledged(key, written)


async def _effects(world: World, key: UUID | str, count: int) -> None:
    sql = "SELECT count(*) = $2 FROM reporting.failure_effect WHERE key = $1 AND generation = 'live'"
    await world.holds(sql, str(key), count)


async def _copy(world: World, key: UUID | str, text: str | None) -> None:
    sql = "SELECT (SELECT text FROM reporting.failure_copy WHERE topic = $1 AND key = $2) IS NOT DISTINCT FROM $3"
    await world.holds(sql, PEOPLE, str(key), text)


async def _parked(world: World, key: UUID | str, count: int) -> None:
    await world.holds("SELECT count(*) = $2 FROM reporting.parked WHERE key = $1", str(key), count)


async def test_every_record_a_second_time_has_no_second_effect(calm: World, hand: Hand) -> None:
    key, somebody = uuid_utils.uuid7(), uuid_utils.uuid7()
    await _advance(calm, key, facts=4)
    await _person(calm, somebody, "Once")
    await calm.settled()
    copies = [copy for copy in await topics(calm.bootstrap, calm.prefix) if copy.key in (str(key), str(somebody))]
    for copy in [*copies, *reversed(copies)]:
        await hand.repeat(copy)
    await calm.is_sound(rebuilt=False)
    await _effects(calm, key, 4)


async def test_an_older_state_after_a_newer_one_changes_nothing(calm: World, hand: Hand) -> None:
    key, erased = uuid_utils.uuid7(), uuid_utils.uuid7()
    await _person(calm, erased, "To Be Erased")
    await _person(calm, key, "First")
    await calm.settled()
    old = {copy.key: copy for copy in await topics(calm.bootstrap, calm.prefix)}
    await _person(calm, key, "Second")
    await _person(calm, erased, None)
    await calm.settled()
    # under other ids, as a relay that publishes late by another way would
    for somebody, name in ((key, "First"), (erased, "To Be Erased")):
        await hand.put(PEOPLE, str(somebody), person(str(somebody), name), event_headers("PersonState", 1),
                       partition=old[str(somebody)].partition)  # fmt: skip
    await calm.is_sound(rebuilt=False)
    await _copy(calm, key, "Second")
    await _copy(calm, erased, None)


async def test_an_invalid_payload_is_parked_with_its_reason_and_its_key_waits_in_order(calm: World, hand: Hand) -> None:
    key, other = uuid_utils.uuid7(), uuid_utils.uuid7()
    await _advance(calm, key)
    await _effects(calm, key, 1)
    await hand.put(FACTS, str(key), {"category": "imaginary"}, event_headers("MembershipActivated", 2))
    await _parked(calm, key, 1)
    await _advance(calm, key, facts=3)
    await _advance(calm, other, facts=2)
    await _effects(calm, other, 2)
    await _parked(calm, key, 4)
    await calm.is_sound(rebuilt=False)
    number, reason = await _first_parked(calm, key)
    assert "membership_id" in reason
    async with calm.reporting() as pool:
        done = await drop_event(pool, Applier(reporting.consumer()), number, actor="test")
    assert (done.dropped, done.applied, done.waiting) == (1, 3, 0)
    await _effects(calm, key, 4)
    await calm.is_sound(rebuilt=False)


async def test_what_a_handler_refuses_waits_until_the_handler_is_mended(calm: World) -> None:
    key, other = uuid_utils.uuid7(), uuid_utils.uuid7()
    await _advance(calm, key, facts=2, cluster=membership.REFUSED_CLUSTER)
    await _advance(calm, key)
    await _advance(calm, other, facts=2)
    await _parked(calm, key, 3)
    await _effects(calm, other, 2)
    await calm.is_sound(rebuilt=False)
    mended = calm.folder / "mended-by-hand"
    async with calm.reporting() as pool:
        applier = Applier(reporting.consumer(mended=mended))
        still = await retry_key(pool, applier, FACTS, str(key), actor="test")
        assert (still.applied, still.waiting) == (0, 3)
        assert still.reason is not None and "this cluster is not known here" in still.reason
        mended.touch()
        done = await retry_key(pool, applier, FACTS, str(key), actor="test")
    assert (done.applied, done.waiting) == (3, 0)
    await calm.is_sound(rebuilt=False)


async def _first_parked(world: World, key: UUID | str) -> tuple[int, str]:
    async with world.cluster.connection(database=world.name) as connection:
        row = await connection.fetchrow(
            "SELECT number, reason FROM reporting.parked WHERE key = $1 ORDER BY number LIMIT 1", str(key)
        )
    assert row is not None and row["reason"] is not None
    return row["number"], row["reason"]


_OF_A_FACT = "MembershipActivated"
_MALFORMED: dict[str, tuple[Any, list[tuple[str, bytes | None]], str]] = {
    "no headers": ({}, [], "specversion"),
    "an id that is no UUID": ({}, event_headers(_OF_A_FACT, 1, ce_id=b"17"), "not a UUID"),
    "an id that is no UUIDv7": (
        {}, event_headers(_OF_A_FACT, 1, ce_id=b"7f6cf2f0-60b7-4a2f-a3b9-0a4a4fb7ff0e"), "not a UUIDv7"
    ),
    "a value that is not JSON": (b"\xff{", event_headers(_OF_A_FACT, 1), "JSON"),
    "no value": (None, event_headers(_OF_A_FACT, 1), "without data"),
    "no version": ({}, event_headers(_OF_A_FACT, 1, ce_version=b"many"), "version"),
    "a time without an offset": ({}, event_headers(_OF_A_FACT, 1, ce_time=b"2026-01-15T12:00:00"), "offset"),
    "a null id": ({}, event_headers(_OF_A_FACT, 1, ce_id=None), "'id' is missing"),
    "an id that is not UTF-8": ({}, event_headers(_OF_A_FACT, 1, ce_id=b"\xff\xfe"), "not UTF-8"),
    "another specversion": ({}, event_headers(_OF_A_FACT, 1, ce_specversion=b"0.3"), "not 1.x"),
    "a structured event that is not JSON": (
        b"no", [("content-type", b"application/cloudevents+json")], "not JSON"
    ),
    "a fact on another topic": ({}, event_headers("PersonState", 1), "belongs on the topic"),
}  # fmt: skip


async def test_malformed_records_are_parked_one_by_one_and_the_rest_of_their_batch_is_applied(
    calm: World, hand: Hand
) -> None:
    before, after = uuid_utils.uuid7(), uuid_utils.uuid7()
    keys = {what: str(uuid_utils.uuid7()) for what in _MALFORMED}
    await _advance(calm, before, facts=2)
    for what, (value, headers, _) in _MALFORMED.items():
        await hand.put(FACTS, keys[what], value, headers, partition=0)
    await hand.put(FACTS, None, {}, event_headers(_OF_A_FACT, 1), partition=0)
    await _advance(calm, after, facts=2)
    for key in (before, after):
        await _effects(calm, key, 2)
    for what, (_, _, told) in _MALFORMED.items():
        await _parked(calm, keys[what], 1)
        assert told in (await _first_parked(calm, keys[what]))[1], what
    await _parked(calm, "", 1)
    await calm.is_sound(rebuilt=False)


async def test_a_type_that_nobody_knows_is_passed_over_and_holds_nothing(calm: World, hand: Hand) -> None:
    key = uuid_utils.uuid7()
    await _advance(calm, key)
    await hand.put(FACTS, str(key), {"anything": 1}, event_headers("MembershipPainted", 2))
    await hand.put(FACTS, str(key), b"not even JSON", event_headers("MembershipPainted", 3))
    await _advance(calm, key, facts=2)
    await _effects(calm, key, 3)
    await _parked(calm, key, 0)
    await calm.is_sound(rebuilt=False)


async def test_odd_headers_do_not_cost_a_record_or_its_batch(calm: World, hand: Hand) -> None:
    odd: dict[str, list[tuple[str, bytes | None]]] = {
        str(uuid_utils.uuid7()): event_headers("PersonState", 1, **more)
        for more in (
            {"x-null": None}, {"x-binary": b"\xff\xfe\x00"}, {"ce_traceparent": None}, {"ce_actor": None},
            {"content-type": None}, {"ce_unknown": b"\xff"},
        )
    }  # fmt: skip
    plain = uuid_utils.uuid7()
    for key, headers in odd.items():
        await hand.put(PEOPLE, key, person(key, "Odd"), headers)
    twice = str(uuid_utils.uuid7())
    await hand.put(PEOPLE, twice, person(twice, "Twice"), [("x", b"1"), *event_headers("PersonState", 1), ("x", None)])
    await _person(calm, plain, "Plain")
    await _copy(calm, plain, "Plain")
    await _copy(calm, twice, "Twice")
    for key in odd:
        await _copy(calm, key, "Odd")
    await calm.is_sound(rebuilt=False)


async def test_a_tombstone_passes_what_is_parked_before_it_and_lifts_the_hold(calm: World, hand: Hand) -> None:
    key = uuid_utils.uuid7()
    await _person(calm, key, "Known")
    await _copy(calm, key, "Known")
    await hand.put(PEOPLE, str(key), {"name": 1}, event_headers("PersonState", 2))
    await _parked(calm, key, 1)
    await _person(calm, key, "Waiting")
    await _parked(calm, key, 2)
    await _copy(calm, key, "Known")
    await _person(calm, key, None)
    await _copy(calm, key, None)
    await _parked(calm, key, 0)
    await calm.holds("SELECT NOT EXISTS (SELECT FROM reporting.parked_key WHERE key = $1)", str(key))
    await calm.is_sound(rebuilt=False)


async def test_a_tombstone_without_any_header_erases(calm: World, hand: Hand) -> None:
    key = str(uuid_utils.uuid7())
    await hand.put(PEOPLE, key, person(key, "Foreign"), event_headers("PersonState", 1))
    await _copy(calm, key, "Foreign")
    await hand.put(PEOPLE, key, None, [])
    await _copy(calm, key, None)
    await hand.put(PEOPLE, key, person(key, "Back"), event_headers("PersonState", 9))
    await calm.settled()
    await _copy(calm, key, None)


async def test_the_structured_mode_is_read_too(calm: World, hand: Hand) -> None:
    key = str(uuid_utils.uuid7())
    event = {
        "specversion": "1.0", "id": str(uuid_utils.uuid7()), "type": "org.cumulo.membership.PersonState.v1",
        "source": "/elsewhere", "time": "2026-01-15T12:00:00Z", "version": 1, "datacontenttype": "application/json",
        "data": person(key, "Structured", unknown_field="is ignored"),
    }  # fmt: skip
    headers: list[tuple[str, bytes | None]] = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    await hand.put(PEOPLE, key, orjson.dumps(event), headers)
    await _copy(calm, key, "Structured")
    await calm.is_sound(rebuilt=False)
