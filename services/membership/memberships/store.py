"""The tables of memberships: load, lock, save, one or many at once. Functions take a connection."""

from collections.abc import Sequence
from uuid import UUID

from services.membership.memberships.domain import Band, Membership
from shared.http.policy import WHOLE, Span
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Row

COLUMNS = """
SELECT m.id, m.organization_id, m.cluster_id, m.category, m.standing, m.applied_on, m.approved_on, m.since, m.until,
       m.version, b.categories, b.starts, b.ends
FROM membership m LEFT JOIN LATERAL (
    SELECT array_agg(x.category ORDER BY x.period) AS categories,
           array_agg(lower(x.period) ORDER BY x.period) AS starts,
           array_agg(upper(x.period) ORDER BY x.period) AS ends
    FROM membership_band x WHERE x.membership_id = m.id
) b ON true
"""
BY_IDS = COLUMNS + "WHERE m.id = ANY ($1::uuid[]) ORDER BY m.id"
PAGE = """
SELECT id, organization_id, cluster_id, category, standing, applied_on, approved_on, since, until, version,
       NULL::text[] AS categories, NULL::date[] AS starts, NULL::date[] AS ends
FROM membership
WHERE ($1::uuid IS NULL OR id > $1) AND ($3::uuid IS NULL OR cluster_id = $3)
  AND ($4::uuid IS NULL OR organization_id = $4) AND ($5::text IS NULL OR standing = $5)
  AND ($6 OR cluster_id = ANY ($7::uuid[]) OR organization_id = ANY ($8::uuid[]))
ORDER BY id LIMIT $2
"""
LOCK = "SELECT id FROM membership WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
LOCK_PAIRS = """
SELECT id FROM membership WHERE cluster_id = $1 AND organization_id = ANY ($2::uuid[]) ORDER BY id FOR UPDATE
"""
INSERTED = (
    "id", "organization_id", "cluster_id", "category", "standing", "applied_on", "approved_on", "since", "until",
    "version",
)  # fmt: skip
UPDATE = """
UPDATE membership m SET category = r.category, standing = r.standing, applied_on = r.applied_on,
       approved_on = r.approved_on, since = r.since, until = r.until, version = r.version
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::date[], $5::date[], $6::date[], $7::date[], $8::bigint[])
    AS r (id, category, standing, applied_on, approved_on, since, until, version)
WHERE m.id = r.id
"""
DELETE_BANDS = "DELETE FROM membership_band WHERE membership_id = ANY ($1::uuid[])"
DELETE = "DELETE FROM membership WHERE id = ANY ($1::uuid[])"
INSERT_BANDS = """
INSERT INTO membership_band (membership_id, period, category)
SELECT id, daterange(since, until), category
FROM unnest($1::uuid[], $2::date[], $3::date[], $4::text[]) AS r (id, since, until, category)
"""


async def load(connection: Connection, ids: Sequence[UUID]) -> list[Membership]:
    """The named memberships that exist, with their bands, by id."""
    return [_membership(row) for row in await connection.fetch(BY_IDS, ids)]


async def lock(connection: Connection, ids: Sequence[UUID]) -> list[Membership]:
    """The named memberships that exist, locked. Two statements: bands are read after the lock is held."""
    await connection.execute(LOCK, ids)
    return await load(connection, ids)


async def lock_pairs(connection: Connection, cluster_id: UUID, organization_ids: Sequence[UUID]) -> list[Membership]:
    """The memberships of these organisations in a cluster, locked."""
    ids = [row["id"] for row in await connection.fetch(LOCK_PAIRS, cluster_id, organization_ids)]
    return await load(connection, ids) if ids else []


async def page(
    connection: Connection,
    after: UUID | None,
    limit: int,
    *,
    cluster_id: UUID | None = None,
    organization_id: UUID | None = None,
    standing: str | None = None,
    span: Span = WHOLE,
) -> list[Membership]:
    """At most `limit` memberships behind an id, by id, without their bands; those within `span` only."""
    rows = await connection.fetch(PAGE, after, limit, cluster_id, organization_id, standing, *span)
    return [_membership(row) for row in rows]


async def insert(connection: Connection, new: Sequence[Membership]) -> None:
    """Saves new memberships. A pair that has one already raises `asyncpg.UniqueViolationError`."""
    rows = [
        (m.id, m.organization_id, m.cluster_id, m.category, m.standing, m.applied_on, m.approved_on, m.since, m.until,
         m.version)
        for m in new
    ]  # fmt: skip
    await connection.copy_records_to_table("membership", records=rows, columns=INSERTED)
    await _insert_bands(connection, new)


async def update(connection: Connection, changed: Sequence[Membership]) -> None:
    """Saves locked memberships with their bands."""
    await connection.execute(
        UPDATE,
        [m.id for m in changed],
        [m.category for m in changed],
        [m.standing for m in changed],
        [m.applied_on for m in changed],
        [m.approved_on for m in changed],
        [m.since for m in changed],
        [m.until for m in changed],
        [m.version for m in changed],
    )
    await connection.execute(DELETE_BANDS, [m.id for m in changed])
    await _insert_bands(connection, changed)


async def delete(connection: Connection, ids: Sequence[UUID]) -> None:
    """Removes memberships that never were, with their bands."""
    await connection.execute(DELETE_BANDS, ids)
    await connection.execute(DELETE, ids)


async def _insert_bands(connection: Connection, memberships: Sequence[Membership]) -> None:
    rows = [(m.id, band) for m in memberships for band in m.bands]
    if rows:
        await connection.execute(
            INSERT_BANDS,
            [id_ for id_, _ in rows],
            [band.since for _, band in rows],
            [band.until for _, band in rows],
            [band.category for _, band in rows],
        )


def _membership(row: Row) -> Membership:
    bands = zip(row["categories"] or (), row["starts"] or (), row["ends"] or (), strict=True)
    return Membership(
        row["id"], row["organization_id"], row["cluster_id"], row["category"], row["standing"], row["applied_on"],
        row["approved_on"], row["since"], row["until"], tuple(Band(*band) for band in bands), row["version"],
    )  # fmt: skip


def state_record(membership: Membership) -> Record:
    """The row as its state topic carries it."""
    return Record(str(membership.id), membership.version, membership.published())
