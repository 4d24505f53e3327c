"""Calendars over HTTP: the feeds, which calendar programs read without signing in, and one's own address."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.events.calendars import commands, store, views
from services.events.calendars.domain import MEDIA, Entry, calendar
from services.events.edges import reach
from services.events.gatherings import store as gatherings
from services.events.gatherings import views as gathering_views
from services.events.gatherings.domain import NoSuchGathering
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May, MaybeViewing, Serving
from shared.http.routes import Route
from shared.http.sessions import door_of
from shared.refusal import NotFound, Refusal

router = APIRouter(tags=["calendars"], route_class=Route)

Owner = Annotated[Allowed, May("calendars.own")]
NETWORK_NAME = {"es": "Eventos de la red", "en": "Events of the network"}
OWN_NAME = {"es": "Mis eventos", "en": "My events"}


class NoSuchCalendar(NotFound):
    """No calendar has this address, or it was renewed."""


class NotAPerson(Refusal):
    """A program has no calendar of its own."""

    status = 403


class AddressView(BaseModel):
    """The address under which a calendar program reads what one takes part in. Whoever knows it reads it."""

    address: str


@router.get("/calendar/network.ics", include_in_schema=False)
async def network(request: Request, service: Serving) -> Response:
    """Everything that everybody may see."""
    async with service.database.connection() as connection:
        entries = await views.of_all(connection, service.clock())
    return answer(calendar(NETWORK_NAME["es"], entries, door_of(request)), "network")


@router.get("/calendar/clusters/{slug}.ics", include_in_schema=False)
async def cluster(request: Request, service: Serving, slug: str) -> Response:
    """What one cluster holds."""
    async with service.database.connection() as connection:
        host = await gathering_views.cluster_by_slug(connection, slug.replace("\x00", "")[:100])
        if host is None:
            raise NoSuchCalendar("there is no calendar of this address", field="slug")
        entries = await views.of_all(connection, service.clock(), host.slug)
    return answer(calendar(host.name, entries, door_of(request), host.language), host.slug)


@router.get("/calendar/people/{token}.ics", include_in_schema=False)
async def person(request: Request, service: Serving, token: str) -> Response:
    """What somebody takes part in; the address is the key."""
    async with service.database.connection() as connection:
        whose = await store.person(connection, token.replace("\x00", "")[:100])
        if whose is None:
            raise NoSuchCalendar("there is no calendar of this address", field="token")
        entries = await views.of_person(connection, whose, service.clock())
    return answer(calendar(OWN_NAME["es"], entries, door_of(request)), "cumulo")


@router.get("/agenda/{slug}.ics", include_in_schema=False)
async def one(request: Request, service: Serving, viewer: MaybeViewing, slug: str) -> Response:
    """One gathering as a file for any calendar."""
    async with service.database.connection() as connection:
        found = await gatherings.by_slug(connection, slug.replace("\x00", "")[:100])
    if found is None or (found.is_internal and viewer is None):
        raise NoSuchGathering("there is no event {id}", id=slug[:80], field="slug")
    if found.status == "draft":
        preparing = reach(service, "gatherings.prepare", viewer)
        if preparing is None or not preparing.covers(cluster=found.plan.cluster_id):
            raise NoSuchGathering("there is no event {id}", id=slug[:80], field="slug")
    return answer(calendar(found.plan.title, [Entry(found)], door_of(request), found.plan.language), found.slug)


@router.get("/events/calendars/own", summary="The address of one's own calendar", operation_id="read_calendar_address")
async def own(request: Request, caller: Owner) -> AddressView:
    return await _address(request, caller, renew=False)


@router.post("/events/calendars/own/renew", summary="Another address; the old one opens nothing",
             operation_id="renew_calendar_address")  # fmt: skip
async def renew(request: Request, caller: Owner) -> AddressView:
    return await _address(request, caller, renew=True)


async def _address(request: Request, caller: Allowed, *, renew: bool) -> AddressView:
    if caller.viewer.kind != "person" or caller.viewer.subject is None:
        raise NotAPerson("a program has no calendar of its own")
    async with unit_of(request, caller.actor) as unit:
        secret = await commands.address_of(unit, caller.viewer.subject, renew=renew)
    return AddressView(address=f"{door_of(request)}/calendar/people/{secret}.ics")


def answer(content: bytes, name: str) -> Response:
    """A calendar as programs take it."""
    headers = {"Content-Disposition": f'inline; filename="{name}.ics"', "Cache-Control": "private, max-age=300"}
    return Response(content, media_type=MEDIA, headers=headers)
