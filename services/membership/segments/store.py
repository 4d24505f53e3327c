"""The table of segments. Functions take a connection."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import orjson

from services.membership.segments.domain import Segment
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Row

COLUMNS = """
SELECT id, cluster_id, name, filters::text AS filters, by, at, version, drawn_at, organization_ids FROM segment
"""
BY_ID = COLUMNS + "WHERE id = $1"
PAGE = COLUMNS + "WHERE version > 0 AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2"
LOCK = COLUMNS + "WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
OLDEST = COLUMNS + "WHERE drawn_at IS NULL OR drawn_at < $1 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
LIST = COLUMNS + "WHERE $1 OR cluster_id = ANY ($2::uuid[]) ORDER BY lower(name), id LIMIT 500"
INSERT = "INSERT INTO segment (id, cluster_id, name, filters, by, at) VALUES ($1, $2, $3, $4::text::jsonb, $5, $6)"
DRAW = "UPDATE segment SET version = $2, drawn_at = $3, organization_ids = $4 WHERE id = $1"
DELETE = "DELETE FROM segment WHERE id = $1"


async def load(connection: Connection, id_: UUID) -> Segment | None:
    """One segment."""
    row = await connection.fetchrow(BY_ID, id_)
    return _segment(row) if row else None


async def segments(connection: Connection, everything: bool, clusters: Sequence[UUID]) -> list[Segment]:
    """The segments within a reach, by name: those of these clusters, or all."""
    return [_segment(row) for row in await connection.fetch(LIST, everything, clusters)]


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Segment]:
    """At most `limit` segments that have been drawn, behind an id, by id."""
    return [_segment(row) for row in await connection.fetch(PAGE, after, limit)]


async def lock(connection: Connection, ids: Sequence[UUID]) -> list[Segment]:
    """The named segments that exist, locked."""
    return [_segment(row) for row in await connection.fetch(LOCK, ids)]


async def drawn_before(connection: Connection, before: datetime) -> Segment | None:
    """One segment that was not drawn since then, locked; those that another draws are left out."""
    row = await connection.fetchrow(OLDEST, before)
    return _segment(row) if row else None


async def insert(connection: Connection, new: Segment) -> None:
    """Saves a segment. A name that is taken raises `asyncpg.UniqueViolationError`."""
    filters = orjson.dumps(dict(new.filters)).decode()
    await connection.execute(INSERT, new.id, new.cluster_id, new.name, filters, new.by, new.at)


async def save_drawn(connection: Connection, one: Segment) -> None:
    """Saves whom a segment holds."""
    await connection.execute(DRAW, one.id, one.version, one.drawn_at, list(one.organization_ids))


async def delete(connection: Connection, id_: UUID) -> None:
    """Removes a segment; whom it held stays."""
    await connection.execute(DELETE, id_)


def _segment(row: Row) -> Segment:
    ids = tuple(row["organization_ids"])
    return Segment(**(dict(row) | {"filters": orjson.loads(row["filters"]), "organization_ids": ids}))


def state_record(one: Segment) -> Record:
    """The row as its state topic carries it."""
    return Record(str(one.id), one.version, one.published())
