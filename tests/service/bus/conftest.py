"""Ground for tests of the bus: a table for effects, topics of a test's own, services that run for a test."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from shared.messaging.topics import make_topics
from shared.postgres.pool import Database
from shared.runtime.service import Definition, Service, running
from shared.runtime.settings import Settings
from tests.conftest import SettingsFor
from tests.service.bus.records import Effects
from tests.stack.database import Cluster

_NUMBERS = itertools.count()

Run = Callable[..., Awaitable[Service]]


@pytest.fixture(scope="session")
async def effect_table(postgres: Cluster) -> None:
    async with postgres.connection(role="cumulo_owner") as owner:
        for schema in ("reporting", "events"):
            await owner.execute(
                f"CREATE TABLE {schema}.bus_effect (number bigint GENERATED ALWAYS AS IDENTITY, consumer text,"
                " key text, version bigint, type text, label text, CHECK (label <> 'unacceptable'))"
            )
            await owner.execute(f"CREATE INDEX ON {schema}.bus_effect (label)")


@pytest.fixture
def effects(effect_table: None) -> Effects:
    """A consumer of this test's own."""
    return Effects(f"bus.test{next(_NUMBERS)}")


@pytest.fixture
def reporting(databases: dict[str, Database]) -> Database:
    """The database in which effects happen."""
    return databases["reporting"]


@pytest.fixture
async def kafka_settings(service_settings: SettingsFor) -> Callable[..., Settings]:
    """Settings with a topic prefix of this test's own; the topics exist."""
    prefix = f"{service_settings('membership').topic_prefix}t{next(_NUMBERS)}."
    await make_topics(service_settings("membership", kafka=True, topic_prefix=prefix))

    def make(service: str, **more: Any) -> Settings:
        return service_settings(service, kafka=True, **({"topic_prefix": prefix} | more))

    return make


@pytest.fixture
async def run_service(kafka_settings: Callable[..., Settings]) -> AsyncIterator[Run]:
    """`await run_service(definition, **settings)`: a running service; all stop after the test."""
    async with AsyncExitStack() as stack:

        async def run(definition: Definition, **more: Any) -> Service:
            return await stack.enter_async_context(running(definition, kafka_settings(definition.name, **more)))

        yield run
