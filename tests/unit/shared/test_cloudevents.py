"""Reading whatever a topic may hold, and finding the partition that every Kafka client finds."""

from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat as uuid_utils
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.apply import headers_to_json
from shared.messaging.cloudevents import derived_id, headers_of, received
from shared.messaging.kafka import murmur2 as our_murmur2
from shared.messaging.kafka import partition_of
from shared.messaging.parked import headers_from_json

HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_type", "ce_time", "ce_version", "ce_specversion", "content-type", "ce_effective",
                         "ce_actor", "ce_cause", "ce_traceparent", "x"]),
        st.one_of(st.none(), st.binary(max_size=40), st.just(b"1.0"), st.just(b"application/cloudevents+json"),
                  st.just(str(uuid_utils.uuid7()).encode()), st.just(b"2026-01-01T00:00:00Z"), st.just(b"7")),
    ),
    max_size=12,
)  # fmt: skip


@given(HEADERS, st.one_of(st.none(), st.binary(max_size=60)), st.one_of(st.none(), st.binary(max_size=60)))
def test_no_record_is_too_odd_to_be_read(
    headers: list[tuple[str, bytes | None]], key: bytes | None, value: bytes | None
) -> None:
    read = received(
        topic="membership.person.state", partition=3, offset=9, timestamp=-1, key=key, value=value, headers=headers
    )
    assert read.problem is None or read.problem
    assert read.id.version == 7
    assert "\x00" not in read.key + read.type + read.actor + read.cause


@given(HEADERS)
def test_parked_headers_come_back_as_they_were(headers: list[tuple[str, bytes | None]]) -> None:
    assert headers_from_json(headers_to_json(headers)) == headers


def test_what_is_written_is_read_the_same() -> None:
    event_id, time = uuid_utils.uuid7(), datetime.now(UTC)
    headers = headers_of(
        id=str(event_id), type="t", source="/s", subject="x/1", time=time.isoformat(), dataschema="urn:x", version="3",
        effective="2026-02-28", actor="a", cause="ñ", traceparent="00-1-2-01",
    )  # fmt: skip
    read = received(topic="x.y", partition=0, offset=0, timestamp=0, key=b"k", value=b"{}", headers=headers)
    assert read.problem is None
    assert (read.id, read.type, read.version, read.time) == (event_id, "t", 3, time)
    assert (str(read.effective), read.actor, read.cause, read.traceparent) == ("2026-02-28", "a", "ñ", "00-1-2-01")


def test_a_record_without_an_id_has_a_stable_one_by_its_place_and_time() -> None:
    one, same, other = (derived_id("t", 1, offset, 1_700_000_000_000) for offset in (5, 5, 6))
    assert one == same != other
    assert one != derived_id("t", 1, 5, 1_700_000_000_001)
    assert one.version == 7
    assert one.variant == UUID(int=one.int).variant


@given(st.binary(max_size=80))
def test_the_hash_of_a_key_is_kafkas_own(key: bytes) -> None:
    assert our_murmur2(key) == murmur2(key)
    assert 0 <= partition_of(key, 6) < 6


def test_known_partitions_of_the_java_client() -> None:
    # values of org.apache.kafka.common.utils.Utils.murmur2, as its own tests list them
    assert our_murmur2(b"21") - 2**32 == -973932308
    assert our_murmur2(b"foobar") - 2**32 == -790332482
