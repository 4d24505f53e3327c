"""From decisions to the outbox and the change log: one way for all aggregates of this service."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.membership.decisions import Decided
from shared.contracts.base import State
from shared.messaging.outbox import Record
from shared.postgres.pool import Unit


def records(key: UUID, version: int, facts: Sequence[Decided], state: State) -> list[Record]:
    """The facts of one decision and the state after it. `version` is the aggregate's after the decision."""
    text = str(key)
    before = version - len(facts)
    made = [Record(text, before + n, fact, effective) for n, (fact, effective) in enumerate(facts, start=1)]
    made.append(Record(text, version, state))
    return made


class Logged(NamedTuple):
    """One line of the change log: `fields` maps a field to its old and new value."""

    aggregate: str
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
    """Keeps why and from what to what; lines with neither are left out, the history has the rest."""
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
