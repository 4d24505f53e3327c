"""The tables of organisations: load, lock, save, one or many at once. Functions take a connection."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from services.membership.organizations.domain import Candidate, Organization, Position
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Row
from shared.postgres.values import normalised_name, sort_key

COLUMNS = """
SELECT o.id, o.slug, o.legal_name, o.trade_name, o.type, o.country, o.state, o.city, o.tax_number, o.version,
       p.positions, p.since, p.until
FROM organization o LEFT JOIN LATERAL (
    SELECT array_agg(q.position ORDER BY q.position, q.period) AS positions,
           array_agg(lower(q.period) ORDER BY q.position, q.period) AS since,
           array_agg(upper(q.period) ORDER BY q.position, q.period) AS until
    FROM organization_position q WHERE q.organization_id = o.id
) p ON true
"""
BY_IDS = COLUMNS + "WHERE o.id = ANY ($1::uuid[]) ORDER BY o.id"
PAGE = """
SELECT * FROM (
    SELECT id FROM organization
    WHERE ($1::uuid IS NULL OR id > $1) AND ($3::text IS NULL OR country = $3) AND ($4::text IS NULL OR state = $4)
      AND ($5::text IS NULL OR type = $5) AND ($6::text IS NULL OR normalised_name = $6)
    ORDER BY id LIMIT $2
) AS wanted JOIN LATERAL (
""" + COLUMNS + "WHERE o.id = wanted.id) AS found USING (id) ORDER BY id"  # fmt: skip
LOCK = "SELECT id FROM organization WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
EXISTING = "SELECT id FROM organization WHERE id = ANY ($1::uuid[])"
CANDIDATES = """
SELECT id, country, tax_number, normalised_name, state, false FROM organization
WHERE (country, tax_number) IN (SELECT * FROM unnest($1::text[], $2::text[]))
UNION
SELECT id, country, tax_number, normalised_name, state, false FROM organization WHERE normalised_name = ANY ($3::text[])
UNION
SELECT o.id, m.country, m.tax_number, o.normalised_name, o.state, true
FROM merged_organization m JOIN organization o ON o.id = m.into_id
WHERE (m.country, m.tax_number) IN (SELECT * FROM unnest($1::text[], $2::text[]))
  AND (o.country, o.tax_number) IS DISTINCT FROM (m.country, m.tax_number)
"""
BY_SLUG = """
SELECT id FROM organization WHERE slug = $1 UNION ALL SELECT into_id FROM merged_organization WHERE slug = $1 LIMIT 1
"""
SUCCESSORS = "SELECT id, into_id FROM merged_organization WHERE id = ANY ($1::uuid[])"
SLUGS = """
SELECT slug FROM organization WHERE slug = ANY ($1::text[])
UNION ALL SELECT slug FROM merged_organization WHERE slug = ANY ($1::text[])
"""
INSERTED = (
    "id", "slug", "legal_name", "trade_name", "normalised_name", "sort_key", "type", "country", "state", "city",
    "tax_number", "version",
)  # fmt: skip
UPDATE = """
UPDATE organization o SET legal_name = r.legal_name, trade_name = r.trade_name, normalised_name = r.normalised_name,
       sort_key = r.sort_key, type = r.type, country = r.country, state = r.state, city = r.city,
       tax_number = r.tax_number, version = r.version
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::bigint[])
    AS r (id, legal_name, trade_name, normalised_name, sort_key, type, country, state, city, tax_number, version)
WHERE o.id = r.id
"""
DELETE_POSITIONS = "DELETE FROM organization_position WHERE organization_id = ANY ($1::uuid[])"
DELETE = "DELETE FROM organization WHERE id = ANY ($1::uuid[])"
INSERT_POSITIONS = """
INSERT INTO organization_position (organization_id, position, period)
SELECT id, position, daterange(since, until)
FROM unnest($1::uuid[], $2::text[], $3::date[], $4::date[]) AS r (id, position, since, until)
"""


async def load(connection: Connection, ids: Sequence[UUID]) -> list[Organization]:
    """The named organisations that exist, by id."""
    return [_organization(row) for row in await connection.fetch(BY_IDS, ids)]


async def lock(connection: Connection, ids: Sequence[UUID]) -> list[Organization]:
    """The named organisations that exist, locked for update. Two statements, so that what is read is what is locked."""
    await connection.execute(LOCK, ids)
    return await load(connection, ids)


async def id_of_slug(connection: Connection, slug: str) -> UUID | None:
    """The organisation of this slug, or of one that was merged into it."""
    found: UUID | None = await connection.fetchval(BY_SLUG, slug)
    return found


async def by_slug_or_id(connection: Connection, name: str) -> Organization | None:
    """The organisation that an address names; of one that was merged, the one that it goes on as."""
    try:
        id_: UUID | None = await successor(connection, UUID(name))
    except ValueError:
        id_ = await id_of_slug(connection, name.replace("\x00", ""))
    found = await load(connection, [id_]) if id_ else []
    return found[0] if found else None


async def successor(connection: Connection, id_: UUID) -> UUID:
    """The id under which an organisation goes on: its own, unless it was merged into another."""
    return (await successors(connection, [id_])).get(id_, id_)


async def successors(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Those of these ids that were merged, and into which."""
    return {row["id"]: row["into_id"] for row in await connection.fetch(SUCCESSORS, ids)}


