"""The door: signing in by link or card, renewing a session, leaving.

A link is opened by the button on its page, so that a mail scanner that follows it uses nothing up.
"""

from functools import partial
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Cookie, Form, Header, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import TypeAdapter, ValidationError

from services.membership import mailing
from services.membership.access import domain, store
from services.membership.access.commands import accounts, letters, sign_in
from services.membership.access.domain import LinkOpensNothing
from services.membership.access.pages.own import home
from services.membership.access.pages.parts import pages
from shared.http import limits
from shared.http.edge import unit_of
from shared.http.identity import COOKIE, NotSignedIn, Viewer, session_of, viewer_of
from shared.http.inputs import Mail
from shared.http.limits import TooOften
from shared.http.policy import Serving, check_not_from_elsewhere, check_same_origin
from shared.http.routes import Route
from shared.http.sessions import door_of, drop_session, set_session
from shared.refusal import Refusal
from shared.runtime import tasks
from shared.runtime.service import Service
from shared.web.forms import Form as FormState
from shared.web.language import mark
from shared.web.navigation import ROLE_WORDS

router = APIRouter(include_in_schema=False, route_class=Route)

Agent = Annotated[str, Header(alias="User-Agent", max_length=1000)]
Session = Annotated[str | None, Cookie(alias=COOKIE)]
Next = Annotated[str | None, Query(alias="next", max_length=500)]

CARDS = {
    "coordinator": mark("Coordinator of the network: sees everything, approves, releases what others prepared."),
    "assistant": mark("Assistant, part-time: prepares, and asks another to release it."),
    "director": mark("Director of a cluster: the own companies, applications and staff."),
    "tier2": mark("A Tier 2 supplier: its own profile, and who is next to it."),
    "affiliate": mark("A service company, affiliated: what an affiliate sees."),
    "buyer": mark("A buyer of a vehicle maker: looks for suppliers."),
    "university": mark("A university: its profile and the network's directory."),
    "agency": mark("A public agency: the published figures."),
    "operator": mark("Operator: the bus, messages set aside, programs."),
    "developer": mark("Developer of another service: topics, contracts, facts."),
}
"""What each demo person can try."""


async def _viewer(service: Service, cookie: str | None) -> Viewer | None:
    """Who is signed in; None when nobody is or the session has run out, which is no error at the door."""
    try:
        return await viewer_of(service, bearer=None, cookie=cookie)
    except NotSignedIn:
        return None


@router.get("/", response_class=HTMLResponse)
async def door(request: Request, service: Serving, cookie: Session = None, goes_to: Next = None) -> Response:
    """The door for who is outside, Inicio for who is in."""
    viewer = await _viewer(service, cookie)
    if viewer is not None:
        return await home(request, service, viewer)
    if cookie is not None and await _lives(service, cookie):
        return RedirectResponse(f"/door/renew?{urlencode({'next': _path(goes_to)})}", 303)
    return await _door(request, service, FormState({"next": _path(goes_to)}))


async def _lives(service: Service, cookie: str) -> bool:
    try:
        async with service.database.connection() as connection:
            session = await store.session(connection, await session_of(connection, cookie, service.clock()))
    except NotSignedIn:
        return False
    return session is not None and session.lives(service.clock())


def _path(goes_to: str | None) -> str:
    try:
        return domain.local_path(goes_to)
    except domain.NotAPath:
        return "/"


async def _door(request: Request, service: Service, form: FormState, status: int = 200) -> Response:
    people = []
    if service.settings.demo:
        async with service.database.connection() as connection:
            people = await store.demo_people(connection)
    language = pages.language(request, None)
    cards = [
        {"id": one.id, "name": one.name, "role": language(ROLE_WORDS[one.grants[0].role]),
         "text": language(CARDS[one.demo])}
        for one in people if one.grants and one.demo in CARDS
    ]  # fmt: skip
    provider = service.settings.provider_name if service.settings.provider_issuer else None
    return pages.render(request, None, "door.html", status, form=form, cards=cards, provider=provider)


@router.get("/door/loading", response_class=HTMLResponse)
async def loading(
    request: Request, service: Serving, was: Annotated[str, Query(max_length=1)] = "", cookie: Session = None
) -> Response:
    """How far the demo's network is, for the top of every page while it is made; nothing otherwise."""
    running = None
    if service.settings.demo:
        async with service.database.connection() as connection:
            found = await tasks.tasks_of(connection, "demo", now=service.clock(), limit=1)
        running = next((one for one in found if one.kind == "demo" and one.state == "running"), None)
    viewer = await _viewer(service, cookie)
    return pages.fragment(request, viewer, "demo_loading.html", running=running, was=bool(was))


