"""Records put into the topics by hand: copies of real ones, foreign ones, and ones that no producer of ours writes.

Their places are noted, so that the checker knows them; copies are not noted, since they must not matter.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import uuid_utils.compat as uuid_utils
from aiokafka import AIOKafkaProducer

from tests.failure.raw import Copy

RawHeaders = Sequence[tuple[str, bytes | None]]


def event_headers(name: str, version: int, **more: bytes | None) -> list[tuple[str, bytes | None]]:
    """Headers of a membership contract's event as our own producer writes them; `more` replaces or adds."""
    headers: dict[str, bytes | None] = {
        "content-type": b"application/json", "ce_specversion": b"1.0", "ce_id": str(uuid_utils.uuid7()).encode(),
        "ce_type": f"org.cumulo.membership.{name}.v1".encode(), "ce_source": b"/membership", "ce_subject": b"by/hand",
        "ce_time": b"2026-01-15T12:00:00.000000Z", "ce_version": str(version).encode(), "ce_actor": b"by-hand",
        "ce_cause": b"failure test",
    }  # fmt: skip
    return list((headers | more).items())


def person(key: str, name: str, **more: Any) -> dict[str, Any]:
    """The data of a PersonState."""
    return {
        "person_id": key, "organization_id": "01900000-0000-7000-8000-0000000000a1", "name": name,
        "mail": "person@example.org", "language": "es", **more,
    }  # fmt: skip


class Hand:
    """A plain producer, and the notes of what it sent."""

    def __init__(self, bootstrap: str, prefix: str, notes: Path) -> None:
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        self._prefix = prefix
        self._notes = notes

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()

    async def put(
        self, topic: str, key: str | None, value: Any, headers: RawHeaders, *, partition: int | None = None
    ) -> None:
        """Sends a record that is not the bus's own; its place is noted. `value`: bytes as they are, else JSON."""
        raw = value if value is None or isinstance(value, bytes) else orjson.dumps(value)
        sent = await self._producer.send_and_wait(
            self._prefix + topic, key=key.encode() if key is not None else None, value=raw, headers=list(headers),
            partition=partition,
        )  # fmt: skip
        with self._notes.open("ab") as notes:
            place = {"topic": topic, "partition": sent.partition, "offset": sent.offset}
            notes.write(orjson.dumps(place, option=orjson.OPT_APPEND_NEWLINE))

    async def repeat(self, copy: Copy, *, noted: bool = False) -> None:
        """Sends a record once more, exactly as it was."""
        if noted:
            await self.put(copy.topic, copy.key, copy.value, list(copy.headers.items()), partition=copy.partition)
            return
        await self._producer.send_and_wait(
            self._prefix + copy.topic, key=copy.key.encode(), value=copy.value, headers=list(copy.headers.items()),
            partition=copy.partition,
        )  # fmt: skip

    async def publish(self, row: Any) -> None:
        """Sends one row of an outbox as a relay would."""
        optional = {"ce_effective": row["effective"].isoformat().encode()} if row["effective"] else {}
        headers = {
            "content-type": b"application/json", "ce_specversion": b"1.0", "ce_id": str(row["id"]).encode(),
            "ce_type": row["type"].encode(), "ce_source": row["source"].encode(), "ce_subject": row["subject"].encode(),
            "ce_time": row["time"].isoformat().encode(), "ce_dataschema": row["dataschema"].encode(),
            "ce_version": str(row["version"]).encode(), "ce_actor": row["actor"].encode(),
            "ce_cause": row["cause"].encode(), **optional,
        }  # fmt: skip
        await self._producer.send_and_wait(
            self._prefix + row["aggregatetype"], key=row["aggregateid"].encode(),
            value=row["payload"].encode() if row["payload"] is not None else None, headers=list(headers.items()),
        )  # fmt: skip
