"""Who comes, for whoever holds it: registered, waiting, attendance, result; the ticket with its code, and the door."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import TypeAdapter, ValidationError

from services.events.attendance import commands
from services.events.attendance.domain import Scan
from services.events.attendance.views import told
from services.events.edges import reach
from services.events.gatherings import store as gatherings
from services.events.gatherings import views as gathering_views
from services.events.gatherings.domain import Gathering, NoSuchGathering
from services.events.places import commands as places
from services.events.places import store
from services.events.places.domain import NoSuchRegistration
from services.events.registrations import commands as registering
from services.events.registrations import views
from services.events.registrations.commands import Person
from services.events.registrations.views import Asked
from services.events.words import FIELDS, GROUPS, METHODS, REGISTERED, STATUSES
from shared.http.edge import unit_of
from shared.http.exports import Ending, exported
from shared.http.inputs import Line, Mail
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.pool import Row
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reading = Annotated[Allowed, May("registrations.read")]
Managing = Annotated[Allowed, May("registrations.manage")]
Exporting = Annotated[Allowed, May("registrations.export")]
Tab = Annotated[Literal["registered", "waiting", "attendance", "result", "history"], Query()]
LINE: TypeAdapter[str] = TypeAdapter(Line)
MAIL: TypeAdapter[str] = TypeAdapter(Mail)
AT_ONCE = 200
COLUMNS: dict[str, tuple[Column, ...]] = {
    "registered": (
        Column("name", mark("Name")), Column("organization", mark("For")), Column("price", mark("Price"), numeric=True),
        Column("status", mark("State of it")), Column("do", mark("Do"), minor=False),
    ),
    "waiting": (
        Column("name", mark("Name")), Column("organization", mark("For")), Column("line", mark("Order"), numeric=True),
        Column("until", mark("Time left to accept")), Column("do", mark("Do")),
    ),
    "attendance": (
        Column("name", mark("Name")), Column("organization", mark("For")), Column("seen", mark("Seen")),
        Column("do", mark("Do")),
    ),
}  # fmt: skip
EDITION_COLUMNS = (
    Column("title", mark("Edition")), Column("confirmed", mark("Registered"), numeric=True),
    Column("attended", mark("Attended"), numeric=True), Column("share", mark("Of those registered"), numeric=True),
    Column("organizations", mark("Organisations there"), numeric=True),
    Column("amount", mark("They pay"), numeric=True),
)  # fmt: skip
OF_TAB = {"registered": ["confirmed", "offered", "cancelled", "lapsed"], "waiting": ["offered", "waiting"],
          "attendance": ["confirmed", "offered"]}  # fmt: skip
EXPORTED = (
    mark("Order"), mark("Name"), mark("Mail"), mark("For"), mark("State of it"), mark("Price group"), mark("Price"),
    mark("Currency"), mark("Registered"), mark("Seen"), mark("How"),
)  # fmt: skip


@router.get("/agenda/{slug}/people", response_class=HTMLResponse)
async def people(
    request: Request, service: Serving, caller: Reading, slug: str, tab: Tab = "registered",
    after: Annotated[int | None, Query(ge=0, le=2**62)] = None, q: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:  # fmt: skip
    """One of the organiser's tabs."""
    one = await _own(service, caller, slug)
    return await _page(request, service, caller, one, tab, after=after, text=q)


@router.get("/agenda/{slug}/people.{ending}")
async def as_file(
    request: Request, service: Serving, caller: Exporting, slug: str, ending: Ending
) -> StreamingResponse:
    """Everybody who is or was registered, as a file."""
    one = await _own(service, caller, slug)
    speak = pages.language(request, caller.viewer)
    zone = ZoneInfo(one.plan.zone)

    async def lines() -> AsyncIterator[Sequence[Any]]:
        after = None
        while True:
            async with service.database.connection() as connection:
                rows = await views.of_gathering(connection, one.id, Asked(None, after), 500)
            for row in rows:
                yield (
                    row["number"], row["name"], row["mail"], row["organization"], speak(REGISTERED[row["status"]][0]),
                    speak(GROUPS[row["price_group"]]), row["amount"], row["currency"],
                    _local(row["registered_at"], zone), _local(row["attended_at"], zone),
                    speak(METHODS[row["method"]]) if row["method"] else None,
                )  # fmt: skip
            if len(rows) < 500:
                return
            after = rows[-1]["number"]

    return await exported(ending, one.slug, [speak(words) for words in EXPORTED], lines())


