"""What the headers of a cluster's own sheets mean, as somebody said before. Functions take a connection."""

from collections.abc import Mapping
from uuid import UUID

from shared.postgres.pool import Connection

REMEMBERED = "SELECT header, field FROM import_column WHERE cluster_id = $1"
REMEMBER = """
INSERT INTO import_column (cluster_id, header, field) SELECT $1, header, field FROM unnest($2::text[], $3::text[])
    AS r (header, field) ORDER BY header
ON CONFLICT (cluster_id, header) DO UPDATE SET field = excluded.field
"""


async def remembered(connection: Connection, cluster_id: UUID) -> dict[str, str | None]:
    """The fields of a cluster's headers, by the headers' keys; None: left out."""
    return {row["header"]: row["field"] for row in await connection.fetch(REMEMBERED, cluster_id)}


async def remember(connection: Connection, cluster_id: UUID, fields: Mapping[str, str | None]) -> None:
    """Keeps what these headers mean from now on."""
    await connection.execute(REMEMBER, cluster_id, list(fields), list(fields.values()))
