"""Inicio: what waits, for whom and with which action; nobody sees what they may not do."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from tests.stack.people import Somebody, somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
PENDING = "/membership/pages/home/pending"


@dataclass
class Desk:
    """A cluster with its director, and a company that asks to join."""

    client: httpx.AsyncClient
    cluster: str
    name: str
    membership: str
    director: Somebody

    async def waits(self, who: Somebody) -> str:
        answer = await self.client.get(PENDING, headers=who.headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def person(self, role: str, scope: str = "network", id_: str | None = None) -> Somebody:
        database = self.client.service.database  # type: ignore[attr-defined]
        return await somebody(database, role, scope, UUID(id_) if id_ else None)  # type: ignore[arg-type]


@pytest.fixture
async def desk(client_for: ClientFor) -> AsyncIterator[Desk]:
    client = await client_for("membership")
    mark = uuid4().hex[:8]
    made = await client.post("/membership/clusters", json={"name": f"Clúster {mark}", "slug": mark, "state": "JAL"})
    cluster = made.json()["id"]
    body = {"legal_name": f"Forjas {mark}", "type": "company", "positions": ["tier2"]}
    organization = (await client.post("/membership/organizations", json=body)).json()["id"]
    applied = await client.post(
        "/membership/memberships", json={"organization_id": organization, "cluster_id": cluster}
    )
    assert applied.status_code == 201, applied.text
    director = await somebody(client.service.database, "cluster_director", "cluster", UUID(cluster))  # type: ignore[attr-defined]
    client.headers.pop("Authorization")
    yield Desk(client, cluster, f"Forjas {mark}", applied.json()["id"], director)


async def test_an_application_waits_for_who_decides_with_a_link_to_it(desk: Desk) -> None:
    waits = await desk.waits(desk.director)
    assert f"{desk.name} solicita ingreso a Clúster" in waits
    assert f'href="/applications/{desk.membership}"' in waits
    assert "Revisar" in waits and "hoy" in waits


async def test_it_waits_neither_for_another_cluster_nor_for_who_only_prepares(desk: Desk) -> None:
    body = {"name": "X", "slug": uuid4().hex[:8], "state": "JAL"}
    coordinator = await desk.person("coordinator")
    made = await desk.client.post("/membership/clusters", headers=coordinator.headers, json=body)
    other = made.json()["id"]
    for who in (
        await desk.person("cluster_director", "cluster", other),
        await desk.person("cluster_staff", "cluster", desk.cluster),
        await desk.person("assistant"),
        await desk.person("partner"),
    ):
        assert desk.name not in await desk.waits(who)


async def test_once_approved_bringing_it_into_force_waits(desk: Desk) -> None:
    approved = await desk.client.post(
        f"/membership/memberships/{desk.membership}/approve", headers=desk.director.headers, json={}
    )
    assert approved.status_code == 200, approved.text
    staff = await desk.person("cluster_staff", "cluster", desk.cluster)
    assert "Poner en vigor" in await desk.waits(staff)


async def test_a_certificate_that_ends_waits_for_the_company_that_holds_it(desk: Desk) -> None:
    owner = (await desk.client.get(f"/membership/memberships/{desk.membership}", headers=desk.director.headers)).json()
    company = owner["organization_id"]
    now = desk.client.service.clock()  # type: ignore[attr-defined]
    ends = (now + timedelta(days=30)).date()
    body = {"standard": "iatf_16949", "body": "Demo", "since": "2024-01-01", "until": ends.isoformat()}
    recorded = await desk.client.post(
        f"/membership/organizations/{company}/certificates", headers=desk.director.headers, json=body
    )
    assert recorded.status_code == 201, recorded.text
    speaks = await desk.person("representative", "organization", company)
    assert "IATF 16949" in await desk.waits(speaks) and "Renovar" in await desk.waits(speaks)
    assert "IATF" not in await desk.waits(desk.director)
