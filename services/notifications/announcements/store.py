"""The tables of announcements and of segments' copies. Functions take a connection."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from services.notifications.announcements.domain import Announcement, Segment, Writing
from shared.http.policy import Span
from shared.postgres.pool import Connection, Row

_WRITTEN = tuple(one.name for one in fields(Writing))
_COLUMNS = (
    "id", "cluster_id", "segment_id", "status", *_WRITTEN, "organization_ids", "drawn_at", "made_by", "made_at",
    "prepared_by", "prepared_at", "released_by", "released_at", "stopped_by", "stopped_at", "revision", "version",
)  # fmt: skip
COLUMNS = f"SELECT {', '.join(_COLUMNS)} FROM announcement "
BY_ID = COLUMNS + "WHERE id = $1"
LOCK = COLUMNS + "WHERE id = $1 FOR UPDATE"
PAGE = COLUMNS + """
WHERE ($1 OR cluster_id = ANY ($2::uuid[])) AND ($3::text IS NULL OR status = $3)
  AND ($4::timestamptz IS NULL OR (made_at, id) < ($4, $5::uuid))
ORDER BY made_at DESC, id DESC LIMIT $6
"""  # fmt: skip
WAITING = COLUMNS + """
WHERE status = 'ready' AND prepared_by <> $3 AND ($1 OR cluster_id = ANY ($2::uuid[])) ORDER BY prepared_at, id LIMIT 50
"""  # fmt: skip
INSERT = (
    f"INSERT INTO announcement ({', '.join(_COLUMNS)})"
    f" VALUES ({', '.join(f'${n}' for n in range(1, len(_COLUMNS) + 1))})"
)
UPDATE = (
    f"UPDATE announcement SET {', '.join(f'{name} = ${n}' for n, name in enumerate(_COLUMNS[2:], start=2))}"
    " WHERE id = $1"
)
DELETE = "DELETE FROM announcement WHERE id = $1"
SEGMENT = "SELECT segment_id, cluster_id, drawn_at, organization_ids, too_many FROM segment WHERE segment_id = $1"
SAVE_SEGMENTS = """
INSERT INTO segment (segment_id, cluster_id, drawn_at, organization_ids, too_many)
SELECT r.segment_id, r.cluster_id, r.drawn_at, ARRAY(SELECT value::uuid FROM jsonb_array_elements_text(r.ids)),
       r.too_many
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::jsonb[], $5::boolean[])
    AS r (segment_id, cluster_id, drawn_at, ids, too_many)
ON CONFLICT (segment_id) DO UPDATE SET cluster_id = excluded.cluster_id, drawn_at = excluded.drawn_at,
    organization_ids = excluded.organization_ids, too_many = excluded.too_many
"""
ERASE_SEGMENTS = "DELETE FROM segment WHERE segment_id = ANY ($1::uuid[])"
NOTE = """
INSERT INTO notice (id, subject, cluster_id, category, effective, noticed_at, open_until, cause, announcement_id)
VALUES ($1, 'announcement', $2, 'associate', $3, $4, $4, $5, $1)
"""
ADDRESS = """
INSERT INTO message (id, notice_id, person_id, organization_id, subject, state, created_at, due_at)
SELECT id, $1, person_id, organization_id, 'announcement', 'due', $5, $6
FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS r (id, person_id, organization_id)
"""
STOP = "UPDATE message SET state = 'stopped', settled_at = $2 WHERE notice_id = $1 AND state = 'due' RETURNING id"


async def load(connection: Connection, id_: UUID) -> Announcement | None:
    """One announcement."""
    row = await connection.fetchrow(BY_ID, id_)
    return _one(row) if row else None


async def lock(connection: Connection, id_: UUID) -> Announcement | None:
    """One announcement, locked."""
    row = await connection.fetchrow(LOCK, id_)
    return _one(row) if row else None


async def page(
    connection: Connection, span: Span, status: str | None, before: tuple[datetime, UUID] | None, limit: int
) -> list[Announcement]:
    """Announcements within a reach, the newest first, behind a place."""
    everything, clusters, _ = span
    at, id_ = before or (None, None)
    return [_one(row) for row in await connection.fetch(PAGE, everything, clusters, status, at, id_, limit)]


async def waiting(connection: Connection, span: Span, besides: str) -> list[Announcement]:
    """What waits within a reach to be released by another than who prepared it, the oldest first."""
    everything, clusters, _ = span
    return [_one(row) for row in await connection.fetch(WAITING, everything, clusters, besides)]


async def insert(connection: Connection, one: Announcement) -> None:
    """Saves a new one."""
    await connection.execute(INSERT, *_values(one))


async def update(connection: Connection, one: Announcement) -> None:
    """Saves it as it is now; whose it is stays."""
    id_, _, *rest = _values(one)
    await connection.execute(UPDATE, id_, *rest)


async def delete(connection: Connection, id_: UUID) -> None:
    """Removes a draft."""
    await connection.execute(DELETE, id_)


async def segment(connection: Connection, id_: UUID) -> Segment | None:
    """Whom a segment held when it was drawn last, as known here."""
    row = await connection.fetchrow(SEGMENT, id_)
    return Segment(**(dict(row) | {"organization_ids": tuple(row["organization_ids"])})) if row else None


async def address(
    connection: Connection, one: Announcement, rows: Sequence[tuple[UUID, UUID, UUID]], *, now: datetime,
    due: datetime, cause: str,
) -> None:  # fmt: skip
    """Its notice, and a message for each of (message, person, organisation)."""
    await connection.execute(NOTE, one.id, one.cluster_id, now.date(), now, cause)
    await connection.execute(ADDRESS, one.id, *zip(*sorted(rows), strict=True), now, due)


async def stop(connection: Connection, id_: UUID, now: datetime) -> list[UUID]:
    """Ends what has not gone out; one that is on its way at this moment is told as sent when it was."""
    return [row["id"] for row in await connection.fetch(STOP, id_, now)]


def _one(row: Row) -> Announcement:
    values = dict(row)
    writing = Writing(**{name: values.pop(name) for name in _WRITTEN})
    return Announcement(**(values | {"writing": writing, "organization_ids": tuple(values["organization_ids"])}))


def _values(one: Announcement) -> list[Any]:
    found = [getattr(one.writing if name in _WRITTEN else one, name) for name in _COLUMNS]
    return [list(value) if isinstance(value, tuple) else value for value in found]
