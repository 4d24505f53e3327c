"""The list of announcements, and what waits on the first page to be released by another."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.notifications.announcements import store, views
from services.notifications.announcements.pages.parts import STATUS, MayPrepare, MayRelease, Reader, names_of, pages
from services.notifications.cursors import place_of, place_told
from shared.http.policy import Serving, Viewing
from shared.http.routes import Route
from shared.web.language import mark
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)

ROWS = 30
COLUMNS = (
    Column("title", mark("Announcement")), Column("status", mark("State of it")),
    Column("people", mark("People"), numeric=True), Column("sent", mark("Sent"), numeric=True),
    Column("answered", mark("Read"), numeric=True, minor=True), Column("at", mark("Made"), minor=True),
)  # fmt: skip


@router.get("/announcements", response_class=HTMLResponse)
async def announcements(
    request: Request, service: Serving, reader: Reader, preparing: MayPrepare,
    after: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:  # fmt: skip
    place = place_of(after)
    async with service.database.connection() as connection:
        found = await store.page(connection, reader.span(), None, place, ROWS + 1)
        tallies = await views.tallies(connection, [one.id for one in found[:ROWS]])
        names = await names_of(connection, found[:ROWS])
    rows = [
        {"id": one.id, "title": one.text(one.in_language("es"))[0], "status": one.status, "at": one.made_at,
         "by": names.get(one.made_by), "people": tallies[one.id].people,
         "sent": tallies[one.id].states.get("sent", 0), "answered": tallies[one.id].answered}
        for one in found[:ROWS]
    ]  # fmt: skip
    following = place_told(found[ROWS - 1].made_at, found[ROWS - 1].id) if len(found) > ROWS else None
    return pages.render(
        request, reader.viewer, "announcements.html", listing=Listing(COLUMNS, rows, next=following), words=STATUS,
        prepares=preparing.everything or bool(preparing.clusters),
    )  # fmt: skip


@router.get("/notifications/pages/home/pending", response_class=HTMLResponse)
async def pending(request: Request, service: Serving, viewer: Viewing, releasing: MayRelease) -> Response:
    """What another prepared and the viewer may release."""
    speak = pages.language(request, viewer)
    lines: list[tuple[str, str, str, str]] = []
    if releasing.everything or releasing.clusters:
        async with service.database.connection() as connection:
            found = await store.waiting(connection, releasing.span(), releasing.actor)
            names = await names_of(connection, found)
        lines = [
            (speak(mark("“%(title)s” is ready to be sent; %(name)s prepared it"),
                   title=one.text(one.in_language(speak.code))[0],
                   name=names.get(one.prepared_by or "", speak(mark("somebody")))),
             one.prepared_at.date().isoformat(), speak(mark("Look and release")), f"/announcements/{one.id}")
            for one in found if one.prepared_at is not None
        ]  # fmt: skip
    return pages.fragment(request, viewer, "announcements_wait.html", lines=lines)
