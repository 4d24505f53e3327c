"""Segments as a page: the filters that were kept, how many they hold today, and a form for those of the register."""

from typing import Annotated
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from services.membership.organizations import views as organizations
from services.membership.segments import commands, store
from services.membership.segments.domain import FILTERS, NoSuchSegment, Segment
from shared.http.edge import unit_of
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, Sees, Serving, Viewing
from shared.http.routes import Route
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Caller = Annotated[Allowed, May("segments.keep")]
MayKeep = Annotated[Allowed, Sees("segments.keep")]
Memberships = Annotated[Allowed, Sees("memberships.read")]
LINE: TypeAdapter[str] = TypeAdapter(Line)
COLUMNS = (
    Column("name", mark("Segment")), Column("count", mark("Organisations today"), numeric=True),
    Column("at", mark("Kept"), minor=True), Column("act", ""),
)  # fmt: skip
NO_NAME = mark("Write a name of at most 80 characters")


@router.get("/register/segments", response_class=HTMLResponse)
async def segments(request: Request, service: Serving, caller: Caller, memberships: Memberships) -> Response:
    """The segments within reach; the parameters of the register's address are what a new one would hold."""
    given = {name: value for name, value in request.query_params.items() if name in FILTERS and value}
    return await _page(request, service, caller, memberships, Form({"query": _query(given)}))


@router.post("/register/segments", response_class=HTMLResponse)
async def keep(request: Request, service: Serving, caller: Caller, memberships: Memberships) -> Response:
    speak = pages.language(request, caller.viewer)
    typed = {name: value for name, value in (await request.form()).items() if not isinstance(value, UploadFile)}
    given = dict(parse_qsl(typed.get("query", "").replace("\x00", ""))[:20])
    own = sorted(caller.clusters)
    cluster = None if caller.everything else own[0] if own else None
    today = day_in(service.settings.network_zone, service.clock())
    try:
        name = LINE.validate_python(typed.get("name", ""))
        if len(name) > 80:
            raise ValueError
        async with unit_of(request, caller.actor) as unit:
            await commands.keep_segment(unit, name, {k: v[:100] for k, v in given.items()}, cluster,
                                        today=today)  # fmt: skip
    except (ValidationError, ValueError):
        form = Form(typed, {"name": speak(NO_NAME)})
        return await _page(request, service, caller, memberships, form, 422)
    except Refusal as refusal:
        form = Form(typed, {"name" if refusal.field == "name" else "": reason(speak, refusal)})
        return await _page(request, service, caller, memberships, form, refusal.status)
    return turn("/register/segments", said=speak(mark("Kept")))


@router.post("/register/segments/{segment_id}/remove", response_class=HTMLResponse)
async def remove(request: Request, service: Serving, caller: Caller, segment_id: UUID) -> Response:
    speak = pages.language(request, caller.viewer)
    await _found(service, caller, segment_id)
    async with unit_of(request, caller.actor) as unit:
        await commands.forget_segment(unit, segment_id)
    return turn("/register/segments", said=speak(mark("Forgotten; whom it held stays")))


@router.post("/register/segments/{segment_id}/draw", response_class=HTMLResponse)
async def draw(
    request: Request, service: Serving, caller: Caller, segment_id: UUID,
    back: Annotated[str, Query(max_length=200)] = "/register/segments",
) -> Response:  # fmt: skip
    """Looks again whom it holds, for what is written to all of them; `back` is the page that asked."""
    speak = pages.language(request, caller.viewer)
    today = day_in(service.settings.network_zone, service.clock())
    await _found(service, caller, segment_id)
    async with unit_of(request, caller.actor) as unit:
        one = await commands.draw_segment(unit, segment_id, today=today)
    count = len(one.organization_ids)
    return turn(
        back, said=speak.plural("It holds %(num)s organisation now", "It holds %(num)s organisations now", count)
    )


@router.get("/membership/pages/segments/choice", response_class=HTMLResponse)
async def choice(
    request: Request,
    service: Serving,
    viewer: Viewing,
    caller: MayKeep,
    chosen: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """The segments within reach as a choice, for a form of another service."""
    found: list[Segment] = []
    if caller.everything or caller.clusters:
        everything, clusters, _ = caller.span()
        async with service.database.connection() as connection:
            found = await store.segments(connection, everything, clusters)
    return pages.fragment(request, viewer, "segment_choice.html", segments=found, chosen=chosen)


async def _found(service: Service, caller: Allowed, segment_id: UUID) -> Segment:
    async with service.database.connection() as connection:
        found = await store.load(connection, segment_id)
    if found is None or not caller.covers(cluster=found.cluster_id):
        raise NoSuchSegment("there is no segment {id}", id=segment_id, field="segment_id")
    return found


def _query(given: dict[str, str]) -> str:
    return urlencode(given)


async def _page(
    request: Request, service: Service, caller: Allowed, memberships: Allowed, form: Form, status: int = 200
) -> Response:
    today = day_in(service.settings.network_zone, service.clock())
    everything, clusters, _ = caller.span()
    async with service.database.connection() as connection:
        found = await store.segments(connection, everything, clusters)
        rows = [
            {"id": one.id, "name": one.name, "address": one.address, "at": one.at,
             "count": await organizations.count(connection, commands.wanted_by(one), today, reader=caller,
                                                memberships=memberships)}
            for one in found
        ]  # fmt: skip
    return pages.render(
        request, caller.viewer, "segments.html", status, listing=Listing(COLUMNS, rows), form=form,
        query=str(form.value("query")),
    )  # fmt: skip
