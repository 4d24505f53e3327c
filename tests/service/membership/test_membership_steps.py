"""The steps of a membership as its cluster takes them: refused, expelled, brought back, in another category."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import Somebody, somebody

HTML = {"Accept": "text/html", "Accept-Language": "es"}


class Scene:
    """An application to a cluster, that cluster's director and staff, and the director of another one."""

    def __init__(self, client: httpx.AsyncClient, company: dict[str, Any], membership: dict[str, Any]) -> None:
        self.client, self.company, self.membership = client, company, membership
        self.people: dict[str, Somebody] = {}

    async def step(self, step: str, who: str = "director", **body: Any) -> httpx.Response:
        return await self.client.post(
            f"/membership/memberships/{self.membership['id']}/{step}", json=body, headers=self.people[who].headers
        )

    async def press(self, step: str, **data: Any) -> httpx.Response:
        return await self.client.post(
            f"/organizations/{self.company['slug']}/memberships/{self.membership['id']}/{step}", data=data,
            headers=HTML | self.people["director"].headers,
        )  # fmt: skip

    async def page(self, tab: str = "memberships") -> str:
        address = f"/organizations/{self.company['slug']}?tab={tab}"
        return (await self.client.get(address, headers=HTML | self.people["director"].headers)).text


@pytest.fixture
async def scene(client_for: ClientFor) -> Scene:
    client = await client_for("membership")
    mark = uuid4().hex[:8]

    async def made(path: str, **body: Any) -> dict[str, Any]:
        answer = await client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    ours, theirs = [
        await made("/membership/clusters", name=f"Clúster {n} {mark}", slug=f"s{n}-{mark}", state="JAL") for n in (1, 2)
    ]
    company = await made("/membership/organizations", legal_name=f"Moldes {mark}")
    membership = await made(
        "/membership/memberships", organization_id=company["id"], cluster_id=ours["id"], effective="2026-01-10"
    )
    found = Scene(client, company, membership)
    database: Database = client.service.database  # type: ignore[attr-defined]
    found.people = {
        "director": await somebody(database, "cluster_director", "cluster", UUID(ours["id"])),
        "staff": await somebody(database, "cluster_staff", "cluster", UUID(ours["id"])),
        "foreign": await somebody(database, "cluster_director", "cluster", UUID(theirs["id"])),
    }
    client.headers.pop("Authorization")
    return found


async def test_a_refusal_says_why_and_the_company_may_ask_again(scene: Scene) -> None:
    assert (await scene.step("refuse", "staff", note="x")).status_code == 403
    assert (await scene.step("refuse", "foreign", note="x")).status_code == 403
    silent = await scene.step("refuse")
    assert (silent.status_code, "note" in silent.text) == (422, True)
    early = await scene.step("refuse", note="sin acta", effective="2026-01-09")
    assert (early.status_code, early.json()["field"]) == (409, "effective")
    refused = await scene.step("refuse", note="sin acta", effective="2026-01-12")
    assert (refused.status_code, refused.json()["standing"]) == (200, "refused")
    assert (await scene.step("approve")).status_code == 409
    again = await scene.client.post(
        "/membership/memberships", headers=scene.people["director"].headers,
        json={"organization_id": scene.company["id"], "cluster_id": scene.membership["cluster_id"],
              "effective": "2026-02-01"},
    )  # fmt: skip
    assert (again.status_code, again.json()["standing"]) == (201, "applied")
    assert "sin acta" in await scene.page("history")


async def test_who_was_expelled_comes_back_by_the_cluster_only(scene: Scene) -> None:
    for step, day in (("approve", "2026-01-12"), ("activate", "2026-02-01")):
        assert (await scene.step(step, effective=day)).status_code == 200
    moved = await scene.step("category", "staff", category="affiliate", effective="2026-03-01")
    assert [one["category"] for one in moved.json()["bands"]] == ["associate", "affiliate"]
    same = await scene.step("category", category="affiliate", effective="2026-03-05")
    assert (same.status_code, same.json()["version"]) == (200, moved.json()["version"])
    assert (await scene.step("category", category="emperor")).status_code == 422
    assert (await scene.step("expel", "staff", note="x")).status_code == 403
    out = await scene.step("expel", note="acuerdo del consejo", effective="2026-04-01")
    assert (out.json()["standing"], out.json()["until"]) == ("expelled", "2026-04-01")
    asks = await scene.client.post(
        "/membership/memberships", headers=scene.people["director"].headers,
        json={"organization_id": scene.company["id"], "cluster_id": scene.membership["cluster_id"]},
    )  # fmt: skip
    assert (asks.status_code, "fue expulsada" in asks.json()["title"]) == (409, True)
    early = await scene.step("reinstate", effective="2026-03-31")
    assert early.status_code == 409
    back = await scene.step("reinstate", note="pagó", effective="2026-05-01")
    assert [(b["category"], b["since"], b["until"]) for b in back.json()["bands"]] == [
        ("associate", "2026-02-01", "2026-03-01"), ("affiliate", "2026-03-01", "2026-04-01"),
        ("affiliate", "2026-05-01", None),
    ]  # fmt: skip
    database: Database = scene.client.service.database  # type: ignore[attr-defined]
    async with database.connection() as connection:
        types = await connection.fetch(
            "SELECT type FROM outbox WHERE aggregateid = $1 AND effective IS NOT NULL ORDER BY version",
            scene.membership["id"],
        )  # fmt: skip
    assert [row["type"].split(".")[-2] for row in types] == [
        "MembershipApplied", "MembershipApproved", "MembershipActivated", "MembershipCategoryChanged",
        "MembershipExpelled", "MembershipReinstated",
    ]  # fmt: skip


async def test_of_two_who_decide_at_once_one_is_told_that_it_is_done(scene: Scene) -> None:
    answers = await asyncio.gather(scene.step("approve"), scene.step("refuse", note="no"), scene.step("approve"))
    codes = [one.status_code for one in answers]
    assert set(codes) <= {200, 409}
    assert [codes[0], codes[2]].count(200) <= 1, "two approvals do not both count"
    now = await scene.client.get(
        f"/membership/memberships/{scene.membership['id']}", headers=scene.people["director"].headers
    )
    # an approved application may still be refused, a refused one is approved no more
    assert now.json()["standing"] == ("refused" if codes[1] == 200 else "approved")
    assert now.json()["version"] == 1 + codes.count(200)


async def test_the_buttons_ask_for_the_reason_and_the_category(scene: Scene) -> None:
    page = await scene.page()
    assert "/approve" in page
    assert "/refuse" in page
    assert "/expel" not in page
    silent = await scene.press("refuse", version="1", note=" ")
    assert (silent.status_code, "Escribe el motivo" in silent.text) == (422, True)
    for step in ("approve", "activate"):
        assert (await scene.press(step)).status_code == 303
    choice = await scene.press("category", category="emperor")
    assert (choice.status_code, "Elige la categoría" in choice.text) == (422, True)
    assert (await scene.press("category", category="honorary")).status_code == 303
    assert "socio honorario" in await scene.page()
    silent = await scene.press("expel", note="")
    assert silent.status_code == 422
    done = await scene.press("resign", note="cerró la planta")
    assert done.status_code in (303, 409), "one that began today cannot end today"
