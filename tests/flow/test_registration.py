"""From a request to the topics: who registers is facts without a name, in order, and one state with it."""

import asyncio

import orjson

from shared.messaging import kafka
from shared.messaging.topics import make_topics
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.events.office import NOW, THREE, Clock, published, register, town
from tests.stack.run import Run

TOPICS = ("events.gathering", "events.gathering.state", "events.registration", "events.registration.state")


async def test_a_registration_becomes_facts_without_a_name_and_a_state_with_it(
    client_for: ClientFor, databases: dict[str, Database], run: Run
) -> None:
    place, clock = await town(databases["events"]), Clock()
    prefix = f"{run.name}.registration."
    client = await client_for("events", kafka=True, clock=clock, topic_prefix=prefix)
    settings = client.service.settings  # type: ignore[attr-defined]
    await make_topics(settings)
    one = await published(client, cluster_id=str(place.host), capacity=1, prices=THREE)
    ana, leo = await register(client, one["id"], "ana", "leo", organization_id=str(place.neighbour))
    await client.post(f"/events/registrations/{ana['id']}/cancel", json={})
    await client.post(f"/events/registrations/{leo['id']}/accept")
    clock.now = NOW.replace(month=5, day=14, hour=16)
    scan = {"code": leo["check_in_code"], "at": "2027-05-14T09:03:00-06:00"}
    await client.post(f"/events/gatherings/{one['id']}/check-ins", json={"scans": [scan]})
    await client.post(f"/events/gatherings/{one['id']}/hold")

    ours = {one["id"], ana["id"], leo["id"]}
    seen: dict[str, list[tuple[str, int, dict[str, object]]]] = {topic: [] for topic in TOPICS}
    async with kafka.reader(settings, [prefix + topic for topic in TOPICS]) as reader, asyncio.timeout(60):
        while sum(len(records) for records in seen.values()) < 16:
            for place_, records in (await reader.getmany(timeout_ms=200)).items():
                for record in records:
                    if record.key.decode() in ours:
                        headers = {name: value.decode() for name, value in record.headers}
                        told = (
                            headers["ce_type"].split(".")[-2],
                            int(headers["ce_version"]),
                            orjson.loads(record.value),
                        )
                        seen[place_.topic.removeprefix(prefix)].append(told)
    of = {
        key: [(type_, version) for type_, version, value in seen["events.registration"]
              if value["registration_id"] == key] for key in (ana["id"], leo["id"])
    }  # fmt: skip
    assert of[ana["id"]] == [("RegistrationConfirmed", 1), ("RegistrationCancelled", 2)]
    assert of[leo["id"]] == [("RegistrationWaitlisted", 1), ("PlaceOffered", 2), ("RegistrationConfirmed", 3),
                             ("AttendanceRecorded", 4)]  # fmt: skip
    assert [told[:2] for told in seen["events.gathering"]] == [("GatheringPublished", 1), ("GatheringHeld", 2)]
    paid = next(value for type_, _, value in seen["events.registration"] if type_ == "RegistrationConfirmed")
    assert paid["price"] == {"group": "network", "amount": "850.00", "currency": "MXN"}
    assert "empresa.example" not in str(seen["events.registration"]) and "Ana" not in str(seen["events.registration"])
    last = {value["registration_id"]: value for _, _, value in seen["events.registration.state"]}
    assert (last[leo["id"]]["status"], last[leo["id"]]["email"]) == ("confirmed", "leo@empresa.example")
    feed = (await client.get("/events/feed", params={"limit": 500})).json()
    assert {fact["type"].split(".")[-2] for fact in feed} >= {"RegistrationConfirmed", "AttendanceRecorded"}
