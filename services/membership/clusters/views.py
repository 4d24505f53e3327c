"""The clusters of the network as of a date: since when they belong, who directs and presides, how many members."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from shared.postgres.pool import Connection, Row

IN_NETWORK = """
SELECT c.id, c.slug, c.name, c.country, c.state, lower(n.period) AS since, upper(n.period) AS until,
       (SELECT count(*) FROM membership m WHERE m.cluster_id = c.id AND EXISTS (
            SELECT FROM membership_band b WHERE b.membership_id = m.id AND b.period @> $1::date)) AS members
FROM cluster c JOIN cluster_in_network n ON n.cluster_id = c.id AND n.period @> $1::date
ORDER BY c.sort_key, c.id
"""
OFFICERS = """
SELECT g.scope_id AS cluster_id, g.role, a.name, lower(g.period) AS since
FROM role_grant g JOIN account a ON a.id = g.account_id
WHERE g.scope = 'cluster' AND g.role IN ('cluster_director', 'cluster_president') AND g.period @> $1::date
ORDER BY lower(g.period), a.name
"""


class Officer(NamedTuple):
    """Who directs or presides over a cluster, and since when."""

    name: str
    since: date


async def in_network(connection: Connection, day: date) -> list[Row]:
    """The clusters that belonged to the network on a day, by name, with how many memberships were in force."""
    return list(await connection.fetch(IN_NETWORK, day))


async def officers(connection: Connection, day: date) -> Mapping[tuple[UUID, str], list[Officer]]:
    """Who held an office on a day, by cluster and role."""
    found: dict[tuple[UUID, str], list[Officer]] = {}
    for row in await connection.fetch(OFFICERS, day):
        found.setdefault((row["cluster_id"], row["role"]), []).append(Officer(row["name"], row["since"]))
    return found
