"""One's own notices as pages: the list with what is new, one of them with its words as the mail had them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.notifications import letters
from services.notifications.cursors import place_of, place_told
from services.notifications.inbox import commands, views
from services.notifications.inbox.domain import NotYourNotice
from services.notifications.inbox.views import Noted
from services.notifications.messages import views as messages
from services.notifications.preferences.commands import address_of
from services.notifications.preferences.domain import NoAddress
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.web.language import mark
from shared.web.shell import pages_of, turn
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Own = Annotated[Allowed, May("inbox.own")]
ROWS = 30
COLUMNS = (Column("title", mark("Notice")), Column("at", mark("When")))


@router.get("/inbox", response_class=HTMLResponse)
async def inbox(
    request: Request, service: Serving, caller: Own, after: Annotated[str | None, Query(max_length=80)] = None
) -> Response:
    """The newest first; what was not read stands out."""
    place = place_of(after)
    found: list[Noted] = []
    titles: dict[UUID, str] = {}
    count = 0
    async with service.database.connection() as connection:
        try:
            address = await address_of(connection, caller.viewer)
        except NoAddress:
            address = None
        if address is not None and caller.viewer.subject is not None:
            found = await views.own(connection, address, caller.viewer.subject, place, ROWS + 1)
            count = await views.unread(connection, address, caller.viewer.subject)
        for one in found[:ROWS]:
            if (row := await messages.to_send(connection, one.id)) is not None:
                titles[one.id] = letters.words(service.settings, row).title
    rows = [{"id": one.id, "title": titles.get(one.id), "at": one.created_at, "read": one.read_at is not None}
            for one in found[:ROWS]]  # fmt: skip
    following = place_told(found[ROWS - 1].created_at, found[ROWS - 1].id) if len(found) > ROWS else None
    return pages.render(request, caller.viewer, "inbox.html", listing=Listing(COLUMNS, rows, next=following),
                        count=count, known=address is not None)  # fmt: skip


@router.post("/inbox/read", response_class=HTMLResponse)
async def all_read(request: Request, caller: Own) -> Response:
    """Nothing is new any more."""
    speak = pages.language(request, caller.viewer)
    async with unit_of(request, caller.actor) as unit:
        address = await address_of(unit.connection, caller.viewer)
        assert caller.viewer.subject is not None
        await commands.mark_read(unit, address, caller.viewer.subject)
    return turn("/inbox", said=speak(mark("All of it counts as read")))


@router.get("/inbox/{message_id}", response_class=HTMLResponse)
async def one(request: Request, service: Serving, caller: Own, message_id: UUID) -> Response:
    """One notice; opening it is reading it, which changes nothing but what the bell counts."""
    async with unit_of(request, caller.actor) as unit:
        address = await address_of(unit.connection, caller.viewer)
        row = await messages.to_send(unit.connection, message_id)
        subject = caller.viewer.subject
        if row is None or subject is None or await messages.key_of(unit.connection, message_id) != address:
            raise NotYourNotice("there is no notice {id} of yours", id=message_id, field="message_id")
        await commands.mark_read(unit, address, subject, [message_id])
    told = letters.words(service.settings, row)
    return pages.render(request, caller.viewer, "notice.html", title=told.title, text=told.text, at=row["created_at"],
                        event=f"/agenda/{row['slug']}" if row.get("slug") else None,
                        note=f"/announcement/{row['leave_key']}" if row.get("acknowledge") else None)  # fmt: skip
