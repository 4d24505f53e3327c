"""The tab of an organisation's page that tells what its people take part in: a part that events answers by itself."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.events.participation import views
from services.events.words import KINDS, STATUSES
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.web.language import mark
from shared.web.shell import pages_of
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

COLUMNS = (
    Column("title", mark("Event")), Column("host", mark("Who holds it")),
    Column("people", mark("Registered"), numeric=True), Column("attended", mark("Attended"), numeric=True),
    Column("hours", mark("Hours of training"), numeric=True),
)  # fmt: skip


@router.get("/events/pages/organizations/{organization_id}", response_class=HTMLResponse)
async def participation(
    request: Request, service: Serving, reader: Annotated[Allowed, May("participation.read")], organization_id: UUID
) -> Response:
    """Events of its people with how many came, by year in sum."""
    speak = pages.language(request, reader.viewer)
    async with service.database.connection() as connection:
        await views.require(connection, reader, organization_id)
        rows = await views.of_organization(connection, organization_id)
    told = [
        {**dict(row), "kind": speak(KINDS[row["kind"]]), "chip": (speak(STATUSES[row["status"]][0]),
                                                                  STATUSES[row["status"]][1])}
        for row in rows
    ]  # fmt: skip
    return pages.fragment(request, reader.viewer, "participation.html", listing=Listing(COLUMNS, told),
                          totals=views.totals(rows))  # fmt: skip
