"""What an organisation takes part in, over HTTP."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from services.events.participation import views
from shared.contracts.events import GatheringKind
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/events/organizations", tags=["attendance"], route_class=Route)


class TakenPart(BaseModel):
    """One event: places of the organisation's people, who waits, who came, hours of training in all."""

    gathering_id: UUID
    slug: str
    title: str
    kind: GatheringKind
    status: Literal["published", "postponed", "cancelled", "held"]
    day: date
    host: str | None
    people: int
    waiting: int
    attended: int
    hours: float


class YearTotal(BaseModel):
    """A calendar year: events with somebody there, people who came, hours of training."""

    year: int
    gatherings: int
    attended: int
    hours: float


class Participation(BaseModel):
    """The newest events first, at most 200, and what they come to by year."""

    items: list[TakenPart]
    years: list[YearTotal]


@router.get("/{organization_id}/participation", summary="The events of an organisation's people, counted",
            operation_id="read_participation")  # fmt: skip
async def participation(
    service: Serving, reader: Annotated[Allowed, May("participation.read")], organization_id: UUID
) -> Participation:
    async with service.database.connection() as connection:
        await views.require(connection, reader, organization_id)
        rows = await views.of_organization(connection, organization_id)
    return Participation(items=[TakenPart(**dict(row)) for row in rows],
                         years=[YearTotal(**total._asdict()) for total in views.totals(rows)])  # fmt: skip
