"""The file of an application as a page: documents with ticks, who vouches; and what a cluster asks for."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from services.membership.applications import commands, domain, store, views
from services.membership.applications.domain import (
    USUAL,
    Application,
    Document,
    MalformedRequirements,
    NoSuchApplication,
    Requirements,
)
from services.membership.clusters import store as clusters
from services.membership.clusters.domain import Cluster, NoSuchCluster
from services.membership.words import STANDINGS
from shared.contracts.membership import Standing
from shared.http.edge import unit_of
from shared.http.files import download, receive
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection
from shared.postgres.values import day_in, sort_key
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reader = Annotated[Allowed, May("applications.read")]
HandingIn = Annotated[Allowed, May("applications.hand_in")]
Checking = Annotated[Allowed, May("applications.check")]
Vouching = Annotated[Allowed, May("applications.vouch")]
Managing = Annotated[Allowed, May("requirements.manage")]
MayHandIn = Annotated[Allowed, Sees("applications.hand_in")]
MayCheck = Annotated[Allowed, Sees("applications.check")]
MayManage = Annotated[Allowed, Sees("requirements.manage")]
LINE: TypeAdapter[str] = TypeAdapter(Line)
STATES = {
    "missing": (mark("missing"), "warn"), "present": (mark("there"), "good"), "refused": (mark("does not do"), "bad"),
}  # fmt: skip
NO_FILE = mark("Choose the file")
NO_REASON = mark("Write why it does not do, on one line of at most 300 characters")
NO_NUMBER = mark("Write a number from 0 to 10")
NO_MEMBER = mark("Choose a member")


@router.get("/applications/{membership_id}", response_class=HTMLResponse)
async def application(
    request: Request, service: Serving, reader: Reader, handing: MayHandIn, checking: MayCheck, membership_id: UUID
) -> Response:
    """One application: what is asked for and what is there."""
    return await _page(request, service, reader, handing, checking, membership_id)


@router.post("/applications/{membership_id}/documents/{code}", response_class=HTMLResponse)
async def hand_in(
    request: Request, service: Serving, caller: HandingIn, reader: Reader, checking: MayCheck, membership_id: UUID,
    code: str,
) -> Response:  # fmt: skip
    speak = pages.language(request, caller.viewer)
    await _within(service, caller, membership_id)
    file = (await request.form()).get("file")

    async def again(text: str, status: int = 422) -> Response:
        return await _page(request, service, reader, caller, checking, membership_id, status, wrong=(code, text))

    if not isinstance(file, UploadFile) or not file.filename:
        return await again(speak(NO_FILE))
    try:
        content = await receive(request, file)
        async with unit_of(request, caller.actor) as unit:
            await commands.hand_in(unit, membership_id, code, content)
    except Refusal as refusal:
        return await again(reason(speak, refusal), refusal.status)
    return turn(f"/applications/{membership_id}", said=speak(mark("The document is there")))


@router.get("/applications/{membership_id}/documents/{code}")
async def document(
    request: Request, service: Serving, reader: Reader, membership_id: UUID, code: str
) -> StreamingResponse:
    """A document to save."""
    found = await _within(service, reader, membership_id)
    async with service.database.connection() as connection:
        file = await commands.document_file(connection, found, code)
    return await download(request, file)


@router.post("/applications/{membership_id}/documents/{code}/refuse", response_class=HTMLResponse)
async def refuse(
    request: Request, service: Serving, caller: Checking, reader: Reader, handing: MayHandIn, membership_id: UUID,
    code: str,
) -> Response:  # fmt: skip
    speak = pages.language(request, caller.viewer)
    await _within(service, caller, membership_id)
    typed = (await request.form()).get("reason")
    try:
        why = LINE.validate_python(typed)
        async with unit_of(request, caller.actor) as unit:
            await commands.refuse_document(unit, membership_id, code, why)
    except ValidationError:
        return await _page(
            request, service, reader, handing, caller, membership_id, 422, wrong=(code, speak(NO_REASON))
        )
    except Refusal as refusal:
        return await _page(
            request, service, reader, handing, caller, membership_id, refusal.status,
            wrong=(code, reason(speak, refusal)),
        )  # fmt: skip
    return turn(f"/applications/{membership_id}", said=speak(mark("The company sees why")))


@router.post("/applications/{membership_id}/vouchers", response_class=HTMLResponse)
async def vouch(
    request: Request, service: Serving, caller: Vouching, reader: Reader, handing: MayHandIn, checking: MayCheck,
    membership_id: UUID,
) -> Response:  # fmt: skip
    """Notes that a member vouches, or with `withdraw` that it does no more."""
    speak = pages.language(request, caller.viewer)
    found = await _within(service, reader, membership_id)
    form = await request.form()
    withdrawing = isinstance(form.get("withdraw"), str)
    try:
        member = UUID(str(form.get("withdraw" if withdrawing else "member")))
        caller.require(cluster=found.cluster_id, organization=member)
        async with unit_of(request, caller.actor) as unit:
            if withdrawing:
                await commands.withdraw_voucher(unit, membership_id, member)
            else:
                await commands.vouch(unit, membership_id, member)
    except ValueError:
        text = speak(NO_MEMBER)
        return await _page(request, service, reader, handing, checking, membership_id, 422, wrong=("vouchers", text))
    except Refusal as refusal:
        if refusal.status == 403:
            raise
        return await _page(
            request, service, reader, handing, checking, membership_id, refusal.status,
            wrong=("vouchers", reason(speak, refusal)),
        )  # fmt: skip
    return turn(f"/applications/{membership_id}", said=speak(mark("Noted")))


# --- what a cluster asks for ---------------------------------------------------------------------


@router.get("/clusters/{slug}/requirements", response_class=HTMLResponse)
async def requirements(
    request: Request, service: Serving, reader: Annotated[Allowed, May("clusters.read")], managing: MayManage, slug: str
) -> Response:
    """What a cluster asks for with an application, for everybody; to be changed by who keeps it."""
    cluster, asked = await _asked_by(service, slug)
    return _requirements_page(
        request, reader, cluster, asked, Form(_values(asked)), managing.covers(cluster=cluster.id)
    )


@router.post("/clusters/{slug}/requirements", response_class=HTMLResponse)
async def set_requirements(request: Request, service: Serving, caller: Managing, slug: str) -> Response:
    speak = pages.language(request, caller.viewer)
    cluster, asked = await _asked_by(service, slug)
    caller.require(cluster=cluster.id)
    form = await request.form()
    values: dict[str, Any] = {
        "documents": [one for one in form.getlist("documents") if isinstance(one, str)],
        "others": str(form.get("others") or "").replace("\x00", ""), "vouchers": str(form.get("vouchers") or "0"),
        "resolution": form.get("resolution") == "yes",
    }  # fmt: skip
    number = values["vouchers"]
    if not (number.isascii() and number.isdigit() and len(number) < 3):
        shown = Form(values, {"vouchers": speak(NO_NUMBER)})
        return _requirements_page(request, caller, cluster, asked, shown, True, 422)
    try:
        wanted = _wanted(values, asked)
        async with unit_of(request, caller.actor) as unit:
            await commands.set_requirements(unit, cluster.id, wanted)
    except MalformedRequirements as refusal:
        shown = Form(
            values, {"others" if refusal.field == "documents" else refusal.field or "": reason(speak, refusal)}
        )
        return _requirements_page(request, caller, cluster, asked, shown, True, refusal.status)
    return turn(f"/clusters/{slug}/requirements", said=speak(mark("It holds for applications from today on")))


def _wanted(values: Mapping[str, Any], before: Requirements) -> Requirements:
    usual = [one for one in USUAL if one.code in values["documents"]]
    known = {one.es: one for one in before.documents}
    others = []
    for line in str(values["others"]).splitlines():
        name = " ".join(line.split())[:120]
        if name:
            others.append(known.get(name) or Document(domain.code_of(name, sort_key(name)), name, name))
    return Requirements((*usual, *others), int(values["vouchers"]), bool(values["resolution"]))


def _values(asked: Requirements) -> dict[str, Any]:
    usual = {one.code for one in USUAL}
    return {
        "documents": [one.code for one in asked.documents if one.code in usual],
        "others": "\n".join(one.es for one in asked.documents if one.code not in usual),
        "vouchers": str(asked.vouchers), "resolution": asked.resolution,
    }  # fmt: skip


async def _asked_by(service: Service, slug: str) -> tuple[Cluster, Requirements]:
    async with service.database.connection() as connection:
        cluster = await clusters.by_slug(connection, slug.replace("\x00", ""))
        if cluster is None:
            raise NoSuchCluster("there is no cluster {slug}", slug=slug[:80], field="slug")
        return cluster, await store.requirements(connection, cluster.id, day_in(cluster.zone, service.clock()))


def _requirements_page(
    request: Request, reader: Allowed, cluster: Cluster, asked: Requirements, form: Form, manages: bool,
    status: int = 200,
) -> Response:  # fmt: skip
    speak = pages.language(request, reader.viewer)
    return pages.render(
        request, reader.viewer, "requirements.html", status, cluster=cluster, asked=asked, form=form, manages=manages,
        usual=[(one.code, _named(one, speak)) for one in USUAL], named=[_named(one, speak) for one in asked.documents],
    )  # fmt: skip


# --- one application -----------------------------------------------------------------------------


async def _within(service: Service, caller: Allowed, membership_id: UUID) -> Application:
    async with service.database.connection() as connection:
        found = await commands.of_membership(connection, membership_id)
    if not caller.covers(cluster=found.cluster_id, organization=found.organization_id):
        raise NoSuchApplication("there is no application {id}", id=membership_id, field="membership_id")
    return found


async def _page(
    request: Request, service: Service, reader: Allowed, handing: Allowed, checking: Allowed, membership_id: UUID,
    status: int = 200, *, wrong: tuple[str, str] | None = None,
) -> Response:  # fmt: skip
    speak = pages.language(request, reader.viewer)
    found = await _within(service, reader, membership_id)
    async with service.database.connection() as connection:
        head = await views.head(connection, membership_id)
        assert head is not None
        asked = await store.requirements(connection, found.cluster_id, found.applied_on)
        vouching = await _vouching(connection, found)
    within: dict[str, UUID] = {"cluster": found.cluster_id, "organization": found.organization_id}
    is_open = found.standing in ("applied", "approved")
    checks = checking.covers(cluster=found.cluster_id) and is_open
    async with service.database.connection() as connection:
        others = (
            await views.may_vouch(connection, found.cluster_id, found.organization_id, found.vouchers) if checks else []
        )
    standing: Standing = found.standing  # type: ignore[assignment]
    return pages.render(
        request, reader.viewer, "application.html", status, head=head, found=found, asked=asked, wrong=wrong,
        documents=[_document(one, found, speak) for one in asked.documents], vouching=vouching, others=others,
        hands_in=handing.covers(**within) and is_open, checks=checks, standing=speak(STANDINGS[standing][0]),
        tone=STANDINGS[standing][1], lacking=len(domain.missing(asked, found, "given")),
    )  # fmt: skip


def _document(one: Document, found: Application, speak: Language) -> dict[str, Any]:
    state = found.state(one.code)
    came = found.documents.get(one.code)
    return {
        "code": one.code, "name": _named(one, speak), "state": state, "words": speak(STATES[state][0]),
        "tone": STATES[state][1], "reason": came.reason if came else None, "at": came.at if came else None,
    }  # fmt: skip


async def _vouching(connection: Connection, found: Application) -> list[dict[str, Any]]:
    names = await views.names(connection, found.vouchers)
    return [{"id": id_, "slug": names[id_][0], "name": names[id_][1]} for id_ in found.vouchers if id_ in names]


def _named(one: Document, speak: Language) -> str:
    return one.es if speak.code == "es" else one.en
