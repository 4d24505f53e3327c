"""Inviting somebody, and what one prepared and another releases or gives up."""

from datetime import timedelta
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from services.membership import mailing
from services.membership.access import views
from services.membership.access.commands import inviting, letters
from services.membership.access.commands.inviting import Invitation
from services.membership.access.commands.prepared import Prepared
from services.membership.access.domain import BY_A_DIRECTOR, SCOPES, NoSuchPrepared
from services.membership.access.pages.parts import identifier, pages, reaches, sent
from services.membership.access.pages.waiting import waiting
from shared.contracts.membership import Role
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.http.sessions import door_of
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.navigation import ROLE_WORDS
from shared.web.refusals import reason
from shared.web.shell import turn

router = APIRouter(include_in_schema=False, route_class=Route)

Reading = Annotated[Allowed, Sees("access.read")]
Preparing = Annotated[Allowed, May("access.prepare")]
MayRelease = Annotated[Allowed, Sees("access.release")]
Releasing = Annotated[Allowed, May("access.release")]

FIELDS = {"until": "last", "cluster_id": "cluster", "organization_id": "organization", "scope": "role"}
"""Where on the form stands what a command calls so."""
WRONG = {
    "mail": mark("Write a mail address, such as name@company.mx"),
    "role": mark("Choose a role"),
    "name": mark("Write a name on one line of at most 300 characters"),
    "language": mark("Choose Spanish or English"),
    "since": mark("Write a day between 1900 and 2199"),
    "last": mark("Write a day between 1900 and 2199"),
}
ALREADY = mark("It waits no more: somebody released it or gave it up")
MANY = 8
"""So many organisations of a like name are offered."""


def _roles(preparing: Allowed) -> list[Role]:
    """The roles that the caller may ask for somebody."""
    roles: tuple[Role, ...] = get_args(Role)
    return [r for r in roles if r != "service" and (preparing.everything or r in BY_A_DIRECTOR)]


@router.get("/access/invite", response_class=HTMLResponse)
async def invite(
    request: Request, service: Serving, preparing: Preparing, releasing: MayRelease, reading: Reading,
    organization: UUID | None = None,
) -> Response:  # fmt: skip
    """The form; `organization` fills in whose representative it is to be."""
    values: dict[str, Any] = {"language": "es"}
    if organization is not None:
        async with service.database.connection() as connection:
            named = await views.named(connection, clusters_=[], organizations_=[organization])
        values |= {"role": "representative", "organization": named.get(organization, "")}
    return await _page(request, service, preparing, releasing, reading, Form(values))


async def _page(
    request: Request, service: Service, preparing: Allowed, releasing: Allowed, reading: Allowed, form: Form,
    status: int = 200, companies: list[views.Company] | None = None,
) -> Response:  # fmt: skip
    said = pages.language(request, preparing.viewer)
    async with service.database.connection() as connection:
        clusters = await views.all_clusters(connection, preparing.span())
        # who reads the page of people has it there
        prepared = [] if reaches(reading) else await waiting(connection, preparing, releasing, said)
    roles = [
        (role, f"{said(ROLE_WORDS[role]).capitalize()} · {_kind(said, role)}") for role in _roles(preparing)
    ]  # fmt: skip
    return pages.render(
        request, preparing.viewer, "invite.html", status, form=form, roles=roles, clusters=clusters,
        releases=reaches(releasing), lists=reaches(reading), waiting=prepared,
        companies=[(str(one.id), one.trade_name, one.legal_name) for one in companies or ()],
    )  # fmt: skip


def _kind(said: Language, role: Role) -> str:
    """Over what a role is held, for who chooses it."""
    return {
        "network": said(mark("whole network")), "cluster": said(mark("one cluster")),
        "organization": said(mark("one organisation")),
    }[SCOPES[role]]  # fmt: skip


