"""One announcement: whom it reaches, how its mail looks, the step that comes next, and what became of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import uuid_utils.compat as uuid_utils
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.notifications.announcements import commands, store, views
from services.notifications.announcements.domain import Announcement
from services.notifications.announcements.pages.parts import (
    STATUS,
    MayPrepare,
    MayRelease,
    Preparing,
    Reader,
    as_mail,
    names_of,
    pages,
)
from services.notifications.preferences.commands import address_of
from services.notifications.previews.domain import MAIL_POLICY
from services.notifications.words import STATES
from shared.http.edge import unit_of
from shared.http.exports import Ending, exported
from shared.http.limits import allow
from shared.http.policy import NotYours, Serving, allowed
from shared.http.routes import Route
from shared.mail.transport import SenderUnusable, compose, outlet
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.language import Language, mark
from shared.web.page import Tone
from shared.web.refusals import reason
from shared.web.shell import turn
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)

CLUSTER = "SELECT name FROM cluster WHERE cluster_id = $1"
HASH = "SELECT address_key($1)"
ROWS = 50
RECEIPTS = (
    Column("organization", mark("Organisation")), Column("state", mark("State")), Column("settled_at", mark("When")),
    Column("how", mark("Answer")),
)  # fmt: skip
ANSWERS = {"read": mark("read"), "acknowledged": mark("taken note of")}
SAID = {
    "prepare": mark("Held ready: another than you releases it"),
    "release": mark("Released: it is on its way"),
    "stop": mark("Stopped: what has not gone out stays here"),
    "discard": mark("Thrown away"),
}
STEPS = {"prepare": commands.prepare, "release": commands.release, "stop": commands.stop}


@router.get("/announcements/{announcement_id}", response_class=HTMLResponse)
async def announcement(
    request: Request, service: Serving, reader: Reader, preparing: MayPrepare, releasing: MayRelease,
    announcement_id: UUID, after: Annotated[UUID | None, Query()] = None,
) -> Response:  # fmt: skip
    async with service.database.connection() as connection:
        one = await commands.within(connection, reader, announcement_id)
        segment = await store.segment(connection, one.segment_id)
        ids = segment.organization_ids if segment and one.status == "draft" else one.organization_ids
        audience = await views.audience(connection, ids)
        tally = (await views.tallies(connection, [one.id]))[one.id]
        found = await views.receipts(connection, one.id, None, after, ROWS + 1)
        context: dict[str, Any] = {
            "sample": await views.sample(connection, ids),
            "names": await names_of(connection, [one]),
            "cluster": await connection.fetchval(CLUSTER, one.cluster_id) if one.cluster_id else None,
        }
    prepares, releases = preparing.covers(cluster=one.cluster_id), releasing.covers(cluster=one.cluster_id)
    following = str(found[ROWS - 1].id) if len(found) > ROWS else None
    return pages.render(
        request, reader.viewer, "announcement.html", one=one, standing=STATUS[one.status], audience=audience,
        tally=tally, states=STATES, answers=ANSWERS, prepares=prepares, segment=segment,
        listing=Listing(RECEIPTS, [row._asdict() for row in found[:ROWS]], next=following),
        releases=releases and one.prepared_by != reader.actor, own=one.prepared_by == reader.actor, **context,
    )  # fmt: skip


@router.get("/announcements/{announcement_id}/mail", response_class=HTMLResponse)
async def mail(
    service: Serving, reader: Reader, announcement_id: UUID, language: Annotated[Literal["es", "en"], Query()] = "es"
) -> Response:
    """The HTML part alone, as it goes out."""
    async with service.database.connection() as connection:
        one = await commands.within(connection, reader, announcement_id)
        cluster = await connection.fetchval(CLUSTER, one.cluster_id) if one.cluster_id else None
    page = f"{service.settings.public_url}/announcement" if service.settings.public_url else None
    shown = as_mail(one, language, cluster=cluster or "", page=page)
    policy = MAIL_POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    return HTMLResponse(shown.html, headers={"Content-Security-Policy": policy, "X-Frame-Options": "SAMEORIGIN"})


@router.get("/announcements/{announcement_id}/progress", response_class=HTMLResponse)
async def progress(request: Request, service: Serving, reader: Reader, announcement_id: UUID) -> Response:
    """How far it has gone out; asks again while it goes."""
    async with service.database.connection() as connection:
        one = await commands.within(connection, reader, announcement_id)
        tally = (await views.tallies(connection, [one.id]))[one.id]
    return pages.fragment(request, reader.viewer, "progress.html", one=one, tally=tally, states=STATES)


@router.get("/announcements/{announcement_id}/receipts.{ending}")
async def receipts(
    request: Request, service: Serving, reader: Reader, announcement_id: UUID, ending: Ending
) -> StreamingResponse:
    """What became of each message, whole, as a file. Nobody is named."""
    speak = pages.language(request, reader.viewer)
    async with service.database.connection() as connection:
        await commands.within(connection, reader, announcement_id)
    rows = _exported(service, announcement_id, speak)
    return await exported(ending, "receipts", [speak(column.words) for column in RECEIPTS], rows)


async def _exported(service: Service, id_: UUID, speak: Language) -> AsyncIterator[Sequence[Any]]:
    after: UUID | None = None
    while True:
        async with service.database.connection() as connection:
            found = await views.receipts(connection, id_, None, after, 1000)
        for row in found:
            answer = speak(ANSWERS[row.how]) if row.how else ""
            yield row.organization, speak(STATES[row.state][0]), row.settled_at, answer
        if len(found) < 1000:
            return
        after = found[-1].id


@router.post("/announcements/{announcement_id}/test", response_class=HTMLResponse)
async def test(
    request: Request, service: Serving, caller: Preparing, announcement_id: UUID,
    address: Annotated[str, Form(max_length=254)] = "", language: Annotated[Literal["es", "en"], Form()] = "es",
) -> Response:  # fmt: skip
    """One mail, to oneself only: the address has to be the caller's own, and is not kept."""
    speak = pages.language(request, caller.viewer)
    back = f"/announcements/{announcement_id}"
    async with service.database.connection() as connection:
        one = await commands.within(connection, caller, announcement_id)
        cluster = await connection.fetchval(CLUSTER, one.cluster_id) if one.cluster_id else None
        typed = address.strip().replace("\x00", "")
        if await connection.fetchval(HASH, typed) != await address_of(connection, caller.viewer):
            return turn(back, said=speak(mark("That is not the address by which you sign in")), tone="bad")
        await allow(connection, f"test mails of {caller.actor}", 10, timedelta(hours=1), now=service.clock())
    said, tone = await _sent_to(service, one, typed, language, cluster or "", speak)
    return turn(back, said=said, tone=tone)


