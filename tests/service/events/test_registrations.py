"""Registering over HTTP: prices with their reason, several at once, the waiting list, refusals, check-in."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import uuid_utils.compat as uuid_utils

from services.events.consumers import CONSUMERS
from services.events.places import jobs
from shared.contracts.membership import ProfileState
from shared.postgres.pool import Database
from shared.runtime.jobs import Turn
from tests.conftest import ClientFor
from tests.service.bus.records import item
from tests.service.events.office import NOW, THREE, Clock, people, published, register, town, writing
from tests.service.events.test_members import organization, take
from tests.stack.people import Somebody, somebody

BENEFIT = {"group": "own", "category": "affiliate", "amount": "650.00", "benefit": "Convenio de afiliados"}


@pytest.mark.parametrize(
    ("prices", "who", "group", "amount", "why"),
    [
        (THREE, "own", "own", "500.00", "associate of Bajío, who holds it"),
        (THREE, "neighbour", "network", "850.00", "associate of another cluster of the network: Costa"),
        (THREE, "both", "network", "850.00", "associate of another cluster of the network: Costa"),
        ([*THREE, BENEFIT], "both", "own", "650.00", "Convenio de afiliados (affiliate of Bajío)"),
        ([*THREE, BENEFIT], "affiliate", "own", "650.00", "Convenio de afiliados (affiliate of Bajío)"),
        (THREE, "affiliate", "public", "1400.00", "public price: there is none of its own for affiliate of Bajío"),
        (THREE, "lapsed", "public", "1400.00", "public price: the membership in Bajío ended on 2027-01-01"),
        (THREE, "stranger", "public", "1400.00", "public price: the organisation is no member of the network"),
        (THREE, None, "public", "1400.00", "public price: you come for no organisation"),
        ([], "own", "public", "0.00", "free of charge for everybody"),
        ([{"group": "public", "amount": "300.00"}, {"group": "own", "amount": "400.00"}], "own", "public", "300.00",
         "public price: it is lower than that of the membership"),
        ([{"group": "public", "amount": "900.00"}, {"group": "public", "amount": "700.00", "since": "2027-03-01"}],
         "stranger", "public", "700.00", "public price: the organisation is no member of the network"),
        ([{"group": "public", "amount": "900.00"}, {"group": "public", "amount": "950.00", "since": "2027-04-01"}],
         "stranger", "public", "900.00", "public price: the organisation is no member of the network"),
    ],
)  # fmt: skip
async def test_the_price_depends_on_whom_one_comes_for_and_says_why(
    client_for: ClientFor, databases: dict[str, Database], prices: list[dict[str, str]], who: str | None, group: str,
    amount: str, why: str,
) -> None:  # fmt: skip
    place = await town(databases["events"])
    client = await client_for("events", clock=Clock())
    one = await published(client, cluster_id=str(place.host), prices=prices)
    asked = {"organization_id": str(getattr(place, who))} if who else {}
    quote = (await client.get(f"/events/gatherings/{one['id']}/price", params=asked)).json()
    assert (quote["group"], quote["amount"], quote["reason"]) == (group, amount, why)
    [made] = await register(client, one["id"], "ana", **asked)
    assert (made["group"], made["amount"]) == (group, amount)


async def test_a_branch_pays_what_its_company_pays(client_for: ClientFor, databases: dict[str, Database]) -> None:
    place, branch = await town(databases["events"]), uuid_utils.uuid7()
    client = await client_for("events", clock=Clock())
    one = await published(client, cluster_id=str(place.host), prices=THREE)
    await take(databases["events"], [organization(branch, f"Sucursal {branch.hex[-12:]}")])
    [branches] = [found for found in CONSUMERS if found.name == "events.branches"]

    async def amount(version: int, parent: UUID | None) -> str:
        profile = ProfileState(
            organization_id=branch, size=None, parent_id=parent, processes=[], sectors=[], products=[], activities=[],
            certificates=[], sites=[],
        )  # fmt: skip
        await take(databases["events"], [item(profile, branch, version)], branches)
        asked = {"organization_id": str(branch)}
        return str((await client.get(f"/events/gatherings/{one['id']}/price", params=asked)).json()["amount"])

    assert await amount(1, None) == "1400.00"
    assert await amount(2, place.own) == "500.00"
    assert await amount(3, place.lapsed) == "1400.00"
    assert await amount(4, None) == "1400.00"
    async with databases["events"].connection() as connection:
        await connection.execute(
            "INSERT INTO standing (membership_id, organization_id, cluster_id, category, standing, since)"
            " VALUES ($1, $2, $3, 'affiliate', 'active', '2022-01-01')", uuid_utils.uuid7(), branch, place.host,
        )  # fmt: skip
    assert await amount(5, place.own) == "1400.00"  # its own membership goes first, and has no price here


async def test_colleagues_are_registered_at_once_and_the_rest_waits_in_order(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    one = await published(client, cluster_id=str(place.host), capacity=2)
    id_ = one["id"]
    made = await register(client, id_, "ana", "eva", "leo", "ivo", organization_id=str(place.own))
    assert [line["status"] for line in made] == ["confirmed", "confirmed", "waiting", "waiting"]
    twice = await client.post(f"/events/gatherings/{id_}/registrations", json={"people": people("sol", "ivo")})
    assert (twice.status_code, twice.json()["field"]) == (409, "people")
    listed = (await client.get(f"/events/gatherings/{id_}/registrations")).json()["items"]
    assert [(line["name"], line["place_in_line"]) for line in listed] == [
        ("Ana", None), ("Eva", None), ("Leo", 1), ("Ivo", 2)
    ]  # fmt: skip

    gone = await client.post(f"/events/registrations/{made[0]['id']}/cancel", json={"reason": "viaja"})
    assert gone.json()["status"] == "cancelled"
    listed = (await client.get(f"/events/gatherings/{id_}/registrations")).json()["items"]
    assert [line["status"] for line in listed] == ["cancelled", "confirmed", "offered", "waiting"]
    assert listed[2]["offer_until"] == "2027-03-11T15:00:00Z"
    [late] = await register(client, id_, "sol")
    assert late["status"] == "waiting"

    clock.pass_(hours=25)
    await passed_on(client)
    listed = (await client.get(f"/events/gatherings/{id_}/registrations")).json()["items"]
    assert [line["status"] for line in listed] == ["cancelled", "confirmed", "lapsed", "offered", "waiting"]
    missed = await client.post(f"/events/registrations/{made[2]['id']}/accept")
    assert missed.status_code == 409
    taken = await client.post(f"/events/registrations/{made[3]['id']}/accept")
    assert (taken.json()["status"], taken.json()["waited"]) == ("confirmed", True)

    more = await client.get(f"/events/gatherings/{id_}")
    body = {
        name: more.json()[name] for name in ("kind", "title", "mode", "starts", "ends", "zone", "place", "cluster_id")
    }
    smaller = await client.put(f"/events/gatherings/{id_}", json=body | {"capacity": 1}, headers={"If-Match": "*"})
    assert (smaller.status_code, smaller.json()["field"]) == (409, "capacity")
    assert (
        await client.put(f"/events/gatherings/{id_}", json=body | {"capacity": 5}, headers={"If-Match": "*"})
    ).status_code == 200
    listed = (await client.get(f"/events/gatherings/{id_}/registrations")).json()["items"]
    assert [line["status"] for line in listed] == ["cancelled", "confirmed", "lapsed", "confirmed", "offered"]


async def test_who_comes_changes_by_the_organiser_alone_once_it_has_begun(
    client_for: ClientFor, databases: dict[str, Database], lucia: tuple[Any, Somebody]
) -> None:
    place, she = lucia
    clock = Clock()
    client = await client_for("events", clock=clock)
    guest = await client_for("events", token=None, clock=clock)
    one = await published(client, cluster_id=str(place.host))
    ana, eva = await register(client, one["id"], "ana", "eva", organization_id=str(place.own))
    clock.pass_(days=65)
    she = await somebody(databases["events"], "representative", "organization", place.own, now=clock.now)
    late = await guest.post(f"/events/registrations/{ana['id']}/cancel", json={}, headers=she.headers)
    assert (late.status_code, late.json()["type"]) == (409, "urn:cumulo:problem:has-begun")
    assert (await client.post(f"/events/registrations/{eva['id']}/cancel", json={})).status_code == 200


async def test_another_link_reaches_whoever_has_a_place(client_for: ClientFor, databases: dict[str, Database]) -> None:
    client = await client_for("events", clock=Clock())
    await town(databases["events"])
    one = await published(client, capacity=1, join_url="https://a.example/1")
    ana, eva = await register(client, one["id"], "ana", "eva")
    body = writing(capacity=1, join_url="https://a.example/2")
    await client.put(f"/events/gatherings/{one['id']}", json=body, headers={"If-Match": "*"})
    async with databases["events"].connection() as connection:
        rows = await connection.fetch(
            "SELECT aggregateid, version, payload->>'join_url' AS link FROM outbox"
            " WHERE aggregatetype = 'events.registration.state' AND aggregateid = ANY ($1) ORDER BY position",
            [ana["id"], eva["id"]],
        )
    assert [tuple(row) for row in rows] == [
        (ana["id"], 1, "https://a.example/1"), (eva["id"], 1, None), (ana["id"], 2, "https://a.example/2")
    ]  # fmt: skip


async def passed_on(client: httpx.AsyncClient) -> None:
    """Lets the job of the waiting lists do a turn."""
    service: Any = client.service  # type: ignore[attr-defined]
    async with service.unit(actor="service:events", cause="test") as unit:
        await jobs.pass_on(unit, Turn(service, NOW.date(), "UTC", None, unit.now))


async def test_it_is_said_why_nobody_can_register(client_for: ClientFor, databases: dict[str, Database]) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    visitor = await somebody(databases["events"], "representative", "organization", place.own, now=NOW)
    guest = await client_for("events", token=None, clock=clock)

    async def refused(id_: str) -> tuple[int, str]:
        body = {"people": people("ana"), "organization_id": str(place.own)}
        answer = await guest.post(f"/events/gatherings/{id_}/registrations", json=body, headers=visitor.headers)
        return answer.status_code, answer.json()["title"]

    draft = await client.post("/events/gatherings", json={**(await published(client)), "x": 1})
    assert draft.status_code == 422
    full = await published(client, capacity=1, waiting_list=False)
    await register(client, full["id"], "eva")
    assert await refused(full["id"]) == (409, "Todos los lugares están ocupados y no hay lista de espera")
    gone = await published(client)
    await client.post(f"/events/gatherings/{gone['id']}/cancel", json={"reason": "obra"})
    assert await refused(gone["id"]) == (409, "Se canceló")
    moved = await published(client)
    await client.post(f"/events/gatherings/{moved['id']}/postpone", json={})
    assert await refused(moved["id"]) == (409, "Se pospuso, y su nueva fecha está por anunciarse")
    closed = await published(client, closes="2027-04-30T00:00:00-06:00")
    clock.pass_(days=53)
    visitor = await somebody(databases["events"], "representative", "organization", place.own, now=clock.now)
    assert (await refused(closed["id"]))[1].startswith("La inscripción cerró el 30")
    clock.pass_(days=20)
    visitor = await somebody(databases["events"], "representative", "organization", place.own, now=clock.now)
    assert await refused(full["id"]) == (409, "Ya terminó")


@pytest.fixture
async def lucia(databases: dict[str, Database]) -> tuple[Any, Somebody]:
    """A representative of the host's own associate."""
    place = await town(databases["events"])
    return place, await somebody(databases["events"], "representative", "organization", place.own, now=NOW)


