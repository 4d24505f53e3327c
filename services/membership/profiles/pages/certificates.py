"""The form of one certificate: what is wrong stands at its field, the last day is the one that the paper says."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from services.membership.decisions import ChangedMeanwhile
from services.membership.organizations.domain import Organization
from services.membership.profiles import commands, domain
from services.membership.profiles.commands import CertificateChange
from services.membership.profiles.domain import Profile, codes
from services.membership.profiles.pages.parts import CHANGED, Changing, changed_by, pages, sent, told, version_in
from shared.http.edge import unit_of
from shared.http.policy import Allowed, Serving
from shared.http.routes import Route
from shared.refusal import Refusal
from shared.web.forms import Form
from shared.web.language import mark
from shared.web.shell import turn

router = APIRouter(prefix="/organizations/{slug}/certificates", include_in_schema=False, route_class=Route)

WRONG = {
    "standard": mark("Choose one of the list"),
    "body": mark("Write who gave it, on one line of at most 300 characters"),
    "since": mark("Write the first day, such as 2024-05-02"),
    "until": mark("Write the last day, such as 2027-05-01"),
}
TOO_LONG = mark("Write at most 300 characters on one line")


@router.get("/new", response_class=HTMLResponse)
async def new(request: Request, service: Serving, caller: Changing, slug: str) -> Response:
    one, profile = await changed_by(service, caller, slug)
    return _page(request, caller, one, None, Form(version=profile.version))


@router.get("/{certificate_id}", response_class=HTMLResponse)
async def edit(request: Request, service: Serving, caller: Changing, slug: str, certificate_id: UUID) -> Response:
    one, profile = await changed_by(service, caller, slug)
    return _page(request, caller, one, certificate_id, _form(profile, certificate_id))


@router.post("/new", response_class=HTMLResponse)
async def add(request: Request, service: Serving, caller: Changing, slug: str) -> Response:
    return await _save(request, service, caller, slug, None)


@router.post("/{certificate_id}", response_class=HTMLResponse)
async def change(request: Request, service: Serving, caller: Changing, slug: str, certificate_id: UUID) -> Response:
    return await _save(request, service, caller, slug, certificate_id)


@router.post("/{certificate_id}/remove", response_class=HTMLResponse)
async def remove(request: Request, service: Serving, caller: Changing, slug: str, certificate_id: UUID) -> Response:
    speak = pages.language(request, caller.viewer)
    one, _ = await changed_by(service, caller, slug)
    values, _ = await sent(request)
    try:
        async with unit_of(request, caller.actor) as unit:
            await commands.remove_certificate(unit, one.id, certificate_id, expected=version_in(values))
    except ChangedMeanwhile:
        one, profile = await changed_by(service, caller, slug)
        form = _form(profile, certificate_id, {"": speak(CHANGED)})
        return _page(request, caller, one, certificate_id, form, 409)
    return turn(f"/organizations/{one.slug}/capabilities", said=speak(mark("The certificate was taken out")))


async def _save(request: Request, service: Serving, caller: Allowed, slug: str, id_: UUID | None) -> Response:
    speak = pages.language(request, caller.viewer)
    one, profile = await changed_by(service, caller, slug)
    if id_ is not None:
        _form(profile, id_)  # one that is gone is told before anything else
    values, _ = await sent(request)
    try:
        given = {name: values.get(name) or None for name in ("standard", "body", "number", "scope", "since", "until")}
        asked = CertificateChange.model_validate(given)
    except ValidationError as error:
        wrong = {str(item["loc"][0]): speak(WRONG.get(str(item["loc"][0]), TOO_LONG)) for item in error.errors()}
        return _page(request, caller, one, id_, Form(values, wrong, version=version_in(values)), 422)
    # the paper says the last day with the certificate, the register the first one without
    fields = asked.model_dump() | {"until": asked.until + timedelta(days=1)}
    try:
        async with unit_of(request, caller.actor) as unit:
            await commands.record_certificate(
                unit, one.id, id_, **fields, expected=version_in(values) if id_ is not None else None
            )
    except ChangedMeanwhile:
        one, profile = await changed_by(service, caller, slug)
        return _page(request, caller, one, id_, _form(profile, id_, {"": speak(CHANGED)}), 409)
    except Refusal as refusal:
        form = Form(values, {refusal.field or "": told(speak, refusal)}, version=version_in(values))
        return _page(request, caller, one, id_, form, refusal.status)
    return turn(f"/organizations/{one.slug}/capabilities", said=speak(mark("Saved")))


def _form(profile: Profile, id_: UUID | None, errors: dict[str, str] | None = None) -> Form:
    found = next((one for one in profile.certificates if one.id == id_), None)
    if found is None:
        raise domain.NoSuchCertificate("there is no certificate {id}", id=id_, field="certificate_id")
    values: dict[str, Any] = {
        "standard": found.standard, "body": found.body, "number": found.number, "scope": found.scope,
        "since": found.since.isoformat(), "until": (found.until - timedelta(days=1)).isoformat(),
    }  # fmt: skip
    return Form(values, errors or {}, version=profile.version)


def _page(
    request: Request, caller: Allowed, one: Organization, id_: UUID | None, form: Form, status: int = 200
) -> Response:
    speak = pages.language(request, caller.viewer)
    standards = [(code, codes.called("standards", code, speak.code)) for code in codes.known("standards")]
    return pages.render(
        request, caller.viewer, "certificate.html", status, one=one, id=id_, form=form, standards=standards
    )
