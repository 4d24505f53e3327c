"""Accounts and roles over HTTP: who may sign in, invitations, what waits to be released."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Header, Query, Request, Response

from services.membership import mailing
from services.membership.access import store
from services.membership.access.api.shapes import (
    AccountView,
    InvitationView,
    PreparedView,
    account_view,
    prepared_view,
)
from services.membership.access.commands import inviting, letters, prepared
from services.membership.access.commands.inviting import Invitation
from services.membership.access.commands.prepared import Prepared
from services.membership.edges import After, Limit, Page
from shared.http.edge import unit_of
from shared.http.inputs import OptionalLine
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.http.sessions import door_of
from shared.postgres.values import day_in

router = APIRouter(prefix="/membership", tags=["access"], route_class=Route)

Reader = Annotated[Allowed, May("access.read")]
Preparing = Annotated[Allowed, May("access.prepare")]
MayRelease = Annotated[Allowed, Sees("access.release")]
Releasing = Annotated[Allowed, May("access.release")]
Withdrawing = Annotated[Allowed, May("access.withdraw")]
Agent = Annotated[str, Header(alias="User-Agent", max_length=1000)]


@router.get("/accounts", summary="Who may sign in, and as what")
async def list_accounts(service: Serving, reader: Reader, after: After = None, limit: Limit = 100) -> Page[AccountView]:
    async with service.database.connection() as connection:
        found = await store.people(connection, after, limit + 1, reader.span())
    items = [account_view(one) for one in found[:limit]]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)


@router.post("/accounts", status_code=201, summary="Invite somebody, or prepare it for another to release",
             operation_id="invite_somebody", responses={202: {"model": InvitationView}})  # fmt: skip
async def invite(
    request: Request, response: Response, service: Serving, background: BackgroundTasks, caller: Preparing,
    releasing: MayRelease, body: Invitation,
) -> InvitationView:  # fmt: skip
    """201 with the account when the caller may release it; else 202 with what waits for another."""
    today = day_in(service.settings.network_zone, service.clock())
    async with unit_of(request, caller.actor) as unit:
        made = await inviting.ask_in(unit, caller, releasing, body, today=today)
    if isinstance(made, Prepared):
        response.status_code = 202
        return InvitationView(account=None, prepared=prepared_view(made))
    background.add_task(mailing.send, service, letters.invitation_letter(made, door_of(request)))
    return InvitationView(account=account_view(made.account), prepared=None)


@router.delete("/accounts/{account_id}/roles/{grant_id}", summary="Withdraw a role", operation_id="withdraw_role")
async def withdraw(
    request: Request, service: Serving, caller: Withdrawing, account_id: UUID, grant_id: UUID,
    note: Annotated[OptionalLine, Query()] = None,
) -> AccountView:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        today = day_in(service.settings.network_zone, unit.now)
        changed = await inviting.withdraw(unit, caller, account_id, grant_id, today=today, note=note)
    return account_view(changed)


@router.get("/prepared", summary="What waits to be released by another")
async def list_prepared(
    service: Serving, caller: Preparing, after: After = None, limit: Limit = 100
) -> Page[PreparedView]:
    async with service.database.connection() as connection:
        found = await prepared.waiting(connection, caller, after, limit + 1)
    items = [prepared_view(one) for one in found[:limit]]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)


@router.post("/prepared/{prepared_id}/release", summary="Release what another prepared",
             operation_id="release_prepared")  # fmt: skip
async def release(
    request: Request, service: Serving, background: BackgroundTasks, caller: Releasing, prepared_id: UUID
) -> AccountView:
    async with unit_of(request, caller.actor) as unit:
        today = day_in(service.settings.network_zone, unit.now)
        invited = await inviting.release(unit, caller, prepared_id, today=today)
    background.add_task(mailing.send, service, letters.invitation_letter(invited, door_of(request)))
    return account_view(invited.account)


@router.post("/prepared/{prepared_id}/drop", status_code=204, summary="Give up what was prepared",
             operation_id="drop_prepared")  # fmt: skip
async def drop(request: Request, caller: Preparing, prepared_id: UUID) -> None:
    async with unit_of(request, caller.actor) as unit:
        await inviting.drop(unit, caller, prepared_id)
