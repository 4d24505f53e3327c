"""Messages over HTTP: what was sent for which fact, what became of it, and one more try."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from services.notifications.messages import commands, domain, views
from services.notifications.messages.domain import State
from services.notifications.subjects.domain import Subject
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/notifications/messages", tags=["messages"], route_class=Route)

Reader = Annotated[Allowed, May("messages.read")]


class MessageView(BaseModel):
    """One message. `notice_id` is the id of the fact that it tells of."""

    id: UUID
    notice_id: UUID
    person_id: UUID
    subject: str
    state: State
    created_at: datetime
    due_at: datetime
    attempts: int
    settled_at: datetime | None


class DeliveryView(BaseModel):
    """One attempt; `code` is the SMTP reply where there was one."""

    attempt: int
    at: datetime
    outcome: str
    code: int | None


class MessageWithLog(MessageView):
    """A message with its attempts, oldest first."""

    deliveries: list[DeliveryView]


class MessagePage(BaseModel):
    """`next` is the cursor of the following page, null at the end."""

    items: list[MessageView]
    next: UUID | None


@router.get("", summary="Messages, a page at a time")
async def messages(
    service: Serving, reader: Reader,
    state: Annotated[State | None, Query()] = None,
    subject: Annotated[Subject | None, Query()] = None,
    after: Annotated[UUID | None, Query(description="cursor: `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> MessagePage:  # fmt: skip
    async with service.database.connection() as connection:
        rows = await views.messages(
            connection, after=after, state=state, subject=subject, limit=limit + 1, span=reader.span()
        )
    items = [MessageView(**row) for row in rows[:limit]]
    return MessagePage(items=items, next=items[-1].id if len(rows) > limit else None)


@router.get("/{message_id}", summary="One message with its delivery log")
async def message(service: Serving, reader: Reader, message_id: UUID) -> MessageWithLog:
    async with service.database.connection() as connection:
        await views.require_message(connection, reader, message_id)
        found = await views.message(connection, message_id)
    if found is None:
        raise domain.NoSuchMessage("there is no message {id}", id=message_id, field="message_id")
    row, deliveries = found
    return MessageWithLog(**row, deliveries=[DeliveryView(**delivery) for delivery in deliveries])


@router.post("/{message_id}/retry", status_code=204, summary="Send again at once, even to an address that refused")
async def retry(request: Request, caller: Annotated[Allowed, May("messages.send")], message_id: UUID) -> None:
    async with unit_of(request, caller.actor) as unit:
        await views.require_message(unit.connection, caller, message_id)
        await commands.retry_message(unit, message_id)
