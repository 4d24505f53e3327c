"""Senders and consumers at the same time, in two replicas: nobody is forgotten, nobody is written to twice."""

import asyncio
from datetime import timedelta
from typing import Any

from services.notifications.consumers import CONSUMERS
from services.notifications.messages import jobs
from shared.contracts.membership import OrganizationState, PersonState
from shared.messaging.apply import Applier
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.bus.records import item, until
from tests.service.notifications.test_delivery import (
    NOW, Clock, Scene, Sink, clock, send_all, sender, sink, state_of, take,
)  # fmt: skip

__all__ = ["clock", "sender", "sink"]


async def test_a_fact_and_its_person_in_two_open_transactions_find_each_other(databases: dict[str, Database]) -> None:
    scene, database = Scene(), databases["notifications"]
    await take(database, [scene.cluster_state(), scene.organization_state()])

    async def other_replica() -> None:
        await take(database, [scene.person_state()])

    async with database.unit(actor="test", cause="test", now=NOW) as unit:
        await Applier(CONSUMERS[0]).apply(unit, [scene.activation()])
        other = asyncio.create_task(other_replica())

        async def waits_or_is_through() -> bool:
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            return other.done() or await database.pool.fetchval(waiting) > 0

        await until(waits_or_is_through)
    await other
    found = await database.pool.fetchval("SELECT count(*) FROM message WHERE person_id = $1", scene.person)
    assert found == 1
