"""The table of what was read. Functions take a connection."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shared.postgres.pool import Connection

READ = """
INSERT INTO reading (message_id, reader, at) SELECT id, $2, $3 FROM unnest($1::uuid[]) AS r (id) ON CONFLICT DO NOTHING
"""


async def read(connection: Connection, ids: Sequence[UUID], reader: UUID, now: datetime) -> None:
    """These were read now; what was read before keeps its time."""
    await connection.execute(READ, list(ids), reader, now)
