"""The copy over HTTP: who is a member, as this service knows it."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.events.members import views
from shared.http.inputs import Day, Slug
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/events/members", tags=["members"], route_class=Route)


class MemberView(BaseModel):
    """One membership; names are null until they have arrived from membership."""

    membership_id: UUID
    organization_id: UUID
    cluster_id: UUID
    cluster: str | None
    name: Annotated[str | None, Field(examples=["Troquelados del Bravo"])]
    slug: Annotated[str | None, Field(examples=["troquelados-del-bravo"])]
    type: str | None
    category: str
    standing: str
    since: date | None
    until: date | None


class MemberPage(BaseModel):
    """`next` is the cursor of the following page, null at the end."""

    items: list[MemberView]
    next: UUID | None


@router.get("", summary="Who is a member, as events knows it")
async def members(
    service: Serving, reader: Annotated[Allowed, May("members.read")],
    cluster: Annotated[Slug | None, Query(description="a cluster's slug")] = None,
    as_of: Annotated[Day | None, Query(description="in force on this day")] = None,
    organization_id: Annotated[UUID | None, Query(description="its own, or one that was merged into it")] = None,
    after: Annotated[UUID | None, Query(description="cursor: `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> MemberPage:  # fmt: skip
    async with service.database.connection() as connection:
        rows = await views.members(
            connection,
            after=after,
            cluster=cluster,
            as_of=as_of,
            limit=limit + 1,
            span=reader.span(),
            organization_id=organization_id,
        )
    items = [MemberView(**row) for row in rows[:limit]]
    return MemberPage(items=items, next=items[-1].membership_id if len(rows) > limit else None)
