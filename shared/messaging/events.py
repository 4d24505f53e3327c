"""What a service writes against the bus: events as handlers see them, handlers, sources of state.

No Kafka and no SQL here. A handler gets the events of one batch that concern it, in order per key, and
a `Unit` whose transaction also holds the inbox; it needs no record of another aggregate to have arrived.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from shared.contracts.base import Published, contract_of
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Unit


class EventRefused(Exception):
    """This event can never be applied as it is; it is parked with this reason, and its key waits."""


class Event(NamedTuple):
    """One received fact or state. `data` is the parsed contract; None erases the state of `key`.

    `time` is when it was recorded, `effective` the day it counts from.
    """

    id: UUID
    type: str
    topic: str
    key: str
    version: int
    time: datetime
    effective: date | None
    actor: str
    cause: str
    traceparent: str | None
    data: Any

    @property
    def key_id(self) -> UUID:
        """The key as the id that it is. Raises `EventRefused` when it is none, or an id in another spelling:
        what such a tombstone erased would be another key's row.
        """
        with contextlib.suppress(ValueError):
            value = UUID(self.key)
            if str(value) == self.key:
                return value
        raise EventRefused("key: it is not the id of what the record is about")


Handler = Callable[[Unit, Sequence[Event]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Consumer:
    """One listener: its name is its Kafka group and its column in the inbox.

    `handlers` maps contract models to functions. A function that stands under several models gets all
    their events together, in order; different functions are called one after the other.
    """

    name: str
    handlers: Mapping[type[Published], Handler]

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics (without prefix) that it reads."""
        return tuple(sorted({contract_of(model).topic for model in self.handlers}))

    @property
    def types(self) -> tuple[str, ...]:
        """CloudEvents types that it handles."""
        return tuple(sorted(contract_of(model).type for model in self.handlers))

    def handler_of(self, type_: str) -> Handler | None:
        """The function for a CloudEvents type, None when this consumer skips it."""
        for model, handler in self.handlers.items():
            if contract_of(model).type == type_:
                return handler
        return None


@dataclass(frozen=True, slots=True)
class StateSource:
    """Where the rows behind a state topic are: used by the snapshot feed, by refill and by reconcile.

    `page(connection, after, limit)` gives current rows by ascending key (text order of the UUID);
    `locked(connection, keys)` gives the named rows, locked for update, those that exist.
    """

    page: Callable[[Connection, str | None, int], Awaitable[list[Record]]]
    locked: Callable[[Connection, Sequence[str]], Awaitable[list[Record]]]
