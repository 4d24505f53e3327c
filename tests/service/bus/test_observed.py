"""What an operator sees: one trace from commit to effect, log lines with cause, metrics, health and readiness."""

import asyncio
import io
from collections.abc import Callable, Sequence

import asyncpg
import orjson
import pytest
import structlog
import uuid_utils.compat as uuid_utils
from aiokafka.errors import KafkaError
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.contracts.membership import MembershipActivated
from shared.http import edge
from shared.messaging.consumer import ConsumerLoop
from shared.messaging.events import Consumer, Event
from shared.messaging.outbox import Record, record
from shared.messaging.relay import Relay
from shared.postgres.pool import Database, Unit
from shared.runtime import logging
from shared.runtime.service import Definition, Service, running
from shared.runtime.settings import Settings
from shared.runtime.tracing import Tracing, current_traceparent
from tests.conftest import ClientFor
from tests.service.bus.records import DAY, Effects, activated, until

MakeSettings = Callable[..., Settings]


async def test_one_trace_runs_from_the_commit_over_kafka_to_the_effect(
    kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    exported = InMemorySpanExporter()
    tracing = Tracing("test", processor=SimpleSpanProcessor(exported))
    seen: list[tuple[str | None, str | None, str]] = []

    async def handle(unit: Unit, events: Sequence[Event]) -> None:
        seen.extend((event.traceparent, unit.traceparent, unit.cause) for event in events)

    listener = Definition("reporting", consumers=[Consumer(effects.name, {MembershipActivated: handle})])
    key = uuid_utils.uuid7()
    async with (
        running(Definition("membership"), kafka_settings("membership"), tracing=tracing) as writer,
        running(listener, kafka_settings("reporting", relay_enabled=False), tracing=tracing),
    ):
        with tracing.span("request") as span:
            trace_id = f"{span.get_span_context().trace_id:032x}"
            async with writer.unit(actor="t", cause="request-7") as unit:
                await record(unit, [Record(str(key), 1, activated(key), DAY)])
        await until(lambda: seen)
        await until(lambda: len(exported.get_finished_spans()) >= 3)
    [(in_event, in_unit, cause)] = seen
    assert in_event is not None and trace_id in in_event
    assert in_unit is not None and trace_id in in_unit
    assert cause != "request-7"  # what the event leads to is caused by the event itself
    names = {s.name for s in exported.get_finished_spans() if f"{s.context.trace_id:032x}" == trace_id}
    assert names == {"request", "publish", f"apply {effects.name}"}


def test_log_lines_are_json_with_cause_and_trace_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    logging.configure(format="json", level="info")
    try:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=out))
        with structlog.contextvars.bound_contextvars(cause="a-request"), Tracing("x").span("s"):
            logging.get_log("membership").info("membership.activated", api_token="hidden", member="m-1")
            trace = (current_traceparent() or "").split("-")[1]
        line = orjson.loads(out.getvalue())
    finally:
        structlog.reset_defaults()
    assert line | {"timestamp": ""} == {
        "event": "membership.activated", "service": "membership", "cause": "a-request", "trace": trace, "level": "info",
        "api_token": "***", "member": "m-1", "timestamp": "",
    }  # fmt: skip


@pytest.mark.parametrize("service", ["membership", "events", "notifications", "reporting"])
async def test_every_service_tells_its_health_readiness_and_metrics_without_a_token(
    client_for: ClientFor, service: str
) -> None:
    client = await client_for(service, token=None)
    assert (await client.get(f"/{service}/health")).json() == {"alive": True, "stuck": []}
    ready = await client.get(f"/{service}/ready")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "reasons": {}})
    metrics = (await client.get(f"/{service}/metrics")).text
    for name in ("cumulo_outbox_rows", "cumulo_outbox_oldest_seconds", "cumulo_published_total", "cumulo_consumer_lag",
                 "cumulo_applied_total", "cumulo_duplicates_total", "cumulo_skipped_total", "cumulo_parked_total",
                 "cumulo_event_age_seconds", "cumulo_pool_connections", "cumulo_http_seconds"):  # fmt: skip
        assert f"# TYPE {name}" in metrics, name
    assert "-1 unknown, as always on the embedded broker" in metrics


@pytest.mark.parametrize(
    "trouble",
    [
        asyncpg.InternalClientError("got result for unknown protocol state 3"),  # a server that has just said its end
        asyncpg.UndefinedTableError('relation "outbox" does not exist'),
        KafkaError("coordinator not known"),
        LookupError("a fault of ours"),
        None,
    ],
    ids=lambda trouble: type(trouble).__name__ if trouble else "never answers",
)
async def test_one_part_that_cannot_be_measured_costs_no_other_number(
    client_for: ClientFor, effects: Effects, monkeypatch: pytest.MonkeyPatch, trouble: Exception | None
) -> None:
    async def fails(_: Relay) -> None:
        if trouble is not None:
            raise trouble
        await asyncio.Event().wait()

    monkeypatch.setattr(Relay, "measure", fails)
    # short only where it is waited out: the other parts are to be measured in it, also where much goes on
    monkeypatch.setattr(edge, "MEASURE_SECONDS", 30.0 if trouble is not None else 1.0)
    client = await client_for("reporting", relay_enabled=True)  # at an address where nothing listens
    service: Service = client.service  # type: ignore[attr-defined]
    service.consumers.append(ConsumerLoop(service, effects.consumer()))
    with structlog.testing.capture_logs() as lines:
        answer = await client.get("/reporting/metrics")
    assert answer.status_code == 200
    assert f'cumulo_consumer_lag{{consumer="{effects.name}"}} -1.0' in answer.text
    assert f'cumulo_parked_waiting{{consumer="{effects.name}"}} 0.0' in answer.text
    [line] = [line for line in lines if line["event"] == "metrics.not_measured"]
    assert line["part"] == "Relay"


async def test_a_service_whose_kafka_is_away_is_alive_and_not_ready(client_for: ClientFor) -> None:
    client = await client_for("membership", relay_enabled=True)  # at an address where nothing listens
    answer = await client.get("/membership/ready")
    assert answer.status_code == 503
    assert "relay" in answer.json()["reasons"]
    assert (await client.get("/membership/health")).status_code == 200
