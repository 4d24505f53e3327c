"""Names of organisations and gatherings as they are now: the newest state of each."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from shared.postgres.pool import Connection

Kind = Literal["organization", "gathering"]
PUT = """
INSERT INTO name AS known (id, kind, slug, title, version)
SELECT id, $1, slug, title, version FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[])
    AS r (id, slug, title, version)
ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, title = excluded.title, version = excluded.version
WHERE known.version <= excluded.version
"""
DROP = "DELETE FROM name WHERE id = ANY ($1::uuid[])"


async def put(connection: Connection, kind: Kind, names: Sequence[tuple[UUID, str, str, int]]) -> None:
    """Keeps (id, slug, title, version); newer ones stay."""
    if names:
        await connection.execute(PUT, kind, *zip(*names, strict=True))


async def drop(connection: Connection, ids: Sequence[UUID]) -> None:
    """Forgets them."""
    if ids:
        await connection.execute(DROP, ids)
