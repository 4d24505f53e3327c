"""The tables of pairs that were found, and of what was compared. Functions take a connection."""

from collections.abc import Sequence
from uuid import UUID

from shared.postgres.pool import Connection, Row

FORGET = "DELETE FROM similar_pair WHERE one = ANY ($1::uuid[]) OR other = ANY ($1::uuid[])"
KEEP = """
INSERT INTO similar_pair (one, other, likeness, by_name, by_tax)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::float8[], $4::boolean[], $5::boolean[])
"""
COMPARED = """
INSERT INTO compared (organization_id, normalised_name, tax_number)
SELECT id, normalised_name, tax_number FROM organization WHERE id = ANY ($1::uuid[])
ON CONFLICT (organization_id) DO UPDATE
SET normalised_name = excluded.normalised_name, tax_number = excluded.tax_number
"""
LOCK = "SELECT id FROM organization WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
IN_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('membership.compare', 0))"


async def take_turn(connection: Connection, ids: Sequence[UUID]) -> None:
    """One compares at a time, and what is compared does not change meanwhile."""
    await connection.execute(IN_TURN)
    await connection.execute(LOCK, ids)


async def keep(connection: Connection, ids: Sequence[UUID], pairs: Sequence[Row]) -> None:
    """These were compared, and are like those."""
    await connection.execute(FORGET, ids)
    if pairs:
        await connection.execute(KEEP, *zip(*[tuple(row) for row in pairs], strict=True))
    await connection.execute(COMPARED, ids)
