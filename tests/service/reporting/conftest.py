"""Fixtures of reporting's tests: a read model without anything in it, alone or in a database of its own."""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import pytest
import uuid_utils.compat as uuid_utils

from services.reporting.consumers import CONSUMERS
from shared.messaging.events import Event
from shared.postgres.pool import Database, Unit, open_database
from tests.service.reporting.world import World, events
from tests.stack import database as stack
from tests.stack.database import Cluster

HANDLERS = {model: handler for consumer in CONSUMERS for model, handler in consumer.handlers.items()}
Take = Callable[[Unit, World], Awaitable[None]]


@pytest.fixture
async def unit(unit_for: Callable[..., Awaitable[Unit]]) -> Unit:
    """A unit whose read model is empty, whatever other tests have committed; rolled back afterwards."""
    made = await unit_for("reporting")
    await made.connection.execute("UPDATE generation SET last = last + 1, current = last + 1, building = NULL")
    await made.connection.execute("DELETE FROM figure")
    await made.connection.execute("DELETE FROM dirty")
    return made


@pytest.fixture
async def own(postgres: Cluster) -> AsyncIterator[Cluster]:
    """A database of the test's own, for what commits."""
    name = f"cumulo_reporting_{uuid_utils.uuid7().hex[-12:]}"
    await stack.clone(postgres, name)
    yield dataclasses.replace(postgres, database=name)
    await stack.drop(postgres, name)


@pytest.fixture
async def database(own: Cluster, service_settings: Callable[..., object]) -> AsyncIterator[Database]:
    """Reporting's pool on the own database."""
    settings = service_settings("reporting", postgres_database=own.database)
    async with open_database(settings.postgres("reporting"), schema="reporting", size=6) as made:  # type: ignore[attr-defined]
        yield made


async def take(unit: Unit, some: list[Event]) -> None:
    """Hands events to the handlers as the consumer loop does: those of one function together, in order."""
    by_function: dict[object, list[Event]] = {}
    for event in some:
        by_function.setdefault(HANDLERS[type(event.data)], []).append(event)
    for function, its in by_function.items():
        await function(unit, its)  # type: ignore[operator]


async def fill(unit: Unit, world: World) -> None:
    """Everything of a world, in one batch."""
    await take(unit, events([*world.items, *world.states]))


def instant(text: str) -> datetime:
    """An instant from its text."""
    return datetime.fromisoformat(text)
