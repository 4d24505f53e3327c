"""The tables of networks and clusters: load, lock, save. Functions take a connection."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from services.membership.clusters.domain import Cluster, Stay
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Row
from shared.postgres.values import sort_key

NETWORK = "SELECT id FROM network WHERE slug = $1"
INSERT_NETWORK = "INSERT INTO network (id, slug, name) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING"
COLUMNS = """
SELECT c.id, c.network_id, c.slug, c.name, c.country, c.state, c.zone, c.language, c.version,
       ARRAY(SELECT lower(n.period) FROM cluster_in_network n WHERE n.cluster_id = c.id ORDER BY n.period) AS since,
       ARRAY(SELECT upper(n.period) FROM cluster_in_network n WHERE n.cluster_id = c.id ORDER BY n.period) AS until
FROM cluster c
"""
BY_IDS = COLUMNS + "WHERE c.id = ANY ($1::uuid[]) ORDER BY c.id"
BY_SLUG = COLUMNS + "WHERE c.slug = $1"
PAGE = COLUMNS + """
WHERE ($1::uuid IS NULL OR c.id > $1) AND ($3::date IS NULL OR EXISTS (
    SELECT FROM cluster_in_network n WHERE n.cluster_id = c.id AND n.period @> $3))
ORDER BY c.id LIMIT $2
"""  # fmt: skip
LOCK = "SELECT id FROM cluster WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
INSERT = """
INSERT INTO cluster (id, network_id, slug, name, sort_key, country, state, zone, language, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (slug) DO NOTHING RETURNING id
"""
UPDATE_VERSION = "UPDATE cluster SET version = $2 WHERE id = $1"
DELETE_STAYS = "DELETE FROM cluster_in_network WHERE cluster_id = $1"
INSERT_STAYS = """
INSERT INTO cluster_in_network (cluster_id, network_id, period)
SELECT $1, $2, daterange(since, until) FROM unnest($3::date[], $4::date[]) AS r (since, until)
"""


async def network(connection: Connection, slug: str, *, name: str, new_id: UUID) -> UUID:
    """The id of a network, made under `new_id` when it is not there."""
    found = await connection.fetchval(NETWORK, slug)
    if found is None:
        await connection.execute(INSERT_NETWORK, new_id, slug, name)
        found = await connection.fetchval(NETWORK, slug)
    assert isinstance(found, UUID)
    return found


async def by_slug(connection: Connection, slug: str) -> Cluster | None:
    """The cluster of that slug."""
    row = await connection.fetchrow(BY_SLUG, slug)
    return _cluster(row) if row else None


async def load(connection: Connection, ids: Sequence[UUID]) -> list[Cluster]:
    """The named clusters that exist, by id."""
    return [_cluster(row) for row in await connection.fetch(BY_IDS, ids)]


async def lock(connection: Connection, ids: Sequence[UUID]) -> list[Cluster]:
    """The named clusters that exist, locked for update."""
    await connection.execute(LOCK, ids)
    return await load(connection, ids)


async def page(connection: Connection, after: UUID | None, limit: int, *, on: date | None = None) -> list[Cluster]:
    """At most `limit` clusters behind an id, by id; with `on` those that belonged to the network on that day."""
    return [_cluster(row) for row in await connection.fetch(PAGE, after, limit, on)]


async def insert(connection: Connection, cluster: Cluster) -> bool:
    """Saves a new cluster; False when another one has its slug."""
    made = await connection.fetchval(
        INSERT, cluster.id, cluster.network_id, cluster.slug, cluster.name, sort_key(cluster.name), cluster.country,
        cluster.state, cluster.zone, cluster.language, cluster.version,
    )  # fmt: skip
    if made is not None:
        await _insert_stays(connection, cluster)
    return made is not None


async def update(connection: Connection, cluster: Cluster) -> None:
    """Saves a locked cluster."""
    await connection.execute(UPDATE_VERSION, cluster.id, cluster.version)
    await connection.execute(DELETE_STAYS, cluster.id)
    await _insert_stays(connection, cluster)


async def _insert_stays(connection: Connection, cluster: Cluster) -> None:
    since = [stay.since for stay in cluster.stays]
    until = [stay.until for stay in cluster.stays]
    await connection.execute(INSERT_STAYS, cluster.id, cluster.network_id, since, until)


def _cluster(row: Row) -> Cluster:
    stays = tuple(Stay(since, until) for since, until in zip(row["since"], row["until"], strict=True))
    return Cluster(
        row["id"], row["network_id"], row["slug"], row["name"], row["country"], row["state"], row["zone"],
        row["language"], stays, row["version"],
    )  # fmt: skip


def state_record(cluster: Cluster) -> Record:
    """The row as its state topic carries it."""
    return Record(str(cluster.id), cluster.version, cluster.published())
