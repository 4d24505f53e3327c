"""People over HTTP: erasing one. Parse, call one command, answer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request

from services.membership.people import commands, views
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May
from shared.http.routes import Route

router = APIRouter(prefix="/membership/people", tags=["people"], route_class=Route)


@router.delete("/{person_id}", status_code=204, summary="Erase a person everywhere")
async def erase(request: Request, caller: Annotated[Allowed, May("people.erase")], person_id: UUID) -> None:
    async with unit_of(request, caller.actor) as unit:
        await views.require_all(unit.connection, caller, person_id)
        await commands.erase_person(unit, person_id)
