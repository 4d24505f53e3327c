"""Merges over HTTP: two organisations that are one go on as one, or are found to be two."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.membership.merges import commands
from services.membership.organizations import store as organizations
from services.membership.organizations import views
from services.membership.organizations.domain import NoSuchOrganization
from shared.http.edge import unit_of
from shared.http.inputs import Line
from shared.http.policy import Allowed, May
from shared.http.routes import Route

router = APIRouter(prefix="/membership/merges", tags=["merges"], route_class=Route)

Merging = Annotated[Allowed, May("organizations.merge")]
Chosen = Literal["legal_name", "trade_name", "type", "country", "state", "city", "tax_number"]
Version = Annotated[int | None, Field(ge=1, lt=2**63)]


class Merge(BaseModel):
    """`goes_id` goes on as `stays_id`, which becomes as the other in the fields of `take`. `note` says why.

    The versions, where given, are those that were read: another one is refused.
    """

    model_config = ConfigDict(extra="forbid")

    stays_id: UUID
    goes_id: UUID
    take: list[Chosen] = Field(default=[], max_length=7)
    note: Line
    stays_version: Version = None
    goes_version: Version = None


class Merged(BaseModel):
    """The organisation that is left, under whose id and slug the other's are answered."""

    organization_id: UUID
    slug: str
    version: int


class Pair(BaseModel):
    """Two organisations that are two."""

    model_config = ConfigDict(extra="forbid")

    one_id: UUID
    other_id: UUID


@router.post("", status_code=201, summary="Merge two organisations", operation_id="merge_organizations")
async def merge(request: Request, caller: Merging, body: Merge) -> Merged:
    async with unit_of(request, caller.actor) as unit:
        for id_ in (body.stays_id, body.goes_id):
            await views.require(unit.connection, caller, id_)
        found = {one.id: one for one in await organizations.load(unit.connection, [body.goes_id])}
        if body.goes_id not in found:
            raise NoSuchOrganization("there is no organisation {id}", id=body.goes_id, field="goes_id")
        values: dict[str, Any] = {name: getattr(found[body.goes_id], name) for name in body.take}
        one = await commands.merge_organizations(
            unit, body.stays_id, body.goes_id, values=values, note=body.note, stays_at=body.stays_version,
            goes_at=body.goes_version,
        )  # fmt: skip
    return Merged(organization_id=one.id, slug=one.slug, version=one.version)


@router.post("/apart", status_code=204, summary="Say that two likely duplicates are two", operation_id="keep_apart")
async def apart(request: Request, caller: Merging, body: Pair) -> None:
    async with unit_of(request, caller.actor) as unit:
        for id_ in (body.one_id, body.other_id):
            await views.require(unit.connection, caller, id_)
        await commands.keep_apart(unit, body.one_id, body.other_id)
