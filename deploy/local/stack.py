"""The whole system in one process: PostgreSQL and Kafka beside it, the four services in one event loop.

Everything it starts ends with it, in the opposite order. It may be killed at any moment: the next start
stops what was left behind, recovers, and fills the empty broker from the tables.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import socket
from types import FrameType
from typing import Any, Literal

from deploy.local import broker, folder, postgres
from deploy.local.child import GivenUp, program_name
from deploy.local.filling import Say, Warn, fill, reconcile_states
from deploy.local.front import Front
from deploy.local.migrate import migrate
from deploy.local.server import listening, serve, stop_signals
from shared.http.edge import application
from shared.messaging.topics import make_topics
from shared.runtime import logging, loop
from shared.runtime.faults import trace_of
from shared.runtime.local import SUPERUSER, administrator, local_settings
from shared.runtime.service import Definition, Service

DemoSize = Literal["people", "network"]
Services = Mapping[str, Service]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Demo:
    """How the demo is made: who signs in before the door opens, the whole network behind it.

    `people` tells how many things were new. `network` gets what an earlier start marked as made, where to mark what
    it makes, and whom to tell how far it is.
    """

    people: Callable[[Services], Awaitable[int]]
    network: Callable[[Services, dict[str, Any], Callable[[dict[str, Any]], None], Progress], Awaitable[None]]
    progress: Callable[[], AbstractContextManager[Progress]]


@dataclass(frozen=True, slots=True)
class Place:
    """What `cumulo up` was asked for. `kafka` names a real Apache Kafka; None starts the embedded broker.

    `demo` makes people with one-click sign-in, and their network unless it is "people".
    """

    data: Path
    port: int = 8000
    kafka: str | None = None
    demo: DemoSize | None = None


class Stop:
    """Whether SIGINT or SIGTERM asked us to end, from before the first step on.

    A flag and no exception: Python loses an exception that a handler raises inside a callback of the
    interpreter (after a fork, in a destructor), and with it the request.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "Stop":
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        # the process ends now, and `uv run` passes a Ctrl-C on a second time, a moment after the terminal's own
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def check(self) -> None:
        """Raises `GivenUp` when it was asked."""
        if self.asked:
            raise GivenUp


def run(
    place: Place,
    definitions: Callable[[], Mapping[str, Definition]],
    *,
    say: Say,
    warn: Warn,
    ready: Callable[[dict[str, Any]], None],
    demo: Demo,
) -> None:
    """Runs until SIGINT or SIGTERM. `ready` gets the status once all services are ready.

    Call it in the main thread: the servers end with the thread that started them. Raises `NotStarted`,
    `MigrationChanged`, `DatabaseTooNew`.
    """
    with Stop() as stop, suppress(GivenUp), ExitStack() as stack:
        if place.kafka is not None:
            broker.check_answers(place.kafka)
        secrets = stack.enter_context(folder.opened(place.data))
        door = stack.enter_context(listening("127.0.0.1", place.port, command="up"))
        began = time.monotonic()
        server = stack.enter_context(
            postgres.running(
                place.data / "postgres",
                password=secrets[SUPERUSER],
                log=place.data / "logs/postgres.log",
                give_up=lambda: stop.asked,
            )
        )
        say("PostgreSQL", time.monotonic() - began)
        stop.check()
        kafka = place.kafka
        if kafka is None:
            began = time.monotonic()
            kafka = f"127.0.0.1:{stack.enter_context(broker.running(log=place.data / 'logs/kafka.log'))}"
            say("Kafka (Tansu)", time.monotonic() - began)
        status = folder.status_of(
            place.data, secrets, http=door.getsockname()[1], postgres=server.port, kafka=kafka,
            kafka_embedded=place.kafka is None, demo=place.demo is not None,
        )  # fmt: skip
        services = definitions()
        stop.check()
        loop.run(_services(place, services, status, secrets, door, stop, say, warn, ready, demo))


