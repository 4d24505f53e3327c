"""One's own notices over HTTP: how many are unread, the list, what was read."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.notifications.cursors import place_of, place_told
from services.notifications.inbox import commands, views
from services.notifications.preferences.commands import address_of
from services.notifications.preferences.domain import NoAddress
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/notifications/inbox", tags=["inbox"], route_class=Route)

Own = Annotated[Allowed, May("inbox.own")]


class NoteView(BaseModel):
    """One notice. `state` says what became of its mail; `read_at` is null until it was read."""

    id: UUID
    subject: str
    state: str
    created_at: datetime
    read_at: datetime | None


class NotePage(BaseModel):
    """The newest first. `next` is the cursor of the following page, null at the end."""

    items: list[NoteView]
    next: str | None


class Count(BaseModel):
    """How many."""

    count: int


class Reading(BaseModel):
    """Which were read; none named: all."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[UUID] | None, Field(max_length=500)] = None


@router.get("", summary="My notices, the newest first", operation_id="list_inbox")
async def inbox(
    service: Serving, caller: Own,
    unread: Annotated[bool, Query(description="only what was not read")] = False,
    after: Annotated[str | None, Query(max_length=80, description="cursor: `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> NotePage:  # fmt: skip
    """Nothing for who has no mail address."""
    place = place_of(after)
    async with service.database.connection() as connection:
        try:
            address = await address_of(connection, caller.viewer)
        except NoAddress:
            return NotePage(items=[], next=None)
        assert caller.viewer.subject is not None
        found = await views.own(connection, address, caller.viewer.subject, place, limit, unread=unread)
    last = found[-1] if len(found) == limit else None
    return NotePage(items=[NoteView(**one._asdict()) for one in found],
                    next=place_told(last.created_at, last.id) if last else None)  # fmt: skip


@router.get("/unread", summary="How many of my notices are unread", operation_id="count_unread")
async def unread(service: Serving, caller: Own) -> Count:
    """0 for who has no address."""
    async with service.database.connection() as connection:
        try:
            address = await address_of(connection, caller.viewer)
        except NoAddress:
            return Count(count=0)
        assert caller.viewer.subject is not None
        return Count(count=await views.unread(connection, address, caller.viewer.subject))


@router.post("/read", summary="These were read", operation_id="mark_read")
async def read(request: Request, caller: Own, body: Reading) -> Count:
    """How many were unread before. What is another's stays as it is, without a word."""
    async with unit_of(request, caller.actor) as unit:
        address = await address_of(unit.connection, caller.viewer)
        assert caller.viewer.subject is not None
        return Count(count=await commands.mark_read(unit, address, caller.viewer.subject, body.ids))
