"""Announcements over HTTP: write, hold ready, release, stop; whom one reaches, and what became of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.notifications.announcements import commands, store, views
from services.notifications.announcements.domain import (
    BODY,
    TITLE,
    Announcement,
    Status,
    Writing,
)
from services.notifications.cursors import place_of, place_told
from services.notifications.messages.domain import State
from shared.http.edge import unit_of
from shared.http.inputs import Instant, Text
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.http.versions import ExpectedVersion, NeededVersion, tagged
from shared.postgres.pool import Connection, Unit

router = APIRouter(prefix="/notifications/announcements", tags=["announcements"], route_class=Route)

Reader = Annotated[Allowed, May("announcements.read")]
Preparing = Annotated[Allowed, May("announcements.prepare")]
Releasing = Annotated[Allowed, May("announcements.release")]
Title = Annotated[Text, Field(max_length=TITLE)]
Body = Annotated[Text, Field(max_length=BODY)]


class AnnouncementWriting(BaseModel):
    """What is written to whom. Blank lines part paragraphs, lines that begin with "- " are a list, addresses links.

    A language without text is not sent: whoever reads it gets the other. `send_at` null: as soon as it is released.
    """

    model_config = ConfigDict(extra="forbid")

    segment_id: UUID
    title_es: Title = Field(default="", examples=["Convocatoria: foro de proveeduría"])
    body_es: Body = Field(default="", examples=["El registro abre el lunes.\n\n- Cupo: 120\n- Sin costo"])
    title_en: Title = ""
    body_en: Body = ""
    acknowledge: bool = Field(default=False, description="whether the mail asks its reader to say that they took note")
    send_at: Instant | None = None

    def writing(self) -> Writing:
        """As the rules take it."""
        values: dict[str, Any] = self.model_dump(exclude={"segment_id"})
        for name in ("title_es", "title_en"):
            values[name] = " ".join(values[name].split())
        return Writing(**values)


class AudienceView(BaseModel):
    """Whom it reaches: addresses and organisations; `without` have none. `muted` turned it off, `refusing` bounced."""

    people: int
    english: int
    organizations: int
    without: int
    muted: int
    refusing: int


class AnnouncementView(BaseModel):
    """An announcement. `states` counts its messages by what became of them; its readers answered, or took note."""

    id: UUID
    status: Status
    cluster_id: UUID | None
    segment_id: UUID
    title_es: str
    body_es: str
    title_en: str
    body_en: str
    acknowledge: bool
    send_at: datetime | None
    organizations: int
    drawn_at: datetime | None
    made_by: str
    made_at: datetime
    prepared_by: str | None
    prepared_at: datetime | None
    released_by: str | None
    released_at: datetime | None
    stopped_by: str | None
    stopped_at: datetime | None
    revision: int
    states: dict[str, int]
    answered: int
    acknowledged: int


class AnnouncementPage(BaseModel):
    """The newest first. `next` is the cursor of the following page, null at the end."""

    items: list[AnnouncementView]
    next: str | None


class ReceiptView(BaseModel):
    """What became of one message. `how` its reader answered, null while they did not."""

    id: UUID
    organization: str
    state: State
    settled_at: datetime | None
    how: Literal["read", "acknowledged"] | None
    answered_at: datetime | None
    attempts: int


class ReceiptPage(BaseModel):
    """By message. `next` is the cursor of the following page, null at the end."""

    items: list[ReceiptView]
    next: UUID | None


@router.get("", summary="Announcements, the newest first", operation_id="list_announcements")
async def announcements(
    service: Serving, reader: Reader,
    status: Annotated[Status | None, Query()] = None,
    after: Annotated[str | None, Query(max_length=80, description="cursor: `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AnnouncementPage:  # fmt: skip
    async with service.database.connection() as connection:
        found = await store.page(connection, reader.span(), status, place_of(after), limit + 1)
        items = await _views(connection, found[:limit])
    last = found[limit - 1] if len(found) > limit else None
    return AnnouncementPage(items=items, next=place_told(last.made_at, last.id) if last else None)


@router.post("", status_code=201, summary="Write an announcement", operation_id="write_announcement")
async def write(request: Request, response: Response, caller: Preparing, body: AnnouncementWriting) -> AnnouncementView:
    """A draft, in the name of whose segment it is."""
    async with unit_of(request, caller.actor) as unit:
        made = await commands.write(
            unit, await commands.segment_within(unit.connection, caller, body.segment_id), body.writing()
        )
        return await _answer(unit.connection, response, made)


@router.get("/{announcement_id}", summary="One announcement", operation_id="get_announcement")
async def announcement(response: Response, service: Serving, reader: Reader, announcement_id: UUID) -> AnnouncementView:
    async with service.database.connection() as connection:
        return await _answer(connection, response, await commands.within(connection, reader, announcement_id))


@router.get("/{announcement_id}/audience", summary="Whom it reaches", operation_id="get_audience")
async def audience(service: Serving, reader: Reader, announcement_id: UUID) -> AudienceView:
    """Of a draft as its segment was drawn last; of others as it was fixed."""
    async with service.database.connection() as connection:
        one = await commands.within(connection, reader, announcement_id)
        ids = one.organization_ids
        if one.status == "draft":
            segment = await store.segment(connection, one.segment_id)
            ids = segment.organization_ids if segment else ()
        return AudienceView(**(await views.audience(connection, ids))._asdict())


@router.put("/{announcement_id}", summary="Write another text", operation_id="rewrite_announcement")
async def rewrite(
    request: Request, response: Response, caller: Preparing, announcement_id: UUID, expected: NeededVersion,
    body: AnnouncementWriting,
) -> AnnouncementView:  # fmt: skip
    """What was held ready is a draft again."""
    async with unit_of(request, caller.actor) as unit:
        one = await commands.found(unit, announcement_id, expected)
        caller.require(cluster=one.cluster_id)
        segment = await commands.segment_within(unit.connection, caller, body.segment_id)
        after = await commands.rewrite(unit, one, segment, body.writing())
        return await _answer(unit.connection, response, after)


@router.delete("/{announcement_id}", status_code=204, summary="Throw a draft away", operation_id="discard_announcement")
async def discard(request: Request, caller: Preparing, announcement_id: UUID) -> None:
    async with unit_of(request, caller.actor) as unit:
        one = await commands.found(unit, announcement_id)
        caller.require(cluster=one.cluster_id)
        await commands.discard(unit, one)


@router.post("/{announcement_id}/prepare", summary="Hold it ready for another", operation_id="prepare_announcement")
async def prepare(
    request: Request, response: Response, caller: Preparing, announcement_id: UUID, expected: ExpectedVersion
) -> AnnouncementView:
    """To whom it goes is fixed: the organisations that its segment held when it was drawn last."""
    return await _step(request, response, caller, announcement_id, expected, commands.prepare)


@router.post("/{announcement_id}/release", summary="Release what another prepared", operation_id="release_announcement")
async def release(
    request: Request, response: Response, caller: Releasing, announcement_id: UUID, expected: ExpectedVersion
) -> AnnouncementView:
    return await _step(request, response, caller, announcement_id, expected, commands.release)


@router.post("/{announcement_id}/stop", summary="Stop what has not gone out", operation_id="stop_announcement")
async def stop(request: Request, response: Response, caller: Preparing, announcement_id: UUID) -> AnnouncementView:
    """A mail that is on its way at this moment may still arrive, and is then told as sent."""
    return await _step(request, response, caller, announcement_id, None, commands.stop)


@router.get(
    "/{announcement_id}/receipts", summary="What became of each message", operation_id="list_announcement_receipts"
)
async def receipts(
    service: Serving, reader: Reader, announcement_id: UUID,
    state: Annotated[State | None, Query()] = None,
    after: Annotated[UUID | None, Query(description="cursor: `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ReceiptPage:  # fmt: skip
    async with service.database.connection() as connection:
        one = await commands.within(connection, reader, announcement_id)
        found = await views.receipts(connection, one.id, state, after, limit + 1)
    items = [ReceiptView(**receipt._asdict()) for receipt in found[:limit]]
    return ReceiptPage(items=items, next=items[-1].id if len(found) > limit else None)


Step = Callable[[Unit, Announcement], Any]


async def _step(
    request: Request, response: Response, caller: Allowed, id_: UUID, expected: int | None, step: Step
) -> AnnouncementView:
    async with unit_of(request, caller.actor) as unit:
        one = await commands.found(unit, id_, expected)
        caller.require(cluster=one.cluster_id)
        return await _answer(unit.connection, response, await step(unit, one))


async def _answer(connection: Connection, response: Response, one: Announcement) -> AnnouncementView:
    tagged(response, one.revision)
    return (await _views(connection, [one]))[0]


async def _views(connection: Connection, found: list[Announcement]) -> list[AnnouncementView]:
    tallies = await views.tallies(connection, [one.id for one in found])
    return [
        AnnouncementView(
            id=one.id, status=one.status, cluster_id=one.cluster_id, segment_id=one.segment_id,
            title_es=one.writing.title_es, body_es=one.writing.body_es, title_en=one.writing.title_en,
            body_en=one.writing.body_en, acknowledge=one.writing.acknowledge, send_at=one.writing.send_at,
            organizations=len(one.organization_ids), drawn_at=one.drawn_at, made_by=one.made_by, made_at=one.made_at,
            prepared_by=one.prepared_by, prepared_at=one.prepared_at, released_by=one.released_by,
            released_at=one.released_at, stopped_by=one.stopped_by, stopped_at=one.stopped_at, revision=one.revision,
            states=tallies[one.id].states, answered=tallies[one.id].answered,
            acknowledged=tallies[one.id].acknowledged,
        )
        for one in found
    ]  # fmt: skip
