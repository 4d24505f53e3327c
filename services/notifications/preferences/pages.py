"""Preferences as a page of one's own, and the page behind the link of a mail: it changes nothing until one says so."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.notifications.preferences import commands, store
from services.notifications.preferences.domain import TOPICS, Choice, NoAddress, Topic, all_choices
from services.notifications.preferences.store import Linked
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.web.language import CODES, mark
from shared.web.shell import pages_of, turn

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Own = Annotated[Allowed, May("preferences.own")]
WORDS: dict[Topic, tuple[str, str]] = {
    "welcome": (mark("Welcome"), mark("When a membership of your organisation comes into force.")),
    "contacts": (mark("Enquiries"), mark("When somebody writes to your organisation by the directory.")),
    "announcements": (mark("Announcements"), mark("When your cluster or the network writes to many at once.")),
    "reminders": (mark("Reminders"), mark("A week and a day before an event in which you have a place.")),
    "certificates": (
        mark("Certificates"),
        mark("Two months, a month and a week before one of your organisation ends."),
    ),
}


@router.get("/preferences", response_class=HTMLResponse)
async def preferences(request: Request, service: Serving, caller: Own) -> Response:
    async with service.database.connection() as connection:
        try:
            found = all_choices(await store.chosen(connection, await commands.address_of(connection, caller.viewer)))
        except NoAddress:
            found = []
    return pages.render(request, caller.viewer, "preferences.html", choices=found, words=WORDS)


@router.post("/preferences", response_class=HTMLResponse)
async def choose(request: Request, caller: Own) -> Response:
    """A box that is not ticked is turned off."""
    speak = pages.language(request, caller.viewer)
    form = await request.form()
    async with unit_of(request, caller.actor) as unit:
        address = await commands.address_of(unit.connection, caller.viewer)
        choices = [Choice(topic, f"{topic}.mail" in form, f"{topic}.inbox" in form) for topic in TOPICS]
        await commands.choose(unit, address, choices)
    return turn("/preferences", said=speak(mark("Saved")))


@router.get("/unsubscribe/{key}", response_class=HTMLResponse)
async def leaving(request: Request, service: Serving, key: UUID) -> Response:
    """What the link would do. Mail scanners open links: nothing is changed by looking."""
    async with service.database.connection() as connection:
        found, topic = await commands.link(connection, key)
        assert found.address is not None
        chosen = (await store.chosen(connection, found.address)).get(topic, Choice(topic))
    return _page(request, found, topic, key, mail=chosen.mail)


@router.post("/unsubscribe/{key}/{step}", response_class=HTMLResponse)
async def leave(request: Request, key: UUID, step: Literal["leave", "return"]) -> Response:
    async with unit_of(request, "unsubscribe") as unit:
        found, topic = await commands.leave(unit, key, mail=step == "return")
    return _page(request, found, topic, key, mail=step == "return")


def _page(request: Request, found: Linked, topic: Topic, key: UUID, *, mail: bool) -> Response:
    if found.language in CODES:
        request.state.speaks = found.language
    local, _, domain = (found.mail or "").partition("@")
    return pages.render(request, None, "unsubscribe.html", topic=WORDS[topic], key=key, mail=mail,
                        shown=f"{local[:2]}…@{domain}")  # fmt: skip
