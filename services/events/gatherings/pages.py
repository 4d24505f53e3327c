"""Writing an event as pages: the draft, its prices and sessions, publishing, putting off, calling off, held."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from services.events.edges import reach
from services.events.gatherings import commands, store, views
from services.events.gatherings.commands import GatheringWriting
from services.events.gatherings.domain import Gathering, NoSuchGathering, Plan, Tariff
from services.events.words import FIELDS, KINDS, MODES
from shared.contracts.events import PriceGroup
from shared.contracts.membership import Category
from shared.http.edge import unit_of
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.refusals import reason, unfit
from shared.web.shell import pages_of, turn

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Preparing = Annotated[Allowed, May("gatherings.prepare")]
Releasing = Annotated[Allowed, May("gatherings.publish")]
LINE: TypeAdapter[str] = TypeAdapter(Line)
NETWORK = "network"
SLOTS: dict[str, tuple[PriceGroup, Category | None]] = {
    "price_own": ("own", None), "price_network": ("network", None), "price_public": ("public", None),
    "price_affiliate": ("own", "affiliate"),
}  # fmt: skip
"""The prices that the form has fields for; dated and other ones, written over HTTP, stay as they are."""
PLAIN = ("kind", "title", "summary", "description", "speakers", "language", "mode", "zone", "place", "country", "state",
         "join_url", "accept_hours", "series")  # fmt: skip
MOMENTS = ("starts", "ends", "closes")
SESSION = re.compile(r"^([0-9]{4}-[0-9]{2}-[0-9]{2}) +([0-9]{1,2}:[0-9]{2}) *[-–] *([0-9]{1,2}:[0-9]{2}) *; *(.+)$")
ZONES = (
    "America/Mexico_City", "America/Tijuana", "America/Hermosillo", "America/Chihuahua", "America/Ciudad_Juarez",
    "America/Monterrey", "America/Matamoros", "America/Mazatlan", "America/Cancun", "America/Bogota",
    "America/Chicago", "America/New_York", "America/Los_Angeles", "Europe/Madrid", "Asia/Kolkata", "UTC",
)  # fmt: skip
WRONG = {
    "title": mark("Write the title on one line of at most 300 characters"),
    "starts": mark("Write day and hour, such as 2027-05-14T09:00"),
    "ends": mark("Write day and hour, such as 2027-05-14T17:00"),
    "closes": mark("Write day and hour, such as 2027-05-10T18:00"),
    "capacity": mark("Write how many places there are, or nothing for no limit"),
    "state": mark("Write the code of the state, such as NLE"),
    "country": mark("Write two capital letters such as MX"),
    "accept_hours": mark("Between 1 and 336 hours"),
    "currency": mark("Write a currency such as MXN"),
}  # fmt: skip


@router.get("/agenda/new", response_class=HTMLResponse)
async def new(
    request: Request, service: Serving, caller: Preparing,
    like: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:  # fmt: skip
    """An empty form; with `like` another edition of what was held before: all but its days and its link."""
    start: dict[str, Any] = {
        "mode": "in_place", "zone": service.settings.network_zone, "waiting_list": "yes", "accept_hours": "24",
        "language": "es", "currency": "MXN", "country": "MX",
    }  # fmt: skip
    if like is not None:
        before = await _own(service, caller, like)
        start = _values(before.plan) | dict.fromkeys((*MOMENTS, "join_url", "sessions"), "")
        start["series"] = before.plan.series or before.plan.title
    return await _page(request, service, caller, None, Form(start))


@router.post("/agenda/new", response_class=HTMLResponse)
async def draft(request: Request, service: Serving, caller: Preparing) -> Response:
    speak = pages.language(request, caller.viewer)
    typed = await _typed(request)
    plan, errors = await _read(service, caller, typed, None, speak)
    if plan is None:
        return await _page(request, service, caller, None, Form(typed, errors), 422)
    try:
        async with unit_of(request, caller.actor) as unit:
            made = await commands.draft(unit, plan)
    except Refusal as refusal:
        return await _page(request, service, caller, None, _refused(typed, refusal, speak), refusal.status)
    return turn(f"/agenda/{made.slug}", said=speak(mark("Drafted; nobody sees it until it is published")))


@router.get("/agenda/{slug}/edit", response_class=HTMLResponse)
async def edit(request: Request, service: Serving, caller: Preparing, slug: str) -> Response:
    one = await _own(service, caller, slug)
    return await _page(request, service, caller, one, Form(_values(one.plan), version=one.revision))


@router.post("/agenda/{slug}/edit", response_class=HTMLResponse)
async def change(request: Request, service: Serving, caller: Preparing, slug: str) -> Response:
    speak = pages.language(request, caller.viewer)
    one = await _own(service, caller, slug)
    typed = await _typed(request)
    version = str(typed.get("version", ""))
    expected = int(version) if version.isascii() and version.isdecimal() and len(version) < 19 else None
    plan, errors = await _read(service, caller, typed, one, speak)
    if plan is None:
        return await _page(request, service, caller, one, Form(typed, errors, version=expected), 422)
    try:
        async with unit_of(request, caller.actor) as unit:
            await commands.change(unit, one.id, plan, expected)
    except Refusal as refusal:
        form = replace(_refused(typed, refusal, speak), version=expected)
        return await _page(request, service, caller, one, form, refusal.status)
    return turn(f"/agenda/{one.slug}", said=speak(mark("Saved")))


@router.post("/agenda/{slug}/publish", response_class=HTMLResponse)
async def publish(request: Request, service: Serving, caller: Releasing, slug: str) -> Response:
    return await _step(request, service, caller, slug, "publish")


@router.post("/agenda/{slug}/hold", response_class=HTMLResponse)
async def hold(request: Request, service: Serving, caller: Releasing, slug: str) -> Response:
    return await _step(request, service, caller, slug, "hold")


@router.get("/agenda/{slug}/move", response_class=HTMLResponse)
async def move(request: Request, service: Serving, caller: Releasing, slug: str) -> Response:
    one = await _own(service, caller, slug)
    return pages.render(request, caller.viewer, "move.html", one=one, form=Form(), calling=Form())


@router.post("/agenda/{slug}/move", response_class=HTMLResponse)
async def moved(request: Request, service: Serving, caller: Releasing, slug: str) -> Response:
    """Puts it off: to the times written, or without any until they are said."""
    speak = pages.language(request, caller.viewer)
    one = await _own(service, caller, slug)
    typed = await _typed(request)
    errors: dict[str, str] = {}
    times = {name: _moment(typed, name, one.plan.zone, errors, speak) for name in ("starts", "ends")}
    why = _line(typed, "reason", errors, speak, needed=False)
    if not errors:
        try:
            async with unit_of(request, caller.actor) as unit:
                await commands.postpone(unit, one.id, times["starts"], times["ends"], why)
            return turn(f"/agenda/{one.slug}", said=speak(mark("Put off; whoever is registered is told")))
        except Refusal as refusal:
            errors = {refusal.field if refusal.field in times else "": reason(speak, refusal)}
    return pages.render(request, caller.viewer, "move.html", 422, one=one, form=Form(typed, errors), calling=Form())


@router.post("/agenda/{slug}/call-off", response_class=HTMLResponse)
async def call_off(request: Request, service: Serving, caller: Releasing, slug: str) -> Response:
    """It is not held, for a reason."""
    speak = pages.language(request, caller.viewer)
    one = await _own(service, caller, slug)
    typed = await _typed(request)
    errors: dict[str, str] = {}
    why = _line(typed, "why", errors, speak, needed=True)
    if why is not None:
        try:
            async with unit_of(request, caller.actor) as unit:
                await commands.cancel(unit, one.id, why)
            return turn(f"/agenda/{one.slug}", said=speak(mark("Called off; whoever was registered is told")))
        except Refusal as refusal:
            errors = {"": reason(speak, refusal)}
    return pages.render(request, caller.viewer, "move.html", 422, one=one, form=Form(),
                        calling=Form(typed, errors))  # fmt: skip


async def _step(
    request: Request, service: Service, caller: Allowed, slug: str, what: Literal["publish", "hold"]
) -> Response:
    speak = pages.language(request, caller.viewer)
    one = await _own(service, caller, slug)
    try:
        async with unit_of(request, caller.actor) as unit:
            await (commands.publish(unit, one.id) if what == "publish" else commands.hold(unit, one.id))
    except Refusal as refusal:
        return turn(f"/agenda/{one.slug}", said=reason(speak, refusal))
    said = mark("Published: everybody may register") if what == "publish" else mark("Noted as held")
    return turn(f"/agenda/{one.slug}", said=speak(said))


async def _own(service: Service, caller: Allowed, slug: str) -> Gathering:
    """A gathering that the caller may write; what is published, only who may publish."""
    async with service.database.connection() as connection:
        one = await store.by_slug(connection, slug.replace("\x00", "")[:100])
    if one is None or not caller.covers(cluster=one.plan.cluster_id):
        raise NoSuchGathering("there is no event {id}", id=slug[:80], field="slug")
    if one.status != "draft":
        releasing = reach(service, "gatherings.publish", caller.viewer)
        if releasing is None or not releasing.covers(cluster=one.plan.cluster_id):
            raise NoSuchGathering("there is no event {id}", id=slug[:80], field="slug")
    return one


async def _typed(request: Request) -> dict[str, Any]:
    return {name: value for name, value in (await request.form()).items() if not isinstance(value, UploadFile)}


async def _read(
    service: Service, caller: Allowed, typed: Mapping[str, Any], before: Gathering | None, speak: Language
) -> tuple[Plan | None, dict[str, str]]:
    """The plan that a form says, or what is wrong at which field."""
    errors: dict[str, str] = {}
    host = str(typed.get("host", ""))
    known = {key for key, _ in await _hosts(service, caller)}
    if before is not None and before.status != "draft":
        host = str(before.plan.cluster_id or NETWORK)
    elif host not in known:
        errors["host"] = speak(mark("Choose who holds it"))
    zone = str(typed.get("zone", ""))
    zone = zone if zone in (*ZONES, before.plan.zone if before else "") else service.settings.network_zone
    values: dict[str, Any] = {name: typed.get(name, "") for name in PLAIN if typed.get(name, "") != ""}
    values |= {name: moment for name in MOMENTS if (moment := _moment(typed, name, zone, errors, speak)) is not None}
    capacity = str(typed.get("capacity", "")).strip()
    values |= {"zone": zone, "capacity": capacity or None, "currency": typed.get("currency") or "MXN",
               "waiting_list": bool(typed.get("waiting_list")),
               "cluster_id": None if host == NETWORK else host}  # fmt: skip
    values["prices"] = _prices(typed, before, errors, speak)
    values["sessions"] = _sessions(typed, zone, errors, speak)
    if errors:
        return None, errors
    try:
        return GatheringWriting.model_validate(values).plan(), {}
    except ValidationError as error:
        for item in error.errors():
            field = str(item["loc"][0])
            told = speak(WRONG[field]) if field in WRONG else unfit(speak, item)
            errors.setdefault("host" if field == "cluster_id" else field, told)
        return None, errors


def _moment(typed: Mapping[str, Any], name: str, zone: str, errors: dict[str, str], speak: Language) -> datetime | None:
    text = str(typed.get(name, "")).strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text[:16]).replace(tzinfo=ZoneInfo(zone))
    except ValueError:
        errors[name] = speak(WRONG[name])
        return None


def _line(typed: Mapping[str, Any], name: str, errors: dict[str, str], speak: Language, *, needed: bool) -> str | None:
    text = str(typed.get(name, "")).strip()
    if not text and not needed:
        return None
    try:
        return LINE.validate_python(text)
    except ValidationError:
        errors[name] = speak(mark("Write why, on one line of at most 300 characters"))
        return None


def _prices(
    typed: Mapping[str, Any], before: Gathering | None, errors: dict[str, str], speak: Language
) -> list[dict[str, Any]]:
    found = [{"group": t.group, "amount": t.amount, "category": t.category, "since": t.since, "benefit": t.benefit}
             for t in _kept(before)]  # fmt: skip
    for name, (group, category) in SLOTS.items():
        text = str(typed.get(name, "")).replace(",", "").replace("$", "").strip()
        if not text:
            continue
        if not re.fullmatch(r"[0-9]{1,10}([.][0-9]{1,2})?", text):
            errors[name] = speak(mark("Write an amount such as 850.00, 0 for free, nothing for none"))
            continue
        benefit = str(typed.get("benefit", "")).strip() or None if category else None
        found.append({"group": group, "amount": Decimal(text), "category": category, "since": None, "benefit": benefit})
    return found


def _sessions(typed: Mapping[str, Any], zone: str, errors: dict[str, str], speak: Language) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate((one for one in str(typed.get("sessions", "")).splitlines() if one.strip()), start=1):
        parts = SESSION.match(line.strip())
        try:
            if parts is None:
                raise ValueError
            day, begin, end, rest = parts.groups()
            title, place, speaker, *_ = [*(part.strip() or None for part in rest.split(";")), None, None]
            starts, ends = (datetime.strptime(f"{day} {hour}", "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(zone))
                            for hour in (begin, end))  # fmt: skip
        except ValueError:
            errors["sessions"] = speak(
                mark("Line %(number)s: write it as 2027-05-14 09:00-10:30; title; place; who speaks"), number=number
            )
            break
        found.append({"title": title or "", "starts": starts, "ends": ends, "place": place, "speaker": speaker})
    return found


def _refused(typed: Mapping[str, Any], refusal: Refusal, speak: Language) -> Form:
    field = {"cluster_id": "host", "prices": "price_public"}.get(refusal.field or "", refusal.field or "")
    known = {*PLAIN, *MOMENTS, "host", "capacity", "price_public", "sessions"}
    return Form(typed, {field if field in known else "": reason(speak, refusal)})


def _values(plan: Plan) -> dict[str, Any]:
    zone = ZoneInfo(plan.zone)
    values: dict[str, Any] = {name: getattr(plan, name) for name in PLAIN}
    for name in MOMENTS:
        moment = getattr(plan, name)
        values[name] = moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if moment else ""
    slots = {(t.group, t.category): t for t in plan.prices if t.since is None}
    for name, slot in SLOTS.items():
        tariff: Tariff | None = slots.get(slot)
        values[name] = f"{tariff.amount:.2f}" if tariff else ""
    affiliate = slots.get(("own", "affiliate"))
    values |= {
        "benefit": affiliate.benefit if affiliate else "", "capacity": plan.capacity, "currency": plan.currency,
        "waiting_list": "yes" if plan.waiting_list else "", "host": str(plan.cluster_id or NETWORK),
        "sessions": "\n".join(
            f"{s.starts.astimezone(zone):%Y-%m-%d %H:%M}-{s.ends.astimezone(zone):%H:%M}; "
            + "; ".join(part or "" for part in (s.title, s.place, s.speaker)).rstrip("; ")
            for s in plan.sessions
        ),
    }  # fmt: skip
    return values


async def _hosts(service: Service, caller: Allowed) -> list[tuple[str, str]]:
    async with service.database.connection() as connection:
        hosts = await views.clusters(connection)
    found = [(str(host.cluster_id), host.name) for host in hosts if caller.covers(cluster=host.cluster_id)]
    return [(NETWORK, ""), *found] if caller.everything else found


def _kept(one: Gathering | None) -> list[Tariff]:
    """Prices that the form has no field for."""
    prices = one.plan.prices if one else ()
    return [t for t in prices if t.since is not None or (t.group, t.category) not in SLOTS.values()]


async def _page(
    request: Request, service: Service, caller: Allowed, one: Gathering | None, form: Form, status: int = 200
) -> Response:
    speak = pages.language(request, caller.viewer)
    hosts = [(key, name or speak(mark("the network"))) for key, name in await _hosts(service, caller)]
    zones = sorted({*ZONES, one.plan.zone} if one else ZONES)
    return pages.render(
        request, caller.viewer, "gathering.html", status, one=one, form=form, hosts=hosts,
        kinds=[(code, speak(words)) for code, words in KINDS.items()],
        modes=[(code, speak(words)) for code, words in MODES.items()],
        zones=[(name, name.replace("_", " ")) for name in zones],
        words={name: speak(words) for name, words in FIELDS.items()},
        dated=_kept(one),
    )  # fmt: skip
