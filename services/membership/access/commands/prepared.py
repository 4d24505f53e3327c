"""What somebody prepared and another must release before it goes outward: for now, invitations.

The payload is kept as it was asked for and checked again when it is released, since the world may have moved on.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import uuid_utils.compat as uuid_utils

from services.membership.access.domain import NoSuchPrepared, NotByOneself
from shared.http.policy import Allowed
from shared.postgres.pool import Connection, Row, Unit

COLUMNS = """
SELECT id, kind, payload::text AS payload, cluster_id, prepared_by, prepared_at FROM prepared WHERE outcome IS NULL
"""
WAITING = (
    COLUMNS
    + """
AND ($1::uuid IS NULL OR id > $1) AND ($3 OR prepared_by = $5 OR cluster_id = ANY ($4::uuid[]) OR EXISTS (
    SELECT FROM membership m
    WHERE m.organization_id = (payload ->> 'organization_id')::uuid AND m.cluster_id = ANY ($4::uuid[])
)) ORDER BY id LIMIT $2
"""
)
LOCK = COLUMNS + "AND id = $1 FOR UPDATE"
INSERT = """
INSERT INTO prepared (id, kind, payload, cluster_id, prepared_by, prepared_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
SETTLE = "UPDATE prepared SET settled_by = $2, settled_at = $3, outcome = $4, payload = '{}' WHERE id = $1"


class Prepared(NamedTuple):
    """One thing that waits: of which kind, what was asked for, whose cluster it concerns, who prepared it when."""

    id: UUID
    kind: str
    payload: Mapping[str, Any]
    cluster_id: UUID | None
    prepared_by: str
    prepared_at: datetime


async def prepare(unit: Unit, kind: str, payload: Mapping[str, Any], *, cluster: UUID | None) -> Prepared:
    """Keeps what another is to release."""
    made = Prepared(uuid_utils.uuid7(), kind, payload, cluster, unit.actor, unit.now)
    await unit.connection.execute(
        INSERT, made.id, kind, orjson.dumps(payload, default=str).decode(), cluster, unit.actor, unit.now
    )
    return made


async def take(unit: Unit, id_: UUID) -> Prepared:
    """What is to be released or dropped, locked. Raises `NoSuchPrepared`."""
    row = await unit.connection.fetchrow(LOCK, id_)
    if row is None:
        raise NoSuchPrepared("nothing waits to be released under {id}", id=id_, field="prepared_id")
    return _prepared(row)


async def release(unit: Unit, prepared: Prepared) -> None:
    """Marks a taken thing as released, by another than who prepared it. Raises `NotByOneself`."""
    if prepared.prepared_by == unit.actor:
        raise NotByOneself("who prepared this does not release it: ask another")
    await unit.connection.execute(SETTLE, prepared.id, unit.actor, unit.now, "released")


async def drop(unit: Unit, prepared: Prepared) -> None:
    """Gives a taken thing up."""
    await unit.connection.execute(SETTLE, prepared.id, unit.actor, unit.now, "dropped")


async def waiting(connection: Connection, caller: Allowed, after: UUID | None, limit: int) -> list[Prepared]:
    """What waits within the caller's reach, and what they prepared themselves, by id."""
    everything, clusters, _ = caller.span()
    rows = await connection.fetch(WAITING, after, limit, everything, clusters, caller.actor)
    return [_prepared(row) for row in rows]


def _prepared(row: Row) -> Prepared:
    return Prepared(
        row["id"], row["kind"], orjson.loads(row["payload"]), row["cluster_id"], row["prepared_by"],
        row["prepared_at"],
    )  # fmt: skip
