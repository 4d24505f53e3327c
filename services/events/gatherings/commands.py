"""Use cases of gatherings: draft, describe, publish, postpone, cancel, hold.

Each locks the gathering, then its places, saves both and records what follows. Never opens, commits or reads a clock.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import uuid_utils.compat as uuid_utils
from babel.core import get_global
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.events.gatherings import domain, store, views
from services.events.gatherings.domain import (
    Changed,
    Gathering,
    HostUnknown,
    NoSuchGathering,
    NotADraft,
    Plan,
    Session,
    Tariff,
)
from services.events.places import commands as places
from services.events.places.domain import Seating
from services.events.recording import Logged, log_changes
from shared.contracts.events import GatheringKind, Mode, PriceGroup
from shared.contracts.membership import Category
from shared.http.inputs import Country, Day, Instant, Line, OptionalLine, Text, TimeZone, Unfit, WebAddress
from shared.messaging.outbox import Record, record
from shared.postgres.pool import Connection, Unit
from shared.versions import still_at


def _blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _currency(code: str) -> str:
    if code not in get_global("all_currencies"):
        raise Unfit("{code} is no currency of ISO 4217 such as MXN", code=code[:10])
    return code


StateCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,3}$", examples=["NLE"])]
Places = Annotated[int, Field(ge=1, le=1_000_000)]


class SessionWriting(BaseModel):
    """A part of a gathering with its own time."""

    model_config = ConfigDict(extra="forbid")

    title: Line
    starts: Instant
    ends: Instant
    place: OptionalLine = None
    speaker: OptionalLine = None


class PriceWriting(BaseModel):
    """What a group pays from a day on; `category` and `benefit` for those who pay otherwise, such as affiliates."""

    model_config = ConfigDict(extra="forbid")

    group: PriceGroup
    amount: Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2, allow_inf_nan=False, examples=["850.00"])]
    category: Category | None = None
    since: Day | None = None
    benefit: OptionalLine = None


class GatheringWriting(BaseModel):
    """What an organiser writes. Without `cluster_id` the network itself holds it; without prices it is free."""

    model_config = ConfigDict(extra="forbid")

    cluster_id: UUID | None = None
    kind: GatheringKind
    title: Annotated[Line, Field(examples=["Foro AIAG 2027"])]
    summary: Annotated[Text, Field(max_length=1000)] = ""
    description: Text = ""
    speakers: Annotated[Text, Field(max_length=2000)] = ""
    language: Literal["es", "en"] = "es"
    mode: Mode
    starts: Instant
    ends: Instant
    zone: TimeZone = "America/Mexico_City"
    place: OptionalLine = None
    country: Annotated[Country | None, BeforeValidator(_blank)] = None
    state: Annotated[StateCode | None, BeforeValidator(_blank)] = None
    join_url: Annotated[WebAddress | None, BeforeValidator(_blank)] = None
    capacity: Annotated[Places | None, BeforeValidator(_blank)] = None
    waiting_list: bool = True
    accept_hours: Annotated[int, Field(ge=1, le=336)] = 24
    closes: Annotated[Instant | None, BeforeValidator(_blank)] = None
    currency: Annotated[str, AfterValidator(_currency)] = "MXN"
    series: Annotated[OptionalLine, Field(examples=["Foro AIAG"])] = None
    sessions: Annotated[list[SessionWriting], Field(max_length=domain.MOST_SESSIONS)] = []
    prices: Annotated[list[PriceWriting], Field(max_length=domain.MOST_PRICES)] = []

    def plan(self) -> Plan:
        """The same as the rules know it."""
        own = self.model_dump(exclude={"sessions", "prices"})
        sessions = tuple(Session(**one.model_dump()) for one in self.sessions)
        return Plan(**own, sessions=sessions, prices=tuple(Tariff(**one.model_dump()) for one in self.prices))


async def draft(unit: Unit, plan: Plan) -> Gathering:
    """A new draft. Raises `MalformedGathering`, `HostUnknown`."""
    await _require_host(unit.connection, plan.cluster_id)
    taken = await store.slugs_like(unit.connection, domain.slug_of(plan))
    made = domain.drafted(uuid_utils.uuid7(), plan, unit.now, taken=taken)
    await store.insert(unit.connection, made)
    return made


async def discard(unit: Unit, gathering_id: UUID) -> None:
    """A draft that nobody needs. Raises `NoSuchGathering`, `NotADraft`."""
    one = await _locked(unit, gathering_id)
    if one.status != "draft":
        raise NotADraft("it was published already", field="status")
    await store.delete(unit.connection, one.id)


async def change(unit: Unit, gathering_id: UUID, plan: Plan, expected: int | None = None) -> Gathering:
    """Other words, places, times or prices; who waits moves up when there are more places.

    Raises `NoSuchGathering`, `ChangedMeanwhile`, `MalformedGathering`, `NotPublished`, `FewerPlacesThanTaken`.
    """
    one = await _locked(unit, gathering_id)
    still_at(one.revision, expected)
    if plan.cluster_id != one.plan.cluster_id:
        await _require_host(unit.connection, plan.cluster_id)
    return await _keep(unit, one, domain.changed(one, plan, unit.now))


async def publish(unit: Unit, gathering_id: UUID, effective: date | None = None) -> Gathering:
    """Everybody may see it and register. Raises `NoSuchGathering`, `NotADraft`, `HostUnknown`, `MalformedGathering`."""
    one = await _locked(unit, gathering_id)
    network = await views.network_of(unit.connection, one.plan.cluster_id)
    return await _keep(unit, one, domain.published(one, network, unit.now, effective))


async def postpone(
    unit: Unit, gathering_id: UUID, starts: datetime | None, ends: datetime | None, reason: str | None = None
) -> Gathering:
    """Held on another day, which may still have to be said. Raises `NoSuchGathering`, `NotPublished`, …"""
    one = await _locked(unit, gathering_id)
    return await _keep(unit, one, domain.postponed(one, starts, ends, unit.now), reason)


async def cancel(unit: Unit, gathering_id: UUID, reason: str) -> Gathering:
    """It is not held, and whoever was registered is registered no more. Raises `NoSuchGathering`, `NotPublished`."""
    one = await _locked(unit, gathering_id)
    return await _keep(unit, one, domain.cancelled(one, unit.now), reason)


async def hold(unit: Unit, gathering_id: UUID) -> Gathering:
    """It took place. Raises `NoSuchGathering`, `NotPublished`, `NotOver`."""
    one = await _locked(unit, gathering_id)
    return await _keep(unit, one, domain.held(one, unit.now))


async def _keep(unit: Unit, before: Gathering, step: Changed, reason: str | None = None) -> Gathering:
    after = step.gathering
    if after.revision == before.revision:
        return after
    await store.update(unit.connection, after)
    await log_changes(unit, [Logged("gathering", after.id, after.revision, reason, step.fields)])
    if after.status == "draft":
        return after
    plan = after.plan
    await places.seat(unit, Seating(
        after.id, plan.capacity, 0, 0, 1, after.is_open and unit.now < after.closes, plan.waiting_list,
        plan.accept_hours, after.closes, plan.zone, plan.join_url, after.status == "cancelled",
    ))  # fmt: skip
    made = [Record(str(after.id), after.version, one.fact, one.effective) for one in step.facts]
    await record(unit, [*made, store.state_record(after)])
    return after


async def _locked(unit: Unit, gathering_id: UUID) -> Gathering:
    found = await store.lock(unit.connection, gathering_id)
    if found is None:
        raise NoSuchGathering("there is no event {id}", id=gathering_id, field="gathering_id")
    return found


async def _require_host(connection: Connection, cluster_id: UUID | None) -> None:
    if cluster_id is not None and await views.cluster(connection, cluster_id) is None:
        raise HostUnknown("there is no cluster {id} here", id=cluster_id, field="cluster_id")
