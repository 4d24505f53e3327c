"""Reads of applications over other tables: whose one is, who may vouch in a cluster, who does."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from shared.postgres.pool import Connection

APPLICATION = """
SELECT m.id, m.organization_id, m.cluster_id, m.standing, m.applied_on, a.resolution, a.resolved_on,
       coalesce(a.version, 0) AS version, o.slug, o.trade_name, c.name AS cluster, c.zone, c.slug AS cluster_slug
FROM membership m JOIN organization o ON o.id = m.organization_id JOIN cluster c ON c.id = m.cluster_id
LEFT JOIN application a ON a.membership_id = m.id AND a.applied_on = m.applied_on
WHERE m.id = $1 AND m.applied_on IS NOT NULL
"""
LOCK = "SELECT id FROM membership WHERE id = $1 FOR UPDATE"
IS_MEMBER = """
SELECT EXISTS (SELECT FROM membership
               WHERE organization_id = $1 AND cluster_id = $2 AND standing IN ('active', 'grace'))
"""
MEMBERS = """
SELECT o.id, o.trade_name FROM membership m JOIN organization o ON o.id = m.organization_id
WHERE m.cluster_id = $1 AND m.standing IN ('active', 'grace') AND o.id <> $2 AND NOT o.id = ANY ($3::uuid[])
ORDER BY o.sort_key, o.id LIMIT 2000
"""
NAMES = "SELECT id, slug, trade_name FROM organization WHERE id = ANY ($1::uuid[])"


class Head(NamedTuple):
    """An application with the names of whom it concerns."""

    membership_id: UUID
    organization_id: UUID
    cluster_id: UUID
    standing: str
    applied_on: date
    resolution: str | None
    resolved_on: date | None
    version: int
    slug: str
    organization: str
    cluster: str
    zone: str
    cluster_slug: str


async def head(connection: Connection, membership_id: UUID, *, lock: bool = False) -> Head | None:
    """The application of a membership; None when there never was one. `lock` locks the membership first."""
    if lock:
        await connection.execute(LOCK, membership_id)
    row = await connection.fetchrow(APPLICATION, membership_id)
    return Head(*row) if row else None


async def is_member(connection: Connection, organization_id: UUID, cluster_id: UUID) -> bool:
    """Whether an organisation is in force in a cluster."""
    return bool(await connection.fetchval(IS_MEMBER, organization_id, cluster_id))


async def may_vouch(
    connection: Connection, cluster_id: UUID, applicant: UUID, already: Sequence[UUID]
) -> list[tuple[UUID, str]]:
    """Members in force of a cluster who are not the applicant and do not vouch yet: id and name, by name."""
    rows = await connection.fetch(MEMBERS, cluster_id, applicant, already)
    return [(row["id"], row["trade_name"]) for row in rows]


async def names(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """Slug and name of organisations."""
    return {row["id"]: (row["slug"], row["trade_name"]) for row in await connection.fetch(NAMES, ids)}
