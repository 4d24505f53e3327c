"""Likely duplicates of the register over HTTP."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.membership.duplicates import views
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/membership/duplicates", tags=["duplicates"], route_class=Route)


class SideView(BaseModel):
    """One organisation of a pair."""

    id: UUID
    slug: str
    trade_name: str
    legal_name: str
    state: str | None
    city: str | None
    tax_number: str | None


class PairView(BaseModel):
    """Two organisations that are likely one. `likeness` of their names goes from 0 to 1."""

    one: SideView
    other: SideView
    country: str
    likeness: float
    why: list[Literal["tax", "name", "mail"]]


@router.get("", summary="Organisations that are likely the same", operation_id="list_duplicates")
async def duplicates(
    service: Serving, reader: Annotated[Allowed, May("duplicates.read")],
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[PairView]:  # fmt: skip
    async with service.database.connection() as connection:
        found = await views.likely(connection, reader, limit)
    return [
        PairView(one=SideView(**pair.one._asdict()), other=SideView(**pair.other._asdict()), country=pair.country,
                 likeness=pair.likeness, why=list(pair.why))
        for pair in found
    ]  # fmt: skip
