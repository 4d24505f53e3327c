"""Registrations as lists, for who holds a gathering and for who registered; memberships, for a price."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from services.events.gatherings.domain import INTERNAL, Gathering
from services.events.registrations.domain import Member
from shared.postgres.pool import Connection, Row

MEMBERS = """
SELECT s.cluster_id, coalesce(c.name, '–') AS cluster, s.category, s.standing, s.since, s.until
FROM standing s LEFT JOIN cluster c USING (cluster_id)
WHERE s.organization_id = present_organization($1)
   OR s.organization_id = present_organization(
        (SELECT parent_id FROM branch WHERE organization_id = present_organization($1)))
      AND NOT EXISTS (SELECT FROM standing own WHERE own.organization_id = present_organization($1)
                      AND own.cluster_id = s.cluster_id AND own.standing IN ('active', 'grace'))
ORDER BY s.organization_id = present_organization($1) DESC, s.until DESC NULLS FIRST, s.membership_id
"""
"""Its own first; a branch has those of its company too, where it has none of its own in force."""
ORGANIZATION = """
SELECT organization_id, trade_name FROM organization WHERE organization_id = present_organization($1)
"""
ORGANIZATION_CALLED = """
SELECT organization_id, trade_name FROM organization
WHERE lower(trade_name) = lower($1) OR lower(legal_name) = lower($1) OR slug = lower($1)
ORDER BY lower(trade_name) = lower($1) DESC, organization_id LIMIT 1
"""
ORGANIZATIONS = """
SELECT organization_id, trade_name FROM organization WHERE organization_id = ANY ($1::uuid[])
ORDER BY trade_name, organization_id
"""
LIST = """
SELECT r.id, r.number, r.status, r.name, r.mail, r.language, r.organization_id, o.trade_name AS organization,
       r.person_id, r.price_group, r.amount, r.currency, r.waited, r.offer_until, r.check_in_code, r.registered_at,
       r.registered_by, r.revision, a.at AS attended_at, a.method,
       CASE WHEN r.status = 'waiting'
            THEN count(*) FILTER (WHERE r.status = 'waiting') OVER (ORDER BY r.number) END AS place_in_line
FROM registration r
LEFT JOIN organization o ON o.organization_id = present_organization(r.organization_id)
LEFT JOIN attendance a ON a.registration_id = r.id
WHERE r.gathering_id = $1
"""
OF_GATHERING = """
SELECT * FROM (""" + LIST + """) AS found
WHERE ($2::text[] IS NULL OR status = ANY ($2)) AND ($3::bigint IS NULL OR number > $3)
  AND ($5::text IS NULL OR position(lower($5) in lower(concat_ws(' ', name, mail, organization))) > 0)
ORDER BY number LIMIT $4
"""  # fmt: skip
OWN = """
SELECT * FROM (""" + LIST + """) AS found
WHERE (person_id = $2 OR registered_by = $3 OR organization_id = ANY ($4::uuid[]))
  AND status IN ('waiting', 'offered', 'confirmed')
ORDER BY number LIMIT 200
"""  # fmt: skip
EDITIONS = """
SELECT g.id, g.slug, g.title, g.status, (g.starts AT TIME ZONE g.zone)::date AS day, g.capacity, g.currency,
       count(r.id) FILTER (WHERE r.status = 'confirmed') AS confirmed, count(a.at) AS attended,
       count(DISTINCT present_organization(r.organization_id)) FILTER (WHERE a.at IS NOT NULL) AS organizations,
       coalesce(sum(r.amount) FILTER (WHERE r.status = 'confirmed'), 0) AS amount
FROM gathering g
LEFT JOIN registration r ON r.gathering_id = g.id
LEFT JOIN attendance a ON a.registration_id = r.id
WHERE lower(g.series) = lower($2) AND g.cluster_id IS NOT DISTINCT FROM $1
  AND (g.status <> 'draft' AND ($4 OR g.kind <> ALL ($5::text[])) OR g.id = $3)