async def _sent_to(
    service: Service, one: Announcement, address: str, language: str, cluster: str, speak: Language
) -> tuple[str, Tone]:
    settings = service.settings
    page = f"{settings.public_url}/announcement" if settings.public_url else None
    try:
        mail = compose(uuid_utils.uuid7(), as_mail(one, language, cluster=cluster, page=page), name="", address=address,
                       sender=settings.mail_sender, at=service.clock(), language=language)  # fmt: skip
    except SenderUnusable:
        return speak(mark("The sender of this installation is no address: its operator mends that")), "bad"
    if mail is None:
        return speak(mark("That address cannot be written to")), "bad"
    async with outlet(settings.mail()) as out:
        attempt = await out.send(mail)
    if attempt.outcome == "sent":
        return speak(mark("The mail server took the test")), "good"
    return speak(mark("The mail server did not take the test; try again in a while")), "bad"


@router.post("/announcements/{announcement_id}/{step}", response_class=HTMLResponse)
async def step(
    request: Request, service: Serving, caller: Reader, announcement_id: UUID,
    step: Literal["prepare", "release", "stop", "discard"], version: Annotated[str, Form(max_length=12)] = "",
) -> Response:  # fmt: skip
    """The step that follows, of the version that the page showed."""
    action = "announcements.release" if step == "release" else "announcements.prepare"
    acting = allowed(service.definition.policy, action, caller.viewer)
    speak = pages.language(request, caller.viewer)
    expected = int(version) if version.isascii() and version.isdigit() else None
    try:
        async with unit_of(request, caller.actor) as unit:
            one = await commands.found(unit, announcement_id, None if step == "stop" else expected)
            acting.require(cluster=one.cluster_id)
            if step == "discard":
                await commands.discard(unit, one)
            else:
                await STEPS[step](unit, one)
    except NotYours:
        raise
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        return turn(f"/announcements/{announcement_id}", said=reason(speak, refusal), tone="bad")
    return turn("/announcements" if step == "discard" else f"/announcements/{announcement_id}",
                said=speak(SAID[step]))  # fmt: skip
