"""500 at once for 50 places: 50 have one, 450 wait in order. With the locks off a crowd gets more than there are."""

import asyncio
import dataclasses
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uuid_utils.compat as uuid_utils

from services.events.places import store
from tests.conftest import ClientFor
from tests.service.events.office import Clock, published
from tests.stack import database
from tests.stack.database import Cluster
from tests.stack.run import Run


@pytest.fixture
async def apart(postgres: Cluster, run: Run) -> AsyncIterator[Cluster]:
    """A database of its own, so that a test may take guards away."""
    name = f"crowd_{run.name}_{uuid_utils.uuid7().hex[-6:]}"
    await database.clone(postgres, name)
    yield dataclasses.replace(postgres, database=name)
    await database.drop(postgres, name)


async def network(cluster: Cluster) -> None:
    """The least that a gathering needs: a cluster that says which network there is."""
    async with cluster.connection() as admin:
        await admin.execute(
            "INSERT INTO events.cluster_network VALUES ($1, $1)", uuid_utils.uuid7()
        )  # fmt: skip


async def crowd(client: httpx.AsyncClient, id_: str, size: int) -> Counter[Any]:
    """So many people register at once. Returns what they were told."""

    async def one(number: int) -> Any:
        people = [{"name": f"Persona {number}", "mail": f"p{number}@empresa.example"}]
        path = f"/events/gatherings/{id_}/registrations"
        while (answer := await client.post(path, json={"people": people})).status_code == 503:
            pass  # no connection was free in time: whoever asks again is served
        return answer.json()[0]["status"] if answer.status_code == 201 else answer.status_code

    numbers = list(range(size))
    random.Random(7).shuffle(numbers)
    return Counter(await asyncio.gather(*(one(number) for number in numbers)))


async def rows(cluster: Cluster, id_: str) -> list[tuple[int, str]]:
    async with cluster.connection() as admin:
        found = await admin.fetch(
            "SELECT number, status FROM events.registration WHERE gathering_id = $1 ORDER BY number", id_
        )
    return [(row["number"], row["status"]) for row in found]


async def test_500_at_once_for_50_places_are_50_confirmed_and_450_in_order(
    client_for: ClientFor, apart: Cluster
) -> None:
    await network(apart)
    client = await client_for("events", clock=Clock(), postgres_database=apart.database, postgres_pool=8)
    one = await published(client, capacity=50)
    assert await crowd(client, one["id"], 500) == {"confirmed": 50, "waiting": 450}
    found = await rows(apart, one["id"])
    assert found == [(n, "confirmed" if n <= 50 else "waiting") for n in range(1, 501)]
    async with apart.connection() as admin:
        places = await admin.fetchrow("SELECT taken, waiting, next_number FROM events.seating")
        told = await admin.fetch("SELECT split_part(type, '.', 4) AS fact, count(*) FROM events.outbox"
                                 " WHERE aggregatetype = 'events.registration' GROUP BY 1 ORDER BY 1")  # fmt: skip
    assert dict(places or {}) == {"taken": 50, "waiting": 450, "next_number": 501}
    assert [tuple(row) for row in told] == [("RegistrationConfirmed", 50), ("RegistrationWaitlisted", 450)]


async def test_while_half_of_them_cancel_no_place_is_lost_or_given_twice(client_for: ClientFor, apart: Cluster) -> None:
    await network(apart)
    client = await client_for("events", clock=Clock(), postgres_database=apart.database, postgres_pool=8)
    one = await published(client, capacity=10)
    await crowd(client, one["id"], 40)
    listed = (await client.get(f"/events/gatherings/{one['id']}/registrations")).json()["items"]

    async def leave(id_: str) -> int:
        return (await client.post(f"/events/registrations/{id_}/cancel", json={})).status_code

    async def take(id_: str) -> int:
        return (await client.post(f"/events/registrations/{id_}/accept")).status_code

    leaving = [leave(line["id"]) for line in listed[::2]]
    taking = [take(line["id"]) for line in listed[1::2]]
    assert set(await asyncio.gather(*leaving, *taking)) <= {200, 409}
    found = Counter(status for _, status in await rows(apart, one["id"]))
    assert found["confirmed"] + found["offered"] == 10
    assert found == {"cancelled": 20, "waiting": 10, **{k: found[k] for k in ("confirmed", "offered") if k in found}}


async def test_with_the_locks_off_the_same_crowd_gets_more_places_than_there_are(
    client_for: ClientFor, apart: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the test above sees, it would see if nobody guarded the places."""
    await network(apart)
    monkeypatch.setattr(store, "LOCK_SEATING", store.SEATING)
    client = await client_for("events", clock=Clock(), postgres_database=apart.database, postgres_pool=8)

    # the row's lock taken away, the database still refuses what must never be
    guarded = await published(client, capacity=10)
    told = await crowd(client, guarded["id"], 60)
    assert told[409] > 0
    assert sum(status == "confirmed" for _, status in await rows(apart, guarded["id"])) <= 10

    async with apart.connection() as admin:
        await admin.execute(
            "ALTER TABLE events.seating DROP CONSTRAINT nobody_gets_a_place_that_is_not_there;"
            " ALTER TABLE events.registration DROP CONSTRAINT registration_has_its_own_number"
        )
    oversold = await published(client, capacity=10)
    assert (await crowd(client, oversold["id"], 60))["confirmed"] > 10
