"""Figures out of the dated rows: memberships and organisations in force, as of a day, as known at an instant.

Organisations are joined here and nowhere else, so that no handler waits for another aggregate's facts.
An instant of None means all that is known now.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.reporting.indicators.domain import NO_POSITION, UNKNOWN, Code, Dimension, scope_of
from shared.http.policy import WHOLE, Span
from shared.postgres.pool import Connection, Row

# a membership that was merged into another keeps its days beside that one's: the pair counts, and counts once
COUNTS: dict[Code, str] = {
    "members": "count(DISTINCT (m.cluster_id, m.organization_id))",
    "organizations": "count(DISTINCT m.organization_id)",
}

KEYS: dict[Dimension, str] = {
    "cluster": "m.cluster_id::text",
    "category": "m.category",
    "type": f"coalesce(o.kind, '{UNKNOWN}')",
    "position": f"coalesce(p.position, CASE WHEN o.organization_id IS NULL THEN '{UNKNOWN}' ELSE '{NO_POSITION}' END)",
    "state": f"coalesce(o.state, '{UNKNOWN}')",
}

# generation, day, instant and cluster are $1 (through the table), $1, $2, $3 in every statement below
IN_FORCE = """
FROM membership_period m
{joins}
WHERE m.generation = (SELECT current FROM generation)
  AND m.valid @> $1::date AND coalesce(m.known @> $2::timestamptz, upper_inf(m.known))
  AND ($3::uuid IS NULL OR m.cluster_id = $3)
"""
ORGANIZATION = """
LEFT JOIN organization_period o ON o.generation = m.generation AND o.organization_id = m.organization_id
    AND o.valid @> $1::date AND coalesce(o.known @> $2::timestamptz, upper_inf(o.known))
"""
POSITION = """
LEFT JOIN position_period p ON p.generation = m.generation AND p.organization_id = m.organization_id
    AND p.valid @> $1::date AND coalesce(p.known @> $2::timestamptz, upper_inf(p.known))
"""
IN_NETWORK = """
SELECT cluster_id::text FROM cluster_period
WHERE generation = (SELECT current FROM generation)
  AND valid @> $1::date AND coalesce(known @> $2::timestamptz, upper_inf(known))
"""
LABELS = "SELECT cluster_id::text AS cluster, slug, name FROM label"

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

FACTS = """
SELECT f.id, f.type, f.membership_id, f.version, f.organization_id, f.cluster_id, f.category, f.effective, f.recorded
FROM (SELECT DISTINCT m.generation, m.membership_id {in_force}) AS m
JOIN membership_fact f ON f.generation = m.generation AND f.membership_id = m.membership_id
WHERE coalesce(f.recorded <= $2::timestamptz, true) AND ($4::uuid IS NULL OR f.id > $4)
  AND ($6 OR f.cluster_id = ANY ($7::uuid[]) OR f.organization_id = ANY ($8::uuid[]))
ORDER BY f.id LIMIT $5
"""


class Asked(NamedTuple):
    """The times and the part of the network that a figure speaks of."""

    as_of: date
    known_on: datetime | None
    cluster: UUID | None = None


def statement(code: Code, by: Sequence[Dimension]) -> str:
    """The SELECT of an indicator: one column per dimension, then `value`."""
    joins = ORGANIZATION if {"type", "state", "position"} & set(by) else ""
    joins += POSITION if "position" in by else ""
    columns = [f"{KEYS[dimension]} AS {dimension}" for dimension in by]
    grouping = f"GROUP BY {', '.join(str(n + 1) for n in range(len(by)))}" if by else ""
    return f"SELECT {', '.join([*columns, f'{COUNTS[code]} AS value'])}{IN_FORCE.format(joins=joins)}{grouping}"


async def value_of(connection: Connection, code: Code, asked: Asked) -> int:
    """The total."""
    return int(await connection.fetchval(statement(code, ()), *asked))


async def rows_of(connection: Connection, code: Code, asked: Asked, by: Sequence[Dimension]) -> list[dict[str, Any]]:
    """The figure divided: dicts of the dimensions and `value`, the largest first."""
    rows = [dict(row) for row in await connection.fetch(statement(code, by), *asked)]
    return sorted(rows, key=lambda row: (-row["value"], *(row[dimension] for dimension in by)))


async def clusters_in_network(connection: Connection, asked: Asked) -> set[str]:
    """Clusters that belong to the network on the day."""
    return {row[0] for row in await connection.fetch(IN_NETWORK, asked.as_of, asked.known_on)}


async def cluster_labels(connection: Connection) -> dict[str, Row]:
    """`slug` and `name` of the clusters as they are now."""
    return {row["cluster"]: row for row in await connection.fetch(LABELS)}


async def values_now(connection: Connection, today: date) -> dict[tuple[str, str], int]:
    """Every indicator in every scope that is not 0, keyed by (indicator, scope)."""
    found: dict[tuple[str, str], int] = {}
    for row in await connection.fetch(NOW, today):
        scope = scope_of(row["cluster_id"])
        found["members", scope] = row["members"]
        found["organizations", scope] = row["organizations"]
    return found


async def facts_behind(
    connection: Connection, asked: Asked, after: UUID | None, limit: int, span: Span = WHOLE
) -> list[Row]:
    """The facts of the memberships in force, as far as they were known, by their id."""
    text = FACTS.format(in_force=IN_FORCE.format(joins=""))
    return list(await connection.fetch(text, *asked, after, limit, *span))
