"""The change log read back: who changed what of a thing, when and why, the newest first; and whose a thing is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson

from services.membership.access import views as access
from services.membership.organizations import views as organizations
from shared.http.policy import Allowed
from shared.postgres.pool import Connection, Row
from shared.refusal import NotFound, Word

Aggregate = Literal["organization", "membership", "cluster", "account"]

OF_ONE = """
SELECT aggregate, id, version, at, actor, cause, note, fields::text AS fields FROM change_log
WHERE aggregate = $1 AND id = $2 AND ($3::bigint IS NULL OR version < $3) ORDER BY version DESC LIMIT $4
"""
OF_ORGANIZATION = """
SELECT l.aggregate, l.id, l.version, l.at, l.actor, l.cause, l.note, l.fields::text AS fields, c.name AS cluster
FROM change_log l
LEFT JOIN merged_membership g ON l.aggregate = 'membership' AND g.id = l.id
LEFT JOIN membership m ON l.aggregate = 'membership' AND m.id = coalesce(g.into_id, l.id)
LEFT JOIN cluster c ON c.id = m.cluster_id
WHERE (l.aggregate = 'organization' AND $2
       AND (l.id = $1 OR l.id IN (SELECT id FROM merged_organization WHERE into_id = $1)))
   OR (l.aggregate = 'membership' AND m.organization_id = $1
       AND ($3 OR m.cluster_id = ANY ($4::uuid[]) OR m.organization_id = ANY ($5::uuid[])))
   OR (l.aggregate = 'person' AND $2 AND l.id IN (SELECT person_id FROM person_organization WHERE organization_id = $1)
       AND (l.fields->'organization_id'->>1 IS NULL OR (l.fields->'organization_id'->>1)::uuid = $1
            OR (l.fields->'organization_id'->>1)::uuid IN (SELECT id FROM merged_organization WHERE into_id = $1)))
ORDER BY l.at DESC, l.aggregate, l.version DESC LIMIT $6
"""
MEMBERSHIP = "SELECT cluster_id, organization_id FROM membership WHERE id = $1"
EXISTS = {
    "organization": "SELECT EXISTS (SELECT FROM organization WHERE id = $1)",
    "cluster": "SELECT EXISTS (SELECT FROM cluster WHERE id = $1)",
}
KIND = "SELECT kind FROM account WHERE id = $1"


class NothingOfThatName(NotFound):
    """Nothing has this id, or nothing that the caller may know of."""


class Line(NamedTuple):
    """One line of the log. `who` is what the actor is called, None when it is nobody with an account."""

    aggregate: str
    version: int
    at: datetime
    actor: str
    who: str | None
    cause: str
    note: str | None
    fields: dict[str, tuple[Any, Any]]
    cluster: str | None = None
    """The cluster of a membership, in the history of an organisation."""


async def require(
    connection: Connection, aggregate: Aggregate, id_: UUID, *, history: Allowed, people: Allowed, programs: Allowed
) -> None:
    """Raises `NothingOfThatName` or `NotYours` unless the history of this lies within the caller's reach.

    Whose an account is and what it may is for who may read access: `people` and `programs` say whose.
    """
    if aggregate == "account":
        await _require_account(connection, id_, people, programs)
    elif aggregate == "membership":
        found = await connection.fetchrow(MEMBERSHIP, id_)
        if found is None:
            raise _nothing(aggregate, id_)
        history.require(cluster=found["cluster_id"], organization=found["organization_id"])
    else:
        if not await connection.fetchval(EXISTS[aggregate], id_):
            raise _nothing(aggregate, id_)
        if aggregate == "cluster":
            history.require(cluster=id_)
        else:
            await organizations.require(connection, history, id_)


async def _require_account(connection: Connection, id_: UUID, people: Allowed, programs: Allowed) -> None:
    kind = await connection.fetchval(KIND, id_)
    if kind == "program" and programs.everything:
        return
    today = await connection.fetchval("SELECT current_date")
    if kind != "person" or not await access.reached(connection, id_, people.span(), today):
        raise _nothing("account", id_)


def _nothing(aggregate: str, id_: UUID) -> NothingOfThatName:
    return NothingOfThatName("there is no {aggregate} {id}", aggregate=Word(aggregate), id=id_, field="id")


async def of_one(
    connection: Connection, aggregate: Aggregate, id_: UUID, *, before: int | None, limit: int
) -> list[Line]:
    """Lines of one thing before a version."""
    return await _lines(connection, await connection.fetch(OF_ONE, aggregate, id_, before, limit))


async def of_organization(connection: Connection, id_: UUID, history: Allowed, limit: int) -> list[Line]:
    """Lines of an organisation and of its memberships, those within the caller's reach."""
    own = bool(await organizations.covered(connection, history, [id_]))
    return await _lines(connection, await connection.fetch(OF_ORGANIZATION, id_, own, *history.span(), limit))


async def _lines(connection: Connection, rows: Sequence[Row]) -> list[Line]:
    called = await access.actors(connection, {row["actor"] for row in rows})
    return [
        Line(
            row["aggregate"], row["version"], row["at"], row["actor"], called.get(row["actor"]), row["cause"],
            row["note"],
            {name: (old, new) for name, (old, new) in orjson.loads(row["fields"] or "{}").items()},
            row.get("cluster"),
        )
        for row in rows
    ]  # fmt: skip
