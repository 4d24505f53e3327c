"""Registrations over HTTP: the price and why, oneself and colleagues, accepting, cancelling, who is registered."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.events.gatherings import store as gatherings
from services.events.gatherings.domain import Gathering, NoSuchGathering
from services.events.places import commands as places
from services.events.places import store
from services.events.places.domain import NoSuchRegistration, Registration
from services.events.registrations import commands, views
from services.events.registrations.commands import Person
from services.events.registrations.domain import MOST_AT_ONCE, OnlyForYourself
from services.events.registrations.views import Asked
from shared.contracts.events import PriceGroup, RegistrationStatus
from shared.http.edge import unit_of
from shared.http.inputs import Instant, Line, Mail, OptionalLine
from shared.http.policy import Allowed, May, NotYours, Sees, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection, Row

router = APIRouter(prefix="/events", tags=["registrations"], route_class=Route)

Making = Annotated[Allowed, May("registrations.make")]
Managing = Annotated[Allowed, Sees("registrations.manage")]
Preparing = Annotated[Allowed, Sees("gatherings.prepare")]


class NewPerson(BaseModel):
    """Somebody to be registered. `myself`: it is the caller, whose calendar then shows it."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Line, Field(examples=["Lucía Montes Ferrer"])]
    mail: Annotated[Mail, Field(examples=["lucia.montes@tres-cerros.example"])]
    language: Literal["es", "en"] = "es"
    myself: bool = False


class Registering(BaseModel):
    """Who comes, and for which organisation. `at`: when they registered, for what the organiser enters afterwards."""

    model_config = ConfigDict(extra="forbid")

    organization_id: UUID | None = None
    people: Annotated[list[NewPerson], Field(min_length=1, max_length=MOST_AT_ONCE)]
    at: Instant | None = None


class Cancelling(BaseModel):
    """Why, for the organiser's own record."""

    model_config = ConfigDict(extra="forbid")

    reason: OptionalLine = None


class QuoteView(BaseModel):
    """What somebody pays, as whom, and why; `public` is what everybody else pays."""

    group: PriceGroup
    amount: str
    currency: str
    reason: str
    public: str


class RegistrationView(BaseModel):
    """One registration. `place_in_line` of who waits, `attended_at` of who was seen."""

    id: UUID
    gathering_id: UUID
    number: int
    status: RegistrationStatus
    name: str | None
    mail: str | None
    organization_id: UUID | None
    organization: str | None = None
    group: PriceGroup
    amount: str
    currency: str
    waited: bool
    offer_until: datetime | None
    check_in_code: str
    registered_at: datetime
    place_in_line: int | None = None
    attended_at: datetime | None = None
    method: Literal["qr", "hand", "report"] | None = None


class RegistrationPage(BaseModel):
    """In the order of coming; `next` is the cursor of the following page, null at the end."""

    items: list[RegistrationView]
    next: int | None


async def _own(service: Serving, caller: Making, managing: Managing, registration_id: UUID) -> tuple[Allowed, bool]:
    """The caller, and whether they act as organiser. Raises `NoSuchRegistration` for what is another's."""
    async with service.database.connection() as connection:
        one = await store.load(connection, registration_id)
        if one is not None and not one.erased:
            [gathering] = await gatherings.load(connection, [one.gathering_id])
            organizer = managing.covers(cluster=gathering.plan.cluster_id)
            if organizer or is_theirs(one, caller):
                themselves = one.person_id is not None and one.person_id == caller.viewer.subject
                return caller, organizer and not themselves
    raise NoSuchRegistration("there is no registration {id}", id=registration_id, field="registration_id")


Own = Annotated[tuple[Allowed, bool], Depends(_own)]


def own_organizations(caller: Allowed) -> list[UUID]:
    """The organisations that the caller speaks for."""
    return sorted({held.id for held in caller.viewer.held if held.scope == "organization" and held.id is not None})


def is_theirs(one: Registration, caller: Allowed) -> bool:
    """Whether it is the caller's own, they made it, or it is of their organisation."""
    return (
        (one.person_id is not None and one.person_id == caller.viewer.subject)
        or one.registered_by == caller.actor
        or one.organization_id in own_organizations(caller)
    )


@router.get("/gatherings/{gathering_id}/price", summary="What somebody pays, and why", operation_id="read_price")
async def price(
    service: Serving, caller: Making, managing: Managing, preparing: Preparing, gathering_id: UUID,
    organization_id: Annotated[UUID | None, Query(description="for whom they come")] = None,
) -> QuoteView:  # fmt: skip
    async with service.database.connection() as connection:
        one = await seen(connection, gathering_id, preparing)
        if organization_id is not None and not managing.covers(cluster=one.plan.cluster_id):
            _require_own(caller, organization_id)
        quote = await commands.quoted(connection, one, organization_id, service.clock())
    return QuoteView(group=quote.group, amount=f"{quote.amount:.2f}", currency=quote.currency, reason=quote.reason,
                     public=f"{quote.public:.2f}")  # fmt: skip


@router.post("/gatherings/{gathering_id}/registrations", status_code=201, summary="Register oneself or colleagues",
             operation_id="register_people")  # fmt: skip
