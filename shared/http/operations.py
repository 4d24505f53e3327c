"""How a service does, for who operates it: its parts, its topics with lag, the way of facts, what was set aside.

Each service tells its own; nothing here asks Kafka or another service. Records that were set aside may hold
personal values: they are shown to operators only, and every settling is kept with who and why.
"""

from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.http.inputs import Line, Sequence64
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.messaging import lane, parked
from shared.messaging.apply import Applier
from shared.messaging.parked import Parked, Retried
from shared.postgres.pool import TRANSIENT
from shared.runtime.service import Definition, Service

MOST_IDS = 100

Reader = Annotated[Allowed, May("operations.read")]
RecordReader = Annotated[Allowed, May("operations.records")]
Settler = Annotated[Allowed, May("operations.settle")]

OUTBOX = """
SELECT count(*) AS rows, coalesce(extract(epoch FROM clock_timestamp() - min(time)), 0)::float8 AS age FROM outbox
"""


class ConsumerState(BaseModel):
    """One consumer of this replica. `lag` is None where it is not known: the embedded broker does not tell it."""

    name: str
    topics: list[str]
    types: list[str]
    ready: bool
    reason: str | None = Field(description="why it does not consume")
    lag: dict[str, int] | None = Field(description="records yet to fetch, by topic")
    parked: int


class OperationsState(BaseModel):
    """A service as it is now, told by the replica that answers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "service": "events", "version": "1.0.0", "replica": "events-1", "alive": True, "ready": True,
                    "reasons": {}, "outbox": 0, "oldest_seconds": 0.0,
                    "consumers": [
                        {"name": "events.access", "topics": ["membership.access.state"],
                         "types": ["org.cumulo.membership.AccessState.v1"], "ready": False,
                         "reason": "has not joined yet",
                         "lag": {"membership.access.state": 0}, "parked": 0}
                    ],
                    "parked": 0,
                }
            ]
        }
    )  # fmt: skip

    service: str
    version: str
    replica: str
    alive: bool
    ready: bool
    reasons: dict[str, str] = Field(description="what keeps it from its work, by part")
    outbox: int = Field(description="records that wait to be published")
    oldest_seconds: float = Field(description="age of the oldest of them")
    consumers: list[ConsumerState]
    parked: int


class FactOnItsWay(BaseModel):
    """One fact of this service. `sequence` and `published` are null while it waits in the outbox."""

    sequence: int | None
    id: UUID
    type: str
    topic: str
    key: str
    recorded: datetime
    published: datetime | None
    cause: str


class LanePage(BaseModel):
    """The newest facts, newest first; `last` is the `after` of the next question."""

    service: str
    facts: list[FactOnItsWay]
    last: int


class ReceiptView(BaseModel):
    """What one consumer did with a fact; `parked` is the number under which it is set aside, `dropped`: given up."""

    id: UUID
    consumer: str
    at: datetime | None
    partition: int | None
    offset: int | None
    parked: int | None
    dropped: bool


class ReceiptPage(BaseModel):
    """What this service did with the facts that were asked for; `types` are those that it listens to."""

    service: str
    types: list[str]
    receipts: list[ReceiptView]


class ParkedView(BaseModel):
    """One event that was set aside; `reason` is null for one that only waits behind another of its key."""

    number: int
    consumer: str
    topic: str
    key: str
    id: UUID
    type: str
    partition: int
    offset: int
    parked_at: datetime
    reason: str | None
    attempts: int


class ParkedPage(BaseModel):
    """Parked events by number; `next` is the `after` of the following page, null at the end."""

    items: list[ParkedView]
    total: int
    next: int | None


class ParkedWithRecord(ParkedView):
    """A parked event with its record as it came: topic, partition, offset, key, headers, value."""

    record: dict[str, JsonValue]


class Outcome(BaseModel):
    """What a settling came to: events applied, outdated, dropped, still waiting, and why they wait."""

    applied: int
    outdated: int
    dropped: int
    waiting: int
    reason: str | None


class Why(BaseModel):
    """Why it is given up."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "sent twice by the old tool"}]}
    )

    reason: Line


