"""Lists of gatherings with their places: what is on, whose, when; the clusters that may hold one; what was changed.

Drafts are seen by whoever may prepare them for that host; meetings of who decides by members only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.events.gatherings.domain import INTERNAL
from shared.http.policy import Span
from shared.postgres.pool import Connection, Row

CLUSTER = "SELECT cluster_id, slug, name, zone, language FROM cluster WHERE cluster_id = $1"
CLUSTER_BY_SLUG = "SELECT cluster_id, slug, name, zone, language FROM cluster WHERE slug = $1"
CLUSTERS = "SELECT cluster_id, slug, name, zone, language FROM cluster ORDER BY name, cluster_id"
NETWORK = """
SELECT network_id FROM cluster_network WHERE $1::uuid IS NULL OR cluster_id = $1
ORDER BY cluster_id LIMIT 1
"""
LIST = """
SELECT g.id, g.slug, g.status, g.kind, g.title, g.summary, g.mode, g.starts, g.ends, g.zone, g.place, g.cluster_id,
       c.name AS host, c.slug AS host_slug, g.capacity, g.sequence, g.changed_at, g.closes, g.waiting_list,
       coalesce(s.taken, 0) AS taken, coalesce(s.waiting, 0) AS waiting
FROM gathering g
LEFT JOIN cluster c USING (cluster_id)
LEFT JOIN seating s ON s.gathering_id = g.id
WHERE ($1::timestamptz IS NULL OR g.ends > $1) AND ($2::timestamptz IS NULL OR g.starts < $2)
  AND ($3::text[] IS NULL OR g.kind = ANY ($3)) AND ($4::text[] IS NULL OR c.slug = ANY ($4))
  AND ($5::text[] IS NULL OR g.status = ANY ($5)) AND ($6 OR g.kind <> ALL ($7::text[]))
  AND (g.status <> 'draft' OR $8 OR g.cluster_id = ANY ($9::uuid[]))
  AND ($10::text IS NULL OR position(lower($10) in lower(g.title || ' ' || g.summary)) > 0)
  AND ($11::timestamptz IS NULL OR (g.starts, g.id) > ($11, $12::uuid))
  AND (NOT $14 OR g.cluster_id IS NULL)
ORDER BY CASE WHEN $15 THEN NULL ELSE g.starts END, CASE WHEN $15 THEN g.starts END DESC, g.id LIMIT $13
"""
HISTORY = """
SELECT l.version, l.at, l.actor, l.note, l.fields::text AS fields, a.name AS who
FROM change_log l LEFT JOIN access_copy a ON a.subject_id::text = l.actor
WHERE l.aggregate = 'gathering' AND l.id = $1 ORDER BY l.version DESC LIMIT 200
"""


class Host(NamedTuple):
    """A cluster that holds gatherings, as the copy knows it."""

    cluster_id: UUID
    slug: str
    name: str
    zone: str
    language: str


class Line(NamedTuple):
    """One change: `who` is None for a program, or somebody erased."""

    version: int
    at: datetime
    actor: str
    note: str | None
    fields: Mapping[str, Sequence[Any]]
    who: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list is asked for. `after` is the start and id of the last row of the page before."""

    since: datetime | None = None
    until: datetime | None = None
    kinds: Sequence[str] | None = None
    clusters: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    member: bool = False
    drafts: Span = (False, [], [])
    text: str | None = None
    after: tuple[datetime, UUID] | None = None
    of_network: bool = False
    newest_first: bool = False


async def cluster(connection: Connection, cluster_id: UUID) -> Host | None:
    """One cluster."""
    return _host(await connection.fetchrow(CLUSTER, cluster_id))


async def cluster_by_slug(connection: Connection, slug: str) -> Host | None:
    """The cluster of that slug."""
    return _host(await connection.fetchrow(CLUSTER_BY_SLUG, slug))


async def clusters(connection: Connection) -> list[Host]:
    """All clusters by name."""
    return [Host(**dict(row)) for row in await connection.fetch(CLUSTERS)]


async def network_of(connection: Connection, cluster_id: UUID | None) -> UUID | None:
    """The network of a cluster, or of any; None while nothing has said it."""
    found: UUID | None = await connection.fetchval(NETWORK, cluster_id)
    return found


async def gatherings(connection: Connection, asked: Asked, limit: int) -> list[Row]:
    """Gatherings by time with their places and their host."""
    when, id_ = asked.after or (None, None)
    everything, own, _ = asked.drafts
    return await connection.fetch(
        LIST, asked.since, asked.until, asked.kinds, asked.clusters, asked.statuses, asked.member, sorted(INTERNAL),
        everything, own, asked.text, when, id_, limit, asked.of_network, asked.newest_first,
    )  # fmt: skip


async def history(connection: Connection, gathering_id: UUID) -> list[Line]:
    """What was changed of a gathering, the newest first."""
    return [
        Line(row["version"], row["at"], row["actor"], row["note"], orjson.loads(row["fields"] or "{}"), row["who"])
        for row in await connection.fetch(HISTORY, gathering_id)
    ]


def _host(row: Row | None) -> Host | None:
    return Host(**dict(row)) if row else None
