"""What a reader sees of a profile: everything of the own company, the cluster's part of the own cluster's ones."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from services.membership.organizations import views as organizations
from services.membership.profiles.domain import Level, Profile
from shared.http.policy import Allowed
from shared.postgres.pool import Connection, Row

BRANCHES = """
SELECT o.slug, o.trade_name, o.state FROM profile p JOIN organization o ON o.id = p.organization_id
WHERE p.parent_id = $1 ORDER BY o.sort_key
"""
PARENT = "SELECT id, slug, trade_name FROM organization WHERE id = $1"


async def level_of(connection: Connection, private: Allowed, organization_id: UUID) -> Level:
    """How near a reader stands: "own" for the company itself and who acts for the network, then "cluster"."""
    if private.everything or organization_id in private.organizations:
        return "own"
    return "cluster" if await organizations.covered(connection, private, [organization_id]) else "network"


async def branches(connection: Connection, organization_id: UUID) -> list[Row]:
    """Slug, name and state of the branches, by name."""
    return list(await connection.fetch(BRANCHES, organization_id))


async def parent(connection: Connection, profile: Profile) -> Row | None:
    """Id, slug and name of the organisation that this one is a branch of."""
    return await connection.fetchrow(PARENT, profile.parent_id) if profile.parent_id else None


def days_left(until: date, today: date) -> int:
    """Days on which a certificate still counts; 0 and less: it ended."""
    return (until - today).days


def in_force(profile: Profile, today: date) -> Sequence[str]:
    """The standards whose certificates count today."""
    return sorted({one.standard for one in profile.certificates if one.holds(today)})
