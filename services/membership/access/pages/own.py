"""Inicio and the own account: what one may do here, what waits for one, where one is signed in."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import TypeAdapter, ValidationError

from services.membership.access import domain, store, views
from services.membership.access.commands import accounts
from services.membership.access.pages.parts import browser, over, pages
from services.membership.access.pages.waiting import releasable
from shared.http.edge import unit_of
from shared.http.identity import Viewer
from shared.http.inputs import Line
from shared.http.policy import CLUSTER_ROLES, NETWORK_ROLES, ORGANIZATION_ROLES, Serving, Viewing
from shared.http.routes import Route
from shared.http.sessions import drop_session
from shared.runtime.service import Service
from shared.web.forms import Form as FormState
from shared.web.language import COOKIE as LANGUAGE_COOKIE
from shared.web.language import Language, mark
from shared.web.navigation import ROLE_WORDS, links
from shared.web.shell import keep, turn

router = APIRouter(include_in_schema=False, route_class=Route)

PENDING = {"membership": mark("Register"), "events": mark("Events"), "reporting": mark("Indicators"),
           "notifications": mark("Notices")}  # fmt: skip
"""Which services have something that may wait for somebody, and what each is called."""
PLACES = {
    "company": mark("What others see of your company, and what only you see."),
    "register": mark("Organisations and memberships of the clusters."),
    "directory": mark("Who is in the network, what they make and where."),
    "clusters": mark("The clusters of the network on any day, and who directs them."),
    "invite": mark("Prepare access for somebody; another releases it."),
    "api": mark("Every route with examples, to read and to try."),
    "indicators": mark("The figures of the network, as of any day."),
    "messages": mark("What was sent to whom, and what became of it."),
    "access": mark("Who may sign in, and as what."),
    "tokens": mark("Tokens with which programs call."),
    "operations": mark("How the services do, and what was set aside."),
}
"""What is behind each entry of the navigation."""


_SEES_BLOCKS = frozenset({*NETWORK_ROLES, *CLUSTER_ROLES, *ORGANIZATION_ROLES})


async def home(request: Request, service: Service, viewer: Viewer) -> Response:
    """Inicio: what waits for the viewer to release it, and the places that their roles open."""
    said = pages.language(request, viewer)
    places = [(link.address, link.words, PLACES.get(link.key, "")) for link in links(viewer, "/") if link.key != "home"]
    return pages.render(
        request, viewer, "home.html", places=places, roles=await _roles(service, viewer, said),
        waiting=await releasable(service, viewer, said), services=PENDING.items(),
        blocks=bool(viewer.roles & _SEES_BLOCKS),
    )  # fmt: skip


async def _roles(service: Service, viewer: Viewer, said: Language) -> list[tuple[str, str]]:
    """The viewer's roles of today with what they are held over, in words."""
    async with service.database.connection() as connection:
        names = await views.named(
            connection,
            clusters_=[held.id for held in viewer.held if held.scope == "cluster" and held.id],
            organizations_=[held.id for held in viewer.held if held.scope == "organization" and held.id],
        )
    return [(said(ROLE_WORDS[held.role]), over(said, held.id, names)) for held in viewer.held]


@router.get("/account", response_class=HTMLResponse)
async def account(request: Request, service: Serving, viewer: Viewing) -> Response:
    return await _account(request, service, viewer, FormState({"name": viewer.name, "language": viewer.language}))


async def _account(request: Request, service: Service, viewer: Viewer, form: FormState, status: int = 200) -> Response:
    sessions = []
    if viewer.subject is not None:
        async with service.database.connection() as connection:
            sessions = await store.sessions(connection, viewer.subject, service.clock())
    said = pages.language(request, viewer)
    return pages.render(
        request, viewer, "account.html", status, form=form, roles=await _roles(service, viewer, said),
        sessions=[(browser(said, one.agent), one.seen_at, one.id == viewer.session) for one in sessions],
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
        wrong = said(mark("Choose Spanish or English"))
        return await _account(request, service, viewer, FormState(values, {"language": wrong}), 422)
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
