"""Whose a representative is: within a caller's reach through the organisations they speak for.

Who speaks for nobody any more belongs to those for whom they did. And how many may speak for an organisation.
"""

from datetime import date
from uuid import UUID

import orjson

from services.membership.organizations import views as organizations
from services.membership.people.domain import MOST, NoSuchPerson
from shared.http.policy import Allowed, NotYours
from shared.postgres.pool import Connection

BELONGS_TO = """
SELECT p.id, array_agg(DISTINCT coalesce(r.organization_id, p.organization_id)) AS organizations
FROM person p LEFT JOIN person_organization r ON r.person_id = p.id AND (upper_inf(r.period) OR NOT EXISTS (
    SELECT FROM person_organization x WHERE x.person_id = p.id AND upper_inf(x.period)))
WHERE p.id = $1 GROUP BY p.id
"""
MOST_ALLOWED = """
SELECT max(coalesce(c.most, $3)) FROM membership m
LEFT JOIN representative_cap c ON c.cluster_id = m.cluster_id AND c.period @> $2::date
WHERE m.organization_id = $1 AND m.standing NOT IN ('resigned', 'expelled', 'refused')
"""
CHANGES = """
SELECT version, at, actor, note, fields::text AS fields FROM change_log WHERE aggregate = 'person' AND id = $1
ORDER BY version
"""


async def reached(connection: Connection, caller: Allowed, person_id: UUID) -> tuple[set[UUID], bool]:
    """The organisations of a person that the caller reaches, and whether these are all.

    Raises `NoSuchPerson`, and `NotYours` when there is none.
    """
    row = await connection.fetchrow(BELONGS_TO, person_id)
    if row is None:
        raise NoSuchPerson("there is no person {id}", id=person_id, field="person_id")
    belongs = set(row["organizations"])
    found = await organizations.covered(connection, caller, sorted(belongs))
    if not found and not caller.everything:
        raise NotYours("this person speaks for an organisation of another cluster")
    return found, found == belongs


async def require_all(connection: Connection, caller: Allowed, person_id: UUID) -> None:
    """Raises `NotYours` unless all organisations of a person lie within reach: what is asked for concerns them all."""
    _, everything = await reached(connection, caller, person_id)
    if not everything:
        raise NotYours(
            "this person speaks for organisations of others too; the coordinator may", roles=("coordinator",)
        )


async def most_allowed(connection: Connection, organization_id: UUID, on: date) -> int:
    """How many may speak for an organisation: as many as the most generous of its clusters allows."""
    found: int | None = await connection.fetchval(MOST_ALLOWED, organization_id, on, MOST)
    return MOST if found is None else found


async def changes(connection: Connection, person_id: UUID) -> list[dict[str, object]]:
    """The change log of a person, the oldest first."""
    return [
        {"version": row["version"], "at": row["at"], "actor": row["actor"], "note": row["note"],
         "fields": sorted(orjson.loads(row["fields"] or "{}"))}
        for row in await connection.fetch(CHANGES, person_id)
    ]  # fmt: skip
