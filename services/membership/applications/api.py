"""Applications over HTTP: what a cluster asks for, the documents of one application, who vouches."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from services.membership.applications import commands, store, views
from services.membership.applications.domain import Application, Document, Requirements, missing
from services.membership.clusters import store as clusters
from services.membership.clusters.domain import NoSuchCluster
from shared.http.edge import unit_of
from shared.http.files import download, receive
from shared.http.inputs import Day, Line, OptionalLine
from shared.http.policy import Allowed, May, NotYours, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection
from shared.postgres.values import day_in

router = APIRouter(tags=["applications"], route_class=Route)

Reader = Annotated[Allowed, May("applications.read")]
Managing = Annotated[Allowed, May("requirements.manage")]
Code = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{1,39}$", examples=["letter"])]


async def _handed_in(
    service: Serving, caller: Annotated[Allowed, May("applications.hand_in")], membership_id: UUID
) -> Allowed:
    async with service.database.connection() as connection:
        (await _within(connection, caller, membership_id)).require_open()
    return caller


async def _checked(
    service: Serving, caller: Annotated[Allowed, May("applications.check")], membership_id: UUID
) -> Allowed:
    async with service.database.connection() as connection:
        await _within(connection, caller, membership_id)
    return caller


async def _vouched(
    service: Serving, caller: Annotated[Allowed, May("applications.vouch")], membership_id: UUID
) -> Allowed:
    async with service.database.connection() as connection:
        found = await commands.of_membership(connection, membership_id)
        members = [await views.is_member(connection, id_, found.cluster_id) for id_ in caller.organizations]
    if not caller.covers(cluster=found.cluster_id, organization=found.organization_id) and not any(members):
        raise NotYours("this application is another cluster's")
    return caller


HandingIn = Annotated[Allowed, Depends(_handed_in)]
Checking = Annotated[Allowed, Depends(_checked)]
Vouching = Annotated[Allowed, Depends(_vouched)]


class DocumentName(BaseModel):
    """A document that is asked for: its code and what it is called."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$", examples=["letter"])]
    es: Annotated[Line, Field(examples=["Carta de solicitud"])]
    en: Annotated[Line, Field(examples=["Letter of application"])]


class Asked(BaseModel):
    """What a cluster asks for with an application."""

    model_config = ConfigDict(extra="forbid")

    documents: list[DocumentName] = Field(default=[], max_length=20)
    vouchers: Annotated[int, Field(ge=0, le=10)] = 0
    resolution: bool = False


class NewAsked(Asked):
    """The same from a day on; without one from today."""

    since: Day | None = None
    note: OptionalLine = None


class DocumentView(DocumentName):
    """A document and whether it is there; `reason` says why it was refused."""

    state: Literal["missing", "present", "refused"]
    reason: str | None
    at: datetime | None


class ApplicationView(BaseModel):
    """The file of an application. `missing` holds codes of documents, "vouchers", "resolution"."""

    membership_id: UUID
    organization_id: UUID
    cluster_id: UUID
    standing: str
    applied_on: date
    documents: list[DocumentView]
    vouchers: list[UUID]
    vouchers_needed: int
    resolution: str | None
    missing: list[str]


class Refusing(BaseModel):
    """Why a document does not do."""

    model_config = ConfigDict(extra="forbid")

    reason: Line


class Voucher(BaseModel):
    """A member of the cluster who vouches."""

    model_config = ConfigDict(extra="forbid")

    organization_id: UUID


@router.get("/membership/clusters/{cluster_id}/requirements", summary="What a cluster asks for with an application",
            operation_id="read_requirements")  # fmt: skip
async def requirements(
    service: Serving, _reader: Annotated[Allowed, May("clusters.read")], cluster_id: UUID,
    on: Annotated[Day | None, Query(description="on this day; today when it is left out")] = None,
) -> Asked:  # fmt: skip
    async with service.database.connection() as connection:
        found = await clusters.load(connection, [cluster_id])
        if not found:
            raise NoSuchCluster("there is no cluster {id}", id=cluster_id, field="cluster_id")
        asked = await store.requirements(connection, cluster_id, on or day_in(found[0].zone, service.clock()))
    return _asked(asked)


@router.put("/membership/clusters/{cluster_id}/requirements", summary="Say what a cluster asks for",
            operation_id="set_requirements")  # fmt: skip
