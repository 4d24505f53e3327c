"""Access over HTTP: signing in and out, who I am, accounts and roles, tokens of programs, the public keys."""

from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Cookie, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from services.membership import mailing
from services.membership.access import domain, store
from services.membership.access.commands import accounts, giving, letters, prepared, sign_in
from services.membership.access.domain import Account
from services.membership.edges import After, Limit, Page
from shared.contracts.membership import Role, RoleScope
from shared.http import limits
from shared.http.edge import unit_of
from shared.http.identity import COOKIE, session_of
from shared.http.inputs import Day, Line, Mail, OptionalLine
from shared.http.policy import Allowed, May, Sees, Serving, Viewing, check_not_from_elsewhere
from shared.http.routes import Route
from shared.http.sessions import door_of, drop_session, set_session
from shared.postgres.values import day_in
from shared.refusal import NotFound
from shared.runtime.settings import ServiceName

router = APIRouter(prefix="/membership", tags=["access"], route_class=Route)

Reader = Annotated[Allowed, May("access.read")]
Preparing = Annotated[Allowed, May("access.prepare")]
MayRelease = Annotated[Allowed, Sees("access.release")]
Releasing = Annotated[Allowed, May("access.release")]
Withdrawing = Annotated[Allowed, May("access.withdraw")]
TokenReader = Annotated[Allowed, May("tokens.read")]
TokenMaker = Annotated[Allowed, May("tokens.manage")]
Agent = Annotated[str, Header(alias="User-Agent", max_length=1000)]


class NoDemoHere(NotFound):
    """Cards open the door of a local stack only."""


class WantsLink(BaseModel):
    """Where a one-time link is to be sent, and where it is to lead."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"mail": "mariana@red.example"}})

    mail: Mail
    next: str | None = None


class UsesLink(BaseModel):
    """The secret of a one-time link."""

    model_config = ConfigDict(extra="forbid")

    token: Line


class UsesCard(BaseModel):
    """A demo person."""

    model_config = ConfigDict(extra="forbid")

    account_id: UUID


class HeldView(BaseModel):
    """A role and over what it is held; `scope_id` is null for the network."""

    role: Role
    scope: RoleScope
    scope_id: UUID | None


class Me(BaseModel):
    """Whoever calls: a person, a program, or the installation itself."""

    id: UUID | None
    kind: Literal["person", "program", "installation"]
    name: str
    language: Literal["es", "en"]
    roles: list[HeldView]


class Opened(BaseModel):
    """Who signed in, and where to go."""

    account_id: UUID
    name: str
    next: str


class SessionView(BaseModel):
    """One sign-in: how, with which browser, since when; `present` is the one that asks."""

    id: UUID
    how: str
    agent: str
    began_at: datetime
    seen_at: datetime
    until: datetime
    present: bool


class GrantView(BaseModel):
    """A role over a scope with its days, and who gave it when; `until` is the first day without it."""

    id: UUID
    role: Role
    scope: RoleScope
    scope_id: UUID | None
    since: date
    until: date | None
    granted_by: str
    granted_at: datetime


class AccountView(BaseModel):
    """Who may sign in, with which roles."""

    id: UUID
    name: str
    mail: str | None
    language: Literal["es", "en"]
    made_at: datetime
    version: int
    grants: list[GrantView]


class TokenView(BaseModel):
    """A program's token, without the token: it is shown once, when it is made."""

    id: UUID
    name: str
    services: list[str] | None
    until: datetime | None
    ended: bool
    made_by: str
    made_at: datetime
    grants: list[GrantView]


class NewToken(TokenView):
    """A token that was just made; `token` is never shown again."""

    token: str


class Invitation(BaseModel):
    """Whom to invite, as what, over which cluster or organisation, in which days."""

    model_config = ConfigDict(extra="forbid")

    mail: Mail
    role: Role
    name: OptionalLine = None
    language: Literal["es", "en"] = "es"
    cluster_id: UUID | None = None
    organization_id: UUID | None = None
    since: Day | None = None
    until: Day | None = None


class PreparedView(BaseModel):
    """What waits to be released by another than who prepared it."""

    id: UUID
    kind: str
    payload: dict[str, Any]
    prepared_by: str
    prepared_at: datetime


class InvitationView(BaseModel):
    """What became of an invitation: the account, or what waits to be released."""

    account: AccountView | None
    prepared: PreparedView | None


class WantsToken(BaseModel):
    """A program's name, its role and scope, which services it opens, and for how many days."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    role: giving.TokenRole = "service"
    cluster_id: UUID | None = None
    services: list[ServiceName] | None = None
    days: int = 90


class Profile(BaseModel):
    """How somebody is called and in which language they read; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Line | None = None
    language: Literal["es", "en"] | None = None