async def register(
    request: Request, service: Serving, caller: Making, managing: Managing, preparing: Preparing, gathering_id: UUID,
    body: Registering,
) -> list[RegistrationView]:  # fmt: skip
    async with service.database.connection() as connection:
        one = await seen(connection, gathering_id, preparing)
    organizer = managing.covers(cluster=one.plan.cluster_id)
    people = [Person(p.name, p.mail, p.language, caller.viewer.subject if p.myself else None) for p in body.people]
    if not organizer:
        require_may_register(caller, people, body.organization_id, body.at)
    async with unit_of(request, caller.actor) as unit:
        made = await commands.register(unit, gathering_id, people, organization_id=body.organization_id,
                                       organizer=organizer, at=body.at)  # fmt: skip
    return [_of(one) for one in made]


@router.get("/gatherings/{gathering_id}/registrations", summary="Who is registered, in the order of coming",
            operation_id="list_registrations")  # fmt: skip
async def registrations(
    service: Serving, caller: Annotated[Allowed, May("registrations.read")], gathering_id: UUID,
    status: Annotated[RegistrationStatus | None, Query()] = None,
    after: Annotated[int | None, Query(ge=0, le=2**62, description="cursor: `next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> RegistrationPage:  # fmt: skip
    async with service.database.connection() as connection:
        one = await _gathering(connection, gathering_id)
        caller.require(cluster=one.plan.cluster_id)
        asked = Asked([status] if status else None, after)
        rows = await views.of_gathering(connection, gathering_id, asked, limit + 1)
    items = [_line(row, gathering_id) for row in rows[:limit]]
    return RegistrationPage(items=items, next=items[-1].number if len(rows) > limit else None)


@router.get("/gatherings/{gathering_id}/registrations/own", summary="Who of the caller's is registered",
            operation_id="list_own_registrations")  # fmt: skip
async def own(service: Serving, caller: Making, gathering_id: UUID) -> list[RegistrationView]:
    async with service.database.connection() as connection:
        rows = await views.own(connection, gathering_id, caller.viewer.subject, caller.actor,
                               own_organizations(caller))  # fmt: skip
    return [_line(row, gathering_id) for row in rows]


@router.post("/registrations/{registration_id}/accept", summary="Take the place that was offered",
             operation_id="accept_place")  # fmt: skip
async def accept(request: Request, own: Own, registration_id: UUID) -> RegistrationView:
    async with unit_of(request, own[0].actor) as unit:
        return _of(await places.accept(unit, registration_id))


@router.post("/registrations/{registration_id}/cancel", summary="They do not come", operation_id="cancel_registration")
async def cancel(request: Request, own: Own, registration_id: UUID, body: Cancelling) -> RegistrationView:
    async with unit_of(request, own[0].actor) as unit:
        by: Literal["organizer", "registrant"] = "organizer" if own[1] else "registrant"
        return _of(await commands.cancel(unit, registration_id, by, body.reason))


async def seen(connection: Connection, gathering_id: UUID, preparing: Allowed) -> Gathering:
    """A gathering that the caller may know of. Raises `NoSuchGathering`."""
    one = await _gathering(connection, gathering_id)
    if one.status == "draft" and not preparing.covers(cluster=one.plan.cluster_id):
        raise NoSuchGathering("there is no event {id}", id=gathering_id, field="gathering_id")
    return one


def require_may_register(
    caller: Allowed, people: list[Person], organization_id: UUID | None, at: datetime | None
) -> None:
    """Who does not hold it registers colleagues of their own organisation, or themselves. Raises `OnlyForYourself`."""
    if at is not None:
        raise NotYours("only who holds it enters what happened before")
    if organization_id is not None:
        _require_own(caller, organization_id)
    elif len(people) > 1 or people[0].person_id is None:
        raise OnlyForYourself("say for which organisation they come, or register only yourself",
                              field="organization_id")  # fmt: skip


def _require_own(caller: Allowed, organization_id: UUID) -> None:
    if organization_id not in own_organizations(caller):
        raise OnlyForYourself("this is not your organisation", field="organization_id")


async def _gathering(connection: Connection, gathering_id: UUID) -> Gathering:
    found = await gatherings.load(connection, [gathering_id])
    if not found:
        raise NoSuchGathering("there is no event {id}", id=gathering_id, field="gathering_id")
    return found[0]


def _of(one: Registration) -> RegistrationView:
    return RegistrationView(
        id=one.id, gathering_id=one.gathering_id, number=one.number, status=one.status, name=one.name, mail=one.mail,
        organization_id=one.organization_id, group=one.price_group, amount=f"{one.amount:.2f}", currency=one.currency,
        waited=one.waited, offer_until=one.offer_until, check_in_code=one.check_in_code,
        registered_at=one.registered_at,
    )  # fmt: skip


def _line(row: Row, gathering_id: UUID) -> RegistrationView:
    values = {name: row[name] for name in RegistrationView.model_fields if name in row}
    return RegistrationView(**{**values, "gathering_id": gathering_id, "group": row["price_group"],
                               "amount": f"{row['amount']:.2f}"})  # fmt: skip
