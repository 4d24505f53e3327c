"""Recording: what a command decided goes into the outbox, in the command's own transaction.

Only what stands in the catalogue and fits gets in, so that nothing unpublishable is ever committed.
One statement for any number of records.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import uuid_utils

from shared.contracts.base import Contract, Published, State, contract_of
from shared.messaging.cloudevents import MAX_KEY_BYTES
from shared.postgres.pool import Unit

MAX_PAYLOAD_BYTES = 512 * 1024


class NotPublishable(ValueError):
    """A record that no topic could carry: unknown contract, too large, a fact without a value."""


@dataclass(frozen=True, slots=True)
class Record:
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
INSERT INTO outbox (id, aggregatetype, aggregateid, version, type, dataschema, source, subject,
                    time, effective, actor, cause, traceparent, payload)
SELECT id, topic, key, version, type, dataschema, '/' || split_part(topic, '.', 1),
       split_part(topic, '.', 2) || '/' || key, $8::timestamptz, effective, $9::text, $10::text, $11::text, payload
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::date[], $12::jsonb[])
    WITH ORDINALITY AS r (id, topic, key, version, type, dataschema, effective, payload, n)
ORDER BY n
"""


_COLUMNS = (
    "id", "aggregatetype", "aggregateid", "version", "type", "dataschema", "source", "subject", "time", "effective",
    "actor", "cause", "traceparent", "payload",
)  # fmt: skip
COPY_FROM = 100
"""From so many records on they are copied: less work per row on both sides, one more round trip."""


Row = tuple[object, ...]
"""A row of the outbox, in the order of its columns."""


async def record(unit: Unit, records: Sequence[Record | Erased]) -> None:
    """Puts facts and states into the outbox, in this order.

    Raises `NotPublishable`; the whole unit is then to be rolled back. A fact whose version is already
    waiting for the same aggregate raises `asyncpg.UniqueViolationError`.
    """
    await put(unit, rows_of(unit, records))


def rows_of(unit: Unit, records: Sequence[Record | Erased]) -> list[Row]:
    """The checked rows of these records: all that takes time but no connection. Raises `NotPublishable`."""
    return [_row(unit, item) for item in records]


async def put(unit: Unit, rows: Sequence[Row]) -> None:
    """Puts checked rows into the outbox, in this order; the second half of `record`."""
    if not rows:
        return
    if len(rows) >= COPY_FROM:
        await unit.connection.copy_records_to_table("outbox", records=rows, columns=_COLUMNS)
    else:
        ids, topics, keys, versions, types, schemas, _, _, _, effectives, _, _, _, payloads = zip(*rows, strict=True)
        await unit.connection.execute(
            _INSERT, ids, topics, keys, versions, types, schemas, effectives,
            unit.now, unit.actor, unit.cause, unit.traceparent, payloads,
        )  # fmt: skip
    unit.recorded += len(rows)


def _row(unit: Unit, item: Record | Erased) -> Row:
    contract, payload = _written(item)
    if not 0 < len(item.key.encode("utf-8", "replace")) <= MAX_KEY_BYTES:
        raise NotPublishable(f"{contract.name} needs a key of 1 to {MAX_KEY_BYTES} bytes, not {item.key[:40]!r}")
    return (
        str(uuid_utils.uuid7()), contract.topic, item.key, item.version, contract.type, contract.dataschema,
        f"/{contract.service}", f"{contract.aggregate}/{item.key}", unit.now,
        item.effective if isinstance(item, Record) else None, unit.actor, unit.cause, unit.traceparent, payload,
    )  # fmt: skip


def _written(item: Record | Erased) -> tuple[Contract, str | None]:
    model = item.state if isinstance(item, Erased) else type(item.data)
    try:
        contract = contract_of(model)
    except KeyError:
        raise NotPublishable(f"{model.__name__} is not in the catalogue of contracts") from None
    if isinstance(item, Erased):
        if contract.kind != "state":
            raise NotPublishable(f"{contract.name} is a fact; only a state is erased")
        return contract, None
    payload = item.data.model_dump_json()
    # a character has at most four bytes: most need no encoding to be counted
    if len(payload) * 4 > MAX_PAYLOAD_BYTES and (size := len(payload.encode())) > MAX_PAYLOAD_BYTES:
        raise NotPublishable(f"{contract.name} of {item.key} has {size} bytes, more than {MAX_PAYLOAD_BYTES}")
    return contract, payload
