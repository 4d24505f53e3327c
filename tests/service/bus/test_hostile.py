"""Records made to break a reader: each is set aside with a reason, and neither stops nor halts the consumer."""

import itertools
import random
import string
from typing import Any

import orjson
import pytest
import uuid_utils.compat as uuid_utils

from shared.contracts.membership import MembershipActivated, PersonState
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received, derived_id, received
from shared.messaging.events import Consumer, EventRefused
from shared.messaging.parked import drop_event, parked_events, retry_key
from shared.postgres.pool import Database
from tests.service.bus.records import Effects, activated, item, person, raw
from tests.service.bus.test_apply import parked, settle

_OFFSETS = itertools.count(1_000_000)
LONG_AGO = 1_400_000_000_000
"""A timestamp of 2014, in ms."""


def structured(value: bytes, key: bytes = b"k", topic: str = "membership.membership") -> Received:
    """A record in structured mode."""
    return received(
        topic=topic, partition=0, offset=1, timestamp=LONG_AGO, key=key, value=value,
        headers=[("content-type", b"application/cloudevents+json")],
    )  # fmt: skip


def incompressible(size: int) -> str:
    """So many characters of which an index entry saves nothing."""
    return "".join(random.Random(size).choices(string.ascii_letters + string.digits, k=size))


def with_key(record: tuple[str, bytes, bytes | None, Any], key: bytes, timestamp: int = 1_790_000_000_000) -> Received:
    """The record under another key."""
    topic, _, value, headers = record
    return received(
        topic=topic, partition=0, offset=next(_OFFSETS), timestamp=timestamp, key=key, value=value, headers=headers
    )  # fmt: skip


@pytest.mark.parametrize("depth", [200, 300, 900, 5000])
def test_a_structured_event_nested_however_deep_is_read_or_told_to_be_wrong(depth: int) -> None:
    body = (
        b'{"specversion":"1.0","id":"%s","type":"t","time":"2026-01-01T00:00:00Z","version":"1","data":%s}'
        % (str(uuid_utils.uuid7()).encode(), b"[" * depth + b"]" * depth)
    )  # fmt: skip
    read = structured(body)
    assert read.problem is None or "nested" in read.problem or "JSON" in read.problem


@pytest.mark.parametrize("size", [1500, 3000, 100_000])
async def test_a_key_that_no_index_could_hold_is_set_aside(reporting: Database, effects: Effects, size: int) -> None:
    huge = incompressible(size).encode()
    good, key = uuid_utils.uuid7(), uuid_utils.uuid7()
    done = await settle(reporting, effects, [with_key(raw(person(key), key, 1), huge), item(person(good), good, 1)])
    assert len(await effects.rows(reporting.pool, good)) == 1
    assert len(done.parked) == 1
    [(_, reason)] = await parked(reporting, effects)
    assert "key" in (reason or "")


async def test_keys_that_are_not_text_are_set_aside_and_not_taken_for_one_another(
    reporting: Database, effects: Effects
) -> None:
    one, two = uuid_utils.uuid7(), uuid_utils.uuid7()
    records = [with_key(raw(person(one, "one"), one, 1), b"\xff\x01"), with_key(raw(person(two), two, 1), b"\xfe\x01")]
    await settle(reporting, effects, records)
    assert await effects.rows(reporting.pool) == []
    reasons = await parked(reporting, effects)
    assert len({key for key, _ in reasons}) == 2
    assert all("UTF-8" in (reason or "") for _, reason in reasons)
    for key, _ in reasons:  # nor does a retry take what was kept of the key for the key
        done = await _retry(reporting, effects, "membership.person.state", key)
        assert (done.applied, done.waiting) == (0, 1)


async def test_a_value_too_large_for_an_index_is_about_the_event(reporting: Database, effects: Effects) -> None:
    """PostgreSQL calls it a limit of the program; it is this event's value that exceeds it."""
    key, good = uuid_utils.uuid7(), uuid_utils.uuid7()
    await settle(reporting, effects, [item(person(key, incompressible(9000)), key, 1), item(person(good), good, 1)])
    assert len(await effects.rows(reporting.pool, good)) == 1
    [(parked_key, reason)] = await parked(reporting, effects)
    assert parked_key == str(key)
    assert "index" in (reason or "")


def test_a_record_without_a_time_of_its_own_is_never_older_than_the_inbox_remembers() -> None:
    """Kafka's timestamp may be 0 or -1; an id below the horizon would count as known and vanish unseen."""
    for timestamp in (0, -1):
        assert derived_id("t", 0, 1, timestamp).int > uuid_utils.uuid7().int


async def test_an_old_tombstone_by_foreign_hands_erases_however_old_its_time_is(
    reporting: Database, effects: Effects
) -> None:
    key = uuid_utils.uuid7()
    await reporting.pool.execute(
        "INSERT INTO consumer (name, types, horizon) VALUES ($1, '{}', uuid_at(now() - interval '90 days'))",
        effects.name,
    )
    await settle(reporting, effects, [item(person(key), key, 1)])
    bare = received(topic="membership.person.state", partition=0, offset=7, timestamp=0, key=str(key).encode(),
                    value=None, headers=[])  # fmt: skip
    await settle(reporting, effects, [bare])
    assert (await effects.rows(reporting.pool))[-1][2] is None


