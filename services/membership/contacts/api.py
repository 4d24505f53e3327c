"""Writing to a company over HTTP: its address stays hidden, the answer goes to the writer."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from services.membership.contacts import commands
from services.membership.contacts.domain import PER_DAY, NoAddressOfYourOwn
from shared.http import limits
from shared.http.edge import unit_of
from shared.http.inputs import Text
from shared.http.limits import MAY_REFUSE
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/membership/contacts", tags=["contacts"], route_class=Route)


class NewContact(BaseModel):
    """To whom, and what: 20 to 3,000 characters."""

    model_config = ConfigDict(extra="forbid")

    organization_id: UUID
    message: Text


class ContactView(BaseModel):
    """What was handed on for delivery."""

    id: UUID
    organization_id: UUID


@router.post("", status_code=201, summary="Write to a company", operation_id="write_to_company", responses=MAY_REFUSE)
async def write(
    request: Request, service: Serving, caller: Annotated[Allowed, May("contacts.write")], body: NewContact
) -> ContactView:
    if caller.viewer.kind != "person":
        raise NoAddressOfYourOwn("only a person with an account writes: the answer goes to its address")
    async with service.database.connection() as connection:
        await limits.allow(connection, f"contacts of {caller.actor}", PER_DAY, timedelta(days=1), now=service.clock())
    async with unit_of(request, caller.actor) as unit:
        made = await commands.write_to(unit, body.organization_id, UUID(caller.actor), body.message)
    return ContactView(id=made.id, organization_id=made.organization_id)
