"""The door and what is behind it first: signing in by link or card, Inicio, one's own account.

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
from shared.http import limits
from shared.http.edge import unit_of
from shared.http.identity import COOKIE, NotSignedIn, Viewer, session_of, viewer_of
from shared.http.inputs import Line, Mail
from shared.http.limits import TooOften
from shared.http.policy import Serving, Viewing, check_not_from_elsewhere
from shared.http.routes import Route
from shared.http.sessions import door_of, drop_session, set_session
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form as FormState
from shared.web.language import COOKIE as LANGUAGE_COOKIE
from shared.web.language import mark
from shared.web.navigation import ROLE_WORDS
from shared.web.shell import keep, pages_of, turn

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

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
        return await _home(request, service, viewer)
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
    return pages.render(request, None, "door.html", status, form=form, cards=cards, provider=provider,
                        demo=service.settings.demo)  # fmt: skip


async def _home(request: Request, service: Service, viewer: Viewer) -> Response:
    return pages.render(
        request, viewer, "home.html", roles=[ROLE_WORDS[held.role] for held in viewer.held],
        places=[link for link in _links(request, viewer) if link[0] != "/"],
    )  # fmt: skip


def _links(request: Request, viewer: Viewer) -> list[tuple[str, str, str]]:
    from shared.web.navigation import links

    texts = {
        "company": mark("What others see of your company, and what only you see."),
        "register": mark("Organisations and memberships of the clusters."),
        "directory": mark("Who is in the network, what they make and where."),
        "messages": mark("What was sent to whom, and what became of it."),
        "indicators": mark("The figures of the network, as of any day."),
        "operations": mark("Facts on their way, messages set aside, health."),
        "access": mark("Who may sign in, and as what."),
        "tokens": mark("Tokens with which programs call."),
    }
    return [(link.address, link.words, texts.get(link.key, "")) for link in links(viewer, "/")]


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
    return pages.render(request, None, "link_sent.html", mail=address, minutes=domain.LINK_MINUTES,
                        background=None)  # fmt: skip


@router.get("/sign-in", response_class=HTMLResponse)
async def link(request: Request, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """What a mailed link opens: one button, which uses it."""
    return pages.render(request, None, "sign_in.html", token=token, refused=False)


@router.post("/sign-in", response_class=HTMLResponse)
async def use(
    request: Request, service: Serving, token: Annotated[str, Form(max_length=200)] = "", agent: Agent = ""
) -> Response:
    check_not_from_elsewhere(request)
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
async def leave(request: Request, viewer: Viewing) -> Response:
    if viewer.subject is not None and viewer.session is not None:
        async with unit_of(request, viewer.actor) as unit:
            await accounts.sign_out(unit, viewer.subject, viewer.session)
    answer = RedirectResponse("/", 303)
    drop_session(answer)
    return answer


@router.get("/account", response_class=HTMLResponse)
async def account(request: Request, service: Serving, viewer: Viewing) -> Response:
    return await _account(request, service, viewer, FormState({"name": viewer.name, "language": viewer.language}))


async def _account(request: Request, service: Service, viewer: Viewer, form: FormState, status: int = 200) -> Response:
    sessions = []
    if viewer.subject is not None:
        async with service.database.connection() as connection:
            sessions = await store.sessions(connection, viewer.subject, service.clock())
    return pages.render(
        request, viewer, "account.html", status, form=form, sessions=sessions,
        roles=[ROLE_WORDS[held.role] for held in viewer.held],
    )  # fmt: skip


@router.post("/account", response_class=HTMLResponse)
async def change_account(
    request: Request, service: Serving, viewer: Viewing, name: Annotated[str, Form(max_length=1000)] = "",
    language: Annotated[str, Form(max_length=10)] = "",
) -> Response:  # fmt: skip
    said = pages.language(request, viewer)
    values = {"name": name, "language": language}
    if viewer.kind != "person" or viewer.subject is None:
        raise domain.NoSuchAccount("only people have a profile")
    try:
        called = TypeAdapter(Line).validate_python(name)
    except ValidationError:
        wrong = said(mark("Write how you are called, on one line of at most 300 characters"))
        return await _account(request, service, viewer, FormState(values, {"name": wrong}), 422)
    if language not in ("es", "en"):
        return await _account(
            request, service, viewer, FormState(values, {"language": said(mark("Choose Spanish or English"))}), 422
        )
    async with unit_of(request, viewer.actor) as unit:
        await accounts.rename(unit, viewer.subject, name=called, language="es" if language == "es" else "en")
    answer = turn("/account", said=said(mark("Saved")))
    keep(request, answer, LANGUAGE_COOKIE, language)
    return answer


@router.post("/account/leave-everywhere")
async def leave_everywhere(request: Request, viewer: Viewing) -> Response:
    if viewer.kind == "person" and viewer.subject is not None:
        async with unit_of(request, viewer.actor) as unit:
            await accounts.sign_out_everywhere(unit, viewer.subject)
    answer = RedirectResponse("/", 303)
    drop_session(answer)
    return answer
