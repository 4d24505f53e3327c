"""The live stream over a real server: current figures first, then what moves; resumed without loss; ended in order."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import uvicorn
from fastapi import FastAPI

from services.reporting.app import DEFINITION
from shared.contracts.reporting import IndicatorChanged
from shared.http.edge import application
from shared.http.identity import COOKIE
from shared.messaging.outbox import Record, record
from shared.postgres.pool import Database
from shared.runtime.service import Definition
from shared.runtime.settings import Settings
from tests.conftest import TOKEN
from tests.stack.database import Cluster
from tests.stack.people import somebody

A, B = UUID(int=10), UUID(int=11)


@contextlib.asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[str, FastAPI]]:
    """Reporting's routes on a free port; the lifespan ends before the server, as an orderly stop has it."""
    app = application(Definition("reporting", routers=DEFINITION.routers, policy=DEFINITION.policy), settings)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        async with app.router.lifespan_context(app):
            task = asyncio.create_task(server.serve(sockets=[door]))
            try:
                yield f"http://127.0.0.1:{door.getsockname()[1]}", app
            finally:
                app.state.service.stopping.set()
                server.should_exit = True
                await asyncio.wait_for(task, 10)


@pytest.fixture
def settings(own: Cluster, service_settings: Callable[..., Settings]) -> Settings:
    """Of a replica on the own database."""
    return service_settings("reporting", postgres_database=own.database)


@dataclass
class Published:
    """Moves figures and publishes them, as loop and relay do."""

    database: Database
    values: dict[tuple[str, UUID | None], list[int]] = field(default_factory=dict)

    async def move(self, value: int, cluster: UUID | None = None, indicator: str = "members") -> None:
        """A new value of one figure."""
        known = self.values.setdefault((indicator, cluster), [])
        previous = known[-1] if known else None
        known.append(value)
        scope = f"cluster:{cluster}" if cluster else "network"
        data = IndicatorChanged(
            indicator=indicator, scope="cluster" if cluster else "network", cluster_id=cluster,
            as_of=date(2026, 3, 1), value=value, previous=previous,
        )  # fmt: skip
        async with self.database.unit(actor="test", cause="test") as unit:
            await record(unit, [Record(f"{indicator}:{scope}", len(known), data, data.as_of)])
            await unit.connection.execute(
                "INSERT INTO figure VALUES ($1, $2, $3, $4, $5, now()) ON CONFLICT (indicator, scope)"
                " DO UPDATE SET version = excluded.version, value = excluded.value",
                indicator, scope, len(known), value, data.as_of,
            )  # fmt: skip
        async with self.database.unit(actor="test", cause="test") as unit:
            await unit.connection.execute("SELECT outbox_published(ARRAY(SELECT position FROM outbox))")


@pytest.fixture
def published(database: Database) -> Published:
    """A publisher on the own database."""
    return Published(database)


@dataclass
class Listening:
    """One open stream: its messages as (id, event, data)."""

    answer: httpx.Response
    lines: AsyncIterator[str]

    async def next(self, seconds: float = 10) -> tuple[int, str, Any]:
        """The next message; comments and `retry:` are passed over."""
        found: dict[str, str] = {}
        async with asyncio.timeout(seconds):
            async for line in self.lines:
                name, _, value = line.partition(": ")
                if line and name:
                    found[name] = value
                elif not line and "data" in found:
                    return int(found["id"]), found["event"], orjson.loads(found["data"])
        raise AssertionError("the stream has ended")

    async def ended(self) -> bool:
        """Whether nothing but comments comes until its end."""
        async with asyncio.timeout(10):
            return not [line async for line in self.lines if line.startswith("data")]


@contextlib.asynccontextmanager
async def listening(
    url: str, *, header: str | None = None, cookie: str | None = None, **query: Any
) -> AsyncIterator[Listening]:
    who = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {"Authorization": f"Bearer {TOKEN}"}
    headers = who | ({"Last-Event-ID": header} if header is not None else {})
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", f"{url}/reporting/stream", params=query, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Listening(answer, answer.aiter_lines())


async def test_a_new_listener_gets_the_current_figures_and_then_what_moves(
    settings: Settings, published: Published
) -> None:
    await published.move(24)
    await published.move(15, A)
    async with served(settings) as (url, _), listening(url) as stream:
        id_, event, data = await stream.next()
        assert (id_, event) == (2, "snapshot")
        assert [(f["scope"], f["cluster_id"], f["value"], f["as_of"]) for f in data["figures"]] == [
            ("cluster", str(A), 15, "2026-03-01"), ("network", None, 24, "2026-03-01"),
        ]  # fmt: skip
        await published.move(25)
        id_, event, data = await stream.next()
        assert (id_, event, data["value"], data["previous"], data["scope"]) == (3, "figure", 25, 24, "network")


