"""Attendance over HTTP: scans with their own time, taken back when they were a mistake, the result in numbers."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.events.attendance import commands
from services.events.attendance.domain import Scan
from services.events.gatherings import store as gatherings
from services.events.gatherings.domain import NoSuchGathering
from services.events.places import commands as places
from services.events.places import store
from services.events.places.domain import NoSuchRegistration
from services.events.registrations import views
from shared.contracts.events import PriceGroup
from shared.http.edge import unit_of
from shared.http.inputs import Instant, OptionalLine, Unfit
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/events", tags=["attendance"], route_class=Route)


class ScanWriting(BaseModel):
    """Somebody who was seen, by code or registration. `at` is the time of the scan; without it, now."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str | None, Field(min_length=4, max_length=40, examples=["8K2M-Q4TZ-71XD-9RWE"])] = None
    registration_id: UUID | None = None
    at: Instant | None = None
    method: Literal["qr", "hand", "report"] = "qr"

    @model_validator(mode="after")
    def _one(self) -> "ScanWriting":
        if (self.code is None) == (self.registration_id is None):
            raise Unfit("write the code or the registration")
        return self


class CheckingIn(BaseModel):
    """Scans, e.g. those of a phone that had no network."""

    model_config = ConfigDict(extra="forbid")

    scans: Annotated[list[ScanWriting], Field(min_length=1, max_length=500)]


class Withdrawing(BaseModel):
    """Why they were not there after all."""

    model_config = ConfigDict(extra="forbid")

    reason: OptionalLine = None


class SeenView(BaseModel):
    """What became of a scan. `new` is false when they had been seen before; `at` is when they were first."""

    registration_id: UUID
    name: str | None
    at: datetime
    new: bool


class GroupResult(BaseModel):
    """Who was confirmed at one price, and what they pay together."""

    price_group: PriceGroup
    people: int
    amount: Annotated[str, Field(examples=["850.00"])]


class ResultView(BaseModel):
    """What became of a gathering in numbers."""

    confirmed: int
    offered: int
    waiting: int
    cancelled: int
    lapsed: int
    attended: int
    organizations: int
    by_group: list[GroupResult]


class EditionView(BaseModel):
    """One edition of a series and what became of it."""

    id: UUID
    slug: str
    title: str
    status: Literal["draft", "published", "postponed", "cancelled", "held"]
    day: date
    capacity: int | None
    confirmed: int
    attended: int
    organizations: int
    amount: Annotated[str, Field(examples=["850.00"])]
    currency: str


async def _managed(
    service: Serving, caller: Annotated[Allowed, May("registrations.manage")], gathering_id: UUID
) -> Allowed:
    async with service.database.connection() as connection:
        found = await gatherings.load(connection, [gathering_id])
    if not found or found[0].status == "draft":
        raise NoSuchGathering("there is no event {id}", id=gathering_id, field="gathering_id")
    caller.require(cluster=found[0].plan.cluster_id)
    return caller


async def _noted(
    service: Serving, caller: Annotated[Allowed, May("registrations.manage")], registration_id: UUID
) -> Allowed:
    async with service.database.connection() as connection:
        one = await store.load(connection, registration_id)
        if one is not None and not one.erased:
            [gathering] = await gatherings.load(connection, [one.gathering_id])
            if caller.covers(cluster=gathering.plan.cluster_id):
                return caller
    raise NoSuchRegistration("there is no registration {id}", id=registration_id, field="registration_id")


@router.post("/gatherings/{gathering_id}/check-ins", summary="Who was seen, with the time of each scan",
             operation_id="check_in")  # fmt: skip
async def check_in(
    request: Request, caller: Annotated[Allowed, Depends(_managed)], gathering_id: UUID, body: CheckingIn
) -> list[SeenView]:
    scans = [Scan(one.code, one.registration_id, one.at, one.method) for one in body.scans]
    async with unit_of(request, caller.actor) as unit:
        done = await commands.check_in(unit, gathering_id, scans)
    return [SeenView(registration_id=one.registration.id, name=one.registration.name, at=one.at, new=one.is_new)
            for one in done]  # fmt: skip


@router.post("/registrations/{registration_id}/not-there", status_code=204, summary="They were not there after all",
             operation_id="withdraw_attendance")  # fmt: skip
async def not_there(
    request: Request, caller: Annotated[Allowed, Depends(_noted)], registration_id: UUID, body: Withdrawing
) -> None:
    async with unit_of(request, caller.actor) as unit:
        await places.unattend(unit, registration_id, body.reason)


@router.get("/gatherings/{gathering_id}/result", summary="What became of it in numbers", operation_id="read_result")
async def result(
    service: Serving, caller: Annotated[Allowed, May("registrations.read")], gathering_id: UUID
) -> ResultView:
    async with service.database.connection() as connection:
        found = await gatherings.load(connection, [gathering_id])
        if not found or found[0].status == "draft":
            raise NoSuchGathering("there is no event {id}", id=gathering_id, field="gathering_id")
        caller.require(cluster=found[0].plan.cluster_id)
        numbers = await views.result(connection, gathering_id)
    groups = [GroupResult(price_group=g["price_group"], people=g["people"], amount=f"{g['amount']:.2f}")
              for g in numbers.pop("by_group")]  # fmt: skip
    return ResultView(**numbers, by_group=groups)


@router.get("/gatherings/{gathering_id}/editions", summary="It and the other editions of its series, compared",
            operation_id="list_editions")  # fmt: skip
async def editions(
    service: Serving, caller: Annotated[Allowed, May("registrations.read")], gathering_id: UUID
) -> list[EditionView]:
    async with service.database.connection() as connection:
        found = await gatherings.load(connection, [gathering_id])
        if not found:
            raise NoSuchGathering("there is no event {id}", id=gathering_id, field="gathering_id")
        caller.require(cluster=found[0].plan.cluster_id)
        rows = await views.editions(connection, found[0], member=True)
    return [EditionView(**{**dict(row), "amount": f"{row['amount']:.2f}"}) for row in rows]
