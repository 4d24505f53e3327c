"""Prospects as pages: who may join, what comes next, the step to an application."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from services.membership.clusters import store as clusters
from services.membership.prospects import commands, store
from services.membership.prospects.commands import ProspectChange
from services.membership.prospects.domain import DESCRIBED, SOURCES, NoSuchProspect, Prospect, State
from shared.contracts.membership import ProspectSource
from shared.http.edge import unit_of
from shared.http.exports import Ending, exported
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn
from shared.web.tables import Choice, Column, Filter, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Caller = Annotated[Allowed, May("prospects.keep")]
Standing = Annotated[Literal["open", "applied", "lost"] | None, Query()]
LINE: TypeAdapter[str] = TypeAdapter(Line)
SOURCE_WORDS: dict[ProspectSource, str] = {
    "member": mark("a member brought it"), "event": mark("an event"), "agency": mark("an agency"),
    "own_search": mark("we looked for it"), "asked_us": mark("it asked us"), "other": mark("otherwise"),
}  # fmt: skip
STATE_WORDS: dict[State, tuple[str, str]] = {
    "open": (mark("prospect"), "calm"), "applied": (mark("applied for membership"), "good"),
    "lost": (mark("does not join"), "plain"),
}  # fmt: skip
COLUMNS = (
    Column("name", mark("Company")), Column("cluster", mark("Cluster"), minor=True), Column("state", mark("State")),
    Column("next", mark("What comes next")), Column("due", mark("Until")),
)  # fmt: skip
EXPORTED = (
    mark("Company"), mark("Cluster"), mark("State"), mark("Where from"), mark("What comes next"), mark("Until"),
    mark("Since"),
)  # fmt: skip
WRONG = {
    "name": mark("Write the name on one line of at most 300 characters"),
    "contact_mail": mark("Write an address such as ana@empresa.example"),
    "due": mark("Write a day such as 2026-05-02"), "source": mark("Choose one of the list"),
}  # fmt: skip
TOO_LONG = mark("Write at most 300 characters on one line")
NO_REASON = mark("Write why it does not join, on one line of at most 300 characters")


@router.get("/prospects", response_class=HTMLResponse)
async def prospects(request: Request, service: Serving, caller: Caller, state: Standing = None) -> Response:
    """Who may join, what is due soonest first."""
    speak = pages.language(request, caller.viewer)
    found, names = await _found(service, caller, state)
    today = day_in(service.settings.network_zone, service.clock())
    rows = [{"id": one.id, "name": one.name, "contact": one.contact_name, "cluster": names.get(one.cluster_id, ""),
             "state": (speak(STATE_WORDS[one.state][0]), STATE_WORDS[one.state][1]), "next": one.next_step or "",
             "due": one.due, "late": one.due is not None and one.due < today} for one in found]  # fmt: skip
    states = Filter("state", mark("State"), [Choice(code, speak(words)) for code, (words, _) in STATE_WORDS.items()],
                    one=True)  # fmt: skip
    query = request.url.query
    return pages.render(
        request, caller.viewer, "prospects.html", listing=Listing(COLUMNS, rows, (states,), total=len(rows)),
        query=f"?{query}" if query else "",
    )  # fmt: skip


@router.get("/prospects.{ending}")
async def as_file(
    request: Request, service: Serving, caller: Caller, ending: Ending, state: Standing = None
) -> StreamingResponse:
    """The same prospects as a file, without whom one speaks with."""
    speak = pages.language(request, caller.viewer)

    async def lines() -> AsyncIterator[Sequence[Any]]:
        found, names = await _found(service, caller, state)
        for one in found:
            yield (one.name, names.get(one.cluster_id), speak(STATE_WORDS[one.state][0]),
                   speak(SOURCE_WORDS[one.source]), one.next_step, one.due, one.since)  # fmt: skip

    return await exported(ending, "prospects", [speak(words) for words in EXPORTED], lines())


@router.get("/prospects/new", response_class=HTMLResponse)
async def new(request: Request, service: Serving, caller: Caller) -> Response:
    return await _page(request, service, caller, None, Form({"source": "other"}))


@router.post("/prospects/new", response_class=HTMLResponse)
async def note(request: Request, service: Serving, caller: Caller) -> Response:
    speak = pages.language(request, caller.viewer)
    typed = await _typed(request)
    cluster = next((id_ for id_, _ in await _clusters(service, caller) if str(id_) == typed.get("cluster")), None)
    try:
        change = ProspectChange.model_validate({name: typed.get(name) for name in DESCRIBED})
        if cluster is None:
            form = Form(typed, {"cluster": speak(mark("Choose the cluster"))})
            return await _page(request, service, caller, None, form, 422)
        async with unit_of(request, caller.actor) as unit:
            made = await commands.note_prospect(unit, cluster, change.model_dump())
    except ValidationError as error:
        return await _page(request, service, caller, None, Form(typed, _wrong(error, speak)), 422)
    return turn(f"/prospects/{made.id}", said=speak(mark("Noted")))


@router.get("/prospects/{prospect_id}", response_class=HTMLResponse)
async def prospect(request: Request, service: Serving, caller: Caller, prospect_id: UUID) -> Response:
    one = await _within(service, caller, prospect_id)
    return await _page(request, service, caller, one, Form(_values(one)))


@router.post("/prospects/{prospect_id}", response_class=HTMLResponse)
async def describe(request: Request, service: Serving, caller: Caller, prospect_id: UUID) -> Response:
    speak = pages.language(request, caller.viewer)
    one = await _within(service, caller, prospect_id)
    typed = await _typed(request)
    try:
        change = ProspectChange.model_validate({name: typed.get(name) for name in DESCRIBED})
        async with unit_of(request, caller.actor) as unit:
            await commands.describe_prospect(unit, one.id, change.model_dump())
    except ValidationError as error:
        return await _page(request, service, caller, one, Form(typed, _wrong(error, speak)), 422)
    except Refusal as refusal:
        form = Form(typed, {refusal.field or "": reason(speak, refusal)})
        return await _page(request, service, caller, one, form, refusal.status)
    return turn(f"/prospects/{one.id}", said=speak(mark("Saved")))


@router.post("/prospects/{prospect_id}/apply", response_class=HTMLResponse)
async def apply(request: Request, service: Serving, caller: Caller, prospect_id: UUID) -> Response:
    """Registers the company and hands in its application."""
    speak = pages.language(request, caller.viewer)
    one = await _within(service, caller, prospect_id)
    try:
        async with unit_of(request, caller.actor) as unit:
            after = await commands.apply_as_prospect(unit, one.id)
    except Refusal as refusal:
        form = Form(_values(one), {"": reason(speak, refusal)})
        return await _page(request, service, caller, one, form, refusal.status)
    return turn(f"/organizations/{after.organization_id}?tab=memberships", said=speak(mark("Its application is there")))


@router.post("/prospects/{prospect_id}/lose", response_class=HTMLResponse)
async def lose(request: Request, service: Serving, caller: Caller, prospect_id: UUID) -> Response:
    speak = pages.language(request, caller.viewer)
    one = await _within(service, caller, prospect_id)
    typed = await _typed(request)
    try:
        why = LINE.validate_python(typed.get("reason", ""))
        async with unit_of(request, caller.actor) as unit:
            await commands.lose_prospect(unit, one.id, why)
    except ValidationError:
        form = Form(_values(one), {"reason": speak(NO_REASON)})
        return await _page(request, service, caller, one, form, 422)
    except Refusal as refusal:
        form = Form(_values(one), {"": reason(speak, refusal)})
        return await _page(request, service, caller, one, form, refusal.status)
    return turn("/prospects", said=speak(mark("Noted")))


async def _typed(request: Request) -> dict[str, Any]:
    return {name: value for name, value in (await request.form()).items() if not isinstance(value, UploadFile)}


def _wrong(error: ValidationError, speak: Any) -> dict[str, str]:
    return {str(item["loc"][0]): speak(WRONG.get(str(item["loc"][0]), TOO_LONG)) for item in error.errors()}


def _values(one: Prospect) -> Mapping[str, Any]:
    return {name: getattr(one, name) or "" for name in DESCRIBED}


async def _within(service: Service, caller: Allowed, prospect_id: UUID) -> Prospect:
    async with service.database.connection() as connection:
        found = await store.load(connection, prospect_id)
    if found is None or not caller.covers(cluster=found.cluster_id):
        raise NoSuchProspect("there is no prospect {id}", id=prospect_id, field="prospect_id")
    return found


async def _clusters(service: Service, caller: Allowed) -> list[tuple[UUID, str]]:
    async with service.database.connection() as connection:
        found = await clusters.page(connection, None, 500)
    return sorted(((one.id, one.name) for one in found if caller.covers(cluster=one.id)), key=lambda one: one[1])


async def _found(service: Service, caller: Allowed, state: str | None) -> tuple[list[Prospect], dict[UUID, str]]:
    everything, ids, _ = caller.span()
    names = dict(await _clusters(service, caller))
    async with service.database.connection() as connection:
        return await store.prospects(connection, everything, ids, state), names


async def _page(
    request: Request, service: Service, caller: Allowed, one: Prospect | None, form: Form, status: int = 200
) -> Response:
    speak = pages.language(request, caller.viewer)
    return pages.render(
        request, caller.viewer, "prospect.html", status, one=one, form=form,
        clusters=[(str(id_), name) for id_, name in await _clusters(service, caller)],
        sources=[(code, speak(SOURCE_WORDS[code])) for code in SOURCES],
        state=(speak(STATE_WORDS[one.state][0]), STATE_WORDS[one.state][1]) if one else None,
    )  # fmt: skip
