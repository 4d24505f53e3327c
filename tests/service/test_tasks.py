"""Long work seen from outside: how far, how long still, stopped, failed, lost, and by whom it is seen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uuid_utils.compat as uuid_utils
from typer.testing import CliRunner

from services.cli import app
from shared.postgres.pool import Connection, Database, open_database
from shared.refusal import Refusal
from shared.runtime import tasks
from shared.runtime.service import Definition, Service, running
from shared.runtime.settings import Settings
from shared.runtime.tasks import Task, TaskStopped, Words, seconds_left
from tests.conftest import ClientFor, SettingsFor
from tests.stack import database as stack
from tests.stack.database import Cluster
from tests.stack.people import Somebody, somebody

NOW = datetime(2026, 3, 31, 18, tzinfo=UTC)
IMPORT = Words("Importación del padrón", "Import of the register")


class NoSuchCluster(Refusal):
    """There is no such cluster."""


class Place:
    """A service over HTTP whose clock is set by hand, and somebody who calls it."""

    def __init__(self, client: httpx.AsyncClient, clock: list[datetime], person: Somebody) -> None:
        self.client = client
        self.service: Service = client.service  # type: ignore[attr-defined]
        self.clock = clock
        self.person = person
        self.actor = str(person.id)

    async def ask(self, path: str, method: str = "GET", person: Somebody | None = None, **more: Any) -> httpx.Response:
        headers = {**(person or self.person).headers, **more.pop("headers", {})}
        return await self.client.request(method, f"/events/tasks{path}", headers=headers, **more)

    async def until(self, id_: object, **wanted: Any) -> dict[str, Any]:
        """The task once it has these values."""
        async with asyncio.timeout(10):
            while True:
                found: dict[str, Any] = (await self.ask(f"/{id_}")).json()
                if all(found[name] == value for name, value in wanted.items()):
                    return found
                await asyncio.sleep(0.01)

    async def launch(self, work: Callable[[Task], Awaitable[None]], **more: Any) -> Any:
        return await tasks.launch(self.service, work, kind="import", title=IMPORT, actor=self.actor, **more)


@pytest.fixture
async def place(client_for: ClientFor) -> Place:
    clock = [NOW]
    client = await client_for("events", token=None, clock=lambda: clock[0])
    database = client.service.database  # type: ignore[attr-defined]
    return Place(client, clock, await somebody(database, "cluster_staff", "cluster", uuid_utils.uuid7(), now=NOW))


async def test_a_task_tells_how_far_it_is_how_long_still_and_what_came_of_it(place: Place) -> None:
    onward = asyncio.Event()

    async def work(task: Task) -> None:
        await task.advance(0)
        place.clock[0] += timedelta(seconds=10)
        await task.advance(400)
        await onward.wait()
        task.result = {"new": 1000, "refused": 0}
        await task.advance(600)

    id_ = await place.launch(work, total=1000)
    found = await place.until(id_, done=400)
    assert (found["state"], found["total"], found["seconds_left"]) == ("running", 1000, 15)
    assert (found["title"], found["actor"]) == ({"es": IMPORT.es, "en": IMPORT.en}, place.actor)
    assert (await place.ask("?unseen=true")).json()["tasks"] == []
    onward.set()
    found = await place.until(id_, state="done")
    assert (found["done"], found["seconds_left"], found["result"]) == (1000, None, {"new": 1000, "refused": 0})
    (unseen,) = (await place.ask("?unseen=true")).json()["tasks"]
    assert unseen["id"] == str(id_)
    assert (await place.ask(f"/{id_}/seen", "POST")).status_code == 204
    assert (await place.ask("?unseen=true")).json()["tasks"] == []
    page = (await place.ask("?limit=1")).json()
    assert (page["tasks"][0]["id"], page["next"]) == (str(id_), str(id_))
    assert (await place.ask(f"?before={page['next']}")).json() == {"tasks": [], "next": None}


async def test_a_task_that_is_asked_to_stop_ends_where_it_tells_how_far_it_is(place: Place) -> None:
    came_after = False

    async def work(task: Task) -> None:
        nonlocal came_after
        while True:
            await task.advance()
            came_after = True
            await asyncio.sleep(0.01)

    id_ = await place.launch(work)
    assert (await place.until(id_, state="running"))["total"] is None
    asked = await place.ask(f"/{id_}/stop", "POST")
    assert (asked.status_code, asked.json()["stop_asked"]) == (202, True)
    found = await place.until(id_, state="stopped")
    assert came_after
    assert found["reason"] == "the task was stopped; what it had done stays"
    again = await place.ask(f"/{id_}/stop", "POST")
    assert (again.status_code, again.json()["type"], again.json()["field"]) == (
        409, "urn:cumulo:problem:task-ended", "task_id",
    )  # fmt: skip


async def test_a_task_whose_process_died_is_lost_and_may_be_given_up(place: Place) -> None:
    database = place.service.database
    task = tasks.begin(database, kind="export", title=IMPORT, actor=place.actor, clock=lambda: NOW)
    died = await task.__aenter__()
    place.clock[0] = NOW + tasks.LOST_AFTER
    assert (await place.ask(f"/{died.id}")).json()["state"] == "running"
    place.clock[0] += timedelta(seconds=1)
    assert (await place.ask(f"/{died.id}")).json()["state"] == "lost"
    given_up = (await place.ask(f"/{died.id}/stop", "POST")).json()
    assert (given_up["state"], given_up["reason"]) == ("stopped", "its process was lost")
    # it was only frozen: when it wakes it learns of it, and changes nothing
    with pytest.raises(TaskStopped):
        async with asyncio.timeout(10):
            while True:
                await died.advance()
                await asyncio.sleep(0.01)
    await task.__aexit__(None, None, None)
    assert (await place.ask(f"/{died.id}")).json()["state"] == "stopped"


async def test_a_task_is_seen_by_whoever_began_it_and_by_the_roles_of_the_network(place: Place) -> None:
    database = place.service.database
    async with tasks.begin(database, kind="import", title=IMPORT, actor=place.actor, clock=lambda: NOW) as task:
        pass
    neighbour = await somebody(database, "cluster_director", "cluster", uuid_utils.uuid7(), now=NOW)
    coordinator = await somebody(database, "coordinator", now=NOW)
    nobody = await somebody(database, None, now=NOW)
    paths = [("", "GET"), ("/stream", "GET"), ("/stop", "POST"), ("/seen", "POST")]
    for path, method in paths:
        hidden = await place.ask(f"/{task.id}{path}", method, neighbour)
        assert (hidden.status_code, hidden.json()["type"]) == (404, "urn:cumulo:problem:no-such-task"), path
        assert (await place.ask(f"/{task.id}{path}", method, nobody)).status_code == 403, path
        assert (await place.client.request(method, f"/events/tasks/{task.id}{path}")).status_code == 401, path
    assert [(await place.ask(f"/{task.id}{path}", method, coordinator)).status_code for path, method in paths] == [
        200, 200, 409, 404,
    ]  # fmt: skip
    assert (await place.ask("", person=neighbour)).json()["tasks"] == []
    assert (await place.ask("?everybody=true", person=neighbour)).status_code == 403
    every = (await place.ask("?everybody=true&limit=200", person=coordinator)).json()["tasks"]
    assert str(task.id) in {one["id"] for one in every}
    assert (await place.ask("/nonsense")).json()["field"] == "task_id"
    assert (await place.ask("?limit=0")).status_code == 422


@contextlib.asynccontextmanager
async def streamed(place: Place, id_: object, person: Somebody) -> AsyncIterator[asyncio.Queue[tuple[str, Any]]]:
    """The stream as it comes: (event, task), and ("", None) when it has ended."""
    found: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    path = f"/events/tasks/{id_}/stream"
    headers = [(name.lower().encode(), value.encode()) for name, value in person.headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b"",
             "http_version": "1.1", "scheme": "http", "server": ("test", 80), "asgi": {"version": "3.0"}}  # fmt: skip

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert (b"content-type", b"text/event-stream; charset=utf-8") in message["headers"]
        elif len(lines := message["body"].decode().splitlines()) >= 3:
            found.put_nowait((lines[1].removeprefix("event: "), orjson.loads(lines[2].removeprefix("data: "))))

    async def receive() -> Any:
        return await asyncio.Event().wait()

    async def follow() -> None:
        await place.client._transport.app(scope, receive, send)  # type: ignore[attr-defined]
        found.put_nowait(("", None))

    following = asyncio.create_task(follow())
    async with asyncio.timeout(10):
        yield found
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_stream_follows_a_task_to_its_end(place: Place) -> None:
    onward: asyncio.Queue[int] = asyncio.Queue()

    async def work(task: Task) -> None:
        while task.done < 10:
            await task.advance(await onward.get())

    id_ = await place.launch(work, total=10)
    async with streamed(place, id_, place.person) as stream:
        event, told = await stream.get()
        assert (event, told["state"], told["done"], told["total"]) == ("task", "running", 0, 10)
        onward.put_nowait(4)
        event, told = await stream.get()
        assert (event, told["done"]) == ("task", 4)
        onward.put_nowait(6)
        while event == "task":
            event, told = await stream.get()
        assert (event, told["state"], told["done"], await stream.get()) == ("end", "done", 10, ("", None))
    assert (await place.ask(f"/{id_}/stream", headers={"Last-Event-ID": "end"})).status_code == 204


async def test_a_stream_ends_within_a_minute_of_the_role_being_withdrawn(place: Place) -> None:
    async def work(task: Task) -> None:
        await asyncio.Event().wait()

    id_ = await place.launch(work)
    for change in ("UPDATE access_copy SET grants = '[]'", "DELETE FROM access_copy"):
        coordinator = await somebody(place.service.database, "coordinator", now=place.clock[0])
        async with streamed(place, id_, coordinator) as stream:
            assert (await stream.get())[0] == "task"
            async with place.service.database.connection() as connection:
                await connection.execute(f"{change} WHERE subject_id = $1", coordinator.id)
            place.clock[0] += timedelta(seconds=61)
            while (last := await stream.get())[0] == "task":
                assert last[1]["state"] in ("running", "lost")
            assert last == ("", None)


async def test_why_a_task_failed_is_told_without_the_words_of_a_fault(place: Place) -> None:
    async def refused(task: Task) -> None:
        raise NoSuchCluster("there is no cluster costa-y-agave")

    async def broken(task: Task) -> None:
        raise KeyError("rebeca@example.org")

    id_ = await place.launch(refused)
    assert (await place.until(id_, state="failed"))["reason"] == "there is no cluster costa-y-agave"
    id_ = await place.launch(broken)
    assert (await place.until(id_, state="failed"))["reason"] == "a fault of the program; it was logged"


async def test_a_service_that_stops_breaks_its_tasks_off_and_writes_it_down(
    databases: dict[str, Database], service_settings: SettingsFor
) -> None:
    begun = asyncio.Event()

    async def work(task: Task) -> None:
        await task.advance(3)
        begun.set()
        await asyncio.Event().wait()

    async with running(Definition("events"), service_settings("events")) as service:
        id_ = await tasks.launch(service, work, kind="import", title=IMPORT, actor="test")
        await begun.wait()
    async with databases["events"].connection() as connection:
        task = await tasks.task_by_id(connection, id_, now=datetime.now(UTC))
    assert (task.state, task.done, task.reason) == ("stopped", 3, "its process was stopped")


async def test_progress_is_written_a_few_times_a_second_however_often_it_moves(databases: dict[str, Database]) -> None:
    class Watched(Database):
        taken = 0

        @contextlib.asynccontextmanager
        async def connection(self) -> AsyncIterator[Connection]:
            Watched.taken += 1
            async with Database.connection(self) as connection:
                yield connection

    database = Watched(databases["events"].pool, "events")
    moved = 0
    async with tasks.begin(database, kind="export", title=IMPORT, actor="test") as task:
        ends = asyncio.get_running_loop().time() + 0.7
        while asyncio.get_running_loop().time() < ends:
            await task.advance()
            moved += 1
    assert moved > 1000
    assert 3 <= Watched.taken <= 7  # beginning, end, and one in 0.2 s
    async with database.connection() as connection:
        assert (await tasks.task_by_id(connection, task.id, now=datetime.now(UTC))).done == moved


async def test_tasks_are_forgotten_after_a_month(databases: dict[str, Database]) -> None:
    database = databases["events"]
    for age in (29, 31):
        begun = datetime(2020, 2, 1, tzinfo=UTC) - timedelta(days=age)
        async with tasks.begin(
            database,
            kind="export",
            title=IMPORT,
            actor=f"test-{age}",
            clock=lambda at=begun: at,  # type: ignore[misc]
        ):
            pass
    async with database.connection() as connection:
        now = datetime(2020, 2, 1, tzinfo=UTC)
        assert await tasks.forget(connection, 10, now=now) == 1
        assert len(await tasks.tasks_of(connection, "test-29", now=now)) == 1
        assert await tasks.tasks_of(connection, "test-31", now=now) == []


@pytest.fixture
async def terminal(
    postgres: Cluster, service_settings: SettingsFor, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Settings]:
    """A database of the test's own, which the environment names as membership sees it."""
    name = f"cumulo_{uuid_utils.uuid7().hex[-12:]}"
    await stack.clone(postgres, name)
    settings = service_settings("membership", postgres_database=name)
    assert settings.postgres_password is not None
    monkeypatch.setenv("CUMULO_POSTGRES_HOST", settings.postgres_host)
    monkeypatch.setenv("CUMULO_POSTGRES_PORT", str(settings.postgres_port))
    monkeypatch.setenv("CUMULO_POSTGRES_DATABASE", name)
    monkeypatch.setenv("CUMULO_POSTGRES_PASSWORD", settings.postgres_password.get_secret_value())
    yield settings
    await stack.drop(postgres, name)


