"""A reader's own notices: every message to their address, whatever became of its mail, and what they have read."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.notifications.preferences.domain import TOPICS
from shared.postgres.pool import Connection

_TOPIC = "CASE m.subject " + " ".join(
    f"WHEN '{subject}' THEN '{topic}'" for topic, subjects in TOPICS.items() for subject in subjects
) + " END"  # fmt: skip
OWN = f"""
SELECT m.id, m.subject, m.state, m.created_at, r.at AS read_at
FROM (
    SELECT m.* FROM message m JOIN person p USING (person_id) WHERE address_key(p.mail) = $1
    UNION ALL
    SELECT m.* FROM message m JOIN registration g ON g.registration_id = m.person_id WHERE address_key(g.mail) = $1
) AS m
LEFT JOIN reading r ON r.message_id = m.id AND r.reader = $2
WHERE NOT EXISTS (SELECT FROM preference f WHERE f.address = $1 AND f.topic = {_TOPIC} AND NOT f.inbox)
"""
PAGE = f"""
SELECT * FROM ({OWN}) AS own
WHERE ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid)) AND (NOT $5 OR read_at IS NULL)
ORDER BY created_at DESC, id DESC LIMIT $6
"""
UNREAD = f"SELECT count(*) FROM ({OWN}) AS own WHERE read_at IS NULL"
IDS = f"SELECT id FROM ({OWN}) AS own WHERE read_at IS NULL AND ($3::uuid[] IS NULL OR id = ANY ($3))"
"""Those of the reader's own that are not read yet: nobody marks what is another's."""


class Noted(NamedTuple):
    """One notice; `read_at` is None until it was read."""

    id: UUID
    subject: str
    state: str
    created_at: datetime
    read_at: datetime | None


async def own(
    connection: Connection, address: str, reader: UUID, before: tuple[datetime, UUID] | None, limit: int, *,
    unread: bool = False,
) -> list[Noted]:  # fmt: skip
    """The newest first, behind a place."""
    at, id_ = before or (None, None)
    return [Noted(*row) for row in await connection.fetch(PAGE, address, reader, at, id_, unread, limit)]


async def unread(connection: Connection, address: str, reader: UUID) -> int:
    """How many are not read."""
    return int(await connection.fetchval(UNREAD, address, reader))


async def unread_among(
    connection: Connection, address: str, reader: UUID, ids: Sequence[UUID] | None
) -> list[UUID]:  # fmt: skip
    """Those of the reader's own unread ones that are named; None: all."""
    return [row["id"] for row in await connection.fetch(IDS, address, reader, ids)]
