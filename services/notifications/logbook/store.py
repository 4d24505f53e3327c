"""The table of lines. Functions take a connection."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from shared.postgres.pool import Connection

HEAR = """
INSERT INTO heard (id, fact, subject, reason, organization_id, cluster_id, at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""
FORGET = """
DELETE FROM heard WHERE id IN (
    SELECT id FROM heard WHERE subject IS NULL AND at < $1 ORDER BY at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


class Line(NamedTuple):
    """A line: the fact (None: time brought it about), what was written about it or why nothing was, whose it is."""

    id: UUID
    fact: str | None
    subject: str | None
    reason: str | None
    organization_id: UUID | None
    cluster_id: UUID | None
    at: datetime


async def hear(connection: Connection, lines: Sequence[Line]) -> None:
    """Keeps lines; one that is there stays."""
    if lines:
        await connection.execute(HEAR, *zip(*sorted(lines), strict=True))


async def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Removes old lines of facts that concerned nobody; how many."""
    return int((await connection.execute(FORGET, before, limit)).split()[-1])
