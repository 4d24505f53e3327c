"""People over HTTP: erasing one. Parse, call one command, answer."""

from uuid import UUID

from fastapi import APIRouter, Request

from services.membership.people import commands
from shared.http.edge import Caller, unit_of

router = APIRouter(prefix="/membership/people", tags=["people"])


@router.delete("/{person_id}", status_code=204, summary="Erase a person everywhere")
async def erase(request: Request, caller: Caller, person_id: UUID) -> None:
    async with unit_of(request, caller) as unit:
        await commands.erase_person(unit, person_id)
