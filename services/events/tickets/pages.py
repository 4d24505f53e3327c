"""Tickets as pages: one's place and its code, under an address that nobody guesses, and what the door does with it."""

import io
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import segno
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.events.attendance import commands
from services.events.attendance.domain import Scan, plain
from services.events.attendance.views import told
from services.events.edges import reach
from services.events.gatherings import store as gatherings
from services.events.gatherings.domain import Gathering
from services.events.places import commands as places
from services.events.places import store
from services.events.places.domain import NoSuchRegistration, Registration
from services.events.registrations import commands as registering
from services.events.registrations import views
from services.events.words import REGISTERED, STATUSES
from shared.http.edge import unit_of
from shared.http.identity import Viewer
from shared.http.policy import Allowed, May, MaybeViewing, Serving, check_not_from_elsewhere
from shared.http.routes import Route
from shared.http.sessions import door_of
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Managing = Annotated[Allowed, May("registrations.manage")]


@router.get("/check-in/{code}", response_class=HTMLResponse)
async def at_the_door(request: Request, service: Serving, viewer: MaybeViewing, code: str) -> Response:
    """What a phone opens from somebody's code: for who holds it the button, for everybody else the ticket."""
    found, one = await _ticket(service, code)
    managing = reach(service, "registrations.manage", viewer)
    if managing is None or not managing.covers(cluster=one.plan.cluster_id):
        return turn(f"/ticket/{found.check_in_code}")
    async with service.database.connection() as connection:
        at = await store.attended_at(connection, found.id)
        known = await views.organization(connection, found.organization_id) if found.organization_id else None
    speak = pages.language(request, viewer)
    words, tone = REGISTERED[found.status]
    return pages.render(request, viewer, "check_in.html", found=found, one=one, at=at, standing=(speak(words), tone),
                        organization=known.name if known else None, local=_in(one, speak))  # fmt: skip


@router.post("/check-in/{code}", response_class=HTMLResponse)
async def check_in(request: Request, service: Serving, caller: Managing, code: str) -> Response:
    """The button: they are there."""
    speak = pages.language(request, caller.viewer)
    found, one = await _ticket(service, code)
    caller.require(cluster=one.plan.cluster_id)
    try:
        async with unit_of(request, caller.actor) as unit:
            [seen] = await commands.check_in(unit, one.id, [Scan(registration_id=found.id)])
    except Refusal as refusal:
        return turn(f"/check-in/{found.check_in_code}", said=reason(speak, refusal))
    return turn(f"/check-in/{found.check_in_code}", said=told(seen, speak, one.plan.zone))


@router.get("/ticket/{code}.{picture}")
async def picture(request: Request, service: Serving, code: str, picture: Literal["svg", "png"]) -> Response:
    """The code alone as a picture, for a mail or a badge."""
    found, _ = await _ticket(service, code)
    made = segno.make(f"{door_of(request)}/check-in/{found.check_in_code}", error="m")
    if picture == "svg":
        return Response(made.svg_inline(scale=8, border=3).encode(), media_type="image/svg+xml")
    file = io.BytesIO()
    made.save(file, kind="png", scale=8, border=3)
    return Response(file.getvalue(), media_type="image/png")


@router.get("/ticket/{code}", response_class=HTMLResponse)
async def ticket(request: Request, service: Serving, viewer: MaybeViewing, code: str) -> Response:
    """One's place, under an address that nobody guesses: also for who has no account here."""
    found, one = await _ticket(service, code)
    return await _ticket_page(request, viewer, found, one, Form())


@router.post("/ticket/{code}/{step}", response_class=HTMLResponse)
async def decide(
    request: Request, service: Serving, viewer: MaybeViewing, code: str, step: Literal["accept", "cancel"]
) -> Response:
    """Takes the offered place, or says that one does not come; whoever has the address may."""
    check_not_from_elsewhere(request)
    speak = pages.language(request, viewer)
    found, one = await _ticket(service, code)
    try:
        async with unit_of(request, viewer.actor if viewer else f"registration:{found.id}") as unit:
            if step == "accept":
                await places.accept(unit, found.id)
            else:
                await registering.cancel(unit, found.id, "registrant")
    except Refusal as refusal:
        return await _ticket_page(request, viewer, found, one, Form({}, {"": reason(speak, refusal)}), refusal.status)
    said = mark("The place is taken") if step == "accept" else mark("Cancelled; the place goes to who waits")
    return turn(f"/ticket/{found.check_in_code}", said=speak(said))


async def _ticket(service: Service, code: str) -> tuple[Registration, Gathering]:
    async with service.database.connection() as connection:
        found = await store.by_code(connection, plain(code[:100]))
        if found is None:
            raise NoSuchRegistration("there is no ticket of this code", field="code")
        [one] = await gatherings.load(connection, [found.gathering_id])
    return found, one


async def _ticket_page(
    request: Request, viewer: Viewer | None, found: Registration, one: Gathering, form: Form, status: int = 200
) -> Response:
    speak = pages.language(request, viewer)
    words, tone = REGISTERED[found.status]
    made = segno.make(f"{door_of(request)}/check-in/{found.check_in_code}", error="m")
    return pages.render(
        request, viewer, "ticket.html", status, found=found, one=one, standing=(speak(words), tone), form=form,
        code=made.svg_inline(scale=6, border=2, omitsize=True), local=_in(one, speak),
        event=(speak(STATUSES[one.status][0]), STATUSES[one.status][1]),
    )  # fmt: skip


def _in(one: Gathering, speak: Language) -> Language:
    return Language(speak.code, ZoneInfo(one.plan.zone), speak.words)
