"""Gatherings over HTTP: from the draft to the day after, each step with its fact, state and reason; who may do what."""

from typing import Any
from uuid import uuid4

import orjson
import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.events.office import NOW, THREE, Clock, published, register, town, writing
from tests.stack.people import somebody


async def facts(database: Database, key: str) -> list[tuple[str, int, Any]]:
    """What waits to be published of an aggregate: type, version, day; states without a day."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT type, version, effective FROM outbox WHERE aggregateid = $1 ORDER BY position", key
        )
    return [(row["type"].split(".")[-2], row["version"], row["effective"] and str(row["effective"])) for row in rows]


async def test_a_gathering_lives_from_its_draft_to_the_day_after(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    made = await client.post("/events/gatherings", json=writing(cluster_id=str(place.host), prices=THREE, capacity=2))
    assert made.status_code == 201
    assert made.json()["status"] == "draft"
    assert made.json()["slug"].startswith("encuentro-de-proveeduria-2027")
    path = made.headers["location"]
    assert await facts(databases["events"], made.json()["id"]) == []

    changed = writing(cluster_id=str(place.host), prices=THREE, capacity=3, title="Foro")
    assert (await client.put(path, json=changed)).status_code == 428
    stale = await client.put(path, json=changed, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    draft = await client.put(path, json=changed, headers={"If-Match": made.headers["etag"]})
    assert (draft.json()["title"], draft.json()["revision"]) == ("Foro", 2)

    told = await client.post(f"{path}/publish", json={})
    assert (told.json()["status"], told.json()["places_left"]) == ("published", 3)
    again = await client.post(f"{path}/publish", json={})
    assert (again.status_code, again.json()["type"].split(":")[-1]) == (409, "not-a-draft")
    moved = await client.put(path, json=changed | {"place": "Sala C"}, headers={"If-Match": "*"})
    assert moved.json()["sequence"] == 1
    same = await client.put(path, json=changed | {"place": "Sala C"}, headers={"If-Match": "*"})
    assert (same.json()["sequence"], same.json()["revision"]) == (1, moved.json()["revision"])

    unsaid = await client.post(f"{path}/postpone", json={"reason": "obra en la sala"})
    assert unsaid.json()["status"] == "postponed"
    later = {"starts": "2027-06-04T09:00:00-06:00", "ends": "2027-06-04T17:00:00-06:00"}
    dated = await client.post(f"{path}/postpone", json=later)
    assert (dated.json()["status"], dated.json()["starts"]) == ("published", "2027-06-04T15:00:00Z")
    early = await client.post(f"{path}/hold")
    assert (early.status_code, early.json()["type"].split(":")[-1]) == (409, "not-over")
    clock.pass_(days=87)
    assert (await client.post(f"{path}/hold")).json()["status"] == "held"
    assert (await client.post(f"{path}/cancel", json={"reason": "x"})).status_code == 409

    assert await facts(databases["events"], made.json()["id"]) == [
        ("GatheringPublished", 1, "2027-03-10"), ("GatheringState", 3, None),
        ("GatheringChanged", 2, "2027-03-10"), ("GatheringState", 4, None),
        ("GatheringPostponed", 3, "2027-03-10"), ("GatheringState", 5, None),
        ("GatheringPostponed", 4, "2027-03-10"), ("GatheringState", 6, None),
        ("GatheringHeld", 5, "2027-06-04"), ("GatheringState", 7, None),
    ]  # fmt: skip
    async with databases["events"].connection() as connection:
        log = await connection.fetch("SELECT version, note, fields::text AS fields FROM change_log WHERE id = $1"
                                     " ORDER BY version", made.json()["id"])  # fmt: skip
    assert [(row["version"], row["note"]) for row in log] == [
        (2, None), (3, None), (4, None), (5, "obra en la sala"), (6, None), (7, None)
    ]  # fmt: skip
    assert orjson.loads(log[2]["fields"]) == {"place": ["Sala B", "Sala C"]}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ends": "2027-05-14T08:00:00-06:00"}, "ends"),
        ({"starts": "2027-05-14"}, "starts"),
        ({"starts": 1778770800}, "starts"),
        ({"zone": "Mexico/Nowhere"}, "zone"),
        ({"place": None}, "place"),
        ({"capacity": 0}, "capacity"),
        ({"currency": "XYZ"}, "currency"),
        ({"join_url": "javascript:alert(1)"}, "join_url"),
        ({"prices": [{"group": "own", "amount": "10.00"}]}, "prices"),
        ({"prices": [{"group": "public", "amount": "10.001"}]}, "prices"),
        ({"prices": [{"group": "public", "amount": "1.00"}, {"group": "public", "amount": "2.00"}]}, "prices"),
        ({"sessions": [{"title": "x", "starts": "2027-05-15T09:00:00Z", "ends": "2027-05-15T10:00:00Z"}]}, "sessions"),
        ({"cluster_id": str(uuid4())}, "cluster_id"),
        ({"title": "\x00"}, "title"),
        ({"kind": "party"}, "kind"),
    ],
)
async def test_what_could_not_be_held_is_refused_at_its_field(
    client_for: ClientFor, wrong: dict[str, Any], field: str
) -> None:
    client = await client_for("events", clock=Clock())
    answer = await client.post("/events/gatherings", json=writing(**wrong))
    assert answer.status_code in (409, 422), answer.text
    assert answer.json()["field"].split(".")[0] == field


async def test_the_assistant_drafts_and_never_publishes(client_for: ClientFor, databases: dict[str, Database]) -> None:
    place = await town(databases["events"])
    client = await client_for("events", token=None, clock=Clock())
    who: dict[str, dict[str, str]] = {
        role: (await somebody(databases["events"], role, scope, id_, now=NOW)).headers  # type: ignore[arg-type]
        for role, scope, id_ in (
            ("assistant", "network", None), ("coordinator", "network", None), ("cluster_staff", "cluster", place.host),
            ("cluster_director", "cluster", place.other), ("representative", "organization", place.own),
        )
    }  # fmt: skip
    made = await client.post("/events/gatherings", json=writing(), headers=who["assistant"])
    assert made.status_code == 201
    path = made.headers["location"]
    for role in ("assistant", "cluster_staff", "cluster_director", "representative"):
        answer = await client.post(f"{path}/publish", json={}, headers=who[role])
        assert answer.status_code == 403, role
    for role, status in (("assistant", 200), ("cluster_staff", 404), ("representative", 404)):
        assert (await client.get(path, headers=who[role])).status_code == status, role
    assert (await client.post(f"{path}/publish", json={}, headers=who["coordinator"])).status_code == 200
    change = {"json": writing(title="Otro"), "headers": who["assistant"] | {"If-Match": "*"}}
    assert (await client.put(path, **change)).status_code == 403  # type: ignore[arg-type]

    own = await client.post(
        "/events/gatherings", json=writing(cluster_id=str(place.host)), headers=who["cluster_staff"]
    )
    path = own.headers["location"]
    assert (await client.post(f"{path}/publish", json={}, headers=who["cluster_director"])).status_code == 403
    assert (await client.post(f"{path}/publish", json={}, headers=who["cluster_staff"])).status_code == 200
    foreign = writing(cluster_id=str(place.other))
    assert (await client.post("/events/gatherings", json=foreign, headers=who["cluster_staff"])).status_code == 403


async def test_what_was_held_two_years_ago_is_entered_with_its_days_and_its_people(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    past = {"starts": "2025-05-14T09:00:00-06:00", "ends": "2025-05-14T17:00:00-06:00"}
    one = await published(client, effective="2025-04-20", cluster_id=str(place.host), **past)
    id_ = one["id"]
    [seen, absent] = await register(
        client, id_, "ana", "eva", organization_id=str(place.own), at="2025-04-28T10:00:00-06:00"
    )
    assert (seen["status"], absent["status"]) == ("confirmed", "confirmed")
    scan = {"registration_id": seen["id"], "at": "2025-05-14T09:10:00-06:00", "method": "hand"}
    answer = await client.post(f"/events/gatherings/{id_}/check-ins", json={"scans": [scan]})
    assert [(line["new"], line["at"]) for line in answer.json()] == [(True, "2025-05-14T15:10:00Z")]
    assert (await client.post(f"/events/gatherings/{id_}/hold")).json()["status"] == "held"
    assert [fact for fact in await facts(databases["events"], id_) if fact[2]] == [
        ("GatheringPublished", 1, "2025-04-20"), ("GatheringHeld", 2, "2025-05-14")
    ]  # fmt: skip
    assert [fact for fact in await facts(databases["events"], seen["id"]) if fact[2]] == [
        ("RegistrationConfirmed", 1, "2025-04-28"), ("AttendanceRecorded", 2, "2025-05-14")
    ]  # fmt: skip
    result = (await client.get(f"/events/gatherings/{id_}/result")).json()
    assert (result["confirmed"], result["attended"], result["organizations"]) == (2, 1, 1)
    late = await client.post(f"/events/gatherings/{id_}/publish", json={"effective": "2025-06-01"})
    assert late.status_code == 409


async def test_editions_of_a_series_are_compared_and_a_new_one_begins_with_what_the_last_one_was(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    series = f"Foro {place.slug}"
    first = await published(client, cluster_id=str(place.host), series=series, title="Foro uno", prices=THREE)
    await register(client, first["id"], "ana", "eva")
    await published(client, series=series, title="De otro anfitrión")
    clock.pass_(days=66)
    [ana, _] = (await client.get(f"/events/gatherings/{first['id']}/registrations")).json()["items"]
    await client.post(f"/events/gatherings/{first['id']}/check-ins", json={"scans": [{"registration_id": ana["id"]}]})
    second = await published(client, cluster_id=str(place.host), series=series.upper(), title="Foro dos",
                             starts="2027-09-14T09:00:00-06:00", ends="2027-09-14T17:00:00-06:00")  # fmt: skip

    compared = (await client.get(f"/events/gatherings/{second['id']}/editions")).json()
    assert [(one["title"], one["confirmed"], one["attended"], one["amount"]) for one in compared] == [
        ("Foro dos", 0, 0, "0.00"), ("Foro uno", 2, 1, "2800.00"),
    ]  # fmt: skip
    staff = await somebody(databases["events"], "cluster_staff", "cluster", place.host, now=clock.now)
    html = staff.headers | {"Accept": "text/html"}
    guest = await client_for("events", clock=clock, token=None)
    event = (await guest.get(f"/agenda/{second['slug']}", headers=html)).text
    assert f"/agenda/{first['slug']}" in event
    assert f"/agenda/new?like={second['slug']}" in event
    result = (await guest.get(f"/agenda/{second['slug']}/people?tab=result", headers=html)).text
    assert "Comparado con otras ediciones" in result
    form = (await guest.get(f"/agenda/new?like={first['slug']}", headers=html)).text
    assert 'value="Foro uno"' in form
    assert f'value="{series}"' in form
    assert "2027-05-14T" not in form
    other = await somebody(databases["events"], "cluster_staff", "cluster", place.other, now=clock.now)
    there = await guest.get(f"/agenda/new?like={first['slug']}", headers=other.headers | {"Accept": "text/html"})
    assert there.status_code == 404
