"""What is kept of what was merged, and the pairs that are two. Functions take a connection."""

from datetime import date
from uuid import UUID

import orjson

from services.membership.memberships.domain import Membership
from services.membership.organizations.domain import Organization
from shared.contracts.membership import Category
from shared.postgres.pool import Connection, Unit

KEEP_ORGANIZATION = """
INSERT INTO merged_organization (id, into_id, slug, legal_name, trade_name, country, tax_number, merged_at, merged_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
MOVE_ON = "UPDATE merged_organization SET into_id = $2 WHERE into_id = $1"
KEEP_MEMBERSHIP = """
INSERT INTO merged_membership (id, into_id, organization_id, category, bands, version)
VALUES ($1, $2, $3, $4, $5::text::jsonb, $6)
"""
MOVE_MEMBERSHIPS_ON = "UPDATE merged_membership SET into_id = $2 WHERE into_id = $1"
FOLLOWING = """
UPDATE merged_membership SET version = version + 1 WHERE into_id = $1 RETURNING id, category, version
"""
MEMBERSHIPS_OF = "SELECT id FROM membership WHERE organization_id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
TRANSFER = "UPDATE membership SET organization_id = $2, version = $3 WHERE id = $1"
MOVE_VOUCHERS = """
UPDATE application_voucher v SET organization_id = $2 WHERE v.organization_id = $1 AND NOT EXISTS (
    SELECT FROM application_voucher w
    WHERE w.organization_id = $2 AND (w.membership_id, w.applied_on) = (v.membership_id, v.applied_on))
"""
FORGET_PAIRS = "DELETE FROM not_duplicate WHERE one = $1 OR other = $1"
ARE_TWO = """
INSERT INTO not_duplicate (one, other, by, at) VALUES (least($1::uuid, $2), greatest($1::uuid, $2), $3, $4)
ON CONFLICT DO NOTHING
"""


async def memberships_of(connection: Connection, organization_ids: list[UUID]) -> list[UUID]:
    """The memberships of these organisations, locked."""
    return [row["id"] for row in await connection.fetch(MEMBERSHIPS_OF, organization_ids)]


async def keep_organization(unit: Unit, goes: Organization, into_id: UUID) -> None:
    """Keeps what an organisation was; what was merged into it before leads further on."""
    await unit.connection.execute(MOVE_ON, goes.id, into_id)
    await unit.connection.execute(
        KEEP_ORGANIZATION, goes.id, into_id, goes.slug, goes.legal_name, goes.trade_name, goes.country,
        goes.tax_number, unit.now, unit.actor,
    )  # fmt: skip


async def keep_membership(connection: Connection, goes: Membership, into_id: UUID, on: date) -> None:
    """Keeps the days of a membership before it went on as another one, on the day `on`."""
    bands = [[b.category, b.since.isoformat(), min(b.until or on, on).isoformat()] for b in goes.bands if b.since < on]
    await connection.execute(MOVE_MEMBERSHIPS_ON, goes.id, into_id)
    await connection.execute(
        KEEP_MEMBERSHIP, goes.id, into_id, goes.organization_id, goes.category, orjson.dumps(bands).decode(),
        goes.version + 1,
    )  # fmt: skip


async def following(connection: Connection, membership_id: UUID) -> list[tuple[UUID, Category, int]]:
    """What was merged into a membership before, at the next version: id, category, version."""
    return [(row["id"], row["category"], row["version"]) for row in await connection.fetch(FOLLOWING, membership_id)]


async def transfer(connection: Connection, membership: Membership) -> None:
    """Gives a membership to another organisation."""
    await connection.execute(TRANSFER, membership.id, membership.organization_id, membership.version)


async def move_vouchers(connection: Connection, from_id: UUID, to_id: UUID) -> None:
    """For whom one vouches the other vouches, once."""
    await connection.execute(MOVE_VOUCHERS, from_id, to_id)


async def forget_pairs(connection: Connection, organization_id: UUID) -> None:
    """Forgets in which pairs an organisation was found to be another."""
    await connection.execute(FORGET_PAIRS, organization_id)


async def are_two(unit: Unit, one: UUID, other: UUID) -> None:
    """Keeps that somebody found two organisations to be two."""
    await unit.connection.execute(ARE_TWO, one, other, unit.actor, unit.now)
