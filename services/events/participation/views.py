"""What an organisation takes part in: its events with how many of its people, who came, hours of training; no names.

Read by its own people, by its clusters in force and by the network.
"""

from datetime import date
from typing import NamedTuple
from uuid import UUID

from shared.http.policy import Allowed
from shared.postgres.pool import Connection, Row

TRAINING = ("course", "diploma_course", "workshop", "webinar", "conference")
MOST = 200
CLUSTERS_OF = """
SELECT DISTINCT s.cluster_id FROM standing s
WHERE s.organization_id = present_organization($1) AND s.standing IN ('active', 'grace')
"""
GATHERINGS = """
SELECT g.id AS gathering_id, g.slug, g.title, g.kind, g.status, (g.starts AT TIME ZONE g.zone)::date AS day,
       c.name AS host, count(*) FILTER (WHERE r.status IN ('confirmed', 'offered')) AS people,
       count(*) FILTER (WHERE r.status = 'waiting') AS waiting, count(a.at) AS attended,
       CASE WHEN g.kind = ANY ($2::text[]) THEN round((count(a.at) * coalesce(
           (SELECT sum(extract(epoch FROM s.ends - s.starts)) FROM gathering_session s WHERE s.gathering_id = g.id),
           CASE WHEN g.ends - g.starts <= interval '14 hours' THEN extract(epoch FROM g.ends - g.starts) END, 0
       ) / 3600)::numeric, 1) ELSE 0 END AS hours
FROM registration r
JOIN gathering g ON g.id = r.gathering_id AND g.status <> 'draft'
LEFT JOIN cluster c USING (cluster_id)
LEFT JOIN attendance a ON a.registration_id = r.id
WHERE r.organization_id IN (SELECT present_organization($1) UNION SELECT organization_id FROM merged_organization
                            WHERE present_organization(organization_id) = present_organization($1))
  AND r.status IN ('confirmed', 'offered', 'waiting')
GROUP BY g.id, c.name ORDER BY g.starts DESC, g.id LIMIT $3
"""


class Total(NamedTuple):
    """One calendar year: events with somebody there, people who came, hours of training that they sat through."""

    year: int
    gatherings: int
    attended: int
    hours: float


async def clusters_of(connection: Connection, organization_id: UUID) -> list[UUID]:
    """Clusters in which it is a member in force."""
    return [row["cluster_id"] for row in await connection.fetch(CLUSTERS_OF, organization_id)]


async def of_organization(connection: Connection, organization_id: UUID) -> list[Row]:
    """Its events, the newest first, at most 200."""
    return await connection.fetch(GATHERINGS, organization_id, list(TRAINING), MOST)


async def require(connection: Connection, reader: Allowed, organization_id: UUID) -> None:
    """Raises `NotYours` unless it is the reader's own or a member of the reader's cluster."""
    if not any(reader.covers(cluster=one) for one in await clusters_of(connection, organization_id)):
        reader.require(organization=organization_id)


def totals(rows: list[Row]) -> list[Total]:
    """What they come to by year, the newest first."""
    found: dict[int, Total] = {}
    for row in rows:
        day: date = row["day"]
        if row["attended"]:
            one = found.get(day.year, Total(day.year, 0, 0, 0.0))
            found[day.year] = Total(day.year, one.gatherings + 1, one.attended + row["attended"],
                                    round(one.hours + float(row["hours"]), 1))  # fmt: skip
    return [found[year] for year in sorted(found, reverse=True)]