@router.post("/agenda/{slug}/people", response_class=HTMLResponse)
async def add(request: Request, service: Serving, caller: Managing, slug: str) -> Response:
    """Registers somebody for who holds it: by mail, by telephone, at the door."""
    speak = pages.language(request, caller.viewer)
    one = await _own(service, caller, slug)
    typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    errors: dict[str, str] = {}
    person = Person("", "")
    try:
        person = Person(LINE.validate_python(typed.get("name", "")), MAIL.validate_python(typed.get("mail", "")))
    except ValidationError:
        errors["mail"] = speak(mark("Write name and mail, such as Ana Ruiz and ana@empresa.example"))
    organization = None
    if wanted := typed.get("organization", "").replace("\x00", "").strip()[:300]:
        async with service.database.connection() as connection:
            organization = await views.organization_called(connection, wanted)
        if organization is None:
            errors["organization"] = speak(mark("No organisation is called so; write it as the directory does"))
    if not errors:
        try:
            async with unit_of(request, caller.actor) as unit:
                await registering.register(unit, one.id, [person], organization_id=organization.id if organization
                                           else None, organizer=True)  # fmt: skip
            return turn(f"/agenda/{one.slug}/people", said=speak(mark("Registered")))
        except Refusal as refusal:
            errors["mail" if refusal.field == "people" else ""] = reason(speak, refusal)
    return await _page(request, service, caller, one, "registered", form=Form(typed, errors), status=422)


@router.post("/agenda/{slug}/people/{registration_id}/{step}", response_class=HTMLResponse)
async def step(
    request: Request, service: Serving, caller: Managing, slug: str, registration_id: UUID,
    step: Literal["cancel", "seen", "not-there"],
) -> Response:  # fmt: skip
    """Takes somebody out, notes that they were there, or that they were not."""
    speak = pages.language(request, caller.viewer)
    one = await _own(service, caller, slug)
    async with service.database.connection() as connection:
        found = await store.load(connection, registration_id)
    if found is None or found.gathering_id != one.id or found.erased:
        raise NoSuchRegistration("there is no registration {id}", id=registration_id, field="registration_id")
    tab = "registered" if step == "cancel" else "attendance"
    try:
        async with unit_of(request, caller.actor) as unit:
            if step == "cancel":
                await places.cancel(unit, found.id, "organizer")
            elif step == "seen":
                await places.attend(unit, found.id, unit.now, "hand")
            else:
                await places.unattend(unit, found.id)
    except Refusal as refusal:
        return turn(f"/agenda/{one.slug}/people?tab={tab}", said=reason(speak, refusal))
    return turn(f"/agenda/{one.slug}/people?tab={tab}", said=speak(mark("Noted")))


@router.post("/agenda/{slug}/door", response_class=HTMLResponse)
async def door(request: Request, service: Serving, caller: Managing, slug: str) -> Response:
    """A code that was typed or read by a scanner at the door, or a mail address; with its own time when it is late."""
    speak = pages.language(request, caller.viewer)
    one = await _own(service, caller, slug)
    typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    wanted = typed.get("code", "").replace("\x00", "").strip()[:300]
    at, errors = _time(typed.get("at", ""), one, speak)
    if not errors:
        try:
            async with unit_of(request, caller.actor) as unit:
                scan = Scan(code=wanted.rsplit("/", 1)[-1], at=at)
                if "@" in wanted and (known := await store.by_mail(unit.connection, one.id, wanted)) is not None:
                    scan = Scan(registration_id=known.id, at=at, method="hand")
                [seen] = await commands.check_in(unit, one.id, [scan])
            return turn(f"/agenda/{one.slug}/people?tab=attendance", said=told(seen, speak, one.plan.zone))
        except Refusal as refusal:
            errors["code"] = reason(speak, refusal)
    return await _page(request, service, caller, one, "attendance", form=Form(typed, errors), status=422)


async def _own(service: Service, caller: Allowed, slug: str) -> Gathering:
    async with service.database.connection() as connection:
        one = await gatherings.by_slug(connection, slug.replace("\x00", "")[:100])
    if one is None or one.status == "draft" or not caller.covers(cluster=one.plan.cluster_id):
        raise NoSuchGathering("there is no event {id}", id=slug[:80], field="slug")
    return one


