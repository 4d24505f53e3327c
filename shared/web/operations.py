"""Operación: the health of the services, the live way of each fact, topics with lag, what was set aside.

The page is the same from whatever service answers; each of its parts is a fragment of one service and fails alone.
"""

import asyncio
import shlex
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError

from shared.contracts.base import Contract, find
from shared.http.inputs import Line, Sequence64
from shared.http.operations import (
    Number,
    Reader,
    RecordReader,
    Settler,
    drop_parked,
    mend_parked,
    retry_parked,
    state_of,
)
from shared.http.policy import Allowed, Sees, Serving
from shared.http.routes import Route
from shared.messaging import feed, parked, topics
from shared.messaging.parked import Retried
from shared.refusal import NotFound
from shared.runtime.jobs_cli import places
from shared.runtime.service import Definition, Service
from shared.runtime.settings import SERVICES
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.page import Tone
from shared.web.refusals import reason as reason_of
from shared.web.shell import pages_of, turn
from shared.web.tables import Column, Listing
from shared.web.tour import reached

pages = pages_of("shared.web")
MaySettle = Annotated[Allowed, Sees("operations.settle")]
MayRead = Annotated[Allowed, Sees("operations.records")]

ROWS = 50
PARKED_COLUMNS = (
    Column("number", mark("No."), numeric=True), Column("type", mark("What it is")), Column("reason", mark("Why")),
    Column("consumer", mark("Consumer"), minor=True), Column("since", mark("Since"), minor=True),
    Column("act", mark("Do")),
)  # fmt: skip
SUBSCRIBER = """import asyncio

from aiokafka import AIOKafkaConsumer
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event


async def main() -> None:
    async with AIOKafkaConsumer(
        "{topic}",
        bootstrap_servers="{kafka}",
        group_id="my-program",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    ) as consumer:
        async for record in consumer:
            message = KafkaMessage(dict(record.headers), record.key, record.value or b"")
            event = from_kafka_event(message)
            print(event.get_type(), event.get_subject(), event.get_data())
            await consumer.commit()


asyncio.run(main())"""
SERVICE_WORDS = {
    "membership": mark("Register"),
    "events": mark("Events"),
    "notifications": mark("Notices"),
    "reporting": mark("Indicators"),
}
"""What each service is called on pages."""


REASONS = (
    mark("Field required"), mark("Extra inputs are not permitted"), mark("Input should be a valid string"),
    mark("Input should be a valid integer"), mark("Input should be a valid dictionary"),
    mark("Input should be a valid list"), mark("Input should be a valid boolean"),
    mark("an event without data"), mark("it is not the id of what the record is about"),
    mark("the record's key is not UTF-8 text without NUL"), mark("this fact needs the day from which it counts"),
    mark("a membership is in force from some day on"), mark("somebody writes on some day"),
)  # fmt: skip
"""What most often keeps an event from being applied, behind the place in it; the rest is told as it was kept."""


TOLD_BY_TOUR = ("org.cumulo.membership.MembershipApproved.v1", "org.cumulo.membership.MembershipActivated.v1")
"""What the tour of the demo asks somebody to read."""


class NoSuchFact(NotFound):
    """The service has published no fact of this sequence."""


