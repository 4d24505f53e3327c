"""Asking for what one's role does not open: the page of a refusal has the button, the coordinators get the mail."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urljoin

from fastapi import APIRouter, BackgroundTasks, Form, Request, Response
from fastapi.responses import HTMLResponse

from services.membership import mailing
from services.membership.access import store
from services.membership.access.commands import letters
from services.membership.access.pages.parts import pages
from shared.http import limits
from shared.http.policy import Serving, Viewing, check_not_from_elsewhere
from shared.http.routes import Route
from shared.http.sessions import door_of
from shared.postgres.values import day_in
from shared.web.language import mark
from shared.web.shell import local_path, turn

router = APIRouter(include_in_schema=False, route_class=Route)

A_DAY = 10
"""So often may somebody ask within a day."""


@router.post("/access/ask", response_class=HTMLResponse)
async def ask(
    request: Request, service: Serving, background: BackgroundTasks, viewer: Viewing,
    page: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:  # fmt: skip
    """Writes to the network's coordinators that somebody would need this page. Nothing else changes."""
    check_not_from_elsewhere(request)
    said = pages.language(request, viewer)
    today = day_in(service.settings.network_zone, service.clock())
    address = urljoin(door_of(request), local_path(page))
    async with service.database.connection() as connection:
        await limits.allow(connection, f"asked by {viewer.actor}", A_DAY, timedelta(days=1), now=service.clock())
        coordinators = await store.coordinators(connection, today)
        [account] = await store.load(connection, [viewer.subject]) if viewer.subject else [None]
    for coordinator in coordinators:
        letter = letters.asked_letter(coordinator, viewer.name, account.mail if account else None, address)
        background.add_task(mailing.send, service, letter)
    return turn("/", said=said(mark("The coordination was asked; they answer by mail")))
