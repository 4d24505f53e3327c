"""Fixtures of all tests. One PostgreSQL and one Kafka for the run, started when a test first asks for them.

    CUMULO_TEST_POSTGRES=HOST:PORT:USER:PASSWORD   a superuser of a PostgreSQL 18, or a DSN
    CUMULO_TEST_KAFKA=HOST:PORT                    a real Kafka
    CUMULO_TEST_REQUIRE=kafka,chromium             what is missing fails instead of being skipped

Without these: containers when Docker answers, else the embedded pair. Each worker has a database of its
own, a clone of the migrated template, and a prefix of its own for topics.
"""

import dataclasses
import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.http.edge import application
from shared.postgres.pool import Database, Unit, open_database
from shared.runtime.service import Definition
from shared.runtime.settings import SERVICES, Settings
from tests.stack import database
from tests.stack.database import Cluster
from tests.stack.run import Run, required

TOKEN = "token-of-the-tests"
MARK = "requires_real_kafka: skipped on the embedded broker, which lacks what is tested"

_RUN = pytest.StashKey[Run]()

UnitFor = Callable[..., Awaitable[Unit]]
ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
SettingsFor = Callable[..., Settings]


@dataclasses.dataclass(frozen=True, slots=True)
class Kafka:
    """Where Kafka is, and whether it is the embedded broker."""

    bootstrap: str
    embedded: bool


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)
    given = getattr(config, "workerinput", None)
    config.stash[_RUN] = Run(Path(given["cumulo_run"]), given["workerid"]) if given else Run.begin()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["cumulo_run"] = str(node.config.stash[_RUN].folder)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_RUN].end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("requires_real_kafka"):
            item.fixturenames.insert(0, "requires_real_kafka")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A file's bytes are no name: a sheet made at collection holds the second, and workers would name it apart."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Run:
    """This test run as this worker sees it: `name` is unique for worker and run."""
    return request.config.stash[_RUN]


@pytest.fixture(scope="session")
async def postgres(run: Run) -> AsyncIterator[Cluster]:
    """The server, with this worker's own migrated database as `.database`.

    `.connection()` is the superuser's, `.connection(role="cumulo_events")` a role's.
    """
    cluster = Cluster.from_environment()
    if cluster is None:
        found = run.server("postgres")
        cluster = Cluster(found["host"], found["port"], found["user"], found["password"])
    name = f"cumulo_{run.name}"
    await database.clone(cluster, name)
    yield dataclasses.replace(cluster, database=name)
    await database.drop(cluster, name)


@pytest.fixture(scope="session")
def kafka(run: Run) -> Kafka:
    """The broker of this run."""
    named = os.environ.get("CUMULO_TEST_KAFKA")
    if named:
        return Kafka(named, embedded=False)
    found = run.server("kafka")
    return Kafka(found["bootstrap"], found["embedded"])


@pytest.fixture(scope="session")
def requires_real_kafka(kafka: Kafka) -> Kafka:
    """A real Kafka, or a skip; a failure where CUMULO_TEST_REQUIRE contains kafka. Also a mark of this name."""
    if kafka.embedded:
        text = "a real Kafka is needed; name one in CUMULO_TEST_KAFKA"
        if "kafka" in required():
            pytest.fail(text)
        pytest.skip(text)
    return kafka


@pytest.fixture(scope="session")
def service_settings(
    request: pytest.FixtureRequest, run: Run, postgres: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> SettingsFor:
    """`service_settings("events", kafka=True, relay_batch=10)`: settings on this worker's database.

    Kafka's address and this worker's prefix are set only with `kafka=True`, so that tests without it start none.
    Membership's own mails go into a folder: a server that is not there would be tried for seconds.
    """
    mails = tmp_path_factory.mktemp("mails")

    def make(service: str, *, kafka: bool = False, **more: Any) -> Settings:
        values: dict[str, Any] = {
            "environment": "test",
            "replica": f"{service}-{run.worker}",
            "service_token": TOKEN,
            "postgres_host": postgres.host,
            "postgres_port": postgres.port,
            "postgres_database": postgres.database,
            "postgres_password": postgres.role_password(f"cumulo_{service}"),
            "postgres_pool": 4,
            "kafka": "127.0.0.1:9",
            "topic_prefix": f"{run.name}.",
            "relay_enabled": kafka,
        }
        if service == "membership":
            values["mail_folder"] = mails
        if kafka:
            found: Kafka = request.getfixturevalue("kafka")
            values |= {
                "kafka": found.bootstrap,
                "kafka_embedded": found.embedded,
                "kafka_idempotent": not found.embedded,
                # a group of the embedded broker joins in one second instead of two, again in one instead of seven
                "kafka_session_seconds": 1.0 if found.embedded else None,
            }
        return Settings(**(values | more))

    return make


@pytest.fixture(scope="session")
async def databases(service_settings: SettingsFor) -> AsyncIterator[dict[str, Database]]:
    """The pool of each service, signed in with the service's own role."""
    async with AsyncExitStack() as stack:
        yield {
            service: await stack.enter_async_context(
                open_database(service_settings(service).postgres(service), schema=service, application="test", size=4)
            )
            for service in SERVICES
        }


@pytest.fixture
async def unit_for(databases: dict[str, Database]) -> AsyncIterator[UnitFor]:
    """`await unit_for("membership", now=…, actor=…)`: a `Unit` whose transaction is rolled back after the test.

    A second call for the same service gives a unit on the same transaction, so that a test can let time pass.
    """
    begun: dict[str, Unit] = {}
    async with AsyncExitStack() as stack:

        async def unit(service: str, *, actor: str = "test", cause: str = "test", now: datetime | None = None) -> Unit:
            if service not in begun:
                connection = await stack.enter_async_context(databases[service].pool.acquire(timeout=10))
                transaction = connection.transaction()
                await transaction.start()
                stack.push_async_callback(transaction.rollback)
                begun[service] = Unit(connection, actor, cause, now or datetime.now(UTC))
            return dataclasses.replace(
                begun[service], actor=actor, cause=cause, now=now or datetime.now(UTC), recorded=0
            )

        yield unit


@pytest.fixture
async def client_for(service_settings: SettingsFor) -> AsyncIterator[ClientFor]:
    """`await client_for("membership", clock=…, kafka=False, token=…, definition=…, **settings)`: an HTTP client.

    It talks to the service's application in this process, started through its real lifespan, and carries
    the service's token (`token=None`: none). Without `kafka` there are no relay, consumers and loops. The
    running `Service` is `client.service`.
    """
    async with AsyncExitStack() as stack:

        async def client(
            service: str,
            *,
            kafka: bool = False,
            clock: Callable[[], datetime] | None = None,
            token: str | None = TOKEN,
            definition: Definition | None = None,
            **more: Any,
        ) -> httpx.AsyncClient:
            chosen: Definition = definition or importlib.import_module(f"services.{service}.app").DEFINITION
            if not kafka:
                chosen = dataclasses.replace(chosen, consumers=(), loops={})
            app = application(chosen, service_settings(service, kafka=kafka, **more), clock=clock)
            await stack.enter_async_context(app.router.lifespan_context(app))
            made = await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app, raise_app_exceptions=False),
                    base_url="http://test",
                    headers={"Authorization": f"Bearer {token}"} if token else {},
                    timeout=30,
                )
            )
            made.service = app.state.service  # type: ignore[attr-defined]
            return made

        yield client


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of the developer's shell do not reach the tests."""
    for name in list(os.environ):
        if name.startswith("CUMULO_") and not name.startswith("CUMULO_TEST_"):
            monkeypatch.delenv(name)
    yield
