"""Writing an announcement: to whom (a segment of the register), what (in two languages), when."""

from datetime import date, datetime, time
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import UploadFile

from services.notifications.announcements import commands
from services.notifications.announcements.domain import BODY, TITLE, Announcement, NotInThisState, Writing
from services.notifications.announcements.pages.parts import Preparing, pages
from shared.http.edge import unit_of
from shared.http.inputs import TURNING
from shared.http.policy import Allowed, Serving
from shared.http.routes import Route
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import VERSION_FIELD, Form
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import turn

router = APIRouter(include_in_schema=False, route_class=Route)

TEXTS = {"title_es": TITLE, "body_es": BODY, "title_en": TITLE, "body_en": BODY}


@router.get("/announcements/new", response_class=HTMLResponse)
async def new(request: Request, caller: Preparing, segment: Annotated[UUID | None, Query()] = None) -> Response:
    return _page(request, caller, Form({"segment_id": str(segment or "")}), None)


@router.post("/announcements/new", response_class=HTMLResponse)
async def write(request: Request, service: Serving, caller: Preparing) -> Response:
    return await _kept(request, service, caller, None)


@router.get("/announcements/{announcement_id}/edit", response_class=HTMLResponse)
async def edit(request: Request, service: Serving, caller: Preparing, announcement_id: UUID) -> Response:
    async with service.database.connection() as connection:
        one = await commands.within(connection, caller, announcement_id)
    if one.status not in ("draft", "ready"):
        raise NotInThisState("what was released is kept as it went out", field="announcement_id")
    zone = ZoneInfo(service.settings.network_zone)
    at = one.writing.send_at.astimezone(zone) if one.writing.send_at else None
    values: dict[str, Any] = {name: getattr(one.writing, name) for name in TEXTS} | {
        "segment_id": str(one.segment_id), "acknowledge": "yes" if one.writing.acknowledge else "",
        "day": at.date().isoformat() if at else "", "time": f"{at:%H:%M}" if at else "",
    }  # fmt: skip
    return _page(request, caller, Form(values, version=one.revision), one)


@router.post("/announcements/{announcement_id}/edit", response_class=HTMLResponse)
async def rewrite(request: Request, service: Serving, caller: Preparing, announcement_id: UUID) -> Response:
    async with service.database.connection() as connection:
        one = await commands.within(connection, caller, announcement_id)
    return await _kept(request, service, caller, one)


async def _kept(request: Request, service: Service, caller: Allowed, before: Announcement | None) -> Response:
    speak = pages.language(request, caller.viewer)
    typed = {name: value for name, value in (await request.form()).items() if not isinstance(value, UploadFile)}
    writing, errors = _read(typed, speak, ZoneInfo(service.settings.network_zone))
    version = typed.get(VERSION_FIELD, "")
    expected = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None
    if not errors and writing is not None:
        try:
            async with unit_of(request, caller.actor) as unit:
                segment = await commands.segment_within(unit.connection, caller, UUID(typed["segment_id"]))
                if before is None:
                    made = await commands.write(unit, segment, writing)
                else:
                    made = await commands.rewrite(
                        unit, await commands.found(unit, before.id, expected), segment, writing
                    )  # fmt: skip
            return turn(f"/announcements/{made.id}", said=speak(mark("Kept as a draft")))
        except Refusal as refusal:
            field = refusal.field if refusal.field in (*TEXTS, "segment_id") else ""
            errors[{"send_at": "day"}.get(refusal.field or "", field or "")] = reason(speak, refusal)
    return _page(request, caller, Form(typed, errors, version=expected), before, 422)


def _read(typed: dict[str, str], speak: Language, zone: ZoneInfo) -> tuple[Writing | None, dict[str, str]]:
    errors: dict[str, str] = {}
    texts: dict[str, str] = {}
    for name, most in TEXTS.items():
        text = typed.get(name, "").replace("\r\n", "\n").strip()
        if "\x00" in text or TURNING.intersection(text) or any(0xD800 <= ord(one) <= 0xDFFF for one in text):
            errors[name] = speak(mark("This text holds characters that cannot be written"))
        elif len(text) > most:
            errors[name] = speak(mark("At most %(most)s characters"), most=speak.number(most))
        texts[name] = " ".join(text.split()) if name.startswith("title") else text
    if not any(texts[f"title_{code}"] and texts[f"body_{code}"] for code in ("es", "en")) and not errors:
        missing = next((name for name in ("title_es", "body_es") if not texts[name]), "title_es")
        errors[missing] = speak(mark("Write a title and a text, in one language at least"))
    try:
        UUID(typed.get("segment_id", ""))
    except ValueError:
        errors["segment_id"] = speak(mark("Choose to whom it goes"))
    at: datetime | None = None
    if typed.get("day") or typed.get("time"):
        try:
            day, hour = date.fromisoformat(typed.get("day", "")), time.fromisoformat(typed.get("time") or "09:00")
            at = datetime.combine(day, hour.replace(tzinfo=None), zone)
        except ValueError:
            errors["day"] = speak(mark("Write the day as 2026-03-31 and the time as 14:05"))
    return (None if errors else Writing(**texts, acknowledge=bool(typed.get("acknowledge")), send_at=at)), errors


def _page(request: Request, caller: Allowed, form: Form, one: Announcement | None, status: int = 200) -> Response:
    return pages.render(request, caller.viewer, "compose.html", status, form=form, one=one,
                        chosen=str(form.value("segment_id")))  # fmt: skip
