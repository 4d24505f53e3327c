"""The addresses of personal calendars. Functions take a connection."""

from datetime import datetime
from uuid import UUID

from shared.postgres.pool import Connection

OF_PERSON = "SELECT token FROM calendar_feed WHERE person_id = $1"
WHOSE = "SELECT person_id FROM calendar_feed WHERE token = $1"
KEEP = """
INSERT INTO calendar_feed (person_id, token, since) VALUES ($1, $2, $3)
ON CONFLICT (person_id) DO UPDATE SET token = excluded.token, since = excluded.since
"""


async def token(connection: Connection, person_id: UUID) -> str | None:
    """The secret part of somebody's address."""
    found: str | None = await connection.fetchval(OF_PERSON, person_id)
    return found


async def person(connection: Connection, secret: str) -> UUID | None:
    """Whose address it is."""
    found: UUID | None = await connection.fetchval(WHOSE, secret)
    return found


async def keep(connection: Connection, person_id: UUID, secret: str, now: datetime) -> None:
    """A new address; the one before opens nothing any more."""
    await connection.execute(KEEP, person_id, secret, now)
