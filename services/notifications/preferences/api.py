"""What one wants to hear of, over HTTP; and leaving a topic with one click, as mail programs do it (RFC 8058)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.notifications.preferences import commands, store
from services.notifications.preferences.domain import Choice, NoAddress, Topic, all_choices
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/notifications/preferences", tags=["preferences"], route_class=Route)

Own = Annotated[Allowed, May("preferences.own")]


class Preference(BaseModel):
    """Where one hears of a topic: by mail, on the page."""

    model_config = ConfigDict(extra="forbid")

    topic: Topic
    mail: bool
    inbox: bool


class Preferences(BaseModel):
    """Topics that are not named stay as they are."""

    model_config = ConfigDict(extra="forbid")

    preferences: Annotated[list[Preference], Field(max_length=20)]


@router.get("", summary="What I hear of, and where", operation_id="read_preferences")
async def read(service: Serving, caller: Own) -> Preferences:
    """Nothing for who has no mail address, as programs have none."""
    async with service.database.connection() as connection:
        try:
            found = all_choices(await store.chosen(connection, await commands.address_of(connection, caller.viewer)))
        except NoAddress:
            found = []
    return Preferences(preferences=[Preference(topic=c.topic, mail=c.mail, inbox=c.inbox) for c in found])


@router.put("", summary="Choose what I hear of, and where", operation_id="choose_preferences")
async def choose(request: Request, caller: Own, body: Preferences) -> Preferences:
    async with unit_of(request, caller.actor) as unit:
        address = await commands.address_of(unit.connection, caller.viewer)
        made = {one.topic: Choice(one.topic, one.mail, one.inbox) for one in body.preferences}
        await commands.choose(unit, address, list(made.values()))
        found = all_choices(await store.chosen(unit.connection, address))
    return Preferences(preferences=[Preference(topic=c.topic, mail=c.mail, inbox=c.inbox) for c in found])


leaving = APIRouter(include_in_schema=False, route_class=Route)


@leaving.post("/unsubscribe/{key}")
async def one_click(request: Request, key: UUID) -> Response:
    """What a mail program sends for its reader. No cookie and no page are needed: who has the link may."""
    async with unit_of(request, "unsubscribe") as unit:
        await commands.leave(unit, key, mail=False)
    return Response(status_code=200)
