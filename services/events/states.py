"""The rows behind the state topics of events, for the snapshot feed, refill and reconcile.

A draft is not told, and who was erased has no row.
"""

from collections.abc import Sequence
from uuid import UUID

from services.events.gatherings import store as gatherings
from services.events.places import store as places
from shared.messaging.events import StateSource
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection
from shared.refusal import Refusal


class MalformedCursor(Refusal):
    """A page is to begin behind something that is no key."""


async def _gatherings(connection: Connection, after: str | None, limit: int) -> list[Record]:
    return [gatherings.state_record(one) for one in await gatherings.told(connection, _behind(after), limit)]


async def _gatherings_locked(connection: Connection, keys: Sequence[str]) -> list[Record]:
    return [gatherings.state_record(one) for one in await gatherings.lock_told(connection, _ids(keys))]


async def _registrations(connection: Connection, after: str | None, limit: int) -> list[Record]:
    return await places.states(connection, _behind(after), limit)


async def _registrations_locked(connection: Connection, keys: Sequence[str]) -> list[Record]:
    return await places.locked_states(connection, _ids(keys))


def _behind(after: str | None) -> UUID | None:
    behind = _uuid(after) if after else None
    if after and behind is None:
        raise MalformedCursor("after: {after!r} is not an id", after=after, field="after")
    return behind


def _ids(keys: Sequence[str]) -> list[UUID]:
    return [id_ for key in keys if (id_ := _uuid(key)) is not None]


def _uuid(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None


STATES = {
    "events.gathering.state": StateSource(page=_gatherings, locked=_gatherings_locked),
    "events.registration.state": StateSource(page=_registrations, locked=_registrations_locked),
}
