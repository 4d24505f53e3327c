"""Whose an organisation is: which of several lie within a caller's reach, through its memberships.

An organisation belongs to the clusters that it is a member of, was, or has applied to.
"""

from collections.abc import Sequence
from uuid import UUID

from shared.http.policy import Allowed, NotYours
from shared.postgres.pool import Connection

COVERED = """
SELECT o.id FROM organization o
WHERE o.id = ANY ($1::uuid[]) AND (o.id = ANY ($3::uuid[]) OR EXISTS (
    SELECT FROM membership m WHERE m.organization_id = o.id AND m.cluster_id = ANY ($2::uuid[])
))
"""


async def covered(connection: Connection, caller: Allowed, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these organisations that the caller's reach holds."""
    everything, clusters, organizations = caller.span()
    if everything:
        return set(ids)
    if not clusters and not organizations:
        return set()
    return {row["id"] for row in await connection.fetch(COVERED, ids, clusters, organizations)}


async def require(connection: Connection, caller: Allowed, id_: UUID) -> None:
    """Raises `NotYours` when an organisation lies out of the caller's reach."""
    if id_ not in await covered(connection, caller, [id_]):
        raise NotYours("this organisation belongs to another cluster")
