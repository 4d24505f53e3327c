"""Whose an organisation is: which of several lie within a caller's reach, through its memberships.

An organisation belongs to the clusters that it is a member of, was, or has applied to.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from shared.http.policy import Allowed, NotYours
from shared.postgres.pool import Connection, Row

COVERED = """
SELECT o.id FROM organization o
WHERE o.id = ANY ($1::uuid[]) AND (o.id = ANY ($3::uuid[]) OR EXISTS (
    SELECT FROM membership m WHERE m.organization_id = o.id AND m.cluster_id = ANY ($2::uuid[])
))
"""


async def covered(connection: Connection, caller: Allowed, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these organisations that the caller's reach holds."""
    everything, clusters, organizations = caller.span()
    if everything:
        return set(ids)
    if not clusters and not organizations:
        return set()
    return {row["id"] for row in await connection.fetch(COVERED, ids, clusters, organizations)}


async def require(connection: Connection, caller: Allowed, id_: UUID) -> None:
    """Raises `NotYours` when an organisation lies out of the caller's reach."""
    if id_ not in await covered(connection, caller, [id_]):
        raise NotYours("this organisation belongs to another cluster")


class Wanted(NamedTuple):
    """What a page of the register is asked for: a text within the names, a cluster's slug, a type, a position."""

    text: str | None = None
    cluster: str | None = None
    type: str | None = None
    position: str | None = None


REGISTER = """
SELECT o.id, o.slug, o.trade_name, o.legal_name, o.type, o.state, o.city, o.sort_key, p.positions, m.memberships
FROM organization o
LEFT JOIN LATERAL (
    SELECT array_agg(q.position ORDER BY q.position) AS positions FROM organization_position q
    WHERE q.organization_id = o.id AND q.period @> $1::date
) p ON true
LEFT JOIN LATERAL (
    SELECT array_agg((c.slug, c.name, x.standing, x.category, x.since) ORDER BY c.sort_key) AS memberships
    FROM membership x JOIN cluster c ON c.id = x.cluster_id
    WHERE x.organization_id = o.id
      AND (x.standing = 'active' OR $2 OR x.cluster_id = ANY ($3::uuid[]) OR x.organization_id = ANY ($4::uuid[]))
) m ON true
WHERE ($5 OR o.id = ANY ($7::uuid[]) OR EXISTS (
        SELECT FROM membership x WHERE x.organization_id = o.id AND x.cluster_id = ANY ($6::uuid[])))
  AND ($8::text IS NULL OR unaccent(lower(o.trade_name || ' ' || o.legal_name)) LIKE '%' || unaccent(lower($8)) || '%')
  AND ($9::text IS NULL OR EXISTS (
        SELECT FROM membership x JOIN cluster c ON c.id = x.cluster_id
        WHERE x.organization_id = o.id AND c.slug = $9 AND x.standing = 'active'))
  AND ($10::text IS NULL OR o.type = $10) AND ($11::text IS NULL OR $11 = ANY (p.positions))
  AND ($12::text IS NULL OR (o.sort_key, o.id) > ($12 COLLATE "C", $13::uuid))
ORDER BY o.sort_key, o.id LIMIT $14
"""
SCOPES = "SELECT id, name FROM cluster WHERE $1 OR id = ANY ($2::uuid[]) ORDER BY sort_key"
CLUSTERS = "SELECT slug, name FROM cluster ORDER BY sort_key"
MEMBERSHIPS = """
SELECT m.id, c.name AS cluster, c.slug, m.cluster_id, m.category, m.standing, m.applied_on, m.since, m.until, m.version,
       b.categories, b.starts, b.ends
FROM membership m JOIN cluster c ON c.id = m.cluster_id
LEFT JOIN LATERAL (
    SELECT array_agg(x.category ORDER BY x.period) AS categories,
           array_agg(lower(x.period) ORDER BY x.period) AS starts,
           array_agg(upper(x.period) ORDER BY x.period) AS ends
    FROM membership_band x WHERE x.membership_id = m.id
) b ON true
WHERE m.organization_id = $1
  AND (m.standing = 'active' OR $2 OR m.cluster_id = ANY ($3::uuid[]) OR m.organization_id = ANY ($4::uuid[]))
ORDER BY c.sort_key
"""
HISTORY = """
SELECT l.aggregate, l.at, l.actor, l.note, l.fields::text AS fields, a.name AS who
FROM change_log l LEFT JOIN account a ON a.id::text = l.actor
WHERE (l.aggregate = 'organization' AND l.id = $1 AND ($2 OR $1 = ANY ($4::uuid[]) OR EXISTS (
           SELECT FROM membership m WHERE m.organization_id = $1 AND m.cluster_id = ANY ($3::uuid[]))))
   OR (l.aggregate = 'membership' AND l.id IN (
           SELECT m.id FROM membership m WHERE m.organization_id = $1
             AND ($2 OR m.cluster_id = ANY ($3::uuid[]) OR m.organization_id = ANY ($4::uuid[]))))
ORDER BY l.at DESC, l.version DESC LIMIT 100
"""


async def register(
    connection: Connection, wanted: Wanted, today: date, *, reader: Allowed, memberships: Allowed,
    after: tuple[str, UUID] | None, limit: int | None,
) -> AsyncIterator[Row]:  # fmt: skip
    """Rows of the register by name, behind a name and id. Applications and the past are shown within reach only.

    Row by row inside a transaction, so that an export of everything holds one row at a time.
    """
    text = None if wanted.text is None else wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = connection.cursor(
            REGISTER, today, *memberships.span(), *reader.span(), text, wanted.cluster, wanted.type, wanted.position,
            *(after or (None, None)), limit,
        )  # fmt: skip
        async for row in rows:
            yield row


async def clusters(connection: Connection) -> list[Row]:
    """Slug and name of every cluster, by name."""
    return list(await connection.fetch(CLUSTERS))


async def memberships_of(connection: Connection, organization_id: UUID, memberships: Allowed) -> list[Row]:
    """The memberships of an organisation with their days in force; those not in force within reach only."""
    return list(await connection.fetch(MEMBERSHIPS, organization_id, *memberships.span()))


async def history_of(connection: Connection, organization_id: UUID, history: Allowed) -> list[Row]:
    """The change log of an organisation and of its memberships within reach, the newest first, a hundred at most."""
    return list(await connection.fetch(HISTORY, organization_id, *history.span()))


async def scopes(connection: Connection, memberships: Allowed) -> list[Row]:
    """Id and name of the clusters within reach, by name."""
    everything, ids, _ = memberships.span()
    return list(await connection.fetch(SCOPES, everything, ids))
