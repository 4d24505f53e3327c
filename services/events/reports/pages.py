"""Participant reports as pages: the file goes in, each person of it is shown with what would become of them, noted.

Nothing is changed before somebody has seen it; who only resembles somebody registered is ticked by a person.
"""

import asyncio
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import UploadFile

from services.events.gatherings import store as gatherings
from services.events.gatherings.domain import Gathering, NoSuchGathering
from services.events.reports import commands
from services.events.reports.commands import LIMITS, came, compared, reading
from services.events.reports.domain.matching import Outcome, usual_least
from services.events.reports.domain.reading import NotAParticipantReport, Report
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Managing = Annotated[Allowed, May("registrations.manage")]
COLUMNS = (
    Column("take", mark("Note")), Column("name", mark("Name")), Column("minutes", mark("Minutes"), numeric=True),
    Column("first", mark("Came")), Column("registered", mark("Registered as")), Column("outcome", mark("Outcome")),
)  # fmt: skip
OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "new": (mark("was there"), "good"), "similar": (mark("the names resemble: tick if it is the same person"), "warn"),
    "unclear": (mark("two are registered under this name"), "warn"),
    "no_place": (mark("was there without a place"), "warn"), "unknown": (mark("not registered"), "plain"),
    "short": (mark("too short"), "plain"), "seen": (mark("noted before"), "calm"),
}  # fmt: skip
"""What becomes of a person of a participant report."""
TICKED: tuple[Outcome, ...] = ("new", "similar")


class _Read(NamedTuple):
    report: Report
    least: int


@router.get("/participant-reports/{slug}", response_class=HTMLResponse)
async def upload(request: Request, service: Serving, caller: Managing, slug: str) -> Response:
    """Where the report of the meeting program goes in."""
    one = await _own(service, caller, slug)
    return _first(request, caller, one, Form({"minutes": usual_least(one.plan.starts, one.plan.ends)}))


@router.post("/participant-reports/{slug}", response_class=HTMLResponse)
async def review(request: Request, service: Serving, caller: Managing, slug: str) -> Response:
    """What the report says about whom; changes nothing."""
    speak = pages.language(request, caller.viewer)
    one = await _own(service, caller, slug)
    form = await request.form()
    file, minutes = form.get("report"), str(form.get("minutes", "")).strip()
    errors: dict[str, str] = {}
    if not isinstance(file, UploadFile) or not file.filename:
        errors["report"] = speak(mark("Choose the file that the meeting program gave you"))
    if not (minutes.isascii() and minutes.isdigit() and 1 <= int(minutes[:6]) <= 1440):
        errors["minutes"] = speak(mark("Write whole minutes, from 1 to 1440"))
    report = None
    if not errors:
        assert isinstance(file, UploadFile)
        try:
            content = await file.read(LIMITS.megabytes * 1024 * 1024 + 1)
            report = await asyncio.to_thread(reading, content, one)
        except Refusal as refusal:
            errors["report"] = reason(speak, refusal)
    if report is None:
        return _first(request, caller, one, Form({"minutes": minutes}, errors), 422)
    return await _review(request, service, caller, one, _Read(report, int(minutes)))


@router.post("/participant-reports/{slug}/noted", response_class=HTMLResponse)
async def note(request: Request, service: Serving, caller: Managing, slug: str) -> Response:
    """Those whose lines are ticked were there."""
    speak = pages.language(request, caller.viewer)
    one = await _own(service, caller, slug)
    ticked = (await request.form(max_fields=LIMITS.rows)).getlist("shown")
    back = f"/agenda/{one.slug}/people?tab=attendance"
    try:
        shown = [_ticked(line, one) for line in ticked if isinstance(line, str)]
        async with unit_of(request, caller.actor) as unit:
            count = await commands.note_shown(unit, one.id, shown)
    except Refusal as refusal:
        return turn(back, said=reason(speak, refusal), tone="bad")
    return turn(back, said=speak(mark("Noted: %(count)s"), count=speak.number(count)))


async def _review(request: Request, service: Service, caller: Allowed, one: Gathering, read: _Read) -> Response:
    speak = pages.language(request, caller.viewer)
    local = Language(speak.code, ZoneInfo(one.plan.zone), speak.words)
    async with service.database.connection() as connection:
        people = await compared(connection, one, read.report, read.least)
    rows: list[dict[str, Any]] = [
        {
            "key": f"{found.registered.id}@{came(found, one).isoformat()}" if found.registered else None,
            "name": found.name, "mail": found.mail, "minutes": found.minutes,
            "first": local.moment(found.first) if found.first else "–",
            "registered": found.registered.name if found.registered else "–",
            "outcome": (speak(OUTCOMES[found.outcome][0]), OUTCOMES[found.outcome][1]),
            "may": found.outcome in TICKED, "ticked": found.outcome == "new",
        }
        for found in people
    ]  # fmt: skip
    return pages.render(
        request, caller.viewer, "report_review.html", one=one, listing=Listing(COLUMNS, rows), read=read,
        counts={outcome: sum(found.outcome == outcome for found in people) for outcome in OUTCOMES},
        words={outcome: speak(words) for outcome, (words, _) in OUTCOMES.items()}, form=Form(),
    )  # fmt: skip


def _first(request: Request, caller: Allowed, one: Gathering, form: Form, status: int = 200) -> Response:
    return pages.render(request, caller.viewer, "report.html", status, one=one, form=form,
                        megabytes=LIMITS.megabytes)  # fmt: skip


def _ticked(line: str, one: Gathering) -> commands.Shown:
    """A ticked line of the review. Raises `NotAParticipantReport`: somebody wrote it by hand."""
    id_, _, at = line[:120].partition("@")
    try:
        moment = datetime.fromisoformat(at)
        return UUID(id_), moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(one.plan.zone))
    except (ValueError, OverflowError):
        raise NotAParticipantReport("this is no line of the review: {line}", line=line[:60],
                                           field="shown") from None  # fmt: skip


async def _own(service: Service, caller: Allowed, slug: str) -> Gathering:
    async with service.database.connection() as connection:
        one = await gatherings.by_slug(connection, slug.replace("\x00", "")[:100])
    if one is None or one.status == "draft" or not caller.covers(cluster=one.plan.cluster_id):
        raise NoSuchGathering("there is no event {id}", id=slug[:80], field="slug")
    return one
