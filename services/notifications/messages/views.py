"""Lists over messages: what was or will be sent, and each attempt. Names and addresses are not shown."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from shared.postgres.pool import Connection

PAGE = """
SELECT id, notice_id, person_id, subject, state, created_at, due_at, attempts, settled_at
FROM message
WHERE id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')
  AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR subject = $3)
ORDER BY id LIMIT $4
"""
ONE = """
SELECT id, notice_id, person_id, subject, state, created_at, due_at, attempts, settled_at FROM message WHERE id = $1
"""
DELIVERIES = "SELECT attempt, at, outcome, code FROM delivery WHERE message_id = $1 ORDER BY attempt"


async def messages(
    connection: Connection, *, after: UUID | None, state: str | None, subject: str | None, limit: int
) -> list[Mapping[str, Any]]:
    """Messages by id."""
    return [dict(row) for row in await connection.fetch(PAGE, after, state, subject, limit)]


async def message(connection: Connection, id_: UUID) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]] | None:
    """One message and its delivery log, None when there is none."""
    row = await connection.fetchrow(ONE, id_)
    if row is None:
        return None
    return dict(row), [dict(attempt) for attempt in await connection.fetch(DELIVERIES, id_)]
