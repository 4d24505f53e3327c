"""The sender as the service runs it: it wakes by itself, stops in order, and shows where a mail came from."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.notifications.app import DEFINITION
from shared.postgres.pool import Database
from shared.runtime.service import Service, running
from shared.runtime.tracing import Tracing
from tests.conftest import SettingsFor
from tests.service.bus.records import until
from tests.service.notifications.world import Scene, SenderFor, Sink, take

TRACE = "0af7651916cd43dd8448eb211c80319c"


@contextlib.asynccontextmanager
async def with_loops(settings: Any, tracing: Tracing | None = None) -> AsyncIterator[Service]:
    """The service with its own loops, without Kafka."""
    async with running(replace(DEFINITION, consumers=()), settings, tracing=tracing) as service:
        yield service


async def test_the_loop_sends_what_becomes_due_and_traces_it_to_the_request(
    service_settings: SettingsFor, sink: tuple[Sink, int], databases: dict[str, Database], sender: SenderFor
) -> None:
    handler, port = sink
    scene = Scene()
    fact = scene.activation()._replace(cause="request-7", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    exported = InMemorySpanExporter()
    tracing = Tracing("notifications", processor=SimpleSpanProcessor(exported))
    with structlog.testing.capture_logs() as lines:
        async with with_loops(service_settings("notifications", mail_port=port), tracing) as service:
            await take(databases["notifications"], [*scene.all()[:3], fact], datetime.now(UTC))
            await until(lambda: handler.to(scene.mail))
            await until(lambda: any(line["event"] == "mail.sent" for line in lines))
            assert service.metrics.mails.labels("sent")._value.get() == 1
    [span] = [span for span in exported.get_finished_spans() if span.name == "mail send"]
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    [line] = [line for line in lines if line["event"] == "mail.sent"]
    assert line["message"] == handler.to(scene.mail)[0]["Message-ID"].strip("<>").split("@")[0]
    assert scene.mail not in str(lines)


async def test_the_loop_goes_on_after_the_database_was_away(
    service_settings: SettingsFor, sink: tuple[Sink, int], databases: dict[str, Database], sender: SenderFor
) -> None:
    handler, port = sink
    scene = Scene()
    async with with_loops(service_settings("notifications", mail_port=port)) as service:
        await databases["notifications"].pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
            f"cumulo-notifications-{service.settings.replica}",
        )
        await take(databases["notifications"], scene.all(), datetime.now(UTC))
        await until(lambda: handler.to(scene.mail))


async def test_two_whole_services_on_one_folder_leave_one_file_for_each_message(
    service_settings: SettingsFor, databases: dict[str, Database], sender: SenderFor, tmp_path: Path
) -> None:
    scenes, folder = [Scene() for _ in range(25)], tmp_path / "mail"
    settings = service_settings("notifications", mail_folder=folder)
    async with with_loops(settings), with_loops(settings):
        for scene in scenes:
            await take(databases["notifications"], scene.all(), datetime.now(UTC))
        unsent = "SELECT count(*) FROM message WHERE state = 'due'"

        async def all_sent() -> bool:
            return bool(await databases["notifications"].pool.fetchval(unsent) == 0)

        await until(all_sent)
    files = sorted(folder.iterdir())
    assert len(files) == 25
    assert {file.suffix for file in files} == {".eml"}
    log = await databases["notifications"].pool.fetch(
        "SELECT count(*) AS n FROM delivery d JOIN message m ON id = message_id WHERE person_id = ANY ($1) GROUP BY id",
        [scene.person for scene in scenes],
    )
    assert [row["n"] for row in log] == [1] * 25
