"""Writing to a company of the directory: a form that never shows the address, and says where the answer goes."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.membership.contacts import commands, views
from services.membership.contacts.domain import LEAST, MOST, PER_DAY, NoAddressOfYourOwn
from services.membership.organizations import store as organizations
from services.membership.organizations.commands import ZONE
from services.membership.organizations.domain import NoSuchOrganization, Organization
from shared.http import limits
from shared.http.edge import unit_of
from shared.http.limits import TooOften
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Writing = Annotated[Allowed, May("contacts.write")]


@router.get("/directory/{slug}/write", response_class=HTMLResponse)
async def write(request: Request, service: Serving, caller: Writing, slug: str) -> Response:
    return await _page(request, service, caller, await _found(service, slug), Form())


@router.post("/directory/{slug}/write", response_class=HTMLResponse)
async def send(request: Request, service: Serving, caller: Writing, slug: str) -> Response:
    speak = pages.language(request, caller.viewer)
    one = await _found(service, slug)
    message = (await request.form()).get("message")
    values = {"message": message.replace("\x00", "") if isinstance(message, str) else ""}
    try:
        _require_person(caller)
        async with service.database.connection() as connection:
            bucket = f"contacts of {caller.actor}"
            await limits.allow(connection, bucket, PER_DAY, timedelta(days=1), now=service.clock())
        async with unit_of(request, caller.actor) as unit:
            await commands.write_to(unit, one.id, UUID(caller.actor), values["message"])
    except TooOften:
        text = speak(mark("You wrote to %(most)s companies today; go on tomorrow"), most=PER_DAY)
        return await _page(request, service, caller, one, Form(values, {"": text}), 429)
    except Refusal as refusal:
        told = reason(speak, refusal).removeprefix(f"{refusal.field}: ")
        field = "message" if refusal.field == "message" else ""
        return await _page(request, service, caller, one, Form(values, {field: told}), refusal.status)
    return turn(f"/organizations/{one.slug}", said=speak(mark("Sent. The answer comes to your mail")))


def _require_person(caller: Allowed) -> None:
    if caller.viewer.kind != "person":
        raise NoAddressOfYourOwn("only a person with an account writes: the answer goes to its address")


async def _found(service: Service, slug: str) -> Organization:
    async with service.database.connection() as connection:
        one = await organizations.by_slug_or_id(connection, slug)
        if one is None or await views.cluster_of(connection, one.id) is None:
            raise NoSuchOrganization("there is no organisation {slug}", slug=slug[:80], field="slug")
    return one


async def _page(
    request: Request, service: Service, caller: Allowed, one: Organization, form: Form, status: int = 200
) -> Response:
    today = day_in(ZONE, service.clock())
    async with service.database.connection() as connection:
        sender = await views.sender(connection, UUID(caller.actor), today) if caller.viewer.kind == "person" else None
        found = await views.cluster_of(connection, one.id)
    return pages.render(
        request, caller.viewer, "write.html", status, one=one, form=form, sender=sender, least=LEAST, most=MOST,
        reachable=found is not None and found[1],
    )  # fmt: skip
