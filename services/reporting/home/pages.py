"""The live numbers of Inicio: each indicator of the first page today, and how it moved over thirty days."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.reporting.catalogue import views
from services.reporting.catalogue.domain import Indicator, indicator_named, period_of
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection
from shared.postgres.values import day_in
from shared.web.language import mark
from shared.web.shell import pages_of

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

SHOWN = ("organizations", "members", "registrations", "attendance")
"""The indicators of the first page, in their order."""
OVER = timedelta(days=30)


@router.get("/reporting/pages/home/figures", response_class=HTMLResponse)
async def figures(request: Request, service: Serving, reader: Annotated[Allowed, May("indicators.read")]) -> Response:
    """The numbers as of today, each with its change over thirty days."""
    said = pages.language(request, reader.viewer)
    today = day_in(service.settings.network_zone, service.clock())
    shown = []
    async with (
        service.database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        for code in SHOWN:
            indicator = indicator_named(code)
            first = period_of(indicator, today, None)
            now = await _whole(connection, indicator, today, first)
            then = await _whole(connection, indicator, today - OVER, first)
            moved = now - then
            change = said(mark("%(sign)s%(num)s in 30 days"), sign="+" if moved > 0 else "−" if moved < 0 else "±",
                          num=said.number(abs(moved)))  # fmt: skip
            name = indicator.name.es if said.code == "es" else indicator.name.en
            name = f"{name}, {first.year}" if indicator.flow else name
            shown.append((name, now, change, "up" if moved > 0 else "down" if moved < 0 else "flat"))
    return pages.fragment(request, reader.viewer, "home_figures.html", shown=shown)


async def _whole(connection: Connection, indicator: Indicator, day: date, first: date) -> int:
    """The figure as of a day; where a period is counted, of the one that began on `first`, as on its own page."""
    if indicator.flow and day < first:
        return 0
    return int((await views.total(connection, indicator, views.Asked(day, None, None, first))).value or 0)
