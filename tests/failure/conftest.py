"""Fixtures of the failure tests: a PostgreSQL of their own, a real Kafka, a nursery, and a world per test.

CUMULO_KAFKA_LOCAL=FILE   the program that runs a Kafka of our own, for the tests that stop and kill one
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.conftest import Kafka
from tests.failure.children import Nursery
from tests.failure.servers import OwnBroker, OwnPostgres, kafka_tool
from tests.failure.world import World

HERE = Path(__file__).parent

WorldFor = Callable[..., Awaitable[World]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("failure"))


@pytest.fixture(scope="session")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    """A PostgreSQL that tests may restart and kill."""
    server = OwnPostgres(tmp_path_factory.mktemp("failure-postgres"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Forks the processes of the tests."""
    made = Nursery("tests.failure.process", tmp_path_factory.mktemp("failure-nursery") / "log")
    yield made
    made.close()


@pytest.fixture(scope="session")
def checkers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Forks checkers, which load nothing of the bus."""
    made = Nursery("tests.failure.checker", tmp_path_factory.mktemp("failure-checkers") / "log")
    yield made
    made.close()


@pytest.fixture
def own_broker(requires_real_kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    """A real Kafka that a test may stop and kill; a skip where there is no program to run one."""
    tool = kafka_tool()
    if tool is None:
        pytest.skip("no program that runs a Kafka of our own; name one in CUMULO_KAFKA_LOCAL")
    broker = OwnBroker(tool, tmp_path_factory.mktemp("failure-kafka"))
    broker.start()
    yield broker
    broker.close()


@pytest.fixture
async def world_for(
    own_postgres: OwnPostgres, nursery: Nursery, checkers: Nursery, tmp_path: Path
) -> AsyncIterator[WorldFor]:
    """`await world_for(bootstrap)`: a world on a broker, removed after the test."""
    async with AsyncExitStack() as stack:

        async def make(bootstrap: str) -> World:
            made = World(f"f{secrets.token_hex(4)}", own_postgres.cluster, bootstrap, tmp_path, nursery, checkers)
            stack.push_async_callback(made.end)
            await made.begin()
            return made

        yield make


@pytest.fixture
async def world(requires_real_kafka: Kafka, world_for: WorldFor) -> World:
    """A world on the run's real Kafka."""
    return await world_for(requires_real_kafka.bootstrap)