async def test_an_import_from_a_terminal_is_a_task_too(terminal: Settings, tmp_path: Path) -> None:
    file = tmp_path / "padron.csv"
    file.write_text("empresa,correo\nArneses Ejemplo,ana@arneses.example\n", "utf-8")

    async def cumulo(*words: str) -> int:
        return (await asyncio.to_thread(CliRunner().invoke, app, list(words))).exit_code

    assert await cumulo("cluster", "add", "Clúster", "--slug", "x", "--state", "JAL") == 0
    assert await cumulo("import", "members", str(file), "--cluster", "nowhere") == 1
    assert await cumulo("import", "members", str(file), "--cluster", "x", "--no-welcome") == 0
    async with (
        open_database(terminal.postgres("membership"), schema="membership", size=1) as database,
        database.connection() as connection,
    ):
        done, failed = await tasks.tasks_of(connection, "cli", now=datetime.now(UTC), limit=2)
    assert (done.kind, done.state, done.done, done.total) == ("import", "done", 1, 1)
    assert done.result is not None
    assert (done.result["cluster"], done.result["new"]) == ("x", 1)
    assert (failed.state, "nowhere" in (failed.reason or "")) == ("failed", True)


@pytest.mark.parametrize(
    ("done", "total", "spent", "silent", "left"),
    [
        (0, 10, 5, 0, None), (5, None, 5, 0, None), (5, 10, 0, 0, None), (5, 10, 20, 0, 20), (5, 10, 20, 4, 16),
        (5, 10, 20, 60, 0), (12, 10, 20, 0, 0), (1, 10**15, 1, 0, 10**15 - 1),
    ],
)  # fmt: skip
def test_the_time_left_follows_the_rate_so_far(
    done: int, total: int | None, spent: float, silent: float, left: int | None
) -> None:
    updated = NOW + timedelta(seconds=spent)
    assert seconds_left(done, total, NOW, updated, updated + timedelta(seconds=silent)) == left


