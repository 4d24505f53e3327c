"""The page of one event for whoever looks: when, where, what they pay and why, registering oneself and colleagues."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from services.events.edges import reach
from services.events.gatherings import store as gatherings
from services.events.gatherings import views as gathering_views
from services.events.gatherings.domain import Gathering, NoSuchGathering
from services.events.places import commands as places
from services.events.places import store
from services.events.places.domain import NoSuchRegistration, Registration
from services.events.registrations import commands, domain, views
from services.events.registrations.commands import Person
from services.events.registrations.domain import MOST_AT_ONCE, OnlyForYourself
from services.events.words import CATEGORIES, GROUPS, KINDS, MODES, REGISTERED, STATUSES
from shared.http.edge import unit_of
from shared.http.identity import Viewer
from shared.http.inputs import Line, Mail
from shared.http.policy import Allowed, May, MaybeViewing, Serving
from shared.http.routes import Route
from shared.http.sessions import door_of
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.refusals import reason, sentence
from shared.web.shell import pages_of, turn

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Making = Annotated[Allowed, May("registrations.make")]
LINE: TypeAdapter[str] = TypeAdapter(Line)
MAIL: TypeAdapter[str] = TypeAdapter(Mail)
BETWEEN = re.compile(r"^(.*?)[\s,;\t<]+([^\s,;<>]+@[^\s,;<>]+)>?[\s,;]*$")
"""A name and a mail address on one line: with a comma, a tabulator as from a sheet, or as mail programs write it."""


@router.get("/agenda/{slug}", response_class=HTMLResponse)
async def event(request: Request, service: Serving, viewer: MaybeViewing, slug: str) -> Response:
    one = await seen(service, viewer, slug)
    return await _page(request, service, viewer, one, None)


@router.post("/agenda/{slug}/register", response_class=HTMLResponse)
async def register(request: Request, service: Serving, caller: Making, slug: str) -> Response:
    """Oneself, colleagues, or both, for the organisation that was chosen."""
    speak = pages.language(request, caller.viewer)
    one = await seen(service, caller.viewer, slug)
    typed = {name: value for name, value in (await request.form()).items() if not isinstance(value, UploadFile)}
    people, errors = read_people(typed, caller.viewer, speak)
    organization = _organization(caller, str(typed.get("organization_id", "")))
    if not people and not errors:
        errors["people"] = speak(mark("Write who comes, or tick that you come yourself"))
    if errors:
        return await _page(request, service, caller.viewer, one, Form(typed, errors), 422)
    try:
        if organization is None and (len(people) > 1 or people[0].person_id is None):
            raise OnlyForYourself("say for which organisation they come, or register only yourself",
                                  field="organization_id")  # fmt: skip
        async with unit_of(request, caller.actor) as unit:
            made = await commands.register(unit, one.id, people, organization_id=organization, organizer=False)
    except Refusal as refusal:
        field = refusal.field if refusal.field in ("people", "organization_id") else ""
        form = Form(typed, {field or "": reason(speak, refusal)})
        return await _page(request, service, caller.viewer, one, form, refusal.status)
    return turn(f"/agenda/{one.slug}", said=told(made, speak))


@router.post("/agenda/registrations/{registration_id}/{step}", response_class=HTMLResponse)
async def step(
    request: Request, service: Serving, caller: Making, registration_id: UUID, step: Literal["accept", "cancel"]
) -> Response:
    """Takes an offered place, or does not come, for oneself or whom one registered."""
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        one = await store.load(connection, registration_id)
        if one is None or one.erased or not _is_theirs(one, caller):
            raise NoSuchRegistration("there is no registration {id}", id=registration_id, field="registration_id")
        [gathering] = await gatherings.load(connection, [one.gathering_id])
    try:
        async with unit_of(request, caller.actor) as unit:
            if step == "accept":
                await places.accept(unit, one.id)
            else:
                await commands.cancel(unit, one.id, "registrant")
    except Refusal as refusal:
        form = Form({}, {"": reason(speak, refusal)})
        return await _page(request, service, caller.viewer, gathering, form, refusal.status)
    said = mark("The place is taken") if step == "accept" else mark("Cancelled; the place goes to who waits")
    return turn(f"/agenda/{gathering.slug}", said=speak(said))


async def seen(service: Service, viewer: Viewer | None, slug: str) -> Gathering:
    """The gathering of an address, if the viewer may know of it. Raises `NoSuchGathering`."""
    async with service.database.connection() as connection:
        one = await gatherings.by_slug(connection, slug.replace("\x00", "")[:100])
    if one is not None and one.status == "draft":
        preparing = reach(service, "gatherings.prepare", viewer)
        one = one if preparing is not None and preparing.covers(cluster=one.plan.cluster_id) else None
    if one is None or (one.is_internal and viewer is None):
        raise NoSuchGathering("there is no event {id}", id=slug[:80], field="slug")
    return one


def read_people(typed: Mapping[str, Any], viewer: Viewer, speak: Language) -> tuple[list[Person], dict[str, str]]:
    """Whom a form names: the viewer if ticked, and one person a line; with what is wrong at which field."""
    found: list[Person] = []
    errors: dict[str, str] = {}
    if typed.get("myself") and viewer.subject is not None:
        try:
            mail = MAIL.validate_python(typed.get("my_mail", ""))
            found.append(Person(viewer.name, mail, viewer.language, viewer.subject))
        except ValidationError:
            errors["my_mail"] = speak(mark("Write your address such as ana@empresa.example"))
    lines = [line for line in str(typed.get("people", "")).splitlines() if line.strip()]
    if len(lines) > MOST_AT_ONCE:
        errors["people"] = speak(mark("At most %(most)s at once"), most=MOST_AT_ONCE)
        return found, errors
    for number, line in enumerate(lines, start=1):
        parts = BETWEEN.match(line.strip())
        try:
            if parts is None:
                raise ValueError
            name, mail = LINE.validate_python(parts[1].strip(' ,;"')), MAIL.validate_python(parts[2])
        except ValueError:
            errors["people"] = speak(
                mark("Line %(number)s: write name and mail, such as Ana Ruiz, ana@empresa.example"), number=number
            )
            break
        found.append(Person(name, mail, viewer.language))
    return found, errors


def told(made: Sequence[Registration], speak: Language) -> str:
    """What became of a registration, in one sentence."""
    confirmed = sum(one.status == "confirmed" for one in made)
    waiting = len(made) - confirmed
    parts = []
    if confirmed:
        parts.append(speak.plural("%(num)s place is yours", "%(num)s places are yours", confirmed))
    if waiting:
        parts.append(speak.plural("%(num)s waits for a place", "%(num)s wait for a place", waiting))
    return " · ".join(parts)


def _organization(caller: Allowed, chosen: str) -> UUID | None:
    own = _own(caller.viewer)
    return next((id_ for id_ in own if str(id_) == chosen), None)


def _own(viewer: Viewer | None) -> list[UUID]:
    held = viewer.held if viewer else ()
    return sorted({one.id for one in held if one.scope == "organization" and one.id is not None})


def _is_theirs(one: Registration, caller: Allowed) -> bool:
    return (
        (one.person_id is not None and one.person_id == caller.viewer.subject)
        or one.registered_by == caller.actor
        or one.organization_id in _own(caller.viewer)
    )


async def _page(
    request: Request, service: Service, viewer: Viewer | None, one: Gathering, form: Form | None, status: int = 200
) -> Response:
    speak = pages.language(request, viewer)
    now = service.clock()
    own = _own(viewer)
    async with service.database.connection() as connection:
        host = await gathering_views.cluster(connection, one.plan.cluster_id) if one.plan.cluster_id else None
        seating = await store.seating(connection, one.id)
        named = await views.organizations(connection, own)
        quote = await commands.quoted(connection, one, named[0].id if named else None, now)
        mine = await views.own(connection, one.id, viewer.subject, viewer.actor, own) if viewer else []
        editions = await views.editions(connection, one, member=viewer is not None)
        mail = await views.last_mail(connection, viewer.subject) if viewer and viewer.subject else None
    closed = None
    try:
        domain.require_open(one, now, organizer=False)
    except Refusal as refusal:
        closed = reason(speak, refusal)
    reading = reach(service, "registrations.read", viewer)
    preparing = reach(service, "gatherings.prepare", viewer)
    releasing = reach(service, "gatherings.publish", viewer)
    writing = preparing if one.status == "draft" else releasing
    cluster = one.plan.cluster_id
    comes = viewer is not None and any(row["person_id"] == viewer.subject for row in mine)
    values = {"organization_id": str(named[0].id) if named else "", "my_mail": mail or "",
              "myself": "" if comes else "yes"}  # fmt: skip
    chip = STATUSES[one.status]
    return pages.render(
        request, viewer, "event.html", status, one=one, plan=one.plan, host=host, seating=seating,
        standing=(speak(chip[0]), chip[1]), kind=speak(KINDS[one.plan.kind]), mode=speak(MODES[one.plan.mode]),
        quote=quote, why=sentence(speak, quote.reason), as_whom=named[0].name if named else None,
        tariffs=_tariffs(one, speak), closed=closed, form=form or Form(values),
        mine=[_line(row, speak) for row in mine],
        organizations=[(str(known.id), known.name) for known in named], link=f"{door_of(request)}/agenda/{one.slug}",
        reads=one.status != "draft" and reading is not None and reading.covers(cluster=cluster),
        edits=one.status in ("draft", "published") and writing is not None and writing.covers(cluster=cluster),
        releases=releasing is not None and releasing.covers(cluster=cluster),
        local=Language(speak.code, ZoneInfo(one.plan.zone), speak.words), over=now >= one.plan.ends,
        begun=now >= one.plan.starts, editions=editions,
    )  # fmt: skip


def _tariffs(one: Gathering, speak: Language) -> list[dict[str, Any]]:
    return [
        {"group": speak(GROUPS[t.group]), "category": speak(CATEGORIES[t.category]) if t.category else None,
         "amount": t.amount, "since": t.since, "benefit": t.benefit}
        for t in one.plan.prices
    ]  # fmt: skip


def _line(row: Any, speak: Language) -> dict[str, Any]:
    words, tone = REGISTERED[row["status"]]
    return {"id": row["id"], "name": row["name"], "status": row["status"], "chip": (speak(words), tone),
            "until": row["offer_until"], "code": row["check_in_code"], "line": row["place_in_line"],
            "amount": row["amount"], "currency": row["currency"], "organization": row["organization"]}  # fmt: skip
