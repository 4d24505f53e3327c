"""The log over HTTP: whom each fact concerned, by which rule, what was sent, what became of it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.notifications.cursors import place_of, place_told
from services.notifications.logbook import views
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/notifications/log", tags=["messages"], route_class=Route)

Reader = Annotated[Allowed, May("messages.read")]


class LineView(BaseModel):
    """A line; `id` is that of the fact, or of what time brought about. `states` counts its messages."""

    id: UUID
    fact: Annotated[str | None, Field(examples=["membership.MembershipApproved"])]
    subject: Annotated[str | None, Field(examples=["approved"], description="what was written about; null: nothing")]
    reason: Annotated[str | None, Field(description="why nobody was written to")]
    at: datetime
    organization_id: UUID | None
    states: Annotated[dict[str, int], Field(examples=[{"sent": 2}])]


class LinePage(BaseModel):
    """The newest first. `next` is the cursor of the following page, null at the end."""

    items: list[LineView]
    next: str | None


@router.get("", summary="Whom each fact concerned", operation_id="list_log")
async def log(
    service: Serving, reader: Reader,
    written: Annotated[bool, Query(description="only facts that somebody was written to about")] = False,
    cluster_id: Annotated[UUID | None, Query()] = None,
    after: Annotated[str | None, Query(max_length=80, description="cursor: `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> LinePage:  # fmt: skip
    async with service.database.connection() as connection:
        found = await views.lines(connection, before=place_of(after), written=written, cluster=cluster_id,
                                  limit=limit + 1, span=reader.span())  # fmt: skip
    items = [
        LineView(id=one.id, fact=one.fact, subject=one.subject, reason=one.reason, at=one.at,
                 organization_id=one.organization_id, states=orjson.loads(one.states or "{}"))
        for one in found[:limit]
    ]  # fmt: skip
    return LinePage(items=items, next=place_told(items[-1].at, items[-1].id) if len(found) > limit else None)