def operations_pages(definition: Definition) -> APIRouter:
    """`/operations`, and under `/<service>/pages` what one service tells of itself."""
    router = APIRouter(include_in_schema=False, route_class=Route)
    own = f"/{definition.name}/pages"

    @router.get("/operations", response_class=HTMLResponse)
    async def operations(request: Request, service: Serving, reader: Reader) -> Response:
        listed = await asyncio.to_thread(topics.listed)
        settings = service.settings
        return pages.render(
            request, reader.viewer, "operations/operations.html", services=SERVICES, words=SERVICE_WORDS,
            topics=[(one, settings.topic_prefix + one.name) for one in listed], embedded=settings.kafka_embedded,
            subscriber=SUBSCRIBER.format(topic=f"{settings.topic_prefix}membership.membership", kafka=settings.kafka),
        )  # fmt: skip

    @router.get(f"{own}/health", response_class=HTMLResponse)
    async def health(request: Request, service: Serving, reader: Reader) -> Response:
        return pages.fragment(
            request, reader.viewer, "operations/health.html", state=await state_of(service),
            jobs=await places(service), name=SERVICE_WORDS[service.name],
        )  # fmt: skip

    @router.get(f"{own}/parked", response_class=HTMLResponse)
    async def all_parked(
        request: Request, service: Serving, reader: Reader, settling: MaySettle, records: MayRead,
        after: Annotated[Sequence64, Query()] = 0,
    ) -> Response:  # fmt: skip
        async with service.database.connection() as connection:
            found = await parked.parked_events(connection, after=after, limit=ROWS + 1)
            total = await parked.parked_count(connection)
            settled = await parked.settled(connection, 5)
        columns = PARKED_COLUMNS if settling.everything else PARKED_COLUMNS[:-1]
        return pages.fragment(
            request, reader.viewer, "operations/parked_list.html", listing=Listing(columns, found[:ROWS], total=total),
            more=found[ROWS - 1].number if len(found) > ROWS else None, service=service.name, settled=settled,
            may_read=records.everything, name=SERVICE_WORDS[service.name], bare=_bare,
            why=partial(_why, pages.language(request, reader.viewer)),
        )  # fmt: skip

    @router.get(f"{own}/parked/{{number}}", response_class=HTMLResponse)
    async def one_parked(
        request: Request, service: Serving, reader: RecordReader, settling: MaySettle, number: Number
    ) -> Response:
        return await _record(request, service, reader, settling, number, None)

    @router.post(f"{own}/parked/{{number}}/retry", response_class=HTMLResponse)
    async def retry(request: Request, service: Serving, settler: Settler, number: Number) -> Response:
        said = pages.language(request, settler.viewer)
        done = await retry_parked(service, number, settler.actor)
        return turn(_after(service, number, done), said=_told(said, done), tone=_tone(done))

    @router.post(f"{own}/parked/{{number}}/drop", response_class=HTMLResponse)
    async def drop(request: Request, service: Serving, settler: Settler, number: Number) -> Response:
        said = pages.language(request, settler.viewer)
        typed = await _typed(request)
        reason = _line(typed.get("drop_reason"))
        if reason is None:
            form = Form(typed, {"drop_reason": said(mark("Write why it is given up, in one line"))})
            return await _record(request, service, settler, settler, number, form, 422)
        done = await drop_parked(service, number, settler.actor, reason)
        return turn("/operations", said=_told(said, done))

    @router.post(f"{own}/parked/{{number}}/mend", response_class=HTMLResponse)
    async def mend(request: Request, service: Serving, settler: Settler, number: Number) -> Response:
        said = pages.language(request, settler.viewer)
        typed = await _typed(request)
        errors: dict[str, str] = {}
        reason = _line(typed.get("reason"))
        if reason is None:
            errors["reason"] = said(mark("Write why it is changed, in one line"))
        try:
            value = orjson.dumps(orjson.loads(typed.get("value", "")))
        except orjson.JSONDecodeError as wrong:
            value = b""
            errors["value"] = said(mark("This is not JSON: line %(line)s, column %(column)s"), line=wrong.lineno,
                                   column=wrong.colno)  # fmt: skip
        if errors or reason is None:
            return await _record(request, service, settler, settler, number, Form(typed, errors), 422)
        try:
            done = await mend_parked(service, number, value, settler.actor, reason)
        except parked.NotMended as refusal:
            form = Form.refused(typed, refusal, reason=reason_of(said, refusal))
            return await _record(request, service, settler, settler, number, form, refusal.status)
        return turn(_after(service, number, done), said=_told(said, done), tone=_tone(done))

    @router.get(f"{own}/facts/{{sequence}}", response_class=HTMLResponse)
    async def fact(
        request: Request, service: Serving, reader: Reader, sequence: Number,
        partition: Annotated[int | None, Query(ge=0, le=100_000)] = None,
        offset: Annotated[Sequence64 | None, Query()] = None,
    ) -> Response:  # fmt: skip
        async with service.database.connection() as connection:
            found = await feed.facts_after(connection, sequence - 1, 1) if sequence > 0 else []
        if not found or int(found[0]["sequence"]) != sequence:
            raise NoSuchFact("there is no fact {sequence}", field="sequence", sequence=sequence)
        event = found[0]
        contract = find(str(event["type"]))
        if contract is not None and contract.type in TOLD_BY_TOUR:
            reached(request, "fact")
        topic = service.settings.topic_prefix + (contract.topic if contract else "")
        return pages.render(
            request, reader.viewer, "operations/fact.html", event=event, name=_bare(str(event["type"])), topic=topic,
            text=orjson.dumps(event, option=orjson.OPT_INDENT_2).decode(), service=service.name,
            about=_about(contract, pages.language(request, reader.viewer)),
            kcat=_kcat(service, topic, str(event["id"]), partition, offset), place=(partition, offset),
        )  # fmt: skip

    return router


