"""Bitácora: one line per fact: whom it concerned, by which rule, what was sent and what became of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.notifications.cursors import place_of, place_told
from services.notifications.logbook import views
from services.notifications.logbook.views import Shown
from services.notifications.words import FACTS, REASONS, STATES, SUBJECTS
from shared.http.exports import Ending, exported
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.runtime.service import Service
from shared.web.language import Language, mark
from shared.web.shell import pages_of, scope_of
from shared.web.tables import Choice, Column, Filter, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reader = Annotated[Allowed, May("messages.read")]
ROWS, EXPORTED_AT_ONCE = 50, 1000
COLUMNS = (
    Column("at", mark("When")), Column("fact", mark("What happened")), Column("whom", mark("Whom it concerns")),
    Column("rule", mark("By which rule")), Column("sent", mark("What was sent")),
)  # fmt: skip
ALL = "all"
BY_TIME = mark("a day came")


@router.get("/messages/log", response_class=HTMLResponse)
async def log(
    request: Request, service: Serving, reader: Reader, facts: Annotated[str, Query(max_length=10)] = "",
    after: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:  # fmt: skip
    speak = pages.language(request, reader.viewer)
    async with service.database.connection() as connection:
        found = await views.lines(
            connection, before=place_of(after), written=facts != ALL, cluster=_cluster(request), limit=ROWS + 1,
            span=reader.span(),
        )  # fmt: skip
    following = place_told(found[ROWS - 1].at, found[ROWS - 1].id) if len(found) > ROWS else None
    rows = [_row(one, speak) for one in found[:ROWS]]
    shown = Filter("facts", mark("Facts"), [Choice(ALL, speak(mark("also those that concern nobody")))])
    return pages.render(request, reader.viewer, "log.html", listing=Listing(COLUMNS, rows, (shown,), next=following),
                        query=f"?{request.url.query}" if request.url.query else "", states=STATES)  # fmt: skip


@router.get("/messages/log.{ending}")
async def as_file(
    request: Request, service: Serving, reader: Reader, ending: Ending,
    facts: Annotated[str, Query(max_length=10)] = "",
) -> StreamingResponse:  # fmt: skip
    """The same lines, all of them, as a file."""
    speak = pages.language(request, reader.viewer)
    rows = _exported(service, reader, facts, _cluster(request), speak)
    return await exported(ending, "log", [speak(column.words) for column in COLUMNS], rows)


async def _exported(
    service: Service, reader: Allowed, facts: str, cluster: UUID | None, speak: Language
) -> AsyncIterator[Sequence[Any]]:
    place: tuple[datetime, UUID] | None = None
    while True:
        async with service.database.connection() as connection:
            found = await views.lines(connection, before=place, written=facts != ALL, cluster=cluster,
                                      limit=EXPORTED_AT_ONCE, span=reader.span())  # fmt: skip
        for one in found:
            row = _row(one, speak)
            sent = ", ".join(f"{speak(STATES[state][0])} {count}" for state, count in row["sent"].items())
            yield row["at"], row["fact"], row["whom"], row["rule"], sent
        if len(found) < EXPORTED_AT_ONCE:
            return
        place = found[-1].at, found[-1].id


def _row(one: Shown, speak: Language) -> dict[str, Any]:
    if one.subject is not None:
        rule = speak(SUBJECTS[one.subject])  # type: ignore[index]
    else:
        rule = speak(REASONS.get(one.reason or "", one.reason or ""))
    fact = speak(FACTS.get(one.fact, one.fact) if one.fact else BY_TIME)
    return {
        "at": one.at, "fact": fact, "code": one.fact, "whom": one.organization or one.cluster, "rule": rule,
        "nobody": one.subject is None, "sent": orjson.loads(one.states or "{}"),
        "announcement": f"/announcements/{one.announcement_id}" if one.announcement_id else None,
    }  # fmt: skip


def _cluster(request: Request) -> UUID | None:
    try:
        return UUID(scope_of(request) or "")
    except ValueError:
        return None
