"""Filters of the register: how many each value would leave, and filters kept under a name."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.stack.people import somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HTML = {"Accept": "text/html", "Accept-Language": "es"}


@pytest.fixture
async def staff(client_for: ClientFor) -> httpx.AsyncClient:
    return await client_for("membership")


async def made(staff: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await staff.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def counts(page: str, key: str) -> dict[str, int]:
    """The counts beside the values of a filter."""
    found = re.findall(rf'name="{key}" value="([^"]+)"[^>]*><span>[^<]*</span><small>([\d,]+)</small>', page)
    return {value: int(count.replace(",", "")) for value, count in found}


async def test_a_count_beside_a_value_is_what_the_list_has_with_it(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    cluster = await made(staff, "/membership/clusters", name=mark, slug=f"f-{mark}", state="JAL")
    for n, (kind, positions, category) in enumerate(
        [
            ("company", ["tier1"], "associate"),
            ("company", ["tier1", "tier2"], "affiliate"),
            ("university", [], "affiliate"),
        ]
    ):
        one = await made(staff, "/membership/organizations", legal_name=f"{mark} {n}", type=kind, positions=positions)
        await made(staff, "/membership/memberships", organization_id=one["id"], cluster_id=cluster["id"],
                   category=category)  # fmt: skip
    await made(staff, "/membership/organizations", legal_name=f"{mark} sin clúster")
    seen = (await staff.get("/register", params={"q": mark}, headers=HTML)).text
    assert counts(seen, "type") == {"company": 3, "university": 1, "research_centre": 0, "government": 0,
                                    "association": 0}  # fmt: skip
    assert counts(seen, "position")["tier1"] == 2 and counts(seen, "position")["tier2"] == 1
    assert counts(seen, "standing")["applied"] == 3 and counts(seen, "cluster")[f"f-{mark}"] == 0
    asked = {"q": mark, "standing": "applied"}
    seen = (await staff.get("/register", params=asked, headers=HTML)).text
    assert counts(seen, "cluster")[f"f-{mark}"] == 3 and counts(seen, "category")["affiliate"] == 2
    narrowed = asked | {"category": "affiliate", "type": "company"}
    seen = (await staff.get("/register", params=narrowed, headers=HTML)).text
    assert counts(seen, "type")["university"] == 1 and counts(seen, "category")["associate"] == 1
    for key in ("type", "category", "position", "cluster", "standing"):
        for value, count in counts(seen, key).items():
            with_it = (await staff.get("/register", params=narrowed | {key: value}, headers=HTML)).text
            rows = len(re.findall(r'<th scope=row[^>]*><div>\s*<a href="/organizations/', with_it))
            assert rows == count, (key, value)


async def test_filters_are_kept_under_a_name_found_again_and_forgotten(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    await made(staff, "/membership/organizations", legal_name=f"Uno {mark}", positions=["tier2"])
    page = await staff.get("/register/segments", params={"q": mark, "position": "tier2", "sort": "name"}, headers=HTML)
    assert f"q={mark}&amp;position=tier2" in page.text
    sent = {"query": f"q={mark}&position=tier2&sort=name", "name": f"Tier 2 {mark}"}
    assert (await staff.post("/register/segments", data=sent, headers=HTML)).status_code == 303
    twice = await staff.post("/register/segments", data=sent, headers=HTML)
    assert twice.status_code == 409 and "error-name" in twice.text
    for wrong in ({"name": " "}, {"name": "x" * 81}, {"query": "sort=name"}, {"query": "q=\x00"}):
        answer = await staff.post("/register/segments", data={**sent, "name": f"b {mark}", **wrong}, headers=HTML)
        assert answer.status_code == 422, wrong
    listed = await staff.get("/register/segments", headers=HTML)
    assert f"Tier 2 {mark}" in listed.text
    [kept] = [one for one in (await staff.get("/membership/segments")).json() if one["name"] == f"Tier 2 {mark}"]
    assert kept["filters"] == {"q": mark, "position": "tier2"}
    register = await staff.get(kept["address"], headers=HTML)
    assert f"Uno {mark}" in register.text
    gone = await staff.post(f"/register/segments/{kept['id']}/remove", headers=HTML)
    assert gone.status_code == 303
    assert (await staff.delete(f"/membership/segments/{kept['id']}")).status_code == 404


async def test_a_cluster_keeps_its_segments_to_itself(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    mine = await made(staff, "/membership/clusters", name=mark, slug=f"g-{mark}", state="JAL")
    database = staff.service.database  # type: ignore[attr-defined]
    director = await somebody(database, "cluster_director", "cluster", UUID(mine["id"]))
    foreign = await somebody(database, "cluster_director", "cluster", uuid4())
    staff.headers.pop("Authorization")
    body = {"name": f"S {mark}", "filters": {"type": "company"}, "cluster_id": mine["id"]}
    kept = await staff.post("/membership/segments", json=body, headers=director.headers)
    assert kept.status_code == 201, kept.text
    assert (await staff.post("/membership/segments", json=body, headers=foreign.headers)).status_code == 403
    assert (await staff.post("/membership/segments", json=body | {"cluster_id": None},
                             headers=director.headers)).status_code == 403  # fmt: skip
    names = [one["name"] for one in (await staff.get("/membership/segments", headers=foreign.headers)).json()]
    assert f"S {mark}" not in names
    path = f"/membership/segments/{kept.json()['id']}"
    assert (await staff.delete(path, headers=foreign.headers)).status_code == 404
    assert (await staff.delete(path, headers=director.headers)).status_code == 204
