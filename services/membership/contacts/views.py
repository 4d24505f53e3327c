"""Reads of contacts over other tables: whether there is somebody to write to, and who writes."""

from datetime import date
from typing import NamedTuple
from uuid import UUID

from shared.postgres.pool import Connection

TO = """
SELECT m.cluster_id, EXISTS (
    SELECT FROM person_organization p WHERE p.organization_id = $1 AND upper_inf(p.period)) AS somebody
FROM membership m
WHERE m.organization_id = $1 AND m.standing IN ('active', 'grace') ORDER BY m.since, m.id LIMIT 1
"""
SENDER = """
SELECT a.name, a.mail, a.language, (
    SELECT o.trade_name FROM role_grant r JOIN organization o ON o.id = r.scope_id
    WHERE r.account_id = a.id AND r.scope = 'organization' AND r.period @> $2::date ORDER BY r.id LIMIT 1)
    AS organization, (
    SELECT c.name FROM role_grant r JOIN cluster c ON c.id = r.scope_id
    WHERE r.account_id = a.id AND r.scope = 'cluster' AND r.period @> $2::date ORDER BY r.id LIMIT 1) AS cluster,
    (SELECT name FROM network ORDER BY id LIMIT 1) AS network
FROM account a WHERE a.id = $1 AND a.kind = 'person'
"""


class Sender(NamedTuple):
    """Who writes: name, address, and for whom."""

    name: str
    mail: str | None
    organization: str


async def cluster_of(connection: Connection, organization_id: UUID) -> tuple[UUID, bool] | None:
    """A cluster in which it is in force, and whether somebody there can be written to; None for no member."""
    row = await connection.fetchrow(TO, organization_id)
    return (row["cluster_id"], row["somebody"]) if row else None


async def sender(connection: Connection, account_id: UUID, today: date) -> Sender | None:
    """The person of an account and for whom they speak: a company, a cluster, else the network."""
    row = await connection.fetchrow(SENDER, account_id, today)
    return (
        Sender(row["name"], row["mail"], row["organization"] or row["cluster"] or row["network"] or "") if row else None
    )
