"""The tables of applications: what is asked for, what came, who vouches. Functions take a connection."""

from datetime import date, datetime
from uuid import UUID

import orjson

from services.membership.applications.domain import NOTHING, Document, HandedIn, Requirements
from shared.postgres.pool import Connection, Row

REQUIREMENTS = """
SELECT documents::text AS documents, vouchers, resolution, lower(period) AS since FROM application_requirements
WHERE cluster_id = $1 AND period @> $2::date
"""
END_REQUIREMENTS = """
UPDATE application_requirements SET period = daterange(lower(period), $2)
WHERE cluster_id = $1 AND period @> $2::date AND lower(period) < $2
"""
DROP_REQUIREMENTS = "DELETE FROM application_requirements WHERE cluster_id = $1 AND lower(period) >= $2"
ADD_REQUIREMENTS = """
INSERT INTO application_requirements (cluster_id, period, documents, vouchers, resolution)
VALUES ($1, daterange($2, NULL), $3::text::jsonb, $4, $5)
"""
HIGHEST = "SELECT coalesce(max(version), 0) FROM application WHERE membership_id = $1"
SAVE = """
INSERT INTO application (membership_id, applied_on, resolution, resolved_on, version) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (membership_id, applied_on) DO UPDATE SET version = excluded.version,
    resolution = coalesce(excluded.resolution, application.resolution),
    resolved_on = coalesce(excluded.resolved_on, application.resolved_on)
"""
DOCUMENTS = """
SELECT code, state, file_id, reason, by, at FROM application_document WHERE membership_id = $1 AND applied_on = $2
"""
SAVE_DOCUMENT = """
INSERT INTO application_document (membership_id, applied_on, code, state, file_id, reason, by, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (membership_id, applied_on, code) DO UPDATE SET state = excluded.state, file_id = excluded.file_id,
    reason = excluded.reason, by = excluded.by, at = excluded.at
"""
VOUCHERS = """
SELECT organization_id FROM application_voucher WHERE membership_id = $1 AND applied_on = $2
ORDER BY at, organization_id
"""
VOUCH = """
INSERT INTO application_voucher (membership_id, applied_on, organization_id, by, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
UNVOUCH = """
DELETE FROM application_voucher WHERE membership_id = $1 AND applied_on = $2 AND organization_id = $3
RETURNING organization_id
"""


async def requirements(connection: Connection, cluster_id: UUID, on: date) -> Requirements:
    """What a cluster asks for on a day."""
    row = await connection.fetchrow(REQUIREMENTS, cluster_id, on)
    return _requirements(row) if row else NOTHING


async def set_requirements(connection: Connection, cluster_id: UUID, asked: Requirements, since: date) -> None:
    """From a day on it asks for this; what was planned for later days is dropped."""
    await connection.execute(DROP_REQUIREMENTS, cluster_id, since)
    await connection.execute(END_REQUIREMENTS, cluster_id, since)
    documents = [{"code": one.code, "es": one.es, "en": one.en} for one in asked.documents]
    await connection.execute(
        ADD_REQUIREMENTS, cluster_id, since, orjson.dumps(documents).decode(), asked.vouchers, asked.resolution
    )


async def version(connection: Connection, membership_id: UUID) -> int:
    """The highest version of any application under this membership: versions go on from one to the next."""
    return int(await connection.fetchval(HIGHEST, membership_id))


async def save(
    connection: Connection, membership_id: UUID, applied_on: date, version: int, *, resolution: str | None = None,
    resolved_on: date | None = None,
) -> None:  # fmt: skip
    """Saves the application itself; a resolution that stands there stays."""
    await connection.execute(SAVE, membership_id, applied_on, resolution, resolved_on, version)


async def documents(connection: Connection, membership_id: UUID, applied_on: date) -> dict[str, HandedIn]:
    """What came, by its code."""
    return {row["code"]: HandedIn(**dict(row)) for row in await connection.fetch(DOCUMENTS, membership_id, applied_on)}


async def save_document(connection: Connection, membership_id: UUID, applied_on: date, document: HandedIn) -> None:
    """Saves a document in place of the one before it."""
    await connection.execute(
        SAVE_DOCUMENT, membership_id, applied_on, document.code, document.state, document.file_id, document.reason,
        document.by, document.at,
    )  # fmt: skip


async def vouchers(connection: Connection, membership_id: UUID, applied_on: date) -> tuple[UUID, ...]:
    """The members who vouch, in the order in which they did."""
    return tuple(row["organization_id"] for row in await connection.fetch(VOUCHERS, membership_id, applied_on))


async def vouch(
    connection: Connection, membership_id: UUID, applied_on: date, organization_id: UUID, by: str, at: datetime
) -> None:
    """Keeps who vouches."""
    await connection.execute(VOUCH, membership_id, applied_on, organization_id, by, at)


async def unvouch(connection: Connection, membership_id: UUID, applied_on: date, organization_id: UUID) -> bool:
    """They vouch no more. False when they did not."""
    return await connection.fetchval(UNVOUCH, membership_id, applied_on, organization_id) is not None


def _requirements(row: Row) -> Requirements:
    found = tuple(Document(one["code"], one["es"], one["en"]) for one in orjson.loads(row["documents"]))
    return Requirements(found, row["vouchers"], row["resolution"])
