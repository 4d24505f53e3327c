"""Segments of the register over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.membership.segments import commands, store
from services.membership.segments.domain import NoSuchSegment, Segment
from shared.http.edge import unit_of
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection
from shared.postgres.values import day_in

router = APIRouter(prefix="/membership/segments", tags=["segments"], route_class=Route)

Caller = Annotated[Allowed, May("segments.keep")]


class NewSegment(BaseModel):
    """Filters of the register under a name; for a cluster's staff, or without one for the network's."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Line, Field(max_length=80)]
    filters: dict[Annotated[str, Field(max_length=20)], Annotated[Line, Field(max_length=100)]] = Field(
        max_length=6, examples=[{"position": "tier2", "standing": "active"}]
    )
    cluster_id: UUID | None = None


class SegmentView(BaseModel):
    """A segment as it was kept; `address` is its page of the register.

    `organizations` is how many it held when it was drawn last, at `drawn_at`.
    """

    id: UUID
    cluster_id: UUID | None
    name: str
    filters: dict[str, str]
    address: str
    at: datetime
    drawn_at: datetime | None
    organizations: int


@router.get("", summary="Segments, by name", operation_id="list_segments")
async def segments(service: Serving, caller: Caller) -> list[SegmentView]:
    everything, clusters, _ = caller.span()
    async with service.database.connection() as connection:
        return [_view(one) for one in await store.segments(connection, everything, clusters)]


@router.post("", status_code=201, summary="Keep filters of the register under a name", operation_id="keep_segment")
async def keep(request: Request, service: Serving, caller: Caller, body: NewSegment) -> SegmentView:
    caller.require(cluster=body.cluster_id)
    today = day_in(service.settings.network_zone, service.clock())
    async with unit_of(request, caller.actor) as unit:
        return _view(await commands.keep_segment(unit, body.name, body.filters, body.cluster_id, today=today))


@router.post("/{segment_id}/draw", summary="Look again whom a segment holds", operation_id="draw_segment")
async def draw(request: Request, service: Serving, caller: Caller, segment_id: UUID) -> SegmentView:
    """What is written to all of them goes to whom it held when it was drawn last; each day it is drawn by itself."""
    today = day_in(service.settings.network_zone, service.clock())
    async with unit_of(request, caller.actor) as unit:
        await _within(unit.connection, caller, segment_id)
        return _view(await commands.draw_segment(unit, segment_id, today=today))


@router.delete("/{segment_id}", status_code=204, summary="Forget a segment", operation_id="forget_segment")
async def forget(request: Request, caller: Caller, segment_id: UUID) -> None:
    async with unit_of(request, caller.actor) as unit:
        await _within(unit.connection, caller, segment_id)
        await commands.forget_segment(unit, segment_id)


async def _within(connection: Connection, caller: Allowed, segment_id: UUID) -> Segment:
    found = await store.load(connection, segment_id)
    if found is None or not caller.covers(cluster=found.cluster_id):
        raise NoSuchSegment("there is no segment {id}", id=segment_id, field="segment_id")
    return found


def _view(one: Segment) -> SegmentView:
    return SegmentView(
        id=one.id, cluster_id=one.cluster_id, name=one.name, filters=dict(one.filters), address=one.address, at=one.at,
        drawn_at=one.drawn_at, organizations=len(one.organization_ids),
    )  # fmt: skip
