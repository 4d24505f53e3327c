"""Nobody comes to another cluster's company by applying in its name, by a sheet, or by calling oneself its branch."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import Somebody, somebody


class Two:
    """Two clusters with a director each; a company in force in the first, with a representative."""

    here: dict[str, Any]
    there: dict[str, Any]
    company: dict[str, Any]
    person: dict[str, Any]
    rebeca: Somebody
    costa: Somebody


async def made(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
async def client(client_for: ClientFor) -> httpx.AsyncClient:
    return await client_for("membership")


@pytest.fixture
async def two(client: httpx.AsyncClient, databases: dict[str, Database]) -> Two:
    one, mark = Two(), uuid4().hex[:8]
    one.here = await made(client, "/membership/clusters", name=f"{mark} a", slug=f"ra-{mark}", state="NLE")
    one.there = await made(client, "/membership/clusters", name=f"{mark} b", slug=f"rb-{mark}", state="JAL")
    one.company = await made(client, "/membership/organizations", legal_name=f"{mark} Troqueles SA", state="NLE",
                             city="Apodaca")  # fmt: skip
    membership = await made(client, "/membership/memberships", organization_id=one.company["id"],
                            cluster_id=one.here["id"], category="associate")  # fmt: skip
    for step in ("approve", "activate"):
        await made(client, f"/membership/memberships/{membership['id']}/{step}")
    one.person = await made(client, f"/membership/organizations/{one.company['id']}/people", name="Ana Sol Ruiz",
                            mail=f"ana-{mark}@troqueles.example", role="sales")  # fmt: skip
    await made(client, f"/membership/people/{one.person['id']}/consents", purpose="announcements", given=True,
               note="Lo dijo al inscribirse")  # fmt: skip
    database = databases["membership"]
    one.rebeca = await somebody(database, "cluster_director", "cluster", UUID(one.here["id"]))
    one.costa = await somebody(database, "cluster_director", "cluster", UUID(one.there["id"]))
    return one


@pytest.fixture
async def anybody(client_for: ClientFor) -> httpx.AsyncClient:
    return await client_for("membership", token=None)


async def test_staff_of_a_cluster_does_not_apply_for_another_clusters_company(
    anybody: httpx.AsyncClient, two: Two
) -> None:
    body = {"organization_id": two.company["id"], "cluster_id": two.there["id"], "category": "associate"}
    refused = await anybody.post("/membership/memberships", json=body, headers=two.costa.headers)
    assert (refused.status_code, refused.json()["field"]) == (403, "organization_id"), refused.text
    page = await anybody.post(f"/organizations/{two.company['slug']}/apply", data={"cluster": two.there["id"]},
                              headers=two.costa.headers | {"Accept": "text/html"})  # fmt: skip
    assert page.status_code == 403


async def test_an_application_opens_nothing_of_a_company_that_is_in_force_elsewhere(
    client: httpx.AsyncClient, anybody: httpx.AsyncClient, two: Two
) -> None:
    """The company itself, or the network for it, applies; the cluster decides by what everybody sees."""
    asked = await made(client, "/membership/memberships", organization_id=two.company["id"],
                       cluster_id=two.there["id"], category="associate")  # fmt: skip
    path = f"/membership/organizations/{two.company['id']}"
    for closed in (f"{path}/people", f"/membership/history/organization/{two.company['id']}"):
        assert (await anybody.get(closed, headers=two.costa.headers)).status_code == 403, closed
        assert (await anybody.get(closed, headers=two.rebeca.headers)).status_code == 200, closed
    changed = await anybody.patch(path, json={"city": "Otra"}, headers=two.costa.headers | {"If-Match": "*"})
    assert changed.status_code == 403
    assert (await anybody.get(f"/membership/memberships/{asked['id']}", headers=two.costa.headers)).status_code == 200
    for step in ("approve", "activate"):
        step_ = await anybody.post(f"/membership/memberships/{asked['id']}/{step}", headers=two.costa.headers)
        assert step_.status_code == 200, step_.text
    assert (await anybody.get(f"{path}/people", headers=two.costa.headers)).status_code == 200


async def test_consents_of_who_speaks_for_others_too_are_not_one_clusters(
    client: httpx.AsyncClient, anybody: httpx.AsyncClient, two: Two
) -> None:
    own = await made(client, "/membership/organizations", legal_name=f"{uuid4().hex[:8]} Resortes")
    membership = await made(client, "/membership/memberships", organization_id=own["id"], cluster_id=two.there["id"],
                            category="associate")  # fmt: skip
    for step in ("approve", "activate"):
        await made(client, f"/membership/memberships/{membership['id']}/{step}")
    added = await anybody.post(f"/membership/organizations/{own['id']}/people", headers=two.costa.headers,
                               json={"name": "Ana", "mail": two.person["mail"], "role": "sales"})  # fmt: skip
    assert added.json()["id"] == two.person["id"]
    path = f"/membership/people/{two.person['id']}"
    assert (await anybody.get(path, headers=two.costa.headers)).json()["consents"] == []
    said = {"purpose": "announcements", "given": False, "note": "ajena"}
    assert (await anybody.post(f"{path}/consents", json=said, headers=two.costa.headers)).status_code == 403
    kept = (await client.get(path)).json()["consents"]
    assert [one["given"] for one in kept] == [True]


async def test_a_firm_is_no_branch_of_another_by_its_own_word(
    client: httpx.AsyncClient, anybody: httpx.AsyncClient, two: Two, databases: dict[str, Database]
) -> None:
    firm = await made(client, "/membership/organizations", legal_name=f"{uuid4().hex[:8]} Nadie SA")
    lucia = await somebody(databases["membership"], "representative", "organization", UUID(firm["id"]))
    path, body = f"/membership/organizations/{firm['id']}/profile", {"parent_id": two.company["id"]}
    refused = await anybody.patch(path, json=body, headers=lucia.headers | {"If-Match": "*"})
    assert (refused.status_code, refused.json()["field"]) == (403, "parent_id"), refused.text
    assert (await client.get(path)).json()["parent_id"] is None
    page = await anybody.post(f"/organizations/{firm['slug']}/capabilities/edit", headers=lucia.headers,
                              data={"parent": two.company["slug"], "version": "0"})  # fmt: skip
    assert page.status_code == 403
    said = await client.patch(path, json=body, headers={"If-Match": "*"})
    assert (said.status_code, said.json()["parent_id"]) == (200, two.company["id"])
