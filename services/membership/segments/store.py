"""The table of segments. Functions take a connection."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from services.membership.segments.domain import Segment
from shared.postgres.pool import Connection, Row

COLUMNS = "SELECT id, cluster_id, name, filters::text AS filters, by, at FROM segment "
BY_ID = COLUMNS + "WHERE id = $1"
LIST = COLUMNS + "WHERE $1 OR cluster_id = ANY ($2::uuid[]) ORDER BY lower(name), id LIMIT 500"
INSERT = "INSERT INTO segment (id, cluster_id, name, filters, by, at) VALUES ($1, $2, $3, $4::text::jsonb, $5, $6)"
DELETE = "DELETE FROM segment WHERE id = $1"


async def load(connection: Connection, id_: UUID) -> Segment | None:
    """One segment."""
    row = await connection.fetchrow(BY_ID, id_)
    return _segment(row) if row else None


async def segments(connection: Connection, everything: bool, clusters: Sequence[UUID]) -> list[Segment]:
    """The segments within a reach, by name: those of these clusters, or all."""
    return [_segment(row) for row in await connection.fetch(LIST, everything, clusters)]


async def insert(connection: Connection, new: Segment) -> None:
    """Saves a segment. A name that is taken raises `asyncpg.UniqueViolationError`."""
    filters = orjson.dumps(dict(new.filters)).decode()
    await connection.execute(INSERT, new.id, new.cluster_id, new.name, filters, new.by, new.at)


async def delete(connection: Connection, id_: UUID) -> None:
    """Removes a segment; whom it held stays."""
    await connection.execute(DELETE, id_)


def _segment(row: Row) -> Segment:
    return Segment(**(dict(row) | {"filters": orjson.loads(row["filters"])}))
