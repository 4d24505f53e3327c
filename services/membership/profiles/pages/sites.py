"""The form of one plant or office: what is wrong stands at its field."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from services.membership.decisions import ChangedMeanwhile
from services.membership.organizations.domain import Organization
from services.membership.places import state_name
from services.membership.profiles import commands, domain
from services.membership.profiles.commands import SiteChange
from services.membership.profiles.domain import Profile
from services.membership.profiles.pages.parts import CHANGED, Changing, changed_by, pages, sent, told, version_in
from shared.http.edge import unit_of
from shared.http.policy import Allowed, Serving
from shared.http.routes import Route
from shared.refusal import Refusal
from shared.web.forms import Form
from shared.web.language import mark
from shared.web.shell import turn

router = APIRouter(prefix="/organizations/{slug}/sites", include_in_schema=False, route_class=Route)

FIELDS = ("name", "address", "postcode", "city", "state", "country", "zone")
WRONG = {
    "name": mark("Write its name, on one line of at most 300 characters"),
    "country": mark("Write two capital letters, such as MX"),
}
TOO_LONG = mark("Write at most 300 characters on one line")


@router.get("/new", response_class=HTMLResponse)
async def new(request: Request, service: Serving, caller: Changing, slug: str) -> Response:
    one, profile = await changed_by(service, caller, slug)
    values = {"country": one.country, "state": state_name(one.country, one.state), "city": one.city}
    return _page(request, caller, one, None, Form(values, version=profile.version))


@router.get("/{site_id}", response_class=HTMLResponse)
async def edit(request: Request, service: Serving, caller: Changing, slug: str, site_id: UUID) -> Response:
    one, profile = await changed_by(service, caller, slug)
    return _page(request, caller, one, site_id, _form(profile, site_id))


@router.post("/new", response_class=HTMLResponse)
async def add(request: Request, service: Serving, caller: Changing, slug: str) -> Response:
    return await _save(request, service, caller, slug, None)


@router.post("/{site_id}", response_class=HTMLResponse)
async def change(request: Request, service: Serving, caller: Changing, slug: str, site_id: UUID) -> Response:
    return await _save(request, service, caller, slug, site_id)


@router.post("/{site_id}/close", response_class=HTMLResponse)
async def close(request: Request, service: Serving, caller: Changing, slug: str, site_id: UUID) -> Response:
    speak = pages.language(request, caller.viewer)
    one, _ = await changed_by(service, caller, slug)
    values, _ = await sent(request)
    try:
        async with unit_of(request, caller.actor) as unit:
            await commands.close_site(unit, one.id, site_id, expected=version_in(values))
    except ChangedMeanwhile:
        one, profile = await changed_by(service, caller, slug)
        return _page(request, caller, one, site_id, _form(profile, site_id, {"": speak(CHANGED)}), 409)
    return turn(f"/organizations/{one.slug}/capabilities", said=speak(mark("The site was taken out")))


async def _save(request: Request, service: Serving, caller: Allowed, slug: str, id_: UUID | None) -> Response:
    speak = pages.language(request, caller.viewer)
    one, profile = await changed_by(service, caller, slug)
    if id_ is not None:
        _form(profile, id_)  # one that is gone is told before anything else
    values, _ = await sent(request)
    try:
        asked = SiteChange.model_validate({name: str(values.get(name, "")).strip() or None for name in FIELDS})
    except ValidationError as error:
        wrong = {str(item["loc"][0]): speak(WRONG.get(str(item["loc"][0]), TOO_LONG)) for item in error.errors()}
        return _page(request, caller, one, id_, Form(values, wrong, version=version_in(values)), 422)
    try:
        async with unit_of(request, caller.actor) as unit:
            await commands.record_site(
                unit, one.id, id_, **asked.model_dump(), expected=version_in(values) if id_ is not None else None
            )
    except ChangedMeanwhile:
        one, profile = await changed_by(service, caller, slug)
        return _page(request, caller, one, id_, _form(profile, id_, {"": speak(CHANGED)}), 409)
    except Refusal as refusal:
        form = Form(values, {refusal.field or "": told(speak, refusal)}, version=version_in(values))
        return _page(request, caller, one, id_, form, refusal.status)
    return turn(f"/organizations/{one.slug}/capabilities", said=speak(mark("Saved")))


def _form(profile: Profile, id_: UUID | None, errors: dict[str, str] | None = None) -> Form:
    found = next((one for one in profile.sites if one.id == id_), None)
    if found is None:
        raise domain.NoSuchSite("there is no site {id}", id=id_, field="site_id")
    values: dict[str, Any] = {name: getattr(found, name) for name in FIELDS}
    return Form(values | {"state": state_name(found.country, found.state)}, errors or {}, version=profile.version)


def _page(
    request: Request, caller: Allowed, one: Organization, id_: UUID | None, form: Form, status: int = 200
) -> Response:
    return pages.render(request, caller.viewer, "site.html", status, one=one, id=id_, form=form)
