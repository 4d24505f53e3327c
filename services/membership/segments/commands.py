"""Use cases of segments: keep filters under a name, forget them. Never opens, commits or reads a clock."""

from collections.abc import Mapping
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuid_utils

from services.membership.segments import store
from services.membership.segments.domain import NameTaken, NoSuchSegment, Segment, chosen
from shared.postgres.pool import Unit


async def keep_segment(unit: Unit, name: str, filters: Mapping[str, str], cluster_id: UUID | None) -> Segment:
    """Filters under a name, for a cluster's staff or the network's. Raises `NoFilters`, `NameTaken`."""
    new = Segment(uuid_utils.uuid7(), cluster_id, name, chosen(filters), unit.actor, unit.now)
    try:
        async with unit.connection.transaction():
            await store.insert(unit.connection, new)
    except asyncpg.UniqueViolationError:
        raise NameTaken("there is a segment of this name", field="name") from None
    return new


async def forget_segment(unit: Unit, segment_id: UUID) -> None:
    """Forgets a segment; whom it held stays. Raises `NoSuchSegment`."""
    if await store.load(unit.connection, segment_id) is None:
        raise NoSuchSegment("there is no segment {id}", id=segment_id, field="segment_id")
    await store.delete(unit.connection, segment_id)