def _grants(account: Account) -> list[GrantView]:
    return [GrantView.model_validate(grant, from_attributes=True) for grant in account.grants]


def _account(account: Account) -> AccountView:
    return AccountView(
        id=account.id, name=account.name, mail=account.mail, language=account.language, made_at=account.made_at,
        version=account.version, grants=_grants(account),
    )  # fmt: skip


def _token(account: Account, now: datetime) -> TokenView:
    return TokenView(
        id=account.id, name=account.name, services=list(account.services) if account.services else None,
        until=account.until, ended=account.until is not None and account.until <= now, made_by=account.made_by,
        made_at=account.made_at, grants=_grants(account),
    )  # fmt: skip


def _prepared(waiting: prepared.Prepared) -> PreparedView:
    return PreparedView(
        id=waiting.id, kind=waiting.kind, payload=dict(waiting.payload), prepared_by=waiting.prepared_by,
        prepared_at=waiting.prepared_at,
    )  # fmt: skip


# --- signing in ----------------------------------------------------------------------------------


@router.post("/sign-in", status_code=202, summary="Ask for a one-time link by mail")
async def ask_for_link(request: Request, service: Serving, background: BackgroundTasks, body: WantsLink) -> None:
    """The answer is the same whether the address is known or not."""
    check_not_from_elsewhere(request)
    goes_to = domain.local_path(body.next)
    async with service.database.connection() as connection:
        now, window = service.clock(), timedelta(minutes=15)
        await limits.allow(connection, f"sign-in from {limits.address_of(request)}", 60, window, now=now)
        await limits.allow(connection, f"sign-in of {domain.mail_bucket(body.mail)}", 5, window, now=now)
    make = partial(letters.link_letter, mail=body.mail, goes_to=goes_to, door=door_of(request))
    background.add_task(mailing.send_later, service, make)


@router.post("/sign-in/link", summary="Sign in with a one-time link")
async def use_link(request: Request, response: Response, body: UsesLink, agent: Agent = "") -> Opened:
    check_not_from_elsewhere(request)
    async with unit_of(request, "sign-in") as unit:
        opened = await sign_in.open_link(unit, body.token, agent)
    return _opened(request, response, opened)


@router.get("/sign-in/cards", summary="Demo people of a local stack, empty elsewhere")
async def cards(service: Serving) -> list[dict[str, str]]:
    if not service.settings.demo:
        return []
    async with service.database.connection() as connection:
        people = await store.demo_people(connection)
    return [{"account_id": str(p.id), "name": p.name, "card": p.demo or ""} for p in people]


@router.post("/sign-in/card", summary="Sign in as a demo person; in a local stack only")
async def use_card(request: Request, response: Response, service: Serving, body: UsesCard, agent: Agent = "") -> Opened:
    check_not_from_elsewhere(request)
    if not service.settings.demo:
        raise NoDemoHere("there are no demo people in this installation")
    async with unit_of(request, "sign-in") as unit:
        opened = await sign_in.open_card(unit, body.account_id, agent)
    return _opened(request, response, opened)


def _opened(request: Request, response: Response, opened: sign_in.SignedIn) -> Opened:
    set_session(request, response, opened.token, opened.session.until)
    return Opened(account_id=opened.account.id, name=opened.account.name, next=opened.goes_to)


@router.post("/sign-out", status_code=204, summary="End this sign-in")
async def sign_out(request: Request, response: Response, viewer: Viewing) -> None:
    if viewer.subject is not None and viewer.session is not None:
        async with unit_of(request, viewer.actor) as unit:
            await accounts.sign_out(unit, viewer.subject, viewer.session)
    drop_session(response)


@router.post("/sign-out-everywhere", status_code=204, summary="End every sign-in of mine, in every browser")
async def sign_out_everywhere(request: Request, response: Response, viewer: Viewing) -> None:
    if viewer.kind == "person" and viewer.subject is not None:
        async with unit_of(request, viewer.actor) as unit:
            await accounts.sign_out_everywhere(unit, viewer.subject)
    drop_session(response)


@router.get("/me", summary="Who I am")
async def me(viewer: Viewing) -> Me:
    return Me(
        id=viewer.subject, kind=viewer.kind, name=viewer.name, language=viewer.language,
        roles=[HeldView(role=h.role, scope=h.scope, scope_id=h.id) for h in viewer.held],
    )  # fmt: skip


@router.patch("/me", summary="Change how I am called or my language")
async def change_me(request: Request, viewer: Viewing, body: Profile) -> AccountView:
    if viewer.subject is None or viewer.kind != "person":
        raise domain.NoSuchAccount("only people have a profile")
    async with unit_of(request, viewer.actor) as unit:
        changed = await accounts.rename(unit, viewer.subject, name=body.name, language=body.language)
    return _account(changed)


