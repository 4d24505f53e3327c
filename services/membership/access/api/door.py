"""Signing in and out over HTTP, who I am, the public keys. Parse, call one command, answer."""

import hmac
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Cookie, Header, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.membership import mailing
from services.membership.access import domain, store
from services.membership.access.api.shapes import (
    AccountView,
    HeldView,
    Me,
    NoDemoHere,
    Opened,
    Profile,
    SessionView,
    UsesCard,
    UsesLink,
    WantsLink,
    account_view,
)
from services.membership.access.commands import accounts, letters, sign_in
from services.membership.access.commands import provider as providers
from shared.http import limits, provider
from shared.http.edge import unit_of
from shared.http.examples import answers
from shared.http.identity import COOKIE, session_of
from shared.http.policy import Serving, Viewing, check_not_from_elsewhere
from shared.http.routes import Route
from shared.http.sessions import door_of, drop_session, set_session

router = APIRouter(prefix="/membership", tags=["access"], route_class=Route)

Agent = Annotated[str, Header(alias="User-Agent", max_length=1000)]


CARDS = [{"account_id": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e02", "name": "Mariana Solís", "card": "coordinator"}]
KEYS = {"keys": [{
    "kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "use": "sig", "kid": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e05",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}]}  # fmt: skip
VISIT_PATH = "/membership/sign-in/provider"
VISIT_COOKIE = "cumulo_visit"
MAY_FAIL: dict[int | str, dict[str, Any]] = {401: {}, 403: {}, 404: {}}
"""What a visit to the provider may end in besides; openapi.describe says what each means."""


@router.post("/sign-in", status_code=202, summary="Ask for a one-time link by mail", responses=limits.MAY_REFUSE)
async def ask_for_link(request: Request, service: Serving, background: BackgroundTasks, body: WantsLink) -> None:
    """The answer is the same whether the address is known or not."""
    check_not_from_elsewhere(request)
    goes_to = domain.local_path(body.next)
    async with service.database.connection() as connection:
        await limits.allow_links(connection, request, domain.mail_bucket(body.mail), now=service.clock())
    make = partial(letters.link_letter, mail=body.mail, goes_to=goes_to, door=door_of(request))
    background.add_task(mailing.send_later, service, make)


@router.post("/sign-in/link", summary="Sign in with a one-time link", responses={401: {}, **limits.MAY_REFUSE})
async def use_link(request: Request, response: Response, service: Serving, body: UsesLink, agent: Agent = "") -> Opened:
    check_not_from_elsewhere(request)
    async with service.database.connection() as connection:
        await limits.allow_opening(connection, request, now=service.clock())
    async with unit_of(request, "sign-in") as unit:
        opened = await sign_in.open_link(unit, body.token, agent)
    return _opened(request, response, opened)


@router.get(
    "/sign-in/cards",
    summary="Demo people of a local stack, empty elsewhere",
    operation_id="list_cards",
    responses=answers(CARDS),
)
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


@router.get("/sign-in/provider", status_code=303, summary="Sign in with the OpenID Connect provider",
            responses=MAY_FAIL)  # fmt: skip
async def visit_provider(
    request: Request,
    service: Serving,
    next: Annotated[str | None, Query(max_length=500)] = None,  # noqa: A002
) -> RedirectResponse:
    goes_to = domain.local_path(next)
    async with unit_of(request, "sign-in") as unit:
        visit = await providers.leave(unit, goes_to)
    answer = RedirectResponse(await provider.address(service, visit, _returns_to(request)), 303)
    # only the browser that left may come back: nobody is signed in by a link that another made
    answer.set_cookie(VISIT_COOKIE, visit.state, max_age=600, path=VISIT_PATH, httponly=True, samesite="lax",
                      secure=_returns_to(request).startswith("https:"))  # fmt: skip
    return answer


@router.get("/sign-in/provider/return", status_code=303, summary="Come back from the provider",
            responses=MAY_FAIL)  # fmt: skip
async def return_from_provider(
    request: Request, service: Serving, state: Annotated[str, Query(max_length=200)],
    code: Annotated[str | None, Query(max_length=4000)] = None, agent: Agent = "",
    kept: Annotated[str | None, Cookie(alias=VISIT_COOKIE, max_length=200)] = None,
) -> RedirectResponse:  # fmt: skip
    if kept is None or not hmac.compare_digest(kept.encode(), state.encode()):
        raise providers.VisitUnknown("this sign-in did not begin here, or took too long; begin again")
    async with service.unit(actor="sign-in", cause=request.state.request_id) as unit:
        visit = await providers.come_back(unit, state)
    if code is None:
        raise provider.ProviderRefused("the provider did not confirm this sign-in; begin again")
    stranger = await provider.vouched(service, visit, code, _returns_to(request))
    async with unit_of(request, "sign-in") as unit:
        opened = await providers.enter(unit, stranger, agent, visit.goes_to)
    answer = RedirectResponse(opened.goes_to, 303)
    set_session(request, answer, opened.token, opened.session.until)
    answer.delete_cookie(VISIT_COOKIE, path=VISIT_PATH)
    return answer


def _returns_to(request: Request) -> str:
    return f"{door_of(request)}{VISIT_PATH}/return"


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


@router.patch("/me", summary="Change how I am called or my language", responses={404: {}})
async def change_me(request: Request, viewer: Viewing, body: Profile) -> AccountView:
    if viewer.subject is None or viewer.kind != "person":
        raise domain.NoSuchAccount("only people have a profile")
    async with unit_of(request, viewer.actor) as unit:
        changed = await accounts.rename(unit, viewer.subject, name=body.name, language=body.language)
    return account_view(changed)


@router.get("/me/sessions", summary="Where I am signed in", operation_id="list_sessions")
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


@router.post("/me/renew", status_code=204, summary="Renew the session's cookie while its sign-in lives",
             operation_id="renew_session", responses={401: {}})  # fmt: skip
async def renew(
    request: Request, response: Response, service: Serving, cookie: Annotated[str | None, Cookie(alias=COOKIE)] = None
) -> None:
    async with service.database.connection() as connection:
        session_id = await session_of(connection, cookie, service.clock())
    async with unit_of(request, "sign-in") as unit:
        renewed = await sign_in.renew(unit, session_id)
    set_session(request, response, renewed.token, renewed.session.until)


@router.get("/keys", summary="The public keys that verify tokens, as a JSON Web Key Set",
            operation_id="read_public_keys", responses=answers(KEYS))  # fmt: skip
async def public_keys(service: Serving, response: Response) -> dict[str, list[dict[str, str]]]:
    async with service.database.connection() as connection:
        found = await store.keys(connection, service.clock())
    response.headers["Cache-Control"] = "public, max-age=300"
    return {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "use": "sig", "kid": str(k.id), "x": k.x} for k in found
        ]
    }
