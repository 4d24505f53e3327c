"""Use cases of segments: keep filters under a name, draw whom they hold, forget them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuid_utils

from services.membership.organizations import views as organizations
from services.membership.organizations.views import Wanted
from services.membership.segments import store
from services.membership.segments.domain import FILTERS, NameTaken, NoSuchSegment, Segment, chosen
from shared.contracts.membership import SegmentState
from shared.messaging.outbox import Erased, record
from shared.postgres.pool import Unit


def wanted_by(one: Segment) -> Wanted:
    """The filters of a segment as the register takes them, within its cluster where it is one's."""
    asked: dict[str, Any] = {name: one.filters.get(name) for name in FILTERS if name != "q"}
    return Wanted(text=one.filters.get("q"), scope=one.cluster_id, **asked)


async def keep_segment(
    unit: Unit, name: str, filters: Mapping[str, str], cluster_id: UUID | None, *, today: date
) -> Segment:
    """Filters under a name, for a cluster's staff or the network's. Raises `NoFilters`, `NameTaken`."""
    new = Segment(uuid_utils.uuid7(), cluster_id, name, chosen(filters), unit.actor, unit.now)
    try:
        async with unit.connection.transaction():
            await store.insert(unit.connection, new)
    except asyncpg.UniqueViolationError:
        raise NameTaken("there is a segment of this name", field="name") from None
    return await _draw(unit, new, today)


async def draw_segment(unit: Unit, segment_id: UUID, *, today: date) -> Segment:
    """Looks again whom a segment holds, and tells it. Raises `NoSuchSegment`."""
    return await _draw(unit, await _locked(unit, segment_id), today)


async def draw_old(unit: Unit, before: datetime, *, today: date) -> bool:
    """Draws one segment that was not drawn since `before`. False when there is none."""
    found = await store.drawn_before(unit.connection, before)
    if found is not None:
        await _draw(unit, found, today)
    return found is not None


async def _draw(unit: Unit, one: Segment, today: date) -> Segment:
    after = one.drawn(await organizations.held(unit.connection, wanted_by(one), today), unit.now)
    await store.save_drawn(unit.connection, after)
    await record(unit, [store.state_record(after)])
    return after


async def forget_segment(unit: Unit, segment_id: UUID) -> None:
    """Forgets a segment; whom it held stays. Raises `NoSuchSegment`."""
    one = await _locked(unit, segment_id)
    await store.delete(unit.connection, segment_id)
    if one.version:
        await record(unit, [Erased(str(one.id), one.version + 1, SegmentState)])


async def _locked(unit: Unit, segment_id: UUID) -> Segment:
    found = await store.lock(unit.connection, [segment_id])
    if not found:
        raise NoSuchSegment("there is no segment {id}", id=segment_id, field="segment_id")
    return found[0]
