"""Two organisations that are one: what moves, what is kept, what the other services hear, and who is refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.membership.importing import import_members
from tests.stack.people import somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HTML = {"Accept": "text/html", "Accept-Language": "es"}


@dataclass
class Register:
    """A register with two clusters, and what waits to be published."""

    client: httpx.AsyncClient
    mark: str
    clusters: list[str]

    async def made(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def company(self, name: str, **more: Any) -> dict[str, Any]:
        return await self.made("/membership/organizations", legal_name=f"{name} {self.mark}", **more)

    async def member(self, company: dict[str, Any], cluster: int, since: str, category: str = "associate") -> str:
        one = await self.made("/membership/memberships", organization_id=company["id"], effective=since,
                              cluster_id=self.clusters[cluster], category=category)  # fmt: skip
        for step in ("approve", "activate"):
            answer = await self.client.post(f"/membership/memberships/{one['id']}/{step}", json={"effective": since},
                                            headers={"If-Match": "*"})  # fmt: skip
            assert answer.status_code == 200, answer.text
        return str(one["id"])

    async def ended(self, membership: str, on: str) -> None:
        answer = await self.client.post(f"/membership/memberships/{membership}/resign", json={"effective": on},
                                        headers={"If-Match": "*"})  # fmt: skip
        assert answer.status_code == 200, answer.text

    async def merge(self, stays: dict[str, Any], goes: dict[str, Any], **more: Any) -> httpx.Response:
        body = {"stays_id": stays["id"], "goes_id": goes["id"], "note": "es la misma"} | more
        return await self.client.post("/membership/merges", json=body)

    async def rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        async with self.client.service.database.connection() as connection:  # type: ignore[attr-defined]
            return [tuple(row) for row in await connection.fetch(sql, *arguments)]

    async def published(self, key: str) -> list[str]:
        """Types of what waits under a key, "erased" for a record without a value."""
        rows = await self.rows("SELECT type, payload IS NULL FROM outbox WHERE aggregateid = $1 ORDER BY position", key)
        return ["erased" if gone else type_.split(".")[-2] for type_, gone in rows]

    async def forget_waiting(self) -> None:
        async with self.client.service.database.connection() as connection:  # type: ignore[attr-defined]
            await connection.execute("DELETE FROM outbox")


@pytest.fixture
async def register(client_for: ClientFor) -> AsyncIterator[Register]:
    client = await client_for("membership")
    mark = uuid4().hex[:8]
    made = Register(client, mark, [])
    for name in ("a", "b"):
        one = await made.made("/membership/clusters", name=f"{name} {mark}", slug=f"{name}-{mark}", state="JAL")
        made.clusters.append(one["id"])
    yield made
    await made.forget_waiting()


async def test_all_that_the_other_had_goes_on_under_the_one_that_stays(register: Register) -> None:
    stays = await register.company("Moldes del Bravo", positions=["tier2"], effective="2020-01-01")
    goes = await register.company("Moldes Bravo", positions=["tier1", "tier2"], effective="2018-01-01", city="Tala",
                                  state="JAL")  # fmt: skip
    elsewhere = await register.member(goes, 1, "2019-05-01")
    path = f"/membership/organizations/{goes['id']}"
    described = await register.client.patch(f"{path}/profile", json={"processes": ["stamping"]},
                                            headers={"If-Match": "*"})  # fmt: skip
    assert described.status_code == 200, described.text
    body = {"standard": "iatf_16949", "body": "TÜV", "since": "2025-01-01", "until": "2028-01-01"}
    assert (await register.client.post(f"{path}/certificates", json=body)).status_code == 201
    await register.forget_waiting()

    answer = await register.merge(stays, goes, take=["trade_name"])
    assert answer.status_code == 201, answer.text
    old = (await register.client.get(f"/membership/organizations/{goes['id']}")).json()
    assert (old["id"], old["trade_name"], old["city"]) == (stays["id"], goes["trade_name"], "Tala")
    assert {(p["position"], p["since"]) for p in old["positions"]} == {("tier1", "2018-01-01"), ("tier2", "2018-01-01")}
    page = await register.client.get(f"/organizations/{goes['slug']}", headers=HTML)
    assert page.status_code == 200 and stays["legal_name"] in page.text
    history = await register.client.get(f"/organizations/{stays['slug']}?tab=history", headers=HTML)
    assert "es la misma" in history.text and goes["legal_name"] in history.text
    profile = (await register.client.get(f"/membership/organizations/{goes['id']}/profile")).json()
    assert profile["processes"] == ["stamping"] and profile["certificates"][0]["body"] == "TÜV"
    [(owner, since)] = await register.rows("SELECT organization_id, since FROM membership WHERE id = $1",
                                           UUID(elsewhere))  # fmt: skip
    assert (str(owner), since) == (stays["id"], date(2019, 5, 1))
    assert await register.published(goes["id"]) == ["erased", "OrganizationMerged", "erased"]
    assert await register.published(elsewhere) == ["MembershipTransferred", "StandingState"]
    again = await register.merge(stays, goes)
    assert again.status_code in (403, 404, 422)


async def test_in_one_cluster_the_days_of_both_are_kept_and_the_one_that_stays_is_in_force(register: Register) -> None:
    stays = await register.company("Forjas del Alba")
    goes = await register.company("Forjas Alba")
    first = await register.member(stays, 0, "2015-01-01")
    await register.ended(first, "2018-01-01")
    second = await register.member(goes, 0, "2017-06-01", "affiliate")
    await register.forget_waiting()
    assert (await register.merge(stays, goes)).status_code == 201
    [(standing, category)] = await register.rows("SELECT standing, category FROM membership WHERE id = $1", UUID(first))
    assert (standing, category) == ("active", "affiliate")
    assert await register.rows("SELECT id FROM membership WHERE id = $1", UUID(second)) == []
    assert await register.published(second) == ["MembershipMerged", "erased"]
    assert await register.published(first) == ["MembershipReinstated", "StandingState"]
    page = await register.client.get(f"/organizations/{stays['slug']}?tab=memberships", headers=HTML)
    assert goes["trade_name"] in page.text, "the days of the other are shown under its name"


async def test_a_sheet_with_the_other_entrys_tax_number_brings_nothing_back_and_the_old_id_is_known_everywhere(
    register: Register,
) -> None:
    stays = await register.company("Forjas Once", tax_number="ZZA010101AB7", state="JAL")
    goes = await register.company("Forjas Doce", tax_number="ZZA010102AB5", state="JAL")
    await register.member(stays, 0, "2020-01-01")
    assert (await register.merge(stays, goes)).status_code == 201
    sheet = f"Razón social,RFC,Estado\n{goes['legal_name']},ZZA010102AB5,JAL\n"
    [(slug,)] = await register.rows("SELECT slug FROM cluster WHERE id = $1", UUID(register.clusters[0]))
    done = await import_members(register.client.service.database, sheet.encode(), cluster=slug)  # type: ignore[attr-defined]
    assert done.rows[0].organization_id == UUID(stays["id"]), done.rows
    taken = await register.client.post("/membership/organizations", json={"legal_name": f"Otra {register.mark}",
                                                                         "tax_number": "ZZA010102AB5"})  # fmt: skip
    assert taken.status_code == 409, taken.text
    [(number,)] = await register.rows("SELECT tax_number FROM organization WHERE id = $1", UUID(stays["id"]))
    assert number == "ZZA010101AB7"
    for path in (f"/membership/organizations/{goes['id']}/people", f"/membership/history/organization/{goes['id']}",
                 f"/membership/organizations/{goes['id']}/profile"):  # fmt: skip
        assert (await register.client.get(path)).status_code == 200, path
    asked = await register.client.get("/membership/memberships", params={"organization_id": goes["id"]})
    assert len(asked.json()["items"]) == 1


async def test_an_open_application_is_decided_first_and_nothing_is_changed(register: Register) -> None:
    stays = await register.company("Arneses Uno")
    goes = await register.company("Arneses Dos")
    await register.member(stays, 0, "2020-01-01")
    await register.made("/membership/memberships", organization_id=goes["id"], cluster_id=register.clusters[0])
    before = await register.rows("SELECT * FROM membership ORDER BY id")
    refused = await register.merge(stays, goes)
    assert refused.status_code == 409 and "decide that first" in refused.text
    assert await register.rows("SELECT * FROM membership ORDER BY id") == before
    for wrong, status in (
        ({"goes_id": stays["id"]}, 422), ({"goes_id": str(uuid4())}, 404), ({"note": " "}, 422),
        ({"take": ["slug"]}, 422), ({"stays_version": 99}, 412), ({"goes_version": 99}, 412),
    ):  # fmt: skip
        assert (await register.merge(stays, goes, **wrong)).status_code == status, wrong


async def test_a_chain_of_merges_leads_to_the_last_and_branches_follow(register: Register) -> None:
    one, two, three = [await register.company(f"Cadena {n}") for n in range(3)]
    branch = await register.company("Sucursal")
    parent = await register.client.patch(f"/membership/organizations/{branch['id']}/profile",
                                         json={"parent_id": one["id"]}, headers={"If-Match": "*"})  # fmt: skip
    assert parent.status_code == 200, parent.text
    assert (await register.merge(two, one)).status_code == 201
    assert (await register.merge(three, two)).status_code == 201
    for old in (one, two):
        found = (await register.client.get(f"/membership/organizations/{old['id']}")).json()
        assert found["id"] == three["id"]
    profile = (await register.client.get(f"/membership/organizations/{branch['id']}/profile")).json()
    assert profile["parent_id"] == three["id"]
    new = await register.company("Cadena 0")
    assert new["slug"] != one["slug"], "an address that leads somewhere is not given away"


async def test_two_merges_at_once_end_with_one(register: Register) -> None:
    one, two = await register.company("Doble Uno"), await register.company("Doble Dos")
    answers = await asyncio.gather(register.merge(one, two), register.merge(two, one), register.merge(one, two))
    assert sorted(answer.status_code for answer in answers)[0] == 201
    assert [answer.status_code for answer in answers].count(201) == 1
    left = await register.rows("SELECT id FROM organization WHERE id = ANY ($1::uuid[])",
                               [UUID(one["id"]), UUID(two["id"])])  # fmt: skip
    assert len(left) == 1


async def test_a_pair_is_compared_and_merged_or_kept_apart_on_its_page(register: Register) -> None:
    one = await register.company("Troquelados Pino Alto", city="Tala")
    other = await register.company("Troquelados Pino Alt", city="Ameca")
    for company in (one, other):
        await register.member(company, 0, "2020-01-01")
    database = register.client.service.database  # type: ignore[attr-defined]
    director = await somebody(database, "cluster_director", "cluster", UUID(register.clusters[0]))
    seen = HTML | director.headers | {"Authorization": ""}
    address = f"/register/merge?one={one['id']}&other={other['id']}"
    listed = await register.client.get("/register/duplicates", headers=seen)
    assert address.replace("&", "&amp;") in listed.text
    page = await register.client.get(address, headers=HTML)
    assert page.status_code == 200 and "Ameca" in page.text and "Tala" in page.text
    sent = {"one": one["id"], "other": other["id"], "stays": one["id"], "city": "other", "one-version": "1",
            "other-version": "1"}  # fmt: skip
    silent = await register.client.post("/register/merge", data=sent, headers=HTML)
    assert silent.status_code == 422 and "error-note" in silent.text
    stale = await register.client.post("/register/merge", data={**sent, "note": "x", "one-version": "7"}, headers=HTML)
    assert stale.status_code == 409 and "No se unió nada" in stale.text
    done = await register.client.post("/register/merge", data={**sent, "note": "mismo RFC"}, headers=HTML)
    assert done.status_code == 303, done.text
    assert (await register.client.get(f"/membership/organizations/{other['id']}")).json()["city"] == "Ameca"

    two = await register.company("Troquelados Pino Alto SA")
    await register.member(two, 0, "2020-01-01")
    assert two["id"] in (await register.client.get("/register/duplicates", headers=seen)).text
    apart = {"one": one["id"], "other": two["id"]}
    assert (await register.client.post("/register/apart", data=apart, headers=HTML)).status_code == 303
    listed = await register.client.get("/register/duplicates", headers=seen)
    assert listed.status_code == 200 and two["id"] not in listed.text
    for wrong in ("x", str(uuid4())):
        answer = await register.client.post("/register/apart", data={"one": wrong, "other": two["id"]}, headers=HTML)
        assert answer.status_code == 404


async def test_a_director_merges_only_what_lies_in_the_own_cluster(register: Register) -> None:
    mine, foreign = await register.company("Mía"), await register.company("Ajena")
    await register.member(mine, 0, "2020-01-01")
    await register.member(foreign, 1, "2020-01-01")
    database = register.client.service.database  # type: ignore[attr-defined]
    director = await somebody(database, "cluster_director", "cluster", UUID(register.clusters[0]))
    register.client.headers.pop("Authorization")
    body = {"stays_id": mine["id"], "goes_id": foreign["id"], "note": "x"}
    refused = await register.client.post("/membership/merges", json=body, headers=director.headers)
    assert refused.status_code == 403
    page = await register.client.get(f"/register/merge?one={mine['id']}&other={foreign['id']}",
                                     headers=HTML | director.headers)  # fmt: skip
    assert page.status_code == 403