async def test_a_task_has_a_page_that_may_be_left_and_the_bell_counts_its_end(place: Place) -> None:
    onward = asyncio.Event()

    async def work(task: Task) -> None:
        await onward.wait()
        task.result = {"counts": {"new": 7}, "dry_run": True, "rows": [1, 2, 3], "note": "a < b", "last": None}

    id_ = await place.launch(work)
    html = {"Accept": "text/html"}
    frame = await place.client.get(f"/tasks/events/{id_}", headers={**place.person.headers, **html})
    assert f"/events/pages/tasks/{id_}" in frame.text

    async def part(path: str, **more: Any) -> httpx.Response:
        return await place.client.request(
            more.pop("method", "GET"), f"/events/pages/tasks{path}", headers={**place.person.headers, **html}
        )

    running_ = (await part(f"/{id_}")).text
    assert f'data-progress="/events/tasks/{id_}/stream"' in running_ and "seen" not in running_
    stranger = await somebody(place.service.database, "cluster_staff", "cluster", uuid_utils.uuid7(), now=NOW)
    assert (
        await place.client.get(f"/events/pages/tasks/{id_}", headers={**stranger.headers, **html})
    ).status_code == 404
    onward.set()
    await place.until(id_, state="done")
    assert [one["id"] for one in (await place.ask("?unseen=true")).json()["tasks"]] == [str(id_)]
    shown = (await part(f"/{id_}")).text
    assert f'hx-post="/events/tasks/{id_}/seen"' in shown and ">7<" in shown
    assert ">sí<" in shown and ">3<" in shown and "a &lt; b" in shown
    assert (await place.ask(f"/{id_}/seen", "POST")).status_code == 204
    assert (await place.ask("?unseen=true")).json()["tasks"] == []
    assert str(id_) in (await part("")).text
    id_ = await place.launch(lambda task: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
    assert (await part(f"/{id_}/stop", method="POST")).status_code == 303
    assert (await place.ask(f"/{id_}")).json()["stop_asked"]
