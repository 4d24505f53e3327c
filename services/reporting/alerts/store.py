"""The table of alerts. Functions take a connection."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.reporting.alerts.domain import Alert
from shared.http.policy import Span
from shared.postgres.pool import Connection

COLUMNS = """
SELECT id, label, indicator, cluster_id, side, threshold, made_by, made_at, raised_at, value, seen_at, version
FROM alert WHERE removed_at IS NULL
"""
LOCK_ALL = COLUMNS + " ORDER BY id FOR UPDATE"
LOCK = COLUMNS + " AND id = $1 FOR UPDATE"
LIST = (
    COLUMNS
    + " AND ($1 OR cluster_id = ANY ($2::uuid[])) ORDER BY raised_at DESC NULLS LAST, made_at DESC, id LIMIT 200"
)
WAITING = (
    COLUMNS
    + """
 AND raised_at IS NOT NULL AND seen_at IS NULL AND ($1 OR cluster_id = ANY ($2::uuid[])) ORDER BY raised_at, id LIMIT 8
"""
)
INSERT = """
INSERT INTO alert (id, label, indicator, cluster_id, side, threshold, made_by, made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
SAVE = """
UPDATE alert a SET raised_at = r.raised_at, value = r.value, seen_at = r.seen_at, version = r.version
FROM unnest($1::uuid[], $2::timestamptz[], $3::numeric[], $4::timestamptz[], $5::bigint[])
    AS r (id, raised_at, value, seen_at, version) WHERE a.id = r.id
"""
REMOVE = "UPDATE alert SET removed_at = $2 WHERE id = $1"


async def lock_all(connection: Connection) -> list[Alert]:
    """All that are watched, locked."""
    return [Alert(**dict(row)) for row in await connection.fetch(LOCK_ALL)]


async def lock(connection: Connection, id_: UUID) -> Alert | None:
    """One, locked."""
    row = await connection.fetchrow(LOCK, id_)
    return Alert(**dict(row)) if row else None


async def alerts(connection: Connection, span: Span) -> list[Alert]:
    """Those within reach, what is raised first."""
    return [Alert(**dict(row)) for row in await connection.fetch(LIST, *span[:2])]


async def waiting(connection: Connection, span: Span) -> list[Alert]:
    """Those that were raised and that nobody has looked at, the oldest first."""
    return [Alert(**dict(row)) for row in await connection.fetch(WAITING, *span[:2])]


async def insert(connection: Connection, one: Alert) -> None:
    """Saves a new one."""
    await connection.execute(INSERT, one.id, one.label, one.indicator, one.cluster_id, one.side, one.threshold,
                             one.made_by, one.made_at)  # fmt: skip


async def save(connection: Connection, changed: Sequence[Alert]) -> None:
    """Saves how they stand."""
    await connection.execute(SAVE, [a.id for a in changed], [a.raised_at for a in changed], [a.value for a in changed],
                             [a.seen_at for a in changed], [a.version for a in changed])  # fmt: skip


async def remove(connection: Connection, id_: UUID, now: datetime) -> None:
    """Nobody watches for it any more; its facts stay."""
    await connection.execute(REMOVE, id_, now)
