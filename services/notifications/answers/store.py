"""The table of answers: what a reader did first with a message, and whether they took note of it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shared.postgres.pool import Connection

ANSWER = """
INSERT INTO answer (message_id, how, at) SELECT id, $2, $3 FROM unnest($1::uuid[]) AS r (id)
ON CONFLICT (message_id) DO UPDATE SET how = excluded.how, at = excluded.at
WHERE answer.how = 'read' AND excluded.how = 'acknowledged'
RETURNING message_id
"""


async def answer(connection: Connection, ids: Sequence[UUID], how: str, now: datetime) -> list[UUID]:
    """Those of these messages of which this was not known yet."""
    return [row["message_id"] for row in await connection.fetch(ANSWER, sorted(ids), how, now)]