@router.get("/me/sessions", summary="Where I am signed in")
async def sessions(service: Serving, viewer: Viewing) -> list[SessionView]:
    if viewer.subject is None:
        return []
    async with service.database.connection() as connection:
        found = await store.sessions(connection, viewer.subject, service.clock())
    return [
        SessionView(
            id=s.id, how=s.how, agent=s.agent, began_at=s.began_at, seen_at=s.seen_at, until=s.until,
            present=s.id == viewer.session,
        )
        for s in found
    ]  # fmt: skip


@router.post("/me/renew", status_code=204, summary="Renew the session's cookie while its sign-in lives")
async def renew(
    request: Request, response: Response, service: Serving, cookie: Annotated[str | None, Cookie(alias=COOKIE)] = None
) -> None:
    async with service.database.connection() as connection:
        session_id = await session_of(connection, cookie, service.clock())
    async with unit_of(request, "sign-in") as unit:
        renewed = await sign_in.renew(unit, session_id)
    set_session(request, response, renewed.token, renewed.session.until)


@router.get("/keys", summary="The public keys that verify tokens, as a JSON Web Key Set")
async def public_keys(service: Serving, response: Response) -> dict[str, list[dict[str, str]]]:
    async with service.database.connection() as connection:
        found = await store.keys(connection, service.clock())
    response.headers["Cache-Control"] = "public, max-age=300"
    return {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "use": "sig", "kid": str(k.id), "x": k.x} for k in found
        ]
    }


# --- accounts and roles --------------------------------------------------------------------------


@router.get("/accounts", summary="Who may sign in, and as what")
async def list_accounts(service: Serving, reader: Reader, after: After = None, limit: Limit = 100) -> Page[AccountView]:
    async with service.database.connection() as connection:
        found = await store.people(connection, after, limit + 1, reader.span())
    items = [_account(one) for one in found[:limit]]
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
            return InvitationView(account=None, prepared=_prepared(waiting))
        invited = await _invite(unit, service, body)
    background.add_task(mailing.send, service, letters.invitation_letter(invited, door_of(request)))
    return InvitationView(account=_account(invited.account), prepared=None)


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
    return _account(changed)


@router.get("/prepared", summary="What waits to be released by another")
async def list_prepared(
    service: Serving, caller: Preparing, after: After = None, limit: Limit = 100
) -> Page[PreparedView]:
    async with service.database.connection() as connection:
        found = await prepared.waiting(connection, caller, after, limit + 1)
    items = [_prepared(one) for one in found[:limit]]
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
    return _account(invited.account)


@router.post("/prepared/{prepared_id}/drop", status_code=204, summary="Give up what was prepared")
async def drop(request: Request, caller: Preparing, prepared_id: UUID) -> None:
    async with unit_of(request, caller.actor) as unit:
        waiting = await prepared.take(unit, prepared_id)
        if waiting.prepared_by != caller.actor:
            body = Invitation.model_validate(waiting.payload)
            await giving.require_giving(unit.connection, caller, body.role, body.cluster_id, body.organization_id)
        await prepared.drop(unit, waiting)


# --- programs ------------------------------------------------------------------------------------


@router.get("/tokens", summary="Tokens of programs")
async def list_tokens(
    service: Serving, reader: TokenReader, after: After = None, limit: Limit = 100
) -> Page[TokenView]:
    async with service.database.connection() as connection:
        found = await store.programs(connection, after, limit + 1)
    items = [_token(one, service.clock()) for one in found[:limit]]
    return Page(items=items, next=items[-1].id if len(found) > limit else None)


@router.post("/tokens", status_code=201, summary="Make a token for a program; it is shown once")
async def make_token(request: Request, service: Serving, caller: TokenMaker, body: WantsToken) -> NewToken:
    async with service.database.connection() as connection:
        await limits.allow(connection, f"tokens of {caller.actor}", 30, timedelta(hours=1), now=service.clock())
    async with unit_of(request, caller.actor) as unit:
        await giving.require_known_scope(unit.connection, body.cluster_id, None)
        made = await accounts.make_token(
            unit, body.name, role=body.role, days=body.days, cluster=body.cluster_id, services=body.services,
            today=day_in(service.settings.network_zone, unit.now),
        )  # fmt: skip
    return NewToken(**_token(made.account, service.clock()).model_dump(), token=made.token)


@router.delete("/tokens/{token_id}", summary="Revoke a token")
async def revoke_token(request: Request, service: Serving, caller: TokenMaker, token_id: UUID) -> TokenView:
    async with unit_of(request, caller.actor) as unit:
        account = await accounts.revoke_token(unit, token_id)
    return _token(account, service.clock())
