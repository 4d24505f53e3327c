"""Gatherings over HTTP: parse, call one command or one read, answer."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from services.events.gatherings import commands, store, views
from services.events.gatherings.commands import GatheringWriting, PriceWriting, SessionWriting
from services.events.gatherings.domain import Gathering, NoSuchGathering
from services.events.gatherings.views import Asked
from services.events.places import store as places
from shared.contracts.events import GatheringKind, Mode
from shared.http.edge import unit_of
from shared.http.inputs import Day, Instant, Line, OptionalLine, Slug
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.http.versions import NeededVersion, tagged
from shared.postgres.pool import Connection
from shared.refusal import Refusal

router = APIRouter(prefix="/events/gatherings", tags=["gatherings"], route_class=Route)

Reader = Annotated[Allowed, May("gatherings.read")]
Preparing = Annotated[Allowed, Sees("gatherings.prepare")]
Status = Literal["draft", "published", "postponed", "cancelled", "held"]


class MalformedCursor(Refusal):
    """A page is to begin behind something that is no row."""


class GatheringView(BaseModel):
    """A gathering as it is. `places_left` is null where there is no limit, `join_url` but for who prepares it."""

    id: UUID
    slug: str
    status: Status
    cluster_id: UUID | None
    network_id: UUID | None
    kind: GatheringKind
    title: str
    summary: str
    description: str
    speakers: str
    language: Literal["es", "en"]
    mode: Mode
    starts: datetime
    ends: datetime
    zone: str
    place: str | None
    country: str | None
    state: str | None
    join_url: str | None
    capacity: int | None
    waiting_list: bool
    accept_hours: int
    closes: datetime
    currency: str
    series: str | None
    sessions: list[SessionWriting]
    prices: list[PriceWriting]
    sequence: int
    published_on: date | None
    revision: int
    taken: int
    waiting: int
    places_left: int | None


class GatheringLine(BaseModel):
    """A gathering in a list."""

    id: UUID
    slug: str
    status: Status
    cluster_id: UUID | None
    host: str | None
    kind: GatheringKind
    title: str
    mode: Mode
    starts: datetime
    ends: datetime
    zone: str
    place: str | None
    capacity: int | None
    taken: int
    waiting: int


class GatheringPage(BaseModel):
    """`next` is the cursor of the following page, null at the end."""

    items: list[GatheringLine]
    next: str | None


class Publishing(BaseModel):
    """`effective` is for what is entered afterwards: the day on which it was announced."""

    model_config = ConfigDict(extra="forbid")

    effective: Day | None = None


class Postponing(BaseModel):
    """The new times, or neither while they have to be said."""

    model_config = ConfigDict(extra="forbid")

    starts: Instant | None = None
    ends: Instant | None = None
    reason: OptionalLine = None


class Cancelling(BaseModel):
    """Why it is not held."""

    model_config = ConfigDict(extra="forbid")

    reason: Line


async def _prepared(
    service: Serving, caller: Annotated[Allowed, May("gatherings.prepare")],
    releasing: Annotated[Allowed, Sees("gatherings.publish")], gathering_id: UUID,
) -> Allowed:  # fmt: skip
    """Whoever may write this one: a draft is prepared, what is published changes only by who may publish."""
    async with service.database.connection() as connection:
        one = await _one(connection, gathering_id)
    caller.require(cluster=one.plan.cluster_id)
    if one.status != "draft":
        releasing.require(cluster=one.plan.cluster_id)
    return caller


async def _released(
    service: Serving, caller: Annotated[Allowed, May("gatherings.publish")], gathering_id: UUID
) -> Allowed:
    async with service.database.connection() as connection:
        caller.require(cluster=(await _one(connection, gathering_id)).plan.cluster_id)
    return caller


Prepared = Annotated[Allowed, Depends(_prepared)]
Released = Annotated[Allowed, Depends(_released)]


@router.get("", summary="Gatherings by time", operation_id="list_gatherings")
async def gatherings(
    service: Serving, _reader: Reader, preparing: Preparing,
    since: Annotated[Instant | None, Query(description="those that end after this")] = None,
    until: Annotated[Instant | None, Query(description="those that start before this")] = None,
    kind: Annotated[GatheringKind | None, Query()] = None,
    cluster: Annotated[Slug | None, Query(description="a cluster's slug")] = None,
    status: Annotated[Status | None, Query()] = None,
    after: Annotated[str | None, Query(max_length=100, description="cursor: `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> GatheringPage:  # fmt: skip
    asked = Asked(since, until, [kind] if kind else None, [cluster] if cluster else None,
                  [status] if status else None, member=True, drafts=preparing.span(), after=_cursor(after))  # fmt: skip
    async with service.database.connection() as connection:
        rows = await views.gatherings(connection, asked, limit + 1)
    items = [GatheringLine(**{name: row[name] for name in GatheringLine.model_fields}) for row in rows[:limit]]
    last = f"{items[-1].starts.isoformat()}_{items[-1].id}" if len(rows) > limit else None
    return GatheringPage(items=items, next=last)


@router.post("", status_code=201, summary="Draft a gathering", operation_id="draft_gathering")
async def draft(
    request: Request, response: Response, caller: Annotated[Allowed, May("gatherings.prepare")], body: GatheringWriting
) -> GatheringView:
    caller.require(cluster=body.cluster_id)
    async with unit_of(request, caller.actor) as unit:
        made = await commands.draft(unit, body.plan())
        response.headers["Location"] = f"/events/gatherings/{made.id}"
        return await _view(unit.connection, response, made, caller)


@router.get("/{gathering_id}", summary="One gathering", operation_id="read_gathering")
async def gathering(
    service: Serving, response: Response, _reader: Reader, preparing: Preparing, gathering_id: UUID
) -> GatheringView:
    async with service.database.connection() as connection:
        one = await _one(connection, gathering_id)
        if one.status == "draft" and not preparing.covers(cluster=one.plan.cluster_id):
            raise NoSuchGathering("there is no event {id}", id=gathering_id, field="gathering_id")
        return await _view(connection, response, one, preparing)


@router.put("/{gathering_id}", summary="Write a gathering anew, whole", operation_id="change_gathering")
async def change(
    request: Request, response: Response, caller: Prepared, gathering_id: UUID, expected: NeededVersion,
    body: GatheringWriting,
) -> GatheringView:  # fmt: skip
    caller.require(cluster=body.cluster_id)
    async with unit_of(request, caller.actor) as unit:
        one = await commands.change(unit, gathering_id, body.plan(), expected)
        return await _view(unit.connection, response, one, caller)


@router.delete("/{gathering_id}", status_code=204, summary="Throw a draft away", operation_id="discard_gathering")
async def discard(request: Request, caller: Prepared, gathering_id: UUID) -> None:
    async with unit_of(request, caller.actor) as unit:
        await commands.discard(unit, gathering_id)


@router.post("/{gathering_id}/publish", summary="Publish it: everybody may register", operation_id="publish_gathering")
async def publish(
    request: Request, response: Response, caller: Released, gathering_id: UUID, body: Publishing
) -> GatheringView:
    async with unit_of(request, caller.actor) as unit:
        one = await commands.publish(unit, gathering_id, body.effective)
        return await _view(unit.connection, response, one, caller)


@router.post("/{gathering_id}/postpone", summary="Hold it another day", operation_id="postpone_gathering")
async def postpone(
    request: Request, response: Response, caller: Released, gathering_id: UUID, body: Postponing
) -> GatheringView:
    async with unit_of(request, caller.actor) as unit:
        one = await commands.postpone(unit, gathering_id, body.starts, body.ends, body.reason)
        return await _view(unit.connection, response, one, caller)


@router.post("/{gathering_id}/cancel", summary="Cancel it", operation_id="cancel_gathering")
async def cancel(
    request: Request, response: Response, caller: Released, gathering_id: UUID, body: Cancelling
) -> GatheringView:
    async with unit_of(request, caller.actor) as unit:
        one = await commands.cancel(unit, gathering_id, body.reason)
        return await _view(unit.connection, response, one, caller)


@router.post("/{gathering_id}/hold", summary="It took place", operation_id="hold_gathering")
async def hold(request: Request, response: Response, caller: Released, gathering_id: UUID) -> GatheringView:
    async with unit_of(request, caller.actor) as unit:
        one = await commands.hold(unit, gathering_id)
        return await _view(unit.connection, response, one, caller)


async def _one(connection: Connection, gathering_id: UUID) -> Gathering:
    found = await store.load(connection, [gathering_id])
    if not found:
        raise NoSuchGathering("there is no event {id}", id=gathering_id, field="gathering_id")
    return found[0]


async def _view(connection: Connection, response: Response, one: Gathering, preparing: Allowed) -> GatheringView:
    seating = await places.seating(connection, one.id)
    tagged(response, one.revision)
    plan = one.plan
    values: dict[str, Any] = {
        name: getattr(plan, name) for name in GatheringView.model_fields
        if hasattr(plan, name) and name not in ("sessions", "prices", "closes", "join_url")
    }  # fmt: skip
    return GatheringView(
        **values, id=one.id, slug=one.slug, status=one.status, network_id=one.network_id, closes=one.closes,
        join_url=plan.join_url if preparing.covers(cluster=plan.cluster_id) else None,
        sessions=[SessionWriting(title=s.title, starts=s.starts, ends=s.ends, place=s.place, speaker=s.speaker)
                  for s in plan.sessions],
        prices=[PriceWriting(group=p.group, amount=p.amount, category=p.category, since=p.since, benefit=p.benefit)
                for p in plan.prices],
        sequence=one.sequence, published_on=one.published_on, revision=one.revision,
        taken=seating.taken if seating else 0, waiting=seating.waiting if seating else 0,
        places_left=seating.free if seating else plan.capacity,
    )  # fmt: skip


def _cursor(text: str | None) -> tuple[datetime, UUID] | None:
    if not text:
        return None
    when, _, id_ = text.partition("_")
    try:
        moment = datetime.fromisoformat(when)
        if moment.tzinfo is None or not 1900 <= moment.year <= 2199:
            raise ValueError
        return moment, UUID(id_)
    except ValueError:
        raise MalformedCursor("this is no place of the list", field="after") from None
