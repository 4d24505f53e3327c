"""Who is registered at a gathering, as a participant report is compared with it."""

from uuid import UUID

from services.events.reports.domain.matching import Registered
from shared.postgres.pool import Connection

REGISTERED = """
SELECT DISTINCT ON (r.mail_key) r.id, r.name, r.mail, r.status, a.at IS NOT NULL AS seen
FROM registration r LEFT JOIN attendance a ON a.registration_id = r.id
WHERE r.gathering_id = $1 AND NOT r.erased
ORDER BY r.mail_key, r.status IN ('confirmed', 'offered') DESC, r.status = 'waiting' DESC, r.number DESC
"""
"""Each person once: who cancelled and came back stands as they are now."""


async def registered(connection: Connection, gathering_id: UUID) -> list[Registered]:
    """Everybody with a name, whatever became of their registration."""
    return [Registered(**dict(row)) for row in await connection.fetch(REGISTERED, gathering_id)]
