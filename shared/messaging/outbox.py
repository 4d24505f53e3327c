"""Recording: what a command decided goes into the outbox, in the command's own transaction.

Only what stands in the catalogue and fits gets in, so that nothing unpublishable is ever committed.
One statement for any number of records.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import uuid_utils

from shared.contracts.base import Contract, Published, State, contract_of
from shared.messaging.cloudevents import MAX_KEY_BYTES
from shared.postgres.pool import Unit

MAX_PAYLOAD_BYTES = 512 * 1024


class NotPublishable(ValueError):
    """A record that no topic could carry: unknown contract, too large, a fact without a value."""


class Record(NamedTuple):
    """One fact or state of an aggregate. `version` is the aggregate's after it, dense per aggregate for facts.

    `effective` is the day it counts from, in the zone of whom it concerns.
    """

    key: str
    version: int
    data: Published
    effective: date | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """A tombstone: the state of `key` is erased on its topic, for good."""

    key: str
    version: int
    state: type[State]


_INSERT = """
INSERT INTO outbox (id, aggregatetype, aggregateid, version, type, dataschema, source, subject, effective, payload,
                    time, actor, cause, traceparent)
SELECT id, topic, key, version, type, dataschema, source, subject, effective, payload,
       $11::timestamptz, $12::text, $13::text, $14::text
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::date[], $10::jsonb[])
    WITH ORDINALITY AS r (id, topic, key, version, type, dataschema, source, subject, effective, payload, n)
ORDER BY n
"""
_COLUMNS = (
    "id", "aggregatetype", "aggregateid", "version", "type", "dataschema", "source", "subject", "effective", "payload",
    "time", "actor", "cause", "traceparent",
)  # fmt: skip
COPY_FROM = 100
"""From so many records on they are copied: less work per row on both sides, one more round trip."""


Row = tuple[object, ...]
"""What the outbox holds of a record, in the order of its columns, but for the last four: those of the unit."""


async def record(unit: Unit, records: Sequence[Record | Erased]) -> None:
    """Puts facts and states into the outbox, in this order.

    Raises `NotPublishable`; the whole unit is then to be rolled back. A fact whose version is already
    waiting for the same aggregate raises `asyncpg.UniqueViolationError`.
    """
    await put(unit, rows_of(records))


def rows_of(records: Sequence[Record | Erased]) -> list[Row]:
    """The checked rows of these records: all that takes time but no connection. Raises `NotPublishable`."""
    return [_row(item) for item in records]


async def put(unit: Unit, rows: Sequence[Row]) -> None:
    """Puts checked rows into the outbox, in this order; the second half of `record`."""
    if not rows:
        return
    circumstances = (unit.now, unit.actor, unit.cause, unit.traceparent)
    if len(rows) >= COPY_FROM:
        whole = [row + circumstances for row in rows]
        await unit.connection.copy_records_to_table("outbox", records=whole, columns=_COLUMNS)
    else:
        await unit.connection.execute(_INSERT, *zip(*rows, strict=True), *circumstances)
    unit.recorded += len(rows)


class _Form(NamedTuple):
    """What every row of one contract has in common, worked out once."""

    contract: Contract
    dataschema: str
    source: str
    subject: str
    json: Callable[[Published], bytes]


@lru_cache(maxsize=1024)
def _form(model: type[Published]) -> _Form:
    try:
        contract = contract_of(model)
    except KeyError:
        raise NotPublishable(f"{model.__name__} is not in the catalogue of contracts") from None
    return _Form(
        contract, contract.dataschema, f"/{contract.service}", f"{contract.aggregate}/",
        model.__pydantic_serializer__.to_json,
    )  # fmt: skip


def _row(item: Record | Erased) -> Row:
    if isinstance(item, Record):
        key, version, data, effective = item
        contract, dataschema, source, subject, json = _form(type(data))
        # what `model_dump_json` does, without a look at its dozen options for each record
        raw = json(data)
        if len(raw) > MAX_PAYLOAD_BYTES:
            raise NotPublishable(f"{contract.name} of {key} has {len(raw)} bytes, more than {MAX_PAYLOAD_BYTES}")
        payload = raw.decode()
    else:
        key, version, effective, payload = item.key, item.version, None, None
        contract, dataschema, source, subject, _ = _form(item.state)
        if contract.kind != "state":
            raise NotPublishable(f"{contract.name} is a fact; only a state is erased")
    # a character has at most four bytes: most keys need no encoding to be counted
    if not key or (len(key) * 4 > MAX_KEY_BYTES and len(key.encode("utf-8", "replace")) > MAX_KEY_BYTES):
        raise NotPublishable(f"{contract.name} needs a key of 1 to {MAX_KEY_BYTES} bytes, not {key[:40]!r}")
    return (
        str(uuid_utils.uuid7()), contract.topic, key, version, contract.type, dataschema, source, subject + key,
        effective, payload,
    )  # fmt: skip