async def _services(
    place: Place,
    definitions: Mapping[str, Definition],
    status: dict[str, Any],
    secrets: dict[str, str],
    door: socket,
    stop: Stop,
    say: Say,
    warn: Warn,
    ready: Callable[[dict[str, Any]], None],
    demo: Demo,
) -> None:
    with stop_signals() as stopping:
        stop.check()
        preparing = asyncio.create_task(_prepare(definitions, status, secrets, say, warn))
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({preparing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not preparing.done():
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)
            return
        stopped.cancel()
        preparing.result()
        began = time.monotonic()
        applications = {
            name: application(definition, local_settings(name, status, secrets))
            for name, definition in definitions.items()
        }
        front = Front(applications)

        async def tell() -> None:
            folder.write_status(place.data, status)
            await _until_ready(front, stopping)
            if not stopping.is_set():
                say("services", time.monotonic() - began)
                running = {name: app.state.service for name, app in applications.items()}
                if place.demo:
                    started = time.monotonic()
                    made = await demo.people(running)
                    say(f"demo's people ({made} new)", time.monotonic() - started)
                status["ready"] = True
                folder.write_status(place.data, status)
                ready(status)
                if place.demo == "network":
                    filling.append(asyncio.create_task(_fill_demo(place, demo, running, say, warn)))
                if not status["kafka_embedded"]:
                    group.create_task(reconcile_states([app.state.service for app in applications.values()]))

        filling: list[asyncio.Task[None]] = []
        # a task of its own for each, so that one enters and leaves its lifespan in the same task
        async with asyncio.TaskGroup() as group:
            started = [asyncio.Event() for _ in applications]
            end = asyncio.Event()
            for event, app in zip(started, applications.values(), strict=True):
                group.create_task(_alive(app, event, end))
            for event in started:
                await event.wait()
            group.create_task(_watch(place, stopping))
            try:
                await serve(front, door, stopping, tell, front.close)
            finally:
                for task in filling:
                    task.cancel()
                await asyncio.gather(*filling, return_exceptions=True)
                end.set()


async def _fill_demo(place: Place, demo: Demo, services: Services, say: Say, warn: Warn) -> None:
    """The demo's network while the door is open. What fails is told; the system goes on, the next start tries again."""
    began = time.monotonic()
    try:
        with demo.progress() as progress:
            await demo.network(services, folder.demo_made(place.data), partial(folder.mark_demo, place.data), progress)
    except Exception as error:
        logging.get_log("local").error("demo.failed", error=type(error).__name__, where=trace_of(error))
        warn(f"the demo could not be completed ({type(error).__name__}); the next start goes on with it")
    else:
        say("demo's network", time.monotonic() - began)


async def _watch(place: Place, stopping: asyncio.Event) -> None:
    """Ends the stack when `uv run`, which stands between it and whoever started it, was killed."""
    launcher = os.getppid()
    stands_between = program_name(launcher) in ("uv", "uvx")
    while not stopping.is_set():
        if stands_between and os.getppid() != launcher:
            stopping.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 0.25)
    folder.forget_status(place.data)


async def _alive(app: Any, started: asyncio.Event, end: asyncio.Event) -> None:
    async with app.router.lifespan_context(app):
        started.set()
        await end.wait()


async def _prepare(
    definitions: Mapping[str, Definition], status: dict[str, Any], secrets: dict[str, str], say: Say, warn: Warn
) -> None:
    began = time.monotonic()
    admin = administrator(status, secrets)
    roles = {role: password for role, password in secrets.items() if role.startswith("cumulo_")}
    ran = await migrate(admin, roles)
    say(f"migrations ({sum(ran.values())} new)", time.monotonic() - began)
    began = time.monotonic()
    done = await make_topics(local_settings("membership", status, secrets))
    say(f"topics ({sum(what == 'made' for what in done.values())} new)", time.monotonic() - began)
    await fill(definitions, status, secrets, say=say, warn=warn)


async def _until_ready(front: Front, stopping: asyncio.Event) -> None:
    began = told = time.monotonic()
    while not stopping.is_set() and (reasons := await front.readiness()):
        if time.monotonic() > told + 15:
            told = time.monotonic()
            logging.get_log("local").warning("stack.not_ready", seconds=round(told - began), reasons=reasons)
        await asyncio.sleep(0.05)