class Mending(BaseModel):
    """What a parked event should have said: the whole JSON value, and why it is changed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"value": {"name": "Moldes del Valle"}, "reason": "the name was missing"}]},
    )

    value: JsonValue
    reason: Line


class SettledView(BaseModel):
    """What somebody did about a parked event."""

    number: int
    consumer: str
    topic: str
    id: UUID
    type: str
    what: Literal["retried", "dropped", "mended"]
    actor: str
    at: datetime
    reason: str | None


Number = Annotated[Sequence64, Field(description="the number of a parked event")]


def operations_router(definition: Definition) -> APIRouter:
    """Routes under `/<service>/operations`."""
    router = APIRouter(prefix=f"/{definition.name}/operations", tags=["operations"], route_class=Route)

    @router.get("", summary="How the service does", operation_id="read_operations")
    async def state(service: Serving, _reader: Reader) -> OperationsState:
        return await state_of(service)

    @router.get("/lane", summary="The newest facts of the service on their way", operation_id="list_facts_on_their_way")
    async def facts(
        service: Serving, _reader: Reader, after: Annotated[Sequence64, Query()] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_IDS)] = 20,
    ) -> LanePage:  # fmt: skip
        async with service.database.connection() as connection:
            found = await lane.passing(connection, after, limit)
        shown = [
            FactOnItsWay(
                sequence=one.sequence, id=one.id, type=one.type, topic=one.topic, key=one.key, recorded=one.time,
                published=one.published_at, cause=one.cause,
            )
            for one in found
        ]  # fmt: skip
        return LanePage(
            service=service.name, facts=shown, last=max((one.sequence or 0 for one in found), default=after)
        )

    @router.get("/received", summary="What the service did with these facts", operation_id="list_receipts")
    async def received(
        service: Serving, _reader: Reader,
        id: Annotated[list[UUID], Query(min_length=1, max_length=MOST_IDS, description="ids of facts")],  # noqa: A002
    ) -> ReceiptPage:  # fmt: skip
        consumers = service.definition.consumers
        async with service.database.connection() as connection:
            found = await lane.receipts(connection, consumers, id)
        return ReceiptPage(
            service=service.name,
            types=sorted({type_ for one in consumers for type_ in one.types}),
            receipts=[ReceiptView(**asdict(one)) for one in found],
        )

    @router.get("/parked", summary="Events that were set aside", operation_id="list_parked")
    async def all_parked(
        service: Serving, _reader: Reader, after: Annotated[Sequence64, Query()] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> ParkedPage:  # fmt: skip
        async with service.database.connection() as connection:
            found = await parked.parked_events(connection, after=after, limit=limit)
            total = await parked.parked_count(connection)
        return ParkedPage(
            items=[ParkedView(**asdict(one)) for one in found],
            total=total,
            next=found[-1].number if len(found) == limit else None,
        )

    @router.get("/parked/{number}", summary="One parked event as it came", operation_id="read_parked")
    async def one_parked(service: Serving, _reader: RecordReader, number: Number) -> ParkedWithRecord:
        async with service.database.connection() as connection:
            event, item = await parked.parked_record(connection, number)
        return ParkedWithRecord(**asdict(event), record=parked.record_as_json(item))

    @router.post(
        "/parked/{number}/retry", summary="Apply a parked event's key again, in order", operation_id="retry_parked"
    )
    async def retry(service: Serving, caller: Settler, number: Number) -> Outcome:
        return _outcome(await retry_parked(service, number, caller.actor))

    @router.post(
        "/parked/{number}/drop",
        summary="Give a parked event up, then apply what waited behind it",
        operation_id="drop_parked",
    )
    async def drop(service: Serving, caller: Settler, number: Number, body: Why) -> Outcome:
        return _outcome(await drop_parked(service, number, caller.actor, body.reason))

    @router.post(
        "/parked/{number}/mend",
        summary="Replace what a parked event says, then apply its key",
        operation_id="mend_parked",
    )
    async def mend(service: Serving, caller: Settler, number: Number, body: Mending) -> Outcome:
        return _outcome(await mend_parked(service, number, orjson.dumps(body.value), caller.actor, body.reason))

    @router.get("/settled", summary="What was last done about parked events", operation_id="list_settled")
    async def settled(
        service: Serving, _reader: Reader, limit: Annotated[int, Query(ge=1, le=200)] = 50
    ) -> list[SettledView]:
        async with service.database.connection() as connection:
            return [SettledView(**asdict(one)) for one in await parked.settled(connection, limit)]

    return router


async def state_of(service: Service) -> OperationsState:
    """How a service does now. What cannot be asked, Postgres being away, stands among the reasons."""
    reasons = await service.readiness()
    waiting, age, counts = 0, 0.0, {}
    try:
        async with service.database.connection() as connection:
            row = await connection.fetchrow(OUTBOX)
            assert row is not None
            waiting, age = row["rows"], max(row["age"], 0.0)
            counts = {one.name: await parked.parked_count(connection, one.name) for one in service.definition.consumers}
            total = await parked.parked_count(connection)
    except TRANSIENT:
        total = 0
    loops = {one.name: one for one in service.consumers}
    consumers = []
    for one in service.definition.consumers:
        loop = loops.get(one.name)
        reason = loop.not_ready() if loop is not None else None
        consumers.append(
            ConsumerState(
                name=one.name, topics=list(one.topics), types=list(one.types), ready=reason is None, reason=reason,
                lag=await loop.lags() if loop is not None else None, parked=counts.get(one.name, 0),
            )
        )  # fmt: skip
    alive = all(one.alive() for one in service.consumers) and (service.relay is None or service.relay.alive())
    return OperationsState(
        service=service.name, version=version("cumulo"), replica=service.settings.replica, alive=alive,
        ready=not reasons, reasons=reasons, outbox=waiting, oldest_seconds=round(age, 3), consumers=consumers,
        parked=total,
    )  # fmt: skip


async def retry_parked(service: Service, number: int, actor: str) -> Retried:
    """Applies the key of a parked event again. Raises `NoSuchParkedEvent`, `ConsumerGone`."""
    event, applier = await _settling(service, number)
    return await parked.retry_key(service.database, applier, event.topic, event.key, actor=actor)


async def drop_parked(service: Service, number: int, actor: str, reason: str) -> Retried:
    """Gives a parked event up. Raises `NoSuchParkedEvent`, `ConsumerGone`."""
    _, applier = await _settling(service, number)
    return await parked.drop_event(service.database, applier, number, actor=actor, reason=reason)


async def mend_parked(service: Service, number: int, value: bytes, actor: str, reason: str) -> Retried:
    """Replaces what a parked event says and applies its key. Raises also `NotMended`."""
    _, applier = await _settling(service, number)
    return await parked.mend_event(service.database, applier, number, value, actor=actor, reason=reason)


async def _settling(service: Service, number: int) -> tuple[Parked, Applier]:
    async with service.database.connection() as connection:
        event, _ = await parked.parked_record(connection, number)
    return event, parked.applier_of(service.definition.consumers, event.consumer)


def _outcome(done: Retried) -> Outcome:
    return Outcome(**asdict(done))