async def existing(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these exist."""
    return {row["id"] for row in await connection.fetch(EXISTING, ids)}


async def page(
    connection: Connection,
    after: UUID | None,
    limit: int,
    *,
    country: str | None = None,
    state: str | None = None,
    type_: str | None = None,
    name: str | None = None,
) -> list[Organization]:
    """At most `limit` organisations behind an id, by id; `name` is compared without case, accents, legal form."""
    key = normalised_name(name) if name else None
    return [_organization(row) for row in await connection.fetch(PAGE, after, limit, country, state, type_, key)]


async def candidates(
    connection: Connection, tax_numbers: Iterable[tuple[str, str]], names: Iterable[str]
) -> list[Candidate]:
    """Organisations with one of these (country, tax number) or one of these comparable names."""
    pairs = list(tax_numbers)
    rows = await connection.fetch(
        CANDIDATES, [country for country, _ in pairs], [number for _, number in pairs], list(names)
    )
    return [Candidate(*row) for row in rows]


async def taken_slugs(connection: Connection, slugs: Sequence[str]) -> set[str]:
    """Which of these slugs some organisation has."""
    return {row["slug"] for row in await connection.fetch(SLUGS, slugs)}


async def insert(connection: Connection, new: Sequence[Organization]) -> None:
    """Saves new organisations. A taken slug or tax number raises `asyncpg.UniqueViolationError`."""
    rows = [
        (o.id, o.slug, o.legal_name, o.trade_name, normalised_name(o.legal_name), sort_key(o.trade_name), o.type,
         o.country, o.state, o.city, o.tax_number, o.version)
        for o in new
    ]  # fmt: skip
    await connection.copy_records_to_table("organization", records=rows, columns=INSERTED)
    await _insert_positions(connection, new)


async def update(connection: Connection, changed: Sequence[Organization]) -> None:
    """Saves locked organisations. A taken tax number raises `asyncpg.UniqueViolationError`."""
    await connection.execute(
        UPDATE,
        [o.id for o in changed],
        [o.legal_name for o in changed],
        [o.trade_name for o in changed],
        [normalised_name(o.legal_name) for o in changed],
        [sort_key(o.trade_name) for o in changed],
        [o.type for o in changed],
        [o.country for o in changed],
        [o.state for o in changed],
        [o.city for o in changed],
        [o.tax_number for o in changed],
        [o.version for o in changed],
    )
    await connection.execute(DELETE_POSITIONS, [o.id for o in changed])
    await _insert_positions(connection, changed)


async def delete(connection: Connection, ids: Sequence[UUID]) -> None:
    """Removes organisations that never were. Raises `asyncpg.ForeignKeyViolationError` when something names one."""
    await connection.execute(DELETE_POSITIONS, ids)
    await connection.execute(DELETE, ids)


async def _insert_positions(connection: Connection, organizations: Sequence[Organization]) -> None:
    rows = [(o.id, p) for o in organizations for p in o.positions]
    if rows:
        await connection.execute(
            INSERT_POSITIONS,
            [id_ for id_, _ in rows],
            [p.position for _, p in rows],
            [p.since for _, p in rows],
            [p.until for _, p in rows],
        )


def _organization(row: Row) -> Organization:
    positions = zip(row["positions"] or (), row["since"] or (), row["until"] or (), strict=True)
    return Organization(
        row["id"], row["slug"], row["legal_name"], row["trade_name"], row["type"], row["country"], row["state"],
        row["city"], row["tax_number"], tuple(Position(*p) for p in positions), row["version"],
    )  # fmt: skip


def state_record(organization: Organization) -> Record:
    """The row as its state topic carries it."""
    return Record(str(organization.id), organization.version, organization.published())
