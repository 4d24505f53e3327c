"""What was sent, as pages: one line per message, newest first; one message with its attempts, and one more try.

Whom a message went to is told by organisation and cluster, never by name or address.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.notifications.messages import commands, domain, views
from services.notifications.messages.domain import State
from services.notifications.words import STATES, SUBJECTS
from shared.http.edge import unit_of
from shared.http.exports import Ending, exported
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.language import Language, mark
from shared.web.shell import pages_of, scope_of, turn
from shared.web.tables import Choice, Column, Filter, Listing, Without
from shared.web.tour import reached

Reader = Annotated[Allowed, May("messages.read")]

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROWS = 50
EXPORTED_AT_ONCE = 1000
COLUMNS = (
    Column("subject", mark("Notice")), Column("organization", mark("Organisation")),
    Column("cluster", mark("Cluster"), minor=True), Column("state", mark("State")), Column("created_at", mark("Made")),
    Column("attempts", mark("Attempts"), numeric=True, minor=True),
)  # fmt: skip
OUTCOMES = {
    "sent": mark("taken by the mail server"),
    "retry": mark("put off; it is tried again"),
    "failed": mark("refused for good"),
    "suppressed": mark("not tried: the address has refused before"),
    "muted": mark("not sent: its reader turned this off"),
}
"""Outcomes in words."""


class NoSuchPlace(Refusal):
    """The address of the page names no place of the list."""


@router.get("/messages", response_class=HTMLResponse)
async def messages(
    request: Request, service: Serving, reader: Reader,
    state: Annotated[list[State], Query(default_factory=list, max_length=7)],
    after: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:  # fmt: skip
    said = pages.language(request, reader.viewer)
    scope = scope_of(request)
    cluster = _identifier(scope) if scope else None
    async with service.database.connection() as connection:
        found = await views.newest(
            connection, before=_place(after), states=state, cluster=cluster, limit=ROWS + 1, span=reader.span()
        )
        counts = await views.counts_by_state(connection, cluster, reader.span())
    choices = [Choice(one, said(STATES[one][0]), counts.get(one, 0)) for one in get_args(State)]
    more = found[ROWS - 1] if len(found) > ROWS else None
    listing = Listing(
        COLUMNS, found[:ROWS], (Filter("state", mark("State"), choices),),
        next=f"{(more['created_at'] - EPOCH) // timedelta(microseconds=1)}.{more['id']}" if more else None,
        total=sum(counts.get(one, 0) for one in (state or get_args(State))),
        without=[Without("state", one, said(STATES[one][0]), sum(counts.get(s, 0) for s in state if s != one)
                         if len(state) > 1 else sum(counts.values())) for one in state],
    )  # fmt: skip
    return pages.render(request, reader.viewer, "messages.html", listing=listing, states=STATES, subjects=SUBJECTS,
                        query=f"?{request.url.query}" if request.url.query else "")  # fmt: skip


@router.get("/messages.{ending}")
async def as_file(
    request: Request, service: Serving, reader: Reader, ending: Ending,
    state: Annotated[list[State], Query(default_factory=list, max_length=7)],
) -> StreamingResponse:  # fmt: skip
    """The same list, whole, as a file."""
    said = pages.language(request, reader.viewer)
    rows = _exported(service, reader, state, scope_of(request), said)
    return await exported(ending, "messages", [said(column.words) for column in COLUMNS], rows)


async def _exported(
    service: Service, reader: Allowed, state: list[State], scope: str | None, said: Language
) -> AsyncIterator[Sequence[Any]]:
    place: tuple[datetime, UUID] | None = None
    while True:
        async with service.database.connection() as connection:
            found = await views.newest(
                connection, before=place, states=state, cluster=_identifier(scope) if scope else None,
                limit=EXPORTED_AT_ONCE, span=reader.span(),
            )  # fmt: skip
        for row in found:
            subject, state_of = SUBJECTS[row["subject"]], STATES[row["state"]][0]
            yield (
                said(subject), row["organization"], row["cluster"], said(state_of), row["created_at"], row["attempts"],
            )  # fmt: skip
        if len(found) < EXPORTED_AT_ONCE:
            return
        place = found[-1]["created_at"], found[-1]["id"]


@router.get("/messages/{message_id}", response_class=HTMLResponse)
async def message(
    request: Request, service: Serving, reader: Reader, sending: Annotated[Allowed, Sees("messages.send")],
    message_id: UUID,
) -> Response:  # fmt: skip
    async with service.database.connection() as connection:
        await views.require_message(connection, reader, message_id)
        found = await views.message(connection, message_id)
        about = await views.about(connection, message_id)
    if found is None:
        raise domain.NoSuchMessage("there is no message {id}", field="message_id", id=message_id)
    row, deliveries = found
    if row["subject"] == "approved" and row["state"] == "sent":
        reached(request, "mail")
    may_retry = row["state"] in ("due", "failed", "suppressed") and sending.covers(
        cluster=about["cluster_id"], organization=about["organization_id"]
    )
    context: dict[str, Any] = {"row": row, "deliveries": deliveries, "about": about, "may_retry": may_retry}
    return pages.render(
        request, reader.viewer, "message.html", states=STATES, subjects=SUBJECTS, outcomes=OUTCOMES, **context
    )


@router.post("/messages/{message_id}/retry", response_class=HTMLResponse)
async def retry(request: Request, caller: Annotated[Allowed, May("messages.send")], message_id: UUID) -> Response:
    said = pages.language(request, caller.viewer)
    async with unit_of(request, caller.actor) as unit:
        await views.require_message(unit.connection, caller, message_id)
        await commands.retry_message(unit, message_id)
    return turn(f"/messages/{message_id}", said=said(mark("It is sent again in a moment")))


def _place(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    micros, _, id_ = cursor.partition(".")
    found = _identifier(id_)
    if found is None or not (micros.isascii() and micros.isdigit() and len(micros) <= 16):
        raise NoSuchPlace("this is no place of the list", field="after")
    return EPOCH + timedelta(microseconds=int(micros)), found


def _identifier(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
