"""The memberships of one organisation as its page shows them, with the days in force."""

from uuid import UUID

from shared.http.policy import Allowed
from shared.postgres.pool import Connection, Row

OF_ORGANIZATION = """
SELECT m.id, c.name AS cluster, c.slug, m.cluster_id, m.organization_id, m.category, m.standing, m.applied_on, m.since,
       m.until, m.version, b.categories, b.starts, b.ends, (
           SELECT coalesce(jsonb_agg(jsonb_build_array(f.trade_name, g.bands) ORDER BY f.trade_name), '[]')::text
           FROM merged_membership g JOIN merged_organization f ON f.id = g.organization_id WHERE g.into_id = m.id
       ) AS merged
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
INHERITED = """
SELECT o.slug, o.trade_name AS company, c.name AS cluster, m.category, m.since, m.until
FROM profile p JOIN organization o ON o.id = p.parent_id JOIN membership m ON m.organization_id = o.id
JOIN cluster c ON c.id = m.cluster_id
WHERE p.organization_id = $1 AND m.standing = 'active' AND NOT EXISTS (
    SELECT FROM membership own WHERE own.organization_id = $1 AND own.cluster_id = m.cluster_id
      AND own.standing IN ('active', 'grace'))
ORDER BY c.sort_key
"""
OPEN_TO = """
SELECT c.id, c.name FROM cluster c
WHERE ($2 OR c.id = ANY ($3::uuid[]) OR $1 = ANY ($4::uuid[])) AND NOT EXISTS (
    SELECT FROM membership m WHERE m.cluster_id = c.id AND m.organization_id = $1
      AND m.standing NOT IN ('resigned', 'expelled', 'refused'))
ORDER BY c.sort_key
"""


async def of_organization(connection: Connection, organization_id: UUID, memberships: Allowed) -> list[Row]:
    """An organisation's memberships by cluster; those not in force within the caller's reach only."""
    return list(await connection.fetch(OF_ORGANIZATION, organization_id, *memberships.span()))


async def inherited(connection: Connection, organization_id: UUID) -> list[Row]:
    """What a branch has from its company: memberships in force where it has none of its own, with their dates."""
    return list(await connection.fetch(INHERITED, organization_id))


async def open_to(connection: Connection, organization_id: UUID, applying: Allowed) -> list[tuple[UUID, str]]:
    """The clusters that the caller may have this organisation apply to: id and name, by name."""
    return [(row["id"], row["name"]) for row in await connection.fetch(OPEN_TO, organization_id, *applying.span())]