async def set_requirements(request: Request, caller: Managing, cluster_id: UUID, body: NewAsked) -> Asked:
    async with unit_of(request, caller.actor) as unit:
        caller.require(cluster=cluster_id)
        wanted = Requirements(
            tuple(Document(one.code, one.es, one.en) for one in body.documents), body.vouchers, body.resolution
        )
        asked = await commands.set_requirements(unit, cluster_id, wanted, since=body.since, note=body.note)
    return _asked(asked)


@router.get("/membership/applications/{membership_id}", summary="The file of an application",
            operation_id="read_application")  # fmt: skip
async def application(service: Serving, caller: Reader, membership_id: UUID) -> ApplicationView:
    async with service.database.connection() as connection:
        found = await _within(connection, caller, membership_id)
        return await _view(connection, found)


@router.put("/membership/applications/{membership_id}/documents/{code}", summary="Hand in a document: the body",
            operation_id="put_document")  # fmt: skip
async def hand_in(
    request: Request, caller: HandingIn, membership_id: UUID, code: Code,
    name: Annotated[Line, Query(description="the file's name", examples=["carta.pdf"])],
) -> ApplicationView:  # fmt: skip
    content = await receive(request, name=name)
    async with unit_of(request, caller.actor) as unit:
        found = await commands.hand_in(unit, membership_id, code, content)
        return await _view(unit.connection, found)


@router.get("/membership/applications/{membership_id}/documents/{code}", summary="A document as it came",
            operation_id="read_document", response_class=StreamingResponse)  # fmt: skip
async def document(
    request: Request, service: Serving, caller: Reader, membership_id: UUID, code: Code
) -> StreamingResponse:
    async with service.database.connection() as connection:
        found = await _within(connection, caller, membership_id)
        file = await commands.document_file(connection, found, code)
    return await download(request, file)


@router.post("/membership/applications/{membership_id}/documents/{code}/refuse", summary="Refuse a document",
             operation_id="refuse_document")  # fmt: skip
async def refuse(
    request: Request, caller: Checking, membership_id: UUID, code: Code, body: Refusing
) -> ApplicationView:
    async with unit_of(request, caller.actor) as unit:
        found = await commands.refuse_document(unit, membership_id, code, body.reason)
        return await _view(unit.connection, found)


@router.post("/membership/applications/{membership_id}/vouchers", summary="Vouch for an applicant",
             operation_id="add_voucher")  # fmt: skip
async def vouch(request: Request, caller: Vouching, membership_id: UUID, body: Voucher) -> ApplicationView:
    async with unit_of(request, caller.actor) as unit:
        found = await commands.of_membership(unit.connection, membership_id)
        # the cluster's staff notes it, or the member says so itself
        caller.require(cluster=found.cluster_id, organization=body.organization_id)
        found = await commands.vouch(unit, membership_id, body.organization_id)
        return await _view(unit.connection, found)


@router.delete("/membership/applications/{membership_id}/vouchers/{organization_id}", summary="Vouch no more",
               operation_id="remove_voucher")  # fmt: skip
async def unvouch(request: Request, caller: Vouching, membership_id: UUID, organization_id: UUID) -> ApplicationView:
    async with unit_of(request, caller.actor) as unit:
        found = await commands.of_membership(unit.connection, membership_id)
        caller.require(cluster=found.cluster_id, organization=organization_id)
        found = await commands.withdraw_voucher(unit, membership_id, organization_id)
        return await _view(unit.connection, found)


async def _within(connection: Connection, caller: Allowed, membership_id: UUID) -> Application:
    found = await commands.of_membership(connection, membership_id)
    if not caller.covers(cluster=found.cluster_id, organization=found.organization_id):
        raise NotYours("this application is another cluster's")
    return found


def _asked(asked: Requirements) -> Asked:
    return Asked(documents=[DocumentName(code=one.code, es=one.es, en=one.en) for one in asked.documents],
                 vouchers=asked.vouchers, resolution=asked.resolution)  # fmt: skip


async def _view(connection: Connection, found: Application) -> ApplicationView:
    asked = await store.requirements(connection, found.cluster_id, found.applied_on)
    return ApplicationView(
        membership_id=found.membership_id, organization_id=found.organization_id, cluster_id=found.cluster_id,
        standing=found.standing, applied_on=found.applied_on,
        documents=[
            DocumentView(code=one.code, es=one.es, en=one.en, state=found.state(one.code),
                         reason=came.reason if (came := found.documents.get(one.code)) else None,
                         at=came.at if came else None)
            for one in asked.documents
        ],
        vouchers=list(found.vouchers), vouchers_needed=asked.vouchers, resolution=found.resolution,
        missing=missing(asked, found, None),
    )  # fmt: skip
