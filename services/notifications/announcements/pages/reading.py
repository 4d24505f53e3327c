"""What the reader of an announcement sees by the link of their mail: its text, and a button to say they took note."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.notifications.announcements import commands
from services.notifications.announcements.pages.parts import pages
from services.notifications.announcements.store import load
from services.notifications.subjects.views import blocks
from shared.http.edge import unit_of
from shared.http.policy import Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection
from shared.web.language import CODES

router = APIRouter(include_in_schema=False, route_class=Route)

ANSWERED = "SELECT how FROM answer WHERE message_id = $1"


@router.get("/announcement/{key}", response_class=HTMLResponse)
async def shown(request: Request, service: Serving, key: UUID) -> Response:
    """Mail scanners open links: nothing is noted by looking."""
    async with service.database.connection() as connection:
        return await _page(request, connection, key)


@router.post("/announcement/{key}", response_class=HTMLResponse)
async def acknowledged(request: Request, key: UUID) -> Response:
    """Its reader took note. No sign-in is needed: who has the link of the mail may."""
    async with unit_of(request, "reader") as unit:
        await commands.acknowledge(unit, key)
        return await _page(request, unit.connection, key)


async def _page(request: Request, connection: Connection, key: UUID) -> Response:
    found = await commands.keyed(connection, key)
    one = await load(connection, found.announcement_id)
    assert one is not None
    language = one.in_language(found.language)
    if language in CODES:
        request.state.speaks = language
    title, body = one.text(language)
    noted = await connection.fetchval(ANSWERED, found.message_id) == "acknowledged"
    return pages.render(request, None, "read.html", title=title, blocks=blocks(body), key=key, noted=noted,
                        asks=one.writing.acknowledge)  # fmt: skip