GROUP BY g.id ORDER BY g.starts DESC, g.id LIMIT 50
"""
LAST_MAIL = """
SELECT mail FROM registration WHERE person_id = $1 AND NOT erased ORDER BY registered_at DESC LIMIT 1
"""
RESULT = """
SELECT count(*) FILTER (WHERE r.status = 'confirmed') AS confirmed,
       count(*) FILTER (WHERE r.status = 'waiting') AS waiting, count(*) FILTER (WHERE r.status = 'offered') AS offered,
       count(*) FILTER (WHERE r.status = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE r.status = 'lapsed') AS lapsed, count(a.at) AS attended,
       count(DISTINCT present_organization(r.organization_id)) FILTER (WHERE a.at IS NOT NULL) AS organizations
FROM registration r LEFT JOIN attendance a ON a.registration_id = r.id WHERE r.gathering_id = $1
"""
BY_GROUP = """
SELECT price_group, count(*) AS people, sum(amount) AS amount FROM registration
WHERE gathering_id = $1 AND status = 'confirmed' GROUP BY price_group
ORDER BY array_position(ARRAY['own', 'network', 'public'], price_group)
"""


class Known(NamedTuple):
    """An organisation by its present id."""

    id: UUID
    name: str


class Asked(NamedTuple):
    """What a list of registrations is asked for; `after` is a number in the order of coming."""

    statuses: Sequence[str] | None = None
    after: int | None = None
    text: str | None = None


async def members(connection: Connection, organization_id: UUID) -> list[Member]:
    """The memberships of an organisation, those in force first."""
    return [Member(*row) for row in await connection.fetch(MEMBERS, organization_id)]


async def organization(connection: Connection, organization_id: UUID) -> Known | None:
    """The organisation of an id, or the one that it goes on as."""
    row = await connection.fetchrow(ORGANIZATION, organization_id)
    return Known(*row) if row else None


async def organization_called(connection: Connection, name: str) -> Known | None:
    """The organisation that is called so: by trade name, legal name or slug."""
    row = await connection.fetchrow(ORGANIZATION_CALLED, name)
    return Known(*row) if row else None


async def organizations(connection: Connection, ids: Sequence[UUID]) -> list[Known]:
    """Those of these organisations whose names have arrived."""
    return [Known(*row) for row in await connection.fetch(ORGANIZATIONS, ids)]


async def of_gathering(connection: Connection, gathering_id: UUID, asked: Asked, limit: int) -> list[Row]:
    """Who is registered, in the order of coming."""
    return await connection.fetch(OF_GATHERING, gathering_id, asked.statuses, asked.after, limit, asked.text)


async def own(
    connection: Connection, gathering_id: UUID, subject: UUID | None, actor: str, organizations: Sequence[UUID]
) -> list[Row]:
    """Who of the caller's is registered: themselves, whom they registered, their organisations' people."""
    return await connection.fetch(OWN, gathering_id, subject, actor, organizations)


async def editions(connection: Connection, one: Gathering, *, member: bool) -> list[Row]:
    """This gathering and the others of its series, the newest first, with what became of each; none without one."""
    if one.plan.series is None:
        return []
    return await connection.fetch(EDITIONS, one.plan.cluster_id, one.plan.series, one.id, member, sorted(INTERNAL))


async def last_mail(connection: Connection, subject: UUID) -> str | None:
    """The address under which somebody registered themselves last."""
    found: str | None = await connection.fetchval(LAST_MAIL, subject)
    return found


async def result(connection: Connection, gathering_id: UUID) -> dict[str, Any]:
    """What became of a gathering in numbers; `by_group` by price."""
    row = await connection.fetchrow(RESULT, gathering_id)
    assert row is not None
    return {**dict(row), "by_group": [dict(one) for one in await connection.fetch(BY_GROUP, gathering_id)]}
