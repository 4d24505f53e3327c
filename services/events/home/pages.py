"""Two parts of Inicio: the next events with how full they are; drafts and ended events that wait for who holds them."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.events.home import views
from services.events.words import KINDS
from shared.http.policy import Allowed, May, Sees, Serving, Viewing
from shared.http.routes import Route
from shared.web.language import mark
from shared.web.shell import pages_of

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)


@router.get("/events/pages/home/next", response_class=HTMLResponse)
async def coming(request: Request, service: Serving, reader: Annotated[Allowed, May("gatherings.read")]) -> Response:
    """The next five events."""
    async with service.database.connection() as connection:
        found = await views.coming(connection, service.clock())
    return pages.fragment(request, reader.viewer, "home_next.html", found=found, kinds=KINDS)


@router.get("/events/pages/home/pending", response_class=HTMLResponse)
async def pending(
    request: Request, service: Serving, viewer: Viewing, publishing: Annotated[Allowed, Sees("gatherings.publish")]
) -> Response:
    """Drafts to publish, and events that are over and not closed, of what the viewer may publish."""
    said = pages.language(request, viewer)
    now = service.clock()
    lines: list[tuple[str, str, str, str]] = []
    if publishing.everything or publishing.clusters:
        async with service.database.connection() as connection:
            drafts = await views.drafts(connection, publishing)
            over = await views.over(connection, publishing, now)
        lines = [
            (said(mark("%(title)s is a draft, to be published"), title=row["title"]),
             row["changed_at"].date().isoformat(), said(mark("Look at it")), f"/agenda/{row['slug']}")
            for row in drafts
        ] + [
            (said(mark("%(title)s is over: who was there?"), title=row["title"]), row["ends"].date().isoformat(),
             said(mark("Close it")), f"/agenda/{row['slug']}/people")
            for row in over
        ]  # fmt: skip
    return pages.fragment(request, viewer, "home_waits.html", lines=sorted(lines, key=lambda line: line[1])[:8])