@router.post("/door/link", response_class=HTMLResponse)
async def ask(
    request: Request, service: Serving, background: BackgroundTasks, mail: Annotated[str, Form(max_length=300)] = "",
    goes_to: Annotated[str, Form(alias="next", max_length=500)] = "/",
) -> Response:  # fmt: skip
    """The same page whether the address is known or not."""
    check_not_from_elsewhere(request)
    language = pages.language(request, None)
    values = {"mail": mail, "next": _path(goes_to)}
    try:
        address = TypeAdapter(Mail).validate_python(mail)
    except ValidationError:
        wrong = language(mark("Write a mail address, such as name@company.mx"))
        return await _door(request, service, FormState(values, {"mail": wrong}), 422)
    try:
        now = service.clock()
        async with service.database.connection() as connection:
            await limits.allow_links(connection, request, domain.mail_bucket(address), now=now)
    except TooOften as refusal:
        wrong = language(mark("You asked too often; wait a quarter of an hour"))
        answer = await _door(request, service, FormState(values, {"mail": wrong}), 429)
        answer.headers.update(refusal.headers)
        return answer
    make = partial(letters.link_letter, mail=address, goes_to=_path(goes_to), door=door_of(request))
    background.add_task(mailing.send_later, service, make)
    return pages.render(request, None, "link_sent.html", mail=address, minutes=domain.LINK_MINUTES)


@router.get("/sign-in", response_class=HTMLResponse)
async def link(request: Request, service: Serving, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """What a mailed link opens: one button, which uses it. It speaks the language of whom it was sent to."""
    async with service.database.connection() as connection:
        await limits.allow_opening(connection, request, now=service.clock())
        language = await store.link_lives(connection, domain.hash_of(token), service.clock())
    request.state.speaks = language
    return pages.render(request, None, "sign_in.html", token=token, refused=language is None)


@router.post("/sign-in", response_class=HTMLResponse)
async def use(
    request: Request, service: Serving, token: Annotated[str, Form(max_length=200)] = "", agent: Agent = ""
) -> Response:
    check_not_from_elsewhere(request)
    async with service.database.connection() as connection:
        await limits.allow_opening(connection, request, now=service.clock())
    try:
        async with unit_of(request, "sign-in") as unit:
            opened = await sign_in.open_link(unit, token, agent)
    except LinkOpensNothing:
        return pages.render(request, None, "sign_in.html", 401, token="", refused=True)
    return _in(request, opened)


@router.post("/door/card")
async def use_card(
    request: Request, service: Serving, account_id: Annotated[UUID, Form()], agent: Agent = ""
) -> Response:
    check_not_from_elsewhere(request)
    if not service.settings.demo:
        raise sign_in.NoSuchDemoPerson("there are no demo people in this installation")
    async with unit_of(request, "sign-in") as unit:
        opened = await sign_in.open_card(unit, account_id, agent)
    return _in(request, opened)


def _in(request: Request, opened: sign_in.SignedIn) -> Response:
    answer = RedirectResponse(opened.goes_to, 303)
    set_session(request, answer, opened.token, opened.session.until)
    return answer


@router.get("/door/renew")
async def renew(request: Request, service: Serving, cookie: Session = None, goes_to: Next = None) -> Response:
    """Renews a session whose token has run out, and goes back; to the door when the session has ended."""
    back = _path(goes_to)
    try:
        async with service.database.connection() as connection:
            session_id = await session_of(connection, cookie, service.clock())
        async with unit_of(request, "sign-in") as unit:
            renewed = await sign_in.renew(unit, session_id)
    except Refusal:
        answer = RedirectResponse("/" if back == "/" else f"/?{urlencode({'next': back})}", 303)
        drop_session(answer)
        return answer
    answer = RedirectResponse(back, 303)
    set_session(request, answer, renewed.token, renewed.session.until)
    return answer


@router.post("/door/leave")
async def leave(request: Request, service: Serving, cookie: Session = None) -> Response:
    """Ends this sign-in, also when its token has run out meanwhile: who leaves is to be out."""
    check_same_origin(request)
    answer = RedirectResponse("/", 303)
    drop_session(answer)
    try:
        async with service.database.connection() as connection:
            session = await store.session(connection, await session_of(connection, cookie, service.clock()))
    except NotSignedIn:
        return answer
    if session is not None:
        async with unit_of(request, str(session.account_id)) as unit:
            await accounts.sign_out(unit, session.account_id, session.id)
    return answer
