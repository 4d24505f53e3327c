"""Prospects over HTTP: parse, call one command or one read, answer."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict

from services.membership.prospects import commands, store
from services.membership.prospects.commands import ProspectChange
from services.membership.prospects.domain import NoSuchProspect, Prospect
from shared.contracts.membership import ProspectSource
from shared.http.edge import unit_of
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/membership/prospects", tags=["prospects"], route_class=Route)

Caller = Annotated[Allowed, May("prospects.keep")]


class NewProspect(ProspectChange):
    """A prospect of a cluster."""

    cluster_id: UUID


class Losing(BaseModel):
    """Why it does not join."""

    model_config = ConfigDict(extra="forbid")

    reason: Line


class ProspectView(BaseModel):
    """A prospect; `organization_id` once it applied."""

    id: UUID
    cluster_id: UUID
    name: str
    city: str | None
    source: ProspectSource
    contact_name: str | None
    contact_mail: str | None
    contact_phone: str | None
    next_step: str | None
    due: date | None
    state: Literal["open", "applied", "lost"]
    reason: str | None
    organization_id: UUID | None
    since: date


async def _own(service: Serving, caller: Caller, prospect_id: UUID) -> Allowed:
    async with service.database.connection() as connection:
        found = await store.load(connection, prospect_id)
    if found is None or not caller.covers(cluster=found.cluster_id):
        raise NoSuchProspect("there is no prospect {id}", id=prospect_id, field="prospect_id")
    return caller


Own = Annotated[Allowed, Depends(_own)]


@router.get("", summary="Prospects, what is due soonest first", operation_id="list_prospects")
async def prospects(
    service: Serving, caller: Caller, state: Annotated[Literal["open", "applied", "lost"] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[ProspectView]:  # fmt: skip
    everything, clusters, _ = caller.span()
    async with service.database.connection() as connection:
        return [_view(one) for one in await store.prospects(connection, everything, clusters, state, limit)]


@router.post("", status_code=201, summary="Note a prospect", operation_id="note_prospect")
async def note(request: Request, caller: Caller, body: NewProspect) -> ProspectView:
    caller.require(cluster=body.cluster_id)
    async with unit_of(request, caller.actor) as unit:
        return _view(await commands.note_prospect(unit, body.cluster_id, body.model_dump(exclude={"cluster_id"})))


@router.put("/{prospect_id}", summary="Say how a prospect stands", operation_id="describe_prospect")
async def describe(request: Request, caller: Own, prospect_id: UUID, body: ProspectChange) -> ProspectView:
    async with unit_of(request, caller.actor) as unit:
        return _view(await commands.describe_prospect(unit, prospect_id, body.model_dump()))


@router.post("/{prospect_id}/apply", summary="A prospect applies", operation_id="apply_as_prospect")
async def apply(request: Request, caller: Own, prospect_id: UUID) -> ProspectView:
    async with unit_of(request, caller.actor) as unit:
        return _view(await commands.apply_as_prospect(unit, prospect_id))


@router.post("/{prospect_id}/lose", summary="Give a prospect up", operation_id="lose_prospect")
async def lose(request: Request, caller: Own, prospect_id: UUID, body: Losing) -> ProspectView:
    async with unit_of(request, caller.actor) as unit:
        return _view(await commands.lose_prospect(unit, prospect_id, body.reason))


def _view(one: Prospect) -> ProspectView:
    return ProspectView(**{name: getattr(one, name) for name in ProspectView.model_fields})
