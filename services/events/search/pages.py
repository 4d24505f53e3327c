"""What events adds to the search of the top bar: events by title, place or speaker, those to come first."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.events.search import views
from services.events.words import KINDS
from shared.http.inputs import OptionalLine
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.web.language import mark
from shared.web.shell import pages_of

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

AT_MOST = 8


@router.get("/events/pages/search", response_class=HTMLResponse)
async def found(
    request: Request, service: Serving, reader: Annotated[Allowed, May("gatherings.read")],
    preparing: Annotated[Allowed, Sees("gatherings.prepare")], q: Annotated[OptionalLine, Query()] = None,
    nothing: Annotated[Literal["yes"] | None, Query()] = None,
) -> Response:  # fmt: skip
    """At most eight; `nothing` says that nobody else found anything, so that this part tells it."""
    speak = pages.language(request, reader.viewer)
    rows = []
    if q is not None:
        async with service.database.connection() as connection:
            rows = await views.called(connection, q, preparing.span(), service.clock(), AT_MOST)
    lines = [
        (f"/agenda/{row['slug']}", row["title"], f"{speak(KINDS[row['kind']])} · {speak.day(row['day'])}")
        for row in rows
    ]
    groups = [(speak(mark("Events")), lines)]
    return pages.fragment(request, reader.viewer, "events_found.html", groups=groups, query=q or "",
                          tells=nothing is not None)  # fmt: skip
