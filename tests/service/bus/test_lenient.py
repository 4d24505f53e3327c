"""A record whose header has a name that is no text: the client cannot read it, and yet nobody waits behind it."""

import struct
import time
from collections.abc import Callable, Sequence

import pytest
import uuid_utils.compat as uuid_utils
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from shared.messaging import kafka
from shared.messaging.lenient import KeptRecords, LenientRecords
from shared.messaging.parked import headers_from_json
from shared.postgres.pool import Database
from shared.runtime.service import Definition
from shared.runtime.settings import Settings
from tests.service.bus.conftest import Run
from tests.service.bus.records import Effects, activated, raw, until

Headers = Sequence[tuple[str, bytes | None]]
PLACEHOLDER, NAME = "~~", b"\xff\xfe"
CRC, AFTER_CRC = 17, 21
NONE, GZIP = 0, 1
TOPIC = "membership.membership"


def with_wrong_names(batch: bytes) -> bytes:
    """A batch in which header names `~~` have become bytes that are no UTF-8; its checksum is right."""
    wrong = bytearray(batch.replace(PLACEHOLDER.encode(), NAME))
    struct.pack_into(">I", wrong, CRC, calc_crc32c(bytes(wrong[AFTER_CRC:])))
    return bytes(wrong)


def batch_of(*headers: Headers, base: int = 0) -> bytes:
    """Records `0`, `1`, … with these headers, as a broker keeps them."""
    builder = DefaultRecordBatchBuilder(2, NONE, 0, -1, -1, -1, 1 << 20)
    for number, some in enumerate(headers):
        builder.append(number, timestamp=1_790_000_000_000, key=b"k", value=b"%d" % number, headers=list(some))
    made = bytearray(builder.build())
    struct.pack_into(">q", made, 0, base)
    return bytes(made)


def read(fetched: bytes, after: int = 0) -> list[tuple[int, bytes | None, Headers]]:
    """(offset, value, headers) of what a fetch from `after` on brought."""
    place = TopicPartition("t", 0)
    found = LenientRecords(place, KeptRecords(fetched), None, after, None, None, True, 0)
    return [(record.offset, record.value, record.headers) for record in found]


GOOD: Headers = (("content-type", b"application/json"), ("ce_id", b"7"))
ODD: Headers = (("ce_id", b"7"), (PLACEHOLDER, b"\xfe"), ("x", None))
READ_ODD: Headers = (("ce_id", b"7"), ("\ufffd\ufffd", b"\xfe"), ("x", None))


def test_the_client_itself_cannot_read_such_a_record() -> None:
    """When this fails the client has learned it, and the guard may go."""
    batch = MemoryRecords(with_wrong_names(batch_of(GOOD, ODD))).next_batch()
    with pytest.raises((UnicodeDecodeError, CorruptRecordException)):
        list(batch)


@pytest.mark.parametrize("after", [0, 1, 2, 4, 6])
def test_all_records_of_a_fetch_are_read_once_and_in_order(after: int) -> None:
    odd = with_wrong_names(batch_of(GOOD, ODD, GOOD, base=2))
    batches = {2: batch_of(GOOD, GOOD), 5: odd, 7: batch_of(ODD, GOOD, base=5)}
    fetched = b"".join(batch for end, batch in batches.items() if end > after)  # as a broker begins
    expected = [
        (0, b"0", GOOD), (1, b"1", GOOD), (2, b"0", GOOD), (3, b"1", READ_ODD), (4, b"2", GOOD), (5, b"0", ODD),
        (6, b"1", GOOD),
    ]  # fmt: skip
    assert read(fetched, after) == expected[after:]


def test_what_is_readable_is_read_by_the_client_itself() -> None:
    found = LenientRecords(TopicPartition("t", 0), KeptRecords(batch_of(GOOD, GOOD)), None, 0, None, None, True, 0)
    assert [record.headers for record in found] == [GOOD, GOOD]
    assert isinstance(found._records, KeptRecords)


def test_a_damaged_batch_is_still_refused() -> None:
    damaged = bytearray(with_wrong_names(batch_of(GOOD, ODD)))
    damaged[CRC] ^= 1
    with pytest.raises(CorruptRecordException):
        read(bytes(damaged))


def test_the_guard_stands_in_every_process_that_reads() -> None:
    assert kafka.reader is not None
    assert (fetcher.PartitionRecords, fetcher.MemoryRecords) == (LenientRecords, KeptRecords)


async def _count(effects: Effects, reporting: Database, count: int) -> bool:
    return len(await effects.rows(reporting.pool)) >= count


async def test_a_consumer_goes_on_past_a_header_whose_name_is_no_text(
    run_service: Run, kafka_settings: Callable[..., Settings], effects: Effects, reporting: Database
) -> None:
    keys = [uuid_utils.uuid7() for _ in range(6)]
    records = [raw(activated(key), key, 1) for key in keys]
    records[1][3].append((PLACEHOLDER, b"\xfe"))
    records[3] = raw(activated(keys[3]), keys[3], 1, ce_id=b"\xff")
    records[3][3].append((PLACEHOLDER, None))
    settings = kafka_settings("reporting")
    place = (settings.topic_prefix + TOPIC, 0)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    try:
        for some in (records[:3], records[3:5], records[5:]):
            batch = producer.create_batch()
            for _, key, value, headers in some:
                batch.append(timestamp=int(time.time() * 1000), key=key, value=value, headers=headers)
            batch._buffer = with_wrong_names(bytes(batch._build()))
            await (await producer.send_batch(batch, place[0], partition=place[1]))
    finally:
        await producer.stop()
    service = await run_service(Definition("reporting", consumers=[effects.consumer()]), relay_enabled=False)
    await until(lambda: _count(effects, reporting, 5))
    applied = await reporting.pool.fetch("SELECT key FROM bus_effect WHERE consumer = $1", effects.name)
    assert {row["key"] for row in applied} == {str(key) for key in keys} - {str(keys[3])}
    [parked] = await reporting.pool.fetch("SELECT * FROM parked WHERE consumer = $1", effects.name)
    assert parked["key"] == str(keys[3])
    assert "id" in parked["reason"]
    assert headers_from_json(parked["headers"])[-1] == ("\ufffd\ufffd", None)
    assert service.consumers[0].not_ready() is None