async def _page(
    request: Request, service: Service, caller: Allowed, one: Gathering, tab: str, *, after: int | None = None,
    text: str | None = None, form: Form | None = None, status: int = 200,
) -> Response:  # fmt: skip
    speak = pages.language(request, caller.viewer)
    listing = None
    wanted = (text or "").replace("\x00", "").strip() or None
    async with service.database.connection() as connection:
        numbers = await views.result(connection, one.id)
        if tab in OF_TAB:
            rows = await views.of_gathering(connection, one.id, Asked(OF_TAB[tab], after, wanted), AT_ONCE + 1)
            following = str(rows[AT_ONCE - 1]["number"]) if len(rows) > AT_ONCE else None
            listing = Listing(COLUMNS[tab], [_line(row, speak, one) for row in rows[:AT_ONCE]], next=following)
        editions = await views.editions(connection, one, member=True) if tab == "result" else []
        history = await gathering_views.history(connection, one.id) if tab == "history" else []
    managing = reach(service, "registrations.manage", caller.viewer)
    exporting = reach(service, "registrations.export", caller.viewer)
    tabs = [
        ("registered", speak(mark("Registered")), numbers["confirmed"]),
        ("waiting", speak(mark("Waiting list")), numbers["waiting"] + numbers["offered"]),
        ("attendance", speak(mark("Attendance")), numbers["attended"]), ("result", speak(mark("Result")), None),
        ("history", speak(mark("History")), None),
    ]  # fmt: skip
    return pages.render(
        request, caller.viewer, "people_of.html", status, one=one, tab=tab, listing=listing, form=form or Form(),
        tabs_shown=[(key, words, f"/agenda/{one.slug}/people?tab={key}", count) for key, words, count in tabs],
        numbers=numbers, groups=[{**g, "words": speak(GROUPS[g["price_group"]])} for g in numbers["by_group"]],
        manages=managing is not None and managing.covers(cluster=one.plan.cluster_id),
        exports=exporting is not None and exporting.covers(cluster=one.plan.cluster_id), query=wanted or "",
        editions=Listing(EDITION_COLUMNS, [dict(row) for row in editions]) if len(editions) > 1 else None,
        history=[_entry(line, speak) for line in history], local=_in(one, speak),
    )  # fmt: skip


def _line(row: Row, speak: Language, one: Gathering) -> dict[str, Any]:
    words, tone = REGISTERED[row["status"]]
    local = _in(one, speak)
    at = row["attended_at"]
    return {
        "id": row["id"], "name": row["name"] or speak(mark("erased")), "mail": row["mail"],
        "organization": row["organization"] or "–", "status": row["status"], "chip": (speak(words), tone),
        "group": speak(GROUPS[row["price_group"]]), "amount": row["amount"], "currency": row["currency"],
        "line": row["place_in_line"], "until": row["offer_until"], "at": local.moment(at) if at else None,
        "method": speak(METHODS[row["method"]]) if row["method"] else None, "code": row["check_in_code"],
    }  # fmt: skip


def _entry(line: gathering_views.Line, speak: Language) -> dict[str, Any]:
    def told(name: str, value: Any) -> str:
        if name == "status" and value in STATUSES:
            return speak(STATUSES[value][0])
        return "–" if value is None else str(value)

    changes = [
        f"{speak(FIELDS.get(name, name))}: {told(name, old)} → {told(name, new)}"
        for name, (old, new) in line.fields.items()
    ]
    return {"when": line.at, "who": line.who or speak(mark("a program")), "words": "; ".join(changes),
            "reason": line.note}  # fmt: skip


def _time(text: str, one: Gathering, speak: Language) -> tuple[datetime | None, dict[str, str]]:
    """The time of a late scan, on the day of the event."""
    if not text.strip():
        return None, {}
    zone = ZoneInfo(one.plan.zone)
    try:
        hour = datetime.strptime(text.strip()[:5], "%H:%M").time()  # noqa: DTZ007  # the zone follows
    except ValueError:
        return None, {"at": speak(mark("Write the hour, such as 09:05"))}
    return datetime.combine(one.plan.starts.astimezone(zone).date(), hour, zone), {}


def _in(one: Gathering, speak: Language) -> Language:
    return Language(speak.code, ZoneInfo(one.plan.zone), speak.words)


def _local(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return moment.astimezone(zone).isoformat(timespec="minutes") if moment else None
