"""What the first page asks of events: what comes next with how full it is, and what waits for who holds it."""

from datetime import datetime

from shared.http.policy import Allowed
from shared.postgres.pool import Connection, Row

MOST = 5
NEXT = """
SELECT g.slug, g.title, g.kind, g.starts, g.zone, s.capacity, s.taken, s.waiting
FROM gathering g JOIN seating s ON s.gathering_id = g.id
WHERE g.status IN ('published', 'postponed') AND g.ends > $1 ORDER BY g.starts, g.id LIMIT $2
"""
DRAFTS = """
SELECT g.slug, g.title, g.changed_at FROM gathering g
WHERE g.status = 'draft' AND ($1 OR g.cluster_id = ANY ($2::uuid[])) ORDER BY g.changed_at NULLS FIRST, g.id LIMIT 8
"""
OVER = """
SELECT g.slug, g.title, g.ends FROM gathering g
WHERE g.status = 'published' AND g.ends < $3 AND ($1 OR g.cluster_id = ANY ($2::uuid[]))
ORDER BY g.ends, g.id LIMIT 8
"""


async def coming(connection: Connection, now: datetime) -> list[Row]:
    """The next five that are not over, each with its places: capacity (None: no limit), taken, waiting."""
    return list(await connection.fetch(NEXT, now, MOST))


async def drafts(connection: Connection, publishing: Allowed) -> list[Row]:
    """What the reader may publish, the oldest first."""
    return list(await connection.fetch(DRAFTS, publishing.everything, list(publishing.clusters)))


async def over(connection: Connection, publishing: Allowed, now: datetime) -> list[Row]:
    """What is over and of which nobody has said yet that it was held."""
    return list(await connection.fetch(OVER, publishing.everything, list(publishing.clusters), now))
