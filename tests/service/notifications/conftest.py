"""Ground for tests of notifications: a mail server, a present that moves, services that send when they are told to."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from deploy.local.child import free_port
from shared.postgres.pool import Database
from shared.runtime.service import Definition, Service, running
from tests.conftest import SettingsFor
from tests.service.notifications.world import Clock, SenderFor, Sink


@pytest.fixture
async def sink() -> AsyncIterator[tuple[Sink, int]]:
    """A mail server and its port."""
    handler = Sink()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield handler, controller.port
    controller.stop()


@pytest.fixture
def clock() -> Clock:
    """The present of the senders of this test."""
    return Clock()


@pytest.fixture
async def sender(service_settings: SettingsFor, databases: dict[str, Database], clock: Clock) -> SenderFor:
    """`sender(**settings)`: a context manager with a running service whose own loops are off."""
    await databases["notifications"].pool.execute("UPDATE message SET state = 'failed' WHERE state = 'due'")

    def make(**more: Any) -> AbstractAsyncContextManager[Service]:
        bare = Definition("notifications")
        return running(bare, service_settings("notifications", **more), clock=clock)

    return make
