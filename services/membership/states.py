"""The rows behind the state topics of membership, for the snapshot feed, refill and reconcile.

One source per topic: current rows by ascending id, and the named rows under their lock. An erased person
has no row and is never given.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from services.membership.access import store as access
from services.membership.clusters import store as clusters
from services.membership.contacts import store as contacts
from services.membership.memberships import store as memberships
from services.membership.organizations import store as organizations
from services.membership.people import store as people
from services.membership.profiles import store as profiles
from services.membership.segments import store as segments
from shared.messaging.events import StateSource
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection
from shared.refusal import Refusal

T = TypeVar("T")


class MalformedCursor(Refusal):
    """A page is to begin behind something that is no key."""


def _source(
    page: Callable[[Connection, UUID | None, int], Awaitable[list[T]]],
    lock: Callable[[Connection, Sequence[UUID]], Awaitable[list[T]]],
    record: Callable[[T], Record],
) -> StateSource:
    async def rows(connection: Connection, after: str | None, limit: int) -> list[Record]:
        behind = _uuid(after) if after else None
        if after and behind is None:
            raise MalformedCursor("after: {after!r} is not an id", after=after, field="after")
        return [record(row) for row in await page(connection, behind, limit)]

    async def locked(connection: Connection, keys: Sequence[str]) -> list[Record]:
        ids = [id_ for key in keys if (id_ := _uuid(key)) is not None]
        return [record(row) for row in await lock(connection, ids)]

    return StateSource(page=rows, locked=locked)


def _uuid(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None


STATES = {
    "membership.cluster.state": _source(clusters.page, clusters.lock, clusters.state_record),
    "membership.organization.state": _source(organizations.page, organizations.lock, organizations.state_record),
    "membership.profile.state": _source(profiles.page, profiles.lock, profiles.state_record),
    "membership.standing.state": _source(memberships.page, memberships.lock, memberships.state_record),
    "membership.person.state": _source(people.page, people.lock, people.state_record),
    "membership.contact.state": _source(contacts.page, contacts.lock, contacts.state_record),
    "membership.segment.state": _source(segments.page, segments.lock, segments.state_record),
    "membership.access.state": _source(access.page, access.lock, access.access_record),
    "membership.key.state": _source(access.keys_page, access.lock_keys, access.key_record),
}
