"""Which gatherings stand in a calendar: of everybody, of one cluster, of one person."""

from datetime import datetime, timedelta
from uuid import UUID

from services.events.calendars.domain import Entry
from services.events.gatherings import store, views
from services.events.gatherings.views import Asked
from shared.postgres.pool import Connection

KEPT = timedelta(days=400)
MOST = 2000
OF_PERSON = """
SELECT r.gathering_id, r.status FROM registration r JOIN gathering g ON g.id = r.gathering_id
WHERE r.person_id = $1 AND r.status IN ('waiting', 'offered', 'confirmed') AND g.ends > $2
"""


async def of_all(connection: Connection, now: datetime, cluster: str | None = None) -> list[Entry]:
    """What everybody may see, of the network or of one cluster, from a year ago on."""
    asked = Asked(since=now - KEPT, clusters=[cluster] if cluster else None)
    rows = await views.gatherings(connection, asked, MOST)
    return [Entry(one) for one in await store.load(connection, [row["id"] for row in rows])]


async def of_person(connection: Connection, person_id: UUID, now: datetime) -> list[Entry]:
    """What somebody takes part in, or waits for."""
    rows = {row["gathering_id"]: row["status"] for row in await connection.fetch(OF_PERSON, person_id, now - KEPT)}
    return [Entry(one, rows[one.id]) for one in await store.load(connection, list(rows))]
