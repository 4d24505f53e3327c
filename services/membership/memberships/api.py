"""Memberships over HTTP: parse, call one command or one read, answer."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from services.membership.edges import After, ExpectedVersion, Limit, Page, tagged
from services.membership.memberships import commands, store
from services.membership.memberships.domain import Membership, NoSuchMembership
from services.membership.organizations import store as organization_store
from services.membership.organizations import views as organization_views
from shared.contracts.membership import Category, Standing
from shared.http.edge import unit_of
from shared.http.inputs import Day, Line, OptionalLine
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection

router = APIRouter(prefix="/membership/memberships", tags=["memberships"], route_class=Route)

Reader = Annotated[Allowed, May("memberships.read")]
Applying = Annotated[Allowed, May("memberships.apply")]
Approving = Annotated[Allowed, May("memberships.approve")]
Activating = Annotated[Allowed, May("memberships.activate")]
Resigning = Annotated[Allowed, May("memberships.resign")]
Refusing = Annotated[Allowed, May("memberships.refuse")]
Expelling = Annotated[Allowed, May("memberships.expel")]
Reinstating = Annotated[Allowed, May("memberships.reinstate")]
Categorising = Annotated[Allowed, May("memberships.categorise")]


class Application(BaseModel):
    """An organisation asks to join a cluster; without a day it is today in the cluster's zone."""

    model_config = ConfigDict(extra="forbid")

    organization_id: UUID
    cluster_id: UUID
    category: Category = "associate"
    effective: Day | None = None
    note: OptionalLine = None


class Step(BaseModel):
    """From which day a step counts, and why it was taken."""

    model_config = ConfigDict(extra="forbid")

    effective: Day | None = None
    note: OptionalLine = None


class Activation(Step):
    """Coming into force; `announce` is false when nobody is to be greeted."""

    category: Category | None = None
    announce: bool = True


class HardStep(BaseModel):
    """A step that the other side will ask about: its reason is said."""

    model_config = ConfigDict(extra="forbid")

    note: Line
    effective: Day | None = None


class Reinstatement(Step):
    """In force again; without a category in the last one."""

    category: Category | None = None


class Recategorisation(Step):
    """The category from a day on."""

    category: Category


class MembershipView(BaseModel):
    """A membership as it is answered; `until` is the first day on which it is no longer in force."""

    id: UUID
    organization_id: UUID
    cluster_id: UUID
    category: Category
    standing: Standing
    applied_on: date | None
    approved_on: date | None
    since: date | None
    until: date | None
    version: int


class BandView(BaseModel):
    """Days in force in one category."""

    category: Category
    since: date
    until: date | None


class MembershipLife(MembershipView):
    """One membership with all its days in force."""

    bands: list[BandView]


def _values(membership: Membership) -> dict[str, object]:
    return {name: getattr(membership, name) for name in MembershipView.model_fields}


def _life(membership: Membership, response: Response) -> MembershipLife:
    tagged(response, membership.version)
    bands = [BandView(category=b.category, since=b.since, until=b.until) for b in membership.bands]
    return MembershipLife.model_validate({**_values(membership), "bands": bands})


async def _require(connection: Connection, caller: Allowed, membership_id: UUID) -> None:
    """Raises `NotYours` for a membership out of reach. Whose it is never changes, so that it is asked first."""
    for found in await store.load(connection, [membership_id]):
        caller.require(cluster=found.cluster_id, organization=found.organization_id)


@router.post("", status_code=201, summary="Apply for membership", operation_id="apply_for_membership")
async def apply(
    request: Request,
    response: Response,
    caller: Applying,
    body: Application,
) -> MembershipLife:
    caller.require(cluster=body.cluster_id, organization=body.organization_id)
    async with unit_of(request, caller.actor) as unit:
        await organization_views.require_entering(unit.connection, caller, body.organization_id)
        membership = await commands.apply_for_membership(unit, **body.model_dump())
    return _life(membership, response)


@router.get("", summary="Memberships, a page at a time")
async def memberships(
    service: Serving, reader: Reader, after: After = None, limit: Limit = 100,
    cluster_id: Annotated[UUID | None, Query()] = None, organization_id: Annotated[UUID | None, Query()] = None,
    standing: Annotated[Standing | None, Query()] = None,
) -> Page[MembershipView]:  # fmt: skip
    async with service.database.connection() as connection:
        if organization_id is not None:
            organization_id = await organization_store.successor(connection, organization_id)
        rows = await store.page(
            connection,
            after,
            limit + 1,
            cluster_id=cluster_id,
            organization_id=organization_id,
            standing=standing,
            span=reader.span(),
        )
    items = [MembershipView.model_validate(_values(row)) for row in rows[:limit]]
    return Page(items=items, next=rows[limit - 1].id if len(rows) > limit else None)


