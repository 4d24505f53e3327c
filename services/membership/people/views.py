"""Whose a representative is: within a caller's reach through the organisation they speak for."""

from uuid import UUID

from shared.http.policy import Allowed, NotYours
from shared.postgres.pool import Connection

WITHIN = """
SELECT p.organization_id = ANY ($3::uuid[]) OR EXISTS (
    SELECT FROM membership m WHERE m.organization_id = p.organization_id AND m.cluster_id = ANY ($2::uuid[])
) FROM person p WHERE p.id = $1
"""


async def require_person(connection: Connection, caller: Allowed, person_id: UUID) -> None:
    """Raises `NotYours` when somebody exists and lies out of the caller's reach."""
    everything, clusters, organizations = caller.span()
    if everything:
        return
    if await connection.fetchval(WITHIN, person_id, clusters, organizations) is False:
        raise NotYours("this person speaks for an organisation of another cluster")
