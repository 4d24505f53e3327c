"""Reads of the import over several tables: who stands in a cluster's register."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from shared.postgres.pool import Connection

ABSENT = """
SELECT o.id, o.trade_name, o.tax_number FROM organization o
WHERE o.id IN (
    SELECT organization_id FROM membership WHERE cluster_id = $1 AND standing IN ('active', 'grace')
    EXCEPT SELECT unnest($2::uuid[])
)
ORDER BY o.sort_key, o.id
"""


class Absent(NamedTuple):
    """A member whom the file does not name: perhaps a leaver."""

    organization_id: UUID
    name: str
    tax_number: str | None


async def absent_from(connection: Connection, cluster_id: UUID, named: Collection[UUID]) -> list[Absent]:
    """Members in force of a cluster that are not among these organisations, by name."""
    return [Absent(*row) for row in await connection.fetch(ABSENT, cluster_id, list(named))]