@router.post("/access/invite", response_class=HTMLResponse)
async def send(
    request: Request, service: Serving, background: BackgroundTasks, preparing: Preparing, releasing: MayRelease,
    reading: Reading,
) -> Response:  # fmt: skip
    """Invites, or prepares it for another; what is wrong stands at its field and nothing is changed."""
    said = pages.language(request, preparing.viewer)
    values = await sent(request)
    errors: dict[str, str] = {}
    companies: list[views.Company] = []
    scope: dict[str, UUID] = {}
    role = next((one for one in _roles(preparing) if one == values.get("role")), None)
    if role is not None and SCOPES[role] == "cluster":
        cluster = identifier(values.get("cluster", ""))
        if cluster is None:
            errors["cluster"] = said(mark("Choose the cluster"))
        else:
            scope["cluster_id"] = cluster
    if role is not None and SCOPES[role] == "organization":
        chosen, companies, wrong = await _company(service, preparing, said, values)
        if chosen is None:
            errors["organization"] = wrong
        else:
            scope["organization_id"] = chosen
    asked, found = _parsed(values, role, scope)
    # in the order of the form, so that the summary reads from above to below
    errors = {name: said(WRONG[name]) for name in found} | errors
    if errors or asked is None:
        return await _page(request, service, preparing, releasing, reading, Form(values, errors), 422, companies)
    door = door_of(request)
    try:
        async with unit_of(request, preparing.actor) as unit:
            today = day_in(service.settings.network_zone, unit.now)
            made = await inviting.ask_in(unit, preparing, releasing, asked, today=today)
    except Refusal as refusal:
        field = FIELDS.get(refusal.field or "", refusal.field or "")
        form = Form(values, {field: reason(said, refusal)})
        return await _page(request, service, preparing, releasing, reading, form, refusal.status)
    back = "/access" if reaches(reading) else "/access/invite"
    if isinstance(made, Prepared):
        return turn(back, said=said(mark("Prepared: it goes out when somebody else releases it")))
    background.add_task(mailing.send, service, letters.invitation_letter(made, door))
    return turn(back, said=said(mark("%(name)s is invited; a mail is on its way"), name=made.account.name))


async def _company(
    service: Service, preparing: Allowed, said: Language, values: dict[str, str]
) -> tuple[UUID | None, list[views.Company], str]:
    """The organisation that was meant; else those that may have been meant, and what to say at the field."""
    text = values.get("organization", "").replace("\x00", "")[:300]
    if not text:
        return None, [], said(mark("Write the name of the organisation, or its tax number"))
    async with service.database.connection() as connection:
        found = await views.companies(connection, text, preparing.span(), MANY)
    chosen = identifier(values.get("organization_id", ""))
    exact = [one.id for one in found if one.exact] or [one.id for one in found]
    if chosen in {one.id for one in found}:
        return chosen, [], ""
    if len(exact) == 1:
        return exact[0], [], ""
    if not found:
        return None, [], said(mark("No organisation within your reach is called so"))
    return None, found, said(mark("Several are called so: choose one below"))


def _parsed(
    values: dict[str, str], role: Role | None, scope: dict[str, UUID]
) -> tuple[Invitation | None, list[str]]:  # fmt: skip
    """What is asked for; else the fields that cannot be taken."""
    given = {name: values.get(name) or None for name in ("mail", "name", "language", "since")}
    body: dict[str, Any] = {**given, "until": values.get("last") or None, "role": role, **scope}
    try:
        asked = Invitation.model_validate(body)
        # the form says the last day with the role, the command the first one without
        return asked.model_copy(update={"until": asked.until + timedelta(days=1) if asked.until else None}), []
    except ValidationError as error:
        return None, [FIELDS.get(name, name) for name in (str(item["loc"][0]) for item in error.errors())]


@router.post("/access/prepared/{prepared_id}/release", response_class=HTMLResponse)
async def release(
    request: Request, service: Serving, background: BackgroundTasks, releasing: Releasing, prepared_id: UUID
) -> Response:
    """Sends out what another prepared. What the world no longer allows is said, and it goes on waiting."""
    said = pages.language(request, releasing.viewer)
    door = door_of(request)
    try:
        async with unit_of(request, releasing.actor) as unit:
            today = day_in(service.settings.network_zone, unit.now)
            invited = await inviting.release(unit, releasing, prepared_id, today=today)
    except NoSuchPrepared:
        return turn("/access", said=said(ALREADY))
    except Refusal as refusal:
        return turn("/access", said=said(mark("Not released: %(reason)s"), reason=reason(said, refusal)))
    background.add_task(mailing.send, service, letters.invitation_letter(invited, door))
    return turn("/access", said=said(mark("%(name)s is invited; a mail is on its way"), name=invited.account.name))


@router.post("/access/prepared/{prepared_id}/drop", response_class=HTMLResponse)
async def drop(request: Request, preparing: Preparing, reading: Reading, prepared_id: UUID) -> Response:
    said = pages.language(request, preparing.viewer)
    back = "/access" if reaches(reading) else "/access/invite"
    try:
        async with unit_of(request, preparing.actor) as unit:
            await inviting.drop(unit, preparing, prepared_id)
    except NoSuchPrepared:
        return turn(back, said=said(ALREADY))
    except Refusal as refusal:
        return turn(back, said=said(mark("Not given up: %(reason)s"), reason=reason(said, refusal)))
    return turn(back, said=said(mark("Given up; nothing was sent")))
