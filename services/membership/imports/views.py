"""Reads of the import over several tables: who stands in a cluster's register."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from shared.postgres.pool import Connection

MEMBER_IDS = "SELECT organization_id FROM membership WHERE cluster_id = $1 AND standing IN ('active', 'grace')"
MEMBERS_NAMED = """
SELECT id, trade_name, tax_number FROM organization WHERE id = ANY ($1::uuid[]) ORDER BY sort_key, id
"""


class Absent(NamedTuple):
    """A member whom the file does not name: perhaps a leaver."""

    organization_id: UUID
    name: str
    tax_number: str | None


async def absent_from(connection: Connection, cluster_id: UUID, named: Collection[UUID]) -> list[Absent]:
    """Members in force of a cluster that are not among these organisations, by name."""
    rows = await connection.fetch(MEMBER_IDS, cluster_id)
    absent = [row["organization_id"] for row in rows if row["organization_id"] not in named]
    return [Absent(*row) for row in await connection.fetch(MEMBERS_NAMED, absent)] if absent else []