async def test_a_representative_registers_herself_and_her_colleagues_and_nobody_else(
    client_for: ClientFor, databases: dict[str, Database], lucia: tuple[Any, Somebody]
) -> None:
    place, she = lucia
    client = await client_for("events", clock=Clock())
    one = await published(client, cluster_id=str(place.host), prices=THREE)
    guest = await client_for("events", token=None, clock=Clock())
    path = f"/events/gatherings/{one['id']}/registrations"

    async def sent(**body: Any) -> httpx.Response:
        return await guest.post(path, json=body, headers=she.headers)

    both = [people("lucia")[0] | {"myself": True}, *people("ana")]
    made = await sent(people=both, organization_id=str(place.own))
    assert (made.status_code, [line["group"] for line in made.json()]) == (201, ["own", "own"])
    assert (await sent(people=people("eva"), organization_id=str(place.neighbour))).status_code == 403
    assert (await sent(people=people("eva"))).status_code == 403
    assert (
        await sent(people=people("eva"), organization_id=str(place.own), at="2027-01-01T00:00:00Z")
    ).status_code == 403
    assert (await guest.get(path, headers=she.headers)).status_code == 403
    own = await guest.get(f"{path}/own", headers=she.headers)
    assert [line["name"] for line in own.json()] == ["Lucia", "Ana"]

    stranger = await somebody(databases["events"], "representative", "organization", place.neighbour, now=NOW)
    foreign = f"/events/registrations/{made.json()[1]['id']}/cancel"
    assert (await guest.post(foreign, json={}, headers=stranger.headers)).status_code == 404
    assert (await guest.post(foreign, json={}, headers=she.headers)).json()["status"] == "cancelled"


