"""The clusters of the network as of any date, as a page and as files; their officers for who belongs to the staff."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BeforeValidator

from services.membership.clusters import views
from services.membership.places import state_name
from shared.http.exports import Ending, exported
from shared.http.inputs import Day
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in
from shared.runtime.service import Service
from shared.web.language import mark
from shared.web.shell import pages_of
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reader = Annotated[Allowed, May("clusters.read")]
Officers = Annotated[Allowed, Sees("clusters.officers")]
AsOf = Annotated[Day | None, BeforeValidator(lambda text: text or None), Query()]

COLUMNS = (
    Column("name", mark("Cluster")), Column("state", mark("State"), minor=True),
    Column("since", mark("In the network since")), Column("members", mark("Members"), numeric=True),
)  # fmt: skip
OFFICES = (
    Column("director", mark("Executive director"), minor=True), Column("president", mark("President"), minor=True),
)  # fmt: skip


@router.get("/clusters", response_class=HTMLResponse)
async def clusters(
    request: Request, service: Serving, reader: Reader, officers: Officers, as_of: AsOf = None
) -> Response:
    """The clusters that belonged on a day, today unless another is asked for."""
    day = as_of or day_in(service.settings.network_zone, service.clock())
    rows = await _rows(service, officers, day)
    shown = Listing((*COLUMNS, *(OFFICES if officers.everything else ())), rows, total=len(rows))
    return pages.render(request, reader.viewer, "clusters.html", listing=shown, on=day)


@router.get("/clusters.{ending}")
async def as_file(
    request: Request, service: Serving, reader: Reader, officers: Officers, ending: Ending, as_of: AsOf = None
) -> StreamingResponse:
    """The same clusters as a file."""
    speak = pages.language(request, reader.viewer)
    day = as_of or day_in(service.settings.network_zone, service.clock())
    columns = (*COLUMNS, *(OFFICES if officers.everything else ()))

    async def lines() -> AsyncIterator[Sequence[Any]]:
        for row in await _rows(service, officers, day):
            yield [
                [one.name for one in row[column.key]] if column in OFFICES else row[column.key] for column in columns
            ]

    return await exported(ending, "clusters", [speak(column.words) for column in columns], lines())


async def _rows(service: Service, officers: Allowed, day: date) -> list[dict[str, Any]]:
    async with service.database.connection() as connection:
        found = await views.in_network(connection, day)
        offices = await views.officers(connection, day) if officers.everything else {}
    return [
        {
            "slug": row["slug"], "name": row["name"], "state": state_name(row["country"], row["state"]),
            "since": row["since"], "until": row["until"], "members": row["members"],
            "director": offices.get((row["id"], "cluster_director"), []),
            "president": offices.get((row["id"], "cluster_president"), []),
        }
        for row in found
    ]  # fmt: skip