async def _record(
    request: Request, service: Service, reader: Allowed, settling: Allowed, number: int, form: Form | None,
    status: int = 200,
) -> Response:  # fmt: skip
    async with service.database.connection() as connection:
        event, item = await parked.parked_record(connection, number)
    record = parked.record_as_json(item)
    value = record["value"]
    is_json = item.value is not None and not isinstance(value, str)
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if is_json else value or ""
    contract = find(event.type)
    return pages.render(
        request, reader.viewer, "operations/parked.html", status, event=event, record=record, text=text,
        why=_why(pages.language(request, reader.viewer), event.reason),
        form=form or Form({"value": text}), may_settle=settling.everything, service=service.name,
        name=_bare(event.type), mendable=contract is not None and item.value is not None,
        about=_about(contract, pages.language(request, reader.viewer)),
    )  # fmt: skip


async def _typed(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _line(text: str | None) -> str | None:
    try:
        return TypeAdapter(Line).validate_python(text or "")
    except ValidationError:
        return None


def _after(service: Service, number: int, done: Retried) -> str:
    """Where to go on: back to the record while it still cannot be applied."""
    return f"/{service.name}/pages/parked/{number}" if done.reason is not None and not done.applied else "/operations"


def _tone(done: Retried) -> Tone:
    return "bad" if done.reason is not None and not done.applied else "good"


def _why(said: Language, reason: str | None) -> str | None:
    """Why an event was set aside, as far as there are words for it: where in the event, and what is wrong there."""
    if reason is None:
        return None
    kind, apart, rest = reason.partition(": ")
    text = rest if apart and kind == "EventRefused" else reason
    where, apart, what = text.partition(": ")
    return f"{where}: {said(what)}" if apart else said(text)


def _told(said: Language, done: Retried) -> str:
    if done.reason is not None and not done.applied:
        return said(mark("It still cannot be applied: %(reason)s"), reason=_why(said, done.reason))
    text = said.plural("%(num)s event applied", "%(num)s events applied", done.applied)
    if done.waiting:
        text += "; " + said.plural("%(num)s still waits", "%(num)s still wait", done.waiting)
    return text


def _about(contract: Contract | None, said: Language) -> str:
    """What a contract says of itself in one line; contracts are written in English and say nothing in Spanish."""
    return (contract.model.__doc__ or "").strip().split("\n")[0] if contract and said.code == "en" else ""


def _bare(type_: str) -> str:
    """A CloudEvents type for people: the contract's own name."""
    return type_.removeprefix("org.cumulo.") or "–"


def _kcat(service: Service, topic: str, id_: str, partition: int | None, offset: int | None) -> str:
    """How anybody reads this fact from Kafka: at its place where it is known, else among all of the topic."""
    start = f"kcat -b {shlex.quote(service.settings.kafka)} -t {shlex.quote(topic)} -C -e -q"
    if partition is not None and offset is not None:
        return rf"{start} -p {partition} -o {offset} -c 1 -f '%h\n%s\n'"
    return rf"{start} -o beginning -f '%h %s\n' | grep {id_}"
