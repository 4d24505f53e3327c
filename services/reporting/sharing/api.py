"""Links to figures over HTTP: made with an end, listed, taken back. What one opens is a page."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.reporting.catalogue.domain import Dimension
from services.reporting.sharing import commands, store
from services.reporting.sharing.domain import Link
from shared.http.edge import unit_of
from shared.http.inputs import Day, Line
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.http.sessions import door_of
from shared.postgres.values import day_in

router = APIRouter(prefix="/reporting/shared-links", tags=["shared links"], route_class=Route)

Sharing = Annotated[Allowed, May("indicators.share")]


class Sharable(BaseModel):
    """What a link shows, for whom it is, and the last day on which it opens. Without `as_of`: the day of opening."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[Line, Field(examples=["Secretaría de Economía, informe anual"])]
    indicator: Annotated[str, Field(max_length=60, examples=["members"])]
    dimension: Dimension = "cluster"
    until: Day
    as_of: Day | None = None
    since: Day | None = None


class LinkView(BaseModel):
    """A link without its key. `opened`: how often."""

    id: UUID
    label: str
    indicator: str
    dimension: Dimension
    as_of: date | None
    since: date | None
    made_by: str
    made_at: datetime
    until: date
    revoked_at: datetime | None
    opened: int


class NewLink(LinkView):
    """With its address, which is told this once."""

    address: Annotated[str, Field(examples=["https://red.example/shared/J9xk2bW0aP3mQ7sT1vY5zA"])]


@router.get("", summary="Links that were made", operation_id="list_links")
async def links(service: Serving, caller: Sharing) -> list[LinkView]:
    """One's own; the coordinator's are everybody's."""
    async with service.database.connection() as connection:
        found = await store.links(connection, caller.actor, everybody=caller.everything)
    return [_view(one) for one in found]


@router.post("", status_code=201, summary="Make a link to a figure", operation_id="share_figure")
async def share(request: Request, service: Serving, caller: Sharing, body: Sharable) -> NewLink:
    today = day_in(service.settings.network_zone, service.clock())
    async with unit_of(request, caller.actor) as unit:
        made, key = await commands.share(unit, **body.model_dump(), today=today)
    return NewLink(**_view(made).model_dump(), address=f"{door_of(request)}/shared/{key}")


@router.delete("/{link_id}", status_code=204, summary="Take a link back", operation_id="revoke_link")
async def revoke(request: Request, caller: Sharing, link_id: UUID) -> Response:
    async with unit_of(request, caller.actor) as unit:
        await commands.revoke(unit, link_id, everybody=caller.everything)
    return Response(status_code=204)


def _view(one: Link) -> LinkView:
    return LinkView(
        id=one.id, label=one.label, indicator=one.indicator, dimension=one.dimension, as_of=one.as_of, since=one.since,
        made_by=one.made_by, made_at=one.made_at, until=one.until, revoked_at=one.revoked_at, opened=one.opened,
    )  # fmt: skip
