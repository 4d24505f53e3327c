"""Tokens of programs over HTTP: listed, made and shown once, revoked."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request
from fastapi.routing import APIRoute

from services.membership.access import store
from services.membership.access.api.shapes import NewToken, TokenView, WantsToken, token_view
from services.membership.access.commands import accounts, giving
from services.membership.edges import After, Limit, Page
from shared.http import limits
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May, Serving
from shared.postgres.values import day_in

# a token is shown once, so that no answer is kept for an Idempotency-Key
router = APIRouter(prefix="/membership", tags=["access"], route_class=APIRoute)

TokenReader = Annotated[Allowed, May("tokens.read")]
TokenMaker = Annotated[Allowed, May("tokens.manage")]
TokenRevoker = Annotated[Allowed, May("tokens.revoke")]
Agent = Annotated[str, Header(alias="User-Agent", max_length=1000)]


@router.get("/tokens", summary="Tokens of programs")
async def list_tokens(
    service: Serving, reader: TokenReader, after: After = None, limit: Limit = 100
) -> Page[TokenView]:
    async with service.database.connection() as connection:
        found = await store.programs(connection, after, limit + 1)
    items = [token_view(one, service.clock()) for one in found[:limit]]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)


@router.post("/tokens", status_code=201, summary="Make a token for a program; it is shown once",
             responses=limits.MAY_REFUSE)  # fmt: skip
async def make_token(request: Request, service: Serving, caller: TokenMaker, body: WantsToken) -> NewToken:
    async with service.database.connection() as connection:
        await limits.allow(connection, f"tokens of {caller.actor}", 30, timedelta(hours=1), now=service.clock())
    async with unit_of(request, caller.actor) as unit:
        await giving.require_known_scope(unit.connection, body.cluster_id, None)
        made = await accounts.make_token(
            unit, body.name, role=body.role, days=body.days, cluster=body.cluster_id, services=body.services,
            today=day_in(service.settings.network_zone, unit.now),
        )  # fmt: skip
    return NewToken(**token_view(made.account, service.clock()).model_dump(), token=made.token)


@router.delete("/tokens/{token_id}", summary="Revoke a token")
async def revoke_token(request: Request, service: Serving, caller: TokenRevoker, token_id: UUID) -> TokenView:
    async with unit_of(request, caller.actor) as unit:
        account = await accounts.revoke_token(unit, token_id)
    return token_view(account, service.clock())
