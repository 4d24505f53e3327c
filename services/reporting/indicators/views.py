"""Figures as they stand now, for those that are published as they move; the facts about memberships in force."""

from datetime import date
from uuid import UUID

from services.reporting.catalogue.domain import CATALOGUE, PUBLISHED, Family, period_of
from services.reporting.catalogue.views import Asked, divided, total
from services.reporting.indicators.domain import NETWORK, scope_of
from shared.http.policy import WHOLE, Span
from shared.postgres.pool import Connection, Row

_COUNTED = """
SELECT DISTINCT m.generation, m.membership_id FROM membership_period m
WHERE m.generation = (SELECT current FROM generation)
  AND m.valid @> $1::date AND coalesce(m.known @> $2::timestamptz, upper_inf(m.known))
  AND ($3::uuid IS NULL OR m.cluster_id = $3)
"""
# the organisations of a cluster first, so that the distinct ones need no sort of all memberships
NOW = """
WITH pair AS (
    SELECT cluster_id, organization_id FROM membership_period
    WHERE generation = (SELECT current FROM generation) AND valid @> $1::date AND upper_inf(known)
    GROUP BY cluster_id, organization_id
)
SELECT cluster_id, count(*) AS members, count(*) AS organizations FROM pair GROUP BY cluster_id
UNION ALL
SELECT NULL, count(*), count(DISTINCT organization_id) FROM pair
"""

FACTS = f"""
SELECT f.id, f.type, f.membership_id, f.version, f.organization_id, f.cluster_id, f.category, f.effective, f.recorded
FROM ({_COUNTED}) AS m
JOIN membership_fact f ON f.generation = m.generation AND f.membership_id = m.membership_id
WHERE coalesce(f.recorded <= $2::timestamptz, true) AND ($4::uuid IS NULL OR f.id > $4)
  AND ($6 OR f.cluster_id = ANY ($7::uuid[]) OR f.organization_id = ANY ($8::uuid[]))
ORDER BY f.id LIMIT $5
"""


async def values_now(connection: Connection, family: Family, today: date) -> dict[tuple[str, str], int]:
    """Every published indicator of a family in every scope that is not 0, keyed by (indicator, scope)."""
    found: dict[tuple[str, str], int] = {}
    if family == "members":
        for row in await connection.fetch(NOW, today):
            scope = scope_of(row["cluster_id"])
            found["members", scope] = row["members"]
            found["organizations", scope] = row["organizations"]
        return found
    for code in PUBLISHED[family]:
        indicator = CATALOGUE[code]
        asked = Asked(today, None, None, period_of(indicator, today, None))
        found[code, NETWORK] = int((await total(connection, indicator, asked)).value or 0)
        for part in await divided(connection, indicator, asked, ("cluster",)):
            if part["cluster"]:
                found[code, scope_of(UUID(part["cluster"]))] = int(part["value"])
    return found


async def facts_behind(
    connection: Connection, asked: Asked, after: UUID | None, limit: int, span: Span = WHOLE
) -> list[Row]:
    """The facts of the memberships in force, as far as they were known, by their id."""
    return list(await connection.fetch(FACTS, *asked[:3], after, limit, *span))
