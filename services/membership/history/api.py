"""The change log over HTTP: who changed what, when, why, from what to what; within the caller's reach."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.membership.history import views
from services.membership.history.views import Aggregate
from services.membership.organizations import store as organization_store
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/membership/history", tags=["history"], route_class=Route)


class Changed(BaseModel):
    """A field's value before and after."""

    old: Any
    new: Any


class LineView(BaseModel):
    """One change. `actor` is an id, `who` what they are called: null for a program of ours or somebody erased."""

    version: int
    at: datetime
    actor: str
    who: str | None
    cause: str
    note: str | None
    fields: dict[str, Changed]


class HistoryPage(BaseModel):
    """Changes, the newest first. `next` is the cursor of the older ones, null at the end."""

    items: list[LineView]
    next: int | None


@router.get(
    "/{aggregate}/{id}",
    summary="What was changed of an organisation, membership, cluster or account",
    operation_id="read_history",
)
async def history(
    service: Serving, caller: Annotated[Allowed, May("history.read")], people: Annotated[Allowed, Sees("access.read")],
    programs: Annotated[Allowed, Sees("tokens.read")], aggregate: Aggregate, id: UUID,  # noqa: A002
    after: Annotated[int | None, Query(ge=1, lt=2**63, description="cursor: `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> HistoryPage:  # fmt: skip
    async with service.database.connection() as connection:
        if aggregate == "organization":
            id = await organization_store.successor(connection, id)  # noqa: A001
        await views.require(connection, aggregate, id, history=caller, people=people, programs=programs)
        lines = await views.of_one(connection, aggregate, id, before=after, limit=limit + 1)
    items = [
        LineView(
            version=one.version, at=one.at, actor=one.actor, who=one.who, cause=one.cause, note=one.note,
            fields={name: Changed(old=old, new=new) for name, (old, new) in one.fields.items()},
        )
        for one in lines[:limit]
    ]  # fmt: skip
    return HistoryPage(items=items, next=items[-1].version if len(lines) > limit else None)
