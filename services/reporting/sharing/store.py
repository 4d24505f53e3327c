"""The table of links. Functions take a connection."""

from datetime import datetime
from uuid import UUID

from services.reporting.sharing.domain import Link
from shared.postgres.pool import Connection, Row

COLUMNS = """
SELECT id, label, indicator, dimension, as_of, since, made_by, made_at, until, revoked_at, opened FROM shared_link
"""
BY_KEY = COLUMNS + "WHERE key_hash = $1"
OPENED = "UPDATE shared_link SET opened = opened + 1 WHERE id = $1"
LOCK = COLUMNS + "WHERE id = $1 FOR UPDATE"
LIST = COLUMNS + "WHERE $1 OR made_by = $2 ORDER BY made_at DESC, id LIMIT 200"
INSERT = """
INSERT INTO shared_link (id, key_hash, label, indicator, dimension, as_of, since, made_by, made_at, until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
REVOKE = "UPDATE shared_link SET revoked_at = $2 WHERE id = $1"


async def by_key(connection: Connection, key_hash: bytes) -> Link | None:
    """The link of a key."""
    return _one(await connection.fetchrow(BY_KEY, key_hash))


async def lock(connection: Connection, id_: UUID) -> Link | None:
    """One link, locked."""
    return _one(await connection.fetchrow(LOCK, id_))


async def links(connection: Connection, made_by: str, *, everybody: bool) -> list[Link]:
    """The newest first: one's own, or everybody's."""
    return [Link(**dict(row)) for row in await connection.fetch(LIST, everybody, made_by)]


async def insert(connection: Connection, one: Link, key_hash: bytes) -> None:
    """Saves a new link."""
    await connection.execute(INSERT, one.id, key_hash, one.label, one.indicator, one.dimension, one.as_of, one.since,
                             one.made_by, one.made_at, one.until)  # fmt: skip


async def revoke(connection: Connection, id_: UUID, now: datetime) -> None:
    """It opens nothing any more."""
    await connection.execute(REVOKE, id_, now)


async def count_opening(connection: Connection, id_: UUID) -> None:
    """Somebody opened it."""
    await connection.execute(OPENED, id_)


def _one(row: Row | None) -> Link | None:
    return Link(**dict(row)) if row else None