@pytest.mark.parametrize(
    "headers",
    [
        "none is anything",
        {"ce_id": b"x"},
        {"ce_id": b"f37adbda-9de3-470f-902a-dde1bdb9ad66"},
        {"ce_id": None},
        {"ce_version": ...},
        {"ce_version": b"-3"},
        {"ce_time": b"yesterday"},
        {"ce_type": None},
        {"ce_specversion": b"7"},
        {"content-type": b"application/cloudevents+json"},
    ],
)
async def test_a_tombstone_erases_whatever_its_headers_say(
    reporting: Database, effects: Effects, headers: dict[str, Any] | str
) -> None:
    """Compaction asks for nothing but the missing value; a listener that asked for more would keep the person."""
    key = uuid_utils.uuid7()
    topic, raw_key, _, said = raw(PersonState, key, 3, **({} if isinstance(headers, str) else headers))
    if isinstance(headers, str):
        said = [(name, None) for name, _ in said]
    tombstone = with_key((topic, raw_key, None, said), raw_key)
    poison = item(person(key), key, 2, value=b"{no json")
    await settle(reporting, effects, [item(person(key), key, 1), poison])
    assert len(await parked(reporting, effects)) == 1
    await settle(reporting, effects, [tombstone])
    assert (await effects.rows(reporting.pool, key))[-1][2] is None
    assert await parked(reporting, effects) == []


@pytest.mark.parametrize("odd", [b"\xff", b"\x00", b"x" * 2001])
async def test_an_event_whose_type_is_no_text_is_set_aside_and_not_passed_over(
    reporting: Database, effects: Effects, odd: bytes
) -> None:
    key = uuid_utils.uuid7()
    wrong = with_key(raw(activated(key), key, 1, ce_type=b"org.cumulo.membership.MembershipActivated.v1" + odd), b"k")
    assert wrong.problem is not None
    outcome = await settle(reporting, effects, [wrong, item(activated(key), key, 2)])
    assert (len(outcome.parked), len(outcome.applied)) == (1, 1)


def test_a_structured_event_with_an_attribute_nested_however_deep_is_told_to_be_wrong() -> None:
    for depth in (10, 950, 1000, 1020, 5000):
        value = b'{"specversion":"1.0","x":' + b"[" * depth + b"]" * depth + b"}"
        assert structured(value).problem is not None


async def test_a_reason_that_no_column_holds_is_kept_as_it_can_be(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()

    async def refuse(unit: Any, events: Any) -> None:
        raise EventRefused("\x00\ud800 is no name")

    applier = Applier(Consumer(effects.name, {PersonState: refuse}))

    def opened(items: Any) -> Any:
        return reporting.unit(actor="t", cause="t")

    (outcome,) = await applier.settle(opened, [item(person(key), key, 1)])
    assert len(outcome.parked) == 1
    done = await retry_key(reporting, applier, "membership.person.state", str(key), actor="test")
    assert (done.waiting, done.applied) == (1, 0) and "is no name" in (done.reason or "")


# --- what was set aside stays understood when it is tried again ----------------------------------------


async def _retry(reporting: Database, effects: Effects, topic: str, key: object) -> Any:
    return await retry_key(reporting, Applier(effects.consumer()), topic, str(key), actor="test")


async def test_a_parked_fact_without_data_stays_parked_when_tried_again(reporting: Database, effects: Effects) -> None:
    key = uuid_utils.uuid7()
    topic, raw_key, _, headers = raw(activated(key), key, 1)
    empty = received(topic=topic, partition=0, offset=3, timestamp=1_790_000_000_000, key=raw_key, value=None,
                     headers=headers)  # fmt: skip
    await settle(reporting, effects, [empty, item(activated(key), key, 2)])
    done = await _retry(reporting, effects, topic, key)
    assert (done.applied, done.waiting) == (0, 2)
    assert "without data" in (done.reason or "")
    async with reporting.connection() as connection:
        number = (await parked_events(connection, consumer=effects.name))[0].number
    dropped = await drop_event(reporting, Applier(effects.consumer()), number, actor="test")
    assert (dropped.dropped, dropped.applied) == (1, 1)


async def test_an_event_parked_for_its_topic_is_not_applied_by_a_retry(reporting: Database, effects: Effects) -> None:
    """A state on a topic of facts would escape the look at its version."""
    key = uuid_utils.uuid7()
    stray = item(person(key, "stray"), key, 1)._replace(topic="membership.membership")
    await settle(reporting, effects, [stray])
    done = await _retry(reporting, effects, "membership.membership", key)
    assert (done.applied, done.waiting) == (0, 1)
    assert "belongs on the topic" in (done.reason or "")
    assert await effects.rows(reporting.pool) == []


async def test_an_event_of_a_type_that_is_no_longer_handled_stays_parked_with_the_reason(
    reporting: Database, effects: Effects
) -> None:
    key = uuid_utils.uuid7()
    effects.refused = {(str(key), 1)}
    await settle(reporting, effects, [item(person(key), key, 1)])
    fewer = Applier(Consumer(effects.name, {MembershipActivated: effects.handle}))
    done = await retry_key(reporting, fewer, "membership.person.state", str(key), actor="test")
    assert (done.applied, done.waiting) == (0, 1)
    assert "no longer" in (done.reason or "")


def test_deep_json_in_the_value_is_refused_and_does_not_break_the_parser() -> None:
    from pydantic import ValidationError

    for value in (b"[" * 100_000, b'{"person_id":' + b"[" * 5000, b"\xff", b'{"name":"\\ud800"}', orjson.dumps([1])):
        with pytest.raises(ValidationError):
            PersonState.read(value)
