"""Membership over HTTP: the way of a company into a cluster, bad input, conflicts, pages."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def client(client_for: ClientFor) -> httpx.AsyncClient:
    return await client_for("membership")


def mark() -> str:
    return uuid.uuid4().hex[:10]


async def new_cluster(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post(
        "/membership/clusters",
        json={"name": "Costa y Agave", "slug": f"c-{mark()}", "state": "Jalisco", "since": "2020-09-01"},
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def new_organization(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post("/membership/organizations", json={"legal_name": f"Moldes {mark()}, S.A."} | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def applied(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    cluster, organization = await new_cluster(client), await new_organization(client)
    answer = await client.post(
        "/membership/memberships", json={"cluster_id": cluster["id"], "organization_id": organization["id"]} | more
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_from_application_to_resignation(client: httpx.AsyncClient) -> None:
    membership = await applied(client, effective="2025-01-10")
    path = f"/membership/memberships/{membership['id']}"
    for step, day, standing in (
        ("approve", "2025-01-20", "approved"),
        ("activate", "2025-02-01", "active"),
        ("resign", "2025-12-31", "resigned"),
    ):
        answer = await client.post(f"{path}/{step}", json={"effective": day, "note": "as decided"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["standing"] == standing
    found = await client.get(path)
    assert found.headers["etag"] == '"4"'
    assert found.json()["bands"] == [{"category": "associate", "since": "2025-02-01", "until": "2025-12-31"}]
    again = await client.post(f"{path}/activate", json={"effective": "2026-05-01"})
    assert again.json()["since"] == "2026-05-01"
    ahead = await client.post(f"{path}/resign", json={"effective": "2199-12-31"})
    assert (ahead.status_code, ahead.json()["field"]) == (422, "effective")


async def test_a_step_that_does_not_follow_is_a_conflict_with_its_reason(client: httpx.AsyncClient) -> None:
    membership = await applied(client)
    answer = await client.post(f"/membership/memberships/{membership['id']}/activate")
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:cumulo:problem:not-approved"
    assert "approved first" in answer.json()["title"]


async def test_two_activations_at_once_are_one(client: httpx.AsyncClient) -> None:
    membership = await applied(client)
    path = f"/membership/memberships/{membership['id']}"
    await client.post(f"{path}/approve")
    answers = await asyncio.gather(*(client.post(f"{path}/activate") for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409]
    assert (await client.get(path)).json()["version"] == 3


async def test_two_applications_at_once_are_one(client: httpx.AsyncClient) -> None:
    cluster, organization = await new_cluster(client), await new_organization(client)
    body = {"cluster_id": cluster["id"], "organization_id": organization["id"]}
    answers = await asyncio.gather(*(client.post("/membership/memberships", json=body) for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409]


async def test_who_read_an_older_version_is_told(client: httpx.AsyncClient) -> None:
    organization = await new_organization(client)
    path = f"/membership/organizations/{organization['id']}"
    first = await client.patch(path, json={"city": "Tala"}, headers={"If-Match": '"1"'})
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    second = await client.patch(path, json={"city": "Tonalá"}, headers={"If-Match": '"1"'})
    assert (second.status_code, second.json()["field"]) == (412, "If-Match")
    assert (await client.patch(path, json={"city": "x"}, headers={"If-Match": "abc"})).status_code == 422
    unsaid = await client.patch(path, json={"city": "x"})
    assert (unsaid.status_code, unsaid.json()["field"]) == (428, "If-Match")
    assert unsaid.json()["type"] == "urn:cumulo:problem:version-needed"
    assert (await client.patch(path, json={"city": "Tala"}, headers={"If-Match": "*"})).status_code == 200
    assert (await client.get(path)).json()["city"] == "Tala"


async def test_a_tax_number_belongs_to_one_organisation(client: httpx.AsyncClient) -> None:
    number = f"ZZ{chr(65 + int(mark()[0], 16))}{10 + int(mark()[0], 16)}0101{mark()[:2].upper()}0"
    first = await new_organization(client, tax_number=number)
    assert first["tax_number"] == number
    again = await client.post("/membership/organizations", json={"legal_name": "Otra", "tax_number": number.lower()})
    assert (again.status_code, again.json()["field"]) == (409, "tax_number")


async def test_a_cluster_leaves_the_network_and_its_slug_is_its_own(client: httpx.AsyncClient) -> None:
    cluster = await new_cluster(client)
    twice = await client.post("/membership/clusters", json={"name": "x", "slug": cluster["slug"], "state": "JAL"})
    assert (twice.status_code, twice.json()["field"]) == (409, "slug")
    left = await client.post(f"/membership/clusters/{cluster['id']}/leave", json={"effective": "2025-01-01"})
    assert left.json()["in_network_until"] == "2025-01-01"
    again = await client.post(f"/membership/clusters/{cluster['id']}/join", json={"effective": "2026-01-01"})
    assert (again.json()["in_network_since"], again.json()["version"]) == ("2026-01-01", 4)


async def test_lists_page_by_cursor(client: httpx.AsyncClient) -> None:
    name = f"Moldes {mark()}"
    made = [(await new_organization(client, legal_name=name))["id"] for _ in range(5)]
    seen: list[str] = []
    after: dict[str, str | int] = {}
    while True:
        page = (await client.get("/membership/organizations", params={"name": name, "limit": 2, **after})).json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == sorted(made)


NOBODY = "01990000-0000-7000-8000-00000000dead"
BAD = [
    ("POST", "/membership/organizations", {}, "legal_name"),
    ("POST", "/membership/organizations", {"legal_name": "a\x00b"}, "legal_name"),
    ("POST", "/membership/organizations", {"legal_name": "\ud800"}, "legal_name"),
    ("POST", "/membership/organizations", {"legal_name": " .,- "}, "legal_name"),
    ("POST", "/membership/organizations", {"legal_name": "x" * 301}, "legal_name"),
    ("POST", "/membership/organizations", {"legal_name": "x", "type": "banda"}, "type"),
    ("POST", "/membership/organizations", {"legal_name": "x", "country": "mexico"}, "country"),
    ("POST", "/membership/organizations", {"legal_name": "x", "state": "Jalisko"}, "state"),
    ("POST", "/membership/organizations", {"legal_name": "x", "tax_number": "XAXX010101000"}, "tax_number"),
    ("POST", "/membership/organizations", {"legal_name": "x", "tax_number": "123"}, "tax_number"),
    ("POST", "/membership/organizations", {"legal_name": "x", "positions": ["tier9"]}, "positions.0"),
    ("POST", "/membership/organizations", {"legal_name": "x", "effective": "1066-10-14"}, "effective"),
    ("POST", "/membership/organizations", {"legal_name": "x", "effective": "infinity"}, "effective"),
    ("POST", "/membership/organizations", {"legal_name": "x", "color": "red"}, "color"),
    ("POST", "/membership/clusters", {"name": "x", "slug": "Not A Slug", "state": "JAL"}, "slug"),
    ("POST", "/membership/clusters", {"name": "x", "slug": "a", "state": "JAL", "zone": "Mars/Base"}, "zone"),
    ("POST", "/membership/clusters", {"name": "x", "slug": "a", "state": "JAL", "zone": "../../etc/passwd"}, "zone"),
    ("POST", "/membership/clusters", {"name": "x", "slug": "a", "state": "Narnia"}, "state"),
    ("POST", "/membership/memberships", {"organization_id": "1", "cluster_id": NOBODY}, "organization_id"),
    ("POST", "/membership/memberships", {"organization_id": NOBODY, "cluster_id": NOBODY}, "cluster_id"),
    ("GET", "/membership/organizations?after=nobody", None, "after"),
    ("GET", "/membership/organizations?limit=0", None, "limit"),
    ("GET", "/membership/organizations?limit=99999999999999999999", None, "limit"),
    ("GET", "/membership/organizations?name=%00", None, "name"),
    ("GET", "/membership/organizations?state=%00", None, "state"),
    ("GET", "/membership/clusters/1", None, "cluster_id"),
    ("POST", "/membership/memberships/nobody/approve", None, "membership_id"),
    ("DELETE", "/membership/people/1", None, "person_id"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "field"), BAD)
async def test_bad_input_names_its_field_and_changes_nothing(
    client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None, field: str
) -> None:
    import json

    async with client.service.database.connection() as connection:  # type: ignore[attr-defined]
        before = await connection.fetchval("SELECT count(*) FROM outbox")
    content = None if body is None else json.dumps(body)
    answer = await client.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert answer.headers["content-type"] == "application/problem+json"
    async with client.service.database.connection() as connection:  # type: ignore[attr-defined]
        assert await connection.fetchval("SELECT count(*) FROM outbox") == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/membership/clusters/{NOBODY}"), ("GET", f"/membership/organizations/{NOBODY}"),
        ("GET", f"/membership/memberships/{NOBODY}"), ("POST", f"/membership/memberships/{NOBODY}/resign"),
        ("DELETE", f"/membership/people/{NOBODY}"),
    ],
)  # fmt: skip
async def test_what_does_not_exist_is_not_found(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await client.request(method, path)).status_code == 404


async def test_without_a_token_nothing_is_told(client_for: ClientFor) -> None:
    stranger = await client_for("membership", token=None)
    for path in ("clusters", "organizations", "memberships"):
        assert (await stranger.get(f"/membership/{path}")).status_code == 401


async def test_the_snapshot_gives_current_rows_by_key(client: httpx.AsyncClient) -> None:
    membership = await applied(client)
    found: list[dict[str, Any]] = []
    after: dict[str, str | int] = {}
    while page := (await client.get("/membership/feed/state/standing", params={"limit": 500, **after})).json():
        found += page
        after = {"after": page[-1]["partitionkey"]}
    keys = [event["partitionkey"] for event in found]
    assert keys == sorted(keys)
    [mine] = [event for event in found if event["partitionkey"] == membership["id"]]
    assert (mine["version"], mine["data"]["standing"]) == ("1", "applied")
    assert (await client.get("/membership/feed/state/standing", params={"after": "nobody"})).status_code == 422


async def test_a_persons_tax_number_is_refused_of_a_company(client: httpx.AsyncClient) -> None:
    body = {"legal_name": f"Moldes {mark()}", "tax_number": "GODE561231GR8"}
    refused = await client.post("/membership/organizations", json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, "tax_number")
    assert "a company has 12" in refused.json()["title"]
