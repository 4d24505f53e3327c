"""The change log of this service: who changed what of a gathering or a registration, when and why.

Texts stand here and never in facts; lines with neither a reason nor a field are left to the history.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson

from shared.postgres.pool import Unit

Aggregate = Literal["gathering", "registration"]


class Logged(NamedTuple):
    """One line: `version` is the aggregate's revision after it, `fields` maps a field to its old and new value."""

    aggregate: Aggregate
    id: UUID
    version: int
    note: str | None = None
    fields: dict[str, tuple[Any, Any]] | None = None


LOG = """
INSERT INTO change_log (aggregate, id, version, at, actor, cause, note, fields)
SELECT aggregate, id, version, $6, $7, $8, note, fields
FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::jsonb[]) AS r (aggregate, id, version, note, fields)
"""


async def log_changes(unit: Unit, lines: Sequence[Logged]) -> None:
    """Keeps why and from what to what."""
    kept = [line for line in lines if line.note or line.fields]
    if not kept:
        return
    await unit.connection.execute(
        LOG,
        [line.aggregate for line in kept],
        [line.id for line in kept],
        [line.version for line in kept],
        [line.note for line in kept],
        [orjson.dumps(line.fields, default=str).decode() if line.fields else None for line in kept],
        unit.now, unit.actor, unit.cause,
    )  # fmt: skip