@pytest.mark.parametrize("place", ["header", "query"])
async def test_who_resumes_gets_the_newest_value_of_what_moved_meanwhile(
    settings: Settings, published: Published, place: str
) -> None:
    for value in range(1, 6):
        await published.move(value)
    await published.move(7, A)
    asked: dict[str, Any] = {"header": "3"} if place == "header" else {"last_event_id": 3}
    async with served(settings) as (url, _), listening(url, **asked) as stream:
        messages = [await stream.next(), await stream.next()]
        assert [(m[0], m[1], m[2]["value"]) for m in messages] == [(5, "figure", 5), (6, "figure", 7)]
        await published.move(8, A)
        assert (await stream.next())[0] == 7


@pytest.mark.parametrize("header", ["x", "-1", "", "999", "99999999999999999999999", "1.5"])
async def test_an_id_that_is_no_place_in_the_history_begins_anew(
    settings: Settings, published: Published, header: str
) -> None:
    await published.move(1)
    async with served(settings) as (url, _), listening(url, header=header) as stream:
        assert (await stream.next())[:2] == (1, "snapshot")
        await published.move(2)
        assert (await stream.next())[:2] == (2, "figure")


async def test_values_of_one_figure_come_at_most_once_a_second_and_the_newest_is_never_lost(
    settings: Settings, published: Published
) -> None:
    async with served(settings) as (url, _), listening(url) as stream:
        assert (await stream.next())[2] == {"figures": []}
        loop = asyncio.get_running_loop()
        arrived: list[tuple[float, int]] = []

        async def read() -> None:
            while not arrived or arrived[-1][1] != 60:
                message = await stream.next()
                arrived.append((loop.time(), message[2]["value"]))

        reading = asyncio.create_task(read())
        for value in range(1, 61):
            await published.move(value)
            await asyncio.sleep(0.02)
        await asyncio.wait_for(reading, 10)
        assert len(arrived) < 10
        gaps = [b[0] - a[0] for a, b in pairwise(arrived)]
        assert all(gap > 0.8 for gap in gaps), gaps


async def test_filters_leave_only_what_was_asked_for(settings: Settings, published: Published) -> None:
    await published.move(1)
    await published.move(2, A)
    async with served(settings) as (url, _), listening(url, cluster=str(A), indicator="members") as stream:
        assert [f["value"] for f in (await stream.next())[2]["figures"]] == [2]
        await published.move(3, B)
        await published.move(4, indicator="organizations")
        await published.move(5, A)
        assert (await stream.next())[2]["value"] == 5


async def test_a_listener_that_does_not_read_holds_up_nobody(settings: Settings, published: Published) -> None:
    async with served(settings) as (url, app), listening(url) as stuck, listening(url) as other:
        await stuck.next()
        await other.next()
        await published.move(1)
        assert (await other.next())[2]["value"] == 1
        assert app.state.broadcaster.listeners == 2
        assert (await stuck.next())[2]["value"] == 1


async def test_two_replicas_serve_one_history(settings: Settings, published: Published) -> None:
    await published.move(1)
    async with served(settings) as (one, _), served(settings) as (other, _):
        async with listening(one) as stream:
            last = (await stream.next())[0]
        await published.move(2)
        async with listening(other, header=str(last)) as stream:
            assert (await stream.next())[0] == last + 1


async def test_streams_end_when_the_service_stops_and_gone_listeners_are_forgotten(
    settings: Settings, published: Published
) -> None:
    async with served(settings) as (url, app):
        async with listening(url) as stream:
            await stream.next()
        async with asyncio.timeout(5):
            while app.state.broadcaster.listeners:
                await asyncio.sleep(0.01)
        async with listening(url) as stream:
            await stream.next()
            app.state.service.stopping.set()
            assert await stream.ended()


async def test_a_stream_ends_within_a_minute_of_the_role_being_withdrawn(
    settings: Settings, published: Published, database: Database
) -> None:
    async with served(settings) as (url, app):
        clock = [datetime.now(UTC)]
        app.state.service.clock = lambda: clock[0]
        partner = await somebody(database, "partner")
        async with listening(url, cookie=partner.token) as stream:
            assert (await stream.next())[1] == "snapshot"
            clock[0] += timedelta(seconds=50)
            await published.move(1)
            assert (await stream.next())[1] == "figure"
            async with database.connection() as connection:
                await connection.execute("UPDATE access_copy SET grants = '[]' WHERE subject_id = $1", partner.id)
            clock[0] += timedelta(seconds=50)
            await published.move(2)
            assert await stream.ended()


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [("last_event_id=x", 422, "last_event_id"), ("last_event_id=-1", 422, "last_event_id"),
     ("cluster=x", 422, "cluster"), ("indicator=turnover", 404, "indicator")],
)  # fmt: skip
async def test_bad_questions_to_the_stream_are_refused(settings: Settings, query: str, status: int, field: str) -> None:
    async with served(settings) as (url, _), httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/reporting/stream?{query}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["field"]) == (status, field)
