"""The live numbers of Inicio: each indicator of the first page today, and how it moved over thirty days."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.reporting.indicators import domain, views
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in
from shared.web.language import mark
from shared.web.shell import pages_of

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

SHOWN = ("organizations", "members")
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
            indicator = domain.indicator_named(code)
            now = await views.value_of(connection, indicator.code, views.Asked(today, None))
            then = await views.value_of(connection, indicator.code, views.Asked(today - OVER, None))
            moved = now - then
            change = said(mark("%(sign)s%(num)s in 30 days"), sign="+" if moved > 0 else "−" if moved < 0 else "±",
                          num=said.number(abs(moved)))  # fmt: skip
            name = indicator.name.es if said.code == "es" else indicator.name.en
            shown.append((name, now, change, "up" if moved > 0 else "down" if moved < 0 else "flat"))
    return pages.fragment(request, reader.viewer, "home_figures.html", shown=shown)
