"""The tab "people" of an organisation: who speaks for it, the form of one, their consent, their erasure.

Opens to who keeps its membership and to itself; somebody of another company or cluster sees no tab.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from services.membership.decisions import ChangedMeanwhile
from services.membership.organizations import store as organizations
from services.membership.organizations import views as organization_views
from services.membership.organizations.domain import NoSuchOrganization, Organization
from services.membership.people import commands, store, views
from services.membership.people.commands import ConsentGiven, NewRepresentative
from services.membership.people.domain import PURPOSES, ROLES, Consent, NoSuchPerson, Person
from shared.http.edge import unit_of
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, NotYours, Sees, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection, Unit
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import VERSION_FIELD, Form
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn

router = APIRouter(prefix="/organizations/{slug}/people", include_in_schema=False, route_class=Route)
pages = pages_of("services.membership.people")

Reader = Annotated[Allowed, May("people.read")]
Changing = Annotated[Allowed, May("people.change")]
MayChange = Annotated[Allowed, Sees("people.change")]
Erasing = Annotated[Allowed, May("people.erase")]
MayErase = Annotated[Allowed, Sees("people.erase")]
MayExport = Annotated[Allowed, Sees("people.export")]
SeesHistory = Annotated[Allowed, Sees("history.read")]

ROLE_WORDS = {
    "general_manager": mark("general manager"), "human_resources": mark("human resources"),
    "purchasing": mark("purchasing"), "quality": mark("quality"), "sales": mark("sales"), "plant": mark("plant"),
    "legal_representative": mark("legal representative"), "main_contact": mark("main contact"), "other": mark("other"),
}  # fmt: skip
PURPOSE_WORDS = {
    "directory": mark("to be shown in the directory"), "events": mark("invitations to events"),
    "announcements": mark("news and announcements"),
}  # fmt: skip
WRONG = {
    "name": mark("Write a name, on one line of at most 300 characters"),
    "mail": mark("Write a mail address, such as ana@moldes.example"),
    "role": mark("Choose one of the list"), "language": mark("Choose one of the list"),
    "phone": mark("Write a telephone number, such as +52 81 8123 4567"),
    "since": mark("Write a day, such as 2026-03-31"),
}  # fmt: skip
ONE_LINE = mark("Write the reason on one line of at most 300 characters")
FIELDS = ("name", "mail", "language", "role", "phone", "note")


@router.get("", response_class=HTMLResponse)
async def people(
    request: Request, service: Serving, reader: Reader, changing: MayChange, history: SeesHistory, slug: str
) -> Response:
    """Who speaks for one organisation, the main contact first, and what they agreed to."""
    speak = pages.language(request, reader.viewer)
    async with service.database.connection() as connection:
        one = await _organization(connection, reader, slug)
        found = await store.of(connection, one.id)
        changes = bool(await organization_views.covered(connection, changing, [one.id]))
        told = bool(await organization_views.covered(connection, history, [one.id]))
        agreed = {
            person.id: await store.consents(connection, person.id)
            if await _reaches_all(connection, reader, person.id) else []
            for person in found
        }  # fmt: skip
    rows = sorted(((person, person.at(one.id)) for person in found), key=lambda row: (not row[1].main, row[0].name))
    return pages.render(
        request, reader.viewer, "people.html", one=one, changes=changes, history=told,
        people=[
            {"id": person.id, "name": person.name, "mail": person.mail, "phone": at.phone, "main": at.main,
             "role": speak(ROLE_WORDS[at.role]), "since": at.since, "agreed": _agreed(agreed[person.id], speak)}
            for person, at in rows
        ],
    )  # fmt: skip


@router.get("/new", response_class=HTMLResponse)
async def new(request: Request, service: Serving, caller: Changing, slug: str) -> Response:
    async with service.database.connection() as connection:
        one = await _organization(connection, caller, slug)
    return _new_page(request, caller, one, Form({"language": "es", "role": "other"}))


@router.post("/new", response_class=HTMLResponse)
async def add(request: Request, service: Serving, caller: Changing, slug: str) -> Response:
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        one = await _organization(connection, caller, slug)
    values = await _sent(request)
    try:
        body = NewRepresentative.model_validate(
            {name: values[name] for name in (*FIELDS, "since") if values.get(name)} | {"main": "main" in values}
        )
    except ValidationError as error:
        return _new_page(request, caller, one, Form(values, _wrong(error, speak)), 422)
    try:
        async with unit_of(request, caller.actor) as unit:
            await commands.add_representative(unit, one.id, **body.model_dump())
    except Refusal as refusal:
        return _new_page(request, caller, one, _refused(values, refusal, speak), refusal.status)
    return turn(f"/organizations/{one.slug}/people", said=speak(mark("Saved")))


@router.get("/{person_id}", response_class=HTMLResponse)
async def person(
    request: Request, service: Serving, reader: Reader, changing: MayChange, erasing: MayErase,
    exporting: MayExport, slug: str, person_id: UUID,
) -> Response:  # fmt: skip
    """One representative: the form, the history of consent, and what ends or erases."""
    return await _person_page(request, service, reader, changing, erasing, exporting, slug, person_id)


@router.post("/{person_id}/erasure", response_class=HTMLResponse)
async def erase(
    request: Request, service: Serving, caller: Erasing, changing: MayChange, exporting: MayExport, slug: str,
    person_id: UUID,
) -> Response:  # fmt: skip
    """Erases a person everywhere, for a reason that is kept without them."""
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        one = await _organization(connection, caller, slug)
        await _representative(connection, one, person_id)
        await views.require_all(connection, caller, person_id)
    values = await _sent(request)
    try:
        why = TypeAdapter(Line).validate_python(values.get("note", ""))
    except ValidationError:
        return await _person_page(
            request, service, caller, changing, caller, exporting, slug, person_id,
            wrong=Form(values, {"note": speak(ONE_LINE)}), status=422, step="erase",
        )  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        await commands.erase_person(unit, person_id, reason=why)
    return turn(f"/organizations/{one.slug}/people", said=speak(mark("The person was erased")))


@router.post("/{person_id}/{step}", response_class=HTMLResponse)
async def take_step(
    request: Request, service: Serving, caller: Changing, erasing: MayErase, exporting: MayExport, slug: str,
    person_id: UUID, step: str,
) -> Response:  # fmt: skip
    """Saves, makes the main contact, ends or records a consent; what is wrong stands on the page again."""
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        one = await _organization(connection, caller, slug)
        before = await _representative(connection, one, person_id)
        _, everything = await views.reached(connection, caller, person_id)
    if step not in STEPS:
        raise NoSuchPerson("there is no person {id}", id=person_id, field="person_id")
    values = await _sent(request)
    form: Form | None = None
    status = 422
    try:
        async with unit_of(request, caller.actor) as unit:
            await STEPS[step](unit, one, before, values, everything)
    except ValidationError as error:
        form = Form(values, _wrong(error, speak))
    except ChangedMeanwhile:
        text = speak(mark("Somebody changed it meanwhile; this is how it is now. Nothing of yours was saved."))
        form, status = Form({}, {"": text}), 412
    except NotYours:
        raise
    except Refusal as refusal:
        form, status = _refused(values, refusal, speak), refusal.status
    if form is not None:
        return await _person_page(
            request, service, caller, caller, erasing, exporting, slug, person_id, wrong=form, status=status, step=step
        )
    end = "" if step == "end" else f"/{person_id}"
    return turn(f"/organizations/{one.slug}/people{end}", said=speak(mark("Saved")))


# --- the steps of one representative -------------------------------------------------------------


async def _save(unit: Unit, one: Organization, before: Person, values: dict[str, str], everything: bool) -> None:
    at = before.at(one.id)
    given = {name: values[name] for name in FIELDS if name in values}
    own = {"name": before.name, "mail": before.mail, "language": before.language}
    body = NewRepresentative.model_validate(own | {"role": at.role} | given)
    expected = _version(values)
    changed = body.model_dump(include=set(own))
    if everything and changed != own:
        saved = await commands.correct_person(unit, before.id, changed, note=body.note, expected=expected)
        expected = saved.version if expected is not None else None
    await commands.place_representative(
        unit, one.id, before.id, {"role": body.role, "phone": body.phone}, note=body.note, expected=expected
    )


async def _main(unit: Unit, one: Organization, before: Person, values: dict[str, str], _: bool) -> None:
    await commands.set_main_contact(unit, one.id, before.id, expected=_version(values))


async def _end(unit: Unit, one: Organization, before: Person, values: dict[str, str], _: bool) -> None:
    note = _Why.validate_python({"note": values.get("note", "")})["note"]
    await commands.end_representation(unit, one.id, before.id, note=note, expected=_version(values))


async def _consent(unit: Unit, _one: Organization, before: Person, values: dict[str, str], _: bool) -> None:
    said = {"purpose": values.get("purpose"), "given": values.get("given") == "yes", "note": values.get("note", "")}
    await commands.record_consent(unit, before.id, **ConsentGiven.model_validate(said).model_dump())


_Why = TypeAdapter(dict[str, Line])
STEPS = {"save": _save, "main": _main, "end": _end, "consent": _consent}


async def _organization(connection: Connection, caller: Allowed, slug: str) -> Organization:
    """The organisation that an address names. Raises `NoSuchOrganization`, `NotYours`."""
    one = await organizations.by_slug_or_id(connection, slug)
    if one is None:
        raise NoSuchOrganization("there is no organisation {slug}", slug=slug[:80], field="slug")
    await organization_views.require(connection, caller, one.id)
    return one


async def _representative(connection: Connection, one: Organization, person_id: UUID) -> Person:
    found = await store.load(connection, [person_id])
    if not found:
        raise NoSuchPerson("there is no person {id}", id=person_id, field="person_id")
    found[0].at(one.id)
    return found[0]


async def _sent(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if not isinstance(value, UploadFile)}


def _version(values: dict[str, str]) -> int | None:
    text = values.get(VERSION_FIELD, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _wrong(error: ValidationError, speak: Language) -> dict[str, str]:
    return {str(item["loc"][0]): speak(WRONG.get(str(item["loc"][0]), ONE_LINE)) for item in error.errors()}


def _refused(values: dict[str, str], refusal: Refusal, speak: Language) -> Form:
    field = refusal.field if refusal.field in WRONG else ""
    return Form(values, {field or "": reason(speak, refusal).removeprefix(f"{refusal.field}: ")})


def _agreed(lines: list[Consent], speak: Language) -> list[str]:
    """What somebody agrees to now: the newest line of each purpose counts."""
    now = {line.purpose: line.given for line in lines}
    return [speak(PURPOSE_WORDS[purpose]) for purpose in PURPOSES if now.get(purpose)]


def _options(speak: Language) -> dict[str, Any]:
    return {
        "roles": [(role, speak(ROLE_WORDS[role])) for role in ROLES],
        "language_options": [("es", "Español"), ("en", "English")],
        "purposes": [(purpose, speak(PURPOSE_WORDS[purpose])) for purpose in PURPOSES],
    }


def _new_page(request: Request, caller: Allowed, one: Organization, form: Form, status: int = 200) -> Response:
    speak = pages.language(request, caller.viewer)
    return pages.render(request, caller.viewer, "person_new.html", status, one=one, form=form, **_options(speak))


async def _person_page(
    request: Request, service: Service, reader: Allowed, changing: Allowed, erasing: Allowed, exporting: Allowed,
    slug: str, person_id: UUID, *, wrong: Form | None = None, status: int = 200, step: str = "",
) -> Response:  # fmt: skip
    speak = pages.language(request, reader.viewer)
    async with service.database.connection() as connection:
        one = await _organization(connection, reader, slug)
        found = await _representative(connection, one, person_id)
        # what somebody agreed to is of all for whom they speak: see `api.person`
        lines = await store.consents(connection, person_id) if await _reaches_all(connection, reader, person_id) else []
        changes = bool(await organization_views.covered(connection, changing, [one.id]))
        whole = {
            name: await _reaches_all(connection, caller, person_id)
            for name, caller in (("changes", changing), ("erases", erasing), ("exports", exporting))
        }
    at = found.at(one.id)
    kept = {"name": found.name, "mail": found.mail, "language": found.language, "role": at.role, "phone": at.phone}
    forms = {name: Form(kept if name == "save" else {}, version=found.version) for name in (*STEPS, "erase")}
    if wrong is not None:
        forms[step] = Form(kept | dict(wrong.values) if step == "save" else wrong.values, wrong.errors,
                           version=found.version)  # fmt: skip
    return pages.render(
        request, reader.viewer, "person.html", status, one=one, person=found, at=at, forms=forms, changes=changes,
        whole=whole, role=speak(ROLE_WORDS[at.role]), **_options(speak),
        consents=[
            {"words": speak(PURPOSE_WORDS[line.purpose]), "given": line.given, "at": line.at, "note": line.note}
            for line in reversed(lines)
        ],
    )  # fmt: skip


async def _reaches_all(connection: Connection, caller: Allowed, person_id: UUID) -> bool:
    try:
        return caller.everything or (await views.reached(connection, caller, person_id))[1]
    except NotYours:
        return False
