"""The table of prospects: load, lock, list, save. Functions take a connection."""

from collections.abc import Sequence
from uuid import UUID

from services.membership.prospects.domain import Prospect
from shared.postgres.pool import Connection
from shared.postgres.values import sort_key

COLUMNS = """
SELECT id, cluster_id, name, city, source, contact_name, contact_mail, contact_phone, next_step, due, state, reason,
       organization_id, since, version
FROM prospect
"""
BY_ID = COLUMNS + "WHERE id = $1"
LOCK = BY_ID + " FOR UPDATE"
LIST = COLUMNS + """
WHERE ($1 OR cluster_id = ANY ($2::uuid[])) AND ($3::text IS NULL OR state = $3)
ORDER BY state = 'open' DESC, due NULLS LAST, sort_key, id LIMIT $4
"""  # fmt: skip
INSERT = """
INSERT INTO prospect (id, cluster_id, name, sort_key, city, source, contact_name, contact_mail, contact_phone,
                      next_step, due, state, reason, organization_id, since, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""
UPDATE = """
UPDATE prospect SET name = $2, sort_key = $3, city = $4, source = $5, contact_name = $6, contact_mail = $7,
       contact_phone = $8, next_step = $9, due = $10, state = $11, reason = $12, organization_id = $13, version = $14
WHERE id = $1
"""


async def load(connection: Connection, id_: UUID) -> Prospect | None:
    """One prospect."""
    row = await connection.fetchrow(BY_ID, id_)
    return Prospect(**dict(row)) if row else None


async def lock(connection: Connection, id_: UUID) -> Prospect | None:
    """One prospect, locked."""
    row = await connection.fetchrow(LOCK, id_)
    return Prospect(**dict(row)) if row else None


async def prospects(
    connection: Connection, everything: bool, clusters: Sequence[UUID], state: str | None = None, limit: int = 500
) -> list[Prospect]:
    """Those of these clusters: open ones first, what is due soonest first."""
    return [Prospect(**dict(row)) for row in await connection.fetch(LIST, everything, clusters, state, limit)]


async def insert(connection: Connection, new: Prospect) -> None:
    """Saves a new prospect."""
    await connection.execute(
        INSERT, new.id, new.cluster_id, new.name, sort_key(new.name), new.city, new.source, new.contact_name,
        new.contact_mail, new.contact_phone, new.next_step, new.due, new.state, new.reason, new.organization_id,
        new.since, new.version,
    )  # fmt: skip


async def update(connection: Connection, changed: Prospect) -> None:
    """Saves a locked prospect."""
    await connection.execute(
        UPDATE, changed.id, changed.name, sort_key(changed.name), changed.city, changed.source, changed.contact_name,
        changed.contact_mail, changed.contact_phone, changed.next_step, changed.due, changed.state, changed.reason,
        changed.organization_id, changed.version,
    )  # fmt: skip
