"""The tables of profiles: load, lock, save. Functions take a connection.

Who has no row has the empty profile of version 0; the organisation's own row is what is locked.
"""

from collections.abc import Sequence
from uuid import UUID

import orjson

from services.membership.profiles.domain import Certificate, Profile, Site
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Row

COLUMNS = """
SELECT p.organization_id, p.size, p.parent_id, p.processes, p.sectors, p.products, p.activities,
       p.visibility::text AS visibility, p.version, c.certificates, s.sites
FROM profile p LEFT JOIN LATERAL (
    SELECT array_agg((x.id, x.standard, x.body, x.number, x.scope, x.since, x.until)
                     ORDER BY x.standard, x.since, x.id) AS certificates
    FROM certificate x WHERE x.organization_id = p.organization_id
) c ON true LEFT JOIN LATERAL (
    SELECT array_agg((x.id, x.name, x.address, x.postcode, x.city, x.state, x.country, x.zone)
                     ORDER BY x.name, x.id) AS sites
    FROM site x WHERE x.organization_id = p.organization_id
) s ON true
"""
BY_IDS = COLUMNS + "WHERE p.organization_id = ANY ($1::uuid[]) ORDER BY p.organization_id"
PAGE = COLUMNS + "WHERE $1::uuid IS NULL OR p.organization_id > $1 ORDER BY p.organization_id LIMIT $2"
LOCK = (
    "SELECT organization_id FROM profile WHERE organization_id = ANY ($1::uuid[]) ORDER BY organization_id FOR UPDATE"
)
LOCK_ORGANIZATION = "SELECT id FROM organization WHERE id = $1 FOR UPDATE"
SAVE = """
INSERT INTO profile (organization_id, size, parent_id, processes, sectors, products, activities, visibility, words,
                     public_words, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (organization_id) DO UPDATE
SET size = excluded.size, parent_id = excluded.parent_id, processes = excluded.processes, sectors = excluded.sectors,
    products = excluded.products, activities = excluded.activities, visibility = excluded.visibility,
    words = excluded.words, public_words = excluded.public_words, version = excluded.version
"""
SAVE_CERTIFICATE = """
INSERT INTO certificate (id, organization_id, standard, body, number, scope, since, until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id, standard = excluded.standard,
    body = excluded.body, number = excluded.number, scope = excluded.scope, since = excluded.since,
    until = excluded.until
"""
DELETE_CERTIFICATES = "DELETE FROM certificate WHERE organization_id = $1 AND NOT id = ANY ($2::uuid[])"
SAVE_SITE = """
INSERT INTO site (id, organization_id, name, address, postcode, city, state, country, zone)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id, name = excluded.name,
    address = excluded.address, postcode = excluded.postcode,
    city = excluded.city, state = excluded.state, country = excluded.country, zone = excluded.zone
"""
DELETE_SITES = "DELETE FROM site WHERE organization_id = $1 AND NOT id = ANY ($2::uuid[])"
DELETE = "DELETE FROM profile WHERE organization_id = $1"
BRANCHES_OF = "SELECT organization_id FROM profile WHERE parent_id = $1 ORDER BY organization_id"
HAS_BRANCHES = "SELECT EXISTS (SELECT FROM profile WHERE parent_id = $1)"


async def load(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Profile]:
    """The profiles of these organisations; the empty one of who has none."""
    found = {row["organization_id"]: _profile(row) for row in await connection.fetch(BY_IDS, ids)}
    return {id_: found.get(id_, Profile(id_)) for id_ in ids}


async def lock_one(connection: Connection, organization_id: UUID) -> Profile | None:
    """One organisation's profile, locked through the organisation; None when there is no such organisation."""
    if await connection.fetchval(LOCK_ORGANIZATION, organization_id) is None:
        return None
    return (await load(connection, [organization_id]))[organization_id]


async def lock(connection: Connection, ids: Sequence[UUID]) -> list[Profile]:
    """The profiles that exist of these organisations, locked. Two statements: the parts are read after the lock."""
    await connection.execute(LOCK, ids)
    return [_profile(row) for row in await connection.fetch(BY_IDS, ids)]


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Profile]:
    """At most `limit` profiles behind an organisation's id, by it."""
    return [_profile(row) for row in await connection.fetch(PAGE, after, limit)]


async def has_branches(connection: Connection, organization_id: UUID) -> bool:
    """Whether another organisation is a branch of this one."""
    return bool(await connection.fetchval(HAS_BRANCHES, organization_id))


async def save(connection: Connection, profile: Profile) -> None:
    """Saves a locked profile with its certificates and sites."""
    id_ = profile.organization_id
    await connection.execute(
        SAVE, id_, profile.size, profile.parent_id, list(profile.processes), list(profile.sectors),
        list(profile.products), list(profile.activities), orjson.dumps(dict(profile.visibility)).decode(),
        profile.words("network"), profile.words("public"), profile.version,
    )  # fmt: skip
    await connection.execute(DELETE_CERTIFICATES, id_, [one.id for one in profile.certificates])
    await connection.executemany(
        SAVE_CERTIFICATE,
        [(c.id, id_, c.standard, c.body, c.number, c.scope, c.since, c.until) for c in profile.certificates],
    )
    await connection.execute(DELETE_SITES, id_, [one.id for one in profile.sites])
    await connection.executemany(
        SAVE_SITE,
        [(s.id, id_, s.name, s.address, s.postcode, s.city, s.state, s.country, s.zone) for s in profile.sites],
    )


async def delete(connection: Connection, organization_id: UUID) -> None:
    """Removes a profile; its certificates and sites are another one's by then, or go with it."""
    await connection.execute(DELETE_CERTIFICATES, organization_id, [])
    await connection.execute(DELETE_SITES, organization_id, [])
    await connection.execute(DELETE, organization_id)


async def branches_of(connection: Connection, parent_id: UUID) -> list[UUID]:
    """The branches of an organisation."""
    return [row["organization_id"] for row in await connection.fetch(BRANCHES_OF, parent_id)]


def _profile(row: Row) -> Profile:
    return Profile(
        row["organization_id"], row["size"], row["parent_id"], tuple(row["processes"]), tuple(row["sectors"]),
        tuple(row["products"]), tuple(row["activities"]),
        tuple(Certificate(*one) for one in row["certificates"] or ()),
        tuple(Site(*one) for one in row["sites"] or ()), orjson.loads(row["visibility"]), row["version"],
    )  # fmt: skip


def state_record(profile: Profile) -> Record:
    """The row as its state topic carries it."""
    return Record(str(profile.organization_id), profile.version, profile.published())
