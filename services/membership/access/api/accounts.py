"""Accounts and roles over HTTP: who may sign in, invitations, what waits to be released."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Header, Query, Request, Response

from services.membership import mailing
from services.membership.access import domain, store
from services.membership.access.api.shapes import (
    AccountView,
    Invitation,
    InvitationView,
    PreparedView,
    account_view,
    prepared_view,
)
from services.membership.access.commands import accounts, giving, letters, prepared
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


@router.post("/accounts", status_code=201, summary="Invite somebody, or prepare it for another to release")
async def invite(
    request: Request, response: Response, service: Serving, background: BackgroundTasks, caller: Preparing,
    releasing: MayRelease, body: Invitation,
) -> InvitationView:  # fmt: skip
    """201 with the account when the caller may release it; else 202 with what waits for another."""
    domain.checked_scope(body.role, body.cluster_id, body.organization_id)
    async with unit_of(request, caller.actor) as unit:
        await giving.require_giving(unit.connection, caller, body.role, body.cluster_id, body.organization_id)
        if not await giving.may_release(unit.connection, releasing, body.role, body.cluster_id, body.organization_id):
            waiting = await prepared.prepare(unit, "invitation", body.model_dump(mode="json"), cluster=body.cluster_id)
            response.status_code = 202
            return InvitationView(account=None, prepared=prepared_view(waiting))
        invited = await _invite(unit, service, body)
    background.add_task(mailing.send, service, letters.invitation_letter(invited, door_of(request)))
    return InvitationView(account=account_view(invited.account), prepared=None)


async def _invite(unit: Any, service: Any, body: Invitation) -> accounts.Invited:
    await giving.require_known_scope(unit.connection, body.cluster_id, body.organization_id)
    return await accounts.invite(
        unit, body.mail, role=body.role, today=day_in(service.settings.network_zone, unit.now), name=body.name,
        language=body.language, cluster=body.cluster_id, organization=body.organization_id, since=body.since,
        until=body.until,
    )  # fmt: skip


@router.delete("/accounts/{account_id}/roles/{grant_id}", summary="Withdraw a role")
async def withdraw(
    request: Request, service: Serving, caller: Withdrawing, account_id: UUID, grant_id: UUID,
    note: Annotated[OptionalLine, Query(max_length=300)] = None,
) -> AccountView:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        account = await accounts.locked(unit, account_id)
        for grant in account.grants:
            if grant.id == grant_id:
                cluster = grant.scope_id if grant.scope == "cluster" else None
                organization = grant.scope_id if grant.scope == "organization" else None
                await giving.require_giving(unit.connection, caller, grant.role, cluster, organization)
        today = day_in(service.settings.network_zone, unit.now)
        changed = await accounts.withdraw(unit, account_id, grant_id, today=today, note=note)
    return account_view(changed)


@router.get("/prepared", summary="What waits to be released by another")
async def list_prepared(
    service: Serving, caller: Preparing, after: After = None, limit: Limit = 100
) -> Page[PreparedView]:
    async with service.database.connection() as connection:
        found = await prepared.waiting(connection, caller, after, limit + 1)
    items = [prepared_view(one) for one in found[:limit]]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)


@router.post("/prepared/{prepared_id}/release", summary="Release what another prepared")
async def release(
    request: Request, service: Serving, background: BackgroundTasks, caller: Releasing, prepared_id: UUID
) -> AccountView:
    async with unit_of(request, caller.actor) as unit:
        waiting = await prepared.take(unit, prepared_id)
        body = Invitation.model_validate(waiting.payload)
        await giving.require_giving(unit.connection, caller, body.role, body.cluster_id, body.organization_id)
        await prepared.release(unit, waiting)
        invited = await _invite(unit, service, body)
    background.add_task(mailing.send, service, letters.invitation_letter(invited, door_of(request)))
    return account_view(invited.account)


@router.post("/prepared/{prepared_id}/drop", status_code=204, summary="Give up what was prepared")
async def drop(request: Request, caller: Preparing, prepared_id: UUID) -> None:
    async with unit_of(request, caller.actor) as unit:
        waiting = await prepared.take(unit, prepared_id)
        if waiting.prepared_by != caller.actor:
            body = Invitation.model_validate(waiting.payload)
            await giving.require_giving(unit.connection, caller, body.role, body.cluster_id, body.organization_id)
        await prepared.drop(unit, waiting)
