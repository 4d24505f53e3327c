"""Operación as who operates sees it: how a service does, the way of a fact, a poison message mended or given up."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import httpx
import orjson
import pytest
import uuid_utils.compat as uuid_utils
from aiokafka import AIOKafkaProducer

from shared.messaging.outbox import Record, record
from shared.runtime.service import Service
from tests.conftest import ClientFor
from tests.service.bus.records import DAY, activated
from tests.stack.people import Somebody, somebody
from tests.stack.run import Run

HTML = {"Accept": "text/html"}


class Place:
    """The events service with its consumers on Kafka, and who calls it."""

    def __init__(self, client: httpx.AsyncClient, operator: Somebody, assistant: Somebody) -> None:
        self.client, self.operator, self.assistant = client, operator, assistant
        self.service: Service = client.service  # type: ignore[attr-defined]
        self.cluster = str(uuid_utils.uuid7())

    async def ask(self, path: str, method: str = "GET", who: Somebody | None = None, **more: Any) -> httpx.Response:
        headers = {**(who or self.operator).headers, **more.pop("headers", {})}
        return await self.client.request(method, f"/events{path}", headers=headers, **more)

    async def poison(self, **fields: Any) -> dict[str, Any]:
        """Publishes a state of a cluster that says only this, and waits until it is set aside."""
        return await self.set_aside(await self.published(**fields))

    async def published(self, **fields: Any) -> str:
        """Publishes a state of a cluster that says only this. Returns its id."""
        id_ = str(uuid_utils.uuid7())
        attributes = {
            "specversion": "1.0", "id": id_, "type": "org.cumulo.membership.ClusterState.v1",
            "source": "/cumulo/membership", "time": "2026-03-31T18:00:00Z", "version": "1", "actor": "cli",
            "cause": "test", "subject": f"cluster/{self.cluster}", "dataschema": "test",
        }  # fmt: skip
        headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
        async with AIOKafkaProducer(bootstrap_servers=self.service.settings.kafka) as producer:
            await producer.send_and_wait(
                self.service.settings.topic_prefix + "membership.cluster.state", orjson.dumps(fields),
                key=self.cluster.encode(), headers=[("content-type", b"application/json"), *headers],
            )  # fmt: skip
        return id_

    async def set_aside(self, id_: str) -> dict[str, Any]:
        """Waits until an event is set aside."""
        for _ in range(1200):
            page = (await self.ask("/operations/parked", params={"limit": 500})).json()
            for found in page["items"]:
                if found["id"] == id_:
                    return dict(found)
            await asyncio.sleep(0.05)
        ready = await self.ask("/ready")
        raise AssertionError(f"{id_} was not set aside: {ready.text}")

    @property
    def whole(self) -> dict[str, Any]:
        """A state of the cluster that can be read."""
        return {
            "cluster_id": self.cluster, "network_id": str(uuid_utils.uuid7()), "name": "Clúster de la Sierra",
            "slug": "sierra", "country": "MX", "state": "CHH", "zone": "America/Chihuahua", "language": "es",
            "in_network_since": None, "in_network_until": None,
        }  # fmt: skip


@pytest.fixture
async def place(client_for: ClientFor, run: Run) -> AsyncIterator[Place]:
    # topics of its own: what other tests of this worker left on theirs would be set aside here by the dozen, and a
    # consumer that sets aside so many stops
    prefix = f"{run.name}.operations."
    client = await client_for("events", kafka=True, token=None, relay_enabled=False, topic_prefix=prefix)
    service: Service = client.service  # type: ignore[attr-defined]
    await kafka_topics(service)
    async with service.database.connection() as connection:
        await connection.execute("DELETE FROM parked_key")  # what tests before this one set aside
        await connection.execute("SELECT outbox_published(ARRAY(SELECT position FROM outbox))")  # and recorded
    operator = await somebody(service.database, "operator")
    yield Place(client, operator, await somebody(service.database, "assistant"))
    async with service.database.connection() as connection:
        await connection.execute("DELETE FROM parked_key")


async def kafka_topics(service: Service) -> None:
    from shared.messaging.topics import make_topics

    await make_topics(service.settings)


async def test_a_poison_message_is_seen_mended_and_applied_and_who_did_it_is_kept(place: Place) -> None:
    event = await place.poison(cluster_id=place.cluster, name="Clúster de la Sierra")
    number = event["number"]
    assert "network_id" in event["reason"]
    listed = await place.ask("/pages/parked", headers=HTML)
    assert f"/events/pages/parked/{number}" in listed.text and "network_id" in listed.text
    shown = await place.ask(f"/pages/parked/{number}", headers=HTML)
    assert "Clúster de la Sierra" in shown.text and "membership.cluster.state" in shown.text

    page = f"/pages/parked/{number}"
    broken = await place.ask(f"{page}/mend", "POST", data={"value": "{", "reason": "x"}, headers=HTML)
    assert broken.status_code == 422 and "error-value" in broken.text
    still = await place.ask(f"{page}/mend", "POST", data={"value": '{"name": "x"}', "reason": "x"}, headers=HTML)
    assert still.status_code == 422 and "cluster_id" in still.text
    silent = await place.ask(f"{page}/mend", "POST", data={"value": "{}", "reason": " "}, headers=HTML)
    assert silent.status_code == 422 and "error-reason" in silent.text
    assert (await place.ask(f"/operations/parked/{number}")).json()["record"]["value"]["name"] == "Clúster de la Sierra"

    mended = await place.ask(
        f"{page}/mend", "POST", data={"value": orjson.dumps(place.whole).decode(), "reason": "faltaba la red"},
        headers=HTML,
    )  # fmt: skip
    assert mended.status_code == 303, mended.text
    assert (await place.ask(f"/operations/parked/{number}")).status_code == 404
    settled = (await place.ask("/operations/settled")).json()
    mine = [one for one in settled if one["number"] == number]
    assert {one["what"] for one in mine} == {"mended", "retried"}
    assert {one["actor"] for one in mine} == {str(place.operator.id)}
    receipts = (await place.ask("/operations/received", params={"id": [event["id"]]})).json()["receipts"]
    (receipt,) = [one for one in receipts if one["consumer"] == event["consumer"]]
    assert receipt["parked"] is None and receipt["at"] is not None
    assert (receipt["partition"], receipt["offset"]) == (event["partition"], event["offset"])


async def test_what_waits_behind_is_applied_when_the_first_is_given_up_with_a_reason(place: Place) -> None:
    ids = [await place.published(name="x"), await place.published(**{**place.whole, "name": "Clúster del Mar"})]
    first, second = [await place.set_aside(id_) for id_ in ids]
    assert second["reason"] is None
    shown = await place.ask(f"/operations/received?id={first['id']}")
    assert [one["parked"] for one in shown.json()["receipts"]] == [first["number"]]
    refused = await place.ask(f"/operations/parked/{first['number']}/drop", "POST", json={"reason": " "})
    assert refused.status_code == 422 and "reason" in refused.text
    failing = await place.ask(f"/operations/parked/{first['number']}/retry", "POST")
    assert failing.json()["applied"] == 0 and failing.json()["waiting"] == 2 and failing.json()["reason"]
    tried = await place.ask(f"/pages/parked/{first['number']}/retry", "POST", headers=HTML)
    assert unquote(tried.cookies["cumulo_said"]).startswith("bad Sigue sin poder aplicarse"), tried.cookies
    assert "Falta este campo" in (await place.ask(f"/pages/parked/{first['number']}", headers=HTML)).text
    done = await place.ask(f"/operations/parked/{first['number']}/drop", "POST", json={"reason": "era una prueba"})
    assert done.json() == {"applied": 1, "outdated": 0, "dropped": 1, "waiting": 0, "reason": None}
    (receipt,) = (await place.ask(f"/operations/received?id={first['id']}")).json()["receipts"]
    assert receipt["dropped"] and receipt["parked"] is None


async def test_a_record_that_may_name_people_is_for_operators_only(place: Place) -> None:
    event = await place.poison(name="Rebeca Treviño Salas")
    number = event["number"]
    listed = await place.ask("/pages/parked", who=place.assistant, headers=HTML)
    assert (listed.status_code == 200 and "network_id" not in listed.text) or "Rebeca" not in listed.text
    for path in (f"/operations/parked/{number}", f"/pages/parked/{number}"):
        assert (await place.ask(path, who=place.assistant)).status_code == 403
    for what in ("retry", "drop", "mend"):
        body = {"value": {}, "reason": "x"} if what == "mend" else {"reason": "x"}
        answer = await place.ask(f"/operations/parked/{number}/{what}", "POST", who=place.assistant, json=body)
        assert answer.status_code == 403, what


async def test_a_fact_has_a_page_with_its_event_and_the_way_to_read_it(client_for: ClientFor) -> None:
    client = await client_for("membership")
    database = client.service.database  # type: ignore[attr-defined]
    async with database.unit(actor="test", cause="test") as unit:
        key = uuid_utils.uuid7()
        await record(unit, [Record(str(key), 1, activated(key), DAY)])
        await unit.connection.execute("SELECT outbox_published(ARRAY(SELECT position FROM outbox))")
    lane = (await client.get("/membership/operations/lane?limit=1")).json()["facts"]
    assert (lane[0]["key"], lane[0]["type"]) == (str(key), "org.cumulo.membership.MembershipActivated.v1")
    page = await client.get(f"/membership/pages/facts/{lane[0]['sequence']}?partition=2&offset=7", headers=HTML)
    assert page.status_code == 200
    assert str(key) in page.text and "-p 2 -o 7 -c 1" in page.text and "kcat -b" in page.text


async def test_the_service_tells_how_it_does_with_postgres_and_kafka_there(place: Place) -> None:
    async with asyncio.timeout(120):
        while not (state := (await place.ask("/operations")).json())["ready"]:
            await asyncio.sleep(0.05)
    assert state["service"] == "events" and state["alive"] and state["outbox"] == 0
    assert {one["name"] for one in state["consumers"]} == {
        "events.access",
        "events.branches",
        "events.clusters",
        "events.members",
    }
    if not place.service.settings.kafka_embedded:
        assert all(one["lag"] is not None for one in state["consumers"])
    page = await place.ask("/pages/health", headers=HTML)
    assert "events.members" in page.text
    whole = await place.client.get("/operations", headers={**place.operator.headers, **HTML})
    assert whole.status_code == 200 and "membership.standing.state" in whole.text
    for bad in ("/operations/parked/9223372036854775808", "/operations/received", "/operations/received?id=x",
                "/operations/lane?after=-1", "/pages/facts/-1"):  # fmt: skip
        assert (await place.ask(bad)).status_code == 422, bad
    for gone in ("/operations/parked/987654321", "/pages/facts/987654321"):
        assert (await place.ask(gone)).status_code == 404, gone