@router.get("/{membership_id}", summary="One membership with its days in force")
async def membership(service: Serving, response: Response, reader: Reader, membership_id: UUID) -> MembershipLife:
    async with service.database.connection() as connection:
        rows = await store.load(connection, [membership_id])
    if not rows:
        raise NoSuchMembership("there is no membership {id}", id=membership_id, field="membership_id")
    reader.require(cluster=rows[0].cluster_id, organization=rows[0].organization_id)
    return _life(rows[0], response)


class Approval(Step):
    """`resolution` is the board's, where the cluster asks for one: e.g. CD-2026-14."""

    resolution: OptionalLine = None


@router.post("/{membership_id}/approve", summary="Accept an application")
async def approve(
    request: Request, response: Response, caller: Approving, membership_id: UUID, expected: ExpectedVersion,
    body: Approval | None = None,
) -> MembershipLife:  # fmt: skip
    step = body or Approval()
    async with unit_of(request, caller.actor) as unit:
        await _require(unit.connection, caller, membership_id)
        changed = await commands.approve_membership(unit, membership_id, expected=expected, **step.model_dump())
    return _life(changed, response)


@router.post("/{membership_id}/activate", summary="Bring a membership into force")
async def activate(
    request: Request, response: Response, caller: Activating, membership_id: UUID, expected: ExpectedVersion,
    body: Activation | None = None,
) -> MembershipLife:  # fmt: skip
    step = body or Activation()
    async with unit_of(request, caller.actor) as unit:
        await _require(unit.connection, caller, membership_id)
        changed = await commands.activate_membership(unit, membership_id, expected=expected, **step.model_dump())
    return _life(changed, response)


@router.post("/{membership_id}/resign", summary="End a membership")
async def resign(
    request: Request, response: Response, caller: Resigning, membership_id: UUID, expected: ExpectedVersion,
    body: Step | None = None,
) -> MembershipLife:  # fmt: skip
    step = body or Step()
    async with unit_of(request, caller.actor) as unit:
        await _require(unit.connection, caller, membership_id)
        changed = await commands.resign_membership(unit, membership_id, expected=expected, **step.model_dump())
    return _life(changed, response)


async def _reached(service: Serving, caller: Allowed, membership_id: UUID) -> Allowed:
    """The caller, when the membership is theirs to change; asked before the body is read."""
    async with service.database.connection() as connection:
        await _require(connection, caller, membership_id)
    return caller


async def _refusing(service: Serving, caller: Refusing, membership_id: UUID) -> Allowed:
    return await _reached(service, caller, membership_id)


async def _expelling(service: Serving, caller: Expelling, membership_id: UUID) -> Allowed:
    return await _reached(service, caller, membership_id)


async def _categorising(service: Serving, caller: Categorising, membership_id: UUID) -> Allowed:
    return await _reached(service, caller, membership_id)


@router.post("/{membership_id}/refuse", summary="Refuse an application, with the reason")
async def refuse(
    request: Request, response: Response, caller: Annotated[Allowed, Depends(_refusing)], membership_id: UUID,
    expected: ExpectedVersion, body: HardStep,
) -> MembershipLife:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.refuse_application(unit, membership_id, expected=expected, **body.model_dump())
    return _life(changed, response)


@router.post("/{membership_id}/expel", summary="Expel a member, with the reason")
async def expel(
    request: Request, response: Response, caller: Annotated[Allowed, Depends(_expelling)], membership_id: UUID,
    expected: ExpectedVersion, body: HardStep,
) -> MembershipLife:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.expel_member(unit, membership_id, expected=expected, **body.model_dump())
    return _life(changed, response)


@router.post("/{membership_id}/reinstate", summary="Bring back a membership that ended")
async def reinstate(
    request: Request, response: Response, caller: Reinstating, membership_id: UUID, expected: ExpectedVersion,
    body: Reinstatement | None = None,
) -> MembershipLife:  # fmt: skip
    step = body or Reinstatement()
    async with unit_of(request, caller.actor) as unit:
        await _require(unit.connection, caller, membership_id)
        changed = await commands.reinstate_member(unit, membership_id, expected=expected, **step.model_dump())
    return _life(changed, response)


@router.post("/{membership_id}/category", summary="Give a member another category", operation_id="change_category")
async def categorise(
    request: Request, response: Response, caller: Annotated[Allowed, Depends(_categorising)], membership_id: UUID,
    expected: ExpectedVersion, body: Recategorisation,
) -> MembershipLife:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.change_category(unit, membership_id, expected=expected, **body.model_dump())
    return _life(changed, response)