async def test_check_in_twice_is_once_and_a_late_scan_keeps_its_time(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    one = await published(client, cluster_id=str(place.host), capacity=2)
    id_ = one["id"]
    ana, _eva, leo = await register(client, id_, "ana", "eva", "leo")
    clock.pass_(days=65, hours=3)

    async def scan(**more: Any) -> httpx.Response:
        return await client.post(f"/events/gatherings/{id_}/check-ins", json={"scans": [more]})

    first = await scan(code=ana["check_in_code"].lower().replace("-", " "), at="2027-05-14T09:02:00-06:00")
    assert (first.json()[0]["new"], first.json()[0]["at"]) == (True, "2027-05-14T15:02:00Z")
    again = await scan(code=ana["check_in_code"])
    assert (again.json()[0]["new"], again.json()[0]["at"]) == (False, "2027-05-14T15:02:00Z")
    assert (await scan(registration_id=leo["id"])).status_code == 409
    assert (await scan(code="0000-0000-0000-0000")).status_code == 404
    assert (await scan(code=ana["check_in_code"], registration_id=ana["id"])).status_code == 422
    ahead = await scan(registration_id=_eva["id"], at=(clock.now + timedelta(hours=1)).isoformat())
    assert (ahead.status_code, ahead.json()["field"]) == (422, "at")
    assert (await client.get(f"/events/gatherings/{id_}/result")).json()["attended"] == 1
    assert (await client.post(f"/events/registrations/{ana['id']}/not-there", json={})).status_code == 204
    assert (await client.get(f"/events/gatherings/{id_}/result")).json()["attended"] == 0
