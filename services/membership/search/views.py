"""The clusters within a caller's reach, for the switch of the top bar."""

from shared.http.policy import Allowed
from shared.postgres.pool import Connection, Row

SCOPES = "SELECT id, name FROM cluster WHERE $1 OR id = ANY ($2::uuid[]) ORDER BY sort_key"


async def scopes(connection: Connection, memberships: Allowed) -> list[Row]:
    """Id and name of these clusters, by name."""
    everything, ids, _ = memberships.span()
    return list(await connection.fetch(SCOPES, everything, ids))
