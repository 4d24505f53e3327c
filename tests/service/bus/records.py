"""Records as the bus carries them, and a consumer whose effects can be read."""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuid_utils

from shared.contracts.base import Published, contract_of
from shared.contracts.membership import MembershipActivated, MembershipResigned, PersonState
from shared.messaging.cloudevents import Received, headers_of, received
from shared.messaging.events import Consumer, Event, EventRefused
from shared.postgres.pool import Unit

_OFFSETS = itertools.count()
DAY = date(2026, 3, 1)


def activated(key: UUID, category: str = "associate") -> MembershipActivated:
    """A fact of the membership `key`."""
    return MembershipActivated(
        membership_id=key, organization_id=key, cluster_id=key, category=category,  # type: ignore[arg-type]
        origin="application",
    )  # fmt: skip


def resigned(key: UUID) -> MembershipResigned:
    """Another fact of it."""
    return MembershipResigned(membership_id=key, organization_id=key, cluster_id=key, category="associate")


def person(key: UUID, name: str = "Lucía Montes Ferrer") -> PersonState:
    """A state."""
    return PersonState(person_id=key, organization_id=key, name=name, mail="lucia@firma.example", language="es")


def raw(
    data: Published | type[Published],
    key: UUID,
    version: int,
    *,
    id: UUID | None = None,  # noqa: A002
    value: bytes | None = None,
    **changed: Any,
) -> tuple[str, bytes, bytes | None, list[tuple[str, bytes | None]]]:
    """Topic (without prefix), key, value and headers. A class instead of an instance makes a tombstone."""
    tombstone = isinstance(data, type)
    contract = contract_of(data if isinstance(data, type) else type(data))
    headers: list[tuple[str, bytes | None]] = list(
        headers_of(
            id=str(id or uuid_utils.uuid7()), type=contract.type, source="/membership",
            subject=f"{contract.aggregate}/{key}", time=datetime.now(UTC).isoformat(), dataschema=contract.dataschema,
            version=str(version), effective=str(DAY), actor="test", cause="test", traceparent=None,
        )
    )  # fmt: skip
    headers = [(name, changed.get(name, content)) for name, content in headers if changed.get(name, "") is not ...]
    body = value
    if not tombstone and value is None:
        assert isinstance(data, Published)
        body = data.model_dump_json().encode()
    return contract.topic, str(key).encode(), body, headers


def item(data: Published | type[Published], key: UUID, version: int, **more: Any) -> Received:
    """The same as the consumer loop receives it."""
    topic, raw_key, value, headers = raw(data, key, version, **more)
    return received(
        topic=topic, partition=0, offset=next(_OFFSETS), timestamp=int(time.time() * 1000), key=raw_key, value=value,
        headers=headers,
    )  # fmt: skip


class Effects:
    """Handlers that write what they were given into `bus_effect`, and refuse what a test names."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.refused: set[tuple[str, int]] = set()
        self.fails_with: Callable[[], Exception] | None = None
        self.calls: list[list[str]] = []

    async def handle(self, unit: Unit, events: Sequence[Event]) -> None:
        """Adds a row an event, in order."""
        self.calls.append([event.type.split(".")[-2] for event in events])
        for event in events:
            if (event.key, event.version) in self.refused:
                raise EventRefused(f"version {event.version} is refused by the test")
            label = None if event.data is None else getattr(event.data, "name", None) or event.data.category
            await unit.connection.execute(
                "INSERT INTO bus_effect (consumer, key, version, type, label) VALUES ($1, $2, $3, $4, $5)",
                self.name, event.key, event.version, event.type.split(".")[-2], label,
            )  # fmt: skip
        if self.fails_with is not None:
            raise self.fails_with()

    def consumer(self) -> Consumer:
        """Facts and a state into the one handler."""
        return Consumer(self.name, dict.fromkeys((MembershipActivated, MembershipResigned, PersonState), self.handle))

    async def rows(self, connection: Any, key: UUID | None = None) -> list[tuple[int, str, str | None]]:
        """(version, type, label) in the order of their effect."""
        rows = await connection.fetch(
            "SELECT version, type, label FROM bus_effect WHERE consumer = $1 AND ($2::text IS NULL OR key = $2)"
            " ORDER BY number",
            self.name, str(key) if key else None,
        )  # fmt: skip
        return [tuple(row) for row in rows]


async def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Waits until the condition (a function or coroutine function) gives something true; returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, "the condition did not come to hold"
        await asyncio.sleep(0.02)
